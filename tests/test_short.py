"""The step with everything made beforehand gives the bits of the model, whatever it has done before."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import products, short
from numpy_impl.flat import Flat
from numpy_impl.lean import Lean, lean_loss_and_grads
from numpy_impl.model import loss_and_grads
from numpy_impl.short import IDS, Short, short_step
from numpy_impl.workspace import FRESH, Workspace

DTYPES = [np.float32, np.float64, np.longdouble]
OPTIONS: list[dict[str, str]] = [{}, {"reduction": "mean"}, {"nonlinearity": "relu"}]
SIZES = [(1, 2, 2, 2), (1, 1, 1, 2), (2, 1, 2, 2), (9, 6, 7, 5), (8, 27, 50, 27), (25, 65, 100, 65), (40, 256, 21, 3)]
"""T, I, H, V."""
BIASES = [("b_h", "b_y"), ("b_h",), ("b_y",), ()]


def draw(seed: int, T: int, I: int, H: int, V: int, dtype: type = np.float64, biases: tuple = BIASES[0]) -> tuple:
    """Return parameters, ids with *no token* among them, targets and a first state."""
    rng = np.random.default_rng(seed)
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    kept = {name: s for name, s in shapes.items() if name.startswith("W") or name in biases}
    params = Flat.pack({name: rng.standard_normal(s).astype(dtype) / np.sqrt(dtype(H)) for name, s in kept.items()})
    return params, rng.integers(-1, I, (T, 1)), rng.integers(0, V, (T, 1)), rng.standard_normal((1, H)).astype(dtype)


def taken(workspace: Workspace) -> bool:
    """Return whether a step has been made beforehand."""
    return any(isinstance(step, Short) for step in workspace._made.values())


def gives_the_bits_of_the_model(params, x, y, h0, workspace: Workspace, **options: Any) -> None:
    found = lean_loss_and_grads(params, x, y, h0, workspace=workspace, **options)
    expected = loss_and_grads(params, x, y, h0, **options)
    assert list(found.grads) == list(expected.grads)
    np.testing.assert_array_equal(found.loss, expected.loss, strict=True)
    np.testing.assert_array_equal(found.grads.flat, expected.grads.flat, strict=True)
    np.testing.assert_array_equal(found.h_T, expected.forward.h_T, strict=True)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_short_sequences(size, dtype, options):
    workspace = Workspace()
    for seed in range(3):
        gives_the_bits_of_the_model(*draw(seed, *size, dtype), workspace, **options)
    params, x, y, _ = draw(3, *size, dtype)
    gives_the_bits_of_the_model(params, np.maximum(x, 0), y, None, workspace, **options)
    assert taken(workspace)


@pytest.mark.parametrize("biases", BIASES, ids=str)
def test_without_biases(biases):
    workspace = Workspace()
    gives_the_bits_of_the_model(*draw(0, 9, 6, 7, 5, biases=biases), workspace)
    assert taken(workspace)


@given(st.integers(0, 2**32 - 1), st.tuples(*(st.integers(1, n) for n in (12, 9, 9, 9))))
@settings(max_examples=40)
def test_any_size_in_one_workspace(seed, size):
    gives_the_bits_of_the_model(*draw(seed, *size), COMMON)


COMMON = Workspace()


def poison(workspace: Workspace) -> None:
    """Fill with NaN all memory of all steps that may be written to."""
    for step in workspace._made.values():
        arrays = (a for a in vars(step).values() if isinstance(a, np.ndarray) and a.flags.writeable)
        for array in (*arrays, step.grads.flat):
            array.fill(np.nan if array.dtype.kind == "f" else 10**9)


def test_nothing_is_read_before_it_is_written():
    workspace = Workspace()
    for seed in range(3):
        gives_the_bits_of_the_model(*draw(seed, 9, 6, 7, 5), workspace)
        poison(workspace)


def test_a_step_is_made_once_for_each_length_and_forgotten_among_many(monkeypatch):
    workspace, made = Workspace(), []
    create = Short.__init__
    monkeypatch.setattr(Short, "__init__", lambda self, *a: made.append(a[1]) or create(self, *a))
    params, x, y, h0 = draw(0, 12, 6, 7, 5)
    for T in (3, 4, 3, 4, 3):
        lean_loss_and_grads(params, x[:T], y[:T], h0, workspace=workspace)
    assert made == [3, 4]
    monkeypatch.setattr("numpy_impl.workspace.PREPARED", 2)
    for T in (5, 5, 3):
        lean_loss_and_grads(params, x[:T], y[:T], h0, workspace=workspace)
    assert made == [3, 4, 5, 3]


def test_what_comes_out_is_not_in_the_memory_of_the_states():
    workspace, problem = Workspace(), draw(0, 9, 6, 7, 5)
    h_T = lean_loss_and_grads(*problem, workspace=workspace).h_T
    kept = h_T.copy()
    lean_loss_and_grads(*draw(1, 9, 6, 7, 5), workspace=workspace)
    lean_loss_and_grads(problem[0], *draw(1, 9, 6, 7, 5)[1:], workspace=workspace)
    np.testing.assert_array_equal(h_T, kept)


MANY_STEPS = {"more steps than tokens": (1500, 3, 3, 3), "fewer": (1500, 1501, 3, 3)}
"""T, I, H, V: so many steps that one number for each shows among the views and what the checks of shapes ask for."""


def memory_of_a_step(monkeypatch, *size) -> int:
    """Return how many bytes a step asks for, when it has been made: the least of several, for others ask too."""
    for limit in ("LONGEST", "ONE_HOT_LIMIT", "ONE_HOT_TOKENS"):
        monkeypatch.setattr(short, limit, 10**7)
    (params, x, y, h0), workspace = draw(0, *size), Workspace()
    x = np.maximum(x, 0)
    for _ in range(2):
        assert asked(params, x, y, h0, workspace) is not None
    highest = []
    for _ in range(5):
        tracemalloc.start()
        try:
            asked(params, x, y, h0, workspace)
            highest.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(highest)


@pytest.mark.parametrize("size", MANY_STEPS.values(), ids=MANY_STEPS)
def test_no_array_over_time_is_made_in_a_step(monkeypatch, size):
    """It is all made beforehand; what is new is a loss, a last state and views."""
    assert memory_of_a_step(monkeypatch, *size) < size[0] * IDS.itemsize


@pytest.mark.parametrize("size", MANY_STEPS.values(), ids=MANY_STEPS)
def test_one_id_for_each_step_would_show(monkeypatch, size):
    forward = Short.forward
    monkeypatch.setattr(Short, "forward", lambda step, W_hh: forward(step, W_hh) or step.at.copy())
    with pytest.raises(AssertionError):
        test_no_array_over_time_is_made_in_a_step(monkeypatch, size)


# --- what it leaves to the model


def asked(params, x, y, h0, workspace=None, nonlinearity="tanh", reduction="sum", ignore_index=-100):
    workspace = Workspace() if workspace is None else workspace
    return short_step(params, x, y, h0, nonlinearity, reduction, ignore_index, workspace)


@pytest.mark.parametrize("options", [*OPTIONS, {"ignore_index": -1}], ids=str)
def test_the_plain_case_is_taken(options):
    """Else the tests below would show nothing."""
    assert Lean(*asked(*draw(0, 9, 6, 7, 5), **options)).loss > 0


PARAMS, X, Y, H0 = draw(0, 9, 6, 7, 5)
LEFT: dict[str, tuple] = {
    "no workspace": (PARAMS, X, Y, H0, FRESH),
    "parameters in no vector": (dict(PARAMS), X, Y, H0),
    "a batch": (PARAMS, X.repeat(2, 1), Y.repeat(2, 1), H0.repeat(2, 0)),
    "other ids": (PARAMS, X.astype(np.int32), Y, H0),
    "other targets": (PARAMS, X, Y.astype(np.int32), H0),
    "targets that may be ignored": (PARAMS, X, Y, H0, None, "tanh", "sum", 3),
    "the first of them": (PARAMS, X, Y, H0, None, "tanh", "sum", 0),
    "an ignored target": (PARAMS, X, np.where(Y[0] == Y, -100, Y), H0),
    "another reduction": (PARAMS, X, Y, H0, None, "tanh", "none"),
    "another nonlinearity": (PARAMS, X, Y, H0, None, "sigmoid"),
    "a nonlinearity in a list": (PARAMS, X, Y, H0, None, ["tanh"]),
    "nothing to ignore": (PARAMS, X, Y, H0, None, "tanh", "sum", None),
    "a token too large": (PARAMS, np.where(X[0] == X, 6, X), Y, H0),
    "a token too small": (PARAMS, np.where(X[0] == X, -2, X), Y, H0),
    "a target too large": (PARAMS, X, np.where(Y[0] == Y, 5, Y), H0),
    "a state of another dtype": (PARAMS, X, Y, H0.astype(np.float32)),
    "a state of another shape": (PARAMS, X, Y, H0[:, 1:]),
    "no steps": (PARAMS, X[:0], Y[:0], H0),
}


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_what_is_not_plain_is_left_to_the_model(left):
    assert asked(*left) is None


@pytest.mark.parametrize(("limit", "most"), [("LONGEST", 8), ("SMALL", 8 * 7 * 7), ("ONE_HOT_LIMIT", 8 * 6)])
def test_what_is_longer_than_a_limit_is_left_to_the_model(monkeypatch, limit, most):
    monkeypatch.setattr(short, limit, most)
    assert asked(PARAMS, X, Y, H0) is None
    assert asked(PARAMS, X[:8], Y[:8], H0) is not None


def test_a_wide_readout_is_left_to_the_model(monkeypatch):
    monkeypatch.setattr(short, "SMALL", 9 * 7 * 11)
    assert asked(*draw(0, 9, 6, 7, 12)) is None
    assert asked(*draw(0, 9, 6, 7, 11)) is not None


@pytest.mark.parametrize(("I", "V", "few"), [(6, 6, True), (7, 5, False), (5, 7, False)])
def test_many_tokens_are_left_to_the_model(monkeypatch, I, V, few):
    monkeypatch.setattr(short, "ONE_HOT_TOKENS", 6)
    assert (asked(*draw(0, 9, I, 7, V)) is not None) is few


def test_a_parameter_that_has_gone_is_missed():
    workspace, (params, x, y, h0) = Workspace(), draw(0, 9, 6, 7, 5)
    lean_loss_and_grads(params, x, y, h0, workspace=workspace)
    del params["W_hy"]
    with pytest.raises(ValueError, match="missing"):
        lean_loss_and_grads(params, x, y, h0, workspace=workspace)


def test_panels_do_not_reach_it():
    """A workspace that cuts products gives the same bits: what is short is too small to be cut."""
    assert short.SMALL <= products.SMALL
    gives_the_bits_of_the_model(*draw(0, 25, 65, 100, 65), Workspace(panels=True))


@pytest.mark.parametrize(("bptt", "k"), [("full", 3), ("windowed", None), ("chunked", None)])
def test_what_is_wrong_about_the_way_back_is_still_refused(bptt, k):
    with pytest.raises(ValueError, match="k is"):
        lean_loss_and_grads(PARAMS, X, Y, H0, bptt=bptt, k=k, workspace=Workspace())


@pytest.mark.parametrize(("bptt", "k"), [("windowed", 2), ("chunked", 4)])
def test_truncated_backpropagation_is_that_of_the_model(bptt, k):
    gives_the_bits_of_the_model(PARAMS, X, Y, H0, Workspace(), bptt=bptt, k=k)


# --- the twins


def no_bias_at_the_readout(monkeypatch):
    readout = Short.readout
    monkeypatch.setattr(
        Short, "readout", lambda s, p, y, r: readout(s, {k: v for k, v in p.items() if k != "b_y"}, y, r)
    )


def nothing_from_later(monkeypatch):
    monkeypatch.setattr(Short, "backward", lambda s, W: np.multiply(s.dh, 1 - s.h**2, s.dh))


def no_token_is_the_last(monkeypatch):
    project = Short.project
    monkeypatch.setattr(Short, "project", lambda s, p, x, _: project(s, p, x, False))


def gradients_of_the_step_before(monkeypatch):
    monkeypatch.setattr(Short, "gradients", lambda s, x: s.grads["dW_hh"].fill(0))


@pytest.mark.parametrize(
    "plant", [no_bias_at_the_readout, nothing_from_later, no_token_is_the_last, gradients_of_the_step_before]
)
def test_a_fault_is_caught(monkeypatch, plant):
    problem = draw(0, 9, 6, 7, 5)
    gives_the_bits_of_the_model(*problem, Workspace())
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        gives_the_bits_of_the_model(*problem, Workspace())


def test_a_number_that_was_left_behind_shows(monkeypatch):
    def reads_before_it_writes(step, W_hh):
        left = step.carry.copy()
        forward(step, W_hh)
        step.h[...] += 0 * left

    workspace, problem, forward = Workspace(), draw(0, 9, 6, 7, 5), Short.forward
    gives_the_bits_of_the_model(*problem, workspace)
    monkeypatch.setattr(Short, "forward", reads_before_it_writes)
    gives_the_bits_of_the_model(*problem, workspace)
    poison(workspace)
    with pytest.raises(AssertionError):
        gives_the_bits_of_the_model(*problem, workspace)
