"""The constants of a file that are sizes, and what they are to be: `hidden_size = 100` is to be H."""

import ast
import re
from collections.abc import Iterator, Mapping

from rnncheck.targets.adapter import NO_CLIPPING
from rnncheck.targets.roles import size_role

__all__ = ["size_constants"]

VALUES = {"O": "V", "clip": repr(NO_CLIPPING), "layers": "", "drop": "0.0", "keep": "1.0"}
ARRAY = re.compile(r"\b(rand\w*|normal|standard_normal|uniform|gauss\w*|zeros|ones|empty|full|eye|array)\(")
"""Calls that make arrays: `V = np.random.randn(m, n) * 0.01` is no number, though it has one in it."""
SINGLE = "THVD"
"""Single letters that are sizes; others may be anything."""


def size_constants(tree: ast.Module) -> dict[str, str]:
    """Return the values for names at the top of the file that are assigned numbers and called like sizes."""
    found: dict[str, str] = {}
    lengths = _lengths(tree)
    for node in tree.body:
        if isinstance(node, ast.Assign) and _is_number(node.value):
            for name, value in _pairs(node):
                role = size_role(name)
                if role and (len(name) > 1 or name in SINGLE):
                    found[name] = "V" if role == "I" and _is_vocabulary(value, found) else VALUES.get(role, role)
                elif name in lengths:
                    found[name] = "T"
    return {name: value for name, value in found.items() if value}


def _lengths(tree: ast.Module) -> set[str]:
    """Return the names by which a text is cut and walked through: `text[start : start + L]` and `range(L)`."""
    nodes = list(ast.walk(tree))
    cuts = [n.upper for n in nodes if isinstance(n, ast.Slice) and isinstance(n.upper, ast.BinOp) and n.lower]
    cut = {n.right.id for n in cuts if isinstance(n, ast.BinOp) and isinstance(n.right, ast.Name)}
    ranges = [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == "range" and len(n.args) == 1]
    return cut & {n.args[0].id for n in ranges if isinstance(n.args[0], ast.Name)}


def _pairs(node: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a statement assigns, each with its own value where the values are written out."""
    for target in node.targets:
        names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
        values = node.value.elts if isinstance(node.value, ast.Tuple) else []
        yield from zip(names, values if len(values) == len(names) else [node.value] * len(names), strict=True)


def _is_vocabulary(node: ast.expr, found: Mapping[str, str]) -> bool:
    """Tell whether an input size is that of the vocabulary: `len(chars)`, or `vocab_size` again."""
    text = ast.unparse(node)
    return found.get(text) == "V" or bool(re.fullmatch(r"len\((set\()?\w*(char|vocab|letter|alphabet)\w*\)*", text))


def _is_number(node: ast.expr) -> bool:
    """Whether an expression looks like a number, or several: arithmetic, `len(...)`, `data.shape[1]`."""
    if isinstance(node, ast.Tuple):
        return all(_is_number(e) for e in node.elts)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("len", "int", "float", "max", "min", "round")
    if isinstance(node, ast.BinOp):
        return (_is_number(node.left) or _is_number(node.right)) and not ARRAY.search(ast.unparse(node))
    return isinstance(node, ast.Name | ast.UnaryOp | ast.Attribute) or "shape" in ast.unparse(node)
