# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher behind `./winiommu`.

A command that starts a program itself does so with `ui.start`, so that the program ends when we do.

To add a subcommand, write `scripts/winiommu/NAME.py` with

    SUMMARY = "one line for --help"
    def arguments(parser): ...        # add_argument calls on an argparse parser
    def run(args) -> int: ...         # the exit status

and put NAME into COMMANDS below.  A command prints through `ui`, runs programs through `ui.run`,
and reports what a person can mend by raising `ui.Error(what, next_step)`.  What it needs it asks
for itself, each of these being quick when there is nothing to do:

    packages.ensure("build", ...)     the Debian packages of these groups are installed
    qemu.ensure(series)               a built QEMU with our devices: .system("aarch64"), .img
    core.ensure("core")               the core built by itself in build/core
"""
import argparse
import importlib
import sys

from . import ui

COMMANDS = ("setup", "validate", "test", "boot", "bench", "report", "gdb")


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """One clear line instead of the usage text."""
        sys.stderr.write(f"winiommu: {message}; see '{self.prog} --help'\n")
        raise SystemExit(2)


def parser():
    top = _Parser(prog="./winiommu", description="An emulated Arm SMMUv3 and Intel VT-d for QEMU.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"{__name__}.{name}")
        sub = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv):
    args = parser().parse_args(argv)
    ui.end_on_signals()
    try:
        return args.run(args)
    except ui.Error as error:
        ui.flush()
        sys.stderr.write(f"winiommu: {error.what}\n")
        if error.next_step:
            sys.stderr.write(f"winiommu: next: {error.next_step}\n")
    except KeyboardInterrupt:
        sys.stderr.write("winiommu: interrupted; run the same command again to go on\n")
        return 130
    except ui.Terminated as ended:
        sys.stderr.write(f"winiommu: ended by signal {ended.number}, with what it had started\n")
        return 128 + ended.number
    except OSError as error:
        sys.stderr.write(f"winiommu: {error}\n")
    return 1
