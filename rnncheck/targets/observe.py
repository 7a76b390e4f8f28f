"""Everything that can be seen after the calls: results and attributes, down to single arrays, with their names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck.targets.places import attributes
from rnncheck.targets.roles import last_word

__all__ = ["Seen", "seen_after"]

DEEPEST = 3
LONGEST = 64


@dataclass(frozen=True)
class Seen:
    """An array, the expression that gives it, and what its owner calls it."""

    expression: str
    name: str
    array: np.ndarray

    @property
    def returned(self) -> bool:
        """Whether a call has returned it."""
        return self.expression.startswith(("out", "grads"))


def seen_after(names: Mapping[str, Any], returns: Mapping[str, tuple[str, ...]], globals_: set[str]) -> list[Seen]:
    """Return all arrays: first what was returned, then attributes, then the globals that the functions use."""
    found: list[Seen] = []
    known: set[int] = set()
    for result in ("grads", "out"):
        if result in names:
            found += _look(names[result], result, result, returns.get(result, ()), 0, known, names["T"])
    if "rnn" in names:
        found += _look(names["rnn"], "rnn", "rnn", (), 0, known, names["T"])
    for name in sorted(globals_ & set(vars(names["file"]))):
        value = vars(names["file"])[name]
        if isinstance(value, np.ndarray | dict | list) or _is_theirs(value):
            found += _look(value, f"file.{name}", name, (), 1, known, names["T"])
    return found


def _look(
    value: Any, expression: str, name: str, inner: tuple[str, ...], depth: int, known: set[int], T: int
) -> Iterator[Seen]:
    if isinstance(value, np.ndarray | np.generic | float | int):
        array = np.asarray(value)
        if array.dtype.kind in "fiu":
            yield Seen(expression, inner[0] if len(inner) == 1 and inner[0] else name, array)
        return
    if depth > DEEPEST or value is None or id(value) in known:
        return
    known.add(id(value))
    if isinstance(value, Mapping):
        yield from _timeline(value, expression, name, T)
        for key, item in list(value.items())[:LONGEST]:
            if isinstance(key, str):
                yield from _look(item, f"{expression}[{key!r}]", key, (), depth + 1, known, T)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, item in zip(value._fields, value, strict=True):
            yield from _look(item, f"{expression}.{field}", field, (), depth + 1, known, T)
    elif isinstance(value, list | tuple):
        yield from _stacked(value, expression, inner[0] if len(inner) == 1 and inner[0] else name)
        for i, item in enumerate(value[:12] if not isinstance(value[0] if value else 0, tuple) else ()):
            label = inner[i] if len(inner) == len(value) and inner[i] else name
            yield from _look(item, f"{expression}[{i}]", label, (), depth + 1, known, T)
    elif _is_theirs(value):
        for attribute, item in list(attributes(value).items()):
            yield from _look(item, f"{expression}.{attribute}", last_word(attribute), (), depth + 1, known, T)


def _is_theirs(value: Any) -> bool:
    """Tell whether an object is of a class that the file defines."""
    return type(value).__module__.startswith("target_")


def _timeline(value: Mapping[Any, Any], expression: str, name: str, T: int) -> Iterator[Seen]:
    """Read a dictionary by time step as an array over time; steps before 0 are left out."""
    steps = sorted(k for k in value if isinstance(k, int | np.integer) and k >= 0)
    length = {T: "T", T + 1: "T + 1"}.get(len(steps))
    if length and steps == list(range(len(steps))):
        array = _array([value[t] for t in steps])
        if array is not None:
            yield Seen(f"[{expression}[t] for t in range({length})]", name, array)


def _stacked(value: list[Any] | tuple[Any, ...], expression: str, name: str) -> Iterator[Seen]:
    array = _array(value) if value else None
    if array is not None:
        yield Seen(expression, name, array)


def _array(value: Any) -> np.ndarray | None:
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "fiu" else None
