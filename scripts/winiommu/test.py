# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu test`: every suite, its counts, and one line with the sum."""
import shutil
import time

from . import paths, qemu, results, suites, ui

SUMMARY = "run the tests; the last line is 'N passed, N failed'"


def arguments(parser):
    names = [suite.name for suite in suites.SUITES]
    parser.add_argument("--suite", action="append", choices=names, metavar="NAME",
                        help=f"only this suite (repeatable): {', '.join(names)}")
    parser.add_argument("--list", action="store_true", help="list the suites and end")
    parser.add_argument("--plain", action="store_true",
                        help="unit tests without the sanitizers, for speed")
    parser.add_argument("--fuzz-seconds", type=int, default=60, metavar="N",
                        help="how long each fuzzer runs (default 60)")
    parser.add_argument("--fuzz-seed", type=int, default=1, metavar="N",
                        help="where each fuzzer begins: the same N, the same inputs "
                             "(default 1; 0: elsewhere each time)")
    qemu.add_options(parser)


def run(args):
    if args.list:
        for suite in suites.SUITES:
            ui.say(f"{suite.name}: {suite.what}")
        return 0
    chosen = [suites.find(name) for name in args.suite] if args.suite else suites.SUITES
    built, total = {}, results.Outcome()
    for suite in chosen:
        total += _run_suite(suite, args, built)
    _print_lines("skipped", total.skips)
    _print_lines("failed", total.failures)
    ui.say(total.counts())
    return 0 if total.good else 1


def _run_suite(suite, args, built):
    reports = paths.BUILD / "reports" / suite.name
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    ui.say(f"==> {suite.name}: {suite.what}")
    begun = time.monotonic()
    try:
        outcome = suite.run(suites.Context(args, reports, built))
    except ui.Error as error:
        ui.say(f"    {error.what}")
        if error.next_step:
            ui.say(f"    next: {error.next_step}")
        outcome = results.failed(f"{suite.name}: {error.what.splitlines()[0]}")
    if not outcome.total:
        outcome = results.failed(f"{suite.name}: ran no test")
    ui.say(f"    {suite.name}: {outcome.counts()} ({time.monotonic() - begun:.0f} s)")
    return outcome


def _print_lines(title, lines):
    for line in lines:
        ui.say(f"{title}: {line}")
