"""What the oracle accepts, said before torch is asked: which array, what is wrong, the rule, what to do."""

from collections.abc import Mapping

import numpy as np

__all__ = ["check_case", "check_params", "check_sampling"]

REDUCTIONS = ("sum", "mean", "none")


def check_params(params: Mapping[str, np.ndarray]) -> tuple[int, int, int]:
    """Refuse parameters that do not fit together; return I, H and V."""
    if not {"W_xh", "W_hh", "W_hy"} <= params.keys() <= {"W_xh", "W_hh", "b_h", "W_hy", "b_y"}:
        raise ValueError(f"params hold {', '.join(params)}: expected W_xh, W_hh, W_hy and optionally b_h, b_y")
    H, I = params["W_xh"].shape
    V = len(params["W_hy"])
    for name, shape in {"W_hh": (H, H), "W_hy": (V, H), "b_h": (H,), "b_y": (V,)}.items():
        if name in params and params[name].shape != shape:
            raise ValueError(f"{name} has shape {params[name].shape}, expected {shape}, as W_xh {(H, I)} demands")
    return I, H, V


def check_case(
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    h0: np.ndarray | None,
    nonlinearity: str,
    reduction: str,
    ignore_index: int,
    dloss: np.ndarray | None,
) -> None:
    """Refuse a problem that torch would refuse in other words, or would answer with wrapped ids or nan."""
    I, H, V = check_params(params)
    if nonlinearity not in ("tanh", "relu", "sigmoid"):
        raise ValueError(f"nonlinearity is {nonlinearity!r}, expected tanh, relu or sigmoid")
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, expected one of {', '.join(REDUCTIONS)}")
    if x.ndim not in (2, 3) or 0 in x.shape[:2] or (x.ndim == 3 and x.shape[2] != I):
        raise ValueError(f"x has shape {x.shape}, expected (T, B) ids or (T, B, {I}) vectors, T and B at least 1")
    if y.shape != x.shape[:2]:
        raise ValueError(f"y has shape {y.shape}, expected (T, B) = {x.shape[:2]}: one target per input")
    if x.ndim == 2:
        _check_ids("x", x, I, legal=-1)
    elif x.dtype.kind != "f":
        raise TypeError(f"x is {x.dtype}, expected floating vectors, or (T, B) token ids")
    _check_ids("y", y, V, legal=ignore_index)
    if h0 is not None and h0.shape != (x.shape[1], H):
        raise ValueError(f"h0 has shape {h0.shape}, expected (B, H) = {(x.shape[1], H)}")
    shape = y.shape if reduction == "none" else ()
    if reduction == "none" and dloss is None:
        raise ValueError(f'dloss is missing: reduction="none" needs an upstream gradient of shape {shape}')
    if dloss is not None and dloss.shape != shape:
        raise ValueError(f"dloss has shape {dloss.shape}, expected {shape}, the shape of the loss ({reduction})")
    if reduction == "mean" and (y == ignore_index).all():
        raise ValueError('y: every target is ignore_index, and a mean over none is undefined; use reduction="sum"')


def check_sampling(
    params: Mapping[str, np.ndarray],
    first: np.ndarray,
    uniforms: np.ndarray,
    h0: np.ndarray | None,
    nonlinearity: str,
    method: str,
    temperature: float | int,
    top_k: int | None,
    top_p: float | int | None,
    stop: int | None,
) -> None:
    """Refuse settings of a distribution that is none, and arrays that do not fit."""
    I, H, V = check_params(params)
    if nonlinearity not in ("tanh", "relu") or method not in ("draw", "greedy"):
        raise ValueError(f"nonlinearity is {nonlinearity!r} (tanh, relu), method {method!r} (draw, greedy)")
    if V > I:
        raise ValueError(f"W_hy has {V} rows but W_xh {I} columns: a drawn token must be a legal next input")
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature is {temperature}, and must be positive; for the most likely token use greedy")
    if top_k is not None and not 1 <= top_k <= V:
        raise ValueError(f"top_k is {top_k}, and must lie in 1..{V}; None keeps all tokens")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}, and must lie in (0, 1]; None keeps all tokens")
    if stop is not None and not 0 <= stop < V:
        raise ValueError(f"stop is {stop}, and must be a token id from 0 to {V - 1}; None lets the streams go on")
    B = len(first)
    if first.ndim != 1 or uniforms.ndim != 2 or uniforms.shape[1] != B or len(uniforms) == 0:
        raise ValueError(f"first has shape {first.shape}, uniforms {uniforms.shape}: expected (B,) and (T, B)")
    _check_ids("first", first, I, legal=-1)
    if ((uniforms < 0) | (uniforms >= 1)).any():
        raise ValueError("uniforms hold a number outside [0, 1); draw them with rng.random")
    if h0 is not None and h0.shape != (B, H):
        raise ValueError(f"h0 has shape {h0.shape}, expected (B, H) = {(B, H)}")


def _check_ids(name: str, ids: np.ndarray, size: int, legal: int) -> None:
    """Refuse ids of a wrong kind, and ids that are neither in 0..size-1 nor the one `legal` exception."""
    if ids.dtype.kind not in "iu":
        raise TypeError(f"{name} is {ids.dtype}, expected token ids (integers)")
    wrong = ids[(ids != legal) & ((ids < 0) | (ids >= size))]
    if wrong.size:
        raise ValueError(f"{name} holds the id {int(wrong[0])}: ids run from 0 to {size - 1}, besides only {legal}")
