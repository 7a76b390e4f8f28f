"""Time the training step beside that of others, in one process and one thread.

    python benchmarks/step_time.py [--sizes 100,65,25,1 ...] [--dtypes float32 float64] [--seconds 3]
                                   [--seed 0] [--json FILE]

A step is: forward, loss, backpropagation through time, clipping, Adagrad. Before anything is timed, all must agree on
every gradient. Then they take turns in blocks of 1.5 ms, and what is printed are medians of CPU time, quartiles beside
them, ratios, and whether the goals are met. Peers: `torch.nn.RNN`, a loop in torch, a program in the style of
min-char-rnn, JAX if it is installed (extra `bench`), and the floor, below which no program on the same BLAS can go.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine  # noqa: F401

import sys
from collections.abc import Callable
from typing import Any

import command
from floor import Floor
from goals import GOALS, Goal
from peers import AGREEMENT, Ours, available, disagreement
from problem import Problem, Size
from timing import Spread, interleave

PARTS = ("forward+backward", "whole step")


def main() -> int:
    """Time what was asked for; return 1 if the gradients of two peers differ."""
    line = command.parser(__doc__, 3.0, "size and dtype")
    line.add_argument("--sizes", nargs="+", type=command.size, default=[*map(Size.parse, GOALS)], metavar="H,V,T,B")
    line.add_argument("--dtypes", nargs="+", choices=command.DTYPES, default=command.DTYPES)
    options = line.parse_args()
    absent = command.missing()
    rows = []
    for size in options.sizes:
        for dtype in options.dtypes:
            problem = Problem.draw(size, dtype, options.seed)
            ours, peers = Ours(problem), [peer(problem) for peer in available()]
            differences = {peer.name: disagreement(ours.gradients(), peer.gradients()) for peer in peers}
            if not all(apart <= AGREEMENT for apart in differences.values()):
                print(f"{size} {dtype}: gradients differ, in units in the last place: {differences}", file=sys.stderr)
                return 1
            rows.append(_row(problem, ours, peers, options.seconds))
            rows[-1]["gradients differ by ulps"] = differences
            _show(rows[-1])
    met = [verdict["met"] for row in rows for verdict in row["verdicts"]]
    print(f"{sum(met)} of {len(met)} goals met")
    command.write_json(options.json, {"seed": options.seed, "left out": absent, "rows": rows})
    return 0


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
    found = [
        command.verdict(f"{name} / ours", times[name, "whole step"].median / step, bound)
        for name, bound in least.items()
        if (name, "whole step") in times
    ]
    if goal.floor:
        ratio = times[Ours.name, goal.of].median / times[Floor.name, PARTS[0]].median
        found.append(command.verdict(f"our {goal.of} / floor", ratio, goal.floor, at_most=True))
    return found


def _show(row: dict[str, Any]) -> None:
    H, V, T, B = Size.parse(row["size"])
    print(f"H {H}, V {V}, T {T}, B {B}, {row['dtype']}: us of CPU time, median [quartiles]")
    for name, parts in row["seconds"].items():
        for part, s in parts.items():
            low, high = s["low"] * 1e6, s["high"] * 1e6
            print(f"  {name:14s} {part:18s} {s['median'] * 1e6:11.1f}  [{low:.1f} {high:.1f}]")
    for v in row["verdicts"]:
        print(command.shown(v))


if __name__ == "__main__":
    sys.exit(main())
