"""What an error asks for: a call that was nearly right is made once more, as the error says.

Ids are arrays unless the code wants a list of them (`if not inputs`), or the text that they stand for
(`char_to_ix[inputs[t]]`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rnncheck.targets.adapter import Adapter
from rnncheck.targets.places import attributes

__all__ = ["asked_for"]

WANTS_LIST = re.compile(
    r"The truth value of an array|'numpy.ndarray' object has no attribute '(append|extend|index|insert|pop)'"
    r"|unhashable type: 'numpy.ndarray'|can only concatenate (list|tuple)"
)
WANTS_TEXT = re.compile(r"'(numpy\.)?int\w*' object is not (iterable|subscriptable)|expected str")


def asked_for(error: Exception, adapter: Adapter, file: Any, rnn: Any) -> Adapter | None:
    """Return the adapter that gives what was wanted, or None."""
    ids = [name for name in ("x", "y") if adapter.axes.get(name) == "T"]
    if not ids:
        return None
    if WANTS_LIST.search(str(error)):
        return replace(adapter, axes=dict(adapter.axes) | dict.fromkeys(ids, "[T]"))
    no_such_id = isinstance(error, KeyError) and not isinstance(error.args[0], str)
    if (no_such_id or WANTS_TEXT.search(str(error))) and "chars = " not in adapter.make:
        tables = [*_tables(attributes(rnn), "rnn"), *_tables(attributes(file), "file")]
        return _with_text(adapter, ids, tables[0]) if tables else None
    return None


def _tables(names: Mapping[str, Any], owner: str) -> list[str]:
    """Return the tables from characters to ids: `char_to_ix`."""
    return [f"{owner}.{name}" for name, value in names.items() if isinstance(value, dict) and _counts(value)]


def _counts(table: Mapping[Any, Any]) -> bool:
    """Tell whether a table numbers characters: 0, 1, 2 ..., in any order."""
    if not table or not all(isinstance(c, str) and len(c) == 1 and isinstance(i, int) for c, i in table.items()):
        return False
    return sorted(table.values()) == list(range(len(table)))


def _with_text(adapter: Adapter, ids: list[str], table: str) -> Adapter:
    """Turn ids into the text that the file's own table makes the same ids of."""
    make = "; ".join([*filter(None, [adapter.make]), f"chars = {{i: c for c, i in {table}.items()}}"])
    calls = list(adapter.calls)
    for name in ids:
        text = f"''.join(chars[i] for i in {name})"
        calls = [re.sub(rf"(?<![\w.'\"]){name}(?!\w|\s*=[^=])", text, call) for call in calls]
    return replace(adapter, make=make, calls=tuple(calls))
