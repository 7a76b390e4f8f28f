"""All parameters in one vector, as optimisers want them: `theta`, with a gradient of the same length.

The file cuts it into its parts somewhere, `Wxh, Whh, Why, bh, by = unpack(theta)`, and the names there say in which
order they lie. The parts are written as pieces of the vector, so that an adapter can say them, too.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from rnncheck.targets.places import Place
from rnncheck.targets.roles import parameter_role

__all__ = ["LENGTH", "flat_options", "piece_of"]

SHAPES = {"W_xh": ("H", "I"), "W_hh": ("H", "H"), "W_hy": ("V", "H"), "b_h": ("H",), "b_y": ("V",)}
LENGTH = "H*I + H*H + V*H + H + V"


def flat_options(
    places: Sequence[Place], trees: Sequence[ast.Module], sizes: Mapping[str, int]
) -> list[dict[str, str]]:
    """Return the ways to read one vector as all parameters: matrices kept for columns, or for rows."""
    for place in places:
        for order in _orders(trees):
            length = sum(eval("*".join(SHAPES[role]), dict(sizes)) for role in order)
            if place.shape == (length,):
                return [_pieces(place.expression, order, turned) for turned in (False, True)]
    return []


def _pieces(vector: str, order: Sequence[str], turned: bool) -> dict[str, str]:
    """Write every part as a piece of the vector; without spaces around +, which would make two places of one."""
    found, start = {}, "0"
    for role in order:
        end = f"{start}+{'*'.join(SHAPES[role])}".removeprefix("0+")
        piece, shape = f"{vector}[{start}:{end}]", SHAPES[role]
        if len(shape) == 2:
            piece += f".reshape({','.join(reversed(shape) if turned else shape)})" + ".T" * turned
        found[role], start = piece, end
    return found


def _orders(trees: Sequence[ast.Module]) -> Iterator[tuple[str, ...]]:
    """Yield the orders in which a file unpacks its parameters: names on the left of one call, or line by line."""
    for tree in trees:
        for f in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
            lines = [n for n in ast.walk(f) if isinstance(n, ast.Assign)]
            left = [n.targets[0].elts for n in lines if isinstance(n.targets[0], ast.Tuple) and _is_call(n.value)]
            cut = [n.targets[0] for n in sorted(lines, key=lambda n: n.lineno) if "[" in ast.unparse(n.value)]
            for names in (*left, cut):
                roles = [role for n in names if isinstance(n, ast.Name) and (role := parameter_role(n.id))]
                if {"W_xh", "W_hh"} <= set(roles) and len(set(roles)) == len(roles):
                    yield tuple(roles)


def _is_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call)


def piece_of(place: str, whole: str) -> tuple[str, str] | None:
    """Return the vector that a place is a piece of, and the same piece of another one; None if it is none."""
    cut = re.fullmatch(r"(.+?)(\[[^\]:]*:[^\]]*\].*)", place)
    return (cut[1], whole + cut[2]) if cut else None
