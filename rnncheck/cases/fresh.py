"""Fresh cases from a seed: every length, and everything else varied at random around it.

The standard cases are always the same; a fault that happens to hide from them has to hide from these as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.cases.standard import DTYPES
from rnncheck.checks.check import Source

__all__ = ["BATCHES", "Sweep"]

BATCHES = (1, 2, 3, 5)
ALIKE = 8
"""So many cases, at most, share all that gives them their shape, so that the oracle can run them together..."""
DESIGNS = 4
"""... but not before every length has so many designs."""
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
        """Yield `count` cases, every length as often as every other (give or take one), alike ones together."""
        alike = min(ALIKE, max(1, -(-count // len(self.lengths)) // DESIGNS))
        turns = range(0, -(-count // len(self.lengths)), alike)
        for first, place in product(turns, range(len(self.lengths))):
            shape = self._shape(first, place)
            for turn in range(first, first + alike):
                number = turn * len(self.lengths) + place
                if number < count:
                    yield self._source(self._vary(shape, turn + place, number), self.seed + number)

    def _source(self, design: Design, seed: int) -> Source:
        return Source(f"{design.id}-seed={seed}", lambda: make_rnn_case(design, seed))

    def _shape(self, turn: int, place: int) -> Design:
        """Draw what decides the shapes of arrays and the way of the computation."""
        rng = np.random.default_rng([self.seed, turn * len(self.lengths) + place])
        H, V = SIZES[rng.integers(len(SIZES))]
        bptt = str(rng.choice(["full", "windowed", "chunked"]))
        return Design(
            T=self.lengths[place],
            B=self.batches[(turn + place) % len(self.batches)],
            H=self.hidden or H,
            V=self.vocab or V,
            inputs=str(rng.choice(["ids", "ids", "one-hot", "dense"])),
            biases=bool(rng.random() < 0.8),
            h0=bool(rng.random() < 0.8),
            nonlinearity=str(rng.choice(["tanh", "tanh", "tanh", "relu"])),
            reduction=str(rng.choice(["sum", "mean", "none"])),
            bptt=bptt,
            k=None if bptt == "full" else int(rng.integers(1, 8)),
        )

    def _vary(self, shape: Design, turn: int, number: int) -> Design:
        """Draw the rest: the precision, how strong the weights are, and how many targets count."""
        rng = np.random.default_rng([self.seed, number, 1])
        dtype = self.dtypes[turn % len(self.dtypes)]
        ignored, gain = float(rng.choice([0.0, 0.3])), float(rng.choice([0.25, 0.7, 1.0, 1.1]))
        return replace(shape, dtype=dtype, ignored=ignored, gain=gain)
