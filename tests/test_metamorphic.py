"""Every relation holds for a right implementation, and each has a twin: a fault that breaks it."""

from dataclasses import replace

import numpy as np
import pytest

from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.cases.standard import SEED, rnn_designs
from rnncheck.checks.check import Bench, run_check
from rnncheck.checks.metamorphic import RELATIONS, metamorphic_checks
from rnncheck.checks.relation import OwnScales
from rnncheck.errors import NotShownError
from rnncheck.implementation import NumpyImpl
from rnncheck.judging.compare import Answer
from rnncheck.judging.tolerance import fallback
from rnncheck.result import Verdict

QUESTIONS = (*(relation.name for relation in RELATIONS), "differences")


def cases(dtype="float64", **fields):
    """Make a few cases between which every relation finds one that it holds for."""
    designs = [
        Design(7, 3, ignored=0.3, reduction="mean"),
        Design(10, 3, bptt="windowed", k=3, reduction="none"),
        Design(10, 3, bptt="chunked", k=4),
        Design(8, 2, inputs="dense"),
    ]
    return [make_rnn_case(replace(d, dtype=dtype, **fields), seed=11) for d in designs]


def verdicts(implementation, question, made=None):
    checks = [c for c in metamorphic_checks(made or cases()) if c.name.startswith(f"metamorphic-{question}[")]
    assert checks, question
    bench = Bench(implementation, OwnScales(NumpyImpl()))
    return {check.name: run_check(check, bench).verdict for check in checks}


class Wrong:
    """An implementation made of `run`, a function of the case."""

    name = "wrong"

    def __init__(self, run):
        self.run = run


right = NumpyImpl().run


def sees_the_future(case):
    trace = dict(right(case))
    trace["h"] = np.concatenate([trace["h"][:-1] + 1e-9 * trace["h"][1:], trace["h"][-1:]])
    return trace


def sees_one_step_further(case):
    """Truncation one step late."""
    return right(case if case.k is None else replace(case, k=case.k + 1))


def sees_one_step_less(case):
    return right(case if case.k is None or case.k == 1 else replace(case, k=case.k - 1))


def forgets_h0(case):
    return right(replace(case, h0=None))


def never_truncates(case):
    return right(replace(case, bptt="full", k=None))


def truncates_at_four(case):
    return right(case if case.bptt == "full" else replace(case, k=min(case.k, 4)))


def normalises_over_the_batch(case):
    trace = dict(right(case))
    trace["dW_xh"] = trace["dW_xh"] / case.x.shape[1]
    return trace


def weighs_by_the_place_in_the_batch(case):
    trace = dict(right(case))
    trace["dh0"] = trace["dh0"] * (1 + 1e-9 * np.arange(len(trace["dh0"])))[:, None]
    return trace


def clips_inside(case):
    trace = dict(right(case))
    trace["dW_hh"] = np.clip(trace["dW_hh"], -20, 20)
    return trace


def clips_each_step(case):
    trace = dict(right(case))
    trace["da"] = np.clip(trace["da"], -0.05, 0.05)
    return trace


def loses_repeated_tokens(case):
    trace = dict(right(case))
    if case.x.ndim == 2:
        trace["dW_xh"] = np.zeros_like(trace["dW_xh"])
        for t, b in np.ndindex(case.x.shape):
            if case.x[t, b] >= 0:
                trace["dW_xh"][:, case.x[t, b]] = trace["da"][t, b]
    return trace


def is_a_little_off(case):
    trace = dict(right(case))
    return trace | {"dW_hh": trace["dW_hh"] * (1 + 1e-5)}


TWINS = [
    ("causality", sees_the_future),
    ("horizon", sees_one_step_further),
    ("composition", forgets_h0),
    ("chunks", never_truncates),
    ("chunks", sees_one_step_further),
    ("windows", sees_one_step_further),
    ("windows", sees_one_step_less),
    ("whole-window", truncates_at_four),
    ("whole-chunk", truncates_at_four),
    ("permutation", weighs_by_the_place_in_the_batch),
    ("additivity", normalises_over_the_batch),
    ("linearity", clips_each_step),
    ("scale", clips_inside),
    ("one-hot", loses_repeated_tokens),
    ("differences", is_a_little_off),
]


