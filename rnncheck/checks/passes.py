"""Forward and backward pass against the oracle, in four families that follow the flow of data.

forward (h, logits, loss) · nodes (dlogits, dh, da) · gradients (of the parameters) · inputs (dx, dh0)
"""

from collections.abc import Iterator, Sequence

from rnncheck.case import RNNCase
from rnncheck.checks.check import Bench, Check
from rnncheck.result import Comparison
from rnncheck.trace import expected_arrays

__all__ = ["FAMILIES", "pass_checks"]

FAMILIES = {
    "forward": ("h", "logits", "loss"),
    "nodes": ("dlogits", "dh", "da"),
    "gradients": ("dW_hy", "db_y", "dW_hh", "dW_xh", "db_h"),
    "inputs": ("dx", "dh0"),
}


def pass_checks(cases: Sequence[RNNCase], reproduce: str, prefix: str = "") -> Iterator[Check]:
    """Plan one check per family and case; the checks of one case follow each other, so that it runs once."""
    for case in cases:
        shown = expected_arrays(case)
        for family, arrays in FAMILIES.items():
            name = f"{prefix}{family}[{case.name}]"
            yield Check(name, prefix + family, _picker(case, [a for a in arrays if a in shown]), reproduce)


def _picker(case: RNNCase, arrays: Sequence[str]):  # type: ignore[no-untyped-def]
    def ask(bench: Bench) -> list[Comparison]:
        return [c for c in bench.compare(case) if c.array in arrays]

    return ask
