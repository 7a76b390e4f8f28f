"""A report for people: failures first, then a table of families, then the count that must match the plan."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnncheck.protocol.lines import plain_text
from rnncheck.report.likely_cause import likely_cause
from rnncheck.report.sentences import closing_count, failure, family_verdict, family_worst, verdict
from rnncheck.result import Report, Verdict

__all__ = ["console", "show"]

SHOWN = 10
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
    failures = report.failures
    for outcome, later in failures[:SHOWN]:
        _say(out, f"FAILED {outcome.check}", "bold red")
        for line in failure(outcome, report.seed, later):
            _say(out, f"  {line}")
        _say(out, "")
    if len(failures) > SHOWN:
        _say(out, f"and {len(failures) - SHOWN} more failed: --json FILE lists them all\n")
    if report.diagnosis is not None:
        title, *lines = likely_cause(report.diagnosis)
        _say(out, title, "bold")
        for line in lines:
            _say(out, f"  {line}")
        _say(out, "")
    if report.outcomes:
        out.print(_table(report))
    for note in report.notes:
        _say(out, f"note: {note}")
    _say(out, closing_count(report))
    _say(out, verdict(report), f"bold {COLOURS[report.exit_code]}")


def _table(report: Report) -> Table:
    table = Table(title=Text(plain_text(f"{report.implementation} against {report.oracle}")), title_justify="left")
    for column in ("family", "checks", "compared", "worst margin", "verdict"):
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
