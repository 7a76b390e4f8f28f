"""Measure everything that docs/performance.md shows, each program in a process of its own, one after the other.

    python benchmarks/figures.py [--only PROGRAM ...] [--json docs/performance.json]

About ten minutes of a quiet core. `python benchmarks/page.py` then writes the tables of the page anew, and draws.
"""

# ruff: noqa: I001 - the number of threads is set before NumPy is imported

import machine

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import command

PROGRAMS = ("step_time", "sampling", "windowed", "packed", "growth", "gradcheck", "sweep")
DOCS = Path(__file__).parent.parent / "docs"


def main() -> int:
    """Run the programs, and keep the figures of each; stop at the first that fails, with its status."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--only", nargs="+", choices=PROGRAMS, default=PROGRAMS, help="leave the figures of others alone")
    line.add_argument("--json", type=command.target, default=str(DOCS / "performance.json"), metavar="FILE")
    options = line.parse_args()
    command.missing()
    path = Path(options.json)
    figures: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for name in options.only:
        found, status = measure(name)
        if status:
            print(f"{name} ended with status {status}; its figures in {path} are left as they were", file=sys.stderr)
            return status
        figures[name] = found
        path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


def measure(name: str) -> tuple[dict[str, Any], int]:
    """Run one program and return its figures and its status."""
    start, load = time.perf_counter(), machine.describe()["load"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        done = subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py")), "--json", str(file)])
        if done.returncode:
            return {}, done.returncode
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    found["machine"]["load before"] = load
    print(f"--- {name}: {time.perf_counter() - start:.0f} s", flush=True)
    return found, 0


if __name__ == "__main__":
    sys.exit(main())
