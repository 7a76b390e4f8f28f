"""Digits that are lost where nothing that goes in can show it: beside 1.

Three differences have a small result and lose its digits: the slope of tanh, 1 - h^2, where a unit is saturated; p - 1,
the gradient of a target that is all but certain; and log sum exp z - z_y, its loss. A state that has been rounded to
1 - 1e-11 stays where it is when the inputs are nudged, yet its slope has five digits; and what is lost at one step is
carried back to all earlier ones. So the loss of digits is followed back in time, to first order: born with a random
sign, carried by W_hh and the slopes.
"""

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.trace import Trace

__all__ = ["lost_digits", "lost_in_loss"]


def lost_digits(case: RNNCase, reference: Trace, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw, in units of u, an error of every array behind the three differences; without `dh` and `da`, nothing."""
    if not {"h", "dh", "da"} <= set(reference):
        return {}
    h, dh = (np.asarray(reference[name], np.float64) for name in ("h", "dh"))
    W_hh, W_xh, W_hy = (case.params[name] for name in ("W_hh", "W_xh", "W_hy"))
    if case.nonlinearity == "tanh":
        slope, born = 1 - h * h, dh * h * h * rng.choice([-1.0, 1.0], size=h.shape)
    else:
        slope, born = np.where(h > 0, 1.0, 0.0), np.zeros_like(h)  # ReLU's slope is exact

    error: dict[str, np.ndarray] = {}
    own = np.zeros_like(dh)
    if "dlogits" in reference:
        error["dlogits"] = _of_certain_targets(case, rng)
        error["loss"] = _of_small_losses(case, reference["logits"], rng)
        own = error["dlogits"] @ W_hy
        error["dW_hy"] = np.tensordot(error["dlogits"], h, axes=((0, 1), (0, 1)))
        error["db_y"] = error["dlogits"].sum(axis=(0, 1))
    error["dh"] = _carried_back(case, own, born, slope, W_hh)
    error["da"] = error["dh"] * slope + born
    error["dh0"], error["dx"] = error["da"][0] @ W_hh, error["da"] @ W_xh
    error["db_h"] = error["da"].sum(axis=(0, 1))
    first = np.zeros_like(h[0]) if case.h0 is None else case.h0
    error["dW_hh"] = np.tensordot(error["da"], np.concatenate([first[None], h[:-1]]), axes=((0, 1), (0, 1)))
    x = case.x if case.x.ndim == 3 else 1.0 * (case.x[..., None] == np.arange(W_xh.shape[1]))
    error["dW_xh"] = np.tensordot(error["da"], x, axes=((0, 1), (0, 1)))
    return {name: array for name, array in error.items() if name in reference}


def _of_small_losses(case: RNNCase, logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an error of the loss: at each target that counts, one rounding of z_y, or of the 1 in log(1 + ...)."""
    each = lost_in_loss(case, logits) * rng.choice([-1.0, 1.0], size=case.y.shape)
    return each if case.reduction == "none" else np.asarray(each.sum())


def lost_in_loss(case: RNNCase, logits: np.ndarray) -> np.ndarray:
    """Return, for each target and per unit of u, what it may lose: a rounding of z_y, or of 1; a share under a mean."""
    kept = case.y != case.ignore_index
    z_y = np.take_along_axis(np.asarray(logits, np.float64), np.where(kept, case.y, 0)[..., None], -1)[..., 0]
    count = max(np.count_nonzero(kept), 1) if case.reduction == "mean" else 1
    return np.where(kept, np.maximum(np.abs(z_y), 1), 0.0) / count


def _of_certain_targets(case: RNNCase, rng: np.random.Generator) -> np.ndarray:
    """Return an error of dlogits: at each target that counts, one rounding of 1, times what the loss is weighted by."""
    weight = np.where(case.y == case.ignore_index, 0.0, 1.0 if case.dloss is None else np.abs(case.dloss))
    if case.reduction == "mean":
        weight = weight / max(np.count_nonzero(case.y != case.ignore_index), 1)
    V = len(case.params["W_hy"])
    return (case.y[..., None] == np.arange(V)) * (weight * rng.choice([-1.0, 1.0], size=case.y.shape))[..., None]


def _carried_back(case: RNNCase, own: np.ndarray, born: np.ndarray, slope: np.ndarray, W_hh: np.ndarray) -> np.ndarray:
    """Return the error of dh: that of its own step's readout, and what later steps hand back, as far as BPTT goes."""
    T = len(own)
    k = T if case.k is None else case.k
    within = np.full(T, True) if case.bptt == "windowed" else np.arange(T) % k != 0  # nothing is handed over a cut
    total, far = own.copy(), own * slope + born
    for _ in range(min(k, T - 1)):
        far = (far[1:] * within[1 : len(far), None, None]) @ W_hh
        total[: len(far)] += far
        far = far * slope[: len(far)]
    return total
