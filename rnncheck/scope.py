"""What a green verdict on a file does not cover: what the calls do not reach, what was asked and never shown."""

from collections.abc import Iterable, Sequence

from rnncheck.checks.passes import FAMILIES
from rnncheck.result import Outcome, Report, Scope, Verdict
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.describe import called

__all__ = ["scope_of"]

ASKED = ("forward", "gradients")
"""Other families may be missing: few networks show the gradients of nodes and of inputs, and the rest would show."""


def scope_of(report: Report, adapter: Adapter | None) -> Scope:
    """Tell what of a target `report` is about; without an adapter, every parameter is taken for its own."""
    not_shown = [name for family in ASKED for name in _not_shown(family, report.families.get(family, []))]
    if adapter is None:
        return Scope(not_shown=(*not_shown, *_unanswered(report.families.get("forward", []))))
    own = {*ASKED, *(f"d{role}" for role in adapter.roles)}
    return Scope(called(adapter), tuple(adapter.uncalled), tuple(name for name in not_shown if name in own))


def _unanswered(forward: Sequence[Outcome]) -> list[str]:
    """Count the cases to which nothing came back where others were answered: results may end in the middle."""
    silent = sum(outcome.verdict is Verdict.NOT_SHOWN for outcome in forward)
    return [f"{silent} of {len(forward)} cases"] if 0 < silent < len(forward) else []


def _not_shown(family: str, outcomes: Iterable[Outcome]) -> list[str]:
    """Return the family where nothing of it was shown, else the gradients that never were."""
    seen = [c for outcome in outcomes for c in outcome.comparisons]
    shown = {c.array for c in seen if c.verdict is not Verdict.NOT_SHOWN}
    if seen and not shown:
        return [family]
    return [array for array in FAMILIES[family] if array in {c.array for c in seen} - shown and array[0] == "d"]
