"""A run that was stopped and resumed is bit for bit the run that was not, and no accident costs the last good file."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from numpy_impl import checkpoint
from numpy_impl.recipes import RECIPES
from numpy_impl.run import Run, start
from numpy_impl.train import train

from small_runs import NAMES, TEXT, dataset

STEPS = 23


def fresh(name: str, **changes: object) -> Run:
    """Begin a run that samples often, and whose lr is soon halved where it can be."""
    changes = {"hidden": 8, "sample_every": 4, "sample_length": 12, **changes}
    if name == "sentences":
        changes = {"lr": 0.7, **changes}
    return start(replace(RECIPES[name], **changes), dataset(name), seed=5)


def trained(run: Run, steps: int) -> Run:
    for _ in train(run, dataset(run.recipe.name), steps):
        pass
    return run


def final_bytes(name: str, stops: list[int], folder: Path, spoil: Callable[[Run], None] = lambda run: None) -> bytes:
    """Train to STEPS, stopping and resuming at `stops`; `spoil` is done to the run that was loaded."""
    path = folder / "run.safetensors"
    run = fresh(name)
    for stop in stops:
        checkpoint.save(path, trained(run, stop))
        run = checkpoint.load(path)
        spoil(run)
    checkpoint.save(path, trained(run, STEPS))
    return path.read_bytes()


def random_stops(seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(STEPS + 1), 3))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", RECIPES)
def test_a_resumed_run_writes_the_same_bytes(name: str, seed: int, tmp_path: Path) -> None:
    assert final_bytes(name, random_stops(seed), tmp_path) == final_bytes(name, [], tmp_path), random_stops(seed)


def test_a_run_may_stop_at_every_step(tmp_path: Path) -> None:
    for name in RECIPES:
        assert final_bytes(name, list(range(STEPS)), tmp_path) == final_bytes(name, [], tmp_path)


FORGOTTEN = {
    "momentum": ("names", lambda run: run.opt_state["v"].fill(0)),
    "whether momentum has started": ("names", lambda run: run.opt_state["started"].fill(False)),
    "the order of the names": ("names", lambda run: run.order.sort()),
    "the legacy generator": ("names", lambda run: run.rng.seed(5)),
    "the squared gradients": ("chars", lambda run: run.opt_state["m"].fill(0)),
    "the carried state": ("chars", lambda run: setattr(run, "h", None)),
    "the smoothed loss": ("chars", lambda run: setattr(run, "smoothed", fresh("chars").smoothed)),
    "the generator": ("chars", lambda run: setattr(run, "rng", fresh("chars").rng)),
    "the halved lr": ("sentences", lambda run: setattr(run, "lr", run.recipe.lr)),
    "the last set loss": ("sentences", lambda run: setattr(run, "set_loss", None)),
    "the position": ("sentences", lambda run: setattr(run, "step", run.step - 1)),
    "one bit of a weight": (
        "sentences",
        lambda run: run.params.flat.__setitem__(0, np.nextafter(run.params.flat[0], 9)),
    ),
}


@pytest.mark.parametrize("what", FORGOTTEN)
def test_whatever_is_forgotten_shows_in_the_bytes(what: str, tmp_path: Path) -> None:
    name, spoil = FORGOTTEN[what]
    assert final_bytes(name, [15], tmp_path, spoil) != final_bytes(name, [], tmp_path)


def test_the_test_for_lr_can_fail(tmp_path: Path) -> None:
    assert trained(fresh("sentences"), 15).lr < fresh("sentences").lr  # it was halved before the stop


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_checkpoint_holds_the_run_to_the_last_bit(name: str, dtype: str, tmp_path: Path) -> None:
    run = trained(fresh(name, dtype=dtype), 7)
    checkpoint.save(tmp_path / "a", run)
    loaded = checkpoint.load(tmp_path / "a")
    assert list(loaded.params) == list(run.params)
    np.testing.assert_array_equal(loaded.params.flat, run.params.flat)
    assert loaded.params.flat.dtype == dtype
    for plain in ("recipe", "vocabulary", "sha256", "seed", "lr", "smoothed", "set_loss", "step"):
        assert getattr(loaded, plain) == getattr(run, plain)
    assert loaded.rng.random(5).tolist() == run.rng.random(5).tolist()


def test_equal_runs_give_equal_files_in_different_processes(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(checkpoint.__file__).parents[1])!r})
from numpy_impl import checkpoint
from numpy_impl.datasets import name_data
from numpy_impl.recipes import RECIPES
from numpy_impl.run import start
from numpy_impl.text import TextFile
checkpoint.save(sys.argv[1], start(RECIPES["names"], name_data(TextFile("", {NAMES!r}, "0"))))
"""
    for name, seed in (("a", "1"), ("b", "2")):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name)], check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_last_good_file(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(fresh("chars"), 5)
    checkpoint.save(tmp_path / "run", run)
    before = (tmp_path / "run").read_bytes()

    def no_room(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    trained(run, 9)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, no_room)
        with pytest.raises(OSError, match="No space left on device") as refused:
            checkpoint.save(tmp_path / "run", run)
    assert "a file that was there before is untouched; make room" in refused.value.strerror
    assert refused.value.filename == str(tmp_path / "run")
    assert (tmp_path / "run").read_bytes() == before
    assert os.listdir(tmp_path) == ["run"]  # nothing is left lying about


def test_a_full_disk_in_the_middle_of_the_file_leaves_the_last_good_one(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits on file size are a POSIX thing")
    run = trained(fresh("chars"), 5)
    checkpoint.save(tmp_path / "run", run)
    before = (tmp_path / "run").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
        with pytest.raises(OSError, match="the checkpoint was not written"):
            checkpoint.save(tmp_path / "run", trained(run, 9))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "run").read_bytes() == before
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_run_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(checkpoint.__file__).parents[1])!r})
from numpy_impl import checkpoint
from numpy_impl.datasets import chunk_data
from numpy_impl.recipes import RECIPES
from numpy_impl.run import start
from numpy_impl.text import TextFile
from numpy_impl.train import train
data = chunk_data(TextFile("", {TEXT!r}, "0" * 64))
run = start(RECIPES["chars"], data, seed=5)
for record in train(run, data, 10**9):
    checkpoint.save(sys.argv[1], run)
