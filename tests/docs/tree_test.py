# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages and MAINTAINERS say of the tree is so."""
import fnmatch
import re
import subprocess
import unittest

from winiommu import paths, source

PAGES = sorted([paths.REPO / "README.rst", *(paths.REPO / "docs").rglob("*.rst")])
# What integration/qemu/tree holds is named as it lies in QEMU's tree.
ROOTS = (paths.REPO, paths.REPO / "integration/qemu/tree")


def tracked():
    # Also as root in somebody else's clone.
    git = ["git", "-c", "safe.directory=*", "-C", paths.REPO]
    listed = subprocess.run([*git, "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (paths.REPO / name).exists()]


def name_of(page):
    return str(page.relative_to(paths.REPO))


def spread(path):
    """``hw/arm|i386/`` is two."""
    return [re.sub(r"[\w-]+(\|[\w-]+)+", one, path) for one in found[0].split("|")] if (
        found := re.search(r"[\w-]+(?:\|[\w-]+)+", path)) else [path]


def named(text, tops):
    """Paths of the tree among a page's literals and sentences."""
    words = re.findall(r"``([^`\s]+)``", text) + re.findall(r"(?<![\w/.`-])((?:docs|tests|scripts)/[\w./*-]*\w)", text)
    return [one for word in words for one in spread(word) if "/" in one and one.split("/")[0] in tops]


def there(path):
    return any(any(root.glob(path.rstrip("/."))) for root in ROOTS)


def titles(text):
    """The sections of a page."""
    return re.findall(r"^(\S.*)\n([=~-])\2{2,}$", text, re.MULTILINE)


def astray(lines):
    """Numbers and lines of simple tables with something between two columns: docutils takes no such table."""
    margins = []
    for number, line in enumerate(lines, start=1):
        if re.fullmatch(r" *=+(?: +=+)+", line):
            begins, ends = not margins, not "".join(lines[number:number + 1]).strip()
            margins = [at for at in range(line.index("="), len(line)) if line[at] == " "] if begins or not ends else []
        elif any(line[at:at + 1].strip() for at in margins):
            yield number, line


def looked_after(maintainers):
    return re.findall(r"^F: (\S+)$", maintainers, re.MULTILINE)


def covered(file, pattern):
    return file.startswith(pattern) if pattern.endswith("/") else fnmatch.fnmatchcase(file, pattern)


class Finder(unittest.TestCase):
    def test_paths_are_seen_in_literals_and_in_sentences(self):
        text = "See ``hw/arm|misc/``, docs/specs/vtd.rst, and ``tests/x*``; ``./hw`` and ``a/b`` are none."
        self.assertEqual(named(text, {"hw", "docs", "tests"}), ["hw/arm/", "hw/misc/", "tests/x*", "docs/specs/vtd.rst"])

    def test_what_is_not_there_is_noticed(self):
        self.assertTrue(there("hw/iommu/"))
        self.assertTrue(there("scripts/winiommu/report*"))
        self.assertFalse(there("hw/nothing/"))

    def test_a_cell_that_is_too_wide_is_noticed(self):
        table = ["==  ==", "a   b", "==  ==", "cc  text that goes on and on", "ccc d", "==  ==", "", "No table any more.",
                 "==  ==", "cccc", "==  =="]
        self.assertEqual([number for number, _ in astray(table)], [5, 10])

    def test_a_directory_covers_what_is_below_it(self):
        self.assertTrue(covered("a/b/c.py", "a/b/"))
        self.assertFalse(covered("a/bc.py", "a/b/"))
        self.assertTrue(covered("a/b.py", "a/b*"))


class Pages(unittest.TestCase):
    files = tracked()
    tops = {name.split("/")[0] for name in files}

    def test_every_path_named_exists(self):
        count = 0
        for page in PAGES:
            for path in named(page.read_text(encoding="utf-8"), self.tops):
                count += 1
                with self.subTest(page=name_of(page), path=path):
                    self.assertTrue(there(path))
        self.assertGreater(count, 100)

    def test_every_reference_to_a_section_leads_to_one(self):
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            known = {title for title, _ in titles(text)}
            for reference in re.findall(r"(?<!`)`([^`<>]+)`_(?!_)", text):
                with self.subTest(page=name_of(page), reference=reference):
                    self.assertIn(" ".join(reference.split()), known)

    def test_no_cell_of_a_table_runs_into_the_next(self):
        for page in PAGES:
            lines = page.read_text(encoding="utf-8").splitlines()
            for number, line in astray(lines):
                with self.subTest(page=name_of(page), line=number):
                    self.fail(line)

    def test_pictures_and_inclusions_exist(self):
        for page in PAGES:
            for path in re.findall(r"^\.\. (?:image|literalinclude|include):: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
                with self.subTest(page=name_of(page), path=path):
                    self.assertTrue((page.parent / path).is_file())

    def test_the_index_names_every_page(self):
        index = (paths.REPO / "docs/index.rst").read_text(encoding="utf-8")
        for page in PAGES:
            if page.name != "README.rst" and page.name != "index.rst":
                self.assertIn(name_of(page), index)

    def test_newcomers_see_the_two_commands_first(self):
        for page in ("README.rst", "docs/index.rst", "docs/system/launcher.rst"):
            head = (paths.REPO / page).read_text(encoding="utf-8")[:1500]
            for command in ("./winiommu validate", "./winiommu test"):
                with self.subTest(page=page, command=command):
                    self.assertRegex(head, rf"(?m)^    {re.escape(command)}$")

    def test_the_readmes_map_has_every_directory(self):
        text = (paths.REPO / "README.rst").read_text(encoding="utf-8").partition("\nThe tree\n")[2]
        mapped = {path for path in named(text, self.tops) if path.endswith("/")}
        for file in self.files:
            if "/" in file and not file.startswith("."):
                self.assertTrue(any(file.startswith(path) for path in mapped), file)

    def test_the_series_of_qemu_are_those_of_the_launcher(self):
        for page in ("README.rst", "docs/system/launcher.rst"):
            text = (paths.REPO / page).read_text(encoding="utf-8")
            for series in source.SUITES:
                with self.subTest(page=page, series=series):
                    self.assertIn(series, text)

    def test_the_number_of_rules_is_the_contracts(self):
        rules = (paths.REPO / "docs/conformance/rules.rst").read_text(encoding="utf-8")
        numbers = [int(number) for number in re.findall(r"^``rule-(\d+)`` \*\*", rules, re.MULTILINE)]
        said = re.search(r"^(\d+) rules, ", rules, re.MULTILINE).group(1)
        self.assertEqual(sorted(numbers), list(range(1, int(said) + 1)))
        page = (paths.REPO / "docs/system/contract.rst").read_text(encoding="utf-8")
        self.assertEqual(set(re.findall(r"(\d+)\s+(?:numbered\s+)?rules", page)), {said})


class Properties(unittest.TestCase):
    """The tables of properties list what the devices define, and nothing else."""

    COMMON = ("hw/misc/winiommu-host.h",)
    # Set by QEMU's class of all x86 IOMMUs.
    INHERITED = {"intremap", "pt", "eim", "device-iotlb"}

    @staticmethod
    def defined(*files):
        found = set()
        for file in files:
            text = (paths.REPO / file).read_text(encoding="utf-8")
            found.update(re.findall(r'\bDEFINE_PROP\w*\(\s*"([\w-]+)"', text))
        return found

    @staticmethod
    def listed(page):
        text = (paths.REPO / page).read_text(encoding="utf-8")
        return set(re.findall(r"^``([\w-]+)=``  ", text, re.MULTILINE))

    def test_tables(self):
        faults = {"fault-action", "fault-filter"}
        introspect = (paths.REPO / "hw/misc/winiommu-introspect.c").read_text(encoding="utf-8")
        self.assertLessEqual(faults, set(re.findall(r'object_property_add\(s->owner, "([\w-]+)", "str"', introspect)))
        for page, file, inherited in (("docs/system/winiommu-smmuv3.rst", "hw/arm/winiommu-smmuv3.c", set()),
                                      ("docs/system/winiommu-vtd.rst", "hw/i386/winiommu-vtd.c", self.INHERITED)):
            with self.subTest(page=page):
                self.assertEqual(self.listed(page), self.defined(file, *self.COMMON) | inherited | faults)
        self.assertLessEqual(self.defined("hw/misc/winiommu-dma.c"), self.listed("docs/specs/winiommu-dma.rst"))


class Maintainers(unittest.TestCase):
    patterns = looked_after((paths.REPO / "MAINTAINERS").read_text(encoding="utf-8"))

    def test_every_file_is_looked_after(self):
        for file in tracked():
            with self.subTest(file=file):
                self.assertTrue(any(covered(file, pattern) for pattern in self.patterns))

    def test_everything_named_exists(self):
        for pattern in self.patterns:
            with self.subTest(pattern=pattern):
                self.assertTrue(any(covered(file, pattern) for file in tracked()))
                self.assertTrue(pattern.endswith("/") or not (paths.REPO / pattern).is_dir())


if __name__ == "__main__":
    unittest.main()
