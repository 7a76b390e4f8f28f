"""From whatever happened to an exit code: the only place that decides, around every command.

    0 agree · 1 differ · 2 could not run · 3 nothing comparable · 130 interrupted (128 + SIGINT, as shells count)

A command returns its code. An exception never becomes 0 or 1: those two are verdicts, and nobody has judged.
"""

import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import cast

import typer

from rnncheck.cli import usage
from rnncheck.cli.crash import write_crash_report
from rnncheck.errors import OracleError, UserError

__all__ = ["CANNOT_RUN", "INTERRUPTED", "exit_code"]

CANNOT_RUN, INTERRUPTED = 2, 130
OURS = ("numpy_impl", "reference", "rnncheck")
TOO_BIG = re.compile("array is too big|Maximum allowed dimension")
"""What NumPy says, in a ValueError, to a size that no memory could ever hold."""
NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EIO)
EXTRAS = {"torch": "torch", "jinja2": "report", "matplotlib": "report", "distributed": "cluster"}
# The base of all that typer says about arguments; its name and module change from version to version.
Complaint = cast(type[typer.BadParameter], typer.BadParameter.__mro__[2])


def exit_code(command: Callable[[], int | None], argv: Sequence[str]) -> int:
    """Run `command` and return its exit code; say in one sentence why where it could not run."""
    try:
        code = _run(command)
        sys.stdout.flush()
        return code
    except Complaint as complaint:
        return _refuse(usage.sentence(complaint, argv))
    except KeyboardInterrupt as stop:
        _say(f"interrupted{_notes(stop)}: no verdict")
        return INTERRUPTED
    except OSError as error:
        return _system(error)
    except BaseException as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich says SystemExit(1) where a reader goes away
            return _system(error.__context__)
        return _refuse(_sentence(error) or _internal(error, argv))


def _run(command: Callable[[], int | None]) -> int:
    try:
        return command() or 0
    except typer.Exit as done:  # from --help, --version, or a command that has its code
        return done.exit_code


def _sentence(error: BaseException) -> str | None:
    """Say a mistake of the user's, or a lack of the machine's, in one sentence; None if it is neither."""
    if isinstance(error, UserError) or (isinstance(error, ValueError | TypeError) and _deliberate(error)):
        return str(error)
    lack = error.__cause__ if isinstance(error, OracleError) else error  # the oracle may have lacked it
    if isinstance(lack, MemoryError) or TOO_BIG.match(str(lack)):
        return f"out of memory{_notes(error)}: {str(lack) or 'no more to be had'}; use smaller sizes"
    if isinstance(error, ModuleNotFoundError) and (extra := EXTRAS.get((error.name or "").partition(".")[0])):
        return f"{error.name} is not installed: pip install '.[{extra}]' in the clone of rnncheck"
    return None


def _deliberate(error: BaseException) -> bool:
    """Tell our own sentence about bad input from an accident: ours comes from a `raise` in our packages."""
    frame, _ = list(traceback.walk_tb(error.__traceback__))[-1]
    line = traceback.extract_tb(error.__traceback__)[-1].line or ""
    return line.startswith("raise ") and frame.f_globals["__name__"].partition(".")[0] in OURS


def _system(error: OSError) -> int:
    """Give up on what the machine refuses: a file, a device, or the reader of our output, who has gone away."""
    if error.filename is None:
        _drop_output()
    if error.errno == errno.EPIPE:
        return CANNOT_RUN
    where = error.filename or ("standard output" if error.errno in NO_ROOM else "")
    return _refuse(f"{where}{': ' if where else ''}{error.strerror or error}{_notes(error)}")


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not stumble over it when it ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # standard output is no file here
        return


def _internal(error: BaseException, argv: Sequence[str]) -> str:
    """Write down what only the authors can put right, and say where."""
    what = traceback.format_exception_only(error)[0].splitlines()[0]
    where = write_crash_report(error, argv)
    return f"internal error{_notes(error)}: {what}; this is no verdict about the code under test; {where}"


def _notes(error: BaseException) -> str:
    return "".join(f" {note}" for note in getattr(error, "__notes__", ()))


def _refuse(sentence: str) -> int:
    _say(sentence)
    return CANNOT_RUN


def _say(sentence: str) -> None:
    try:
        print(f"rnncheck: {sentence}", file=sys.stderr, flush=True)
    except OSError:
        return  # nobody can hear us; the exit code says it
