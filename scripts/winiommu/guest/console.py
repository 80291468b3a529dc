# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that runs: its serial console, its time limits, and what its init says to the host.

Init's lines carry the nonce of the run, so that neither a kernel message nor a stale log can be taken for
one. A line torn by another message loses its nonce or spoils the SHA-256 of the file it belongs to; both are
seen as missing, never as passed.
"""

import base64
import binascii
import dataclasses
import gzip
import hashlib
import os
import re
import selectors
import subprocess
import time
import zlib

from .. import ui

# Terminal control sequences of the firmware and carriage returns.
CONTROL = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]|\r")


@dataclasses.dataclass
class Transcript:
    """What init said: words of its lines by kind, and the files it sent."""

    lines: dict[str, list[list[str]]] = dataclasses.field(default_factory=dict)
    files: dict[str, bytes] = dataclasses.field(default_factory=dict)
    errors: list[str] = dataclasses.field(default_factory=list)

    def all(self, kind):
        return self.lines.get(kind, [])

    @property
    def done(self):
        return bool(self.all("done"))

    def pairs(self, kind):
        """Lines "kind key value" as a dictionary."""
        return {words[0]: words[1] for words in self.all(kind) if len(words) >= 2}


class Parser:
    """Turns console lines into a Transcript, one line at a time."""

    def __init__(self, nonce):
        self.transcript = Transcript()
        self._mark = f"%{nonce} "
        self._name = None
        self._data = []

    def feed(self, line):
        """Takes one line of the console; returns the words init said in it, or None."""
        _, mark, rest = CONTROL.sub("", line).partition(self._mark)
        words = rest.split()
        if not mark or not words:
            return None
        kind, words = words[0], words[1:]
        if kind == "begin" and len(words) == 1:
            if self._name is not None:
                self._refuse("another file began")
            self._name, self._data = words[0], []
        elif kind == "data":
            self._data.append("".join(words))
        elif kind == "end" and len(words) == 2:
            self._end(*words)
        else:
            self.transcript.lines.setdefault(kind, []).append(words)
        return [kind, *words]

    def _refuse(self, why):
        self.transcript.errors.append(f"file {self._name}: {why}")
        self._name, self._data = None, []

    def _end(self, name, digest):
        if name != self._name:
            self.transcript.errors.append(f"file {name} ended, {self._name} was open")
            return
        try:
            content = gzip.decompress(base64.b64decode("".join(self._data), validate=True))
        except (binascii.Error, OSError, EOFError, zlib.error) as error:
            self._refuse(f"damaged on the console ({error})")
            return
        if hashlib.sha256(content).hexdigest() != digest:
            self._refuse("its SHA-256 does not match")
            return
        self.transcript.files[name] = content
        self._name, self._data = None, []


@dataclasses.dataclass
class Outcome:
    """How a guest's run ended. `problem` is empty when QEMU ended by itself with status 0."""

    transcript: Transcript
    seconds: float
    problem: str
    tail: list[str]


@dataclasses.dataclass(frozen=True)
class Limits:
    total: float = 300.0
    silence: float = 90.0


def _end_of(process, reason):
    process.kill()
    process.wait()
    return reason


def run(command, nonce, log_path, limits=Limits(), progress=lambda words: None, parser=None):
    """Runs QEMU to its end or to a time limit; its console goes to `log_path`. `parser`: if it is not init that talks."""
    parser = parser or Parser(nonce)
    begun = heard = time.monotonic()
    tail, rest, problem = [], "", ""
    with open(log_path, "w", encoding="utf-8") as log, selectors.DefaultSelector() as selector, \
         ui.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            os.set_blocking(process.stdout.fileno(), False)
            selector.register(process.stdout, selectors.EVENT_READ)
            while not problem:
                chunk = process.stdout.read(65536) if selector.select(1.0) else None
                now = time.monotonic()
                if chunk == b"":
                    break
                if chunk:
                    heard = now
                    *lines, rest = (rest + chunk.decode("utf-8", "replace")).split("\n")
                    for line in lines:
                        clean = CONTROL.sub("", line)
                        log.write(clean + "\n")
                        words = parser.feed(line)
                        if words is None:
                            tail = [*tail[-24:], clean]
                        else:
                            progress(words)
                    log.flush()
                if now - begun > limits.total:
                    problem = _end_of(process, f"the guest did not finish within {limits.total:.0f} s")
                elif now - heard > limits.silence:
                    problem = _end_of(process, f"the guest said nothing for {limits.silence:.0f} s")
            log.write(rest)
        finally:
            process.stdout.close()
        if not problem and process.wait() != 0:
            status = process.returncode
            problem = (f"QEMU was ended by signal {-status}" if status < 0 else f"QEMU ended with status {status}")
    if rest:
        tail.append(CONTROL.sub("", rest))
    return Outcome(parser.transcript, time.monotonic() - begun, problem, tail)
