"""The upstream gradient for code that has no loss of its own: what the case's loss would send back.

It is taken at the logits that the code itself has shown; if it shows none, at those of its states; if it shows
neither, at those of the plain recurrence.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.layout import give
from rnncheck.targets.outputs import loss_of, targets_for

__all__ = ["softmax", "upstream"]

STATES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}


def upstream(adapter: Adapter, names: dict[str, Any]) -> dict[str, Any]:
    """Return dlogits, and dh, which is what reaches each state from its own output.

    For code with another loss, `values` are the real-valued targets that make its gradient this dlogits, and `offset`
    is what the loss of the case is more than half their squared error: so a squared error can be compared with it.
    """
    case: RNNCase = names["_case"]
    T, B, V = (case.sizes[n] for n in "TBV")
    shown = names.get("_trace", {})
    logits = np.zeros((T, B, V), case.dtype)
    p = None
    if "p" in shown and shown["p"].shape[1:] == (B, V):
        p = np.zeros((T, B, V), shown["p"].dtype)
        p[-len(shown["p"]) :] = shown["p"]
    elif "logits" in shown and shown["logits"].shape[1:] == (B, V):
        logits[-len(shown["logits"]) :] = shown["logits"]
    else:
        h = shown["h"] if "h" in shown and shown["h"].shape[:2] == (T, B) else _states(case, names["_h0"])
        logits = h @ case.params["W_hy"].T + case.params.get("b_y", 0)
    kept = case.y != case.ignore_index
    dlogits = softmax(logits) if p is None else p
    dlogits[kept, case.y[kept]] -= 1
    dlogits[~kept] = 0
    found = {
        "dlogits": give(dlogits, "T B N", adapter.axes.get("dlogits", "T N")),
        "dh": give(dlogits @ case.params["W_hy"], "T B N", adapter.axes.get("dh", "T N")),
    }
    if adapter.targets != "classes":
        values = targets_for(adapter.targets, logits, dlogits)
        found["values"] = give(values, "T B N", adapter.axes.get("y", "T N"))
        entropy = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
        picked = np.take_along_axis(logits, np.where(kept, case.y, 0)[..., None], -1)[..., 0]
        found["offset"] = (entropy - picked)[kept].sum() - loss_of("values", logits, values)
    return found


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities."""
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def _states(case: RNNCase, h: np.ndarray) -> np.ndarray:
    """Walk the plain recurrence."""
    W_xh, states = case.params["W_xh"], []
    for x_t in case.x:
        read = W_xh.T[x_t] if x_t.ndim == 1 else x_t @ W_xh.T
        h = STATES[case.nonlinearity](read + h @ case.params["W_hh"].T + case.params.get("b_h", 0))
        states.append(h)
    return np.stack(states)
