# SPDX-License-Identifier: GPL-2.0-or-later
"""Which file may include what, and what every source begins with."""
import re
import subprocess
import sys
import unittest

from winiommu import paths

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
SOURCES = (".c", ".cpp", ".h", ".hpp", ".py", ".S", ".sh")
QEMU_SERIES = re.compile(r"\b(qemu|qom|exec|system|sysemu|migration|qapi|monitor|trace)/")

# Event numbers are the names of faults; both layouts and behaviour need them.
FAULT_NAMES = ("hw/iommu/smmuv3/fault.hpp",)


def tracked():
    # Also as root in somebody else's clone.
    git = ["git", "-c", "safe.directory=*", "-C", paths.REPO]
    listed = subprocess.run([*git, "ls-files", "-z"], capture_output=True, text=True,
                            check=True).stdout
    return [paths.REPO / name for name in listed.split("\0") if name]


def name(path):
    return str(path.relative_to(paths.REPO))


def includes(path):
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


class Tree(unittest.TestCase):
    files = [path for path in tracked() if path.is_file() and not path.is_symlink()]

    def below(self, *tops, suffixes=(".hpp", ".cpp")):
        found = [path for path in self.files
                 if name(path).startswith(tops) and path.suffix in suffixes]
        self.assertTrue(found, tops)
        return found

    def test_every_source_begins_with_its_licence(self):
        for path in self.files:
            if path.suffix in SOURCES or path.name in ("meson.build", "Kconfig", "winiommu"):
                with self.subTest(file=name(path)):
                    head = path.read_text(encoding="utf-8")[:800]
                    if head:
                        self.assertIn("SPDX-License-Identifier: GPL-2.0-or-later", head)

    def test_the_core_includes_no_qemu_header(self):
        for path in self.below("hw/iommu/", "hw/acpi/", "include/iommu/", "driver/",
                               suffixes=(".hpp", ".cpp", ".h")):
            with self.subTest(file=name(path)):
                self.assertEqual([i for i in includes(path) if QEMU_SERIES.match(i)], [])

    def test_layouts_include_only_units_and_layouts(self):
        for path in self.files:
            if "/spec/" in name(path) and path.suffix in (".hpp", ".cpp"):
                strange = [i for i in includes(path)
                           if i not in ("iommu/bits.hpp", "iommu/address.hpp", *FAULT_NAMES)
                           and not re.fullmatch(r"(hw/iommu/\w+/spec/)?[\w-]+\.hpp", i)]
                with self.subTest(file=name(path)):
                    self.assertEqual(strange, [])

    def test_glue_sees_no_header_of_the_core_but_the_c_interface(self):
        ours = re.compile(r"^(hw/iommu|hw/acpi/(iort|dmar)|driver|contract)/|\.hpp$")
        for path in self.files:
            if re.fullmatch(r"hw/(arm|i386|misc)/[^/]+\.[ch]", name(path)):
                strange = [i for i in includes(path) if ours.search(i)
                           or (i.startswith("iommu/") and i != "iommu/capi.h")]
                with self.subTest(file=name(path)):
                    self.assertEqual(strange, [])

    def test_the_launcher_needs_only_the_standard_library(self):
        wanted = re.compile(r"^(?:from|import) (\w+)", re.MULTILINE)
        allowed = sys.stdlib_module_names | {"winiommu"}
        for path in self.below("scripts/winiommu/", "winiommu", suffixes=(".py", "")):
            with self.subTest(file=name(path)):
                found = set(wanted.findall(path.read_text(encoding="utf-8")))
                self.assertEqual(found - allowed, set())


class Names(unittest.TestCase):
    """Nothing unfinished is left as a note to ourselves."""

    def test_no_placeholder_is_left(self):
        word = re.compile(r"(?:#|//|\*)\s*(?:TODO|FIXME|XXX)\b")
        for path in tracked():
            if path.suffix in SOURCES + (".rst",) and path.is_file():
                with self.subTest(file=name(path)):
                    # A directive of TAP in a string is no note.
                    text = re.sub(r'"[^"\n]*"', '""', path.read_text(encoding="utf-8"))
                    self.assertEqual(word.findall(text), [])
