"""Count the processes, threads and memory of a child and all its descendants, and end them.

Counting and killing from outside works for every user; RLIMIT_NPROC does nothing for root. Only Linux tells all this
without a library, under /proc; elsewhere a child is ended without having been counted.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NamedTuple

from rnncheck.sandbox.limits import Limits, MiB

__all__ = ["WATCHED", "Watch", "end_tree"]

WATCHED = sys.platform == "linux"
EVERY_S = 0.1
PAGE = os.sysconf("SC_PAGE_SIZE") if WATCHED else 0


class Process(NamedTuple):
    """What /proc/PID/stat says."""

    pid: int
    parent: int
    threads: int
    memory: int
    dead: bool


class Watch:
    """Ends the tree under `root` when it grows beyond its limits; `reason` says which."""

    def __init__(self, root: int, limits: Limits):
        self.reason = ""
        self._root, self._limits = root, limits
        self._over = threading.Event()
        if WATCHED:
            threading.Thread(target=self._look, daemon=True).start()

    def stop(self) -> None:
        """Look no more: the child has ended, its number may soon be another's."""
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(EVERY_S):
            tree = descendants(self._root)
            tasks, memory = sum(p.threads for p in tree), sum(p.memory for p in tree)
            if tasks > self._limits.tasks:
                self.reason = f"it ran {tasks} processes and threads, and {self._limits.tasks} are allowed"
            elif memory > self._limits.memory:
                self.reason = f"it used {memory // MiB} MiB of memory, and {self._limits.memory // MiB} are allowed"
            if self.reason:
                end_tree(self._root)
                return


def descendants(root: int) -> list[Process]:
    """Return `root` and every process below it."""
    children: dict[int, list[Process]] = {}
    found = []
    for process in filter(None, map(_read, filter(str.isdigit, os.listdir("/proc")))):
        children.setdefault(process.parent, []).append(process)
        if process.pid == root:
            found.append(process)
    for process in found:  # grows while it is walked
        found += children.get(process.pid, [])
    return found


def end_tree(root: int, rounds: int = 100) -> None:
    """Kill everything below `root`, again until nothing new appears, then `root`, which waits in the meantime."""
    if WATCHED:
        _signal(root, signal.SIGSTOP)
        for _ in range(rounds):
            below = [p.pid for p in descendants(root) if p.pid != root and not p.dead]
            if not below:
                break
            for pid in below:
                _signal(pid, signal.SIGKILL)
    _signal(root, getattr(signal, "SIGKILL", signal.SIGTERM))


def _signal(pid: int, number: int) -> None:
    with suppress(OSError):
        os.kill(pid, number)


def _read(entry: str) -> Process | None:
    try:
        with open(f"/proc/{entry}/stat", encoding="latin-1") as file:
            fields = file.read().rpartition(")")[2].split()  # a name may hold anything, ")" included
    except OSError:
        return None
    state, parent, threads, pages = fields[0], int(fields[1]), int(fields[17]), int(fields[21])
    # a process whose first thread has ended shows as a zombie, with all its other threads and children at work
    return Process(int(entry), parent, threads, pages * PAGE, dead=state in "ZX" and threads <= 1)
