"""Count characters per second: numpy_impl beside torch and a program in the style of min-char-rnn.

    python benchmarks/sampling.py [--sizes 50,65 100,65] [--streams 1 32] [--seconds 4] [--json FILE]

Each writes 200 characters in every stream, drawing from its softmax. Random numbers are drawn inside the timed call,
and the probabilities are kept, where a program keeps them anyway. That the frequencies are right is a matter for the
tests (tests/test_sample.py), not for this clock. The floor: two products, tanh, exp, a cumulative sum and a search per
character, with every output made beforehand.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from problem import Problem, Size
from timing import interleave
from torch import nn

from numpy_impl.flat import Flat
from numpy_impl.sample import sample

LENGTH = 200
GOALS = {"torch.nn.RNN": 15.0, "torch loop": 6.0, "min-char-rnn": 6.0}
"""Our characters per second over theirs, for one stream."""
OF_THE_FLOOR = 0.6


def ours(problem: Problem) -> Callable[[], object]:
    """Return a call of numpy_impl."""
    params, B, rng = Flat.pack(problem.params), problem.size.B, np.random.default_rng(0)
    first = np.zeros(B, np.int64)
    return lambda: sample(params, first, rng.random((LENGTH, B)), problem.h0)


def min_char_rnn(problem: Problem) -> Callable[[], object]:
    """Return the loop of min-char-rnn: one-hot columns, `np.random.choice` for every stream."""
    p, (_, V, _, B), rng = problem.params, problem.size, np.random.RandomState(0)

    def write() -> list[list[int]]:
        h, written, ids = problem.h0.T, [], [0] * B
        for _ in range(LENGTH):
            x = np.zeros((V, B), problem.dtype)
            x[ids, np.arange(B)] = 1
            h = np.tanh(np.dot(p["W_xh"], x) + np.dot(p["W_hh"], h) + p["b_h"][:, None])
            y = np.dot(p["W_hy"], h) + p["b_y"][:, None]
            probabilities = np.exp(y) / np.sum(np.exp(y), axis=0)
            ids = [rng.choice(range(V), p=probabilities[:, b].ravel()) for b in range(B)]
            written.append(ids)
        return written

    return write


def torch_rnn(problem: Problem) -> Callable[[], object]:
    """Return a loop over `torch.nn.RNN`, one step at a time."""
    H, V, _, B = problem.size
    dtype = getattr(torch, problem.dtype.name)
    rnn, readout = nn.RNN(V, H, dtype=dtype), nn.Linear(H, V, dtype=dtype)
    one_hot = torch.eye(V, dtype=dtype)

    @torch.inference_mode()
    def write() -> list[torch.Tensor]:
        h, ids, written = torch.from_numpy(problem.h0)[None], torch.zeros(B, dtype=torch.long), []
        for _ in range(LENGTH):
            out, h = rnn(one_hot[ids][None], h)
            ids = torch.multinomial(torch.softmax(readout(out[0]), -1), 1)[:, 0]
            written.append(ids)
        return written

    return write


def torch_loop(problem: Problem) -> Callable[[], object]:
    """Return a lean loop in torch: a row of W_xh^T per token, no modules."""
    p = {name: torch.from_numpy(a) for name, a in problem.params.items()}
    table = p["W_xh"].T + p["b_h"]

    @torch.inference_mode()
    def write() -> list[torch.Tensor]:
        h, ids, written = torch.from_numpy(problem.h0), torch.zeros(problem.size.B, dtype=torch.long), []
        for _ in range(LENGTH):
            h = torch.tanh(torch.addmm(table[ids], h, p["W_hh"].T))
            ids = torch.multinomial(torch.softmax(torch.addmm(p["b_y"], h, p["W_hy"].T), -1), 1)[:, 0]
            written.append(ids)
        return written

    return write


def floor(problem: Problem) -> Callable[[], object]:
    """Return what no loop on this BLAS can leave out."""
    p, B = problem.params, problem.size.B
    W_hh_T, W_hy_T = np.ascontiguousarray(p["W_hh"].T), np.ascontiguousarray(p["W_hy"].T)
    h, a = problem.h0, np.empty_like(problem.h0)
    logits, cdf = (np.empty((B, problem.size.V), problem.dtype) for _ in range(2))
    rng = np.random.default_rng(0)

    def write() -> None:
        for u in rng.random((LENGTH, B)):
            h.dot(W_hh_T, out=a)
            np.tanh(a, out=a)
            a.dot(W_hy_T, out=logits)
            np.exp(logits, out=logits)
            logits.cumsum(axis=-1, out=cdf)
            for b in range(B):
                cdf[b].searchsorted(u[b])

    return write


PEERS = {
    "numpy_impl": ours,
    "torch.nn.RNN": torch_rnn,
    "torch loop": torch_loop,
    "min-char-rnn": min_char_rnn,
    "floor": floor,
}


def main() -> int:
    """Time every size and number of streams in both dtypes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["50,65", "100,65"], metavar="H,V")
    parser.add_argument("--streams", nargs="+", type=int, default=[1, 32], metavar="B")
    parser.add_argument("--seconds", type=float, default=4.0, help="CPU time per row (4)")
    parser.add_argument("--json", metavar="FILE", help="write the figures (- is standard output)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for H, V in (map(int, size.split(",")) for size in options.sizes):
        for B in options.streams:
            for dtype in ("float32", "float64"):
                problem = Problem.draw(Size(H, V, 1, B), dtype)
                times = interleave({name: make(problem) for name, make in PEERS.items()}, options.seconds)
                rates = {name: LENGTH * B / spread.median for name, spread in times.items()}
                rows.append({"H": H, "V": V, "B": B, "dtype": dtype, "characters per second": rates})
                _show(rows[-1])
    machine.write_json(options.json, {"length": LENGTH, "rows": rows})
    return 0


def _show(row: dict[str, Any]) -> None:
    rates = row["characters per second"]
    print(f"H {row['H']}, V {row['V']}, {row['B']} streams, {row['dtype']}: characters per second")
    for name, rate in rates.items():
        ratio = rates["numpy_impl"] / rate
        goal = ""
        if row["B"] == 1 and name in GOALS:
            goal = f"goal >= {GOALS[name]:g} {'met' if ratio >= GOALS[name] else 'NOT MET'}"
        elif row["B"] == 1 and name == "floor":
            goal = f"goal >= {OF_THE_FLOOR:g} {'met' if ratio >= OF_THE_FLOOR else 'NOT MET'}"
        print(f"  {name:14s} {rate:12,.0f}   ours is {ratio:6.2f} times that   {goal}")


if __name__ == "__main__":
    sys.exit(main())
