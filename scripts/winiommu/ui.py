# SPDX-License-Identifier: GPL-2.0-or-later
"""What the launcher says, and programs run with progress, a log and a clear failure."""
import concurrent.futures
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

HEARTBEAT = 20  # seconds between progress lines when the output is not a terminal
NINJA = re.compile(r"^\[(\d+)/(\d+)\]")


class Error(Exception):
    """Something a person can mend: one line that says what, one that says what to do next."""

    def __init__(self, what, next_step=""):
        super().__init__(what)
        self.what = what
        self.next_step = next_step


def say(text=""):
    print(text, flush=True)


def flush():
    sys.stdout.flush()


def show(argv):
    """Prints a command line as one could type it."""
    say("$ " + shlex.join(str(a) for a in argv))


@contextlib.contextmanager
def step(title):
    """Says what begins and how long it took."""
    say(f"==> {title}")
    begun = time.monotonic()
    yield
    say(f"    {title}: done in {time.monotonic() - begun:.0f} s")


@contextlib.contextmanager
def workers(count=None):
    """A pool of threads, one for each processor; what has not begun when the block ends never does."""
    with concurrent.futures.ThreadPoolExecutor(count or os.cpu_count() or 1) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def side_by_side(jobs, most=4):
    """Calls the functions, as many at once as there are processors but at most `most`; yields what they give,
    in their order."""
    with workers(min(most, os.cpu_count() or 1)) as pool:
        for future in [pool.submit(job) for job in jobs]:
            yield future.result()


class _Progress:
    """One changing line on a terminal; elsewhere a line every HEARTBEAT seconds."""

    def __init__(self, title):
        self.title, self.begun, self.detail = title, time.monotonic(), ""
        self.tty = sys.stdout.isatty()
        self.last = self.begun

    def seen(self, line):
        found = NINJA.match(line)
        if found:
            self.detail = f"{found.group(1)} of {found.group(2)}"

    def tick(self):
        now = time.monotonic()
        if now - self.last < (1 if self.tty else HEARTBEAT):
            return
        self.last = now
        text = f"    {self.title}: {now - self.begun:.0f} s {self.detail}".rstrip()
        if self.tty:
            print("\r\033[K" + text, end="", flush=True)
        else:
            say(text)

    def end(self):
        if self.tty:
            print("\r\033[K", end="", flush=True)


def _tail(path, lines=15):
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join("    | " + line for line in file.readlines()[-lines:])


class Terminated(BaseException):
    """A signal asked us to end; its number."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


_running = set()  # processes of start() that have not been reaped
_ending = threading.Event()


@contextlib.contextmanager
def start(argv, **options):
    """A program with a session of its own: subprocess.Popen's options.  It ends with us, whatever ends us
    save SIGKILL; the block waits for it or stops it."""
    if _ending.is_set():
        raise Terminated(signal.SIGTERM)
    process = subprocess.Popen(argv, start_new_session=True, **options)
    _running.add(process)
    try:
        yield process
    finally:
        if process.poll() is None:
            stop(process)
        _running.discard(process)


def _signal_group(process, sign):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, sign)


def stop(process):
    """Ends a process we started, with what it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        _signal_group(process, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return


def _end(number, _frame):
    """Ends what other threads wait for too; those would else keep us until their programs are done."""
    _ending.set()
    for process in tuple(_running):
        _signal_group(process, signal.SIGTERM)

    def insist():
        for process in tuple(_running):
            _signal_group(process, signal.SIGKILL)

    timer = threading.Timer(5, insist)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


def end_on_signals():
    """From now on a signal that ends us ends what we started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves SIGHUP
            signal.signal(number, _end)


def _pump(process, log, progress, timeout):
    """Copies output to the log until the end; False when the time ran out."""
    over = threading.Event()
    begun = time.monotonic()

    def copy():
        # Reading goes on when the log cannot be written: the program must not wait for us.
        for line in process.stdout:
            with contextlib.suppress(OSError):
                log.write(line.encode())
            progress.seen(line)
        over.set()

    reader = threading.Thread(target=copy, daemon=True)
    reader.start()
    while True:
        try:
            process.wait(0.2)
            break
        except subprocess.TimeoutExpired:
            progress.tick()
        if timeout and time.monotonic() - begun > timeout:
            stop(process)
            over.wait(2)
            return False
    over.wait(2)
    return True


def run(argv, title, log, *, cwd=None, env=None, timeout=None, next_step=""):
    """Runs a program to its end; its output goes to the file `log`.

    Raises Error with the end of the output when it fails.  `env` is added to our environment.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    progress = _Progress(title)
    full = dict(os.environ, **(env or {}))
    with contextlib.suppress(OSError), open(log, "w", encoding="utf-8") as file:
        file.write("$ " + shlex.join(str(a) for a in argv) + "\n")
    with open(log, "ab", buffering=0) as file:
        try:
            with start([str(a) for a in argv], cwd=cwd, env=full, text=True, errors="replace",
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT) as process:
                in_time = _pump(process, file, progress, timeout)
        except FileNotFoundError as error:
            raise Error(f"{title}: {argv[0]} is not installed",
                        next_step or "run './winiommu setup'") from error
        finally:
            progress.end()
    if not in_time:
        raise Error(f"{title}: no end after {timeout} s; output in {log}\n{_tail(log)}".rstrip(),
                    next_step)
    if process.returncode != 0:
        how = (f"ended by signal {-process.returncode}" if process.returncode < 0
               else f"failed with status {process.returncode}")
        full_disk = _disk_full(log)
        raise Error(f"{title}: {argv[0]} {how}; output in {log}\n{_tail(log)}".rstrip(),
                    full_disk or next_step or "mend what the output names and run again")


def _disk_full(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        if shutil.disk_usage(log.parent).free < 1 << 20 or "No space left on device" in file.read():
            return "the disk is full: free some space and run again, nothing half-made is kept"
    return ""
