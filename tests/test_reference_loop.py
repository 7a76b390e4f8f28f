"""Three ways to one result: the loop under autograd, torch's modules, and the network by hand in NumPy."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from numpy_impl.model import loss_and_grads  # noqa: E402 - torch may be missing
from reference import loop  # noqa: E402
from reference.bptt import Segment  # noqa: E402
from reference.loop import NO_TOKEN, run_rnn  # noqa: E402
from reference.modules import run_rnn_modules  # noqa: E402

I, H, V = 6, 4, 8
FALLBACK = 256 * 2.0**-53
"""Largest difference that counts as rounding, in units of the largest number of the array."""

ORDER = ("h", "logits", "loss", "dlogits", "dW_hy", "db_y", "dh", "da", "dW_hh", "dW_xh", "db_h", "dx", "dh0")
MODES = [("full", None), ("windowed", 0), ("windowed", 3), ("chunked", 1), ("chunked", 4)]


def problem(T, B, *, inputs="ids", biases=True, h0=True, reduction="sum", seed=0, **settings):
    """Make a problem whose sizes differ, with repeated tokens, *no token*, ignored targets and strong weights."""
    rng = np.random.default_rng([seed, T, B])
    params = {"W_xh": rng.normal(size=(H, I)), "W_hh": 1.2 * rng.normal(size=(H, H)) / np.sqrt(H)}
    params |= {"b_h": rng.normal(size=H)} if biases else {}
    params |= {"W_hy": rng.normal(size=(V, H))}
    params |= {"b_y": rng.normal(size=V)} if biases else {}
    x = rng.integers(0, I, (T, B))
    y = rng.integers(0, V, (T, B))
    if T * B > 1:
        x[0, 0], y[-1, -1] = NO_TOKEN, -100
    if inputs == "one-hot":
        x = (x[..., None] == np.arange(I)).astype(float)
    elif inputs == "dense":
        x = rng.normal(size=(T, B, I))
    return {
        "params": params,
        "x": x,
        "y": y,
        "h0": rng.normal(size=(B, H)) if h0 else None,
        "reduction": reduction,
        "dloss": rng.normal(size=(T, B)) if reduction == "none" else None,
        **settings,
    }


def by_hand(params, x, **rest):
    """Run numpy_impl and name its arrays as the oracle does."""
    step = loss_and_grads(params, x, **rest)
    back = step.backward
    found = {"h": step.forward.h, "logits": step.forward.logits, "loss": step.loss, "dlogits": step.dlogits}
    found |= {**step.grads, "dh": back.dh, "da": back.da, "dx": back.dx, "dh0": back.dh0}
    return {name: found[name] for name in ORDER if found.get(name) is not None}


def different(a, b):
    """Name the arrays that differ by more than rounding."""
    shared = [name for name in a if name in b]
    assert len(shared) >= 7, f"hardly anything to compare: {shared}"
    assert all(a[name].shape == b[name].shape for name in shared)
    return [name for name in shared if not np.abs(a[name] - b[name]).max() <= FALLBACK * np.abs(b[name]).max()]


@pytest.mark.parametrize(("bptt", "k"), MODES)
@pytest.mark.parametrize("B", [1, 2, 5])
@pytest.mark.parametrize("T", [1, 2, 3, 7, 25])
def test_loop_agrees_with_numpy(T, B, bptt, k):
    case = problem(T, B, bptt=bptt, k=k)
    assert list(run_rnn(**case)) == list(by_hand(**case))
    assert different(run_rnn(**case), by_hand(**case)) == []


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
@pytest.mark.parametrize("h0", [True, False])
@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("inputs", ["ids", "one-hot", "dense"])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize(("bptt", "k"), [("full", None), ("windowed", 2), ("chunked", 3)])
def test_every_option_agrees_in_all_three(bptt, k, nonlinearity, inputs, biases, h0, reduction):
    options = {"inputs": inputs, "biases": biases, "h0": h0, "reduction": reduction, "nonlinearity": nonlinearity}
    case = problem(7, 2, bptt=bptt, k=k, **options)
    result = run_rnn(**case)
    assert different(result, by_hand(**case)) == []
    if bptt != "windowed":
        by_modules = run_rnn_modules(**case)
        assert set(result) - set(by_modules) == {"dh", "da"}, "modules hide these two and nothing else"
        assert different(by_modules, result) == []


@pytest.mark.parametrize("run", [run_rnn, run_rnn_modules])
def test_one_upstream_number_scales_every_gradient(run):
    case = problem(5, 2, reduction="mean")
    once, scaled = run(**case), run(**case | {"dloss": np.array(-3.0)})
    gradients = {name: -3 * array for name, array in once.items() if name.startswith("d")}
    assert different(gradients, scaled) == []
    assert scaled["loss"] == once["loss"]


def test_one_hot_and_ids_are_the_same_input():
    ids, vectors = problem(7, 2), problem(7, 2, inputs="one-hot")
    assert different(run_rnn(**ids), run_rnn(**vectors)) == []


def cast(case, dtype):
    """Cast every floating array of a problem."""
    params = {name: array.astype(dtype) for name, array in case["params"].items()}
    floating = {n: a.astype(dtype) for n, a in case.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"}
    return case | floating | {"params": params}


@pytest.mark.parametrize("run", [run_rnn, run_rnn_modules])
@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
def test_computes_in_float64_whatever_comes_in(run, dtype):
    given = cast(problem(5, 2, inputs="dense", reduction="none"), dtype)
    result, expected = run(**given), run(**cast(given, np.float64))
    assert {array.dtype for array in result.values()} == {np.dtype(float)}
    assert all((result[name] == expected[name]).all() for name in expected)


def test_large_logits_neither_overflow_nor_lose_the_small_loss():
    case = problem(3, 2)
    case["params"] |= {"W_hy": np.zeros((V, H)), "b_y": np.full(V, -900.0)}
    case["params"]["b_y"][:2] = 900, 880
    case["y"][:] = 0
    assert run_rnn(**case)["loss"] == pytest.approx(6 * np.log1p(np.exp(-20.0)), rel=FALLBACK)


@pytest.mark.parametrize("run", [run_rnn, run_rnn_modules])
def test_inputs_stay_as_they_were_and_results_are_nobodys_view(run):
    case = problem(5, 2, inputs="dense")
    arrays = {name: a for name, a in {**case, **case["params"]}.items() if isinstance(a, np.ndarray)}
    before = {name: a.copy() for name, a in arrays.items()}
    first = run(**case)
    kept = {name: a.copy() for name, a in first.items()}
    for array in first.values():
        array += 1
    assert all((arrays[name] == before[name]).all() for name in before)
    second = run(**case)
    assert all((second[name] == kept[name]).all() for name in kept), "a second call starts from nothing"


FAULTS = {
    "W_hh transposed": lambda case: case | {"params": case["params"] | {"W_hh": case["params"]["W_hh"].T}},
    "h0 dropped": lambda case: case | {"h0": None},
    "hidden bias dropped": lambda case: case | {"params": case["params"] | {"b_h": np.zeros(H)}},
    "no token read as token 0": lambda case: case | {"x": np.maximum(case["x"], 0)},
    "ignored target counted": lambda case: case | {"y": np.maximum(case["y"], 0)},
    "mean for sum": lambda case: case | {"reduction": "mean"},
    "ReLU for tanh": lambda case: case | {"nonlinearity": "relu"},
    "one step too far": lambda case: case | {"k": case["k"] + 1},
    "one step too short": lambda case: case | {"k": case["k"] - 1},
    "not truncated": lambda case: case | {"bptt": "full", "k": None},
    "chunks for windows": lambda case: case | {"bptt": "chunked"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_either_side_is_seen(fault):
    case = problem(7, 2, bptt="windowed", k=2)
    wrong = FAULTS[fault](case)
    assert different(run_rnn(**wrong), by_hand(**case))
    assert different(run_rnn(**case), by_hand(**wrong))


@pytest.mark.parametrize("fault", list(FAULTS)[:7])
def test_a_fault_in_the_modules_is_seen(fault):
    case = problem(7, 2)
    assert different(run_rnn_modules(**FAULTS[fault](case)), run_rnn(**case))


@pytest.mark.parametrize(
    "faulty",
    [
        lambda T, bptt, k: [Segment(0, t + 1, t) for t in range(T)],
        lambda T, bptt, k: [Segment(t, t + 1, t) for t in range(T)],
        lambda T, bptt, k: [Segment(max(0, t - k + (t == T - 1)), t + 1, t) for t in range(T)],
    ],
    ids=["cut nowhere", "cut everywhere", "last window too short"],
)
def test_a_wrong_cut_is_seen_in_the_gradients_of_the_recurrence_alone(monkeypatch, faulty):
    case = problem(7, 2, bptt="windowed", k=2, inputs="dense")
    monkeypatch.setattr(loop, "segments", faulty)
    seen = different(run_rnn(**case), by_hand(**case))
    assert {"dh", "da", "dW_hh", "dW_xh", "db_h", "dx"} <= set(seen) <= set(ORDER[6:])