@pytest.mark.parametrize(("question", "wrong"), TWINS, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_each_relation_catches_its_fault(question, wrong):
    assert Verdict.FAILED in verdicts(Wrong(wrong), question).values()


def test_every_question_has_a_twin():
    assert {question for question, _ in TWINS} == set(QUESTIONS)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_each_relation_holds_for_the_right_implementation(question, dtype):
    if question == "differences" and dtype == "float32":
        assert not [c for c in metamorphic_checks(cases(dtype)) if "differences" in c.name]
        return
    assert set(verdicts(NumpyImpl(), question, cases(dtype)).values()) == {Verdict.PASSED}


def test_the_relations_hold_for_standard_cases():
    """Every fifth of the short ones here; `rnncheck verify` asks them all."""
    made = [make_rnn_case(d, SEED, name=d.id) for d in rnn_designs() if d.T <= 10][::5]
    bench = Bench(NumpyImpl(), OwnScales(NumpyImpl()))
    found = {check.name: run_check(check, bench) for check in metamorphic_checks(made)}
    assert len(found) > 7 * len(made)
    assert {name: o.message or o.earliest for name, o in found.items() if o.verdict is not Verdict.PASSED} == {}


def test_a_case_of_one_step_and_one_sequence_is_asked_what_makes_sense():
    names = [c.name.partition("[")[0] for c in metamorphic_checks([make_rnn_case(Design(1, 1), seed=0)])]
    assert names == [
        f"metamorphic-{n}" for n in ("whole-window", "whole-chunk", "linearity", "scale", "one-hot", "differences")
    ]


def test_what_is_not_shown_is_not_asked():
    def forward_only(case):
        return {n: a for n, a in right(case).items() if n in ("h", "logits", "loss")}

    bench = Bench(Wrong(forward_only), OwnScales(Wrong(forward_only)))
    found = {c.name.partition("[")[0]: run_check(c, bench) for c in metamorphic_checks(cases()[:1])}
    assert found["metamorphic-composition"].verdict is Verdict.PASSED
    assert found["metamorphic-differences"].verdict is Verdict.NOT_SHOWN
    assert "not shown by this implementation" in found["metamorphic-differences"].message


def test_scales_of_ones_own_are_those_of_float64():
    """Measured in float32, every case would seem to amplify rounding by 2^16."""
    case = cases("float32")[0]
    answer = OwnScales(NumpyImpl()).answer(case)
    assert answer.tolerance.rule("dW_hh").dtype == np.float32
    assert {a.dtype for a in answer.trace.values()} == {np.dtype("float64")}


def test_a_chaotic_case_is_not_comparable():
    chaotic = make_rnn_case(Design(100, 2, gain=3.0), seed=1)
    assert Verdict.FAILED not in verdicts(NumpyImpl(), "additivity", [chaotic]).values()
    bench = Bench(NumpyImpl(), OwnScales(NumpyImpl()))
    check = next(c for c in metamorphic_checks([chaotic]) if "additivity" in c.name)
    found = {c.array: c.verdict for c in run_check(check, bench).comparisons}
    assert found["dW_hh"] is Verdict.NOT_COMPARABLE


def test_own_scales_are_for_passes_only():
    from rnncheck.cases.standard import clip_cases

    with pytest.raises(NotShownError, match="only forward and backward passes"):
        OwnScales(NumpyImpl()).answer(clip_cases()[0])


def test_only_the_stored_steps_of_a_long_case_are_compared():
    case = make_rnn_case(Design(40, 2, gain=0.7), seed=3)
    steps = (0, 1, 2, 37, 38, 39)

    class Stored:
        """Keeps six of forty steps, as a stored vector of a long case does."""

        name = "stored"

        def answer(self, _case):
            trace = {n: np.asarray(a, np.float64) for n, a in right(case).items()}
            kept = {n: a[list(steps)] if len(a.shape) and len(a) == 40 else a for n, a in trace.items()}
            tolerance = fallback(case, trace, right)
            tolerance.amplification.update(
                {n: a[list(steps)] for n, a in tolerance.amplification.items() if len(a) > 1}
            )
            return Answer(kept, tolerance, steps)

    checks = [c for c in metamorphic_checks([case]) if "composition" in c.name or "permutation" in c.name]
    assert len(checks) == 2
    for check in checks:
        assert run_check(check, Bench(NumpyImpl(), Stored())).verdict is Verdict.PASSED
        assert run_check(check, Bench(Wrong(forgets_h0), Stored())).verdict is (
            Verdict.FAILED if "composition" in check.name else Verdict.PASSED
        )
