# SPDX-License-Identifier: GPL-2.0-or-later
"""Every ./winiommu command the documentation prints is one the launcher takes."""
import contextlib
import io
import re
import shlex
import unittest

import winiommu
from winiommu import paths

PAGES = sorted([paths.REPO / "README.rst", *(paths.REPO / "docs").rglob("*.rst")])
INLINE = re.compile(r"``(\./winiommu[^`]*)``", re.DOTALL)
BLOCK = re.compile(r"^ +(?:[$#] )?((?:[A-Z_]+=\S+ )*\./winiommu(?: .*)?)$", re.MULTILINE)
PAGE = re.compile(r"\b((?:docs/[\w/-]+|README)\.rst)\b")


def printed(text):
    """The command lines in a page, inline and in literal blocks."""
    text = re.sub(r" *\\\n +", " ", text)
    found = [" ".join(match.split()) for match in INLINE.findall(text)]
    return found + [line.strip() for line in BLOCK.findall(text)]


def complaint(command):
    """What the launcher says against a command line; empty when it takes it."""
    words = shlex.split(command, comments=True)
    words = words[words.index("./winiommu") + 1:]
    if not words:
        return ""  # the launcher itself is meant
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            winiommu.parser().parse_args(words)
        except SystemExit as end:
            return said.getvalue().strip() if end.code else ""
    return ""


class Finder(unittest.TestCase):
    def test_it_sees_inline_commands_blocks_and_continued_lines(self):
        page = ("Run ``./winiommu setup`` or::\n\n    $ ./winiommu test --suite unit\n"
                "    A=1 ./winiommu test \\\n        --list\n\nand ``./winiommu\ntest``.\n")
        self.assertEqual(printed(page), ["./winiommu setup", "./winiommu test",
                                         "./winiommu test --suite unit",
                                         "A=1 ./winiommu test --list"])

    def test_it_rejects_what_the_launcher_rejects(self):
        self.assertIn("--nonsense", complaint("./winiommu test --nonsense"))
        self.assertEqual(complaint("./winiommu test --suite unit"), "")


class Pages(unittest.TestCase):
    def test_every_printed_command_is_taken(self):
        commands = 0
        for page in PAGES:
            for command in printed(page.read_text(encoding="utf-8")):
                commands += 1
                with self.subTest(page=str(page.relative_to(paths.REPO)), command=command):
                    self.assertEqual(complaint(command), "")
        self.assertGreater(commands, 0)

    def test_every_page_named_exists(self):
        for page in PAGES:
            for name in PAGE.findall(page.read_text(encoding="utf-8")):
                with self.subTest(page=str(page.relative_to(paths.REPO)), name=name):
                    self.assertTrue((paths.REPO / name).is_file(), name)

    def test_ci_runs_the_test_command_of_the_readme(self):
        readme = printed((paths.REPO / "README.rst").read_text(encoding="utf-8"))
        self.assertIn("./winiommu test", readme)
        self.assertIn("\n./winiommu test\n", (paths.REPO / ".ci/run").read_text(encoding="utf-8"))

    def test_the_launcher_page_names_every_command(self):
        page = (paths.REPO / "docs/system/launcher.rst").read_text(encoding="utf-8")
        for name in winiommu.COMMANDS:
            with self.subTest(name=name):
                self.assertIn(f"./winiommu {name}", page)

    def test_every_option_is_on_some_page(self):
        text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
        commands = next(action for action in winiommu.parser()._actions if action.dest == "command").choices
        for name, command in commands.items():
            for option in {word for action in command._actions for word in action.option_strings} - {"-h", "--help"}:
                with self.subTest(command=name, option=option):
                    self.assertRegex(text, rf"(?<![\w-]){option}(?![\w-])")

    def test_the_testing_page_names_every_suite(self):
        from winiommu import suites
        page = (paths.REPO / "docs/devel/testing.rst").read_text(encoding="utf-8")
        for suite in suites.SUITES:
            with self.subTest(name=suite.name):
                self.assertIn(f"\n``{suite.name}``\n", page)
