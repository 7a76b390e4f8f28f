"""What sampling hands on, and the text that is made of tokens: right, and noticed where it is wrong."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import numpy_impl.sample as own
from numpy_impl import generate
from numpy_impl.datasets import Dataset, load_dataset
from numpy_impl.generate import predict
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.sample import prime, sample, stream
from rnncheck.case import SampleCase
from rnncheck.cases.standard import sample_cases
from rnncheck.checks.check import Bench, run_check
from rnncheck.checks.writing import compare_equals, compare_states, compare_text, writing_checks
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Comparison, Verdict
from rnncheck.shipped import shipped_text
from rnncheck.vectors import VectorOracle

SEED = 4
CASES = {case.name: case for case in sample_cases() if isinstance(case, SampleCase)}


def loaded(recipe: Recipe) -> Dataset:
    return load_dataset(recipe, str(shipped_text(recipe.name)))


@cache
def problem(name: str) -> tuple[Recipe, Dataset]:
    recipe = replace(RECIPES[name], examples=8, hidden=20)
    return recipe, loaded(recipe)


def wrong(found: list[Comparison]) -> set[str]:
    return {c.array for c in found if c.verdict is Verdict.FAILED}


@pytest.mark.parametrize("seed", range(3))
def test_our_own_writing_is_right(seed: int) -> None:
    checks = list(writing_checks(list(CASES.values()) if seed == 0 else [], dict.fromkeys(RECIPES, loaded), seed))
    for check in checks:
        assert run_check(check, Bench(NumpyImpl(), VectorOracle([]))).verdict is Verdict.PASSED, check.name
    assert len(checks) == len(RECIPES) + 1 + (len(CASES) if seed == 0 else 0)


@pytest.mark.parametrize("name", ["sample-draw-float64", "sample-alone-float32", "sample-stop-float64"])
def test_another_last_state_is_noticed(name: str) -> None:
    def state_before(*given: Any, **options: Any) -> Any:
        found = sample(*given, **options)
        return found._replace(h_T=found.h_T * (1 + 1e-4))

    assert wrong(compare_states(CASES[name], sample=state_before)) == {"h_T"}


def test_a_state_that_moves_on_after_the_stop_token_is_noticed() -> None:
    """The streams of this case end at different steps, so that one is moved on while another writes."""
    case = CASES["sample-stop-float64"]
    ends = (sample_of(case).p != 0).any(-1).sum(0)
    assert len(set(ends)) > 1

    def moves_on(params: Any, first: Any, uniforms: Any, h0: Any, **options: Any) -> Any:
        found = sample(params, first, uniforms, h0, **options)
        return found._replace(h_T=np.tanh(found.h_T @ params["W_hh"].T + params["b_h"]))

    assert wrong(compare_states(case, sample=moves_on)) == {"h_T"}


def sample_of(case: SampleCase) -> Any:
    options = {name: getattr(case, name) for name in ("nonlinearity", "temperature", "stop")}
    return sample(dict(case.params), case.first, case.uniforms, case.h0, **options)


def test_a_stream_that_takes_a_number_too_many_is_noticed() -> None:
    def greedy(params: Any, first: Any, rows: Iterable[Any], h0: Any, **options: Any) -> Any:
        yield from stream(params, first, list(rows), h0, **options)

    case = CASES["sample-stop-float64"]
    assert wrong(compare_states(case, stream=greedy)) == {"numbers taken"}


@pytest.mark.parametrize(
    ("cut", "array"), [(slice(None, -1), "first after a text"), (slice(1, None), "h0 after a text")]
)
def test_a_start_text_that_is_not_read_whole_is_noticed(cut: slice, array: str) -> None:
    def reads_less(params: Any, x: Any, h0: Any, **options: Any) -> Any:
        return prime(params, x[cut], h0, **options)

    assert array in wrong(compare_states(CASES["sample-draw-float64"], prime=reads_less))


@pytest.mark.parametrize("name", ["sample-draw-float64", "sample-top-p-float32"])
def test_an_exponential_that_overflows_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_maximum(logits: np.ndarray, temperature: float, top_k: Any, top_p: Any) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            p = np.exp(logits / temperature) / np.exp(logits / temperature).sum(-1, keepdims=True)
        return np.asarray(np.nan_to_num(p, nan=0.1))

    monkeypatch.setattr(own, "distribution", without_maximum)
    assert "p of loud logits" in wrong(compare_states(CASES[name]))


def test_the_last_of_equals_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong(compare_equals()) == set()

    def backwards(params: Any, first: Any, uniforms: Any, **options: Any) -> Any:
        order = {name: a[::-1].copy() if name in ("W_hy", "b_y") else a for name, a in params.items()}
        found = sample(order, first, uniforms, **options)
        return found._replace(tokens=5 - found.tokens, p=found.p[..., ::-1])

    assert wrong(compare_equals(backwards)) == {"greedy", "top-k", "top-k tokens", "top-p"}


def from_another_state(run: Any, *given: Any) -> str:
    return predict(run, *given, zero_state=run.h is not None)


def without_the_start(run: Any, words: str, *given: Any) -> str:
    return predict(run, words, *given)[len(words) :]


@pytest.mark.parametrize(
    ("name", "function"),
    [("chars", from_another_state), ("names", without_the_start), ("sentences", without_the_start)],
)
def test_another_text_is_noticed(name: str, function: Callable[..., str]) -> None:
    assert wrong(compare_text(*problem(name), SEED)) == set()
    assert wrong(compare_text(*problem(name), SEED, predict=function)) == {"text"}


@pytest.mark.parametrize("name", RECIPES)
def test_samples_of_other_numbers_are_noticed(name: str) -> None:
    def late(run: Any, data: Dataset) -> list[str]:
        run.rng.random()
        return generate.sample_while_training(run, data)

    assert wrong(compare_text(*problem(name), SEED, sample_while_training=late)) == {"samples"}


@pytest.mark.parametrize("name", ["names", "sentences"])
def test_what_begins_with_another_token_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = generate.prime
    monkeypatch.setattr(generate, "prime", lambda params, x, h0, **o: own(params, np.abs(x[:1] - 2), h0, **o))
    assert wrong(compare_text(*problem(name), SEED)) == {"text", "samples"}


def test_a_stop_token_that_stays_in_a_name_is_noticed() -> None:
    def with_line_break(*given: Any) -> str:
        return predict(*given) + "\n"

    assert wrong(compare_text(*problem("names"), SEED, predict=with_line_break)) == {"text"}
