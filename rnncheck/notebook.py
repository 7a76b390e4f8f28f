"""A report as the few lines of HTML that a notebook shows below a cell."""

from html import escape

from rnncheck.result import Report

__all__ = ["table"]

SHOWN = 3


def table(report: Report) -> str:
    """Render verdict, families and the first failures."""
    from rnncheck.report.sentences import alike, closing_count, failure, family_verdict, family_worst, verdict

    rows = "".join(
        _row("td", name, str(len(outcomes)), family_worst(outcomes), family_verdict(outcomes))
        for name, outcomes in report.families.items()
    )
    kinds = [[f"FAILED {kind.title}", *failure(kind.first, report.seed, kind.later)] for kind in alike(report)[:SHOWN]]
    failures = "".join("<pre>" + escape("\n  ".join(lines)) + "</pre>" for lines in kinds)
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    head = _row("th", "family", "checks", "largest error", "verdict")
    return (
        f"<div><p><strong>{escape(verdict(report))}</strong></p>{failures}"
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
        f"<ul>{notes}</ul><p>{escape(closing_count(report))}</p></div>"
    )


def _row(cell: str, *words: str) -> str:
    return "<tr>" + "".join(f"<{cell}>{escape(word)}</{cell}>" for word in words) + "</tr>"
