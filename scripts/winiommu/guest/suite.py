# SPDX-License-Identifier: GPL-2.0-or-later
"""The suites `guest` and `contract-guest`: all guests, and set-ups broken on purpose that must be noticed."""

import random

from .. import gdb, packages, paths, printed, results, ui
from . import console, contract, machine, matrix, report

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


def debugged(one, built):
    """A guest that gdb stops at a fault, asks, and lets go."""
    with ui.step(f"gdb at a fault in a guest: {one.name}"):
        problems = gdb.demonstrate(one, built)[1]
    return results.Outcome(passed=not problems, failures=[f"gdb on {one.name}: {problem}" for problem in problems])


def debugged_units(name, built):
    """gdb's commands on a machine with two units, which does not run."""
    with ui.step(f"gdb and two units: {name}"):
        problems = gdb.ask_units(name, built)
    return results.Outcome(passed=not problems, failures=[f"gdb on {name} with two units: {problem}" for problem in problems])


def run(context):
    packages.ensure("guest", "gdb")
    built, total = context.qemu(), results.Outcome()
    seed = random.SystemRandom().randrange(1 << 32)
    ui.say(f"    seed {seed}")
    total += printed.run(built)
    for result in matrix.run(matrix.suite("all"), built, seed=seed):
        total += outcome_of(result)
    for name in machine.SUPPORTED:
        total += debugged(gdb.choose(name), built)
        total += debugged(gdb.choose(name, variant=gdb.SECOND[name]), built)
        total += debugged_units(name, built)
    for breakage in EXPECTED:
        one = machine.case("virt", "dt")
        ui.say(f"    broken on purpose: {breakage}; it must fail")
        for result in matrix.run([one], built, seed=seed, limits=LIMITS.get(breakage, console.Limits()), breakage=breakage):
            total += broken_outcome(breakage, result)
    return total


# --- the Windows contract

RESULTS = paths.REPO / "docs/conformance/results.rst"
# In the middle of the rules; what they check does not matter.
CRASH, HANG = 60, 61


def rules_outcome(result, strict=True):
    """A contract.Result's rules as tests; strict: proposals have to be met."""
    name = result.case.name
    failures = [f"{name}: {problem} (console in {result.log})" for problem in result.problems]
    failures += [f"{name}: {one.name} [{one.tag}]: {one.message}" for one in result.all()
                 if one.outcome == contract.FAILED or strict and one.outcome == contract.PROPOSAL]
    return results.Outcome(passed=result.count(contract.PASSED), failures=failures)


def _noticed(what, noticed, result):
    if noticed and not result.passed:
        return results.Outcome(passed=1)
    failed = ", ".join(one.name for one in result.all() if one.outcome == contract.FAILED) or "no rule"
    return results.failed(f"broken on purpose ({what}): not noticed; failed: {failed}; problems: {result.problems}")


def ended_in(result, number, word):
    """Whether just this rule has failed, because the run ended in it, and all others were run."""
    failed = [one for one in result.all() if one.outcome == contract.FAILED]
    return ([one.number for one in failed] == [number] and word in failed[0].message and not result.problems
            and len(result.verdicts) == result.rules)


def _break_contract(built):
    """What is broken on purpose has to be noticed, and for what it is."""
    virt, q35 = contract.cases("virt")[0], contract.cases("q35")[0]

    def run(one, **options):
        ui.say(f"    broken on purpose: {one.name}: {options}; it must fail")
        return contract.run(one, built.system(one.machine.architecture), **options)

    result = run(virt, breakage="endpoint")
    yield _noticed("no endpoints", any("winiommu-dma is missing" in problem for problem in result.problems), result)
    result = run(q35, breakage="iommu")
    yield _noticed("no IOMMU", result.count(contract.FAILED) > 100 and not result.problems, result)
    for one in (virt, q35):
        result = run(one, crash=CRASH)
        yield _noticed("a crash", ended_in(result, CRASH, "exception"), result)
    result = run(q35, hang=HANG, limits=console.Limits(total=100, silence=20))
    yield _noticed("a hang", ended_in(result, HANG, "said nothing"), result)


def hunt_outcome(hunted):
    """What contract.hunt() found: no mutant may survive."""
    survived = sorted(name for name, found_by in hunted.items() if not found_by)
    return results.Outcome(passed=len(hunted) - len(survived),
                           failures=[f"contract: the mutant {name} was not found in a guest" for name in survived])


def _hunt(built):
    # Arm's machine has all that the rules are about: PASIDs, devices of several streams, caller-owned tables.
    one = contract.cases("virt")[0]
    ui.say(f"    hunting the driver's mutants on {one.name}")
    return hunt_outcome(contract.hunt(one, built.system(one.machine.architecture)))


def run_contract(context):
    """Every rule on every machine, the table of results in the documentation, and what must fail."""
    packages.ensure("build", "guest")
    built, total = context.qemu(), results.Outcome()
    found = list(contract.run_all(contract.cases("all"), built))
    for result in found:
        total += rules_outcome(result)
    fresh = context.reports / "results.rst"
    paths.write(fresh, report.table(found))
    if paths.read(RESULTS) == paths.read(fresh):
        total += results.Outcome(passed=1)
    else:
        total += results.failed(f"docs/conformance/results.rst is not what the rules gave: see {fresh}")
    more = [contract.Case(machine.MACHINES[name], setup) for name, setups in contract.MORE.items() for setup in setups]
    for result in contract.run_all(more, built):
        total += rules_outcome(result, strict=False)
    for outcome in _break_contract(built):
        total += outcome
    total += _hunt(built)
    return total
