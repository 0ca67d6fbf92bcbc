"""The labelling flow: suggestions to accept, answers that follow the labels, a judge behind."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.answers import Answers, judged, shots_of
from app.desk import coming
from app.fewshot.suggest import Suggestion
from app.labelling import Labelling, Standing, source_of
from indexer.labels import NONE, Labels
from training.errors import GalleryError, Interrupted, LabelError

# Photos 1 to 30 are reddish above, 31 to 60 bluish; below each is a mosaic of its own.
REDS, BLUES = range(1, 31), range(31, 61)


@pytest.fixture
def gallery(studio: Any) -> Any:
    for name in ("a.png", "b.png", "c.png", "sub/d.png"):
        (studio.photos / name).unlink()
    draws = np.random.default_rng(0)
    for name, colour in (("a-red", (230, 30, 30)), ("blue", (30, 30, 230))):
        for number in range(30):
            tiles = draws.integers(0, 256, (5, 5, 3), dtype=np.uint8)
            tiles[:2] = colour
            mosaic = Image.fromarray(tiles).resize((40, 40), Image.Resampling.NEAREST)
            mosaic.save(studio.photos / f"{name}-{number:02d}.png")
    studio.build()
    return studio.gallery()


@pytest.fixture
def labelling(gallery: Any) -> Iterator[Labelling]:
    labels = Labels(gallery.info().folder / "catalogue.sqlite")
    flow = Labelling(lambda: gallery, labels, quiet_seconds=0.05)
    yield flow
    flow.close()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def label_some(labelling: Labelling, each: int) -> None:
    labelling.put(REDS[:each], "red", source="search", who="anna")
    labelling.put(BLUES[:each], "blue", source="search", who="anna")


def test_without_labels_there_are_suggestions_and_no_answers(labelling: Labelling) -> None:
    answers = labelling.answers()
    assert (answers.head, answers.probabilities, answers.predicted) == (None, None, None)
    suggestions = labelling.suggest(count=6)
    assert {s.why for s in suggestions} == {"typical"}
    assert len({s.photo_id for s in suggestions}) == 6


def test_the_answers_follow_every_label_and_every_undo(labelling: Labelling) -> None:
    label_some(labelling, 2)
    answers = labelling.answers()
    assert answers.head is not None
    assert answers.head.classes == ("blue", "red")
    assert answers.predicted is not None
    named = [answers.head.classes[n] for n in answers.predicted]
    assert named == ["red"] * 30 + ["blue"] * 30
    assert labelling.answers() is answers

    labelling.undo(who="anna")

    assert labelling.answers().head.classes == ("red",)  # type: ignore[union-attr]
    assert set(labelling.answers().labels) == {1, 2}


def test_accepting_a_page_is_one_action_with_corrections(labelling: Labelling) -> None:
    label_some(labelling, 2)
    page = labelling.suggest(count=8, name="red")
    assert {s.name for s in page} == {"red"}
    wrong, left_out = page[0].photo_id, page[1].photo_id

    labelling.accept(page, who="anna", corrected={wrong: NONE, left_out: None})

    current = labelling.labels.current()
    assert current[wrong].name == NONE
    assert left_out not in current
    assert all(current[s.photo_id].name == "red" for s in page[2:])
    labelling.undo(who="anna")
    assert len(labelling.labels.current()) == 4


def test_accepting_nothing_is_no_action(labelling: Labelling) -> None:
    assert labelling.accept([Suggestion(3, None, None, "typical")], who="anna") == 0
    assert labelling.labels.revision() == 0


def test_the_source_tells_random_draws_from_what_was_picked() -> None:
    found = {
        why: source_of(Suggestion(1, None, None, why)) for why in ("typical", "unsure", "audit")
    }
    assert found == {"typical": "suggested", "unsure": "suggested", "audit": "random"}


def test_what_a_person_sets_aside_is_suggested_to_others_only(labelling: Labelling) -> None:
    first = [s.photo_id for s in labelling.suggest(count=5, who="anna")]
    labelling.reject(first, who="anna")
    again = {s.photo_id for s in labelling.suggest(count=60, who="anna")}
    assert not again & set(first)
    assert len(again) == 55
    assert [s.photo_id for s in labelling.suggest(count=5, who="ben")] == first


def test_a_class_without_labels_has_no_suggestions_of_its_own(labelling: Labelling) -> None:
    labelling.labels.add_class("green", who="anna")
    with pytest.raises(LabelError, match="green"):
        labelling.suggest(name="green")


def follow(labelling: Labelling) -> Standing:
    """What is known once the background has caught up."""
    until(lambda: labelling.standing().settled)
    return labelling.standing()


def test_what_is_known_stands_until_the_background_has_followed_the_labels(
    labelling: Labelling,
) -> None:
    before = labelling.standing()
    assert before.settled
    label_some(labelling, 2)

    behind = labelling.standing()

    assert not behind.settled
    assert behind.answers is before.answers
    after = follow(labelling)
    assert after.answers.revision == labelling.labels.revision()
    assert after.answers.head.classes == ("blue", "red")  # type: ignore[union-attr]
    # The order by which somebody works on is that of what they were shown.
    asked = [s.photo_id for s in labelling.suggest(count=9, standing=before)]
    assert asked == [s.photo_id for s in labelling.suggest(count=9, standing=behind)]


def test_two_hundred_labels_in_a_row_need_few_refits_and_end_with_the_last(
    labelling: Labelling,
) -> None:
    seen = {id(labelling.standing().answers): labelling.standing().answers}
    revisions = []
    for press in range(200):
        labelling.put([1 + press % 60], ("red", "blue")[press % 2], source="search", who="anna")
        known = labelling.standing().answers
        seen[id(known)] = known
        revisions.append(known.revision)
    assert revisions == sorted(revisions), "what is known went back to an older state"
    final = follow(labelling).answers
    assert final.revision == 200
    assert {i: of.name for i, of in final.labels.items()} == {
        i: of.name for i, of in labelling.labels.current().items()
    }


def test_whoever_needs_it_exact_waits_for_the_refit_under_way_instead_of_doing_it_again(
    gallery: Any,
) -> None:
    labels = Labels(gallery.info().folder / "catalogue.sqlite")
    # A judgement in between would be a reason for another refit.
    labelling = Labelling(lambda: gallery, labels, quiet_seconds=3600)
    label_some(labelling, 3)
    found: list[Answers] = []
    callers = [threading.Thread(target=lambda: found.append(labelling.answers())) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    labelling.close()
    assert len({id(answers) for answers in found}) == 1


def test_a_large_gallery_is_got_to_know_in_the_background_and_random_photos_come_first(
    gallery: Any,
) -> None:
    labels = Labels(gallery.info().folder / "catalogue.sqlite")
    labelling = Labelling(lambda: gallery, labels, at_once=0)
    first = Standing(labelling.answers(), None, settled=False, known=0.4)
    assert "Getting to know your photos: 40 %" in coming(first)
    drawn = labelling.suggest(count=6, standing=first)
    assert {s.why for s in drawn} == {"audit"}
    assert {source_of(s) for s in drawn} == {"random"}
    assert len({s.photo_id for s in drawn}) == 6
    then = follow(labelling)
    assert then.regions is not None
    assert then.known is None
    assert {s.why for s in labelling.suggest(count=6, standing=then)} == {"typical"}
    labelling.close()


def test_a_refit_that_fails_is_told_and_the_next_label_tries_again(gallery: Any) -> None:
    broken = [False]

    def opened() -> Any:
        if broken[0] and threading.current_thread() is not threading.main_thread():
            raise GalleryError("the gallery is gone", hint="put it back")
        return gallery

    labelling = Labelling(opened, Labels(gallery.info().folder / "catalogue.sqlite"))
    before = labelling.standing().answers
    broken[0] = True
    label_some(labelling, 2)
    until(lambda: labelling.standing().failure is not None)
    behind = labelling.standing()
    assert behind.answers is before
    assert behind.failure is not None
    assert (behind.failure.message, behind.failure.hint) == ("the gallery is gone", "put it back")
    assert "stored" in coming(behind)
    assert "the gallery is gone" in coming(behind)
    broken[0] = False
    assert follow(labelling).failure is None
    labelling.close()


def test_the_judge_follows_in_the_background_and_the_head_takes_its_word(
    labelling: Labelling,
) -> None:
    label_some(labelling, 6)
    before = labelling.answers()
    assert before.judgement is None
    until(lambda: labelling.judgement() is not None)

    after = labelling.answers()

    assert after.judgement is not None
    assert after.judgement.revision == after.revision
    assert after.judgement.shots.ids.tolist() == [*REDS[:6], *BLUES[:6]]
    assert after.judgement.quality.classes == ("blue", "red")
    assert after is not before
    until(lambda: not labelling.judging())
    assert labelling.answers() is after


def test_labels_of_a_newer_gallery_are_used_as_soon_as_it_is_there(studio: Any) -> None:
    studio.build()
    current = [studio.gallery()]
    labelling = Labelling(lambda: current[0], Labels(studio.folder / "catalogue.sqlite"))
    labelling.put([1], "red", source="search", who="anna")
    assert len(labelling.answers().ids) == 4
    studio.paint("new.png", "white")
    studio.build()
    current[0] = studio.gallery()
    assert len(labelling.answers().ids) == 5
    labelling.close()


def test_too_few_labels_to_judge_by_are_no_error(labelling: Labelling) -> None:
    labelling.put([1], "red", source="search", who="anna")
    labelling.answers()
    until(lambda: not labelling.judging())
    assert labelling.judgement() is None


def test_judging_stops_when_it_is_asked_to(labelling: Labelling) -> None:
    label_some(labelling, 8)
    with pytest.raises(Interrupted):
        judged(labelling.answers().shots, stop=lambda: True)


def test_labels_of_photos_that_the_gallery_lacks_are_left_out(labelling: Labelling) -> None:
    label_some(labelling, 2)
    ids = np.array([1, 2, 99])
    rows = np.eye(3, dtype=np.float32)
    shots = shots_of(ids, rows, labelling.labels.current())
    assert (shots.ids.tolist(), shots.names) == ([1, 2], ("red", "red"))
    assert shots.rows.tolist() == rows[:2].tolist()


def test_many_people_may_label_and_ask_at_once(labelling: Labelling) -> None:
    def work(person: int) -> None:
        for number in range(5):
            photo = 1 + person * 5 + number
            name = "red" if photo <= 30 else "blue"
            labelling.put([photo], name, source="search", who=f"p{person}")
            labelling.suggest(count=4, who=f"p{person}")

    with ThreadPoolExecutor(12) as people:
        list(people.map(work, range(12)))
    assert len(labelling.answers().labels) == 60
    assert labelling.answers().revision == 60
