"""rnncheck judges recurrent networks: every output, loss and gradient against an autograd oracle."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnncheck.check import check_rnn
    from rnncheck.pytest_plugin import parametrize_with_checks

__all__ = ["__version__", "check_rnn", "parametrize_with_checks"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a door when it is first used: `import rnncheck` itself imports neither NumPy nor pytest."""
    if name == "check_rnn":
        from rnncheck.check import check_rnn

        return check_rnn
    if name == "parametrize_with_checks":
        from rnncheck.pytest_plugin import parametrize_with_checks

        return parametrize_with_checks
    raise AttributeError(f"module 'rnncheck' has no attribute {name!r}")
