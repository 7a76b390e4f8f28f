"""What a run of the judge found: Comparison, Outcome, Report. Renderers under `report/` read these and nothing else."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnncheck.diagnosis.finding import Diagnosis

__all__ = ["Comparison", "Outcome", "Report", "Scope", "Verdict"]


class Verdict(StrEnum):
    """How a comparison or a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_COMPARABLE = "not comparable"
    NOT_SHOWN = "not shown"
    EXPECTED_FAILURE = "expected failure"


@dataclass(frozen=True)
class Comparison:
    """One array (or one time step of it) against the oracle: `error` in units of its scale, of `limit` allowed."""

    array: str
    verdict: Verdict
    error: float = 0.0
    limit: float = 1.0
    rule: str = ""
    step: int | None = None
    index: tuple[int, ...] = ()
    candidate: float | None = None
    reference: float | None = None
    reason: str = ""

    @property
    def margin(self) -> float:
        """Error over allowance: above 1 is a failure, infinite where nothing but the exact value is allowed."""
        if self.error == 0.0:
            return 0.0
        return math.inf if math.isnan(self.error) or self.limit == 0.0 else self.error / self.limit

    @property
    def used(self) -> str:
        """Say the margin in words: `exact`, `0.08 of its allowance`, `2.9e+14 times its allowance`."""
        if self.margin == 0.0:
            return "exact"
        if math.isinf(self.margin):
            return "beyond any allowance"
        return f"{self.margin:.2g} {'times' if self.margin > 1.0 else 'of'} its allowance"

    def __str__(self) -> str:
        """Say it in one line: array, place, how far off by which rule, both values; or the reason."""
        place = f"{list(self.index)}" if self.index else ""
        place += "" if self.step is None else f" at step {self.step + 1}"
        if self.reason:
            return f"{self.array}{place}: {self.reason}"
        values = "" if self.candidate is None else f", candidate {self.candidate!r}, reference {self.reference!r}"
        return f"{self.array}{place}: {self.used} ({self.rule}){values}"


@dataclass(frozen=True)
class Outcome:
    """One check on one case: its verdict and the worst comparison of every array, in dataflow order.

    `compared` counts the arrays held against the oracle. Outcomes with the same `flow` look at one Trace, in dataflow
    order: the first that fails is the cause, the others are its consequences. `smallest` holds the sizes of the
    smallest case that was found to show a failure.
    """

    check: str
    family: str
    verdict: Verdict
    comparisons: tuple[Comparison, ...] = ()
    message: str = ""
    reproduce: str = ""
    seconds: float = 0.0
    compared: int = 0
    flow: str = ""
    smallest: Mapping[str, int] = field(default_factory=dict)

    @property
    def worst(self) -> Comparison | None:
        """The comparison with the largest margin."""
        judged = [c for c in self.comparisons if c.verdict in (Verdict.PASSED, Verdict.FAILED)]
        return max(judged, key=lambda c: c.margin, default=None)

    @property
    def earliest(self) -> Comparison | None:
        """The first wrong array in dataflow order: where the fault lies."""
        return next((c for c in self.comparisons if c.verdict is Verdict.FAILED), None)


@dataclass(frozen=True)
class Scope:
    """Which part of a target was judged, and which was not: a verdict says nothing of the latter.

    `judged` is what was called, `not_judged` what goes back through time too and was not, `not_shown` what was asked
    and never answered: a family of checks, or the gradient of a parameter.
    """

    judged: str = ""
    not_judged: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()


@dataclass
class Report:
    """All outcomes of a run, and whether they are as many as were planned."""

    implementation: str
    oracle: str
    planned: int
    seed: int
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    diagnosis: "Diagnosis | None" = None
    scope: Scope = Scope()

    def count(self, verdict: Verdict, outcomes: Iterable[Outcome] | None = None) -> int:
        """Count the outcomes with this verdict."""
        return sum(o.verdict is verdict for o in (self.outcomes if outcomes is None else outcomes))

    @property
    def run(self) -> int:
        """The number of checks that ran to a verdict, whichever it was."""
        return len(self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether every planned check ran, each exactly once."""
        names = Counter(o.check for o in self.outcomes)
        return self.run == self.planned > 0 and max(names.values()) == 1

    @property
    def families(self) -> dict[str, list[Outcome]]:
        """The outcomes by family, families in the order in which they first appear."""
        found: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            found.setdefault(outcome.family, []).append(outcome)
        return found

    @property
    def failures(self) -> list[tuple[Outcome, list[Outcome]]]:
        """Every failed check that is a cause, with the failed checks that are its consequences."""
        found: dict[str, tuple[Outcome, list[Outcome]]] = {}
        for outcome in self.outcomes:
            key = outcome.flow or outcome.check
            if outcome.verdict is Verdict.FAILED and key in found:
                found[key][1].append(outcome)
            elif outcome.verdict is Verdict.FAILED:
                found[key] = outcome, []
        return list(found.values())

    @property
    def worst(self) -> dict[str, Comparison]:
        """The largest margin seen for every array."""
        found: dict[str, Comparison] = {}
        for outcome in self.outcomes:
            for c in outcome.comparisons:
                judged = c.verdict in (Verdict.PASSED, Verdict.FAILED)
                if judged and (c.array not in found or c.margin > found[c.array].margin):
                    found[c.array] = c
        return found

    def _repr_html_(self) -> str:
        """Show the report in a notebook."""
        from rnncheck.notebook import table

        return table(self)

    @property
    def crash(self) -> str:
        """How it ended where every check that was asked ended so, and nothing was compared; empty otherwise."""
        asked = [o for o in self.outcomes if o.verdict is not Verdict.NOT_SHOWN]
        if not asked or any(o.verdict is not Verdict.FAILED or o.comparisons for o in asked):
            return ""
        return asked[0].message

    @property
    def exit_code(self) -> int:
        """0 agree, 1 differ, 2 could not run as planned, 3 nothing comparable (or more than 5 % not comparable)."""
        if self.count(Verdict.FAILED):
            return 2 if self.crash else 1
        if not self.complete:
            return 2
        judged = self.count(Verdict.PASSED)
        not_comparable = self.count(Verdict.NOT_COMPARABLE)
        return 3 if judged == 0 or not_comparable > 0.05 * (judged + not_comparable) else 0
