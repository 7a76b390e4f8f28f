"""What to verify: the flags of `rnncheck verify` as one value, and the command that says the same."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Literal

__all__ = ["INSTALL_TORCH", "Level", "VerifyOptions", "torch_available"]

Level = Literal["quick", "default", "full"]

INSTALL_TORCH = "`pip install torch --index-url https://download.pytorch.org/whl/cpu`"
"""The build for the CPU: without the address pip takes gigabytes of CUDA on Linux."""


@dataclass(frozen=True)
class VerifyOptions:
    """What to verify: the flags of `rnncheck verify`. Sizes that are given select fresh cases of those sizes."""

    level: Level = "default"
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
        """Whether sizes, or just fresh cases, were asked for, so that these replace the standard ones."""
        sizes = (self.lengths, self.batch, self.hidden, self.vocab)
        return any(v is not None for v in sizes) or (self.cases is not None and self.level != "full")

    @property
    def command(self) -> str:
        """The command that runs the same plan."""
        words = ["rnncheck verify"] + ([f"--{self.level}"] if self.level != "default" else [])
        for name in ("dtype", "hidden", "vocab", "cases", "recipe", "data"):
            value = getattr(self, name)
            words += [] if value is None else [f"--{name} {quote(str(value))}"]
        for name in ("lengths", "batch"):
            value = getattr(self, name)
            words += [] if value is None else [f"--{name} {_ranges(value)}"]
        return " ".join(words + (["--published"] if self.published else []) + [f"--seed {self.seed}"])


def _ranges(numbers: tuple[int, ...]) -> str:
    """Write a list of numbers as the command line reads it: `1-64,100`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def torch_available() -> bool:
    """Tell whether torch is installed, without importing it."""
    return find_spec("torch") is not None
