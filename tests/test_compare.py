"""The comparison of two Traces: what it says about form, numbers, and arrays that are missing."""

import numpy as np
import pytest

from rnncheck.compare import Answer, assert_agrees, compare
from rnncheck.errors import TraceMismatch
from rnncheck.implementation import NumpyImpl
from rnncheck.make_case import Design, make_rnn_case
from rnncheck.result import Verdict
from rnncheck.tolerance import NotComparable, fallback
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
    assert found.pop(name).verdict is Verdict.FAILED
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
        (np.zeros((16, 16), np.float32), "is float32, expected float64"),
        (np.zeros((16, 16), np.int64), "is int64, expected float64"),
        (np.full((16, 16), np.nan), "is nan at [0, 0], expected finite numbers"),
        ([[1.0]], "is a list, expected a NumPy array of shape (16, 16)"),
    ],
)
def test_form_is_judged_before_any_number(wrong, words):
    found = next(c for c in compare(CASE, candidate(dW_hh=wrong), answer()) if c.array == "dW_hh")
    assert found.verdict is Verdict.FAILED
    assert words in found.reason


def test_a_missing_array_is_not_shown_and_never_skipped():
    trace = candidate()
    del trace["dh"]
    assert verdicts(trace)["dh"] is Verdict.NOT_SHOWN


def test_a_rule_that_cannot_judge_says_so():
    class Blind:
        def rule(self, array):
            return NotComparable("too dark")

    found = compare(CASE, candidate(), answer(tolerance=Blind()))
    assert {c.verdict for c in found} == {Verdict.NOT_COMPARABLE}
    assert {c.reason for c in found} == {"too dark"}


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
