"""Tiny numbers that are added against a zero, as in `log(p + 1e-12)`: a convention, which is left out on demand.

The gradient p - y that stands beside such a loss is that of log(p), and the loss differs from it in the twelfth
digit: far more than rounding explains, and no mistake. What an optimiser or a clip adds to a root or a norm is part of
its definition and stays; so does a factor such as `1 + 1e-6`, which is never zero.
"""

import ast
import re

__all__ = ["guarded", "unguard"]

LARGEST = 1e-5
NAMED = re.compile(r"^_*(eps|epsilon|tiny|smallest|small)_*\d*$", re.IGNORECASE)
DEFINED = re.compile(r"sqrt|norm|\*\* 0\.5|\bm[WUVb]|mem|cache|ada", re.IGNORECASE)


def guarded(tree: ast.Module) -> bool:
    """Tell whether a file adds such a number somewhere."""
    finder = _Unguard()
    finder.visit(ast.parse(ast.unparse(tree)))
    return finder.found


def unguard(tree: ast.Module) -> None:
    """Leave these numbers out."""
    _Unguard().visit(tree)


class _Unguard(ast.NodeTransformer):
    def __init__(self) -> None:
        self.found = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave what stands under a root."""
        return node if "sqrt" in ast.unparse(node.func) else self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Leave a factor in `a *= 1 + 1e-6`."""
        return node if isinstance(node.op, ast.Mult) and _about_a_number(node.value) else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Drop one side of a sum that guards the other; leave a factor."""
        if isinstance(node.op, ast.Mult) and (_about_a_number(node.left) or _about_a_number(node.right)):
            return node
        self.generic_visit(node)
        if isinstance(node.op, ast.Add):
            for kept, added in ((node.left, node.right), (node.right, node.left)):
                if _is_tiny(added) and not DEFINED.search(ast.unparse(kept)):
                    self.found = True
                    return kept
        return node


def _about_a_number(node: ast.expr) -> bool:
    """Tell whether it is a sum of two numbers, one of them tiny."""
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) else ()
    return any(map(_is_tiny, sides)) and any(isinstance(side, ast.Constant) and not _is_tiny(side) for side in sides)


def _is_tiny(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float) and 0 < node.value <= LARGEST
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):  # 10 ** -8
        return bool(re.fullmatch(r"10(\.0?)? \*\* -\d+", ast.unparse(node)))
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return bool(NAMED.match(name)) or ast.unparse(node).startswith("np.finfo")
