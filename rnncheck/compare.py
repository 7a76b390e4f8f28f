"""Trace against Trace: shape, dtype and finiteness first, then numbers, time step by time step.

One array judged over all its steps at once dilutes: a 1 % error in the last dh_t hides behind the large values of
other steps. So an array with a time axis is judged step by step, and the worst step speaks for it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rnncheck.case import Case
from rnncheck.errors import TraceMismatch
from rnncheck.result import Comparison, Verdict
from rnncheck.tolerance import Finding, NotComparable, Tolerance
from rnncheck.trace import TIMED, Trace, expected_arrays

__all__ = ["Answer", "assert_agrees", "compare"]


class Answer(NamedTuple):
    """What the oracle says to a case: its Trace, how far rounding may lead away from it, and for which time steps.

    `steps` is None where the arrays with a time axis hold every step; a stored vector of a long case holds a few.
    """

    trace: Trace
    tolerance: Tolerance
    steps: Sequence[int] | None = None


def compare(case: Case, candidate: Trace, answer: Answer) -> list[Comparison]:
    """Compare every array that a complete Trace of `case` has, in dataflow order."""
    found = []
    for name in expected_arrays(case):
        if name not in answer.trace:
            found.append(Comparison(name, Verdict.NOT_SHOWN, reason="not shown by the oracle"))
        elif name not in candidate:
            found.append(Comparison(name, Verdict.NOT_SHOWN, reason="not shown by this implementation"))
        else:
            found.append(_compare_array(case, name, candidate[name], answer))
    return found


def assert_agrees(case: Case, candidate: Trace, answer: Answer) -> list[Comparison]:
    """Compare, and raise TraceMismatch naming the earliest wrong array if any differs."""
    found = compare(case, candidate, answer)
    wrong = [c for c in found if c.verdict is Verdict.FAILED]
    if wrong:
        rest = f"; consequences or further faults: {', '.join(c.array for c in wrong[1:])}" if wrong[1:] else ""
        raise TraceMismatch(f"case {case.name} (seed {case.seed}): {wrong[0]}{rest}")
    return found


def _compare_array(case: Case, name: str, candidate: np.ndarray, answer: Answer) -> Comparison:
    reference = answer.trace[name]
    timed = name in TIMED
    shape = reference.shape
    if timed and answer.steps is not None:
        shape = (_length(case), *reference.shape[1:])
    wrong = _judge_form(case, name, candidate, shape, reference.dtype)
    if wrong:
        return Comparison(name, Verdict.FAILED, error=np.inf, rule="form", reason=wrong)
    if not timed:
        return _judge_numbers(name, None, candidate, reference, answer.tolerance)
    steps = range(len(reference)) if answer.steps is None else answer.steps
    judged = [
        _judge_numbers(name, step, candidate[step], reference[row], answer.tolerance) for row, step in enumerate(steps)
    ]
    return _speak_for_all(judged)


def _judge_form(case: Case, name: str, candidate: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> str:
    """Return what is wrong with shape, dtype or finiteness; an empty string if nothing is."""
    if not isinstance(candidate, np.ndarray | np.generic):
        return f"is a {type(candidate).__name__}, expected a NumPy array of shape {shape}"
    if candidate.shape != shape:
        return f"has shape {candidate.shape}, expected {shape}"
    expected = case.dtype if dtype.kind == "f" else dtype
    if candidate.dtype.kind != expected.kind or (expected.kind == "f" and candidate.dtype != expected):
        return f"is {candidate.dtype}, expected {expected}: the case's dtype is kept throughout"
    if candidate.dtype.kind == "f" and not np.isfinite(candidate).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(candidate))[0])
        return f"is {candidate[at]} at {list(at)}, expected finite numbers"
    return ""


def _judge_numbers(
    name: str, step: int | None, candidate: np.ndarray, reference: np.ndarray, tolerance: Tolerance
) -> Comparison:
    if reference.dtype.kind != "f":
        rule = None
        error = np.asarray(candidate != reference)
        index = tuple(int(i) for i in np.argwhere(error)[0]) if error.any() else ()
        finding = Finding(np.inf if error.any() else 0.0, 1.0, index, "equal")
    else:
        rule = tolerance.rule(name, step)
        if isinstance(rule, NotComparable):
            return Comparison(name, Verdict.NOT_COMPARABLE, step=step, reason=rule.reason)
        finding = rule.judge(np.asarray(candidate), np.asarray(reference))
    agrees = finding.error <= finding.limit
    return Comparison(
        name,
        Verdict.PASSED if agrees else Verdict.FAILED,
        error=finding.error,
        limit=finding.limit,
        rule=finding.rule,
        step=step,
        index=finding.index,
        candidate=float(np.asarray(candidate)[finding.index]) if reference.size else None,
        reference=float(np.asarray(reference)[finding.index]) if reference.size else None,
    )


def _speak_for_all(steps: list[Comparison]) -> Comparison:
    """Return the worst step; a step that is not comparable speaks only where no step is."""
    judged = [c for c in steps if c.verdict is not Verdict.NOT_COMPARABLE]
    return max(judged, key=lambda c: c.margin) if judged else steps[0]


def _length(case: Case) -> int:
    """T, where the stored steps are only some of it."""
    x = getattr(case, "x", None)
    assert x is not None, "only cases with inputs over time are stored in part"
    return len(x)
