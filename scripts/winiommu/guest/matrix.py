# SPDX-License-Identifier: GPL-2.0-or-later
"""Which guests are run: by `validate`, quick; by the test suite, all."""

from .. import ui
from . import checks, console, machine, store

# One guest per way to start the machine, and per mode of the device.
VALIDATE = {
    "virt": (("acpi", "default"), ("dt", "default")),
    "q35": (("uefi", "legacy"), ("bios", "scalable")),
}
# What the suite adds to the product of boots, variants and kernels: batched invalidation.
LAZY = {"virt": (("dt", "default"),), "q35": (("bios", "legacy"), ("bios", "scalable"))}


def machines(name, boot=None):
    """The machines a name means: "all" is those that are supported and know this way to boot."""
    if name != "all":
        return (name,)
    return tuple(one for one in machine.SUPPORTED if boot in (None, *machine.MACHINES[one].boots))


def validate(name, boot=None, kernels=("6.12",)):
    """The cases of `validate`. A boot that is asked for is run in the machine's first set-up if it is not planned."""
    cases = []
    for one in machines(name, boot):
        planned = [(way, variant) for way, variant in VALIDATE[one] if boot in (None, way)] or [(boot, None)]
        cases += [machine.case(one, way, kernel, variant) for way, variant in planned for kernel in kernels]
    return cases


def suite(name):
    """The cases of the test suite, all of them."""
    cases = []
    for one in machines(name):
        found = machine.MACHINES[one]
        for kernel in store.KERNELS:
            cases += [machine.case(one, boot, kernel, variant) for boot in found.boots for variant in found.variants]
        cases += [machine.case(one, boot, "6.12", variant, strict=False) for boot, variant in LAZY[one]]
    return cases


def run(cases, built, *, seed, limits=console.Limits(), breakage=None):
    """Runs the cases one after the other; yields a Result for each."""
    for number, one in enumerate(cases, start=1):
        architecture = one.machine.architecture
        machine.require_devices(one, built.system(architecture))
        kernel = store.kernel(architecture, one.kernel)
        firmware = store.firmware(architecture) if one.uefi else None
        with ui.step(f"guest {number} of {len(cases)}: {one.name}"):
            yield checks.run(one, built.system(architecture), kernel, firmware,
                             seed=seed, limits=limits, breakage=breakage)
