"""Measure whether the Monte Carlo tolerance is flat, and whether it ever refuses correct code.

    python benchmarks/tolerance.py [--quick] [--cases 2000] [--seed 0] [--json FILE]

1. Flat: the 90 % point of the error of correct code, in units of its scale, over T = 1..1000 and gains 0.25..1.5 in
   both dtypes. If it moves, a constant limit is too tight somewhere and too loose elsewhere. Beside it the same for
   two usual measures, max|d| / (u max|ref|) and max|d_ij / (u ref_ij)|.
2. No false alarm: fresh cases of every kind that strains the rule, each computed with four orders of summation. All
   arrays are judged by the Monte Carlo rule and by the trace residual; an alarm prints the case that reproduces it.
"""

# ruff: noqa: E402 - the number of threads is set before NumPy and torch are imported

import argparse
import json
import os
import platform
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")

import numpy as np
import torch

from reference.loop import run_rnn
from reference.modules import run_rnn_modules
from rnncheck.case import RNNCase
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.errors import UserError
from rnncheck.implementation import NumpyImpl, rnn_options
from rnncheck.judging.montecarlo import ELEMENT_LIMIT, WHOLE_LIMIT, MonteCarlo, MonteCarloRule
from rnncheck.judging.residual import residual
from rnncheck.judging.scales import Scales, scales
from rnncheck.judging.tolerance import peak, ratio, unit_roundoff
from rnncheck.textbook import Textbook
from rnncheck.trace import TIMED, Trace

DTYPES = ("float64", "float32")
GAINS = (0.25, 0.5, 1.0, 1.25, 1.5)
# T -> cases per gain and dtype
LENGTHS = {1: 40, 3: 20, 10: 12, 30: 6, 100: 4, 300: 3, 1000: 2}
QUICK_LENGTHS = {1: 4, 10: 2, 100: 1}
MEASURES = ("sigma", "max-norm", "elementwise")


def torch_loop(case: RNNCase) -> Trace:
    """Run the oracle's loop in the dtype of the case."""
    return run_rnn(dict(case.params), case.x, case.y, case.h0, **rnn_options(case), dtype=_torch_dtype(case))


def torch_fused(case: RNNCase) -> Trace:
    """Run `torch.nn.RNN` in the dtype of the case; it offers no windowed BPTT."""
    if case.bptt == "windowed":
        return {}
    return run_rnn_modules(dict(case.params), case.x, case.y, case.h0, **rnn_options(case), dtype=_torch_dtype(case))


def _torch_dtype(case: RNNCase) -> torch.dtype:
    return torch.float32 if case.dtype == np.float32 else torch.float64


CORRECT: dict[str, Callable[[RNNCase], Trace]] = {
    "numpy_impl": NumpyImpl().run,
    "textbook": Textbook().run,
    "torch loop": torch_loop,
    "torch fused": torch_fused,
}
"""Correct code, four ways to sum: products over time in one GEMM, step by step, autograd's order, torch's kernels."""

# What strains the rule: Design fields, and a name that tells what is done to the case afterwards.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "constant token": {"tokens": "constant"},
    "ignored targets": {"ignored": 0.4},
    "ignored targets, mean": {"ignored": 0.4, "reduction": "mean"},
    "underflow": {"gain": 0.02, "T": 40, "dtype": "float32"},
    "confident targets, logits 10": {"logit_scale": 10.0},
    "logits 900": {"logit_scale": 900.0},
    "confident targets, logits 900": {"logit_scale": 900.0},
    "T = 1, h0 = 0": {"T": 1, "h0": False},
    "V = 2": {"V": 2},
    "B = 1": {"B": 1},
    "windowed": {"bptt": "windowed", "k": 4},
    "chunked": {"bptt": "chunked", "k": 5},
    "mean": {"reduction": "mean"},
    "upstream gradient": {"reduction": "none"},
    "dense": {"inputs": "dense"},
    "one-hot, large inputs": {"inputs": "one-hot", "input_scale": 8.0},
    "no biases, no h0": {"biases": False, "h0": False},
    "relu": {"nonlinearity": "relu", "T": 7, "gain": 1.0},
    "constant token, long": {"tokens": "constant", "T": 100},
}


