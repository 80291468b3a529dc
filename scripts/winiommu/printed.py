# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's command lines that the pages print: each must start a machine."""
import pathlib
import re
import shlex
import subprocess
import tempfile

from . import paths, results, ui

PAGES = ("README.rst", "docs/system/*.rst", "docs/specs/*.rst")
COMMAND = re.compile(r"(?:^ +|``)(?:build/qemu-[\d.]+/)?qemu-system-(\w+) (-[^`\n]*)", re.MULTILINE)
SECONDS = 60


def find(text):
    """Architecture and options of each command line in a page; dots stand for what the reader adds."""
    text = re.sub(r" *\\\n +", " ", text)
    return [(architecture, shlex.split(options.replace(" ...", ""))) for architecture, options in COMMAND.findall(text)]


def complete(options):
    """With empty disks of the names the devices use, and a monitor; the machine stands still."""
    disks = sorted(set(re.findall(r"\bdrive=(\w+)", " ".join(options))))
    return [*options, "-nodefaults", "-display", "none", "-S", "-monitor", "stdio",
            *(word for disk in disks for word in ("-blockdev", f"driver=null-co,node-name={disk}"))]


def _problem(command, directory):
    try:
        ended = subprocess.run(command, cwd=directory, input="quit\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"QEMU did not end within {SECONDS} s"
    said = " ".join(line for line in ended.stdout.splitlines() if "qemu-system" in line or "rror" in line)
    return f"status {ended.returncode}: {said}" if ended.returncode or said else ""


def run(built):
    """Starts them all; each is a test."""
    total = results.Outcome()
    pages = sorted(path for pattern in PAGES for path in paths.REPO.glob(pattern))
    with ui.step("QEMU's command lines in the pages"), tempfile.TemporaryDirectory(prefix="winiommu-printed-") as directory:
        for page in pages:
            for architecture, options in find(page.read_text(encoding="utf-8")):
                problem = _problem([str(built.system(architecture)), *complete(options)], pathlib.Path(directory))
                total += results.failed(f"{page.relative_to(paths.REPO)}: {shlex.join(options)}: {problem}") if problem else \
                    results.Outcome(passed=1)
    return total
