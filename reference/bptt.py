"""Where the graph is cut: the three kinds of backpropagation through time as one idea.

R. Williams and J. Peng, "An efficient gradient-based algorithm for on-line training of recurrent network
trajectories", 1990. Steps are counted from 0. A gradient never leaves the segment it arises in: the state a segment
starts from is held constant, except h0, which is an input of the problem.

    full        one segment, all steps
    chunked     segments of k steps, one after the other; states are carried over the cut, gradients are not
    windowed    one segment for every loss: the loss of step t, after recomputing the states max(0, t-k)..t
"""

from typing import NamedTuple

__all__ = ["BPTT_MODES", "Segment", "segments"]

BPTT_MODES = ("full", "windowed", "chunked")


class Segment(NamedTuple):
    """The steps start..stop-1, computed in one connected graph; the losses of the steps from `read` on count."""

    start: int
    stop: int
    read: int


def segments(T: int, bptt: str = "full", k: int | None = None) -> list[Segment]:
    """Cut T steps into the segments that `bptt` asks for; `k` is the number of steps (windowed: back from each t).

    Raises
    ------
    ValueError
        If the mode is unknown, or `k` is missing, out of range or given without a use.
    """
    if bptt not in BPTT_MODES:
        raise ValueError(f"bptt is {bptt!r}, expected one of {', '.join(BPTT_MODES)}")
    if bptt == "full":
        if k is not None:
            raise ValueError(f'k is {k} under bptt="full", which goes back to the first step; leave k out')
        return [Segment(0, T, 0)]
    least = 0 if bptt == "windowed" else 1
    if k is None or k < least:
        raise ValueError(f'k is {k} under bptt="{bptt}": give the number of steps, at least {least}')
    if bptt == "chunked":
        return [Segment(start, min(start + k, T), start) for start in range(0, T, k)]
    return [Segment(max(0, t - k), t + 1, t) for t in range(T)]
