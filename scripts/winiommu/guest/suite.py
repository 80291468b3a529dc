# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite `guest`: all guests, and set-ups broken on purpose that must be noticed."""

import random

from .. import packages, results, ui
from . import console, machine, matrix

# What a breakage must fail, besides whatever else it spoils.
EXPECTED = {
    "iommu": "the kernel's driver runs the IOMMU",
    "data": "NVMe: 64 MiB read",
    "endpoint": "no step in the guest failed",
    "kernel": "the guest ran to its end",
}
# A guest whose kernel is cut short hangs; the sooner that is noticed the better.
LIMITS = {"kernel": console.Limits(total=60, silence=15)}


def outcome_of(result):
    """A Result's checks as tests."""
    failures = [f"{result.case.name}: {check.name}: {check.detail} (console in {result.log})"
                for check in result.checks if not check.passed]
    if not result.checks:
        failures.append(f"{result.case.name}: nothing was checked")
    return results.Outcome(passed=sum(check.passed for check in result.checks), failures=failures)


def broken_outcome(breakage, result):
    """A broken set-up passes this test by failing in the right place."""
    failed = {check.name for check in result.checks if not check.passed}
    if not result.passed and EXPECTED[breakage] in failed:
        return results.Outcome(passed=1)
    return results.failed(f"broken on purpose ({breakage}): not noticed as '{EXPECTED[breakage]}'; "
                          f"failed: {', '.join(sorted(failed)) or 'nothing'}")


def run(context):
    packages.ensure("guest")
    built, total = context.qemu(), results.Outcome()
    seed = random.SystemRandom().randrange(1 << 32)
    ui.say(f"    seed {seed}")
    for result in matrix.run(matrix.suite("all"), built, seed=seed):
        total += outcome_of(result)
    for breakage in EXPECTED:
        one = machine.case("virt", "dt")
        ui.say(f"    broken on purpose: {breakage}; it must fail")
        for result in matrix.run([one], built, seed=seed, limits=LIMITS.get(breakage, console.Limits()), breakage=breakage):
            total += broken_outcome(breakage, result)
    return total
