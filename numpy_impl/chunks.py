"""Backpropagation through a long sequence, its chunks beside each other instead of one after the other.

The recursion da_t = (dh_t + da_{t+1} W) f'_t is linear, and a network that learns forgets: what crosses a cut has
usually died out before the next. So chunks of 100 steps can be rows of one batch, which turns a hundred products of
one row into one product of a hundred rows. Three passes:

1. every chunk as if nothing came from the chunk after it;
2. what does come over the cut, carried on until it no longer changes anything;
3. proof: one sweep of the recursion over all t at once must reproduce the result to a few roundings, step by step.

If the gradient has not died out within a chunk, or the proof fails, nothing has happened and the caller goes the
serial way. The forward pass is not linear and has no such short cut.

Arrays over chunks have the axes C L B H: C chunks of L = CHUNK steps.
"""

from collections.abc import Iterator

import numpy as np

from numpy_impl.nonlinearity import slope
from numpy_impl.shapes import Real

__all__ = ["carry_in_chunks", "goes_in_chunks", "windows_backwards"]

CHUNK = 100
"""Steps per chunk; as many as a gradient is expected to live."""
WINDOW = 100 * CHUNK
"""Steps that are worked on at once: memory stays bounded however long the sequence."""
LEAST = 30 * CHUNK
"""Shorter sequences have too few chunks."""
ROUGHEST = np.finfo(np.float32).eps
"""In a finer dtype there is nothing to gain: a gradient takes longer to die out, a batch multiplies half as fast."""
WIDEST = 4
"""In larger batches the products have enough rows already."""
PATIENCE = 8
"""Steps between two looks at whether a gradient has died out."""
ASKED = 4
"""So many chunks are asked first: a hundredth of the work, where nothing can come of the rest."""
DOUBTFUL = 1000
"""They answer no if more than so many roundings of what entered are left."""
ROUNDINGS = 8
"""The proof accepts so many units in the last place of the largest gradient of the same step."""


def goes_in_chunks(T: int, B: int, dtype: np.dtype) -> bool:
    """Return whether a sequence is long, narrow and rough enough to gain."""
    return T >= LEAST and B <= WIDEST and bool(np.finfo(dtype).eps >= ROUGHEST)


def windows_backwards(T: int) -> Iterator[tuple[slice, bool]]:
    """Cut T steps into windows of whole chunks, last first, and what is left over; say of each which it is."""
    while T >= CHUNK:
        steps = min(T, WINDOW) // CHUNK * CHUNK
        yield slice(T - steps, T), True
        T -= steps
    if T:
        yield slice(T), False


