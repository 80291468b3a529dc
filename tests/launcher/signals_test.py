# SPDX-License-Identifier: GPL-2.0-or-later
"""A launcher that is told to end takes along what it started."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from winiommu import paths

# A command whose program starts another; both write their process ids and sleep.
CHILD = """
import os, subprocess, sys, time
if sys.argv[2] == "stubborn":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[3:]:
    subprocess.Popen([sys.executable, "-c", sys.argv[3], sys.argv[1] + ".2", sys.argv[2]])
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
# What a shell makes of signals in the background (nohup, &) is not what is tried here.
LAUNCHER = """
import pathlib, signal, sys, types
from unittest import mock
for number in (signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
import winiommu
from winiommu import suites, ui
from winiommu.guest import console
scratch, how, manner, child = pathlib.Path(sys.argv[1]), *sys.argv[2:]
argv = [sys.executable, "-c", child, str(scratch / "pid"), manner, child]

def run(args):
    if how == "step":
        ui.run(argv, "try", scratch / "log")
    elif how == "guest":
        console.run(argv, "0", scratch / "log")
    elif how == "tests":
        suites.together({"try": lambda: suites.program("try", argv, scratch)})
    return 0

module = types.SimpleNamespace(SUMMARY="x", arguments=lambda parser: None, run=run)
with mock.patch("importlib.import_module", return_value=module):
    sys.exit(winiommu.main(["setup"]))
"""


def wait_for(what, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    return what()


def gone(process):
    """No longer there, or dead and not yet buried by whoever adopted it."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Signals(unittest.TestCase):
    def ends(self, how, number, manner="obedient"):
        with tempfile.TemporaryDirectory() as scratch:
            launcher = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, scratch, how, manner, CHILD], text=True,
                env=dict(os.environ, PYTHONPATH=str(paths.REPO / "scripts")),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
            self.addCleanup(launcher.stderr.close)
            self.addCleanup(launcher.wait)
            self.addCleanup(launcher.kill)
            files = [pathlib.Path(scratch) / name for name in ("pid", "pid.2")]
            self.assertTrue(wait_for(lambda: all(file.exists() for file in files)))
            children = [int(file.read_text()) for file in files]
            self.assertFalse(any(gone(child) for child in children))
            launcher.send_signal(number)
            status = launcher.wait(30)
            left = [child for child in children if not wait_for(lambda child=child: gone(child), 8)]
            for child in left:
                os.kill(child, signal.SIGKILL)
            self.assertEqual(left, [])
            return status, launcher.stderr.read()

    def test_a_step_ends_with_the_launcher(self):
        status, text = self.ends("step", signal.SIGTERM)
        self.assertEqual(status, 143)
        self.assertEqual(text, "winiommu: ended by signal 15, with what it had started\n")

    def test_a_guest_ends_with_the_launcher(self):
        self.assertEqual(self.ends("guest", signal.SIGTERM)[0], 143)
        self.assertEqual(self.ends("guest", signal.SIGHUP)[0], 129)
        self.assertEqual(self.ends("guest", signal.SIGINT)[0], 130)

    def test_tests_in_threads_end_with_the_launcher(self):
        self.assertEqual(self.ends("tests", signal.SIGTERM)[0], 143)
        self.assertEqual(self.ends("tests", signal.SIGINT)[0], 130)

    def test_who_does_not_listen_is_ended_all_the_same(self):
        for how in ("guest", "tests"):
            self.assertEqual(self.ends(how, signal.SIGTERM, "stubborn")[0], 143)
