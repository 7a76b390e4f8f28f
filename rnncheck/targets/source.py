"""The text of a target: a script, the code cells of a notebook, or an importable module."""

import ast
import json
import re
import tokenize
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from rnncheck.errors import UserError
from rnncheck.targets.python2 import parse
from rnncheck.targets.script import with_round

__all__ = ["Source", "find_module", "read_source"]

MAGIC = re.compile(r"^\s*[%!?]|^\s*\w+\s*=\s*[!%]|\?\s*$")


@dataclass(frozen=True)
class Source:
    """A file, read and parsed but not run."""

    path: Path
    text: str
    tree: ast.Module
    python2: bool


def read_source(path: Path) -> Source:
    """Read a `.py` file or a notebook.

    Raises
    ------
    UserError
        If it cannot be read, is no notebook, or is no Python.
    """
    if path.suffix not in (".py", ".ipynb"):
        raise UserError(f"{path}: a target ends in .py or .ipynb; give the file that defines your network")
    text = _cells(path) if path.suffix == ".ipynb" else _script(path)
    tree, python2 = parse(text, path.name)
    return Source(path, text, with_round(tree), python2)


def find_module(name: str) -> Path:
    """Return the file of the module `name` without importing it.

    Raises
    ------
    UserError
        If there is no such module, or it is not written in Python.
    """
    spec, folders = None, None
    for end in range(1, name.count(".") + 2):  # importlib.util.find_spec would import the packages above
        spec = PathFinder.find_spec(".".join(name.split(".")[:end]), folders)
        folders = None if spec is None else spec.submodule_search_locations
        if folders is None:
            spec = spec if end == name.count(".") + 1 else None
            break
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise UserError(f"module {name!r} was not found as Python source; give a path such as my_rnn.py")
    return Path(spec.origin)


def _script(path: Path) -> str:
    """Read with the encoding that the file declares, UTF-8 without one; as Latin-1 what is neither."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError):
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; give the path of your file") from error


def _cells(path: Path) -> str:
    """Join the code cells; what is for the notebook and not for Python (`%`, `!`) is left out, line for line."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        sheets = notebook.get("worksheets", [notebook])  # notebooks before version 4
        cells = [cell for sheet in sheets for cell in sheet["cells"] if cell["cell_type"] == "code"]
        texts = [cell.get("source", cell.get("input", "")) for cell in cells]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; give the path of your notebook") from error
    except UnicodeDecodeError:
        raise UserError(f"{path}: is no notebook (it is not UTF-8 text); save it again as .ipynb") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = "it is not JSON" if isinstance(error, ValueError) else "it holds no list of cells"
        raise UserError(f"{path}: is no notebook ({what}); save it again as .ipynb or as a script") from error
    joined = ["".join(text) if isinstance(text, list) else str(text) for text in texts]
    return "\n".join(
        _python(text) for text in joined if not text.lstrip().startswith(("%%bash", "%%html", "%%javascript"))
    )


def _python(cell: str) -> str:
    return "\n".join("" if MAGIC.match(line) or line.rstrip().endswith("?") else line for line in cell.splitlines())
