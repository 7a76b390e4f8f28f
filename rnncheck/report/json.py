"""A report as JSON, described by `report.schema.json` beside this file; the schema's version is `SCHEMA_VERSION`.

JSON has no NaN and no infinity: such numbers are the strings "NaN", "Infinity" and "-Infinity".
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rnncheck.report.sentences import closing_count, consequences, family_verdict, verdict
from rnncheck.result import Comparison, Outcome, Report, Verdict
from rnncheck.versions import versions

__all__ = ["SCHEMA_VERSION", "dumps", "plain", "report_dict"]

SCHEMA_VERSION = 1


def dumps(report: Report) -> str:
    """Render `report` as one JSON document, ending in a newline."""
    return json.dumps(report_dict(report), indent=1, allow_nan=False) + "\n"


def report_dict(report: Report) -> dict[str, Any]:
    """Return what the document holds: the counts first, every outcome last."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "verdict": verdict(report),
        "exit_code": report.exit_code,
        "count": closing_count(report),
        "planned": report.planned,
        "run": report.run,
        "passed": report.count(Verdict.PASSED),
        "failed": report.count(Verdict.FAILED),
        "not_comparable": report.count(Verdict.NOT_COMPARABLE),
        "not_shown": report.count(Verdict.NOT_SHOWN),
        "expected_failures": report.count(Verdict.EXPECTED_FAILURE),
        "implementation": report.implementation,
        "oracle": report.oracle,
        "seed": report.seed,
        "settings": report.settings,
        "versions": versions() | report.versions,
        "worst": {array: _comparison(c) for array, c in report.worst.items()},
        "diagnosis": None if report.diagnosis is None else asdict(report.diagnosis),
        "scope": asdict(report.scope),
        "families": [_family(name, outcomes) for name, outcomes in report.families.items()],
        "notes": report.notes,
        "outcomes": [_outcome(outcome) for outcome in report.outcomes],
    }
    rendered: dict[str, Any] = plain(document)
    return rendered


def plain(value: Any) -> Any:
    """Replace what JSON cannot hold: numbers that are not finite, paths, tuples, NumPy's scalars."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _family(name: str, outcomes: list[Outcome]) -> dict[str, Any]:
    return {
        "family": name,
        "checks": len(outcomes),
        "compared": sum(outcome.compared for outcome in outcomes),
        "verdict": family_verdict(outcomes),
        "seconds": math.fsum(outcome.seconds for outcome in outcomes),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    """Describe a check: all its comparisons, but only the worst where it passed, or 40,000 checks fill 150 MB."""
    worst = outcome.worst
    kept = (worst,) if outcome.verdict is Verdict.PASSED and worst is not None else outcome.comparisons
    return {
        "check": outcome.check,
        "family": outcome.family,
        "verdict": outcome.verdict.value,
        "message": outcome.message,
        "earliest": None if outcome.earliest is None else outcome.earliest.array,
        "consequences": consequences(outcome),
        "smallest": dict(outcome.smallest),
        "reproduce": outcome.reproduce,
        "compared": outcome.compared,
        "seconds": outcome.seconds,
        "comparisons": [_comparison(c) for c in kept],
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "array": comparison.array,
        "verdict": comparison.verdict.value,
        "margin": comparison.margin,
        "error": comparison.error,
        "limit": comparison.limit,
        "rule": comparison.rule,
        "step": comparison.step,
        "index": comparison.index,
        "candidate": comparison.candidate,
        "reference": comparison.reference,
        "reason": comparison.reason,
    }
