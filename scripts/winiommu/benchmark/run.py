# SPDX-License-Identifier: GPL-2.0-or-later
"""The run: every implementation's QEMU is alive at once and they take turns, sample by sample."""

import contextlib
import sys

from . import cases, driver, targets
from .report import Figures, write_json
from .smmuv3 import SCATTERED, Smmuv3Machine, VerifiedSmmuv3Machine
from .vtd import VerifiedVtdMachine, VtdMachine, VtdScalableMachine, VtdSecondStageMachine

DEVICES = ("qemu", "winiommu")
# Of each device: whose QEMU runs it, and as what it is measured.
TARGET = {"smmuv3": "aarch64", "vtd": "x86_64"}
KINDS = {"smmuv3": (Smmuv3Machine,), "vtd": (VtdMachine, VtdScalableMachine, VtdSecondStageMachine)}


def progress(text):
    """A line on a terminal, written over by the next."""
    if sys.stderr.isatty():
        print(f"\r{text:<76}", end="", file=sys.stderr, flush=True)


def interleave(figures, machines, case, points, turns, only=None):
    """A sample of every point in each of the numbered turns, the machines one after the other at each."""
    for turn in turns:
        for name, sample in points:
            progress(f"{figures.device} {case} {name} {turn + 1}/{turns.stop}")
            for machine in machines:
                if only and machine.impl not in only:
                    continue
                machine.settle(turn)
                figures.add(machine.impl, case, name, sample(machine))


@contextlib.contextmanager
def _alive(kind, qemu):
    """One machine of each implementation, all alive at once."""
    with contextlib.ExitStack() as stack:
        machines = []
        for impl in kind.impls:
            machines.append(kind(qemu, impl))
            stack.callback(machines[-1].close)
        yield machines


def _measure(kind, qemu, rounds, then):
    """All cases of one kind of machine; `then` adds what only that kind has, and the verdicts."""
    with _alive(kind, qemu) as machines:
        figures = Figures(kind.device)
        for case in kind.cases:
            print(f"measuring {figures.device} {case}", flush=True)
            supported = [machine for machine in machines if machine.supports(case)]
            for machine in supported:
                machine.configure(case)
            interleave(figures, supported, case, cases.translations(), range(rounds * cases.SLICES))
            interleave(figures, supported, case, [cases.cold()], range(rounds * cases.SLICES),
                       only=("null", *DEVICES))
            interleave(figures, supported, case, cases.invalidations(case), range(rounds), only=DEVICES)
            for machine in supported:
                machine.check()
                for remark in machine.remarks.values():
                    print(f"remark: {remark}")
                machine.remarks.clear()
        return figures, then(figures, machines, rounds)


def _measure_verify(kind, qemu, rounds):
    """What verify mode costs: a hit, a failing DMA and a strict unmap with and without it."""
    with _alive(kind, qemu) as machines:
        figures = Figures(kind.device, tuple(kind.impls), (("verify", "winiommu", "verify/off"),))
        case = kind.cases[0]
        print(f"measuring {figures.device} {case}", flush=True)
        for machine in machines:
            machine.configure(case)
        interleave(figures, machines, case, [cases.translate(64), cases.fault(), cases.strict_unmap(case, 256)],
                   range(rounds))
        for machine in machines:
            machine.check()
        return figures, []


def _smmuv3_verdicts(figures, machines, rounds):
    events = _events(machines)
    _as_set_up(figures, machines, rounds, [cases.translate(n) for n in (64, 65536)],
               ((SCATTERED, lambda machine: machine.configure(SCATTERED)),))
    _untranslated(figures, machines, rounds,
                  (("bypass", lambda machine: machine.configure("bypass")),
                   ("off", lambda machine: machine.disable())))
    return targets.smmuv3(figures, events)


def _vtd_verdicts(figures, machines, rounds):
    events = _events(machines)
    _untranslated(figures, machines, rounds,
                  (("bypass", lambda machine: machine.configure("bypass")),))
    return targets.vtd(figures, events)


def _events(machines):
    ours = next(machine for machine in machines if machine.impl == "winiommu")
    ours.configure(ours.cases[0])
    return ours.events_per_failing_dma()


def _as_set_up(figures, machines, rounds, points, ways):
    """Points that need something of their own set up: (case, what sets it up)."""
    for case, set_up in ways:
        for machine in machines:
            set_up(machine)
        interleave(figures, machines, case, points, range(rounds * cases.SLICES))


def _untranslated(figures, machines, rounds, ways):
    """A stream in bypass, or the whole device off: both should cost what no IOMMU costs."""
    _as_set_up(figures, machines, rounds, [cases.translate(64)], ways)


VERDICTS = {"smmuv3": _smmuv3_verdicts, "vtd": _vtd_verdicts}
VERIFIED = {"smmuv3": VerifiedSmmuv3Machine, "vtd": VerifiedVtdMachine}


def chosen(device):
    """The devices that `--device` names."""
    return tuple(KINDS) if device == "all" else (device,)


def run(system, device, rounds, json_path=None, contract_bench=None):
    """`system` gives a QEMU binary by target, `contract_bench` is that program.  Prints tables and targets; 0 when all are met."""
    runs = []
    for name in chosen(device):
        binary = system(TARGET[name])
        runs += [_measure(kind, binary, rounds, VERDICTS[name]) for kind in KINDS[name]]
        runs.append(_measure_verify(VERIFIED[name], binary, rounds))
    for one in driver.MACHINES if device == "all" else (device,):
        runs += driver.measure(contract_bench, one, rounds) if contract_bench else ()
    progress("")
    for figures, verdicts in runs:
        print(f"\n{figures.table()}\n")
        for _, line in verdicts:
            print(line)
    if json_path:
        write_json(json_path, [figures for figures, _ in runs])
    return 0 if all(met for _, verdicts in runs for met, _ in verdicts) else 1
