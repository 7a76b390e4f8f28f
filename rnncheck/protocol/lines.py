"""One line of JSON a case, one line of JSON an answer: what a program in any language reads and writes.

    {"id": 1, "kind": "rnn", "dtype": "float64", "wanted": ["h", ...], "sizes": {...}, "params": {...}, "x": ..., ...}
    {"id": 1, "trace": {"h": [...], "loss": 12.5, ...}}    or    {"id": 1, "not_shown": "no optimiser here"}

`protocol.schema.json` beside this file describes both. A case on the wire carries neither the seed it was drawn from
nor a name that would tell it: whoever knew either could look the answer up.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from rnncheck.case import KINDS, Case, RNNCase, SampleCase
from rnncheck.errors import NotShownError, TargetError
from rnncheck.protocol.numbers import NotNumbersError, decode_array, encode_array
from rnncheck.trace import ORDER, Trace, expected_arrays

__all__ = [
    "ProtocolError",
    "answer_line",
    "case_line",
    "longest_answer",
    "open_answer",
    "parse_object",
    "plain_text",
    "read_answer",
    "read_array",
    "read_case",
    "read_trace",
]

WHOLE = ("y", "first", "tokens")
"""Arrays of whole numbers, whatever the dtype of the case; `x` is one when it has no axis for a vector."""
ARRAYS = ("x", "y", "h0", "dloss", "first", "uniforms")
NO_SETTINGS = ("id", "kind", "dtype", "wanted", "sizes")
Id = int | str


class ProtocolError(TargetError):
    """A program wrote what the protocol does not allow: the line is quoted."""


def case_line(case: Case, id: Id, **more: Any) -> str:
    """Write a case as one line, without its name and seed; `more` fields are for a reader that knows them."""
    settings = {name: value for name, value in case.settings().items() if name not in ("name", "seed")}
    line: dict[str, Any] = {"id": id, "kind": case.kind, "dtype": str(case.dtype), "wanted": expected_arrays(case)}
    if isinstance(case, RNNCase):
        line["sizes"] = case.sizes
    for name, array in case.arrays().items():
        group, dot, member = name.partition(".")
        if dot:
            line.setdefault(group, {})[member] = encode_array(array)
        else:
            line[name] = encode_array(array)
    return json.dumps(line | settings | more)


def read_case(fields: Mapping[str, Any]) -> Case:
    """Read back the case that a line holds; its name is its id, its seed unknown."""
    dtype = np.dtype(fields["dtype"])
    arrays, settings = {}, {"name": str(fields["id"]), "seed": 0}
    for name, value in fields.items():
        if isinstance(value, dict) and name != "sizes":
            arrays.update({f"{name}.{member}": decode_array(v, dtype) for member, v in value.items()})
        elif name in ARRAYS:
            arrays[name] = read_array(name, value, dtype)
        elif name not in NO_SETTINGS:
            settings[name] = value
    return KINDS[fields["kind"]].from_parts(arrays, settings)


def longest_answer(case: Case) -> int:
    """Return how many bytes an answer may have: twice what its numbers take, and room for words.

    A line is held in memory, and its lists take ten times its length there: whoever writes more is stopped early.
    """
    if isinstance(case, RNNCase):
        s = case.sizes
        numbers = s["T"] * s["B"] * (3 * s["H"] + 2 * s["V"] + s["I"] + 1) + s["B"] * s["H"]
        numbers += sum(array.size for array in case.params.values())
    elif isinstance(case, SampleCase):
        numbers = case.uniforms.size * (1 + len(case.params["W_hy"]))
    else:
        numbers = sum(array.size for array in case.arrays().values())
    return 2**16 + 64 * numbers


def answer_line(id: Id, trace: Trace) -> str:
    """Write a Trace as one line."""
    return json.dumps({"id": id, "trace": {name: encode_array(array) for name, array in trace.items()}})


def read_answer(line: str | bytes, case: Case, id: Id) -> Trace:
    """Read the answer to the case that was sent under `id`. Errors as in `open_answer` and `read_trace`."""
    return read_trace(open_answer(line, id), case, line)


def open_answer(line: str | bytes, id: Id) -> dict[str, Any]:
    """Return the fields of the answer to what was sent under `id`.

    Raises
    ------
    NotShownError
        If the answer says that such cases are not offered.
    TargetError
        If it says what went wrong.
    ProtocolError
        If the line is no JSON object, or answers something else.
    """
    fields = parse_object(line)
    if fields.get("id") != id:
        _refuse(f"has the id {_shorten(fields.get('id'))}, expected {id!r}; answer each line as it comes, once", line)
    if "not_shown" in fields:
        raise NotShownError(plain_text(str(fields["not_shown"])))
    if "error" in fields:
        raise TargetError(plain_text(str(fields["error"])))
    return fields


def plain_text(text: str, most: int = 1000) -> str:
    """Return somebody else's text so that it can be shown: what moves the cursor or changes colours is spelled out."""
    shown = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text[:most])
    return shown if len(text) <= most else f"{shown}..."


def read_trace(fields: Mapping[str, Any], case: Case, line: str | bytes) -> Trace:
    """Return the arrays under `trace`, floating ones in the dtype of the case; `line` is for quoting.

    Raises
    ------
    ProtocolError
        If there is no trace, it has an array that no Trace of this case has, or holds what is no array of numbers.
    """
    trace = fields.get("trace")
    if not isinstance(trace, dict):
        _refuse('has no "trace"; write {"id": ..., "trace": {"h": ...}} or {"id": ..., "not_shown": "why"}', line)
    known = expected_arrays(case)
    unknown = [name for name in trace if name not in known and not (isinstance(case, RNNCase) and name in ORDER)]
    if unknown:
        _refuse(f"shows {unknown[0]!r}, which is no array of this case; they are {', '.join(known)}", line)
    found = {}
    for name in (name for name in known if name in trace):
        try:
            found[name] = read_array(name, trace[name], case.dtype)
        except NotNumbersError as why:
            _refuse(f"{name} {why}", line)
    return found


def parse_object(line: str | bytes) -> dict[str, Any]:
    """Return the JSON object that `line` is."""
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        _refuse("is not a JSON object; write one object a line and nothing else: messages go to standard error", line)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON: write the string")


def read_array(name: str, value: Any, dtype: np.dtype) -> np.ndarray:
    """Read the array `name` of a case or Trace whose floating arrays are of `dtype`."""
    ids = name == "x" and not isinstance(value[0][0], list)
    return decode_array(value, np.dtype(np.int64) if ids or name in WHOLE else dtype)


def _refuse(what: str, line: str | bytes) -> NoReturn:
    text = line.decode("utf-8", "backslashreplace") if isinstance(line, bytes) else line
    raise ProtocolError(f"the line {_shorten(text.strip())} {what}")


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
