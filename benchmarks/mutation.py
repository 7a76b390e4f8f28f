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

import json
import sys
from collections import Counter
from pathlib import Path

from hypothesis import Phase, settings
from jaxtyping import install_import_hook

ONE_PROCESS = ["run", "--max-children", "1"]
VERDICTS = {1: "killed", 0: "survived", None: "unjudged", 5: "no tests", 33: "no tests"}
TIMEOUT = {24, -24, 36, 152}


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
    settled = ("killed", "timeout", "unjudged")
    return [name for module in verdicts().values() for name, end in module.items() if end not in settled]


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
    elif arguments != ["again"] or alive():
        from mutmut.__main__ import cli

        install_import_hook(["numpy_impl", "reference"], "beartype.beartype")
        # the same examples in every run, and none made smaller: whether a test fails is all that is asked
        settings.register_profile("mutation", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutation")
        cli({"": ONE_PROCESS, "again": [*ONE_PROCESS, *alive()]}.get(" ".join(arguments), arguments))
