"""`rnncheck check` says which catalogued faults its run could not have seen; the manifests of its vectors know."""

from pathlib import Path

import pytest

from rnncheck.cases.of_targets import FORMS, FORMS_FOLDER
from rnncheck.check import check_rnn
from rnncheck.faults import FAULTS
from rnncheck.make_vectors import with_power
from rnncheck.power.blind import unseen_by
from rnncheck.result import Comparison, Outcome, Report, Verdict
from rnncheck.shipped import shipped
from rnncheck.target import load_target
from rnncheck.vectors import read_vectors

TARGETS = Path(__file__).parent / "targets"
FULL = ("h", "logits", "loss", "dlogits", "dW_hy", "db_y", "dh", "da", "dW_hh", "dW_xh", "db_h", "dx", "dh0")


def vectors(form="ids"):
    return read_vectors(shipped(f"{FORMS_FOLDER}/{form}"))


def report(kept, arrays=FULL):
    """Return the report of a run that showed `arrays` of the cases `kept`, and nothing of the others."""
    names = {v.case.name for v in kept}
    shown = tuple(Comparison(name, Verdict.PASSED) for name in arrays)
    outcomes = [
        Outcome(f"gradients[{v.case.name}]", "gradients", Verdict.PASSED, shown)
        if v.case.name in names
        else Outcome(f"gradients[{v.case.name}]", "gradients", Verdict.NOT_SHOWN)
        for v in vectors()
    ]
    return Report("net", "stored vectors", len(outcomes), 0, outcomes)


def unseen(kept, arrays=FULL):
    return {fault.name for fault in unseen_by(report(kept, arrays), vectors()).unseen}


@pytest.mark.parametrize("form", [f.name for f in FORMS])
def test_every_form_says_what_it_exposes(form):
    exposed = {name for v in vectors(form) for name in v.exposes}
    assert exposed <= set(FAULTS)
    if "sigmoid" in form:
        assert not exposed
    else:
        assert {"carry-not-transposed", "recurrent-gradient-dropped", "derivative-of-the-activated"} & exposed
        assert len(exposed) > 70


def test_what_the_manifest_says_is_so():
    few = vectors("ids-no-biases-last-step")[:2]
    assert [v.exposes for v in with_power(few)] == [v.exposes for v in few]


def test_what_was_not_asked_was_not_seen():
    every, without = unseen(vectors()), unseen([v for v in vectors() if v.case.h0 is None])
    assert "first-state-ignored" not in every
    assert "first-state-ignored" in without
    short = unseen([v for v in vectors() if len(v.case.x) == 1])
    assert "recurrent-gradient-dropped" in short - every


def test_what_was_not_shown_was_not_seen():
    only_grads = unseen(vectors(), ("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h"))
    assert "first-state-gradient-zero" in only_grads
    assert "first-state-gradient-zero" not in unseen(vectors())
    assert "carry-not-transposed" not in only_grads


def test_the_report_of_a_check_says_it(capsys):
    notes = check_rnn(load_target(str(TARGETS / "globals_function.py"), isolated=False)).notes
    (note,) = [n for n in notes if "catalogued faults could not have been seen" in n]
    assert "`rnncheck faults` tells them all" in note
    chosen = check_rnn(load_target(str(TARGETS / "globals_function.py"), isolated=False), select="T=3").notes
    assert not any("catalogued" in n for n in chosen)
