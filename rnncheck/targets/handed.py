"""The gradient that a loss returns beside itself, handed on to the backward pass in place of ours and so judged."""

import ast
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnncheck.targets.adapter import Adapter
from rnncheck.targets.patience import at_most
from rnncheck.targets.perform import Adapted
from rnncheck.targets.recognise import SCALES, close, tidy
from rnncheck.targets.roles import argument_role, gradient_of
from rnncheck.targets.survey import Function, Survey
from rnncheck.targets.trial import problem_for

__all__ = ["LOST", "Lost", "hand_on"]

LOST = "lost"
"""What the result of the loss is stored under."""
GIVEN = re.compile(r"(?<![\w.])dlogits(?!\w|\s*=[^=])")


@dataclass(frozen=True)
class Lost:
    """A call of a loss, what it has returned, and its scale: empty where it is wrong."""

    adapter: Adapter
    function: Function
    value: Any
    scale: str


def hand_on(lost: Lost, work: Adapted, survey: Survey) -> Adapter:
    """Return the adapter with the loss's own gradient, if it returns one and the backward pass wants one.

    It must have the scale of the loss, unless the file divides it before it is handed on.
    """
    adapter = replace(lost.adapter, loss_scale=lost.scale or "1")
    at = _gradient_in(lost)
    if at is None or not GIVEN.search(adapter.calls[-1]):
        return adapter
    axes = {name: layout for name, layout in adapter.axes.items() if name != "dlogits"}
    calls = (*adapter.calls[:-1], GIVEN.sub(f"{LOST}[{at}]", adapter.calls[-1]))
    handed = replace(adapter, calls=calls, axes=axes, grad_scale="1")
    case, answers = problem_for(handed, 10 if handed.batched else 1)
    scales = [lost.scale] if lost.scale and not _rescaled(lost.function, survey) else SCALES[:4]
    with suppress(Exception), at_most():
        work.change(handed)
        trace = {n: np.asarray(a) for n, a in work.run(case.copy()).items() if n[0] == "d" and n in answers.arrays}
        right = {}
        for scale in (*scales, *(f"-({s})" for s in scales)):
            factor = eval(scale, dict(answers.sizes))
            right[scale] = sum(close(a * factor, answers.arrays[n]) for n, a in trace.items())
        best = max(right, key=lambda scale: right[scale])
        return replace(handed, grad_scale=tidy(best))
    return adapter


def _gradient_in(lost: Lost) -> int | None:
    """Return which of the results is the gradient: by its name, or because it adds up to 0 for every output."""
    if not isinstance(lost.value, tuple) or len(lost.value) != len(lost.function.returns):
        return None
    for i, (name, value) in enumerate(zip(lost.function.returns, lost.value, strict=True)):
        several = isinstance(value, list | dict) or (isinstance(value, np.ndarray) and value.size > 1)
        named = gradient_of(name) is not None or argument_role(name) == "upstream"
        if several and (named or _adds_up_to_nothing(value)):
            return i
    return None


def _adds_up_to_nothing(value: Any) -> bool:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return False
    return any(np.allclose(value.sum(axis), 0) for axis in range(value.ndim) if value.shape[axis] > 1)


def _rescaled(loss: Function, survey: Survey) -> bool:
    """Tell whether the file multiplies or divides what the loss has returned: `dlogits / B`, `d *= 0.5`."""
    nodes = [node for tree in survey.trees for node in ast.walk(tree)]
    calls = [(n.targets[0], n.value.func) for n in nodes if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)]
    results = [target for target, f in calls if re.search(rf"\b{loss.name}$", ast.unparse(f))]
    names = {name.id for target in results for name in ast.walk(target) if isinstance(name, ast.Name)}
    own = set(map(id, ast.walk(loss.node)))
    scaled = [n for n in nodes if id(n) not in own and isinstance(n, ast.BinOp | ast.AugAssign)]
    scaled = [n for n in scaled if isinstance(n.op, ast.Mult | ast.Div)]
    parts = [part for n in scaled for part in ((n.left, n.right) if isinstance(n, ast.BinOp) else (n.target,))]
    return any(isinstance(part, ast.Name) and part.id in names for part in parts)
