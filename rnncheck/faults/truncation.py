"""Mistakes about how far the gradient goes back: truncation, chunks, windows, and steps left out."""

from functools import partial

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.faults.registry import Faulty, register
from rnncheck.textbook.loss import Array

fault = partial(register, family="truncation")


class Truncated(Faulty):
    """Full BPTT that goes back `limit` steps from every step."""

    limit: int

    def begin(self, case: RNNCase) -> None:
        super().begin(case)
        if self.bptt == "full":
            self.bptt, self.k = "windowed", self.limit


truncation = partial(
    fault,
    wrong="for s in range(t, max(-1, t - bptt_truncate - 1), -1):",
    right="for s in range(t, -1, -1):",
    symptom="Gradients are right for short sequences and too short-sighted for long ones.",
    effect="Dependencies beyond the limit cannot be learnt, though the loss is said to be that of the whole sequence.",
    cure="Say that the gradient is truncated (and by how much), or go back to the first step.",
    corrupts=("dh",),
)


@truncation(
    title="Gradients go back 5 steps, no further", shows_from=7, equivalent_when="T <= 6, or BPTT is truncated anyway"
)
class TruncatedAfter5Steps(Truncated):
    limit = 5


@truncation(
    title="Gradients go back 25 steps, no further",
    shows_from=27,
    equivalent_when="T <= 26, or BPTT is truncated anyway",
)
class TruncatedAfter25Steps(Truncated):
    limit = 25


@truncation(
    title="Gradients go back 100 steps, no further",
    shows_from=102,
    equivalent_when="T <= 101, or BPTT is truncated anyway",
)
class TruncatedAfter100Steps(Truncated):
    limit = 100


@fault(
    title="The backward pass leaves out the first step",
    wrong="for t in range(T - 1, 0, -1):",
    right="for t in range(T - 1, -1, -1):",
    symptom="dh and da of the first step are zero.",
    effect="The first token of every sequence teaches nothing.",
    cure="A range excludes its end: write reversed(range(T)).",
    corrupts=("dh",),
)
class FirstStepSkipped(Faulty):
    def steps_back(self, last: int, first: int) -> range:
        return range(last, max(first, 1) - 1, -1)


@fault(
    title="The backward pass leaves out the last step",
    wrong="for t in reversed(range(T - 1)):",
    right="for t in reversed(range(T)):",
    symptom="dh and da of the last step are zero.",
    effect="The last prediction teaches nothing; a many-to-one model does not learn at all.",
    cure="Begin at t = T - 1.",
    corrupts=("dh",),
)
class LastStepSkipped(Faulty):
    def steps_back(self, last: int, first: int) -> range:
        return range(min(last, self.T - 2), first - 1, -1)


@fault(
    title="The window is one step too short",
    wrong="for s in range(t, t - k, -1):",
    right="for s in range(t, t - k - 1, -1):    # t itself and k steps back",
    symptom="Windowed gradients are those of k - 1.",
    effect="The memory that is trained is one step shorter than configured.",
    cure="k steps back from t make k + 1 states.",
    corrupts=("dh",),
    shows_from=3,
    equivalent_when="BPTT is not windowed, or T <= k",
)
class WindowOneStepTooShort(Faulty):
    def begin(self, case: RNNCase) -> None:
        super().begin(case)
        if self.bptt == "windowed":
            self.k = max(0, self.k - 1)


@fault(
    title="The window is one step too long",
    wrong="for s in range(t, t - k - 2, -1):",
    right="for s in range(t, t - k - 1, -1):    # t itself and k steps back",
    symptom="Windowed gradients are those of k + 1.",
    effect="More is computed than was configured, and another program with the same k gives other gradients.",
    cure="k steps back from t make k + 1 states, not k + 2.",
    corrupts=("dh",),
    shows_from=4,
    equivalent_when="BPTT is not windowed, or T <= k + 1",
)
class WindowOneStepTooLong(Faulty):
    def begin(self, case: RNNCase) -> None:
        super().begin(case)
        if self.bptt == "windowed":
            self.k += 1


@fault(
    title="Every window counts all losses inside it",
    wrong="dh = dlogits[s] @ W_hy + dh_next    # for every s of the window of t",
    right="dh = (dlogits[s] @ W_hy if s == t else 0) + dh_next",
    symptom="Windowed gradients are too large: a loss is counted once for each window that it lies in.",
    effect="Up to k + 1 times the gradient, unevenly over the steps.",
    cure="The window of step t carries back the loss of step t alone.",
    corrupts=("dh",),
    shows_from=2,
    equivalent_when="BPTT is not windowed, or T = 1, or k = 0",
)
class WindowCountsEveryLoss(Faulty):
    def walk_back(self, last: int, first: int) -> None:
        kind, self.bptt = self.bptt, "full"  # every step of the walk then adds its own loss
        super().walk_back(last, first)
        self.bptt = kind


@fault(
    title="The gradient crosses from chunk to chunk",
    wrong="for t in reversed(range(T)): ...; dh_next = da @ W_hh",
    right="for t in reversed(range(T)): ...; dh_next = 0 if t % k == 0 else da @ W_hh",
    symptom="Chunked gradients are those of full BPTT.",
    effect="Memory and time grow with the text instead of the chunk (in torch: a missing detach).",
    cure="Carry the state over the end of a chunk, not the gradient.",
    corrupts=("dh",),
    shows_from=3,
    equivalent_when="BPTT is not chunked, or T <= k",
)
class GradientCrossesChunks(Faulty):
    def begin(self, case: RNNCase) -> None:
        super().begin(case)
        if self.bptt == "chunked":
            self.bptt = "full"


@fault(
    title="The last, shorter chunk is left out",
    wrong="for chunk in range(T // k):",
    right="for first in range(0, T, k):    # the last chunk ends at T",
    symptom="dh and da are zero in the steps that are left over when T is divided by k.",
    effect="The end of every sequence teaches nothing, and a sequence shorter than k nothing at all.",
    cure="Round the number of chunks up.",
    corrupts=("dh",),
    equivalent_when="BPTT is not chunked, or k divides T",
)
class LastChunkLeftOut(Faulty):
    def walks(self) -> list[tuple[int, int]]:
        walks = super().walks()
        return [w for w in walks if w[0] - w[1] + 1 == self.k] if self.bptt == "chunked" else walks


@fault(
    title="The state is reset at every chunk",
    wrong="for chunk in chunks: h = np.zeros((B, H)); ...",
    right="h = np.zeros((B, H))\nfor chunk in chunks: ...    # h carries on",
    symptom="The first state after a cut forgets all that came before.",
    effect="The model never sees more than one chunk.",
    cure="Hand the last state of a chunk to the next.",
    corrupts=("h",),
    shows_from=3,
    seen=9,
    equivalent_when="BPTT is not chunked, or T <= k",
)
class StateResetAtEveryChunk(Faulty):
    def previous_state(self, t: int) -> Array:
        at_cut = self.bptt == "chunked" and t > 0 and t % self.k == 0
        return np.zeros_like(self.h0) if at_cut else super().previous_state(t)
