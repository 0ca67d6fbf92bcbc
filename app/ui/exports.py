"""What can be taken away from the Review page, as downloads."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from app.answers import Answers
from app.exports.labelled import LabelledPhoto, labelled_photos
from app.exports.tables import as_csv, as_json_lines
from app.fitting import classifier_file
from app.ui import look
from app.ui.served import library
from indexer.gallery import Gallery


def exports(gallery: Gallery, answers: Answers, *, setting: float) -> None:
    """Draw a button for each file. Their content is made when it is asked for.

    Args:
        gallery: whose labels and encoder they hold.
        answers: the classifier as it is now.
        setting: of its rejection, from 0 (strict) to 1 (complete).
    """
    with st.container(key="exports"):
        look.heading(
            "Take it away",
            detail="The labels by path, and the classifier as one ONNX file that any program can "
            "run. It rejects as the slider above is set.",
            level=2,
        )
        with st.container(horizontal=True):
            _labels()
            _classifier(gallery, answers, setting)


def _labels() -> None:
    catalogue = library().labels.path
    for name, mime, write in (
        ("labels.csv", "text/csv", as_csv),
        ("labels.jsonl", "application/jsonl", as_json_lines),
    ):
        st.download_button(
            name,
            partial(_written, write, catalogue),
            file_name=name,
            mime=mime,
            on_click="ignore",
        )


def _written(write: Callable[[Sequence[LabelledPhoto]], bytes], catalogue: Path) -> bytes:
    return write(labelled_photos(catalogue))


def _classifier(gallery: Gallery, answers: Answers, setting: float) -> None:
    several = answers.head is not None and len(answers.head.classes) > 1
    st.download_button(
        "classifier.onnx",
        lambda: classifier_file(gallery, answers.shots, answers.judgement, setting=setting),
        file_name="classifier.onnx",
        mime="application/octet-stream",
        on_click="ignore",
        disabled=not several,
        help=None if several else "It takes labels of two classes.",
    )
