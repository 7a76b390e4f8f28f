"""Measured scales at work: correct code in any order of summation passes, small faults in the weakest place do not."""

# ruff: noqa: E402 - without torch the module is skipped before anything is imported that needs it

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from reference.loop import run_rnn
from reference.modules import run_rnn_modules
from rnncheck.case import ClipCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.implementation import NumpyImpl, rnn_options
from rnncheck.judging.arithmetic import Arithmetic
from rnncheck.judging.judge import FAR
from rnncheck.judging.montecarlo import MonteCarlo, MonteCarloRule
from rnncheck.judging.scales import noisy_tolerance, rough_tolerance, scales, stored, stored_tolerance
from rnncheck.textbook import Textbook
from rnncheck.trace import expected_arrays

DTYPES = ["float32", "float64"]
DESIGNS = {
    "full": Design(12, 3),
    "windowed": Design(12, 3, bptt="windowed", k=3),
    "chunked": Design(12, 3, bptt="chunked", k=5),
    "relu": Design(7, 3, nonlinearity="relu"),
    "ignored, mean": Design(12, 3, ignored=0.4, reduction="mean"),
    "upstream gradient": Design(12, 3, reduction="none"),
    "dense": Design(12, 3, inputs="dense"),
    "constant token": Design(100, 3, tokens="constant", gain=1.0, orthogonal=True),
    "one step, h0 = 0": Design(1, 2, h0=False),
    "V = 2, B = 1": Design(5, 1, V=2),
    "logits 10": Design(7, 2, logit_scale=10.0),
    "logits 900": Design(7, 2, logit_scale=900.0),
    "underflow": Design(40, 2, gain=0.02),
}


def case_of(name, dtype="float32", seed=0):
    return make_rnn_case(Design(**{**vars(DESIGNS[name]), "dtype": dtype}), seed)


def torch_loop(case):
    dtype = torch.float32 if case.dtype == np.float32 else torch.float64
    return run_rnn(dict(case.params), case.x, case.y, case.h0, **rnn_options(case), dtype=dtype)


def torch_fused(case):
    dtype = torch.float32 if case.dtype == np.float32 else torch.float64
    options = rnn_options(case)
    return (
        {} if case.bptt == "windowed" else run_rnn_modules(case.params, case.x, case.y, case.h0, **options, dtype=dtype)
    )


def margins(case, measured, trace):
    tolerance = MonteCarlo(case, measured.sigma, measured.gates)
    rules = {name: tolerance.rule(name) for name in trace}
    return {
        n: r.judge(trace[n], measured.reference[n]).margin for n, r in rules.items() if isinstance(r, MonteCarloRule)
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DESIGNS)
def test_correct_code_passes_in_every_order_of_summation(name, dtype):
    case = case_of(name, dtype)
    measured = scales(case)
    assert set(measured.sigma) == set(expected_arrays(case))
    for run in (NumpyImpl().run, Textbook().run, torch_loop, torch_fused):
        trace = run(case)
        assert all(measured.sigma[n].shape == trace[n].shape for n in trace)
        assert max(margins(case, measured, trace).values(), default=0) <= 1


def test_reference_that_comes_with_the_scales_is_the_oracles():
    for name in ("full", "windowed", "chunked", "dense", "upstream gradient"):
        case = case_of(name)
        expected = run_rnn(dict(case.params), case.x, case.y, case.h0, **rnn_options(case))
        for array, value in scales(case).reference.items():
            np.testing.assert_allclose(value, expected[array], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["full", "windowed", "chunked", "constant token"])
def test_single_precision_inside_double_is_caught_in_every_array(name):
    case = case_of(name, "float64")
    trace = NumpyImpl().run(case_of(name, "float32"))
    assert min(margins(case, scales(case), trace).values()) > 1e3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("array", ["dW_hh", "dW_xh", "db_h"])
