# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu bench`: our devices against QEMU's, the floor and nothing, in one run."""
import contextlib
import pathlib

from . import core, packages, qemu, ui
from .benchmark import hooks, hooks_qemu, qtest, report, steal
from .benchmark import run as benchmark

SUMMARY = "measure translation and invalidation against QEMU's own IOMMUs"


def arguments(parser):
    qemu.add_options(parser)
    parser.add_argument("--device", choices=("smmuv3", "vtd", "all"), default="all",
                        help="which device to measure (default all)")
    parser.add_argument("--hooks", nargs="?", const="core", choices=("core", "qemu"),
                        help="measure what introspection and verify mode cost, instead: in the core "
                             "(default), or turned off, in all of the benchmark")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path,
                        help="write one record a figure to FILE")
    parser.add_argument("--rounds", metavar="N", type=_rounds, default=9,
                        help="samples of each figure (default 9)")


def _rounds(text):
    value = int(text)
    if not 1 <= value <= 1000:
        raise ValueError(text)
    return value


def run(args):
    if args.json and not args.json.resolve().parent.is_dir():
        raise ui.Error(f"--json {args.json}: its directory does not exist",
                       f"mkdir -p {args.json.parent}")
    packages.ensure("bench")
    if args.hooks:
        return _hooks(args)
    built = qemu.from_options(args)
    target = "contract/winiommu-contract-bench"
    mapping = core.ensure("core", [target]) / target
    with _stopped(), steal.watched():
        return benchmark.run(lambda target: str(built.system(target)), args.device,
                             args.rounds, args.json, mapping)


def _hooks(args):
    if args.hooks == "core":
        directory = core.ensure("core", hooks.TARGETS)
        with steal.watched():
            records, status = hooks.run(directory, args.rounds)
    else:
        shipped = qemu.from_options(args, qemu.SYSTEMS)
        bare = qemu.from_options(args, qemu.SYSTEMS, hooks=False)
        with _stopped(), steal.watched():
            figures, status = hooks_qemu.run(shipped, bare, args.device, args.rounds)
        records = [record for one in figures for record in one.records()]
    if args.json:
        report.write_records(args.json, records)
    return status


@contextlib.contextmanager
def _stopped():
    try:
        yield
    except qtest.QtestError as error:
        raise ui.Error(f"the benchmark stopped: {error}") from None
