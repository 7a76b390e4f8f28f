"""Read off what is wrong from the outputs alone: no list of programs is needed.

In the order of the steps: (a) forward, (b, c) the sums over time, (d) the recurrence, (e) the truncation length, (f)
conditions and behaviour. A reading is a fact about the candidate's own numbers; several faults do not disturb each
other, as each array is held against the candidate's own earlier ones.
"""

from rnncheck.diagnosis.alternatives import true_of
from rnncheck.diagnosis.behaviour import read_behaviour, read_conditions, read_sums_that_grow
from rnncheck.diagnosis.dense import read_dense
from rnncheck.diagnosis.forward import read_forward
from rnncheck.diagnosis.observation import Observation, rank
from rnncheck.diagnosis.questions import other_questions
from rnncheck.diagnosis.reading import Reading
from rnncheck.diagnosis.recurrence import read_recurrence
from rnncheck.diagnosis.table import Table
from rnncheck.diagnosis.truncation import read_truncation
from rnncheck.diagnosis.updates import read_updates
from rnncheck.diagnosis.usage import read_sums

__all__ = ["decode"]

TRUNCATED = ("dh", "da", "dW_hh", "dW_xh", "db_h", "dh0")
"""What a truncation changes."""


def decode(observed: Observation, kind: str) -> list[Reading]:
    """Return what can be read of cases of a kind, in dataflow order."""
    other = true_of(observed, other_questions(kind))
    if other is not None:
        first = next(s for s in observed.of_kind(kind) if s.wrong)
        return [
            Reading(first.wrong[0], other.what, other.change, evidence="equals the right answer to that, everywhere")
        ]
    growing = read_sums_that_grow(observed) if kind == "rnn" else None
    if growing is not None:
        return [growing]
    readings = list(read_behaviour(observed, kind))
    if kind == "rnn":
        readings += _network(observed)
    if kind == "optim":
        readings += read_updates(observed)
    readings += read_conditions(observed, kind, {r.array for r in readings})
    return sorted(readings, key=lambda r: rank(r.array))


def _network(observed: Observation) -> list[Reading]:
    """Read the plain cases, then the long ones."""
    found: list[Reading] = []
    plain = observed.plain
    if any(s.wrong for s in plain):
        table = Table(plain)
        if table.forward_known:
            found = [*read_forward(table), *read_sums(table), *read_recurrence(table)]
        else:
            what = "the forward pass is wrong in the plain cases; neither its states nor its logits are shown"
            found = [Reading("loss", what, "", explained=False)]
    dense = read_dense(observed)
    found += [] if dense is None else [dense]
    known = any(r.array in ("dh", "da") and r.explained for r in found)
    truncation = None if known else read_truncation(observed)
    if truncation is not None:
        found = [r for r in found if r.explained or r.array not in TRUNCATED] + [truncation]
    return found
