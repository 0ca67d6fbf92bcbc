"""`ssl-index info`: what a gallery holds."""

from pathlib import Path

import click

from indexer.commands.shared import gallery_argument, json_option, path_text, print_json
from indexer.gallery import GalleryInfo, describe, skipped_files
from training.console import readable
from training.photos import SkippedFile


@click.command("info")
@gallery_argument
@click.option("--skipped", is_flag=True, help="List the files that could not be used, and why.")
@json_option
def info_command(gallery: Path, skipped: bool, as_json: bool) -> None:
    """Say what GALLERY holds."""
    if skipped:
        files = skipped_files(gallery)
        if as_json:
            print_json([{"path": path_text(f.path), "reason": f.reason} for f in files])
        else:
            click.echo(_skipped_text(files), nl=bool(files))
        return
    facts = _info_facts(describe(gallery))
    if as_json:
        print_json(facts)
    else:
        click.echo(_facts_text(facts))


def _skipped_text(files: list[SkippedFile]) -> str:
    return "\n".join(f"{readable(file.path)}\t{readable(file.reason)}" for file in files)


def _info_facts(info: GalleryInfo) -> dict[str, str | int | float | None]:
    return {
        "folder": str(info.folder),
        "photo_root": str(info.photo_root),
        "photos": info.photos,
        "distinct": info.distinct,
        "skipped": info.skipped,
        "backbone": info.encoder.backbone,
        "image_size": info.encoder.preprocessing.image_size,
        "origin": info.encoder.origin,
        "fingerprint": info.fingerprint,
        "dim": info.dim,
        "index": info.index,
        "index_reason": info.index_reason,
        "index_recall": info.index_recall,
        "generation": info.generation,
        "size_bytes": info.size_bytes,
    }


def _facts_text(facts: dict[str, str | int | float | None]) -> str:
    shown_as = {
        name: readable(value) if isinstance(value, str) else f"{value:,}"
        for name, value in facts.items()
        if value is not None
    }
    return "\n".join(f"{name.replace('_', ' '):<12} {value}" for name, value in shown_as.items())
