"""What is lost beside 1 is followed back in time: held against a backward pass whose slopes and gradients are moved."""

from dataclasses import replace

import numpy as np
import pytest

from numpy_impl.model import loss_and_grads
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.implementation import NumpyImpl
from rnncheck.judging.judge import judge
from rnncheck.judging.lost_digits import lost_digits, lost_in_loss
from rnncheck.oracle import LiveOracle
from rnncheck.result import Verdict

SEED = 5
MOVE = 1e-6


def moved_backward(case, trace, slope, dlogits):
    """Backpropagate by the definition: the loss of every step goes back on its own, as far as BPTT lets it."""
    T = len(slope)
    W_hh, W_xh, W_hy = (case.params[name] for name in ("W_hh", "W_xh", "W_hy"))
    dh, da = np.zeros_like(slope), np.zeros_like(slope)
    for t in range(T):
        back = dlogits[t] @ W_hy
        first = {"full": 0, "windowed": max(0, t - (case.k or 0)), "chunked": t - t % (case.k or 1)}[case.bptt]
        for s in range(t, first - 1, -1):
            dh[s] += back
            da[s] += back * slope[s]
            back = (back * slope[s]) @ W_hh
    h0 = np.zeros_like(slope[0]) if case.h0 is None else case.h0
    h = np.concatenate([h0[None], trace["h"][:-1]])
    x = case.x if case.x.ndim == 3 else (case.x[..., None] == np.arange(W_xh.shape[1])).astype(float)
    return {
        "dlogits": dlogits,
        "dW_hy": np.einsum("tbv,tbh->vh", dlogits, trace["h"]),
        "db_y": dlogits.sum((0, 1)),
        "dh": dh,
        "da": da,
        "dW_hh": np.einsum("tbi,tbj->ij", da, h),
        "dW_xh": np.einsum("tbi,tbj->ij", da, x),
        "db_h": da.sum((0, 1)),
        "dx": da @ W_xh,
        "dh0": da[0] @ W_hh,
    }


HOW = [{}, {"bptt": "chunked", "k": 1}, {"bptt": "chunked", "k": 4}, {"bptt": "windowed", "k": 0}]
"""In a wider window the total gradient of a state loses digits once, by the definition once in each window."""
WHAT = [
    {},
    {"reduction": "mean", "inputs": "dense", "h0": False},
    {"reduction": "none", "inputs": "dense"},
    {"nonlinearity": "relu"},
    {"reduction": "mean", "T": 1, "B": 1, "ignored": 0.0},
]


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("how", HOW)
def test_the_loss_is_that_of_a_moved_backward_pass(how, what):
    case = make_rnn_case(Design(**({"T": 6, "B": 2, "H": 4, "V": 3, "ignored": 0.2} | how | what)), SEED)
    hold_against_moved(case)


def test_an_ignored_target_may_look_like_one_that_counts():
    case = make_rnn_case(Design(6, 2, H=4, V=3), SEED)
    hold_against_moved(replace(case, ignore_index=1))


def test_a_windows_readout_is_handed_back_k_steps():
    """Without slopes that lose anything, in a ReLU network, the definition of windows holds exactly."""
    hold_against_moved(make_rnn_case(Design(6, 2, H=4, V=3, nonlinearity="relu", bptt="windowed", k=2), SEED))


def hold_against_moved(case):
    trace = NumpyImpl().run(case)
    found = lost_digits(case, trace, np.random.default_rng(1))

    rng = np.random.default_rng(1)
    tanh = case.nonlinearity == "tanh"
    signs = [rng.choice([-1.0, 1.0], size=shape) for shape in ([trace["h"].shape] if tanh else []) + [case.y.shape]]
    counts = (case.y != case.ignore_index).astype(float)
    weight = counts * (1.0 if case.dloss is None else np.abs(case.dloss))
    weight = weight / counts.sum() if case.reduction == "mean" else weight
    h = trace["h"]
    slope, of_slopes = (1 - h * h, signs[0] * h * h) if tanh else ((h > 0) * 1.0, 0.0)
    of_targets = (case.y[..., None] == np.arange(3)) * (weight * signs[-1])[..., None]
    changes = [
        moved_backward(case, trace, slope + m * of_slopes, trace["dlogits"] + m * of_targets) for m in (MOVE, -MOVE)
    ]
    expected = {name: (up - changes[1][name]) / (2 * MOVE) for name, up in changes[0].items()}
    for name, array in expected.items():
        if name in trace:
            np.testing.assert_allclose(found[name], array, rtol=1e-6, atol=1e-8, err_msg=name)


def test_nothing_is_handed_over_a_cut():
    design = Design(6, 2, H=4, V=3)
    whole = make_rnn_case(replace(design, bptt="chunked", k=3), SEED)
    trace = NumpyImpl().run(whole)
    found = lost_digits(whole, trace, np.random.default_rng(1))
    without = {**trace, "dh": np.where(np.arange(6)[:, None, None] < 3, 0.0, trace["dh"])}
    rest = lost_digits(whole, without, np.random.default_rng(1))
    assert not np.array_equal(found["dh"][:2], rest["dh"][:2])  # born in the first chunk, as long as it has gradients
    later = {**trace, "dh": np.where(np.arange(6)[:, None, None] < 3, trace["dh"], 0.0)}
    np.testing.assert_array_equal(
        lost_digits(whole, later, np.random.default_rng(1))["dh"][:3], found["dh"][:3]
    )  # what is born in the second chunk does not reach the first


