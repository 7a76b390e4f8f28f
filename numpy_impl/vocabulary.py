"""Tokens and their ids. The same text always gives the same ids, whatever the order of a set or the machine."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from numpy_impl.shapes import Ids

__all__ = ["SENTENCE_END", "SENTENCE_START", "UNKNOWN", "Vocabulary", "character_vocabulary", "word_vocabulary"]

SENTENCE_START = "SENTENCE_START"
SENTENCE_END = "SENTENCE_END"
UNKNOWN = "UNKNOWN_TOKEN"
"""Words are lower-cased, so no word of a text can be one of these three."""


@dataclass(frozen=True)
class Vocabulary:
    """The token of id i is `tokens[i]`. With `unknown`, every token that is not listed is read as that one."""

    tokens: tuple[str, ...]
    unknown: str | None = None

    def __post_init__(self) -> None:
        repeated = [token for token, n in Counter(self.tokens).items() if n > 1]
        if repeated:
            raise ValueError(f"tokens: {repeated[0]!r} is listed more than once; a token has one id, list it once")
        if self.unknown is not None and self.unknown not in self.tokens:
            raise ValueError(f"unknown is {self.unknown!r}, which is not among the tokens; add it to them")

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of every token."""
        return {token: i for i, token in enumerate(self.tokens)}

    def encode(self, tokens: Iterable[str], where: str = "text") -> Ids[np.ndarray, "T"]:
        """Return the ids of `tokens`; `where` is what an error message calls them.

        Raises
        ------
        ValueError
            If a token is not in the vocabulary and there is no unknown token to stand for it.
        """
        tokens = list(tokens)
        try:
            if self.unknown is not None:
                unknown = self.ids[self.unknown]
                return np.array([self.ids.get(token, unknown) for token in tokens], dtype=np.int64)
            return np.array([self.ids[token] for token in tokens], dtype=np.int64)
        except KeyError:
            at = next(i for i, token in enumerate(tokens) if token not in self.ids)
            raise ValueError(
                f"{where}: {tokens[at]!r} at position {at + 1} is not in the vocabulary of {len(self)} tokens "
                f"({self._preview()}); leave it out, or train a model on text that has it"
            ) from None

    def decode(self, ids: Iterable[int] | np.ndarray) -> list[str]:
        """Return the tokens of `ids`."""
        ids = [int(i) for i in ids]
        wrong = [i for i in ids if not 0 <= i < len(self)]
        if wrong:
            raise ValueError(f"ids: {wrong[0]} has no token; ids of this vocabulary run from 0 to {len(self) - 1}")
        return [self.tokens[i] for i in ids]

    def _preview(self) -> str:
        shown = " ".join(repr(token)[1:-1] for token in self.tokens[:40])
        return shown if len(self) <= 40 else f"{shown} ..."


def character_vocabulary(text: str) -> Vocabulary:
    """List the characters of `text` in sorted order."""
    return Vocabulary(tuple(sorted(set(text))))


def word_vocabulary(sentences: Iterable[Sequence[str]], size: int) -> Vocabulary:
    """List the `size` - 1 most frequent tokens, ties by first appearance, and last a token for all the others.

    With fewer distinct tokens than that the vocabulary is smaller.
    """
    if size < 2:
        raise ValueError(f"vocabulary_size is {size}: one token and the unknown token make 2; give at least 2")
    counts = Counter(token for sentence in sentences for token in sentence)
    most_frequent = [token for token, _ in counts.most_common(size - 1)]  # equal counts stay in order of appearance
    return Vocabulary((*most_frequent, UNKNOWN), UNKNOWN)
