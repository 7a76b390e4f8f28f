"""The power of a set of checks: which faults of the catalogue it catches, how clearly, and which it cannot see.

Every fault takes the place of the candidate: mutation analysis (R. DeMillo, R. Lipton and F. Sayward, "Hints on test
data selection", 1978) with mistakes that people make in place of random ones. Errors are counted in allowances: a
margin of 1000 is an error a thousand times as large as rounding may be.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rnncheck.case import Case, OptimCase, RNNCase, SampleCase
from rnncheck.checks.check import Bench, Check, run_check
from rnncheck.errors import UserError
from rnncheck.faults import FAULTS, Fault
from rnncheck.oracle import Oracle
from rnncheck.result import Verdict
from rnncheck.textbook import Textbook

__all__ = [
    "CLEARLY",
    "Catch",
    "Kill",
    "Trial",
    "case_of",
    "equivalent",
    "exposed",
    "kill_matrix",
    "largest_margin",
    "steps_of",
    "touched",
    "trials",
]

CLEARLY = 1000.0
"""So many allowances off, a fault is exposed: no other machine's rounding can hide it again."""

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Trial:
    """One case and the checks that look at it."""

    case: Case
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Catch:
    """One check that noticed one fault, by how many times its allowance."""

    fault: str
    check: str
    dtype: str
    margin: float

    @property
    def kind(self) -> str:
        """The name of the check without its case: `forward`, `state-no-alias`."""
        return self.check.partition("[")[0]


@dataclass(frozen=True)
class Kill:
    """What became of one fault: a row of the kill matrix."""

    fault: Fault
    dtypes: tuple[str, ...]
    catches: tuple[Catch, ...]

    @property
    def name(self) -> str:
        """The name of the fault."""
        return self.fault.name

    @property
    def caught(self) -> bool:
        """Whether any check noticed it."""
        return bool(self.catches)

    @property
    def equivalent(self) -> bool:
        """Whether it is no fault in any dtype that was looked at."""
        return all(equivalent(self.fault, dtype) for dtype in self.dtypes)

    @property
    def margin(self) -> float:
        """The largest error that any check saw, in allowances; 0 if none did."""
        return max((catch.margin for catch in self.catches), default=0.0)

    @cached_property
    def checks(self) -> dict[str, list[Catch]]:
        """The catches by kind of check."""
        found: dict[str, list[Catch]] = defaultdict(list)
        for catch in self.catches:
            found[catch.kind].append(catch)
        return dict(found)

    def within(self, dtype: str) -> "Kill":
        """Return what became of it in one dtype."""
        return Kill(self.fault, (dtype,), tuple(c for c in self.catches if c.dtype == dtype))


def equivalent(fault: Fault, dtype: str) -> bool:
    """Tell whether a fault is none in `dtype`: a cast to float64 changes nothing in float64."""
    return fault.equivalent_when == f"the case is in {dtype}"


def case_of(check: Check) -> str:
    """Return the name of the case that a check is about: what stands in its brackets."""
    return check.name.partition("[")[2].removesuffix("]")


def trials(cases: Sequence[Case], checks: Iterable[Check]) -> list[Trial]:
    """Give each case its checks; `checks` may come in any order, but each is about one of `cases`."""
    found: dict[str, list[Check]] = {case.name: [] for case in cases}
    for check in checks:
        found[case_of(check)].append(check)
    return [Trial(case, tuple(found[case.name])) for case in cases]


def kill_matrix(
    trials: Iterable[Trial],
    oracle: Oracle,
    *,
    afresh: bool = True,
    on_progress: Progress = lambda case, done: None,
) -> list[Kill]:
    """Put every fault to every trial: `afresh`, so that no case gets the credit for what another has left behind.

    Otherwise one faulty program goes through all trials, as a candidate does.

    Raises
    ------
    UserError
        If a check fails the textbook without any fault: it would then seem to catch everything.
    """
    catches: dict[str, list[Catch]] = {name: [] for name in FAULTS}
    benches = {name: Bench(fault.build(), oracle) for name, fault in FAULTS.items()}
    dtypes: dict[str, None] = {}
    for done, trial in enumerate(trials, start=1):
        dtypes[str(trial.case.dtype)] = None
        _control(trial, oracle)
        for fault in touched(FAULTS.values(), trial.case):
            bench = Bench(fault.build(), oracle) if afresh else benches[fault.name]
            catches[fault.name] += _catches(fault, trial, bench)
        on_progress(trial.case.name, done)
    return [Kill(fault, tuple(dtypes), tuple(catches[name])) for name, fault in FAULTS.items()]


def exposed(trial: Trial, oracle: Oracle) -> list[str]:
    """Name the faults that a trial exposes, in the order of the catalogue."""
    return [f.name for f in touched(FAULTS.values(), trial.case) if largest_margin(f, trial, oracle) >= CLEARLY]


def largest_margin(fault: Fault, trial: Trial, oracle: Oracle) -> float:
    """Return the largest error, in allowances, that the checks of a trial see in a fault; 0 if they see none."""
    return max((catch.margin for catch in _catches(fault, trial, Bench(fault.build(), oracle))), default=0.0)


def touched(faults: Iterable[Fault], case: Case) -> Iterator[Fault]:
    """Leave out the faults that do nothing here: those of other kinds of cases, and of longer ones."""
    return (fault for fault in faults if case.kind in fault.kinds and fault.shows_from <= steps_of(case))


def steps_of(case: Case) -> int:
    """Return T, the number of tokens drawn, or the number of steps of an optimiser."""
    if isinstance(case, RNNCase):
        return len(case.x)
    if isinstance(case, SampleCase):
        return len(case.uniforms)
    return len(next(iter(case.grads.values()))) if isinstance(case, OptimCase) else 1


def _catches(fault: Fault, trial: Trial, bench: Bench) -> Iterator[Catch]:
    for check in trial.checks:
        outcome = run_check(check, bench)
        if outcome.verdict is Verdict.FAILED:
            margin = float("inf") if outcome.worst is None else outcome.worst.margin
            yield Catch(fault.name, check.name, str(trial.case.dtype), margin)


def _control(trial: Trial, oracle: Oracle) -> None:
    """Put the textbook without a fault to the same trial."""
    bench = Bench(Textbook(), oracle)
    for check in trial.checks:
        outcome = run_check(check, bench)
        if outcome.verdict is Verdict.FAILED:
            why = outcome.earliest or outcome.message
            raise UserError(f"{check.name} fails even the textbook without a fault ({why}): it has no power to measure")
