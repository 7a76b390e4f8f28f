"""Entropy, lengths and floors of a grammar against hand calculation, plain enumeration and fresh draws."""

import importlib
import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
sys.path.insert(0, str(DATA))  # these scripts import each other by their plain names, as when they are run
grammar, entropy, make = (importlib.import_module(name) for name in ("grammar", "entropy", "make"))
sys.path.remove(str(DATA))

EXACT = 1e-12  # relative; sums of some hundred float64 terms
STANDARD_ERRORS = 5  # one false alarm in two million draws
FRESH_SEED = 20_240
FLOORS = json.loads((DATA / "floors.json").read_text("ascii"))


def test_a_geometric_text_has_the_entropy_known_by_hand():
    p = 0.25  # of going on: texts a^n b, n geometric
    geometric = grammar.make_grammar("S", {"S": ["1: a S", "3: b"]})
    by_hand = (-p * math.log(p) - (1 - p) * math.log(1 - p)) / (1 - p)
    assert math.isclose(entropy.entropy(geometric)["S"], by_hand, rel_tol=EXACT)
    assert math.isclose(entropy.expected_length(geometric, len)["S"], 1 / (1 - p), rel_tol=EXACT)


def test_words_follow_the_law_of_zipf_and_mandelbrot():
    weights = 1 / (np.arange(1, 4) + 2.7)
    words = grammar.make_grammar("S", {"S": "one two three"})
    np.testing.assert_allclose([a.p for a in words.rules["S"]], weights / weights.sum(), rtol=EXACT)


TINY = {
    "S": ["1: one Subject_sg Verb_sg End", "2: two Subject_pl Verb_pl End"],
    "Subject_{n}": ["1: Noun_{n}", "2: old Noun_{n} that Verb_{n}"],
    "Noun_sg": "cat dog",
    "Noun_pl": "cats dogs mice",
    "Verb_sg": ["1: runs", "2: sees it"],
    "Verb_pl": ["3: run", "1: see it"],
    "End": ["1:", "4: now"],
}


def enumerate_tiny():
    """Yield all 60 texts of TINY with their probabilities, written down by hand."""
    for number, p_number, nouns, verbs in (
        ("one", 1 / 3, ["cat", "dog"], {"runs": 1 / 3, "sees it": 2 / 3}),
        ("two", 2 / 3, ["cats", "dogs", "mice"], {"run": 3 / 4, "see it": 1 / 4}),
    ):
        weights = 1 / (np.arange(1, len(nouns) + 1) + 2.7)
        for noun, p_noun in zip(nouns, weights / weights.sum(), strict=True):
            for verb, end in itertools.product(verbs, ("", " now")):
                p = p_number * p_noun * verbs[verb] * (4 / 5 if end else 1 / 5)
                yield f"{number} {noun} {verb}{end}", p / 3
                for other in verbs:
                    yield f"{number} old {noun} that {other} {verb}{end}", p * verbs[other] * 2 / 3


@pytest.fixture(scope="module")
def tiny():
    texts = {tuple(text.split()): p for text, p in enumerate_tiny()}
    assert len(texts) == 60
    assert math.isclose(sum(texts.values()), 1, rel_tol=EXACT)
    return grammar.make_grammar("S", TINY, [{"n": "sg"}, {"n": "pl"}]), texts


def test_entropy_is_that_of_all_texts_enumerated(tiny):
    rules, texts = tiny
    enumerated = -sum(p * math.log(p) for p in texts.values())
    assert math.isclose(entropy.entropy(rules)["S"], enumerated, rel_tol=EXACT)
    assert all(math.isclose(rules.log_prob(words), math.log(p), rel_tol=EXACT) for words, p in texts.items())
    length = sum(p * len("".join(words)) for words, p in texts.items())
    assert math.isclose(entropy.expected_length(rules, len)["S"], length, rel_tol=EXACT)


def test_series_by_length_is_that_of_all_texts_enumerated(tiny):
    rules, texts = tiny
    p, h = entropy.by_length(rules, "S")
    for n in range(p.size):
        of_length = [q for words, q in texts.items() if len(words) == n]
        assert math.isclose(p[n], sum(of_length), rel_tol=EXACT)
        assert math.isclose(h[n], -sum(q * math.log(q) for q in of_length), rel_tol=EXACT)


def test_floor_of_the_mean_of_means_is_reached_and_never_undercut(tiny):
    rules, texts = tiny
    floor = entropy.floor_mean_of_means(*entropy.by_length(rules, "S"), extra=1)
    p = np.array(list(texts.values()))
    n = np.array([len(words) + 1 for words in texts])

    def loss(model):
        return -(p / n * np.log(model / model.sum())).sum()

    assert math.isclose(loss(p / n), floor, rel_tol=EXACT)
    rng = np.random.default_rng(FRESH_SEED)
    assert loss(p) > floor  # the source itself is not the best model of this loss
    assert all(loss(p / n * rng.uniform(0.9, 1.1, p.size)) > floor for _ in range(100))


def test_series_by_length_of_a_recursive_grammar_is_geometric():
    p, h = entropy.by_length(grammar.make_grammar("S", {"S": ["1: a S", "3: b"]}), "S")
    n = np.arange(1, 11)
    by_hand = 0.25 ** (n - 1) * 0.75
    np.testing.assert_allclose(p[n], by_hand, rtol=EXACT)
    np.testing.assert_allclose(h[n], -by_hand * np.log(by_hand), rtol=EXACT)


def test_series_by_length_of_the_comments_agree_with_the_linear_system():
    rules = grammar.read_grammar(DATA / "comments.toml")
    p, h = entropy.by_length(rules, "Sentence")
    length = entropy.expected_length(rules, lambda word: 1)["Sentence"]
    assert math.isclose(p @ np.arange(p.size), length, rel_tol=make.FLOORS_RELATIVE)
    assert math.isclose(h.sum(), entropy.entropy(rules)["Sentence"], rel_tol=make.FLOORS_RELATIVE)
    assert p[:2].sum() == 0  # the recipe drops sentences of three tokens or fewer, markers included: none is so short


def test_texts_without_end_are_refused():
    with pytest.raises(ValueError, match=r"spectral radius is 1\.2000, it must be below 1"):
        entropy.entropy(grammar.make_grammar("S", {"S": ["6: a S S", "4: b"]}))


@pytest.mark.parametrize(("name", "key"), [("tale", "tale.txt"), ("comments", "comments.csv")])
def test_fresh_texts_lose_what_the_floor_says(name, key):
    rules = grammar.read_grammar(DATA / f"{name}.toml")
    texts = make.draw_texts(rules, FRESH_SEED, 1500)
    nats = np.array([-rules.log_prob(words) for words in texts])
    chars = np.array([len(make.render(words)) + 1 for words in texts])
    tokens = np.array([len(words) + 1 for words in texts])
    source = FLOORS[key]["source"]

    def deviation(rate, lengths):
        """Return how many standard errors the texts' own rate, a ratio of means, is away from `rate`."""
        rest = nats - rate * lengths
        return abs(rest.mean()) / (rest.std() / math.sqrt(rest.size))

    assert deviation(source["nats_per_char"], chars) < STANDARD_ERRORS, f"seed {FRESH_SEED}"
    assert deviation(source["nats_per_token"], tokens) < STANDARD_ERRORS, f"seed {FRESH_SEED}"
    # A floor wrong by a twentieth does not pass.
    assert deviation(1.05 * source["nats_per_char"], chars) > STANDARD_ERRORS
    assert deviation(0.95 * source["nats_per_token"], tokens) > STANDARD_ERRORS
