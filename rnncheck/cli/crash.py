"""An internal error leaves a file with all that is needed to find it: traceback, versions, the command."""

import platform
import shlex
import tempfile
import time
import traceback
from collections.abc import Sequence
from os import getpid
from pathlib import Path

from rnncheck.versions import versions

__all__ = ["write_crash_report"]


def write_crash_report(error: BaseException, argv: Sequence[str]) -> str:
    """Write the report here, or among the temporary files, and return a clause that says where it is."""
    name = f"rnncheck-error-{time.strftime('%Y%m%d-%H%M%S')}-{getpid()}.txt"
    text = _text(error, argv)
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        try:
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return f"details are in {folder / name}"
    return f"no folder takes the details, so here they are:\n{text}"


def _text(error: BaseException, argv: Sequence[str]) -> str:
    facts = {"command": f"rnncheck {shlex.join(argv)}", **versions(), "machine": platform.machine()}
    lines = [f"{name}: {value}" for name, value in facts.items()]
    return "\n".join([*lines, "", *traceback.format_exception(error)])
