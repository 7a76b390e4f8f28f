"""What all tests share: one thread, and floors under the number of tests that ran."""

import os

for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")  # before NumPy and torch are imported

from collections.abc import Callable

import numpy as np
import pytest

from rnncheck.case import Case
from rnncheck.implementation import Implementation, NumpyImpl
from rnncheck.trace import Trace


class Planted:
    """An implementation with a fault planted in its Trace: the twin that a check must catch."""

    name = "planted"

    def __init__(self, spoil: Callable[[Case, dict[str, np.ndarray]], None], base: Implementation | None = None):
        self.spoil = spoil
        self.base = base or NumpyImpl()

    def run(self, case: Case) -> Trace:
        trace = {name: np.array(array) for name, array in self.base.run(case).items()}
        self.spoil(case, trace)
        return trace


@pytest.fixture
def planted() -> type[Planted]:
    """Return the class of implementations with a planted fault."""
    return Planted
