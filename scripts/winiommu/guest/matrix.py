# SPDX-License-Identifier: GPL-2.0-or-later
"""Which guests are run: by `validate`, quick; by the test suite, all."""

import functools

from .. import ui
from . import checks, console, machine, store

# One guest per way to start the machine, and per mode of the device.
VALIDATE = {
    "virt": (("acpi", "default"), ("dt", "default")),
    "q35": (("uefi", "legacy"), ("bios", "scalable")),
}
# The suite runs these set-ups with every kernel, by every way to boot,
MATRIX = {"virt": ("default",), "q35": ("legacy", "scalable")}
# these once,
EXTRA = {
    "virt": (("dt", "stage1"), ("dt", "stage2"), ("dt", "no-tlb"), ("dt", "abort"), ("dt", "wired"), ("acpi", "wired"),
             ("acpi", "two")),
    "q35": (("uefi", "protected"), ("bios", "two-ats")),
}
# these with every kernel: a driver that makes no mistake is not blamed,
VERIFIED = {"virt": (("dt", "verified"),), "q35": (("bios", "verified"), ("bios", "verified-scalable"))}
# and these with batched invalidation.
LAZY = {"virt": (("dt", "default"),), "q35": (("bios", "legacy"), ("bios", "scalable"))}


def machines(name, boot=None):
    """The machines a name means: "all" is those that are supported and know this way to boot."""
    if name != "all":
        return (name,)
    return tuple(one for one in machine.SUPPORTED if boot in (None, *machine.MACHINES[one].boots))


def _ways(one, boot, variant):
    """Pairs of boot and set-up: the planned ones, unless something else is asked for."""
    if variant is None:
        return [pair for pair in VALIDATE[one] if boot in (None, pair[0])] or [(boot, None)]
    found = machine.MACHINES[one]
    if variant not in found.variants:
        raise ui.Error(f"{one} has no set-up '{variant}'", f"it is one of: {', '.join(found.variants)}; name the machine too")
    return [(way, variant) for way in ((boot,) if boot else found.variants[variant].boots or found.boots)]


def validate(name, boot=None, kernels=("6.12",), variant=None):
    """The cases of `validate`."""
    return [machine.case(one, way, kernel, setup) for one in machines(name, boot)
            for way, setup in _ways(one, boot, variant) for kernel in kernels]


def suite(name):
    """The cases of the test suite, all of them."""
    cases = []
    for one in machines(name):
        found = machine.MACHINES[one]
        for kernel in store.KERNELS:
            cases += [machine.case(one, boot, kernel, variant) for variant in MATRIX[one] for boot in found.boots]
            cases += [machine.case(one, boot, kernel, variant) for boot, variant in VERIFIED[one]]
        cases += [machine.case(one, boot, "6.12", variant) for boot, variant in EXTRA[one]]
        cases += [machine.case(one, boot, "6.12", variant, strict=False) for boot, variant in LAZY[one]]
    return cases


def run(cases, built, *, seed, limits=console.Limits(), breakage=None):
    """Runs the cases, some of them side by side; yields a Result for each, in their order."""
    def job(number, one, kernel, firmware):
        with ui.step(f"guest {number} of {len(cases)}: {one.name}"):
            return checks.run(one, built.system(one.machine.architecture), kernel, firmware,
                              seed=seed, limits=limits, breakage=breakage)

    jobs = []
    for number, one in enumerate(cases, start=1):
        architecture = one.machine.architecture
        machine.require_devices(one, built.system(architecture))
        kernel = store.kernel(architecture, one.kernel)
        firmware = store.firmware(architecture) if one.uefi else None
        jobs.append(functools.partial(job, number, one, kernel, firmware))
    yield from ui.side_by_side(jobs)
