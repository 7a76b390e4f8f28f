"""The whole model: central differences, relations that need no oracle, and what a call must leave alone.

A relation is a function of `run(problem) -> arrays by name`, so that its twin can hand it a wrong model.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.model import forward, loss_and_grads

DTYPES = [np.float32, np.float64, np.longdouble]
ULPS = 512
"""Two correct orders of computation may differ by this many units in the last place of the largest entry."""

NODES = ["h", "logits", "loss", "dlogits", "dh", "da", "dh0"]
EXAMPLES = {"max_examples": 15}
Trace = dict[str, np.ndarray]
Run = Callable[["Problem"], Trace]


@dataclass(frozen=True, eq=False)
class Problem:
    params: dict[str, np.ndarray]
    x: np.ndarray
    y: np.ndarray
    h0: np.ndarray | None
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def draw(cls, seed=0, T=6, B=3, I=5, H=4, V=7, *, dtype=np.float64, dense=False, biases=True, **options):
        """Draw ids or dense vectors, *no token* and ignored targets among them, and weights near criticality."""
        rng = np.random.default_rng(seed)
        shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
        params = {
            name: (rng.standard_normal(s) / np.sqrt(s[-1])).astype(dtype)
            for name, s in shapes.items()
            if biases or name[0] == "W"
        }
        x = rng.standard_normal((T, B, I)).astype(dtype) if dense else rng.integers(-1, I, (T, B))
        y = rng.integers(0, V, (T, B))
        y[rng.random((T, B)) < 0.2] = IGNORE_INDEX
        y[0, 0] = 0  # a mean needs one target
        if options.get("reduction") == "none":
            options["dloss"] = rng.standard_normal((T, B)).astype(dtype)
        return cls(params, x, y, rng.standard_normal((B, H)).astype(dtype), options)

    @property
    def dtype(self) -> np.dtype:
        return self.params["W_xh"].dtype


def run(p: Problem) -> Trace:
    step = loss_and_grads(p.params, p.x, p.y, p.h0, **p.options)
    back = step.backward
    trace = {"h": step.forward.h, "logits": step.forward.logits, "loss": step.loss, "dlogits": step.dlogits}
    trace |= {"dh": back.dh, "da": back.da, "dh0": back.dh0, **step.grads}
    return trace if back.dx is None else trace | {"dx": back.dx}


def assert_close(actual: np.ndarray, expected: np.ndarray, what: str = "") -> None:
    limit = ULPS * np.finfo(expected.dtype).eps * np.abs(expected).max()
    assert actual.shape == expected.shape, what
    assert np.abs(actual - expected).max() <= limit, what


def gradients(trace: Trace) -> Trace:
    return {name: a for name, a in trace.items() if name[0] == "d" and name not in ("dlogits", "dh", "da")}


# --- central differences, along one random direction per array


def loss_of_pieces(p: Problem, held: np.ndarray) -> np.floating:
    """Return the loss whose gradient each mode of BPTT is: pieces that start from the states `held`, as constants.

    `held` are the states h_0..h_T before anything moved; full BPTT needs none of them.
    """
    T, k = len(p.x), p.options.get("k")
    bptt = p.options.get("bptt", "full")
    starts = {"full": [0] * T, "windowed": [max(0, t - (k or 0)) for t in range(T)]}
    starts["chunked"] = [t // (k or 1) * (k or 1) for t in range(T)]
    options = {name: v for name, v in p.options.items() if name not in ("bptt", "k", "dloss", "reduction")}
    total = p.dtype.type(0)
    for t, first in enumerate(starts[bptt]):
        h0 = p.h0 if first == 0 else held[first]
        y = np.full_like(p.y[first : t + 1], IGNORE_INDEX)
        y[-1] = p.y[t]
        dloss = p.options["dloss"][t] if "dloss" in p.options else np.ones(p.y.shape[1], p.dtype)
        upstream = np.zeros(y.shape, p.dtype)
        upstream[-1] = dloss
        step = loss_and_grads(p.params, p.x[first : t + 1], y, h0, reduction="none", dloss=upstream, **options)
        total += (upstream * step.loss).sum()
    return total / ((p.y != IGNORE_INDEX).sum() if p.options.get("reduction") == "mean" else 1)


def moved(p: Problem, gradient: str, by: np.ndarray) -> Problem:
    name = gradient.removeprefix("d")
    if name in p.params:
        return replace(p, params=p.params | {name: p.params[name] + by})
    return replace(p, **{name: getattr(p, name) + by})


def central_differences(p: Problem, run: Run) -> None:
    held = forward(p.params, p.x, p.h0, nonlinearity=p.options.get("nonlinearity", "tanh")).states
    rng = np.random.default_rng(1)
    eps = np.finfo(p.dtype).eps
    step = eps ** p.dtype.type(1 / 3)
    for name, gradient in gradients(run(p)).items():
        along = rng.standard_normal(gradient.shape).astype(p.dtype)
        ahead, behind = (
            [loss_of_pieces(moved(p, name, s * h * along), held) for h in (step, step / 2)] for s in (1, -1)
        )
        coarse, fine = ((a - b) / (2 * h) for a, b, h in zip(ahead, behind, (step, step / 2), strict=True))
        rounding = 64 * eps * (abs(ahead[0]) + p.y.size) / step
        assert abs((gradient * along).sum() - fine) <= 4 * abs(coarse - fine) + rounding, name


MODES = [("full", None), ("windowed", 0), ("windowed", 2), ("chunked", 1), ("chunked", 4)]


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(("bptt", "k"), MODES)
def test_gradients_match_central_differences(bptt, k, dense, dtype):
    central_differences(Problem.draw(1, dense=dense, dtype=dtype, bptt=bptt, k=k), run)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_gradients_match_central_differences_with(reduction, biases, nonlinearity):
    p = Problem.draw(2, dense=True, biases=biases, reduction=reduction, nonlinearity=nonlinearity)
    assert ("db_h" in run(p)) == biases
    central_differences(p, run)


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(*(st.integers(1, n) for n in (6, 3, 4, 4, 5))),
    st.sampled_from(MODES),
    st.booleans(),
)
@settings(**EXAMPLES)
def test_gradients_match_central_differences_at_any_size(seed, sizes, mode, dense):
    central_differences(Problem.draw(seed, *sizes, dense=dense, bptt=mode[0], k=mode[1]), run)


# --- relations


def causality(p: Problem, run: Run) -> None:
    """States and logits before step 3 know nothing of inputs from step 3 on."""
    later = p.x.copy()
    later[3:] = (later[3:] + 1) % p.params["W_xh"].shape[1]
    a, b = run(p), run(replace(p, x=later))
    for name in ("h", "logits"):
        np.testing.assert_array_equal(a[name][:3], b[name][:3])
        assert (a[name][3:] != b[name][3:]).any()


def composition(p: Problem, run: Run) -> None:
    """Chunked BPTT is a call for each chunk, from the state that the chunk before left, and gradients added up."""
    k = 2
    whole = run(replace(p, options=p.options | {"bptt": "chunked", "k": k}))
    parts, h = [], p.h0
    for first in range(0, len(p.x), k):
        parts.append(run(replace(p, x=p.x[first : first + k], y=p.y[first : first + k], h0=h)))
        h = parts[-1]["h"][-1]
    for name in ("h", "logits", "dlogits", "dh", "da"):
        assert_close(np.concatenate([part[name] for part in parts]), whole[name], name)
    for name in ("loss", *(n for n in gradients(whole) if n not in ("dh0", "dx"))):
        assert_close(np.asarray(sum(part[name] for part in parts)), whole[name], name)
    assert_close(parts[0]["dh0"], whole["dh0"], "dh0")


def long_window_is_full(p: Problem, run: Run) -> None:
    full = run(p)
    for k in (len(p.x) - 1, 10 * len(p.x)):
        windowed = run(replace(p, options=p.options | {"bptt": "windowed", "k": k}))
        for name in full:
            assert_close(windowed[name], full[name], name)


def batch_permutation(p: Problem, run: Run) -> None:
    order = np.roll(np.arange(p.x.shape[1]), 1)
    a, b = run(p), run(replace(p, x=p.x[:, order], y=p.y[:, order], h0=p.h0[order]))
    for name in a:
        by_sequence = {"h", "logits", "dlogits", "dh", "da", "dx"}
        expected = a[name][:, order] if name in by_sequence else a[name][order] if name == "dh0" else a[name]
        assert_close(b[name], expected, name)


def batch_additivity(p: Problem, run: Run) -> None:
    """Under "sum" a batch is its sequences one by one, with their losses and gradients added up."""
    whole = run(p)
    alone = [run(replace(p, x=p.x[:, b : b + 1], y=p.y[:, b : b + 1], h0=p.h0[b : b + 1])) for b in range(p.x.shape[1])]
    for name in ("loss", *(n for n in gradients(whole) if n not in ("dh0", "dx"))):
        assert_close(np.asarray(sum(a[name] for a in alone)), whole[name], name)
    assert_close(np.concatenate([a["dh0"] for a in alone]), whole["dh0"], "dh0")
    assert_close(np.concatenate([a["h"] for a in alone], axis=1), whole["h"], "h")


def linearity(p: Problem, run: Run) -> None:
    """All gradients are linear in the upstream gradient."""
    rng = np.random.default_rng(4)
    u, v = (rng.standard_normal(p.y.shape).astype(p.dtype) for _ in range(2))
    options = p.options | {"reduction": "none"}
    a, b, both = (run(replace(p, options=options | {"dloss": d})) for d in (u, v, 2 * u - 3 * v))
    for name in ("dlogits", "dh", "da", *gradients(a)):
        assert_close(both[name], 2 * a[name] - 3 * b[name], name)


def mean_is_sum_over_count(p: Problem, run: Run) -> None:
    count = (p.y != IGNORE_INDEX).sum()
    total, mean = (run(replace(p, options=p.options | {"reduction": r})) for r in ("sum", "mean"))
    for name in ("loss", "dlogits", "dh", "da", *gradients(total)):
        assert_close(mean[name], (total[name] / count).astype(p.dtype), name)


def zero_state(p: Problem, run: Run) -> None:
    a, b = run(replace(p, h0=None)), run(replace(p, h0=np.zeros_like(p.h0)))
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def zero_biases(p: Problem, run: Run) -> None:
    weights = {name: w for name, w in p.params.items() if name[0] == "W"}
    zeros = {name: np.zeros_like(b) for name, b in p.params.items() if name[0] == "b"}
    a, b = run(replace(p, params=weights)), run(replace(p, params=weights | zeros))
    assert set(b) - set(a) == {"db_h", "db_y"}
    for name in a:
        assert_close(b[name], a[name], name)


def ids_are_one_hot_vectors(p: Problem, run: Run) -> None:
    I = p.params["W_xh"].shape[1]
    dense = np.zeros((*p.x.shape, I), p.dtype)
    for t, b in np.argwhere(p.x >= 0):
        dense[t, b, p.x[t, b]] = 1
    a, b = run(p), run(replace(p, x=dense))
    assert set(b) - set(a) == {"dx"}
    for name in a:
        assert_close(b[name], a[name], name)


def equal_calls_give_equal_results(p: Problem, run: Run) -> None:
    """Nothing is remembered: not by the model, not in the gradients, with another call in between."""
    first = {name: a.copy() for name, a in run(p).items()}
    run(replace(p, h0=-p.h0, y=p.y[::-1].copy()))
    for name, array in run(p).items():
        np.testing.assert_array_equal(array, first[name], err_msg=name)


def inputs_left_alone(p: Problem, run: Run) -> None:
    given = p.params | {"x": p.x, "y": p.y, "h0": p.h0}
    before = {name: a.copy() for name, a in given.items()}
    trace = run(p)
    for name, array in given.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
        assert not [n for n, a in trace.items() if np.shares_memory(a, array)], name


def results_do_not_alias(p: Problem, run: Run) -> None:
    first = list(run(p).items())
    for i, (name, a) in enumerate(first):
        assert not [other for other, b in first[:i] if np.shares_memory(a, b)], name
    second = run(p)
    assert not [name for name, a in first if any(np.shares_memory(a, b) for b in second.values())]


RELATIONS = {
    r.__name__: r
    for r in (
        causality,
        composition,
        long_window_is_full,
        batch_permutation,
        batch_additivity,
        linearity,
        mean_is_sum_over_count,
        zero_state,
        zero_biases,
        ids_are_one_hot_vectors,
        equal_calls_give_equal_results,
        inputs_left_alone,
        results_do_not_alias,
    )
}


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS.keys())
@pytest.mark.parametrize("dtype", DTYPES)
def test_relation_holds(relation, dtype):
    relation(Problem.draw(5, dtype=dtype), run)


@pytest.mark.parametrize(
    "relation", [composition, linearity, batch_additivity, inputs_left_alone, results_do_not_alias]
)
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_relation_holds_for_dense_inputs(relation, nonlinearity):
    relation(Problem.draw(6, dense=True, nonlinearity=nonlinearity), run)


@given(
    st.sampled_from(["composition", "batch_permutation", "batch_additivity", "linearity", "mean_is_sum_over_count"]),
    st.integers(0, 2**32 - 1),
    st.tuples(*(st.integers(1, n) for n in (9, 4, 5, 5, 6))),
)
@settings(**EXAMPLES)
def test_relation_holds_at_any_size(name, seed, sizes):
    RELATIONS[name](Problem.draw(seed, *sizes), run)


def test_130_steps_are_26_calls_of_5():
    p = Problem.draw(7, T=130)
    h, parts = p.h0, []
    for first in range(0, 130, 5):
        parts.append(forward(p.params, p.x[first : first + 5], h))
        h = parts[-1].h_T
    whole = forward(p.params, p.x, p.h0)
    np.testing.assert_array_equal(np.concatenate([f.h for f in parts]), whole.h)
    np.testing.assert_array_equal(h, whole.h_T)
    assert not np.shares_memory(whole.h_T, whole.states)  # a state that is carried must not keep a whole pass alive
    assert_close(np.concatenate([f.logits for f in parts]), whole.logits)


# --- dtype, layout, extremes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
@pytest.mark.parametrize(("bptt", "k"), MODES)
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_every_array_keeps_the_dtype(dtype, reduction, bptt, k, nonlinearity):
    p = Problem.draw(8, dtype=dtype, dense=True, reduction=reduction, bptt=bptt, k=k, nonlinearity=nonlinearity)
    for case in (p, replace(p, h0=None)):
        assert {name: str(a.dtype) for name, a in run(case).items()} == dict.fromkeys(run(case), str(np.dtype(dtype)))


def precision(p: Problem, run: Run) -> None:
    # A dtype label can be right over values that went through a narrower one: compare with the widest dtype.
    wide = np.longdouble
    exact = run(replace(p, params={n: w.astype(wide) for n, w in p.params.items()}, h0=p.h0.astype(wide)))
    for name, array in run(p).items():
        limit = ULPS * np.finfo(array.dtype).eps * np.abs(exact[name]).max()
        assert np.abs(array - exact[name]).max() <= limit, name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_have_the_precision_of_the_dtype(dtype):
    precision(Problem.draw(9, T=30, dtype=dtype), run)


@pytest.mark.parametrize("dense", [False, True])
def test_layout_of_the_arrays_does_not_matter(dense):
    p = Problem.draw(10, dense=dense)

    def spread(a: np.ndarray) -> np.ndarray:
        return np.asfortranarray(np.repeat(a, 2, axis=-1))[..., ::2]

    q = Problem({n: spread(w) for n, w in p.params.items()}, spread(p.x), spread(p.y), spread(p.h0), p.options)
    assert not q.x.flags.c_contiguous
    a, b = run(p), run(q)
    for name in a:
        assert_close(b[name], a[name], name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logits_of_900_stay_finite_with_the_exact_loss(dtype):
    """One unit with state 1 (ReLU) and W_hy = ±900: logits (900, -900), so the wrong word costs exactly 1800."""
    one = np.ones((1, 1), dtype)
    params = {"W_xh": one, "W_hh": 0 * one, "W_hy": np.array([[900], [-900]], dtype)}
    with np.errstate(under="ignore"):
        step = loss_and_grads(params, np.array([[0], [0]]), np.array([[0], [1]]), nonlinearity="relu")
    assert step.loss == 1800
    assert all(np.isfinite(a).all() for a in (step.dlogits, *step.grads.values()))
    # dlogits = (0, 0) and (1, -1): dW_hy = (1, -1), dh_2 = 900 + 900
    assert_close(step.grads["dW_hy"], np.array([[1], [-1]], dtype))
    assert_close(step.backward.dh, np.array([[[0]], [[1800]]], dtype))


def test_one_step_of_one_unit_by_hand():
    """tanh(ln 2) = 3/5 and softmax(0, ln 3) = (1/4, 3/4): the whole model on paper."""
    params = {"W_xh": np.array([[np.log(2)]]), "W_hh": np.array([[5.0]]), "W_hy": np.array([[0], [np.log(3) / 0.6]])}
    step = loss_and_grads(params, np.array([[0]]), np.array([[0]]), np.zeros((1, 1)))
    assert_close(step.forward.h, np.array([[[0.6]]]))
    assert_close(step.loss, np.array(np.log(4)))
    assert_close(step.dlogits, np.array([[[-0.75, 0.75]]]))
    dh = 0.75 * np.log(3) / 0.6
    expected = {"dW_hy": [[-0.45], [0.45]], "dW_xh": [[dh * 0.64]], "dW_hh": [[0.0]]}
    for name, value in expected.items():
        assert_close(step.grads[name], np.array(value), name)
    assert_close(step.backward.dh0, np.array([[5 * dh * 0.64]]))


# --- the twins: a wrong model must be caught


def future(p: Problem) -> Trace:
    return run(replace(p, x=p.x[::-1].copy()))


def h0_dropped(p: Problem) -> Trace:
    return run(replace(p, h0=None))


def default_state_of_ones(p: Problem) -> Trace:
    return run(replace(p, h0=np.ones((p.x.shape[1], len(p.params["W_hh"])), p.dtype)) if p.h0 is None else p)


def batch_mean(p: Problem) -> Trace:
    return {n: a / p.x.shape[1] if n in gradients({n: a}) else a for n, a in run(p).items()}


def first_row_for_all(p: Problem) -> Trace:
    return run(replace(p, h0=np.repeat(p.h0[:1], len(p.h0), axis=0)))


def without_carry(p: Problem) -> Trace:
    return run(replace(p, options=p.options | {"bptt": "windowed", "k": 0}))


def one_step_short(p: Problem) -> Trace:
    k = p.options.get("k")
    return run(replace(p, options=p.options | {"k": k and min(k, len(p.x) - 1) - 1}))


def recurrent_gradient_transposed(p: Problem) -> Trace:
    trace = run(p)
    return trace | {"dW_hh": trace["dW_hh"].T}


def bias_of_the_last_step(p: Problem) -> Trace:
    trace = run(p)
    return trace | {"db_h": trace["da"][-1].sum(0)} if "b_h" in p.params else trace


def upstream_squared(p: Problem) -> Trace:
    dloss = p.options.get("dloss")
    return run(replace(p, options=p.options | {"dloss": None if dloss is None else dloss * np.abs(dloss)}))


def count_of_all_steps(p: Problem) -> Trace:
    factor = (p.y != IGNORE_INDEX).mean() if p.options.get("reduction") == "mean" else 1
    return {n: a * factor if n[0] == "d" else a for n, a in run(p).items()}


def no_token_is_the_last_token(p: Problem) -> Trace:
    ids = p.x.ndim == 2
    return run(replace(p, x=np.where(p.x < 0, p.params["W_xh"].shape[1] - 1, p.x)) if ids else p)


def bias_of_one_half(p: Problem) -> Trace:
    return run(replace(p, params={"b_h": np.full(len(p.params["W_hh"]), 0.5, p.dtype)} | p.params))


def working_in_place(p: Problem) -> Trace:
    p.x[p.x < 0] = 0
    return run(p)


def state_returned_as_given(p: Problem) -> Trace:
    return run(p) | {"dh0": p.h0}


def aliased(p: Problem) -> Trace:
    trace = run(p)
    return trace | {"da": trace["dh"]}


def single_precision_inside(p: Problem) -> Trace:
    narrow = {n: w.astype(np.float32).astype(w.dtype) for n, w in p.params.items()}
    return run(replace(p, params=narrow) if p.dtype == np.float64 else p)


class Remembering:
    """A model that carries its state and its gradients from call to call."""

    def __init__(self) -> None:
        self.state: np.ndarray | None = None

    def __call__(self, p: Problem) -> Trace:
        trace = run(p if self.state is None else replace(p, h0=self.state))
        self.state = trace["h"][-1]
        return trace


@pytest.mark.parametrize(
    "wrong",
    [without_carry, h0_dropped, batch_mean, recurrent_gradient_transposed, bias_of_the_last_step],
)
def test_central_differences_catch(wrong):
    with pytest.raises(AssertionError):
        central_differences(Problem.draw(11), wrong)


@pytest.mark.parametrize(
    ("relation", "wrong"),
    [
        (causality, future),
        (composition, h0_dropped),
        (long_window_is_full, one_step_short),
        (batch_permutation, first_row_for_all),
        (batch_additivity, batch_mean),
        (linearity, upstream_squared),
        (mean_is_sum_over_count, count_of_all_steps),
        (zero_state, default_state_of_ones),
        (zero_biases, bias_of_one_half),
        (ids_are_one_hot_vectors, no_token_is_the_last_token),
        (equal_calls_give_equal_results, Remembering()),
        (inputs_left_alone, working_in_place),
        (inputs_left_alone, state_returned_as_given),
        (results_do_not_alias, aliased),
        (precision, single_precision_inside),
    ],
)
def test_relation_catches(relation, wrong):
    with pytest.raises(AssertionError):
        relation(Problem.draw(12), wrong)
