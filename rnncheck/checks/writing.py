"""What sampling hands on and what text is made of: the last state, the state after a start text, and the words.

Tokens and probabilities are judged case by case. Here is judged what no Trace shows: that a state in which writing
stops is the one that its tokens lead to, that writing token by token is writing at once and takes no random number
more than it needs, and that a trained model is fed, stopped and read as its recipe says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from numpy_impl.datasets import Dataset
from numpy_impl.generate import predict, sample_while_training
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.recipes import RECIPES, Recipe
from numpy_impl.run import Run, start
from numpy_impl.sample import prime, sample, stream
from numpy_impl.train import advance
from numpy_impl.vocabulary import SENTENCE_END, SENTENCE_START
from rnncheck.case import RNNCase, SampleCase
from rnncheck.checks.check import Bench, Check, close_to, equal, failed, passed
from rnncheck.judging.tolerance import unit_roundoff
from rnncheck.oracle import by_the_textbook
from rnncheck.result import Comparison, Verdict

__all__ = ["compare_equals", "compare_states", "compare_text", "writing_checks"]

FED = 6
"""Steps of the start text."""
WRITTEN = 25
SHIFT = 1024.0
"""Added to logits, it leaves softmax as it is, and exp of it is infinite."""
ENDING = 2.0
"""So many times louder is the token that ends a sentence: one of many words, it would hardly ever come."""
QUIET, LOUD = 0.2, 8.0
"""Standard deviation of the weights, and how many times larger those of the readout are."""
STARTS = {"names": "an", "sentences": "the", "chars": "the "}


def writing_checks(
    cases: Sequence[SampleCase], loaders: Mapping[str, Callable[[Recipe], Dataset]], seed: int
) -> Iterator[Check]:
    """Plan the questions about every way of drawing, and about the text of every recipe that can be loaded."""
    for case in cases:
        yield Check(f"writing-state[{case.name}]", "writing", partial(_ask_states, case))
    for name, load in loaders.items():
        yield Check(f"writing-text[{name}]", "writing", partial(_ask_text, RECIPES[name], load, seed))
    yield Check("writing-equals", "writing", lambda _bench: compare_equals())


def _ask_states(case: SampleCase, _bench: Bench) -> list[Comparison]:
    return compare_states(case)


def _ask_text(recipe: Recipe, load: Callable[[Recipe], Dataset], seed: int, _bench: Bench) -> list[Comparison]:
    short = replace(recipe, examples=8, hidden=20)
    return compare_text(short, load(short), seed)


def compare_states(
    case: SampleCase,
    sample: Callable[..., Any] = sample,
    stream: Callable[..., Any] = stream,
    prime: Callable[..., Any] = prime,
) -> list[Comparison]:
    """Follow the tokens drawn through the textbook; then write anew token by token."""
    params = dict(case.params)
    names = ("nonlinearity", "method", "temperature", "top_k", "top_p", "stop")
    options = {name: getattr(case, name) for name in names}
    found = sample(params, case.first, case.uniforms, case.h0, **options)
    read = np.concatenate([case.first[None], found.tokens])
    steps = (found.p != 0).any(axis=-1).sum(axis=0)  # so many tokens were drawn before a stream was over
    states = _states(case, read[:-1], case.h0)
    drawn = list(stream(params, case.first, case.uniforms, case.h0, **options))
    soonest = [int(np.argmin(steps))]  # the stream that ends first, alone: where it stops, no more is asked for
    rows = iter(case.uniforms[:, soonest])
    for _ in stream(params, case.first[soonest], rows, None if case.h0 is None else case.h0[soonest], **options):
        pass
    left = sum(1 for _ in rows)
    fed = np.where(read[:FED] < 0, 0, read[:FED])
    primed = prime(params, fed, case.h0, nonlinearity=case.nonlinearity)
    return [
        close_to("h_T", found.h_T, states[steps, np.arange(len(steps))]),
        close_to("h_T of stream", drawn[-1].h, states[steps, np.arange(len(steps))]),
        equal("tokens of stream", np.stack([d.tokens for d in drawn]), found.tokens[: len(drawn)]),
        close_to("p of stream", np.stack([d.p for d in drawn]), found.p[: len(drawn)]),
        equal("numbers taken", np.array(len(case.uniforms) - left), steps.min()),
        equal("first after a text", primed.first, fed[-1]),
        close_to("h0 after a text", primed.h0, _states(case, fed[:-1], case.h0)[-1]),
        _shifted(case, found.p, lambda params: sample(params, case.first, case.uniforms, case.h0, **options)),
    ]


def _shifted(case: SampleCase, p: np.ndarray, draw: Callable[..., Any]) -> Comparison:
    """Add to all logits a number whose exponential overflows: only their rounding may change."""
    b_y = case.params.get("b_y", np.zeros(len(case.params["W_hy"]), case.dtype))
    moved = draw({**case.params, "b_y": (b_y + SHIFT).astype(case.dtype)})
    error = np.abs(moved.p - p).max() if np.isfinite(moved.p).all() else np.inf
    limit = 16 * SHIFT * unit_roundoff(case.dtype)
    verdict = Verdict.PASSED if error <= limit else Verdict.FAILED
    return Comparison("p of loud logits", verdict, float(error), limit, "16 u of the logits")


def compare_equals(sample: Callable[..., Any] = sample) -> list[Comparison]:
    """Draw from equal logits: of equals the lower id goes first, for the largest one as for the k largest."""
    b_y = np.array([1.0, 3.0, 3.0, 0.0, 3.0, 2.0])
    params = {"W_xh": np.ones((2, 6)), "W_hh": np.eye(2), "W_hy": np.zeros((6, 2)), "b_y": b_y}
    given = params, np.array([0, 5]), np.array([[0.25, 0.75]])
    two = sample(*given, top_k=2)
    return [
        equal("greedy", sample(*given, method="greedy").tokens, np.array([[1, 1]])),
        equal("top-k", two.p[0, 0], np.array([0, 0.5, 0.5, 0, 0, 0])),
        equal("top-k tokens", two.tokens, np.array([[1, 2]])),
        equal("top-p", sample(*given, top_k=4, top_p=0.25).p[0, 0] > 0, np.array([0, 1, 0, 0, 0, 0], bool)),
    ]


def compare_text(
    recipe: Recipe,
    data: Dataset,
    seed: int,
    predict: Callable[..., str] = predict,
    sample_while_training: Callable[..., list[str]] = sample_while_training,
) -> list[Comparison]:
    """Compare what is written with what the textbook writes from the same numbers.

    Weights and carried state are random, and the readout loud: whatever such a model is fed changes what it writes. It
    forgets, though, so that rounding does not.
    """
    run = start(recipe, data, seed)
    advance(run, data)
    drawn = np.random.default_rng([seed, 8])
    run.params.flat[...] = drawn.normal(size=run.params.flat.size) * QUIET
    run.params["W_hy"][...] *= LOUD
    run.h = None if run.h is None else drawn.normal(size=run.h.shape)
    if recipe.name == "sentences":
        run.params["W_hy"][run.vocabulary.ids[SENTENCE_END]] *= ENDING
    ids, words = run.vocabulary.ids, STARTS[recipe.name]
    begin, stop = {"names": ([NO_TOKEN], "\n"), "sentences": ([ids.get(SENTENCE_START, 0)], SENTENCE_END)}.get(
        recipe.name, ([], None)
    )
    given = run.vocabulary.encode([words] if recipe.name == "sentences" else words).tolist()
    carried = run.h if data.carried else None
    end = None if stop is None else ids[stop]
    expected = given + _write(run, begin + given, carried, np.random.default_rng(seed), WRITTEN, end)
    found = predict(run, words, WRITTEN, np.random.default_rng(seed))
    rng, fed, length = deepcopy(run.rng), begin, recipe.sample_length
    if data.carried:
        fed = [int(data.inputs[run.step % len(data)][0])]
    samples = [_write(run, fed, carried, rng, length, end) for _ in range(recipe.sample_count)]
    return [
        _same_text("text", [found], [expected], run),
        _same_text("samples", sample_while_training(run, data), samples, run),
    ]


def _write(run: Run, fed: list[int], h0: np.ndarray | None, rng: Any, n: int, stop: int | None) -> list[int]:
    """Let the textbook draw up to n tokens after those that are fed; the stop token is left out."""
    ahead = deepcopy(rng)  # a text that ends early takes fewer numbers, and the next begins with the one after
    uniforms = np.array([ahead.random(1)[0] for _ in range(n)])
    case = SampleCase("text", 0, dict(run.params), np.array(fed[-1:]), uniforms[:, None], stop=stop)
    case = replace(case, nonlinearity=run.recipe.nonlinearity)
    h = _states(case, np.array(fed[:-1], int)[:, None], h0)[-1]
    tokens = by_the_textbook(replace(case, h0=h))["tokens"][:, 0]
    drawn = [int(token) for token in tokens if token != NO_TOKEN]
    rng.random(len(drawn))
    return [token for token in drawn if token != stop]


def _states(case: SampleCase, x: np.ndarray, h0: np.ndarray | None) -> np.ndarray:
    """Return the states before and after each input."""
    first = np.zeros((x.shape[1], len(case.params["W_hh"]))) if h0 is None else h0
    if len(x) == 0:
        return first[None]
    passed_over = RNNCase("read", 0, case.params, x, np.zeros_like(x), h0, nonlinearity=case.nonlinearity)
    return np.concatenate([first[None], by_the_textbook(passed_over)["h"]])


def _same_text(name: str, found: list[str], expected: list[list[int]], run: Run) -> Comparison:
    """Compare; without white space where it is a matter of taste, between words."""
    right = ["".join(run.vocabulary.tokens[i] for i in ids) for ids in expected]
    if run.recipe.name == "sentences":
        found, right = (["".join(text.split()) for text in texts] for texts in (found, right))
    return passed(name, "equal") if found == right else failed(name, "equal", f"is {found}, expected {right}")
