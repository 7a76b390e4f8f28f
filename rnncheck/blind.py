"""What a run could not have seen: the catalogued faults that show in none of its cases.

T = 1 hides half of the faults in time, and a program that passes there has shown little. So whoever chooses sizes is
told what they hide. Each fault is put to the very checks of the run, until one of them notices it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rnncheck.case import Case, OptimCase, RNNCase, SampleCase
from rnncheck.checks.check import Bench, run_check
from rnncheck.faults import FAULTS, Fault
from rnncheck.oracle import Oracle
from rnncheck.power import Trial
from rnncheck.result import Verdict
from rnncheck.vectors import Vector

__all__ = ["BUDGET", "Blind", "blind_spots", "steps_of", "unexposed", "words"]

BUDGET = 40_000
"""Time steps of the textbook, about two seconds, that a run may spend on finding out what it could not have seen."""

OVERHEAD = 40
"""What it costs to compare two Traces, in time steps."""

NAMED = 6


@dataclass(frozen=True)
class Blind:
    """The faults that no check noticed, and those that were not settled within the budget."""

    unseen: Sequence[Fault]
    undecided: Sequence[Fault] = ()


def blind_spots(trials: Iterable[Trial], oracle: Oracle, budget: float = BUDGET) -> Blind:
    """Put the catalogue to `trials`, one after the other as a candidate would be, and keep what goes unnoticed."""
    benches = {name: Bench(fault.build(), oracle) for name, fault in FAULTS.items()}
    kinds: set[str] = set()
    for trial in trials:
        kinds.add(trial.case.kind)
        steps = steps_of(trial.case)
        for fault in [FAULTS[name] for name in benches]:
            if trial.case.kind not in fault.kinds or steps < fault.shows_from:
                continue
            budget -= steps + OVERHEAD
            if budget < 0:
                left = [FAULTS[name] for name in benches]
                settled = [f for f in left if not kinds & set(f.kinds)]
                return Blind(settled, [f for f in left if f not in settled])
            if any(run_check(check, benches[fault.name]).verdict is Verdict.FAILED for check in trial.checks):
                del benches[fault.name]
    return Blind([FAULTS[name] for name in benches])


def unexposed(vectors: Iterable[Vector]) -> Blind:
    """Return the faults that none of these vectors exposes; their manifest says so, and nothing has to be run."""
    exposed = {fault for v in vectors for fault in v.exposes}
    return Blind([fault for name, fault in FAULTS.items() if name not in exposed])


def words(blind: Blind, command: str) -> str:
    """Say it in one line; `command` tells more. Nothing is said where nothing is hidden."""
    if not blind.unseen and not blind.undecided:
        return ""
    names = [fault.name for fault in blind.unseen]
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    open_ = f"; {len(blind.undecided)} more are not settled in two seconds" if blind.undecided else ""
    found = f"{len(names)} of {len(FAULTS)} catalogued faults could not have been seen by this run"
    return f"{found}{': ' if names else ''}{listed}{open_}; `{command}` tells them all"


def steps_of(case: Case) -> int:
    """Return T, the number of tokens drawn, or the number of steps of an optimiser."""
    if isinstance(case, RNNCase):
        return len(case.x)
    if isinstance(case, SampleCase):
        return len(case.uniforms)
    return len(next(iter(case.grads.values()))) if isinstance(case, OptimCase) else 1
