"""Do the stored vectors hide nothing? For every catalogued fault, in each dtype, one of them must expose it.

Which one is written in the manifest, so that a handful of milliseconds per fault settles what the whole kill matrix
would say.
"""

from collections.abc import Callable, Iterator, Sequence

from rnncheck.checks.check import Bench, Check, failed, passed
from rnncheck.checks.standard import standard_checks
from rnncheck.faults import FAULTS, Fault
from rnncheck.power.matrix import CLEARLY, Trial, equivalent, largest_margin, trials
from rnncheck.result import Comparison
from rnncheck.vectors import Vector, VectorOracle

__all__ = ["exposure_checks"]

RULE = "exposed by a vector"


def exposure_checks(vectors: Sequence[Vector], dtypes: Sequence[str], claimed: bool = False) -> Iterator[Check]:
    """Plan one check per fault and dtype in which it is one; `claimed`: only where a vector claims to expose it."""
    cases = [v.case for v in vectors]
    by_name = {trial.case.name: trial for trial in trials(cases, standard_checks(cases))}
    oracle = VectorOracle(vectors)
    for dtype in dtypes:
        first = {fault: by_name[v.case.name] for v in reversed(vectors) if v.case.dtype == dtype for fault in v.exposes}
        for name, fault in FAULTS.items():
            if not equivalent(fault, dtype) and (name in first or not claimed):
                yield Check(f"vector-exposes[{name}-{dtype}]", "vector-exposes", _ask(fault, first.get(name), oracle))


def _ask(fault: Fault, trial: Trial | None, oracle: VectorOracle) -> Callable[[Bench], list[Comparison]]:
    return lambda _bench: [_judge(fault, trial, oracle)]


def _judge(fault: Fault, trial: Trial | None, oracle: VectorOracle) -> Comparison:
    if trial is None:
        return failed(fault.name, RULE, "passes: no vector of this dtype exposes it; add a case that does")
    margin = largest_margin(fault, trial, oracle)
    if margin < CLEARLY:
        why = f"is said to show in {trial.case.name}, and is {margin:.3g} of {CLEARLY:g} allowances off there"
        return failed(fault.name, RULE, f"{why}; write the vectors anew")
    return passed(fault.name, RULE)
