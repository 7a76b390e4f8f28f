"""Decoder, step e: how far back the gradient goes, from the first sequence long enough to show it.

Truncated gradients come in three forms: windows (the loss of step t reaches k steps back), chunks (nothing crosses
every k-th step), and one walk over the last k steps alone. All are computed for every k from the right gradients of
the outputs, and held against all that is shown. In the long cases every other fault is out of the way: states are near
zero, nothing vanishes.
"""

from collections.abc import Iterator

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.diagnosis.observation import Arrays, Observation, agree, right
from rnncheck.diagnosis.probes import LONG
from rnncheck.diagnosis.reading import Reading

__all__ = ["read_truncation"]

COMPARED = ("dh", "da", "dW_hh", "dW_xh")
TRUNCATED = "go back to the first step; or ask for bptt={form!r}, k={k}"
FORMS = (
    ("windowed", "the gradient goes back no further than {k} steps, though full BPTT is asked for", TRUNCATED),
    ("chunked", "the gradient stops every {k} steps, though full BPTT is asked for", TRUNCATED),
    (
        "last",
        "only the last {k} steps are walked back: every other step is left out of all gradients",
        "walk back to the first step",
    ),
)
"""How the gradient is cut short, in words, and what to do about it."""


def read_truncation(observed: Observation) -> Reading | None:
    """Return the truncation that the shortest wrong long sequence shows, if the longer ones agree with it."""
    long = [s for s in observed.of_kind("rnn") if isinstance(s.probe.case, RNNCase) and len(s.probe.case.x) in LONG]
    wrong = [s for s in long if set(s.wrong) & set(COMPARED)]
    if not wrong:
        return None
    for form, what, change in FORMS:
        fitting: set[int] | None = None
        for s in wrong:
            assert isinstance(s.probe.case, RNNCase)
            fits = {k for k, arrays in _truncated(s.probe.case, right(s.probe), form) if _equal(s.numbers, arrays)}
            fitting = fits if fitting is None else fitting & fits
        if fitting:
            k = min(fitting)
            evidence = f"equals {form} BPTT with k = {k}" if form != "last" else f"equals the sums over {k} steps"
            return Reading(wrong[0].wrong[0], what.format(k=k), change.format(form=form, k=k), evidence=evidence)
    return None


def _equal(shown: Arrays, arrays: Arrays) -> bool:
    return all(agree(shown[name], array) for name, array in arrays.items() if name in shown)


def _truncated(case: RNNCase, known: Arrays, form: str) -> Iterator[tuple[int, Arrays]]:
    """Yield the truncated gradients for k = 1, 2, ...; windows grow by one product with W_hh each."""
    own, W_hh = known["dlogits"] @ case.params["W_hy"], case.params["W_hh"]
    df = 1 - known["h"] ** 2 if case.nonlinearity == "tanh" else (known["h"] > 0).astype(case.dtype)
    T = len(case.x)
    dh, far = own.copy(), own
    for k in range(1, T - 1):
        if form == "windowed":
            far = (far[1:] * df[1 : len(far)]) @ W_hh
            dh[: len(far)] += far
        elif form == "chunked":
            dh = own.copy()
            for t in reversed(range(T - 1)):
                if (t + 1) % k:
                    dh[t] += (dh[t + 1] * df[t + 1]) @ W_hh
        else:
            dh = np.where(np.arange(T)[:, None, None] < T - k, 0, known["dh"])
        dW_hy = {"dW_hy": _product(known["dlogits"][-k:], known["h"][-k:])} if form == "last" else {}
        yield k, {**_sums(case, known, dh.copy(), dh * df), **dW_hy}


def _sums(case: RNNCase, known: Arrays, dh: np.ndarray, da: np.ndarray) -> Arrays:
    before = np.concatenate([np.zeros_like(known["h"][:1]), known["h"][:-1]])
    one_hot = np.eye(case.sizes["I"])[case.x] if case.x.ndim == 2 else case.x
    return {
        "dh": dh,
        "da": da,
        "dW_hh": _product(da, before),
        "dW_xh": _product(da, one_hot),
    }


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.einsum("tbi,tbj->ij", left, right)
