"""The textbook agrees with numpy_impl on every standard case, and with autograd: three ways to the same numbers."""

from dataclasses import replace

import numpy as np
import pytest

from rnncheck.case import Case, OptimCase, RNNCase
from rnncheck.cases.standard import standard_cases
from rnncheck.faults.probes import observe, probes
from rnncheck.implementation import NumpyImpl, TorchLoop
from rnncheck.judging.tolerance import PeakRule
from rnncheck.textbook import Textbook
from rnncheck.trace import TIMED, Trace, expected_arrays

CASES = standard_cases()
SOME = [case for case in [*probes(3), *probes(3, "float32")] if "scale=1000" not in case.name]


def disagreements(case: Case, candidate: Trace, reference: Trace) -> list[str]:
    """Say which arrays differ in form, or by more than 256 u of their largest element."""
    found = []
    for name in expected_arrays(case):
        one, two = np.asarray(candidate[name]), np.asarray(reference[name])
        assert one.shape == two.shape, f"{case.name}: {name} has shape {one.shape}, expected {two.shape}"
        assert one.dtype == (case.dtype if two.dtype.kind == "f" else two.dtype), f"{case.name}: {name} is {one.dtype}"
        if two.dtype.kind != "f":
            agrees = np.array_equal(one, two)
        else:
            agrees = PeakRule(case.dtype, name in TIMED).judge(one, two).margin <= 1
        found += [] if agrees else [name]
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_textbook_agrees_with_numpy_impl_on_the_standard_cases(case: Case) -> None:
    assert not disagreements(case, Textbook().run(case.copy()), NumpyImpl().run(case.copy()))


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_textbook_agrees_with_autograd_on_the_probes(case: Case) -> None:
    pytest.importorskip("torch")
    assert not disagreements(case, Textbook().run(case.copy()), TorchLoop().run(case.copy()))


def test_an_error_of_a_thousandth_in_one_array_is_a_disagreement() -> None:
    case = next(case for case in CASES if isinstance(case, RNNCase) and case.sizes["T"] == 5)
    right = Textbook().run(case.copy())
    for name in expected_arrays(case):
        assert disagreements(case, {**right, name: right[name] * 1.001}, right) == [name]


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_a_call_leaves_nothing_behind(case: Case) -> None:
    seen = observe(Textbook(), case)
    for name in expected_arrays(case):
        np.testing.assert_array_equal(seen[name], seen[f"second.{name}"])
        assert not seen[f"shared.{name}"]
    for name, array in case.arrays().items():
        np.testing.assert_array_equal(array, seen[f"inputs.{name}"])


def test_windows_that_reach_the_first_step_are_full_bptt() -> None:
    case = next(case for case in SOME if isinstance(case, RNNCase) and case.bptt == "windowed")
    full = Textbook().run(replace(case, bptt="full", k=None))
    assert not disagreements(case, Textbook().run(replace(case, k=case.sizes["T"] - 1)), full)
    assert disagreements(case, Textbook().run(replace(case, k=1)), full)


def test_arrays_come_in_dataflow_order() -> None:
    case = next(case for case in SOME if isinstance(case, RNNCase))
    assert tuple(Textbook().run(case)) == expected_arrays(case)


def test_two_steps_of_adagrad_by_hand() -> None:
    case = OptimCase("by-hand", 0, {"W": np.array([1.0])}, {"dW": np.array([[3.0], [4.0]])}, "adagrad", 0.1, eps=0.0)
    steps = Textbook().run(case)
    np.testing.assert_allclose(steps["step1.W"], [0.9], rtol=1e-15)  # 3 / sqrt(9) = 1
    np.testing.assert_allclose(steps["step2.W"], [0.9 - 0.1 * 4 / 5], rtol=1e-15)  # 4 / sqrt(9 + 16) = 4/5
