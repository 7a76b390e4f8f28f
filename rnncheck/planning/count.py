"""Count the checks of every run that there is, and write the counts down: `python -m rnncheck.planning.count`."""

import json
from collections import Counter

from rnncheck.options import Level, VerifyOptions
from rnncheck.planning.planned import FILE, run_name
from rnncheck.planning.verification import plan

__all__ = ["count_checks"]


def count_checks() -> dict[str, dict[str, int]]:
    """Plan every run that there is, and count."""
    runs: list[tuple[Level, bool]] = [
        ("quick", True),
        ("quick", False),
        ("default", True),
        ("default", False),
        ("full", True),
    ]
    plans = {run_name(level, torch): plan(VerifyOptions(level=level), torch) for level, torch in runs}
    return {name: dict(Counter(check.family for check, _ in planned.checks)) for name, planned in plans.items()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(count_checks(), indent=1) + "\n", encoding="utf-8")
    print(f"{FILE} written")
