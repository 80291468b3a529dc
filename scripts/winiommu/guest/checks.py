# SPDX-License-Identifier: GPL-2.0-or-later
"""One guest: prepares its disks, runs it, and judges what came out. Every verdict is a Check with its evidence."""

import dataclasses
import functools
import hashlib
import os
import random
import re
import shlex

from .. import paths, report_file, ui
from . import acpi, console, features, kernel_log, machine, protection, units

MEBIBYTE = 1 << 20
SIZE = 64  # MiB read from, and written to, each disk
DISKS = {"nvme0n1": ("NVMe", "nvme"), "vda": ("virtio-blk", "virtio-pci")}
ENDPOINT_ID = ("0x1234", "0x10dd")

# What a refused access to an unmapped address is called: SMMU 7.3.13 F_TRANSLATION;
# VT-d 7.1.3: 05h write, 06h read without permission in the second stage; 71h first-stage entry not present.
REASONS = {"arm": {True: {0x10}, False: {0x10}}, "intel": {True: {0x05, 0x71}, False: {0x06, 0x71}}}

# Deliberate breakage, to prove that a broken set-up fails; see tests/guest.
BREAKAGES = ("iommu", "data", "endpoint", "kernel")


@dataclasses.dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    detail: str = ""


@dataclasses.dataclass
class Result:
    """A case with its verdicts."""

    case: machine.Case
    checks: list[Check] = dataclasses.field(default_factory=list)
    features: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    seed: int = 0
    kernel: str = ""
    command: str = ""
    log: str = ""
    tail: list[str] = dataclasses.field(default_factory=list)

    @property
    def passed(self):
        return bool(self.checks) and all(check.passed for check in self.checks)

    def add(self, name, passed, detail=""):
        self.checks.append(Check(name, bool(passed), detail))


