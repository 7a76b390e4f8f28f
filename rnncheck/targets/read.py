"""Read results where the adapter says they are, and bring them into the layout of a Trace."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnncheck.targets.adapter import DIFFERENCE, Adapter
from rnncheck.targets.layout import take
from rnncheck.targets.shelf import MEMORY, locate, remembers_squares

__all__ = ["read_grads", "read_trace"]

KEPT = {"h0": "B N", "dh0": "B N", "loss": ""}
WIDTH = {"h": "H", "dh": "H", "da": "H", "h0": "H", "dh0": "H", "dx": "I"}


def read_trace(adapter: Adapter, names: dict[str, Any], wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """Read `wanted` of the results that `trace` names, as copies: their owner may write into them later."""
    found = {}
    for name in wanted:
        value = eval(adapter.trace[name], names)
        sizes = {n: names[n] for n in "TB"} | {"N": names[WIDTH.get(name, "V")]}
        array = take(value, KEPT.get(name, "T B N"), adapter.axes.get(name, ""), sizes)
        if name == "loss":
            array = _number(array) * eval(adapter.loss_scale, names)
        elif name in ("dx", "dh0", "dh", "da", "dlogits"):
            array = _scaled(array, adapter, names)
        found[name] = _floating(array, names)
    return found


def read_grads(adapter: Adapter, names: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read the gradients of the parameters; where only the update is seen, divide it by the learning rate."""
    found: dict[str, np.ndarray] = {}
    wanted = adapter.params if adapter.grads == DIFFERENCE else adapter.grads
    for key in (k for k in wanted if k != "h0"):
        expressions, transposed = locate(adapter.params[key])
        if adapter.grads == DIFFERENCE:
            before = names["_before"][key]
            rate = names["lr"] / np.sqrt(MEMORY) if remembers_squares(adapter) else names["lr"]
            after = sum(np.asarray(eval(e, names)).reshape(before.shape) for e in expressions)
            array = (before - after) / (rate * len(expressions))
        else:
            assert not isinstance(adapter.grads, str)
            values = [np.asarray(eval(e, names)) for e in adapter.grads[key].split(" + ")]
            array = values[0] if len(values) == 1 else sum(values) / len(values)
        array = _scaled(array.T if transposed and array.ndim == 2 else array, adapter, names)
        found |= _split(key, _floating(array, names), names["_case"].params)
    return found


def _split(key: str, array: np.ndarray, params: Any) -> dict[str, np.ndarray]:
    """Cut the gradient of a concatenation into its parts, and give each the shape of its parameter if it fits."""
    roles = key.split("|")
    if len(roles) == 1:
        shape = params[key].shape
        alike = array.size == params[key].size and [n for n in array.shape if n > 1] == [n for n in shape if n > 1]
        return {f"d{key}": array.reshape(shape) if alike else array}
    widths = [1 if params[r].ndim == 1 else params[r].shape[1] for r in roles]
    if array.ndim != 2 or array.shape[1] != sum(widths):
        return {f"d{r}": array for r in roles}
    parts = np.split(array, np.cumsum(widths)[:-1], axis=1)
    return {f"d{r}": part.reshape(params[r].shape) for r, part in zip(roles, parts, strict=True)}


def _scaled(array: np.ndarray, adapter: Adapter, names: dict[str, Any]) -> np.ndarray:
    return array if adapter.grad_scale == "1" else array * eval(adapter.grad_scale, names)


def _number(array: np.ndarray) -> np.ndarray:
    return array.reshape(()) if array.size == 1 else array


def _floating(array: np.ndarray, names: dict[str, Any]) -> np.ndarray:
    """Return a copy; numbers that are no floats (a gradient that stayed the integer 0) become floats of the case."""
    return np.array(array, names["_case"].dtype if array.dtype.kind in "iub" else None)
