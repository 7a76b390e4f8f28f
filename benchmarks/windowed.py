"""Time the windowed gradient, all windows at once, against its definition, window by window.

    python benchmarks/windowed.py [--lengths 10 30 100 300 1000] [--seconds 2]
                                  [--seed 0] [--json FILE]

k = 4, H = 100, V = 8000, as in the word-level model. The definition walks back k steps from every t, O(T k) of them,
and adds an outer product at each; numpy_impl needs k matrix products in all. Both must give the same gradients first.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy is imported

import machine  # noqa: F401

import sys
from typing import Any

import command
import numpy as np
from peers import AGREEMENT, disagreement
from problem import Problem, Size
from timing import interleave

from numpy_impl.flat import Flat
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.workspace import Workspace

K, H, V = 4, 100, 8000


def by_definition(problem: Problem) -> dict[str, np.ndarray]:
    """Return the gradients, added up window by window as textbooks write truncated backpropagation."""
    p, T = problem.params, problem.size.T
    x, y = problem.x[:, 0], problem.y[:, 0]
    states = np.empty((T + 1, H), problem.dtype)
    states[0] = problem.h0[0]
    for t in range(T):
        states[t + 1] = np.tanh(p["W_xh"][:, x[t]] + p["b_h"] + p["W_hh"].dot(states[t]))
    logits = states[1:].dot(p["W_hy"].T) + p["b_y"]
    dlogits = np.exp(logits - logits.max(axis=1, keepdims=True))
    dlogits /= dlogits.sum(axis=1, keepdims=True)
    dlogits[np.arange(T), y] -= 1
    grads = {"d" + name: np.zeros_like(a) for name, a in p.items()}
    for t in range(T):
        grads["dW_hy"] += np.outer(dlogits[t], states[t + 1])
        grads["db_y"] += dlogits[t]
        dh = p["W_hy"].T.dot(dlogits[t])
        for s in range(t, max(0, t - K) - 1, -1):
            da = dh * (1 - states[s + 1] ** 2)
            grads["dW_hh"] += np.outer(da, states[s])
            grads["dW_xh"][:, x[s]] += da
            grads["db_h"] += da
            dh = p["W_hh"].T.dot(da)
    return grads


def at_once(problem: Problem, params: Flat, workspace: Workspace) -> dict[str, np.ndarray]:
    """Return the gradients as numpy_impl computes them."""
    found = lean_loss_and_grads(params, problem.x, problem.y, problem.h0, bptt="windowed", k=K, workspace=workspace)
    return found.grads


def main() -> int:
    """Time every length; return 1 if the two differ."""
    line = command.parser(__doc__, 2.0, "length")
    line.add_argument("--lengths", nargs="+", type=command.counted, default=[10, 30, 100, 300, 1000], metavar="T")
    options = line.parse_args()
    rows: list[dict[str, Any]] = []
    for T in options.lengths:
        problem = Problem.draw(Size(H, V, T, 1), "float64", options.seed)
        params, workspace = Flat.pack(problem.params), Workspace()
        apart = disagreement(at_once(problem, params, workspace), by_definition(problem))
        if not apart <= AGREEMENT:
            print(f"T {T}: gradients differ by {apart:.0f} units in the last place", file=sys.stderr)
            return 1
        calls = {
            "at once": lambda p=problem, w=params, s=workspace: at_once(p, w, s),
            "by definition": lambda p=problem: by_definition(p),
        }
        times = interleave(calls, options.seconds, rounds=3)
        ratio = times["by definition"].median / times["at once"].median
        rows.append({"T": T, "ratio": ratio, **{name: spread._asdict() for name, spread in times.items()}})
        shown = "   ".join(f"{name} {spread.median * 1e3:9.2f} ms" for name, spread in times.items())
        print(f"T {T:5d}   {shown}   {ratio:.1f} times")
    command.write_json(options.json, {"seed": options.seed, "k": K, "H": H, "V": V, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
