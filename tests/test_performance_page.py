"""The tables of docs/performance.md are those that its figures make; nobody has edited either alone."""

import importlib
import json
from copy import deepcopy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "performance.md").read_text("utf-8")
FIGURES = json.loads((ROOT / "docs" / "performance.json").read_text("utf-8"))


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch):
    for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(pool, "1")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("page")


def test_the_tables_are_those_of_the_figures(page) -> None:
    assert page.rendered(PAGE, FIGURES) == PAGE
    assert all(f"<!-- {name} -->" in PAGE for name in page.TABLES)


def test_a_figure_that_was_edited_is_seen(page) -> None:
    edited = deepcopy(FIGURES)
    edited["step_time"]["rows"][0]["seconds"]["numpy_impl"]["whole step"]["median"] *= 0.9
    assert page.rendered(PAGE, edited) != PAGE
    assert page.rendered(PAGE.replace("numpy 2", "numpy 3"), FIGURES) == page.rendered(PAGE, FIGURES)


def test_what_does_not_meet_its_goal_is_bold(page) -> None:
    row = deepcopy(FIGURES["step_time"]["rows"][0])
    row["seconds"]["torch.nn.RNN"]["whole step"]["median"] = 9 * row["seconds"]["numpy_impl"]["whole step"]["median"]
    for met, shown in ((False, "| **9.00 (>= 12)** |"), (True, "| 9.00 (>= 12) |")):
        row["verdicts"] = [{"what": "torch.nn.RNN / ours", "ratio": 9.0, "goal": ">= 12", "met": met}]
        assert shown in page.step_time({"step_time": {"rows": [row]}})


def test_the_figures_say_nothing_of_whoever_measured_them() -> None:
    assert "/" not in json.dumps([f["machine"] for f in FIGURES.values()])
    assert str(Path.home()) not in json.dumps(FIGURES)


def test_all_sizes_and_peers_were_measured() -> None:
    rows = FIGURES["step_time"]["rows"]
    assert len(rows) == 18
    assert {"numpy_impl", "torch.nn.RNN", "torch loop", "min-char-rnn", "JAX jit scan", "floor"} <= {
        name for row in rows for name in row["seconds"]
    }
    assert all(f["left out"] == [] for f in FIGURES.values() if "left out" in f)


def told_by(figures: dict, counts: dict) -> list[str]:
    """Return what the sentences between the tables say, made of the figures."""
    rows = figures["step_time"]["rows"]
    goals = [verdict["met"] for row in rows for verdict in row["verdicts"]]
    small = counts["counts"]["50,27,8,1"]
    shares = {
        row["dtype"]: ours["Adagrad"]["median"] / ours["whole step"]["median"]
        for row in rows
        if row["size"] == "100,8000,20,1"
        for ours in [row["seconds"]["numpy_impl"]]
    }
    return [
        f"{sum(goals)} of {len(goals)} goals of the training step were met",
        f"a step executes {small['calls']} calls and {small['operators']} operators",
        f"{shares['float32']:.0%} of the step in float32 and {shares['float64']:.0%} in float64".replace("%", " %"),
    ]


def test_the_figures_in_sentences_are_those_of_the_tables() -> None:
    counts = json.loads((ROOT / "benchmarks" / "counts.json").read_text("utf-8"))
    page = " ".join(PAGE.split())
    assert [words for words in told_by(FIGURES, counts) if words not in page] == []
    edited = deepcopy(FIGURES)
    edited["step_time"]["rows"][0]["verdicts"][0]["met"] = True
    edited["step_time"]["rows"][4]["seconds"]["numpy_impl"]["whole step"]["median"] *= 1.1
    counts["counts"]["50,27,8,1"]["calls"] += 1
    assert not any(words in page for words in told_by(edited, counts))
