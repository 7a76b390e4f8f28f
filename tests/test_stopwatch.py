"""Where the time goes: every moment is charged once, to the innermost phase that is open."""

from contextlib import suppress
from pathlib import Path

import pytest

from rnncheck import stopwatch
from rnncheck.cli import main
from rnncheck.stopwatch import OTHER, Stopwatch

TARGET = str(Path(__file__).parent / "targets" / "column_class.py")


@pytest.fixture
def at(monkeypatch):
    """Set the clock."""
    clock = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: clock[0])

    def set_to(seconds):
        clock[0] = float(seconds)

    return set_to


def test_a_moment_belongs_to_the_innermost_phase(at):
    watch = Stopwatch(0.0)
    at(1)
    watch.lap("imports")
    with watch.phase("outer"):
        at(3)
        with watch.phase("inner"):
            at(7)
        at(8)
        with watch.phase("inner"):
            at(9)
    at(14)
    assert watch.seconds() == {"imports": 1.0, "outer": 3.0, "inner": 5.0, OTHER: 5.0}


def test_a_phase_that_is_left_by_an_error_is_over(at):
    watch = Stopwatch(0.0)
    with suppress(KeyError), watch.phase("failing"):
        at(2)
        raise KeyError
    at(3)
    assert watch.seconds() == {"failing": 2.0, OTHER: 1.0}


def test_check_says_where_the_time_went(capsys):
    assert main(["check", TARGET, "-k", "forward and T=1", "--timings"]) == 0
    out, err = capsys.readouterr()
    assert "time:" not in out
    line = err.splitlines()[-1]
    for phase in ("imports", "reading the target", "starting children", "running the target", "judging"):
        assert f"{phase} " in line
    assert main(["check", TARGET, "-k", "forward and T=1"]) == 0
    assert "time:" not in capsys.readouterr().err
