"""Time batches of sequences of different length: packed, padded, and torch's `PackedSequence`.

    python benchmarks/packed.py [--sizes 128,65,50,32 ...] [--fills 1 0.75 0.5 0.35] [--dtypes float32 float64]
                                [--seconds 1.5] [--seed 0] [--json FILE]

Loss and gradients. The fill is the share of the T B places that hold a step. With no work on padding, time is
proportional to it: at half the fill, half the time, within 20 %. The last rows are batches of 32 names as they come in
data/names.txt. All must find the same gradients before anything is timed.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine  # noqa: F401

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import command
import numpy as np
from peers import AGREEMENT, disagreement
from problem import Problem, Size
from timing import interleave

from numpy_impl.datasets import load_dataset
from numpy_impl.flat import Flat
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.packed import packed_loss_and_grads
from numpy_impl.recipes import RECIPES
from numpy_impl.workspace import Workspace

SIZES = ("128,65,50,32", "256,65,100,32")
FILLS = (1.0, 0.75, 0.5, 0.35)
PROPORTIONAL = 1.2
"""Time over fill times the time of a full batch: at most this."""
NAMES = Path(__file__).parent.parent / "data" / "names.txt"


def main() -> int:
    """Time every size, dtype and fill; return 1 if gradients differ."""
    line = command.parser(__doc__, 1.5, "row")
    line.add_argument("--sizes", nargs="+", type=command.size, default=[*map(Size.parse, SIZES)], metavar="H,V,T,B")
    line.add_argument("--fills", nargs="+", type=share, default=FILLS, metavar="SHARE")
    line.add_argument("--dtypes", nargs="+", choices=command.DTYPES, default=command.DTYPES)
    options = line.parse_args()
    absent = command.missing(["torch"])
    rows: list[dict[str, Any]] = []
    try:
        for size in options.sizes:
            for dtype in options.dtypes:
                problem = Problem.draw(size, dtype, options.seed)
                full = measure(problem, np.full(size.B, size.T), options.seconds)
                for fill in options.fills:
                    lengths = draw_lengths(size, fill)
                    row = full if (lengths == size.T).all() else measure(problem, lengths, options.seconds)
                    rows.append(row | {"verdicts": [proportional(row, full)]})
                    _show(rows[-1])
        for dtype in options.dtypes:
            rows.append({**measure(*batch_of_names(dtype, options.seed), options.seconds), "verdicts": []})
            _show(rows[-1])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    met = [verdict["met"] for row in rows for verdict in row["verdicts"]]
    print(f"{sum(met)} of {len(met)} goals met")
    command.write_json(options.json, {"seed": options.seed, "left out": absent, "rows": rows})
    return 0


def share(text: str) -> float:
    """Read a share, above 0 and up to 1."""
    if not 0 < (number := command.seconds(text)) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share of a batch; give a number above 0 and up to 1")
    return number


def draw_lengths(size: Size, fill: float) -> np.ndarray:
    """Spread lengths from long to short so that their mean is about `fill` T; the longest is T."""
    quantiles = (np.arange(size.B) + 0.5) / size.B
    lengths = np.maximum(1, np.rint(size.T * quantiles ** (1 / fill - 1))).astype(np.int64)
    lengths[-1] = size.T
    return np.random.default_rng(0).permutation(lengths)


def batch_of_names(dtype: str, seed: int) -> tuple[Problem, np.ndarray]:
    """Return 32 names and a network of the size that is trained on them."""
    data = load_dataset(RECIPES["names"], NAMES)
    batch = data.batch(*np.random.default_rng(seed).choice(len(data), 32, replace=False).tolist())
    drawn = Problem.draw(Size(RECIPES["names"].hidden, len(data.vocabulary), *batch.x.shape), dtype, seed)
    x, y = np.maximum(batch.x, 0), np.maximum(batch.y, 0)  # torch's one-hot vectors know no *no token*
    return Problem(drawn.size, drawn.dtype, drawn.params, x, y, drawn.h0), batch.lengths


def measure(problem: Problem, lengths: np.ndarray, seconds: float) -> dict[str, Any]:
    """Time all ways to the gradients of one batch.

    Raises
    ------
    ValueError
        If their gradients differ.
    """
    ways = {"packed": ours_packed(problem, lengths), "padded": ours_padded(problem, lengths)}
    if find_spec("torch"):
        from torch_packed import torch_packed

        ways["torch PackedSequence"] = torch_packed(problem, lengths)
    found = {name: way() for name, way in ways.items()}
    for name, grads in found.items():
        if not (apart := disagreement(found["packed"], grads)) <= AGREEMENT:
            raise ValueError(f"{problem.size}: gradients of {name} differ by {apart:.0f} units in the last place")
    times = interleave(ways, seconds)
    return {
        "size": str(problem.size),
        "dtype": problem.dtype.name,
        "fill": float(lengths.sum() / problem.x.size),
        "seconds": {name: spread._asdict() for name, spread in times.items()},
    }


def ours_packed(problem: Problem, lengths: np.ndarray) -> Callable[[], dict[str, np.ndarray]]:
    """Return a call that works on the steps there are."""
    p, params, workspace = problem, Flat.pack(problem.params), Workspace()
    return lambda: packed_loss_and_grads(params, p.x, p.y, lengths, p.h0, workspace=workspace).grads


def ours_padded(problem: Problem, lengths: np.ndarray) -> Callable[[], dict[str, np.ndarray]]:
    """Return a call that works on all T B places, and ignores the targets of the padding."""
    p, params, workspace = problem, Flat.pack(problem.params), Workspace()
    y = np.where(np.arange(p.size.T)[:, None] < lengths, p.y, IGNORE_INDEX)
    return lambda: lean_loss_and_grads(params, p.x, y, p.h0, workspace=workspace).grads


def proportional(row: dict[str, Any], full: dict[str, Any]) -> dict[str, Any]:
    """Hold the time of a batch against its share of the time of a full one."""
    ratio = row["seconds"]["packed"]["median"] / full["seconds"]["packed"]["median"] / row["fill"]
    return command.verdict("time / (fill x time when full)", ratio, PROPORTIONAL, at_most=True)


def _show(row: dict[str, Any]) -> None:
    H, V, T, B = Size.parse(row["size"])
    print(f"H {H}, V {V}, T {T}, B {B}, {row['dtype']}, fill {row['fill']:.2f}: ms of CPU time")
    for name, s in row["seconds"].items():
        print(f"  {name:22s} {s['median'] * 1e3:9.3f}  [{s['low'] * 1e3:.3f} {s['high'] * 1e3:.3f}]")
    for v in row["verdicts"]:
        print(command.shown(v))


if __name__ == "__main__":
    sys.exit(main())
