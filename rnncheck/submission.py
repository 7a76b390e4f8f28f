"""One submission of a class, checked by a judge of its own: whatever it does, it costs only itself.

The judge is another process of `rnncheck check`, which runs the submission in its sandbox; this process never
imports it. What comes back is the report, over a pipe that the submission does not have.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from rnncheck import __version__

__all__ = ["Family", "Result", "fingerprint", "judge_apart"]

LIMIT = 300.0
"""Seconds for one submission, start to end; the sandbox has stricter limits for each of its answers."""
GRACE = 10.0


@dataclass(frozen=True)
class Family:
    """How the checks of a family ended, those that could be asked; and the first that failed."""

    passed: int
    judged: int
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """How a submission did; `reason` says why there is no verdict, or what the likely cause of failure is."""

    name: str
    fingerprint: str
    verdict: str
    reason: str = ""
    families: dict[str, Family] = field(default_factory=dict)


def fingerprint(path: Path) -> str:
    """Return what tells whether a submission, or its judge, has changed."""
    return sha256(__version__.encode() + b"\n" + path.read_bytes()).hexdigest()


def judge_apart(path: Path, name: str, limit: float = LIMIT) -> Result:
    """Check one submission in a process of its own, in an empty folder: no `pyproject.toml` has a say there."""
    seal = fingerprint(path)
    command = [sys.executable, "-m", "rnncheck", "check", str(path.resolve()), "--json", "-"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p)}
    with tempfile.TemporaryDirectory() as empty:
        pipe = subprocess.PIPE
        judge = subprocess.Popen(command, cwd=empty, env=env, stdout=pipe, stderr=pipe, text=True)
        try:
            said, complaint = judge.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            _end(judge)
            return Result(name, seal, "no verdict", f"it took longer than {limit:g} s")
        except BaseException:
            _end(judge)
            raise
    if not said:
        last = complaint.strip().splitlines()[-1:] or [f"the judge ended with exit code {judge.returncode}"]
        return Result(name, seal, "no verdict", last[0].removeprefix("rnncheck: "))
    return _read(name, seal, json.loads(said))


def _end(judge: "subprocess.Popen[str]") -> None:
    """Ask the judge to end, so that it ends what it has started; then make it."""
    judge.send_signal(signal.SIGINT)
    try:
        judge.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        judge.kill()
        judge.communicate()


def _read(name: str, seal: str, report: dict[str, Any]) -> Result:
    families: dict[str, Family] = {}
    for outcome in report["outcomes"]:
        known = families.get(outcome["family"], Family(0, 0))
        failed = outcome["verdict"] == "failed"
        passed = outcome["verdict"] == "passed"
        reason = known.reason or (f"{outcome['check']}: {_why(outcome)}" if failed else "")
        families[outcome["family"]] = Family(known.passed + passed, known.judged + passed + failed, reason)
    verdict = {0: "right", 1: "wrong"}.get(report["exit_code"], "no verdict")
    causes = [cause["what"] for cause in (report["diagnosis"] or {"causes": []})["causes"]]
    return Result(name, seal, verdict, "; ".join(causes) or ("" if verdict == "right" else report["verdict"]), families)


def _why(outcome: dict[str, Any]) -> str:
    return outcome["message"] or (f"{outcome['earliest']} is wrong" if outcome["earliest"] else "failed")
