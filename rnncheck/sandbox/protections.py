"""What protects the judge, and the user, from the code under test: said in every report, kept to in docs."""

import ctypes
import os
import sys
from collections.abc import Collection
from contextlib import suppress

from rnncheck.sandbox.limits import Limits, MiB
from rnncheck.sandbox.watch import WATCHED

__all__ = ["close_to_others", "sentences"]

PR_SET_DUMPABLE = 4


def close_to_others() -> bool:
    """Make this process non-dumpable: a child of the same user can otherwise read its memory and environment."""
    with suppress(OSError, AttributeError):
        return sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
    return False


def sentences(taken: Collection[str], limits: Limits, refused: str = "") -> tuple[str, ...]:
    """Say which protections are in force: `taken` are the steps of the stage, `refused` why there are no namespaces."""
    files = {
        "read_only": "all file systems are read-only",
        "private_folders": "it has a home, a /tmp and a /run of its own, at most 64 MiB each, which vanish with it",
        "hide": "the judge, the right implementations and the stored answers are out of its sight",
    }
    mebibytes = {"memory": f"{limits.memory // MiB} MiB of memory", "file": f"{limits.file // MiB} MiB a file"}
    bounds = [mebibytes[name] for name in mebibytes if name in taken]
    bounds += [f"{limits.tasks} processes and threads, counted from outside"] if WATCHED else []
    found = [
        "the target runs in a process of its own, which is sent cases but no expected value, seed or name of a case",
        f"wall clock: {limits.answer_s:g} s for an answer; after {limits.timeouts} time-outs it is asked no more",
    ]
    found += [f"limits: {', '.join(bounds)}"] if bounds else []
    if "namespaces" in taken:
        proc = " and sees no other process" if "own_proc" in taken else ""
        found.append(f"namespaces (unshare): it has no network{proc}; what it leaves running ends with it")
    held = [text for step, text in files.items() if step in taken]
    found += [f"files: {'; '.join(held)}"] if held else []
    if close_to_others():
        found.append("the judge is not dumpable: others of this user cannot read its memory")
    if "namespaces" not in taken:
        open_ = "network, files and other processes of this user are open to it"
        found.append(f"NOT in force: namespaces ({refused or f'not on {sys.platform}'}): {open_}")
        if sys.platform == "linux" and os.getuid() == 0:
            found.append("NOT in force: as root it can read the memory of any process; run rnncheck as another user")
    return tuple(found)
