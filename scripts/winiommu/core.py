# SPDX-License-Identifier: GPL-2.0-or-later
"""The core built by itself with Meson: no QEMU needed."""
import hashlib
import json
import shutil

from . import packages, paths, ui

# Build directories and their Meson options.
CONFIGURATIONS = {
    "core": ("-Dwerror=true",),
    "core-sanitized": ("-Dwerror=true", "-Db_sanitize=address,undefined"),
}
# Configurations that another compiler builds.
COMPILERS = {}


def ensure(configuration="core", targets=()):
    """Builds a configuration; the build directory.  Quick when nothing changed."""
    packages.ensure("build", "test")
    with paths.lock(configuration):
        build = paths.BUILD / configuration
        options = CONFIGURATIONS[configuration]
        env = COMPILERS.get(configuration, {})
        if shutil.which("ccache") and not env:
            env = {"CC": "ccache gcc", "CXX": "ccache g++"}
        stamp = hashlib.sha256(json.dumps([options, env, str(paths.REPO)]).encode()).hexdigest()
        if paths.read(build / "winiommu-configured") != stamp:
            shutil.rmtree(build, ignore_errors=True)
            ui.run(["meson", "setup", *options, build, paths.REPO], f"configure {configuration}",
                   paths.LOGS / f"configure-{configuration}.log", env=env)
            paths.write(build / "winiommu-configured", stamp)
        ui.run(["ninja", "-C", build, *targets], f"build {configuration}",
               paths.LOGS / f"build-{configuration}.log")
    return build
