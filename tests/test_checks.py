"""Every check has a twin that must fail: the same check, asked of an implementation with a fault planted."""

from dataclasses import replace

import numpy as np
import pytest

from rnncheck.case import ClipCase, OptimCase, RNNCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.cases.standard import clip_cases, optim_cases, sample_cases
from rnncheck.checks.check import Bench, Check, Source, run_check
from rnncheck.checks.passes import FAMILIES, pass_checks
from rnncheck.checks.second_opinion import ExtendedPrecision, Rounded, directional_derivative
from rnncheck.checks.state import state_checks
from rnncheck.checks.steps import step_checks
from rnncheck.errors import NotShownError, OracleError
from rnncheck.implementation import NumpyImpl
from rnncheck.judging.arithmetic import Arithmetic, update_paths
from rnncheck.judging.compare import Answer
from rnncheck.judging.tolerance import fallback
from rnncheck.result import Comparison, Verdict

CASE = make_rnn_case(Design(T=7, B=3), seed=5)


class SelfOracle:
    """Our own RNN as oracle: these tests are about the checks, and must run where there is no torch."""

    name = "numpy_impl"

    def answer(self, case):
        trace = NumpyImpl().run(case)
        wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in trace.items()}
        if isinstance(case, RNNCase):
            return Answer(wide, fallback(case, wide, NumpyImpl().run))
        return Answer(wide, Arithmetic(case, update_paths(case, wide)))


def outcomes(checks, implementation, oracle=None):
    bench = Bench(implementation, oracle or SelfOracle())
    return {check.name: run_check(check, bench) for check in checks}


def verdict_of(checks, implementation):
    found = {o.verdict for o in outcomes(checks, implementation).values()}
    return Verdict.FAILED if Verdict.FAILED in found else found.pop() if len(found) == 1 else found


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_of_passes_catches_a_fault_in_its_last_array(family, planted):
    array = [a for a in FAMILIES[family] if a != "dx"][-1]

    def spoil(case, trace):
        trace[array] = trace[array] * 1.001

    right = outcomes(pass_checks([Source.of(CASE)]), NumpyImpl())
    wrong = outcomes(pass_checks([Source.of(CASE)]), planted(spoil))
    name = f"{family}[{CASE.name}]"
    assert right[name].verdict is Verdict.PASSED
    assert wrong[name].verdict is Verdict.FAILED
    assert sum(o.verdict is Verdict.FAILED for o in wrong.values()) == 1


@pytest.mark.parametrize("case", [c for c in clip_cases() if isinstance(c, ClipCase)], ids=lambda c: c.name)
def test_clipping_checks_catch_a_bound_that_is_a_little_off(case, planted):
    def spoil(case, trace):
        trace["dW_hh"] = trace["dW_hh"] * (1 + 1e-4)

    assert verdict_of(step_checks([case]), NumpyImpl()) is Verdict.PASSED
    assert verdict_of(step_checks([case]), planted(spoil)) is Verdict.FAILED


@pytest.mark.parametrize("case", [c for c in optim_cases() if isinstance(c, OptimCase)], ids=lambda c: c.name)
def test_optimizer_checks_catch_a_rate_that_is_a_little_off(case, planted):
    def spoil(case, trace):
        steps = len(case.grads["dW_hh"])
        for name, start in case.params.items():
            last = f"step{steps}.{name}"
            trace[last] = start + (trace[last] - start) * case.dtype.type(1 + 1e-3)

    assert verdict_of(step_checks([case]), NumpyImpl()) is Verdict.PASSED
    assert verdict_of(step_checks([case]), planted(spoil)) is Verdict.FAILED


@pytest.mark.parametrize("case", sample_cases(), ids=lambda c: c.name)
def test_sampling_checks_catch_one_wrong_token(case, planted):
    def spoil(case, trace):
        trace["tokens"][-1, 0] = (trace["tokens"][-1, 0] + 1) % 12

    assert verdict_of(step_checks([case]), NumpyImpl()) is Verdict.PASSED
    assert verdict_of(step_checks([case]), planted(spoil)) is Verdict.FAILED


class Leaky:
    """Keeps the last state of the call before and starts from it."""

    name = "leaky"

    def __init__(self):
        self.left = 0.0

    def run(self, case):
        trace = dict(NumpyImpl().run(case))
        trace["h"] = trace["h"] + self.left
        self.left = 1e-3
        return trace


class WritesIntoInputs:
    name = "writes into its inputs"

    def run(self, case):
        case.params["W_hh"][0, 0] += 1e-12
        return NumpyImpl().run(case)


class ReturnsAView:
    name = "returns a view"

    def run(self, case):
        trace = dict(NumpyImpl().run(case))
        return trace | {"dh": trace["da"][:]}


class ReturnsAnInput:
    name = "returns an input"

    def run(self, case):
        return dict(NumpyImpl().run(case)) | {"dW_hh": case.params["W_hh"]}


class SharesABuffer:
    """Returns the same array from every call, overwritten."""

    name = "shares a buffer"

    def __init__(self):
        self.buffers = {}

    def run(self, case):
        trace = dict(NumpyImpl().run(case))
        buffer = self.buffers.setdefault(trace["h"].shape, np.empty_like(trace["h"]))
        buffer[...] = trace["h"]
        trace["h"] = buffer
        return trace