class Disks:
    """Two images: random in their first half, empty in the second."""

    def __init__(self, directory, seed):
        self.paths = {name: directory / f"{name}.img" for name in DISKS}
        self.digests = {}
        for name, path in self.paths.items():
            content = random.Random(f"{seed}/{name}").randbytes(SIZE * MEBIBYTE)
            self.digests[name] = hashlib.sha256(content).hexdigest()
            with open(path, "wb") as file:
                file.write(content)
                file.truncate(2 * SIZE * MEBIBYTE)

    def spoil(self):
        """Changes one bit of each image, and leaves the digests as they were."""
        for path in self.paths.values():
            with open(path, "r+b") as file:
                file.seek(SIZE * MEBIBYTE // 3)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 0x10]))

    def second_half(self, name):
        with open(self.paths[name], "rb") as file:
            file.seek(SIZE * MEBIBYTE)
            return hashlib.sha256(file.read(SIZE * MEBIBYTE)).hexdigest()


def _check_end(result, outcome):
    detail = outcome.problem or ("" if outcome.transcript.done else "the guest ended before its last line")
    result.add("the guest ran to its end", not detail, detail or f"{outcome.seconds:.1f} s")
    failed = [" ".join(words) for words in outcome.transcript.all("failed")] + outcome.transcript.errors
    result.add("no step in the guest failed", outcome.transcript.all("start") and not failed, "; ".join(failed))


def _check_firmware(result, transcript):
    seen = {words[0] for words in transcript.all("firmware")}
    one = result.case
    wanted = {"acpi"} if one.acpi else {"devicetree"}
    unwanted = set() if one.acpi else {"acpi", "efi"}
    if one.uefi:
        wanted.add("efi")
    elif one.acpi:
        unwanted.add("efi")
    result.add("booted as asked", wanted <= seen and not unwanted & seen, " ".join(sorted(seen)) or "nothing reported")


def _check_disks(result, transcript, disks):
    digests, times = transcript.pairs("digest"), transcript.pairs("time")
    names = list(DISKS)
    for name, other in zip(names, reversed(names)):
        title = DISKS[name][0]
        for what, inside, outside in (
                ("read", digests.get(f"read/{name}"), disks.digests[name]),
                ("written", disks.second_half(name), disks.digests[other]),
                ("read back", digests.get(f"readback/{name}"), disks.digests[other])):
            key = {"read": "read", "written": "write", "read back": "readback"}[what] + f"/{name}"
            detail = (f"SHA-256 {outside[:16]}..., {times.get(key, '?')} ms" if inside == outside
                      else f"SHA-256 is {inside or 'missing'}, must be {outside}")
            result.add(f"{title}: {SIZE} MiB {what}", inside == outside and key in times, detail)


def _check_groups(result, transcript):
    translated = "DMA" if result.case.strict else "DMA-FQ"
    kinds = protection.DOMAINS if result.case.setup.external else dict.fromkeys(DISKS, translated)
    functions = {words[0]: words for words in transcript.all("pci") if len(words) == 6}
    for name, (title, driver) in DISKS.items():
        place = next((words[1] for words in transcript.all("disk") if words[0] == name and len(words) == 3), None)
        words, kind = functions.get(place), kinds[name]
        passed = words is not None and words[3] == driver and words[5] == kind
        detail = (f"{place} driver {words[3]} group {words[4]} type {words[5]}" + f", must be {kind}" * (not passed) if words
                  else "the disk was not found")
        result.add(f"{title} {'passes through' if kind == 'identity' else 'is translated'}", passed, detail)


def _check_driver(result, log):
    units = features.announced(log, result.case.variant)
    result.features = [str(unit) for unit in units]
    result.add("the kernel's driver runs the IOMMU", len(units) == 1 + result.case.setup.second,
               ", ".join(unit.name for unit in units) or "no line of the IOMMU's driver in the kernel's log")
    result.add("the driver sees our features", units and not any(unit.lacks for unit in units), "; ".join(result.features))
    trouble = kernel_log.trouble(log)
    result.add("no unexpected event", log and not trouble, "; ".join(trouble[:5]))


def _check_interrupts(result, transcript):
    """Interrupt remapping: on, in x2APIC mode, and used by both disks."""
    log = transcript.files.get("log", b"").decode(errors="replace")
    line = next((text for text in kernel_log.messages(log) if "Enabled IRQ remapping in" in text), "")
    result.add("interrupt remapping in x2APIC mode", line.endswith("x2apic mode"), line or "not enabled")
    table = transcript.files.get("interrupts", b"").decode(errors="replace").splitlines()
    for title, word in (("NVMe", "nvme0q"), ("virtio-blk", "virtio0-req")):
        lines = [text for text in table if word in text]
        counts = [sum(int(number) for number in re.findall(r"(?<=\s)\d+(?=\s)", text.partition("IR-PCI-MSI")[0]))
                  for text in lines if "IR-PCI-MSI" in text]
        result.add(f"interrupts of {title} are remapped", lines and len(counts) == len(lines) and sum(counts),
                   f"{len(counts)} of {len(lines)} vectors, {sum(counts)} interrupts")


def ats_enabled(config):
    """Whether a function's configuration space has ATS, and on. PCIe 7.8.1: a capability's id [15:0], the next [31:20];
    10.5.1 "ATS Extended Capability": id 0fh, Enable is bit 15 of the control register at 6."""
    at = 0x100
    while 0x100 <= at <= len(config) - 8:
        header = int.from_bytes(config[at:at + 4], "little")
        if header & 0xffff == 0x0f:
            return bool(config[at + 7] >> 7)
        at = header >> 20 if header >> 20 > at else 0
    return False


def _check_ats(result, transcript):
    """Linux turned ATS on where a function and the IOMMU above it have it; every unmap then waits for the function."""
    places = {"virtio-blk": next((words[1] for words in transcript.all("disk") if words[0] == "vda"), None),
              "the test endpoint": next((words[0] for words in transcript.all("pci") if tuple(words[1:3]) == ENDPOINT_ID), None)}
    for title, place in places.items():
        config = transcript.files.get(f"config/{place}", b"")
        result.add(f"{title} has ATS, turned on", ats_enabled(config), f"{place}: {len(config)} bytes of configuration space")


def _check_event_interrupt(result, transcript):
    """Linux takes the SMMU's events by the kind of interrupt the device was given: an MSI of the ITS, or a wire."""
    table = transcript.files.get("interrupts", b"").decode(errors="replace").splitlines()
    lines = [" ".join(line.split()) for line in table if "arm-smmu-v3-evtq" in line]
    # Linux 6.1 does not know the IORT's DEVICEID_VALID (DEN 0049 E.e): with all four GSIVs given, as here, it
    # takes the wires and leaves the DeviceID mapping alone.
    case = result.case
    kind = "GICv3" if case.variant == "wired" or (case.acpi and case.kernel == "6.1") else "ITS-"
    result.add("events come as asked", len(lines) == 1 + result.case.setup.second and all(kind in line for line in lines),
               "; ".join(lines) or "there is no event interrupt")


def _check_table(result, transcript):
    name = result.case.machine.table
    table = transcript.files.get(f"acpi/{name}")
    if table is None:
        result.add(f"{name} is sound", False, "the guest has no such table")
        return
    found = acpi.objections(name, table)
    if found is None:
        result.add(f"{name} is sound", False, "iasl is not installed: apt-get install acpica-tools")
        return
    result.add(f"{name} is sound", not found, "; ".join(found[:5]) or f"{len(table)} bytes, iasl objects to nothing")


def _check_dmar_flags(result, transcript):
    """What the platform tells the system before it starts any device: above all whether to protect itself from DMA."""
    wanted = {"INTR_REMAP"} | ({"DMA_CTRL_PLATFORM_OPT_IN_FLAG"} if result.case.setup.external else set())
    found = acpi.dmar_flags(transcript.files.get("acpi/DMAR", b""))
    result.add("DMAR flags are as asked", found == wanted, " ".join(sorted(found)) or "none")


def check_bad_dma(result, transcript, attempts):
    """Each access the endpoint made to an unmapped address was refused, moved nothing, and was logged exactly once."""
    log = transcript.files.get("log-after-bad-dma", b"").decode(errors="replace")
    faults = kernel_log.faults(log)
    reasons = REASONS["arm" if result.case.machine.architecture == "aarch64" else "intel"]
    reported = {words[0]: words for words in transcript.all("bad-dma") if len(words) == 6}
    sources = set()
    for kind, address in attempts.items():
        words = reported.get(kind)
        name = f"a bad DMA {kind} is refused and logged"
        if words is None:
            result.add(name, False, "the guest did not report it")
            continue
        source = kernel_log.parse_requester(words[1])
        sources.add(source)
        refused = words[2:] == [hex(address), "status=3", "bytes=0", f"fail={address:#x}"]
        page = 0 if result.case.machine.architecture == "aarch64" else 0xfff
        matching = [fault for fault in faults if fault.source == source and fault.write == (kind == "write")
                    and fault.address == address & ~page and fault.reason in reasons[kind == "write"]]
        seen = "; ".join(map(str, faults[:4])) or "nothing"
        detail = (f"logged: {matching[0]}" if refused and len(matching) == 1
                  else f"endpoint: {' '.join(words[1:])}; logged: {seen}")
        result.add(name, refused and len(matching) == 1, detail)
    result.add("nothing else is refused", len(faults) == len(attempts) and {fault.source for fault in faults} == sources,
               f"{len(faults)} faults logged, {len(attempts)} provoked")


def forged_interrupts(seed):
    """Writes that are interrupts nobody may send: the address, and the reason and index it is refused with.

    VT-d 5.1.4 Interrupt-Remapping Hardware Operation: 25h, a compatibility format request in x2APIC mode; 22h, the entry
    is not present. VT-d 5.1.2.2: handle [14:0] at bits 19:5, remappable at 4, handle [15] at 2. Linux has 65,536 entries.
    """
    handle = 0xc000 + random.Random(f"{seed}/forged").randrange(0x4000)
    return {0xfee00000: (0x25, None), 0xfee00000 | (handle & 0x7fff) << 5 | 1 << 4 | (handle >> 15) << 2: (0x22, handle)}


def _check_forged(result, transcript, forged):
    log = transcript.files.get("log-after-bad-dma", b"").decode(errors="replace")
    faults = kernel_log.interrupt_faults(log)
    sources = {int(words[1], 16): kernel_log.parse_requester(words[0]) for words in transcript.all("forged")
               if len(words) == 3}
    seen = "; ".join(f"{kernel_log.requester(source)} index {index:#x} reason {reason:#04x}"
                     for source, index, reason in faults[:4]) or "nothing"
    for address, (reason, handle) in forged.items():
        matching = [fault for fault in faults if fault[0] == sources.get(address) and fault[2] == reason
                    and handle in (None, fault[1])]
        kind = "in compatibility format" if handle is None else "without an entry"
        result.add(f"a forged interrupt {kind} is blocked and logged", len(matching) == 1, f"logged: {seen}")
    result.add("no other interrupt is blocked", len(faults) == len(forged), f"{len(faults)} logged, {len(forged)} forged")


def bad_addresses(seed):
    """An unmapped address for a read and one for a write: far above what a kernel hands out, below 39 bits."""
    source = random.Random(f"{seed}/bad-dma")
    pages = source.sample(range(1 << 22), 2)
    return {kind: (0x40 << 32) | page << 12 | source.randrange(64) << 6 for kind, page in zip(("read", "write"), pages)}


def check_record(result, path):
    """What the device saw of Linux: all of it, and nothing to blame it for."""
    try:
        record = report_file.read(path)
    except (OSError, ui.Error) as error:
        result.add("the device's record is whole", False, str(error))
        return
    # Each MiB is read, written and read back, in buffers that are mapped and invalidated.
    busy = len(record.commands) > SIZE and len(record.maps) > SIZE
    result.add("the device's record is whole", record.ended and not record.cut and busy,
               f"{len(record.commands)} commands, {len(record.maps)} mappings, {len(record.faults)} faults"
               + ("" if record.ended else ", no end"))
    result.add("verify mode finds nothing", not record.findings,
               "; ".join(finding["id"] for _, finding in record.findings[:5]))


def _progress(name, words):
    if words[0] == "start":
        ui.say(f"    {name}: Linux {words[2]} is up")
    elif words[0] == "time":
        ui.say(f"    {name}: {words[1]}: {SIZE} MiB in {words[2]} ms")


def run(one, qemu, kernel, firmware, *, seed, limits=console.Limits(), breakage=None, endpoint=True, quiet=False):
    """Runs one case. `breakage`, one of BREAKAGES, makes the set-up wrong on purpose."""
    directory = paths.BUILD / "guest/run" / one.name
    directory.mkdir(parents=True, exist_ok=True)
    nonce = hashlib.sha256(os.urandom(32)).hexdigest()[:24]
    result = Result(one, seed=seed, kernel=f"{kernel.package} {kernel.version}", log=str(directory / "console.log"))
    disks = Disks(directory, seed)
    initramfs = directory / "initramfs"
    initramfs.write_bytes(kernel.initramfs())
    image = kernel.image
    if breakage == "data":
        disks.spoil()
    if breakage == "kernel":
        image = directory / "vmlinuz-broken"
        image.write_bytes(kernel.image.read_bytes()[:MEBIBYTE])
    attempts = bad_addresses(seed)
    bad = ",".join(f"{kind}:{address:#x}" for kind, address in attempts.items())
    forged = forged_interrupts(seed) if endpoint and one.machine.name == "q35" else {}
    words = [f"winiommu.nonce={nonce}", f"winiommu.mib={SIZE}", "winiommu.mode=check", *([f"winiommu.bad={bad}"] * endpoint),
             *([f"winiommu.forged={','.join(map(hex, forged))}"] if forged else [])]
    parts = machine.Parts(qemu, image, initramfs, firmware, disks.paths, directory)
    command = machine.command(one, parts, words, iommu=breakage != "iommu", endpoint=endpoint and breakage != "endpoint")
    result.command = shlex.join(command)
    if not quiet:
        ui.show(command)
    outcome = console.run(command, nonce, directory / "console.log", limits,
                          (lambda words: None) if quiet else functools.partial(_progress, one.name))
    result.seconds, result.tail = outcome.seconds, outcome.tail
    _judge(result, outcome, disks, attempts if endpoint else None, forged)
    if one.setup.verified:
        check_record(result, directory / machine.RECORD)
    if result.passed:
        for path in disks.paths.values():
            path.unlink()
    return result


def _judge(result, outcome, disks, attempts, forged=None):
    transcript = outcome.transcript
    _check_end(result, outcome)
    _check_firmware(result, transcript)
    _check_driver(result, transcript.files.get("log", b"").decode(errors="replace"))
    _check_groups(result, transcript)
    _check_disks(result, transcript, disks)
    if result.case.machine.name == "q35":
        _check_interrupts(result, transcript)
        _check_dmar_flags(result, transcript)
    if result.case.setup.external:
        protection.check(result, transcript)
    if result.case.setup.second:
        units.check(result, transcript, attempts)
    if result.case.setup.ats:
        _check_ats(result, transcript)
    if result.case.machine.name == "virt":
        _check_event_interrupt(result, transcript)
    if result.case.acpi:
        _check_table(result, transcript)
    if attempts is not None:
        check_bad_dma(result, transcript, attempts)
    if forged:
        _check_forged(result, transcript, forged)
