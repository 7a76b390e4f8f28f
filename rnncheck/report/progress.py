"""Progress of a run: a live bar on a terminal, at most ten plain lines anywhere else."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from rnncheck.result import Outcome, Verdict

__all__ = ["Progress"]

LINES = 10


class Progress:
    """Follow a run: call it with every outcome, or `advance` it where there are none; a context manager.

    An exception that passes through gets a note saying how far the run had come.
    """

    def __init__(self, console: Console, things: str = "checks") -> None:
        self.console, self.things = console, things
        self.done = self.planned = self.failed = 0
        self.bar: Bar | None = None
        if console.is_interactive:
            text = TextColumn("{task.description}", markup=False)
            columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            self.bar = Bar(*columns, console=console, transient=True)
            self.task = self.bar.add_task("planning", total=None)

    def __call__(self, outcome: Outcome, done: int, planned: int) -> None:
        """Take note of one outcome."""
        self.failed += outcome.verdict is Verdict.FAILED
        self.advance(outcome.family, done, planned)

    def advance(self, what: str, done: int, planned: int) -> None:
        """Show that `done` of `planned` things are over; `what` names the latest of them."""
        before, self.done, self.planned = self.done, done, planned
        failures = f", {self.failed} failed" if self.failed else ""
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=planned, description=f"{what}{failures}")
        elif done * LINES // max(planned, 1) > before * LINES // max(planned, 1):
            line = f"{done} of {planned} {self.things}{failures}"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> "Progress":
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
        if error is not None and self.planned:
            error.add_note(f"after {self.done} of {self.planned} {self.things}")
