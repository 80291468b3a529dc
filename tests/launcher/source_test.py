# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU trees: edited the same however often, left alone when strange, never half-made."""
import contextlib
import io
import os
import pathlib
import shutil
import tempfile
import unittest
from unittest import mock

from winiommu import mirror, paths, source, ui

edits = source._edits()

# The smallest tree that has every place the edits look for.
TREE = {
    "VERSION": "10.0.99\n",
    "meson.build": "all_languages = ['c']\n"
                   "subdirs = [\n    'hw/watchdog',\n]\n",
    "hw/meson.build": "subdir('arm')\nsubdir('xtensa')\n",
    "hw/Kconfig": "source watchdog/Kconfig\n",
    "hw/arm/virt.c": '#include "qemu/osdep.h"\n'
                     "    machine_class_allow_dynamic_sysbus_dev(mc, TYPE_RAMFB_DEVICE);\n",
    "hw/core/sysbus-fdt.c": '#include "qemu/osdep.h"\n'
                            "static void add_fdt_node(SysBusDevice *sbdev, void *opaque)\n"
                            "{\n    int i, ret;\n\n    use(i);\n}\n",
    "hw/arm/virt-acpi-build.c": '#include "qemu/osdep.h"\n'
                                "    acpi_add_table(table_offsets, tables_blob);\n"
                                "    build_iort(tables_blob, tables->linker, vms);\n",
    "hw/i386/pc_q35.c": '#include "qemu/osdep.h"\n'
                        "    machine_class_allow_dynamic_sysbus_dev(m, TYPE_RAMFB_DEVICE);\n",
    "hw/i386/acpi-build.c": '#include "qemu/osdep.h"\n'
                            "    if (object_dynamic_cast(OBJECT(iommu), TYPE_AMD_IOMMU_DEVICE)) {\n"
                            "    }\n",
    "hw/timer/hpet.c": '#include "qemu/osdep.h"\n'
                       "            address_space_stl_le(&address_space_memory, timer->fsb >> 32,\n"
                       "                                 timer->fsb & 0xffffffff, MEMTXATTRS_UNSPECIFIED,\n",
    "subprojects/kept.wrap": "",
}


