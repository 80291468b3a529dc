# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines guests run on, and QEMU's command line for one case."""

import dataclasses
import pathlib
import subprocess

from .. import ui


@dataclasses.dataclass(frozen=True)
class Variant:
    """A set-up of the device: its options, the ways to boot it is for (all if empty), and a second IOMMU if asked,
    over a root bus of its own, with NVMe and the test endpoint behind it; or the two behind external ports, and Linux
    left to decide for itself whether to use the IOMMU; or the device watching Linux, with a record of what it saw; or
    ATS for virtio-blk and the test endpoint."""

    options: str = ""
    boots: tuple[str, ...] = ()
    second: bool = False
    external: bool = False
    verified: bool = False
    ats: bool = False


@dataclasses.dataclass(frozen=True)
class Machine:
    """A QEMU machine with our device. `boots` and `variants` name the choices, the default first."""

    name: str
    architecture: str
    device: str
    second: str  # the device for a further root bus; of VT-d's units the first brings the others' settings
    boots: tuple[str, ...]
    variants: dict[str, Variant]
    table: str  # the ACPI table of the IOMMU
    console: str
    cpu: str


MACHINES = {
    "virt": Machine(
        "virt", "aarch64", "winiommu-smmuv3", "winiommu-smmuv3", ("acpi", "dt"), {
            "default": Variant(),
            "stage1": Variant("stage=1", ("dt",)),
            "stage2": Variant("stage=2", ("dt",)),
            "no-tlb": Variant("tlb=off", ("dt",)),
            "wired": Variant("msi=off"),
            # Until Linux has set the SMMU up nothing passes; UEFI would not reach a disk.
            "abort": Variant("gbpa-abort=on", ("dt",)),
            # By device tree Linux does not look for root buses besides the first.
            "two": Variant(boots=("acpi",), second=True),
            "verified": Variant("verify=log", ("dt",), verified=True),
        }, "IORT", "ttyAMA0", "cortex-a57"),
    "q35": Machine(
        "q35", "x86_64", "winiommu-vtd", "winiommu-vtd-unit", ("uefi", "bios"),
        {
            "legacy": Variant(), "scalable": Variant("scalable-mode=on"),
            "two": Variant(boots=("uefi",), second=True),
            "two-scalable": Variant("scalable-mode=on", ("uefi",), second=True),
            "protected": Variant("dma-protection=on,external-ports=port1:port2", external=True),
            "two-ats": Variant("device-iotlb=on", ("bios",), second=True, ats=True),
            "verified": Variant("verify=log", ("bios",), verified=True),
            "verified-scalable": Variant("scalable-mode=on,verify=log", ("bios",), verified=True),
        }, "DMAR", "ttyS0", "max"),
}

# What `--machine all` means: the machines whose device is complete.
SUPPORTED = ("virt", "q35")

ENDPOINT = "winiommu-dma"
RECORD = "iommu.rec"  # in the run's directory, of a set-up that is verified


@dataclasses.dataclass(frozen=True)
class Case:
    """One guest: which machine, firmware, kernel and IOMMU set-up."""

    machine: Machine
    boot: str
    kernel: str
    variant: str
    strict: bool = True

    @property
    def name(self):
        parts = [self.machine.name, self.boot, self.kernel]
        if self.variant != next(iter(self.machine.variants)):
            parts.append(self.variant)
        return "-".join(parts + ([] if self.strict else ["lazy"]))

    @property
    def setup(self):
        return self.machine.variants[self.variant]

    @property
    def uefi(self):
        return self.boot in ("acpi", "uefi")

    @property
    def acpi(self):
        return self.boot != "dt"


@dataclasses.dataclass(frozen=True)
class Parts:
    """The files a guest is made of."""

    qemu: pathlib.Path
    kernel: pathlib.Path
    initramfs: pathlib.Path
    firmware: pathlib.Path | None
    disks: dict[str, pathlib.Path]
    directory: pathlib.Path


def case(machine, boot=None, kernel="6.12", variant=None, strict=True):
    """A case by names; Error when the machine does not have such a thing."""
    found = MACHINES[machine]
    boot = boot or found.boots[0]
    variant = variant or next(iter(found.variants))
    if boot not in found.boots:
        raise ui.Error(f"{machine} does not boot by '{boot}'", f"--boot is one of: {', '.join(found.boots)}")
    if variant not in found.variants:
        raise ui.Error(f"{machine} has no set-up '{variant}'", f"it is one of: {', '.join(found.variants)}")
    boots = found.variants[variant].boots
    if boots and boot not in boots:
        raise ui.Error(f"{machine} with the set-up '{variant}' does not boot by '{boot}'",
                       f"--boot is one of: {', '.join(boots)}")
    return Case(found, boot, kernel, variant, strict)


