"""Whoever knows the right answer to a case: PyTorch, here and now, or the vectors it has left behind.

An oracle gives an Answer: a Trace and the tolerance it is to be compared with.
"""

from typing import Protocol

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.implementation import Implementation, TorchLoop
from rnncheck.judging.arithmetic import Arithmetic, update_paths
from rnncheck.judging.compare import Answer
from rnncheck.judging.tolerance import Tolerance, Ungated, fallback
from rnncheck.textbook import Textbook
from rnncheck.trace import Trace

__all__ = ["LiveOracle", "Oracle", "TextbookOracle", "by_the_textbook"]


class Oracle(Protocol):
    """Answers cases."""

    name: str

    def answer(self, case: Case) -> Answer:
        """Return the right Trace and how far rounding may lead away from it."""
        ...


class LiveOracle:
    """PyTorch's autograd, in float64, asked for every case anew.

    An RNN case is first held against the bare rule of the fallback. Only what fails it is worth four more runs, which
    tell how much the case amplifies a change of its inputs, and noise runs confirm what fails even so. With `precise`
    the noise is run for every case. `torch` may answer many cases at once (`rnncheck.alike`).
    """

    name = "torch"

    def __init__(self, precise: bool = False, torch: Implementation | None = None):
        self.precise = precise
        self.torch = torch or TorchLoop()

    def answer(self, case: Case) -> Answer:
        """Run the case under autograd."""
        trace = self.torch.run(case)
        if not isinstance(case, RNNCase):
            return Answer(trace, Arithmetic(case, update_paths(case, trace)))
        if self.precise:
            return Answer(trace, _by_noise(case, trace))
        return Answer(
            trace,
            Ungated(case.dtype),
            gated=lambda: fallback(case, trace, self.torch.run),
            # whether ReLU is on is a decision: noise may turn it in one run of thirty-two and in none of four
            rough=(lambda: _by_few_runs(case, trace)) if case.nonlinearity == "tanh" else None,
            confirm=lambda: _by_noise(case, trace),
        )


class TextbookOracle:
    """The textbook in float64, step by step, where no answer is stored and torch is not to be needed.

    Its rule is the bare one of the fallback, so the cases must be tame: what they amplify is not asked.
    """

    name = "textbook"

    def __init__(self) -> None:
        self._latest: tuple[Case, Answer] | None = None  # several implementations are asked the same case in a row

    def answer(self, case: Case) -> Answer:
        """Run the case in float64."""
        if self._latest is None or not _equal(self._latest[0], case):
            trace = by_the_textbook(case)
            tolerance = (
                Ungated(case.dtype) if isinstance(case, RNNCase) else Arithmetic(case, update_paths(case, trace))
            )
            self._latest = case, Answer(trace, tolerance)
        return self._latest[1]


def _equal(one: Case, two: Case) -> bool:
    """Tell whether two cases are the same problem, which their names do not say."""
    mine, theirs = one.arrays(), two.arrays()
    alike = type(one) is type(two) and one.settings() == two.settings() and mine.keys() == theirs.keys()
    return alike and all(np.array_equal(array, theirs[name]) for name, array in mine.items())


def by_the_textbook(case: Case) -> Trace:
    """Compute the Trace of any case in float64."""
    arrays = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in case.arrays().items()}
    return Textbook().run(type(case).from_parts(arrays, case.settings()))


def _by_noise(case: RNNCase, trace: Trace) -> Tolerance:
    from rnncheck.judging.scales import noisy_tolerance  # a second of imports, which few runs need

    return noisy_tolerance(case, trace)


def _by_few_runs(case: RNNCase, trace: Trace) -> Tolerance:
    from rnncheck.judging.scales import rough_tolerance

    return rough_tolerance(case, trace)
