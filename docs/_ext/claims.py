"""What a page says about the program must be so: commands, options, files and names in `code` are looked up.

`complaints` is used twice: by the build, where each complaint is a warning and so turns it red, and by
`tests/test_docs.py`, which also runs the commands.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnncheck.cli.main import app as program

import command_line
import statements

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("numpy_impl", "reference", "rnncheck")
FOLDERS = (*PACKAGES, "benchmarks", "data", "docs", "examples", "tests")
FENCE = re.compile(r"^(`{3,}|:{3,})(.*?)\n(.*?)^\1$", re.M | re.S)
SPAN = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^\s*(?:\$ )?rnncheck( .*)?$", re.M)
FILE = re.compile(rf"^(?:{'|'.join(FOLDERS)})/[\w./=-]*$")
DOTTED = re.compile(rf"^(?:{'|'.join(PACKAGES)})(?:\.\w+)+$")
FOREIGN = ("--group",)
"""Options of other programs that stand alone in a sentence: pip's."""
OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")


def complaints(text: str) -> Iterator[str]:
    """Yield a sentence for everything in `text` that is not so."""
    blocks = [body for _, kind, body in FENCE.findall(text) if kind.strip() in ("", "console", "sh")]
    spans = SPAN.findall(FENCE.sub("", text))
    for line in [line for code in (*blocks, *spans) for line in COMMAND.findall(code)]:
        yield from _wrong_command(line.split("#")[0].strip())
    for span in spans:
        if FILE.match(span) and not list(ROOT.glob(span.rstrip("/"))):
            yield f"there is no file {span}"
        elif DOTTED.match(span) and not FILE.match(span) and not _exists(span):
            yield f"there is nothing called {span}"
        elif span.startswith("--") and span.split()[0] not in (*_options(), *FOREIGN):
            yield f"no command has an option {span.split()[0]}"
    yield from statements.complaints(text)


@cache
def _commands() -> dict[str, Callable[..., Any]]:
    return dict(command_line.commands(program, "rnncheck"))


@cache
def _options() -> frozenset[str]:
    """Return the options of all commands."""
    rows = [row for function in _commands().values() for row in command_line.parameters(function)]
    return frozenset(flag for row in rows for flag in command_line.flags(row[0], row[2])) | {"--help", "--version"}


def _wrong_command(words: str) -> Iterator[str]:
    """Check the name of a command and its options; quoted words are values."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", words)
    first, _, rest = bare.partition(" ")
    second = rest.split(" ")[0]
    name = f"rnncheck {first} {second}" if f"rnncheck {first} {second}" in _commands() else f"rnncheck {first}"
    groups = {known.rpartition(" ")[0] for known in _commands()}
    if not first or first.startswith("-") or (name in groups and not second):
        return
    name = f"{name} {second}" if name in groups else name
    if name not in _commands():
        yield f"there is no command {name}"
        return
    rows = command_line.parameters(_commands()[name])
    known = {flag for row in rows for flag in command_line.flags(row[0], row[2])} | {"--help"}
    for option in OPTION.findall(bare):
        if option not in known:
            yield f"{name} has no option {option}"


def _exists(name: str) -> bool:
    """Find a module, or an attribute of a module or of a class."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:length]))
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith(parts[0]):
                return True  # it is there, and needs something that is not installed here
            continue
        for attribute in parts[length:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def check(app: "Sphinx", docname: str, source: list[str]) -> None:
    """Warn of what is not so on a page."""
    from sphinx.util import logging  # here: the tests ask for `complaints` where there is no Sphinx

    for complaint in complaints(source[0]):
        logging.getLogger(__name__).warning(complaint, location=docname)


def setup(app: "Sphinx") -> dict[str, bool]:
    """Look at every page when it is read."""
    app.connect("source-read", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
