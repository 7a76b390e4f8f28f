"""A verdict on a part of a file names the part, in every form of the report; one on all of it says nothing more."""

import json as json_
from dataclasses import replace

import pytest

from rnncheck.check import check_rnn
from rnncheck.errors import NotShownError
from rnncheck.implementation import NumpyImpl
from rnncheck.report import github, json, sentences, terminal
from rnncheck.result import Comparison, Outcome, Report, Scope, Verdict
from rnncheck.scope import scope_of
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.describe import assumptions

PART = Scope("Layer", ("Other.backward", "train"), ("dW_hy",))
RESTRICTED = "differ by rounding only (Layer judged; Other.backward, train not judged: see the notes; dW_hy not shown)"
SEEN = Outcome("forward[T=3]", "forward", Verdict.PASSED, (Comparison("h", Verdict.PASSED, 1.0, 16.0),), compared=1)
GREEN = Report("a.py", "torch", 1, 0, [SEEN])


def on_the_terminal(report):
    out = terminal.console()
    with out.capture() as caught:
        terminal.show(report, out)
    return caught.get()


def on_a_page(report):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    from rnncheck.report import html

    return html.dumps(report)


FORMS = {
    "terminal": on_the_terminal,
    "page": on_a_page,
    "GitHub": lambda report: github.summary(report).replace("\\", ""),
    "JSON": lambda report: json_.loads(json.dumps(report))["verdict"],
    "notebook": Report._repr_html_,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_which_part_was_judged(form):
    assert RESTRICTED in FORMS[form](replace(GREEN, scope=PART))
    whole = FORMS[form](replace(GREEN, scope=Scope("Layer")))
    assert "differ by rounding only" in whole
    assert "Layer" not in whole


def test_a_part_changes_no_exit_code():
    assert replace(GREEN, scope=PART).exit_code == GREEN.exit_code == 0


def test_many_names_are_counted():
    scope = Scope("Layer", tuple(f"Layer{n}.backward" for n in range(5)))
    assert "Layer2.backward and 2 more not judged: see the notes)" in sentences.verdict(replace(GREEN, scope=scope))


def test_json_lists_the_part():
    document = json_.loads(json.dumps(replace(GREEN, scope=PART)))
    assert document["scope"] == {
        "judged": "Layer",
        "not_judged": ["Other.backward", "train"],
        "not_shown": ["dW_hy"],
    }


class Shows(NumpyImpl):
    """Ours, without some of its arrays."""

    name = "shows.py"

    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden

    def run(self, case):
        return {name: array for name, array in super().run(case).items() if name not in self.hidden}


HIDDEN = {
    "the gradients": (("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h"), " (gradients not shown)"),
    "one gradient": (("db_h",), " (db_h not shown)"),
    "the forward pass": (("h", "logits", "loss"), " (forward not shown)"),
    "nodes": (("dlogits", "dh", "da"), ""),
    "nothing": ((), ""),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_what_was_asked_and_never_shown_is_named(what):
    hidden, words = HIDDEN[what]
    report = check_rnn(Shows(hidden), select="T=3-B=2-float64 and not state")
    assert report.exit_code == 0
    assert sentences.verdict(report).endswith(f"differ by rounding only{words}")


class Ends(NumpyImpl):
    """Ours, which ends before the last of its cases."""

    name = "ends"

    def run(self, case):
        if len(case.x) > 5:
            raise NotShownError("the results hold no answer to this case")
        return super().run(case)


@pytest.mark.parametrize(("select", "words"), [("T=5 or T=7", "cases not shown)"), ("T=5", "rounding only")])
def test_cases_without_an_answer_are_counted_in_the_verdict(select, words):
    """Results of which a part is missing are no results of all."""
    report = check_rnn(Ends(), select=f"forward and B=3-float64 and ({select})")
    assert report.exit_code == 0
    assert sentences.verdict(report).endswith(words)


def test_what_was_not_asked_is_not_missed():
    report = check_rnn(Shows(HIDDEN["the gradients"][0]), select="forward and T=3-B=2-float64")
    assert sentences.verdict(report).endswith("differ by rounding only")


def one_gradient_shown(*missing):
    told = [Comparison(name, Verdict.NOT_SHOWN) for name in missing]
    seen = Outcome("gradients[T=3]", "gradients", Verdict.PASSED, (Comparison("dW_hh", Verdict.PASSED), *told))
    return Report("a.py", "torch", 1, 0, [seen])


@pytest.mark.parametrize(("params", "missed"), [({}, ()), ({"W_hy|b_y": "rnn.W"}, ("dW_hy",))], ids=["none", "its own"])
def test_the_gradients_of_a_readout_are_missed_where_it_has_one(params, missed):
    """A layer is given the gradient from above: the readout is not its own."""
    adapter = Adapter("a.py", ("rnn.forward(x)",), {"W_hh": "rnn.U"} | params, make="rnn = file.Layer(I, H)")
    found = scope_of(one_gradient_shown("dW_hy"), adapter)
    assert found == Scope("Layer", (), missed)


def test_the_notes_name_all_of_it():
    names = tuple(f"Layer{n}.backward" for n in range(9))
    adapter = Adapter("a.py", ("file.f(x, y)",), {"W_hh": "file.U"}, uncalled=names)
    assert f"not called, so not judged: {', '.join(names)}" in assumptions(adapter)
    assert scope_of(GREEN, adapter) == Scope("f", names)
