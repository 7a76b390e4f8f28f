"""Cases of equal shape, answered together: what one costs in calls of torch, all of them cost (`reference.many`).

Cases are made when they are asked for, and so are answers: with the first of a group come those of all that follow it
and have its shapes. Only one group is held at a time, so a sweep may be as long as one likes.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from rnncheck.case import Case, RNNCase
from rnncheck.checks.check import Source
from rnncheck.implementation import TorchLoop, rnn_options
from rnncheck.trace import Trace

__all__ = ["Alike"]

MOST = 64
"""So many cases at most run together."""


class Alike:
    """The loop oracle, for a list of cases of which neighbours are alike. Any other case runs alone."""

    name = TorchLoop.name

    def __init__(self, sources: Sequence[Source]):
        self._given = sources
        self._group: dict[int, tuple[Case, Trace | None]] = {}
        self._alone = TorchLoop()

    def sources(self) -> Iterator[Source]:
        """Yield the sources of the cases that are answered together, in the order of the list."""
        for number, source in enumerate(self._given):
            yield Source(source.name, partial(self._make, number))

    def run(self, case: Case) -> Trace:
        """Return the Trace that came with the group of `case`, or run it alone."""
        for member, trace in self._group.values():
            if member is case and trace is not None:  # a nudged copy has the same name
                return trace
        return self._alone.run(case)

    def _make(self, number: int) -> Case:
        """Make a case; if it is not in the group at hand, with all that belong beside it."""
        if number not in self._group:
            self._group = self._run_together(number)
        return self._group[number][0]

    def _run_together(self, first: int) -> dict[int, tuple[Case, Trace | None]]:
        """Run the group that begins with the case of this number."""
        cases = [self._given[first].make()]
        for source in self._given[first + 1 : first + MOST]:
            case = source.make()
            if _form(case) != _form(cases[0]):
                break
            cases.append(case)
        traces = _run_many(cases) if len(cases) > 1 else [None]
        return dict(enumerate(zip(cases, traces, strict=True), start=first))


def _form(case: Case) -> Any:
    """Return what cases must have in common to run beside each other; a case of another kind has nothing."""
    if not isinstance(case, RNNCase):
        return case
    shapes = {name: array.shape for name, array in case.arrays().items()}
    return shapes, {name: value for name, value in rnn_options(case).items() if name != "dloss"}


def _run_many(cases: Sequence[Case]) -> list[Trace]:
    from reference.many import run_many

    problems, options = [], {}
    for case in cases:
        assert isinstance(case, RNNCase)
        problems.append({"params": case.params, "x": case.x, "y": case.y, "h0": case.h0, "dloss": case.dloss})
        options = {name: value for name, value in rnn_options(case).items() if name != "dloss"}
    return list(run_many(problems, **options))
