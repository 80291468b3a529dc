# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the unittest modules of a directory and prints TAP."""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
REPO = pathlib.Path(__file__).resolve().parent.parent


class TapResult(unittest.TestResult):
    count = 0

    def _line(self, ok, test, extra=""):
        self.count += 1
        print(f"{'ok' if ok else 'not ok'} {self.count} - {test.id()}{extra}", flush=True)

    def _problem(self, test, error):
        self._line(False, test)
        for line in self._exc_info_to_string(error, test).splitlines():
            print("# " + line, flush=True)

    def addSuccess(self, test):
        self._line(True, test)

    def addFailure(self, test, err):
        self._problem(test, err)

    def addError(self, test, err):
        self._problem(test, err)

    def addSkip(self, test, reason):
        self._line(True, test, f" # SKIP {reason}")

    def addExpectedFailure(self, test, err):
        self._line(True, test)

    def addUnexpectedSuccess(self, test):
        self._line(False, test)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._problem(subtest, err)


def main(directory):
    sys.path.insert(0, str(REPO / "scripts"))
    suite = unittest.defaultTestLoader.discover(directory, pattern="*_test.py",
                                                top_level_dir=directory)
    result = TapResult()
    suite.run(result)
    print(f"1..{result.count}")


main(sys.argv[1])
