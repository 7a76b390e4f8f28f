"""A check: a named question to an implementation, answered by comparisons.

Its name is the id of the test, the row in the report and what `-k` filters; its family is the table it stands in.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from rnncheck.case import Case
from rnncheck.errors import ExpectedFailure, NotShownError, OracleError, raised
from rnncheck.implementation import Implementation
from rnncheck.judging.compare import Answer
from rnncheck.judging.judge import judge
from rnncheck.judging.tolerance import PeakRule
from rnncheck.oracle import Oracle
from rnncheck.result import Comparison, Outcome, Verdict
from rnncheck.stopwatch import phase
from rnncheck.trace import Trace

__all__ = ["Bench", "Check", "Source", "close_to", "equal", "failed", "passed", "run_check"]


@dataclass(frozen=True)
class Source:
    """A case by name, made when it is needed: a plan of 10,000 cases holds no arrays."""

    name: str
    make: Callable[[], Case]

    @classmethod
    def of(cls, case: Case) -> "Source":
        """Wrap a case that exists already."""
        return cls(case.name, lambda: case)


class Bench:
    """Where candidate and oracle meet. The latest comparison is kept, since several checks look at one case."""

    def __init__(self, implementation: Implementation, oracle: Oracle):
        self.implementation = implementation
        self.oracle = oracle
        self._latest: tuple[str, list[Comparison]] | None = None

    def run(self, case: Case) -> Trace:
        """Return what the implementation makes of a copy of `case`."""
        return self.implementation.run(case.copy())

    def compare(self, source: Source) -> list[Comparison]:
        """Compare all arrays of the implementation's Trace with the oracle's."""
        if self._latest is None or self._latest[0] != source.name:
            case = _make(source)
            trace = self.run(case)
            answer = self.ask_oracle(case)
            with phase("judging"):
                self._latest = source.name, judge(case, trace, answer)
        return self._latest[1]

    def ask_oracle(self, case: Case) -> Answer:
        """Return the oracle's answer; its own failure is nobody's verdict and ends the run."""
        try:
            with phase("asking the oracle"):
                return self.oracle.answer(case)
        except Exception as error:
            raise OracleError(f"the oracle ({self.oracle.name}) could not answer case {case.name}: {error}") from error


def _make(source: Source) -> Case:
    """Make the case; that it cannot be made is not the candidate's fault."""
    try:
        return source.make()
    except Exception as error:
        raise OracleError(f"case {source.name} could not be made: {error}") from error


@dataclass(frozen=True)
class Check:
    """A question with its name. `ask` returns comparisons; a check that compares nothing has failed.

    Checks of one `flow` look at the same Trace in dataflow order: a failure in one explains those in the later ones.
    `again` asks the same of another case than that of `about`.
    """

    name: str
    family: str
    ask: Callable[[Bench], Iterable[Comparison]]
    flow: str = ""
    source: Source | None = None
    about: Source | None = None
    again: "Callable[[Case], Check] | None" = None


def run_check(check: Check, bench: Bench, reproduce: str = "") -> Outcome:
    """Ask, and turn the comparisons into one verdict. An implementation that raises has failed this check only."""
    start = time.perf_counter()
    message = ""
    comparisons: tuple[Comparison, ...] = ()
    try:
        comparisons = tuple(check.ask(bench))
        verdict = _verdict(comparisons)
        if not comparisons:
            message = "compared nothing: a check that cannot fail is a defect of the suite"
    except NotShownError as why:
        verdict, message = Verdict.NOT_SHOWN, str(why)
    except ExpectedFailure as why:
        verdict, message = Verdict.EXPECTED_FAILURE, str(why)
    except OracleError:
        raise
    except Exception as error:  # whatever the code under test raises is its verdict, not ours
        verdict, message = Verdict.FAILED, raised(error)
    return Outcome(
        check.name,
        check.family,
        verdict,
        comparisons,
        message,
        reproduce,
        time.perf_counter() - start,
        compared=sum(c.verdict in (Verdict.PASSED, Verdict.FAILED) for c in comparisons),
        flow=check.flow,
    )


def _verdict(comparisons: tuple[Comparison, ...]) -> Verdict:
    """Failed if anything failed; else passed if anything was judged; else why nothing was."""
    verdicts = {c.verdict for c in comparisons}
    for verdict in (Verdict.FAILED, Verdict.PASSED, Verdict.NOT_COMPARABLE, Verdict.NOT_SHOWN):
        if verdict in verdicts:
            return verdict
    return Verdict.FAILED


def passed(array: str, rule: str) -> Comparison:
    """Say that a yes-or-no question about `array` was answered well."""
    return Comparison(array, Verdict.PASSED, rule=rule)


def failed(array: str, rule: str, reason: str) -> Comparison:
    """Say that a yes-or-no question about `array` was answered badly, and how."""
    return Comparison(array, Verdict.FAILED, error=float("inf"), rule=rule, reason=reason)


def equal(array: str, found: np.ndarray, expected: np.ndarray) -> Comparison:
    """Hold whole numbers, or what only copies, against what they must be."""
    right = np.array_equal(found, expected)
    return passed(array, "equal") if right else failed(array, "equal", f"is {found}, expected {expected}")


def close_to(array: str, found: np.ndarray, expected: np.ndarray) -> Comparison:
    """Hold an array that no Trace shows against the one expected, in its own dtype, by the rule of tame cases."""
    if found.shape != expected.shape:
        return failed(array, "form", f"has shape {found.shape}, expected {expected.shape}")
    finding = PeakRule(found.dtype).judge(found, np.asarray(expected, np.float64))
    verdict = Verdict.PASSED if finding.error <= finding.limit else Verdict.FAILED
    return Comparison(array, verdict, finding.error, finding.limit, finding.rule, None, finding.index)
