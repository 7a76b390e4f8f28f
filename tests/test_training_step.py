"""A step of training is judged whole, and so is what the passes that training runs return beside gradients."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from numpy_impl import train
from numpy_impl.datasets import Dataset, load_dataset
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.packed import packed_loss_and_grads
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.train import StepOut, numpy_step
from rnncheck.checks.check import Bench, run_check
from rnncheck.checks.training_step import PACKED, VARIED, compare_lean, compare_packed, compare_step, step_checks
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Comparison, Verdict
from rnncheck.shipped import shipped_text
from rnncheck.vectors import VectorOracle

SEED = 2


@cache
def problem(words: str) -> tuple[Recipe, Dataset]:
    name, settings = VARIED[words]
    recipe = replace(RECIPES[name], examples=8, sample_every=0, hidden=20, **settings)
    return recipe, loaded(recipe)


def loaded(recipe: Recipe) -> Dataset:
    return load_dataset(recipe, str(shipped_text(recipe.name)))


def wrong(found: list[Comparison]) -> set[str]:
    return {c.array for c in found if c.verdict is Verdict.FAILED}


@pytest.mark.parametrize("seed", range(3))
def test_our_steps_are_right(seed: int) -> None:
    checks = list(step_checks(dict.fromkeys(RECIPES, loaded), seed))
    for check in checks:
        assert run_check(check, Bench(NumpyImpl(), VectorOracle([]))).verdict is Verdict.PASSED, check.name
    assert len(checks) == len(VARIED) + 1 + len(PACKED)


def step_that(change: Callable[..., StepOut]) -> Callable[..., StepOut]:
    return lambda *given, **options: change(numpy_step(*given, **options), *given)


def other_state(out: StepOut, *given: Any) -> StepOut:
    return out._replace(h_T=out.h_T[::-1].copy())


def loss_per_token(out: StepOut, recipe: Recipe, params: Any, state: Any, lr: float, batch: Any, h0: Any) -> StepOut:
    return out._replace(loss=out.loss / batch.targets)


@pytest.mark.parametrize(
    ("words", "change", "array"),
    [
        ("names, several", other_state, "h_T"),
        ("sentences, several", other_state, "h_T"),
        ("names", loss_per_token, "loss"),
        ("chars, float32", loss_per_token, "loss"),
    ],
)
def test_what_is_returned_wrongly_is_noticed(words: str, change: Callable[..., StepOut], array: str) -> None:
    assert wrong(compare_step(*problem(words), SEED, step_that(change))) == {array}


def unclipped(g: np.ndarray, *_: Any, **__: Any) -> np.ndarray:
    return g


@pytest.mark.parametrize(
    ("words", "function", "other"),
    [
        ("names", "clip_grad_value", unclipped),
        ("names, several", "clip_grad_value", unclipped),
        ("sentences, several", "clip_grad_norm", lambda g, *_, **__: (g, 0)),
        ("chars", "clip_grad_value", unclipped),
        ("chars, float32", "clip_grad_norm", lambda g, *_, **__: (g, 0)),
        ("sentences, adagrad", "step_touched", lambda optimizer, params, *_: params.flat.__imul__(1 + 1e-6)),
    ],
)
def test_a_part_that_is_left_out_is_noticed(
    words: str, function: str, other: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wrong(compare_step(*problem(words), SEED)) == set()
    monkeypatch.setattr(train, function, other)
    assert "W_hy" in wrong(compare_step(*problem(words), SEED))


def test_an_update_in_place_that_nobody_asked_for_is_noticed() -> None:
    def always(*given: Any, inplace: bool = True) -> StepOut:
        return numpy_step(*given, inplace=True)

    assert "inputs" in wrong(compare_step(*problem("chars"), SEED, always))
    never = lambda *given, inplace=False: numpy_step(*given)  # noqa: E731 - it is the other way round
    assert wrong(compare_step(*problem("chars"), SEED, never)) == {"in place"}


def lean_without_a_copy(params: Any, *given: Any, workspace: Any) -> Any:
    found = lean_loss_and_grads(params, *given, workspace=workspace)
    (states,) = (memory for (name, _), memory in workspace._memory.items() if name == "states")
    return found._replace(h_T=states.reshape(-1, *found.h_T.shape)[-1])


def test_a_last_state_that_the_next_call_overwrites_is_noticed() -> None:
    assert wrong(compare_lean(SEED)) == set()
    assert wrong(compare_lean(SEED, lean_without_a_copy)) == {"h_T after another call"}


class Spoilt:
    """What a packed call returned, with one array replaced."""

    def __init__(self, step: Any, **arrays: np.ndarray):
        self.step, self.arrays = step, arrays

    def __getattr__(self, name: str) -> Any:
        return self.arrays[name] if name in self.arrays else getattr(self.step, name)


@pytest.mark.parametrize(
    ("words", "array", "spoil"),
    [
        ("ids", "h_T", lambda step: step.states[step.packing.last]),  # as they were sorted
        ("ids", "h", lambda step: step.packing.unpack(step.states[: -step.packing.B])),  # one step late
        ("windowed", "h", lambda step: step.h + 1e-9),  # behind their ends too
        ("dense", "dx", lambda step: step.dx[:, step.packing.order]),
        ("ids", "dh0", lambda step: step.dh0[step.packing.order]),
    ],
)
def test_what_is_put_back_in_a_wrong_place_is_noticed(words: str, array: str, spoil: Callable[[Any], Any]) -> None:
    def run(*given: Any, **options: Any) -> Spoilt:
        step = packed_loss_and_grads(*given, **options)
        return Spoilt(step, **{array: spoil(step)})

    assert wrong(compare_packed(PACKED[words], SEED)) == set()
    assert wrong(compare_packed(PACKED[words], SEED, run)) == {array}
