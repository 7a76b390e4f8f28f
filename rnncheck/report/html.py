"""A report as one HTML page that needs nothing beside it: no network, no script, no font, no other file."""

from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from rnncheck.diagnosis.finding import Cause, Diagnosis
from rnncheck.evidence import Evidence
from rnncheck.report.likely_cause import likely_cause
from rnncheck.report.pictures import error_over_length, error_over_time, heat_map
from rnncheck.report.sentences import alike, closing_count, failure, family_verdict, family_worst, verdict
from rnncheck.result import Report
from rnncheck.trace import TIMED
from rnncheck.versions import versions

__all__ = ["dumps"]

SHOWN = 10
TEMPLATE = Path(__file__).with_name("page.html.jinja")


def dumps(report: Report, evidence: Evidence | None = None) -> str:
    """Render `report`; with `evidence`, what went wrong is drawn."""
    kinds = alike(report)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        report=report,
        verdict=verdict(report),
        count=closing_count(report),
        families=[
            (name, len(found), sum(o.compared for o in found), family_worst(found), family_verdict(found))
            for name, found in report.families.items()
        ],
        failures=[(kind.title, failure(kind.first, report.seed, kind.later)) for kind in kinds[:SHOWN]],
        more=sum(1 + kind.more for kind in kinds[SHOWN:]),
        cause=_cause(report.diagnosis),
        over_length=error_over_length(report) if any(o.comparisons for o in report.outcomes) else "",
        evidence=_drawn(report, evidence),
        versions=versions() | report.versions,
    )


def _cause(found: Diagnosis | None) -> dict[str, Any] | None:
    if found is None:
        return None
    title, *lines = likely_cause(found)
    return {"title": title, "lines": lines, "pairs": [pair for c in found.causes if (pair := _lines(c))]}


def _lines(cause: Cause) -> tuple[str, str] | None:
    """Return the wrong line and the right one, as the catalogue writes them or as they were read off."""
    from rnncheck.faults import FAULTS

    if not cause.change:
        return None  # the cure is withheld
    if cause.name in FAULTS:
        return FAULTS[cause.name].wrong_line, FAULTS[cause.name].right_line
    return cause.what, cause.change


def _drawn(report: Report, evidence: Evidence | None) -> dict[str, Any] | None:
    """Draw the wrong array: a matrix as it is, what has a time axis at the step that is worst."""
    if evidence is None:
        return None
    candidate, reference, where = evidence.candidate, evidence.reference, ""
    if evidence.array in TIMED:
        with np.errstate(invalid="ignore"):
            errors = np.nan_to_num(np.abs(candidate - reference), nan=np.inf).reshape(len(reference), -1).max(axis=1)
        step = int(errors.argmax())
        candidate, reference, where = candidate[step], reference[step], f", step {evidence.steps[step]}"
    matrices = [np.atleast_2d(array) for array in (candidate, reference)]
    return {
        "title": f"{evidence.array} in {evidence.case.name}{where}",
        "heat_map": heat_map(*matrices),
        "longest": evidence.longest,
        "steps_left_out": evidence.longest_steps[-1:] > (len(evidence.longest_steps),),
        "over_time": error_over_time(evidence.over_time, evidence.longest_steps) if evidence.over_time else "",
    }
