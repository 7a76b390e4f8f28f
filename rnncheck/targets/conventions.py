"""The layouts that people use, as families: whoever keeps states as columns keeps inputs and targets that way too."""

from collections.abc import Iterator
from dataclasses import dataclass

from rnncheck.targets.layout import axes_of

__all__ = ["FAMILIES", "Family", "layouts"]


@dataclass(frozen=True)
class Family:
    """Layouts that go together.

    `last` are those of a target for the last step only; `lists` says that all are Python lists.
    """

    name: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    last: tuple[str, ...]
    h: str
    bias: str
    batched: bool = False
    lists: bool = False


FAMILIES = (
    Family("columns", ("T", "T N 1", "[T] N 1"), ("T", "T N 1"), ("", "N 1", "1"), "N 1", "N 1"),
    Family("one-dimensional arrays", ("T", "T N"), ("T", "T N"), ("", "N", "1"), "N", "N"),
    Family("rows", ("T", "T 1 N", "T N"), ("T", "T 1 N", "T N"), ("", "1 N", "N", "1"), "1 N", "1 N"),
    Family("columns of one matrix", ("N T",), ("N T", "T"), ("N 1", ""), "N 1", "N 1"),
    Family("batch first", ("B T N", "B T"), ("B T", "B T N"), ("B", "B N"), "B N", "N", True),
    Family("time first, rows", ("T B N", "T B"), ("T B", "T B N"), ("B", "B N"), "B N", "N", True),
    Family("vector first", ("N B T",), ("N B T", "B T", "T B"), ("N B", "B"), "N B", "N 1", True),
    Family("plain lists", ("[T]", "[T N]"), ("[T]", "[T N]"), ("", "[N]"), "[N]", "[N]", lists=True),
    Family("lists of columns", ("[T]", "[T N 1]"), ("[T]", "[T N 1]"), ("", "[N 1]"), "[N 1]", "[N 1]", lists=True),
    Family("batch first, time last", ("B N T",), ("B N T", "B T"), ("B N", "B"), "B N", "N", True),
    Family("time first, columns", ("T N B", "T B"), ("T N B", "T B"), ("N B", "B"), "N B", "N 1", True),
)


def layouts(family: Family, uses: set[str]) -> Iterator[tuple[dict[str, str], str]]:
    """Yield layouts of what is passed, each with its task: every step or the last step."""
    for x in family.x:
        fixed = {"x": x, "b": family.bias} | ({"h0": family.h} if "h0" in uses else {})
        given = "y" if "y" in uses else next((u for u in ("dlogits", "dh") if u in uses), None)
        if given is None:
            yield fixed, "every step"
            continue
        for options, task in ((family.y, "every step"), (family.last, "last step")):
            vectors = [o for o in options if given == "y" or "N" in axes_of(o)]  # a gradient is never an id
            yield from ((fixed | {given: layout}, task) for layout in vectors)
