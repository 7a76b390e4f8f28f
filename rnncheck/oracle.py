"""Whoever knows the right answer to a case: PyTorch, here and now, or the vectors it has left behind.

An oracle gives an Answer: a Trace and the tolerance it is to be compared with.
"""

from typing import Protocol

from rnncheck.arithmetic import Arithmetic, update_paths
from rnncheck.case import Case, RNNCase
from rnncheck.compare import Answer
from rnncheck.implementation import Implementation, TorchLoop
from rnncheck.tolerance import fallback

__all__ = ["LiveOracle", "Oracle"]


class Oracle(Protocol):
    """Answers cases."""

    name: str

    def answer(self, case: Case) -> Answer:
        """Return the right Trace and how far rounding may lead away from it."""
        ...


class LiveOracle:
    """PyTorch's autograd, in float64, asked for every case anew.

    The tolerance of an RNN case is the fallback rule, which costs four more runs, and noise runs confirm what fails
    by it; with `precise` the noise is run for every case.
    """

    name = "torch"

    def __init__(self, precise: bool = False):
        self.precise = precise
        self.torch: Implementation = TorchLoop()

    def answer(self, case: Case) -> Answer:
        """Run the case under autograd."""
        from rnncheck.scales import noisy_tolerance

        trace = self.torch.run(case)
        if not isinstance(case, RNNCase):
            return Answer(trace, Arithmetic(case, update_paths(case, trace)))
        if self.precise:
            return Answer(trace, noisy_tolerance(case, trace))
        return Answer(trace, fallback(case, trace, self.torch.run), confirm=lambda: noisy_tolerance(case, trace))
