# SPDX-License-Identifier: GPL-2.0-or-later
"""What ./winiommu validate --provider makes of the suite's reports."""
import json
import pathlib
import tempfile
import unittest

from winiommu import provider, ui
from winiommu.guest import contract, report


def said(*rules, known=None):
    return json.dumps({"sections": {"E": "Attach"}, "rules_known": known or len(rules), "rules": [
        {"name": f"rule-{number}", "tag": "D", "section": "E", "outcome": outcome, "message": message}
        for number, outcome, message in rules]})


class Cases(unittest.TestCase):
    def test_every_machine_is_run_in_process_and_in_qemu(self):
        names = [one.name for one in provider.cases("all")]
        self.assertEqual(names, ["provider-virt-sim", "provider-virt-qemu", "provider-q35-sim", "provider-q35-qemu",
                                 "provider-q35-scalable-sim", "provider-q35-scalable-qemu"])
        self.assertEqual([one.name for one in provider.cases("q35", "legacy")], ["provider-q35-sim", "provider-q35-qemu"])

    def test_a_file_that_is_not_there_is_refused(self):
        with self.assertRaises(ui.Error):
            provider.check(pathlib.Path("/nowhere/provider.so"))


class Reports(unittest.TestCase):
    def result(self, program):
        """A result from a stand-in for winiommu-contract."""
        with tempfile.TemporaryDirectory() as directory:
            suite = pathlib.Path(directory) / "suite"
            suite.write_text("#!/bin/sh\n" + program, encoding="utf-8")
            suite.chmod(0o755)
            return provider.run(provider.cases("virt")[0], suite, "/x.so", "/qemu", 1)

    def test_rules_keep_their_outcomes_and_messages(self):
        text = said((1, "passed", ""), (2, "proposal-failed", "other"), (3, "not-applicable", "x64"))
        result = self.result(f"cat <<'END'\n{text}\nEND\n")
        self.assertTrue(result.passed)
        self.assertEqual([one.outcome for one in result.all()],
                         [contract.PASSED, contract.PROPOSAL, contract.NOT_APPLICABLE])
        self.assertIn("PASS", report.render("text", [], [result]))

    def test_a_failed_rule_fails_the_run(self):
        text = said((1, "passed", ""), (129, "failed", "the page still translates"), known=2)
        result = self.result(f"cat <<'END'\n{text}\nEND\nexit 1\n")
        self.assertFalse(result.passed)
        shown = report.render("text", [], [result])
        self.assertIn("FAIL rule-129 [D]: the page still translates", shown)
        self.assertTrue(shown.endswith("FAIL\n"))

    def test_a_rule_nothing_is_said_about_has_failed(self):
        text = said((1, "passed", ""), known=2)
        self.assertFalse(self.result(f"cat <<'END'\n{text}\nEND\n").passed)

    def test_a_suite_that_says_nothing_or_ends_otherwise_has_failed(self):
        for program in ("exit 0\n", "echo broken >&2; exit 2\n", "kill -9 $$\n"):
            with self.subTest(program=program):
                self.assertFalse(self.result(program).passed)


if __name__ == "__main__":
    unittest.main()
