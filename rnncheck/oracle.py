"""Whoever knows the right answer to a case: PyTorch, here and now, or the vectors it has left behind.

An oracle gives an Answer: a Trace and the tolerance it is to be compared with.
"""

from typing import Protocol

from rnncheck.case import Case, RNNCase
from rnncheck.implementation import Implementation, TorchLoop
from rnncheck.judging.arithmetic import Arithmetic, update_paths
from rnncheck.judging.compare import Answer
from rnncheck.judging.tolerance import Tolerance, Ungated, fallback
from rnncheck.trace import Trace

__all__ = ["LiveOracle", "Oracle"]


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
            confirm=lambda: _by_noise(case, trace),
        )


def _by_noise(case: RNNCase, trace: Trace) -> Tolerance:
    from rnncheck.judging.scales import noisy_tolerance  # a second of imports, which few runs need

    return noisy_tolerance(case, trace)
