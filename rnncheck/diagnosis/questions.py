"""List the questions that are answered in place of others: an option that is ignored, a token taken for another one."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from rnncheck.case import Case, ClipCase, OptimCase, RNNCase, SampleCase
from rnncheck.cases.make import NO_TOKEN
from rnncheck.diagnosis.alternatives import Alternative, Ask

__all__ = ["other_questions"]


def other_questions(kind: str) -> Iterator[Alternative]:
    """Yield every alternative question of a kind."""
    for alternative in {"rnn": _rnn, "clip": _clip, "optim": _optim, "sample": _sample}[kind]():
        yield replace(alternative, kind=kind)


def _with(**changes: object) -> Ask:
    """Change settings of a case where it has them at all."""
    return lambda case: replace(case, **changes)  # type: ignore[arg-type]


def _that(what: str, change: str, ask: Ask) -> Alternative:
    return Alternative("", what, change, ask)


def _ignored(name: str, value: object = None) -> Alternative:
    return _that(f"{name} is ignored", f"use {name} where it is given", _with(**{name: value}))


def _rnn() -> Iterator[Alternative]:
    def token(value: Callable[[RNNCase], int]) -> Ask:
        def ask(case: Case) -> Case:
            assert isinstance(case, RNNCase)
            ids = case.x.dtype.kind == "i"
            return replace(case, x=np.where(case.x == NO_TOKEN, value(case), case.x)) if ids else case

        return ask

    def k(change: int, mode: str) -> Ask:
        def ask(case: Case) -> Case:
            assert isinstance(case, RNNCase)
            return replace(case, k=max(0, case.k + change)) if case.k and case.bptt == mode else case

        return ask

    def mode(wrong: str, instead: str) -> Ask:
        return lambda case: replace(case, bptt=instead) if getattr(case, "bptt", "") == wrong else case  # type: ignore[call-arg]

    def params(change: Callable[[str, np.ndarray], np.ndarray]) -> Ask:
        return lambda case: replace(case, params={n: change(n, w) for n, w in case.params.items()})  # type: ignore[attr-defined,call-arg]

    yield _ignored("h0")
    yield _that("h0 is ones where it is not given", "a missing h0 is the zero vector", _ones)
    yield _that("dloss is ignored", "multiply by the gradient that reaches the loss", _without_dloss)
    yield _ignored("ignore_index", -(10**9))
    for f in ("tanh", "relu"):
        yield _that(f"the nonlinearity is always {f}", "use the nonlinearity that is asked for", _with(nonlinearity=f))
    for reduction in ("sum", "mean"):
        yield _that(
            f"the reduction is always {reduction}", "use the reduction that is asked for", _with(reduction=reduction)
        )
    zero = "the zero vector is the input of NO_TOKEN (-1)"
    yield _that("NO_TOKEN reads the last column of W_xh", zero, token(lambda case: case.sizes["V"] - 1))
    yield _that("NO_TOKEN reads the first column of W_xh", zero, token(lambda case: 0))
    for wrong in ("windowed", "chunked"):
        steps = "BPTT is asked for: the gradient goes back k steps" if wrong == "windowed" else "the graph is cut"
        yield _that(f"{wrong} BPTT is computed as full BPTT", f"{wrong} {steps}", mode(wrong, "full"))
        other = "chunked" if wrong == "windowed" else "windowed"
        yield _that(f"{wrong} BPTT is computed as {other} BPTT", f"{wrong} {steps}", mode(wrong, other))
        for by in (-2, -1, 1, 2):
            yield _that(
                f"{wrong} BPTT is that of k {'+' if by > 0 else '-'} {abs(by)}",
                "count the steps: t itself and k back",
                k(by, wrong),
            )
    yield _that(
        "W_hh is used transposed throughout", "a_t = W_hh h_{t-1} + ...", params(lambda n, w: w.T if n == "W_hh" else w)
    )
    for bias in ("b_h", "b_y"):
        for factor, words in ((0.0, "not used"), (2.0, "added twice")):
            what = f"{bias} is {words} in the forward pass"
            yield _that(what, "add it once", params(lambda n, w, b=bias, f=factor: f * w if n == b else w))  # type: ignore[misc]


def _without_dloss(case: Case) -> Case:
    assert isinstance(case, RNNCase)
    ones = np.ones(case.y.shape, case.dtype) if case.reduction == "none" else None
    return replace(case, dloss=ones)


def _ones(case: Case) -> Case:
    if getattr(case, "h0", None) is not None:
        return case
    B, params = len(case.x[0]) if isinstance(case, RNNCase) else len(case.first), case.params  # type: ignore[attr-defined]
    return replace(case, h0=np.ones((B, len(params["W_hh"])), params["W_hh"].dtype))  # type: ignore[call-arg]


def _clip() -> Iterator[Alternative]:
    for method in ("value", "norm"):
        yield _that(f"clipping is always by {method}", "use the method that is asked for", _with(method=method))
    for factor in (0.5, 2.0):
        yield _that(f"the bound is {factor:g} times what is asked for", "bound", lambda c, f=factor: _bound(c, f))  # type: ignore[misc]


def _bound(case: Case, factor: float) -> Case:
    assert isinstance(case, ClipCase)
    return replace(case, bound=factor * case.bound)


def _optim() -> Iterator[Alternative]:
    for name, value in (("momentum", 0.0), ("dampening", 0.0), ("initial_accumulator", 0.0), ("eps", 0.0)):
        yield _ignored(name, value)
    for zero_start, words in ((True, "at zero"), (False, "with the first gradient")):
        yield _that(
            f"the momentum always starts {words}", "v = 0 if zero_start, else v = g", _with(zero_start=zero_start)
        )
    for factor, words in ((-1.0, "added, not subtracted"), (0.5, "half of the step"), (2.0, "twice the step")):
        yield _that(f"the update is {words}", "w = w - lr update", lambda c, f=factor: _rate(c, f))  # type: ignore[misc]


def _rate(case: Case, factor: float) -> Case:
    assert isinstance(case, OptimCase)
    return replace(case, lr=factor * case.lr)


def _sample() -> Iterator[Alternative]:
    def k(by: int) -> Ask:
        def ask(case: Case) -> Case:
            assert isinstance(case, SampleCase)
            return replace(case, top_k=case.top_k + by) if case.top_k else case

        return ask

    for name, value in (("h0", None), ("temperature", 1.0), ("top_k", None), ("top_p", None), ("stop", None)):
        yield _ignored(name, value)
    yield _that("the logits are multiplied by the temperature", "divide by it", lambda c: _inverse(c))
    for index, words in (
        (np.s_[:1], "steps share the random numbers of the first"),
        (np.s_[:, :1], "streams share one random number"),
    ):
        yield _that(f"all {words}", "draw one number for each token", lambda c, i=index: _shared(c, i))  # type: ignore[misc]
    for method in ("draw", "greedy"):
        yield _that(f"the method is always {method}", "use the method that is asked for", _with(method=method))
    for by in (-1, 1):
        yield _that(f"top_k keeps {abs(by)} token too {'many' if by > 0 else 'few'}", "keep k tokens", k(by))


def _inverse(case: Case) -> Case:
    assert isinstance(case, SampleCase)
    return replace(case, temperature=1 / case.temperature)


def _shared(case: Case, index: tuple[slice, ...] | slice) -> Case:
    assert isinstance(case, SampleCase)
    return replace(case, uniforms=np.broadcast_to(case.uniforms[index], case.uniforms.shape))
