# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu validate --provider`: somebody's driver, a shared object, under the contract's rules.

winiommu-contract loads it in a process of its own, in which it drives a simulated machine (sim) or a QEMU (qemu).
"""

import dataclasses
import json
import pathlib
import shlex
import subprocess
import time

from . import core, paths, ui
from .guest import contract, machine

HOMES = ("sim", "qemu")
MACHINES = {"virt": {"default": "virt"}, "q35": {"legacy": "q35", "scalable": "q35-scalable"}}
MOST_HANGS = 5
HANGS = "the provider hangs"
OUTCOMES = {"passed": contract.PASSED, "failed": contract.FAILED, "proposal-failed": contract.PROPOSAL,
            "not-applicable": contract.NOT_APPLICABLE}


@dataclasses.dataclass(frozen=True)
class Case:
    """One machine and set-up, in process or in QEMU."""

    machine: machine.Machine
    variant: str
    home: str

    @property
    def name(self):
        return f"provider-{MACHINES[self.machine.name][self.variant]}-{self.home}"


def cases(name, variant=None):
    """The cases of a machine's name, or of "all"."""
    return [Case(machine.MACHINES[one], setup, home) for one in (MACHINES if name == "all" else (name,))
            for setup in MACHINES[one] if variant in (None, setup) for home in HOMES]


def check(path):
    """Refuses what cannot be a provider."""
    if not path.is_file():
        raise ui.Error(f"--provider {path}: no such file", "name a shared object, see docs/system/contract.rst")


def take(result, text):
    """Adds what winiommu-contract said, in JSON, to the result."""
    try:
        said = json.loads(text)
    except ValueError as error:
        result.problems.append(f"the suite's report cannot be read: {error}")
        return
    result.sections = said["sections"]
    for one in said["rules"]:
        number = int(one["name"].removeprefix("rule-"))
        result.verdicts[number] = contract.Verdict(number, one["tag"], one["section"], OUTCOMES[one["outcome"]], one["message"])
    result.rules = said["rules_known"]
    contract.complete(result)


def run(one, suite, path, qemu, limit, hangs=MOST_HANGS):
    """Runs all rules in one home, up to so many in which it hangs; `suite` is the program winiommu-contract."""
    argv = [str(suite), "--machine", MACHINES[one.machine.name][one.variant], "--home", one.home, "--provider", str(path),
            "--time-limit", str(limit), "--most-hangs", str(hangs), "--format", "json"]
    if one.home == "qemu":
        argv += ["--qemu", str(qemu)]
    ui.show(argv)
    log = paths.BUILD / "reports/provider" / f"{one.name}.log"
    result = contract.Result(one, command=shlex.join(argv), log=str(log))
    begun = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False)
    result.seconds = time.monotonic() - begun
    paths.write(log, done.stderr)
    result.tail = done.stderr.splitlines()
    if not result.tail:
        result.log = ""
    if done.returncode not in (0, 1):
        result.problems.append(f"winiommu-contract ended with status {done.returncode}: {done.stderr.strip()}")
    else:
        take(result, done.stdout)
    return result


def run_all(wanted, path, built, limit=10):
    """Runs the cases one after the other; yields a contract.Result for each."""
    path = pathlib.Path(path).resolve()
    suite = core.ensure("core", ["contract/winiommu-contract"]) / "contract/winiommu-contract"
    hangs = MOST_HANGS
    for number, one in enumerate(wanted, start=1):
        with ui.step(f"provider {number} of {len(wanted)}: {one.name}"):
            result = run(one, suite, path, built.system(one.machine.architecture), limit, hangs)
        if sum(HANGS in verdict.message for verdict in result.all()) >= hangs:
            hangs = 1  # it will in the others as well: each costs the time limit
        yield result
