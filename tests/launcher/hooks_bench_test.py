# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu bench --hooks`: how programs become figures, and what is held against the limits."""
import contextlib
import io
import pathlib
import tempfile
import unittest
from unittest import mock

from winiommu import ui
from winiommu.benchmark import hooks, report


class Programs(unittest.TestCase):
    """Stand-ins that take 10 ns an operation without hooks and 20 with, 30 with the list; `log` takes 500."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        (self.directory / "bench/core").mkdir(parents=True)
        self.put("hooks-bench-bare", "echo $(($3 * 10))")
        self.put("hooks-bench", 'case $4 in log) n=500;; list) n=30;; off) n=20;; esac; echo $(($3 * n))')

    def put(self, name, line):
        path = self.directory / "bench/core" / name
        path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        path.chmod(0o755)

    def test_samples_are_nanoseconds_an_operation_for_each_way(self):
        ns = hooks.samples(self.directory, "vtd", "hit", 3)
        self.assertEqual(ns, {"without": [10.0] * 3, "off": [20.0] * 3, "list": [30.0] * 3,
                              "log": [500.0] * 3})

    def test_what_costs_more_than_the_limit_is_a_miss(self):
        counts = {"without": 100.0, "off": 100.0, "list": 120.0, "log": 9000.0}
        for more, status in ((0, 0), (1, 1)):
            with mock.patch.object(hooks, "instructions", lambda d, way, *_, more=more: counts[way] + more * (way == "off")):
                said = io.StringIO()
                with contextlib.redirect_stdout(said):
                    records, ended = hooks.run(self.directory, 2)
                self.assertEqual(ended, status)
                self.assertIn("MISS smmuv3 hit" if more else "met  smmuv3 hit", said.getvalue())
                self.assertIn("met  smmuv3 fault", said.getvalue())
                self.assertEqual(len(records), 40)

    def test_a_program_that_fails_is_one_line(self):
        self.put("hooks-bench", "echo no such case >&2; exit 1")
        with self.assertRaisesRegex(ui.Error, "hooks-bench vtd hit failed: no such case"):
            hooks.samples(self.directory, "vtd", "hit", 1)


class Columns(unittest.TestCase):
    def test_a_table_has_the_implementations_and_ratios_it_is_made_for(self):
        figures = report.Figures("x", ("winiommu", "verify"), (("verify", "winiommu", "verify/off"),))
        figures.add("winiommu", "c", "p", 10.0)
        figures.add("verify", "c", "p", 25.0)
        table = figures.table()
        self.assertIn("verify/off", table)
        self.assertIn("2.50x", table)
        self.assertNotIn("qemu", table)


if __name__ == "__main__":
    unittest.main()
