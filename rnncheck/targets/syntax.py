"""Questions about a syntax tree: what is subscripted by which text, which names a function reads, what is imported."""

import ast
from collections.abc import Iterator
from typing import Any

__all__ = ["attributes", "boxed", "free_names", "imported", "keys", "own_nodes"]


def keys(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that are subscripted by a text, each with that text."""
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Subscript)):
        owner, key = node.value, node.slice
        if isinstance(owner, ast.Name) and isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield owner.id, key.value


def attributes(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names of which an attribute is read, each with the attribute."""
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Attribute)):
        if isinstance(node.value, ast.Name):
            yield node.value.id, node.attr


def boxed(tree: ast.Module) -> Iterator[str]:
    """Yield the names that are opened as a tuple of one: `H, = state`."""
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Name)):
        if isinstance(target := node.targets[0], ast.Tuple) and len(target.elts) == 1:
            yield ast.unparse(node.value)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk in order of the source, without entering functions inside the function."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from own_nodes(child)


def free_names(node: ast.FunctionDef) -> set[str]:
    """Return the names a function reads and does not assign; `global` ones count as read."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    declared = {n for g in ast.walk(node) if isinstance(g, ast.Global) for n in g.names}
    arguments: set[Any] = {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
    stored = {n.id for n in names if isinstance(n.ctx, ast.Store)} - declared
    return ({n.id for n in names if isinstance(n.ctx, ast.Load)} | declared) - stored - arguments


def imported(trees: tuple[ast.Module, ...]) -> set[str]:
    """Return the packages that are imported, "" for those beside the file."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    names += [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}
