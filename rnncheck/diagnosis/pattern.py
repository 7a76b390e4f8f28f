"""Say in words how the steps of a sequence are used in a sum over time: which of them, how often, with which state."""

from collections.abc import Mapping

import numpy as np

from rnncheck.diagnosis.formula import distance, number

__all__ = ["also", "heard", "say_pattern"]

Array = np.ndarray
Sizes = Mapping[str, int]


def heard(c: Array, lag: int, dumb: Array, silent: Array | None = None) -> Array:
    """Take as right what cannot be seen: `dumb` steps, whose gradient is zero, and `silent` states, which are zero."""
    unseen = dumb[:, None] if silent is None else dumb[:, None] | silent
    return np.where(unseen, np.eye(len(c), c.shape[1], lag), c)


def say_pattern(name: str, c: Array, sizes: Sizes, vector: str, lag: int) -> str:
    """Say in words how a (T, slots) matrix differs from its right form, a one in slot s + lag for step s."""
    T = len(c)
    right = np.eye(T, c.shape[1], lag)
    c = np.where(np.abs(c) < 1e-6, 0.0, c)
    if not c.any():
        return f"{name} stays zero"
    if distance(c, right) <= 1e-5:
        return ""
    factor = c[right > 0]
    if np.allclose(c, right * factor[0], atol=1e-5):
        return f"{name} has a factor {number(factor[0], sizes)}"
    if np.allclose(c, right * factor[:, None], atol=1e-5):
        return _say_steps(name, factor, sizes)
    wrong = []
    for s in range(T):
        uses = [f"{_factor(c[s, j], sizes)}h_{j}" for j in np.flatnonzero(c[s])]
        if not np.allclose(c[s], right[s], atol=1e-5):
            wrong.append(f"{vector}_{s + 1} with {' + '.join(uses) or 'nothing'}")
    return f"{name} takes {', '.join(wrong)}, not with {'h_t' if lag else 'h_{t-1}'}"


def _factor(factor: float, sizes: Sizes) -> str:
    text = number(float(factor), sizes)
    return "" if text == "1" else f"{text} "


def _say_steps(name: str, factor: Array, sizes: Sizes) -> str:
    """Say which steps count how much."""
    left_out = [s + 1 for s, f in enumerate(factor) if f == 0]
    counted = [s + 1 for s, f in enumerate(factor) if f != 0]
    if all(abs(factor[s - 1] - 1) < 1e-5 for s in counted):
        if len(counted) == 1:
            return f"{name} is that of step {counted[0]} alone"
        return f"{name} leaves out step{'s' if len(left_out) > 1 else ''} {', '.join(map(str, left_out))}"
    return f"{name} counts the steps by " + ", ".join(number(float(f), sizes) for f in factor)


def also(words: str, name: str, constant: Array) -> str | None:
    """Add what is added to every element; None if that is another number in every case, which is no constant."""
    c = float(constant.mean())
    if np.ptp(constant) > 1e-5:
        return None
    added = f"{name} has {c:.6g} added to every element" if abs(c) > 1e-6 else ""
    return ", and ".join(w for w in (words, added) if w)
