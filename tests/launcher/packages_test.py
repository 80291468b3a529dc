# SPDX-License-Identifier: GPL-2.0-or-later
"""What is installed is what dpkg says is installed, and other systems get the list."""
import os
import unittest
from unittest import mock

from winiommu import packages, ui

STATUS = """\
gcc installed\x20
libglib2.0-dev:amd64 installed libglib2.0-dev-bin
meson config-files\x20
pkgconf:amd64 installed pkg-config (= 1.8.1-1), pkgconf-bin
clang not-installed\x20
"""


class Installed(unittest.TestCase):
    def test_only_the_state_installed_counts(self):
        names = packages.installed(STATUS)
        self.assertLessEqual({"gcc", "libglib2.0-dev"}, names)
        self.assertFalse({"meson", "clang"} & names)

    def test_a_provided_name_counts(self):
        self.assertIn("pkg-config", packages.installed(STATUS))

    def test_groups_are_merged_without_repetition(self):
        names = packages.wanted(["test", "bench", "build"])
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual(set(packages.GROUPS["bench"]), set(names))

    def test_everything_is_missing_where_there_is_no_dpkg(self):
        with mock.patch("shutil.which", return_value=None):
            self.assertEqual(packages.missing(["build"]), list(packages.GROUPS["build"]))


class Ensure(unittest.TestCase):
    def ensure(self, system, lacking, **patches):
        with mock.patch.object(packages, "release", return_value=system), \
             mock.patch.object(packages, "missing", return_value=lacking), \
             mock.patch.object(packages, "_install") as install, \
             mock.patch.dict(os.environ, patches.get("env", {})), \
             mock.patch("os.geteuid", return_value=patches.get("uid", 0)), \
             mock.patch("shutil.which", return_value=patches.get("sudo")):
            packages.ensure("build")
        return install

    def test_nothing_is_installed_when_nothing_is_missing(self):
        self.ensure({"ID": "fedora"}, []).assert_not_called()

    def test_debian_12_and_13_install_what_is_missing(self):
        for version in ("12", "13"):
            install = self.ensure({"ID": "debian", "VERSION_ID": version}, ["meson"])
            install.assert_called_once_with([], ["meson"])

    def test_sudo_is_used_when_not_root(self):
        install = self.ensure({"ID": "debian", "VERSION_ID": "13"}, ["meson"], uid=1000,
                              sudo="/usr/bin/sudo")
        install.assert_called_once_with(["sudo"], ["meson"])

    def test_without_sudo_the_command_for_root_is_printed(self):
        with self.assertRaises(ui.Error) as caught:
            self.ensure({"ID": "debian", "VERSION_ID": "13"}, ["meson"], uid=1000)
        self.assertEqual(caught.exception.next_step, "as root: apt-get install meson")

    def test_another_system_gets_the_list_and_a_way_on(self):
        for system in ({"ID": "fedora", "VERSION_ID": "43"}, {"ID": "debian", "VERSION_ID": "11"}, {}):
            with self.assertRaises(ui.Error) as caught:
                self.ensure(system, ["meson", "clang"])
            self.assertIn("meson clang", caught.exception.what)
            self.assertIn("WINIOMMU_NO_INSTALL=1", caught.exception.next_step)

    def test_the_way_on_works(self):
        self.ensure({"ID": "fedora"}, ["meson"],
                    env={"WINIOMMU_NO_INSTALL": "1"}).assert_not_called()
