"""A script that has no function: what its training loop does in one round becomes one, `one_round(inputs, targets)`.

The loop itself is never run. Of its body everything is kept but what fetches the data of the round; the names that
were fetched become the arguments, and whatever the round has computed is returned.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from rnncheck.targets.roles import argument_role

__all__ = ["NAME", "with_round"]

NAME = "one_round"
TRAINS = re.compile(r"back|bptt|grad|loss|train|step|learn|update|optimi|forward|fprop|feed", re.IGNORECASE)
Loop = ast.For | ast.While


def with_round(tree: ast.Module) -> ast.Module:
    """Return the tree with that function at its end, if there is none that trains and a loop that does."""
    defined = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    found = next(_rounds(tree.body, []), None)
    if any(TRAINS.search(name) for name in defined) or found is None:
        return tree
    body, fetched = found
    outside = {name for s in tree.body if not isinstance(s, Loop) for name in _stored(s)}
    first = next(i for i, s in enumerate(body) if isinstance(s, ast.For))  # what stands before it fetches the data
    arguments = _arguments(body, first, {*fetched, *(name for s in body[:first] for name in _stored(s))})
    if not {"x", "y"} <= set(arguments):
        return tree
    if _made_with(arguments.get("h0"), body[:first]) & _read(body) - outside - set(arguments.values()):
        del arguments["h0"]  # the line that makes it makes something else that is needed
    return _with_function(tree, list(arguments.values()), _kept(body, first, set(arguments.values()), fetched), outside)


def _kept(body: Sequence[ast.stmt], first: int, names: set[str], fetched: Sequence[str]) -> list[ast.stmt]:
    """Return the round without what makes the arguments, leaves the loop, or counts what the loop fetches."""
    computes = [s for s in body[:first] if not _stored(s) & names] + list(body[first:])
    counts = [s for s in computes if isinstance(s, ast.AugAssign) and _stored(s) & set(fetched)]
    return [s for s in computes if s not in counts and not any(_leaves(s))]


def _with_function(tree: ast.Module, names: list[str], kept: list[ast.stmt], outside: set[str]) -> ast.Module:
    """Append the function; what the script made and the round replaces stays the script's: it is global."""
    shared = sorted({n for s in kept for n in _stored(s)} & outside & _read(kept) - set(names))
    made = ast.parse(f"def {NAME}({', '.join(names)}): return dict(locals())").body[0]
    assert isinstance(made, ast.FunctionDef)
    made.body = [*([ast.Global(shared)] if shared else []), *kept, *made.body]
    ast.copy_location(made, kept[0])
    return ast.fix_missing_locations(ast.Module([*tree.body, made], tree.type_ignores))


def _rounds(body: Sequence[ast.stmt], fetched: list[str]) -> Iterator[tuple[list[ast.stmt], list[str]]]:
    """Yield the bodies of loops that walk over time twice, with the names that the loops around them set."""
    for s in body:
        if isinstance(s, Loop):
            inside = [*fetched, *_stored(s.target)] if isinstance(s, ast.For) else fetched
            if sum(isinstance(inner, ast.For) for inner in s.body) >= 2:
                yield s.body, inside
            else:
                yield from _rounds(
                    s.body, [*inside, *(n for t in s.body if not isinstance(t, Loop) for n in _stored(t))]
                )
        elif isinstance(s, ast.If | ast.With | ast.Try):
            yield from _rounds(s.body, fetched)


def _arguments(body: Sequence[ast.stmt], first: int, fetched: set[str]) -> dict[str, str]:
    """Return which of the names that were fetched are inputs, targets and initial state.

    Inputs and targets are read where the round walks over time, and nothing is written into any of the three.
    """
    written = {ast.unparse(owner) for s in body for owner in _written_into(s)}
    read = [n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    walked = {n.id for s in body[first:] for n in ast.walk(s) if isinstance(n, ast.Name)}
    found: dict[str, str] = {}
    for name in sorted(fetched & set(read) - written, key=read.index):
        role = argument_role(name)
        if role == "h0" or (role in ("x", "y") and name in walked):
            found.setdefault(role, name)
    return {role: found[role] for role in ("x", "y", "h0") if role in found}


def _written_into(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what is written into: `h` of `h[t] = ...` and of `h.append(...)`."""
    for n in ast.walk(node):
        stores = isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)
        if isinstance(n, ast.Subscript | ast.Attribute) and (stores or getattr(n, "attr", "") in ("append", "insert")):
            yield n.value


def _made_with(name: str | None, statements: Sequence[ast.stmt]) -> set[str]:
    """Return all that the statements which make `name` make."""
    return {made for s in statements if name in _stored(s) for made in _stored(s)}


def _read(statements: Sequence[ast.stmt]) -> set[str]:
    """Return the names whose values are used; `n += 1` uses that of n."""
    nodes = [n for s in statements for n in ast.walk(s)]
    added = {n.target.id for n in nodes if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    return added | {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _leaves(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield what leaves the loop that the round was taken from."""
    if isinstance(node, ast.Break | ast.Continue):
        yield node
    elif not isinstance(node, Loop):
        yield from (n for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt) for n in _leaves(child))