def carry_in_chunks(
    dh: Real[np.ndarray, "T B H"],
    h: Real[np.ndarray, "T B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str,
    da: Real[np.ndarray, "T B H"],
    later: Real[np.ndarray, "B H"] | None,
) -> bool:
    """Complete `dh` in place and fill `da`, which may be `dh`; return False, and change nothing, if that fails.

    T is a multiple of CHUNK. `later` is da of the step after the last; None if there is none.
    """
    chunks = (len(dh) // CHUNK, CHUNK, *dh.shape[1:])
    if not _seems_to_forget(dh.reshape(chunks), h.reshape(chunks), W_hh, nonlinearity):
        return False
    own, guess = dh.copy(), np.empty_like(dh)
    _apart(own.reshape(chunks), h.reshape(chunks), W_hh, nonlinearity, guess.reshape(chunks))
    forgotten = _over_the_cuts(h.reshape(chunks), W_hh, nonlinearity, guess.reshape(chunks), later)
    if forgotten and _proved(dh, h, W_hh, nonlinearity, guess, da, later):
        return True
    dh[...] = own
    return False


def _seems_to_forget(
    dh: Real[np.ndarray, "C L B H"], h: Real[np.ndarray, "C L B H"], W_hh: Real[np.ndarray, "H H"], nonlinearity: str
) -> bool:
    """Ask a few chunks, before all are worked on, whether a gradient that enters from later all but dies out."""
    some = slice(None, None, max(1, len(h) // ASKED))
    h, first = h[some], dh[some, 0]
    over, product, f = first.copy(), np.empty_like(first), np.empty_like(first)
    for t in reversed(range(CHUNK)):
        np.multiply(_times(over, W_hh, product), slope(h[:, t], nonlinearity, f), out=over)
    enough = DOUBTFUL * np.finfo(over.dtype).eps
    return bool((_largest(over, f) <= enough * _largest(first, f)).all())


def _apart(
    dh: Real[np.ndarray, "C L B H"],
    h: Real[np.ndarray, "C L B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str,
    guess: Real[np.ndarray, "C L B H"],
) -> None:
    """Fill `guess` with da as if every chunk stood alone."""
    current, total, f = np.zeros_like(dh[:, 0]), np.empty_like(dh[:, 0]), np.empty_like(dh[:, 0])
    for t in reversed(range(CHUNK)):
        _times(current, W_hh, total)
        total += dh[:, t]
        np.multiply(total, slope(h[:, t], nonlinearity, f), current)
        guess[:, t] = current


def _over_the_cuts(
    h: Real[np.ndarray, "C L B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str,
    guess: Real[np.ndarray, "C L B H"],
    later: Real[np.ndarray, "B H"] | None,
) -> bool:
    """Add to `guess` what reaches each chunk from the one after it; return whether that died out within the chunk."""
    over, product, f = np.zeros_like(guess[:, 0]), np.empty_like(guess[:, 0]), np.empty_like(guess[:, 0])
    over[:-1] = guess[1:, 0]
    if later is not None:
        over[-1] = later
    negligible = np.finfo(over.dtype).eps / PATIENCE
    for t in reversed(range(CHUNK)):
        np.multiply(_times(over, W_hh, product), slope(h[:, t], nonlinearity, f), out=over)
        guess[:, t] += over
        if t % PATIENCE == 0 and (_largest(over, f) <= negligible * _largest(guess[:, t], f)).all():
            return True
    return False


def _proved(
    dh: Real[np.ndarray, "T B H"],
    h: Real[np.ndarray, "T B H"],
    W_hh: Real[np.ndarray, "H H"],
    nonlinearity: str,
    guess: Real[np.ndarray, "T B H"],
    da: Real[np.ndarray, "T B H"],
    later: Real[np.ndarray, "B H"] | None,
) -> bool:
    """Do one sweep of the recursion from `guess`, into `dh` and `da`; return whether it only moved the last bits."""
    limit = ROUNDINGS * np.finfo(dh.dtype).eps
    scratch, moved = np.empty_like(dh[:CHUNK]), np.empty_like(dh[:CHUNK])
    for start in range(0, len(dh), CHUNK):
        steps = slice(start, start + CHUNK)
        after = guess[start + 1 : start + CHUNK + 1]
        dh[start : start + len(after)] += _times(after, W_hh, scratch[: len(after)])
        if len(after) < CHUNK and later is not None:
            dh[-1] += later.dot(W_hh)
        swept = np.multiply(dh[steps], slope(h[steps], nonlinearity, scratch), out=da[steps])
        np.subtract(swept, guess[steps], out=moved)
        if not (_largest(moved, scratch) <= limit * _largest(swept, scratch)).all():
            return False
    return True


def _times(
    a: Real[np.ndarray, "N B H"], W: Real[np.ndarray, "H H"], out: Real[np.ndarray, "N B H"]
) -> Real[np.ndarray, "N B H"]:
    """Multiply all rows by W at once."""
    a.reshape(-1, len(W)).dot(W, out=out.reshape(-1, len(W)))
    return out


def _largest(a: Real[np.ndarray, "*shape H"], scratch: Real[np.ndarray, "*shape H"]) -> Real[np.ndarray, "*shape"]:
    return np.abs(a, out=scratch).max(axis=-1)
