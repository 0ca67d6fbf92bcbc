"""`ssl-index verify`: is a gallery whole, and which command repairs it?"""

from dataclasses import asdict
from pathlib import Path

import click

from indexer.commands.shared import (
    device_option,
    gallery_argument,
    json_option,
    photos_option,
    print_json,
)
from indexer.verify import Check, verify, verify_photos
from training.console import ConsoleProgress, readable, stop_on_interrupt
from training.errors import GalleryError


@click.command("verify")
@gallery_argument
@click.option(
    "--deep", is_flag=True, help="Read every photo's file again too, and embed 200 of them again."
)
@photos_option
@device_option
@json_option
def verify_command(
    gallery: Path, deep: bool, photos: Path | None, device: str, as_json: bool
) -> None:
    """Check every file of GALLERY against its checksum, and the files against each other.

    --photos and --device are for --deep.
    """
    checks = verify(gallery)
    if deep and not any(check.problem for check in checks):
        with ConsoleProgress() as progress, stop_on_interrupt() as stop:
            checks += verify_photos(
                gallery, photos=photos, device=device, progress=progress, stop=stop
            )
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        click.echo("\n".join(_line(check) for check in checks))
    failed = [check for check in checks if check.problem]
    if failed:
        repair = failed[0].repair
        raise GalleryError(
            f"{len(failed)} of {len(checks)} checks failed",
            # What other errors advise is a sentence already.
            hint=f"{repair} repairs it" if repair.endswith("`") else repair,
        )


def _line(check: Check) -> str:
    state = readable(check.problem) if check.problem else "whole"
    return f"{check.part:<11} {state} ({readable(check.found)})"
