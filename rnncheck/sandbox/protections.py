"""What protects the judge, and the user, from the code under test: said in every report, kept to in docs."""

import ctypes
import os
import sys
from collections.abc import Collection
from contextlib import suppress

from rnncheck.sandbox.limits import Limits, MiB
from rnncheck.sandbox.watch import WATCHED

__all__ = ["HELD", "NOT", "as_notes", "close_to_others", "sentences"]

HELD, NOT = "protections in force:", "NOT in force:"

PR_SET_DUMPABLE = 4


def close_to_others() -> bool:
    """Make this process non-dumpable: a child of the same user can otherwise read its memory and environment."""
    with suppress(OSError, AttributeError):
        return sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
    return False


def sentences(taken: Collection[str], limits: Limits, refused: str = "") -> tuple[str, ...]:
    """Say which protections are in force: `taken` are the steps of the stage, `refused` why there are no namespaces."""
    mebibytes = {"memory": f"{limits.memory // MiB} MiB of memory", "file": f"{limits.file // MiB} MiB a file"}
    bounds = [mebibytes[name] for name in mebibytes if name in taken]
    bounds += [f"{limits.tasks} processes and threads"] if WATCHED else []
    steps = {
        "namespaces": "no network, and nothing outlives it (namespaces)",
        "own_proc": "no other process in sight",
        "read_only": "file systems read-only",
        "private_folders": "home, /tmp and /run of its own",
        "hide": "judge and stored answers out of sight",
    }
    found = [
        "a process of its own, which is sent no expected value, seed or name of a case",
        f"{limits.answer_s:g} s for an answer, {limits.timeouts} time-outs",
        *([", ".join(bounds)] if bounds else []),
        *(text for step, text in steps.items() if step in taken),
        *(["the memory of the judge closed to others of this user"] if close_to_others() else []),
    ]
    if "namespaces" not in taken:
        open_ = "network, files and other processes of this user are open to it"
        found.append(f"{NOT} namespaces ({refused or f'not on {sys.platform}'}): {open_}")
        if sys.platform == "linux" and os.getuid() == 0:
            found.append(f"{NOT} a closed memory: as root it can read any process; run rnncheck as another user")
    return tuple(found)


def as_notes(protections: Collection[str]) -> list[str]:
    """Return the sentences as notes of a report: one for all that is in force, one each for what is not."""
    held = [sentence for sentence in protections if not sentence.startswith(NOT)]
    missing = [sentence for sentence in protections if sentence.startswith(NOT)]
    return [*([f"{HELD} {'; '.join(held)}"] if held else []), *missing]
