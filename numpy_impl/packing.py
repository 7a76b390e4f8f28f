"""Where each step of each sequence lies when sequences of different length are packed; see `numpy_impl.packed`."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from numpy_impl.shapes import Ids, Real
from numpy_impl.validate import check_array

__all__ = ["Packing"]


@dataclass(frozen=True, eq=False)
class Packing:
    """The order of the sequences, longest first, and for each of the N rows its step and its sequence.

    For a, b and c of 3, 2 and 1 steps, which have the rows a0 b0 c0 a1 b1 a2: `order` 0 1 2, `steps` 0 0 0 1 1 2,
    `sequences` 0 1 2 0 1 0, `starts` 0 3 6 8 9.
    """

    order: Ids[np.ndarray, "B"]
    steps: Ids[np.ndarray, "N"]
    sequences: Ids[np.ndarray, "N"]
    """The place in `order`, not the number, of the sequence that a row belongs to."""
    starts: Ids[np.ndarray, "ends"]
    """Where the rows of each slot begin if h_0 is slot 0, and after them where the last one ends."""

    @classmethod
    def of(cls, lengths: Ids[np.ndarray, "B"], x: np.ndarray, y: np.ndarray) -> "Packing":
        """Lay out sequences of such lengths, the first steps of `x` (T, B, ...) and `y` (T, B).

        Raises
        ------
        ValueError, TypeError
            If there is not one length per sequence, or a sequence is empty or longer than `x`.
        """
        _check(lengths, x, y)
        lengths = lengths.astype(np.intp)
        order, B = np.argsort(-lengths, kind="stable"), len(lengths)
        sizes = B - np.cumsum(np.bincount(lengths))[:-1]  # B_t: those that are longer than t
        starts = np.empty(len(sizes) + 2, np.intp)
        starts[:2] = 0, B
        np.cumsum(sizes, out=starts[2:])
        starts[2:] += B
        steps = np.repeat(np.arange(len(sizes)), sizes)
        sequences = np.arange(B, starts[-1]) - starts[1:-1][steps]
        return cls(order, steps, sequences, starts)

    @property
    def B(self) -> int:
        """The number of sequences."""
        return len(self.order)

    @property
    def T(self) -> int:
        """The number of steps of the longest."""
        return len(self.starts) - 2

    @cached_property
    def columns(self) -> Ids[np.ndarray, "N"]:
        """The number of the sequence that each row belongs to."""
        return self.order[self.sequences]

    @cached_property
    def slots(self) -> list[slice]:
        """Where h_0 and the states of each step lie in an array that begins with h_0."""
        return [slice(start, stop) for start, stop in pairwise(self.starts.tolist())]

    @cached_property
    def rows(self) -> list[slice]:
        """Where each step lies in an array without h_0."""
        return [slice(start, stop) for start, stop in pairwise((self.starts[1:] - self.B).tolist())]

    @property
    def before(self) -> Ids[np.ndarray, "N"]:
        """For each row, where its sequence was one step before, in an array that begins with h_0."""
        return self.starts[self.steps] + self.sequences

    @property
    def last(self) -> Ids[np.ndarray, "B"]:
        """Where each sequence, in order, has its last state, in an array that begins with h_0."""
        lengths = np.bincount(self.sequences, minlength=self.B)
        return self.starts[lengths] + np.arange(self.B)

    def pack(self, padded: np.ndarray) -> np.ndarray:
        """Take the rows out of an array (T, B, ...); steps beyond the end of a sequence are left out."""
        return padded[self.steps, self.columns]

    def unpack(self, rows: Real[np.ndarray, "N M"]) -> Real[np.ndarray, "T B M"]:
        """Put the rows back in their places; beyond the end of a sequence there are zeros."""
        padded = np.zeros((self.T, self.B, rows.shape[1]), rows.dtype)
        padded[self.steps, self.columns] = rows
        return padded

    def unsort(self, rows: Real[np.ndarray, "B M"]) -> Real[np.ndarray, "B M"]:
        """Put rows, one per sequence, back in the order in which the sequences came."""
        unsorted = np.empty_like(rows)
        unsorted[self.order] = rows
        return unsorted


def _check(lengths: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    for name, array in {"lengths": lengths, "x": x, "y": y}.items():
        check_array(name, array)
    if x.ndim < 2:
        raise ValueError(f"x has shape {x.shape}, expected (T, B) for token ids or (T, B, I): time comes first")
    T, B = x.shape[:2]
    if y.shape != (T, B):
        raise ValueError(
            f"y has shape {y.shape}, expected (T, B) = {(T, B)} as in x: one target per input, padded alike; "
            "give both the same padding"
        )
    if lengths.shape != (B,):
        raise ValueError(
            f"lengths has shape {lengths.shape}, expected (B,) = {(B,)}: one length per sequence of x; "
            "count the steps of each column"
        )
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"lengths is {lengths.dtype}, expected whole numbers; cast with lengths.astype(np.int64)")
    wrong = (lengths < 1) | (lengths > T)
    if wrong.any():
        b = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"lengths[{b}] is {int(lengths[b])}: a sequence has at least 1 step and at most the T = {T} of x; "
            "leave empty sequences out, and pad x to the longest"
        )
