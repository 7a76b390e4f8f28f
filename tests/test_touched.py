"""Leaving out columns without a gradient changes not a bit; where it would, nothing is left out."""

import numpy as np
import pytest

from numpy_impl import touched
from numpy_impl.flat import Flat
from numpy_impl.optim import SGD, Adagrad
from numpy_impl.touched import FEW, step_touched

DTYPES = [np.float32, np.float64, np.longdouble]
OPTIMIZERS = [SGD(), Adagrad(), Adagrad(eps=1e-8, eps_inside=True), Adagrad(initial_accumulator=0.1)]
MOMENTUM = [SGD(momentum=0.9), SGD(momentum=0.9, dampening=0.9, zero_start=True)]
H, I = 3, 40
X = {
    "ids": np.array([[3, 0], [3, -1]]),
    "no token": np.full((2, 1), -1),
    "many": np.arange(I)[:, None],
    "dense": np.zeros((2, 1, I)),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(touched, "LARGE", H * I)


def problem(x: np.ndarray, optimizer, dtype: type, order: str):
    """Draw parameters and a gradient as of inputs `x`; the state has seen two steps along other gradients."""
    rng = np.random.default_rng(0)
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,)}
    params = Flat.pack({n: rng.standard_normal(shapes[n]).astype(dtype) for n in order.split()})
    params["W_xh"][:, 5] = -0.0
    g = params.over(rng.standard_normal(params.flat.size).astype(dtype))
    if x.ndim == 2:
        g["W_xh"][:, np.setdiff1d(np.arange(I), x)] = 0
    state = optimizer.init(params.flat)
    for _ in range(2):
        state = optimizer.step(params.flat, rng.standard_normal(params.flat.size).astype(dtype), state, 0.1)[1]
    return params, g.flat, state


def equal_to_the_whole_step(step, optimizer, x: np.ndarray, dtype: type, order: str = "W_xh W_hh b_h") -> None:
    params, g, state = problem(x, optimizer, dtype, order)
    w, expected = optimizer.step(params.flat, g, state, 0.1)
    before = g.copy()
    found = step(optimizer, params, g, state, 0.1, x)
    assert params.flat.tobytes() == w.tobytes()  # bytes: 0 is not -0
    assert {name: a.tobytes() for name, a in found.items()} == {name: a.tobytes() for name, a in expected.items()}
    np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize("order", ["W_xh W_hh b_h", "W_hh W_xh b_h", "b_h W_hh W_xh"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x", X.values(), ids=X.keys())
@pytest.mark.parametrize("optimizer", OPTIMIZERS + MOMENTUM, ids=str)
def test_every_bit_is_that_of_the_whole_step(optimizer, x, dtype, order):
    equal_to_the_whole_step(step_touched, optimizer, x, dtype, order)


class Counting(Adagrad):
    """Notes how many elements it was given, call by call."""

    def step(self, w, g, state, lr, *, inplace=False):
        seen.append(w.size)
        return super().step(w, g, state, lr, inplace=inplace)


seen: list[int] = []
WHOLE = [H * I + H * H + H]


def elements_seen(x: np.ndarray) -> list[int]:
    params, g, state = problem(x, Adagrad(), np.float64, "W_xh W_hh b_h")
    seen.clear()
    step_touched(Counting(), params, g, state, 0.1, x)
    return seen


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (X["ids"], [0, H * H + H, 2 * H]),
        (np.arange(I // FEW)[:, None], [0, H * H + H, I // FEW * H]),
        (np.arange(I // FEW + 1)[:, None], WHOLE),
        (X["many"], WHOLE),
        (X["dense"], WHOLE),
    ],
)
def test_what_is_left_out_is_left_out_if_there_are_few_tokens_among_many(x, expected):
    assert elements_seen(x) == expected


def test_a_small_matrix_is_not_cut(monkeypatch):
    monkeypatch.setattr(touched, "LARGE", H * I + 1)
    assert elements_seen(X["ids"]) == WHOLE


# --- the twins


class Restless(SGD):
    """Moves every element a little, gradient or not, and claims that it does not."""

    at_rest_without_gradient = True

    def step(self, w, g, state, lr, *, inplace=False):
        w, state = super().step(w, g, state, lr, inplace=inplace)
        w += 1e-3
        return w, state


def forgetting_the_state(optimizer, params, g, state, lr, x):
    return step_touched(optimizer, params, g, {name: a.copy() for name, a in state.items()}, lr, x) and state


def only_the_first_token(optimizer, params, g, state, lr, x):
    return step_touched(optimizer, params, g, state, lr, x[:1, :1])


@pytest.mark.parametrize(
    ("step", "optimizer"),
    [
        (step_touched, Restless()),
        (forgetting_the_state, Adagrad()),
        (only_the_first_token, Adagrad()),
    ],
)
def test_a_wrong_step_is_caught(step, optimizer):
    with pytest.raises(AssertionError):
        equal_to_the_whole_step(step, optimizer, X["ids"], np.float64)
