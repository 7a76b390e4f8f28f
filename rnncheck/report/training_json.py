"""A training run, and what a model wrote, as JSON: for programs that watch runs or plot them."""

import json
from dataclasses import dataclass, field
from typing import Any

from numpy_impl.run import Run
from numpy_impl.train import Record
from rnncheck.report.json import SCHEMA_VERSION, plain
from rnncheck.training import Tally
from rnncheck.versions import versions

__all__ = ["TrainingRecord", "dump_samples"]


@dataclass
class TrainingRecord:
    """The loss of every step of this command, and where the set was evaluated or samples were drawn, what came out."""

    first: int
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Take down one step."""
        self.losses.append(record.loss)
        self.smoothed.append(record.smoothed)
        if record.samples or record.set_loss is not None:
            event = {"step": record.step, "lr": record.lr, "set_loss": record.set_loss, "samples": record.samples}
            self.events.append(event)

    def dumps(self, run: Run, framework: str, tally: Tally) -> str:
        """Render the run as one JSON document; `lockstep` counts comparisons, all zero unless both were trained."""
        return _document(
            {
                "recipe": run.recipe.settings(),
                "framework": framework,
                "seed": run.seed,
                "data_sha256": run.sha256,
                "first_step": self.first,
                "steps": run.step,
                "lr": run.lr,
                "losses": self.losses,
                "smoothed": self.smoothed,
                "events": self.events,
                "lockstep": {
                    "judged": tally.judged,
                    "failed": tally.failed,
                    "not_comparable": tally.not_comparable,
                    "worst_margin": None if tally.worst is None else tally.worst.margin,
                    "worst_array": None if tally.worst is None else tally.worst.array,
                },
            }
        )


def dump_samples(run: Run, options: dict[str, Any], samples: list[str]) -> str:
    """Render what a model wrote as one JSON document."""
    return _document({"recipe": run.recipe.name, "trained_steps": run.step, **options, "samples": samples})


def _document(content: dict[str, Any]) -> str:
    document = {"schema_version": SCHEMA_VERSION, **content, "versions": versions()}
    return json.dumps(plain(document), indent=1, allow_nan=False) + "\n"
