"""The words of a report, said once for every renderer: errors, failures, the closing count, the verdict."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rnncheck.report.likely_cause import likely_cause
from rnncheck.result import Outcome, Report, Scope, Verdict

if TYPE_CHECKING:
    from rnncheck.diagnosis.finding import Diagnosis

__all__ = ["Alike", "alike", "closing_count", "consequences", "failure", "family_verdict", "family_worst", "verdict"]

NAMED = 8
FEW = 3


class Alike(NamedTuple):
    """Failures with the same first wrong array, or the same message: the first of them, and how many more there are."""

    first: Outcome
    later: list[Outcome]
    more: int

    @property
    def title(self) -> str:
        """Name the check that stands for all."""
        return self.first.check + (f", and {self.more} more like it" if self.more else "")


def alike(report: Report) -> list[Alike]:
    """Put failures together that say the same; in the order in which the first of each kind failed."""
    groups: dict[str, list[tuple[Outcome, list[Outcome]]]] = {}
    for outcome, later in report.failures:
        wrong = outcome.earliest
        words = outcome.message if wrong is None else f"{wrong.array} {wrong.reason}"
        groups.setdefault(re.sub(r"\d+", "", words), []).append((outcome, later))  # sizes differ from case to case
    return [Alike(*found[0], len(found) - 1) for found in groups.values()]


def family_worst(outcomes: list[Outcome]) -> str:
    """Say the largest error of a family and where it is: `0.08 of its allowance in da at T = 50`.

    It is `-` where nothing was compared with a tolerance.
    """
    judged = [(worst, outcome) for outcome in outcomes if (worst := outcome.worst) is not None]
    if not judged:
        return "-"
    worst, outcome = max(judged, key=lambda pair: pair[0].margin)
    if worst.margin == 0.0:
        return worst.used
    length = re.search(r"\bT=(\d+)", outcome.check)
    return f"{worst.used} in {worst.array} " + (f"at T = {length[1]}" if length else f"({outcome.check})")


def family_verdict(outcomes: list[Outcome]) -> str:
    """Name the verdicts of a family: `passed`, or every other one with its count, failures first."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    others = [f"{counts[v]} {v}" for v in tuple(Verdict)[1:] if counts[v]]
    return ", ".join(others) or str(Verdict.PASSED)


def consequences(outcome: Outcome, later: Sequence[Outcome] = ()) -> list[str]:
    """Name the wrong arrays after the earliest one, in this check and in the `later` ones of the same flow."""
    wrong = [c.array for o in (outcome, *later) for c in o.comparisons if c.verdict is Verdict.FAILED]
    return [array for array in dict.fromkeys(wrong) if array != wrong[0]]


def failure(outcome: Outcome, seed: int, later: Sequence[Outcome] = (), cause: "Diagnosis | None" = None) -> list[str]:
    """Explain a failed check: the earliest wrong array, its likely cause, the command that repeats it, what follows."""
    lines = [outcome.message] if outcome.message else []
    if outcome.earliest is not None:
        lines.append(f"earliest wrong array: {outcome.earliest}")
    if cause is not None:
        title, *rest = likely_cause(cause)
        lines += [title, *(f"  {line}" for line in rest)]
    if outcome.reproduce:
        lines.append(f"reproduce: {outcome.reproduce}")
    if outcome.smallest:
        lines.append(f"smallest case: {', '.join(f'{axis}={size}' for axis, size in outcome.smallest.items())}")
    lines.append(f"seed: {seed}")
    told = cause is not None and cause.consequences  # among the likely cause, and over all cases
    if (others := consequences(outcome, later)) and not told:
        checks = f" (checks {', '.join(o.check for o in later)})" if later else ""
        lines.append(f"consequences: {_listed(others, NAMED)}{checks}")
    return lines


def closing_count(report: Report) -> str:
    """Hold the plan against what happened: `planned 9 = run 9 = passed 7 + not comparable 2`."""
    parts = [f"{v} {report.count(v)}" for v in Verdict if v is Verdict.PASSED or report.count(v)]
    sign = "=" if report.planned == report.run else "!="
    return f"planned {report.planned} {sign} run {report.run} = {' + '.join(parts)}"


def verdict(report: Report) -> str:
    """Say what the exit code means for this run."""
    if report.exit_code == 0:
        return f"AGREE: {report.implementation} and {report.oracle} differ by rounding only{_restriction(report.scope)}"
    if report.exit_code == 1:
        failed = f"DIFFER: {report.count(Verdict.FAILED)} of {report.run} checks failed"
        return failed if report.complete else f"{failed}, and {_unfinished(report)}"
    if report.crash:
        return f"COULD NOT RUN: it ends so in every case that is asked: {report.crash}"
    if report.exit_code == 2:
        return f"COULD NOT RUN: {_unfinished(report)}, so this run proves nothing"
    left = report.count(Verdict.PASSED)
    return (
        f"NOTHING COMPARABLE: {report.count(Verdict.NOT_COMPARABLE)} checks not comparable, "
        f"{report.count(Verdict.NOT_SHOWN)} not shown, and only {left} that could be judged"
    )


def _listed(names: Sequence[str], most: int) -> str:
    """Name the first so many, and count the others."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _restriction(scope: Scope) -> str:
    """Say of which part only a green verdict speaks; nothing where it speaks of all."""
    parts = [f"{scope.judged} judged"] if scope.judged and scope.not_judged else []
    parts += [f"{_listed(scope.not_judged, FEW)} not judged: see the notes"] if scope.not_judged else []
    parts += [f"{_listed(scope.not_shown, FEW)} not shown"] if scope.not_shown else []
    return f" ({'; '.join(parts)})" if parts else ""


def _unfinished(report: Report) -> str:
    """Say why a run was not the run that was planned."""
    if report.planned == 0:
        return "no check was planned"
    if report.run < report.planned:
        return f"{report.planned - report.run} of {report.planned} planned checks did not run"
    check, times = Counter(outcome.check for outcome in report.outcomes).most_common(1)[0]
    return f"{check} ran {times} times" if times > 1 else f"{report.run} checks ran where {report.planned} were planned"
