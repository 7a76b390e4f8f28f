"""The constants of a file that are sizes, and what they are to be: `hidden_size = 100` is to be H."""

import ast
import re

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
    for node in tree.body:
        if isinstance(node, ast.Assign) and _is_number(node.value):
            for name in (n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)):
                role = size_role(name)
                if role and (len(name) > 1 or name in SINGLE):
                    found[name] = VALUES.get(role, role)
    return {name: value for name, value in found.items() if value}


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
