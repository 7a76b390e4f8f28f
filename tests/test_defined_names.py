"""Every name that a function looks up exists.

Shapes in annotations are strings that look like undefined names to ruff and mypy, so both are told to say nothing about
undefined names at all. A symbol table never reads those strings: here the question can be asked.
"""

import builtins
import symtable
from collections.abc import Iterator
from pathlib import Path

import pytest

import numpy_impl
import reference
import rnncheck

FILES = sorted(path for p in (numpy_impl, reference, rnncheck) for path in Path(p.__path__[0]).rglob("*.py"))
ALWAYS = set(dir(builtins)) | {"__file__"}


def undefined(text: str) -> list[str]:
    """Return the global names that `text` looks up anywhere and defines nowhere."""
    module = symtable.symtable(text, "text", "exec")
    defined = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported()}
    return sorted(set(looked_up(module)) - defined - ALWAYS)


def looked_up(table: symtable.SymbolTable) -> Iterator[str]:
    at_top = table.get_type() == "module"
    yield from (s.get_name() for s in table.get_symbols() if s.is_referenced() and (at_top or s.is_global()))
    for inner in table.get_children():
        yield from looked_up(inner)


def test_all_names_are_defined() -> None:
    assert len(FILES) > 80
    assert {str(path): names for path in FILES if (names := undefined(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def f(x):\n    return Gone(x)", ["Gone"]),
        ("class A:\n    def f(self):\n        return [gone for _ in self]", ["gone"]),
        ("x = lambda: gone + also", ["also", "gone"]),
        ("import os\ndef f(x: 'T B', n=3):\n    y = len(x)\n    return os, y, n, f, __file__", []),
    ],
)
def test_an_undefined_name_is_seen(text: str, names: list[str]) -> None:
    assert undefined(text) == names
