"""One readable textbook implementation of everything that is judged, in small steps.

It serves twice. Right as it is, it is a third implementation beside `numpy_impl` and PyTorch, with another order of
summation. Wrong in one step, it is a fault: every entry of `rnncheck.faults` overrides a method or two of it.
"""

from rnncheck.case import Case, ClipCase, OptimCase, RNNCase, SampleCase
from rnncheck.textbook.clip import ClipSteps
from rnncheck.textbook.optim import OptimSteps
from rnncheck.textbook.sample import SampleSteps
from rnncheck.trace import Trace

__all__ = ["Textbook"]


class Textbook(SampleSteps, ClipSteps, OptimSteps):
    """Run any case step by step, in the dtype of the case. Nothing that one call leaves behind matters to the next."""

    name = "textbook"

    def run(self, case: Case) -> Trace:
        """Return the complete Trace of `case`."""
        if isinstance(case, RNNCase):
            return self.run_rnn(case)
        if isinstance(case, ClipCase):
            return self.run_clip(case)
        if isinstance(case, OptimCase):
            return self.run_optim(case)
        assert isinstance(case, SampleCase)
        return self.run_sample(case)
