"""Measure how often a diagnosis names what was planted, and whether it ever names what was not.

    python benchmarks/diagnosis.py [singles] [pairs] [removed] [correct] [--shown full|gradients] [--sample N]
                                   [--seconds S] [--state FILE] [--part I/N] [--seed 0]

singles   every catalogued fault, alone
pairs     every two that fit into one program (--sample N: so many, drawn by --seed)
removed   every fault, with its own name taken out of the catalogue: "unknown" or a reading is right, another name not
correct   implementations that are right, in several orders of summation, in both dtypes

Pairs take over an hour on one core: --seconds bounds a run; --state FILE keeps every verdict, a line each, as soon as
it is there, so that the next run goes on where this one stopped; --part 1/2 and --part 2/2, with a state of its own
each, share the work, and several --state are counted together. `--shown gradients` hides everything but loss and
parameter gradients.
"""

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")  # before NumPy is imported

import numpy as np  # noqa: E402

from rnncheck.case import Case  # noqa: E402
from rnncheck.diagnosis import Diagnosis, diagnose  # noqa: E402
from rnncheck.faults import FAULTS, FaultsExcludeError, combine  # noqa: E402
from rnncheck.implementation import Gates, Implementation, NumpyImpl, TorchLoop, TorchModules  # noqa: E402
from rnncheck.textbook import Textbook  # noqa: E402
from rnncheck.trace import Trace  # noqa: E402

GRADIENTS = ("loss", "dW_hy", "db_y", "dW_hh", "dW_xh", "db_h")


class Shown:
    """An implementation of which only loss and parameter gradients are seen."""

    def __init__(self, base: Implementation):
        self.base, self.name = base, base.name

    def run(self, case: Case) -> Trace:
        """Hide the inner values of a pass."""
        trace = self.base.run(case)
        return {n: a for n, a in trace.items() if n in GRADIENTS} if case.kind == "rnn" else trace


class Rounded:
    """The oracle in the dtype of the case."""

    def __init__(self, base: Implementation):
        self.base, self.name = base, f"{base.name}, rounded"

    def run(self, case: Case) -> Trace:
        """Round every floating array."""
        trace = {n: np.asarray(a) for n, a in self.base.run(case).items()}
        return {n: a.astype(case.dtype) if a.dtype.kind == "f" else a for n, a in trace.items()}


def verdict(found: Diagnosis, planted: tuple[str, ...]) -> str:
    """Hold a diagnosis against what was planted.

    "exact": all names, no other; "hidden": the names but for one that is said to be unobservable; "either": named
    together with others that nothing seen can tell from it; "partly": some; "unknown"; "wrong": a name not planted.
    """
    names = set(found.names)
    if not names:
        return "unobservable" if found.verdict == "correct" else "unknown"
    same = {one for cause in found.causes for other in cause.same_as for one in other.split(" + ")}
    missing = set(planted) - names
    if names - set(planted):
        return "either" if set(planted) <= names | same | set(found.hidden) else "wrong"
    if not missing:
        return "either" if same else "exact"
    if missing <= set(found.hidden):
        return "hidden"
    return "either" if missing <= same else "partly"


def subjects(what: str, sample: int | None, seed: int) -> Iterator[tuple[str, ...]]:
    """Yield the planted names of every program to diagnose."""
    if what != "pairs":
        yield from ((name,) for name in FAULTS)
        return
    pairs = list(combinations(FAULTS, 2))
    order = np.random.default_rng(seed).permutation(len(pairs))
    yield from (pairs[i] for i in (order if sample is None else order[:sample]))


def read_states(files: list[Path]) -> dict[str, str]:
    """Return the verdicts that earlier runs have left."""
    lines = [line for file in files if file.exists() for line in file.read_text(encoding="utf-8").splitlines()]
    return dict(json.loads(line) for line in lines)


def measure(what: str, shown: str, args: argparse.Namespace, state: dict[str, str]) -> None:
    """Diagnose every subject that is not in `state` yet, until the time is over; print what was not exact."""
    start, spent = time.monotonic(), []
    part, parts = map(int, args.part.split("/"))
    for number, planted in enumerate(subjects(what, args.sample, args.seed)):
        key = f"{what} {shown} {' + '.join(planted)}"
        if key in state or number % parts != part - 1:
            continue
        if time.monotonic() - start > args.seconds:
            break
        try:
            program: Implementation = (
                combine(*map(FAULTS.__getitem__, planted)) if what == "pairs" else FAULTS[planted[0]].build()
            )
        except FaultsExcludeError:
            keep(key, "exclude each other", args, state)
            continue
        catalogue = [name for name in FAULTS if what != "removed" or name not in planted]
        before = time.process_time()
        found = diagnose(Shown(program) if shown == "gradients" else program, catalogue)
        spent.append(time.process_time() - before)
        keep(key, verdict(found, planted), args, state)
        expected = ("unknown",) if what == "removed" else ("exact", "hidden", "either")
        if state[key] not in (*expected, "unobservable"):
            read = [cause.what for cause in found.causes][:3]
            print(f"{state[key]}: {key} -> {found.verdict} {found.names} {read}", flush=True)
    counts = Counter(v for k, v in state.items() if k.startswith(f"{what} {shown} "))
    print(f"{what}, {shown}: {dict(counts.most_common())}")
    if spent:
        print(f"  CPU seconds each: mean {np.mean(spent):.3f}, largest {np.max(spent):.3f}, of {len(spent)}")


def keep(key: str, found: str, args: argparse.Namespace, state: dict[str, str]) -> None:
    """Note a verdict, and write it down."""
    state[key] = found
    if args.state:
        with args.state[0].open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, found]) + "\n")


def correct() -> None:
    """Diagnose what is right."""
    for implementation in (NumpyImpl(), Textbook(), Gates(), Rounded(TorchLoop()), Rounded(TorchModules())):
        for program in (implementation, Shown(implementation)):
            found = diagnose(program)
            print(f"correct: {type(program).__name__} {program.name}: {found.verdict} {found.names}")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["singles", "removed", "correct"])
    parser.add_argument("--shown", choices=("full", "gradients"), default="full")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--state", type=Path, action="append", default=[])
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    state = read_states(args.state)
    for what in args.what:
        if what == "correct":
            correct()
        else:
            measure(what, args.shown, args, state)


if __name__ == "__main__":
    main()
