"""A report for people: what failed and why, then a table of families, then the count that must match the plan.

A failed run says its verdict first and last: whichever end of it is looked at.
"""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnncheck.protocol.lines import plain_text
from rnncheck.report.sentences import alike, closing_count, failure, family_verdict, family_worst, verdict
from rnncheck.result import Report, Verdict
from rnncheck.sandbox.protections import HELD

__all__ = ["console", "show"]

SHOWN = 5
PLAIN_WIDTH = 120
COLOURS = {0: "green", 1: "red", 2: "red", 3: "yellow"}


def console(stderr: bool = False) -> Console:
    """Return a console on standard output or standard error: plain and wide where nobody watches.

    In a notebook too: rich would write HTML there, in colours that cannot be read on a dark page.
    """
    watched = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=None if watched else PLAIN_WIDTH, force_jupyter=False)


def show(report: Report, out: Console) -> None:
    """Print the whole report; names such as `[T=25-B=3]` are text here, never markup."""
    style = f"bold {COLOURS[report.exit_code]}"
    kinds = alike(report)
    if kinds:
        _say(out, f"{verdict(report)}\n", style)
    for number, kind in enumerate(kinds[:SHOWN]):
        _say(out, f"FAILED {kind.title}", "bold red")
        for line in failure(kind.first, report.seed, kind.later, None if number else report.diagnosis):
            _say(out, f"  {line}")
        _say(out, "")
    if left := sum(1 + kind.more for kind in kinds[SHOWN:]):
        _say(out, f"and {left} more failed: --json FILE lists them all\n")
    if report.outcomes:
        out.print(_table(report))
    for note in report.notes:
        _say(out, f"note: {_short(note)}")
    _say(out, closing_count(report))
    _say(out, verdict(report), style)


def _short(note: str) -> str:
    """Count the protections in force, which the files list; one that is not in force has a note of its own."""
    first, *more = note.split("; ")
    return f"{first}, and {len(more)} more (--json FILE lists them)" if note.startswith(HELD) and more else note


def _table(report: Report) -> Table:
    table = Table(title=Text(plain_text(f"{report.implementation} against {report.oracle}")), title_justify="left")
    for column in ("family", "checks", "compared", "largest error", "verdict"):
        table.add_column(column, justify="right" if column in ("checks", "compared") else "left", overflow="fold")
    for name, outcomes in report.families.items():
        compared = sum(outcome.compared for outcome in outcomes)
        words = family_verdict(outcomes)
        colour = "red" if report.count(Verdict.FAILED, outcomes) else "green" if words == "passed" else "yellow"
        cells = (name, f"{len(outcomes)}", f"{compared:,}", family_worst(outcomes))
        table.add_row(*(Text(cell) for cell in cells), Text(words, style=colour))
    return table


def _say(out: Console, line: str, style: str = "") -> None:
    """Print one line as it is: a command to copy must not be wrapped, a name in brackets must not vanish.

    Even the name of a file may hold what paints a terminal.
    """
    out.print(Text(plain_text(line, len(line)), style=style), soft_wrap=True)
