# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole benchmark over a QEMU whose core is built without hooks and over the one that ships, everything off.

Three take turns, each linked (layouts.py) and started anew every round: the one without, the same again, and the one
that ships. What the first two differ by in a turn is a figure's spread: the very same program, its code and its memory
elsewhere."""

import contextlib
import statistics

from . import cases, layouts
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


def _from(turn, ways):
    """Who is first changes with the round."""
    return ways[turn % len(ways):] + ways[:turn % len(ways)]


def _round(figures, machines, wanted):
    """Samples of every point that `wanted(case, point)`."""
    for case in (*machines[0].cases, "bypass"):
        points = [cases.translate(64)] if case == "bypass" else [
            *cases.translations(), cases.cold(), *cases.invalidations(case)]
        points = [point for point in points if wanted(case, point[0])]
        if not points:
            continue
        for machine in machines:
            machine.configure(case)
        interleave(figures, machines, case, points, range(cases.SLICES))
        for machine in machines:
            machine.check()


def _everything(_case, _point):
    return True


def measure(kind, programs, turns, wanted=_everything):
    """Figures of one kind of machine; `programs` is (build directory, program) for each way, `turns` the rounds' numbers."""
    figures = Figures(kind.device, WAYS, RATIOS)
    unwatched = _unwatched(kind)
    for turn in turns:
        with contextlib.ExitStack() as stack:
            machines = []
            # Who is first may have the better memory, and the other state of the processor.
            for number, way in enumerate(_from(turn, WAYS), len(WAYS) * turn):
                progress(f"{kind.device}: round {turn + 1}, link and start {way}")
                with layouts.linked(*programs[way], number) as program:
                    machines.append(unwatched(program, way))
                stack.callback(machines[-1].close)
            _round(figures, machines, wanted)
    return figures


def moved(figures):
    """Figures whose ratio with hooks to without left the spread of those without: the slower and the faster, each a line
    by (case, point)."""
    slower, faster = {}, {}
    for case, point in figures.points():
        spread = iqr(figures.paired("again", "without", case, point))
        ratio = figures.ratio("off", "without", case, point)
        line = (f"{figures.device} {case} {point}: {figures.median('without', case, point):.1f} ns without the hooks, "
                f"{ratio:.3f} times with, spread {spread:.3f}")
        if ratio > 1 + spread:
            slower[case, point] = line
        elif ratio < 1 - spread:
            faster[case, point] = line
    return slower, faster


def _judged(kind, programs, rounds):
    """Figures, and the lines of those that are slower, of those slower only at first, and of the faster.

    Of two hundred figures some leave their spread by chance.  Those are measured once more, their code in yet other
    places, and count as slower when they leave it again."""
    figures = measure(kind, programs, range(rounds))
    slower, faster = moved(figures)
    if not slower:
        return figures, [], [], list(faster.values())
    again = moved(measure(kind, programs, range(rounds, 2 * rounds), lambda *where: where in slower))[0]
    lasting = [f"{line}; once more: {again[where]}" for where, line in slower.items() if where in again]
    chance = [line for where, line in slower.items() if where not in again]
    return figures, lasting, chance, list(faster.values())


def run(shipped, bare, device, rounds):
    """`shipped` and `bare` are built QEMUs. Prints tables and what moved; (figures, 0 when nothing became slower)."""
    everything, slower, chance, faster = [], [], [], []
    for name in chosen(device):
        programs = {way: (one.build, one.system(TARGET[name]).name)
                    for way, one in (("without", bare), ("again", bare), ("off", shipped))}
        for kind in KINDS[name]:
            figures, *lines = _judged(kind, programs, rounds)
            progress("")
            print(f"\n{figures.table()}\n", flush=True)
            everything.append(figures)
            for of_all, of_kind in zip((slower, chance, faster), lines):
                of_all += of_kind
    for lines, before, after in ((faster, "note", "faster"), (chance, "note", "slower, but not once more"),
                                 (slower, "MISS", "slower")):
        for line in lines:
            print(f"{before} {line}: {after}")
    ratios = [figures.ratio("off", "without", *where) for figures in everything for where in figures.points()]
    print(f"{'MISS' if slower else 'met '} figures that the hooks make slower beyond their spread, twice: {len(slower)} of "
          f"{len(ratios)}; only at first {len(chance)}, faster {len(faster)}; "
          f"geometric mean of off/without {statistics.geometric_mean(ratios):.3f}")
    return everything, 1 if slower else 0
