"""The loop around a training step hands on what it is given; a loop that does not is noticed."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

import rnncheck.implementation as implementations
from numpy_impl import train
from numpy_impl.datasets import Dataset, load_dataset
from numpy_impl.optim import SGD, Adagrad
from numpy_impl.recipes import RECIPES
from numpy_impl.run import Run
from numpy_impl.touched import step_touched
from numpy_impl.train import Record, StepFunction, advance, next_batch
from rnncheck.checks.check import Bench, Source, run_check
from rnncheck.checks.steps import compare_all
from rnncheck.checks.training_loop import BATCHES, EXAMPLES, OPTIMIZERS, compare_loop, compare_touched, training_checks
from rnncheck.implementation import Lean, Packed
from rnncheck.result import Verdict
from rnncheck.shipped import shipped, shipped_text
from rnncheck.vectors import VectorOracle, read_vectors

SEED = 3
Advance = Callable[[Run, Dataset, StepFunction | None], Record]
every_recipe = pytest.mark.parametrize("name", RECIPES)


def loaded(recipe: Any) -> Dataset:
    return load_dataset(recipe, str(shipped_text(recipe.name)))


@cache
def problem(name: str, batch: int = 1) -> tuple[Any, Dataset]:
    settings: dict[str, Any] = {"examples": EXAMPLES, "sample_every": 0, "evaluate_every": 1, **BATCHES[batch]}
    recipe = replace(RECIPES[name], batch=batch, **settings)
    return recipe, loaded(recipe)


def noticed(name: str, wrong: Advance, batch: int = 1) -> set[str]:
    recipe, data = problem(name, batch)
    return {c.array for c in compare_loop(recipe, data, SEED, wrong) if c.verdict is Verdict.FAILED}


@every_recipe
def test_our_loop_hands_on_what_it_is_given(name: str) -> None:
    assert noticed(name, advance) == set()


def test_every_recipe_and_every_update_is_asked() -> None:
    checks = list(training_checks(dict.fromkeys(RECIPES, loaded), SEED))
    for check in checks:
        assert run_check(check, Bench(implementations.NumpyImpl(), VectorOracle([]))).verdict is Verdict.PASSED
    assert len(checks) == 2 * len(RECIPES) - 1 + len(OPTIMIZERS)  # running text comes chunk by chunk


def test_a_batch_that_leaves_out_an_example_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert noticed("names", advance, 3) == set()
    with monkeypatch.context() as patch:
        patch.setattr("numpy_impl.train.next_batch", lambda run, data: data.batch(0, 1, 2))
        assert noticed("names", advance, 3) == {"x", "y"}

    def truncated(run: Run, data: Dataset) -> Any:
        batch = next_batch(run, data)
        return batch._replace(x=batch.x[:2], y=batch.y[:2])

    monkeypatch.setattr("numpy_impl.train.next_batch", truncated)
    assert noticed("names", advance, 3) == {"x", "y", "told"}


def before(change: Callable[[Run], None], run: Run, data: Dataset, step: StepFunction | None) -> Record:
    """Spoil the run, then do the step."""
    change(run)
    return advance(run, data, step)


def forget_state(run: Run) -> None:
    run.h = None


def state_of_another(run: Run) -> None:
    run.h = None if run.h is None else run.h[:, ::-1]


def next_example(run: Run) -> None:
    run.order = np.roll(np.arange(EXAMPLES) if run.order is None else run.order, -1) if run.step == 0 else run.order


def start_over(run: Run) -> None:
    run.params.flat[:] = 0 if run.step == 3 else run.params.flat


def forget_memory(run: Run) -> None:
    for array in run.opt_state.values():
        array[...] = 0


def keep_rate(run: Run) -> None:
    run.set_loss = None


def halve_always(run: Run) -> None:
    run.set_loss = -1.0


@pytest.mark.parametrize(
    ("name", "change", "array"),
    [
        ("chars", forget_state, "h0"),
        ("chars", state_of_another, "h0"),
        ("names", next_example, "x"),
        ("names", next_example, "y"),
        ("sentences", start_over, "params"),
        ("names", forget_memory, "params"),
        ("chars", forget_memory, "params"),
        ("sentences", keep_rate, "lr"),
        ("sentences", halve_always, "lr"),
    ],
)
def test_a_loop_that_spoils_something_is_noticed(name: str, change: Callable[[Run], None], array: str) -> None:
    assert array in noticed(name, partial(before, change))


def test_a_state_that_leaks_into_the_next_sequence_is_noticed() -> None:
    def leaks(run: Run, data: Dataset, step: StepFunction | None) -> Record:
        def with_state(recipe: Any, params: Any, opt_state: Any, lr: Any, batch: Any, h0: Any) -> Any:
            assert step is not None
            return step(recipe, params, opt_state, lr, batch, np.zeros((1, recipe.hidden)) if h0 is None else h0)

        return advance(run, data, with_state)

    assert noticed("names", leaks) == {"h0"}


def test_a_loss_of_the_set_that_is_another_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpy_impl.train.evaluate", lambda run, data: 3.0)
    assert "loss" in noticed("sentences", advance)


@pytest.mark.parametrize(("name", "batch"), [("names", 3), ("sentences", 3), ("chars", 1)])
def test_a_loss_that_is_told_in_another_unit_is_noticed(name: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpy_impl.train._as_reported", lambda loss, recipe, batch: loss / len(batch.y))
    assert "told" in noticed(name, advance, batch)


def test_a_smoothed_loss_of_another_making_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def begins_at_zero(run: Run) -> None:
        run.smoothed *= run.step > 0

    assert noticed("chars", partial(before, begins_at_zero)) == {"smoothed"}
    monkeypatch.setattr("numpy_impl.train.SMOOTHING", 0.99)
    assert noticed("sentences", advance) == {"smoothed"}


@pytest.mark.parametrize(
    ("name", "batch", "wrong"),
    [
        ("names", 3, {"nonlinearity": "tanh"}),  # the recipe says relu
        ("chars", 1, {"h0": None}),
    ],
)
def test_a_set_that_is_evaluated_otherwise_is_noticed(
    name: str, batch: int, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = train.forward

    def forward(params: Any, x: Any, h0: Any, *, nonlinearity: str) -> Any:
        return own(params, x, **{"h0": h0, "nonlinearity": nonlinearity, **wrong})

    monkeypatch.setattr(train, "forward", forward)
    assert "loss" in noticed(name, advance, batch)


def test_an_update_that_forgets_the_first_token_is_noticed() -> None:
    def forgets(optimizer: Any, params: Any, g: Any, state: Any, lr: Any, x: np.ndarray) -> Any:
        return step_touched(optimizer, params, g, state, lr, np.where(x == 0, -1, x))

    assert any(c.verdict is Verdict.FAILED for c in compare_touched(SGD(), SEED, forgets))


@pytest.mark.parametrize("optimizer", [SGD(), Adagrad()])
def test_an_update_that_leaves_out_too_much_is_noticed(optimizer: Any) -> None:
    def forgets_a_token(optimizer: Any, params: Any, g: Any, state: Any, lr: Any, x: np.ndarray) -> Any:
        return step_touched(optimizer, params, g, state, lr, x[:, :2])

    assert all(c.verdict is Verdict.PASSED for c in compare_touched(optimizer, SEED))
    assert any(c.verdict is Verdict.FAILED for c in compare_touched(optimizer, SEED, forgets_a_token))


@pytest.mark.parametrize(("form", "function"), [(Lean, "lean_loss_and_grads"), (Packed, "packed_loss_and_grads")])
def test_a_training_step_with_gradients_of_its_own_is_noticed(form, function, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("T=7-B=5-float64", "T=7-B=3-float64-ignored=0.4-mean", "T=7-B=3-float64-windowed=4")
    vectors = [v for v in read_vectors(shipped("vectors/v1")) if v.case.name in names]
    checks = [compare_all(Source.of(v.case), "trained") for v in vectors]
    assert len(checks) == len(names)
    right = Bench(form(), VectorOracle(vectors))
    assert {run_check(check, right).verdict for check in checks} == {Verdict.PASSED}
    own = getattr(implementations, function)

    def off(*args: Any, **options: Any) -> Any:
        found = own(*args, **options)
        found.grads["dW_hh"] *= 1 + 1e-10
        return found

    monkeypatch.setattr(implementations, function, off)
    for check in checks:
        outcome = run_check(check, Bench(form(), VectorOracle(vectors)))
        assert outcome.earliest is not None
        assert outcome.earliest.array == "dW_hh"