def test_without_a_readout_only_slopes_lose_digits():
    case = make_rnn_case(Design(6, 2), SEED)
    trace = NumpyImpl().run(case)
    nodes = {name: trace[name] for name in ("h", "dh", "da")}
    found = lost_digits(case, nodes, np.random.default_rng(1))
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=trace["h"].shape)
    assert found.keys() == {"dh", "da"}
    np.testing.assert_array_equal(found["dh"][-1], 0.0)
    np.testing.assert_allclose(found["da"][-1], (signs * trace["dh"] * trace["h"] ** 2)[-1], rtol=1e-12)


def test_it_is_worked_out_in_float64():
    case = make_rnn_case(Design(6, 2, dtype="float32", inputs="dense"), SEED)
    wide = replace(
        case,
        params={n: a.astype(np.float64) for n, a in case.params.items()},
        x=case.x.astype(np.float64),
        h0=case.h0.astype(np.float64),
    )
    trace = NumpyImpl().run(case)
    exact = {name: array.astype(np.float64) for name, array in trace.items()}
    found, expected = (lost_digits(c, t, np.random.default_rng(1)) for c, t in ((case, trace), (wide, exact)))
    assert found.keys() == expected.keys() > {"loss", "dlogits", "dh", "da", "dx"}
    for name, array in found.items():
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, expected[name])


def test_relu_loses_only_what_certain_targets_lose():
    case = make_rnn_case(Design(4, 2, nonlinearity="relu"), SEED)
    case = replace(case, y=np.full_like(case.y, case.ignore_index))
    assert all(
        (array == 0).all() for array in lost_digits(case, NumpyImpl().run(case), np.random.default_rng(1)).values()
    )


def test_a_trace_without_the_nodes_tells_nothing():
    case = make_rnn_case(Design(4, 2), SEED)
    assert lost_digits(case, {"loss": np.zeros(())}, np.random.default_rng(1)) == {}


# --- what it is for


def saturated():
    """Return a case whose saturated steps hand their loss to a step that is not, over targets that do not count."""
    return make_rnn_case(Design(5, 1, H=1, V=3, gain=1.3, input_scale=12.0, ignored=0.4), 536236213)


def backwards(case):
    """Write the slope as (1 - h)(1 + h), which rounds otherwise; else the textbook."""
    step = loss_and_grads(case.params, case.x, case.y, case.h0)
    trace = NumpyImpl().run(case)
    h = trace["h"]
    later, da, dh = np.zeros_like(h[0]), np.zeros_like(h), np.zeros_like(h)
    for t in reversed(range(len(h))):
        dh[t] = step.dlogits[t] @ case.params["W_hy"] + later
        da[t] = dh[t] * ((1 - h[t]) * (1 + h[t]))
        later = da[t] @ case.params["W_hh"]
    before = np.concatenate([case.h0[None], h[:-1]])
    x = (case.x[..., None] == np.arange(case.params["W_xh"].shape[1])).astype(float)
    weights = {"dW_hh": np.einsum("tbi,tbj->ij", da, before), "dW_xh": np.einsum("tbi,tbj->ij", da, x)}
    return {**trace, "dh": dh, "da": da, "dh0": later, "db_h": da.sum((0, 1)), **weights}


def verdicts(case, trace):
    return {c.array: c.verdict for c in judge(case, trace, LiveOracle().answer(case))}


def test_correct_code_is_not_blamed_for_what_saturation_hands_back():
    pytest.importorskip("torch")
    case = saturated()
    for trace in (NumpyImpl().run(case), backwards(case)):
        assert Verdict.FAILED not in verdicts(case, trace).values()


