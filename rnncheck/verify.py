"""The main job: plan every check of our own RNN against the oracle, run them, count them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rnncheck.checks.check import Bench, Check, run_check
from rnncheck.options import VerifyOptions
from rnncheck.plan import Plan, plan
from rnncheck.result import Outcome, Report
from rnncheck.versions import versions

__all__ = ["Progress", "run_plan", "verify"]

Progress = Callable[[Outcome, int, int], None]
Ask = Callable[[Check, Bench, str], Outcome]


def verify(options: VerifyOptions, on_outcome: Progress = lambda outcome, done, planned: None) -> Report:
    """Run every check that `options` plan; `on_outcome` sees each outcome with how many are done and planned."""
    planned = plan(options)
    report = run_plan(planned, "numpy_impl", options.seed, options.command, on_outcome)
    report.settings = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(options).items() if v is not None}
    return report


def run_plan(planned: Plan, implementation: str, seed: int, command: str, on_outcome: Progress, ask: Ask = run_check) -> Report:
    """Run the checks in their order. `command` runs the plan; with `-k` and a name it reproduces one check."""
    report = Report(
        implementation, planned.oracle, len(planned.checks), seed, notes=list(planned.notes), versions=versions()
    )
    for done, (check, bench) in enumerate(planned.checks, start=1):
        outcome = ask(check, bench, f"{command} -k '{check.name}'")
        report.outcomes.append(outcome)
        on_outcome(outcome, done, report.planned)
    return report
