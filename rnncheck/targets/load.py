"""Turn a file into a module without running it: imports, definitions and plain constants only, never its training.

What a statement at the top of the file defines is used if the statement is harmless (`plain`). Sizes are overridden
by name as soon as they are assigned, so that `Wxh = randn(hidden_size, vocab_size)` has the shape the case needs. A
file that is opened is a text of V different characters, so `vocab_size = len(set(data))` is V.
"""

import __future__

import ast
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

from rnncheck.targets.plain import is_plain
from rnncheck.targets.rewrite import CLIPPING, Clipping, names_for_old_code, rewrite
from rnncheck.targets.source import Source, read_source
from rnncheck.targets.standins import StandIn, bring, fake_open
from rnncheck.targets.usual import missing, usual

__all__ = ["Loaded", "load"]

AT_ONCE = frozenset(sys.stdlib_module_names | {"numpy"})
PARENTS = 3
HINTS = __future__.annotations.compiler_flag
"""Type hints are not evaluated: what they need may be missing, and nobody misses it."""


class Loaded(ModuleType):
    """A module made of a file. `skipped` maps every name that was not computed to its line, and says so if read.

    What is ours lies in slots, beside the names of the file: it may have a `clipping` of its own.
    """

    __slots__ = ("clipping", "siblings", "skipped")

    def __init__(self, source: Source):
        super().__init__(f"target_{source.path.stem}")
        self.__file__ = str(source.path)
        self.skipped: dict[str, int] = {}
        self.clipping = Clipping()
        self.siblings: dict[Path, ModuleType] = {}

    def __getattr__(self, name: str) -> Any:
        """Say of a name that is missing which file misses it: the name of this module is ours."""
        file, line = Path(vars(self)["__file__"]).name, self.skipped.get(name)
        why = "" if line is None else f": line {line}, which computes it, was not run"
        raise AttributeError(f"{file} defines no {name!r}{why}", name=name, obj=self)


def load(
    source: Source, override: Mapping[str, Any], V: int, widen: bool = False, without_guards: bool = False
) -> Loaded:
    """Run the harmless part of `source`. `override` gives names their values, whatever the file assigns to them.

    With `widen` what the file keeps as float32 becomes float64; `without_guards`, `log(p + 1e-12)` becomes `log(p)`.
    """
    return _Loader(source, override, V, (widen, without_guards)).run()