@pytest.mark.parametrize("array", ["da", "dW_hh", "dlogits", "dh0"])
def test_a_fault_is_seen_there_all_the_same(array):
    pytest.importorskip("torch")
    case = saturated()
    trace = NumpyImpl().run(case)
    assert verdicts(case, {**trace, array: 2 * trace[array]})[array] is Verdict.FAILED


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_a_small_loss_loses_what_its_logits_and_the_one_beside_them_lose(reduction):
    """Held against log sum exp z - z_y in float32: without the maximum taken out, and with it."""
    case = make_rnn_case(Design(8, 5, H=4, V=3, logit_scale=30, reduction=reduction, ignored=0.4), SEED)
    case = replace(case, y=np.where(case.y < 0, case.y, NumpyImpl().run(case)["logits"].argmax(-1)))
    trace = NumpyImpl().run(case)
    z, kept = trace["logits"], case.y >= 0
    z_y = np.take_along_axis(z, np.where(kept, case.y, 0)[..., None], -1)
    u = 2.0**-24

    def loss(z, z_y):
        return np.where(kept, np.log(np.exp(z).sum(-1)) - z_y[..., 0], 0)

    rounded = loss(z.astype(np.float32), z_y.astype(np.float32)), loss((z - z_y).astype(np.float32), 0 * z_y)
    lost = np.abs(np.stack(rounded) - loss((z - z_y).astype(np.longdouble), 0 * z_y))
    found = [np.abs(lost_digits(case, trace, np.random.default_rng(seed))["loss"]) for seed in range(100)]
    if reduction == "none":
        assert (lost <= 2 * u * found[0]).all()
        assert np.sqrt(np.mean(lost.max(0)[kept] ** 2)) >= 0.1 * u * np.sqrt(np.mean(found[0][kept] ** 2))
        assert (found[0] == 0)[~kept].all()
        return
    root = np.sqrt((lost**2).sum((1, 2))).max() / (kept.sum() if reduction == "mean" else 1)
    assert 0.5 * root <= u * np.sqrt(np.mean(np.square(found))) <= 20 * root


Z_Y = np.array([[3.0, -0.25], [-5.0, 7.0]], np.float32)
"""The logits of the targets; of what is rounded, 1 is the least."""


@pytest.mark.parametrize(
    ("y", "reduction", "expected"),
    [
        ([[0, 1], [2, 0]], "sum", [[3, 1], [5, 7]]),
        ([[0, 1], [2, 0]], "none", [[3, 1], [5, 7]]),
        ([[0, 1], [2, 0]], "mean", [[3 / 4, 1 / 4], [5 / 4, 7 / 4]]),
        ([[0, -100], [2, -100]], "mean", [[3 / 2, 0], [5 / 2, 0]]),
        ([[-100, -100], [-100, 0]], "mean", [[0, 0], [0, 7]]),
        ([[-100, -100], [-100, -100]], "mean", [[0, 0], [0, 0]]),
    ],
)
def test_what_each_target_may_lose_by_hand(y, reduction, expected):
    case = replace(make_rnn_case(Design(2, 2, H=4, V=3, reduction=reduction), SEED), y=np.array(y))
    logits = np.full((2, 2, 3), 99, np.float32)
    np.put_along_axis(logits, np.maximum(case.y, 0)[..., None], Z_Y[..., None], -1)
    np.testing.assert_array_equal(lost_in_loss(case, logits), np.array(expected, np.float64), strict=True)


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_the_loss_of_digits_has_the_shape_of_the_loss_and_its_sum(reduction):
    case = make_rnn_case(Design(3, 2, H=4, V=3, reduction=reduction), SEED)
    trace = NumpyImpl().run(case)
    found = lost_digits(case, trace, np.random.default_rng(1))["loss"]
    each = lost_digits(replace(case, reduction="none"), trace, np.random.default_rng(1))["loss"]
    assert found.shape == trace["loss"].shape
    if reduction == "sum":
        np.testing.assert_allclose(found, each.sum(), rtol=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_a_loss_that_rounds_to_nothing_is_right_and_a_wrong_one_is_still_found(reduction):
    """Of one sequence, one step: log(1 + 1e-11) is 0 in float32: an error of 100 %, which nothing confirms."""
    pytest.importorskip("torch")
    design = Design(2, 1, dtype="float32", H=33, V=2, gain=1.5, logit_scale=30, reduction=reduction)
    case = next(
        case
        for case in (make_rnn_case(design, seed) for seed in range(500))
        if 0 < LiveOracle().answer(case).trace["loss"].max() < 2.0**-26
    )
    answer, trace = LiveOracle().answer(case), NumpyImpl().run(case)
    assert not [c for c in judge(case, trace, answer) if c.verdict is Verdict.FAILED]
    wrong = trace | {"loss": trace["loss"] + np.float32(1e-3)}
    assert [c.array for c in judge(case, wrong, answer) if c.verdict is Verdict.FAILED] == ["loss"]


@pytest.mark.parametrize(("T", "seed", "logit_scale"), [(500, 77, 4.92426621003771), (500, 96, 17.04261712569875)])
def test_a_rounding_that_repeats_in_every_small_loss_is_no_fault(T, seed, logit_scale):
    """A constant token: the same log sum exp z, without its maximum, is rounded alike five hundred times."""
    pytest.importorskip("torch")
    design = Design(T, 1, H=4, V=2, dtype="float32", gain=0.4, tokens="constant", no_token=False)
    case = make_rnn_case(replace(design, logit_scale=logit_scale), seed)
    case = replace(case, y=np.full_like(case.y, NumpyImpl().run(case)["logits"][-1, 0].argmax()))
    trace = NumpyImpl().run(case)
    z = trace["logits"]
    loss = (np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, case.y[..., None], -1)[..., 0]).sum()
    assert verdicts(case, {**trace, "loss": loss})["loss"] is Verdict.PASSED
    assert verdicts(case, {**trace, "loss": loss * np.float32(1.001)})["loss"] is Verdict.FAILED
