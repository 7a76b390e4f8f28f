"""What a pure optimiser promises: dtypes, nothing written to but in place, states that files can hold, refusals."""

import io
import math
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from numpy_impl import optim
from numpy_impl.optim import SGD, Adagrad

A_FEW_ROUNDINGS = 8 * float(np.finfo(float).eps)  # of one step
PROPERTY = settings(max_examples=50)
DTYPES = [np.float32, np.float64, np.longdouble]
OPTIMISERS = {
    "plain": SGD(),
    "momentum": SGD(momentum=0.9),
    "dampened": SGD(momentum=0.9, dampening=0.5),
    "average": SGD(momentum=0.9, dampening=0.9, zero_start=True),
    "adagrad": Adagrad(),
    "adagrad inside": Adagrad(eps=1e-8, eps_inside=True, initial_accumulator=0.1),
}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("as_type", [float, np.float64, np.float32])
def test_the_dtype_stays_whatever_type_the_learning_rate_has(as_type, dtype, name):
    w, g = np.ones(4, dtype), np.full(4, 0.3, dtype)
    state = OPTIMISERS[name].init(w)
    for _ in range(2):
        w, state = OPTIMISERS[name].step(w, g, state, as_type(0.1))
    assert w.dtype == dtype
    assert all(a.dtype == dtype for key, a in state.items() if key != "started")


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_longdouble_step_is_computed_in_longdouble(name):
    """Where longdouble is wider than float64, a step in it is not the step in float64 made wider."""
    if np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        pytest.skip("np.longdouble is float64 on this machine")
    steps = {}
    for dtype in (np.float64, np.longdouble):
        w, g = np.array([1 / 3], dtype), np.array([1 / 7], dtype)
        state = OPTIMISERS[name].init(w)
        for _ in range(3):
            w, state = OPTIMISERS[name].step(w, g, state, 0.1)
        steps[dtype] = w
    assert steps[np.longdouble] != steps[np.float64]
    np.testing.assert_allclose(steps[np.float64], steps[np.longdouble].astype(float), rtol=3 * A_FEW_ROUNDINGS)


def steps_to_the_same_bits_in_pieces(monkeypatch, optimiser, shape) -> None:
    rng = np.random.default_rng(1)
    w, *gradients = rng.standard_normal((4, *shape))
    ends = []
    for piece in (optim.PIECE, 4):
        monkeypatch.setattr(optim, "PIECE", piece)
        end, state = w, optimiser.init(w)
        for g in gradients:
            end, state = optimiser.step(end, g, state, 0.1)
        ends.append([end, *state.values()])
    for whole, pieces in zip(*ends, strict=True):
        np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize("shape", [(16,), (17,), (23,), (24,), (3, 7)])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_long_vector_is_stepped_in_pieces_to_the_same_bits(monkeypatch, name, shape):
    steps_to_the_same_bits_in_pieces(monkeypatch, OPTIMISERS[name], shape)


def test_a_piece_that_is_left_out_shows(monkeypatch):
    update = Adagrad._update
    monkeypatch.setattr(Adagrad, "_update", lambda self, w, *rest: w.size == 1 or update(self, w, *rest))
    with pytest.raises(AssertionError):
        steps_to_the_same_bits_in_pieces(monkeypatch, Adagrad(), (17,))


@pytest.mark.parametrize(
    ("shape", "pieces"), [((16,), [(16,)]), ((17,), [(4,), (4,), (4,), (4,), (1,)]), ((17, 1), [(17, 1)])]
)
def test_a_vector_is_cut_from_more_than_four_pieces_on_and_other_arrays_are_not(monkeypatch, shape, pieces):
    monkeypatch.setattr(optim, "PIECE", 4)
    seen, update = [], Adagrad._update
    monkeypatch.setattr(Adagrad, "_update", lambda self, w, *rest: seen.append(w.shape) or update(self, w, *rest))
    w = np.ones(shape)
    Adagrad().step(w, w, Adagrad().init(w), 0.1)
    assert seen == pieces


