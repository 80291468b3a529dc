# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's qtest protocol, as far as the benchmark needs it: memory, ports and nothing else."""

import base64
import contextlib
import os
import socket
import subprocess
import tempfile
import time

from .. import ui
from . import processors


class QtestError(Exception):
    pass


class Qtest:
    """One QEMU under `-accel qtest`; no vCPU runs, the caller is the guest."""

    def __init__(self, argv):
        self._directory = tempfile.TemporaryDirectory(prefix="winiommu-bench-")
        path = os.path.join(self._directory.name, "qtest")
        self._log = open(os.path.join(self._directory.name, "log"), "w+", encoding="utf-8")
        self._life = contextlib.ExitStack()
        self._process = self._life.enter_context(ui.start(
            [*argv, "-accel", "qtest", "-display", "none", "-nodefaults",
             "-qtest-log", "/dev/null",
             "-qtest", f"unix:{path},server=on,wait=off"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log))
        self._socket = self._connect(path)
        self._stream = self._socket.makefile("rwb")

    def _connect(self, path):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(path)
                return s
            except OSError:
                s.close()
                time.sleep(0.02)
        raise QtestError(f"QEMU did not start: {self.log()}")

    def log(self):
        self._log.flush()
        self._log.seek(0)
        return self._log.read().strip() or "it printed nothing"

    def move(self, where):
        """To these processors; see processors.move."""
        processors.move(self._process.pid, where)

    def command(self, text):
        try:
            self._stream.write(text.encode() + b"\n")
            self._stream.flush()
            while True:
                answer = self._stream.readline()
                if not answer.startswith(b"IRQ"):
                    break
        except OSError:
            answer = b""
        if not answer.startswith(b"OK"):
            raise QtestError(f"qtest `{text[:60]}` got `{answer.decode().strip()}`: {self.log()}")
        return answer[2:].split()

    def writel(self, address, value):
        self.command(f"writel {address:#x} {value:#x}")

    def writeq(self, address, value):
        self.command(f"writeq {address:#x} {value:#x}")

    def readl(self, address):
        return int(self.command(f"readl {address:#x}")[0], 0)

    def readq(self, address):
        return int(self.command(f"readq {address:#x}")[0], 0)

    def outl(self, port, value):
        self.command(f"outl {port:#x} {value:#x}")

    def inl(self, port):
        return int(self.command(f"inl {port:#x}")[0], 0)

    def write(self, address, data):
        for at in range(0, len(data), 1 << 18):
            part = bytes(data[at:at + (1 << 18)])
            encoded = base64.b64encode(part).decode()
            self.command(f"b64write {address + at:#x} {len(part):#x} {encoded}")

    def fill(self, address, size, value):
        self.command(f"memset {address:#x} {size:#x} {value:#x}")

    def close(self):
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._life.close()
        self._log.close()
        self._directory.cleanup()
