"""One submission of a class, checked by a judge of its own: whatever it does, it costs only itself.

The judge is another process of `rnncheck check`, which runs the submission in its sandbox; this process never
imports it. What comes back is the report, over a pipe that the submission does not have. A submission is a copy of
its files, so that it can be judged on any machine, and sees nobody else's.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from rnncheck import __version__

__all__ = ["Family", "Result", "Submission", "judge_apart", "read_result", "read_submission"]

LIMIT = 300.0
"""Seconds for one submission, start to end; the sandbox has stricter limits for each of its answers."""
GRACE = 10.0
LARGEST = 2**24
"""Bytes that one submission may bring in all; what is larger, say a data set, stays behind."""
FINDINGS = 10


@dataclass(frozen=True)
class Submission:
    """The file to judge, by its name in the class folder, and the content of all files beside it, itself included.

    `refused` says why it is not judged at all.
    """

    name: str
    files: Mapping[str, bytes]
    refused: str = ""

    @property
    def fingerprint(self) -> str:
        """Return what tells whether a submission, or its judge, has changed."""
        parts = [__version__, self.name, *(f"{n} {sha256(content).hexdigest()}" for n, content in self.files.items())]
        return sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Family:
    """How the checks of a family ended, those that could be asked; and the first that failed."""

    passed: int
    judged: int
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """How a submission did; `reason` says why there is no verdict, or what the likely cause of failure is.

    `findings` are the lines of its report that tell what was found; it was made with so many `hints`.
    """

    name: str
    fingerprint: str
    verdict: str
    reason: str = ""
    families: dict[str, Family] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    hints: int = 3


def read_submission(folder: Path, path: Path) -> Submission:
    """Take a submission out of a class folder: one file, or if it has a folder to itself, all files there."""
    name = path.relative_to(folder).as_posix()
    why = _not_taken(folder, path)
    if why:
        return Submission(name, {}, why)
    own = path.parent != folder
    beside = sorted(p for p in path.parent.iterdir() if p != path and p.is_file()) if own else []
    files, room = {path.name: path.read_bytes()}, LARGEST
    for file in beside:
        room -= file.stat().st_size
        if room >= 0 and not _not_taken(folder, file):
            files[file.name] = file.read_bytes()
    return Submission(name, dict(sorted(files.items())))


def _not_taken(folder: Path, file: Path) -> str:
    """Say why a file is left where it is: what a link in a class folder shows may be anything on this machine."""
    if not file.resolve().is_relative_to(folder.resolve()):
        return "it is a link to something outside the folder, which is not read"
    if file.stat().st_size > LARGEST:
        return f"it has {file.stat().st_size} bytes, and {LARGEST} are allowed"
    return ""


def read_result(fields: Mapping[str, Any]) -> Result:
    """Read back what `asdict` has made of a Result, by way of JSON."""
    families = {name: Family(**family) for name, family in fields["families"].items()}
    return Result(**{**fields, "families": families, "findings": tuple(fields["findings"])})


def judge_apart(submission: Submission, hints: int = 3, limit: float = LIMIT) -> Result:
    """Check one submission in a process of its own, from an empty folder: no `pyproject.toml` has a say there."""
    none = Result(submission.name, submission.fingerprint, "no verdict", hints=hints)
    if submission.refused:
        return replace(none, reason=submission.refused)
    file = Path(submission.name).name
    with tempfile.TemporaryDirectory() as scratch:
        own, empty = Path(scratch, "submission"), Path(scratch, "empty")
        own.mkdir()
        empty.mkdir()
        for name, content in submission.files.items():
            (own / name).write_bytes(content)
        said, complaint = _run_judge(own / file, empty, max(hints, 1), limit)
    if said is None:
        return replace(none, reason=complaint)
    try:
        report = json.loads(said.replace(f"{own}{os.sep}", submission.name.removesuffix(file)))
    except ValueError:
        why = complaint.replace(f"{own}{os.sep}", "").strip().splitlines()[-1:] or ["the judge ended without a word"]
        return replace(none, reason=why[0].removeprefix("rnncheck: "))
    return _read(none, report)


def _run_judge(path: Path, cwd: Path, hints: int, limit: float) -> tuple[str | None, str]:
    """Return what the judge says, and what it complains about; None and the reason where it was ended."""
    command = [sys.executable, "-m", "rnncheck", "check", str(path), "--json", "-", "--hints", str(hints)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p)}
    pipe = subprocess.PIPE
    judge = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)
    try:
        return judge.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        _end(judge)
        return None, f"it took longer than {limit:g} s"
    except BaseException:
        _end(judge)
        raise


def _end(judge: "subprocess.Popen[str]") -> None:
    """Ask the judge to end, so that it ends what it has started; then make it."""
    judge.send_signal(signal.SIGINT)
    try:
        judge.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        judge.kill()
        judge.communicate()


def _read(none: Result, report: Mapping[str, Any]) -> Result:
    """Take from a report what a teacher needs; without hints that is which families fail, and not where."""
    told = none.hints > 0
    families: dict[str, Family] = {}
    for outcome in report["outcomes"]:
        known = families.get(outcome["family"], Family(0, 0))
        failed = outcome["verdict"] == "failed"
        passed = outcome["verdict"] == "passed"
        reason = known.reason or (f"{outcome['check']}: {_why(outcome)}" if failed and told else "")
        families[outcome["family"]] = Family(known.passed + passed, known.judged + passed + failed, reason)
    verdict = {0: "right", 1: "wrong"}.get(report["exit_code"], "no verdict")
    causes = [cause["what"] for cause in (report["diagnosis"] or {"causes": []})["causes"]]
    part = report["scope"]["not_judged"] or report["scope"]["not_shown"]
    reason = "; ".join(causes) or (report["verdict"] if part or verdict != "right" else "")
    findings = tuple(_findings(report)) if told else ()
    return Result(none.name, none.fingerprint, verdict, reason, families, findings, none.hints)


def _findings(report: Mapping[str, Any]) -> list[str]:
    """Return the causes with their cures, the failed checks, those that say the same once, and the notes."""
    lines = []
    for cause in (report["diagnosis"] or {"causes": []})["causes"]:
        lines.append(f"likely cause: {cause['what']}")
        lines += [f"change: {cause['change']}"] if cause["change"] else []
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for outcome in report["outcomes"]:
        if outcome["verdict"] == "failed":
            alike.setdefault(_why(outcome), []).append(outcome)
    kinds = list(alike.items())
    for why, (first, *more) in kinds[:FINDINGS]:
        lines.append(
            f"FAILED {first['check']}{f', and {len(more)} more like it' if more else ''}: {why}{_values(first)}"
        )
    left = sum(len(outcomes) for _, outcomes in kinds[FINDINGS:])
    lines += [f"and {left} more failed"] if left else []
    return lines + [f"note: {note}" for note in report["notes"] if not note.startswith("protections")]


def _why(outcome: Mapping[str, Any]) -> str:
    return outcome["message"] or (f"{outcome['earliest']} is wrong" if outcome["earliest"] else "failed")


def _values(outcome: Mapping[str, Any]) -> str:
    """Say what was found and what is right, where the report tells."""
    first = next((c for c in outcome["comparisons"] if c["verdict"] == "failed"), None)
    if first is None or first["reference"] is None:
        return ""
    return f", {list(first['index'])} is {first['candidate']}, right is {first['reference']}"
