"""A report for GitHub Actions: annotations that stand beside the code, and a summary of the step in Markdown."""

import re
from pathlib import Path

from rnncheck.report.likely_cause import likely_cause
from rnncheck.report.sentences import alike, closing_count, failure, family_verdict, family_worst, verdict
from rnncheck.result import Report

__all__ = ["annotations", "summary"]

SHOWN = 10
"""So many annotations of a kind GitHub shows for a step."""


def annotations(report: Report, file: Path | None = None) -> list[str]:
    """Return workflow commands, one a line: an error for every kind of failure, or for no verdict."""
    place = f"file={_property(str(file))}," if file is not None else ""
    found = [
        f"::error {place}title={_property(kind.title)}::{_data(failure(kind.first, report.seed, kind.later))}"
        for kind in alike(report)[:SHOWN]
    ]
    if report.exit_code and not found:
        found = [f"::error {place}title=rnncheck::{_data([verdict(report)])}"]
    return found


def summary(report: Report) -> str:
    """Return the step's summary in Markdown."""
    lines = [f"### {_cell(verdict(report))}", ""]
    if report.diagnosis is not None:
        lines += ["~~~text", *(line.replace("~~~", "~ ~ ~") for line in likely_cause(report.diagnosis)), "~~~", ""]
    lines += ["| family | checks | largest error | verdict |", "| --- | ---: | --- | --- |"]
    for name, outcomes in report.families.items():
        words = (name, str(len(outcomes)), family_worst(outcomes), family_verdict(outcomes))
        lines.append(f"| {' | '.join(map(_cell, words))} |")
    return "\n".join([*lines, "", _cell(closing_count(report)), ""]) + "\n"


def _data(lines: list[str]) -> str:
    """Escape what a command says: a line break would end it, and let a target begin one of its own."""
    return "\n".join(lines).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data([text]).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Escape what Markdown would read as markup."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", text.replace("\n", " "))
