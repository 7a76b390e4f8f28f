"""The parts of the sandbox: what a child may write, how it is watched and ended, what it finds, what is said of it."""

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty

import numpy as np
import pytest

from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.checks.check import Bench, run_check
from rnncheck.checks.state import state_checks
from rnncheck.errors import NotShownError, TargetError, UserError
from rnncheck.result import Verdict
from rnncheck.sandbox import watch
from rnncheck.sandbox.bundle import NAME, bundle, without_ours
from rnncheck.sandbox.launch import hidden_paths, why_no_namespaces
from rnncheck.sandbox.limits import Limits
from rnncheck.sandbox.lines import Lines, Tail
from rnncheck.sandbox.patience import SHORT_S, waits
from rnncheck.sandbox.protections import as_notes, sentences
from rnncheck.sandbox.sandbox import Sandbox
from rnncheck.sandbox.target import SandboxedTarget, ask_apart
from rnncheck.shipped import data_folder, shipped
from rnncheck.vectors import read_vectors

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes and pipes as POSIX has them")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells under /proc what a process does")
MODES = [True, False] if not why_no_namespaces() else [False]
HONEST = Path(__file__).parent / "hostile" / "honest.py"
CASES = [make_rnn_case(Design(T=4, B=2, H=5, V=4), seed, name=f"case {seed}") for seed in (1, 2)]


# --- lines


@pytest.fixture
def pipe():
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as source, os.fdopen(write, "wb", buffering=0) as sink:
        yield source, sink


def test_lines_come_one_by_one_and_end_with_none(pipe):
    source, sink = pipe
    lines = Lines(source, most=10)
    sink.write(b"one\ntw")
    sink.write(b"o\n\nlast")
    assert [lines.get(5) for _ in range(3)] == [b"one", b"two", b""]
    with pytest.raises(TimeoutError):
        lines.get(0.01)
    sink.close()
    assert [lines.get(5), lines.get(5)] == [b"last", None]


def test_a_machine_that_stands_still_is_not_held_against_the_child(pipe, monkeypatch):
    """It stands still in the first wait, for longer than the whole second; the answer comes in the next."""
    source, sink = pipe
    lines = Lines(source, most=10)
    answers = iter([Empty, b"here"])

    def stands_still(timeout):
        answer = next(answers)
        if answer is Empty:
            raise Empty
        return answer

    monkeypatch.setattr(lines._queue, "get", stands_still)
    assert lines.get(1.0) == b"here"
    monkeypatch.undo()
    sink.close()


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.04, 0.1, 1.0, 2.05, 20.0])
def test_short_waits_add_up(seconds):
    short = list(waits(seconds))
    assert sum(short) == pytest.approx(max(seconds, 0.0))
    assert len(short) >= 1
    assert all(0 <= wait <= SHORT_S for wait in short)


def test_a_line_that_is_too_long_is_not_kept(pipe):
    source, sink = pipe
    lines = Lines(source, most=10)
    sink.write(b"x" * 1000)
    assert lines.get(5) is None
    assert lines.too_long


def test_a_flood_of_lines_waits_in_the_pipe(pipe):
    source, sink = pipe
    os.set_blocking(sink.fileno(), False)
    lines = Lines(source, most=10)
    written, until = 0, time.monotonic() + 5
    while time.monotonic() < until:
        count = sink.write(b"y\n" * 2**15)
        written += count or 0
        if count is None:
            break
    assert written < 2**21
    sink.close()
    lines.close(5)


def test_of_the_log_the_end_is_kept(pipe):
    source, sink = pipe
    log = Tail(source, most=6)
    sink.write(b"a" * 50_000 + b"the end")
    sink.close()
    log.close(5)
    assert log.bytes == b"he end"


# --- counting and ending


@LINUX
def test_descendants_are_counted_and_ended():
    command = "sleep 63 & (sleep 63 & sleep 63; true) & read line"
    with subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, start_new_session=True) as shell:
        until = time.monotonic() + 10
        while len(tree := watch.descendants(shell.pid)) < 5 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(tree) == 5
        assert all(p.threads == 1 and p.memory < 2**28 for p in tree)
        assert sum(p.memory for p in tree) > 2**16
        watch.end_tree(shell.pid)
        assert shell.wait(10) == -signal.SIGKILL
    # the kernel ends them in its own time: a signal that is sent is not yet a process that is gone
    assert within(10, lambda: all(p is None or p.dead for p in (watch._read(str(p.pid)) for p in tree)))


