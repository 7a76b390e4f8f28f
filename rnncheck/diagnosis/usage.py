"""Decoder, steps b and c: how the sums over time are put together.

dW_hy is a sum of C[s, t] dlogits_s h_t^T. In the plain cases all these vectors are independent, so that C is solved
for: the identity is right, a shifted one is a wrong state, a missing row a step left out, a common factor a mean for a
sum. The same for dW_hh (da_s h_t^T, t from 0), for dW_xh (da_s at the column of a token) and for the biases.
"""

from collections.abc import Iterator

import numpy as np

from rnncheck.diagnosis.formula import HALF_SINGLE, SINGLE, distance, nearly
from rnncheck.diagnosis.pattern import also, heard, say_pattern
from rnncheck.diagnosis.reading import Reading
from rnncheck.diagnosis.table import Table

__all__ = ["read_sums"]

Array = np.ndarray
FITS = 1e-7
"""Relative error of a product with a solved C: C is solved for, so some digits are lost."""


def read_sums(t: Table) -> Iterator[Reading]:
    """Yield what is wrong with the gradients of the parameters, given the gradients of the nodes."""
    states = np.concatenate([t.h0[:, None], t.h], axis=1)
    T = t.sizes["T"]
    for name, node, gradients, sources, lag in (
        ("dW_hy", "dlogits", t.dlogits, states, 1),
        ("dW_hh", "da", t.da, states, 0),
        ("dW_xh", "da", t.da, None, 0),
        ("db_y", "dlogits", t.dlogits, None, 0),
        ("db_h", "da", t.da, None, 0),
    ):
        if name not in t.shown:
            continue
        if name.startswith("db"):
            expected = gradients.sum(axis=(1, 2))
        elif sources is None:
            expected = _at_tokens(t, gradients, t.x)
        else:
            expected = np.einsum("rtba,rtbc->rac", gradients, sources[:, lag : T + lag])
        if not (np.isfinite(t.shown[name]).all() and np.isfinite(gradients).all()):
            yield Reading(name, f"{name} or {node} is not finite", "", explained=False)
            continue
        off = distance(t.shown[name], expected)
        if off <= 1e-10:
            continue
        if off <= SINGLE:
            cure = f"{name} = {_right(name, node)[0]}" if off < HALF_SINGLE else "keep the dtype"
            yield Reading(name, f"{name} is right {_digits(t.shown[name], off)}", cure)
            continue
        yield _read_sum(t, name, node, gradients, sources, lag)


def _digits(array: Array, off: float) -> str:
    """Say how digits were lost: every number of an array that was rounded to float32 is one of float32."""
    if np.array_equal(array, array.astype(np.float32)):
        return "to seven digits only: it is rounded to float32"
    return nearly(off, "something in it")


def _at_tokens(t: Table, gradients: Array, tokens: Array) -> Array:
    return np.einsum("rtba,rtbv->rav", gradients, np.eye(t.sizes["V"])[tokens])


def _read_sum(t: Table, name: str, node: str, gradients: Array, sources: Array | None, lag: int) -> Reading:
    right, source = _right(name, node)
    change = f"{name} = {right}"
    candidates = [(node, gradients, False), (node, gradients, True)]
    if node == "da":
        candidates.append(("dh", t.divided(t.da) if t.dh is None else t.dh, False))
    for vector, array, transposed in candidates:
        shown = t.shown[name]
        if transposed and (shown.ndim < 3 or shown.shape[1] != shown.shape[2]):
            continue
        words = _usage(t, name, shown.swapaxes(1, 2) if transposed else shown, vector, array, sources, lag)
        if words is not None:
            what = f"{name} is transposed" if transposed and not words else words
            if transposed and words:
                what = f"{name} is transposed, and {words}"
            if vector == "dh" and not words:
                what = f"{name} is summed from dh_t, not from da_t"
            return Reading(name, what, change)
    shown = t.shown[name]
    if shown.ndim == 2 and distance(shown, np.broadcast_to(shown[:, :1], shown.shape)) <= 1e-12:
        return Reading(name, f"all elements of {name} are equal: it is summed to a scalar", change)
    bounded = _clipped(shown)
    if bounded:
        return Reading(name, f"no element of {name} exceeds {bounded:g}: it is clipped", f"{change}, unclipped")
    return Reading(name, f"{name} is no sum of {node}_s{source}", change, explained=False)


