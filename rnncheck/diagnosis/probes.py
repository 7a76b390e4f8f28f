"""What an implementation is asked in order to be diagnosed: a plain case, and others that differ from it in one thing.

The plain cases make the inner values readable from outside. No token occurs twice, so that each column of dW_xh is one
da_t; the states h_0..h_T of all sequences are fewer than H, so that a sum over them can be taken apart; so are the
gradients of the logits beside V. Three cases share their parameters: an operator of size (H, H) needs H equations.
T - 1, T, B, T B, H and V all differ, and 2 is none of them: a factor tells where it comes from. What is wrong in one
of the other probes alone is wrong because of the one thing in which it differs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.cases.make import NO_TOKEN, Design, make_rnn_case
from rnncheck.cases.of_targets import LOUD
from rnncheck.diagnosis.manner import Manner
from rnncheck.faults.probes import probes as catalogue_probes

__all__ = ["IN_LONG", "LONG", "LOUD", "MIXED", "PLAIN", "Probe", "plain_case", "probes", "readable"]

PLAIN = ""
"""The feature of a probe without any."""
MIXED = "with many things at once"
IN_LONG = "in sequences of"
T = 5
SEED = 31
LONG = (8, 30, 105)
"""Lengths for truncation after 5, 25 and 100 steps, and for reading off any other up to 103."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A case, and in what it differs from the plain one, as the end of a sentence that begins "wrong"."""

    case: Case
    feature: str = PLAIN
    twice: bool = False  # whether the call is repeated, to see what the first has left behind


@cache
def probes(manner: Manner) -> tuple[Probe, ...]:
    """Return all probes, put in one manner; the order matters to programs that remember earlier calls."""
    design = _design(manner)
    asked = (Probe(_mixed(design), MIXED, twice=True), *_plain(design), *_variations(design), *_long(design))
    network = [replace(p, case=manner.put(p.case)) for p in asked if isinstance(p.case, RNNCase)]
    others = [Probe(c, _settings(c), twice=True) for c in catalogue_probes(T, seed=SEED) if c.kind != "rnn"]
    return (*network, *others)


def _settings(case: Case) -> str:
    """Tell a case by its settings: "with method=adagrad, lr=0.1"."""
    default = {f.name: f.default for f in fields(case)}
    told = {n: v for n, v in case.settings().items() if n not in ("name", "seed") and v != default.get(n)}
    return f"with {', '.join(f'{n}={v}' for n, v in told.items())}" if told else f"in the plainest {case.kind}"


def readable(manner: Manner) -> bool:
    """Tell whether the plain case of a manner can be taken apart: (T + 1) B < H and T B + 1 < V."""
    design = _design(manner)
    return (T + 1) * design.B < design.H and T * design.B + 1 < design.V


def _design(manner: Manner) -> Design:
    """Describe the plain case, of the least sizes that are readable and differ, or of those that the code fixes."""
    least = (T + 1) * manner.B
    H, V = manner.H or least + 1, manner.V or least + 2
    return Design(T, manner.B, H=H, V=V, no_token=False, gain=1.1, input_scale=0.7)


def _mixed(design: Design) -> RNNCase:
    """Return a case that shows most faults at once: whatever differs from it can be put aside after one run."""
    case = make_rnn_case(replace(design, no_token=True), SEED)
    x = case.x.copy()
    x[1, :2] = x[-1, 0]
    return replace(case, name="mixed", x=x, y=_ignoring(case).y)


def plain_case(manner: Manner) -> RNNCase:
    """Return the first plain case: whether it can be asked tells whether any can."""
    return manner.put(_plain_case(_design(manner)))


def _plain(design: Design) -> Iterator[Probe]:
    for number in range(max(3, design.H // ((T - 1) * design.B) + 1)):  # an equation more than H has unknowns
        yield Probe(_plain_case(design, number))


def _plain_case(design: Design, number: int = 0) -> RNNCase:
    """Return a plain case; those of one batch size differ in inputs, targets and h0, not in parameters."""
    case, first = make_rnn_case(design, SEED + number), make_rnn_case(design, SEED)
    rng = np.random.default_rng([SEED, number])
    x, y = (rng.permutation(design.V)[: T * design.B].reshape(T, design.B) for _ in "xy")
    return replace(case, name=f"plain-{number}-{design.dtype}", params=first.params, x=x, y=y)


def _variations(design: Design) -> Iterator[Probe]:
    plain = _plain_case(design)
    other = plain.x.copy()
    other[0, 0] = NO_TOKEN
    yield Probe(replace(plain, name="no-token", x=other), "where an input is no token")
    other = plain.x.copy()
    other[2, :2] = other[0, 0]
    yield Probe(replace(plain, name="repeated", x=other), "where a token occurs twice")
    yield Probe(_ignoring(plain), "where targets are ignored")
    weights = plain.h0[0, :1] + np.arange(1.0, plain.y.size + 1).reshape(plain.y.shape)  # type: ignore[index]
    for reduction in ("mean", "none"):
        dloss = weights if reduction == "none" else None
        yield Probe(replace(plain, name=reduction, reduction=reduction, dloss=dloss), f'with reduction="{reduction}"')
    yield Probe(replace(_ignoring(plain), name="mean-ignored", reduction="mean"), "with a mean over unignored targets")
    yield Probe(replace(plain, name="upstream", dloss=np.array(60.0)), "where gradients are large (dloss = 60)")
    large = {n: w * 1000 if n == "W_hy" else w for n, w in plain.params.items()}
    yield Probe(replace(plain, name="logits", params=large), LOUD)
    for bptt in ("windowed", "chunked"):
        yield Probe(replace(plain, name=bptt, bptt=bptt, k=2), f"with {bptt} BPTT (k = 2)")
    yield Probe(replace(make_rnn_case(replace(design, inputs="dense"), SEED), name="dense"), "with dense inputs")
    relu = make_rnn_case(replace(design, nonlinearity="relu"), SEED)
    yield Probe(replace(relu, name="relu"), "with ReLU")
    yield Probe(replace(plain, name="no-h0", h0=None), "where h0 is not given", twice=True)
    yield Probe(_plain_case(replace(design, dtype="float32")), "in float32")


def _ignoring(case: RNNCase) -> RNNCase:
    y = case.y.copy()
    y[0, 0] = y[2, -1] = case.ignore_index
    return replace(case, name="ignored", y=y)


def _long(plain: Design) -> Iterator[Probe]:
    """Yield cases with a long memory: states near zero, an orthogonal W_hh."""
    for length in LONG:
        design = replace(plain, T=length, gain=1.0, orthogonal=True, input_scale=0.05, h0=False, biases=False)
        case = make_rnn_case(design, SEED)
        yield Probe(replace(case, name=f"long-{length}"), f"{IN_LONG} {length} steps")
