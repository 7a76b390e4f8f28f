"""Which arrays of an object or a file are which parameters: by shape, since all sizes differ, then by name."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck.targets.roles import VALUE, is_gradient, kept_with_gradients, parameter_role, remembered, state_like

__all__ = ["Place", "arrays_in", "attributes", "fixed_sizes", "parameter_options", "unread", "without_companions"]

DEEPEST = 3
MOST_OPTIONS = 8
LONGEST = 1024
"""A longer list is no weight."""
BIASES = ("b_h", "b_y")


@dataclass(frozen=True)
class Place:
    """An expression for an array, and its shape; no shape where the file has not made it."""

    expression: str
    shape: tuple[int, ...] | None = None


def arrays_in(
    thing: Any, expression: str, depth: int = 0, seen: set[int] | None = None
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every floating array in the attributes and items of `thing`, each array once."""
    seen = set() if seen is None else seen
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind == "f" and thing.ndim and thing.size and id(thing) not in seen:
            seen.add(id(thing))
            yield expression, thing
        return
    if isinstance(thing, list) and (array := _array_of(thing)) is not None:
        if id(thing) not in seen:
            seen.add(id(thing))
            yield expression, array
        return
    if depth > DEEPEST or id(thing) in seen:
        return
    seen.add(id(thing))
    for inner, value in _members(thing, expression):
        yield from arrays_in(value, inner, depth + 1, seen)


def _array_of(thing: list[Any]) -> np.ndarray | None:
    """Return a list of numbers, or of lists of numbers, as an array: in plain Python that is what a weight is."""
    first = thing[0] if thing else None
    number = first[0] if isinstance(first, list) and first else first
    if not (type(number) is float or (type(number) is int and number == 0)) or len(thing) > LONGEST:
        return None
    try:
        array = np.asarray(thing, float)
    except (TypeError, ValueError):
        return None
    return array if array.size else None


def _members(thing: Any, expression: str) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, Mapping):
        yield from ((f"{expression}[{key!r}]", value) for key, value in thing.items() if isinstance(key, str))
    elif isinstance(thing, tuple) and hasattr(thing, "_fields"):
        yield from ((f"{expression}.{name}", value) for name, value in zip(thing._fields, thing, strict=True))
    elif isinstance(thing, list | tuple):
        yield from ((f"{expression}[{i}]", value) for i, value in enumerate(thing[:8]))
    elif type(thing).__module__.startswith("target_"):
        yield from ((f"{expression}.{name}", value) for name, value in attributes(thing).items())


def attributes(thing: Any) -> dict[str, Any]:
    """Return what an object keeps, in its dictionary or in slots."""
    slots = [s for c in type(thing).__mro__ for s in getattr(c, "__slots__", ())]
    return getattr(thing, "__dict__", {}) | {s: getattr(thing, s) for s in slots if hasattr(thing, s)}


def without_companions(places: list[Place]) -> list[Place]:
    """Leave out what parameter objects keep beside their array: of `W.v`, `W.d` and `W.m` the first is the weight."""
    owners = {owner for p in places if (owner := _owner(p)) and p.expression.rpartition(".")[2] in VALUE}
    return [p for p in places if _owner(p) not in owners or p.expression.rpartition(".")[2] in VALUE]


def _owner(place: Place) -> str:
    """Return the object in the object that keeps an array: `rnn.W` of `rnn.W.v`; none if it is the network itself."""
    owner = place.expression.rpartition(".")[0]
    return owner if "." in owner else ""


def parameter_options(places: list[Place], sizes: Mapping[str, int]) -> list[dict[str, str]]:
    """Return the ways to read `places` as parameters, the likeliest first."""
    choices = []
    for place in places:
        found = _readings(place, sizes)
        if found:
            choices.append((place, found))
    options = _combine(choices)
    complete = [o for o in options if _covers(o, "W_xh", "W_hh")]
    ranked = sorted(complete, key=lambda o: -_plausible(o))
    return ranked[:MOST_OPTIONS]


def fixed_sizes(places: list[Place]) -> dict[str, int] | None:
    """Read I, H and V off the shapes of a file that chooses its own: the only square array is W_hh."""
    shapes = {p.expression: p.shape for p in places if p.shape is not None and len(p.shape) == 2 and 1 not in p.shape}
    square = {s[0] for s in shapes.values() if s[0] == s[1]}
    if len(square) != 1:
        return None
    H = square.pop()
    others = {e: sum(s) - H for e, s in shapes.items() if H in s and s[0] != s[1]}
    by_role = {parameter_role(e): n for e, n in others.items()}
    if not others or len(set(others.values())) > 2:
        return None
    I = by_role.get("W_xh", min(others.values()))
    V = by_role.get("W_hy", next((n for n in others.values() if n != I), I))
    return {"I": I, "H": H, "V": V}


