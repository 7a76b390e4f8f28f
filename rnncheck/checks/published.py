"""The published run of the `names` recipe: three costs to six decimals, twelve names letter by letter."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from numpy_impl.published import PUBLISHED, Published, public_names, reproduce_names
from rnncheck.checks.check import Bench, Check, failed, passed
from rnncheck.result import Comparison

__all__ = ["published_checks"]


def published_checks(path: Path) -> Iterator[Check]:
    """Plan one check per published step; the run itself takes place once.

    Raises
    ------
    ValueError
        If the file is another one. It is no fault of the code under test, so it is found out while planning.
    """
    data = public_names(path)
    found = lru_cache(lambda: {p.step: p for p in reproduce_names(data)})
    for expected in PUBLISHED:
        yield Check(f"published[step={expected.step}]", "published", _ask(expected, found))


def _ask(expected: Published, found: Callable[[], dict[int, Published]]) -> Callable[[Bench], list[Comparison]]:
    return lambda _bench: _compare(expected, found()[expected.step])


def _compare(expected: Published, found: Published) -> list[Comparison]:
    cost, names = f"{found.cost:.6f}", ", ".join(found.names)
    return [
        passed("cost", "six decimals")
        if cost == f"{expected.cost:.6f}"
        else failed("cost", "six decimals", f"is {cost}, published {expected.cost:.6f}"),
        passed("names", "letter by letter")
        if found.names == expected.names
        else failed("names", "letter by letter", f"are {names}, published {', '.join(expected.names)}"),
    ]
