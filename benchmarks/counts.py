"""Count what a training step does: calls and operators of numpy_impl's own code, and bytes of memory at the peak.

    python benchmarks/counts.py [--write]

Counts do not depend on the machine or on what else it does, so a step that has become more expensive is seen without
a clock. They are kept in counts.json and must be equal; `--write` writes them anew, for a change that is meant. A call
is an opcode CALL executed in numpy_impl, so that `np.add(...)`, `a.dot(...)` and our own functions count alike;
operators are those of arrays and of numbers. How Python compiles differs between its versions, so the counts
belong to one, and how much memory NumPy asks for belongs to a version of NumPy; with another the program says so and
does not compare them.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy is imported

import machine  # noqa: F401

import argparse
import dis
import json
import platform
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
from problem import Problem, Size

import numpy_impl
from numpy_impl.clip import clip_grad_value
from numpy_impl.flat import Flat
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.optim import Adagrad
from numpy_impl.workspace import FRESH, Fresh, Workspace

STORED = Path(__file__).with_name("counts.json")
SIZES = ("50,27,8,1", "100,65,25,1")
DEPENDS = {"python": "nothing is", "numpy": "memory is"}
SOURCE = str(Path(numpy_impl.__path__[0]).resolve())


def count(call: Callable[[], object]) -> dict[str, int]:
    """Count calls and operators that `call` makes in numpy_impl."""
    seen: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(SOURCE):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen[_kinds(frame.f_code).get(frame.f_lasti, "other")] += 1
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return {"calls": seen["calls"], "operators": seen["operators"]}


@cache
def _kinds(code: CodeType) -> dict[int, str]:
    """Return which instructions are calls and which are operators."""
    kinds = {}
    for instruction in dis.get_instructions(code):
        if instruction.opname.startswith("CALL"):
            kinds[instruction.offset] = "calls"
        elif instruction.opname in ("BINARY_OP", "COMPARE_OP", "BINARY_SUBSCR", "STORE_SUBSCR"):
            kinds[instruction.offset] = "operators"
    return kinds


def peak(call: Callable[[], object]) -> int:
    """Return how many bytes more are in use at the worst moment of `call` than before it: the least of three times."""
    taken = []
    for _ in range(3):
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        kept = call()
        taken.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
        del kept
    return min(taken)


def counts(size: str) -> dict[str, int]:
    """Count one step in float64: all of it in a workspace that has been used, memory without one as well."""
    problem = Problem.draw(Size.parse(size), "float64")
    params, optimizer, workspace = Flat.pack(problem.params), Adagrad(), Workspace(panels=False)
    state = optimizer.init(params.flat)

    def step(memory: Fresh = workspace) -> None:
        grads = lean_loss_and_grads(params, problem.x, problem.y, problem.h0, workspace=memory).grads
        clip_grad_value(grads.flat, 5.0, out=grads.flat)
        optimizer.step(params.flat, grads.flat, state, 1e-6, inplace=True)

    for memory in (workspace, FRESH):
        step(memory)
    kilobytes = {"kB in a workspace": round(peak(step) / 1000), "kB without": round(peak(lambda: step(FRESH)) / 1000)}
    return count(step) | kilobytes


def complaints(found: dict[str, dict[str, int]], stored: dict[str, Any]) -> list[str]:
    """Say every count that is not what is stored, of those that belong to these versions of Python and NumPy.

    Memory may differ by 1 kB: beside the arrays it holds objects of the interpreter, and is rounded.
    """
    same = {name: stored[name] == version for name, version in versions().items()}
    for name in (name for name, equal in same.items() if not equal):
        print(f"stored for {name} {stored[name]}, this is {versions()[name]}: {DEPENDS[name]} not compared")
    return [
        f"{size}: {name} {value}, stored {stored['counts'].get(size, {}).get(name)}"
        for size, values in found.items()
        for name, value in values.items()
        if same["python"] and (same["numpy"] or not name.startswith("kB"))
        if abs(value - stored["counts"].get(size, {}).get(name, -9)) > (1 if name.startswith("kB") else 0)
    ]


def versions() -> dict[str, str]:
    """Return the versions that counts depend on."""
    return {"python": ".".join(platform.python_version_tuple()[:2]), "numpy": np.__version__}


def main() -> int:
    """Compare, or write; return 1 if a count differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep these counts")
    options = parser.parse_args()
    found = {size: counts(size) for size in SIZES}
    for size, values in found.items():
        print(size, ", ".join(f"{name} {value}" for name, value in values.items()))
    if options.write:
        STORED.write_text(json.dumps({**versions(), "counts": found}, indent=1) + "\n", "utf-8")
        return 0
    wrong = complaints(found, json.loads(STORED.read_text("utf-8")))
    if wrong:
        print(*wrong, "if this is meant: python benchmarks/counts.py --write", sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
