"""Small changes to a syntax tree before it runs: clipping gets a switch, and old names get their new meaning.

Code that keeps its numbers as float32 on purpose is right, and cannot be judged to more digits than it has: on demand
(`widen`) it keeps them as float64.

Clipping inside the gradient function hides every gradient beyond its bound, so the gradients are judged with the
switch off, and the clipping on its own with the switch on. Three forms of it are recognised: calls of `clip`;
functions with `clip` in their name; and an `if` that compares a norm with a bound.
"""

import ast
from typing import Any

import numpy as np

from rnncheck.targets.guards import unguard

__all__ = ["CLIPPING", "Clipping", "names_for_old_code", "narrow", "rewrite"]

CLIPPING = "_clipping_"
DIVIDE = "_divide_"
LARGEST_BOUND = 100.0
"""Beyond this, `clip` guards an exponential and not a gradient."""

OLD_NUMPY = {"float": "float64", "int": "int64", "bool": "bool_", "object": "object_", "float_": "float64"}
OLD_NUMPY |= {
    "product": "prod",
    "cumproduct": "cumprod",
    "Inf": "inf",
    "NaN": "nan",
    "int_": "int64",
    "mat": "asmatrix",
}
SINGLE = ("float32", "f", "f4", "<f4", "single")
OLD_METHODS = {"iteritems": "items", "iterkeys": "keys", "itervalues": "values"}


class Clipping:
    """The switch. `used` and `bounds` tell what the file's own clipping did while it was on."""

    def __init__(self) -> None:
        self.on = False
        self.bounds: list[tuple[float, float]] = []
        self.used = False

    def seen(self) -> bool:
        """Note that a piece of clipping was reached; tell whether it is to act."""
        self.used = True
        return self.on

    def clip(self, array: Any, *limits: Any, out: Any = None, **options: Any) -> Any:
        """Clip, or hand on the values unchanged when the limits are those of a gradient and the switch is off."""
        low, high = _limits(limits, options)
        if not (np.ndim(low) == np.ndim(high) == 0 and _bounds_a_gradient(low, high)):
            return np.clip(array, *limits, out=out, **options)
        self.used = True
        self.bounds.append((float(low), float(high)))
        if self.on:
            return np.clip(array, low, high, out=out)
        if out is None:
            return np.array(array)
        out[...] = array
        return out


def rewrite(tree: ast.Module, python2: bool, widen: bool = False, without_guards: bool = False) -> ast.Module:
    """Return the tree with all changes made; with `widen` also what is float32 in it turned into float64."""
    if widen:
        _widen(tree)
    if without_guards:
        unguard(tree)
    return ast.fix_missing_locations(_Rewrite(python2).visit(tree))


def narrow(tree: ast.Module) -> bool:
    """Tell whether a file asks for float32 somewhere."""
    return bool(_singles(tree))


def _widen(tree: ast.Module) -> None:
    for node in _singles(tree):
        if isinstance(node, ast.Attribute):
            node.attr = "float64"
        else:
            node.value = "float64"


def _singles(tree: ast.Module) -> list[ast.Attribute | ast.Constant]:
    """Return the places where a file asks for float32: `np.float32`, `dtype="f"`, `a.astype("f")`."""
    found: list[ast.Attribute | ast.Constant] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_numpy(node.value) and node.attr in ("float32", "single"):
            found.append(node)
        elif isinstance(node, ast.Call):
            words = [k.value for k in node.keywords if k.arg == "dtype"]
            words += node.args if isinstance(node.func, ast.Attribute) and node.func.attr == "astype" else []
            found += [w for w in words if isinstance(w, ast.Constant) and w.value in SINGLE]
    return found


def names_for_old_code(python2: bool) -> dict[str, Any]:
    """Return the built-in names that Python 3 lacks; for Python 2 also those that returned lists there."""
    names: dict[str, Any] = {"xrange": range, "unicode": str, "long": int, "raw_input": input, "basestring": str}
    names[DIVIDE] = _divide
    if python2:
        for function in (map, zip, filter, range):
            names[function.__name__] = lambda *args, _f=function: list(_f(*args))
    return names


class _Rewrite(ast.NodeTransformer):
    def __init__(self, python2: bool):
        self.python2 = python2

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`np.clip(a, -5, 5, out=a)` and `a.clip(-5, 5)` become calls of the switch."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute):
            return node
        if node.func.attr == "clip" and (_is_numpy(node.func.value) or len(node.args) == 2):
            before = [] if _is_numpy(node.func.value) else [node.func.value]
            return ast.copy_location(ast.Call(_switch("clip"), before + node.args, node.keywords), node)
        if node.func.attr in OLD_METHODS and not node.args:
            node.func.attr = OLD_METHODS[node.func.attr]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Let a function named after clipping return its first argument untouched while the switch is off."""
        self.generic_visit(node)
        if "clip" in node.name.lower():
            names = [a.arg for a in node.args.args if a.arg not in ("self", "cls")]
            value = ast.Name(names[0], ast.Load()) if names else ast.Constant(None)
            off = ast.UnaryOp(ast.Not(), ast.Call(_switch("seen"), [], []))
            node.body.insert(0, ast.If(off, [ast.Return(value)], []))
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        """`if norm > bound:` asks the switch as well."""
        self.generic_visit(node)
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Gt | ast.GtE):
            named = {n.id for n in ast.walk(test.left) if isinstance(n, ast.Name)}
            named |= {n.attr for n in ast.walk(test.left) if isinstance(n, ast.Attribute)}
            if any("norm" in name.lower() for name in named):
                node.test = ast.BoolOp(ast.And(), [test, ast.Call(_switch("seen"), [], [])])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`np.float` and its kind are gone from NumPy."""
        self.generic_visit(node)
        if _is_numpy(node.value) and node.attr in OLD_NUMPY:
            node.attr = OLD_NUMPY[node.attr]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """In Python 2 the quotient of integers is an integer."""
        self.generic_visit(node)
        if self.python2 and isinstance(node.op, ast.Div):
            return ast.copy_location(ast.Call(ast.Name(DIVIDE, ast.Load()), [node.left, node.right], []), node)
        return node


def _is_numpy(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "numpy", "cp", "anp", "jnp")


def _switch(method: str) -> ast.Attribute:
    return ast.Attribute(ast.Name(CLIPPING, ast.Load()), method, ast.Load())


def _divide(a: Any, b: Any) -> Any:
    return a // b if isinstance(a, int | np.integer) and isinstance(b, int | np.integer) else a / b


def _limits(limits: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Any]:
    low, high = (*limits, None, None)[:2]
    return options.get("a_min", options.get("min", low)), options.get("a_max", options.get("max", high))


def _bounds_a_gradient(low: Any, high: Any) -> bool:
    return low is not None and high is not None and -LARGEST_BOUND <= low < 0 < high <= LARGEST_BOUND
