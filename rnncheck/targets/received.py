"""An adapter that comes out of a child process is what a stranger says: looked at before it is used, never evaluated.

Its calls and places are Python, and are run in the child alone. What is used on this side is its form and its scales.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rnncheck.errors import TargetError
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.outputs import KINDS

__all__ = ["CHOICES", "LARGEST", "LISTS", "SIZES", "TABLES", "is_size", "received_adapter", "scale_of"]

CHOICES = {
    "nonlinearity": ("tanh", "relu", "sigmoid"),
    "task": ("every step", "last step"),
    "targets": ("classes", *KINDS),
    "lr": (0, 1),
    "widen": (True, False),
    "unguard": (True, False),
}
LISTS = ("calls", "memory")
NAME = re.compile(r"[^\W\d]\w{,99}(\.[^\W\d]\w{,99})?")
TABLES = ("params", "grads", "trace", "axes", "sizes")
SIZES = dict.fromkeys("TBIHV", 2)
LARGEST = 1024
"""The largest size that a file may fix for itself: the cases are made to it, in the process of the judge."""


def received_adapter(values: Any) -> Adapter:
    """Return the adapter that `values` describe.

    Raises
    ------
    TargetError
        If a field is not what the search would have said.
    """
    known = {f.name for f in fields(Adapter)}
    if not isinstance(values, dict) or not {"source", "calls", "params"} <= set(values) <= known:
        raise TargetError("its adapter was not written by rnncheck: it lacks a field, or has one too many")
    for name, value in values.items():
        if not _fits(name, value):
            raise TargetError(f"its adapter was not written by rnncheck: {name} is {value!r:.60}")
    for name in ("loss_scale", "grad_scale"):
        scale_of(values.get(name, "1"), SIZES)
    return Adapter(**values)


def _fits(name: str, value: Any) -> bool:
    if name in CHOICES:
        return value in CHOICES[name]
    if name == "uncalled":  # these stand in the sentence of the verdict
        return isinstance(value, list) and all(isinstance(item, str) and NAME.fullmatch(item) for item in value)
    if name in LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if name in TABLES and isinstance(value, dict):
        return all(isinstance(word, str) for pair in value.items() for word in pair)
    if name == "fixed":
        return isinstance(value, dict) and all(is_size(*pair) for pair in value.items())
    return isinstance(value, str)


def is_size(name: Any, value: Any) -> bool:
    """Tell whether a file may fix the size of this name for itself at this value."""
    return name in ("H", "V", "I") and type(value) is int and 1 <= value <= LARGEST


def scale_of(text: str, sizes: Mapping[str, int]) -> float:
    """Evaluate a scale: a product or quotient of numbers and sizes, such as `T * B` or `-0.5`.

    Raises
    ------
    TargetError
        If it is anything else.
    """
    try:
        return _value(ast.parse(text, mode="eval").body, sizes)
    except (SyntaxError, ValueError, KeyError, RecursionError, ZeroDivisionError, OverflowError):
        raise TargetError(f"the scale {text!r:.60} is no product of numbers and of T, B, I, H, V") from None


def _value(node: ast.expr, sizes: Mapping[str, int]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return float(sizes[node.id])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, sizes)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _value(node.left, sizes) * _value(node.right, sizes)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _value(node.left, sizes) / _value(node.right, sizes)
    raise ValueError(ast.dump(node))
