"""Measure how time per step and memory grow with T and with H, and draw it.

    python benchmarks/growth.py [--lengths 1 10 ... 100000] [--hidden 25 50 ... 1600] [--seconds 2]
                                [--no-peers] [--plot FILE.svg] [--json FILE]

Loss and gradients in float64, V = 65, B = 1: over T at H = 100, over H at T = 25. Time is CPU time per step of the
sequence. Memory is what one call needs beyond what was there before it, at the worst moment, in multiples of the bytes
of the hidden states; for our own arrays `tracemalloc` counts it exactly, for the peers it is the growth of the
process, so only from a few megabytes on.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine

import argparse
import ctypes
import gc
import sys
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from min_char_rnn import MinCharRNN
from peers import Ours, TorchRNN
from problem import Problem, Size
from timing import interleave

LENGTHS = (1, 10, 100, 1000, 10_000, 100_000)
HIDDEN = (25, 50, 100, 200, 400, 800, 1600)
V, H, T = 65, 100, 25
FLAT, LEAN = 1.15, 2.5
"""The goals: time per step at 100,000 steps over that at 100, and memory there."""


def measure(size: Size, seconds: float, with_peers: bool) -> dict[str, Any]:
    """Return time per step and memory of every peer."""
    problem = Problem.draw(size, "float64")
    makers: list[Any] = [Ours, TorchRNN, MinCharRNN] if with_peers else [Ours]
    if with_peers and find_spec("jax"):
        from jax_scan import JaxScan

        makers.append(JaxScan)
    states = size.T * size.B * size.H * problem.dtype.itemsize
    memory = {make.name: _growth(make, problem) / states for make in makers}
    times = interleave({make.name: make(problem).forward_backward for make in makers}, seconds, rounds=3)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", nargs="*", type=int, default=LENGTHS, metavar="T")
    parser.add_argument("--hidden", nargs="*", type=int, default=HIDDEN, metavar="H")
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU time per point (2), more where a call is long")
    parser.add_argument("--no-peers", action="store_true", help="numpy_impl alone")
    parser.add_argument("--plot", metavar="FILE.svg", help="draw the curves")
    parser.add_argument("--json", metavar="FILE", help="write the figures (- is standard output)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    over_t = [_shown(measure(Size(H, V, t, 1), options.seconds, not options.no_peers)) for t in options.lengths]
    over_h = [_shown(measure(Size(h, V, T, 1), options.seconds, not options.no_peers)) for h in options.hidden]
    by_length = dict(zip(options.lengths, over_t, strict=True))
    if {100, 100_000} <= by_length.keys():
        short, long = by_length[100], by_length[100_000]
        ratio = long["seconds per step"][Ours.name] / short["seconds per step"][Ours.name]
        memory = long["memory / states"][Ours.name]
        _verdict("time per step, T 100,000 over T 100", ratio, FLAT)
        _verdict("memory at T 100,000, of the states", memory, LEAN)
    if options.plot:
        draw(over_t, over_h, options.plot)
    machine.write_json(options.json, {"over T": over_t, "over H": over_h})
    return 0


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    print(f"H,V,T,B {row['size']}")
    for name, seconds in row["seconds per step"].items():
        print(f"  {name:14s} {seconds * 1e6:10.2f} us per step   {row['memory / states'][name]:6.2f} times the states")
    return row


def _verdict(what: str, found: float, goal: float) -> None:
    print(f"{what}: {found:.2f}  goal <= {goal}  {'met' if found <= goal else 'NOT MET'}")


if __name__ == "__main__":
    sys.exit(main())
