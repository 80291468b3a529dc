# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host withheld of a virtual machine's processors while something was measured."""
import contextlib
import pathlib

STAT = pathlib.Path("/proc/stat")
NOTEWORTHY = 0.02
STEAL = 7  # proc(5): user, nice, system, idle, iowait, irq, softirq, steal


def times():
    """Ticks of all processors by kind; nothing where the kernel does not tell."""
    try:
        words = STAT.read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return []
    return [int(word) for word in words[1:STEAL + 2]]


def remark(before, after):
    """A line if a noteworthy share was stolen, or nothing."""
    spent = [b - a for a, b in zip(before, after)]
    if len(spent) <= STEAL or sum(spent) <= 0 or spent[STEAL] < NOTEWORTHY * sum(spent):
        return ""
    return (f"remark: the host withheld {100 * spent[STEAL] / sum(spent):.0f} % of the processors' time meanwhile "
            "(steal); what misses its target here may meet it on a quiet host")


@contextlib.contextmanager
def watched():
    """Says in the end what was stolen."""
    before = times()
    yield
    line = remark(before, times())
    if line:
        print(line)
