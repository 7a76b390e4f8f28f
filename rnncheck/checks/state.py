"""What an implementation leaves behind: these checks need no oracle.

Two equal calls give equal results, and a call in between changes nothing; the arrays of the case are not written to;
what is returned shares memory neither with the case nor with itself; no h0 means an h0 of zeros. Results are equal if
they differ by rounding only: code that sums over a set, or in threads, sums in another order each time. Ours does not,
and is held to every bit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.checks.check import Bench, Check, Source, failed, passed
from rnncheck.errors import NotShownError
from rnncheck.judging.tolerance import PeakRule
from rnncheck.result import Comparison
from rnncheck.trace import TIMED, Trace

__all__ = ["state_checks"]

Alike = Callable[[str, np.ndarray, np.ndarray], bool]
"""Whether two arrays of a name are equal."""


def state_checks(cases: Sequence[Case], exact: bool = False) -> Iterator[Check]:
    """Plan every question about state for every case; `other` runs between the two calls of the same case.

    `exact` asks for equal bits where results are to be equal.
    """
    alike = _same if exact else _alike
    questions: dict[str, Callable[[Bench, Case, Case], list[Comparison]]] = {
        "repeatable": partial(_repeatable, alike),
        "inputs-unmodified": _inputs_unmodified,
        "no-alias": _no_alias,
    }
    for case, other in zip(cases, [*cases[1:], *cases[:1]], strict=True):
        for question, ask in questions.items():
            yield _check(question, case, other, ask)
        if isinstance(case, RNNCase) and case.h0 is None:
            yield _check("h0-none-is-zeros", case, other, partial(_h0_none_is_zeros, alike))


def _check(question: str, case: Case, other: Case, ask: Callable[[Bench, Case, Case], list[Comparison]]) -> Check:
    name = f"state-{question}[{case.name}]"
    again = lambda smaller: _check(question, smaller, other, ask)  # noqa: E731 - it is the same, for another case
    return Check(name, "state", lambda bench: ask(bench, case, other), about=Source.of(case), again=again)


def _repeatable(alike: Alike, bench: Bench, case: Case, other: Case) -> list[Comparison]:
    """Ask twice with another case in between. The first result is copied: it may not be written into later either."""
    first = bench.run(case)
    kept = {name: np.array(array) for name, array in first.items()}
    bench.run(other)
    overwritten = [name for name, array in first.items() if not _same(name, kept[name], array)]
    leak = "differs between two equal calls: state leaks from call to call"
    return _equal(alike, kept, bench.run(case), "two equal calls", leak) + [
        failed(name, "two equal calls", "was overwritten by a later call: a buffer is shared between calls")
        for name in overwritten
    ]


def _inputs_unmodified(bench: Bench, case: Case, _other: Case) -> list[Comparison]:
    _refuse_apart(bench)
    given = case.copy()
    bench.implementation.run(given)
    before, after = case.arrays(), given.arrays()
    return [
        passed(name, "inputs unmodified")
        if _same(name, array, after[name])
        else failed(name, "inputs unmodified", "was modified in place: work on a copy")
        for name, array in before.items()
    ]


def _no_alias(bench: Bench, case: Case, _other: Case) -> list[Comparison]:
    _refuse_apart(bench)
    given = case.copy()
    shown = bench.implementation.run(given)
    trace = {name: np.asarray(array) for name, array in shown.items()}
    inputs = given.arrays()
    found = dict.fromkeys(trace, "")
    for name, other in getattr(shown, "shared", ()):  # seen in the process of its own in which the target runs
        found[name] = f"shares memory with {other}: return a copy"
    for name, array in trace.items():
        for source, input_array in inputs.items():
            if np.may_share_memory(array, input_array) and np.shares_memory(array, input_array):
                found[name] = f"shares memory with the input {source}: return a copy"
    for one, two in combinations(trace, 2):
        if np.may_share_memory(trace[one], trace[two]) and np.shares_memory(trace[one], trace[two]):
            found[two] = f"shares memory with {one}: writing to one changes the other"
    return [failed(n, "no alias", why) if why else passed(n, "no alias") for n, why in found.items()]


def _refuse_apart(bench: Bench) -> None:
    """Ask nothing about memory of what runs in another: the answer would always be the right one."""
    if getattr(bench.implementation, "apart", False):
        raise NotShownError("a program of its own shares no memory with its caller: there is nothing to see")


def _h0_none_is_zeros(alike: Alike, bench: Bench, case: Case, _other: Case) -> list[Comparison]:
    assert isinstance(case, RNNCase)
    (_, B), H = case.x.shape[:2], case.params["W_hh"].shape[0]
    zeros = replace(case, h0=np.zeros((B, H), case.dtype))
    return _equal(alike, bench.run(case), bench.run(zeros), "h0", "differs between h0 left out and h0 = 0")


def _equal(alike: Alike, one: Trace, two: Trace, rule: str, why: str) -> list[Comparison]:
    if not one:
        raise NotShownError("no array is shown")
    return [passed(n, rule) if n in two and alike(n, one[n], two[n]) else failed(n, rule, why) for n in one]


def _alike(name: str, one: np.ndarray, two: np.ndarray) -> bool:
    """Compare but for rounding, step by step; what is no finite number, bit for bit."""
    if _same(name, one, two):
        return True
    same_form = one.shape == two.shape and one.dtype == two.dtype
    if not (same_form and one.dtype.kind == "f" and np.isfinite([one, two]).all()):
        return False
    found = PeakRule(one.dtype, timed=name in TIMED and one.ndim > 0).judge(two, one)
    return found.error <= found.limit


def _same(_name: str, one: np.ndarray, two: np.ndarray) -> bool:
    """Compare bit for bit, with NaN equal to NaN."""
    return np.array_equal(one, two, equal_nan=np.asarray(one).dtype.kind == "f")
