# SPDX-License-Identifier: GPL-2.0-or-later
"""The pretty printers of scripts/gdb/printers.py in a real gdb, on a program made of the core's types."""
import pathlib
import subprocess
import tempfile
import unittest

from winiommu import packages, paths

PROGRAM = """
#include "hw/iommu/common/walk.hpp"
#include "hw/iommu/smmuv3/spec/stream_table.hpp"
#include "hw/iommu/vtd/spec/context.hpp"
using namespace iommu;
int main()
{
    volatile Iova iova{0x1234};
    Gpa gpa{0xabc000};
    Rights rights{Rights::user_read | Rights::priv_read | Rights::priv_write};
    Substream none{}, five{5, true};
    smmu::L1Std l1std;
    l1std.dword[0] = 0x40005;
    vtd::RootEntry root;
    root.dword = {0x2001, 7};
    Expected<Gpa, WalkFault> good(gpa), bad(Unexpected{WalkFault::Permission});
    return static_cast<int>(iova.value + gpa.value + rights.bits + none.value + five.value + l1std.dword[0] +
                            root.dword[0] + bool(good) + bool(bad)) == 0;
}
"""
WANTED = {
    "iova": "Iova 0x1234", "gpa": "Gpa 0xabc000", "rights": "user r-- privileged rw-", "none": "none", "five": "0x5",
    "l1std": "L1Std 0x0000000000040005", "root": "RootEntry 0x0000000000002001 0x0000000000000007",
    "good": "a value = {value_ = Gpa 0xabc000}",
    "bad": "no value = {error_ = iommu::WalkFault::Permission}",
}


class Printers(unittest.TestCase):
    def test_each_type_reads_as_the_manual_would_print_it(self):
        packages.ensure("build", "gdb")
        with tempfile.TemporaryDirectory() as place:
            directory = pathlib.Path(place)
            (directory / "program.cpp").write_text(PROGRAM, encoding="utf-8")
            subprocess.run(["g++", "-std=c++20", "-g", "-O0", f"-I{paths.REPO / 'include'}", f"-I{paths.REPO}",
                            "program.cpp", "-o", "program"], cwd=directory, check=True)
            argv = ["gdb-multiarch", "-q", "-nx", "-batch", "-ex", f"source {paths.REPO / 'scripts/gdb/printers.py'}",
                    "-ex", "set confirm off", "-ex", "break main", "-ex", "run", *(word for _ in range(11) for word in ("-ex", "next"))]
            for name in WANTED:
                argv += ["-ex", f"echo {name}:", "-ex", f"output {name}", "-ex", "echo \\n"]
            shown = subprocess.run([*argv, "program"], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
                                   text=True, timeout=120, check=False)
        lines = dict(line.split(":", 1) for line in shown.stdout.splitlines() if ":" in line)
        for name, text in WANTED.items():
            with self.subTest(name=name):
                self.assertEqual(lines.get(name), text, shown.stdout + shown.stderr)
