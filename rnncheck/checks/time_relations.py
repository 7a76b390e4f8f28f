"""Relations in time: nothing comes from the future, and a sequence is the sum of its parts.

causality    other inputs and targets after step t change no h, logits, dlogits up to t
horizon      in truncated BPTT they change no gradient of a state that is further from them than it reaches
composition  one call = several calls, the state carried from one to the next
chunks       chunked BPTT = one call per chunk, each with the whole of BPTT
windows      windowed BPTT = one call per window of k + 1 steps, of which only the last has a target
whole        a window or a chunk as long as the sequence truncates nothing
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.checks.parts import PARAMETERS, cut, divided, join, under_sum
from rnncheck.checks.relation import Relation, Run, Shown
from rnncheck.trace import Trace

__all__ = ["TIME_RELATIONS"]

PIECE = 5
"""Steps per call in `composition`: 130 steps are 26 calls of 5."""


def _other_from(case: RNNCase, first: int) -> RNNCase:
    """Change every input and every target that counts from step `first` on."""
    rng = np.random.default_rng([case.seed, first])
    x, y, V = case.x.copy(), case.y.copy(), case.sizes["V"]
    if x.ndim == 2:
        x[first:] = (x[first:] + rng.integers(1, case.sizes["I"], x[first:].shape)) % case.sizes["I"]
    else:
        x[first:] = rng.normal(size=x[first:].shape)
    kept = y[first:] != case.ignore_index
    y[first:][kept] = (y[first:][kept] + rng.integers(1, V, kept.sum())) % V
    return replace(case, x=x, y=y)


def _causality(run: Run, case: RNNCase, trace: Shown) -> Trace:
    """Change the future of several steps. Every step is predicted by the run whose change comes soonest after it."""
    timed = ["h", "logits", "dlogits"] + ["loss"] * (case.reduction == "none")
    predicted = {name: trace[name].copy() for name in timed if name in trace}
    T = len(case.x)
    for first in sorted({1, T // 2, T - 1} - {0}, reverse=True):
        other = run(_other_from(case, first))
        for name, array in predicted.items():
            array[:first] = other[name][:first]
    return predicted


def _horizon(run: Run, case: RNNCase, trace: Shown) -> Trace:
    """Change what comes after the end of sight of the first states, and after that of the last possible."""
    assert case.k is not None
    predicted = {name: trace[name].copy() for name in ("dh", "da", "dx") if name in trace}
    T, k = len(case.x), case.k
    windowed = case.bptt == "windowed"
    for first in (T - 1, k + 1) if windowed else ((T - 1) // k * k, k):
        other = run(_other_from(case, first))
        for name, array in predicted.items():
            unseen = first - k if windowed else first
            array[:unseen] = other[name][:unseen]
    return predicted


def _calls(run: Run, case: RNNCase, length: int) -> list[Shown]:
    """Call for so many steps at a time, the state carried over."""
    made: list[Shown] = []
    for first in range(0, len(case.x), length):
        h0 = made[-1]["h"][-1] if made else case.h0
        made.append(run(cut(case, first, first + length, h0)))
    return made


def _composition(run: Run, case: RNNCase, _trace: Shown) -> Trace:
    """Only the forward pass and what hangs on it: the calls do not send gradients back to each other."""
    length = min(PIECE, max(1, len(case.x) // 2))
    joined = divided(case, join(case, _calls(run, under_sum(case), length), axis=0))
    return {name: joined[name] for name in ("h", "logits", "loss", "dlogits") if name in joined}


def _chunks(run: Run, case: RNNCase, _trace: Shown) -> Trace:
    assert case.k is not None
    return divided(case, join(case, _calls(run, under_sum(case), case.k), axis=0))


def _windows(run: Run, case: RNNCase, trace: Shown) -> Trace:
    """Compute every window by itself, from the state before it: the definition of windowed BPTT."""
    gradients = [n for n in ("dh", "da", "dx", *PARAMETERS, "dh0") if n in trace]
    predicted = {name: np.zeros(trace[name].shape) for name in gradients}
    for last, first, window in _windows_of(under_sum(case), trace):
        found = run(window)
        for name in gradients:
            if name in PARAMETERS:
                predicted[name] += found[name]
            elif name == "dh0":
                predicted[name] += found[name] if first == 0 else 0
            else:
                predicted[name][first : last + 1] += found[name]
    return divided(case, predicted)


def _windows_of(case: RNNCase, trace: Shown) -> Iterator[tuple[int, int, RNNCase]]:
    """Yield last step, first step and the case of every window: all targets but the last are ignored."""
    assert case.k is not None
    for last in range(len(case.x)):
        first = max(0, last - case.k)
        window = cut(case, first, last + 1, trace["h"][first - 1] if first else case.h0)
        y = np.full_like(window.y, case.ignore_index)
        y[-1] = window.y[-1]
        yield last, first, replace(window, y=y)


def _whole_window(run: Run, case: RNNCase, _trace: Shown) -> Trace:
    return run(replace(case, bptt="windowed", k=len(case.x) - 1))


def _whole_chunk(run: Run, case: RNNCase, _trace: Shown) -> Trace:
    return run(replace(case, bptt="chunked", k=len(case.x)))


def _long(case: RNNCase) -> bool:
    return len(case.x) > 1


TIME_RELATIONS = (
    Relation("causality", _long, _causality),
    Relation("horizon", lambda c: c.k is not None and len(c.x) > c.k + 1, _horizon),
    Relation("composition", _long, _composition),
    Relation("chunks", lambda c: c.bptt == "chunked", _chunks),
    Relation("windows", lambda c: c.bptt == "windowed", _windows),
    Relation("whole-window", lambda c: c.bptt == "full", _whole_window),
    Relation("whole-chunk", lambda c: c.bptt == "full", _whole_chunk),
)
