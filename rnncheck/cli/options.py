"""What several commands share: how a list of numbers is written, where reports go, how many threads."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from rnncheck.cli.threads import pin

__all__ = ["LARGEST_SEED", "JsonFile", "JunitFile", "Seed", "Select", "Threads", "at_least", "parse_numbers"]

LONGEST_LIST = 10_000
LARGEST_SIZE = 999_999_999
LARGEST_SEED = 2**32 - 1
"""The largest that NumPy's legacy generator takes, which a training run may be made with."""


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """Read `1-64,100,1000`: whole numbers of at least 1 and ranges of them, each number once."""
    numbers: list[int] = []
    for item in (part.strip() for part in text.split(",")):
        first, dash, last = item.partition("-")
        low = _whole(first, item, option)
        high = _whole(last, item, option) if dash else low
        if high < low:
            raise typer.BadParameter(f"the range {item} runs backwards; write {high}-{low}", param_hint=option)
        if len(numbers) + high - low >= LONGEST_LIST:
            raise typer.BadParameter(f"{item} makes more than {LONGEST_LIST} numbers; choose fewer", param_hint=option)
        if twice := sorted(set(numbers).intersection(range(low, high + 1))):
            raise typer.BadParameter(f"{twice[0]} is named more than once; name each once", param_hint=option)
        numbers.extend(range(low, high + 1))
    return tuple(numbers)


def _whole(text: str, item: str, option: str) -> int:
    """Read one whole number of at least 1."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(
            f"{item!r} is neither a whole number nor a range; write for example 1-64,100,1000", param_hint=option
        )
    if len(text.lstrip("0")) > len(str(LARGEST_SIZE)):
        raise typer.BadParameter(f"{item!r} is above {LARGEST_SIZE}, the largest size", param_hint=option)
    if int(text) == 0:
        raise typer.BadParameter(f"{item!r} is below 1, the smallest size", param_hint=option)
    return int(text)


def at_least(smallest: int, most: int | None = None) -> Callable[[int | None], int | None]:
    """Return a callback that refuses smaller numbers, and larger ones than `most`."""

    def check(value: int | None) -> int | None:
        if value is not None and value < smallest:
            raise typer.BadParameter(f"{value} is below {smallest}, the smallest that makes sense")
        if value is not None and most is not None and value > most:
            raise typer.BadParameter(f"{value} is above {most}, the largest there is")
        return value

    return check


def _pin(threads: int | None) -> int | None:
    if at_least(1)(threads) is not None:
        pin(threads)
    return threads


Seed = Annotated[
    int,
    typer.Option(
        "--seed", callback=at_least(0, LARGEST_SEED), metavar="N", help="Everything random comes from this seed."
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the report as JSON; `-` is standard output, and nothing else."),
]
JunitFile = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write the report as JUnit XML; `-` is standard output.")
]
Select = Annotated[
    str | None,
    typer.Option("-k", metavar="EXPR", help="Only checks whose name matches, as in pytest: `forward and not B=1`."),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        callback=_pin,
        help="Threads for BLAS and torch. Default: OMP_NUM_THREADS if it is set, else 1.",
    ),
]
