# SPDX-License-Identifier: GPL-2.0-or-later
import base64
import gzip
import hashlib
import pathlib
import sys
import tempfile
import unittest

from winiommu.guest import console


def sent(name, content, nonce="n"):
    text = base64.b64encode(gzip.compress(content)).decode()
    return [f"%{nonce} begin {name}", *(f"%{nonce} data {text[at:at + 20]}" for at in range(0, len(text), 20)),
            f"%{nonce} end {name} {hashlib.sha256(content).hexdigest()}"]


def parse(lines, nonce="n"):
    parser = console.Parser(nonce)
    for line in lines:
        parser.feed(line)
    return parser.transcript


class Parser(unittest.TestCase):
    def test_only_the_nonce_of_this_run_is_believed(self):
        transcript = parse(["%other done", "done", "n done", "% done", "[    1.0] %nn done"])
        self.assertFalse(transcript.done)
        self.assertTrue(parse(["%n done\r"]).done)

    def test_a_message_before_the_mark_does_not_hide_it(self):
        self.assertEqual(parse(["[  1.5] random: x%n digest a b"]).pairs("digest"), {"a": "b"})

    def test_terminal_control_sequences_are_ignored(self):
        self.assertTrue(parse(["\x1b[2J\x1b[01;01H%n \x1b[=3hdone\r"]).done)

    def test_a_file_arrives(self):
        content = bytes(range(256)) * 3
        transcript = parse(sent("acpi/IORT", content))
        self.assertEqual(transcript.files, {"acpi/IORT": content})
        self.assertEqual(transcript.errors, [])

    def test_damaged_files_are_errors_and_absent(self):
        good = sent("x", b"content" * 50)
        swapped = [good[0], *reversed(good[1:-1]), good[-1]]
        torn = [*good[:2], *good[3:]]
        wrong = [*good[:-1], "%n end x " + "0" * 64]
        unmarked = [*good[:-1], good[-1].replace(" x ", " y ")]
        for lines in (swapped, torn, wrong, unmarked, [good[0], *good]):
            transcript = parse(lines)
            self.assertTrue(transcript.errors, lines)
        for lines in (swapped, torn, wrong, unmarked):
            self.assertEqual(parse(lines).files, {})


class Run(unittest.TestCase):
    def run_program(self, program, **limits):
        log = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "log"
        return console.run([sys.executable, "-c", program], "n", log, console.Limits(**limits)), log

    def test_a_program_that_ends_well(self):
        outcome, log = self.run_program("print('hello'); print('%n done'); print('end', end='')")
        self.assertEqual(outcome.problem, "")
        self.assertTrue(outcome.transcript.done)
        self.assertEqual(outcome.tail, ["hello", "end"])
        self.assertEqual(log.read_text(), "hello\n%n done\nend")

    def test_a_failing_status_and_a_signal_are_problems(self):
        self.assertIn("status 3", self.run_program("raise SystemExit(3)")[0].problem)
        self.assertIn("signal 9", self.run_program("import os; os.kill(os.getpid(), 9)")[0].problem)

    def test_silence_and_length_have_limits(self):
        outcome, _ = self.run_program("import time; print('last words', flush=True); time.sleep(60)", silence=1)
        self.assertIn("said nothing", outcome.problem)
        self.assertEqual(outcome.tail, ["last words"])
        chatter = "import time\nwhile True: print('x', flush=True); time.sleep(0.1)"
        self.assertIn("did not finish", self.run_program(chatter, total=1.5)[0].problem)
