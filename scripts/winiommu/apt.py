# SPDX-License-Identifier: GPL-2.0-or-later
"""Fetches Debian packages of any release and architecture without touching the machine's own apt state.

A private apt configuration (own source list, lists, cache and status) beside the machine's settings for
proxies and credentials. The mirror's address is the one the machine's own configuration uses; packages are
verified by apt against the stock archive keyring.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile

KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
)
RELEASES = {
    "bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable",
}


class AptError(Exception):
    """What went wrong and what to do about it, in a form to be shown to a person."""


def choose_mirror(targets: str) -> str:
    """The Debian mirror in the output of `apt-get indextargets`: lines of URI|release|component|origin."""
    candidates = []
    for line in targets.splitlines():
        uri, release, component, origin = (line.split("|") + [""] * 4)[:4]
        if component != "main" or release not in RELEASES:
            continue
        # The origin is known once the machine has fetched its lists.
        rank = 0 if origin == "Debian" else 1 if uri.rstrip("/").endswith("/debian") else 2
        if rank == 2 and origin and not origin.startswith("$("):
            continue
        candidates.append((rank, len(candidates), uri.rstrip("/")))
    if not candidates:
        raise AptError("apt's configuration on this machine names no Debian mirror: nothing to fetch packages from.\n"
                       "Run on Debian 12 or 13, or add a Debian mirror to /etc/apt/sources.list.d.")
    return min(candidates)[2]


def machine_mirror() -> str:
    if shutil.which("apt-get") is None:
        raise AptError("apt-get is not installed: this machine is not Debian.")
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)",
         "Created-By: Packages"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if listing.returncode:
        raise AptError(f"apt-get indextargets failed: {listing.stderr.strip()}")
    return choose_mirror(listing.stdout)


def keyring() -> str:
    for path in KEYRINGS:
        if os.path.exists(path):
            return path
    raise AptError("The Debian archive keyring is missing. Install it: apt-get install debian-archive-keyring")


class Apt:
    """One release of Debian for one architecture, under `root`."""

    def __init__(self, root: pathlib.Path, release: str, architecture: str) -> None:
        self.release = release
        self.architecture = architecture
        self._root = root.resolve() / f"{release}-{architecture}"
        self._updated = False

    def _options(self) -> list[str]:
        root = self._root
        settings = {
            "Dir::Etc::sourcelist": root / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": root / "lists",
            "Dir::State::status": root / "status",
            "Dir::Cache": root / "cache",
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        if os.geteuid() == 0:
            settings["APT::Sandbox::User"] = "root"
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def _run(self, program: str, *arguments: str, directory: pathlib.Path | None = None) -> str:
        command = [program, *self._options(), *arguments]
        done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "LC_ALL": "C"}, check=False)
        if done.returncode:
            what = f"{program} {' '.join(arguments)} for Debian {self.release}/{self.architecture} failed"
            raise AptError(f"{what}:\n{done.stderr.strip()}\n"
                           f"Check the network and the disk, then run the same command again.")
        return done.stdout

    @contextlib.contextmanager
    def _locked(self):
        self._root.mkdir(parents=True, exist_ok=True)
        with open(self._root / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def update(self) -> None:
        """Fetches and verifies the lists, once per run."""
        if self._updated:
            return
        with self._locked():
            (self._root / "lists/partial").mkdir(parents=True, exist_ok=True)
            (self._root / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
            (self._root / "status").touch()
            line = f"[arch={self.architecture} signed-by={keyring()}] {machine_mirror()} {self.release} main\n"
            (self._root / "sources.list").write_text(f"deb {line}deb-src {line}", encoding="ascii")
            self._run("apt-get", "-q", "update")
        self._updated = True

    def fields(self, package: str) -> dict[str, str]:
        """The control fields of the newest version of a package."""
        self.update()
        text = self._run("apt-cache", "show", "--no-all-versions", package)
        lines = (line for line in text.splitlines() if line and not line.startswith(" "))
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def download(self, package: str, directory: pathlib.Path) -> pathlib.Path:
        """A binary package, verified, as a file in `directory`. Nothing is left behind by a failure."""
        return self._collect(directory, ".deb", "apt-get", "-q", "download", package)

    def source(self, package: str, directory: pathlib.Path) -> pathlib.Path:
        """A source package, verified; the path of its .dsc file. Nothing is left behind by a failure."""
        return self._collect(directory, ".dsc", "apt-get", "-q", "source", "--download-only", "--only-source", package)

    def _collect(self, directory: pathlib.Path, suffix: str, *command: str) -> pathlib.Path:
        self.update()
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=directory) as scratch:
            fetched = pathlib.Path(scratch)
            self._run(*command, directory=fetched)
            wanted = [path.name for path in fetched.iterdir() if path.name.endswith(suffix)]
            if len(wanted) != 1:
                raise AptError(f"{' '.join(command)} fetched {len(wanted)} files ending in {suffix}, not one.")
            for path in fetched.iterdir():
                os.replace(path, directory / path.name)
        return directory / wanted[0]


def unpack(package: pathlib.Path, directory: pathlib.Path) -> None:
    """The content of a .deb at `directory`, which appears complete or not at all."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        done = subprocess.run(["dpkg-deb", "--extract", str(package), str(scratch)],
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise AptError(f"cannot unpack {package.name}: {done.stderr.strip()}")
        scratch.chmod(0o755)
        if directory.exists():
            shutil.rmtree(directory)
        os.replace(scratch, directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
