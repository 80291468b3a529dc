# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs that pass, fail, crash, hang and say nothing, through the runner."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

from winiommu import paths, results, suites, test, ui


class Program(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.reports = pathlib.Path(scratch.name)

    def run_python(self, code, **options):
        return suites.program("prog", [sys.executable, "-c", code], self.reports, **options)

    def test_passing_and_failing_programs(self):
        self.assertTrue(self.run_python("").good)
        self.assertEqual(self.run_python("raise SystemExit(4)").passed, 0)

    def test_a_crash_is_a_failure(self):
        outcome = self.run_python("import os; os.abort()")
        self.assertIn("crashed (signal 6)", outcome.failures[0])

    def test_a_hanging_program_is_stopped_and_fails(self):
        outcome = self.run_python("import time; time.sleep(60)", timeout=0.5)
        self.assertIn("timed out", outcome.failures[0])

    def test_a_gtest_program_that_writes_no_report_fails(self):
        outcome = self.run_python("print('all fine')", protocol="gtest")
        self.assertIn("ran no test", outcome.failures[0])

    def test_an_old_report_is_not_taken_for_a_new_one(self):
        (self.reports / "prog.xml").write_text(
            '<testsuites><testcase name="a" classname="b" status="run"/></testsuites>')
        self.assertFalse(self.run_python("", protocol="gtest").good)

    def test_environment_reaches_the_program(self):
        code = "import os; raise SystemExit(os.environ['WINIOMMU_PROBE'] != 'here')"
        self.assertTrue(self.run_python(code, env={"WINIOMMU_PROBE": "here"}).good)

    def test_unittest_programs_report_every_kind_of_end(self):
        (self.reports / "sample_test.py").write_text(
            "import unittest\n"
            "class T(unittest.TestCase):\n"
            "    def test_good(self): pass\n"
            "    def test_bad(self): self.fail('bad')\n"
            "    def test_error(self): raise OSError\n"
            "    def test_skip(self): self.skipTest('why')\n")
        outcome = suites.program("tap", [sys.executable, paths.REPO / "tests/unittest_tap.py",
                                         self.reports], self.reports, protocol="tap")
        self.assertEqual(outcome.passed, 1)
        self.assertEqual(len(outcome.failures), 2)
        self.assertEqual(outcome.skips, ["sample_test.T.test_skip: why"])

    def test_what_a_suite_of_modules_needs_is_installed_before_it_runs(self):
        order = []
        with mock.patch.object(suites.packages, "ensure", lambda *groups: order.append(groups)), \
                mock.patch.object(suites, "program", lambda *_, **__: order.append("run") or results.Outcome()):
            suites.find("launcher").run(mock.Mock(reports=self.reports))
        self.assertEqual(order, [("build",), "run"])

    def test_a_module_that_cannot_be_imported_is_a_failure(self):
        (self.reports / "broken_test.py").write_text("import nothing_of_that_name\n")
        outcome = suites.program("tap", [sys.executable, paths.REPO / "tests/unittest_tap.py",
                                         self.reports], self.reports, protocol="tap")
        self.assertEqual((outcome.passed, len(outcome.failures)), (0, 1))



class Fuzz(unittest.TestCase):
    SAYS = ("import pathlib, sys; pathlib.Path(sys.argv[-1], 'crash').write_bytes(b'abc'); "
            "print('INVARIANT: it moved (0x1, 0x2)'); "
            "print('artifact_prefix; Test unit written to', pathlib.Path(sys.argv[-1], 'crash')); "
            "raise SystemExit(77)")

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.context = suites.Context(mock.Mock(fuzz_seconds=7, fuzz_seed=3),
                                      pathlib.Path(scratch.name), {})

    def test_a_finding_is_printed_with_its_input(self):
        command = [sys.executable, "-c", self.SAYS, self.context.reports]
        with mock.patch.object(suites, "built_tests", lambda *_: [{"name": "vtd"}]), \
                mock.patch.object(suites, "fuzz_command", lambda *_: command), \
                contextlib.redirect_stdout(io.StringIO()) as out:
            outcome = suites.fuzz(self.context)
        self.assertIn("exit status 77", outcome.failures[0])
        self.assertIn("vtd: INVARIANT: it moved (0x1, 0x2)", out.getvalue())
        self.assertIn("vtd: input: YWJj", out.getvalue())

    def test_seconds_seed_and_kept_inputs_reach_the_fuzzer(self):
        argv = suites.fuzz_command({"name": "vtd", "cmd": ["fuzz-vtd"]}, self.context.args,
                                   self.context.reports)
        self.assertEqual(argv[:3], ["fuzz-vtd", "-max_total_time=7", "-seed=3"])
        kept = (paths.REPO / "tests/fuzz/corpus/vtd.hex").read_text().splitlines()
        found = self.context.reports / "vtd-corpus"
        self.assertIn(found, argv)
        self.assertEqual({file.read_bytes().hex() for file in found.iterdir()}, set(kept))


class Sum(unittest.TestCase):
    def run_suites(self, *functions):
        chosen = tuple(suites.Suite(f"s{index}", "a sample", function)
                       for index, function in enumerate(functions))
        args = mock.Mock(list=False, suite=None)
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        output = io.StringIO()
        with mock.patch.object(suites, "SUITES", chosen), \
             mock.patch.object(paths, "BUILD", pathlib.Path(scratch.name)), \
             contextlib.redirect_stdout(output):
            status = test.run(args)
        return status, output.getvalue().splitlines()

    def test_the_last_line_is_the_sum(self):
        status, lines = self.run_suites(lambda context: results.Outcome(passed=2),
                                        lambda context: results.Outcome(passed=3))
        self.assertEqual((status, lines[-1]), (0, "5 passed, 0 failed"))

    def test_a_skip_is_counted_and_its_reason_printed(self):
        status, lines = self.run_suites(
            lambda context: results.Outcome(passed=1, skips=["t: no kernel"]))
        self.assertEqual((status, lines[-1]), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertIn("skipped: t: no kernel", lines)

    def test_a_suite_without_tests_fails(self):
        status, lines = self.run_suites(lambda context: results.Outcome())
        self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed"))

    def test_a_suite_that_cannot_start_fails_and_the_next_still_runs(self):
        def broken(context):
            raise ui.Error("the build failed", "mend it")
        status, lines = self.run_suites(broken, lambda context: results.Outcome(passed=1))
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))
        self.assertIn("failed: s0: the build failed", lines)
