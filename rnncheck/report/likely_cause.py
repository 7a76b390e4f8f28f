"""A diagnosis in words: what is wrong, where it begins, how that is known, what to change, what follows from it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnncheck.diagnosis.finding import Cause, Diagnosis

__all__ = ["likely_cause"]

LISTED = 10


def likely_cause(found: "Diagnosis") -> list[str]:
    """Return the lines of a report that explain a failure; the first is their title."""
    return [_title(found), *_body(found)]


def _title(found: "Diagnosis") -> str:
    if found.verdict == "correct":
        return "likely cause: none, nothing is wrong in any probe"
    if found.verdict == "different convention":
        return "likely cause: a different convention, not a bug"
    if found.verdict == "named":
        return "likely cause:" if len(found.causes) < 2 else f"likely causes, {len(found.causes)} together:"
    return "likely cause: unknown" + (", in part:" if found.causes else "")


def _body(found: "Diagnosis") -> Iterator[str]:
    if found.earliest:
        yield f"first wrong: {found.earliest}{_steps(found.steps)}, {found.where}".rstrip(", ")
    for cause in found.causes:
        yield from _cause(cause)
    yield from found.located
    if found.consequences:
        yield f"consequences: {_listed(found.consequences)}"
    if found.unexplained and found.causes:
        yield f"not explained by this: {_listed(found.unexplained)}"
    if found.hidden:
        yield f"could hide behind it: {_listed(found.hidden)}; correct it, and check again"


def _cause(cause: "Cause") -> Iterator[str]:
    name = f" ({cause.name}: `rnncheck explain {cause.name}`)" if cause.name else ""
    yield f"{cause.what}{name}"
    if cause.same_as:
        yield f"    or, with the same results: {'; '.join(cause.same_as)}"
    yield f"    known from: {cause.evidence}"
    if cause.change:
        yield f"    change: {cause.change}"


def _steps(steps: Sequence[int]) -> str:
    if not steps:
        return ""
    if len(steps) > 3 and list(steps) == list(range(steps[0], steps[-1] + 1)):
        return f" at steps {steps[0]} to {steps[-1]}"
    return f" at step{'s' if len(steps) > 1 else ''} {_listed([str(s) for s in steps])}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
