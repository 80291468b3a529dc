# SPDX-License-Identifier: GPL-2.0-or-later
"""The run: every implementation's QEMU is alive at once and they take turns, sample by sample."""

import sys

from . import cases, targets
from .report import Figures, write_json
from .smmuv3 import Smmuv3Machine


def _progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:<76}", end="", file=sys.stderr, flush=True)


def _interleave(figures, machines, case, points, rounds, only=None):
    for name, sample in points:
        for turn in range(rounds):
            _progress(f"{figures.device} {case} {name} {turn + 1}/{rounds}")
            for machine in machines:
                if only and machine.impl not in only:
                    continue
                figures.add(machine.impl, case, name, sample(machine))


def smmuv3(qemu, rounds):
    machines = []
    try:
        for impl in Smmuv3Machine.impls:
            machines.append(Smmuv3Machine(qemu, impl))
        figures = Figures("smmuv3")
        devices = ("qemu", "winiommu")
        for case in Smmuv3Machine.cases:
            print(f"measuring {figures.device} {case}", flush=True)
            for machine in machines:
                machine.configure(case)
            _interleave(figures, machines, case, cases.translations(), rounds)
            _interleave(figures, machines, case, [cases.cold()], rounds,
                        only=("null", *devices))
            _interleave(figures, machines, case, cases.invalidations(case), rounds, only=devices)
            for machine in machines:
                machine.check()
                for remark in machine.remarks.values():
                    print(f"remark: {remark}")
                machine.remarks.clear()
        events = _events(machines)
        _untranslated(figures, machines, rounds)
        return figures, targets.smmuv3(figures, events)
    finally:
        for machine in machines:
            machine.close()


def _events(machines):
    ours = next(machine for machine in machines if machine.impl == "winiommu")
    ours.configure("s1-4k")
    return ours.events_per_failing_dma()


def _untranslated(figures, machines, rounds):
    """An STE that bypasses, then SMMUEN=0: both should cost what no IOMMU costs."""
    for case, set_up in (("bypass", lambda machine: machine.configure("bypass")),
                         ("off", lambda machine: machine.disable())):
        for machine in machines:
            set_up(machine)
        _interleave(figures, machines, case, [cases.translate(64)], rounds)


def run(qemu_aarch64, rounds=9, json_path=None):
    """Prints the table and the targets; 0 when all targets are met."""
    figures, verdicts = smmuv3(qemu_aarch64, rounds)
    _progress("")
    print(figures.table())
    print()
    for _, line in verdicts:
        print(line)
    if json_path:
        write_json(json_path, [figures])
    return 0 if all(met for met, _ in verdicts) else 1
