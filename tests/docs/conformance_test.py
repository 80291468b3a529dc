# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests that docs/conformance names exist."""
import re
import unittest

from winiommu import paths

PAGES = ("smmuv3", "vtd")
NAMED = re.compile(r"``(\w+)\.(\w+)``")
DEFINED = re.compile(r"\bTEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)\s*\)")


def defined():
    """Suite and name of every C++ test of the tree."""
    found = set()
    for source in (paths.REPO / "tests").rglob("*.cpp"):
        found.update(DEFINED.findall(source.read_text(encoding="utf-8")))
    return found


def rows(text):
    """Per row of the tables of features its first cell and the tests it names."""
    found = []
    for part in re.split(r"\n   \* - ", text)[1:]:
        cells = re.split(r"\n     - ?", part)
        if len(cells) == 3 and cells[0] != "Feature":
            found.append((cells[0], NAMED.findall(cells[2])))
    return found


class Finder(unittest.TestCase):
    def test_a_row_has_a_feature_and_tests(self):
        text = ("   * - Feature\n     - Section\n     - Tests\n   * - This\n     - 1.2\n"
                "     - ``A_1.B``,\n       ``A_1.C``\n   * - That\n     -\n     - nothing\n")
        self.assertEqual(rows("\n" + text), [("This", [("A_1", "B"), ("A_1", "C")]), ("That", [])])

    def test_every_kind_of_test_is_seen(self):
        text = "TEST(A, B)\nTEST_F(C, D)\nTEST_P(\n    E, F)\nINSTANTIATE_TEST_SUITE_P(Tlb, G, H)"
        self.assertEqual(DEFINED.findall(text), [("A", "B"), ("C", "D"), ("E", "F")])


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.defined = defined()

    def test_every_test_named_exists(self):
        for page in PAGES:
            text = (paths.REPO / "docs/conformance" / f"{page}.rst").read_text(encoding="utf-8")
            suites = {suite for suite, _ in self.defined}
            named = [pair for pair in NAMED.findall(text) if pair[0] in suites or pair[0].startswith(("Smmu_", "Vtd_"))]
            self.assertTrue(named, page)
            for pair in named:
                with self.subTest(page=page, test=".".join(pair)):
                    self.assertTrue(pair in self.defined, "there is no such test")

    def test_every_feature_has_a_test(self):
        for page, least in ("smmuv3", 50), ("vtd", 50):
            text = (paths.REPO / "docs/conformance" / f"{page}.rst").read_text(encoding="utf-8")
            features = rows(text.partition("Where other models differ")[0])
            self.assertGreater(len(features), least, page)
            for feature, tests in features:
                with self.subTest(page=page, feature=feature):
                    self.assertTrue(tests)

    def test_the_places_where_qemu_differs_have_theirs(self):
        numbers = {int(n) for suite, _ in self.defined for n in re.findall(r"(?<=_)B(\d+)_", suite)}
        self.assertLessEqual(set(range(1, 11)), numbers)
