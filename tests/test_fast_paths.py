"""Every way to the gradients that is taken for speed gives those of the textbook, at odd sizes and in odd layouts."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import chunks, inputs, lean, loss, nonlinearity, products, rnn
from numpy_impl.flat import Flat
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.model import loss_and_grads
from numpy_impl.workspace import FRESH, Fresh, Workspace
from rnncheck.case import RNNCase
from rnncheck.textbook import Textbook

DTYPES = [np.float32, np.float64, np.longdouble]
ULPS = 512
"""Two orders of computation: units in the last place of the largest entry of the array."""
SIZES = [(1, 1, 2, 1, 2), (1, 3, 2, 5, 2), (9, 1, 3, 4, 2), (5, 2, 300, 8, 300), (11, 4, 7, 6, 5)]
"""T, B, I, H, V."""
MODES = [("full", None), ("windowed", 3), ("chunked", 2)]
Arrays = dict[str, np.ndarray]
Way = Callable[[RNNCase], Arrays]


def draw(T, B, I, H, V, *, seed=0, dtype=np.float64, dense=False, gain=0.7, **options) -> RNNCase:
    rng = np.random.default_rng(seed)
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {name: (gain * rng.standard_normal(s) / np.sqrt(s[-1])).astype(dtype) for name, s in shapes.items()}
    x = rng.standard_normal((T, B, I)).astype(dtype) if dense else rng.integers(-1, I, (T, B))
    y = np.where(rng.random((T, B)) < 0.2, -100, rng.integers(0, V, (T, B)))
    y[-1, 0] = 0
    return RNNCase("drawn", seed, params=params, x=x, y=y, h0=rng.standard_normal((B, H)).astype(dtype), **options)


def settings_of(case: RNNCase) -> dict:
    return {name: getattr(case, name) for name in ("nonlinearity", "reduction", "ignore_index", "bptt", "k")}


def by(function: Callable, workspace: Fresh, pack: bool = False) -> Way:
    """Evaluate a case twice with the same workspace; the second time in memory that has been used."""

    def way(case: RNNCase) -> Arrays:
        params = Flat.pack(case.params) if pack else case.params
        for _ in range(2):
            step = function(params, case.x, case.y, case.h0, **settings_of(case), workspace=workspace)
        return {"loss": step.loss, **step.grads}

    return way


WAYS = {
    "model": by(loss_and_grads, FRESH),
    "workspace": by(loss_and_grads, Workspace(), pack=True),
    "lean": by(lean_loss_and_grads, FRESH),
    "lean workspace": by(lean_loss_and_grads, Workspace(), pack=True),
    "pieces": by(lean_loss_and_grads, Workspace(panels=True), pack=True),
}


@pytest.fixture
def _every_switch(monkeypatch):
    """Set all thresholds so low that cases of a few steps cross them."""
    monkeypatch.setattr(products, "SMALL", 100)
    monkeypatch.setattr(products, "SHORTEST", 2)
    monkeypatch.setattr(products, "FEWEST", 2)
    monkeypatch.setattr(products, "COPY_PAYS", 0)
    monkeypatch.setattr(lean, "BLOCK", 12)
    monkeypatch.setattr(inputs, "ONE_HOT_LIMIT", 0)
    monkeypatch.setattr(inputs, "BLOCK", 3)
    monkeypatch.setattr(nonlinearity, "BLOCK", 8)
    products._largest_divisor.cache_clear()
    yield
    products._largest_divisor.cache_clear()


def agrees_with_the_textbook(way: Way, case: RNNCase) -> None:
    expected, found = Textbook().run(case), way(case)
    for name, array in found.items():
        limit = ULPS * np.finfo(case.params["W_hh"].dtype).eps * np.abs(expected[name]).max()
        assert array.dtype == case.params["W_hh"].dtype, name
        assert np.abs(array - expected[name]).max() <= limit, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_odd_sizes(way, size, dtype):
    for bptt, k in MODES:
        for dense in (False, True):
            agrees_with_the_textbook(WAYS[way], draw(*size, dtype=dtype, dense=dense, bptt=bptt, k=k))
    agrees_with_the_textbook(WAYS[way], draw(*size, dtype=dtype, nonlinearity="relu", reduction="mean"))


@pytest.mark.usefixtures("_every_switch")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_odd_sizes_past_every_switch(way, size, dtype):
    test_odd_sizes(way, size, dtype)


@given(st.integers(0, 2**32 - 1), st.tuples(*(st.integers(1, n) for n in (12, 4, 9, 9, 9))), st.sampled_from(MODES))
@settings(max_examples=30)
def test_any_size(seed, size, mode):
    case = draw(*size, seed=seed, bptt=mode[0], k=mode[1])
    for way in WAYS.values():
        agrees_with_the_textbook(way, case)


def spread(a: np.ndarray) -> np.ndarray:
    """Return the same numbers in an array that is contiguous in no order."""
    return np.asfortranarray(np.repeat(a, 2, axis=-1))[..., ::2]


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_arrays_that_are_not_contiguous(way, dense):
    case = draw(6, 3, 5, 4, 7, dense=dense)
    params = {name: spread(array) for name, array in case.params.items()}
    case = replace(case, params=params, x=spread(case.x), y=spread(case.y), h0=spread(case.h0))
    assert not any(a.flags.c_contiguous for a in (case.x, case.y, case.h0, *case.params.values()))
    agrees_with_the_textbook(WAYS[way], case)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_small_ids(way, dtype):
    case = draw(6, 3, 5, 4, 7)
    case = replace(case, x=np.abs(case.x).astype(dtype), y=np.abs(case.y % 7).astype(dtype))
    agrees_with_the_textbook(WAYS[way], case)


@pytest.mark.parametrize(("dtype", "gain"), [*((dtype, 0.7) for dtype in DTYPES), (np.float64, 2.0)])
def test_a_text_long_enough_for_chunks(monkeypatch, dtype, gain):
    taken = []
    monkeypatch.setattr(rnn, "goes_in_chunks", lambda T, B, dtype: True)
    monkeypatch.setattr(rnn, "carry_in_chunks", lambda *a: taken.append(chunks.carry_in_chunks(*a)) or taken[-1])
    agrees_with_the_textbook(WAYS["lean"], draw(1001, 1, 4, 8, 2, dtype=dtype, gain=gain))
    assert taken == [gain < 1] * 2  # weights this large forget too slowly, and go step by step


# --- the twins: a fault in one way must show


def bias_forgotten_in_blocks(monkeypatch):
    monkeypatch.setattr(lean, "readout_gradients", lambda d, h, g, w, add: g["db_y"].fill(0))


def rows_lost_in_segments(monkeypatch):
    add = inputs._add_segments
    monkeypatch.setattr(inputs, "_add_segments", lambda da, ids, out: add(da[:-1], ids[:-1], out))


def one_panel_twice(monkeypatch):
    def times(h, W, out):
        return PANELS(h, W[[0, *range(len(W) - 1)]], out)

    monkeypatch.setattr(products, "_times_panels", times)


def slope_of_another_step(monkeypatch):
    monkeypatch.setattr(rnn, "slopes_backwards", lambda h, *a: iter(list(SLOPES(h, *a))[::-1]))


def ignored_targets_count(monkeypatch):
    monkeypatch.setattr(loss, "check_targets", lambda *a: False)


PANELS, SLOPES = products._times_panels, nonlinearity.slopes_backwards


@pytest.mark.usefixtures("_every_switch")
@pytest.mark.parametrize(
    "plant",
    [bias_forgotten_in_blocks, rows_lost_in_segments, one_panel_twice, slope_of_another_step, ignored_targets_count],
)
def test_a_fault_in_a_fast_path_is_caught(monkeypatch, plant):
    case = draw(11, 4, 7, 12, 5)
    agrees_with_the_textbook(WAYS["pieces"], case)
    plant(monkeypatch)
    with pytest.raises((AssertionError, IndexError)):
        agrees_with_the_textbook(WAYS["pieces"], case)
