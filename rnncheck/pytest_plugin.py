"""rnncheck in pytest: every check of a target is a test.

    pytest --rnncheck my_rnn.py            adds the checks to whatever else is collected

    @rnncheck.parametrize_with_checks(["my_rnn.py", MyNetwork()])
    def test_my_network(check):
        check()

The last test of a target, `verdict`, fails wherever `rnncheck check` ends with another exit code than 0: nothing
comparable is no success here either. Loading this module imports neither NumPy nor torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rnncheck.check import Inquiry
    from rnncheck.implementation import Implementation

__all__ = ["parametrize_with_checks"]

VERDICT = "verdict"


@dataclass(frozen=True)
class Asked:
    """One check of a target, ready to be called by a test; or, without a name, its verdict."""

    inquiry: "Inquiry"
    name: str = VERDICT

    def __call__(self) -> None:
        """Raise TraceMismatch if the check fails, skip the test where nothing can be compared."""
        __tracebackhide__ = True  # what is wrong is in the network, not in here
        from rnncheck.errors import TraceMismatch
        from rnncheck.report.sentences import failure
        from rnncheck.result import Verdict

        if self.name == VERDICT:
            return _require_success(self.inquiry)
        outcome = self.inquiry.outcome(self.name)
        if outcome.verdict is Verdict.FAILED:
            raise TraceMismatch("\n".join(failure(outcome, seed=0)))  # its first line stands in pytest's summary
        if outcome.verdict is Verdict.EXPECTED_FAILURE:
            pytest.xfail(outcome.message)
        if outcome.verdict is not Verdict.PASSED:
            reasons = [c.reason for c in outcome.comparisons if c.reason]
            pytest.skip(f"{outcome.verdict}: {'; '.join(dict.fromkeys([outcome.message, *reasons])).strip('; ')}")
        return None

    def __str__(self) -> str:
        """Name the target and the check."""
        return f"{self.inquiry.target.name}-{self.name}"


def _require_success(inquiry: "Inquiry") -> None:
    """Raise what the run as a whole says, unless it says that all is well."""
    __tracebackhide__ = True
    from rnncheck.errors import TraceMismatch
    from rnncheck.report.likely_cause import likely_cause
    from rnncheck.report.sentences import closing_count, verdict

    report = inquiry.report()
    if report.exit_code:
        cause = [] if report.diagnosis is None else likely_cause(report.diagnosis)
        lines = [verdict(report), closing_count(report), *cause, *(f"note: {note}" for note in report.notes)]
        raise TraceMismatch("\n".join(lines))


def _all_of(implementation: "Implementation | str") -> Iterator[Asked]:
    from rnncheck.check import Inquiry

    inquiry = Inquiry(implementation)
    yield from (Asked(inquiry, name) for name in inquiry.names)
    yield Asked(inquiry)


def parametrize_with_checks(implementations: "Sequence[Implementation | str]") -> pytest.MarkDecorator:
    """Call the decorated test with every `check` of every implementation: an object with `run(case)`, or a TARGET.

    Raises
    ------
    UserError
        If a TARGET cannot be loaded, or there is nothing to judge.
    """
    from rnncheck.errors import UserError

    if isinstance(implementations, str) or not isinstance(implementations, Sequence) or not implementations:
        raise UserError(f"implementations is {implementations!r}, expected a list of them: ['my_rnn.py']")
    return pytest.mark.parametrize("check", [c for i in implementations for c in _all_of(i)], ids=str)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer `--rnncheck TARGET`."""
    group = parser.getgroup("rnncheck")
    text = "Judge TARGET as `rnncheck check` does, every check a test; may be given more than once."
    group.addoption("--rnncheck", action="append", default=[], metavar="TARGET", help=text)


@pytest.hookimpl(tryfirst=True)  # before -k makes its choice
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the checks of the targets named on the command line."""
    for text in dict.fromkeys(config.getoption("--rnncheck")):
        parent: Any = Judged.from_parent(session, name=f"rnncheck {text}", nodeid=text)
        items += parent.collect()


class Judged(pytest.Collector):
    """A target, as what its checks belong to."""

    def collect(self) -> "list[CheckItem]":
        """Plan the checks; a target that cannot be loaded ends the run, as a wrong path does."""
        try:
            return [CheckItem.from_parent(self, name=asked.name, asked=asked) for asked in _all_of(self.nodeid)]
        except ValueError as error:  # UserError: one sentence for the user
            raise pytest.UsageError(f"--rnncheck {error}") from None


class CheckItem(pytest.Item):
    """One check as a test."""

    def __init__(self, *, asked: Asked, **kwargs: Any):
        super().__init__(**kwargs)
        self.asked = asked

    def runtest(self) -> None:
        """Ask."""
        self.asked()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what is wrong, not where in the judge it was found out."""
        from rnncheck.errors import TraceMismatch

        wrong = isinstance(excinfo.value, TraceMismatch)
        return str(excinfo.value) if wrong else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Say where it comes from."""
        return self.parent.nodeid if self.parent else "", None, self.name
