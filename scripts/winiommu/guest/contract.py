# SPDX-License-Identifier: GPL-2.0-or-later
"""The Windows contract on a real vCPU: the UEFI application of guest/, booted with the test endpoints, and its verdicts.

The application says TAP on the serial port, one line for each rule, between a first and a last line that carry the nonce
of the run. A rule counts as passed only if its line says so; a rule without a line has failed. When the application
crashes or hangs, the rule it was in has failed, and the machine is booted again for the rules after it.
"""

import dataclasses
import functools
import hashlib
import os
import re
import shlex

from .. import efi, paths, ui
from . import console, fat, machine, store

PASSED, FAILED, PROPOSAL, NOT_APPLICABLE = "passed", "failed", "proposal failed", "not applicable"
LIMITS = console.Limits(total=150, silence=60)
# A mutant may hang the machine; a rule takes milliseconds.
HUNT_LIMITS = console.Limits(total=400, silence=25)
MOST_HUNTS = 12
# Booted again after a crash or a hang, this often.
MOST_BOOTS = 6

# The set-ups of each machine that are checked, the default first.
SETUPS = {"virt": ("default",), "q35": ("legacy", "scalable")}
# These as well, by the test suite: hardware without caches, without one of the two stages, or two units.
MORE = {"virt": ("no-tlb", "stage1", "stage2", "two"), "q35": ("two", "two-scalable")}
BOOT_FILE = {"aarch64": "BOOTAA64.EFI", "x86_64": "BOOTX64.EFI"}
BREAKAGES = ("iommu", "endpoint")

_RULE = re.compile(r"(not )?ok (\d+) - rule-(\d+) \[([DHLGSI])\] ([A-Z])(?: # SKIP (.*))?")
_NOT_MET = "proposal not met: "


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of one rule."""

    number: int
    tag: str
    section: str
    outcome: str
    message: str = ""

    @property
    def name(self):
        return f"rule-{self.number}"


@dataclasses.dataclass
class Said:
    """What the application said in one boot."""

    begun: bool = False
    ended: bool = False
    rules: int = 0
    sections: dict[str, str] = dataclasses.field(default_factory=dict)
    verdicts: dict[int, Verdict] = dataclasses.field(default_factory=dict)
    running: Verdict | None = None  # of the rule whose check has begun and not ended
    bail_out: str = ""
    errors: list[str] = dataclasses.field(default_factory=list)
    totals: tuple[int, ...] = ()
    mutants: int = 0
    mutant: tuple[int, str] | None = None  # the one that is hunted: its number and name
    hunted: dict[str, str] = dataclasses.field(default_factory=dict)  # what became of each: a rule, or "" if it survived


class Parser:
    """Turns console lines into Said, as console.run() feeds them."""

    def __init__(self, nonce):
        self.transcript = Said()
        self._nonce = nonce
        self._failed = None

    def feed(self, line):
        """Takes one line; returns words for those of the application that begin a check."""
        text, said = console.CONTROL.sub("", line).strip(), self.transcript
        if text == f"# winiommu-guest {self._nonce}":
            said.begun = True
        elif not said.begun or said.ended:
            return None
        elif text == f"# end {self._nonce}":
            said.ended = True
        elif text.startswith("Bail out! "):
            said.bail_out = text.removeprefix("Bail out! ")
        elif found := re.fullmatch(r"1\.\.(\d+)", text):
            said.rules = int(found[1])
        elif found := re.fullmatch(r"# section ([A-Z]) (.+)", text):
            said.sections[found[1]] = found[2]
        elif found := re.fullmatch(r"# begin rule-(\d+) \[([DHLGSI])\] ([A-Z])", text):
            said.running = Verdict(int(found[1]), found[2], found[3], FAILED)
        elif found := re.fullmatch(r"# totals (\d+) passed, (\d+) failed, (\d+) proposals failed, (\d+) not applicable", text):
            said.totals = tuple(map(int, found.groups()))
        elif found := re.fullmatch(r"# mutants (\d+)", text):
            said.mutants = int(found[1])
        elif found := re.fullmatch(r"# begin mutant (\d+) (\w+)", text):
            said.mutant = int(found[1]), found[2]
        elif found := re.fullmatch(r"# (?:killed (\w+) by (rule-\d+)|survived (\w+))", text):
            said.hunted[found[1] or found[3]] = found[2] or ""
            said.mutant = None
        elif found := _RULE.fullmatch(text):
            self._verdict(found)
        elif self._failed and (found := re.fullmatch(r'message: "(.*)"', text)):
            said.verdicts[self._failed] = dataclasses.replace(said.verdicts[self._failed], message=found[1])
        else:
            return None
        return text.split()

    def _verdict(self, found):
        bad, _, number, tag, section, reason = found.groups()
        number, said = int(number), self.transcript
        outcome = FAILED if bad else PASSED if reason is None else NOT_APPLICABLE
        message = reason or ""
        if message.startswith(_NOT_MET):
            outcome, message = PROPOSAL, message.removeprefix(_NOT_MET)
        if number in said.verdicts:
            said.errors.append(f"rule-{number} was reported twice")
        said.verdicts[number] = Verdict(number, tag, section, outcome, message)
        self._failed = number if bad else None
        said.running = None


@dataclasses.dataclass(frozen=True)
class Case:
    """One machine and set-up."""

    machine: machine.Machine
    variant: str

    @property
    def name(self):
        default = self.variant == SETUPS[self.machine.name][0]
        return f"contract-{self.machine.name}" + ("" if default else f"-{self.variant}")

    @property
    def boot(self):
        return machine.Case(self.machine, self.machine.boots[0], kernel="", variant=self.variant)


@dataclasses.dataclass
class Result:
    """The verdicts of one machine. `problems`: what went wrong besides them."""

    case: Case
    verdicts: dict[int, Verdict] = dataclasses.field(default_factory=dict)
    sections: dict[str, str] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)
    rules: int = 0
    seconds: float = 0.0
    command: str = ""
    log: str = ""
    tail: list[str] = dataclasses.field(default_factory=list)

    def all(self):
        return [self.verdicts[number] for number in sorted(self.verdicts)]

    def count(self, outcome, section=None):
        return sum(one.outcome == outcome and section in (None, one.section) for one in self.verdicts.values())

    @property
    def passed(self):
        return not self.problems and self.count(PASSED) > 0 and self.count(FAILED) == 0


def cases(name, boot=None, variant=None):
    """The cases of a machine's name, or of "all"; none for a way to boot or a set-up that this is not for."""
    found = []
    for one in machine.SUPPORTED if name == "all" else (name,):
        if boot in (None, machine.MACHINES[one].boots[0]):
            found += [Case(machine.MACHINES[one], setup) for setup in SETUPS[one] + MORE[one]
                      if setup == variant or (variant is None and setup in SETUPS[one])]
    return found


