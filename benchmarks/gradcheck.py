"""Time one comparison with the oracle against the usual ways to check a gradient.

    python benchmarks/gradcheck.py [--sizes 50,27,8,1 100,65,25,1] [--seconds 1] [--seed 0] [--skip-slow] [--json FILE]

All judge the gradients of one evaluation in float64: numpy_impl against PyTorch's autograd, array by array; central
differences of numpy_impl's loss, parameter by parameter; `torch.autograd.gradcheck`, which checks torch and no program
of yours, in its fast mode (one random direction) and its slow one (every parameter). A way that finds a right gradient
wrong ends the program. The slow ways run once: at the second size they take a minute.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine  # noqa: F401

import sys
import time
from collections.abc import Callable
from typing import Any

import command
import numpy as np
from problem import Problem, Size
from timing import interleave

from numpy_impl.flat import Flat
from numpy_impl.loss import cross_entropy
from numpy_impl.model import forward, loss_and_grads

SIZES = ("50,27,8,1", "100,65,25,1")
NUDGE = 1e-5
"""Step of the differences: their error is then NUDGE^2 by truncation and u / NUDGE by rounding, both near 1e-10..."""
DIFFERENCE = 1e-7
"""... so that right gradients agree to this, relative to the largest of each array."""


def main() -> int:
    """Time every size; return 1 if a right gradient is refused."""
    line = command.parser(__doc__, 1.0, "row")
    line.add_argument("--sizes", nargs="+", type=command.size, default=[*map(Size.parse, SIZES)], metavar="H,V,T,B")
    line.add_argument("--skip-slow", action="store_true", help="leave out what asks for every parameter")
    options = line.parse_args()
    if command.missing(["torch"]):
        print("all but the differences need PyTorch, so there is nothing to compare", file=sys.stderr)
        return 2
    rows = []
    for size in options.sizes:
        problem = Problem.draw(size, "float64", options.seed)
        quick, slow = ways(problem)
        once = {name: _once(way) for name, way in {**quick, **({} if options.skip_slow else slow)}.items()}
        if refused := [name for name, (agrees, _) in once.items() if not agrees]:
            print(f"{size}: a right gradient was refused by: {', '.join(refused)}", file=sys.stderr)
            return 1
        times = {name: seconds for name, (_, seconds) in once.items()}
        times |= {name: spread.median for name, spread in interleave(quick, options.seconds).items()}
        rows.append({"size": str(size), "parameters": _count(problem), "seconds": times})
        _show(rows[-1])
    command.write_json(options.json, {"seed": options.seed, "rows": rows})
    return 0


def ways(problem: Problem) -> tuple[dict[str, Callable[[], bool]], dict[str, Callable[[], bool]]]:
    """Return the ways to check, quick and slow; each says whether it finds the gradients right."""
    from torch.autograd import gradcheck
    from torch_peers import TorchLoop

    peer = TorchLoop(problem)
    parameters = tuple(peer.trained)

    def loss(*_: Any) -> Any:
        return peer.loss()

    quick = {
        "one oracle comparison": oracle_comparison(problem),
        "gradcheck, fast": lambda: gradcheck(loss, parameters, fast_mode=True),
    }
    slow = {
        "central differences": lambda: differences_agree(problem),
        "gradcheck, slow": lambda: gradcheck(loss, parameters),
    }
    return quick, slow


def oracle_comparison(problem: Problem) -> Callable[[], bool]:
    """Return a call that compares every array of numpy_impl with the oracle's."""
    from rnncheck.case import RNNCase
    from rnncheck.checks.check import Bench, Source
    from rnncheck.implementation import NumpyImpl
    from rnncheck.oracle import LiveOracle
    from rnncheck.result import Verdict

    case = RNNCase("bench", 0, problem.params, problem.x, problem.y, problem.h0)

    def agrees() -> bool:
        found = Bench(NumpyImpl(), LiveOracle()).compare(Source.of(case))
        return {c.verdict for c in found} == {Verdict.PASSED}

    return agrees


def differences_agree(problem: Problem) -> bool:
    """Compare the gradients with central differences of the loss, two evaluations for every parameter."""
    params, (x, y, h0) = Flat.pack(problem.params), (problem.x, problem.y, problem.h0)
    expected = loss_and_grads(params, x, y, h0).grads
    found, w = expected.copy(), params.flat
    for i in range(w.size):
        kept, losses = w[i], []
        for nudged in (kept - NUDGE, kept + NUDGE):
            w[i] = nudged
            losses.append(float(cross_entropy(forward(params, x, h0).logits, y).loss))
        w[i] = kept
        found.flat[i] = (losses[1] - losses[0]) / (2 * NUDGE)
    return all(
        np.abs(found[name] - array).max() <= DIFFERENCE * np.abs(array).max() for name, array in expected.items()
    )


def _once(way: Callable[[], bool]) -> tuple[bool, float]:
    start = time.process_time()
    return way(), time.process_time() - start


def _count(problem: Problem) -> int:
    return sum(array.size for array in problem.params.values())


def _show(row: dict[str, Any]) -> None:
    print(f"H,V,T,B {row['size']}, {row['parameters']:,} parameters: CPU time")
    ours = row["seconds"]["one oracle comparison"]
    for name, seconds in row["seconds"].items():
        print(f"  {name:24s} {seconds * 1e3:12.2f} ms   {seconds / ours:10.1f} times")


if __name__ == "__main__":
    sys.exit(main())
