"""Measure how time per step and memory grow with T and with H, and draw it.

    python benchmarks/growth.py [--lengths 1 10 ... 100000] [--hidden 25 50 ... 1600] [--seconds 1] [--seed 0]
                                [--no-peers] [--plot FILE.svg] [--json FILE]
    python benchmarks/growth.py --from FILE --plot FILE.svg

Loss and gradients in float64, V = 65, B = 1: over T at H = 100, over H at T = 25. Time is CPU time per step of the
sequence. Memory is what one call needs beyond what was there before it, at the worst moment, in multiples of the bytes
of the hidden states; for our own arrays `tracemalloc` counts it exactly, for the peers it is the growth of the
process, so only from a few megabytes on.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine  # noqa: F401

import ctypes
import gc
import json
import sys
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command
from peers import AGREEMENT, Ours, available, disagreement
from problem import Problem, Size
from timing import interleave

LENGTHS = (1, 10, 100, 1000, 10_000, 100_000)
HIDDEN = (25, 50, 100, 200, 400, 800, 1600)
V, H, T = 65, 100, 25
FLAT, LEAN = 1.15, 2.5
"""The goals: time per step at 100,000 steps over that at 100, and memory there."""


def measure(size: Size, seconds: float, with_peers: bool, seed: int) -> dict[str, Any]:
    """Return time per step and memory of every peer, if all of them find the same gradients.

    Raises
    ------
    ValueError
        If they do not.
    """
    problem = Problem.draw(size, "float64", seed)
    makers: list[Any] = [Ours, *(available(loop=False) if with_peers else [])]
    states = size.T * size.B * size.H * problem.dtype.itemsize
    memory = {make.name: _growth(make, problem) / states for make in makers}
    peers = [make(problem) for make in makers]
    expected = peers[0].gradients()
    for peer in peers[1:]:
        if not (apart := disagreement(expected, peer.gradients())) <= AGREEMENT:
            raise ValueError(f"{size}: gradients of {peer.name} differ by {apart:.0f} units in the last place")
    times = interleave({peer.name: peer.forward_backward for peer in peers}, seconds, rounds=3)
    return {
        "size": str(size),
        "seconds per step": {name: spread.median / size.T for name, spread in times.items()},
        "memory / states": memory,
    }


def _growth(make: Any, problem: Problem) -> float:
    """Return how many bytes the first call needs at the worst moment."""
    peer = make(problem)
    if make is Ours:
        tracemalloc.start()
        peer.forward_backward()
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return float(highest)
    return _resident(peer.forward_backward)


def _resident(call: Callable[[], object]) -> float:
    """Return how far the process grew during `call`; NaN where the system does not tell."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        clear.write_text("5")  # the highest mark is set back to what is in use now
        before = _kilobytes(status, "VmRSS")
        call()
        return 1024.0 * (_kilobytes(status, "VmHWM") - before)
    except (OSError, AttributeError):
        return float("nan")


def _kilobytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))


def draw(over_t: list[dict[str, Any]], over_h: list[dict[str, Any]], path: str) -> None:
    """Draw time over T, time over H and memory over T, all axes logarithmic."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"
    from matplotlib import pyplot

    figure, (time_t, time_h, memory_t) = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for axes, rows, what, index in (
        (time_t, over_t, "seconds per step", 2),
        (time_h, over_h, "seconds per step", 0),
        (memory_t, [r for r in over_t if Size.parse(r["size"]).T >= 1000], "memory / states", 2),
    ):
        for name in rows[0][what] if rows else ():
            axes.loglog([Size.parse(r["size"])[index] for r in rows], [r[what][name] for r in rows], "o-", label=name)
        axes.set_xlabel("H" if index == 0 else "T")
        axes.set_title(what)
        axes.grid(True, which="both", alpha=0.3)
    time_t.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Measure, judge the two goals, draw."""
    line = command.parser(__doc__, 1.0, "point, more where a call is long")
    line.add_argument("--lengths", nargs="*", type=command.counted, default=LENGTHS, metavar="T")
    line.add_argument("--hidden", nargs="*", type=command.counted, default=HIDDEN, metavar="H")
    line.add_argument("--no-peers", action="store_true", help="numpy_impl alone")
    line.add_argument("--plot", type=command.target, metavar="FILE.svg", help="draw the curves")
    line.add_argument("--from", dest="given", type=Path, metavar="FILE", help="draw what --json wrote; measure nothing")
    options = line.parse_args()
    if options.given:
        return _redraw(line, options.given, options.plot)
    absent = command.missing() if not options.no_peers else []
    sizes = [Size(H, V, t, 1) for t in options.lengths], [Size(h, V, T, 1) for h in options.hidden]
    try:
        over_t, over_h = (
            [_shown(measure(size, options.seconds, not options.no_peers, options.seed)) for size in axis]
            for axis in sizes
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    verdicts = judge(dict(zip(options.lengths, over_t, strict=True)))
    for v in verdicts:
        print(command.shown(v))
    if options.plot:
        draw(over_t, over_h, options.plot)
    figures = {"seed": options.seed, "left out": absent, "over T": over_t, "over H": over_h, "verdicts": verdicts}
    command.write_json(options.json, figures)
    return 0


def judge(by_length: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Hold time and memory at 100,000 steps against the goals, if it was measured."""
    if not {100, 100_000} <= by_length.keys():
        return []
    short, long = by_length[100], by_length[100_000]
    flat = long["seconds per step"][Ours.name] / short["seconds per step"][Ours.name]
    lean = long["memory / states"][Ours.name]
    return [
        command.verdict("time per step, T 100,000 / T 100", flat, FLAT, at_most=True),
        command.verdict("memory at T 100,000 / states", lean, LEAN, at_most=True),
    ]


def _redraw(line: ArgumentParser, given: Path, plot: str | None) -> int:
    """Draw the figures of an earlier run."""
    if plot is None:
        line.error("--from draws, and there is nothing to draw into: add --plot FILE.svg")
    try:
        figures = json.loads(given.read_text("utf-8"))
        figures = figures.get("growth", figures)
        draw(figures["over T"], figures["over H"], plot)
    except OSError as error:
        line.error(f"{given} cannot be read: {error.strerror}")
    except (ValueError, KeyError, AttributeError):
        line.error(f"{given} holds no figures of this program; give a file that --json wrote")
    return 0


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    print(f"H,V,T,B {row['size']}")
    for name, seconds in row["seconds per step"].items():
        print(f"  {name:14s} {seconds * 1e6:10.2f} us per step   {row['memory / states'][name]:6.2f} times the states")
    return row


if __name__ == "__main__":
    sys.exit(main())
