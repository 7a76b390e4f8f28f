"""The main job: plan every check of our own RNN against the oracle, run them, count them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

from rnncheck.checks.check import run_check
from rnncheck.result import Outcome, Report
from rnncheck.versions import versions

__all__ = ["Progress", "VerifyOptions", "run_plan", "torch_available", "verify"]

if TYPE_CHECKING:
    from rnncheck.plan import Plan

Progress = Callable[[Outcome, int, int], None]


@dataclass(frozen=True)
class VerifyOptions:
    """What to verify: the flags of `rnncheck verify`. Sizes that are given select fresh cases of those sizes."""

    level: Literal["quick", "default", "full"] = "default"
    dtype: str | None = None
    lengths: tuple[int, ...] | None = None
    batch: tuple[int, ...] | None = None
    hidden: int | None = None
    vocab: int | None = None
    cases: int | None = None
    recipe: str | None = None
    published: bool = False
    data: Path | None = None
    seed: int = 0
    select: str | None = None

    @property
    def sized(self) -> bool:
        """Whether sizes were asked for, so that fresh cases replace the standard ones."""
        return any(v is not None for v in (self.lengths, self.batch, self.hidden, self.vocab, self.cases))

    @property
    def command(self) -> str:
        """The command that runs the same plan."""
        words = ["rnncheck verify"] + ([f"--{self.level}"] if self.level != "default" else [])
        for name in ("dtype", "hidden", "vocab", "cases", "recipe", "data"):
            value = getattr(self, name)
            words += [] if value is None else [f"--{name} {quote(str(value))}"]
        for name in ("lengths", "batch"):
            value = getattr(self, name)
            words += [] if value is None else [f"--{name} {','.join(map(str, value))}"]
        return " ".join(words + (["--published"] if self.published else []) + [f"--seed {self.seed}"])


def verify(options: VerifyOptions, on_outcome: Progress = lambda outcome, done, planned: None) -> Report:
    """Run every check that `options` plan; `on_outcome` sees each outcome with how many are done and planned."""
    from rnncheck.plan import plan

    planned = plan(options)
    report = run_plan(planned, "numpy_impl", options.seed, options.command, on_outcome)
    report.settings = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(options).items() if v is not None}
    return report


def run_plan(planned: "Plan", implementation: str, seed: int, command: str, on_outcome: Progress) -> Report:
    """Run the checks in their order. `command` runs the plan; with `-k` and a name it reproduces one check."""
    report = Report(
        implementation, planned.oracle, len(planned.checks), seed, notes=list(planned.notes), versions=versions()
    )
    for done, (check, bench) in enumerate(planned.checks, start=1):
        outcome = run_check(check, bench, f"{command} -k '{check.name}'")
        report.outcomes.append(outcome)
        on_outcome(outcome, done, report.planned)
    return report


def torch_available() -> bool:
    """Tell whether torch is installed, without importing it."""
    return find_spec("torch") is not None
