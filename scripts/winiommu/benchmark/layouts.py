# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU linked many times, its code lying elsewhere each time.

Where code lies changes what a doorbell costs by several percent, with no instruction more or less. Two programs that
are each linked once are therefore two places as well as two programs; linked many times they are two programs."""

import contextlib
import functools
import json
import pathlib
import random
import shlex
import shutil
import subprocess
import tempfile

from .. import ui

CORE = "libiommu_core.a"
PAGE = 4096
GRAIN = 16  # what compilers align functions to


def _output(argv, build, given=None):
    try:
        return subprocess.run(argv, cwd=build, input=given, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        # A linker's last line says no more than that it failed.
        said = "; ".join((getattr(error, "stderr", "") or str(error)).strip().splitlines()[-3:])
        raise ui.Error(f"{pathlib.Path(argv[0]).name} failed in {build}: {said}",
                       "remove that directory and run again: it is built anew") from None


@functools.cache
def _link_command(build, program):
    """The linker's arguments, as ninja has them, and which of them is the core's archive; ninja takes half a second."""
    for edge in json.loads(_output(["ninja", "-t", "compdb", "-x"], build)):
        if edge["output"] == program:
            command = shlex.split(edge["command"])
            core = [word for word in command if pathlib.PurePath(word).name == CORE]
            if core:
                return command, core[0]
    raise ui.Error(f"ninja does not say how {build / program} is linked with {CORE}",
                   "remove that directory and run again: it is built anew")


def _pad(build, path, size):
    """An object that moves all that is not the core's: linkers put unlikely code before the rest."""
    text = f'.section .text.unlikely,"ax",@progbits\n.skip {size}, 0x90\n.section .note.GNU-stack,"",@progbits\n'
    _output(["gcc", "-c", "-x", "assembler", "-o", str(path), "-"], build, text)


def _link(build, program, number, to):
    """The same number lies in the same places."""
    dice = random.Random(number)
    command, core = _link_command(build, program)
    objects = _output(["ar", "t", core], build).split()
    dice.shuffle(objects)
    pad = to.with_suffix(".o")
    _pad(build, pad, dice.randrange(0, PAGE, GRAIN))
    words = []
    for word in command:
        words += objects if word == core else [str(to)] if word == program else [word]
    _output([*words, str(pad), "-Wl,--strip-all"], build)
    pad.unlink()


@contextlib.contextmanager
def linked(build, program, number):
    """Where `program` of that build directory lies, linked for `number`, until the block ends: who runs by then runs on."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="layout-", dir=build))
    try:
        # A QEMU looks for its firmware beside itself.
        (directory / "qemu-bundle").symlink_to("../qemu-bundle")
        _link(build, program, number, directory / program)
        yield str(directory / program)
    finally:
        shutil.rmtree(directory)
