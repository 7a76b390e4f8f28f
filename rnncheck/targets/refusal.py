"""Why nothing of a file can be judged: one sentence says what is missing, and which line of an adapter would help."""

from typing import Protocol

from rnncheck.targets.candidates import OTHER_CELLS, Candidate
from rnncheck.targets.kinds import GATES
from rnncheck.targets.roles import gated
from rnncheck.targets.source import Source
from rnncheck.targets.survey import Survey

__all__ = ["why_not"]


class Searched(Protocol):
    """What a search has found out by the time that it gives up."""

    source: Source
    name: str | None
    survey: Survey
    offered: list[Candidate]
    strangers: list[str]
    silent: dict[tuple[str, ...], str]
    kind: str
    unlike: str
    complaint: str
    tried: Candidate | None


def why_not(search: Searched) -> str:
    """Say in one sentence what is missing."""
    file = search.source.path.name
    what = f"{file}:{search.name}" if search.name else file
    known = [*search.strangers, *search.survey.functions, *(c.name for c in search.survey.classes)]
    if OTHER_CELLS.search(" ".join(known)) or gated(search.strangers) or gated(search.survey.weights_named()):
        return f"{what}: {GATES}"
    if search.kind:
        return f"{what}: {search.kind}"
    if not search.offered:
        return (
            f"{what}: no class with a forward and a backward pass, and no function of inputs and targets, was "
            "found; put the gradients into one, or say how they are computed: rnncheck new"
        )
    if search.unlike:
        return (
            f"{what}: {search.unlike} runs, but nothing that it computes is that of a plain RNN with softmax and "
            "cross-entropy, or with a linear output and squared error, not even at one step without biases; "
            "say what it computes: rnncheck new"
        )
    silent = [label for calls, label in search.silent.items() if len(calls) > 1]
    if silent:
        return (
            f"{what}: {silent[0]} runs, but no gradients were found after it; return them, or name them after "
            "their weights (dWxh), or write the line grads={'W_xh': ...} of an adapter: rnncheck new"
        )
    arrays = ", ".join(list(dict.fromkeys(search.strangers))[:6]) or "there are none"
    label = search.offered[0].label
    reason = f"among its arrays ({arrays}) are no W_xh and W_hh"
    line = 'params={"W_xh": ...} of an adapter, where it keeps them'
    if search.tried is not None:
        label, reason = search.tried.label, search.complaint
        line = f"calls={list(search.tried.calls)} of an adapter, which was tried, among others"
    return f"{what}: {label} could not be called: {reason}; correct the line {line}: rnncheck new"
