"""A Python target in a process of its own, and the same face as any implementation.

The child holds a few modules under another name and no right answer; the judging happens here.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from rnncheck.case import Case
from rnncheck.errors import NotShownError, TargetError, UserError
from rnncheck.protocol.lines import (
    ProtocolError,
    case_line,
    longest_answer,
    open_answer,
    parse_object,
    plain_text,
    read_array,
    read_trace,
)
from rnncheck.sandbox.bundle import NAME, bundle, without_ours
from rnncheck.sandbox.child import Child
from rnncheck.sandbox.launch import answers
from rnncheck.sandbox.limits import Limits, MiB
from rnncheck.sandbox.sandbox import Sandbox
from rnncheck.stopwatch import phase
from rnncheck.trace import Trace

__all__ = ["Observed", "SandboxedTarget", "ask_apart"]

START = "import json, sys; sys.path += json.loads(sys.argv[1]); from {package}.sandbox.runner import main; main()"
GREETING = 4 * MiB
LONGEST_TEXT = 10_000


class Observed(dict[str, np.ndarray]):
    """A Trace, and which of its arrays shared memory where they were computed."""

    shared: Sequence[tuple[str, str]] = ()


class SandboxedTarget:
    """Runs what `entry` makes of `argument`: a function of the bundle, or one that the target itself offers.

    "rnntarget.targets.perform:adapted" is the first kind, "my_rnn:make" the second, where `my_rnn.py` lies beside
    `path`. What it returns has a method `run(case)`, like any implementation.

    What the target does in its process to the arrays it was given, and to those it gave, is done to ours: a check of
    state sees the same as if it ran here.
    """

    def __init__(self, path: Path, entry: str, argument: Any, limits: Limits | None = None, *, namespaces: bool = True):
        path = path.resolve()
        self.name = path.name
        self.ready: Any = None
        code, packages = bundle()
        folder = without_ours(path.parent, Path(tempfile.mkdtemp(dir=code.parent)) / "beside")
        self._order = {"entry": entry, "argument": argument, "folder": str(folder)}
        self._asked = 0
        self._latest: Trace = {}
        self.sandbox = Sandbox(
            [sys.executable, "-I", "-S", "-c", START.format(package=NAME), json.dumps([str(code), str(packages)])],
            limits or Limits(),
            cwd=path.parent,
            needs=(path, path.parent, code.parent),
            greet=self._greet,
            namespaces=namespaces,
        )

    @property
    def protections(self) -> tuple[str, ...]:
        """What is in force while the target runs, in sentences. Starts it."""
        self.sandbox.start()
        return self.sandbox.protections

    def be(self, argument: Any) -> "SandboxedTarget":
        """Take what `entry` is to be given, where it was not known when the child was to load already."""
        self._order["argument"] = argument
        return self

    def run(self, case: Case, **options: Any) -> Trace:
        """Send the case, without its name, and read the Trace; `options` go to the method of the target."""
        fields, line = self._ask(case, "run", options)
        trace = Observed(read_trace(fields, case, line))
        try:
            trace |= {name: array.astype(fields["dtypes"][name]) for name, array in trace.items()}
            self._do_likewise(case, fields)
            trace.shared = [(str(one), str(two)) for one, two in fields["shared"]]
        except (KeyError, TypeError, ValueError) as error:  # the target has forged the line, and badly
            raise ProtocolError(f"the line was not written by the runner: {type(error).__name__}") from None
        self._latest = trace
        return trace

    def call(self, method: str, case: Case, **options: Any) -> Any:
        """Call another method of the target with the case; the result is what JSON holds."""
        return self._ask(case, method, options)[0].get("result")

    def _ask(self, case: Case, method: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        self._asked += 1
        how = {"method": method, "options": options}  # apart from the case: a clipping case has a method too
        question, most = case_line(case, self._asked, how=how), 2 * longest_answer(case)
        line = self.sandbox.ask(question, most)
        if self._late(line):
            self.sandbox.stop()
            line = self.sandbox.ask(question, most)
        try:
            return open_answer(line, self._asked), line
        except ProtocolError:
            self.sandbox.stop()  # what comes next would be taken for the answer to another case
            raise

    def _late(self, line: bytes) -> bool:
        """Tell whether the line answers an earlier case: the target has spoken for the runner, who then spoke too."""
        with suppress(ProtocolError):
            id = parse_object(line).get("id")
            return isinstance(id, int) and id < self._asked
        return False

    def _do_likewise(self, case: Case, fields: Mapping[str, Any]) -> None:
        """Change the arrays of the case, and of the Trace before, as the target has changed its own."""
        given = case.arrays()
        for name, value in fields["inputs"].items():
            given[name][...] = read_array(name.rpartition(".")[2], value, case.dtype)
        for name in fields["overwritten"]:
            self._latest[name][...] = -1

    def _greet(self, child: Child) -> None:
        self.ready = greet(child, self._order)


def ask_apart(path: Path, entry: str, argument: Any, limits: Limits | None = None, *, namespaces: bool = True) -> Any:
    """Call `entry` of this package with `argument` in a child that has `path` and all our code, but no stored answer.

    It is for looking at a target before it is judged: what comes back is data, to be used as such.
    """
    limits = limits or Limits()
    order = {"entry": entry, "argument": argument, "folder": str(path.resolve().parent)}
    found: list[Any] = []
    sandbox = Sandbox(
        [sys.executable, "-I", "-S", "-c", START.format(package="rnncheck"), json.dumps(sys.path)],
        limits,
        cwd=path.resolve().parent,
        needs=(path.resolve(), path.resolve().parent, *(Path(p) for p in sys.path if p)),
        hidden=answers(),
        greet=lambda child: found.append(greet(child, order)),
        namespaces=namespaces,
    )
    try:
        sandbox.start()
    finally:
        sandbox.stop()
    return found[0]


def greet(child: Child, order: Mapping[str, Any]) -> Any:
    """Tell a fresh child what to make, and return what it says about it.

    Raises
    ------
    UserError, NotShownError
        What was raised in the child.
    TargetError
        If anything else was, or the child gave no answer.
    """
    with phase("starting children"):
        child.read(child.limits.start_s)  # the interpreter and NumPy are there
    fields = parse_object(child.ask(json.dumps(order), child.limits.start_s, GREETING))
    if "refused" in fields:
        raise UserError(plain_text(str(fields["refused"])))
    if "not_shown" in fields:
        raise NotShownError(plain_text(str(fields["not_shown"])))
    if "error" in fields:
        raise TargetError(plain_text(str(fields["error"])))
    return _plain(fields.get("ready"))


def _plain(data: Any) -> Any:
    """Return the data with all text in it made fit to be shown."""
    if isinstance(data, dict):
        return {plain_text(name): _plain(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_plain(value) for value in data]
    return plain_text(data, LONGEST_TEXT) if isinstance(data, str) else data
