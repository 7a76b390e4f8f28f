"""Where a command's report goes: the terminal, and the files that were asked for."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from rnncheck.report import github, json, junit, terminal
from rnncheck.report.files import STDOUT, check_targets, write_text
from rnncheck.report.progress import Progress
from rnncheck.result import Report

if TYPE_CHECKING:
    from rnncheck.evidence import Evidence

__all__ = ["Output"]

SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class Output:
    """The destinations of a report, refused at once where they cannot be written: not after a minute of work."""

    json: Path | None = None
    junit: Path | None = None
    data: Path | None = None
    """What the command reads, and must not overwrite."""
    html: Path | None = None
    github: bool = False

    def __post_init__(self) -> None:
        """Look at the paths."""
        if self.html is not None:
            import rnncheck.report.html  # noqa: F401 - that a library is missing is said now, not after the work
        check_targets({"--json": self.json, "--junit": self.junit, "--html": self.html}, [self.data])

    @property
    def console(self) -> Console:
        """The console for people: standard error where standard output belongs to a program."""
        return terminal.console(stderr=STDOUT in (self.json, self.junit, self.html))

    def progress(self, things: str = "checks") -> Progress:
        """Return a progress display, on standard error so that `rnncheck verify > file` still shows it."""
        return Progress(terminal.console(stderr=True), things)

    def emit(self, report: Report, evidence: "Evidence | None" = None, source: Path | None = None) -> int:
        """Show the report, write the files whatever became of that, and return the exit code.

        `evidence` is drawn on the page, `source` is the file that annotations stand beside.
        """
        try:
            terminal.show(report, self.console)
        finally:
            if self.json is not None:
                write_text(self.json, json.dumps(report))
            if self.junit is not None:
                write_text(self.junit, junit.dumps(report))
            if self.html is not None:
                from rnncheck.report import html

                write_text(self.html, html.dumps(report, evidence))
            if self.github:
                self._tell_github(report, source)
        return report.exit_code

    def _tell_github(self, report: Report, source: Path | None) -> None:
        """Print the annotations; append the summary where GitHub Actions says that it belongs."""
        here = Path.cwd()
        file = source.relative_to(here) if source is not None and source.is_relative_to(here) else None
        for line in github.annotations(report, file):
            print(line, file=self.console.file)
        if SUMMARY in os.environ:
            with Path(os.environ[SUMMARY]).open("a", encoding="utf-8") as summary:
                summary.write(github.summary(report))
