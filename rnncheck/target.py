"""TARGET: what `rnncheck check` is pointed at, as one word.

numpy_impl · reference            what is shipped
file.py · file.py:Name            a class or function in a script; or an adapter, or a function run(case)
file.ipynb · file.ipynb:Name      the same in a notebook
module:Name                       the same in an importable module
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnncheck.case import Case
from rnncheck.checks.second_opinion import Rounded
from rnncheck.errors import NotJudgedError, TargetError, UserError
from rnncheck.implementation import Implementation, NumpyImpl, TorchLoop
from rnncheck.sandbox.target import SandboxedTarget, ask_apart
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.describe import assumptions
from rnncheck.targets.entry import look, make
from rnncheck.targets.source import find_module
from rnncheck.trace import Trace

__all__ = ["Target", "load_target", "split_target"]


@dataclass
class Target:
    """An implementation that somebody has pointed at, with the adapter by which it is called, if it has one."""

    name: str
    implementation: Implementation
    adapter: Adapter | None = None
    path: Path | None = None
    found: bool = False

    def run(self, case: Case, **options: Any) -> Trace:
        """Run the case; `clipping=True` lets a target's own clipping act."""
        return self.implementation.run(case, **options)

    def clips(self, case: Case) -> tuple[bool, list[tuple[float, float]]]:
        """Tell whether it clips gradients by itself, and between which values."""
        if self.adapter is None:
            return False, []
        if isinstance(self.implementation, SandboxedTarget):
            used, bounds = self.implementation.call("clips", case)
        else:
            used, bounds = self.implementation.clips(case)  # type: ignore[attr-defined]
        return bool(used), [(float(low), float(high)) for low, high in bounds]

    @property
    def protections(self) -> tuple[str, ...]:
        """What is in force while it runs, in sentences; none in this process."""
        return self.implementation.protections if isinstance(self.implementation, SandboxedTarget) else ()

    def close(self) -> None:
        """End its process, if it has one."""
        if isinstance(self.implementation, SandboxedTarget):
            self.implementation.sandbox.stop()

    @property
    def assumed(self) -> str:
        """What was found out about it rather than said, in one line; empty if nothing was."""
        return assumptions(self.adapter) if self.adapter is not None and self.found else ""


def split_target(text: str) -> tuple[Path, str | None]:
    """Return the file and the name of a target that is neither shipped nor a program.

    Raises
    ------
    UserError
        If there is no such file or module.
    """
    place, _, name = text.rpartition(":") if ":" in text and not Path(text).exists() else (text, "", "")
    if not place:
        raise UserError(f"{text!r}: nothing before the colon; write file.py:Name or module:Name")
    if name and not name.isidentifier():
        raise UserError(f"{text}: {name!r} is no name of a class or function; write file.py:Name")
    if place.endswith((".py", ".ipynb")) or "/" in place:
        path = Path(place)
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise UserError(f"{place} {what}: give a file that ends in .py or .ipynb, such as my_rnn.py")
        return path, name or None
    return find_module(place), name or None


def load_target(text: str, *, isolated: bool = False) -> Target:
    """Return what TARGET names, ready to run; its training is never run.

    Parameters
    ----------
    isolated
        Look at it and run it in a child process, within limits.

    Raises
    ------
    UserError
        If there is no such target, or how to call it was not found out, with what is missing.
    NotJudgedError
        If it is of a kind that is not judged yet.
    """
    if text == "numpy_impl":
        return Target(text, NumpyImpl())
    if text == "reference":
        return Target(text, Rounded(TorchLoop()))
    path, name = split_target(text)
    question = {"path": str(path.resolve()), "name": name}
    try:
        found = ask_apart(path, "targets.entry:look", question) if isolated else look(question)
    except TargetError as why:
        raise UserError(f"{text}: looking at it failed: {why}") from why
    if "not_judged" in found:
        raise NotJudgedError(found["not_judged"])
    code = Path(found["path"])
    implementation: Implementation = SandboxedTarget(code, "targets.entry:make", found) if isolated else make(found)
    adapter = Adapter(**found["adapter"]) if "adapter" in found else None
    return Target(text, implementation, adapter, code, found.get("found", False))
