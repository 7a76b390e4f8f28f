"""What a run of `rnncheck verify` consists of: sections, each a few lines that add their checks to a plan.

Our RNN against the stored vectors; its other forms likewise; large problems against the textbook; what needs no
oracle; the oracles against each other; fresh cases against PyTorch; training in lockstep and in free run on text;
resuming; published figures.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial

from numpy_impl.datasets import load_dataset
from numpy_impl.recipes import RECIPES
from rnncheck.alike import Alike
from rnncheck.case import Case, RNNCase, SampleCase
from rnncheck.cases.fresh import BATCHES, Sweep
from rnncheck.cases.large import extreme_clips, large_passes, large_steps
from rnncheck.cases.standard import DTYPES, SEED
from rnncheck.checks.beginnings import beginning_checks
from rnncheck.checks.check import Source
from rnncheck.checks.frequencies import frequency_cases, frequency_checks
from rnncheck.checks.interactive import session_checks
from rnncheck.checks.metamorphic import metamorphic_checks
from rnncheck.checks.passes import pass_checks
from rnncheck.checks.published import published_checks
from rnncheck.checks.resume import eventful, resume_checks
from rnncheck.checks.second_opinion import ExtendedPrecision, Rounded, difference_checks
from rnncheck.checks.standard import cover, standard_checks
from rnncheck.checks.steps import compare_all
from rnncheck.checks.training_loop import training_checks
from rnncheck.checks.training_step import step_checks as training_step_checks
from rnncheck.checks.writing import writing_checks
from rnncheck.download import public_file
from rnncheck.implementation import (
    Gates,
    Interactive,
    Lean,
    NumpyImpl,
    OtherLayouts,
    Packed,
    TorchLoop,
    TorchModules,
)
from rnncheck.lockstep import Lockstep, lockstep_checks
from rnncheck.options import VerifyOptions
from rnncheck.oracle import LiveOracle, TextbookOracle
from rnncheck.planning.plan import Plan
from rnncheck.shipped import shipped, shipped_text
from rnncheck.trajectory import MARKS, trajectory_check
from rnncheck.vectors import Vector, VectorOracle, read_vectors

__all__ = ["fresh_sources", "sections", "standard_vectors"]

TEXTS = {name: partial(load_dataset, path=str(shipped_text(name))) for name in RECIPES}
SWEEP_CASES = {"quick": 24, "default": 192, "full": 10_000}


def sections(options: VerifyOptions, torch: bool) -> Sequence[Callable[[Plan, VerifyOptions], None]]:
    """Return what a run with `options` consists of, each to be called with the plan that it adds to."""
    if options.published:
        return [_published]
    if options.recipe:
        return [_lockstep]
    if options.sized:
        return [_sweep]
    return [
        _standard,
        _other_forms,
        _large,
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
    planned.add(Interactive(), oracle, (compare_all(Source.of(c), "interactive") for c in trained if len(c.x) <= 10))
    planned.add(NumpyImpl(), oracle, session_checks(options.seed))
    short = [c for c in cases if not isinstance(c, RNNCase) or len(c.x) <= 10]
    planned.add(OtherLayouts(), oracle, (compare_all(Source.of(c), "layout") for c in short))
    planned.add(NumpyImpl(), oracle, training_checks(TEXTS, options.seed))
    planned.add(NumpyImpl(), oracle, training_step_checks(TEXTS, options.seed))
    planned.add(NumpyImpl(), oracle, beginning_checks(TEXTS, options.seed))
    draws = [c for c in cases if isinstance(c, SampleCase)]
    planned.add(NumpyImpl(), oracle, writing_checks(draws, TEXTS, options.seed))


def _large(planned: Plan, options: VerifyOptions) -> None:
    """Judge what large problems are solved by; products are cut in pieces here whatever the machine gains by it."""
    oracle, dtype = TextbookOracle(), options.dtype or "float64"
    wide = list(large_passes(dtype, SEED, long=False))
    long = [source for name in _dtypes(options) for source in large_passes(name, SEED, long=True)]
    planned.add(Lean(panels=True), oracle, (compare_all(source, "large-lean") for source in wide))
    planned.add(Packed(panels=True), oracle, (compare_all(source, "large-packed") for source in wide))
    planned.add(NumpyImpl(), oracle, (compare_all(source, "large") for source in large_steps(dtype, SEED)))
    if options.dtype in (None, "float32"):
        planned.add(NumpyImpl(), oracle, (compare_all(source, "large") for source in extreme_clips(SEED)))
    if options.level != "quick":
        planned.add(NumpyImpl(), oracle, (compare_all(source, "large") for source in long))
        planned.add(Lean(), oracle, (compare_all(source, "large-lean") for source in long))


def _dtypes(options: VerifyOptions) -> Sequence[str]:
    return (options.dtype,) if options.dtype else DTYPES


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
        dtypes=tuple(_dtypes(options)),
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
    for recipe in map(eventful, RECIPES.values()):
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
