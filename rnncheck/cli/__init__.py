"""The command line: `rnncheck verify`, `train`, `sample`, `vectors`, `faults`, `explain`."""

from rnncheck.cli.main import app, main

__all__ = ["app", "main"]
