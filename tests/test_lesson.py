"""The check that ends every tutorial cannot pass what is wrong, what is missing, or what it has not looked at."""

import numpy as np
import pytest

from rnncheck.case import RNNCase
from rnncheck.errors import TraceMismatch
from rnncheck.faults import FAULTS
from rnncheck.implementation import NumpyImpl
from rnncheck.lesson import check, is_plain, vectors
from rnncheck.trace import ORDER


def short(case):
    return is_plain(case) and len(case.x) <= 3


def test_right_code_is_right(capsys):
    check(NumpyImpl().run, where=short)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ h ")
    assert lines[-1].startswith("all 12 right, at most 0.")


def test_only_the_arrays_that_are_named_are_looked_at(capsys):
    check(lambda case: {"h": NumpyImpl().run(case)["h"]}, "h", where=short)
    assert capsys.readouterr().out.splitlines()[-1].startswith("all 1 right")


def test_wrong_code_is_named_with_its_first_case(capsys):
    with pytest.raises(TraceMismatch, match="arrays wrong: dW_hh at T=2-B=1-float64, dW_hh"):
        check(FAULTS["recurrent-gradient-assigned"].build().run, where=short)
    assert "✗ dW_hh" in capsys.readouterr().out


@pytest.mark.parametrize("array", ORDER[:-2])
def test_every_array_that_is_spoilt_is_seen(array):
    def run(case):
        trace = {name: np.array(a) for name, a in NumpyImpl().run(case).items()}
        trace[array] = trace[array] * (1 + 1e-4)  # far above float32's rounding
        return trace

    with pytest.raises(TraceMismatch, match=f"arrays wrong: {array} at T="):
        check(run, where=short)


def test_a_missing_array_is_no_pass():
    with pytest.raises(TraceMismatch, match="not shown by this implementation"):
        check(lambda case: {"h": NumpyImpl().run(case)["h"]}, "h", "logits", where=short)


def test_a_check_that_compares_nothing_is_no_pass():
    with pytest.raises(ValueError, match="no stored case that was chosen has dx"):
        check(NumpyImpl().run, "dx", where=short)
    with pytest.raises(ValueError, match="no stored case that was chosen has h"):
        check(NumpyImpl().run, "h", where=lambda case: False)


def test_other_kinds_of_case_can_be_chosen(capsys):
    check(NumpyImpl().run, where=lambda case: case.name.startswith("clip-norm-acts-eps=0"))
    assert "✓ total_norm 2 cases" in capsys.readouterr().out


def test_a_case_is_a_copy_that_may_be_spoilt():
    def run(case):
        trace = NumpyImpl().run(case)
        case.params["W_hh"][...] = 0
        return trace

    check(run, "h", where=short)
    check(run, "h", where=short)


def test_plain_cases_are_plain():
    plain = [v.case for v in vectors() if is_plain(v.case)]
    assert len(plain) > 50
    for case in plain:
        assert isinstance(case, RNNCase)
        assert case.dloss is None
        assert case.k is None
        assert {"b_h", "b_y"} <= set(case.params)
