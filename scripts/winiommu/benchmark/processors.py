# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a sample is taken.  A virtual machine's processors are not equally fast while its host has other work, so all
who take the same turn take it on the same one, and the next turn on the next."""

import contextlib
import os

ALL = frozenset(os.sched_getaffinity(0))


def of_turn(turn):
    """The one processor of that turn."""
    return {sorted(ALL)[turn % len(ALL)]}


def move(process, processors):
    """The process's first thread goes there; threads it starts from now on begin there."""
    os.sched_setaffinity(process, processors)


@contextlib.contextmanager
def on(turn):
    """Programs started meanwhile stay on that turn's processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, of_turn(turn))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
