"""The command line: a command is a file, and what they share is in `options`, `output`, `guard` and `usage`."""

from rnncheck.cli.main import app, main

__all__ = ["app", "main"]
