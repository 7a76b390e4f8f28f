"""How much a report tells: a report for learners withholds what they are to find out.

0  that something is wrong
1  which checks fail, and the first wrong array
2  also where in the array, what follows from it, and the mistake in words
3  everything: values, the cure, the right line

Below 3 no right value is left in the report, so none can be in whatever is rendered from it.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from rnncheck.result import Comparison, Outcome, Report, Verdict

if TYPE_CHECKING:
    from rnncheck.diagnosis.finding import Diagnosis

__all__ = ["ALL", "withhold"]

ALL = 3
WRONG = "differs from the right one"


def withhold(report: Report, level: int) -> Report:
    """Return what of `report` may be told at `level`."""
    if level >= ALL:
        return report
    return replace(
        report,
        outcomes=[_outcome(o, number, level) for number, o in enumerate(report.outcomes, start=1)],
        notes=report.notes if level else [note for note in report.notes if not note.startswith("with logits")],
        settings=report.settings | {"hints": level},
        diagnosis=_diagnosis(report.diagnosis) if level == 2 and report.diagnosis is not None else None,
    )


def _outcome(outcome: Outcome, number: int, level: int) -> Outcome:
    if level == 0:
        anonymous = replace(outcome, check=f"check {number}", family="all", flow="", comparisons=(), message="")
        return replace(anonymous, reproduce="", smallest={})
    kept = outcome.comparisons if level == 2 else _first(outcome)
    told = tuple(_comparison(c, level) for c in kept)
    return replace(outcome, comparisons=told, reproduce=f"{outcome.reproduce} --hints {level}")


def _first(outcome: Outcome) -> tuple[Comparison, ...]:
    return (outcome.earliest,) if outcome.earliest is not None else outcome.comparisons


def _comparison(c: Comparison, level: int) -> Comparison:
    """Take the values out, and of a wrong array also by how much it is wrong: with its scale, that gives them away."""
    if c.verdict is not Verdict.FAILED:
        return replace(c, candidate=None, reference=None)
    reason = c.reason if level == 2 and c.reference is None and c.reason else WRONG
    place = {"step": c.step, "index": c.index} if level == 2 else {"step": None, "index": ()}
    hidden = replace(c, candidate=None, reference=None, error=float("inf"), limit=1.0, reason=reason)
    return replace(hidden, **place)


def _diagnosis(found: "Diagnosis") -> "Diagnosis":
    """Name the mistake, not its cure."""
    told = {"change": "", "evidence": "not told at this level", "name": "", "same_as": ()}
    return replace(found, causes=tuple(replace(c, **told) for c in found.causes), hidden=())  # type: ignore[arg-type]
