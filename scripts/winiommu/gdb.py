# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu gdb`: gdb on a Linux guest whose IOMMU can be asked; docs/system/debugging-a-fault.rst."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import random
import re
import shlex
import signal
import subprocess
import tempfile
import time

from . import packages, paths, qemu, ui
from .guest import checks, console, machine, store, units

SUMMARY = "gdb on a guest, with commands that ask its IOMMU"
EXTENSION = paths.REPO / "scripts/gdb/iommu.py"
# What the demonstration runs, by whether the machine has two units.
SCRIPTS = {False: paths.REPO / "scripts/gdb/fault.gdb", True: paths.REPO / "scripts/gdb/units.gdb"}
# The way to boot that takes least time.
BOOTS = {"virt": "dt", "q35": "bios"}
# The set-up with two units, of which the second refuses.
SECOND = {"virt": "two", "q35": "two-ats"}
# What a write where nothing is mapped is called, and the structure that says so.
EXPECTED = {"virt": ("F_TRANSLATION", "stage 1 descriptor"), "q35": ("WriteDenied", "second-stage entry")}
SECONDS = 400
COLUMNS = 100  # of a line of gdb's


def arguments(parser):
    parser.add_argument("--machine", choices=tuple(machine.MACHINES), default="virt", help="default: virt")
    parser.add_argument("--kernel", choices=tuple(store.KERNELS), default="6.12", help="Debian's kernel series (default 6.12)")
    parser.add_argument("--variant", help="a set-up of the device: " + "; ".join(
                            f"{one.name}: {', '.join(one.variants)}" for one in machine.MACHINES.values()))
    parser.add_argument("--demo", action="store_true",
                        help="run scripts/gdb/fault.gdb instead of taking commands, and judge what it shows; "
                             "units.gdb where there are two units")
    parser.add_argument("--attach", metavar="ADDRESS",
                        help="a QEMU that runs already with -gdb ADDRESS: host:port, or the path of a socket")
    qemu.add_options(parser)


def _attached(address, executable=None):
    """gdb that knows what the guest runs: an arm64 or x86 kernel with EFI support is an executable, in EFI's format."""
    known = ["-ex", f"exec-file {shlex.quote(str(executable))}"] if executable else []
    return ["gdb-multiarch", "-q", "-nx", "-ex", "set pagination off", "-ex", "set confirm off",
            "-ex", f"source {EXTENSION}", *known, "-ex", f"target remote {address}"]


def gdb_command(address, script=None, executable=None):
    return _attached(address, executable) + (["-batch", "-x", str(script)] if script else ["-ex", "help iommu"])


def _order_of_units(one, address):
    """Of two units the second has the fault, and the first none."""
    kinds = re.escape(one.machine.device), re.escape(one.machine.second)
    return [
        ("the first unit has refused something", rf"pcie\.0: {kinds[0]}; 0 refused, stopped 0 times\n"),
        ("the second unit has not stopped once", rf"pcie\.1: {kinds[1]}; 1 refused, stopped 1 time\n.* 12:00\.0"),
        ("the first unit shows a fault", r"--unit pcie\.0\nunit pcie\.0:\n0 refused accesses\n\+"),
        ("the fault is not shown of the second unit",
         rf"--unit pcie\.1\nunit pcie\.1:\n1 refused access; by requester: 12:00\.0 1\n.*write of {address:#x} by 12:00\.0\n"),
        ("the second unit is not asked for the walk", r"walk fault\nunit pcie\.1:\n(?=walk: )"),
    ]


def judge(text, status, one, address):
    """What the demonstration lacks, as sentences; `text` is gdb's output."""
    event, structure = EXPECTED[one.machine.name]
    place = re.escape(machine.endpoint_place(one))
    problems = [] if status == 0 else [f"gdb ended with status {status}"]
    order = [
        ("gdb did not get control at the fault", r"SIGTRAP"),
        *(_order_of_units(one, address) if one.setup.second else [
            (f"the fault is not shown as {event} of a write to {address:#x}",
             rf"write of {address:#x} by {place}\n +{event} \(")]),
        ("the walk is not that of the refused write", rf"walk: write of {address:#x} by {place}"),
        (f"no {structure} is shown as the one that refuses", rf"{structure} level \d at 0x[0-9a-f]+: NOT VALID\n +raw 0x"),
        (f"the walk's verdict is not {event} by that {structure}",
         rf"verdict: refused by the {structure} level \d at 0x[0-9a-f]+ \(not valid\)\n +{event} \("),
        ("the tables of the requester are not shown", rf"requester {place}, translation on"),
        ("the machine was not let go", r"Inferior 1 \(process 1\) detached"),
    ]
    return problems + _remarks(text) + _wide(text) + _missing(text, order)


