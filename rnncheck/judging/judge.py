"""The verdict on one Trace: compare, then look twice where the first look cannot be the last word.

- Agreement within the bare fallback rule is agreement, whatever the case amplifies. What exceeds it is judged by the
  rule with its gate, which costs four runs of the oracle.
- A failure by the fallback rule that is not gross is *confirmed*: noise runs measure what rounding may do in this very
  case, and their verdict stands. The fallback is cheap and nearly always enough; it alone never blames anybody.
  Noise is dear, and a wrong program fails nearly everywhere: a few runs come first, and settle what lies so far
  beyond that no more runs could acquit it.
- An array that no scale can judge (chaos, lost digits) is held against its own *trace residual*: whether it follows
  from the candidate's own earlier values. It may fail there; otherwise it counts as not comparable.
"""

from dataclasses import replace

from rnncheck.case import Case, RNNCase
from rnncheck.judging.compare import Answer, compare
from rnncheck.judging.residual import residual
from rnncheck.judging.tolerance import Finding, unit_roundoff
from rnncheck.result import Comparison, Verdict
from rnncheck.trace import Trace

__all__ = ["FAR", "GROSS", "judge"]

GROSS = 2.0**-10
"""An error of this share of an array's largest value needs no confirmation: rounding does not go so far behind the
gate of the fallback."""

FAR = 64.0
"""Allowances of a rough scale. The root mean square of four normal numbers comes out so many times too small once in
ten million, and correct code is not even near one allowance."""


def judge(case: Case, trace: Trace, answer: Answer) -> list[Comparison]:
    """Compare every array in dataflow order and return what stands after a second look."""
    found = compare(case, trace, answer)
    if answer.gated is not None and any(c.verdict is Verdict.FAILED for c in found):
        found = compare(case, trace, answer._replace(tolerance=answer.gated()))
    if answer.confirm is not None and any(_doubtful(c, case) for c in found):
        found = _by_noise(case, trace, answer, found)
    if isinstance(case, RNNCase) and any(c.verdict is Verdict.NOT_COMPARABLE for c in found):
        found = _by_residual(case, trace, found)
    return found


def _doubtful(c: Comparison, case: Case) -> bool:
    return c.verdict is Verdict.FAILED and c.rule != "form" and c.error * unit_roundoff(case.dtype) <= GROSS


def _by_noise(case: Case, trace: Trace, answer: Answer, found: list[Comparison]) -> list[Comparison]:
    """Judge what is doubtful by noise: by few runs where every such array lies far beyond them, else by all."""
    assert answer.confirm is not None
    doubtful = {c.array for c in found if _doubtful(c, case)}
    looked: list[Comparison] = []
    if answer.rough is not None:
        looked = compare(case, trace, answer._replace(tolerance=answer.rough()))
    if not looked or not all(_far_beyond(c) for c in looked if c.array in doubtful):
        looked = compare(case, trace, answer._replace(tolerance=answer.confirm()))
    precise = {c.array: c for c in looked}
    return [precise[c.array] if c.array in doubtful else c for c in found]


def _far_beyond(c: Comparison) -> bool:
    return c.verdict is Verdict.FAILED and c.margin > FAR


def _by_residual(case: RNNCase, trace: Trace, found: list[Comparison]) -> list[Comparison]:
    """Judge what is not comparable by the candidate's own earlier values; a form that is wrong leaves none to use."""
    if any(c.rule == "form" for c in found):
        return found
    residuals = residual(case, trace)
    return [_second_look(c, residuals.get(c.array, "")) if c.verdict is Verdict.NOT_COMPARABLE else c for c in found]


def _second_look(c: Comparison, found: Finding | str) -> Comparison:
    if isinstance(found, str):
        return replace(c, reason=f"{c.reason}; {found}".rstrip("; "))
    if found.error <= found.limit:
        share = f"{found.error:.2g} of {found.limit:g}"
        return replace(c, reason=f"{c.reason}; follows from its own earlier values ({share})")
    return Comparison(c.array, Verdict.FAILED, found.error, found.limit, found.rule, index=found.index)
