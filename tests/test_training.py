"""Beginning, resuming and following a run; what would make it another run is refused."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpy_impl import checkpoint
from rnncheck.errors import UserError
from rnncheck.result import Comparison, Verdict
from rnncheck.shipped import TEXTS, data_folder, shipped, shipped_text
from rnncheck.training import Request, Tally, follow, prepare

TEXT = (
    "It rains today. The old dog sleeps near the fire, and nobody minds. Come in! The fire is warm, the dog is old.\n"
)
SMALL = {"hidden": "9"}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT + "anna\nbob\n")
    return path


def kept(text: Path, recipe: str = "chars", steps: int = 5) -> Path:
    """Train a little and return the checkpoint."""
    run, data = prepare(Request(recipe, text, settings=SMALL))
    for _ in follow(run, data, steps, "numpy", Tally()):
        pass
    checkpoint.save(text.with_name("kept"), run)
    return text.with_name("kept")


@pytest.mark.parametrize("recipe", TEXTS)
def test_every_recipe_has_a_shipped_text_to_begin_with(recipe: str) -> None:
    run, data = prepare(Request(recipe))
    assert run.seed == 1
    assert run.step == 0
    assert shipped_text(recipe).is_file()
    assert len(data) >= 1000


def test_data_that_was_not_shipped_is_missed_by_its_path() -> None:
    with pytest.raises(UserError, match=r"nowhere\.txt is missing: this copy of rnncheck is not whole"):
        shipped("nowhere.txt")
    assert shipped("names.txt").parent == data_folder()


def test_settings_and_sample_every_reach_the_recipe(text: Path) -> None:
    run, _ = prepare(Request("chars", text, sample_every=7, settings={"hidden": "9", "optimizer": "sgd"}))
    assert (run.recipe.hidden, run.recipe.optimizer, run.recipe.sample_every) == (9, "sgd", 7)


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="pipes that have a name, as POSIX systems have them")
def test_a_text_from_a_pipe_is_read_once(text: Path) -> None:
    """As in `--data <(zcat text.gz)`: a second reading finds nothing."""
    start = kept(text)
    reading, writing = os.pipe()
    os.write(writing, text.read_bytes())
    os.close(writing)
    _, data = prepare(Request("chars", Path(f"/dev/fd/{reading}"), resume=start))
    os.close(reading)
    assert len(data) == len(prepare(Request("chars", text))[1])


def test_a_resumed_run_keeps_its_settings(text: Path) -> None:
    run, _ = prepare(Request("chars", text, resume=kept(text)))
    assert (run.step, run.recipe.hidden, run.seed) == (5, 9, 1)
    run, _ = prepare(Request("chars", text, resume=kept(text), seed=1, settings=SMALL, sample_every=3, steps=5))
    assert run.recipe.sample_every == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"recipe": "names"}, r"kept is a run of chars, not of names: .* use `rnncheck train chars`"),
        ({"seed": 2}, r"kept has seed 1, not 2: a run goes on with its own seed"),
        ({"steps": 4}, r"kept has done 5 steps already, more than --steps 4: --steps is the total"),
        ({"settings": {"hidden": "10"}}, r"kept was trained with hidden=9, not with hidden=10"),
        ({"settings": {"hidden": "9", "lr": "3"}}, r"kept was trained with lr=0\.1, not with lr=3"),
    ],
)
def test_what_would_make_it_another_run_is_refused(changes: dict[str, object], sentence: str, text: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        prepare(replace(Request("chars", text, resume=kept(text)), **changes))


def test_a_text_that_has_changed_by_one_byte_is_refused(text: Path) -> None:
    resume = kept(text)
    text.write_text(text.read_text() + "\n")
    with pytest.raises(UserError, match=r"kept was trained on a text with sha256 .* name that file with --data"):
        prepare(Request("chars", text, resume=resume))
    with pytest.raises(UserError, match="was trained on a text"):
        prepare(Request("chars", resume=resume))  # the shipped text is another one, too


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_the_legacy_generator_cannot_take_is_refused(seed: int, text: Path) -> None:
    with pytest.raises(ValueError, match=f"seed is {seed}"):
        prepare(Request("names", text, seed=seed))


def finding(margin: float, verdict: Verdict = Verdict.PASSED) -> Comparison:
    return Comparison("h", verdict, error=margin, limit=1.0)


def test_the_tally_keeps_the_worst_and_the_first_wrong_comparison() -> None:
    tally = Tally()
    tally.add(0, [finding(0.2), finding(0.0, Verdict.NOT_COMPARABLE)])
    tally.add(1, [finding(0.1)])
    assert (tally.worst, tally.step, tally.wrong) == (finding(0.2), 0, None)
    tally.add(2, [finding(3.0, Verdict.FAILED)])
    tally.add(3, [finding(9.0, Verdict.FAILED)])
    assert (tally.wrong, tally.step) == (finding(3.0, Verdict.FAILED), 2)
    assert tally.worst == finding(9.0, Verdict.FAILED)
    assert (tally.judged, tally.failed, tally.not_comparable) == (4, 2, 1)


@pytest.mark.parametrize("recipe", TEXTS)
def test_torch_trains_like_numpy(recipe: str, text: Path) -> None:
    pytest.importorskip("torch")
    runs = []
    for framework in ("numpy", "torch"):
        run, data = prepare(Request(recipe, text, settings=SMALL))
        for _ in follow(run, data, 8, framework, Tally()):
            pass
        runs.append(run)
    np.testing.assert_allclose(runs[0].params.flat, runs[1].params.flat, rtol=0, atol=1e-9)
    assert runs[0].smoothed == pytest.approx(runs[1].smoothed, rel=1e-9)


@pytest.mark.parametrize("recipe", TEXTS)
def test_lockstep_finds_nothing_wrong_and_trains_as_numpy_does(recipe: str, text: Path) -> None:
    pytest.importorskip("torch")
    weights = []
    for framework in ("numpy", "both"):
        run, data = prepare(Request(recipe, text, settings=SMALL))
        tally = Tally()
        for _ in follow(run, data, 4, framework, tally):
            pass
        weights.append(run.params.flat)
    np.testing.assert_array_equal(weights[0], weights[1])
    assert tally.judged >= 4 * 9
    assert tally.failed == 0
    assert tally.worst is not None
