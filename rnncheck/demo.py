"""A wrong gradient, twice: under a check as people write it, which sees nothing, and under the judge.

The network is the textbook with one fault of the catalogue. The usual check takes one short sequence, small weights
and the relative error of a central difference; the judge takes a stored case. Nothing here needs torch.
"""

from dataclasses import dataclass, replace

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.errors import UserError
from rnncheck.faults import Fault, get
from rnncheck.judging.judge import judge
from rnncheck.lesson import is_plain, vectors
from rnncheck.result import Comparison, Verdict

__all__ = ["FAULT", "Demo", "demo", "usual_check"]

FAULT = "carry-not-transposed"
USUAL_LIMIT = 1e-5
"""The relative error below which courses call a gradient right."""

STEP = 1e-5
TYPICAL = "T=3-B=2-float64"


@dataclass(frozen=True)
class Demo:
    """What both checks say: relative errors by gradient, and the judge's comparisons on one case."""

    fault: Fault
    usual: dict[str, float]
    case: RNNCase
    found: list[Comparison]

    @property
    def usual_passes(self) -> bool:
        """Whether the usual check sees nothing."""
        return max(self.usual.values()) < USUAL_LIMIT


def demo(name: str = FAULT) -> Demo:
    """Check one fault both ways.

    Raises
    ------
    UserError
        If there is no such fault, or a plain network does not show it.
    """
    fault = get(name)
    if "rnn" not in fault.kinds:
        raise UserError(f"fault {name}: it is none of a network's gradient ({', '.join(fault.kinds)}); choose another")
    for vector in sorted(vectors(), key=lambda v: not v.case.name.startswith(TYPICAL)):
        case = vector.case
        if isinstance(case, RNNCase) and is_plain(case) and case.dtype == np.float64:
            found = judge(case, fault.build().run(case.copy()), vector.answer())
            if any(c.verdict is Verdict.FAILED for c in found):
                return Demo(fault, usual_check(fault), case, found)
    raise UserError(f"fault {name}: no plain network shows it (hidden when: {fault.equivalent_when}); choose another")


def usual_check(fault: Fault) -> dict[str, float]:
    """Return the relative error of each gradient for one step, small weights and no h0: as it is often done."""
    case = make_rnn_case(Design(1, 1, H=4, V=5, h0=False, no_token=False), seed=1)
    case = replace(case, params={name: 0.01 * w for name, w in case.params.items()})
    wrong = fault.build().run(case.copy())
    return {f"d{name}": _relative(wrong[f"d{name}"], _numerical(fault, case, name)) for name in case.params}


def _numerical(fault: Fault, case: RNNCase, name: str) -> np.ndarray:
    """Return the central differences of the fault's own loss."""
    gradient = np.zeros_like(case.params[name])
    for i in np.ndindex(gradient.shape):
        losses = []
        for step in (STEP, -STEP):
            w = case.params[name].copy()
            w[i] += step
            losses.append(fault.build().run(replace(case, params={**case.params, name: w}))["loss"])
        gradient[i] = (losses[0] - losses[1]) / (2 * STEP)
    return gradient


def _relative(gradient: np.ndarray, numerical: np.ndarray) -> float:
    if gradient.shape != numerical.shape:
        return np.inf
    error, size = np.linalg.norm(gradient - numerical), np.linalg.norm(gradient) + np.linalg.norm(numerical)
    return float(error / size) if error else 0.0
