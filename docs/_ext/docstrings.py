"""Make API pages of the docstrings as they are: plain sentences, `code` in backticks, formulas in indented blocks.

Signatures are taken from the source, so that a shape reads as it was written: `Real["T B H"]`. Names in them become
links where this site documents them; all others stay text, because the inventories of NumPy, torch, jaxtyping and the
standard library would have to come over a network.
"""

import ast
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

OURS = ("numpy_impl", "reference", "rnncheck")
ARRAYS = ("Real", "Ids", "Float", "Int")
INDENTED = re.compile(r"^\s+\S")
LIST_ITEM = re.compile(r"^\s*([-*]|\d+\.) ")


def escape_prose(line: str) -> str:
    """Escape what reStructuredText would read as markup, outside of backticks; *emphasis* stays."""
    parts = re.split(r"(`+[^`]+`+|(?<!\S)\*\*?\w[^*]*\w\*\*?(?!\w))", line)
    return "".join(part if n % 2 else re.sub(r"([\\*|]|(?<=\w)_(?!\w))", r"\\\1", part) for n, part in enumerate(parts))


def process_docstring(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Turn indented formulas into literal blocks and escape the prose."""
    found: list[str] = []
    literal, previous = False, ""
    for above, line in zip(["", *lines], [*lines, ""], strict=True):
        indented = INDENTED.match(line)
        if line.strip():
            literal = literal and bool(indented)
            begins = indented and not above.strip() and not LIST_ITEM.match(line)
            if begins and not literal and not INDENTED.match(previous) and not LIST_ITEM.match(previous):
                found += ["::", ""]
                literal = True
            if not literal:
                previous = line
        found.append(line if literal else _escape_line(line))
    if what in ("data", "attribute", "property"):
        found.insert(0, "\\ ")  # or napoleon would take what stands before a colon for a type
    lines[:] = found


def _escape_line(line: str) -> str:
    bullet = re.match(r"^\s*[-*] ", line)
    start = bullet.end() if bullet else 0
    return line[:start] + escape_prose(line[start:])


class Annotations(ast.NodeTransformer):
    """Write `Real[np.ndarray, "T B H"]` as `Real["T B H"]`, and our own classes by their full names."""

    def __init__(self, names: dict[str, Any]):
        self.names = names

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Drop the first of the two arguments of an array type: what holds the numbers goes without saying."""
        if isinstance(node.value, ast.Name) and node.value.id in ARRAYS and isinstance(node.slice, ast.Tuple):
            node.slice = node.slice.elts[-1]
            return node
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Qualify a class of ours; the ~ lets only its last part be shown."""
        found = self.names.get(node.id)
        if inspect.isclass(found) and found.__module__.partition(".")[0] in OURS:
            return ast.UnaryOp(ast.Invert(), ast.Name(f"{found.__module__}.{found.__qualname__}"))
        return node


def process_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Take the signature of a function, or the fields of a record, from the source."""
    if inspect.isclass(obj):
        fields = ", ".join(_fields(obj))
        return (f"({fields})", None) if fields else None
    function = inspect.unwrap(getattr(obj, "__func__", obj))
    tree = _parse(function) if inspect.isfunction(function) else None
    if not isinstance(tree, ast.FunctionDef):
        return None
    arguments, positional = tree.args, tree.args.posonlyargs + tree.args.args
    if what == "method" and positional and positional[0].arg in ("self", "cls"):
        (arguments.posonlyargs or arguments.args).pop(0)
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        if argument.annotation is not None:
            argument.annotation = Annotations(function.__globals__).visit(argument.annotation)
    result = Annotations(function.__globals__).visit(tree.returns) if tree.returns else None
    return f"({ast.unparse(arguments)})", ast.unparse(result) if result else None


def _fields(record: type) -> Iterator[str]:
    """Yield the fields of a dataclass or a named tuple, with their types and defaults."""
    if not (hasattr(record, "__dataclass_fields__") or hasattr(record, "_fields")):
        return
    for base in reversed(record.__mro__):
        if base.__module__.partition(".")[0] in OURS:
            names = Annotations(vars(sys.modules[base.__module__]))
            for line in getattr(_parse(base), "body", []):
                if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
                    default = f" = {ast.unparse(line.value)}" if line.value else ""
                    yield f"{ast.unparse(line.target)}: {ast.unparse(names.visit(line.annotation))}{default}"


def _parse(thing: Any) -> ast.stmt | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    except (OSError, SyntaxError):
        return None


def resolve(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> nodes.Element | None:
    """Let a name in a signature stand as text if it means something where it is used; else it is a broken link."""
    if node.get("refdomain") != "py":
        return None
    head = node["reftarget"].strip("'\"").partition(".")[0]
    module = importlib.import_module(node.get("py:module") or "builtins")
    return contnode if hasattr(module, head) or head in sys.modules or hasattr(__builtins__, head) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect: before napoleon reads a docstring, when a signature is written, when a name is not found."""
    app.connect("autodoc-process-docstring", process_docstring, priority=100)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
