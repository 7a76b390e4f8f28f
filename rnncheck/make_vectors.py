"""Make the stored vectors from the standard cases, and check that they still are what they were made to be."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shlex import quote

import numpy as np

from rnncheck.case import Case, RNNCase
from rnncheck.cases.of_targets import FORMS, FORMS_FOLDER, check_cases
from rnncheck.cases.standard import DTYPES, standard_cases
from rnncheck.check import form_checks
from rnncheck.checks.check import Bench, Check, Source, failed, passed
from rnncheck.checks.exposes import exposure_checks
from rnncheck.checks.second_opinion import Rounded
from rnncheck.checks.standard import standard_checks
from rnncheck.checks.steps import compare_all
from rnncheck.errors import UserError
from rnncheck.implementation import TorchLoop
from rnncheck.judging.arithmetic import update_paths
from rnncheck.judging.tolerance import PeakRule
from rnncheck.options import INSTALL_TORCH, torch_available
from rnncheck.planning.plan import Plan
from rnncheck.power.matrix import exposed, trials
from rnncheck.result import Comparison, Report
from rnncheck.shipped import data_folder
from rnncheck.trace import TIMED
from rnncheck.vectors import Vector, VectorOracle, read_vectors, stored_steps, write_folder
from rnncheck.verify import Progress, run_plan

__all__ = ["FOLDER", "check_vectors", "make_vector", "with_power", "write_forms", "write_vectors"]

FOLDER = "vectors/v1"


def write_vectors(folder: Path | None, on_progress: Callable[[str, int, int], None]) -> None:
    """Ask the oracle about every standard case, measure its scales and its power, and write the folder anew.

    Without a folder the shipped ones are written: also those of `rnncheck check`, one for each form.

    Raises
    ------
    UserError
        If torch is missing, or an array of a case could not be judged by its scale: such a case is no standard.
    """
    if not torch_available():
        raise UserError(f"torch is not installed, and it makes the vectors; {INSTALL_TORCH}")
    cases = standard_cases()
    vectors = []
    for done, trial in enumerate(trials(cases, standard_checks(cases)), start=1):
        vector = make_vector(trial.case)
        vectors.append(replace(vector, exposes=tuple(exposed(trial, VectorOracle([vector])))))
        on_progress(trial.case.name, done, len(cases))
    write_folder(folder or data_folder() / FOLDER, vectors)
    if folder is None:
        write_forms(data_folder() / FORMS_FOLDER)


def write_forms(folder: Path) -> None:
    """Write the vectors of the forms in which somebody's own network is asked, each form in a folder of its own."""
    for form in FORMS:
        write_folder(folder / form.name, with_power([make_vector(case) for case in check_cases(form)]))


def with_power(vectors: list[Vector]) -> list[Vector]:
    """Measure which faults the vectors of a form expose. The catalogue knows tanh and ReLU, so of sigmoid none."""
    cases = [v.case for v in vectors if isinstance(v.case, RNNCase) and v.case.nonlinearity != "sigmoid"]
    found = {t.case.name: tuple(exposed(t, VectorOracle(vectors))) for t in trials(cases, form_checks(cases))}
    return [replace(v, exposes=found.get(v.case.name, ())) for v in vectors]


def make_vector(case: Case) -> Vector:
    """Return the case with the oracle's Trace and the scales of its tolerance."""
    if not isinstance(case, RNNCase):
        trace = {name: np.asarray(array) for name, array in TorchLoop().run(case).items()}
        return Vector(case, trace, update_paths(case, trace), "arithmetic")
    from rnncheck.judging.scales import scales, stored

    found = scales(case)
    powerless = {name: verdict for name, verdict in found.gates.items() if verdict != "ok"}
    if powerless:
        raise UserError(
            f"case {case.name}: {powerless}: a standard case can be judged in every array; change its design"
        )
    steps = stored_steps(len(case.x))
    keep = slice(None) if steps is None else list(steps)
    trace = {name: array[keep] if name in TIMED else array for name, array in found.reference.items()}
    sigma = {name: stored(array[keep] if name in TIMED else array) for name, array in found.sigma.items()}
    return Vector(case, trace, sigma, "monte-carlo", steps)


def check_vectors(folder: Path | None, on_outcome: Progress, select: str | None = None) -> Report:
    """Check that each stored case is what its seed makes, exposes what it claims, and, with torch, its answer.

    Without torch the report says that the answers were not asked for again.
    """
    vectors = read_vectors(folder or data_folder() / FOLDER)
    oracle = VectorOracle(vectors)
    fresh = {case.name: case for case in standard_cases()}
    planned = Plan("stored vectors")
    planned.add(Rounded(TorchLoop()), oracle, (_same_case(v.case, fresh.pop(v.case.name, None)) for v in vectors))
    planned.add(Rounded(TorchLoop()), oracle, (_missing(name) for name in list(fresh)))
    planned.add(Rounded(TorchLoop()), oracle, exposure_checks(vectors, DTYPES, claimed=True))
    judged = "torch, step by step"
    if torch_available():
        checks = (compare_all(Source.of(v.case), "vector-answer") for v in vectors)
        planned.add(Rounded(TorchLoop()), oracle, checks)
    else:
        judged = "the cases of this version"
        planned.notes.append("torch is not installed: the answers themselves were not asked for again")
    if select:
        planned.select(select)
    command = "rnncheck vectors check" + (f" {quote(str(folder))}" if folder else "")
    return run_plan(planned, judged, seed=0, command=command, on_outcome=on_outcome)


def _same_case(stored: Case, made: Case | None) -> Check:
    def ask(_bench: Bench) -> list[Comparison]:
        if made is None:
            return [failed("case", "made from its seed", "is no standard case any more; write the vectors anew")]
        ours, theirs = stored.arrays(), made.arrays()
        settings = {name for name, value in made.settings().items() if stored.settings().get(name) != value}
        changed = [
            failed(name, "made from its seed", "is another setting; write the vectors anew") for name in settings
        ]
        return changed + [
            passed(name, "made from its seed")
            if name in ours and _agree(ours[name], array)
            else failed(name, "made from its seed", "differs from what its seed makes; write the vectors anew")
            for name, array in theirs.items()
        ]

    return Check(f"vector-case[{stored.name}]", "vector-case", ask)


def _agree(stored: np.ndarray, made: np.ndarray) -> bool:
    """Compare to rounding: an orthogonal W_hh comes from LAPACK, which rounds differently from machine to machine."""
    if stored.shape != made.shape or stored.dtype != made.dtype:
        return False
    if stored.dtype.kind != "f":
        return np.array_equal(stored, made)
    finding = PeakRule(made.dtype).judge(stored, made)
    return finding.error <= finding.limit


def _missing(name: str) -> Check:
    reason = "is a standard case without a vector; write the vectors anew"
    return Check(f"vector-case[{name}]", "vector-case", lambda _bench: [failed("case", "stored", reason)])
