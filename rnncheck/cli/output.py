"""Where a command's report goes: the terminal, and the files that were asked for."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rnncheck.errors import UserError
from rnncheck.report import json, junit, terminal
from rnncheck.report.files import STDOUT, check_target, write_text
from rnncheck.report.progress import Progress
from rnncheck.result import Report

__all__ = ["Output"]


@dataclass(frozen=True)
class Output:
    """The destinations of a report, refused at once where they cannot be written: not after a minute of work."""

    json: Path | None = None
    junit: Path | None = None
    data: Path | None = None
    """What the command reads, and must not overwrite."""

    def __post_init__(self) -> None:
        """Look at the paths."""
        files = [path for path in (self.json, self.junit) if path is not None]
        for path in files:
            check_target(path)
        if len({path.resolve() for path in files}) < len(files):
            name = "standard output" if files[0] == STDOUT else files[0]
            raise UserError(f"--json and --junit both name {name}: one would overwrite the other; choose two places")
        if self.data is not None and self.data.resolve() in {path.resolve() for path in files}:
            raise UserError(
                f"{self.data} is the text that is read: the report would overwrite it; choose another place"
            )

    @property
    def console(self) -> Console:
        """The console for people: standard error where standard output belongs to a program."""
        return terminal.console(stderr=STDOUT in (self.json, self.junit))

    def progress(self, things: str = "checks") -> Progress:
        """Return a progress display, on standard error so that `rnncheck verify > file` still shows it."""
        return Progress(terminal.console(stderr=True), things)

    def emit(self, report: Report) -> int:
        """Show the report, write the files whatever became of that, and return the exit code."""
        try:
            terminal.show(report, self.console)
        finally:
            if self.json is not None:
                write_text(self.json, json.dumps(report))
            if self.junit is not None:
                write_text(self.junit, junit.dumps(report))
        return report.exit_code
