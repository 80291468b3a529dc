# SPDX-License-Identifier: GPL-2.0-or-later
"""`./winiommu bench --hooks`: how programs become figures, and what is held against the limits."""
import contextlib
import io
import pathlib
import tempfile
import unittest
from unittest import mock

from winiommu import ui
from winiommu.benchmark import cases, hooks, hooks_qemu, report


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


MEASURE = hooks_qemu.measure  # what a test may replace


class InQemu(unittest.TestCase):
    """`bench --hooks qemu`: a figure has moved when its ratio left the spread of the one without hooks to itself."""

    class Kind:
        device, cases = "vtd", ("legacy-4k",)
        impls = {"winiommu": (["-device", "winiommu-vtd"], True)}
        ns = {"without": 10.0, "again": 10.0, "off": 10.1}
        made = []

        def __init__(self, program, way):
            self.impl, self.turn = way, 0
            self.made.append((program, way, self.impls[way]))

        def configure(self, case):
            pass

        def settle(self, turn):
            self.turn = turn

        def sample(self):
            """One processor takes twice the other's time, and `again` is 4 percent above in two of four turns."""
            slow = 2 if self.turn % 2 else 1
            off_and_on = 1.04 if self.impl == "again" and self.turn % 4 < 2 else 1
            return self.ns[self.impl] * slow * off_and_on

        def check(self):
            pass

        def close(self):
            pass

    def figures(self, rounds=3, wanted=lambda *_: True, **ns):
        kind = type("Kind", (self.Kind,), {"ns": {**self.Kind.ns, **ns}, "made": []})

        def one(name):
            return name, lambda machine: machine.sample()

        @contextlib.contextmanager
        def linked(build, program, number):
            yield f"{build}/{program}.{number}"
        with mock.patch.object(hooks_qemu.layouts, "linked", linked), \
                mock.patch.multiple(hooks_qemu.cases, translations=lambda: [one("xl-64")],
                                    cold=lambda: one("cold-256"), invalidations=lambda _: [],
                                    translate=lambda _: one("xl-64")):
            return kind, MEASURE(kind, {way: (way, "qemu") for way in hooks_qemu.WAYS}, range(rounds), wanted)

    def test_every_round_links_and_starts_each_way_anew_another_first_with_everything_off(self):
        kind, figures = self.figures()
        ways = ("without", "again", "off", "again", "off", "without", "off", "without", "again")
        self.assertEqual([program for program, *_ in kind.made],
                         [f"{way}/qemu.{number}" for number, way in enumerate(ways)])
        self.assertIn(("off/qemu.2", "off", (["-device", "winiommu-vtd,fault-action=off"], True)), kind.made)
        self.assertEqual(figures.points(), [("legacy-4k", "xl-64"), ("legacy-4k", "cold-256"), ("bypass", "xl-64")])
        self.assertEqual(figures.samples("off", "legacy-4k", "cold-256"), [10.1, 20.2] * (3 * cases.SLICES // 2))

    def test_only_the_points_that_are_wanted_are_measured(self):
        figures = self.figures(wanted=lambda *where: where == ("legacy-4k", "cold-256"))[1]
        self.assertEqual(figures.points(), [("legacy-4k", "cold-256")])

    def test_within_what_two_of_the_same_differ_by_nothing_moved(self):
        self.assertEqual(hooks_qemu.moved(self.figures()[1]), ({}, {}))
        self.assertEqual(hooks_qemu.moved(self.figures(off=10.39)[1]), ({}, {}))

    def test_a_slower_and_a_faster_figure_are_told_apart(self):
        slower, faster = hooks_qemu.moved(self.figures(off=10.8)[1])
        self.assertEqual((len(slower), faster), (3, {}))
        self.assertEqual(slower["legacy-4k", "xl-64"],
                         "vtd legacy-4k xl-64: 15.0 ns without the hooks, 1.080 times with, spread 0.040")
        slower, faster = hooks_qemu.moved(self.figures(off=9.5)[1])
        self.assertEqual((slower, len(faster)), ({}, 3))
        self.assertIn("0.950 times with, spread 0.040", faster["bypass", "xl-64"])

    def test_two_processors_speeds_are_no_spread(self):
        self.assertEqual(len(hooks_qemu.moved(self.figures(off=10.41)[1])[0]), 3)

    def run_with(self, first, once_more):
        """Status and output of a run whose second measurement finds other figures."""
        wanted, found = [], [self.figures(off=first)[1]]

        def measure(_kind, programs, turns, which=None):
            self.assertEqual(programs, {"without": ("bare", "qemu-system-aarch64"),
                                        "again": ("bare", "qemu-system-aarch64"),
                                        "off": ("shipped", "qemu-system-aarch64")})
            if which is None:
                self.assertEqual(turns, range(3))
                return found[0]
            self.assertEqual(turns, range(3, 6))  # nothing lies where it lay
            wanted.append([where for where in found[0].points() if which(*where)])
            return self.figures(off=once_more, wanted=which)[1]

        def built(build):
            return mock.Mock(build=build, system=lambda target: pathlib.Path(f"/{build}/qemu-system-{target}"))
        with mock.patch.object(hooks_qemu, "measure", measure), \
                contextlib.redirect_stdout(io.StringIO()) as said:
            ended = hooks_qemu.run(built("shipped"), built("bare"), "smmuv3", 3)[1]
        return ended, said.getvalue(), wanted

    def test_the_status_says_whether_something_became_slower(self):
        for ns, status, says in ((10.1, 0, "twice: 0 of 3; only at first 0, faster 0"),
                                 (11.0, 1, "twice: 3 of 3; only at first 0, faster 0"),
                                 (9.0, 0, "twice: 0 of 3; only at first 0, faster 3")):
            ended, said, wanted = self.run_with(ns, ns)
            self.assertEqual(ended, status)
            self.assertIn(says, said)
            self.assertEqual(len(wanted), status)  # nothing is measured once more without need

    def test_what_was_slower_by_chance_is_measured_once_more_and_named(self):
        ended, said, wanted = self.run_with(11.0, 10.1)
        self.assertEqual(ended, 0)
        self.assertEqual([len(points) for points in wanted], [3])
        self.assertIn("note vtd legacy-4k cold-256: 15.0 ns without the hooks, 1.100 times with, spread 0.040: slower, "
                      "but not once more", said)
        self.assertIn("met  figures that the hooks make slower beyond their spread, twice: 0 of 3; only at first 3", said)

    def test_what_is_slower_twice_says_both(self):
        said = self.run_with(11.0, 12.0)[1]
        self.assertIn("MISS vtd legacy-4k xl-64: 15.0 ns without the hooks, 1.100 times with, spread 0.040; once more: "
                      "vtd legacy-4k xl-64: 15.0 ns without the hooks, 1.200 times with", said)


if __name__ == "__main__":
    unittest.main()