class _Loader:
    def __init__(
        self,
        source: Source,
        override: Mapping[str, Any],
        V: int,
        changes: tuple[bool, bool],
        parent: Loaded | None = None,
    ):
        self.source, self.override, self.V, self.changes = source, override, V, changes
        self.module = Loaded(source)
        if parent is not None:
            self.module.clipping, self.module.siblings = parent.clipping, parent.siblings
        self.module.siblings[source.path] = self.module
        self.names = self.module.__dict__
        self.names |= names_for_old_code(source.python2)
        self.names |= {"open": fake_open(V), CLIPPING: self.module.clipping}

    def run(self) -> Loaded:
        sys.modules[self.module.__name__] = self.module  # dataclasses look their module up
        tree = deepcopy(self.source.tree)  # a file is loaded once for every size
        rewrite(tree, self.source.python2, *self.changes)
        self._statements(tree.body)
        self.names |= self.override
        return self.module

    def _statements(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            try:
                self._statement(statement)
            except Exception:  # it will be missed, by its name, if something needs it
                self._skip(statement)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import):
            self._import(node)
        elif isinstance(node, ast.ImportFrom):
            self._import_from(node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            node.decorator_list = [d for d in node.decorator_list if not self._stands_in(d)]
            self._execute(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assign(node)
        elif isinstance(node, ast.Try):
            self._statements([*node.body, *(s for h in node.handlers if not _raises(h) for s in self._fallback(h))])
        elif isinstance(node, ast.If) and "__name__" not in ast.unparse(node.test):
            self._branches(node)
        elif isinstance(node, ast.With) and all(is_plain(item.context_expr, self.names) for item in node.items):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name):
                    self._assign(ast.Assign([item.optional_vars], item.context_expr))
            self._statements(node.body)

    def _execute(self, node: ast.stmt) -> None:
        exec(
            compile(ast.fix_missing_locations(ast.Module([node], [])), str(self.source.path), "exec", HINTS), self.names
        )

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        targets = _names(node)
        ours = targets <= set(self.override)
        if targets and ours:
            self.names |= {name: self.override[name] for name in targets}
        elif node.value is not None and is_plain(node.value, self.names):
            ast.copy_location(node, self.source.tree.body[0])
            self._execute(node)
            self.names |= {name: self.override[name] for name in targets & set(self.override)}
        else:
            self._skip(node)

    def _branches(self, node: ast.If) -> None:
        """Follow the branch that a plain condition chooses, and both where it is not plain: one of them defines."""
        try:
            chosen = is_plain(node.test, self.names) and eval(
                compile(ast.Expression(node.test), "", "eval"), self.names
            )
        except Exception:
            chosen = None
        for branch, wanted in ((node.body, chosen is None or chosen), (node.orelse, chosen is None or not chosen)):
            if wanted:
                self._statements(branch)

    def _skip(self, node: ast.stmt) -> None:
        for name in _names(node):
            if name in self.override:
                self.names[name] = self.override[name]
            elif name not in self.names:
                self.module.skipped[name] = getattr(node, "lineno", 0)

    def _fallback(self, handler: ast.ExceptHandler) -> list[ast.stmt]:
        """Return what an `except` defines and the `try` has not."""
        return [s for s in handler.body if not _names(s) or any(self._lacks(n) for n in _names(s))]

    def _lacks(self, name: str) -> bool:
        return name not in self.names or isinstance(self.names[name], StandIn)

    def _stands_in(self, decorator: ast.expr) -> bool:
        root = decorator.func if isinstance(decorator, ast.Call) else decorator
        while isinstance(root, ast.Attribute):
            root = root.value
        return (
            isinstance(root, ast.Name)
            and self._lacks(root.id)
            and root.id not in ("property", "staticmethod", "classmethod")
        )

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            found = self._bring(alias.name, 0)
            if alias.asname is None and "." in alias.name and not isinstance(found, StandIn):
                found = self._bring(alias.name.partition(".")[0], 0)
            self.names[alias.asname or alias.name.partition(".")[0]] = found

    def _import_from(self, node: ast.ImportFrom) -> None:
        found = self._bring(node.module or "", node.level)
        replaced = usual(self.V) if isinstance(found, StandIn) and missing(node.module or "") else {}
        for alias in node.names:
            if alias.name == "*":
                self.names |= replaced if isinstance(found, StandIn) else _public(found)
            elif alias.name in replaced:
                self.names[alias.asname or alias.name] = replaced[alias.name]
            else:
                self.names[alias.asname or alias.name] = _member(found, alias.name, self._bring, node)

    def _bring(self, name: str, level: int) -> Any:
        """Import a file that lies beside this one by our own rules, anything else by Python's."""
        path = self._beside(name, level)
        if path is None:
            return bring(name, AT_ONCE)
        if path not in self.module.siblings:
            _Loader(read_source(path), self.override, self.V, self.changes, self.module).run()
        return self.module.siblings[path]

    def _beside(self, name: str, level: int) -> Path | None:
        here = self.source.path.resolve().parent
        folders = [here, *here.parents][max(level - 1, 0) : max(level, PARENTS)]
        for folder in folders:
            base = folder.joinpath(*name.split(".")) if name else folder
            for path in (base.with_suffix(".py"), base / "__init__.py"):
                if path.is_file() and path != self.source.path.resolve():
                    return path
        return None


def _member(found: Any, name: str, bring_: Any, node: ast.ImportFrom) -> Any:
    if isinstance(found, StandIn):
        return getattr(found, name)
    if hasattr(found, name):
        return _of(found, name)
    return bring_(f"{node.module}.{name}" if node.module else name, node.level)


def _public(module: ModuleType) -> dict[str, Any]:
    names = getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
    return {n: _of(module, n) for n in names if hasattr(module, n) and n != "open"}


def _of(module: Any, name: str) -> Any:
    """Return what a module has under a name: its own before ours, and before what it makes when asked."""
    return vars(module)[name] if name in vars(module) else getattr(module, name)


def _names(node: ast.AST) -> set[str]:
    """Return the plain names that a statement assigns."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if not isinstance(node, ast.stmt):
        return set()
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(statement, ast.Raise) for statement in handler.body)
