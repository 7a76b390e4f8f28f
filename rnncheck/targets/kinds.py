"""What is no plain recurrent network of one layer: nothing of it can be compared yet, and why."""

import ast
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from rnncheck.targets.candidates import NEVER
from rnncheck.targets.patience import at_most
from rnncheck.targets.perform import Adapted
from rnncheck.targets.places import Place
from rnncheck.targets.recognise import SCALES
from rnncheck.targets.roles import bare, gated, is_gradient, parameter_role, remembered
from rnncheck.targets.survey import Survey
from rnncheck.targets.trial import PROBE, Trial, problem_for

__all__ = ["GATES", "OPTIMISER", "another_kind", "other_kind"]

GATES = "an LSTM or GRU is not judged yet; plain recurrent networks are"
RANDOM = (
    "it draws random numbers while it computes (dropout?), and so gives other results each time; "
    "give what is drawn a default that switches it off"
)
OPTIMISER = (
    "its gradients are only applied, by an optimiser that remembers more than squares or a velocity (Adam?); "
    "return them, or take the step in a function of its own"
)
DECAYS = (
    "its gradients, or the steps that it takes, are the right ones times a number of its own, or with some of the "
    "weights added (a rate or weights that decay?); make that number an argument, so that it can be switched off"
)
DRAWS = re.compile(r"\brand|dropout|binomial|bernoulli", re.IGNORECASE)
TIED = "its output has no weights of its own: weights that are shared with the input are not judged yet"


def other_kind(places: Sequence[Place], sizes: Mapping[str, int]) -> str:
    """Say what arrays of these shapes belong to; empty if it may be a plain RNN."""
    H = sizes["H"]
    shapes = {p.expression: p.shape for p in places if p.shape and _is_weight(p.expression)}
    matrices = {e: s for e, s in shapes.items() if len(s) == 2 and 1 not in s}
    square = [e for e, s in matrices.items() if s == (H, H)]
    if gated([p.expression for p in places]) or any(_of_gates(s, H) for s in shapes.values()):
        return GATES
    if len(square) > 1 or any(2 * H in s for s in matrices.values()):
        names = ", ".join(_short(e) for e in square)
        return f"several layers or directions ({names} are {H} by {H}) are not judged yet; one layer is"
    embeddings = [e for e, s in matrices.items() if H not in s and sorted(s) == sorted((sizes["I"], sizes["V"]))]
    if embeddings:
        return f"an embedding ({_short(embeddings[0])}) in front of the network is not judged yet; ids or vectors are"
    for role, what in (("W_hy", "output"), ("W_xh", "input")):
        single = [p.expression for p in places if p.shape in ((1, H), (H, 1)) and parameter_role(p.expression) == role]
        if single and not any(parameter_role(e) == role for e in matrices):
            return f"{_short(single[0])} has a single {what}, which is not judged; make their number an argument"
    return ""


def another_kind(trial: Trial, work: Adapted, survey: Survey) -> str:
    """Say why what was read as a plain RNN, and is not right as one, is none; empty if it is."""
    if not trial.gradients and _decays(trial, work):
        return DECAYS
    if "W_hy" not in trial.adapter.roles and not {"dlogits", "dh"} & trial.candidate.uses:
        return TIED
    functions = (*survey.functions.values(), *(f for c in survey.classes for f in c.methods.values()))
    draws = any(DRAWS.search(ast.unparse(f.node)) for f in functions if not NEVER.search(f.name))
    return RANDOM if draws and _differs(trial, work) else ""


def _decays(trial: Trial, work: Adapted) -> bool:
    """Tell whether all gradients of weights are a g + b W, with an a that no mean or sum explains, or a b."""
    case, answers = problem_for(trial.adapter, PROBE["B"] if trial.adapter.batched else 1)
    with suppress(Exception), at_most():
        work.change(trial.adapter)
        shown = [work.run(case.copy()) for _ in range(2)][-1]  # a rate decays from the second call on
        names = [n for n in case.params if n.startswith("W") and f"d{n}" in shown]
        got, right = (np.concatenate([of[f"d{n}"].ravel() for n in names]) for of in (shown, answers.arrays))
        known = np.stack([right, np.concatenate([case.params[n].ravel() for n in names])], axis=1)
        (a, b), *_ = np.linalg.lstsq(known, got, rcond=None)
        factors = [eval(scale, dict(answers.sizes)) for scale in SCALES]
        meant = any(abs(abs(a) * f - g) < 1e-6 * g for f in factors for g in factors)
        alike = np.abs(known @ (a, b) - got).max() <= 1e-6 * np.abs(got).max()
        return bool(alike and (abs(b) > 1e-9 * abs(a) or not meant))
    return False


def _differs(trial: Trial, work: Adapted) -> bool:
    """Tell whether two objects that are made alike give different results."""
    case, _ = problem_for(trial.adapter, PROBE["B"] if trial.adapter.batched else 1)
    traces = []
    with suppress(Exception), at_most():
        for _ in range(2):
            work.change(trial.adapter)
            traces.append(work.run(case.copy()))
    return len(traces) == 2 and any(not np.array_equal(a, traces[1][n], equal_nan=True) for n, a in traces[0].items())


def _of_gates(shape: tuple[int, ...], H: int) -> bool:
    """Tell whether an array is made of three or four gates: side by side, or one behind the other."""
    stacked = len(shape) == 3 and shape[0] in (3, 4) and H in shape[1:]
    return stacked or (len(shape) == 2 and any(n * H in shape for n in (3, 4)))


def _is_weight(expression: str) -> bool:
    return not is_gradient(expression) and not remembered(expression) and bare(expression) not in ("eye", "mask")


def _short(expression: str) -> str:
    return expression.partition(".")[2] or expression
