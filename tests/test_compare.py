"""The comparison of two Traces: what it says about form, numbers, and arrays that are missing."""

import dataclasses

import numpy as np
import pytest

from rnncheck.case import SampleCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.errors import TraceMismatch
from rnncheck.implementation import NumpyImpl
from rnncheck.judging.compare import Answer, Equal, assert_agrees, compare
from rnncheck.judging.tolerance import Finding, NotComparable, PeakRule, fallback, unit_roundoff
from rnncheck.result import Comparison, Verdict
from rnncheck.trace import TIMED, expected_arrays

CASE = make_rnn_case(Design(T=7, B=3, inputs="dense"), seed=5)


def answer(**changes):
    trace = {name: np.asarray(array, np.float64) for name, array in NumpyImpl().run(CASE).items()}
    return Answer(trace, fallback(CASE, trace, NumpyImpl().run))._replace(**changes)


def candidate(**changes):
    return {name: np.array(array) for name, array in NumpyImpl().run(CASE).items()} | changes


def verdicts(trace, given=None):
    return {c.array: c.verdict for c in compare(CASE, trace, given or answer())}


def test_a_correct_trace_agrees_in_every_array():
    assert verdicts(candidate()) == dict.fromkeys(expected_arrays(CASE), Verdict.PASSED)


def test_arrays_are_reported_in_dataflow_order():
    shuffled = dict(sorted(candidate().items()))
    assert [c.array for c in compare(CASE, shuffled, answer())] == list(expected_arrays(CASE))


@pytest.mark.parametrize("name", expected_arrays(CASE))
def test_one_wrong_element_in_any_array_is_found_at_its_place(name):
    trace = candidate()
    wrong = trace[name]
    place = tuple(size - 1 for size in wrong.shape)
    wrong[place] += 1e-3 * np.abs(wrong).max()
    found = {c.array: c for c in compare(CASE, trace, answer())}
    failed = found.pop(name)
    assert failed.verdict is Verdict.FAILED
    assert (failed.step, failed.index) == ((place[0], place[1:]) if name in TIMED else (None, place))
    assert all(c.verdict is Verdict.PASSED for c in found.values())


def test_the_place_is_given_as_step_and_index():
    trace = candidate()
    trace["da"][4, 2, 9] *= 1.001
    wrong = next(c for c in compare(CASE, trace, answer()) if c.array == "da")
    assert (wrong.step, wrong.index) == (4, (2, 9))
    assert wrong.candidate == trace["da"][4, 2, 9]
    assert "da[2, 9] at step 5" in str(wrong)


@pytest.mark.parametrize("step", range(7))
def test_a_one_percent_error_is_seen_at_every_step_however_small_the_step(step):
    trace = candidate()
    trace["dh"][step] *= 1.01
    assert verdicts(trace)["dh"] is Verdict.FAILED


def test_float32_inside_float64_is_seen():
    trace = candidate()
    trace["dW_hh"] = trace["dW_hh"].astype(np.float32).astype(np.float64)
    assert verdicts(trace)["dW_hh"] is Verdict.FAILED


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((16, 7)), "has shape (16, 7), expected (16, 16)"),
        (np.zeros((16, 16), np.float32), "is float32, expected float64: the case's dtype is kept throughout"),
        (np.zeros((16, 16), np.int64), "is int64, expected float64: the case's dtype is kept throughout"),
        (np.full((16, 16), np.nan), "is nan at [0, 0], expected finite numbers"),
        (np.diag([1.0] * 15 + [np.inf]), "is inf at [15, 15], expected finite numbers"),
        ([[1.0]], "is a list, expected a NumPy array of shape (16, 16)"),
    ],
)
def test_form_is_judged_before_any_number(wrong, words):
    found = next(c for c in compare(CASE, candidate(dW_hh=wrong), answer()) if c.array == "dW_hh")
    assert found == Comparison("dW_hh", Verdict.FAILED, error=np.inf, rule="form", reason=words)


def test_a_single_number_that_is_not_finite_has_no_place():
    found = next(c for c in compare(CASE, candidate(loss=np.asarray(np.nan)), answer()) if c.array == "loss")
    assert found.reason == "is nan, expected finite numbers"


def test_a_missing_array_is_not_shown_and_never_skipped():
    by_us, by_oracle = candidate(), answer()
    del by_us["dh"]
    del by_oracle.trace["da"]
    found = {c.array: c for c in compare(CASE, by_us, by_oracle)}
    assert found.pop("dh") == Comparison("dh", Verdict.NOT_SHOWN, reason="not shown by this implementation")
    assert found.pop("da") == Comparison("da", Verdict.NOT_SHOWN, reason="not shown by the oracle")
    assert {c.verdict for c in found.values()} == {Verdict.PASSED}


def test_a_rule_that_cannot_judge_says_so():
    class Blind:
        def rule(self, array):
            return NotComparable("too dark")

    found = compare(CASE, candidate(), answer(tolerance=Blind()))
    assert found == [Comparison(name, Verdict.NOT_COMPARABLE, reason="too dark") for name in expected_arrays(CASE)]


def test_stored_steps_are_held_against_the_same_steps_of_the_candidate():
    whole = answer()
    steps = (0, 1, 5, 6)
    part = {n: a[list(steps)] if n in TIMED else a for n, a in whole.trace.items()}

    class InPart:
        def rule(self, array):
            rule = whole.tolerance.rule(array)
            return type(rule)(rule.dtype, rule.timed)

    given = Answer(part, InPart(), steps)
    assert set(verdicts(candidate(), given).values()) == {Verdict.PASSED}
    trace = candidate()
    trace["h"][5] *= 1.001
    wrong = compare(CASE, trace, given)[0]
    assert (wrong.verdict, wrong.step) == (Verdict.FAILED, 5)
    shorter = candidate(h=candidate()["h"][:4])
    assert verdicts(shorter, given)["h"] is Verdict.FAILED, "a Trace shows all of its steps"


