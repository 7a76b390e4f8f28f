"""The benchmarks, tiny: they run, agree before they time, write what they measure, and refuse in a sentence."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent.parent / "benchmarks"
SHORT = ["--seconds", "0.001"]
RUNS: dict[str, list[str]] = {
    "step_time": ["--sizes", "4,5,3,2", *SHORT],
    "growth": ["--lengths", "1", "3", "--hidden", "4", *SHORT],
    "sampling": ["--sizes", "4,5", "--streams", "1", "2", *SHORT],
    "windowed": ["--lengths", "6", *SHORT],
    "packed": ["--sizes", "4,5,6,3", "--fills", "1", "0.5", *SHORT],
    "gradcheck": ["--sizes", "3,4,2,1", *SHORT],
    "sweep": ["--cases", "6", "--longest", "3"],
    "false_alarms": ["--cases", "2"],
}
NEEDS_TORCH = ("gradcheck", "sweep", "false_alarms")
# the frequencies of sampling are tested in test_draw_frequencies.py
WITH_GRADIENTS = [name for name in RUNS if name not in (*NEEDS_TORCH, "sampling")]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    """Return a function that loads a program of benchmarks/, whose modules go away again after the test."""
    for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS", "JAX_PLATFORMS"):
        monkeypatch.setenv(pool, "1" if pool.endswith("THREADS") else "")  # `machine` sets them, and they come back
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(program: ModuleType, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", [program.__name__, *arguments])
    return program.main()


def test_there_is_a_run_for_every_program() -> None:
    others = {"counts", "diagnosis", "figures", "mutation", "page", "tolerance", "trajectory"}
    programs = {path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text("utf-8")}
    assert programs == {*RUNS, *others}


@pytest.mark.parametrize("name", RUNS)
def test_it_runs_and_writes_what_it_measured(name: str, bench, monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    assert run(bench(name), [*RUNS[name], "--json", str(tmp_path / "a")], monkeypatch) == 0
    found = json.loads((tmp_path / "a").read_text("utf-8"))
    assert found["seed"] == 0
    assert {"processor", "blas", "numpy", "torch", "load"} <= found["machine"].keys()
    assert str(Path.home()) not in json.dumps(found)
    assert numbers(found) >= 4


def numbers(figures: Any) -> int:
    """Count the positive numbers in figures."""
    if isinstance(figures, dict | list):
        return sum(numbers(f) for f in (figures.values() if isinstance(figures, dict) else figures))
    return isinstance(figures, float) and figures > 0


@pytest.mark.parametrize("name", RUNS)
def test_without_torch_it_measures_what_there_is_or_says_why_not(name: str, bench, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    status = run(bench(name), RUNS[name], monkeypatch)
    out, err = capsys.readouterr()
    if name in NEEDS_TORCH:
        assert (status, err.count("\n")) == (2, 1)
        assert "nothing to" in err
    else:
        assert (status, err) == (0, "")
    assert ("torch is not installed" in out) == (name != "windowed")  # it compares nothing with torch


def spoilt(gradients):
    """Return gradients of which one element is off by a thousandth of the largest."""

    def wrong(*given: Any) -> dict[str, np.ndarray]:
        found = {name: np.array(array) for name, array in gradients(*given).items()}
        found["dW_hh"].flat[0] += 1e-3 * np.abs(found["dW_hh"]).max()
        return found

    return wrong


@pytest.mark.parametrize("name", WITH_GRADIENTS)
def test_nothing_is_timed_of_peers_that_differ(name: str, bench, monkeypatch, capsys) -> None:
    program = bench(name)
    if name == "windowed":
        monkeypatch.setattr(program, "by_definition", spoilt(program.by_definition))
    elif name == "packed":
        padded = program.ours_padded
        monkeypatch.setattr(program, "ours_padded", lambda *given: spoilt(padded(*given)))
    else:
        peer = bench("min_char_rnn").MinCharRNN
        monkeypatch.setattr(peer, "gradients", spoilt(peer.gradients))
    monkeypatch.setattr(program, "interleave", lambda *_: pytest.fail("timed all the same"))
    assert run(program, RUNS[name], monkeypatch) == 1
    assert "differ" in capsys.readouterr().err


def test_a_difference_that_is_not_a_number_is_one(bench) -> None:
    peers = bench("peers")
    ours = {"dW_hh": np.ones((2, 2))}
    assert peers.disagreement(ours, {"dW_hh": np.ones((2, 2))}) == 0
    assert not peers.disagreement(ours, {"dW_hh": np.full((2, 2), np.nan)}) <= peers.AGREEMENT


def test_a_wrong_gradient_is_refused_by_every_check_that_is_timed(bench, monkeypatch, capsys) -> None:
    pytest.importorskip("torch")
    program = bench("gradcheck")
    from numpy_impl import model
    from rnncheck import implementation

    def wrong(*given: Any, **options: Any):
        step = model.loss_and_grads(*given, **options)
        step.grads["dW_hh"][0, 0] *= 1.001
        return step

    monkeypatch.setattr(program, "loss_and_grads", wrong)
    monkeypatch.setattr(implementation, "loss_and_grads", wrong)
    assert run(program, RUNS["gradcheck"], monkeypatch) == 1
    assert "refused by: one oracle comparison, central differences" in capsys.readouterr().err


def test_the_sweep_counts_a_fault(bench, monkeypatch, capsys) -> None:
    pytest.importorskip("torch")
    from rnncheck.implementation import NumpyImpl

    right = NumpyImpl._rnn
    monkeypatch.setattr(
        NumpyImpl, "_rnn", lambda self, case: {**right(self, case), "dh0": 2 * right(self, case)["dh0"]}
    )
    assert run(bench("sweep"), RUNS["sweep"], monkeypatch) == 1
    assert "'failed': 6" in capsys.readouterr().out


def test_goals_are_said_with_their_verdict(bench, monkeypatch, capsys) -> None:
    command = bench("command")
    assert [command.verdict("a", r, 2.0)["met"] for r in (1.99, 2.0, 2.01)] == [False, True, True]
    assert [command.verdict("a", r, 2.0, at_most=True)["met"] for r in (1.99, 2.0, 2.01)] == [True, True, False]
    assert run(bench("step_time"), ["--sizes", "50,27,8,1", "--dtypes", "float64", *SHORT], monkeypatch) == 0
    out = capsys.readouterr().out
    assert out.count("goal >=") + out.count("goal <=") == int(out.split(" goals met")[0].split()[-1])


WRONG = [
    ("step_time", ["--sizes", "4,5"], "argument --sizes: size '4,5': expected four whole numbers H,V,T,B"),
    ("step_time", ["--sizes", "4,5,0,1"], "argument --sizes: size '4,5,0,1': H, V, T and B must be at least 1"),
    ("step_time", ["--seconds", "0"], "argument --seconds: '0' is no time; give a number of seconds above 0"),
    ("step_time", ["--seed", "-1"], "argument --seed: '-1' is not a whole number from 0 on"),
    ("step_time", ["--json", "/nowhere/at/all"], "argument --json: /nowhere/at/all: no file can be written there"),
    ("growth", ["--lengths", "0"], "argument --lengths: 0: must be at least 1"),
    ("growth", ["--from", "/nowhere"], "--from draws, and there is nothing to draw into: add --plot FILE.svg"),
    ("growth", ["--from", "/nowhere", "--plot", "a.svg"], "/nowhere cannot be read: No such file"),
    ("growth", ["--from", __file__, "--plot", "a.svg"], "holds no figures of this program"),
    ("sampling", ["--sizes", "4"], "argument --sizes: '4': expected two whole numbers H,V, such as 100,65"),
    ("packed", ["--fills", "1.5"], "argument --fills: 1.5 is no share of a batch"),
]


@pytest.mark.parametrize(("name", "arguments", "sentence"), WRONG, ids=lambda v: str(v)[:30])
def test_what_it_cannot_read_gets_a_sentence(name, arguments, sentence, bench, monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(bench(name), arguments, monkeypatch)
    assert exit_.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", RUNS)
def test_help_names_every_option(name: str, bench, monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(bench(name), ["--help"], monkeypatch)
    assert exit_.value.code == 0
    usage = capsys.readouterr().out
    assert "--seed" in usage
    assert "--json" in usage
    assert f"python benchmarks/{name}.py" in usage


def test_growth_is_drawn_from_what_was_measured_earlier(bench, monkeypatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    program = bench("growth")
    assert run(program, [*RUNS["growth"], "--no-peers", "--json", str(tmp_path / "a.json")], monkeypatch) == 0
    monkeypatch.setattr(program, "measure", lambda *_: pytest.fail("measured again"))
    pictures = []
    for name in ("a.svg", "b.svg"):
        assert run(program, ["--from", str(tmp_path / "a.json"), "--plot", str(tmp_path / name)], monkeypatch) == 0
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    assert b"numpy_impl" in pictures[0]


def test_lengths_fill_a_batch_as_much_as_asked(bench) -> None:
    packed, Size = bench("packed"), bench("problem").Size
    for fill in (1.0, 0.75, 0.5, 0.35):
        lengths = packed.draw_lengths(Size(4, 5, 100, 64), fill)
        assert lengths.max() == 100
        assert lengths.min() >= 1
        assert abs(lengths.mean() / 100 - fill) < 0.02


def test_code_that_is_refused_is_told_and_ends_in_1(bench, monkeypatch, capsys) -> None:
    pytest.importorskip("torch")
    program = bench("false_alarms")
    wrong = program.Summed("a thousandth too much", lambda a, b: 1.001 * (a @ b))
    monkeypatch.setattr(program, "CORRECT", [*program.CORRECT, wrong])
    assert run(program, RUNS["false_alarms"], monkeypatch) == 1
    told = capsys.readouterr().err
    assert told.count("ALARM: a thousandth too much") == told.count("ALARM") > 0
