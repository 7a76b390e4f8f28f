"""`rnncheck train` and `rnncheck sample`: words, files, exit codes, and being stopped at any moment."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

import rnncheck
from numpy_impl import checkpoint
from rnncheck.cli import train as command
from rnncheck.cli.guard import exit_code
from rnncheck.cli.sample import sample
from rnncheck.cli.train import train
from rnncheck.options import INSTALL_TORCH
from rnncheck.result import Comparison, Verdict

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
TEXT = (
    "It rains today. The old dog sleeps near the fire, and nobody minds. Come in! The fire is warm, the dog is old.\n"
)


def rnncheck_main(argv: list[str]) -> int:
    app = typer.Typer()
    app.command()(train)
    app.command()(sample)

    def invoke() -> int | None:
        command = typer.main.get_command(app)
        with command.make_context("rnncheck", list(argv)) as context:
            return command.invoke(context)

    return exit_code(invoke, argv)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command in a folder with a text; return exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT + "anna\nbob\n")
    Path("names.txt").write_text("Anna\nBob\nCy\n")

    def go(line: str) -> tuple[int, str, str]:
        code = rnncheck_main(line.split())
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return go


def test_training_tells_what_it_does(run) -> None:
    code, out, _ = run("train sentences --data text.txt --steps 12 --sample-every 5 --set hidden=7")
    assert code == 0
    lines = out.splitlines()
    assert re.match(r"sentences: 5 examples, \d+ tokens, [\d,]+ weights; numpy, seed 1, steps 0 to 12$", lines[0])
    assert [line.split(":")[0] for line in lines if line.startswith("before pass")] == [
        f"before pass {n}" for n in (1, 2, 3)
    ]
    assert [line.split(":")[0] for line in lines if line.startswith("step")] == [f"step {n}" for n in range(12)]
    assert sum(line.startswith("  ") for line in lines) == 3  # after steps 0, 5 and 10
    assert re.match(r"done 12 steps: smoothed loss \d\.\d{6}, loss of the set \d\.\d{6}$", lines[-1])
    assert "\x1b" not in out


def test_a_loss_that_runs_away_does_not_fill_the_screen(run) -> None:
    settings = "--set lr=1e200 --set optimizer=sgd --set clip_method=none --set hidden=8"
    code, out, _ = run(f"train chars --data text.txt --steps 3 --sample-every 0 {settings}")
    assert code == 0
    assert "e+" in out
    assert max(map(len, out.splitlines())) < 120


def test_names_are_sampled_four_at_a_time(run) -> None:
    code, out, _ = run("train names --data names.txt --steps 1")
    assert code == 0
    assert len([line for line in out.splitlines() if line.startswith("  ")]) == 4


def test_no_samples_are_shown_if_none_are_wanted(run) -> None:
    assert "  " not in run("train names --data names.txt --steps 3 --sample-every 0")[1].replace("\n", "")


def test_a_resumed_run_writes_the_same_file(run) -> None:
    for recipe in ("names", "sentences", "chars"):
        whole, first, second = (f"{recipe}.{which}" for which in ("whole", "first", "second"))
        begin = f"train {recipe} --data text.txt --sample-every 3 --set hidden=8"
        assert run(f"{begin} --steps 17 --checkpoint {whole}")[0] == 0
        assert run(f"{begin} --steps 9 --checkpoint {first} --checkpoint-every 4")[0] == 0
        assert run(f"{begin} --steps 17 --resume {first} --checkpoint {second}")[0] == 0
        assert Path(whole).read_bytes() == Path(second).read_bytes()
        assert checkpoint.load(first).step == 9
        assert run(f"train {recipe} --data text.txt --steps 17 --resume {first}")[0] == 0  # goes on in the same file
        assert Path(whole).read_bytes() == Path(first).read_bytes()


def test_a_run_that_is_done_has_nothing_to_do(run) -> None:
    run("train names --data names.txt --steps 4 --checkpoint kept")
    before = Path("kept").read_bytes()
    code, out, _ = run("train names --data names.txt --steps 4 --resume kept")
    assert code == 0
    assert out.endswith("the model is in kept; next: rnncheck sample kept\n")
    assert "done 4 steps" in out
    assert Path("kept").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("train names --data nowhere.txt", "nowhere.txt does not exist"),
        ("train names --data .", ". is a folder"),
        ("train names --data empty.txt", "empty.txt is empty (0 bytes, no text)"),
        ("train names --data latin1.txt", "latin1.txt: byte 0xe9 at offset 3 is not UTF-8"),
        ("train chars --data names.txt", "names.txt has 12 characters; a chunk of 25 and the one that follows make 26"),
        ("train sentences --data names.txt --set vocabulary_size=1", "vocabulary_size is 1, and must be at least 2"),
        ("train names --data names.txt --set colour=red", "'colour' is not a setting of a recipe"),
        ("train names --data names.txt --set lr", "'lr' has no value; write for example lr=0.01"),
        ("train names --data names.txt --checkpoint-every 5", "there is no checkpoint to write; add --checkpoint FILE"),
        ("train names --data names.txt --checkpoint nowhere/kept", "there is no folder nowhere"),
        ("train names --data names.txt --checkpoint names.txt", "names.txt is there already and is not a checkpoint"),
        ("train names --data names.txt --checkpoint kept --steps 1", "kept holds a training run already"),
        ("train names --data names.txt --resume other --checkpoint kept", "go on with it by --resume kept"),
        ("train names --data names.txt --json names.txt", "names.txt is what is read: the report would overwrite it"),
        ("train names --data names.txt --resume kept --json kept", "--checkpoint and --json both name kept"),
        ("train names --data names.txt --resume kept --checkpoint new --json kept", "kept is what is read"),
        ("sample kept --json ./kept", "kept is what is read: the report would overwrite it"),
        ("train names --data names.txt --checkpoint -", "a checkpoint is a file, not a stream; name one"),
        ("train names --data names.txt --resume nowhere", "nowhere does not exist"),
        ("train names --data names.txt --resume names.txt", "names.txt is not a checkpoint of a training run"),
        ("train names --data names.txt --seed 99999999999", "99999999999 is above 4294967295"),
        ("train names --data names.txt --steps 0", "0 is below 1"),
        (
            "train chars --data text.txt --set lr=1e308 --set optimizer=sgd --sample-every 0",
            "loss is nan: training needs",
        ),
        ("train chars --data text.txt --set lr=1e308 --set optimizer=sgd", "the weights have diverged"),
        ("train poems", "poems"),
        ("sample nowhere", "nowhere does not exist"),
        ("sample names.txt", "names.txt is not a checkpoint of a training run"),
        ("sample kept --prime A9", "the start text: '9' at position 2 is not in the vocabulary of 7 tokens"),
        ("sample kept --temperature -1", "-1.0 is no temperature; give 0, or a positive number"),
        ("sample kept --temperature nan", "nan is no temperature"),
        ("sample kept --temperature inf", "inf is no temperature"),
        ("sample kept --top-k 0", "top_k is 0"),
        ("sample kept --top-p 2", "top_p is 2.0"),
        ("sample kept --n 0", "0 is below 1"),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(run, line: str, sentence: str) -> None:
    Path("empty.txt").write_bytes(b"")
    Path("latin1.txt").write_bytes("josé".encode("latin1"))
    run("train names --data names.txt --steps 2 --checkpoint kept")
    Path("other").write_bytes(Path("kept").read_bytes())
    before, text = Path("kept").read_bytes(), Path("names.txt").read_bytes()
    code, _, err = run(line)
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err
    assert "internal error" not in err
    assert len(err.strip().splitlines()) == 1
    assert (Path("kept").read_bytes(), Path("names.txt").read_bytes()) == (before, text)


@pytest.mark.parametrize("framework", ["torch", "both"])
def test_without_torch_the_other_frameworks_are_refused_at_once(
    run, framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnncheck.options.find_spec", lambda name: None)
    code, out, err = run(f"train names --data names.txt --framework {framework}")
    assert (code, out) == (2, "")
    assert err == f"rnncheck: torch is not installed, and --framework {framework} needs it; {INSTALL_TORCH}\n"


def test_a_full_disk_ends_the_run_and_keeps_the_last_good_file(run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("train names --data names.txt --steps 2 --checkpoint kept")
    before = Path("kept").read_bytes()

    def no_room(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_room)
        code, _, err = run("train names --data names.txt --steps 9 --resume kept")
    assert code == 2
    assert "the checkpoint was not written (No space left on device)" in err
    assert Path("kept").read_bytes() == before


def test_samples_go_to_standard_output_and_are_reproducible(run) -> None:
    run("train chars --data text.txt --steps 30 --checkpoint kept")
    first, again, other = (run(f"sample kept --prime The --n 40 --seed {seed}") for seed in (3, 3, 4))
    assert first == again
    assert first[1] != other[1]
    assert first[0] == 0
    assert first[1].startswith("The")
    assert len(first[1]) == len("The") + 40 + len("\n")


def test_the_options_of_sampling_have_their_effect(run) -> None:
    run("train chars --data text.txt --steps 30 --checkpoint kept")
    likeliest = [
        run(f"sample kept --prime The {how} --n 40")[1] for how in ("--temperature 0", "--top-k 1", "--top-p 1e-9")
    ]
    assert len(set(likeliest)) == 1
    free = run("sample kept --prime The --n 40")[1]
    assert free not in likeliest
    assert run("sample kept --prime The --n 40 --temperature 3")[1] != free
    assert run("sample kept --prime The --n 40 --zero-state")[1] != free


def test_names_are_written_one_per_line(run) -> None:
    run("train names --data names.txt --steps 3 --checkpoint kept")
    code, out, _ = run("sample kept --n 6 --prime An")
    assert code == 0
    assert len(out.splitlines()) == 6
    assert all(line.startswith("an") and len(line) <= 15 for line in out.splitlines())


@pytest.mark.parametrize("failed", [False, True])
def test_lockstep_prints_the_largest_error_and_ends_with_a_verdict(
    run, failed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    verdict = Verdict.FAILED if failed else Verdict.PASSED
    import rnncheck.lockstep

    monkeypatch.setattr(
        rnncheck.lockstep, "judge_step", lambda *args: [Comparison("dW_hh", verdict, error=9.0 if failed else 0.5)]
    )
    code, out, _ = run("train names --data names.txt --steps 3 --framework both")
    assert code == (1 if failed else 0)
    assert (
        f"lockstep: 3 steps, 3 arrays judged, {3 if failed else 0} wrong, 0 not comparable; the largest error is" in out
    )
    assert ("WRONG at step 0: dW_hh" in out) == failed


def test_lockstep_judges_every_step_against_torch(run) -> None:
    pytest.importorskip("torch")
    code, out, _ = run("train names --data names.txt --steps 3 --framework both")
    assert code == 0
    assert re.search(r"lockstep: 3 steps, \d+ arrays judged, 0 wrong", out)


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_keeps_a_checkpoint_and_says_how_to_go_on(number: int, run, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(rnncheck.__file__).parents[1])!r}); import typer\n"
        "from rnncheck.cli.train import train\n"
        "app = typer.Typer(); app.command()(train)\n"
        "sys.exit(typer.main.get_command(app).main(sys.argv[1:], standalone_mode=False))\n"
    )
    line = "names --data names.txt --steps 10000000 --sample-every 0 --set hidden=8 --checkpoint kept"
    line += " --checkpoint-every 50"
    process = subprocess.Popen([sys.executable, "-c", code, *line.split()], stdout=subprocess.PIPE, text=True)
    while not Path("kept").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    stopped = checkpoint.load("kept").step
    assert f"stopped after {stopped} of 10000000 steps; go on with:" in out
    assert "rnncheck train names --resume kept --steps 10000000 --data names.txt" in out
    goal = stopped + 3
    settings = "--sample-every 0 --set hidden=8"
    assert run(f"train names --data names.txt --resume kept --steps {goal}")[0] == 0
    assert run(f"train names --data names.txt --checkpoint whole --steps {goal} {settings}")[0] == 0
    assert Path("kept").read_bytes() == Path("whole").read_bytes()


@POSIX
def test_a_run_whose_reader_goes_away_is_kept(tmp_path: Path) -> None:
    """As in `rnncheck train ... | head -1`."""
    (tmp_path / "names.txt").write_text("Anna\nBob\n")
    line = "train names --data names.txt --steps 10000000 --sample-every 1 --set hidden=8 --checkpoint kept"
    root = str(Path(rnncheck.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}); from rnncheck.cli import main; sys.exit(main({line.split()!r}))"
    reading, writing = os.pipe()
    process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    _, err = process.communicate()
    assert (process.returncode, err) == (2, b"")
    assert checkpoint.load(tmp_path / "kept").step >= 1


def test_a_run_that_is_done_can_be_kept_elsewhere(run) -> None:
    run("train names --data names.txt --steps 4 --checkpoint kept")
    assert run("train names --data names.txt --steps 4 --resume kept --checkpoint copy --checkpoint-every 2")[0] == 0
    assert Path("copy").read_bytes() == Path("kept").read_bytes()


def test_a_run_without_a_checkpoint_says_that_nothing_was_kept(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnncheck.stopping.Stop.__enter__", lambda self: setattr(self, "signal", 2) or self)
    code, out, _ = run("train names --data names.txt --steps 5")
    assert code == 130
    assert "stopped after 1 of 5 steps; nothing was kept, because no --checkpoint FILE was asked for" in out


def test_progress_is_a_bar_on_a_terminal(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    _, out, _ = run("train names --data names.txt --steps 30")
    assert "smoothed loss" in out
    assert "\x1b[" in out
    assert out.count("step ") == 1  # beside the samples of step 0 there is only the bar
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = run("train names --data names.txt --steps 30")
    assert not re.search(r"\x1b\[3\dm", out)


def test_commands_do_not_import_numpy_before_they_run() -> None:
    code = f"import sys; sys.path.insert(0, {str(Path(command.__file__).parents[2])!r}); " + (
        "import rnncheck.cli.train, rnncheck.cli.sample; print('numpy' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_run_and_its_samples_are_written_as_json(tmp_path, monkeypatch, capsys):
    """Standard output then holds one document and nothing else."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text("anna\nbob\ncarla\n", encoding="utf-8")
    train = ["train", "names", "--data", "names.txt", "--steps", "5", "--checkpoint", "kept", "--json", "-"]
    assert rnncheck_main(train) == 0
    run = json.loads(capsys.readouterr().out)
    assert (run["schema_version"], run["steps"], len(run["losses"]), run["recipe"]["name"]) == (1, 5, 5, "names")
    assert run["events"][0]["step"] == 0
    assert len(run["events"][0]["samples"]) == run["recipe"]["sample_count"]
    assert run["lockstep"]["judged"] == 0, "one framework alone judges nothing"
    assert rnncheck_main(["sample", "kept", "--n", "3", "--json", "samples.json"]) == 0
    written = json.loads((tmp_path / "samples.json").read_text(encoding="utf-8"))
    assert "\n".join(written["samples"]) + "\n" == capsys.readouterr().out
    assert rnncheck_main(["sample", "kept", "--json", "nowhere/samples.json"]) == 2
