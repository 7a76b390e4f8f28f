"""Every stage of a training step is judged in lockstep, and a mistake in one shows in that stage alone."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from numpy_impl.datasets import Dataset, load_dataset
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.run import Run, start
from numpy_impl.train import train
from rnncheck.case import Case, ClipCase, OptimCase, RNNCase
from rnncheck.checks.check import Bench, run_check
from rnncheck.implementation import NumpyImpl
from rnncheck.lockstep import Lockstep, judge_step, lockstep_checks
from rnncheck.oracle import TextbookOracle
from rnncheck.result import Verdict
from rnncheck.shipped import shipped_text

SEED, STEP = 3, 4
every_recipe = pytest.mark.parametrize("name", RECIPES)


@cache
def data(name: str) -> Dataset:
    return load_dataset(recipe(name), str(shipped_text(name)))


def recipe(name: str) -> Recipe:
    """Return the recipe with a bound that clips, where it clips."""
    clips = RECIPES[name].clip_method != "none"
    return replace(RECIPES[name], examples=8, hidden=20, sample_every=0, **({"clip_bound": 0.05} if clips else {}))


def trained(name: str) -> Run:
    run = start(recipe(name), data(name), SEED)
    for _ in train(run, data(name), STEP):
        pass
    return run


def spoiler(kind: type[Case], array: str) -> Any:
    def spoil(case: Case, trace: dict[str, np.ndarray]) -> None:
        if isinstance(case, kind):
            trace[array] = trace[array] * (1 + 1e-6)

    return spoil


def wrong(name: str, implementation: Any) -> list[str]:
    found = judge_step(Bench(implementation, TextbookOracle()), trained(name), data(name))
    return [c.array for c in found if c.verdict is Verdict.FAILED]


@every_recipe
def test_our_own_step_is_right_in_every_stage(name: str) -> None:
    found = judge_step(Bench(NumpyImpl(), TextbookOracle()), trained(name), data(name))
    assert {c.verdict for c in found if c.verdict is not Verdict.NOT_SHOWN} == {Verdict.PASSED}
    shown = [c.array for c in found if c.verdict is Verdict.PASSED]
    assert shown.count("dW_hh") == (1 if RECIPES[name].clip_method == "none" else 2)
    assert "step1.W_hh" in shown


@every_recipe
@pytest.mark.parametrize(("kind", "array"), [(RNNCase, "dW_hh"), (ClipCase, "dW_hy"), (OptimCase, "step1.W_hy")])
def test_a_mistake_in_one_stage_shows_there_alone(name: str, kind: type[Case], array: str, planted: Any) -> None:
    """Each stage goes on from what the candidate made of the one before, so nothing is wrong twice."""
    acts = kind is not ClipCase or RECIPES[name].clip_method != "none"
    assert wrong(name, planted(spoiler(kind, array))) == ([array] if acts else [])


def test_a_memory_that_is_not_handed_to_the_update_shows(planted: Any) -> None:
    class Forgets:
        name = "forgets"

        def run(self, case: Case) -> Any:
            return NumpyImpl().run(replace(case, buffer=None) if isinstance(case, OptimCase) else case)

    for name in ("names", "chars"):  # plain SGD remembers nothing
        assert set(wrong(name, Forgets())) >= {"step1.W_hy", "step1.b_y"}


def test_steps_are_planned_one_by_one_and_asked_in_any_order(planted: Any) -> None:
    checks = list(lockstep_checks(Lockstep(recipe("names"), data("names"), SEED), 3))
    assert [c.name for c in checks] == [f"lockstep-names[step={step}]" for step in range(3)]
    bench = Bench(NumpyImpl(), TextbookOracle())
    first = [run_check(check, bench).comparisons for check in checks]
    again = [run_check(check, bench).comparisons for check in checks[::-1]][::-1]
    assert first == again
    assert len({str(comparisons) for comparisons in first}) == 3, "another step is another case"
