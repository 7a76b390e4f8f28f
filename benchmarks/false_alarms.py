"""Let correct code be judged as `rnncheck verify` judges fresh cases, and count how often it is refused.

    python benchmarks/false_alarms.py [--cases 800] [--seed 0] [--json FILE]

`benchmarks/tolerance.py` asks this of the measured rule. Here it is asked of the fallback, with its gate and its
confirmation by noise (`rnncheck.judging.judge`), over cases that strain them: saturated units, all but certain targets,
vanishing and exploding weights, one unit, one sequence, and steps whose targets do not count. The programs are the
textbook with seven ways to sum a product, with other formulas for slope and softmax, numpy_impl, its lean pass and its
graph of gates. An alarm prints the case that reproduces it.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine  # noqa: F401

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import command
import numpy as np

from rnncheck.case import RNNCase
from rnncheck.errors import NotShownError, UserError
from rnncheck.implementation import Gates, Implementation, Lean, NumpyImpl
from rnncheck.judging.judge import judge
from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.oracle import LiveOracle
from rnncheck.result import Verdict
from rnncheck.textbook import Textbook

Product = Callable[[np.ndarray, np.ndarray], np.ndarray]


def by_terms(order: Callable[[np.ndarray], np.ndarray]) -> Product:
    """Return a product that adds the terms (M, K, N) one after the other, along K, in an order of their own."""

    def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        terms = order(a[:, :, None] * b[None])
        total = terms[:, 0]
        for k in range(1, terms.shape[1]):
            total = total + terms[:, k]
        return total

    return times


def largest_first(terms: np.ndarray) -> np.ndarray:
    """Sort the terms of every sum."""
    return np.take_along_axis(terms, np.argsort(-np.abs(terms), axis=1), axis=1)


def in_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Add neighbours, then neighbours of those, and so on."""
    terms = a[:, :, None] * b[None]
    while terms.shape[1] > 1:
        if terms.shape[1] % 2:
            terms = np.concatenate([terms, np.zeros_like(terms[:, :1])], axis=1)
        terms = terms[:, 0::2] + terms[:, 1::2]
    return terms[:, 0]


def compensated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Carry the rounding of every addition into the next (W. Kahan, 1965)."""
    total = np.zeros((len(a), b.shape[1]), a.dtype)
    lost = np.zeros_like(total)
    for k in range(a.shape[1]):
        term = a[:, k : k + 1] * b[k : k + 1] - lost
        grown = total + term
        lost, total = (grown - total) - term, grown
    return total


def wider(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply in the next wider type and round once."""
    wide = np.longdouble if a.dtype == np.float64 else np.float64
    return (a.astype(wide) @ b.astype(wide)).astype(a.dtype)


class Summed(Textbook):
    """The textbook with a product of its own; with `other_formulas` also (1 - h)(1 + h) and exp(log p)."""

    def __init__(self, name: str, times: Product, other_formulas: bool = False):
        self.name, self.times, self.other = name, times, other_formulas

    def recurrent_term(self, h: np.ndarray) -> np.ndarray:
        return self.times(h, self.W_hh.T)

    def readout(self, h: np.ndarray) -> np.ndarray:
        return self.times(h, self.W_hy.T) + self.b_y

    def own_gradient(self, t: int) -> np.ndarray:
        return self.times(self.dlogits[t], self.W_hy)

    def carry(self, t: int, dh: np.ndarray, da: np.ndarray) -> np.ndarray:
        return self.times(da, self.W_hh)

    def derivative(self, t: int) -> np.ndarray:
        if not self.other or self.nonlinearity != "tanh":
            return super().derivative(t)
        return (1 - self.h[t]) * (1 + self.h[t])

    def softmax(self, logits: np.ndarray) -> np.ndarray:
        if not self.other:
            return super().softmax(logits)
        z = self.shifted(logits)
        return np.exp(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))


