"""Show how training amplifies rounding: the drift of PyTorch from NumPy, and of NumPy from itself one ulp away.

    python benchmarks/trajectory.py [--steps 35000] [--draws 3] [--seed 1] [--no-torch] [--text FILE] [--svg FILE]

Trains the recipe `names` on the public file of names (found through RNNCHECK_DATA, or downloaded), once in NumPy, once
in PyTorch, and once per draw in NumPy from initial weights of which each is moved by one unit in its last place. Prints
the largest difference of any weight, by step, and draws it. If two curves lie among the others, rounding made them all.
"""

# ruff: noqa: E402 - the number of threads is set before NumPy and torch are imported

import argparse
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")

import numpy as np

from numpy_impl.datasets import load_dataset
from numpy_impl.recipes import RECIPES
from numpy_impl.run import start
from rnncheck.download import public_file
from rnncheck.trajectory import follow, nudged

GREY = "#808080"  # of axes and words: readable on white and on black
RUNS = {"PyTorch": "#e6550d", "NumPy, one ulp away": "#3182bd"}
ROWS = (1, 100, 1_000, 10_000, 20_000, 25_000, 27_500, 30_000, 32_500, 35_000, 40_000)

Drift = Mapping[int, float]


def main() -> None:
    """Train, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=35_000)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-torch", action="store_true", help="leave PyTorch out")
    parser.add_argument("--text", type=Path, help="another file of names than the public one")
    parser.add_argument("--svg", type=Path, default=Path("docs/figures/trajectory.svg"))
    options = parser.parse_args()
    drifts = measure(options)
    table(drifts)
    draw(drifts, options.svg)
    print(f"drawn in {options.svg}")


def measure(options: argparse.Namespace) -> dict[str, Drift]:
    """Return the largest difference of any weight from the plain NumPy run, by step, for every other run."""
    recipe = replace(RECIPES["names"], sample_every=options.steps)
    data = load_dataset(recipe, options.text or public_file("person_names.txt"))
    even = range(0, options.steps + 1, max(1, options.steps // 140))
    marks = sorted({s for s in (1, 2, 5, 10, 20, 50, *ROWS, *even, options.steps) if 0 < s <= options.steps})

    def run(draw: int | None = None, step_fn: object = None) -> dict[int, np.ndarray]:
        began = time.perf_counter()
        first = start(recipe, data, options.seed)
        weights = follow(first if draw is None else nudged(first, draw), data, marks, step_fn)  # type: ignore[arg-type]
        print(f"  {options.steps} steps in {time.perf_counter() - began:.0f} s", flush=True)
        return {step: np.concatenate([a.ravel() for a in arrays.values()]) for step, arrays in weights.items()}

    plain = run()
    others = {f"NumPy, one ulp away ({draw + 1})": run(draw) for draw in range(options.draws)}
    if not options.no_torch:
        import torch

        from rnncheck.training import torch_step

        torch.set_num_threads(1)
        others = {"PyTorch": run(step_fn=torch_step)} | others
    return {name: {s: float(np.abs(w[s] - plain[s]).max()) for s in marks} for name, w in others.items()}


def table(drifts: Mapping[str, Drift]) -> None:
    """Print the drifts at a few steps, and by how much PyTorch's exceeds that of rounding."""
    steps = [s for s in next(iter(drifts.values())) if s in ROWS]
    print("\nlargest difference of any weight from the plain NumPy run")
    print("   step  " + "  ".join(f"{name:>25}" for name in drifts) + "   PyTorch / one ulp")
    for step in steps:
        row = [drift[step] for drift in drifts.values()]
        ulp = [drift[step] for name, drift in drifts.items() if name.startswith("NumPy")]
        share = drifts["PyTorch"][step] / float(np.median(ulp)) if "PyTorch" in drifts and ulp else float("nan")
        print(f"{step:>7}  " + "  ".join(f"{value:>25.1e}" for value in row) + f"   {share:.2g}")


def draw(drifts: Mapping[str, Drift], path: Path) -> None:
    """Draw the drifts over the steps, to be read on a light and on a dark page."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "trajectory", "font.size": 11}
    plt.rcParams |= dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
    )
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for name, drift in reversed(drifts.items()):
        kind = next(k for k in RUNS if name.startswith(k))
        thick = 1.8 if kind == "PyTorch" else 1.0
        axes.semilogy(list(drift), list(drift.values()), color=RUNS[kind], linewidth=thick, label=kind)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(handles.values(), handles.keys(), frameon=False, loc="upper left")
    axes.set(xlabel="training steps", ylabel="largest difference of any weight")
    axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, transparent=True, metadata={"Date": None, "Title": "Drift of training by rounding"})
    plt.close(figure)


if __name__ == "__main__":
    main()
