"""Decoder for dense inputs: the gradient that is handed to whatever lies below the network."""

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.diagnosis.observation import Observation
from rnncheck.diagnosis.reading import Reading, Relation, read

__all__ = ["read_dense"]


def read_dense(observed: Observation) -> Reading | None:
    """Say what dx is made of, where it is shown with da."""
    for s in observed.of_kind("rnn"):
        case = s.probe.case
        if isinstance(case, RNNCase) and case.x.ndim == 3 and {"dx", "da", "dlogits", "h"} <= set(s.numbers):
            shown = {n: s.numbers[n][None] for n in ("dx", "da", "dlogits", "h")}
            W_xh, df = case.params["W_xh"], 1 - shown["h"] ** 2
            own = shown["dlogits"] @ case.params["W_hy"]
            dh = s.numbers["dh"][None] if "dh" in s.numbers else shown["da"] / df
            terms = {
                "W_xh^T da_t": shown["da"] @ W_xh,
                "W_xh^T dh_t": dh @ W_xh,
                "W_xh^T (1 - h_t^2) W_hy^T dlogits_t": (own * df) @ W_xh,
                "W_xh^T da_{t+1}": np.roll(shown["da"], -1, axis=1) @ W_xh,
                "W_xh^T da_{t-1}": np.roll(shown["da"], 1, axis=1) @ W_xh,
            }
            return read(Relation("dx", "dx_t", shown["dx"], {"W_xh^T da_t": 1.0}, terms, case.sizes, most=2))
    return None