def _combine(choices: list[tuple[Place, list[tuple[str, str]]]]) -> list[dict[str, str]]:
    """Give every place one of its readings, or none, without giving a parameter twice; a second hidden bias may be."""
    options: list[dict[str, str]] = [{}]
    for place, readings in choices:
        grown = []
        for option in options:
            taken = {role for key in option for role in key.split("|")}
            possible = [(k, t) for k, t in readings if not taken & set(k.split("|"))]
            grown += [option | {key: place.expression + suffix} for key, suffix in possible]
            if option.get("b_h") and " + " not in option["b_h"] and any(k == "b_h" for k, _ in readings):
                grown.append(option | {"b_h": f"{option['b_h']} + {place.expression}"})
            elif not possible or not _certain(place):
                grown.append(option)
        options = sorted(grown, key=lambda o: (-len(o), -_plausible(o)))[:200]
    return options


def _certain(place: Place) -> bool:
    """Whether a place is a parameter whatever else fits: its name is one, or it stands among the parameters."""
    return parameter_role(place.expression) is not None or bool(re.search(r"(param|weight)\w*\[", place.expression))


def _readings(place: Place, sizes: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return what a place may be, as (key, suffix), by shape where there is one and narrowed by its name."""
    named = parameter_role(place.expression)
    if place.shape is None:
        if named is None:
            return []
        return [(named, "")] if named in BIASES else [(named, ""), (named, ".T")]
    if remembered(place.expression):
        return []
    if is_gradient(place.expression) and (named is None or kept_with_gradients(place.expression)):
        return []
    fitting = _by_shape(place, sizes)
    if any(key == named for key, _ in fitting):
        return [(key, suffix) for key, suffix in fitting if key == named]
    return fitting


def _by_shape(place: Place, sizes: Mapping[str, int]) -> list[tuple[str, str]]:
    assert place.shape is not None
    I, H, V = (sizes[n] for n in "IHV")
    long = tuple(n for n in place.shape if n != 1)
    if len(long) == 1:
        state = state_like(place.expression) and parameter_role(place.expression) != "b_h"
        return (
            {H: [("h0" if state else "b_h", "")], V: [("b_y", "")]}.get(long[0], [])
            if place.shape.count(long[0])
            else []
        )
    shapes = {
        "W_xh": (H, I),
        "W_hh": (H, H),
        "W_hy": (V, H),
        "W_hh|W_xh": (H, H + I),
        "W_xh|W_hh": (H, I + H),
        "W_hh|W_xh|b_h": (H, H + I + 1),
        "W_xh|W_hh|b_h": (H, I + H + 1),
        "b_h|W_hh|W_xh": (H, 1 + H + I),
        "b_h|W_xh|W_hh": (H, 1 + I + H),
        "W_hy|b_y": (V, H + 1),
        "b_y|W_hy": (V, 1 + H),
        "W_xh|b_h": (H, I + 1),
        "b_h|W_xh": (H, 1 + I),
    }
    plain = [(key, "") for key, shape in shapes.items() if place.shape == shape]
    return plain + [(key, ".T") for key, shape in shapes.items() if place.shape == shape[::-1]]


def _covers(option: Mapping[str, str], *roles: str) -> bool:
    return set(roles) <= {role for key in option for role in key.split("|")}


def _plausible(option: Mapping[str, str]) -> float:
    """Rank: names that say so; W_hh turned like W_xh; as many parameters as there are."""
    points = 0.0
    for key, place in option.items():
        said = parameter_role(place.removesuffix(".T"))
        points += 2 * (said == key) - 1.5 * (said is not None and said != key and "|" not in key)
    turned = {key: place.endswith(".T") for key, place in option.items() if key in ("W_xh", "W_hh", "W_hy")}
    alike = sum(t == turned.get("W_xh", False) for t in turned.values())
    return points + len(option) + alike - 0.5 * sum(turned.values())


def unread(option: Mapping[str, str], places: list[Place]) -> list[str]:
    """Return the matrices that an option leaves without a role, and that are no gradients: a plain RNN has none."""
    used = {e for place in option.values() for e in place.removesuffix(".T").split(" + ")}
    square = [p for p in places if p.shape is not None and len(p.shape) == 2 and 1 not in p.shape]
    return [
        p.expression
        for p in square
        if p.expression not in used and not is_gradient(p.expression) and not remembered(p.expression)
    ]
