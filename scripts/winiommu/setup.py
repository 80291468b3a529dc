# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu setup`: packages, and a QEMU with our devices."""
from . import packages, qemu, ui

SUMMARY = "install what is needed and build QEMU with our devices"


def arguments(parser):
    qemu.add_options(parser)


def run(args):
    packages.ensure("build", "test")
    built = qemu.from_options(args)
    for target in qemu.TARGETS:
        ui.say(f"ready: {built.system(target)}")
    return 0
