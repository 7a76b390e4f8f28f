"""Relations of sums: a batch is its sequences, a gradient is linear in what comes from upstream, an id is a vector.

permutation  sequences in another order give the same, in that order
additivity   the gradient of a batch is the sum of the gradients of its sequences
linearity    the gradient of a sum of two losses is the sum of their gradients
scale        the gradient of -1024 losses is -1024 gradients
one-hot      a token id is its one-hot vector, *no token* the zero vector
"""

from dataclasses import replace

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.checks.parts import PARAMETERS, divided, each_stream, join, streams, under_sum
from rnncheck.checks.relation import Relation, Run, Shown
from rnncheck.trace import TIMED, Trace

__all__ = ["SUM_RELATIONS"]

GRADIENTS = ("dlogits", "dh", "da", "dx", *PARAMETERS, "dh0")
SCALE = -(2.0**10)
"""A power of two rounds nothing; this large, it drives gradients into any clipping hidden in the backward pass."""


def _permutation(run: Run, case: RNNCase, _trace: Shown) -> Trace:
    order = np.roll(np.arange(case.x.shape[1]), 1)
    found, back = run(streams(case, order)), np.argsort(order)
    batch_axis = {"dh0": 0, **dict.fromkeys(TIMED, 1), **({"loss": 1} if case.reduction == "none" else {})}
    return {n: np.take(a, back, batch_axis[n]) if n in batch_axis else a for n, a in found.items()}


def _additivity(run: Run, case: RNNCase, _trace: Shown) -> Trace:
    return divided(case, join(case, each_stream(run, under_sum(case)), axis=1))


def _upstream(case: RNNCase) -> np.ndarray:
    """Return dloss as one number per step and sequence, which every reduction but the mean's division comes down to."""
    ones = np.ones(case.y.shape, case.dtype)
    return ones if case.dloss is None else ones * case.dloss


def _linearity(run: Run, case: RNNCase, trace: Shown) -> Trace:
    """Share every step's loss out to two calls: all to one, half to each, or all to the other. Nothing is rounded."""
    dloss = _upstream(case)
    share = np.random.default_rng([case.seed, 2]).choice([0.0, 0.5, 1.0], dloss.shape).astype(case.dtype)
    one, two = (run(replace(case, reduction="none", dloss=dloss * part)) for part in (share, 1 - share))
    total = {n: np.add(one[n], two[n], dtype=np.float64) for n in GRADIENTS if n in trace}
    return divided(case, total)


def _scale(run: Run, case: RNNCase, trace: Shown) -> Trace:
    dloss = np.ones((), case.dtype) if case.dloss is None else case.dloss
    found = run(replace(case, dloss=np.asarray(dloss * case.dtype.type(SCALE))))
    return {n: found[n] / SCALE for n in GRADIENTS if n in trace}


def _one_hot(run: Run, case: RNNCase, _trace: Shown) -> Trace:
    vectors = np.eye(case.sizes["I"] + 1, case.sizes["I"], dtype=case.dtype)  # the last row, -1, is *no token*
    found = run(replace(case, x=vectors[case.x]))
    return {n: a for n, a in found.items() if n != "dx"}


def _batch(case: RNNCase) -> bool:
    return case.x.shape[1] > 1


SUM_RELATIONS = (
    Relation("permutation", _batch, _permutation),
    Relation("additivity", _batch, _additivity),
    Relation("linearity", lambda case: True, _linearity),
    Relation("scale", lambda case: True, _scale),
    Relation("one-hot", lambda case: case.x.ndim == 2, _one_hot),
)
