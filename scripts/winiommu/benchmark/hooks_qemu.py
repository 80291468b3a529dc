# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole benchmark over a QEMU whose core is built without hooks and over the one that ships, everything off.

Three take turns, each started anew every round: the one without, the same again, and the one that ships. What the first
two say of one figure is its spread: two starts of the very same program differ as well, by where its memory lies."""

import contextlib
import statistics

from . import cases
from .report import Figures, iqr
from .run import KINDS, TARGET, chosen, interleave, progress

WAYS = ("without", "again", "off")
RATIOS = (("again", "without", "again/without"), ("off", "without", "off/without"))
OFF = "fault-action=off"


def _unwatched(kind):
    """The same machine for each way, its device with all that can be turned off turned off."""
    def off(part):
        if not isinstance(part, list):
            return part
        return [f"{word},{OFF}" if word.startswith("winiommu-") else word for word in part]
    same = tuple(off(part) for part in kind.impls["winiommu"])
    return type(kind.__name__, (kind,), {"impls": {way: same for way in WAYS}})


def _round(figures, machines, turn):
    """One sample of every point; who begins changes with the round."""
    machines = machines[turn % len(machines):] + machines[:turn % len(machines)]
    for case in machines[0].cases:
        for machine in machines:
            machine.configure(case)
        interleave(figures, machines, case, cases.translations(), range(cases.SLICES))
        interleave(figures, machines, case, [cases.cold()], range(cases.SLICES))
        interleave(figures, machines, case, cases.invalidations(case), range(turn, turn + 1))
        for machine in machines:
            machine.check()
    for machine in machines:
        machine.configure("bypass")
    interleave(figures, machines, "bypass", [cases.translate(64)], range(cases.SLICES))


def measure(kind, binaries, rounds):
    """Figures of one kind of machine; `binaries` is a QEMU for each way."""
    figures = Figures(kind.device, WAYS, RATIOS)
    unwatched = _unwatched(kind)
    for turn in range(rounds):
        with contextlib.ExitStack() as stack:
            machines = []
            for way in WAYS:
                progress(f"{kind.device}: start {turn + 1}/{rounds}")
                machines.append(unwatched(binaries[way], way))
                stack.callback(machines[-1].close)
            _round(figures, machines, turn)
    return figures


def moved(figures):
    """Figures whose median with hooks left the spread of those without: lines of the slower and of the faster."""
    slower, faster = [], []
    for case, point in figures.points():
        floor = figures.samples("without", case, point) + figures.samples("again", case, point)
        middle, spread = statistics.median(floor), iqr(floor)
        ours = figures.median("off", case, point)
        line = (f"{figures.device} {case} {point}: {middle:.1f} ns without the hooks, {ours:.1f} with, "
                f"spread {spread:.1f}")
        if ours - middle > spread:
            slower.append(f"MISS {line}")
        elif middle - ours > spread:
            faster.append(f"note {line}: faster")
    return slower, faster


def run(shipped, bare, device, rounds):
    """`shipped` and `bare` give a QEMU by target. Prints tables and what moved; (figures, 0 when nothing became slower)."""
    everything = []
    for name in chosen(device):
        binaries = {"without": bare(TARGET[name]), "again": bare(TARGET[name]), "off": shipped(TARGET[name])}
        for kind in KINDS[name]:
            everything.append(measure(kind, binaries, rounds))
            progress("")
            print(f"\n{everything[-1].table()}\n", flush=True)
    slower, faster = (sum(lines, []) for lines in zip(*map(moved, everything)))
    for line in faster + slower:
        print(line)
    ratios = [figures.ratio("off", "without", *where) for figures in everything for where in figures.points()]
    print(f"{'MISS' if slower else 'met '} figures that the hooks make slower beyond their spread: {len(slower)} of "
          f"{len(ratios)}, faster {len(faster)}; geometric mean of off/without {statistics.geometric_mean(ratios):.3f}")
    return everything, 1 if slower else 0
