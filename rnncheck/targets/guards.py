"""Tiny numbers that are added against a zero, as in `log(p + 1e-12)`: a convention, which is left out on demand.

The gradient p - y that stands beside such a loss is that of log(p), and the loss differs from it in the twelfth
digit: far more than rounding explains, and no mistake. What an optimiser or a clip adds to a root or a norm is part of
its definition and stays; so does a factor such as `1 + 1e-6`, which is never zero. The step of a numerical gradient
guards nothing: `w + eps` stays beside `w - eps`, and in `w[i] = kept + eps` where something is divided by eps.
"""

import ast
import re
from collections.abc import Iterator

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
        self.steps: set[str] = set()  # sums that are steps of a numerical gradient

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Look for numerical gradients outside of functions."""
        self.steps = set(_steps([s for s in node.body if not isinstance(s, ast.FunctionDef | ast.ClassDef)]))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Look for numerical gradients in a function, and in those around it."""
        around, self.steps = self.steps, self.steps | set(_steps(node.body))
        self.generic_visit(node)
        self.steps = around
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave what stands under a root."""
        return node if "sqrt" in ast.unparse(node.func) else self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Leave a factor in `a *= 1 + 1e-6`."""
        return node if isinstance(node.op, ast.Mult) and _about_a_number(node.value) else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Drop one side of a sum that guards the other; leave a factor, and a step."""
        if ast.unparse(node) in self.steps:
            return node
        if isinstance(node.op, ast.Mult) and (_about_a_number(node.left) or _about_a_number(node.right)):
            return node
        self.generic_visit(node)
        if isinstance(node.op, ast.Add):
            for kept, added in ((node.left, node.right), (node.right, node.left)):
                if _is_tiny(added) and not DEFINED.search(ast.unparse(kept)):
                    self.found = True
                    return kept
        return node


def _steps(statements: list[ast.stmt]) -> Iterator[str]:
    """Yield the sums of a tiny number whose difference stands there too, or that go into an array for a quotient."""
    nodes = [node for statement in statements for node in ast.walk(statement)]
    sums = [node for node in nodes if isinstance(node, ast.BinOp)]
    less = {(ast.unparse(s.left), ast.unparse(s.right)) for s in sums if isinstance(s.op, ast.Sub)}
    divisors = " ".join(ast.unparse(s.right) for s in sums if isinstance(s.op, ast.Div) and not _adds(s.right))
    assigned = [n.value for n in nodes if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Subscript)]
    for one in filter(_adds, sums):
        sides = ast.unparse(one.left), ast.unparse(one.right)
        into = one in assigned and any(
            re.search(rf"(?<!\w){re.escape(side)}(?!\w)", divisors)
            for side, node in zip(sides, (one.left, one.right), strict=True)
            if _is_tiny(node)
        )
        if into or sides in less or sides[::-1] in less:
            yield ast.unparse(one)


def _adds(node: ast.expr) -> bool:
    """Tell whether it is a sum."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)


def _about_a_number(node: ast.expr) -> bool:
    """Tell whether it is a sum of two numbers, one of them tiny."""
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) and _adds(node) else ()
    return any(map(_is_tiny, sides)) and any(isinstance(side, ast.Constant) and not _is_tiny(side) for side in sides)


def _is_tiny(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float) and 0 < node.value <= LARGEST
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):  # 10 ** -8
        return bool(re.fullmatch(r"10(\.0?)? \*\* -\d+", ast.unparse(node)))
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return bool(NAMED.match(name)) or ast.unparse(node).startswith("np.finfo")
