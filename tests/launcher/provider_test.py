# SPDX-License-Identifier: GPL-2.0-or-later
"""What ./winiommu validate --provider makes of the suite's reports."""
import dataclasses
import json
import pathlib
import tempfile
import unittest
import unittest.mock

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

    def test_rules_that_failed_alike_are_one_line(self):
        text = said(*((number, "failed", "the provider crashed") for number in range(1, 16)), (16, "failed", "two pages"),
                    (17, "failed", "not run: the provider hung in 5 rules before"))
        shown = report.render("text", [], [self.result(f"cat <<'END'\n{text}\nEND\nexit 1\n")])
        self.assertEqual(shown.count("the provider crashed"), 1)
        self.assertIn("FAIL rule-1 [D], rule-2 [D], ", shown)
        self.assertIn("rule-12 [D] and 3 more: the provider crashed", shown)
        self.assertIn("FAIL rule-16 [D]: two pages", shown)
        self.assertIn("\nfound out by rule-1 [D], rule-2 [D], ", shown)
        self.assertIn("rule-12 [D] and 4 more\nFAIL", shown)
        self.assertNotIn("console", shown)

    def test_what_came_out_as_before_is_not_listed_again(self):
        text = said((1, "passed", ""), (2, "failed", "the page still translates"))
        one = self.result(f"cat <<'END'\n{text}\nEND\nexit 1\n")
        again = dataclasses.replace(one, case=provider.cases("virt")[1])
        shown = report.render("text", [], [one, again])
        self.assertEqual(shown.count("FAIL rule-2"), 1)
        self.assertIn("provider-virt-qemu: the Windows contract", shown)
        self.assertIn("each rule as on provider-virt-sim", shown)
        self.assertIn("2 rules passed, 2 failed\nfound out by rule-2 [D]\nFAIL\n", shown)
        other = dataclasses.replace(again, problems=["the suite ended early"])
        shown = report.render("text", [], [one, other])
        self.assertEqual(shown.count("FAIL rule-2"), 2)
        self.assertIn("FAIL the suite ended early", shown)

    def test_a_rule_nothing_is_said_about_has_failed(self):
        text = said((1, "passed", ""), known=2)
        self.assertFalse(self.result(f"cat <<'END'\n{text}\nEND\n").passed)

    def test_a_provider_that_hangs_is_not_waited_for_as_long_again(self):
        text = said((1, "passed", ""), *((number, "failed", "no answer within 1 s: the provider hangs") for number in range(2, 7)))
        with tempfile.TemporaryDirectory() as directory:
            build, asked = pathlib.Path(directory), pathlib.Path(directory) / "asked"
            (build / "contract").mkdir()
            suite = build / "contract/winiommu-contract"
            suite.write_text(f"#!/bin/sh\necho \"$@\" >>{asked}\ncat <<'END'\n{text}\nEND\nexit 1\n", encoding="utf-8")
            suite.chmod(0o755)
            built = unittest.mock.Mock(system=lambda _: "/qemu")
            with unittest.mock.patch.object(provider.core, "ensure", lambda *_: build):
                found = list(provider.run_all(provider.cases("virt"), "/x.so", built, limit=1))
            words = [line.split("--most-hangs ")[1].split()[0] for line in asked.read_text(encoding="utf-8").splitlines()]
        self.assertEqual(words, ["5", "1"])
        self.assertFalse(any(one.passed for one in found))

    def test_a_suite_that_says_nothing_or_ends_otherwise_has_failed(self):
        for program in ("exit 0\n", "echo broken >&2; exit 2\n", "kill -9 $$\n"):
            with self.subTest(program=program):
                self.assertFalse(self.result(program).passed)


if __name__ == "__main__":
    unittest.main()
