"""Mutation testing: change the code in one place after the other, and see whether a test notices.

    python benchmarks/mutation.py                  judge every mutant that has no verdict; goes on where it was stopped
    python benchmarks/mutation.py again            judge those once more that no test noticed, when tests are new
    python benchmarks/mutation.py score            killed of all, module by module, and what is alive
    python benchmarks/mutation.py show NAME        the difference that a mutant makes (and so on: mutmut's own commands)

mutmut (pyproject.toml, [tool.mutmut]) does the work, in the folder mutants/. It skips decorated functions, so the shape
checks of the tests must come from an import hook. The one in pytest's options serves one run of pytest per process,
and mutmut forks them all from one process: so the hook is installed here, before. What is alive, and why it may be:
docs/mutation.md.
"""

import gc
import importlib
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from hypothesis import Phase, settings
from jaxtyping import install_import_hook

ONE_PROCESS = ["run", "--max-children", "1"]
VERDICTS = {1: "killed", 0: "survived", None: "unjudged", 5: "no tests", 33: "no tests"}
TIMEOUT = {24, -24, 36, 152}
SETTLED = {"killed", "timeout", "unjudged"}


def verdict(exit_code: int | None) -> str:
    """Name what pytest ended with. Only a failing test kills: a worker that broke down has judged nothing."""
    return "timeout" if exit_code in TIMEOUT else VERDICTS.get(exit_code, f"broken: exit code {exit_code}")


def verdicts() -> dict[str, dict[str, str]]:
    """Return the verdict on every mutant, by module."""
    found = {}
    for path in sorted(Path("mutants").rglob("*.py.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        if codes:
            module = path.relative_to("mutants").with_suffix("")
            found[str(module)] = {name: verdict(code) for name, code in codes.items()}
    return found


def alive() -> list[str]:
    """Name the mutants that no failing test has killed."""
    return [name for module in verdicts().values() for name, end in module.items() if end not in SETTLED]


def forget_the_living() -> None:
    """Take back the verdict on each of them, so that the next run judges it, or the one after that if it is stopped."""
    again = set(alive())
    for path in Path("mutants").rglob("*.py.meta"):
        data = json.loads(path.read_text())
        codes = data["exit_code_by_key"]
        data["exit_code_by_key"] = {name: None if name in again else code for name, code in codes.items()}
        path.write_text(json.dumps(data, indent=4))


def own_first(mutant: str | None, tests: list[str]) -> list[list[str]]:
    """Split the tests in two rounds: those of the mutant's own module notice most, and are few files to collect."""
    module = mutant.split(".")[1] if mutant else None
    rounds: dict[bool, list[str]] = {True: [], False: []}
    for test in tests:
        rounds[test.startswith(f"tests/test_{module}")].append(test)
    return [some for some in rounds.values() if some] or [[]]


def quicken() -> None:
    """Run the quick tests before the slow, and keep the garbage collector away from what all processes inherit."""
    from mutmut.runners.harness import PytestRunner
    from mutmut.state import state
    from mutmut.workers import isolation

    class QuickFirst(PytestRunner):
        def warm_up(self) -> None:
            super().warm_up()
            importlib.import_module("torch._dynamo")  # else the first step of torch.optim does it, in every process
            gc.freeze()

        def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
            for some in own_first(mutant_name, sorted(tests, key=state().duration_by_test.__getitem__)):
                exit_code = super().run_tests(mutant_name=mutant_name, tests=some)
                if exit_code:
                    break
            return exit_code

    isolation.PytestRunner = QuickFirst


def print_score() -> None:
    """Print a line for each module, one for all, and the mutants that are alive."""
    found = verdicts()
    found["all"] = {name: end for module in found.values() for name, end in module.items()}
    for module, ends in found.items():
        count = Counter(ends.values())
        killed, judged = count["killed"] + count["timeout"], len(ends) - count["unjudged"]
        rest = ", ".join(f"{n} {end}" for end, n in sorted(count.items()) if end != "killed")
        print(f"{module}: {killed} of {judged} killed" + (f" ({rest})" if rest else ""))
    print(*alive(), sep="\n")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments == ["score"]:
        print_score()
    else:
        from mutmut.__main__ import cli

        install_import_hook(["numpy_impl", "reference"], "beartype.beartype")
        # the same examples in every run, and none made smaller: whether a test fails is all that is asked
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutation", derandomize=True, database=None, deadline=None, phases=phases)
        quicken()
        if arguments == ["again"]:
            forget_the_living()
        cli(ONE_PROCESS if arguments in ([], ["again"]) else arguments)
