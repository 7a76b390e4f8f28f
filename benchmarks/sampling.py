"""Count characters per second: numpy_impl beside torch and a program in the style of min-char-rnn.

    python benchmarks/sampling.py [--sizes 50,65 100,65] [--streams 1 32] [--seconds 2]
                                  [--seed 0] [--json FILE]

Each writes 200 characters in every stream, drawing from its softmax. Random numbers are drawn inside the timed call,
and the probabilities are kept, where a program keeps them anyway. That the frequencies are right is a matter for the
tests (tests/test_sample.py), not for this clock. The floor: two products, tanh, exp, a cumulative sum and a search per
character, with every output made beforehand.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine  # noqa: F401

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import command
import numpy as np
from problem import Problem, Size
from timing import interleave

from numpy_impl.flat import Flat
from numpy_impl.sample import sample

LENGTH = 200
GOALS = {"torch.nn.RNN": 15.0, "torch loop": 6.0, "min-char-rnn": 6.0, "floor": 0.6}
"""Our characters per second over theirs, for one stream..."""
LARGEST = 100
"""... and up to this H."""


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


def peers() -> dict[str, Callable[[Problem], Callable[[], object]]]:
    """Return what there is to be timed, ourselves first."""
    found = {"numpy_impl": ours, "min-char-rnn": min_char_rnn, "floor": floor}
    if find_spec("torch"):
        from torch_sampling import torch_loop, torch_rnn

        found |= {"torch.nn.RNN": torch_rnn, "torch loop": torch_loop}
    return found


def width(text: str) -> tuple[int, int]:
    """Read `H,V`."""
    try:
        H, V, _, _ = Size.parse(f"{text},1,1")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two whole numbers H,V, such as 100,65") from None
    return H, V


def main() -> int:
    """Time every size and number of streams in both dtypes."""
    line = command.parser(__doc__, 2.0, "row")
    line.add_argument("--sizes", nargs="+", type=width, default=[(50, 65), (100, 65)], metavar="H,V")
    line.add_argument("--streams", nargs="+", type=command.counted, default=[1, 32], metavar="B")
    options = line.parse_args()
    absent = command.missing(["torch"])
    rows: list[dict[str, Any]] = []
    for H, V in options.sizes:
        for B in options.streams:
            for dtype in command.DTYPES:
                problem = Problem.draw(Size(H, V, 1, B), dtype, options.seed)
                times = interleave({name: make(problem) for name, make in peers().items()}, options.seconds)
                rates = {name: LENGTH * B / spread.median for name, spread in times.items()}
                row = {"H": H, "V": V, "B": B, "dtype": dtype, "characters per second": rates}
                rows.append(row | {"verdicts": verdicts(rates) if B == 1 and H <= LARGEST else []})
                _show(rows[-1])
    met = [verdict["met"] for row in rows for verdict in row["verdicts"]]
    print(f"{sum(met)} of {len(met)} goals met")
    command.write_json(options.json, {"seed": options.seed, "left out": absent, "length": LENGTH, "rows": rows})
    return 0


def verdicts(rates: dict[str, float]) -> list[dict[str, Any]]:
    """Hold the rates of one stream against the goals."""
    mine = rates["numpy_impl"]
    return [
        command.verdict(f"ours / {name}", mine / rates[name], goal) for name, goal in GOALS.items() if name in rates
    ]


def _show(row: dict[str, Any]) -> None:
    print(f"H {row['H']}, V {row['V']}, {row['B']} streams, {row['dtype']}: characters per second")
    for name, rate in row["characters per second"].items():
        print(f"  {name:14s} {rate:12,.0f}")
    for v in row["verdicts"]:
        print(command.shown(v))


if __name__ == "__main__":
    sys.exit(main())