def test_a_contribution_dropped_at_the_weakest_step_is_caught(array, dtype):
    case = case_of("full", dtype)
    measured = scales(case)
    trace = dict(NumpyImpl().run(case))
    da = trace["da"]
    before = np.concatenate([case.h0[None], trace["h"][:-1]])
    one_hot = (case.x[..., None] == np.arange(case.sizes["I"])).astype(dtype)
    source = {"dW_hh": before, "dW_xh": one_hot, "db_h": np.ones((*case.x.shape, 1), dtype)}[array]
    contributions = np.einsum("tba,tbc->tbac", da, source).reshape(-1, *np.atleast_2d(trace[array].T).T.shape)
    size = np.abs(contributions).max((1, 2))
    weakest = contributions[np.where(size > 0, size, np.inf).argmin()]
    trace[array] = trace[array] - weakest.reshape(trace[array].shape)
    assert margins(case, measured, {array: trace[array]})[array] > 100


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_percent_in_the_last_dh_is_caught(dtype):
    case = make_rnn_case(Design(30, 2, gain=1.5, dtype=dtype), seed=1)
    trace = {name: np.array(a) for name, a in NumpyImpl().run(case).items()}
    trace["dh"][-1] *= 1.01
    assert margins(case, scales(case), trace)["dh"] > 100


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_wrong_value_where_the_reference_is_exactly_zero_is_caught(dtype):
    case = case_of("ignored, mean", dtype)
    trace = {name: np.array(a) for name, a in NumpyImpl().run(case).items()}
    trace["dlogits"][case.y == case.ignore_index] += np.finfo(dtype).smallest_subnormal
    assert margins(case, scales(case), trace)["dlogits"] == np.inf


def test_chaos_is_not_comparable_and_says_why():
    gates = scales(make_rnn_case(Design(120, 1, gain=4.0, dtype="float32"), seed=0)).gates
    assert gates["dh"].startswith(("no power", "nonlinear"))
    assert scales(make_rnn_case(Design(5, 1, gain=4.0, dtype="float32"), seed=0)).gates["dh"] == "ok"


def test_a_decision_within_the_noise_is_nonlinear():
    case = make_rnn_case(Design(1, 1, nonlinearity="relu", h0=False, inputs="dense"), seed=0)
    on_the_corner = dict(case.params) | {"b_h": -(case.params["W_xh"] @ case.x[0, 0])}
    assert set(scales(case).gates.values()) == {"ok"}
    gates = scales(replace(case, params=on_the_corner)).gates
    assert not gates["da"].startswith("ok")


def test_stored_scales_judge_as_measured_ones_do():
    case = case_of("full")
    measured, trace = scales(case), NumpyImpl().run(case)
    tolerance = stored_tolerance("monte-carlo", case, {n: stored(s) for n, s in measured.sigma.items()})
    fresh = noisy_tolerance(case, measured.reference)
    for name, array in trace.items():
        rules = [t.rule(name) for t in (tolerance, fresh)]
        ours, theirs = (r.judge(array, measured.reference[name]).margin for r in rules if isinstance(r, MonteCarloRule))
        assert ours == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in DESIGNS if name != "relu"])
def test_what_four_runs_measure_is_far_from_blaming_correct_code(name, dtype):
    case = case_of(name, dtype)
    reference = torch_loop(replace(case, params={n: a.astype(np.float64) for n, a in case.params.items()}))
    rough = rough_tolerance(case, reference)
    for run in (NumpyImpl().run, Textbook().run, torch_loop, torch_fused):
        trace = run(case)
        rules = {n: rough.rule(n) for n in trace}
        used = [r.judge(trace[n], reference[n]).margin for n, r in rules.items() if isinstance(r, MonteCarloRule)]
        assert max(used, default=0) <= FAR / 32


def test_a_stored_scale_never_underflows_to_the_zero_that_demands_zeros():
    assert stored(np.array([0.0, 1e-60, 1.0])).tolist() == [0.0, float(np.finfo(np.float32).smallest_subnormal), 1.0]


def test_a_vector_names_its_rule():
    clip = ClipCase("clip", 0, {"dW": np.ones(2)}, "value", 1.0)
    assert isinstance(stored_tolerance("arithmetic", clip, {}), Arithmetic)
    with pytest.raises(ValueError, match="case clip \\(clip\\): rule is 'monte-carlo', expected"):
        stored_tolerance("monte-carlo", clip, {})
