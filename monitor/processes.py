"""Starting, watching and ending the program's processes.

A child that dies is started again, with growing pauses; on the way out every child gets SIGTERM, then, after a grace,
SIGKILL. `serve` goes last, so that it still steps what the others wrote on their way out. A child whose parent is gone
ends by itself, so that nothing is orphaned even when the parent was killed.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_log = logging.getLogger("keepclean.monitor")

GRACE_S = 4.0
CALM_S = 60.0
PAUSES_S = (0.2, 1.0, 5.0, 15.0)
WATCH_EVERY_S = 0.1
LAST = "serve"


@dataclass
class Child:
    """One process: its name, its command line after `keepclean`, and its runs so far."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started: float = 0.0
    due: float = field(default=0.0)
    wanted: bool = True

    def start(self) -> None:
        """Starts the process; it stays in our process group's session but ignores the terminal's Ctrl-C."""
        command = [sys.executable, "-m", "monitor", *self.arguments, "--parent", str(os.getpid())]
        self.process = subprocess.Popen(command, start_new_session=True)
        self.started = time.monotonic()
        self.wanted = True

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Keeps children alive until told to stop."""

    def __init__(self) -> None:
        self.children: dict[str, Child] = {}
        self.stopping = threading.Event()

    def catch_signals(self) -> None:
        """SIGTERM and SIGINT (Ctrl-C) ask for an orderly end."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())

    def add(self, name: str, arguments: Sequence[str]) -> Child:
        """Starts a child and watches it from now on."""
        child = self.children[name] = Child(name, arguments)
        child.start()
        return child

    def end(self, name: str) -> None:
        """Ends one child in order and stops watching it."""
        child = self.children.pop(name, None)
        if child is not None:
            _end([child])

    def watch(self) -> None:
        """One look at every child: the dead are started again when their pause is over."""
        now = time.monotonic()
        for child in self.children.values():
            if child.alive():
                continue
            if child.due == 0.0:
                status = child.process.returncode if child.process else None
                child.deaths = 1 if now - child.started > CALM_S else child.deaths + 1
                pause = PAUSES_S[min(child.deaths, len(PAUSES_S)) - 1]
                child.due = now + pause
                _log.error("process %s ended with status %s; it is started again in %g s", child.name, status, pause)
            elif now >= child.due:
                child.due = 0.0
                child.start()

    def wait(self, seconds: float = WATCH_EVERY_S) -> bool:
        """Waits a little; True when it is time to stop."""
        return self.stopping.wait(seconds)

    def close(self) -> None:
        """Ends every child, `serve` after all others."""
        children = list(self.children.values())
        self.children.clear()
        began = time.monotonic()
        _end([child for child in children if child.name != LAST], GRACE_S / 2)
        _end([child for child in children if child.name == LAST], GRACE_S - (time.monotonic() - began))


def _end(children: Sequence[Child], grace_s: float = GRACE_S) -> None:
    for child in children:
        if child.process is not None and child.alive():
            child.process.terminate()
    deadline = time.monotonic() + grace_s
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(deadline - time.monotonic(), 0.05))
        except subprocess.TimeoutExpired:
            _log.error("process %s did not end within %g s and is killed", child.name, grace_s)
            child.process.kill()
            child.process.wait()


def end_with_parent(parent: int) -> None:
    """Has this process end in order (SIGTERM to itself) once its parent is gone."""
    if parent <= 0:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
