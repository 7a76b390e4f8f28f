"""Many problems of one shape in one graph: what one costs in calls of torch, all cost together.

Perturbed copies of one problem, or fresh problems of equal sizes: each becomes a replica (`reference.loop`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference.edge import leaf, to_numpy, to_torch
from reference.loop import IGNORE_INDEX, backward, forward, loss
from reference.validate import check_case

__all__ = ["run_many"]

TIMED = ("h", "logits", "dlogits", "dh", "da", "dx")


def run_many(
    problems: Sequence[Mapping[str, Any]],
    *,
    nonlinearity: str = "tanh",
    reduction: str = "sum",
    ignore_index: int = IGNORE_INDEX,
    bptt: str = "full",
    k: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> list[dict[str, np.ndarray]]:
    """Evaluate problems, each a dictionary of `params`, `x`, `y` and optionally `h0`, `dloss`, as `run_rnn` does.

    Raises
    ------
    ValueError, TypeError
        If a problem does not fit together, or has other shapes than the first.
    """
    for problem in problems:
        _check_same_shape(problem, problems[0])
        settings = (nonlinearity, reduction, ignore_index, problem.get("dloss"))
        check_case(problem["params"], problem["x"], problem["y"], problem.get("h0"), *settings)
    arrays = {name: [p[name] for p in problems] for name in problems[0] if problems[0][name] is not None}
    params = {name: leaf(np.stack([p[name] for p in arrays["params"]]), dtype) for name in problems[0]["params"]}
    dense = problems[0]["x"].ndim == 3
    x = leaf(np.stack(arrays["x"], 1), dtype) if dense else to_torch(np.stack(arrays["x"], 1))
    h0 = leaf(np.stack(arrays["h0"]), dtype) if "h0" in arrays else None
    per_step = reduction == "none"
    dloss = to_torch(np.stack(arrays["dloss"], int(per_step)), dtype) if "dloss" in arrays else None

    nodes = forward(params, x, h0, nonlinearity=nonlinearity, bptt=bptt, k=k)
    value = loss(nodes.logits, to_torch(np.stack(arrays["y"], 1)), reduction, ignore_index)
    total = (value if dloss is None else value * dloss).sum()  # no problem has a part in the gradient of another
    shown = {"h": nodes.h, "logits": nodes.logits, "loss": value, **backward(total, params, x, nodes)}
    timed = (*TIMED, "loss") if per_step else TIMED
    return [_replica(shown, i, timed) for i in range(len(problems))]


def _replica(shown: Mapping[str, Tensor], i: int, timed: Sequence[str]) -> dict[str, np.ndarray]:
    """Take out one problem's arrays; where time comes first, the problems come second."""
    return {name: to_numpy(array[:, i] if name in timed else array[i]) for name, array in shown.items()}


def _check_same_shape(problem: Mapping[str, Any], first: Mapping[str, Any]) -> None:
    """Refuse a problem that cannot lie beside the first."""
    one, other = _shapes(first), _shapes(problem)
    if one != other:
        name = next(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))
        raise ValueError(
            f"{name} has shape {other.get(name)} beside {one.get(name)} in the first problem: problems that run "
            "together have the same arrays in the same shapes; group them by shape"
        )


def _shapes(problem: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    arrays = {**problem["params"], **{name: a for name, a in problem.items() if name != "params"}}
    return {name: array.shape for name, array in arrays.items() if array is not None}
