"""How many checks of each family a run is to have, written down in `planned.json`.

A plan that is held only against itself always agrees: a famous suite lost 46 of its 47 checks and stayed green. Who
adds or removes checks on purpose writes the numbers anew, and the change is there to be read:

    python -m rnncheck.planned
"""

import json
from collections import Counter
from pathlib import Path

from rnncheck.options import Level, VerifyOptions

__all__ = ["FILE", "count_checks", "expected_checks"]

FILE = Path(__file__).with_name("planned.json")


def expected_checks(options: VerifyOptions, torch: bool) -> dict[str, int]:
    """Return the number of checks by family; nothing where the options choose among them."""
    if options != VerifyOptions(level=options.level, seed=options.seed, select=options.select):
        return {}
    counts: dict[str, int] = json.loads(FILE.read_text(encoding="utf-8"))[_run(options.level, torch)]
    return counts


def count_checks() -> dict[str, dict[str, int]]:
    """Plan every run that there is, and count."""
    from rnncheck.plan import plan

    runs: list[tuple[Level, bool]] = [
        ("quick", True),
        ("quick", False),
        ("default", True),
        ("default", False),
        ("full", True),
    ]
    plans = {_run(level, torch): plan(VerifyOptions(level=level), torch) for level, torch in runs}
    return {name: dict(Counter(check.family for check, _ in planned.checks)) for name, planned in plans.items()}


def _run(level: str, torch: bool) -> str:
    return f"{level}, {'with' if torch else 'without'} torch"


if __name__ == "__main__":
    FILE.write_text(json.dumps(count_checks(), indent=1) + "\n", encoding="utf-8")
    print(f"{FILE} written")
