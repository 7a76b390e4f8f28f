"""Targets over a pipe: what is found goes out as plain data, and plain data makes an implementation elsewhere."""

import ast
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rnncheck.errors import NotJudgedError, UserError
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.handwritten import HandWritten, defines_adapter, defines_run
from rnncheck.targets.perform import Adapted
from rnncheck.targets.script import NAME
from rnncheck.targets.source import Source, read_source
from rnncheck.targets.written import adapter_from

__all__ = ["look", "make"]

MOST = 8


def look(argument: dict[str, Any]) -> dict[str, Any]:
    """Say how the file `path`, or what it calls `name`, is to be called: what `make` needs to be told.

    It tries the file out, so it runs its definitions; it needs no stored answer.
    """
    path, name = Path(argument["path"]), argument.get("name")
    source = read_source(path)
    fields_ = defines_adapter(source)
    if fields_ is not None:
        adapter = adapter_from(fields_, path.name)
        return {"path": str((path.parent / adapter.source).resolve()), "adapter": asdict(adapter), "found": False}
    if run := defines_run(source, name):
        return {"path": str(path.resolve()), "run": run}
    if name is not None:
        _require(name, source)
    from rnncheck.targets.search import find

    try:
        return {"path": str(path.resolve()), "adapter": asdict(find(source, name).adapter), "found": True}
    except NotJudgedError as why:
        return {"not_judged": str(why)}


def make(argument: dict[str, Any]) -> Adapted | HandWritten:
    """Make the implementation that `look` has described."""
    source = read_source(Path(argument["path"]))
    if "run" in argument:
        return HandWritten(source, argument["run"])
    return Adapted(Adapter(**argument["adapter"]), source=source)


def _require(name: str, source: Source) -> None:
    """Refuse a name that the file nowhere mentions: it is misspelt, and what it has is not to blame."""
    if re.search(rf"\b{re.escape(name)}\b", source.text):
        return
    kinds = (ast.ClassDef, ast.FunctionDef)
    offered = [node.name for node in source.tree.body if isinstance(node, kinds) and node.name != NAME]
    has = f"it has {', '.join(offered[:MOST])}" + (" and others" if len(offered) > MOST else "")
    raise UserError(
        f"{source.path.name}: there is no class or function {name}; {has if offered else 'leave the name out'}"
    )