def arrays_beside(w: np.ndarray, optimiser: Adagrad) -> float:
    """Return how much memory a step in place takes at once, in arrays of the size of `w`."""
    state = optimiser.init(w)
    optimiser.step(w, w, state, 0.1, inplace=True)
    tracemalloc.start()
    try:
        optimiser.step(w, w, state, 0.1, inplace=True)
        return tracemalloc.get_traced_memory()[1] / w.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("eps_inside", [False, True])
def test_two_arrays_serve_a_step_of_adagrad(eps_inside):
    assert arrays_beside(np.ones(40_000), Adagrad(eps_inside=eps_inside)) < 2.5


def test_a_third_array_shows(monkeypatch):
    update = Adagrad._update
    monkeypatch.setattr(Adagrad, "_update", lambda self, w, *rest: update(self, w.copy(), *rest))
    assert arrays_beside(np.ones(40_000), Adagrad()) > 2.5


@pytest.mark.parametrize("name", OPTIMISERS)
@PROPERTY
@given(g=arrays(np.float64, (3, 5), elements=st.floats(-100, 100)))
def test_in_place_is_bit_for_bit_the_pure_step_and_only_it_writes(name, g):
    optimiser, w0 = OPTIMISERS[name], np.linspace(-1, 1, 5)
    pure, written = w0.copy(), w0.copy()
    state, own = optimiser.init(w0), optimiser.init(w0)
    for step in g:
        before = [a.copy() for a in (pure, step, *state.values())]
        next_w, next_state = optimiser.step(pure, step, state, 0.1)
        for array, copy in zip((pure, step, *state.values()), before, strict=True):
            np.testing.assert_array_equal(array, copy)
        for array in (next_w, *next_state.values()):
            assert not any(np.shares_memory(array, other) for other in (pure, step, *state.values()))
        returned_w, returned_state = optimiser.step(written, step, own, 0.1, inplace=True)
        assert returned_w is written
        assert returned_state is own
        pure, state = next_w, next_state
        np.testing.assert_array_equal(written, pure)
        assert set(own) == set(state)
        for key in own:
            np.testing.assert_array_equal(own[key], state[key])


@pytest.mark.parametrize("interrupted_after", [0, 1, 3])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_state_read_back_from_a_file_continues_bit_for_bit(name, interrupted_after):
    optimiser, gradients = OPTIMISERS[name], np.random.default_rng(0).standard_normal((6, 4))
    w = through = np.ones(4)
    state = state_through = optimiser.init(w)
    for s, g in enumerate(gradients):
        if s == interrupted_after:
            file = io.BytesIO()
            np.savez(file, **state_through)
            file.seek(0)
            with np.load(file) as arrays_read:
                state_through = dict(arrays_read)
        w, state = optimiser.step(w, g, state, 0.1)
        through, state_through = optimiser.step(through, g, state_through, 0.1)
    np.testing.assert_array_equal(w, through)


def run(optimiser, gradients, lr, w=0.0):
    """Return the parameters after each step, one element long."""
    w, steps = np.array([w]), []
    state = optimiser.init(w)
    for g in gradients:
        w, state = optimiser.step(w, np.array([g]), state, lr)
        steps.append(float(w[0]))
    return steps


NO_BUFFER = "under momentum 0: both act on the momentum buffer, and there is none; set momentum or leave them out"
EPSILON = "without it an element that never had a gradient would be 0 / 0"
DESCENT = "descent steps against the gradient"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SGD(momentum=-0.1),
            "momentum is -0.1: it must be zero or positive, and finite; 0 is plain SGD, 0.9 is common",
        ),
        (
            lambda: SGD(momentum=0.9, dampening=-1.0),
            "dampening is -1.0: it must be zero or positive, and finite; "
            "0 adds the whole gradient to the momentum buffer",
        ),
        (
            lambda: SGD(momentum=0.9, dampening=1.0),
            "dampening is 1.0: from 1 on no gradient gets in; give less than 1",
        ),
        (lambda: SGD(dampening=0.9), f"dampening is 0.9 and zero_start False {NO_BUFFER}"),
        (lambda: SGD(zero_start=True), f"dampening is 0.0 and zero_start True {NO_BUFFER}"),
        (lambda: Adagrad(eps=0.0), f"eps is 0.0: it must be positive and finite; {EPSILON}"),
        (
            lambda: Adagrad(initial_accumulator=-1.0),
            "initial_accumulator is -1.0: it must be zero or positive, and finite; it stands for squared gradients",
        ),
        (
            lambda: run_float32(Adagrad(initial_accumulator=1e39)),
            "initial_accumulator is 1e+39: it must be zero or positive, and finite; it stands for squared gradients",
        ),
        (
            lambda: run_float32(Adagrad(eps=1e-50)),
            f"eps is 1e-50 (0.0 in float32): it must be positive and finite; {EPSILON}",
        ),
        (lambda: run(SGD(), [1.0], 0.0), f"lr is 0.0: it must be positive and finite; {DESCENT}"),
        (lambda: run(Adagrad(), [1.0], -0.1), f"lr is -0.1: it must be positive and finite; {DESCENT}"),
        (lambda: run(SGD(), [1.0], math.inf), f"lr is inf (inf in float64): it must be positive and finite; {DESCENT}"),
        (lambda: run(SGD(), [1.0], math.nan), f"lr is nan: it must be positive and finite; {DESCENT}"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=r".") as caught:
        make()
    assert str(caught.value) == message