def _remarks(text):
    """gdb has nothing to object to: not to the commands, and not that it does not know what runs."""
    return [f"gdb objects: {line}" for line in text.splitlines() if re.match(r"warning: |Python Exception|Traceback", line)]


def _wide(text):
    wide = [line for line in text.splitlines() if len(line) > COLUMNS]
    return [f"{len(wide)} of the lines have more than {COLUMNS} columns: {wide[0]}"] if wide else []


def _missing(text, order):
    """The sentences of `order` whose pattern does not follow those before it."""
    problems, at = [], 0
    for problem, pattern in order:
        found = re.compile(pattern).search(text, at)
        if found is None:
            problems.append(problem)
        else:
            at = found.end()
    return problems


# Of a machine that has a second unit, for the bus pcie.1 of number 10, and stands at its first instruction.
UNIT_COMMANDS = ("units", "stream sid=10:00.0", "stream sid=00:00.0", "queue", "break-on-fault sid=12:00.0", "stats --unit pcie.1",
                 "stream sid=7f:00.0", "queue --unit pcie.2", "walk fault", "break-on-fault off")


def judge_units(text, status, one):
    """What is missing of what gdb says to UNIT_COMMANDS, as sentences."""
    kinds = re.escape(one.machine.device), re.escape(one.machine.second)
    of = {bus: rf"unit {bus}:\n" for bus in ("pcie.0", "pcie.1")}
    order = [
        ("the first unit is not listed", rf"pcie\.0: {kinds[0]}; 0 refused, stopped 0 times\n    00:00\.0"),
        ("the second unit is not listed", rf"pcie\.1: {kinds[1]}; 0 refused, stopped 0 times\n    10:00\.0 10:01\.0\n"),
        ("10:00.0 is not asked of the second unit", of["pcie.1"] + r"requester 10:00\.0, translation off\n"),
        ("00:00.0 is not asked of the first unit", of["pcie.0"] + r"requester 00:00\.0, translation off\n"),
        ("the first unit's queues are not shown", of["pcie.0"] + r"\w+: off"),
        ("the second unit's queues are not shown", of["pcie.1"] + r"\w+: off"),
        ("not both units are armed", r"the machine stops at a fault with sid=12:00\.0, in any of 2 units\n"),
        ("a unit alone is not asked", of["pcie.1"] + "{"),
        ("a requester of nobody is not refused", r"iommu: 7f:00\.0 is behind no unit"),
        ("a unit that is none is not refused", r"iommu: there is no unit 'pcie\.2'; there are pcie\.0, pcie\.1\n"),
        ("a fault is made up", r"iommu: no access was refused so far\n"),
        ("the units are not disarmed", r"faults no longer stop the machine\n"),
    ]
    return ([] if status == 0 else [f"gdb ended with status {status}"]) + _wide(text) + _missing(text, order)


def judge_guest(lines, nonce, address, one):
    """The same of the guest's console: its write was refused, and its kernel says so, of two SMMUs the right one."""
    parser = console.Parser(nonce)
    for line in lines:
        parser.feed(line)
    transcript, result, attempts = parser.transcript, checks.Result(one), {"write": address}
    result.add("the guest ran to its end", transcript.done)
    checks.check_bad_dma(result, transcript, attempts)
    if one.setup.second:
        units.check(result, transcript, attempts)
    return [f"not so: {check.name}: {check.detail}" for check in result.checks if not check.passed]