"""
    path = tmp_path / "run"
    for seconds in (0.0, 0.013, 0.031):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)])
        path.unlink(missing_ok=True)
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(seconds)
        process.kill()
        process.wait()
        assert checkpoint.load(path).step >= 1


def test_weights_that_are_not_finite_do_not_overwrite_good_ones(tmp_path: Path) -> None:
    run = trained(fresh("chars"), 5)
    checkpoint.save(tmp_path / "run", run)
    before = (tmp_path / "run").read_bytes()
    run.params["W_hh"][2, 3] = np.inf
    with pytest.raises(ValueError, match="params are not finite after step 5"):
        checkpoint.save(tmp_path / "run", run)
    assert (tmp_path / "run").read_bytes() == before


def test_a_link_to_a_checkpoint_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"")
    try:
        (tmp_path / "link").symlink_to(tmp_path / "real")
    except OSError:
        pytest.skip("this system lets nobody make links")
    checkpoint.save(tmp_path / "link", fresh("chars"))
    assert (tmp_path / "link").is_symlink()
    assert checkpoint.load(tmp_path / "real").step == 0


def test_longdouble_has_no_place_in_a_checkpoint(tmp_path: Path) -> None:
    run = fresh("chars")
    run.params = type(run.params).pack({name: a.astype(np.longdouble) for name, a in run.params.items()})
    with pytest.raises(TypeError, match=r"a checkpoint holds float32 or float64; cast with \.astype"):
        checkpoint.save(tmp_path / "a", run)


def test_a_checkpoint_into_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the checkpoint was not written"):
        checkpoint.save(tmp_path / "nowhere" / "a", fresh("chars"))
    with pytest.raises(OSError, match="the checkpoint was not written"):
        checkpoint.save(tmp_path, fresh("chars"))


def test_a_place_is_tried_out_before_the_work(tmp_path: Path) -> None:
    checkpoint.check_place(tmp_path / "new")
    assert os.listdir(tmp_path) == []
    for place in (tmp_path / "nowhere" / "a", tmp_path / ("n" * 255)):  # 255 is a legal name, its draft's is too long
        with pytest.raises(OSError, match="no checkpoint can be written there") as refused:
            checkpoint.check_place(place)
        assert refused.value.filename == str(place)
    assert os.listdir(tmp_path) == []


def test_only_a_checkpoint_may_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="is there already and is not a checkpoint: it would be overwritten"):
        checkpoint.check_place(tmp_path / "thesis.txt")
    checkpoint.save(tmp_path / "a", fresh("chars"))
    checkpoint.check_place(tmp_path / "a")
    (tmp_path / "empty").touch()
    checkpoint.check_place(tmp_path / "empty")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes as POSIX has them")
@pytest.mark.parametrize("call", [checkpoint.check_place, lambda path: checkpoint.save(path, fresh("chars"))])
def test_a_device_is_not_replaced_by_a_file(call: Callable[[Path], None], tmp_path: Path) -> None:
    """A rename onto /dev/null takes it from the whole machine. A pipe stands for it: a test that fails does no harm."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is a device or a pipe; a checkpoint is a file"):
        call(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(ValueError, match="pipe is a device or a pipe"):
        checkpoint.load(tmp_path / "pipe")  # and not wait for a writer who never comes


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", trained(fresh("names"), 3))
    whole = (tmp_path / "a").read_bytes()
    rng = random.Random(7)
    for at in [*range(8), *(rng.randrange(8, len(whole)) for _ in range(150))]:
        flipped = bytearray(whole)
        flipped[at] ^= 1 << rng.randrange(8)
        (tmp_path / "a").write_bytes(flipped)
        with pytest.raises(ValueError, match=r"or it is damaged \(|has checkpoint format"):
            checkpoint.load(tmp_path / "a")


def damage(path: Path, how: str) -> None:
    whole = path.read_bytes()
    if how == "cut off":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "text":
        path.write_text("hello")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "another safetensors file":
        save_file({"a": np.zeros(3)}, path)
    elif how == "an array is missing":
        run = trained(fresh("chars"), 3)
        arrays, plain = {"params.W_xh": run.params["W_xh"]}, checkpoint._plain(run)
        checksum = {"checksum": checkpoint._checksum(arrays, plain)}
        save_file(arrays, path, {checkpoint.KEY: json.dumps(plain | checksum)})


@pytest.mark.parametrize("how", ["cut off", "text", "empty", "another safetensors file", "an array is missing"])
def test_a_damaged_file_is_refused_in_a_sentence(how: str, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", trained(fresh("chars"), 3))
    damage(tmp_path / "a", how)
    with pytest.raises(ValueError, match=r"a is not a checkpoint of a training run, or it is damaged \("):
        checkpoint.load(tmp_path / "a")


def test_a_checkpoint_of_a_later_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(checkpoint, "FORMAT", 2)
        checkpoint.save(tmp_path / "a", fresh("chars"))
    with pytest.raises(ValueError, match="a has checkpoint format 2, this version reads 1"):
        checkpoint.load(tmp_path / "a")


def test_a_folder_and_nothing_are_no_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        checkpoint.load(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        checkpoint.load(tmp_path / "nothing")
