"""The catalogue: named mistakes, each a textbook with one step done wrong.

One catalogue, four uses: it diagnoses (which fault equals the candidate?), it tests the suite (is every fault
caught?), it is lesson material (`rnncheck explain`), and it says which faults a set of cases exposes.
"""

from importlib import import_module

from rnncheck.faults.combine import FaultsExcludeError, combine
from rnncheck.faults.dataflow import consequences
from rnncheck.faults.registry import FAULTS, SURVEYED, Fault, Faulty, get

__all__ = ["CHAPTERS", "FAULTS", "SURVEYED", "Fault", "FaultsExcludeError", "Faulty", "combine", "consequences", "get"]

CHAPTERS = (
    "forward", "inputs", "loss", "scaling", "bptt", "derivative", "truncation", "gradients", "accumulate", "precision",
    "state", "aliasing", "clipping", "optimizer", "adagrad", "sampling", "filtering", "conventions",
)  # fmt: skip
"""The files of the catalogue in reading order; importing one enters its faults into FAULTS."""

for _chapter in CHAPTERS:
    import_module(f"{__name__}.{_chapter}")
