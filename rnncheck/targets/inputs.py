"""Recognise the gradients of the inputs: dx, and dh0 for the initial state."""

import re
from collections.abc import Sequence

import numpy as np

from rnncheck.targets.adapter import Adapter
from rnncheck.targets.layout import take
from rnncheck.targets.observe import Seen
from rnncheck.targets.recognise import SCALES, Answers, close, fits

__all__ = ["find_inputs"]

NAMED_DX = re.compile(r"^d_?(x|xs|inputs?|X)$|^grad_?(x|inputs?)$")
NAMED_DH0 = re.compile(r"^d_?(h0|a0|s0|h_?prev|h_?init|h_?first|h_?start)$|^grad_?h0$")


def find_inputs(adapter: Adapter, seen: Sequence[Seen], answers: Answers) -> tuple[dict[str, str], dict[str, str]]:
    """Return expressions and layouts of what is found. Ids have no gradient, and without h0 there is none of h0."""
    trace: dict[str, str] = {}
    axes: dict[str, str] = {}
    sizes = dict(answers.sizes)
    for s in seen:
        if not adapter.takes_ids and "dx" not in trace and NAMED_DX.match(s.name):
            for layout, suffix, _ in fits(sizes["I"], sizes)(s.array):
                if not suffix and layout.split()[0] == adapter.axes["x"].replace("[", "").replace("]", "").split()[0]:
                    trace["dx"], axes["dx"] = s.expression, layout
        if adapter.takes_h0 and "dh0" not in trace and s.array.size == sizes["B"] * sizes["H"]:
            layout = adapter.axes.get("h0", "N")
            array = take(s.array, "B N", layout, sizes | {"N": sizes["H"]})
            if NAMED_DH0.match(s.name) or (s.returned and _is_dh0(array, answers)):
                trace["dh0"], axes["dh0"] = s.expression, layout
    return trace, axes


def _is_dh0(array: np.ndarray, answers: Answers) -> bool:
    """Tell whether an array is dh0 but for a scale; that it is the one of the other gradients, is judged later."""
    right = answers.arrays["dh0"]
    factors = (sign * eval(scale, dict(answers.sizes)) for scale in SCALES for sign in (1, -1))
    return array.shape == right.shape and any(close(array * factor, right) for factor in factors)