def _right(name: str, node: str) -> tuple[str, str]:
    if name.startswith("db"):
        return f"sum_t {node}_t", ""
    source = {"dW_hy": " h_t^T", "dW_hh": " h_{t-1}^T", "dW_xh": " x_t^T"}[name]
    return f"sum_t {node}_t{source}", source


def _clipped(array: Array) -> float:
    """Return the bound at which several elements lie, if there is one."""
    largest = float(np.abs(array).max())
    return largest if np.count_nonzero(np.abs(array) == largest) > 2 else 0.0


def _usage(
    t: Table, name: str, shown: Array, vector: str, gradients: Array, sources: Array | None, lag: int
) -> str | None:
    """Solve for C and say what it is; "" if it is the identity, None if there is no such C."""
    used = []
    for r in range(len(shown)):
        left = np.column_stack([gradients[r].reshape(-1, gradients.shape[-1]).T, np.ones(gradients.shape[-1])])
        if sources is None:
            basis = np.eye(t.sizes["V"]) if shown.ndim == 3 else np.ones((1, 1))
        else:
            flat = sources[r].reshape(-1, sources.shape[-1])
            basis = np.vstack([flat, np.ones(flat.shape[1])])
        target = shown[r] if shown.ndim == 3 else shown[r][:, None]
        C = np.linalg.pinv(left, rcond=1e-12) @ target @ np.linalg.pinv(basis, rcond=1e-12)
        if distance(left @ C @ basis, target) > FITS:
            return None
        used.append(C)
    if sources is not None:
        return _say_states(t, name, vector, np.array(used), lag)
    say = _say_tokens if shown.ndim == 3 else _say_bias
    return say(t, name, vector, np.array(used))


def _say_states(t: Table, name: str, vector: str, C: Array, lag: int) -> str | None:
    """Say which state each gradient is multiplied with. C has a last row and column for a constant."""
    T, B = t.sizes["T"], t.sizes["B"]
    constant = C[:, -1, -1]
    slots = (C.shape[2] - 1) // B
    inner = C[:, :-1, :-1].reshape(len(C), T, B, slots, B)
    c: Array = np.einsum("rsbtb->rst", inner) / B
    if distance(np.einsum("rst,bd->rsbtd", c, np.eye(B)), inner) > 1e-5 * max(1.0, 1 / np.abs(inner).max(initial=1e-9)):
        return None
    if np.ptp(c, axis=0).max() > 1e-5:
        return None
    silent = np.asarray(~np.concatenate([t.h0[:, None], t.h], axis=1).any(axis=(0, 2, 3)))
    c = heard(c.mean(axis=0), lag, _dumb(t, vector), silent)
    return also(say_pattern(name, c, t.sizes, vector, lag), name, constant)


def _dumb(t: Table, vector: str) -> Array:
    """Mark the steps whose gradient is zero: nobody can tell whether they are counted."""
    gradient = t.dlogits if vector == "dlogits" else t.da
    return np.asarray(~gradient.any(axis=(0, 2, 3)))


def _say_tokens(t: Table, name: str, vector: str, C: Array) -> str | None:
    """Say to which columns of dW_xh the gradients go."""
    T, B = t.sizes["T"], t.sizes["B"]
    right = np.stack([np.eye(t.sizes["V"])[x].reshape(T * B, -1) for x in t.x])
    targets = np.stack([np.eye(t.sizes["V"])[y].reshape(T * B, -1) for y in t.y])
    constant, inner = C[:, -1], C[:, :-1]
    if distance(inner, targets) <= 1e-5:
        return f"{name} goes to the columns of the targets y_t"
    factor = (inner * right).sum(axis=-1).reshape(len(C), T, B)
    if np.abs(inner - right * factor.reshape(len(C), -1, 1)).max() > 1e-5 or np.ptp(factor, axis=(0, 2)).max() > 1e-5:
        return None
    c = heard(np.diag(factor.mean(axis=(0, 2))), 0, _dumb(t, vector))
    return also(say_pattern(name, c, t.sizes, vector, 0), name, constant.mean(axis=-1))


def _say_bias(t: Table, name: str, vector: str, C: Array) -> str | None:
    T, B = t.sizes["T"], t.sizes["B"]
    factor, constant = C[:, :-1, 0].reshape(len(C), T, B), C[:, -1, 0]
    if np.ptp(factor, axis=(0, 2)).max() > 1e-5:
        return None
    c = heard(np.diag(factor.mean(axis=(0, 2))), 0, _dumb(t, vector))
    return also(say_pattern(name, c, t.sizes, vector, 0), name, constant)