def run_float32(optimiser):
    w = np.ones(2, np.float32)
    return optimiser.step(w, w, optimiser.init(w), 0.1)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("arrays_given", "error", "message"),
    [
        ({"w": [1.0] * 3}, TypeError, "w is a list, expected a NumPy array; convert it with np.asarray(w)"),
        ({"g": [1.0] * 3}, TypeError, "g is a list, expected a NumPy array; convert it with np.asarray(g)"),
        ({"state": None}, TypeError, "state is a NoneType, expected what init(w) or the step before returned"),
        ({"state": [0.0]}, TypeError, "state is a list, expected what init(w) or the step before returned"),
        (
            {"state": {"v": [1.0] * 3, "started": np.array(True)}},
            TypeError,
            "state['v'] is a list, expected a NumPy array; convert it with np.asarray(state['v'])",
        ),
        ({"w": np.ones(3, int)}, TypeError, "w is int64, expected floating parameters; cast with .astype"),
        (
            {"g": np.ones(2)},
            ValueError,
            "g has shape (2,), expected (3,) as w has: one element per parameter",
        ),
        (
            {"g": np.ones(3, np.float32)},
            TypeError,
            "g is float32 but w is float64: nothing is cast silently; use .astype",
        ),
        (
            {"state": {}},
            ValueError,
            "state holds nothing, expected ['started', 'v']: start with the init(w) of the same optimiser "
            "and hand on what each step returns",
        ),
        (
            {"state": {"v": np.ones(1), "started": np.array(True)}},
            ValueError,
            "state['v'] has shape (1,), expected (3,) as w has: one element per parameter",
        ),
        (
            {"state": {"v": np.ones(3, np.float32), "started": np.array(True)}},
            TypeError,
            "state['v'] is float32 but w is float64: nothing is cast silently; use .astype",
        ),
        (
            {"state": {"v": np.ones(3), "started": True}},
            TypeError,
            "state['started'] is a bool, expected a NumPy array; convert it with np.asarray(state['started'])",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_sentence(arrays_given, error, message):
    optimiser = SGD(momentum=0.9)
    given = {"w": np.ones(3), "g": np.ones(3), "state": optimiser.init(np.ones(3)), "lr": 0.1} | arrays_given
    with pytest.raises(error) as caught:
        optimiser.step(**given)
    assert str(caught.value) == message


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("optimiser", [SGD(), SGD(momentum=0.9), Adagrad()], ids=["plain", "momentum", "adagrad"])
def test_a_state_is_made_of_an_array_and_is_not_another_optimisers(optimiser):
    with pytest.raises(TypeError, match=r"^w is a list, expected a NumPy array; convert it with np.asarray\(w\)$"):
        optimiser.init([1.0, 2.0])
    expected = sorted(optimiser.init(np.ones(2))) or "nothing"
    with pytest.raises(ValueError, match=re.escape(f"state holds ['n', 'z'], expected {expected}: start with")):
        optimiser.step(np.ones(2), np.ones(2), {"z": np.ones(2), "n": np.ones(2)}, 0.1)