@LINUX
@pytest.mark.parametrize("namespaces", MODES)
def test_a_target_ends_with_its_judge(namespaces, tmp_path):
    """The judge is killed and can clean up nothing: the kernel and the stage do."""
    mark = f"62.{os.getpid()}{int(namespaces)}"
    script = f"""
import sys
from pathlib import Path
from rnncheck.sandbox.sandbox import Sandbox
from rnncheck.sandbox.limits import Limits
shell = "setsid sleep {mark} & while read line; do echo $line; done"
sandbox = Sandbox(["sh", "-c", shell], Limits(), cwd=Path("."), namespaces={namespaces})
print(sandbox.ask("ready", 100).decode(), flush=True)
sys.stdin.read()
"""
    env = os.environ | {"PYTHONPATH": str(Path(watch.__file__).parents[2]), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    ) as judge:
        assert judge.stdout.readline() == b"ready\n"
        assert within(10, lambda: alive(mark))
        judge.kill()
    assert within(10, lambda: not alive(mark))


def within(seconds, holds):
    """Wait until it holds, and tell whether it did."""
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def alive(mark):
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found += [entry] if mark.encode() in (entry / "cmdline").read_bytes().split(b"\0") else []
        except OSError:
            continue
    return found


# --- what the child finds


def imported(file):
    """Yield what a bundled file imports when it is imported."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_runner_needs_nothing_but_the_bundle():
    code, _ = bundle()
    waiting, seen = [f"{NAME}.sandbox.runner"], set()
    while waiting:
        name = waiting.pop()
        file = code / (name.replace(".", "/") + ".py")
        if name in seen or not file.exists():
            continue
        seen.add(name)
        for target in imported(file):
            assert target.partition(".")[0] in sys.stdlib_module_names | {"numpy", NAME}
            waiting.append(target)
    assert {f"{NAME}.case", f"{NAME}.errors", f"{NAME}.protocol.lines", f"{NAME}.protocol.numbers"} <= seen


def test_the_bundle_holds_no_right_answer():
    code, packages = bundle()
    assert not {"textbook", "implementation.py", "vectors.py", "oracle.py", "faults"} & set(os.listdir(code / NAME))
    assert not {"search.py", "trial.py"} & set(os.listdir(code / NAME / "targets"))
    assert {"case.py", "errors.py", "trace.py"} <= set(os.listdir(code / NAME))
    assert not any(entry.name.startswith(("rnncheck", "numpy_impl", "reference")) for entry in packages.iterdir())
    assert (packages / "numpy" / "__init__.py").exists()


def test_a_folder_with_the_judge_is_seen_without_it(tmp_path):
    for name in ("rnncheck", "numpy_impl", "reference", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "rnn.py").touch()
    shown = without_ours(tmp_path, tmp_path / "links")
    assert {"mine", "rnn.py"} <= set(os.listdir(shown))
    assert not {"rnncheck", "numpy_impl", "reference"} & set(os.listdir(shown))
    assert without_ours(tmp_path / "mine", tmp_path / "more") == tmp_path / "mine"


def test_the_answers_are_among_what_is_hidden():
    hidden = hidden_paths()
    vectors = (data_folder() / "vectors").resolve()
    assert any(path == vectors or path in vectors.parents for path in hidden)
    assert Path(watch.__file__).parents[1].resolve() in hidden


# --- what it does to arrays

HABITS = {
    "inputs-unmodified": "case.h0[...] = 0",
    "no-alias": "right['dh'] = right['h']",
    "repeatable": "right['h'] = self.buffer = (self.buffer if hasattr(self, 'buffer') else 0 * right['h'])\n"
    "        self.buffer[...] = h",
}
TARGET = """
from honest import Honest

class Target(Honest):
    def __init__(self, told): pass

    def run(self, case):
        right = super().run(case)
        h = right["h"]
        {habit}
        return right
