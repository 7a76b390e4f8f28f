"""TARGET: what `rnncheck check` is pointed at, as one word.

numpy_impl · reference            what is shipped
file.py · file.py:Name            a class or function in a script; or an adapter, or a function run(case)
file.ipynb · file.ipynb:Name      the same in a notebook
module:Name                       the same in an importable module
exec:COMMAND ARGS                 a program in any language
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import Any

from rnncheck.case import Case
from rnncheck.checks.second_opinion import Rounded
from rnncheck.errors import NotJudgedError, NotShownError, TargetError, UserError
from rnncheck.implementation import Implementation, NumpyImpl, TorchLoop
from rnncheck.options import INSTALL_TORCH, torch_available
from rnncheck.protocol.files import ResultsImplementation
from rnncheck.protocol.program import ExecImplementation
from rnncheck.sandbox.bundle import NAME
from rnncheck.sandbox.limits import Limits
from rnncheck.sandbox.protections import NOT
from rnncheck.sandbox.target import SandboxedTarget, ask_apart
from rnncheck.stopwatch import phase
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.describe import assumptions
from rnncheck.targets.entry import look, make
from rnncheck.targets.received import received_adapter
from rnncheck.targets.source import find_module
from rnncheck.trace import Trace

__all__ = ["Target", "load_results", "load_target", "split_target"]

LOOKING = Limits(start_s=60.0)
"""Looking at a file tries out hundreds of ways to call it."""
MAKE = f"{NAME}.targets.entry:make"
HERE = f"{NOT} any protection: the target runs in the process of the judge, and can do whatever the judge can"
SHIPPED = ("numpy_impl", "reference")
OURS = ("none is needed, the target is part of rnncheck",)


@dataclass
class Target:
    """An implementation that somebody has pointed at, with the adapter by which it is called, if it has one."""

    name: str
    implementation: Implementation
    adapter: Adapter | None = None
    path: Path | None = None
    found: bool = False
    option: str = ""
    dtype: str = ""

    def run(self, case: Case, **options: Any) -> Trace:
        """Run the case; `clipping=True` lets a target's own clipping act. With a `dtype`, other cases are not asked."""
        if self.dtype and case.dtype != self.dtype:
            raise NotShownError(f"it is asked in {self.dtype}, not in {case.dtype}")
        with phase("running the target"):
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
    def words(self) -> str:
        """What to write on the command line to name it."""
        return self.option or quote(self.name)

    @property
    def apart(self) -> bool:
        """Whether no array of ours is ever in its hands."""
        return getattr(self.implementation, "apart", False)

    @property
    def protections(self) -> tuple[str, ...]:
        """What is in force against it, in sentences."""
        return getattr(self.implementation, "protections", (HERE,) if self.name not in SHIPPED else OURS)

    @property
    def assumed(self) -> str:
        """What was found out about it rather than said, in one line; empty if nothing was."""
        return assumptions(self.adapter) if self.adapter is not None and self.found else ""


def load_results(folder: Path) -> Target:
    """Return what answers from the files of `folder`, see `rnncheck vectors export`."""
    return Target(f"results in {folder}", ResultsImplementation(folder), option=f"--results {quote(str(folder))}")


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
    path = Path(place)
    if path.is_dir() and not (path / "__init__.py").is_file():  # a package is a module as well
        raise UserError(
            f"{place} is a folder: give a file in it that ends in .py or .ipynb, "
            f"or judge them all: rnncheck grade {place}"
        )
    if place.endswith((".py", ".ipynb")) or "/" in place or path.is_file():
        if not path.is_file():
            what = "is no regular file" if path.exists() else "does not exist"
            raise UserError(f"{place} {what}: give a file that ends in .py or .ipynb, such as my_rnn.py")
        return path, name or None
    try:
        return find_module(place), name or None
    except UserError as error:
        meant = get_close_matches(place, SHIPPED, n=1, cutoff=0.8)
        raise UserError(f"{error}, or did you mean {meant[0]}?" if meant else str(error)) from None


def load_target(text: str, *, isolated: bool = True) -> Target:
    """Return what TARGET names, ready to run; its training is never run.

    Parameters
    ----------
    isolated
        Look at it and run it in child processes, within limits, one after the other. Without, it runs in this
        process: for one's own code under a debugger.

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
        if not torch_available():
            raise UserError(f"torch is not installed, and reference is written in it; {INSTALL_TORCH}")
        return Target(text, Rounded(TorchLoop()))
    if text.startswith("exec:"):
        return Target(text, ExecImplementation(text.removeprefix("exec:")))
    path, name = split_target(text)
    question = {"path": str(path.resolve()), "name": name}
    if not isolated:
        found = _judged(look(question))
        adapter = Adapter(**found["adapter"]) if "adapter" in found else None
        return Target(text, make(found), adapter, Path(found["path"]), found.get("found", False))
    implementation = SandboxedTarget(path, MAKE, None)
    implementation.sandbox.warm_up()  # it loads NumPy while another child looks
    try:
        found = _judged(ask_apart(path, "rnncheck.targets.entry:look", question, LOOKING))
        adapter = received_adapter(found["adapter"]) if "adapter" in found else None
    except BaseException as error:
        implementation.sandbox.stop()
        if isinstance(error, TargetError):
            raise UserError(f"{text} could not be looked at: {error}") from None
        raise
    written = "adapter" in found and found.get("found") is False  # an adapter, and only that, may call another file
    code = Path(found["path"]) if written else path.resolve()
    if code != path.resolve():
        implementation.sandbox.stop()
        implementation = SandboxedTarget(code, MAKE, None)
    implementation.be(found | {"path": str(code)})
    return Target(text, implementation, adapter, code, found.get("found") is True)


def _judged(found: Any) -> dict[str, Any]:
    """Return what was found; it may come from a stranger."""
    if not isinstance(found, dict) or not isinstance(found.get("path", found.get("not_judged")), str):
        raise TargetError("what was found was not written by rnncheck")
    if "not_judged" in found:
        raise NotJudgedError(str(found["not_judged"]))
    return found