def test_assert_agrees_names_the_earliest_wrong_array_and_its_consequences():
    trace = candidate()
    trace["da"] = trace["da"] * 1.01
    trace["dW_xh"] = trace["dW_xh"] * 1.01
    with pytest.raises(TraceMismatch, match=r"seed 5\): da.* at step .*consequences or further faults: dW_xh"):
        assert_agrees(CASE, trace, answer())
    assert assert_agrees(CASE, candidate(), answer())


def test_one_wrong_array_alone_is_named_without_consequences():
    trace = candidate()
    trace["dW_xh"] = trace["dW_xh"] * 1.01
    (wrong,) = (c for c in compare(CASE, trace, answer()) if c.verdict is Verdict.FAILED)
    with pytest.raises(TraceMismatch) as caught:
        assert_agrees(CASE, trace, answer())
    assert str(caught.value) == f"case {CASE.name} (seed 5): {wrong}"


def test_all_consequences_are_named_in_order():
    trace = candidate()
    for name in ("dW_xh", "dh", "db_h"):
        trace[name] = trace[name] * 1.01
    with pytest.raises(TraceMismatch, match=r"; consequences or further faults: dW_xh, db_h$"):
        assert_agrees(CASE, trace, answer())


U = unit_roundoff(np.dtype(np.float64))
TOKENS = np.array([[0, 1], [2, 3], [1, 1]])
DRAWN = SampleCase("drawn", 1, {"W_hy": np.ones((4, 2))}, first=np.zeros(2, np.int64), uniforms=np.full((3, 2), 0.5))


class Peaks:
    """The peak rule for all arrays."""

    def rule(self, array):
        return PeakRule(np.dtype(np.float64), array in TIMED)


def drawn(**changes):
    return {"p": np.full((3, 2, 4), 0.25), "tokens": TOKENS.copy()} | changes


@pytest.mark.parametrize(("units", "verdict"), [(0, "passed"), (256, "passed"), (257, "failed"), (1e9, "failed")])
def test_a_comparison_says_how_far_off_the_worst_number_is_and_where(units, verdict):
    p = drawn()["p"]
    p[2, 1, 3] -= units * U / 4
    found, _ = compare(DRAWN, drawn(p=p), Answer(drawn(), Peaks()))
    assert found == Comparison(
        "p",
        Verdict(verdict),
        error=units,
        limit=256.0,
        rule="256 roundings of its largest value",
        step=2 if units else 0,
        index=(1, 3) if units else (0, 0),
        candidate=p[2, 1, 3] if units else 0.25,
        reference=0.25,
    )


def test_integers_agree_or_do_not():
    agreeing, wrong = (
        compare(DRAWN, drawn(tokens=tokens), Answer(drawn(), Peaks()))[1]
        for tokens in (TOKENS.astype(np.int32), TOKENS + np.array([[0, 0], [0, 0], [0, 2]]))
    )
    equal = {"limit": 1.0, "rule": "equal"}
    assert agreeing == Comparison(
        "tokens", Verdict.PASSED, 0.0, **equal, step=0, index=(0,), candidate=0.0, reference=0.0
    )
    assert wrong == Comparison(
        "tokens", Verdict.FAILED, np.inf, **equal, step=2, index=(1,), candidate=3.0, reference=1.0
    )
    assert Equal().judge(TOKENS, TOKENS.T.reshape(3, 2)) == Finding(np.inf, 1.0, "equal", (0, 1)), "the first of them"


def test_integers_are_asked_of_an_integer_array_and_floats_of_a_floating_one():
    found = compare(DRAWN, drawn(tokens=TOKENS.astype(float)), Answer(drawn(), Peaks()))[1]
    assert found.reason == "is float64, expected int64: the case's dtype is kept throughout"


def test_the_dtype_asked_for_is_that_of_the_case_not_that_of_the_reference():
    narrow = dataclasses.replace(DRAWN, params={"W_hy": np.ones((4, 2), np.float32)})
    right, wrong = (compare(narrow, drawn(p=drawn()["p"].astype(t)), Answer(drawn(), Peaks()))[0] for t in "fd")
    assert right.verdict is Verdict.PASSED
    assert wrong.reason == "is float64, expected float32: the case's dtype is kept throughout"


def test_one_number_may_come_as_a_numpy_scalar_but_not_as_a_python_number():
    loss = candidate()["loss"]
    assert verdicts(candidate(loss=loss[()]))["loss"] is Verdict.PASSED
    assert compare(CASE, candidate(loss=float(loss)), answer())[2].reason == (
        "is a float, expected a NumPy array of shape ()"
    )


def test_the_steps_of_a_stored_case_are_counted_in_the_whole_of_it():
    steps = [0, 1, 5, 6]
    part = {name: array[steps] if name in TIMED else array for name, array in answer().trace.items()}
    found = compare(CASE, candidate(h=np.zeros((4, 3, 16))), Answer(part, Peaks(), steps))[0]
    assert found.reason == "has shape (4, 3, 16), expected (7, 3, 16)"
    with pytest.raises(AssertionError, match=r"^only cases with inputs over time are stored in part(\n|$)"):
        compare(DRAWN, drawn(), Answer(drawn(), Peaks(), steps=(0, 1)))
