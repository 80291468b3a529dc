# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples to medians and ratios, and what misses a target."""
import os
import unittest
from unittest import mock

from winiommu.benchmark import machine, processors, report, run, targets


def figures(samples):
    """From {(impl, case, point): [ns, ...]}."""
    made = report.Figures("smmuv3")
    for (impl, case, point), turns in samples.items():
        for ns in turns:
            made.add(impl, case, point, ns)
    return made


class Figures(unittest.TestCase):
    def test_a_ratio_is_the_median_of_the_turns(self):
        # The machine was three times slower in the second turn, for both.
        made = figures({("null", "s1-4k", "xl-64"): [10.0, 30.0, 10.0],
                        ("winiommu", "s1-4k", "xl-64"): [12.0, 36.0, 30.0]})
        self.assertEqual(made.ratio("winiommu", "null", "s1-4k", "xl-64"), 1.2)
        self.assertEqual(made.median("winiommu", "s1-4k", "xl-64"), 30.0)
        row = made.table().splitlines()[-1].split()
        self.assertEqual(row[-3:], ["1.20x", "(0.90)", "-"])

    def test_what_was_not_measured_has_no_ratio(self):
        made = figures({("winiommu", "s1-4k", "xl-64"): [12.0]})
        self.assertIsNone(made.ratio("winiommu", "null", "s1-4k", "xl-64"))
        self.assertIsNone(made.ratio("winiommu", "winiommu", "s1-4k", "xl-64", over_point="cold-256"))
        self.assertFalse(report.judge("hit", None, 1.3)[0])

    def test_a_verdict_shows_as_much_as_its_limit_needs(self):
        self.assertEqual(report.judge("walk", 1.0014, 1.001), (False, "MISS walk: 1.001x, at most 1.001x"))
        self.assertEqual(report.judge("walk", 1.0034, 1.001), (False, "MISS walk: 1.003x, at most 1.001x"))
        self.assertEqual(report.judge("hit", 1.299, 1.3), (True, "met  hit: 1.30x, at most 1.3x"))

    def test_a_second_thread_is_measured_by_what_it_adds_without_an_iommu(self):
        def verdict(one, two, none_one, none_two):
            return targets.second_thread(figures({
                ("winiommu", "s1-4k", "rd64-1024"): [one], ("winiommu", "s1-4k", "rd64-1024-2thr"): [two],
                ("none", "s1-4k", "rd64-1024"): [none_one],
                ("none", "s1-4k", "rd64-1024-2thr"): [none_two]}), "s1-4k")
        met, said = verdict(16.0, 10.0, 18.0, 10.0)
        self.assertTrue(met)
        self.assertIn("1.60x where no IOMMU gives 1.80x", said)
        self.assertFalse(verdict(13.0, 10.0, 18.0, 10.0)[0])
        self.assertTrue(verdict(13.0, 10.0, 13.5, 10.0)[0])

    def test_of_two_threads_a_turn_without_the_second_core_says_nothing(self):
        # In the second turn the host kept the second core for itself, from both.
        made = figures({("winiommu", "s1-4k", "rd64-1024"): [20.0] * 3,
                        ("winiommu", "s1-4k", "rd64-1024-2thr"): [10.0, 20.0, 10.0],
                        ("none", "s1-4k", "rd64-1024"): [18.0] * 3,
                        ("none", "s1-4k", "rd64-1024-2thr"): [9.0, 18.0, 9.0]})
        met, said = targets.second_thread(made, "s1-4k")
        self.assertTrue(met)
        self.assertIn("1.00x, at least", said)
        self.assertFalse(targets.second_thread(figures({}), "s1-4k")[0])


class Turns(unittest.TestCase):
    """Who takes a turn takes it where the others do."""

    class Machine(machine.Machine):
        def __init__(self, impl):  # pylint: disable=super-init-not-called
            self.impl, self._home, self._place = impl, None, None
            self.qtest = mock.Mock()
            self.qtest.readq.return_value = 1000

        def set(self, register, value):
            pass

    def test_all_of_a_turn_run_on_one_processor_and_two_threads_on_all(self):
        machines = [self.Machine("null"), self.Machine("winiommu")]
        made = report.Figures("smmuv3")
        with mock.patch.object(processors, "ALL", frozenset({3, 5})):
            points = [("one", lambda m: m.run(machine.OP_READ, count=1)[0]),
                      ("two", lambda m: m.run(machine.OP_READ, count=1, threads=2)[0])]
            run.interleave(made, machines, "s1-4k", points, range(4))
            for one in machines:
                self.assertEqual([call.args[0] for call in one.qtest.move.call_args_list],
                                 [{3}, {3, 5}, {5}, {3, 5}] * 2)
        self.assertEqual(made.samples("winiommu", "s1-4k", "one"), [1000] * 4)

    def test_a_program_started_on_a_turn_stays_there_and_we_do_not(self):
        before = os.sched_getaffinity(0)
        with processors.on(1):
            self.assertEqual(os.sched_getaffinity(0), processors.of_turn(1))
        self.assertEqual(os.sched_getaffinity(0), before)

    def test_scattered_pages_are_all_pages_and_none_in_a_row(self):
        pages = machine.DATA_SIZE // 4096
        where = [machine.scattered(page) for page in range(pages)]
        self.assertEqual(sorted(where), list(range(pages)))
        self.assertFalse(any(b - a == 1 for a, b in zip(where, where[1:])))


if __name__ == "__main__":
    unittest.main()
