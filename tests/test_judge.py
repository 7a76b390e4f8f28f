"""Noise is dear: a few runs settle what lies far beyond them, and nothing narrow is settled by fewer than all."""

from dataclasses import replace

import numpy as np
import pytest

import rnncheck.oracle
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.implementation import NumpyImpl
from rnncheck.judging.compare import Answer, compare
from rnncheck.judging.judge import FAR, GROSS, judge
from rnncheck.judging.montecarlo import WHOLE_LIMIT, MonteCarlo
from rnncheck.judging.tolerance import LIMIT, NotComparable, Ungated, unit_roundoff
from rnncheck.oracle import LiveOracle, by_the_textbook
from rnncheck.result import Verdict

SEED = 3
U = unit_roundoff(np.dtype(np.float64))
CASE = make_rnn_case(Design(5, 2, H=4, V=3), SEED)
RIGHT = by_the_textbook(CASE)
SCALE = 4 * LIMIT / WHOLE_LIMIT
"""Per u and largest value: of these scales one allowance is four of the fallback, and has power all the same."""
DOUBTFUL = LIMIT * U * 1.5
"""A relative error that the fallback refuses, and such a scale does not."""


class Asked:
    """Measures both tolerances, and counts how often it is asked; `rough` is how many times too small the first is."""

    def __init__(self, rough: float | None = 1.0, gate: str = "ok"):
        self.few = self.all = 0
        self.too_small, self.gate = rough, gate

    def answer(self) -> Answer:
        rough = self._rough if self.too_small is not None else None
        return Answer(RIGHT, Ungated(CASE.dtype), rough=rough, confirm=self._precise)

    def _rough(self) -> MonteCarlo:
        self.few += 1
        assert self.too_small is not None
        return self._scaled(SCALE / self.too_small, self.gate, " (rough)")

    def _precise(self) -> MonteCarlo:
        self.all += 1
        return self._scaled(SCALE, "ok", "")

    def _scaled(self, scale: float, gate: str, source: str) -> MonteCarlo:
        sigma = {name: np.full(array.shape, scale * np.abs(array).max()) for name, array in RIGHT.items()}
        return MonteCarlo(CASE, sigma, dict.fromkeys(sigma, gate), source=source)


def moved(**errors: float) -> dict[str, np.ndarray]:
    """Move one element of each array by a share of the largest value, at a step that has it."""
    trace = {name: array.copy() for name, array in RIGHT.items()}
    for name, error in errors.items():
        at = np.unravel_index(np.abs(trace[name]).argmax(), trace[name].shape)
        trace[name][at] *= 1 + error
    return trace


def failed(trace: dict[str, np.ndarray], asked: Asked) -> list[str]:
    return [c.array for c in judge(CASE, trace, asked.answer()) if c.verdict is Verdict.FAILED]


def test_what_passes_or_is_gross_is_asked_of_no_noise():
    for errors, expected in (({}, []), ({"h": 4 * GROSS, "dh": 4 * GROSS}, ["h", "dh"])):
        asked = Asked()
        assert failed(moved(**errors), asked) == expected
        assert (asked.few, asked.all) == (0, 0)


def test_few_runs_settle_what_lies_far_beyond_them_and_say_so():
    asked, far = Asked(), 4 * LIMIT * U * FAR * 2
    found = judge(CASE, moved(h=far, dW_hh=far), asked.answer())
    wrong = [c for c in found if c.verdict is Verdict.FAILED]
    assert [c.array for c in wrong] == ["h", "dW_hh"]
    assert all(c.rule.endswith("(rough)") for c in wrong), "who reads the rule sees how it was measured"
    assert (asked.few, asked.all) == (1, 0)


@pytest.mark.parametrize("share", [0.3, 0.9, 1.1, 0.6 * FAR])
def test_what_is_not_far_beyond_is_judged_by_all_runs(share):
    asked = Asked()
    found = judge(CASE, moved(h=4 * LIMIT * U * share), asked.answer())
    wrong = [c for c in found if c.verdict is Verdict.FAILED]
    assert [c.array for c in wrong] == (["h"] if share > 1 else [])
    assert not any("rough" in c.rule for c in found)
    assert (asked.few, asked.all) == (1, 1)


