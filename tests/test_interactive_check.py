"""A session with `RNNModel` is right, and a step that leaves behind too little or too much is noticed."""

from typing import Any

import numpy as np
import pytest

from numpy_impl.interactive import RNNModel
from rnncheck.checks.check import Bench, run_check
from rnncheck.checks.interactive import OPTIMIZERS, compare_session, session_checks
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Comparison, Verdict
from rnncheck.vectors import VectorOracle

SEED = 8


def wrong(found: list[Comparison]) -> set[str]:
    return {c.array for c in found if c.verdict is Verdict.FAILED}


@pytest.mark.parametrize("seed", range(5))
def test_our_own_sessions_are_right(seed: int) -> None:
    checks = list(session_checks(seed))
    assert [run_check(check, Bench(NumpyImpl(), VectorOracle([]))).verdict for check in checks] == [Verdict.PASSED] * 2


class GoesOn(RNNModel):
    """Begin where the step before has ended."""

    def forward(self, x: Any, h0: Any = None) -> Any:
        return super().forward(x, self.h_T if h0 is None else h0)


class CountsAll(RNNModel):
    """Hear nothing of targets that do not count."""

    def loss(self, y: Any, reduction: str = "sum", ignore_index: int = -100) -> float:
        return super().loss(np.maximum(y, 0), reduction)


class Forgets(RNNModel):
    """Begin every step with an empty memory."""

    def optimize(self, lr: Any) -> None:
        self.opt_state = self.optimizer.init(self.params.flat)
        super().optimize(lr)


class ClipsACopy(RNNModel):
    """Clip what nobody sees."""

    def clip(self, bound: Any, method: str = "value") -> None:
        grads, self.grads = self.grads, None if self.grads is None else self.grads.copy()
        super().clip(bound, method)
        self.grads = grads


class OtherNorm(RNNModel):
    """Clip by value, whatever is asked for."""

    def clip(self, bound: Any, method: str = "value") -> None:
        super().clip(bound)


class Disturbed(RNNModel):
    """Let a prediction take the place of the step under way."""

    def predict(self, x: Any, h0: Any = None) -> Any:
        return self.forward(x, h0).argmax(axis=-1)


class DrawsTwice(RNNModel):
    """Take two random numbers for each token."""

    def sample(self, n: int, *given: Any, **options: Any) -> list[int]:
        self.rng.random()
        return super().sample(n, *given, **options)


@pytest.mark.parametrize("method", OPTIMIZERS)
@pytest.mark.parametrize(
    ("model", "first"),
    [
        (GoesOn, "p of step 2"),
        (CountsAll, "loss of step 1"),
        (Forgets, "W_xh of step 2"),
        (ClipsACopy, "dW_hy of step 1"),
        (OtherNorm, "dW_hy of step 2"),
        (Disturbed, "loss of step 1"),
        (DrawsTwice, "text"),
    ],
)
def test_another_session_is_noticed(method: str, model: type[RNNModel], first: str) -> None:
    found = wrong(compare_session(method, SEED, model))
    assert first in found
    if first.endswith("step 2"):
        assert not any(name.endswith("step 1") for name in found)
