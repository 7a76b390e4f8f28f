"""What a run could not have seen: the catalogued faults that show in none of its cases.

T = 1 hides half of the faults in time, and a program that passes there has shown little. So whoever chooses sizes is
told what they hide. Each fault is put to the very checks of the run, until one of them notices it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rnncheck.case import Case, RNNCase
from rnncheck.checks.check import Bench, run_check
from rnncheck.faults import FAULTS, Fault, consequences
from rnncheck.oracle import Oracle
from rnncheck.power.matrix import Trial, equivalent, steps_of, touched
from rnncheck.result import Report, Verdict
from rnncheck.vectors import Vector

__all__ = ["BUDGET", "Blind", "blind_spots", "unexposed", "unseen_by", "words"]

BUDGET = 80_000
"""Time steps of the textbook, about two seconds, that a run may spend on finding out what it could not have seen."""

OVERHEAD = 40
"""What it costs to compare two Traces, in time steps."""

ORACLE_RUNS = 5
"""Runs of the textbook for an answer with its tolerance."""

NAMED = 3


@dataclass(frozen=True)
class Blind:
    """The faults that no check noticed; and, where the budget was spent after `cases` of them, those left open."""

    unseen: Sequence[Fault]
    undecided: Sequence[Fault] = ()
    cases: int = 0


def blind_spots(trials: Iterable[Trial], oracle: Oracle, budget: float = BUDGET) -> Blind:
    """Put the catalogue to `trials`, one after the other as a candidate would be, and keep what goes unnoticed."""
    benches = {name: Bench(fault.build(), oracle) for name, fault in FAULTS.items()}
    kinds: set[str] = set()
    for done, trial in enumerate(trials):
        kinds.add(trial.case.kind)
        faults = list(touched((FAULTS[name] for name in benches), trial.case))
        budget -= (len(faults) + ORACLE_RUNS) * _cost(trial.case)
        if budget < 0:
            left = [FAULTS[name] for name in benches]
            return Blind([f for f in left if not kinds & {*f.kinds}], [f for f in left if kinds & {*f.kinds}], done)
        for fault in faults:
            if any(run_check(check, benches[fault.name]).verdict is Verdict.FAILED for check in trial.checks):
                del benches[fault.name]
    return Blind([FAULTS[name] for name in benches])


def _cost(case: Case) -> int:
    """Estimate one run and its comparison, in time steps; windowed BPTT goes back k steps from each."""
    windows = 1 + (case.k or 0) / 2 if isinstance(case, RNNCase) and case.bptt == "windowed" else 1
    return int(steps_of(case) * windows) + OVERHEAD


def unexposed(vectors: Iterable[Vector]) -> Blind:
    """Return the faults that none of these vectors exposes; their manifest says so, and nothing has to be run."""
    exposed = {fault for v in vectors for fault in v.exposes}
    return Blind([fault for name, fault in FAULTS.items() if name not in exposed])


def unseen_by(report: Report, vectors: Sequence[Vector]) -> Blind:
    """Return the faults that a run could not have seen: no case that was asked exposes them, or no array shows them."""
    judged = [o for o in report.outcomes if o.verdict in (Verdict.PASSED, Verdict.FAILED)]
    shown = {c.array for o in judged for c in o.comparisons if c.verdict is not Verdict.NOT_SHOWN}
    asked = {o.check.partition("[")[2].removesuffix("]") for o in judged}
    answered = [v for v in vectors if v.case.name in asked]
    dtypes = {str(v.case.dtype) for v in vectors}
    seen = {name for v in answered for name in v.exposes if _reaches(FAULTS[name], shown)}
    return Blind([f for n, f in FAULTS.items() if n not in seen and not all(equivalent(f, d) for d in dtypes)])


def _reaches(fault: Fault, shown: set[str]) -> bool:
    """Tell whether a fault reaches an array that is shown; what lies outside the arrays of a call is asked of all."""
    return any("." in pattern for pattern in fault.corrupts) or bool(consequences(fault.corrupts, shown))


def words(blind: Blind, command: str) -> str:
    """Say it in one line; `command` tells more. Nothing is said where nothing is hidden."""
    if not blind.unseen and not blind.undecided:
        return ""
    passes = [fault for fault in blind.unseen if "rnn" in fault.kinds]
    others = len(blind.unseen) - len(passes)
    parts = [f"{len(passes)} in forward and backward passes ({_listed(passes)})"] if passes else []
    parts += [f"{others} in clipping, optimisers and sampling"] if others else []
    line = f"{len(blind.unseen)} of {len(FAULTS)} catalogued faults could not have been seen by this run"
    line += f": {', '.join(parts)}" if parts else ""
    if blind.undecided:
        tried = f"did not show in the first {blind.cases} cases ({_listed(blind.undecided)})"
        line += f"; {len(blind.undecided)} more {tried if blind.cases else 'would take over two seconds to try'}"
    return f"{line}; `{command}` tells them all"


def _listed(faults: Sequence[Fault]) -> str:
    names = [fault.name for fault in sorted(faults, key=lambda fault: -(fault.seen or 0))]  # the most common first
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
