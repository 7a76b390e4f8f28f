"""Check what a reader has written, array by array, by the stored answers: it needs no torch, and takes a blink.

    from rnncheck.lesson import check

    def run(case):
        ...
        return {"h": h, "logits": logits}

    check(run, "h", "logits")

A lesson writes a network bit by bit, so a Trace may be as partial as it likes: `check` looks at the arrays it names.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from rnncheck.case import Case, RNNCase
from rnncheck.errors import TraceMismatch
from rnncheck.judging.judge import judge
from rnncheck.result import Comparison, Verdict
from rnncheck.shipped import shipped
from rnncheck.trace import Trace, expected_arrays
from rnncheck.vectors import Vector, read_vectors

__all__ = ["Judged", "Looked", "check", "is_plain", "judge_all", "look", "vectors"]

SHOWN = 12
"""So many arrays get a line of their own: those of a network."""

Run = Callable[[Any], Trace]


@cache
def vectors() -> tuple[Vector, ...]:
    """Read the stored cases with their answers, once."""
    return tuple(read_vectors(shipped("vectors/v1")))


def is_plain(case: Case) -> bool:
    """Tell whether a case is what a first network can do: token ids, tanh, biases, the loss summed, full BPTT."""
    return (
        isinstance(case, RNNCase)
        and case.x.ndim == 2
        and (case.nonlinearity, case.reduction, case.bptt) == ("tanh", "sum", "full")
        and "b_h" in case.params
        and bool((case.y != case.ignore_index).all())
    )


@dataclass(frozen=True)
class Looked:
    """What was seen of one array over many cases: where it is wrong first, or else its largest margin."""

    array: str
    cases: int
    worst: Comparison
    case: Case

    @property
    def passed(self) -> bool:
        """Whether the array is right in every case."""
        return self.worst.verdict is Verdict.PASSED

    def __str__(self) -> str:
        """Say it in one line."""
        if self.passed:
            return f"✓ {self.array:8} {self.cases} cases, at most {self.worst.margin:.2f} of the allowance"
        return f"✗ {self.array:8} {self.case.name}: {self.worst}"


Judged = tuple[Case, list[Comparison]]


def judge_all(run: Run, chosen: Iterable[Vector]) -> list[Judged]:
    """Run every case on a copy of it, and judge what comes back."""
    return [(v.case, judge(v.case, run(v.case.copy()), v.answer())) for v in chosen]


def look(judged: Iterable[Judged], arrays: Sequence[str]) -> list[Looked]:
    """Return what was seen of each array, in the order of `arrays`."""
    found: dict[str, Looked] = {}
    for case, c in ((case, c) for case, compared in judged for c in compared if c.array in arrays):
        before = found.get(c.array)
        if before is None:
            found[c.array] = Looked(c.array, 1, c, case)
        elif _badness(c) > _badness(before.worst):
            found[c.array] = Looked(c.array, before.cases + 1, c, case)
        else:
            found[c.array] = replace(before, cases=before.cases + 1)
    return [found[name] for name in arrays if name in found]


def check(run: Run, *arrays: str, where: Callable[[Any], bool] = is_plain) -> None:
    """Judge `arrays` of what `run` returns on every stored case that `where` admits, and print a line for each.

    Raises
    ------
    TraceMismatch
        If an array is wrong or missing: it names the first one in dataflow order.
    ValueError
        If nothing was compared: a check that has seen nothing has not passed.
    """
    chosen = [v for v in vectors() if where(v.case)]
    wanted = arrays or tuple(dict.fromkeys(name for v in chosen for name in expected_arrays(v.case)))
    found = look(judge_all(run, chosen), wanted)
    missing = set(wanted) - {one.array for one in found}
    if missing or not found:
        lost = ", ".join(sorted(missing)) or "any array"
        raise ValueError(f"no stored case that was chosen has {lost}: choose other arrays or cases")
    wrong = [one for one in found if not one.passed]
    if wrong:
        print(*wrong[:SHOWN], *([f"and {len(wrong) - SHOWN} more"] if wrong[SHOWN:] else []), sep="\n")
        first = wrong[0]
        raise TraceMismatch(
            f"{len(wrong)} of {len(found)} arrays wrong: {first.array} at {first.case.name}, {first.worst}"
        )
    if len(found) <= SHOWN:
        print(*found, sep="\n")
    largest = max(found, key=lambda one: one.worst.margin)
    print(f"all {len(found)} right, at most {largest.worst.margin:.2f} of the allowance ({largest.array})")


def _badness(c: Comparison) -> tuple[int, float]:
    """Order comparisons: passed by their margin, then not there, then wrong, of which the first one stays."""
    if c.verdict is Verdict.PASSED:
        return 0, c.margin
    return {Verdict.NOT_COMPARABLE: 1, Verdict.NOT_SHOWN: 2, Verdict.FAILED: 3}[c.verdict], 0.0
