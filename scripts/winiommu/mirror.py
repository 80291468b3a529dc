# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine's own Debian mirror, used through a private apt configuration.

The mirror's address is read from the machine's apt configuration, one-line (.list) or deb822
(.sources).  The private configuration has its own source list, list and cache directories, so the
system is not changed and other suites than the machine's can be read; apt checks signatures
against the stock archive keyring.
"""
import pathlib
import re
import subprocess

from . import packages, paths, ui

APT = pathlib.Path("/etc/apt")
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What apt says of a file that the index names and the mirror lacks.
_ABSENT = re.compile(r"^Err:\d+ .*\n +404 ", re.MULTILINE)
_ONE_LINE = re.compile(r"^(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$")


def parse_list(text):
    """Entries {types, uris, suites, components} of a one-line style file."""
    entries = []
    for line in text.splitlines():
        found = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if found:
            kind, _, uri, suite, components = found.groups()
            entries.append({"types": [kind], "uris": [uri], "suites": [suite],
                            "components": components.split()})
    return entries


def parse_sources(text):
    """Entries of a deb822 style file; those with `Enabled: no` are left out."""
    entries, fields, last = [], {}, None
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields and fields.get("enabled", ["yes"])[0].lower() not in ("no", "false", "0"):
                entries.append({name: fields.get(name, [])
                                for name in ("types", "uris", "suites", "components")})
            fields, last = {}, None
        elif line[0] in " \t":
            if last:
                fields[last] += line.split()
        else:
            name, _, value = line.partition(":")
            last = name.strip().lower()
            fields[last] = value.split()
    return entries


def entries(apt=APT):
    """All entries, in the order in which apt reads the files."""
    found = parse_list(paths.read(apt / "sources.list") or "")
    parts = apt / "sources.list.d"
    for path in sorted(parts.iterdir()) if parts.is_dir() else ():
        if path.suffix == ".list":
            found += parse_list(paths.read(path) or "")
        elif path.suffix == ".sources":
            found += parse_sources(paths.read(path) or "")
    return found


def address(codename, apt=APT):
    """The address of the mirror that serves the machine's own release, `codename`."""
    names = {codename, "stable", "oldstable"}
    for entry in entries(apt):
        if "deb" not in entry["types"] or "main" not in entry["components"]:
            continue
        if names & set(entry["suites"]):
            for uri in entry["uris"]:
                if not uri.startswith("cdrom:"):
                    return uri.rstrip("/")
    raise ui.Error(f"no mirror of Debian {codename or '(release unknown)'} is configured in {apt}",
                   "add a 'deb' line for the main archive, or use --qemu-src DIR")


class Suite:
    """One suite of the archive at the machine's mirror, with its own apt state."""

    def __init__(self, name, kind, base=None):
        self.name, self.kind = name, kind  # kind is "deb" or "deb-src"
        self.base = pathlib.Path(base or paths.BUILD / "apt" / f"{name}-{kind}")
        self.options = [
            "-o", f"Dir::Etc::sourcelist={self.base}/sources.list",
            "-o", "Dir::Etc::sourceparts=/dev/null",
            "-o", f"Dir::State::lists={self.base}/lists",
            "-o", f"Dir::Cache={self.base}/cache",
            "-o", "APT::Sandbox::User=",
            "-o", "Acquire::Retries=3",
        ]

    def update(self):
        """Fetches and verifies the suite's index; Error when the mirror lacks it."""
        uri = address(packages.release().get("VERSION_CODENAME", ""))
        if not KEYRING.is_file():
            raise ui.Error(f"{KEYRING} is missing", "install the package debian-archive-keyring")
        for part in ("lists/partial", "cache/archives/partial"):
            (self.base / part).mkdir(parents=True, exist_ok=True)
        line = f"{self.kind} [signed-by={KEYRING}] {uri} {self.name} main\n"
        paths.write(self.base / "sources.list", line)
        ui.run(["apt-get", *self.options, "-q", "update", "--error-on=any"],
               f"read the index of {self.name}",
               paths.LOGS / f"apt-{self.name}.log", timeout=900,
               next_step="see that the mirror in your apt configuration is reachable and carries "
                         f"the suite {self.name}, then run again")

    def versions(self, package):
        """Versions of the source or binary package, newest first."""
        query = (["showsrc", "--only-source", package] if self.kind == "deb-src"
                 else ["show", "--no-all-versions", package])
        shown = subprocess.run(["apt-cache", *self.options, *query],
                               capture_output=True, text=True, check=False)
        found = set(re.findall(r"^Version: (\S+)$", shown.stdout, re.MULTILINE))
        return sorted(found, key=_VersionKey, reverse=True)

    def download(self, package, version, into):
        """Downloads the files of one version into a directory; apt verifies them."""
        what = (["source", "--download-only", "--only-source"] if self.kind == "deb-src"
                else ["download"])
        log = paths.LOGS / f"download-{package}-{self.name}.log"
        try:
            ui.run(["apt-get", *self.options, "-q", *what, f"{package}={version}"],
                   f"download {package} {version}", log, cwd=into,
                   timeout=1800, next_step="see that the mirror is reachable, then run again")
        except ui.Error as error:
            if _ABSENT.search(paths.read(log) or ""):
                raise ui.Error(f"{self.name} lists {package} {version}, but the mirror does not have "
                               "its files (404 Not Found)",
                               "run again when the mirror is complete, or choose another mirror") from error
            raise


class _VersionKey:
    """Debian's own order of versions."""

    def __init__(self, version):
        self.version = version

    def __lt__(self, other):
        return subprocess.run(["dpkg", "--compare-versions", self.version, "lt", other.version],
                              check=False).returncode == 0
