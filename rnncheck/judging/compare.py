"""Trace against Trace: shape, dtype and finiteness first, then numbers, each array by the rule that is its own."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rnncheck.case import Case
from rnncheck.errors import TraceMismatch
from rnncheck.judging.tolerance import Finding, NotComparable, Tolerance, worst_place
from rnncheck.result import Comparison, Verdict
from rnncheck.trace import TIMED, Trace, expected_arrays

__all__ = ["Answer", "assert_agrees", "compare"]


class Answer(NamedTuple):
    """What the oracle says to a case: its Trace, how far rounding may lead away from it, and for which time steps.

    `steps` is None where the arrays with a time axis hold every step; a stored vector of a long case holds a few.
    `gated` measures which arrays the tolerance can judge at all, and `confirm` a more precise one: a failure by a
    tolerance that can be confirmed is no proof. `rough` is that one measured by few runs: proof of what lies far
    beyond it, and of nothing else.
    """

    trace: Trace
    tolerance: Tolerance
    steps: Sequence[int] | None = None
    gated: Callable[[], Tolerance] | None = None
    rough: Callable[[], Tolerance] | None = None
    confirm: Callable[[], Tolerance] | None = None


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
    reference = np.asarray(answer.trace[name])
    steps = answer.steps if name in TIMED else None
    shape = reference.shape if steps is None else (_length(case), *reference.shape[1:])
    wrong = _judge_form(case, candidate, shape, reference.dtype)
    if wrong:
        return Comparison(name, Verdict.FAILED, error=np.inf, rule="form", reason=wrong)
    candidate = np.asarray(candidate)
    return _judge_numbers(name, candidate if steps is None else candidate[list(steps)], reference, answer)


def _judge_form(case: Case, candidate: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> str:
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
        return f"is {candidate[at]}{f' at {list(at)}' if at else ''}, expected finite numbers"
    return ""


def _judge_numbers(name: str, candidate: np.ndarray, reference: np.ndarray, answer: Answer) -> Comparison:
    rule = answer.tolerance.rule(name) if reference.dtype.kind == "f" else Equal()
    if isinstance(rule, NotComparable):
        return Comparison(name, Verdict.NOT_COMPARABLE, reason=rule.reason)
    found = rule.judge(candidate, reference)
    step = found.index[0] if name in TIMED else None
    return Comparison(
        name,
        Verdict.PASSED if found.error <= found.limit else Verdict.FAILED,
        error=found.error,
        limit=found.limit,
        rule=found.rule,
        step=step if step is None or answer.steps is None else answer.steps[step],
        index=found.index if step is None else found.index[1:],
        candidate=float(candidate[found.index]),
        reference=float(reference[found.index]),
    )


class Equal:
    """The rule for integers: decisions such as sampled tokens agree or do not."""

    def judge(self, candidate: np.ndarray, reference: np.ndarray) -> Finding:
        """Return the first place that differs, an infinite error away."""
        units = np.where(candidate == reference, 0.0, np.inf)
        return Finding(float(units.max()), 1.0, "equal", worst_place(units))


def _length(case: Case) -> int:
    """T, where the stored steps are only some of it."""
    x = getattr(case, "x", None)
    assert x is not None, "only cases with inputs over time are stored in part"
    return len(x)
