"""The main job: plan every check of our own RNN against the oracle, run them, count them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rnncheck.checks.check import Bench, Check, run_check
from rnncheck.options import VerifyOptions
from rnncheck.planning.plan import Plan
from rnncheck.planning.verification import plan
from rnncheck.result import Outcome, Report, Verdict
from rnncheck.stopwatch import phase
from rnncheck.versions import versions

if TYPE_CHECKING:
    from rnncheck.diagnosis import Diagnosis

__all__ = ["Progress", "run_plan", "verify"]

Progress = Callable[[Outcome, int, int], None]
Ask = Callable[[Check, Bench, str], Outcome]


def verify(options: VerifyOptions, on_outcome: Progress = lambda outcome, done, planned: None) -> Report:
    """Run every check that `options` plan; `on_outcome` sees each outcome with how many are done and planned."""
    from rnncheck.power.measure import blind_note

    planned = plan(options)
    report = run_plan(planned, "numpy_impl", options.seed, options.command, on_outcome)
    report.notes += filter(None, [blind_note(options)])
    report.settings = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(options).items() if v is not None}
    return report


def run_plan(
    planned: Plan, implementation: str, seed: int, command: str, on_outcome: Progress, ask: Ask = run_check
) -> Report:
    """Run the checks in their order. `command` runs the plan; with `-k` and a name it reproduces one check."""
    report = Report(implementation, planned.oracle, planned.count, seed, notes=list(planned.notes), versions=versions())
    for done, (check, bench) in enumerate(planned.checks, start=1):
        outcome = ask(check, bench, f"{command} -k '{check.name}'")
        report.outcomes.append(outcome)
        on_outcome(outcome, done, report.planned)
    report.diagnosis = _likely_cause(planned, report)
    return report


def _likely_cause(planned: Plan, report: Report) -> "Diagnosis | None":
    """Diagnose the first implementation that failed; of the oracles, which are nobody's own code, none is."""
    for (check, bench), outcome in zip(planned.checks, report.outcomes, strict=True):
        if outcome.verdict is Verdict.FAILED and not check.family.startswith("reference"):
            with phase("diagnosis"):
                from rnncheck.diagnosis import explain_failure

                return explain_failure(bench.implementation, report, planned.noted)
    return None