"""


def state_verdicts(folder, habit):
    shutil.copy(HONEST, folder)
    (folder / "target.py").write_text(TARGET.format(habit=habit))
    target = SandboxedTarget(folder / "target.py", "target:Target", None)
    bench = Bench(target, oracle=None)
    outcomes = [run_check(check, bench) for check in state_checks(CASES)]
    target.sandbox.stop()
    return {o.check.partition("[")[0].removeprefix("state-") for o in outcomes if o.verdict is Verdict.FAILED}


@pytest.mark.parametrize("question", HABITS)
def test_what_a_target_does_to_arrays_is_seen_from_here(question, tmp_path):
    assert state_verdicts(tmp_path, HABITS[question]) == {question}


def test_an_honest_target_does_nothing_to_arrays(tmp_path):
    assert state_verdicts(tmp_path, "pass") == set()


def test_the_dtype_that_was_returned_is_kept(tmp_path):
    """Decimals have no dtype: float32 inside a float64 case must show."""
    shutil.copy(HONEST, tmp_path)
    (tmp_path / "target.py").write_text(TARGET.format(habit="right['h'] = h.astype('float32')"))
    target = SandboxedTarget(tmp_path / "target.py", "target:Target", None)
    trace = target.run(CASES[0])
    assert (trace["h"].dtype, trace["da"].dtype) == (np.float32, np.float64)


# --- how a target begins

BEGINNINGS = {
    "import nothing_of_the_kind": (TargetError, "raised ModuleNotFoundError"),
    "import sys; sys.exit(0)": (TargetError, "called sys.exit(0)"),
    "import os; os._exit(0)": (TargetError, "it did not start: it ended with exit code 0"),
    "while True: pass": (TargetError, "it did not start: no answer within 1 s"),
    f"from {NAME}.errors import UserError; raise UserError('no network here')": (UserError, "no network here"),
    f"from {NAME}.errors import NotShownError; raise NotShownError('an LSTM')": (NotShownError, "an LSTM"),
}


@pytest.mark.parametrize("line", BEGINNINGS)
def test_a_target_that_does_not_load_says_why(line, tmp_path):
    kind, why = BEGINNINGS[line]
    (tmp_path / "target.py").write_text(line)
    limits = Limits(start_s=1.0) if "within 1 s" in why else Limits()
    target = SandboxedTarget(tmp_path / "target.py", "target:Target", None, limits)
    with pytest.raises(kind) as error:
        _ = target.protections
    assert why in str(error.value)


def test_methods_and_options_reach_the_target(tmp_path):
    code = "class Target:\n    def __init__(self, told): self.told = told\n"
    code += "    def run(self, case, scale=1): return {'loss': scale}\n"
    code += "    def sizes(self, case, more): return [case.sizes, self.told, more]\n"
    (tmp_path / "target.py").write_text(code)
    target = SandboxedTarget(tmp_path / "target.py", "target:Target", {"a": 1})
    assert target.run(CASES[0], scale=3)["loss"] == 3
    assert target.call("sizes", CASES[0], more="x") == [CASES[0].sizes, {"a": 1}, "x"]


@pytest.mark.parametrize("kind", ["clip", "optim", "sample"])
def test_a_case_keeps_its_own_method(kind, tmp_path):
    code = "class Target:\n    def __init__(self, told): pass\n    def run(self, case): return {}\n"
    code += "    def ask(self, case, more): return [case.method, more]\n"
    (tmp_path / "target.py").write_text(code)
    target = SandboxedTarget(tmp_path / "target.py", "target:Target", None)
    case = next(v.case for v in read_vectors(shipped("vectors/v1")) if v.case.kind == kind)
    assert target.call("ask", case, more="x") == [case.method, "x"]
    assert target.run(case) == {}


def test_asking_apart_returns_data_and_hides_the_answers(tmp_path):
    code = "import os, rnncheck.shipped as s\ndef look(told):\n    folder = s.data_folder()\n"
    code += "    return [told, os.path.exists(folder / 'vectors')]"
    (tmp_path / "target.py").write_text(code)
    assert ask_apart(tmp_path / "target.py", "target:look", 5) == [5, bool(why_no_namespaces())]


# --- what is said


def test_protections_are_said_as_they_are():
    everything = ("namespaces", "own_proc", "read_only", "private_folders", "hide", "memory", "file")
    text = "\n".join(sentences(everything, Limits()))
    for words in ("no expected value", "no network", "read-only", "2048 MiB of memory", "10 s for an answer"):
        assert words in text
    assert "NOT in force" not in text
    assert len(as_notes(sentences(everything, Limits()))) == 1
    less = "\n".join(as_notes(sentences(("memory",), Limits(), "unshare: Operation not permitted")))
    assert "NOT in force: namespaces (unshare: Operation not permitted)" in less
    for words in ("no network", "read-only", "MiB a file"):
        assert words not in less


@pytest.mark.parametrize("namespaces", MODES)
def test_the_sentences_are_those_of_the_launch(namespaces):
    sandbox = Sandbox(["cat"], Limits(), cwd=Path.cwd(), namespaces=namespaces)
    sandbox.start()
    sandbox.stop()
    assert any(s.startswith("no network") for s in sandbox.protections) == namespaces
    assert any(s.startswith("NOT in force: namespaces") for s in sandbox.protections) != namespaces
