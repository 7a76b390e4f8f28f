"""Time the verification sweep: fresh cases of every length, every array of numpy_impl against PyTorch's.

    python benchmarks/sweep.py [--cases 2048] [--longest 64] [--seed 0] [--json FILE]

What `rnncheck verify --cases 2048` does, without its report: cases of T = 1..64 in both precisions are drawn, the
oracle answers those of equal shape in one graph (`rnncheck.alike`), numpy_impl answers each, and every array is
compared. The time is all CPU time of this process, from its start on, so the imports are in it. Goal: 6 s.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy and torch are imported

import machine  # noqa: F401

import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import command

GOAL = 6.0
CASES = 2048


def main() -> int:
    """Run the sweep; return 1 if anything differs."""
    line = command.parser(__doc__)
    line.add_argument("--cases", type=command.counted, default=CASES, help=f"how many cases ({CASES})")
    line.add_argument("--longest", type=command.counted, default=64, metavar="T", help="lengths are 1..T (64)")
    options = line.parse_args()
    if command.missing(["torch"]):
        print("the sweep compares with PyTorch, so there is nothing to measure", file=sys.stderr)
        return 2
    spent = Counter({"imports": time.process_time()})
    verdicts: Counter[str] = Counter()
    for comparison in sweep(options.cases, options.longest, options.seed, spent):
        verdicts[comparison.verdict.value] += 1
        if comparison.verdict.value == "failed":
            print(comparison, file=sys.stderr)
    total = time.process_time()
    print(f"{options.cases} cases, T = 1..{options.longest}: {dict(verdicts)}")
    for what, seconds in spent.items():
        print(f"  {what:14s} {seconds:6.2f} s")
    whole = command.verdict("CPU seconds in all", total, GOAL, at_most=True)
    held = [whole] if (options.cases, options.longest) == (CASES, 64) else []
    print(command.shown(whole) if held else f"  in all         {total:6.2f} s")
    figures = {"seed": options.seed, "cases": options.cases, "verdicts of arrays": dict(verdicts), "verdicts": held}
    command.write_json(options.json, {**figures, "seconds": {**spent, "in all": total}})
    return 1 if verdicts["failed"] else 0


def sweep(cases: int, longest: int, seed: int, spent: "Counter[str]") -> Iterator[Any]:
    """Yield every comparison; add up in `spent` where the time goes."""
    import torch

    from rnncheck.alike import Alike
    from rnncheck.implementation import NumpyImpl
    from rnncheck.judging.judge import judge
    from rnncheck.oracle import LiveOracle
    from rnncheck.cases.fresh import Sweep

    torch.set_num_threads(1)
    alike = Alike(list(Sweep(range(1, longest + 1), seed).sources(cases)))
    oracle, ours, clock = LiveOracle(torch=alike), NumpyImpl(), time.process_time
    spent["imports"] += clock() - spent["imports"]
    for source in alike.sources():
        start = clock()
        case = source.make()
        answer = oracle.answer(case)
        answered = clock()
        trace = ours.run(case.copy())
        run = clock()
        found = judge(case, trace, answer)
        spent.update({"drawing and torch": answered - start, "numpy_impl": run - answered, "comparing": clock() - run})
        yield from found


if __name__ == "__main__":
    sys.exit(main())
