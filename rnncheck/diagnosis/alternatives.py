"""Compare with other right answers: the candidate may compute rightly what was not asked for.

An implementation that ignores h0 answers the case without h0; one with the transposed W_hh answers that of the
transposed matrix; one that takes the mean answers reduction="mean". Each alternative is a change of the case, of the
right answer to it, or of both, and is held against all that was seen of its kind. Conventions are alternatives too.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rnncheck.case import Case
from rnncheck.diagnosis.observation import Arrays, Observation, Seen, differ, of_first_call, right
from rnncheck.textbook import Textbook

__all__ = ["Alternative", "Ask", "true_of"]

Ask = Callable[[Case], Case]
Tell = Callable[[Case, Mapping[str, np.ndarray]], Arrays]


def as_asked(case: Case) -> Case:
    """Leave a question as it is."""
    return case


def as_answered(case: Case, trace: Mapping[str, np.ndarray]) -> Arrays:
    """Leave an answer as it is."""
    return trace


@dataclass(frozen=True)
class Alternative:
    """What the candidate does, said to its author, and what to change; `ask` and `tell` compute it."""

    kind: str
    what: str
    change: str
    ask: Ask = as_asked
    tell: Tell = as_answered
    convention: bool = False


def true_of(observed: Observation, alternatives: Iterator[Alternative]) -> Alternative | None:
    """Return the first alternative that equals the candidate on all probes of its kind."""
    for alternative in alternatives:
        seen = sorted(observed.of_kind(alternative.kind), key=lambda s: not s.wrong)
        if seen and seen[0].wrong and all(_equals(alternative, s) for s in seen):
            return alternative
    return None


def _equals(alternative: Alternative, s: Seen) -> bool:
    try:
        with np.errstate(all="ignore"):
            trace = _first_call(s) if alternative.ask is as_asked else Textbook().run(alternative.ask(s.probe.case))
            arrays = dict(alternative.tell(s.probe.case, trace))
    except (ValueError, IndexError, FloatingPointError):  # a question that makes no sense for this case
        return False
    again = {f"second.{name}": array for name, array in arrays.items()} if s.probe.twice else {}
    return not s.raised and not differ(s.arrays, dict(right(s.probe)) | arrays | again)


def _first_call(s: Seen) -> Arrays:
    """Return the right Trace of a probe."""
    return {n: a for n, a in right(s.probe).items() if of_first_call(n)}
