"""Forward and backward pass against the oracle, in four families that follow the flow of data.

forward (h, logits, loss) · nodes (dlogits, dh, da) · gradients (of the parameters) · inputs (dx, dh0)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from rnncheck.case import Case
from rnncheck.checks.check import Bench, Check, Source
from rnncheck.result import Comparison

__all__ = ["FAMILIES", "pass_checks"]

FAMILIES = {
    "forward": ("h", "logits", "loss"),
    "nodes": ("dlogits", "dh", "da"),
    "gradients": ("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h"),
    "inputs": ("dx", "dh0"),
}


def pass_checks(sources: Iterable[Source], group: str = "") -> Iterator[Check]:
    """Plan one check per family and case; the checks of one case follow each other, so that it runs once.

    `group` sets the families of one kind of case apart: `sweep-forward[...]` beside `forward[...]`.
    """
    for source in sources:
        flow = f"{group}pass[{source.name}]"
        for family, arrays in FAMILIES.items():
            name = f"{group}{family}[{source.name}]"
            again = partial(_of_another, arrays)
            yield Check(name, group + family, _look_at(source, arrays), flow, source, source, again)


def _of_another(arrays: Sequence[str], case: Case) -> Check:
    return Check(case.name, "", _look_at(Source.of(case), arrays))


def _look_at(source: Source, arrays: Sequence[str]) -> Callable[[Bench], list[Comparison]]:
    return lambda bench: [c for c in bench.compare(source) if c.array in arrays]
