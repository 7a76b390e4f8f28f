"""An adapter that a person has written: each mistake in a field is one sentence, before anything is called."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rnncheck.errors import TargetError, UserError
from rnncheck.targets.adapter import DIFFERENCE, Adapter
from rnncheck.targets.layout import axes_of
from rnncheck.targets.received import CHOICES, LARGEST, LISTS, SIZES, TABLES, is_size, scale_of
from rnncheck.trace import ORDER

__all__ = ["adapter_from"]

ROLES = ("W_xh", "W_hh", "b_h", "W_hy", "b_y", "h0")
RESULTS = (*ORDER, "p")
AXES = ("T", "B", "N", "1")
BATCHES = {"y": "T B", "h0": "B N"}
"""What is left out is that of one sequence, and where x is a batch nobody can want that."""


def adapter_from(values: Mapping[str, Any], file: str) -> Adapter:
    """Build an Adapter from fields that somebody wrote.

    Raises
    ------
    UserError
        If a field is unknown, a needed one is missing, or one is not what it can be.
    """
    known = {f.name for f in fields(Adapter)}
    if unknown := sorted(set(values) - known):
        raise UserError(f"{file}: Adapter has no field {unknown[0]!r}; its fields are {', '.join(sorted(known))}")
    if missing := [n for n in ("source", "calls", "params") if n not in values]:
        raise UserError(f"{file}: the Adapter lacks {missing[0]!r}; `rnncheck new FILE` writes one with every field")
    for name, value in values.items():
        if rule := _rule(name, value):
            raise UserError(f"{file}: {name} is {value!r:.80}, expected {rule}")
    adapter = Adapter(**values)
    for name, layout in BATCHES.items():
        if adapter.batched and adapter.mentions(name) and name not in adapter.axes:
            raise UserError(
                f"{file}: axes has no {name!r}, which a call uses: add its layout, such as '{name}': '{layout}'"
            )
    return adapter


def _rule(name: str, value: Any) -> str:
    """Return the rule that a field breaks, if it breaks one."""
    if name in CHOICES:
        return "" if value in CHOICES[name] else " or ".join(map(repr, CHOICES[name]))
    if name in (*LISTS, "uncalled"):
        texts = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        return "" if texts else "a list of strings, [...]"
    if name == "fixed":
        sizes = isinstance(value, dict) and all(is_size(*pair) for pair in value.items())
        return "" if sizes else f"sizes by name, such as {{'H': 100}}: H, V or I, each from 1 to {LARGEST}"
    if name in TABLES:
        return _rule_of_table(name, value)
    if not isinstance(value, str):
        return "a string"
    return _rule_of_scale(value) if name.endswith("_scale") else ""


def _rule_of_table(name: str, value: Any) -> str:
    if name == "grads" and value == DIFFERENCE:
        return ""
    if not isinstance(value, dict) or not all(isinstance(word, str) for pair in value.items() for word in pair):
        return "a dictionary of strings, {...}" + (f", or the word {DIFFERENCE!r}" if name == "grads" else "")
    if name in ("params", "grads"):
        return _rule_of_keys([role for key in value for role in key.split("|")], ROLES, "a parameter")
    if name == "trace":
        return _rule_of_keys(value, RESULTS, "an array")
    if name == "axes":
        return _rule_of_keys([axis for layout in value.values() for axis in axes_of(layout)], AXES, "an axis")
    return ""


def _rule_of_keys(keys: Any, known: tuple[str, ...], what: str) -> str:
    """Name the first that is unknown, and those that are not."""
    return next((f"{', '.join(known)}: {key!r} is no name of {what}" for key in keys if key not in known), "")


def _rule_of_scale(value: str) -> str:
    try:
        scale_of(value, SIZES)
    except TargetError:
        return "a product or quotient of numbers and of T, B, I, H, V, such as 'T * B' or '-0.5'"
    return ""
