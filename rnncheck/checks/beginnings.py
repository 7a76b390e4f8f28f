"""What a run begins with: examples that are those of the file, and weights of the scale that their scheme names.

Both sides of a training run are given the same examples and the same first weights, so no comparison of them can see
a mistake in either. The file is read here once more, and the moments of the weights are held against theory.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from numpy_impl.datasets import Dataset
from numpy_impl.init import SCHEMES, init_params
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.vocabulary import SENTENCE_END, SENTENCE_START, UNKNOWN
from rnncheck.checks.check import Bench, Check, failed, passed
from rnncheck.result import Comparison
from rnncheck.shipped import shipped_text

__all__ = ["beginning_checks", "compare_examples", "compare_weights"]

SIZES = {"I": 60, "H": 90, "V": 40}
FAR = 6.0
"""Standard deviations that the mean square of so many numbers may lie from its expectation."""
TAIL = 2.5
"""One of 3,600 normal numbers lies beyond so many standard deviations; none that is uniform does."""
COVERED = 0.95
"""So much of the shipped comments, at least, is in the sentences; the rest is quotes and what stands between them."""
SPREAD = {
    "names": dict.fromkeys(("W_xh", "W_hh", "W_hy"), ("normal", 90**-0.5)),
    "uniform": {"W_xh": ("uniform", 60**-0.5), "W_hh": ("uniform", 90**-0.5), "W_hy": ("uniform", 90**-0.5)},
    "chars": dict.fromkeys(("W_xh", "W_hh", "W_hy"), ("normal", 0.01)),
    "orthogonal": {"W_xh": ("uniform", 60**-0.5), "W_hh": ("orthogonal", 1.0), "W_hy": ("uniform", 90**-0.5)},
}
SPREAD["sentences"] = SPREAD["uniform"]
"""By scheme and matrix: N(0, s^2), uniform in ±s, or orthogonal (`numpy_impl.init` names the sources)."""


def beginning_checks(loaders: Mapping[str, Callable[[Recipe], Dataset]], seed: int) -> Iterator[Check]:
    """Plan the examples of every recipe, and the weights of every scheme."""
    for name, load in loaders.items():
        yield Check(f"beginning-examples[{name}]", "beginning", partial(_ask_examples, RECIPES[name], load))
    for scheme in SCHEMES:
        yield Check(f"beginning-weights[{scheme}]", "beginning", partial(_ask_weights, scheme, seed))


def _ask_examples(recipe: Recipe, load: Callable[[Recipe], Dataset], _bench: Bench) -> list[Comparison]:
    whole = replace(recipe, examples=None)
    return compare_examples(whole, load(whole), Path(shipped_text(recipe.name)).read_text(encoding="utf-8"))


def _ask_weights(scheme: str, seed: int, _bench: Bench) -> list[Comparison]:
    return compare_weights(scheme, seed)


def compare_examples(recipe: Recipe, data: Dataset, text: str) -> list[Comparison]:
    """Write all examples out as text again."""
    tokens = data.vocabulary.tokens
    shifted = all(np.array_equal(x[1:], y[:-1]) for x, y in zip(data.inputs, data.targets, strict=True))
    begins = all(_begins(recipe, x[0], tokens) for x in data.inputs)
    written = ["".join(tokens[i] for i in y) for y in data.targets]
    right = {"names": _names, "sentences": _sentences, "chars": _chars}[recipe.name](recipe, data, text, written)
    return [
        _so("inputs", shifted, "are not the targets one step later"),
        _so("first input", begins, "is not what this recipe begins with"),
        _so("targets", right, "are not the text of the file"),
        _so("vocabulary", _ordered(recipe, data, text), "is not in the order that its rule names"),
    ]


def _begins(recipe: Recipe, first: int, tokens: tuple[str, ...]) -> bool:
    if recipe.name == "names":
        return bool(first == NO_TOKEN)
    return recipe.name == "chars" or tokens[first] == SENTENCE_START


def _names(recipe: Recipe, data: Dataset, text: str, written: list[str]) -> bool:
    return written == [line.strip() + "\n" for line in text.lower().split("\n") if line.strip()][: recipe.examples]


def _chars(recipe: Recipe, data: Dataset, text: str, written: list[str]) -> bool:
    first = "".join(data.vocabulary.tokens[i] for x in data.inputs for i in x)
    n = len(first)
    return first == text[:n] and "".join(written) == text[1 : n + 1] and len(data.inputs[0]) == recipe.chunk_length


def _sentences(recipe: Recipe, data: Dataset, text: str, written: list[str]) -> bool:
    """Find every sentence that has no unknown word in the file, behind the one before it; white space aside."""
    rest, known = "".join(text.lower().replace('""', '"').split()), [w for w in written if UNKNOWN not in w]
    for sentence in known:
        _, found, rest = rest.partition(sentence.removesuffix(SENTENCE_END))
        if not found or not sentence.endswith(SENTENCE_END):
            return False
    letters = sum(len(sentence.removesuffix(SENTENCE_END)) for sentence in known)
    return letters > COVERED * len("".join(text.split()))


def _ordered(recipe: Recipe, data: Dataset, text: str) -> bool:
    tokens = data.vocabulary.tokens
    if recipe.name != "sentences":
        everything = text.lower() + "\n" if recipe.name == "names" else text
        return tokens == tuple(sorted(set(everything)))
    counts = Counter(tokens[i] for x, y in zip(data.inputs, data.targets, strict=True) for i in (x[0], *y))
    often = [counts[token] for token in tokens[:-1]]
    return often == sorted(often, reverse=True) and min(often) > 0 and tokens[-1] == UNKNOWN


def compare_weights(
    scheme: str, seed: int, draw: Callable[..., Mapping[str, np.ndarray]] = init_params
) -> list[Comparison]:
    """Hold mean square, largest value and orthogonality against what the scheme says."""
    params = draw(scheme, *SIZES.values(), np.random.default_rng([seed, 7]))
    found = [_so(name, not params[name].any(), "does not start at zero") for name in ("b_h", "b_y")]
    for name, (kind, s) in SPREAD[scheme].items():
        w = params[name]
        if kind == "orthogonal":
            # among all such matrices alike the trace is as good as N(0, 1); that of the identity is H
            right = np.allclose(w @ w.T, np.eye(len(w)), atol=1e-12) and abs(np.trace(w)) <= FAR
        else:
            # the mean square of N(0, s^2) has variance 2 s^4 / n, that of a uniform number 4 s^4 / 45 n
            expected, variance = (s**2, 2 * s**4) if kind == "normal" else (s**2 / 3, 4 * s**4 / 45)
            square, mean = np.mean(w**2), np.mean(w)
            right = abs(square - expected) <= FAR * np.sqrt(variance / w.size) and abs(mean) <= FAR * s / np.sqrt(
                w.size
            )
            largest = np.abs(w).max() / s
            right = right and (largest > TAIL if kind == "normal" else largest <= 1)
        found.append(_so(name, bool(right), f"is not {kind} of scale {s:.4g}"))
    drawn = [params[name].ravel() / s for name, (kind, s) in SPREAD[scheme].items() if kind != "orthogonal"]
    numbers = np.concatenate(drawn).round(9)
    once = len(np.unique(numbers)) > 0.99 * len(numbers)
    return [*found, _so("draws", once, "are not one for each weight: numbers come again, in one matrix or another")]


def _so(name: str, right: bool, why: str) -> Comparison:
    return passed(name, "as the rule says") if right else failed(name, "as the rule says", why)