def choose(name, kernel_series="6.12", variant=None):
    """The guest of a set-up, by the way to boot that takes least time."""
    found = machine.MACHINES[name].variants.get(variant)
    boots = found.boots if found and found.boots else (BOOTS[name],)
    return machine.case(name, BOOTS[name] if BOOTS[name] in boots else boots[0], kernel_series, variant)


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A guest that waits for gdb at `socket`; in the end its endpoint writes to `address`."""

    socket: str
    console: pathlib.Path
    directory: pathlib.Path
    kernel: pathlib.Path
    address: int


@contextlib.contextmanager
def _guest(one, built, nonce, patience):
    """A Waiting. When done with, it has `patience` seconds to power off."""
    architecture = one.machine.architecture
    machine.require_devices(one, built.system(architecture))
    kernel = store.kernel(architecture, one.kernel)
    firmware = store.firmware(architecture) if one.uefi else None
    directory = paths.BUILD / "guest/gdb" / one.name
    directory.mkdir(parents=True, exist_ok=True)
    address = checks.bad_addresses(random.SystemRandom().randrange(1 << 32))["write"]
    words = [f"winiommu.nonce={nonce}", "winiommu.mib=1", "winiommu.mode=check", f"winiommu.bad=write:{address:#x}"]
    disks = checks.Disks(directory, 0)
    initramfs = directory / "initramfs"
    initramfs.write_bytes(kernel.initramfs())
    parts = machine.Parts(built.system(architecture), kernel.image, initramfs, firmware, disks.paths, directory)
    try:
        with _standing(machine.command(one, parts, words), directory, patience) as (socket, log):
            yield Waiting(socket, log, directory, kernel.image, address)
    finally:
        for path in disks.paths.values():
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _standing(command, directory, patience):
    """A QEMU before its first instruction: the address of its gdbstub and its console's log. In the end it has
    `patience` seconds to end by itself."""
    log = directory / "console.log"
    # A socket's path has a hundred bytes at most.
    with tempfile.TemporaryDirectory(prefix="winiommu-gdb-") as place:
        socket = pathlib.Path(place) / "gdb"
        command = [*command, "-S", "-gdb", f"unix:{socket},server=on,wait=off"]
        ui.show(command)
        with open(log, "wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        try:
            for _ in range(600):
                if socket.exists() or process.poll() is not None:
                    break
                time.sleep(0.1)
            if not socket.exists():
                raise ui.Error(f"QEMU did not start: {' '.join((paths.read(log) or '').split())}", f"see {log}")
            yield str(socket), log
        finally:
            if process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(patience)
            if process.poll() is None:
                process.kill()
            process.wait()


def _interact(command):
    """gdb on this terminal; Ctrl-C is its alone."""
    ui.show(command)
    ui.flush()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.call(command, cwd=paths.REPO, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    finally:
        signal.signal(signal.SIGINT, before)


def _batch(command, log):
    """gdb's output and status; it also goes to `log`."""
    ui.show(command)
    try:
        ended = subprocess.run(command, cwd=paths.REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", timeout=SECONDS, check=False)
        text, status = ended.stdout, ended.returncode
    except subprocess.TimeoutExpired as late:
        text, status = (late.stdout or b"").decode(errors="replace"), f"none after {SECONDS} s"
    log.write_text(text, encoding="utf-8")
    return text, status


def demonstrate(one, built):
    """The demonstration on one machine: gdb's output, and what is wrong with it."""
    if one.variant != next(iter(one.machine.variants)) and not one.setup.second:
        raise ui.Error(f"there is no demonstration of the set-up '{one.variant}'",
                       "leave --variant out, or choose one with two units; without --demo any will do")
    nonce = hashlib.sha256(os.urandom(32)).hexdigest()[:24]
    with _guest(one, built, nonce, 90) as guest:
        command = gdb_command(guest.socket, SCRIPTS[one.setup.second], guest.kernel)
        text, status = _batch(command, guest.directory / "gdb.log")
    lines = (paths.read(guest.console) or "").splitlines()
    return text, judge(text, status, one, guest.address) + judge_guest(lines, nonce, guest.address, one)


def ask_units(name, built):
    """What is wrong with the commands on a machine with two units."""
    one = machine.case(name, variant="two")
    qemu_binary = built.system(one.machine.architecture)
    machine.require_devices(one, qemu_binary)
    directory = paths.BUILD / "guest/gdb" / f"{name}-two"
    directory.mkdir(parents=True, exist_ok=True)
    command = [str(qemu_binary), "-nodefaults", "-no-user-config", "-display", "none", *machine.machine_options(one),
               *machine.buses(one), *machine.iommu_options(one)]
    with _standing(command, directory, 0) as (socket, _):
        asked = [word for line in ("set trace-commands on", *(f"iommu {one}" for one in UNIT_COMMANDS)) for word in ("-ex", line)]
        text, status = _batch([*_attached(socket), "-batch", *asked], directory / "gdb.log")
    return judge_units(text, status, one)


def run(args):
    packages.ensure("gdb")
    if args.attach:
        return _interact(gdb_command(args.attach, SCRIPTS[False] if args.demo else None))
    one = choose(args.machine, args.kernel, args.variant)
    packages.ensure("build", "guest")
    built = qemu.from_options(args)
    if args.demo:
        text, problems = demonstrate(one, built)
        ui.say(text)
        for problem in problems:
            ui.say(f"FAIL: {problem}")
        ui.say("PASS: gdb stopped at the fault, the walk shows its cause, and the guest went on" if not problems else "FAIL")
        return 1 if problems else 0
    with _guest(one, built, "none", 5) as guest:
        ui.say(f"The guest waits; its console goes to {shlex.quote(str(guest.console))}. In the end "
               f"{machine.endpoint_place(one)} writes to {guest.address:#x}, which nothing maps.")
        ui.say("Try: iommu break-on-fault; continue; iommu walk fault.")
        return _interact(gdb_command(guest.socket, None, guest.kernel))
