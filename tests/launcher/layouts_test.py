# SPDX-License-Identifier: GPL-2.0-or-later
"""A program linked many times for `bench --hooks qemu`: the same program, its code elsewhere."""
import pathlib
import subprocess
import tempfile
import unittest

from winiommu import ui
from winiommu.benchmark import layouts

# The core's archive is thin, and in a directory of its own, as Meson has it.
BUILD = """
rule CXX
  command = g++ -c -o $out $in
rule AR
  command = ar csrDT $out $in
rule LINK
  command = g++ @$out.rsp
  rspfile = $out.rsp
  rspfile_content = -o $out $in
build main.o: CXX main.cpp
build core/libiommu_core.a.p/a.o: CXX a.cpp
build core/libiommu_core.a.p/b.o: CXX b.cpp
build core/libiommu_core.a.p/c.o: CXX c.cpp
build core/libiommu_core.a: AR core/libiommu_core.a.p/a.o core/libiommu_core.a.p/b.o core/libiommu_core.a.p/c.o
build program: LINK main.o core/libiommu_core.a
build broken: LINK missing.o core/libiommu_core.a
build other: LINK main.o core/libiommu_core.a.p/a.o core/libiommu_core.a.p/b.o core/libiommu_core.a.p/c.o
"""
# Prints what it computes, where main lies in its page, and the order of the others; with an argument, when told to.
MAIN = """
#include <algorithm>
#include <cstdint>
#include <cstdio>
int a(int), b(int), c(int);
int main(int argc, char**)
{
    if (argc > 1) {
        std::puts("waiting");
        std::fflush(stdout);
        std::getchar();
    }
    const void* of[] = {(void*)a, (void*)b, (void*)c};
    char order[] = "abc";
    std::sort(order, order + 3, [&](char x, char y) { return of[x - 'a'] < of[y - 'a']; });
    std::printf("%d %u %s", a(b(c(1))), unsigned((std::uintptr_t)main & 0xfff), order);
}
"""


class Layouts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.build = pathlib.Path(directory.name)
        (cls.build / "build.ninja").write_text(BUILD, encoding="utf-8")
        (cls.build / "main.cpp").write_text(MAIN, encoding="utf-8")
        for name, does in (("a", "x + 1"), ("b", "x * 10"), ("c", "x + 4")):
            (cls.build / f"{name}.cpp").write_text(f"int {name}(int x) {{ return {does}; }}\n", encoding="utf-8")
        subprocess.run(["ninja", "-C", cls.build, "program"], check=True, capture_output=True)

    def of(self, number):
        with layouts.linked(self.build, "program", number) as program:
            said = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        computed, place, order = said.split()
        self.assertEqual(computed, "51")
        return int(place), order

    def test_a_number_is_a_place_and_an_order_and_another_number_others(self):
        found = [self.of(number) for number in range(8)]
        self.assertEqual(found[3], self.of(3))
        self.assertGreater(len({place for place, _ in found}), 4)
        self.assertGreater(len({order for _, order in found}), 2)
        first = found[0][0]
        self.assertEqual({(place - first) % layouts.GRAIN for place, _ in found}, {0})

    def test_nothing_is_left_and_what_was_built_is_as_it_was(self):
        def files():
            return {path: path.read_bytes() for path in self.build.rglob("*") if path.is_file()}
        before = files()
        self.of(1)
        self.assertEqual(files(), before)

    def test_who_runs_when_the_block_ends_runs_on(self):
        with layouts.linked(self.build, "program", 1) as program:
            running = subprocess.Popen([program, "wait"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.assertEqual(running.stdout.readline(), "waiting\n")
        self.assertFalse(pathlib.Path(program).exists())
        self.assertIn("51 ", running.communicate("\n")[0])
        self.assertEqual(running.returncode, 0)

    def test_a_program_without_the_core_or_none_is_one_line(self):
        for program in ("other", "none"):
            with self.assertRaisesRegex(ui.Error, f"does not say how .*{program} is linked with libiommu_core.a"):
                with layouts.linked(self.build, program, 1):
                    self.fail("there is nothing to link")

    def test_a_link_that_fails_says_what_the_linker_said(self):
        with self.assertRaisesRegex(ui.Error, r"g\+\+ failed in .*missing\.o"):
            with layouts.linked(self.build, "broken", 1):
                self.fail("there is nothing to run")

    def test_a_directory_that_was_not_built_is_one_line_and_nothing_is_left(self):
        with tempfile.TemporaryDirectory() as directory:
            build = pathlib.Path(directory)
            (build / "build.ninja").write_text(BUILD, encoding="utf-8")
            with self.assertRaisesRegex(ui.Error, "ar failed in .*libiommu_core.a"):
                with layouts.linked(build, "program", 1):
                    self.fail("there is nothing to link")
            self.assertEqual([path.name for path in build.iterdir()], ["build.ninja"])


if __name__ == "__main__":
    unittest.main()