class Trees(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.top = pathlib.Path(scratch.name)
        self.tree = self.top / "checkout"
        for path, text in TREE.items():
            self.write(path, text)
        patch = mock.patch.object(paths, "BUILD", self.top / "build")
        patch.start()
        self.addCleanup(patch.stop)
        patch = mock.patch.object(paths, "LOGS", self.top / "logs")
        patch.start()
        self.addCleanup(patch.stop)

    def write(self, path, text):
        (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
        (self.tree / path).write_text(text)

    def content(self, tree=None):
        tree = tree or self.tree
        return {str(path.relative_to(tree)): path.read_text()
                for path in tree.rglob("*") if path.is_file() and not path.is_symlink()}


class Edits(Trees):
    def test_every_edit_takes(self):
        edits.apply(self.tree, paths.REPO)
        for edit in edits.EDITS:
            if not callable(edit.text):
                self.assertIn(edit.text, (self.tree / edit.path).read_text(), edit.why)
        for path in edits.overlay_files():
            self.assertTrue((self.tree / path).is_file())
        self.assertTrue((self.tree / "subprojects/winiommu/include/iommu/capi.h").is_file())
        for path in paths.REPO.glob("include/iommu/capi*.h"):
            self.assertTrue((self.tree / "include/iommu" / path.name).is_file())
        self.assertTrue((self.tree / "hw/winiommu/trace-events").is_file())

    def test_the_machines_own_iort_stays_when_no_device_asks(self):
        edits.apply(self.tree, paths.REPO)
        text = (self.tree / "hw/arm/virt-acpi-build.c").read_text()
        self.assertIn("    } else {\n        acpi_add_table(table_offsets, tables_blob);\n"
                      "        build_iort(tables_blob, tables->linker, vms);\n    }\n", text)

    def test_the_older_form_with_an_its_condition_too(self):
        self.write("hw/arm/virt-acpi-build.c",
                   '#include "qemu/osdep.h"\n'
                   "    if (its_class_name() && !vmc->no_its) {\n"
                   "        acpi_add_table(table_offsets, tables_blob);\n"
                   "        build_iort(tables_blob, tables->linker, vms);\n    }\n")
        edits.apply(self.tree, paths.REPO)
        text = (self.tree / "hw/arm/virt-acpi-build.c").read_text()
        self.assertIn("    } else if (its_class_name() && !vmc->no_its) {\n", text)

    def test_the_hpets_messages_are_led_elsewhere_when_a_device_asks(self):
        edits.apply(self.tree, paths.REPO)
        self.assertIn("            address_space_stl_le(winiommu_interrupts_of_hpet(&address_space_memory),\n"
                      "                                 timer->fsb >> 32,\n"
                      "                                 timer->fsb & 0xffffffff,",
                      (self.tree / "hw/timer/hpet.c").read_text())

    def test_applying_twice_changes_nothing(self):
        edits.apply(self.tree, paths.REPO)
        before = self.content()
        self.assertEqual(edits.apply(self.tree, paths.REPO), [])
        self.assertEqual(self.content(), before)

    def test_changed_edits_start_from_qemus_own_content(self):
        edits.apply(self.tree, paths.REPO)
        fewer = tuple(edit for edit in edits.EDITS if edit.path != "hw/Kconfig")
        more = edits.Edit("hw/Kconfig", "after", r"^source watchdog/Kconfig\n", "source x\n", "x")
        with mock.patch.object(edits, "EDITS", (*fewer, more)):
            edits.apply(self.tree, paths.REPO)
        self.assertEqual((self.tree / "hw/Kconfig").read_text(), "source watchdog/Kconfig\nsource x\n")

    def refused(self):
        before = self.content()
        with self.assertRaises(edits.EditError) as caught:
            edits.apply(self.tree, paths.REPO)
        self.assertEqual(self.content(), before)
        return str(caught.exception)

    def test_a_missing_place_is_named_and_nothing_written(self):
        self.write("hw/i386/pc_q35.c", '#include "qemu/osdep.h"\n')
        self.assertIn("hw/i386/pc_q35.c", self.refused())

    def test_a_place_found_twice_is_refused(self):
        self.write("hw/Kconfig", "source watchdog/Kconfig\n" * 2)
        self.assertIn("found 2", self.refused())

    def test_a_missing_file_is_named(self):
        (self.tree / "hw/arm/virt.c").unlink()
        self.assertIn("hw/arm/virt.c is missing", self.refused())

    def test_a_tree_with_another_winiommu_is_refused(self):
        self.write("hw/Kconfig", "source watchdog/Kconfig\nsource winiommu/Kconfig\n")
        self.assertIn("edited by something else", self.refused())


class Checkout(Trees):
    def copy(self):
        with contextlib.redirect_stdout(io.StringIO()):
            return source.ensure(checkout=self.tree)

    def test_the_checkout_itself_stays_as_it_was(self):
        before = self.content()
        tree = self.copy()
        self.assertEqual(self.content(), before)
        self.assertIn("WINIOMMU", (tree.path / "hw/arm/virt.c").read_text())
        self.assertEqual(tree.series, "10.0.99")

    def test_git_and_build_directories_are_not_copied(self):
        self.write(".git/config", "")
        self.write("build/meson-private/x", "")
        tree = self.copy()
        self.assertFalse((tree.path / ".git").exists())
        self.assertFalse((tree.path / "build").exists())

    def test_a_change_in_the_checkout_is_taken_over_and_edited_again(self):
        tree = self.copy()
        virt = TREE["hw/arm/virt.c"] + "/* new */\n"
        self.write("hw/arm/virt.c", virt)
        self.write("hw/new.c", "new\n")
        (self.tree / "subprojects/kept.wrap").unlink()
        self.copy()
        text = (tree.path / "hw/arm/virt.c").read_text()
        self.assertIn("/* new */", text)
        self.assertEqual(text.count("TYPE_WINIOMMU_FIRMWARE"), 1)
        self.assertTrue((tree.path / "hw/new.c").is_file())
        self.assertFalse((tree.path / "subprojects/kept.wrap").exists())

    def test_something_else_than_qemu_is_refused_in_one_line(self):
        with self.assertRaises(ui.Error) as caught:
            source.ensure(checkout=self.top)
        self.assertIn("is no QEMU source tree", caught.exception.what)

    def test_a_tree_that_cannot_take_the_edits_is_named_with_its_series(self):
        self.write("hw/Kconfig", "\n")
        with self.assertRaises(ui.Error) as caught:
            self.copy()
        self.assertIn("QEMU 10.0 ", caught.exception.what)


class Download(Trees):
    """The archive is a stand-in; unpacking and staging are real."""

    def ensure(self, series="10.0", download=None, versions=("1:10.0.77+ds-1",), update=None):
        def fetch(suite, package, version, into):
            (into / "qemu.dsc").write_text("")
            (into / "qemu.orig.tar.xz").write_text("tarball")
            if download:
                download(into)

        def unpack(argv, *_args, **_options):
            shutil.copytree(self.tree, argv[-1])

        with mock.patch.object(mirror.Suite, "update", update or (lambda suite: None)), \
             mock.patch.object(mirror.Suite, "versions", lambda suite, package: list(versions)), \
             mock.patch.object(mirror.Suite, "download", fetch), \
             mock.patch.object(ui, "run", unpack), \
             contextlib.redirect_stdout(io.StringIO()):
            return source.ensure(series)

    def left(self):
        return sorted(os.listdir(self.top / "build/src"))

    def test_a_good_download_ends_as_an_edited_tree(self):
        tree = self.ensure()
        self.assertEqual(tree.path, self.top / "build/src/qemu-10.0")
        self.assertIn("WINIOMMU", (tree.path / "hw/arm/virt.c").read_text())
        self.assertEqual(self.left(), ["qemu-10.0"])

    def test_a_broken_download_leaves_nothing(self):
        def broken(into):
            raise ui.Error("download failed")
        with self.assertRaises(ui.Error) as caught:
            self.ensure(download=broken)
        self.assertIn("QEMU 10.0 is not to be had", caught.exception.what)
        self.assertIn("download failed", caught.exception.what)
        self.assertEqual(self.left(), [])

    def test_a_wrong_checksum_leaves_nothing_and_is_never_used(self):
        with mock.patch.dict(source.PINS, {"10.0.77+ds": "0" * 64}):
            with self.assertRaises(ui.Error) as caught:
                self.ensure()
        self.assertIn("SHA-256", caught.exception.what)
        self.assertEqual(self.left(), [])

    def test_an_interruption_leaves_nothing(self):
        def interrupted(into):
            raise KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            self.ensure(download=interrupted)
        self.assertEqual(self.left(), [])

    def test_a_full_disk_leaves_nothing(self):
        def full(into):
            raise OSError(28, "No space left on device")
        with self.assertRaises(OSError):
            self.ensure(download=full)
        self.assertEqual(self.left(), [])

    def test_a_series_the_mirror_lacks_is_said_suite_by_suite(self):
        with self.assertRaises(ui.Error) as caught:
            self.ensure("11.1")
        for suite in source.SUITES["11.1"]:
            self.assertIn(f"{suite} has no 11.1", caught.exception.what)
        self.assertIn("--qemu-src", caught.exception.next_step)

    def test_a_suite_that_fails_gives_way_to_the_next(self):
        def update(suite):
            if suite.name == source.SUITES["11.1"][0]:
                raise ui.Error("no such suite")
        tree = self.ensure("11.1", versions=("1:11.1.9+ds-1",), update=update)
        self.assertEqual(tree.series, "11.1")

    def test_a_prefix_of_another_series_does_not_match(self):
        with self.assertRaises(ui.Error):
            self.ensure("10.2", versions=("1:10.20.1+ds-1",))


class Names(unittest.TestCase):
    def test_upstream_version(self):
        self.assertEqual(source.upstream("1:10.0.13+ds-0+deb13u1"), "10.0.13+ds")
        self.assertEqual(source.upstream("1:11.1.3+ds-1~bpo13+1"), "11.1.3+ds")
