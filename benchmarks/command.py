"""What the command lines of the benchmarks have in common, and how their figures are written down."""

import argparse
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from machine import describe
from problem import Size

__all__ = ["DTYPES", "counted", "missing", "parser", "seconds", "shown", "size", "target", "verdict", "write_json"]

DTYPES = ("float32", "float64")
EXTRA = {"torch": "torch", "jax": "bench"}
"""Which extra of the package brings a library."""


def parser(doc: str | None, default_seconds: float | None = None, per: str = "") -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has; `--seconds` only where there is a default."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if default_seconds is not None:
        says = f"CPU time per {per} ({default_seconds:g})"
        made.add_argument("--seconds", type=seconds, default=default_seconds, help=says)
    made.add_argument("--seed", type=whole, default=0, help="weights, inputs and targets come from it (0)")
    made.add_argument("--json", type=target, metavar="FILE", help="write the figures (- is standard output)")
    return made


def size(text: str) -> Size:
    """Read `H,V,T,B`."""
    try:
        return Size.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def target(text: str) -> str:
    """Read the name of a file that can be written, before time is spent on what goes into it."""
    path = Path(text)
    if text != "-" and (path.is_dir() or not path.parent.is_dir()):
        raise argparse.ArgumentTypeError(f"{text}: no file can be written there; name a file in a folder that exists")
    return text


def counted(text: str) -> int:
    """Read a number of things: at least one."""
    if (number := whole(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return number


def whole(text: str) -> int:
    """Read a whole number, not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def seconds(text: str) -> float:
    """Read a time, above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give a number of seconds above 0")
    return number


def missing(libraries: Sequence[str] = ("torch", "jax")) -> list[str]:
    """Return which libraries are not installed, and say so: what needs them is left out."""
    absent = [name for name in libraries if not find_spec(name)]
    for name in absent:
        print(f"{name} is not installed and is left out; it comes with the extra `{EXTRA[name]}`")
    return absent


def verdict(what: str, ratio: float, goal: float, *, at_most: bool = False) -> dict[str, Any]:
    """Hold a ratio against its goal, a lower bound unless it is `at_most`."""
    met = ratio <= goal if at_most else ratio >= goal
    return {"what": what, "ratio": ratio, "goal": f"{'<=' if at_most else '>='} {goal:g}", "met": met}


def shown(v: dict[str, Any]) -> str:
    """Return the line that says a verdict."""
    return f"  {v['what']:36s} {v['ratio']:6.2f}  goal {v['goal']:7s} {'met' if v['met'] else 'NOT MET'}"


def write_json(path: str | None, figures: dict[str, Any]) -> None:
    """Write figures and machine to `path`; - is standard output, None nothing."""
    if path is None:
        return
    text = json.dumps({"machine": describe(), **figures}, indent=1) + "\n"
    if path == "-":
        print(text, end="")
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"{path} cannot be written: {error.strerror}; name another file with --json") from None
