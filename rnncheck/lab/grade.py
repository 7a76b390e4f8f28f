"""Grade an exercise in levels: each asks for a little more, and the first that fails says where to look."""

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from rnncheck.case import RNNCase
from rnncheck.errors import UserError
from rnncheck.lesson import Judged, Looked, is_plain, judge_all, look, vectors
from rnncheck.result import Verdict
from rnncheck.trace import Trace

__all__ = ["LEVELS", "Graded", "Level", "Runner", "grade", "load"]

CLASS = "MyRNN"
BACK = ("dh", "da", "dW_hh", "dW_xh", "db_h", "dh0")


@dataclass(frozen=True)
class Level:
    """What is asked for: these arrays, on these plain cases."""

    title: str
    arrays: tuple[str, ...]
    where: Callable[[RNNCase], bool] = lambda case: True


LEVELS = (
    Level("forward", ("h", "logits")),
    Level("the loss", ("loss",)),
    Level("the gradient of the loss", ("dlogits",)),
    Level("back through the readout", ("dW_hy", "db_y")),
    Level("one step back: T = 1", BACK, lambda case: len(case.x) == 1),
    Level("back through time: T = 2 to 30", BACK, lambda case: 1 < len(case.x) <= 30),
    Level("long sequences: T = 50 to 1000", BACK, lambda case: len(case.x) > 30),
)


@dataclass(frozen=True)
class Graded:
    """One level: what was seen of its arrays, or the exception that ended it."""

    level: Level
    looked: tuple[Looked, ...] = ()
    crash: str = ""

    @property
    def passed(self) -> bool:
        """Whether all its arrays are right."""
        return bool(self.looked) and not self.crash and all(one.passed for one in self.looked)

    @property
    def wrong(self) -> Looked | None:
        """The first wrong array; what is not written yet is not wrong."""
        return next((one for one in self.looked if one.worst.verdict is Verdict.FAILED), None)

    @property
    def words(self) -> str:
        """Say how it ended: where the first wrong array is wrong, or what is still to be written."""
        if self.crash:
            return self.crash
        missing = [one.array for one in self.looked if one.worst.verdict is Verdict.NOT_SHOWN]
        if self.wrong is not None:
            return f"{self.wrong.case.name}: {self.wrong.worst}"
        if missing:
            return f"to do: {', '.join(missing)}"
        return (
            f"{self.looked[0].cases} cases, at most {max(one.worst.margin for one in self.looked):.2f} of the allowance"
        )


def load(path: Path) -> ModuleType:
    """Import the file of an exercise.

    Raises
    ------
    UserError
        If it cannot be read or imported, or has no class `MyRNN`.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; write an exercise with `rnncheck lab --blank --output my_rnn.py`")
    spec = spec_from_file_location("exercise", path)
    if not path.is_file() or spec is None or spec.loader is None:
        what = "is a folder" if path.is_dir() else "is no Python file"
        raise UserError(f"{path} {what}; name the file of an exercise, which ends in .py")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{path}: cannot be imported: {describe(error, path)}") from error
    if not hasattr(module, CLASS):
        raise UserError(f"{path}: has no class {CLASS}, which is what is graded; keep the name that the exercise had")
    return module


class Runner:
    """Answers a case with the exercise's class. What is not written, or crashes, shows nothing."""

    def __init__(self, module: ModuleType):
        self.model = getattr(module, CLASS)
        self.crashes: dict[str, Exception] = {}

    def __call__(self, case: RNNCase) -> Trace:
        """Give the case's parameters to a fresh network and collect its arrays, as far as it gets."""
        s, trace = case.sizes, {}
        try:
            model = self.model(s["I"], s["H"], s["V"])
            for name, array in case.params.items():
                setattr(model, name, array)
            model.forward(case.x, case.h0)
            trace = {"loss": model.loss(case.y)}
            trace |= dict(model.backward(case.y))
        except NotImplementedError:
            pass
        except Exception as error:
            self.crashes[case.name] = error
        if "loss" in trace:  # as they are now: the backward pass may have written into them
            trace |= {"h": model.h[1:], "logits": model.logits}
        return trace


def grade(path: Path) -> list[Graded]:
    """Grade a file, level by level; what comes after a level that fails is graded all the same."""
    with warnings.catch_warnings():  # of a number that overflowed the level speaks that it spoilt
        warnings.simplefilter("ignore")
        run = Runner(load(path))
        judged = judge_all(run, [v for v in vectors() if is_plain(v.case)])
    return [_grade(level, judged, run.crashes, path) for level in LEVELS]


def _grade(level: Level, judged: list[Judged], crashes: dict[str, Exception], path: Path) -> Graded:
    asked = [(case, found) for case, found in judged if isinstance(case, RNNCase) and level.where(case)]
    looked = tuple(look(asked, level.arrays))
    missing = any(one.worst.verdict is Verdict.NOT_SHOWN for one in looked)
    crash = next((crashes[case.name] for case, _ in asked if case.name in crashes), None)
    return Graded(level, looked, describe(crash, path) if crash and missing else "")


def describe(error: Exception, path: Path) -> str:
    """Say what was raised, and on which line of the file."""
    what = traceback.format_exception_only(error)[-1].strip()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename).resolve() == path.resolve()]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return what if line is None else f"line {line}: {what}"
