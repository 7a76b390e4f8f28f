"""Every failure of a target comes with the sizes of the smallest case that shows it, whatever fails."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from rnncheck.cases.smallest import MOST_KINDS, Smallest
from rnncheck.check import Inquiry, check_rnn
from rnncheck.cli import main
from rnncheck.hints import withhold
from rnncheck.result import Verdict
from rnncheck.target import Target
from rnncheck.textbook import Textbook

pytestmark = pytest.mark.slow

TARGETS = Path(__file__).parent / "targets"


class Broken(Textbook):
    """Counts its calls; `spoil` changes the Trace."""

    name = "broken"

    def __init__(self, spoil):
        super().__init__()
        self.calls, self.spoil = 0, spoil

    def run(self, case):
        self.calls += 1
        return self.spoil(case, dict(super().run(case)), self.calls)


def smallest(spoil, select):
    """Return the sizes that the first failure comes with."""
    report = check_rnn(Broken(spoil), select=select)
    return next(dict(o.smallest) for o in report.outcomes if o.verdict is Verdict.FAILED)


def test_a_wrong_array_shrinks():
    def spoil(case, trace, calls):
        return trace | {"dW_hh": trace["dW_hh"] * (2 if case.kind == "rnn" and len(case.x) >= 3 else 1)}

    found = smallest(spoil, "gradients and T=5-B=3-float64")
    assert found == {"T": 3, "B": 1, "I": 2, "H": 1, "V": 2}


def test_a_crash_shrinks():
    def spoil(case, trace, calls):
        if case.x.shape[1] > 1:
            raise IndexError(f"batch of {case.x.shape[1]}")
        return trace

    found = smallest(spoil, "forward and T=5-B=3-float64")
    assert (found["T"], found["B"]) == (1, 2)


def test_what_leaks_from_call_to_call_shrinks():
    def spoil(case, trace, calls):
        return trace | {"h": trace["h"] + calls * 1e-3} if case.x.shape[1] > 1 else trace

    found = smallest(spoil, "state-repeatable and T=7-B=3-float64")
    assert (found["T"], found["B"]) == (1, 2)


def test_what_hangs_is_not_asked_again():
    class Hangs:
        name, calls = "hangs", 0

        def run(self, case):
            from rnncheck.sandbox.child import TimeOutError

            Hangs.calls += 1
            raise TimeOutError("no answer within 10 s")

    inquiry = Inquiry(Hangs(), select="forward and T=5-B=3-float64")
    report = inquiry.report()
    outcome = report.outcomes[0]
    assert outcome.smallest["T"] == 5
    before = Hangs.calls
    Smallest(Target("hangs", Hangs())).of(inquiry.planned.checks[0][0], outcome)
    assert Hangs.calls == before


def test_a_target_with_many_faults_is_not_shrunk_for_ever():
    report = check_rnn(Broken(lambda case, trace, calls: {n: a + 1.0 for n, a in trace.items()}))
    kinds = {(o.family, o.earliest.array) for o in report.outcomes if o.verdict is Verdict.FAILED and o.smallest}
    assert len(kinds) > MOST_KINDS
    assert all(o.smallest for o in report.outcomes if o.verdict is Verdict.FAILED and o.family == "forward")


def test_it_is_told_wherever_a_failure_is_told(tmp_path, capsys):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    target = str(TARGETS / "column_class_dropped_carry.py")
    files = {name: tmp_path / f"report.{name}" for name in ("json", "html", "junit")}
    words = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert main(["check", target, "--trust", "-k", "gradients", *words]) == 1
    line = "smallest case: T=2, B=1, I=2, H=1, V=2"
    out = capsys.readouterr().out
    assert out.count(line) == out.count("FAILED")
    assert out.count(line) == out.count("seed:") == out.count("reproduce:")
    assert line in files["html"].read_text("utf-8")
    assert line in files["junit"].read_text("utf-8")
    outcomes = json.loads(files["json"].read_text())["outcomes"]
    assert {bool(o["smallest"]) for o in outcomes if o["verdict"] == "failed"} == {True}
    assert {bool(o["smallest"]) for o in outcomes if o["verdict"] != "failed"} == {False}


def test_a_failure_without_hints_tells_no_sizes():
    report = check_rnn(str(TARGETS / "column_class_dropped_carry.py"), select="gradients and T=2")
    assert any(o.smallest for o in withhold(report, 1).outcomes)
    assert not any(o.smallest for o in withhold(report, 0).outcomes)


def test_a_sigmoid_is_held_against_a_sigmoid(tmp_path):
    from rnncheck.cases.of_targets import Form, check_cases
    from rnncheck.cases.shrink import right_trace

    case = check_cases(Form(nonlinearity="sigmoid"))[3]
    trace = right_trace(case)
    a = trace["h"][:-1] @ case.params["W_hh"].T + case.params["W_xh"].T[case.x[1:]] + case.params["b_h"]
    np.testing.assert_allclose(trace["h"][1:], 1 / (1 + np.exp(-a)), rtol=1e-12)
    assert re.search("sigmoid", case.name)
