"""Training, as it goes: a live bar on a terminal, plain lines anywhere else; samples and evaluations on both."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from numpy_impl.datasets import Dataset
from numpy_impl.run import Run
from numpy_impl.train import Record, evaluate
from rnncheck.training import Framework, Tally

__all__ = ["TrainingDisplay"]

LINES = 20


def number(value: float) -> str:
    """Write a loss to six decimals; one that has run away, to six digits and an exponent."""
    return f"{value:.6f}" if abs(value) < 1e9 else f"{value:.6g}"


class TrainingDisplay:
    """Follow a run record by record; a context manager."""

    def __init__(self, console: Console, run: Run, data: Dataset, total: int, framework: Framework, tally: Tally):
        self.console, self.run, self.data, self.total, self.tally = console, run, data, total, tally
        self.first = run.step
        self.previous_lr = run.lr
        weights = sum(array.size for array in run.params.values())
        self.say(
            f"{run.recipe.name}: {len(data):,} examples, {len(run.vocabulary):,} tokens, {weights:,} weights; "
            f"{framework}, seed {run.seed}, steps {run.step} to {total}"
        )
        self.bar: Progress | None = None
        if console.is_interactive:
            text = TextColumn("{task.description}", markup=False)
            columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            self.bar = Progress(*columns, console=console, transient=True)
            self.task = self.bar.add_task("training", total=total, completed=run.step)

    def __call__(self, record: Record) -> None:
        """Show one step."""
        if record.set_loss is not None:
            halved = " (lr halved, the loss rose)" if record.lr < self.previous_lr else ""
            epoch = record.step // len(self.data)
            self.say(f"before pass {epoch + 1}: loss of the set {number(record.set_loss)}, lr {record.lr:g}{halved}")
        self.previous_lr = record.lr
        done, steps = record.step + 1 - self.first, self.total - self.first
        passed_mark = done * LINES // steps > (done - 1) * LINES // steps
        if record.samples or (self.bar is None and passed_mark):
            self.say(
                f"step {record.step}: loss {number(record.loss)}, smoothed {number(record.smoothed)}{self._margin()}"
            )
        for line in "\n".join(record.samples).split("\n") if record.samples else ():
            self.say(f"  {line}")
        if self.bar is not None and (passed_mark or done % 20 == 0):
            words = f"smoothed loss {number(record.smoothed)}{self._margin()}"
            self.bar.update(self.task, completed=record.step + 1, description=words)

    def close(self) -> None:
        """Say where the run has come to, and what the judge found in lockstep."""
        words = f"done {self.run.step} steps: smoothed loss {number(self.run.smoothed)}"
        if self.run.recipe.evaluate_every is not None:
            words += f", loss of the set {number(evaluate(self.run, self.data))}"
        self.say(words)
        tally = self.tally
        if tally.worst is None:
            return
        steps = self.run.step - self.first
        self.say(
            f"lockstep: {steps} steps, {tally.judged:,} arrays judged, {tally.failed} wrong, {tally.not_comparable} "
            f"not comparable; the largest error is {tally.worst.used}, in {tally.worst.array}"
        )
        if tally.wrong is not None:
            self.say(f"WRONG at step {tally.step}: {tally.wrong}", "bold red")

    def say(self, line: str, style: str = "") -> None:
        """Print text as it is: what looks like markup is text."""
        self.console.print(Text(line, style=style), soft_wrap=True)

    def _margin(self) -> str:
        return "" if self.tally.worst is None else f", at most {self.tally.worst.used}"

    def __enter__(self) -> "TrainingDisplay":
        """Start the bar."""
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
