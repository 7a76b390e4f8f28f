"""Time the training step beside that of others, in one process and one thread.

    python benchmarks/step_time.py [--sizes 100,65,25,1 ...] [--dtypes float32 float64] [--seconds 6] [--json FILE]

A step is: forward, loss, backpropagation through time, clipping, Adagrad. Before anything is timed, all must agree on
every gradient. Then they take turns in blocks of 1.5 ms, and what is printed are medians of CPU time, quartiles beside
them, ratios, and whether the goals are met. Peers: `torch.nn.RNN`, a loop in torch, a program in the style of
min-char-rnn, JAX if it is installed (extra `bench`), and the floor, below which no program on the same BLAS can go.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from floor import Floor
from goals import GOALS, Goal
from min_char_rnn import MinCharRNN
from peers import Ours, TorchLoop, TorchRNN
from problem import Problem, Size
from timing import Spread, interleave

AGREEMENT = 256
"""Gradients may differ by so many units in the last place of the largest entry of the array."""
PARTS = ("forward+backward", "whole step")


def main() -> int:
    """Time what was asked for; return 1 if the gradients of two peers differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", nargs="+", type=Size.parse, default=[Size.parse(s) for s in GOALS], metavar="H,V,T,B"
    )
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "float64"), default=["float32", "float64"])
    parser.add_argument("--seconds", type=float, default=6.0, help="CPU time per size and dtype (6)")
    parser.add_argument("--json", metavar="FILE", help="write the figures (- is standard output)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for size in options.sizes:
        for dtype in options.dtypes:
            problem = Problem.draw(size, dtype)
            ours, peers = Ours(problem), [peer(problem) for peer in _peers()]
            differences = {peer.name: disagreement(ours.gradients(), peer.gradients()) for peer in peers}
            if max(differences.values()) > AGREEMENT:
                print(f"{size} {dtype}: gradients differ, in units in the last place: {differences}", file=sys.stderr)
                return 1
            rows.append(_row(problem, ours, peers, options.seconds))
            _show(rows[-1])
    met = [verdict["met"] for row in rows for verdict in row["verdicts"]]
    print(f"{sum(met)} of {len(met)} goals met")
    machine.write_json(options.json, {"rows": rows})
    return 0


def _peers() -> list[Callable[[Problem], Any]]:
    found: list[Callable[[Problem], Any]] = [TorchRNN, TorchLoop, MinCharRNN]
    if find_spec("jax"):
        from jax_scan import JaxScan

        found.append(JaxScan)
    return found


def disagreement(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """Return the largest difference of any gradient, in units in the last place of the largest entry of its array."""
    found = 0.0
    for name, array in ours.items():
        unit = np.finfo(array.dtype).eps * np.abs(array).max()
        found = max(found, float(np.abs(array - theirs[name]).max() / unit))
    return found


def _row(problem: Problem, ours: Ours, peers: list[Any], seconds: float) -> dict[str, Any]:
    """Time one size in one dtype."""
    floor = Floor(problem)
    calls = {(peer.name, part): call for peer in (ours, *peers) for part, call in zip(PARTS, _calls(peer), strict=True)}
    calls[floor.name, PARTS[0]] = floor.forward_backward
    calls |= {(ours.name, part): call for part, call in ours.parts().items()}
    times = interleave(calls, seconds)
    row: dict[str, Any] = {"size": str(problem.size), "dtype": problem.dtype.name, "seconds": {}, "verdicts": []}
    for (name, part), spread in times.items():
        row["seconds"].setdefault(name, {})[part] = spread._asdict()
    if str(problem.size) in GOALS:
        row["verdicts"] = _verdicts(times, GOALS[str(problem.size)], problem.dtype.name)
    return row


def _calls(peer: Any) -> tuple[Callable[[], object], Callable[[], object]]:
    return peer.forward_backward, peer.step


def _verdicts(times: dict[tuple[str, str], Spread], goal: Goal, dtype: str) -> list[dict[str, Any]]:
    step = times[Ours.name, "whole step"].median
    column = ("float32", "float64").index(dtype)
    least = {"torch.nn.RNN": goal.torch[column], "min-char-rnn": goal.by_hand[column], "JAX jit scan": goal.jax}
    found = []
    for name, bound in least.items():
        if (name, "whole step") in times:
            ratio = times[name, "whole step"].median / step
            found.append({"what": f"{name} / ours", "ratio": ratio, "goal": f">= {bound:g}", "met": ratio >= bound})
    if goal.floor:
        ratio = times[Ours.name, goal.of].median / times[Floor.name, PARTS[0]].median
        found.append(
            {"what": f"our {goal.of} / floor", "ratio": ratio, "goal": f"<= {goal.floor:g}", "met": ratio <= goal.floor}
        )
    return found


def _show(row: dict[str, Any]) -> None:
    H, V, T, B = Size.parse(row["size"])
    print(f"H {H}, V {V}, T {T}, B {B}, {row['dtype']}: us of CPU time, median [quartiles]")
    for name, parts in row["seconds"].items():
        for part, s in parts.items():
            low, high = s["low"] * 1e6, s["high"] * 1e6
            print(f"  {name:14s} {part:18s} {s['median'] * 1e6:11.1f}  [{low:.1f} {high:.1f}]")
    for v in row["verdicts"]:
        print(f"  {v['what']:36s} {v['ratio']:6.2f}  goal {v['goal']:7s} {'met' if v['met'] else 'NOT MET'}")


if __name__ == "__main__":
    sys.exit(main())
