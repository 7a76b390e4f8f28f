"""The kill matrix for people and for programs: which check notices which fault, and how clearly."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnncheck.power.matrix import CLEARLY, Kill
from rnncheck.power.measure import Measured
from rnncheck.report.json import plain

__all__ = ["SCHEMA_VERSION", "dumps", "show_power"]

SCHEMA_VERSION = 1

CASES = {
    "clip": "clipping",
    "optim": "steps of an optimiser",
    "sample": "drawing tokens",
    "rnn": "forward and backward",
}


def dumps(found: Measured) -> str:
    """Render the matrix as JSON; margins count allowances, "Infinity" where only the exact value is allowed."""
    faults = [
        {"name": kill.name, "family": kill.fault.family, "structural": kill.fault.structural}
        | _facts(kill)
        | {"checks": list(kill.checks), "by_check": _by_check(kill)}
        | {"by_dtype": {dtype: _facts(kill.within(dtype)) for dtype in found.dtypes}}
        for kill in found.kills
    ]
    document = {"schema_version": SCHEMA_VERSION, "settings": found.settings, "cases": found.cases, "faults": faults}
    return json.dumps(plain(document), indent=1, allow_nan=False) + "\n"


def _facts(kill: Kill) -> dict[str, Any]:
    return {"caught": kill.caught, "margin": kill.margin, "equivalent": kill.equivalent}


def _by_check(kill: Kill) -> dict[str, Any]:
    return {
        name: {"cases": len(catches), "margin": max(c.margin for c in catches), "first": catches[0].check}
        for name, catches in kill.checks.items()
    }


def show_power(found: Measured, out: Console) -> None:
    """Print the matrix, what one check alone notices, and what none does; for chosen sizes, only the last."""
    if not found.options.sized:
        out.print(_matrix(found))
        lines = [*_alone(found.kills), *(_closing(found, dtype) for dtype in found.dtypes)]
    else:
        unseen = [kill for kill in found.kills if not kill.caught]
        here = [kill for kill in unseen if "rnn" in kill.fault.kinds]
        if here:
            out.print(_unseen(here, found))
        lines = [
            f"{len(unseen)} of {len(found.kills)} faults could not have been seen in these {found.cases} cases",
            f"{len(unseen) - len(here)} of them need cases of clipping, optimiser steps or drawing tokens, "
            "which `rnncheck verify` has",
        ]
    for line in lines:
        out.print(Text(line), soft_wrap=True)


def _matrix(found: Measured) -> Table:
    """Make a row of every fault: its largest error in each dtype, and in how many cases which check notices it."""
    title = f"{found.cases} cases: the largest error in allowances, and in how many cases a check notices it"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("fault", no_wrap=True)
    for dtype in found.dtypes:
        table.add_column(dtype, justify="right", no_wrap=True)
    table.add_column("checks")
    for kill in found.kills:
        margins = [_margin(kill.within(dtype)) for dtype in found.dtypes]
        checks = ", ".join(f"{name} {len(catches)}" for name, catches in kill.checks.items())
        table.add_row(*(Text(cell, style="" if kill.caught else "red") for cell in (kill.name, *margins, checks)))
    return table


def _margin(kill: Kill) -> str:
    if not kill.caught:
        return "no fault" if kill.equivalent else "MISSED"
    return "inf" if math.isinf(kill.margin) else f"{kill.margin:.0e}".replace("e+", "e")


def _alone(kills: Sequence[Kill]) -> Iterator[str]:
    """Say what each check alone notices: without it, these would pass."""
    found: dict[str, list[str]] = {}
    for kill in kills:
        if len(kill.checks) == 1:
            found.setdefault(next(iter(kill.checks)), []).append(kill.name)
    for check, names in found.items():
        yield f"{check} alone notices {len(names)}: {', '.join(names)}"


def _closing(found: Measured, dtype: str) -> str:
    """Count in one dtype, and name the fault that came nearest to passing."""
    rows = [row for row in (kill.within(dtype) for kill in found.kills) if not row.equivalent]
    caught = [row for row in rows if row.caught]
    least = min(caught, key=lambda row: row.margin, default=None)
    faint = [row.name for row in caught if row.fault.structural and row.margin < CLEARLY]
    missed = [row.name for row in rows if not row.caught]
    parts = [
        f"{dtype}: {len(caught)} of {len(rows)} faults caught",
        f"the least clear by {least.margin:.2g} allowances: {least.name}" if least else "",
        f"below {CLEARLY:g}: {', '.join(faint)}" if faint else "",
        f"missed: {', '.join(missed)}" if missed else "",
    ]
    return "; ".join(filter(None, parts))


def _unseen(kills: Sequence[Kill], found: Measured) -> Table:
    """List what cannot be seen, each with the reason."""
    table = Table(title="not to be seen", title_justify="left", box=None, pad_edge=False)
    for column in ("fault", "family", "why"):
        table.add_column(column, overflow="fold")
    for kill in kills:
        table.add_row(*(Text(cell) for cell in (kill.name, kill.fault.family, _why(kill, found))))
    return table


def _why(kill: Kill, found: Measured) -> str:
    fault, lengths = kill.fault, found.options.lengths or (64,)
    if fault.shows_from > max(lengths):
        return f"shows from T = {fault.shows_from}"
    if all("." in pattern for pattern in fault.corrupts):
        return "shows in what a call leaves behind; `rnncheck verify` looks there"
    hidden = "" if fault.equivalent_when == "never" else f"hidden when {fault.equivalent_when}"
    return hidden or "hidden by these sizes and values"
