# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu validate`: real guests behind our devices: Linux, whose data is verified, and the Windows contract."""

import contextlib
import pathlib
import random
import sys

from . import packages, paths, provider, qemu, ui
from .guest import checks, console, contract, machine, matrix, report, store

SUMMARY = "boot Linux and the Windows contract behind our devices, check them, and end in PASS or FAIL"
KINDS = ("linux", "contract", "all")


def arguments(parser):
    parser.add_argument("--machine", choices=(*machine.MACHINES, "all"), default="all",
                        help="the machine to check (default: all that are supported)")
    parser.add_argument("--only", choices=KINDS, default="all", metavar="WHAT",
                        help="linux: data through Linux; contract: the Windows contract's rules (default: all)")
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE",
                        help="also write what became of the contract's rules, as reStructuredText")
    parser.add_argument("--provider", type=pathlib.Path, metavar="PATH",
                        help="instead: put a driver of yours, a shared object, under the contract's rules")
    parser.add_argument("--boot", choices=sorted({boot for one in machine.MACHINES.values() for boot in one.boots}),
                        help="virt: acpi (through UEFI) or dt; q35: uefi or bios (default: all)")
    parser.add_argument("--kernel", choices=(*store.KERNELS, "all"), default="6.12",
                        help="Debian's kernel series (default 6.12)")
    parser.add_argument("--variant", help="a set-up of the device, for one machine: " + "; ".join(
                            f"{one.name}: {', '.join(one.variants)}" for one in machine.MACHINES.values()))
    parser.add_argument("--format", choices=report.FORMATS, default="text", dest="form",
                        help="the report on standard output; with json, tap and junit all else goes to standard error")
    parser.add_argument("--seed", type=int, metavar="N", help="repeat a run: the seed its report names")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", default=console.Limits().total,
                        help="how long one guest may take (default %(default).0f)")
    parser.add_argument("--break", choices=checks.BREAKAGES, dest="breakage",
                        help="make the set-up wrong on purpose, to see that it fails: " + ", ".join(checks.BREAKAGES))
    qemu.add_options(parser)


def _provider(args):
    """Somebody's driver instead of the guests."""
    if args.only == "linux" or args.breakage or args.boot or args.table:
        raise ui.Error("--provider goes with --machine, --variant, --format and the choice of a QEMU only")
    provider.check(args.provider)
    wanted = provider.cases(args.machine, args.variant)
    if not wanted:
        raise ui.Error(f"there is no set-up {args.variant} for a provider")
    packages.ensure("build")
    return list(provider.run_all(wanted, args.provider, qemu.from_options(args)))


def run(args):
    if args.provider:
        with contextlib.nullcontext() if args.form == "text" else contextlib.redirect_stdout(sys.stderr):
            contracts = _provider(args)
        sys.stdout.write(report.render(args.form, [], contracts))
        return 0 if report.passed([], contracts) else 1
    aside = contextlib.nullcontext() if args.form == "text" else contextlib.redirect_stdout(sys.stderr)
    with aside:
        kernels = tuple(store.KERNELS) if args.kernel == "all" else (args.kernel,)
        cases = matrix.validate(args.machine, args.boot, kernels, args.variant) if args.only != "contract" else []
        rules = contract.cases(args.machine, args.boot, args.variant) if args.only != "linux" else []
        if args.breakage and args.breakage not in contract.BREAKAGES:
            rules = []
        if not cases and not rules or args.table and not rules:
            raise ui.Error("the contract is not run in this way: it boots by UEFI, on: " + "; ".join(
                f"{name} ({', '.join(setups)})" for name, setups in contract.SETUPS.items()))
        packages.ensure("build", "guest")
        built = qemu.from_options(args)
        seed = random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
        limits = console.Limits(total=args.timeout, silence=min(args.timeout, console.Limits().silence))
        results = list(matrix.run(cases, built, seed=seed, limits=limits, breakage=args.breakage))
        contracts = list(contract.run_all(rules, built, breakage=args.breakage))
    if args.table:
        paths.write(args.table, report.table(contracts))
    if args.form == "text":
        print()
    sys.stdout.write(report.render(args.form, results, contracts))
    sys.stdout.flush()
    return 0 if report.passed(results, contracts) else 1
