"""The lean way gives the loss and gradients of the model, in the memory that it promises."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import lean, products
from numpy_impl.init import init_params
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.model import loss_and_grads
from numpy_impl.workspace import Workspace

ULPS = 256
"""Sums in blocks against sums in one: units in the last place of the largest entry."""
STATES = 2.5
"""The promise: so many times the bytes of the states at the worst moment, the states included."""

MODES: list[dict[str, Any]] = [
    {},
    {"reduction": "mean"},
    {"nonlinearity": "relu"},
    {"bptt": "windowed", "k": 2},
    {"bptt": "chunked", "k": 3, "reduction": "mean"},
]


def problem(seed=0, T=9, B=2, I=6, H=4, V=5, dtype=np.float64, dense=False, biases=True):
    rng = np.random.default_rng(seed)
    params = init_params("uniform", I, H, V, rng, biases=biases, dtype=np.dtype(dtype))
    for name in ("b_h", "b_y") if biases else ():  # they start at zero, where one that is left out does not show
        params[name] = rng.standard_normal(params[name].shape).astype(dtype)
    x = rng.standard_normal((T, B, I)).astype(dtype) if dense else rng.integers(-1, I, (T, B))
    y = rng.integers(0, V, (T, B))
    y[rng.random((T, B)) < 0.2] = IGNORE_INDEX
    y[0, 0] = 0
    return params, x, y, rng.standard_normal((B, H)).astype(dtype)


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("shape", [{}, {"T": 1, "B": 1, "V": 2, "H": 1}, {"dense": True}, {"biases": False}], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_one_block_gives_the_bits_of_the_model(shape, mode, dtype):
    given_ = problem(**shape, dtype=dtype)
    found, expected = lean_loss_and_grads(*given_, **mode), loss_and_grads(*given_, **mode)
    np.testing.assert_array_equal(found.loss, expected.loss, strict=True)
    np.testing.assert_array_equal(found.grads.flat, expected.grads.flat, strict=True)
    np.testing.assert_array_equal(found.h_T, expected.forward.h_T, strict=True)


def close_in_blocks(function, params, x, y, h0, **mode) -> None:
    found, expected = function(params, x, y, h0, **mode), loss_and_grads(params, x, y, h0, **mode)
    for name, array in {**expected.grads, "loss": expected.loss}.items():
        actual = found.loss if name == "loss" else found.grads[name]
        limit = ULPS * np.finfo(array.dtype).eps * np.abs(array).max()
        assert actual.dtype == array.dtype, name
        assert np.abs(actual - array).max() <= limit, name


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 3), st.sampled_from(MODES), st.integers(1, 60))
@settings(max_examples=40)
def test_blocks_of_any_length_agree(seed, T, B, mode, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lean, "BLOCK", block)
        close_in_blocks(lean_loss_and_grads, *problem(seed, T, B), **mode)


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
def test_blocks_keep_the_dtype(monkeypatch, dtype, mode):
    monkeypatch.setattr(lean, "BLOCK", 20)
    close_in_blocks(lean_loss_and_grads, *problem(dtype=dtype), **mode)


@pytest.mark.parametrize(
    ("block", "steps"), [(70, [7]), (69, [6, 1]), (20, [2, 2, 2, 1]), (19, [1] * 7), (10, [1] * 7), (1, [1] * 7)]
)
def test_no_more_logits_than_a_block_exist_at_a_time_but_for_one_step(monkeypatch, block, steps):
    seen, readout = [], lean.readout
    monkeypatch.setattr(lean, "BLOCK", block)
    monkeypatch.setattr(
        lean, "readout", lambda params, h, *rest, **add: seen.append(len(h)) or readout(params, h, *rest, **add)
    )
    lean_loss_and_grads(*problem(T=7, B=2, V=5))
    assert seen == steps


def forgetting_a_block(params, x, y, h0, **mode):
    cut = y.copy()
    cut[-1] = np.where(cut[-1] == IGNORE_INDEX, 0, IGNORE_INDEX)
    return lean_loss_and_grads(params, x, cut, h0, **mode)


def mean_of_each_block(params, x, y, h0, **mode):
    return lean_loss_and_grads(params, x, y, h0, **{**mode, "reduction": "sum"})


@pytest.mark.parametrize("wrong", [forgetting_a_block, mean_of_each_block])
def test_a_wrong_sum_over_blocks_is_caught(wrong):
    with pytest.raises(AssertionError):
        close_in_blocks(wrong, *problem(), reduction="mean")


def test_one_loss_per_step_is_refused():
    with pytest.raises(
        ValueError, match=r'^reduction is "none", which asks for one loss per step; use model.loss_and_grads$'
    ):
        lean_loss_and_grads(*problem(), reduction="none")


def test_bad_input_is_refused_as_in_the_model():
    params, x, y, h0 = problem()  # wrong shapes the annotations refuse first, when tests run
    headless = {name: array for name, array in params.items() if name != "W_hy"}
    for bad in (
        (headless, x, y, h0),
        (params, x + 6, y, h0),
        (params, x[:0], y[:0], h0),
        (params, x, y + 5, h0),
        (params, x, y, h0.astype(np.float32)),
    ):
        with pytest.raises((ValueError, TypeError)) as expected:
            loss_and_grads(*bad)
        with pytest.raises(expected.type) as found:
            lean_loss_and_grads(*bad)
        assert str(found.value) == str(expected.value)


def test_da_takes_the_place_of_dh_and_dlogits_that_of_the_logits():
    workspace = Workspace()
    lean_loss_and_grads(*problem(), workspace=workspace)
    kept = {name for name, _ in workspace._memory}
    assert {"states", "dh", "logits"} <= kept
    assert not {"da", "dlogits"} & kept


@pytest.mark.parametrize("function", [lean_loss_and_grads, loss_and_grads])
def test_a_run_that_says_how_products_are_cut_does_not_ask_the_machine(monkeypatch, function):
    monkeypatch.setattr(products, "SMALL", 2)
    monkeypatch.setattr(products, "SHORTEST", 0.01)
    monkeypatch.setattr(products, "panels_pay", None)
    function(*problem(), workspace=Workspace(panels=False))
    with pytest.raises(TypeError, match="not callable"):
        function(*problem(), workspace=Workspace())


def peak_in_states(function) -> float:
    """Return the bytes in use at the worst moment, in units of the states; T is long, so little else counts."""
    params, x, y, h0 = problem(T=30_000, B=1, H=64, V=30, I=30)
    tracemalloc.start()
    function(params, x, y, h0)
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest / (x.size * 64 * 8)


def test_memory_stays_within_the_promise(monkeypatch):
    monkeypatch.setattr(lean, "BLOCK", 1 << 15)
    monkeypatch.setattr("numpy_impl.chunks.WINDOW", 1000)
    monkeypatch.setattr("numpy_impl.inputs.BLOCK", 1000)
    assert peak_in_states(lean_loss_and_grads) <= STATES


def test_keeping_every_node_breaks_the_promise():
    assert peak_in_states(loss_and_grads) > STATES
