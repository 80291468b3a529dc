# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are, and how they appear there: complete or not at all."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile

from . import ui

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WINIOMMU_BUILD", REPO / "build"))
LOGS = BUILD / "logs"


@contextlib.contextmanager
def lock(name):
    """One launcher at a time works on `name` in this clone; others wait for it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / f".{name}.lock", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            ui.say(f"waiting for another winiommu that prepares {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def staged(target):
    """A new directory that becomes `target` when the block ends well.

    The directory around it is for what else is needed on the way.  All of it vanishes when the
    block fails, and what was at `target` stays until the end, so a failure leaves the old state.
    """
    target = pathlib.Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f".{target.name}.new-*"):
        shutil.rmtree(stale, ignore_errors=True)
    around = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
    around.chmod(0o755)
    stage = around / target.name
    stage.mkdir()
    try:
        yield stage
        if target.exists():
            os.rename(target, around / ".old")
        os.rename(stage, target)
    finally:
        shutil.rmtree(around, ignore_errors=True)


def write(path, text):
    """Writes a file so that a reader, or a crash, sees the old text or the new."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def read(path):
    """The file's text, or None when there is none."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def need_space(gigabytes, what):
    BUILD.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(BUILD).free / 1e9
    if free < gigabytes:
        raise ui.Error(f"{what} needs {gigabytes} GB in {BUILD}, {free:.1f} GB are free",
                       "free some space, or set WINIOMMU_BUILD to a directory on another disk")
