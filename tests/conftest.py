"""What all tests share: one thread, floors under the number of tests that ran, and a few fixtures."""

import os

for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")  # before NumPy and torch are imported

from collections import Counter
from collections.abc import Callable, Iterator

import jaxtyping
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from rnncheck.case import Case
from rnncheck.implementation import Implementation, NumpyImpl
from rnncheck.trace import Trace

# How long an example takes says nothing about the code, and a run must be the same on every machine.
settings.register_profile(
    "same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("explore", settings.get_profile("same"), derandomize=False)
"""`pytest --hypothesis-profile explore` draws examples that nobody has seen."""
settings.load_profile("same")

AT_LEAST = "RNNCHECK_AT_LEAST"
"""So many tests must pass: fewer, and something has stopped being collected without anybody noticing."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a run with too few tests red."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    floor = int(os.environ.get(AT_LEAST, 0))
    if reporter is not None and exitstatus == 0 and len(reporter.stats.get("passed", [])) < floor:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not looked at."""
    passed, floor = len(terminalreporter.stats.get("passed", [])), int(os.environ.get(AT_LEAST, 0))
    if passed < floor:
        terminalreporter.write_line(f"TOO FEW TESTS: {passed} passed, {AT_LEAST} asks for {floor}", red=True, bold=True)
    skipped = [r.longrepr[2] for r in terminalreporter.stats.get("skipped", []) if isinstance(r.longrepr, tuple)]
    for reason, count in sorted(Counter(skipped).items()):
        terminalreporter.write_line(f"{count} NOT RUN: {reason.removeprefix('Skipped: ')}", yellow=True)


class Planted:
    """An implementation with a fault planted in its Trace: the twin that a check must catch."""

    name = "planted"

    def __init__(self, spoil: Callable[[Case, dict[str, np.ndarray]], None], base: Implementation | None = None):
        self.spoil = spoil
        self.base = base or NumpyImpl()

    def run(self, case: Case) -> Trace:
        trace = {name: np.array(array) for name, array in self.base.run(case).items()}
        self.spoil(case, trace)
        return trace


@pytest.fixture
def planted() -> type[Planted]:
    """Return the class of implementations with a planted fault."""
    return Planted


@pytest.fixture
def shapes_unchecked() -> Iterator[None]:
    """Let a wrong argument reach the function's own check, as it does outside the test run."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
