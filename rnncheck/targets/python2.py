"""Read Python 2 as Python 3: many published networks are that old, and `lib2to3` is gone.

Only the syntax that such files really use is translated, and only where the parser complains: print, raise and except
with commas, `exec`, backticks, `<>`, long and octal integers, tabs. What means something else in Python 3 without
being an error (division of integers, `map`, `xrange`) is dealt with by `rnncheck.targets.rewrite`.
"""

import ast
import re
from typing import NamedTuple

from rnncheck.errors import UserError

__all__ = ["Parsed", "parse"]

LONGEST_STATEMENT = 12
WIDEST = 100
"""So much of a line is shown."""

COMMENT = re.compile(r"""\A((?:[^'"#]|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")*?)\s*#[^\n]*\Z""")
"""A comment at the end of a statement; a `#` in quotes is none."""

# A statement may follow the colon of an `if` on the same line.
BEFORE = r"^(\s*(?:.*?[:;]\s*)?)"
PRINT_TO = re.compile(BEFORE + r"print\s*>>\s*[^,]+,?\s*(.*?),?\s*$")
WHOLE_LINE = [
    (re.compile(BEFORE + r"print\b\s*(.*?),?\s*$", re.S), r"\1print(\2)"),
    (re.compile(BEFORE + r"raise\s+([\w.]+)\s*,\s*(.*)$", re.S), r"\1raise \2(\3)"),
    (re.compile(BEFORE + r"exec\s+(.*)$", re.S), r"\1exec(\2)"),
    (re.compile(r"^(\s*)except\s+(.+?)\s*,\s*(\w+)\s*:(.*)$", re.S), r"\1except \2 as \3:\4"),
]
WITHIN_LINE = [
    (re.compile(r"<>"), "!="),
    (re.compile(r"`([^`]+)`"), r"repr(\1)"),
    (re.compile(r"\b(\d+)[lL]\b"), r"\1"),
    (re.compile(r"\b0(\d+)\b"), r"0o\1"),
    (re.compile(r"\bur(['\"])"), r"r\1"),
]


class Parsed(NamedTuple):
    """A syntax tree, and whether the text had to be read as Python 2."""

    tree: ast.Module
    python2: bool


def parse(text: str, name: str) -> Parsed:
    """Parse `text`, translating line by line what is Python 2.

    Raises
    ------
    UserError
        If a line is neither Python 3 nor Python 2, with its number.
    """
    if "\0" in text:
        raise UserError(f"{name}: has null bytes, so it is no text; give the file that defines your network")
    lines = text.expandtabs(8).splitlines()
    python2 = any(PRINT_TO.match(line) for line in lines)
    lines = [PRINT_TO.sub(r"\1print(\2)", line) for line in lines]  # Python 3 takes it for a shift of `print`
    for _ in range(len(lines) + 1):
        try:
            return Parsed(ast.parse("\n".join(lines) + "\n"), python2)
        except SyntaxError as error:
            if not _repair(lines, (error.lineno or 1) - 1):
                line = lines[(error.lineno or 1) - 1].strip()[:WIDEST] if lines else ""
                raise UserError(
                    f"{name}, line {error.lineno}: {error.msg}: {line!r} is neither Python 3 nor Python 2 that can be "
                    "translated; correct the line"
                ) from None
            python2 = True
        except ValueError as error:  # half of a surrogate pair
            raise UserError(f"{name}: {error}; is it a Python file?") from None
    raise UserError(f"{name}: too many lines that are no Python; is it a Python file?")


def _repair(lines: list[str], at: int) -> bool:
    """Translate the statement around line `at` in place; tell whether that could be done.

    The parser may point at the line after the culprit. A statement may go on over several lines: the longest needed
    is the shortest that parses.
    """
    for start in (at, at - 1):
        if not 0 <= start < len(lines):
            continue
        for length in range(1, LONGEST_STATEMENT + 1):
            statement = "\n".join(lines[start : start + length])
            for changed in _translations(statement):
                if changed != statement and _parses(changed):
                    lines[start : start + length] = [*changed.split("\n"), *[""] * length][:length]
                    return True
    return False


def _translations(statement: str) -> list[str]:
    """Return what the statement may have meant: one rule for whole lines, and all those within a line."""
    code = COMMENT.sub(r"\1", statement)
    variants, comment = [code], statement[len(code) :]
    for pattern, replacement in WITHIN_LINE:
        variants.append(pattern.sub(replacement, variants[-1]))
    variants = [variants[-1], *variants]
    return [
        (pattern.sub(replacement, variant) if pattern else variant) + comment
        for variant in dict.fromkeys(variants)
        for pattern, replacement in [*WHOLE_LINE, (None, "")]
    ]


def _parses(statement: str) -> bool:
    """Tell whether a statement is Python 3 when it stands alone; a block's header gets a body, `except` its `try`."""
    text = statement.strip()
    if re.match(r"(except|elif|else|finally)\b", text):
        head = "if 1:\n pass\n" if re.match(r"(elif|else)\b", text) else "try:\n pass\n"
        text = head + text
    if text.endswith(":"):
        text += "\n pass"
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True
