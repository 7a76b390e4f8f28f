"""Judge somebody's own network: the cases that its interface can express, against stored vectors or torch."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.cases.of_targets import FORMS, LOUD, Form, check_cases, loud_case
from rnncheck.cases.smallest import Smallest
from rnncheck.checks.check import Bench, Check, Source, run_check
from rnncheck.checks.own_clipping import clipping_checks
from rnncheck.checks.passes import pass_checks
from rnncheck.checks.state import state_checks
from rnncheck.checks.steps import step_checks
from rnncheck.errors import NotShownError, UserError, raised
from rnncheck.expected import expect, expected_failures
from rnncheck.implementation import Implementation
from rnncheck.options import INSTALL_TORCH, torch_available
from rnncheck.oracle import LiveOracle, Oracle
from rnncheck.planning.plan import Plan
from rnncheck.protocol.files import ResultsImplementation
from rnncheck.result import Outcome, Report
from rnncheck.sandbox.protections import as_notes
from rnncheck.scope import scope_of
from rnncheck.shipped import shipped
from rnncheck.stopwatch import phase
from rnncheck.target import Target, load_target
from rnncheck.targets.adapter import Adapter
from rnncheck.targets.describe import not_called
from rnncheck.vectors import VectorOracle, read_vectors
from rnncheck.verify import Progress, run_plan

__all__ = ["FOLDER", "check_rnn", "form_checks", "plan_check"]

FOLDER = "vectors/check"
"""Where the vectors of the forms lie."""
LONGEST = 130
GUARDED = (
    "judged without the tiny numbers that it adds against a zero (a convention): beside log(p + 1e-12), p - y is the "
    "gradient only nearly; take the loss from the logits, and nothing need be added"
)
STATE_LENGTHS = (3, 6)


def check_rnn(
    implementation: Implementation | str,
    *,
    dtype: str = "float64",
    select: str | None = None,
    on_outcome: Progress = lambda outcome, done, planned: None,
) -> Report:
    """Judge an implementation: anything with a `name` and `run(case) -> Trace`, or TARGET as on the command line.

    Failures that `pyproject.toml` expects are not held against it, see `rnncheck.expected`.

    Raises
    ------
    UserError
        If `select` chooses no check, or there is no oracle for what the implementation can be asked.
    """
    return Inquiry(implementation, dtype, select).report(on_outcome)


class Inquiry:
    """A target with its checks, each of which runs once, whoever asks first: every door opens on one of these."""

    def __init__(self, implementation: Implementation | str, dtype: str = "float64", select: str | None = None):
        self.target, self.dtype = replace(as_target(implementation), dtype=dtype), dtype
        with phase("planning"):
            self.planned = plan_check(self.target, dtype)
        expect(self.planned, expected_failures(self.target.name))
        self.select = select
        if select:
            self.planned.select(select)
        self._outcomes: dict[str, Outcome] = {}
        self._smallest = Smallest(self.target)

    @property
    def names(self) -> list[str]:
        """The names of the checks, in their order."""
        return [check.name for check, _ in self.planned.checks]

    @property
    def command(self) -> str:
        """What to type to run all of it again."""
        return f"rnncheck check {self.target.words}" + (f" --dtype {self.dtype}" if self.dtype != "float64" else "")

    def outcome(self, name: str) -> Outcome:
        """Return how the check of this name ended."""
        check, bench = next(pair for pair in self.planned.checks if pair[0].name == name)
        return self._shrunk(check, self._ask(check, bench, f"{self.command} -k '{name}'"))

    def report(self, on_outcome: Progress = lambda outcome, done, planned: None) -> Report:
        """Run what has not run yet and return all outcomes."""
        planned = replace(self.planned, notes=[*self.planned.notes, *self._notes()])
        report = run_plan(planned, self.target.name, 0, self.command, on_outcome, self._ask)
        report.settings = {"target": self.target.name, "dtype": self.dtype}
        report.scope = scope_of(report, self.target.adapter)
        checks = [check for check, _ in planned.checks]  # made smaller now: more runs change no verdict
        with phase("what it could not see"):
            report.notes += filter(None, [self._blind_note(report)])
        report.outcomes = [self._shrunk(check, o) for check, o in zip(checks, report.outcomes, strict=True)]
        return report

    def _ask(self, check: Check, bench: Bench, reproduce: str) -> Outcome:
        if check.name not in self._outcomes:
            self._outcomes[check.name] = run_check(check, bench, reproduce)
        return self._outcomes[check.name]

    def _shrunk(self, check: Check, outcome: Outcome) -> Outcome:
        with phase("smallest case"):
            return replace(outcome, smallest=self._smallest.of(check, outcome))

    def _blind_note(self, report: Report) -> str:
        """Say which faults this run could not have seen; of a chosen few checks nobody asks."""
        from rnncheck.power.blind import unseen_by, words

        oracles = [bench.oracle for _, bench in self.planned.checks]
        vectors = [
            v for oracle in {id(o): o for o in oracles if isinstance(o, VectorOracle)}.values() for v in oracle.vectors
        ]
        if self.select or not any(v.exposes for v in vectors):
            return ""
        return words(unseen_by(report, vectors), "rnncheck faults")

    def _notes(self) -> list[str]:
        target, notes = self.target, as_notes(self.target.protections)
        if target.adapter is not None and not target.found and target.adapter.uncalled:
            notes = [not_called(target.adapter.uncalled), *notes]
        if target.adapter is not None and not target.found and target.path is not None:
            notes = [f"the adapter calls {target.path}: that is the file that was judged", *notes]
        return notes


def as_target(implementation: Implementation | str) -> Target:
    """Return the Target of an implementation, or of what TARGET names.

    Raises
    ------
    UserError
        If it is neither.
    """
    if isinstance(implementation, str):
        return load_target(implementation)
    if isinstance(implementation, Target):
        return implementation
    if not callable(getattr(implementation, "run", None)) or not isinstance(getattr(implementation, "name", 0), str):
        raise UserError(
            f"the implementation is {type(implementation).__name__}, expected an object with a `name` and a method "
            "`run(case)`, or a TARGET such as 'my_rnn.py'"
        )
    return Target(implementation.name, implementation)


def plan_check(target: Target, dtype: str) -> Plan:
    """Plan the checks of a target: the cases of its form, or all standard cases if it has no adapter."""
    if target.adapter is None:
        return _plan_standard(target, dtype)
    form = form_of(target.adapter)
    cases = check_cases(form, dtype, dict(target.adapter.fixed))
    if not target.adapter.truncates:
        cases = [c for c in cases if c.bptt == "full"]
    oracle = _oracle(form, dtype, bool(target.adapter.fixed))
    planned = Plan(oracle.name, noted=(LOUD,))
    if target.assumed:
        planned.notes.append(target.assumed)
    if target.adapter.unguard and target.found:
        planned.notes.append(GUARDED)
    planned.notes += _loud(target, form, dict(target.adapter.fixed))
    planned.add(target, oracle, form_checks(cases))
    planned.add(target, oracle, clipping_checks(target, cases))
    return planned


def form_of(adapter: Adapter) -> Form:
    """Return the form of cases that an adapter can express. A readout that is not its own has a bias."""
    own = adapter.roles | (set() if "W_hy" in adapter.roles else {"b_y"})
    biases = tuple(b for b in ("b_h", "b_y") if b in own)
    return Form("ids" if adapter.takes_ids else "vectors", biases, adapter.nonlinearity, adapter.task)


def _oracle(form: Form, dtype: str, own_sizes: bool) -> Oracle:
    """Return the stored vectors of a form if there are any, else torch."""
    if form in FORMS and dtype == "float64" and not own_sizes:
        return VectorOracle(read_vectors(shipped(f"{FOLDER}/{form.name}")))
    if torch_available():
        return LiveOracle()
    raise UserError(
        f"there are no stored vectors for {form.name} in {dtype}{' of its own sizes' * own_sizes}, "
        f"and torch is not installed: {INSTALL_TORCH}"
    )


def form_checks(cases: list[RNNCase]) -> Iterator[Check]:
    """Plan what is asked of the cases of a form: the passes, and about state all but aliases.

    An adapter copies what it reads, so nothing can be an alias.
    """
    yield from pass_checks(map(Source.of, cases))
    asked = [c for c in cases if len(c.x) in STATE_LENGTHS and c.bptt == "full"]
    yield from (check for check in state_checks(asked) if not check.name.startswith("state-no-alias"))


def _loud(target: Target, form: Form, sizes: dict[str, int]) -> list[str]:
    """Note where a softmax overflows: it is no wrong gradient, but it is worth knowing."""
    if target.adapter is not None and target.adapter.targets != "classes":
        return []  # it has no softmax
    try:
        trace = target.run(loud_case(form, sizes))
    except NotShownError:
        return []
    except Exception as error:
        return [f"with logits of several hundred: {raised(error)}"]
    broken = [name for name, array in trace.items() if not np.isfinite(np.asarray(array, float)).all()]
    if not broken:
        return []
    if broken == ["loss"] and target.adapter is not None and target.adapter.unguard:
        return []  # it is guarded, and the guard was left out
    if broken == ["loss"]:
        return ["with logits of several hundred the loss is infinite: take it from the logits, not as the log of p"]
    return [f"with logits of several hundred, {broken[0]} is not finite: subtract the maximum before the exponential"]


def _plan_standard(target: Target, dtype: str) -> Plan:
    """Ask everything of whoever takes any case: the standard cases with their stored vectors."""
    vectors = read_vectors(shipped("vectors/v1"))
    if isinstance(target.implementation, ResultsImplementation):
        target.implementation.require([v.case.name for v in vectors])
    cases = [v.case for v in vectors if str(v.case.dtype) == dtype]
    oracle = VectorOracle(vectors)
    planned = Plan(oracle.name)
    passes = [c for c in cases if isinstance(c, RNNCase) and len(c.x) <= LONGEST]
    others = [c for c in cases if not isinstance(c, RNNCase)]
    planned.add(target, oracle, pass_checks(map(Source.of, passes)))
    planned.add(target, oracle, step_checks(others))
    if not isinstance(target.implementation, ResultsImplementation):  # of files, every question has one answer
        planned.add(target, oracle, state_checks([*(c for c in passes if len(c.x) == 7), *others]))
    return planned
