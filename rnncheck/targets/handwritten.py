"""For what no adapter can say: a file of one's own with a function `run(case)` that returns the Trace."""

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from rnncheck.case import Case
from rnncheck.errors import UserError
from rnncheck.targets.load import load
from rnncheck.targets.source import Source
from rnncheck.trace import Trace

__all__ = ["HandWritten", "defines_adapter", "defines_run"]


class HandWritten:
    """The implementation that a function `run(case)`, or a class with that method, makes."""

    def __init__(self, source: Source, name: str):
        self.name = source.path.name
        module = load(source, {}, V=27)
        module.clipping.on = True  # it is asked for what it writes down: to clip, where a case is about clipping
        thing = vars(module).get(name)
        if thing is None:
            raise UserError(f"{source.path.name}: {name} could not be defined; import what it needs at the top")
        self._run: Any = thing().run if isinstance(thing, type) else thing

    def run(self, case: Case) -> Trace:
        """Call the function; a result that is no dictionary of arrays is a mistake worth a sentence."""
        trace = self._run(case)
        if not isinstance(trace, Mapping):
            raise TypeError(f"run returned a {type(trace).__name__}, expected a dictionary of arrays by name")
        return {str(name): np.asarray(array) for name, array in trace.items()}


def defines_run(source: Source, name: str | None) -> str | None:
    """Return the function or class of the file that is `run(case)` or has it, or None."""
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == (name or "run") and _takes_case(node, 0):
            return node.name
        if isinstance(node, ast.ClassDef) and name in (None, node.name):
            methods = [m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "run"]
            if any(_takes_case(m, 1) for m in methods):
                return node.name
    return None


def _takes_case(node: ast.FunctionDef, at: int) -> bool:
    return len(node.args.args) == at + 1 and node.args.args[at].arg == "case"


def defines_adapter(source: Source) -> dict[str, Any] | None:
    """Return the fields of the `Adapter(...)` that the file assigns, or None. They are read, not run.

    Raises
    ------
    UserError
        If a field is more than a literal.
    """
    for node in source.tree.body:
        call = node.value if isinstance(node, ast.Assign) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == "Adapter":
            try:
                return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
            except ValueError:
                raise UserError(
                    f"{source.path.name}, line {call.lineno}: the fields of an Adapter are strings, lists and "
                    "dictionaries written out; for more, write a function run(case)"
                ) from None
    return None
