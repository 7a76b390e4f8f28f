"""What the model accepts, said before any arithmetic: which array, what is wrong, the rule, what to do."""

from collections.abc import Mapping

import numpy as np

from numpy_impl.loss import REDUCTIONS

__all__ = ["BPTT_MODES", "NONLINEARITIES", "check_bptt", "check_inputs", "check_loss", "check_params"]

NONLINEARITIES = ("tanh", "relu")
BPTT_MODES = ("full", "windowed", "chunked")
REQUIRED = ("W_xh", "W_hh", "W_hy")
OPTIONAL = ("b_h", "b_y")


def check_params(params: Mapping[str, np.ndarray]) -> None:
    """Refuse parameters that do not fit together."""
    missing = [name for name in REQUIRED if name not in params]
    unknown = [name for name in params if name not in REQUIRED + OPTIONAL]
    if missing or unknown:
        raise ValueError(
            f"params: missing {missing or 'none'}, unknown {unknown or 'none'}; "
            f"a model has {', '.join(REQUIRED)} and optionally {', '.join(OPTIONAL)}"
        )
    for name, array in params.items():
        axes = 2 if name.startswith("W") else 1
        if array.ndim != axes:
            raise ValueError(f"{name} has shape {array.shape}, expected {axes} {'axis' if axes == 1 else 'axes'}")
    H, I = params["W_xh"].shape
    V = params["W_hy"].shape[0]
    expected = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    for name, array in params.items():
        if array.shape != expected[name]:
            raise ValueError(
                f"{name} has shape {array.shape}, expected {expected[name]}: "
                f"W_xh (H, I) = {(H, I)} and the rows of W_hy, V = {V}, fix all the others"
            )
        if array.dtype.kind != "f" or array.dtype != params["W_xh"].dtype:
            raise TypeError(
                f"{name} is {array.dtype} beside W_xh {params['W_xh'].dtype}: "
                "all parameters share one floating dtype; cast with .astype"
            )


def check_inputs(params: Mapping[str, np.ndarray], x: np.ndarray, h0: np.ndarray | None, nonlinearity: str) -> None:
    """Refuse inputs and a first state that do not fit the parameters."""
    dtype = params["W_xh"].dtype
    H, I = params["W_xh"].shape
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"nonlinearity is {nonlinearity!r}, expected one of {', '.join(NONLINEARITIES)}")
    if x.dtype.kind in "iu":
        if x.ndim != 2:
            raise ValueError(f"x has shape {x.shape}, expected (T, B) for token ids: time comes first")
        _check_ids("x", x, I, legal=-1, legal_name="NO_TOKEN")
    elif x.dtype.kind == "f":
        if x.ndim != 3 or x.shape[2] != I:
            raise ValueError(f"x has shape {x.shape}, expected (T, B, I) with I = {I}, the columns of W_xh")
        if x.dtype != dtype:
            raise TypeError(f"x is {x.dtype} but the parameters are {dtype}: cast with x.astype(np.{dtype})")
    else:
        raise TypeError(f"x is {x.dtype}, expected token ids (integers) or dense vectors ({dtype})")
    T, B = x.shape[:2]
    if T == 0 or B == 0:
        raise ValueError(f"x has shape {x.shape}: T and B must be at least 1; leave empty sequences out")
    if h0 is not None and h0.shape != (B, H):
        raise ValueError(f"h0 has shape {h0.shape}, expected (B, H) = {(B, H)}: one first state per sequence")
    if h0 is not None and h0.dtype != dtype:
        raise TypeError(f"h0 is {h0.dtype} but the parameters are {dtype}: cast with h0.astype(np.{dtype})")


def check_loss(
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    reduction: str,
    ignore_index: int,
    dloss: np.ndarray | None,
) -> None:
    """Refuse targets, a reduction or an upstream gradient that do not fit."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, expected one of {', '.join(REDUCTIONS)}")
    if y.shape != x.shape[:2]:
        raise ValueError(f"y has shape {y.shape}, expected (T, B) = {x.shape[:2]} as x has: one target per input")
    if y.dtype.kind not in "iu":
        raise TypeError(f"y is {y.dtype}, expected token ids (integers)")
    check_params(params)
    _check_ids("y", y, params["W_hy"].shape[0], legal=ignore_index, legal_name="ignore_index")
    shape = y.shape if reduction == "none" else ()
    if dloss is None and reduction == "none":
        raise ValueError(f'dloss is missing: under reduction="none" give an upstream gradient of shape {shape}')
    if dloss is not None and dloss.shape != shape:
        raise ValueError(f"dloss has shape {dloss.shape}, expected {shape}, the shape of the loss ({reduction})")
    if dloss is not None and dloss.dtype != params["W_xh"].dtype:
        raise TypeError(f"dloss is {dloss.dtype} but the parameters are {params['W_xh'].dtype}: cast with .astype")


def check_bptt(bptt: str, k: int | None) -> None:
    """Refuse a truncation without its length, and a length without truncation."""
    if bptt not in BPTT_MODES:
        raise ValueError(f"bptt is {bptt!r}, expected one of {', '.join(BPTT_MODES)}")
    if bptt == "full" and k is not None:
        raise ValueError(f'k is {k} under bptt="full", which goes back to the first step; leave k out')
    least = 0 if bptt == "windowed" else 1
    if bptt != "full" and (k is None or k < least):
        raise ValueError(f'k is {k} under bptt="{bptt}": give the number of steps, at least {least}')


def _check_ids(name: str, ids: np.ndarray, size: int, legal: int, legal_name: str) -> None:
    """Refuse ids that NumPy would wrap around or that would be looked up in the wrong row."""
    wrong = (ids != legal) & ((ids < 0) | (ids >= size))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{name}[{', '.join(map(str, at))}] is {int(ids[at])}: ids run from 0 to {size - 1}, "
            f"and only {legal_name} = {legal} may lie outside; look the token up in the vocabulary again"
        )
