"""The gates one by one, and the network unrolled from them against the network that is computed all at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import gates, unrolled
from numpy_impl.model import loss_and_grads
from numpy_impl.unrolled import pieces, run_rnn

DTYPES = [np.float32, np.float64, np.longdouble]
ULPS = 512
"""Two correct orders of computation may differ by this many units in the last place of the largest entry."""
BY_HAND = 4 * np.finfo(np.float64).eps
"""A value computed on paper: a rounding or two of the logarithm, and one of the result."""

MODES = [("full", None), ("windowed", 0), ("windowed", 2), ("windowed", 9), ("chunked", 1), ("chunked", 3)]
Arrays = dict[str, np.ndarray]


# --- each gate against central differences


def multiply(v: Arrays) -> tuple[np.ndarray, Callable[[np.ndarray], Arrays]]:
    out = gates.multiply(v["W"], v["v"])
    return out, lambda dout: dict(zip(("W", "v"), gates.multiply_backward(dout, v["W"], v["v"]), strict=True))


def add(v: Arrays) -> tuple[np.ndarray, Callable[[np.ndarray], Arrays]]:
    out = gates.add(v["u"], v["v"])
    return out, lambda dout: dict(zip(("u", "v"), gates.add_backward(dout, v["v"]), strict=True))


def squash(name: str) -> Callable[[Arrays], tuple[np.ndarray, Callable[[np.ndarray], Arrays]]]:
    def gate(v: Arrays) -> tuple[np.ndarray, Callable[[np.ndarray], Arrays]]:
        out = getattr(gates, name)(v["a"])
        return out, lambda dout: {"a": getattr(gates, f"{name}_backward")(dout, out)}

    return gate


TARGETS = np.array([1, 4, 1])


def softmax_output(v: Arrays) -> tuple[np.ndarray, Callable[[np.ndarray], Arrays]]:
    out, p = gates.softmax_output(v["logits"], TARGETS)
    return out, lambda dout: {"logits": gates.softmax_output_backward(dout, p, TARGETS)}


GATES: dict[str, tuple[Callable, dict[str, tuple[int, ...]]]] = {
    "multiply": (multiply, {"W": (4, 4), "v": (3, 4)}),
    "add": (add, {"u": (3, 4), "v": (3, 4)}),
    "add a bias": (add, {"u": (3, 4), "v": (4,)}),
    "tanh": (squash("tanh"), {"a": (3, 4)}),
    "relu": (squash("relu"), {"a": (3, 4)}),
    "sigmoid": (squash("sigmoid"), {"a": (3, 4)}),
    "softmax output": (softmax_output, {"logits": (3, 5)}),
}


def central_differences(name: str, dtype: type) -> None:
    gate, shapes = GATES[name]
    rng = np.random.default_rng(1)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    inputs = {i: draw(s) for i, s in shapes.items()}
    out, backward = gate(inputs)
    dout = draw(out.shape)
    eps = np.finfo(dtype).eps
    step = eps ** dtype(1 / 3)
    for i, gradient in backward(dout).items():
        assert gradient.shape == inputs[i].shape
        along = draw(shapes[i])
        value = [
            (dout * gate(inputs | {i: inputs[i] + s * along})[0]).sum() for s in (step, -step, step / 2, -step / 2)
        ]
        coarse, fine = (value[0] - value[1]) / (2 * step), (value[2] - value[3]) / step
        rounding = 64 * eps * (np.abs(dout * out).sum() + 1) / step
        assert abs((gradient * along).sum() - fine) <= 4 * abs(coarse - fine) + rounding, i


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@pytest.mark.parametrize("name", GATES)
def test_gate_matches_central_differences(name, dtype):
    central_differences(name, dtype)


FAULTS: dict[str, tuple[str, str, Callable]] = {
    "W not transposed": ("multiply", "multiply_backward", lambda dout, W, v: (dout.T @ v, dout @ W.T)),
    "dW transposed": ("multiply", "multiply_backward", lambda dout, W, v: (v.T @ dout, dout @ W)),
    "one side only": ("add", "add_backward", lambda dout, v: (dout, np.zeros_like(v))),
    "bias of the last row": ("add a bias", "add_backward", lambda dout, v: (dout, dout[-1])),
    "bias as a mean": ("add a bias", "add_backward", lambda dout, v: (dout, dout.mean(axis=0))),
    "slope of the slope": ("tanh", "tanh_backward", lambda dout, out: dout * (1 - np.tanh(out) ** 2)),
    "no slope": ("tanh", "tanh_backward", lambda dout, out: dout),
    "slope where it was cut": ("relu", "relu_backward", lambda dout, out: dout),
    "half of the slope": ("sigmoid", "sigmoid_backward", lambda dout, out: dout * out),
    "p alone": ("softmax output", "softmax_output_backward", lambda dloss, p, y: dloss[:, None] * p),
    "upstream forgotten": (
        "softmax output",
        "softmax_output_backward",
        lambda dloss, p, y: p - gates.one_hot(y, p.shape[1], p.dtype),
    ),
}


@pytest.mark.parametrize(("name", "function", "wrong"), FAULTS.values(), ids=FAULTS.keys())
def test_central_differences_catch(name, function, wrong, monkeypatch):
    monkeypatch.setattr(gates, function, wrong)
    with pytest.raises(AssertionError):
        central_differences(name, np.float64)


def test_gates_by_hand():
    """tanh(ln 2) = 3/5, sigmoid(ln 3) = 3/4, softmax(0, ln 3) = (1/4, 3/4)."""
    np.testing.assert_allclose(gates.tanh(np.log([[2.0]])), [[0.6]], rtol=BY_HAND)
    np.testing.assert_allclose(gates.tanh_backward(np.array([[5.0]]), np.array([[0.6]])), [[3.2]], rtol=BY_HAND)
    np.testing.assert_allclose(gates.sigmoid(np.log([[3.0]])), [[0.75]], rtol=BY_HAND)
    assert gates.sigmoid_backward(np.array([[16.0]]), np.array([[0.75]])) == 3
    assert gates.relu(np.array([[-2.0, 0, 3]])).tolist() == [[0, 0, 3]]
    assert gates.relu_backward(np.array([[5.0, 6, 7]]), np.array([[0.0, 0, 3]])).tolist() == [[0, 0, 7]]
    loss, p = gates.softmax_output(np.array([[0, np.log(3)]]), np.array([0]))
    np.testing.assert_allclose(loss, [np.log(4)], rtol=BY_HAND)
    np.testing.assert_allclose(p, [[0.25, 0.75]], rtol=BY_HAND)
    assert gates.one_hot(np.array([1, -1]), 3, np.dtype(float)).tolist() == [[0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_stay_finite(dtype):
    a = np.array([[-900, 0, 900]], dtype)
    with np.errstate(under="ignore"):
        np.testing.assert_array_equal(gates.tanh(a), np.array([[-1, 0, 1]], dtype))
        np.testing.assert_array_equal(gates.sigmoid(a), np.array([[0, 0.5, 1]], dtype))
        loss, p = gates.softmax_output(np.repeat(a, 2, axis=0), np.array([0, 2]))
    assert loss.tolist() == [1800, 0]
    assert np.isfinite(p).all()


# --- the pieces the graph is cut into


def cut(T: int, bptt: str, k: int | None) -> list[tuple[list[int], list[int]]]:
    return [(list(steps), list(counted)) for steps, counted in pieces(T, bptt, k)]


def test_pieces_by_hand():
    assert cut(3, "full", None) == [([0, 1, 2], [0, 1, 2])]
    assert cut(5, "chunked", 2) == [([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4], [4])]
    assert cut(4, "windowed", 2) == [([0], [0]), ([0, 1], [1]), ([0, 1, 2], [2]), ([1, 2, 3], [3])]
    assert cut(2, "windowed", 0) == [([0], [0]), ([1], [1])]


@pytest.mark.parametrize(("bptt", "k"), MODES)
@pytest.mark.parametrize("T", [1, 2, 3, 7])
def test_every_loss_is_counted_once(T, bptt, k):
    assert sorted(t for _, counted in cut(T, bptt, k) for t in counted) == list(range(T))


# --- the whole network against numpy_impl.model


def draw(seed: int, T=7, B=2, I=5, H=4, V=6, *, dtype=np.float64, dense=False, biases=True, state=True) -> list[Any]:
    rng = np.random.default_rng(seed)
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {n: rng.standard_normal(s).astype(dtype) for n, s in shapes.items() if biases or n[0] == "W"}
    x = rng.standard_normal((T, B, I)).astype(dtype) if dense else rng.integers(-1, I, (T, B))
    y = rng.integers(0, V, (T, B))
    y[rng.random((T, B)) < 0.2] = -100
    y[0, 0] = 0
    return [params, x, y, rng.standard_normal((B, H)).astype(dtype) if state else None]


def same_as_the_model(problem: list[Any], **options: Any) -> None:
    step = loss_and_grads(*problem, **options)
    back = step.backward
    expected = {"h": step.forward.h, "logits": step.forward.logits, "loss": step.loss, "dlogits": step.dlogits}
    expected |= {"dh": back.dh, "da": back.da, "dh0": back.dh0, **step.grads}
    expected |= {} if back.dx is None else {"dx": back.dx}
    found = unrolled.run_rnn(*problem, **options)
    assert set(found) == set(expected)
    for name, array in expected.items():
        limit = ULPS * np.finfo(array.dtype).eps * np.abs(array).max()
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert np.abs(found[name] - array).max() <= limit, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize(("bptt", "k"), MODES)
def test_unrolled_network_is_the_model(bptt, k, nonlinearity, dense, dtype):
    same_as_the_model(draw(1, dtype=dtype, dense=dense), bptt=bptt, k=k, nonlinearity=nonlinearity)


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_unrolled_network_is_the_model_with(state, biases, reduction):
    problem = draw(2, biases=biases, state=state)
    dloss = np.random.default_rng(3).standard_normal(problem[2].shape if reduction == "none" else ())
    same_as_the_model(problem, reduction=reduction, dloss=np.asarray(dloss))


@given(st.integers(0, 2**32 - 1), st.tuples(*(st.integers(1, n) for n in (8, 3, 5, 5, 6))), st.sampled_from(MODES))
@settings(max_examples=25)
def test_unrolled_network_is_the_model_at_any_size(seed, sizes, mode):
    same_as_the_model(draw(seed, *sizes), bptt=mode[0], k=mode[1])


def test_another_ignore_index():
    problem = draw(4)
    problem[2][problem[2] == -100] = 3
    same_as_the_model(problem, ignore_index=3, reduction="mean")


def test_inputs_are_left_alone():
    params, x, y, h0 = draw(5, dense=True)
    given = [*params.values(), x, y, h0]
    before = [a.copy() for a in given]
    results = list(run_rnn(params, x, y, h0).values())
    for a, b in zip(given, before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert list(params) == ["W_xh", "W_hh", "b_h", "W_hy", "b_y"]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(results) for b in [*given, *results[:i]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bptt": "windowed"}, 'k is None under bptt="windowed"'),
        ({"nonlinearity": "sigmoid"}, "nonlinearity is 'sigmoid'"),
        ({"reduction": "none"}, "dloss is missing"),
        ({"ignore_index": -1}, "is -100: ids run from 0 to 5"),
    ],
)
def test_wrong_calls_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run_rnn(*draw(6), **options)


def shorter_windows(T, bptt, k):
    yield from ((steps, counted) for steps, counted in pieces(T, bptt, max(0, k - 1)))


def one_piece(T, bptt, k):
    yield range(T), range(T)


def not_shared(params, s, dlogits, dh_later, f, original=unrolled.step_backward):
    """Keep no gradient of W_hh but at the last step, where nothing arrives from later."""
    back = original(params, s, dlogits, dh_later, f)
    return back._replace(grads=back.grads | {"dW_hh": back.grads["dW_hh"] * (not dh_later.any())})


@pytest.mark.parametrize(
    ("name", "wrong", "mode"),
    [
        ("pieces", shorter_windows, ("windowed", 2)),
        ("pieces", one_piece, ("chunked", 3)),
        ("pieces", one_piece, ("windowed", 2)),
        ("step_backward", not_shared, ("full", None)),
    ],
)
def test_comparison_with_the_model_catches(name, wrong, mode, monkeypatch):
    monkeypatch.setattr(unrolled, name, wrong)
    with pytest.raises(AssertionError):
        same_as_the_model(draw(7), bptt=mode[0], k=mode[1])
