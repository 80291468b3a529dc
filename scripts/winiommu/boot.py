# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu boot`: a Linux guest behind our device, with a shell on this terminal."""

import os

from . import packages, paths, qemu, ui
from .guest import machine, store

SUMMARY = "boot Linux behind our device and give a shell in it"


def arguments(parser):
    parser.add_argument("--machine", choices=tuple(machine.MACHINES), default="virt", help="default: virt")
    parser.add_argument("--boot", choices=sorted({boot for one in machine.MACHINES.values() for boot in one.boots}),
                        help="virt: acpi (through UEFI) or dt; q35: uefi or bios")
    parser.add_argument("--kernel", choices=tuple(store.KERNELS), default="6.12",
                        help="Debian's kernel series (default 6.12)")
    parser.add_argument("--variant", help="a set-up of the device: " + "; ".join(
                            f"{one.name}: {', '.join(one.variants)}" for one in machine.MACHINES.values()))
    parser.add_argument("--lazy", action="store_true", help="let Linux batch its invalidations (iommu.strict=0)")
    parser.add_argument("--append", default="", metavar="WORDS", help="more words for the kernel's command line")
    parser.add_argument("--print", action="store_true", dest="only_print",
                        help="print QEMU's command line and do not run it")
    parser.add_argument("extra", nargs="*", metavar="-- QEMU-OPTION", help="more options for QEMU, after '--'")
    qemu.add_options(parser)


def _disks(directory):
    """Two empty disks that stay from one boot to the next."""
    disks = {name: directory / f"{name}.img" for name in ("nvme0n1", "vda")}
    for path in disks.values():
        with open(path, "ab") as file:
            file.truncate(max(file.tell(), 128 << 20))
    return disks


def run(args):
    one = machine.case(args.machine, args.boot, args.kernel, args.variant, strict=not args.lazy)
    packages.ensure("build", "guest")
    built = qemu.from_options(args)
    architecture = one.machine.architecture
    machine.require_devices(one, built.system(architecture))
    kernel = store.kernel(architecture, one.kernel)
    directory = paths.BUILD / "guest/boot" / one.machine.name
    directory.mkdir(parents=True, exist_ok=True)
    initramfs = directory / "initramfs"
    initramfs.write_bytes(kernel.initramfs())
    parts = machine.Parts(built.system(architecture), kernel.image, initramfs,
                          store.firmware(architecture) if one.uefi else None, _disks(directory), directory)
    # Without an I/O thread: see release_disks in guest/init.sh; a person may power off at any time.
    command = machine.command(one, parts, ["winiommu.mode=shell", *args.append.split()], iothread=False, serial="mon:stdio",
                              extra=args.extra)
    ui.show(command)
    if args.only_print:
        return 0
    ui.say("Ctrl-A X leaves QEMU, Ctrl-A C shows its monitor.")
    ui.flush()
    os.execv(command[0], command)
