"""The judge's man in the child: loads a target, hands it cases, sends back what it computed.

It runs beside code that nobody trusts, in a copy of a few modules of this package under another name (`bundle`). It
knows no right answer, and whatever it says is judged elsewhere.

What a caller in the same process would see happen to its own arrays is reported with every answer: `inputs`, arrays of
the case that were written into; `overwritten`, arrays of the answer before that have changed since; `shared`, arrays
of this answer that share memory. These three are observations in the child, and hostile code can forge them.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from rnncheck.case import Case
from rnncheck.errors import NotShownError, UserError
from rnncheck.protocol.lines import read_case
from rnncheck.protocol.numbers import encode_array

__all__ = ["main"]

Arrays = Mapping[str, np.ndarray]
Message = dict[str, Any]


def main() -> None:
    """Say that all is loaded; make what the first line asks for; send that if it is data, serve it if it can run.

    The line names a function to call, `entry` ("module:function"), its `argument`, and the target: its `folder` is
    where it finds its neighbours.
    """
    receive, send = _private_pipes()
    send(json.dumps({"started": True}))
    order = json.loads(receive.readline())
    sys.path.insert(0, order["folder"])
    made: list[Any] = []

    def make() -> Message:
        module, _, function = order["entry"].partition(":")
        made.append(getattr(importlib.import_module(module), function)(order["argument"]))
        return {"ready": None if hasattr(made[0], "run") else made[0]}

    send(_guarded({}, make))
    if made and hasattr(made[0], "run"):
        _serve(Calls(made[0]), receive, send)


def _serve(calls: "Calls", receive: Iterable[bytes], send: Callable[[str], None]) -> None:
    """Answer line after line: a case, and how to ask for it if not by `run`."""
    for line in receive:
        fields = json.loads(line)
        how = fields.pop("how", {})
        case = read_case(fields)
        send(_guarded({"id": fields["id"]}, partial(calls.answer, case, **how)))


def _private_pipes() -> tuple[Any, Callable[[str], None]]:
    """Keep the pipes to the judge for ourselves: the target reads nothing, and what it prints goes to its log."""
    receive, out = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    write, exit_now = os.write, os._exit

    def send(line: str) -> None:
        rest = memoryview(line.encode() + b"\n")
        try:
            while rest:
                rest = rest[write(out, rest) :]
        except OSError:  # the target has closed our descriptor: there is nobody to tell
            exit_now(1)

    return receive, send


class Calls:
    """Calls an implementation, and watches what it does to the arrays that it was given and has given."""

    def __init__(self, implementation: Any):
        self._implementation = implementation
        self._latest: list[tuple[str, np.ndarray, np.ndarray]] = []

    def answer(self, case: Case, method: str = "run", options: Mapping[str, Any] | None = None) -> Message:
        """Call the method; the result of `run` is a Trace, of others whatever JSON holds."""
        given = {name: array.copy() for name, array in case.arrays().items()}
        found = getattr(self._implementation, method)(case, **(options or {}))
        if method != "run":
            return {"result": found}
        trace = {name: np.asarray(array) for name, array in found.items()}
        for name, array in trace.items():
            if array.dtype.kind not in "iuf":
                raise TypeError(f"{name} is an array of {array.dtype}, expected numbers")
        message = {
            "trace": {name: encode_array(array) for name, array in trace.items()},
            "dtypes": {name: str(array.dtype) for name, array in trace.items()},
            "inputs": {n: encode_array(a) for n, a in case.arrays().items() if not _same(a, given[n])},
            "overwritten": [name for name, array, kept in self._latest if not _same(array, kept)],
            "shared": _shared(trace, case.arrays()),
        }
        self._latest = [(name, array, array.copy()) for name, array in trace.items()]
        return message


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    return np.array_equal(one, two, equal_nan=one.dtype.kind == "f")


def _shared(trace: Arrays, inputs: Arrays) -> list[tuple[str, str]]:
    """Return the arrays of the trace that share memory with each other, or with an input."""
    named = [*trace.items(), *((f"the input {name}", array) for name, array in inputs.items())]
    pairs = [pair for pair in combinations(named, 2) if pair[0][0] in trace]
    return [(a, b) for (a, one), (b, two) in pairs if np.may_share_memory(one, two) and np.shares_memory(one, two)]


def _guarded(head: Message, work: Callable[[], Message]) -> str:
    """Return as JSON what `work` returns, or what it raised, `sys.exit` included."""
    try:
        return json.dumps(head | work())
    except NotShownError as why:
        said = {"not_shown": str(why)}
    except UserError as why:
        said = {"refused": str(why)}
    except SystemExit as stop:
        said = {"error": f"called sys.exit({stop.code!r})"}
    except BaseException as error:
        said = {"error": f"raised {type(error).__name__}: {error}{_place(error)}"}
    return json.dumps(head | said)


def _place(error: BaseException) -> str:
    """Say in which line of the target's own folder it happened."""
    folder = sys.path[0]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.dirname(f.filename) == folder]
    if not frames:
        return ""
    last = frames[-1]
    return f" ({os.path.basename(last.filename)}, line {last.lineno}, in {last.name})"
