"""The smallest case of every failure of a target, by its sizes: looked for once for each kind of failure.

Shrinking runs the target some more, so there is a limit on it, counted in runs and not in seconds: the same target
gives the same report on a slow machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rnncheck.case import Case, RNNCase
from rnncheck.cases.shrink import reduce, right_answer, shrink
from rnncheck.checks.check import Bench, Check, run_check
from rnncheck.implementation import Implementation
from rnncheck.judging.compare import Answer
from rnncheck.protocol.files import ResultsImplementation
from rnncheck.result import Outcome, Verdict

__all__ = ["Smallest"]

MOST_KINDS = 4
"""Kinds of failures that are made smaller; of a target with more, the others are named with the case that failed."""
DIED = ("no answer", "not asked", "it was ended", "it has been started")


class Right:
    """The textbook as the oracle of cases that nobody has seen before."""

    name = "the textbook"

    def answer(self, case: Case) -> Answer:
        """Work the case out."""
        assert isinstance(case, RNNCase)
        return right_answer(case)


@dataclass
class Smallest:
    """What was found for one target, by the kind of failure: the question and the first wrong array."""

    target: Implementation
    found: dict[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)

    def of(self, check: Check, outcome: Outcome) -> Mapping[str, int]:
        """Return the sizes of the smallest case that fails as `check` has failed; nothing where it has no sizes."""
        if outcome.verdict is not Verdict.FAILED or check.about is None or check.again is None:
            return {}
        kind = check.name.partition("[")[0], _first(outcome)
        if kind not in self.found:
            case = check.about.make()
            if not isinstance(case, RNNCase):
                return {}
            if len(self.found) >= MOST_KINDS or isinstance(self.target, ResultsImplementation):
                return case.sizes
            self.found[kind] = self._search(check, outcome, case)
        return self.found[kind]

    def _search(self, check: Check, outcome: Outcome, case: RNNCase) -> Mapping[str, int]:
        """Make the case smaller; what has ended the target, or hung it, is asked no more."""
        if outcome.message.startswith(DIED):
            return case.sizes
        if check.source is not None and outcome.earliest is not None:
            return shrink(self.target, case, outcome.earliest.array).sizes
        alive = True

        def fails(smaller: RNNCase) -> bool:
            nonlocal alive
            assert check.again is not None
            again = run_check(check.again(smaller), Bench(self.target, Right())) if alive else outcome
            alive = alive and not again.message.startswith(DIED)
            return alive and again.verdict is Verdict.FAILED and _first(again) == _first(outcome)

        return reduce(case, fails).sizes


def _first(outcome: Outcome) -> str:
    """Return the first wrong array, or what was raised."""
    return outcome.message.partition(":")[0] if outcome.earliest is None else outcome.earliest.array
