"""Two kinds of trouble, kept apart: the user's mistake, and a wrong result."""

__all__ = [
    "ExpectedFailure",
    "NotJudgedError",
    "NotShownError",
    "OracleError",
    "TargetError",
    "TraceMismatch",
    "UserError",
    "raised",
]


class UserError(ValueError):
    """A mistake of the caller: one sentence saying what, where, the rule and what to do. The command exits with 2."""


class TraceMismatch(AssertionError):  # noqa: N818 - it is a verdict, not an error of the program
    """Two implementations differ by more than rounding can explain."""


class NotShownError(Exception):
    """An implementation does not offer what a case asks for: reported as "not shown", never silently skipped."""


class ExpectedFailure(Exception):  # noqa: N818 - it is a verdict, not an error of the program
    """A check failed that its owner has listed as failing, with the reason."""


class TargetError(Exception):
    """Code under test that runs in a process of its own gave no answer: it raised, ended, kept silent, or babbled."""


class OracleError(RuntimeError):
    """The oracle itself could not answer: nobody's verdict, the run ends with exit code 2."""


class NotJudgedError(UserError):
    """A target that is not judged: an LSTM, or code that nobody knows how to call. The command exits with 3."""


def raised(error: Exception) -> str:
    """Say what the code under test has raised; of code in a process of its own the error's sentence says it already."""
    return str(error) if isinstance(error, TargetError) else f"raised {type(error).__name__}: {error}"
