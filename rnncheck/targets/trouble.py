"""What a call raised: where in the file, and whether that says that the call was not what its author meant."""

import re
import traceback
from pathlib import Path

import numpy as np

__all__ = ["lines_in", "misread", "told"]

MISSES = (
    r"'(int|float|list)' object|too many indices for array|only integers, slices"
    r"|arrays used as indices must be of integer"
)
"""It wants an array and was given a number, or wants a number for an index and was given a vector."""


def lines_in(path: Path, error: Exception) -> list[int]:
    """Return the lines of a file that an error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f.lineno or 0 for f in frames if f.filename == str(path)]


def told(error: Exception, path: Path) -> str:
    """Say what was raised, and at which line of a file."""
    lines = lines_in(path, error)
    return f"{type(error).__name__}: {error}" + (f" (line {lines[-1]})" if lines else "")


def misread(error: Exception, text: str) -> bool:
    """Tell whether an error says that the call was not theirs: it misses an axis, an array, or an earlier call."""
    lacking = isinstance(error, AttributeError) and re.search(rf"self\.{error.name}\b[^=\n(]*=[^=]", text)
    return isinstance(error, np.exceptions.AxisError) or bool(re.match(MISSES, str(error))) or bool(lacking)
