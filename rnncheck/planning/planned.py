"""How many checks of each family a run is to have, written down in `planned.json`.

A plan that is held only against itself always agrees: a famous suite lost 46 of its 47 checks and stayed green. Who
adds or removes checks on purpose writes the numbers anew, and the change is there to be read:

    python -m rnncheck.planning.count
"""

import json
from pathlib import Path

from rnncheck.options import VerifyOptions

__all__ = ["FILE", "expected_checks", "run_name"]

FILE = Path(__file__).with_name("planned.json")


def expected_checks(options: VerifyOptions, torch: bool) -> dict[str, int]:
    """Return the number of checks by family; nothing where the options choose among them."""
    if options != VerifyOptions(level=options.level, seed=options.seed, select=options.select):
        return {}
    counts: dict[str, int] = json.loads(FILE.read_text(encoding="utf-8"))[run_name(options.level, torch)]
    return counts


def run_name(level: str, torch: bool) -> str:
    """Return the name of a run in `planned.json`."""
    return f"{level}, {'with' if torch else 'without'} torch"
