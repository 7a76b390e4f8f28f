"""Renderers of the one result object, `rnncheck.result.Report`: terminal, JSON, JUnit. None of them judges."""