def test_one_narrow_array_beside_others_far_beyond_has_all_runs():
    asked = Asked()
    assert failed(moved(h=4 * LIMIT * U * FAR * 2, dW_hh=DOUBTFUL), asked) == ["h"]
    assert (asked.few, asked.all) == (1, 1)


def test_a_rough_scale_that_is_far_too_small_blames_nobody():
    asked = Asked(rough=FAR / 2)
    assert failed(moved(h=DOUBTFUL), asked) == []
    assert asked.all == 1


def test_nor_does_one_that_has_no_power():
    asked = Asked(gate="no power")
    assert isinstance(asked._rough().rule("h"), NotComparable)
    assert failed(moved(h=4 * LIMIT * U * FAR * 2), asked) == ["h"]
    assert asked.all == 1


def test_without_few_runs_all_are_asked():
    asked = Asked(rough=None)
    assert failed(moved(h=DOUBTFUL), asked) == []
    assert asked.all == 1
    assert failed(moved(h=4 * LIMIT * U * FAR * 2), asked) == ["h"]


# --- with PyTorch


class SlightlyWrongTanh:
    """Our RNN, its tanh a little too small, and all that follows from it."""

    name = "slightly wrong"

    def __init__(self, by: float):
        self.by = by

    def run(self, case):
        """Bend the states by an equal share, and let what comes after them be worked out from those."""
        trace = NumpyImpl().run(case)
        bent = trace["h"] * (1 - self.by * trace["h"] ** 2).astype(case.dtype)
        logits = bent @ case.params["W_hy"].T + case.params["b_y"]
        share = 1 + self.by * trace["dW_hh"].dtype.type(1)
        return trace | {"h": bent, "logits": logits, "dW_hh": trace["dW_hh"] * share}


@pytest.fixture
def measured(monkeypatch):
    """Count how often each tolerance is measured."""
    pytest.importorskip("torch")
    counts = {"_by_noise": 0, "_by_few_runs": 0}

    def counting(name, measure):
        def counted(*args):
            counts[name] += 1
            return measure(*args)

        return counted

    for name in counts:
        monkeypatch.setattr(rnncheck.oracle, name, counting(name, getattr(rnncheck.oracle, name)))
    return counts


@pytest.mark.parametrize("by", [1e-4, 1e-7, 1e-10])
def test_a_wrong_program_costs_few_runs_and_fails_in_the_same_arrays(by, measured):
    case = make_rnn_case(Design(12, 3), SEED)
    answer, trace = LiveOracle().answer(case), SlightlyWrongTanh(by).run(case)
    found = {c.array for c in judge(case, trace, answer) if c.verdict is Verdict.FAILED}
    assert measured == {"_by_noise": 0, "_by_few_runs": 1}
    precise = LiveOracle(precise=True).answer(case)
    assert found == {c.array for c in compare(case, trace, precise) if c.verdict is Verdict.FAILED}
    assert {"h", "dW_hh"} <= found


def test_whether_a_relu_is_on_is_not_settled_by_few_runs(measured):
    case = make_rnn_case(Design(12, 3, nonlinearity="relu"), SEED)
    trace = NumpyImpl().run(case)
    trace["dW_hh"] *= 1 + 1e-7
    wrong = [c.array for c in judge(case, trace, LiveOracle().answer(case)) if c.verdict is Verdict.FAILED]
    assert wrong == ["dW_hh"]
    assert measured == {"_by_noise": 1, "_by_few_runs": 0}


def test_correct_code_that_the_fallback_refuses_has_all_runs_and_passes(measured):
    """A constant token over 500 steps, and a log sum exp that is rounded alike at each of them."""
    design = Design(500, 1, H=4, V=2, dtype="float32", gain=0.4, tokens="constant", no_token=False)
    case = make_rnn_case(replace(design, logit_scale=17.04261712569875), 96)
    case = replace(case, y=np.full_like(case.y, NumpyImpl().run(case)["logits"][-1, 0].argmax()))
    trace = NumpyImpl().run(case)
    z = trace["logits"]
    trace["loss"] = (np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, case.y[..., None], -1)[..., 0]).sum()
    answer = LiveOracle().answer(case)._replace(gated=None)  # the gate would ask nothing more of this array
    assert Verdict.FAILED not in {c.verdict for c in judge(case, trace, answer)}
    assert measured == {"_by_noise": 1, "_by_few_runs": 1}
