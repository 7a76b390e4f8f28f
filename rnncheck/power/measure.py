"""Measure the power of what `rnncheck verify` runs: of its standard cases, or of the fresh ones of chosen sizes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rnncheck.case import RNNCase
from rnncheck.cases.standard import SEED
from rnncheck.checks.check import Source
from rnncheck.checks.frequencies import frequency_cases, frequency_checks
from rnncheck.checks.metamorphic import metamorphic_checks
from rnncheck.checks.passes import pass_checks
from rnncheck.checks.relation import OwnScales
from rnncheck.checks.standard import standard_checks
from rnncheck.options import VerifyOptions
from rnncheck.oracle import Oracle
from rnncheck.planning.sections import fresh_sources, standard_vectors
from rnncheck.power.blind import blind_spots, unexposed, words
from rnncheck.power.matrix import Kill, Trial, kill_matrix, trials
from rnncheck.textbook import Textbook
from rnncheck.vectors import VectorOracle

__all__ = ["Measured", "blind_note", "measure_power"]

LONGEST = 130
"""Longer standard cases are about rounding. What they expose, shorter ones expose as well, at a tenth of the time."""

RELATED = (5, 3)
"""T and B of the cases of which the relations are asked as well: each takes many runs."""


@dataclass(frozen=True)
class Measured:
    """The kill matrix of so many cases, and the options that made them."""

    kills: Sequence[Kill]
    cases: int
    options: VerifyOptions

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes of the cases."""
        return self.kills[0].dtypes

    @property
    def settings(self) -> dict[str, Any]:
        """The options that were given."""
        return {k: v for k, v in asdict(self.options).items() if v is not None}

    @property
    def missed(self) -> list[Kill]:
        """The rows, each of one dtype, of faults that no check notices though they are faults there."""
        rows = (kill.within(dtype) for kill in self.kills for dtype in self.dtypes)
        return [row for row in rows if not row.caught and not row.equivalent]


def measure_power(
    options: VerifyOptions, on_progress: Callable[[str, int, int], None] = lambda case, done, planned: None
) -> Measured:
    """Put the catalogue to the cases that `options` choose."""
    oracle: Oracle
    if options.sized:
        sources = fresh_sources(options)
        count, tried, oracle = len(sources), fresh_trials(sources), OwnScales(Textbook())
    else:
        chosen, oracle = standard_trials(options)
        count, tried = len(chosen), iter(chosen)
    kills = kill_matrix(
        tried, oracle, afresh=not options.sized, on_progress=lambda case, done: on_progress(case, done, count)
    )
    return Measured(kills, count, options)


def standard_trials(options: VerifyOptions) -> tuple[list[Trial], VectorOracle]:
    """Return the standard cases with all that is asked of them, and of some whether the relations hold."""
    vectors = [v for v in standard_vectors(options) if not isinstance(v.case, RNNCase) or len(v.case.x) <= LONGEST]
    cases = [v.case for v in vectors]
    related = [c for c in cases if isinstance(c, RNNCase) and c.x.shape[:2] == RELATED]
    draws = [c for c in frequency_cases(SEED) if options.dtype in (None, str(c.dtype))]
    tried = trials(cases, [*standard_checks(cases), *metamorphic_checks(related)])
    return tried + trials(draws, frequency_checks(draws)), VectorOracle(vectors)


def fresh_trials(sources: Sequence[Source]) -> Iterator[Trial]:
    """Make the cases one by one, with the checks of a sweep."""
    for source in sources:
        case = source.make()
        yield Trial(case, tuple(pass_checks([Source.of(case)], "sweep-")))


def blind_note(options: VerifyOptions) -> str:
    """Say in one line what a run with these options could not have seen; nothing where nothing is hidden."""
    if options.recipe or options.published or options.select:
        return ""
    blind = blind_spots(fresh_trials(fresh_sources(options)), OwnScales(Textbook())) if options.sized else None
    same = replace(options, level="default", cases=options.cases if options.sized else None)
    command = same.command.replace("verify", "power", 1)
    return words(blind or unexposed(standard_vectors(options)), command)
