"""Text from a trained model: what to feed first, where to stop, and how tokens become text again."""

from typing import Any

import numpy as np

from numpy_impl.datasets import Dataset
from numpy_impl.init import Rng
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.run import Run
from numpy_impl.sample import prime, stream
from numpy_impl.shapes import Real
from numpy_impl.text import join_words, split_words
from numpy_impl.vocabulary import SENTENCE_END, SENTENCE_START

__all__ = ["predict", "sample_while_training"]


def predict(run: Run, start_text: str, n: int, rng: Rng, *, zero_state: bool = False, **options: Any) -> str:
    """Go on from `start_text` with up to `n` tokens, one random number each; return both.

    The start text is fed token by token. Running text begins in the state that training ended in, unless
    `zero_state`: then characters may come that never follow the start text, because training shows the model the zero
    state only once per pass. Names and sentences always begin at zero, and end where the model ends them. `options`
    are those of `numpy_impl.sample.stream`.

    Raises
    ------
    ValueError
        If the start text has a character that the model does not know, or n is below 1.
    """
    if n < 1:
        raise ValueError(f"n is {n}: at least one token is written; give 1 or more")
    ids = run.vocabulary.ids
    h0, stop = None, None
    if run.recipe.name == "names":
        begin, words, stop = [NO_TOKEN], list(start_text.strip().lower()), ids["\n"]
    elif run.recipe.name == "sentences":
        begin, words, stop = [ids[SENTENCE_START]], split_words(start_text), ids[SENTENCE_END]
    else:
        begin, words = ([] if start_text else [_line_break(run)]), list(start_text)
        h0 = None if zero_state else run.h
    given = run.vocabulary.encode(words, "the start text").tolist()
    return _write(run, given + _draw(run, begin + given, h0, rng, n, stop, options))


def sample_while_training(run: Run, data: Dataset) -> list[str]:
    """Show what the model writes after the steps done so far.

    Names and sentences begin at their beginning. Running text goes on from the carried state, with the next character
    of the text as the first input.
    """
    recipe = run.recipe
    if not data.carried:
        return [predict(run, "", recipe.sample_length, run.rng) for _ in range(recipe.sample_count)]
    batch = data.batch(run.step % len(data))
    h0 = None if batch.reset else run.h
    samples = [_draw(run, [int(batch.x[0, 0])], h0, run.rng, recipe.sample_length) for _ in range(recipe.sample_count)]
    return [_write(run, tokens) for tokens in samples]


def _draw(
    run: Run,
    fed: list[int],
    h0: Real[np.ndarray, "1 H"] | None,
    rng: Rng,
    n: int,
    stop: int | None = None,
    options: dict[str, Any] | None = None,
) -> list[int]:
    """Feed the tokens `fed`, then draw up to `n` more; `stop` ends them and is left out."""
    nonlinearity = run.recipe.nonlinearity
    first, h0 = prime(run.params, np.array(fed)[:, None], h0, nonlinearity=nonlinearity)
    uniforms = (rng.random(1) for _ in range(n))
    steps = stream(run.params, first, uniforms, h0, nonlinearity=nonlinearity, stop=stop, **(options or {}))
    tokens = [int(drawn.tokens[0]) for drawn in steps]
    return [token for token in tokens if token != stop]


def _line_break(run: Run) -> int:
    """Return what running text begins with when no start text is given."""
    return run.vocabulary.ids.get("\n", 0)


def _write(run: Run, ids: list[int]) -> str:
    tokens = run.vocabulary.decode(ids)
    return join_words(tokens) if run.recipe.name == "sentences" else "".join(tokens)