def _endpoints(one):
    """Two functions, on Arm the three streams of an ACPI device, and one that no IOMMU is in front of.

    With two units the second function is behind the other one.
    """
    places = ["bus=pcie.0,addr=2", "bus=port1,addr=0" if one.boot.setup.second else "bus=pcie.0,addr=3"]
    if one.machine.name == "virt":
        places += ["bus=pcie.0,addr=4.0,multifunction=on", "bus=pcie.0,addr=4.1", "bus=pcie.0,addr=4.2"]
    return [word for place in (*places, "bus=below,addr=0") for word in ("-device", f"{machine.ENDPOINT},{place}")]


def command(one, qemu, firmware, directory, breakage=None):
    """QEMU's command line; the volume to boot from is already in the directory."""
    booted = one.boot
    argv = [str(qemu), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
            *machine.machine_options(booted), "-smp", "1", "-m", "768",
            *machine.firmware_options(booted, firmware, directory),
            *machine.buses(booted),
            "-device", "pxb-pcie,id=free,bus_nr=64,bus=pcie.0,addr=9,bypass_iommu=on",
            "-device", "pcie-root-port,id=below,bus=free,addr=0,chassis=9"]
    if breakage != "iommu":
        argv += machine.iommu_options(booted)
    if breakage != "endpoint":
        argv += _endpoints(one)
    return argv + ["-drive", f"if=none,id=volume,format=raw,readonly=on,file={directory / 'volume'}",
                   "-device", "virtio-blk-pci,drive=volume,bus=pcie.0,addr=5"]


