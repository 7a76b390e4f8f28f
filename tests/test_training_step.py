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
from numpy_impl.short import Short
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
    assert len(checks) == len(VARIED) + 2 + len(PACKED)


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
    def always(*given: Any, inplace: bool = True, **options: Any) -> StepOut:
        return numpy_step(*given, inplace=True, **options)

    assert "inputs" in wrong(compare_step(*problem("chars"), SEED, always))
    never = lambda *given, inplace=False, **options: numpy_step(*given, **options)  # noqa: E731 - the other way round
    assert wrong(compare_step(*problem("chars"), SEED, never)) == {"in place"}


def without_a_copy(params: Any, *given: Any, workspace: Any) -> Any:
    found = lean_loss_and_grads(params, *given, workspace=workspace)
    kept = workspace.__dict__.setdefault("kept", found.h_T)
    kept[...] = found.h_T
    return found._replace(h_T=kept)


def state_of_the_call_before(params: Any, x: Any, y: Any, h0: Any, *, workspace: Any) -> Any:
    kept = workspace.__dict__.setdefault("kept", h0)
    return lean_loss_and_grads(params, x, y, kept if h0 is None else h0, workspace=workspace)


def weights_of_the_first_call(params: Any, *given: Any, workspace: Any) -> Any:
    kept = workspace.__dict__.setdefault("kept", params.copy())
    return lean_loss_and_grads(kept, *given, workspace=workspace)


@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize(
    ("run", "arrays"),
    [
        (without_a_copy, {"h_T after other calls"}),
        (state_of_the_call_before, {"h_T of call 2", "dW_hh of call 2"}),
        (weights_of_the_first_call, {"loss of call 2", "loss of call 3"}),
    ],
)
def test_what_one_call_leaves_to_the_next_is_noticed(B: int, run: Callable[..., Any], arrays: set[str]) -> None:
    assert wrong(compare_lean(B, SEED)) == set()
    assert wrong(compare_lean(B, SEED, run)) >= arrays


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("forward", lambda own, step, W: own(step, W * 1.001)),
        ("backward", lambda own, step, W: own(step, W * 1.001)),
        ("readout", lambda own, step, params, y, reduction: own(step, params, y, "sum")),
    ],
)
def test_a_mistake_in_the_step_of_one_short_sequence_is_noticed(
    name: str, spoil: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = getattr(Short, name)
    monkeypatch.setattr(Short, name, lambda *given: spoil(own, *given))
    assert "W_hh" in wrong(compare_step(*problem("names, mean"), SEED))


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
