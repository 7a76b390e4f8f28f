"""What sampling accepts, said before the first token: which argument, what is wrong, the rule, what to do."""

from collections.abc import Mapping

import numpy as np

from numpy_impl.inputs import NO_TOKEN
from numpy_impl.scalar import Scalar, positive
from numpy_impl.shapes import Real
from numpy_impl.validate import NONLINEARITIES, check_array, check_params

__all__ = ["METHODS", "check_sampling", "check_uniforms"]

METHODS = ("draw", "greedy")


def check_sampling(
    params: Mapping[str, np.ndarray],
    first: np.ndarray,
    h0: np.ndarray | None,
    nonlinearity: str,
    method: str,
    temperature: Scalar,
    top_k: int | None,
    top_p: Scalar | None,
    stop: int | None,
) -> None:
    """Refuse a start or a setting that a model with these parameters cannot sample with."""
    check_params(params)
    (H, I), V = params["W_xh"].shape, params["W_hy"].shape[0]
    dtype = params["W_xh"].dtype
    if V > I:
        raise ValueError(f"W_hy has V = {V} rows but W_xh I = {I} columns: a drawn token must be a legal next input")
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"nonlinearity is {nonlinearity!r}, expected one of {', '.join(NONLINEARITIES)}")
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected one of {', '.join(METHODS)}")
    _check_first(first, I)
    if h0 is not None:
        check_array("h0", h0)
    if h0 is not None and h0.shape != (len(first), H):
        raise ValueError(f"h0 has shape {h0.shape}, expected (B, H) = {(len(first), H)}: one first state per stream")
    if h0 is not None and h0.dtype != dtype:
        raise TypeError(f"h0 is {h0.dtype} but the parameters are {dtype}: cast with h0.astype(np.{dtype})")
    _check_filters(temperature, top_k, top_p, V, dtype)
    if stop is not None:
        _check_count("stop", stop, 0, V - 1, "a token id; leave it out for streams that go on")


def check_uniforms(name: str, u: Real[np.ndarray, "*T B"], B: int) -> Real[np.ndarray, "*T B"]:
    """Return `u` if it holds one number in [0, 1) for each of B streams."""
    check_array(name, u)
    if u.shape[-1:] != (B,):
        raise ValueError(f"{name} has shape {u.shape}, but first has B = {B} tokens: one column per stream")
    if u.dtype.kind != "f":
        raise TypeError(f"{name} is {u.dtype}, expected floating numbers in [0, 1), as rng.random draws them")
    wrong = ~((u >= 0) & (u < 1))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{name}[{', '.join(map(str, at))}] is {u[at]}: uniform numbers lie in [0, 1); draw them with rng.random"
        )
    return u


def _check_first(first: np.ndarray, I: int) -> None:
    check_array("first", first)
    if first.dtype.kind not in "iu":
        raise TypeError(f"first is {first.dtype}, expected token ids (integers)")
    if first.ndim != 1 or len(first) == 0:
        raise ValueError(f"first has shape {first.shape}, expected (B,) with B from 1 on: one first input per stream")
    wrong = (first != NO_TOKEN) & ((first < 0) | (first >= I))
    if wrong.any():
        b = int(np.argmax(wrong))
        raise ValueError(
            f"first[{b}] is {first[b]}: ids run from 0 to {I - 1}, and only NO_TOKEN = {NO_TOKEN} may lie outside; "
            "look the token up in the vocabulary again"
        )


def _check_filters(temperature: Scalar, top_k: int | None, top_p: Scalar | None, V: int, dtype: np.dtype) -> None:
    positive("temperature", temperature, dtype, 'for the limit towards 0 use method="greedy"')
    if top_k is not None:
        _check_count("top_k", top_k, 1, V, "at most the size of the vocabulary; leave it out for all tokens")
    if top_p is not None:
        positive("top_p", top_p, dtype, "it is a probability, at most 1; leave it out for all tokens")
        if top_p > 1:
            raise ValueError(f"top_p is {top_p}: it must lie in (0, 1], a probability; leave it out for all tokens")


def _check_count(name: str, value: int, least: int, most: int, advice: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}, a {type(value).__name__}: it must be a whole number, {advice}")
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}: it must lie in {least}..{most}, {advice}")
