"""Which assignments of a file are plain: constants, sizes, arrays of numbers; never a call that might train.

An expression is plain if it is made of literals, names, operators and comprehensions, and calls nothing but harmless
built-ins, NumPy (except what reads or writes files), methods of plain values, and the file's own functions that are
named after initialisation; classes of its own are called without arguments only, unless they only keep values.
"""

import ast
import io
import re
from collections import namedtuple
from collections.abc import Mapping
from random import Random
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

__all__ = ["is_plain"]

BUILTINS = frozenset(
    (
        *("abs", "bool", "bytes", "chr", "dict", "divmod", "enumerate", "filter", "float", "frozenset", "int", "len"),
        *("list", "map", "max", "min", "open", "ord", "pow", "range", "reversed", "round", "set", "sorted", "str"),
        *("sum", "tuple", "xrange", "zip"),
    )
)
FILES = frozenset(
    ("load", "loadtxt", "genfromtxt", "fromfile", "save", "savetxt", "savez", "savez_compressed", "memmap")
)
INITIALISES = re.compile(r"init|xavier|glorot|rand|weight|param|orthog|zeros|matri", re.IGNORECASE)
VALUES = (str, bytes, int, float, list, tuple, dict, set, io.IOBase, np.ndarray, np.generic)
HARMLESS = (
    *(ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Tuple, ast.List),
    *(ast.Set, ast.Dict, ast.Subscript, ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue, ast.Attribute),
    *(ast.Call, ast.keyword, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension),
    *(ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)


def is_plain(node: ast.expr, names: Mapping[str, Any]) -> bool:
    """Tell whether to evaluate `node`, given what the file has defined so far."""
    if isinstance(node, ast.Lambda):
        return True
    return all(isinstance(n, HARMLESS) for n in ast.walk(node)) and all(
        _may_call(n, names) for n in ast.walk(node) if isinstance(n, ast.Call)
    )


def _may_call(call: ast.Call, names: Mapping[str, Any]) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        found = names.get(function.id)
        if found is namedtuple:
            return True
        if isinstance(found, type) and found.__module__.startswith("target_"):
            # a gate that is made of nothing, or what keeps an array and its gradient: not a network
            return (not call.args and not call.keywords) or _keeps_values(found)
        if isinstance(found, FunctionType) and function.id not in BUILTINS:
            return bool(INITIALISES.search(function.id)) or _of_numpy(found)
        return function.id in BUILTINS or _of_numpy(found) or _draws(found)
    if not isinstance(function, ast.Attribute) or function.attr in FILES:
        return False
    root = function.value
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    if isinstance(root, ast.Name) and root.id in names:
        return _of_numpy(names[root.id]) or _draws(names[root.id]) or isinstance(names[root.id], VALUES)
    return not isinstance(root, ast.Name)  # a method of a literal, or of what another call has returned


def _keeps_values(cls: type) -> bool:
    """Tell whether a class can do nothing but be made, set to zero and shown."""
    own = [n for c in cls.__mro__ if c is not object for n, v in vars(c).items() if isinstance(v, FunctionType)]
    return all(re.match(r"__|_?(zero|reset|clear|shape|size|init|name|step|update)", n) for n in own)


def _draws(thing: Any) -> bool:
    """Tell whether a module or function is that of mathematics or of random numbers without NumPy."""
    if isinstance(thing, ModuleType):
        return thing.__name__ in ("math", "random")
    return getattr(thing, "__module__", None) == "math" or isinstance(getattr(thing, "__self__", None), Random)


def _of_numpy(thing: Any) -> bool:
    """Tell whether a module, function or object comes from NumPy."""
    homes = (getattr(thing, "__name__", ""), getattr(thing, "__module__", ""), type(thing).__module__)
    return any(isinstance(home, str) and home.partition(".")[0] == "numpy" for home in homes)
