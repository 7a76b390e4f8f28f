"""Fresh cases from a seed: every length, and everything else varied at random around it.

The standard cases are always the same; a fault that happens to hide from them has to hide from these as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnncheck.cases import DTYPES
from rnncheck.checks.check import Source
from rnncheck.make_case import Design, make_rnn_case

__all__ = ["BATCHES", "Sweep"]

BATCHES = (1, 2, 3, 5)
SIZES = ((16, 12), (3, 5), (9, 27), (32, 7))  # (H, V), of which B and T seldom equal one


@dataclass(frozen=True)
class Sweep:
    """What varies: lengths and batch sizes in turn, H and V fixed or from a list, the rest drawn."""

    lengths: Sequence[int]
    seed: int
    batches: Sequence[int] = BATCHES
    hidden: int | None = None
    vocab: int | None = None
    dtypes: Sequence[str] = DTYPES

    def sources(self, count: int) -> Iterator[Source]:
        """Yield `count` cases, every length as often as every other (give or take one)."""
        for number in range(count):
            yield Source(self._name(number), lambda n=number: make_rnn_case(self._design(n), self._seed(n)))  # type: ignore[misc]

    def _seed(self, number: int) -> int:
        return self.seed + number

    def _name(self, number: int) -> str:
        return f"{self._design(number).id}-seed={self._seed(number)}"

    def _design(self, number: int) -> Design:
        """Draw everything that makes a case another: the same number gives the same design."""
        rng = np.random.default_rng([self.seed, number])
        H, V = SIZES[rng.integers(len(SIZES))]
        turn, place = divmod(number, len(self.lengths))
        T = self.lengths[place]
        bptt = str(rng.choice(["full", "windowed", "chunked"]))
        inputs = str(rng.choice(["ids", "ids", "one-hot", "dense"]))
        return Design(
            T=T,
            B=self.batches[(turn + place) % len(self.batches)],
            H=self.hidden or H,
            V=self.vocab or V,
            dtype=self.dtypes[number % len(self.dtypes)],
            inputs=inputs,
            biases=bool(rng.random() < 0.8),
            h0=bool(rng.random() < 0.8),
            nonlinearity=str(rng.choice(["tanh", "tanh", "tanh", "relu"])),
            reduction=str(rng.choice(["sum", "mean", "none"])),
            ignored=float(rng.choice([0.0, 0.3])),
            bptt=bptt,
            k=None if bptt == "full" else int(rng.integers(1, 8)),
            gain=float(rng.choice([0.25, 0.7, 1.0, 1.1])),
        )
