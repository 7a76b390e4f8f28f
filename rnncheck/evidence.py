"""What a failed run looks like in full: the wrong array beside the right one, and the error step by step.

A Report holds the worst place of every array; a picture needs the rest, so the case in question runs once more.
"""

from dataclasses import dataclass, field

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.cases.shrink import right_trace, shrink
from rnncheck.check import Inquiry
from rnncheck.checks.check import Bench
from rnncheck.result import Report
from rnncheck.trace import TIMED

__all__ = ["Evidence", "gather", "smallest"]

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Evidence:
    """The first wrong array of the first failed check, and how the error of every array grows over time.

    `over_time` holds, for the longest case that failed, the largest error of each step over the largest right value.
    `steps` and `longest_steps` number the steps, from 1: of a long case the stored answer holds some only.
    """

    case: Case
    array: str
    candidate: np.ndarray
    reference: np.ndarray
    steps: tuple[int, ...] = ()
    longest: str = ""
    longest_steps: tuple[int, ...] = ()
    over_time: Arrays = field(default_factory=dict)


def gather(inquiry: Inquiry, report: Report) -> Evidence | None:
    """Run the failed cases again; None where no failure can be drawn, say because the target gave no answer."""
    failed = {o.check: o for o, _ in report.failures if o.earliest is not None}
    asked = [(c, bench) for c, bench in inquiry.planned.checks if c.name in failed and c.source is not None]
    for check, bench in asked:
        case = check.source.make()  # type: ignore[union-attr]
        earliest = failed[check.name].earliest
        array = earliest.array if earliest is not None else ""
        pairs = _pairs(case, bench)
        if array in pairs and isinstance(case, RNNCase):
            longest = max((c.source.make() for c, _ in asked if c.source), key=lambda c: len(c.arrays().get("x", "")))
            over_time = _over_time(_pairs(longest, bench))
            steps, longest_steps = _steps(case, bench), _steps(longest, bench)
            return Evidence(case, array, *pairs[array], steps, longest.name, longest_steps, over_time)
    return None


def smallest(inquiry: Inquiry, report: Report) -> tuple[RNNCase, str, np.ndarray] | None:
    """Shrink the first failure: the case, the first wrong array and what is right of it; None if there is none."""
    evidence = gather(inquiry, report)
    if evidence is None or not isinstance(evidence.case, RNNCase):
        return None
    case = shrink(inquiry.target, evidence.case, evidence.array)
    return case, evidence.array, np.asarray(right_trace(case)[evidence.array])


def _pairs(case: Case, bench: Bench) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the arrays of the candidate beside those of the oracle, at the steps that the oracle knows."""
    try:
        trace = bench.run(case)
    except Exception:  # it has failed before, and may fail in another way now
        return {}
    answer = bench.ask_oracle(case)
    found = {}
    for name, reference in answer.trace.items():
        candidate = np.asarray(trace[name]) if name in trace else np.empty(0)
        if answer.steps is not None and name in TIMED and len(candidate) > max(answer.steps):
            candidate = candidate[list(answer.steps)]
        if candidate.shape == reference.shape and candidate.dtype.kind == reference.dtype.kind == "f":
            found[name] = candidate, reference
    return found


def _steps(case: Case, bench: Bench) -> tuple[int, ...]:
    """Return the numbers of the time steps that the oracle knows, from 1."""
    steps = bench.ask_oracle(case).steps
    return tuple(step + 1 for step in (range(len(case.arrays().get("x", ()))) if steps is None else steps))


def _over_time(pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> Arrays:
    found = {}
    for name, (candidate, reference) in pairs.items():
        if name in TIMED:
            error = np.abs(candidate - reference).reshape(len(reference), -1).max(axis=1)
            found[name] = error / max(float(np.abs(reference).max()), np.finfo(float).tiny)
    return found