def fresh_cases(count: int, seed: int) -> Iterator[tuple[str, RNNCase]]:
    """Draw cases: kinds in turn; sizes, gain and dtype at random. Every 50th has 100 steps, every 250th 300."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        kind = list(KINDS)[i % len(KINDS)]
        T = 300 if i % 250 == 249 else 100 if i % 50 == 49 else int(rng.choice([1, 2, 3, 5, 7, 10, 15, 20, 30]))
        B, H, V = int(rng.integers(1, 5)), int(rng.integers(2, 25)), int(rng.integers(2, 20))
        drawn = {"B": B, "H": H, "V": V, "gain": float(rng.choice(GAINS)), "dtype": DTYPES[i // len(KINDS) % 2]}
        design = Design(**{"T": T, **drawn, **KINDS[kind]})
        try:
            case = make_rnn_case(design, seed=seed + i)
        except UserError:  # a ReLU that no draw could decide
            continue
        if kind.startswith("confident"):
            case = replace(case, y=NumpyImpl().run(case)["logits"].argmax(-1))
        yield kind, case


def flatness(lengths: dict[int, int], seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return the 90 % point of each measure for every dtype, gain and T, and the share without power."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for dtype in DTYPES:
        for gain in GAINS:
            for T, count in lengths.items():
                seen: dict[str, list[np.ndarray]] = {measure: [] for measure in MEASURES}
                gates: Counter[str] = Counter()
                for s in range(count):
                    case = make_rnn_case(Design(T, 3, gain=gain, dtype=dtype), seed=seed + s)
                    measured = scales(case)
                    gates.update(verdict.split(":")[0] for verdict in measured.gates.values())
                    for run in CORRECT.values():
                        for measure, errors in _errors(case, run(case), measured):
                            seen[measure].append(errors)
                points = {m: float(np.quantile(np.concatenate(e), 0.9)) if e else np.nan for m, e in seen.items()}
                points["not comparable"] = 1 - gates["ok"] / gates.total()
                table.setdefault(dtype, {})[f"gain {gain:g}, T {T}"] = points
                print(f"  {dtype} gain {gain:<4g} T {T:<4d}", "  ".join(f"{m} {x:.3g}" for m, x in points.items()))
    return table


def _errors(case: RNNCase, trace: Trace, measured: Scales) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the error of every array that passed its gate, one number per time step where it has time, by measure."""
    tolerance, u = MonteCarlo(case, measured.sigma, measured.gates), unit_roundoff(case.dtype)
    for name, candidate in trace.items():
        rule, reference, timed = tolerance.rule(name), measured.reference[name], name in TIMED
        if isinstance(rule, MonteCarloRule):
            d = np.abs(candidate - reference)
            elementwise = ratio(d, u * np.abs(reference))
            yield "sigma", peak(rule.errors(candidate, reference)[0], timed).ravel()
            yield "max-norm", peak(ratio(d, u * peak(reference, timed)), timed).ravel()
            yield "elementwise", peak(elementwise, timed).ravel()


def alarms(count: int, seed: int) -> dict[str, Any]:
    """Judge correct code on fresh cases; return what was compared, the largest errors and every alarm."""
    compared: Counter[str] = Counter()
    largest: dict[str, tuple[float, str]] = defaultdict(lambda: (0.0, ""))
    found: list[str] = []
    cases = 0

    def note(rule: str, error: float, limit: float, where: str) -> None:
        compared[rule] += 1
        largest[rule] = max(largest[rule], (error, where))
        if not error <= limit:
            found.append(f"{rule}: {error:.3g} of {limit:g}: {where}")

    for kind, case in fresh_cases(count, seed):
        cases += 1
        measured = scales(case)
        tolerance = MonteCarlo(case, measured.sigma, measured.gates)
        for who, run in CORRECT.items():
            trace = run(case)
            for name, candidate in trace.items():
                where = f"{name} of {who}, {kind}, {case.name}"
                rule = tolerance.rule(name)
                if isinstance(rule, MonteCarloRule):
                    whole, element = rule.errors(candidate, measured.reference[name])
                    note("16 sigma", float(whole.max()), WHOLE_LIMIT, where)
                    note("64 sigma", float(element.max()), ELEMENT_LIMIT, where)
                else:
                    compared[rule.reason.split(":")[0]] += 1
            for name, verdict in residual(case, trace).items():
                if isinstance(verdict, str):
                    compared["residual not available"] += 1
                else:
                    units = verdict.error * 32 / verdict.limit  # of 32, whatever N
                    note("residual", units, 32.0, f"{name} of {who}, {kind}, {case.name}")
    return {"cases": cases, "compared": dict(compared), "largest": dict(largest), "alarms": found}


def main() -> int:
    """Run both studies and print what they found; 1 if correct code was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small version: seconds instead of minutes")
    parser.add_argument("--cases", type=int, help="fresh cases (2000, quick 100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the figures (- is standard output)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    start = time.process_time()

    print("1. The 90 % point of the error of correct code")
    table = flatness(QUICK_LENGTHS if options.quick else LENGTHS, options.seed)
    moves = {}
    for measure in MEASURES:
        for dtype, cells in table.items():
            points = [cell[measure] for cell in cells.values() if np.isfinite(cell[measure])]
            moves[f"{measure} {dtype}"] = moved = max(points) / min(points)
            print(f"{measure:12s} {dtype}: {min(points):.3g} .. {max(points):.3g}, moves {moved:.2f}x")

    print("2. Correct code on fresh cases")
    judged = alarms(options.cases or (100 if options.quick else 2000), options.seed + 1000)
    comparable = judged["compared"]["16 sigma"]
    without = sum(judged["compared"].get(reason, 0) for reason in ("no power", "nonlinear"))
    print(
        f"{judged['cases']} cases, {comparable} arrays compared, {without / (comparable + without):.1%} not comparable"
    )
    for rule, (error, where) in judged["largest"].items():
        print(f"largest {rule}: {error:.2f} ({where})")
    print(f"{len(judged['alarms'])} alarms", *judged["alarms"][:20], sep="\n  ")
    seconds = time.process_time() - start
    print(f"{seconds:.0f} s of CPU time")

    if options.json:
        versions = {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__}
        figures = {"flatness": table, "moves": moves, **judged, "seconds": seconds, "versions": versions}
        with open(1 if options.json == "-" else options.json, "w", closefd=options.json != "-") as file:
            json.dump(figures, file, indent=1)
    return 1 if judged["alarms"] else 0


if __name__ == "__main__":
    sys.exit(main())