def _boot(one, qemu, directory, request, limits, breakage, number, result):
    """One boot; what was said, and how it ended."""
    nonce = hashlib.sha256(os.urandom(32)).hexdigest()[:24]
    words = " ".join([f"nonce={nonce}", *(f"{key}={value}" for key, value in request.items())])
    program = efi.ensure(one.machine.architecture, mutants="mutant" in request).read_bytes()
    (directory / "volume").write_bytes(fat.volume({
        "EFI": {"BOOT": {BOOT_FILE[one.machine.architecture]: program}}, "WINIOMMU.TXT": words.encode("ascii")}))
    argv = command(one, qemu, store.firmware(one.machine.architecture), directory, breakage)
    log = directory / ("console.log" if number == 1 else f"console-{number}.log")
    if number == 1:
        result.command, result.log = shlex.join(argv), str(log)
        ui.show(argv)
    outcome = console.run(argv, nonce, log, limits, parser=Parser(nonce))
    result.seconds += outcome.seconds
    result.tail = outcome.tail
    return outcome


def _why(said, outcome):
    return said.bail_out or outcome.problem or "the machine was switched off"


def take(result, said, outcome):
    """Adds one boot to the result; the rule to go on after, or None when there is nothing to go on with."""
    result.verdicts |= said.verdicts
    result.sections |= said.sections
    result.rules = max(result.rules, said.rules)
    result.problems += said.errors
    if not said.begun:
        result.problems.append(f"the application did not start: {outcome.problem or 'the machine was switched off'}")
    elif said.running:
        why = f"the run ended in it: {_why(said, outcome)}"
        result.verdicts[said.running.number] = dataclasses.replace(said.running, message=why)
        return said.running.number
    elif not said.ended or outcome.problem:
        result.problems.append(f"the run did not come to its end: {_why(said, outcome)}")
    else:
        counted = [sum(one.outcome == kind for one in said.verdicts.values())
                   for kind in (PASSED, FAILED, PROPOSAL, NOT_APPLICABLE)]
        if said.totals != tuple(counted):
            result.problems.append(f"the application counted {said.totals}, its lines say {tuple(counted)}")
    return None


def complete(result):
    """A rule that nothing was said about has failed."""
    missing = [number for number in range(1, result.rules + 1) if number not in result.verdicts]
    if missing:
        result.problems.append(f"{len(missing)} rules were not reported, the first is rule-{missing[0]}")
    if not result.rules and not result.problems:
        result.problems.append("no rule was run")


def run(one, qemu, *, limits=LIMITS, breakage=None, **request):
    """Runs all rules on one machine. `request` goes to the application: only=, crash=, hang= a rule's number."""
    directory = paths.BUILD / "guest/run" / one.name
    directory.mkdir(parents=True, exist_ok=True)
    result, first = Result(one), 1
    for number in range(1, MOST_BOOTS + 1):
        outcome = _boot(one, qemu, directory, {"first": first, **request}, limits, breakage, number, result)
        last = take(result, outcome.transcript, outcome)
        if last is None:
            break
        first = last + 1
    if not request.get("only"):
        complete(result)
    return result


def hunt(one, qemu, *, limits=HUNT_LIMITS):
    """Hunts every mutant of the driver on one machine: what found it by its name, "" if nothing did."""
    directory = paths.BUILD / "guest/run" / f"{one.name}-mutants"
    directory.mkdir(parents=True, exist_ok=True)
    result, first, hunted = Result(one), 1, {}
    for number in range(1, MOST_HUNTS + 1):
        outcome = _boot(one, qemu, directory, {"mutant": first}, limits, None, number, result)
        said = outcome.transcript
        hunted |= said.hunted
        if said.ended and not outcome.problem and len(hunted) == said.mutants:
            return hunted
        if not said.mutant:
            raise ui.Error(f"{one.name}: the hunt did not come to its end: {_why(said, outcome)}",
                           f"see the consoles in {directory}")
        # One that stops the machine has been found.
        first, name = said.mutant[0] + 1, said.mutant[1]
        hunted[name] = _why(said, outcome)
    raise ui.Error(f"{one.name}: the machine stopped {MOST_HUNTS} times", f"see the consoles in {directory}")


def run_all(wanted, built, **options):
    """Runs the cases, some of them side by side; yields a Result for each, in their order."""
    def job(number, one):
        with ui.step(f"contract {number} of {len(wanted)}: {one.name}"):
            return run(one, built.system(one.machine.architecture), **options)

    for one in wanted:
        machine.require_devices(one.boot, built.system(one.machine.architecture))
        efi.ensure(one.machine.architecture)
        store.firmware(one.machine.architecture)
    yield from ui.side_by_side(functools.partial(job, number, one) for number, one in enumerate(wanted, start=1))
