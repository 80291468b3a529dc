# SPDX-License-Identifier: GPL-2.0-or-later
import lzma
import pathlib
import tempfile
import unittest

from winiommu.guest import cpio, initramfs


def fields(header):
    return [int(header[6 + 8 * number:14 + 8 * number], 16) for number in range(13)]


def members(archive):
    """Reads an archive by the format's description: (name, mode, device, content) of every member."""
    found, at = [], 0
    while True:
        assert archive[at:at + 6] == b"070701", archive[at:at + 6]
        values = fields(archive[at:at + 110].decode())
        size, name_size = values[6], values[11]
        name = archive[at + 110:at + 110 + name_size]
        assert name.endswith(b"\0")
        start = (at + 110 + name_size + 3) // 4 * 4
        found.append((name[:-1].decode(), values[1], (values[9], values[10]), archive[start:start + size]))
        at = (start + size + 3) // 4 * 4
        if name == b"TRAILER!!!\0":
            return found


class Archive(unittest.TestCase):
    def test_one_file_byte_for_byte(self):
        archive = cpio.Archive()
        archive.file("init", b"hello", 0o755)
        expected = (b"070701" b"00000001" b"000081ED" b"00000000" b"00000000" b"00000001" b"00000000" b"00000005"
                    b"00000000" b"00000000" b"00000000" b"00000000" b"00000005" b"00000000" b"init\0" b"\0" b"hello\0\0\0"
                    b"070701" b"00000000" b"00000000" b"00000000" b"00000000" b"00000001" b"00000000" b"00000000"
                    b"00000000" b"00000000" b"00000000" b"00000000" b"0000000B" b"00000000" b"TRAILER!!!\0" b"\0\0\0")
        data = archive.serialise()
        self.assertEqual(data[:len(expected)].upper(), expected.upper())
        self.assertEqual(data[len(expected):], bytes(512 - len(expected)))

    def test_order_of_addition_does_not_matter(self):
        one, two = cpio.Archive(), cpio.Archive()
        one.file("a/b", b"1")
        one.link("c", "a/b")
        two.link("c", "a/b")
        two.file("a/b", b"1")
        self.assertEqual(one.serialise(), two.serialise())

    def test_directories_come_before_what_they_hold(self):
        archive = cpio.Archive()
        archive.file("lib/modules/x.ko", b"\x7fELF")
        archive.character_device("dev/console", 5, 1)
        names = [member[0] for member in members(archive.serialise())]
        self.assertEqual(names, ["dev", "dev/console", "lib", "lib/modules", "lib/modules/x.ko", "TRAILER!!!"])

    def test_kinds_of_members(self):
        archive = cpio.Archive()
        archive.character_device("dev/console", 5, 1)
        archive.link("bin/sh", "busybox")
        by_name = {member[0]: member for member in members(archive.serialise())}
        self.assertEqual(by_name["dev/console"][1:], (0o020600, (5, 1), b""))
        self.assertEqual(by_name["bin/sh"][1:], (0o120777, (0, 0), b"busybox"))
        self.assertEqual(by_name["bin"][1], 0o040755)

    def test_refuses_paths_outside_and_files_below_files(self):
        archive = cpio.Archive()
        archive.file("a", b"")
        for path in ("", "..", "a//b", "x/../y"):
            with self.assertRaises(ValueError, msg=path):
                archive.file(path, b"")
        with self.assertRaises(ValueError):
            archive.file("a/b", b"")
        with self.assertRaises(ValueError):
            archive.file("a", b"other")


class Modules(unittest.TestCase):
    def tree(self, builtin, modules):
        root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (root / "modules.builtin").write_text("".join(f"kernel/{name}.ko\n" for name in builtin))
        for name, needs in modules.items():
            content = b"\x7fELF\0license=GPL\0depends=" + needs.encode() + b"\0name=x\0"
            if name.endswith(".xz"):
                content = lzma.compress(content)
            (root / name).write_bytes(content)
        return root

    def test_dependencies_are_loaded_first_and_once(self):
        root = self.tree([], {"a.ko": "b-x,c", "b-x.ko.xz": "c", "c.ko": ""})
        names = [name for name, _ in initramfs.collect_modules(root, ("a", "c"))]
        self.assertEqual(names, ["c.ko", "b_x.ko", "a.ko"])

    def test_builtin_modules_are_left_out(self):
        root = self.tree(["drivers/b_x"], {"a.ko": "b-x"})
        self.assertEqual([name for name, _ in initramfs.collect_modules(root, ("a", "b-x"))], ["a.ko"])

    def test_compressed_modules_are_stored_plain(self):
        root = self.tree([], {"a.ko.xz": ""})
        self.assertTrue(initramfs.collect_modules(root, ("a",))[0][1].startswith(b"\x7fELF"))

    def test_a_missing_driver_is_an_error(self):
        with self.assertRaisesRegex(initramfs.ModuleMissing, "nvme"):
            initramfs.collect_modules(self.tree([], {}), ("nvme",))

    def test_the_first_root_is_the_same_every_time(self):
        build = lambda: initramfs.build(b"busybox", [("a.ko", b"1"), ("b.ko", b"2")])  # noqa: E731
        self.assertEqual(build(), build())
        content = {name: data for name, _, _, data in members(build())}
        self.assertEqual(content["lib/modules/order"], b"a.ko\nb.ko\n")
        self.assertTrue(content["init"].startswith(b"#!/bin/sh"))
