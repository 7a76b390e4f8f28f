"""Targets over a pipe: what is found goes out as plain data, and plain data makes an implementation elsewhere."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rnncheck.errors import NotJudgedError, UserError
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.handwritten import HandWritten, defines_adapter, defines_run
from rnncheck.targets.perform import Adapted
from rnncheck.targets.source import read_source

__all__ = ["adapter_from", "look", "make"]


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


def adapter_from(values: dict[str, Any], file: str) -> Adapter:
    """Build an Adapter from fields that somebody wrote.

    Raises
    ------
    UserError
        If a field is unknown or a needed one is missing.
    """
    known = {f.name for f in fields(Adapter)}
    if unknown := sorted(set(values) - known):
        raise UserError(f"{file}: Adapter has no field {unknown[0]!r}; its fields are {', '.join(sorted(known))}")
    if missing := [n for n in ("source", "calls", "params") if n not in values]:
        raise UserError(f"{file}: the Adapter lacks {missing[0]!r}; `rnncheck new FILE` writes one with every field")
    return Adapter(**values)
