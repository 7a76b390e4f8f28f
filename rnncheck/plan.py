"""Which checks a run of `rnncheck verify` consists of. Planned first, run later: the two counts must be equal.

Sections, each a few lines: our RNN against the stored vectors; the graph of gates likewise; the oracles against each
other; fresh cases against PyTorch; training in lockstep on text; resuming; published figures.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from numpy_impl.datasets import load_dataset
from numpy_impl.recipes import RECIPES
from rnncheck.alike import Alike
from rnncheck.case import Case, RNNCase
from rnncheck.cases import DTYPES, SEED
from rnncheck.checks.check import Bench, Check, Source
from rnncheck.checks.frequencies import frequency_cases, frequency_checks
from rnncheck.checks.metamorphic import metamorphic_checks
from rnncheck.checks.passes import pass_checks
from rnncheck.checks.published import published_checks
from rnncheck.checks.resume import resume_checks
from rnncheck.checks.second_opinion import ExtendedPrecision, Rounded, difference_checks
from rnncheck.checks.steps import compare_all
from rnncheck.checks.training_loop import training_checks
from rnncheck.download import public_file
from rnncheck.errors import UserError
from rnncheck.implementation import Gates, Implementation, Lean, NumpyImpl, Packed, TorchLoop, TorchModules
from rnncheck.lockstep import Lockstep, lockstep_checks
from rnncheck.options import VerifyOptions, torch_available
from rnncheck.oracle import LiveOracle, Oracle
from rnncheck.planned import expected_checks
from rnncheck.select import selector
from rnncheck.shipped import shipped, shipped_text
from rnncheck.standard import cover, standard_checks
from rnncheck.sweep import BATCHES, Sweep
from rnncheck.trajectory import MARKS, trajectory_check
from rnncheck.vectors import Vector, VectorOracle, read_vectors

__all__ = ["Plan", "fresh_sources", "plan", "standard_vectors"]

TEXTS = {name: partial(load_dataset, path=str(shipped_text(name))) for name in RECIPES}
SWEEP_CASES = {"quick": 24, "default": 192, "full": 10_000}


@dataclass
class Plan:
    """Checks with the bench each runs on, and what the reader of the report should know."""

    oracle: str
    checks: list[tuple[Check, Bench]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lacking: int = 0
    noted: tuple[str, ...] = ()
    """Features of probes (`rnncheck.diagnosis.probes`) that the notes speak of and no check asks for."""

    @property
    def count(self) -> int:
        """The number of checks that there are to be."""
        return len(self.checks) + self.lacking

    def add(self, implementation: Implementation, oracle: Oracle, checks: Iterator[Check]) -> None:
        """Append checks of one implementation against one oracle; they share a bench, so that a case runs once."""
        bench = Bench(implementation, oracle)
        self.checks += [(check, bench) for check in checks]

    def select(self, expression: str) -> None:
        """Keep the checks that a `-k` expression chooses.

        Raises
        ------
        UserError
            If it chooses none, or is no expression: a run of no checks would prove nothing.
        """
        chosen = selector(expression)
        kept = [(check, bench) for check, bench in self.checks if chosen(check.name)]
        if self.checks and not kept:
            first = self.checks[0][0].name
            raise UserError(
                f"-k {expression!r} matches none of {len(self.checks)} planned checks; the first is {first}"
            )
        self.checks, self.lacking = kept, 0

    def hold_against(self, expected: Mapping[str, int]) -> None:
        """Miss the checks of each family of which there are fewer than expected: the run is then not complete."""
        found = Counter(check.family for check, _ in self.checks)
        for family, count in expected.items():
            if found[family] < count:
                self.lacking += count - found[family]
                self.notes.append(f"family {family}: {count} checks are to be planned, and there are {found[family]}")


def plan(options: VerifyOptions, torch: bool | None = None) -> Plan:
    """Plan every check that `options` ask for; `torch` says whether it is there to be asked."""
    torch = torch_available() if torch is None else torch
    planned = Plan("torch" if torch else "stored vectors")
    if not torch:
        planned.notes.append("torch is not installed: judged by the stored vectors alone, no fresh cases, no lockstep")
        _refuse_without_torch(options)
    for section in _sections(options, torch):
        section(planned, options)
    planned.hold_against(expected_checks(options, torch))
    if options.select:
        planned.select(options.select)
    return planned


def _sections(options: VerifyOptions, torch: bool) -> Sequence[Callable[[Plan, VerifyOptions], None]]:
    if options.published:
        return [_published]
    if options.recipe:
        return [_lockstep]
    if options.sized:
        return [_sweep]
    return [
        _standard,
        _other_forms,
        _relations,
        _opinions,
        _resume,
        *([_oracles, _sweep, _lockstep, _trajectories] if torch else []),
    ]


def _standard(planned: Plan, options: VerifyOptions) -> None:
    """Our RNN against the stored vectors."""
    oracle, cases = _vectors(options)
    planned.add(NumpyImpl(), oracle, standard_checks(cases))


def _other_forms(planned: Plan, options: VerifyOptions) -> None:
    """Judge the RNN as a graph of gates (for reading, so short cases do), and as training runs it."""
    oracle, cases = _vectors(options)
    planned.add(Gates(), oracle, (compare_all(Source.of(c), "gates") for c in _passes(cases, 30)))
    trained = [c for c in _passes(cases, 1200) if c.dloss is None]
    planned.add(Lean(), oracle, (compare_all(Source.of(c), "lean") for c in trained))
    planned.add(Packed(), oracle, (compare_all(Source.of(c), "packed") for c in trained if c.sizes["B"] > 1))
    planned.add(NumpyImpl(), oracle, training_checks(TEXTS, options.seed))


def _relations(planned: Plan, options: VerifyOptions) -> None:
    """Ask what needs no right answer: relations between calls, and how often each token is drawn."""
    oracle, cases = _vectors(options)
    lengths = (*range(11), 130)
    planned.add(NumpyImpl(), oracle, metamorphic_checks([c for c in _passes(cases, 130) if len(c.x) in lengths]))
    draws = [c for c in frequency_cases(SEED) if options.dtype in (None, str(c.dtype))]
    planned.add(NumpyImpl(), oracle, frequency_checks(draws))


def _opinions(planned: Plan, options: VerifyOptions) -> None:
    """Second opinions that need no torch: extended precision and central differences."""
    oracle, cases = _vectors(options)
    wide = Rounded(ExtendedPrecision())
    planned.add(wide, oracle, (compare_all(Source.of(c), "reference-longdouble") for c in _passes(cases, 50)))
    planned.add(NumpyImpl(), oracle, difference_checks(_passes(cases, 130)))


def _oracles(planned: Plan, options: VerifyOptions) -> None:
    """Both PyTorch oracles, here and now, against what is stored."""
    oracle, cases = _vectors(options)
    longest = 50 if options.level == "quick" else 2000
    live = [c for c in cases if not isinstance(c, RNNCase) or len(c.x) <= longest]
    planned.add(Rounded(TorchLoop()), oracle, (compare_all(Source.of(c), "reference-loop") for c in live))
    fused = [c for c in _passes(cases, longest) if c.bptt != "windowed"]
    planned.add(Rounded(TorchModules()), oracle, (compare_all(Source.of(c), "reference-modules") for c in fused))


def _sweep(planned: Plan, options: VerifyOptions) -> None:
    """Fresh cases from the seed against PyTorch."""
    alike = Alike(fresh_sources(options))
    oracle = LiveOracle(precise=options.level == "full", torch=alike)
    planned.add(NumpyImpl(), oracle, pass_checks(alike.sources(), "sweep-"))


def fresh_sources(options: VerifyOptions) -> list[Source]:
    """Return the fresh cases that `options` ask for: of their sizes, or of every T in 1..64."""
    lengths = options.lengths or tuple(range(1, 65))
    sweep = Sweep(
        lengths,
        options.seed,
        batches=options.batch or BATCHES,
        hidden=options.hidden,
        vocab=options.vocab,
        dtypes=(options.dtype,) if options.dtype else DTYPES,
    )
    count = options.cases or (len(lengths) * 4 if options.sized else SWEEP_CASES[options.level])
    return list(sweep.sources(count))


def _lockstep(planned: Plan, options: VerifyOptions) -> None:
    """Each recipe trained on text, every array of every step judged."""
    steps = options.cases or (20 if options.level == "quick" else 200)
    for name in [options.recipe] if options.recipe else RECIPES:
        data = load_dataset(RECIPES[name], str(options.data or shipped_text(name)))
        lockstep = Lockstep(RECIPES[name], data, options.seed)
        planned.add(NumpyImpl(), LiveOracle(), lockstep_checks(lockstep, steps))


def _trajectories(planned: Plan, options: VerifyOptions) -> None:
    """Each recipe in free run, against how far one unit in the last place leads."""
    marks = [s for s in MARKS if s <= 20 or options.level != "quick"]
    checks = (trajectory_check(RECIPES[name], load, options.seed, marks) for name, load in TEXTS.items())
    planned.add(NumpyImpl(), LiveOracle(), checks)


def _resume(planned: Plan, options: VerifyOptions) -> None:
    """Stop, save, load, go on: every recipe on its shipped text."""
    for recipe in RECIPES.values():
        load = cache(partial(load_dataset, recipe, str(shipped_text(recipe.name))))
        planned.add(NumpyImpl(), LiveOracle(), resume_checks(recipe, load, options.seed))


def _published(planned: Plan, options: VerifyOptions) -> None:
    """Repeat the published run, on the public file."""
    planned.add(NumpyImpl(), LiveOracle(), published_checks(options.data or public_file("person_names.txt")))


def _vectors(options: VerifyOptions) -> tuple[VectorOracle, list[Case]]:
    vectors = standard_vectors(options)
    return VectorOracle(vectors), [v.case for v in vectors]


@cache
def standard_vectors(options: VerifyOptions) -> list[Vector]:
    """Return the stored vectors that `options` ask for; a quick run takes few that expose every fault twice over.

    It takes the shortest as well: at T = 1 and 2 a program leaves its loops by other ways.
    """
    kept = [v for v in _shipped_vectors() if options.dtype in (None, str(v.case.dtype))]
    if options.level != "quick":
        return kept
    few = {v.case.name for v in cover(kept)}
    return [v for v in kept if v.case.name in few or (isinstance(v.case, RNNCase) and len(v.case.x) <= 2)]


@cache
def _shipped_vectors() -> list[Vector]:
    return read_vectors(shipped("vectors/v1"))


def _passes(cases: Sequence[Case], longest: int) -> list[RNNCase]:
    return [c for c in cases if isinstance(c, RNNCase) and len(c.x) <= longest]


def _refuse_without_torch(options: VerifyOptions) -> None:
    if options.sized or (options.recipe and not options.published) or options.level == "full":
        raise UserError(
            "torch is not installed: fresh cases and lockstep training need it as the oracle; "
            'install it with `pip install "rnncheck[torch]"`, or run `rnncheck verify` to judge by the stored vectors'
        )
