"""What the functions accept, said before any arithmetic: which array, what is wrong, the rule, what to do."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from numpy_impl.flat import Flat, Layout

__all__ = [
    "BPTT_MODES",
    "DTYPES",
    "NONLINEARITIES",
    "REDUCTIONS",
    "check_array",
    "check_bptt",
    "check_dloss",
    "check_inputs",
    "check_nonlinearity",
    "check_params",
    "check_targets",
]

NONLINEARITIES = ("tanh", "relu")
REDUCTIONS = ("sum", "mean", "none")
BPTT_MODES = ("full", "windowed", "chunked")
DTYPES = tuple(np.dtype(t) for t in (np.float32, np.float64, np.longdouble))
UNSIGNED = {np.dtype(t).itemsize: np.dtype(t) for t in (np.uint8, np.uint16, np.uint32, np.uint64)}
REQUIRED = ("W_xh", "W_hh", "W_hy")
OPTIONAL = ("b_h", "b_y")


def check_params(params: Mapping[str, np.ndarray]) -> None:
    """Refuse parameters that do not fit together. Parameters in one vector are looked at once per layout."""
    if not isinstance(params, Flat) or len(params) < len(params.layout.shapes) or not _fit(params.layout):
        _check_each(params)


@lru_cache(maxsize=64)
def _fit(layout: Layout) -> bool:
    try:
        _check_each(Flat(np.empty(layout.size, layout.dtype), layout))
    except (ValueError, TypeError):
        return False
    return True


def _check_each(params: Mapping[str, np.ndarray]) -> None:
    missing = [name for name in REQUIRED if name not in params]
    unknown = [name for name in params if name not in REQUIRED + OPTIONAL]
    if missing or unknown:
        raise ValueError(
            f"params: missing {missing or 'none'}, unknown {unknown or 'none'}; "
            f"a model has {', '.join(REQUIRED)} and optionally {', '.join(OPTIONAL)}"
        )
    for name, array in params.items():
        check_array(name, array)
        axes = 2 if name.startswith("W") else 1
        if array.ndim != axes or array.size == 0:
            raise ValueError(
                f"{name} has shape {array.shape}, expected {axes} {'axis' if axes == 1 else 'axes'}, none of length 0"
            )
    dtype = params["W_xh"].dtype
    H, I = params["W_xh"].shape
    V = params["W_hy"].shape[0]
    expected = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    for name, array in params.items():
        if array.shape != expected[name]:
            raise ValueError(
                f"{name} has shape {array.shape}, expected {expected[name]}: "
                f"W_xh (H, I) = {(H, I)} and the rows of W_hy, V = {V}, fix all the others"
            )
        if array.dtype != dtype:
            raise TypeError(
                f"{name} is {array.dtype} beside W_xh {dtype}: all parameters share one dtype; cast with {name}.astype"
            )
    if dtype not in DTYPES:
        raise TypeError(f"W_xh is {dtype}: parameters are {', '.join(map(str, DTYPES))}; cast them with .astype")


def check_inputs(params: Mapping[str, np.ndarray], x: np.ndarray, h0: np.ndarray | None) -> None:
    """Refuse inputs and a first state that do not fit the parameters."""
    check_array("x", x)
    dtype = params["W_xh"].dtype
    H, I = params["W_xh"].shape
    if x.dtype.kind in "iu":
        if x.ndim != 2:
            raise ValueError(
                f"x has shape {x.shape}, expected (T, B) for token ids: time comes first; "
                "use x[:, None] for a single sequence"
            )
        if x.size and not _within(x, I):
            _check_ids("x", x, I, legal=-1, legal_name="NO_TOKEN")
    elif x.dtype.kind == "f":
        if x.ndim != 3 or x.shape[2] != I:
            raise ValueError(
                f"x has shape {x.shape}, expected (T, B, I) with I = {I}, the columns of W_xh: time comes first; "
                "use x[:, None, :] for a single sequence"
            )
        _check_dtype("x", x, dtype)
    else:
        raise TypeError(f"x is {x.dtype}, expected token ids (integers) or dense vectors ({dtype}); cast with x.astype")
    T, B = x.shape[:2]
    if T == 0 or B == 0:
        raise ValueError(f"x has shape {x.shape}: T and B must be at least 1; leave empty sequences out")
    if h0 is not None:
        check_array("h0", h0)
        if h0.shape != (B, H):
            raise ValueError(
                f"h0 has shape {h0.shape}, expected (B, H) = {(B, H)}: one first state per sequence; "
                "leave h0 out for zeros"
            )
        _check_dtype("h0", h0, dtype)


def check_logits(logits: np.ndarray) -> None:
    """Refuse logits of which no softmax can be taken."""
    check_array("logits", logits)
    if logits.dtype.kind != "f":
        raise TypeError(f"logits is {logits.dtype}, expected floating numbers; cast with logits.astype(np.float64)")
    if not logits.size:
        raise ValueError(
            f"logits has shape {logits.shape}, expected (T, B, V), none of them 0; leave empty batches out"
        )


def check_targets(y: np.ndarray, shape: tuple[int, ...], reduction: str, ignore_index: int) -> bool:
    """Refuse targets that do not fit logits of `shape` (T, B, V), and a reduction that is none.

    Return whether some targets may be ignored.
    """
    _check_choice("reduction", reduction, REDUCTIONS)
    if not hasattr(ignore_index, "__index__"):
        raise TypeError(
            f"ignore_index is {ignore_index!r}, expected a whole number: the id that stands for a target which does "
            "not count; leave it out for -100"
        )
    check_array("y", y)
    *TB, V = shape
    if y.shape != tuple(TB):
        raise ValueError(
            f"y has shape {y.shape}, expected (T, B) = {tuple(TB)} as in x: one target per input, time first in both; "
            + ("transpose the one that has the batch first" if y.shape[::-1] == tuple(TB) else "cut x and y alike")
        )
    if y.dtype.kind not in "iu":
        raise TypeError(f"y is {y.dtype}, expected token ids (integers); cast with y.astype(np.int64)")
    if _within(y, V) and not 0 <= ignore_index < V:
        return False
    _check_ids("y", y, V, legal=ignore_index, legal_name="ignore_index")
    if reduction == "mean" and (y == ignore_index).all():
        raise ValueError(
            f"y is ignore_index = {ignore_index} everywhere, and the mean over no targets is undefined; "
            'keep at least one target, or use reduction="sum"'
        )
    return True


def check_dloss(dloss: np.ndarray | None, y: np.ndarray, dtype: np.dtype, reduction: str) -> None:
    """Refuse an upstream gradient that does not have the shape and dtype of the loss."""
    _check_choice("reduction", reduction, REDUCTIONS)
    shape = y.shape if reduction == "none" else ()
    if dloss is None:
        if reduction == "none":
            raise ValueError(
                f'dloss is missing: under reduction="none" there is one loss per step, '
                f"so give an upstream gradient of shape (T, B) = {shape}"
            )
        return
    check_array("dloss", dloss)
    if dloss.shape != shape:
        raise ValueError(
            f"dloss has shape {dloss.shape}, expected {shape}: "
            f'under reduction="{reduction}" the loss has that shape, and its upstream gradient too'
        )
    _check_dtype("dloss", dloss, dtype)


def check_nonlinearity(nonlinearity: str) -> None:
    """Refuse a nonlinearity that the cell does not have."""
    _check_choice("nonlinearity", nonlinearity, NONLINEARITIES)


def check_bptt(bptt: str, k: int | None) -> None:
    """Refuse a truncation without its length, and a length without truncation."""
    _check_choice("bptt", bptt, BPTT_MODES)
    if bptt == "full":
        if k is not None:
            raise ValueError(f'k is {k} under bptt="full", which goes back to the first step; leave k out')
        return
    least = 0 if bptt == "windowed" else 1
    if not isinstance(k, int | np.integer) or k < least:
        raise ValueError(f'k is {k} under bptt="{bptt}": it must be a whole number of steps, at least {least}')


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(choices)}")


def check_array(name: str, value: object) -> None:
    """Refuse a list or another library's tensor: what would come out of it is anyone's guess."""
    if not isinstance(value, np.ndarray):
        kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
        raise TypeError(f"{name} is a {kind}, expected a NumPy array; convert it with np.asarray({name})")


def _check_dtype(name: str, array: np.ndarray, dtype: np.dtype) -> None:
    if array.dtype != dtype:
        raise TypeError(
            f"{name} is {array.dtype} but the parameters are {dtype}: nothing is cast silently; "
            f"cast with {name}.astype(np.{dtype})"
        )


def _within(ids: np.ndarray, size: int) -> bool:
    """Return whether all ids lie in 0..size-1; read as unsigned numbers the negative ones are the largest of all."""
    unsigned = ids.view(UNSIGNED[ids.itemsize])
    return bool(unsigned.item(unsigned.argmax()) < size)


def _check_ids(name: str, ids: np.ndarray, size: int, legal: int, legal_name: str) -> None:
    """Refuse ids that NumPy would wrap around or that would be looked up in the wrong row."""
    wrong = (ids != legal) & ((ids < 0) | (ids >= size))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{name}[{', '.join(map(str, at))}] is {int(ids[at])}: ids run from 0 to {size - 1}, "
            f"and only {legal_name} = {legal} may lie outside; look the token up in the vocabulary again"
        )
