"""Weights that an object has not got when it is made: `build(input_dim)` makes them, or the first line of `fit`.

If a method that makes them wants sizes only, it is called. Where the training makes them in passing, the names say
what they are; beside them stand the sizes that the same lines would have set.
"""

import ast
import re
from collections.abc import Iterator

from rnncheck.targets.places import attributes
from rnncheck.targets.roles import parameter_role, size_role
from rnncheck.targets.survey import Class, Function

__all__ = ["builders", "settled", "unset"]

BUILDS = re.compile(r"build|init|weight|param|setup|set_up|compile|create", re.IGNORECASE)
LATER = re.compile(r"^_*(build|init(iali[sz]e)?)_?(param(eter)?s|weights|layers?|cells?)?$", re.IGNORECASE)
"""It may make the weights by way of an object that has them: `self.cell = RNNCell(...)`."""
FLAG = re.compile(r"built|initiali[sz]ed|is_?init|ready|created|fitted", re.IGNORECASE)
VALUES = {n: n for n in ("H", "V", "I", "T", "B", "k", "lr")} | {"O": "V"}
SHAPE = {"input_shape": "(T, I)", "shape": "(T, I)", "optimizer": "SGD(lr)", "optimiser": "SGD(lr)", "opt": "SGD(lr)"}
"""Arguments that are no number; `SGD` is what `rnncheck.targets.descent` calls by that name."""


def builders(cls: Class) -> Iterator[str]:
    """Yield the statements that may make the weights."""
    for f in cls.methods.values():
        builds = BUILDS.search(f.name) and (len(_weights(f)) >= 2 or LATER.search(f.name))
        if f.name != "__init__" and builds:
            values = [_size(name) for name in f.required]
            if all(values):
                call = f"rnn.{f.name}({', '.join(v for v in values if v)})"
                yield "; ".join([*sizes_of_attributes(unset(cls)), call])


def _size(name: str) -> str | None:
    return SHAPE.get(name) or VALUES.get(size_role(name) or "")


def unset(cls: Class) -> tuple[str, ...]:
    """Return the attributes that methods read and no `__init__` sets, or sets to None."""
    init = cls.methods.get("__init__")
    known = set() if init is None else {name for name, value in _assigned(init) if not _is_none(value)}
    nodes = [n for f in cls.methods.values() for n in ast.walk(f.node)]
    read = [n.attr for n in nodes if isinstance(n, ast.Attribute) and _of_self(n) and _loaded(n)]
    return tuple(n for n in dict.fromkeys(read) if n not in known and n not in cls.methods)


def sizes_of_attributes(names: tuple[str, ...]) -> list[str]:
    """Return statements that set attributes which are called like sizes."""
    sizes = {name: VALUES.get(size_role(name) or "") for name in names if len(name) > 1}
    return [f"rnn.{name} = {size}" for name, size in sizes.items() if size]


def settled(names: tuple[str, ...], rnn: object) -> list[str]:
    """Return statements for what the making of the weights would have set besides: sizes, and that they are made."""
    flags = [name for name, value in attributes(rnn).items() if value is False and FLAG.search(name)]
    return [*sizes_of_attributes(names), *(f"rnn.{name} = True" for name in flags)]


def _weights(f: Function) -> set[str]:
    """Return the weights that a method sets as attributes, or as entries of a dictionary."""
    return {name for name, value in _assigned(f) if parameter_role(name) and not _is_none(value)}


def _assigned(f: Function) -> Iterator[tuple[str, ast.expr]]:
    """Yield the attributes of `self`, and the keys of dictionaries, that a method sets, with the value."""
    for node in ast.walk(f.node):
        if isinstance(node, ast.Assign):
            for target in (t for top in node.targets for t in ast.walk(top)):
                if isinstance(target, ast.Attribute) and _of_self(target):
                    yield target.attr, node.value
                elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                    yield str(target.slice.value), node.value
            if isinstance(node.value, ast.Dict):
                keys = zip(node.value.keys, node.value.values, strict=True)
                yield from ((str(k.value), v) for k, v in keys if isinstance(k, ast.Constant))


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _loaded(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Load)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
