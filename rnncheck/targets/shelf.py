"""Put parameters where somebody's code keeps them, and take them out again."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnncheck.targets.adapter import Adapter
from rnncheck.targets.layout import give

__all__ = ["MEMORY", "ZERO", "fill", "locate", "put", "read", "remembers_squares", "take_back"]

MEMORY = 2.0**60
"""What Adagrad remembers at first, so much that no gradient changes it: its step is then lr g / 2^30."""


ZERO = " = 0"
"""Momentum: where it remembers a velocity."""


def locate(place: str) -> tuple[list[str], bool]:
    """Split a place into its expressions (two biases are two of them) and whether it is kept transposed."""
    transposed = place.endswith(".T")
    return [p.strip() for p in place.removesuffix(".T").split(" + ")], transposed


def read(expression: str, names: dict[str, Any]) -> Any:
    """Evaluate a place; None if there is nothing yet."""
    try:
        return eval(expression, names)
    except (NameError, KeyError, AttributeError, IndexError, TypeError):
        return None


def put(adapter: Adapter, names: dict[str, Any]) -> dict[str, np.ndarray]:
    """Put every parameter in its place, and return copies under the keys of the adapter.

    An array of the right shape and dtype is written into, since others may hold it too.
    """
    before = {}
    for key, place in adapter.params.items():
        value = _value(key, names, adapter)
        expressions, transposed = locate(place)
        value = value.T if transposed else value
        for expression in expressions:
            _store(expression, value / len(expressions) if len(expressions) > 1 else value, key, names, adapter)
        before[key] = np.array(value)
    return before


def fill(adapter: Adapter, names: dict[str, Any]) -> None:
    """Fill the memory of an optimiser."""
    for place in adapter.memory:
        array = read(place.removesuffix(ZERO), names)
        if array is not None:
            array[...] = 0 if place.endswith(ZERO) else MEMORY


def remembers_squares(adapter: Adapter) -> bool:
    """Tell whether the optimiser divides by what it remembers; a velocity is added, and is zero at first."""
    return any(not place.endswith(ZERO) for place in adapter.memory)


def take_back(adapter: Adapter, names: dict[str, Any], grads: Mapping[str, np.ndarray]) -> None:
    """Write what has become of the parameters into the arrays of the case: there the judge sees that they changed.

    A step down the gradients that the call returns is no accident: whoever trains in the same call may do so.
    """
    changed = _changed(adapter, names)
    if not all(_is_step_down(target - now, grads.get(f"d{key}")) for key, (target, now) in changed.items()):
        for target, now in changed.values():
            target[...] = now


def _is_step_down(step: np.ndarray, grad: np.ndarray | None) -> bool:
    return grad is not None and step.shape == grad.shape and bool((step * grad >= 0).all())


def _changed(adapter: Adapter, names: dict[str, Any]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the parameters of the case that the code keeps otherwise now, with what it keeps."""
    found = {}
    for key, place in adapter.params.items():
        expressions, transposed = locate(place)
        now = read(expressions[0], names)
        if key == "h0" or "|" in key or len(expressions) > 1 or now is None:
            continue
        target = names["_case"].params[key]
        now = np.asarray(now).T if transposed else np.asarray(now)
        if (
            now.size == target.size
            and not np.shares_memory(now, target)
            and not np.array_equal(now.ravel(), target.ravel())
        ):
            found[key] = target, now.reshape(target.shape)
    return found


def _value(key: str, names: dict[str, Any], adapter: Adapter) -> np.ndarray:
    case = names["_case"]
    if key == "h0":
        return names["h0"]
    parts = [case.params[role] for role in key.split("|")]
    return parts[0] if len(parts) == 1 else np.column_stack(parts)


def _store(place: str, value: np.ndarray, key: str, names: dict[str, Any], adapter: Adapter) -> None:
    old = read(place, names)
    if isinstance(old, list) or (old is None and adapter.axes.get("b", "").startswith("[")):
        _store_list(place, old, value, names)
        return
    if key == "h0" or value.ndim == 2 or "b" not in adapter.axes:
        if isinstance(old, np.ndarray) and old.size == value.size and value.ndim == 1:
            value = value.reshape(old.shape)
    else:
        value = give(value[None], "B N", adapter.axes["b"])
    if isinstance(old, np.ndarray) and old.shape == value.shape and old.dtype == value.dtype and old.flags.writeable:
        old[...] = value
        return
    names["_value"] = np.array(value)
    exec(f"{place} = _value", names)


def _store_list(place: str, old: list[Any] | None, value: np.ndarray, names: dict[str, Any]) -> None:
    """Write into a list, and into the lists in it: others may hold them too."""
    if old is None:
        names["_value"] = value.tolist()
        exec(f"{place} = _value", names)
        return
    rows = value.reshape(np.shape(old) if np.size(old) == value.size else value.shape).tolist()
    for row, new in zip(old, rows, strict=False):
        if isinstance(row, list):
            row[:] = new
    if not isinstance(rows[0], list) or len(old) != len(rows):
        old[:] = rows