CORRECT: list[Implementation] = [
    Summed("from the front", by_terms(lambda terms: terms)),
    Summed("from the back", by_terms(lambda terms: terms[:, ::-1]), other_formulas=True),
    Summed("largest first", by_terms(largest_first)),
    Summed("in pairs", in_pairs, other_formulas=True),
    Summed("compensated", compensated),
    Summed("wider", wider, other_formulas=True),
    Summed("einsum", lambda a, b: np.einsum("ij,jk->ik", a, b)),
    NumpyImpl(),
    Lean(),
    Gates(),
]


def strained_cases(count: int, seed: int) -> Iterator[RNNCase]:
    """Draw cases; a design of which no draw can be decided is left out."""
    rng = np.random.default_rng(seed)

    def one_of(*values: object) -> object:
        return values[rng.integers(len(values))]

    for _ in range(count):
        bptt = one_of("full", "full", "windowed", "chunked")
        design = {
            "T": one_of(1, 2, 3, 5, 8, 13, 20, 33, 50),
            "B": one_of(1, 2, 5),
            "H": one_of(1, 4, 9, 16, 33),
            "V": one_of(2, 3, 12),
            "dtype": one_of("float32", "float64"),
            "inputs": one_of("ids", "ids", "dense", "one-hot"),
            "tokens": one_of("random", "constant"),
            "biases": one_of(True, True, True, False),
            "h0": one_of(True, True, True, False),
            "nonlinearity": one_of("tanh", "tanh", "tanh", "relu"),
            "reduction": one_of("sum", "mean", "none"),
            "ignored": one_of(0.0, 0.4),
            "bptt": bptt,
            "k": None if bptt == "full" else int(rng.integers(1, 6)),
            "gain": one_of(0.05, 0.25, 0.8, 1.1, 1.3, 1.5),
            "input_scale": one_of(0.01, 0.3, 1.0, 4.0, 12.0),
            "logit_scale": one_of(0.01, 1.0, 4.0, 30.0, 450.0),
        }
        try:
            yield make_rnn_case(Design(**design), seed=int(rng.integers(1 << 30)))
        except UserError:
            continue


def main() -> int:
    """Judge every program on every case; return 1 if any is refused."""
    line = command.parser(__doc__)
    line.add_argument("--cases", type=command.counted, default=800, help="how many cases are drawn (800)")
    options = line.parse_args()
    if command.missing(["torch"]):
        print("PyTorch is the judge here, so there is nothing to measure", file=sys.stderr)
        return 2
    import torch

    torch.set_num_threads(1)
    verdicts: Counter[str] = Counter()
    largest: dict[str, float] = {program.name: 0.0 for program in CORRECT}
    oracle, cases = LiveOracle(), 0
    for case in strained_cases(options.cases, options.seed):
        cases += 1
        answer = oracle.answer(case)
        for program in CORRECT:
            try:
                found = judge(case, program.run(case.copy()), answer)
            except NotShownError:
                continue
            verdicts.update(c.verdict.value for c in found)
            judged = [c.margin for c in found if c.verdict in (Verdict.PASSED, Verdict.FAILED)]
            largest[program.name] = max([largest[program.name], *judged])
            for wrong in (c for c in found if c.verdict is Verdict.FAILED):
                print(f"ALARM: {program.name}, {case.name}: {wrong}", file=sys.stderr)
    seconds = time.process_time()
    print(f"{cases} cases, {len(CORRECT)} programs, arrays: {dict(verdicts)}; {seconds:.0f} s of CPU time")
    print("largest error, of 1 allowed:", *(f"{name} {margin:.2f}" for name, margin in largest.items()), sep="\n  ")
    figures = {"seed": options.seed, "cases": cases, "arrays": verdicts, "largest": largest, "seconds": seconds}
    command.write_json(options.json, figures)
    return 1 if verdicts[Verdict.FAILED.value] else 0


if __name__ == "__main__":
    sys.exit(main())
