r"""Runs the steps of a Dockerfile in a clean Debian root, where no container engine runs.

    sudo python docker/prove.py docker/app.Dockerfile --root /tmp/lookalike-app \
        --mount PHOTOS:/photos --mount GALLERY:/gallery [-- ARGUMENTS]

Needs root, `unshare` and Debian's debootstrap. A stage's files lie in a folder below --root, which
begins as Debian with Python, as the official Python images do. FROM, WORKDIR, COPY, RUN, ENV and
USER are done as an engine does them; then the entry point is started in the last stage, as its
user, with its own arguments or those after `--`. Mounts are for reading only; those with `:w` are
not. Where there is a health check, it is asked until the app is well, and the app is then ended.
Ends with the exit code of the entry point, or 0 once the app was well.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

RELEASE = "bookworm"  # of the images' `python:3.11-slim-bookworm`
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as in the images
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
SECONDS_TO_BE_WELL = 120


@dataclass
class Stage:
    """A root folder, and how commands are run in it."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    folder: str = "/"
    user: str = "0"
    entry: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)

    def inside(self, path: str) -> Path:
        """Where a path of the stage is on this machine; relative to the stage's folder."""
        return self.root / str(Path(self.folder) / path).lstrip("/")

    def home(self) -> str:
        """The home folder of the stage's user, by its number."""
        users = self.inside("/etc/passwd").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[5] for line in users if line.split(":")[2] == self.user)

    def command(self, words: list[str], mounts: list[str]) -> list[str]:
        """`words` as run inside: own mounts and processes, the stage's folder and user."""
        steps = [
            f"mount -t proc proc {self.root}/proc",
            f"mkdir -p {self.root}/dev/shm",
            f"mount -t tmpfs -o mode=1777 shm {self.root}/dev/shm",
        ]
        for mount in mounts:
            source, target, *written = mount.split(":")
            place = shlex.quote(f"{self.root}{target}")
            steps.append(f"mkdir -p {place}")
            steps.append(f"mount --bind {shlex.quote(source)} {place}")
            if not written:
                steps.append(f"mount -o remount,bind,ro {place}")
        env = [f"{name}={value}" for name, value in {"HOME": self.home(), **self.env}.items()]
        inside = shlex.join(["cd", self.folder]) + " && exec " + shlex.join(words)
        enter = ["chroot", f"--userspec={self.user}:{self.user}", str(self.root)]
        steps.append("exec " + shlex.join([*enter, "env", "-i", *env, "sh", "-c", inside]))
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*apart, "sh", "-ec", "\n".join(steps)]

    def run(self, script: str) -> None:
        """A RUN of the Dockerfile."""
        passed = {n: v for n, v in os.environ.items() if n.startswith("PIP_")}
        subprocess.run(
            Stage(self.root, {**passed, **self.env}, self.folder, self.user).command(
                ["sh", "-ec", script], []
            ),
            check=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--mount", action="append", default=[], metavar="FROM:TO[:w]")
    given, rest = sys.argv[1:], []
    if "--" in given:
        place = given.index("--")
        given, rest = given[:place], given[place + 1 :]
    options = parser.parse_args(given)
    options.root.mkdir(parents=True, exist_ok=True)
    stage = built(options.dockerfile, options.root)
    words = [*stage.entry, *(rest or stage.arguments)]
    told(f"start {shlex.join(words)} as user {stage.user}")
    started = subprocess.Popen(stage.command(words, options.mount), start_new_session=True)
    sys.exit(wait_until_well(stage, started) if stage.check else started.wait())


def built(dockerfile: Path, folder: Path) -> Stage:
    """The last stage of a Dockerfile, after all steps."""
    context = Path(__file__).parents[1]
    stages: dict[str, Stage] = {}
    stage = None
    for word, rest in instructions(dockerfile):
        told(f"{word} {rest}")
        if word == "FROM":
            name = rest.partition(" AS ")[2] or f"stage-{len(stages)}"
            stage = stages[name] = Stage(debian(folder, name))
        assert stage is not None, "a Dockerfile begins with FROM"
        if word == "RUN":
            stage.run(rest)
        elif word == "COPY":
            words = shlex.split(rest)
            given = words[0].startswith("--from=")
            source = stages[words.pop(0)[len("--from=") :]].root if given else context
            copy([source / word.lstrip("/") for word in words[:-1]], stage, words[-1])
        else:
            set_up(stage, word, rest)
    assert stage is not None, f"{dockerfile} has no FROM"
    return stage


def set_up(stage: Stage, word: str, rest: str) -> None:
    """What an instruction says of all commands after it."""
    match word:
        case "ENV":
            name, _, value = rest.partition("=")
            stage.env[name] = value.replace("$PATH", stage.env["PATH"])
        case "WORKDIR":
            stage.folder = rest
            stage.inside(rest).mkdir(parents=True, exist_ok=True)
        case "VOLUME":
            for folder in json.loads(rest):
                stage.inside(folder).mkdir(parents=True, exist_ok=True)
        case "USER":
            stage.user = rest
        case "HEALTHCHECK":
            stage.check = json.loads(rest.partition("CMD ")[2])
        case "ENTRYPOINT":
            stage.entry = json.loads(rest)
        case "CMD":
            stage.arguments = json.loads(rest)


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    r"""Every instruction with its arguments; a line that ends in \ goes on."""
    lines = dockerfile.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    for line in text.splitlines():
        if line:
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def debian(folder: Path, name: str) -> Path:
    """A fresh root with Debian and Python, `python` and `pip` by these names."""
    base, root = folder / "debian", folder / name
    if not base.exists():
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(base)],
            check=True,
        )
        (base / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        # The official images have a Python of their own, which pip may change.
        for marker in base.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()
        # Whom this machine trusts, and where it asks for names.
        for trusted in (CERTIFICATES, "etc/resolv.conf"):
            shutil.copy(Path("/") / trusted, base / trusted)
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
    return root


def copy(sources: list[Path], stage: Stage, to: str) -> None:
    """COPY: the content of a folder, or files into one."""
    target = stage.inside(to)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        elif to.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        else:
            shutil.copy(source, target)


def wait_until_well(stage: Stage, started: subprocess.Popen[bytes]) -> int:
    """Ask the health check until it says so; then end the app."""
    ends = time.monotonic() + SECONDS_TO_BE_WELL
    try:
        while time.monotonic() < ends and started.poll() is None:
            asked = subprocess.run(stage.command(stage.check, []), check=False, capture_output=True)
            if asked.returncode == 0:
                told("the health check says that the app is well")
                return 0
            time.sleep(1)
        told("the app was never well")
        return 1
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGTERM)  # `unshare` passes nothing on by itself
        started.wait()


def told(text: str) -> None:
    print(f"== {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
