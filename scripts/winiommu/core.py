# SPDX-License-Identifier: GPL-2.0-or-later
"""The core built by itself with Meson: no QEMU needed."""
import hashlib
import json
import shutil

from . import packages, paths, ui

# Build directories and their Meson options.
CONFIGURATIONS = {
    "core": ("-Dwerror=true",),
    # Not -Werror: with sanitizers newer compilers see paths that are not there.
    "core-sanitized": ("-Db_sanitize=address,undefined", "-Doptimization=1"),
    # Not -Werror: for what the sanitizer does not know of, such as fences.
    "core-threads": ("-Db_sanitize=thread", "-Doptimization=1"),
    "fuzz": ("-Dwerror=true", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dfuzz=true"),
}
# Configurations that another compiler than the default builds.
COMPILERS = {"fuzz": {"CC": "clang", "CXX": "clang++"}}


def configure(configuration="core"):
    """A configured build directory."""
    packages.ensure("build", "test")
    with paths.lock(configuration):
        build_directory = paths.BUILD / configuration
        options = CONFIGURATIONS[configuration]
        env = COMPILERS.get(configuration, {})
        if shutil.which("ccache"):
            env = {name: f"ccache {env.get(name, default)}"
                   for name, default in (("CC", "gcc"), ("CXX", "g++"))}
        stamp = hashlib.sha256(json.dumps([options, env, str(paths.REPO)]).encode()).hexdigest()
        if paths.read(build_directory / "winiommu-configured") != stamp:
            shutil.rmtree(build_directory, ignore_errors=True)
            # A build that stops half-way is taken up again by ninja; a configuration is not.
            ui.run(["meson", "setup", *options, build_directory, paths.REPO],
                   f"configure {configuration}", paths.LOGS / f"configure-{configuration}.log",
                   env=env)
            paths.write(build_directory / "winiommu-configured", stamp)
        else:
            # Meson's own list of tests is renewed when a meson.build changed.
            ui.run(["ninja", "-C", build_directory, "build.ninja"], f"configure {configuration}",
                   paths.LOGS / f"configure-{configuration}.log")
    return build_directory


def build(configuration, targets=()):
    """Builds a configured directory, or only some targets of it."""
    with paths.lock(configuration):
        ui.run(["ninja", "-C", paths.BUILD / configuration, *targets], f"build {configuration}",
               paths.LOGS / f"build-{configuration}.log")


def ensure(configuration="core", targets=()):
    """Builds a configuration; the build directory.  Quick when nothing changed."""
    directory = configure(configuration)
    build(configuration, targets)
    return directory
