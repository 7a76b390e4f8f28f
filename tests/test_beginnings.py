"""The examples of a run are those of its file, and its first weights those of their scheme; what is not is noticed."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpy_impl.datasets import Dataset, load_dataset
from numpy_impl.init import SCHEMES, init_params
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.vocabulary import Vocabulary
from rnncheck.checks.beginnings import beginning_checks, compare_examples, compare_weights
from rnncheck.checks.check import Bench, run_check
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Comparison, Verdict
from rnncheck.shipped import shipped_text
from rnncheck.vectors import VectorOracle

SEED = 6


def loaded(recipe: Recipe) -> Dataset:
    return load_dataset(recipe, str(shipped_text(recipe.name)))


@cache
def problem(name: str) -> tuple[Recipe, Dataset, str]:
    recipe = replace(RECIPES[name], examples=None if name == "sentences" else 50)
    return recipe, loaded(recipe), Path(shipped_text(name)).read_text(encoding="utf-8")


def wrong(found: list[Comparison]) -> set[str]:
    return {c.array for c in found if c.verdict is Verdict.FAILED}


@pytest.mark.parametrize("seed", range(5))
def test_ours_are_right(seed: int) -> None:
    checks = list(beginning_checks(dict.fromkeys(RECIPES, loaded) if seed == 0 else {}, seed))
    for check in checks:
        assert run_check(check, Bench(NumpyImpl(), VectorOracle([]))).verdict is Verdict.PASSED, check.name
    assert len(checks) == len(SCHEMES) + (len(RECIPES) if seed == 0 else 0)


def targets_of(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Dataset], Dataset]:
    return lambda data: replace(data, targets=[change(y) for y in data.targets])


def other_ids(data: Dataset) -> Dataset:
    return replace(data, vocabulary=Vocabulary(data.vocabulary.tokens[::-1], data.vocabulary.unknown))


SPOILT: dict[str, tuple[Callable[[Dataset], Dataset], str]] = {
    "the targets are the inputs": (lambda data: replace(data, targets=data.inputs), "inputs"),
    "the last target is lost": (targets_of(lambda y: y[:-1]), "inputs"),
    "the last target is another": (targets_of(lambda y: np.append(y[:-1], 3)), "targets"),
    "the first input is another": (
        lambda data: replace(data, inputs=[np.append((x[0] + 2) % 5, x[1:]) for x in data.inputs]),
        "first input",
    ),
    "an example is lost": (
        lambda data: replace(data, inputs=data.inputs[1:], targets=data.targets[1:]),
        "targets",
    ),
    "ids in another order": (other_ids, "vocabulary"),
}


OTHER = [(name, what) for name in RECIPES for what in SPOILT if (name, what) != ("sentences", "an example is lost")]
"""Which sentences are left out is not asked: that rule is in `numpy_impl.text`, and tested there."""


@pytest.mark.parametrize(("name", "what"), OTHER)
def test_other_examples_are_noticed(name: str, what: str) -> None:
    recipe, data, text = problem(name)
    spoil, array = SPOILT[what]
    if (name, what) == ("chars", "the first input is another"):
        array = "targets"  # any character may begin a chunk
    assert wrong(compare_examples(recipe, data, text)) == set()
    assert array in wrong(compare_examples(recipe, spoil(data), text))


def wider(scheme: str, *given: Any) -> Any:
    params = init_params(scheme, *given)
    params.flat[...] *= 1.3
    return params


def fan_out(scheme: str, I: int, H: int, V: int, rng: Any) -> Any:
    return {n: a.T if n == "W_hy" else a for n, a in init_params(scheme, I, V, H, rng).items()}


def biased(scheme: str, *given: Any) -> Any:
    params = init_params(scheme, *given)
    params["b_h"][-1] = 0.01
    return params


@pytest.mark.parametrize(
    ("scheme", "draw", "array"),
    [
        *((scheme, wider, "W_hh") for scheme in SCHEMES),
        *((scheme, biased, "b_h") for scheme in SCHEMES),
        *((scheme, fan_out, "W_hh") for scheme in ("names", "uniform")),  # the others care for no size there
    ],
)
def test_other_weights_are_noticed(scheme: str, draw: Callable[..., Any], array: str) -> None:
    assert array in wrong(compare_weights(scheme, SEED, draw))


def test_normal_weights_where_uniform_ones_are_asked_for_are_noticed() -> None:
    def normal(scheme: str, *given: Any) -> Any:
        params = init_params(scheme, *given)
        rng = np.random.default_rng(SEED)
        params.update({n: (rng.normal(size=a.shape) * a.std()) for n, a in params.items() if n.startswith("W")})
        return params

    assert wrong(compare_weights("uniform", SEED, normal)) >= {"W_xh", "W_hh", "W_hy"}


def again(scheme: str, I: int, H: int, V: int, rng: Any) -> Any:
    """Draw the matrices from one seed, each of them anew: what is the same numbers times another scale."""
    params = init_params(scheme, I, H, V, rng)
    scale = 1 if scheme in ("names", "chars") else np.sqrt(I / H)
    params["W_hh"].reshape(-1)[: params["W_xh"].size] = params["W_xh"].reshape(-1) * scale
    return params


def test_the_end_of_a_file_is_looked_at() -> None:
    """The check takes every example that the file has."""

    def cut(recipe: Recipe) -> Dataset:
        data = loaded(recipe)
        last = np.append(data.targets[-1][:-1], (data.targets[-1][-1] + 1) % 5)
        return replace(data, targets=[*data.targets[:-1], last])

    checks = beginning_checks(dict.fromkeys(["names", "chars"], cut), SEED)
    found = {c.name: run_check(c, Bench(NumpyImpl(), VectorOracle([]))) for c in checks if "examples" in c.name}
    assert [wrong(list(outcome.comparisons)) for outcome in found.values()] == [{"targets"}, {"targets"}]


def test_many_lost_sentences_are_noticed() -> None:
    recipe, data, text = problem("sentences")
    kept = [i for i, y in enumerate(data.targets) if len(y) > 8]
    fewer = replace(data, inputs=[data.inputs[i] for i in kept], targets=[data.targets[i] for i in kept])
    assert "targets" in wrong(compare_examples(recipe, fewer, text))


def uniform(scheme: str, I: int, H: int, V: int, rng: Any) -> Any:
    """Draw uniform numbers of the same mean square."""
    params = init_params(scheme, I, H, V, rng)
    params["W_hh"][...] = rng.uniform(-1, 1, (H, H)) * np.sqrt(3 / H if scheme == "names" else 3e-4)
    return params


def identity(scheme: str, *given: Any) -> Any:
    params = init_params(scheme, *given)
    params["W_hh"][...] = np.eye(len(params["W_hh"]))
    return params


def one_column(scheme: str, *given: Any) -> Any:
    params = init_params(scheme, *given)
    params["W_hh"][...] = params["W_hh"][:, :1]
    return params


@pytest.mark.parametrize(
    ("scheme", "draw", "array"),
    [
        *((scheme, uniform, "W_hh") for scheme in ("names", "chars")),
        ("orthogonal", identity, "W_hh"),
        *((scheme, one_column, "draws") for scheme in SCHEMES if scheme != "orthogonal"),
        *((scheme, again, "draws") for scheme in SCHEMES if scheme != "orthogonal"),
    ],
)
def test_weights_of_the_right_mean_square_are_noticed(scheme: str, draw: Callable[..., Any], array: str) -> None:
    assert array in wrong(compare_weights(scheme, SEED, draw))