class MissesH0:
    name = "starts from ones where there is no h0"

    def run(self, case):
        if case.h0 is None:
            case = make_rnn_case(Design(T=7, B=3), seed=5)
        return NumpyImpl().run(case)


@pytest.mark.parametrize(
    ("question", "wrong"),
    [
        ("repeatable", Leaky),
        ("inputs-unmodified", WritesIntoInputs),
        ("no-alias", ReturnsAView),
        ("no-alias", ReturnsAnInput),
        ("repeatable", SharesABuffer),
        ("h0-none-is-zeros", MissesH0),
    ],
)
def test_each_question_about_state_catches_its_fault(question, wrong):
    cases = [make_rnn_case(Design(T=7, B=3, h0=False), seed=5), make_rnn_case(Design(T=7, B=3, h0=False), seed=6)]
    checks = [c for c in state_checks(cases) if c.name.startswith(f"state-{question}[")]
    assert checks
    assert verdict_of(checks, NumpyImpl()) is Verdict.PASSED
    assert verdict_of(checks, wrong()) is Verdict.FAILED


class SumsInAnyOrder:
    """Rounds otherwise in every call, by so many units in the last place: as code does that sums over a set."""

    name = "sums in any order"

    def __init__(self, units):
        self.units, self.calls = units, 0

    def run(self, case):
        self.calls += 1
        rounded = 1 + self.calls * self.units * np.finfo(np.float64).eps
        return {n: a * rounded if n == "dW_hh" else a for n, a in NumpyImpl().run(case).items()}


@pytest.mark.parametrize(
    ("units", "exact", "verdict"),
    [(1, False, Verdict.PASSED), (300, False, Verdict.FAILED), (1, True, Verdict.FAILED), (0, True, Verdict.PASSED)],
)
def test_two_equal_calls_may_differ_by_rounding_and_by_nothing_more(units, exact, verdict):
    """A network that walks a set sums in another order each time: it was said to leak state."""
    cases = [make_rnn_case(Design(T=7, B=3, h0=False), seed=5), make_rnn_case(Design(T=7, B=3, h0=False), seed=6)]
    checks = [c for c in state_checks(cases, exact) if c.name.startswith("state-repeatable[")]
    assert verdict_of(checks, SumsInAnyOrder(units)) is verdict


def test_central_differences_catch_a_gradient_that_is_a_little_off():
    trace = dict(NumpyImpl().run(CASE))
    assert directional_derivative(CASE, trace, seed=1).verdict is Verdict.PASSED
    trace["dW_hh"] = trace["dW_hh"] * (1 + 1e-5)
    assert directional_derivative(CASE, trace, seed=1).verdict is Verdict.FAILED


def test_extended_precision_agrees_with_double():
    if np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps:
        with pytest.raises(NotShownError, match="no wider"):
            ExtendedPrecision().run(CASE)
        return
    assert verdict_of(pass_checks([Source.of(CASE)]), Rounded(ExtendedPrecision())) is Verdict.PASSED


def test_a_trace_without_arrays_is_not_shown_and_no_mistake_of_ours():
    class Silent:
        name = "silent"

        def run(self, case):
            return {}

    case = replace(CASE, h0=None)
    found = outcomes(state_checks([case]), Silent())
    for question in ("repeatable", "h0-none-is-zeros"):
        assert found[f"state-{question}[{case.name}]"].verdict is Verdict.NOT_SHOWN


def test_a_check_that_compares_nothing_has_failed():
    outcome = run_check(Check("empty", "none", lambda bench: []), Bench(NumpyImpl(), SelfOracle()))
    assert outcome.verdict is Verdict.FAILED
    assert "compared nothing" in outcome.message


def test_an_implementation_that_raises_fails_its_check_with_the_words_of_the_error(planted):
    def spoil(case, trace):
        raise ZeroDivisionError("no gradient today")

    found = outcomes(pass_checks([Source.of(CASE)]), planted(spoil))
    assert {o.verdict for o in found.values()} == {Verdict.FAILED}
    assert {o.message for o in found.values()} == {"raised ZeroDivisionError: no gradient today"}


def test_what_is_not_offered_is_not_shown(planted):
    def spoil(case, trace):
        raise NotShownError("no backward pass")

    assert verdict_of(pass_checks([Source.of(CASE)]), planted(spoil)) is Verdict.NOT_SHOWN


def test_an_oracle_that_fails_is_nobodys_verdict():
    class Broken:
        name = "broken"

        def answer(self, case):
            raise RuntimeError("out of wisdom")

    with pytest.raises(OracleError, match=r"broken.*out of wisdom"):
        outcomes(pass_checks([Source.of(CASE)]), NumpyImpl(), Broken())


def test_comparisons_of_other_cases_are_never_reused():
    """The bench keeps the latest comparison only; a second case is compared anew."""
    other = make_rnn_case(Design(T=7, B=3), seed=6)
    bench = Bench(NumpyImpl(), SelfOracle())
    first: list[Comparison] = bench.compare(Source.of(CASE))
    assert bench.compare(Source.of(CASE)) is first
    assert bench.compare(Source.of(other)) is not first