def devices(qemu):
    """The names of the devices a QEMU binary has."""
    listing = subprocess.run([str(qemu), "-device", "help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, check=False)
    return {line.split('"')[1] for line in listing.stdout.splitlines() if line.startswith('name "')}


def require_devices(one, qemu):
    for name in (one.machine.device, ENDPOINT, *([one.machine.second] if one.setup.second else [])):
        if name not in devices(qemu):
            raise ui.Error(f"{qemu.name} has no device {name}: nothing to check on {one.machine.name}",
                           "run './winiommu setup', which builds QEMU with our devices")


def machine_options(one):
    """-M, -accel and -cpu."""
    name = "q35,kernel-irqchip=split"
    if one.machine.name == "virt":
        name = f"virt,gic-version=3,its=on,acpi={'on' if one.acpi else 'off'}"
    return ["-M", name, "-accel", "tcg", "-cpu", one.machine.cpu]


def iommu_options(one, directory=None):
    record = f"record={directory / RECORD}" if one.setup.verified and directory else ""
    argv = ["-device", ",".join(filter(None, [one.machine.device, one.setup.options, record]))]
    return argv + (["-device", f"{one.machine.second},primary-bus=pcie.1"] if one.setup.second else [])


def buses(one):
    """A second root bus: pcie.1 with two ports."""
    if not one.setup.second:
        return []
    return ["-device", "pxb-pcie,id=pcie.1,bus_nr=16,bus=pcie.0,addr=8",
            "-device", "pcie-root-port,id=port1,bus=pcie.1,addr=0,chassis=1",
            "-device", "pcie-root-port,id=port2,bus=pcie.1,addr=1,chassis=2"]


def _external_ports(one):
    """Two ports of the first root bus, behind the IOMMU that says they are external."""
    if not one.setup.external:
        return []
    return ["-device", "pcie-root-port,id=port1,bus=pcie.0,addr=5,chassis=1",
            "-device", "pcie-root-port,id=port2,bus=pcie.0,addr=6,chassis=2"]


def _port_for_ats(one):
    """QEMU's virtio-blk is a PCI Express function, and has ATS, below a port only."""
    return ["-device", "pcie-root-port,id=port3,bus=pcie.0,addr=5,chassis=3"] if one.setup.ats else []


def _place(one, number):
    """Where a device goes: slot `number` of the first root bus, or the port in its stead."""
    ports = {2: "port1", 4: "port2"} if one.setup.second or one.setup.external else {}
    ports |= {3: "port3"} if one.setup.ats else {}
    return f"bus={ports[number]},addr=0" if number in ports else f"bus=pcie.0,addr={number}"


def firmware_options(one, firmware, directory):
    """The firmware, whose variables are kept in the run's directory; none if the machine brings its own."""
    if not one.uefi:
        return []
    code = firmware / "code.fd"
    if one.machine.architecture == "aarch64":
        return ["-bios", str(code)]
    variables = directory / "vars.fd"
    variables.write_bytes((firmware / "vars.fd").read_bytes())
    return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,unit=1,file={variables}"]


def endpoint_place(one):
    """The test endpoint's requester, by the bus numbers that firmware gives."""
    return "12:00.0" if one.setup.second else "02:00.0" if one.setup.external else "00:04.0"


def _disks(one, parts, iothread):
    """NVMe without, virtio-blk with an I/O thread if asked: translations with and without QEMU's big lock."""
    nvme, virtio = parts.disks["nvme0n1"], parts.disks["vda"]
    in_thread = ",iothread=io" if iothread else ""
    ats = ",ats=on" if one.setup.ats else ""
    return ["-drive", f"if=none,id=nvme,format=raw,cache=unsafe,file={nvme}",
            "-device", f"nvme,drive=nvme,serial=winiommu,{_place(one, 2)}",
            *(["-object", "iothread,id=io"] if iothread else []),
            "-drive", f"if=none,id=virtio,format=raw,cache=unsafe,file={virtio}",
            "-device", f"virtio-blk-pci,drive=virtio,iommu_platform=on,disable-legacy=on{in_thread}{ats},{_place(one, 3)}"]


def kernel_arguments(one):
    words = [f"console={one.machine.console}", "panic=-1", f"iommu.passthrough={int(one.setup.external)}",
             f"iommu.strict={int(one.strict)}"]
    if one.machine.architecture == "x86_64":
        words.append("no_timer_check")
        # "off": Linux must turn the IOMMU on against its orders; "soft": with less than 4 GiB it would else have no
        # buffers to bounce through what it does not trust.
        words.append("iommu=off,soft" if one.setup.external else
                     "intel_iommu=on" + (",sm_on" if one.variant.endswith("scalable") else ",sm_off"))
    return words


def command(one, parts, words, *, iommu=True, endpoint=True, iothread=True, serial="stdio", extra=()):
    """QEMU's command line; `words` are added to the kernel's. The IOMMU precedes what is behind it."""
    argv = [str(parts.qemu), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-serial", serial, *machine_options(one), "-smp", "2", "-m", "768",
            *firmware_options(one, parts.firmware, parts.directory), *buses(one)]
    if iommu:
        argv += iommu_options(one, parts.directory)
    argv += _external_ports(one) + _port_for_ats(one)
    argv += _disks(one, parts, iothread)
    if endpoint:
        argv += ["-device", f"{ENDPOINT},{_place(one, 4)}"]
    return argv + ["-kernel", str(parts.kernel), "-initrd", str(parts.initramfs),
                   "-append", " ".join([*kernel_arguments(one), *words]), *extra]
