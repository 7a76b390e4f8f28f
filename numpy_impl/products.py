"""Matrix products in pieces that OpenBLAS calls small.

On some machines (AVX-512) OpenBLAS has a second way for small products, M N K <= 1e6, that does not first repack its
operands. A product somewhat larger than that is faster in pieces below the limit, all of them in one call of
`np.matmul` on a stack. Two places gain:

- the product that waits for time, a few states times W, thousands of times with the same W (`state_product`): W is
  cut into panels of columns once. At B = 4, H = 512 that is 2 to 3 times faster, at B = 32 a third.
- products with one long side, as between states and the readout of a large vocabulary (`product`): a quarter. So do
  sums over a long time: a gradient of 100 x 100 from 10,000 steps.

Where a machine has no such second way the pieces would cost a little, so `panels_pay` asks which machine it is. It
does not measure: pieces may round differently, the clock answers differently on a busy day, and a run of the same seed
must give the same bits. `benchmarks/step_time.py` measures; the environment variable `NUMPY_IMPL_PANELS` overrules.
"""

import os
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from numpy_impl.shapes import Real
from numpy_impl.workspace import FRESH, Fresh

__all__ = ["SMALL", "SWITCH", "panels_pay", "piece", "product", "state_product"]

SMALL = 1_000_000
"""Up to so many multiplications OpenBLAS calls a product small."""
SHORTEST = 16
"""Pieces with fewer rows or columns than this lose more than they win."""
FEWEST = 100
"""Sums of fewer terms than this cost too many additions: a gradient of 100 x 100 is summed so, one of 128 x 128 not."""
COPY_PAYS = 2
"""A row times W^T is nearly as fast as times a copy of it; the copy pays from so many times H steps on."""
SWITCH = "NUMPY_IMPL_PANELS"
"""Environment variable: 0 never cuts a product, 1 always does where it is too large; else the machine decides."""
AVX512 = {"AVX512_SKX", "X86_V4"}
"""NumPy's names, old and new, for the instructions that OpenBLAS's way for small products is written in."""

StateProduct = tuple[Callable[..., object], np.ndarray]


def state_product(W: Real[np.ndarray, "H H"], T: int, B: int, workspace: Fresh = FRESH) -> StateProduct:
    """Prepare T calls of `times(h, W, out)` for states `h` (B, H): return `times`, and W in the layout for it."""
    H = len(W)
    width = piece(H, B * H, workspace) if B > 1 else 0  # a single row is not a product of matrices
    if width:
        return _times_panels, _contiguous(W.reshape(H, H // width, width).transpose(1, 0, 2), workspace)
    if W.flags.c_contiguous or (B == 1 and T < COPY_PAYS * H):
        return np.ndarray.dot, W
    return np.ndarray.dot, _contiguous(W, workspace)


def _times_panels(
    h: Real[np.ndarray, "B H"], W: Real[np.ndarray, "P H W"], out: Real[np.ndarray, "B H"]
) -> Real[np.ndarray, "P B W"]:
    """Multiply by each panel; the panels of `out` are views of its columns."""
    P, _, width = W.shape
    return np.matmul(h, W, out=out.reshape(len(out), P, width).transpose(1, 0, 2))


def product(
    a: Real[np.ndarray, "M K"],
    b: Real[np.ndarray, "K N"],
    out: Real[np.ndarray, "M N"],
    workspace: Fresh = FRESH,
) -> Real[np.ndarray, "M N"]:
    """Write a b into `out`, in pieces along its longest side if it is too large for one."""
    (M, K), N = a.shape, b.shape[1]
    if M * N * K > SMALL:
        if max(N, K) < M:
            return _by_rows(a, b, out, piece(M, N * K, workspace))
        if max(M, K) < N:
            return _by_columns(a, b, out, piece(N, M * K, workspace), workspace)
        if max(M, N) < K:
            return _by_terms(a, b, out, SMALL // (M * N), workspace)
    return a.dot(b, out=out)


def _by_rows(
    a: Real[np.ndarray, "M K"], b: Real[np.ndarray, "K N"], out: Real[np.ndarray, "M N"], rows: int
) -> Real[np.ndarray, "M N"]:
    """So many rows of a b at a time; 0: all of them."""
    if not rows:
        return a.dot(b, out=out)
    P = len(a) // rows
    np.matmul(a.reshape(P, rows, -1), np.ascontiguousarray(b), out=out.reshape(P, rows, -1))
    return out


def _by_columns(
    a: Real[np.ndarray, "M K"], b: Real[np.ndarray, "K N"], out: Real[np.ndarray, "M N"], columns: int, workspace: Fresh
) -> Real[np.ndarray, "M N"]:
    """So many columns at a time, as rows of the transposed product: those lie together in memory."""
    if not columns:
        return a.dot(b, out=out)
    transposed = workspace.empty("transposed", out.shape[::-1], out.dtype)
    np.copyto(out, _by_rows(b.T, a.T, transposed, columns).T)
    return out


def _by_terms(
    a: Real[np.ndarray, "M K"], b: Real[np.ndarray, "K N"], out: Real[np.ndarray, "M N"], terms: int, workspace: Fresh
) -> Real[np.ndarray, "M N"]:
    """So many terms of the sum at a time; what they come to is added up while it is still in the cache."""
    if terms < FEWEST or not _cuts(workspace):
        return a.dot(b, out)
    partial = workspace.empty("partial", out.shape, out.dtype)
    a[:, :terms].dot(b[:terms], out)
    for start in range(terms, a.shape[1], terms):
        some = slice(start, start + terms)
        np.add(out, a[:, some].dot(b[some], partial), out)
    return out


def piece(side: int, others: int, workspace: Fresh = FRESH) -> int:
    """Return the largest divisor of `side` that times `others` is small; 0 if the side is to stay whole."""
    if side * others <= SMALL or SHORTEST * others > SMALL:
        return 0
    if not _cuts(workspace):
        return 0
    return _largest_divisor(side, SMALL // others)


def _cuts(workspace: Fresh) -> bool:
    return panels_pay() if workspace.panels is None else workspace.panels


@lru_cache(maxsize=256)
def _largest_divisor(n: int, limit: int) -> int:
    return max((d for d in range(SHORTEST, min(n, limit + 1)) if n % d == 0), default=0)


def _contiguous(W: Real[np.ndarray, "*shape"], workspace: Fresh) -> Real[np.ndarray, "*shape"]:
    copy = workspace.empty("W", W.shape, W.dtype)
    copy[...] = W
    return copy


@lru_cache(maxsize=1)
def panels_pay() -> bool:
    """Return whether this machine's OpenBLAS has a second way for small products; `SWITCH` answers instead if set."""
    answer = os.environ.get(SWITCH, "")
    if answer in ("0", "1"):
        return answer == "1"
    built = np.show_config(mode="dicts")
    here = {*built["SIMD Extensions"].get("baseline", ()), *built["SIMD Extensions"].get("found", ())}
    return "openblas" in built["Build Dependencies"]["blas"]["name"] and not AVX512.isdisjoint(here)
