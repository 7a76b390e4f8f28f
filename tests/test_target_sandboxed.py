"""`rnncheck check` runs what it is pointed at apart, the same verdict as here, and believes nothing it is told."""

import json
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from rnncheck.check import check_rnn
from rnncheck.cli import main
from rnncheck.errors import NotShownError, TargetError, UserError
from rnncheck.implementation import NumpyImpl
from rnncheck.protocol.files import CASES, chosen_vectors, export
from rnncheck.protocol.lines import answer_line, plain_text
from rnncheck.result import Verdict
from rnncheck.shipped import shipped
from rnncheck.target import load_results, load_target
from rnncheck.targets.received import received_adapter, scale_of
from rnncheck.targets.source import find_module
from rnncheck.vectors import read_vectors

HONEST = Path(__file__).parent / "hostile" / "honest.py"
RIGHT = """
import numpy as np

class RNN:
    def __init__(self, I, H, V):
        self.W_xh, self.W_hh, self.W_hy = np.zeros((H, I)), np.zeros((H, H)), np.zeros((V, H))
        self.b_h, self.b_y = np.zeros((H, 1)), np.zeros((V, 1))

    def forward(self, x):
        self.x, self.h, self.p = x, {-1: np.zeros_like(self.b_h)}, {}
        for t in range(len(x)):
            x_t = np.zeros((self.W_xh.shape[1], 1))
            x_t[x[t]] = 1
            self.h[t] = np.tanh(self.W_xh @ x_t + self.W_hh @ self.h[t - 1] + self.b_h)
            z = self.W_hy @ self.h[t] + self.b_y
            self.p[t] = np.exp(z) / np.exp(z).sum()
        return self.p, self.h

    def backward(self, y):
        dW_xh, dW_hh, dW_hy = np.zeros_like(self.W_xh), np.zeros_like(self.W_hh), np.zeros_like(self.W_hy)
        db_h, db_y = np.zeros_like(self.b_h), np.zeros_like(self.b_y)
        carry = np.zeros_like(self.b_h)
        for t in reversed(range(len(y))):
            dz = self.p[t].copy()
            dz[y[t]] -= 1
            dW_hy += dz @ self.h[t].T
            db_y += dz
            da = (1 - self.h[t] ** 2) * (self.W_hy.T @ dz + carry)
            db_h += da
            dW_hh += da @ self.h[t - 1].T
            dW_xh[:, [self.x[t]]] += da
            carry = self.W_hh.T @ da
        return dW_xh, dW_hh, dW_hy, db_h, db_y
"""
WRONG = RIGHT.replace("self.W_hh.T @ da", "self.W_hh @ da")


@pytest.mark.parametrize(("code", "exit_code"), [(RIGHT, 0), (WRONG, 1)], ids=["right", "wrong"])
def test_apart_and_here_the_verdict_is_the_same(code, exit_code, tmp_path):
    (tmp_path / "net.py").write_text(code)
    apart = check_rnn(load_target(str(tmp_path / "net.py")))
    here = check_rnn(load_target(str(tmp_path / "net.py"), isolated=False))
    assert apart.exit_code == here.exit_code == exit_code
    assert [(o.check, o.verdict) for o in apart.outcomes] == [(o.check, o.verdict) for o in here.outcomes]
    assert any(note.startswith("protections in force: a process of its own") for note in apart.notes)
    assert any(note.startswith("NOT in force: any protection") for note in here.notes)


OVERWRITES = """
import numpy as np

class RNN:
    def __init__(self, I, H, V):
        self.W_xh, self.W_hh, self.W_hy = np.zeros((H, I)), np.zeros((H, H)), np.zeros((V, H))
        self.b_h, self.b_y = np.zeros((H, 1)), np.zeros((V, 1))

    def loss(self, x, y, h0):
        states, loss = [h0.copy()], 0.0
        h = h0
        for token, target in zip(x, y):
            a = self.W_xh[:, [token]] + self.W_hh @ h + self.b_h
            h[:] = np.tanh(a)  # IN PLACE
            states.append(h.copy())
        dW_xh, dW_hh, dW_hy = np.zeros_like(self.W_xh), np.zeros_like(self.W_hh), np.zeros_like(self.W_hy)
        db_h, db_y, carry = np.zeros_like(self.b_h), np.zeros_like(self.b_y), np.zeros_like(self.b_h)
        for t in reversed(range(len(x))):
            z = self.W_hy @ states[t + 1] + self.b_y
            p = np.exp(z) / np.exp(z).sum()
            loss -= np.log(p[y[t], 0])
            dz = p.copy()
            dz[y[t]] -= 1
            dW_hy += dz @ states[t + 1].T
            db_y += dz
            da = (1 - states[t + 1] ** 2) * (self.W_hy.T @ dz + carry)
            db_h += da
            dW_hh += da @ states[t].T
            dW_xh[:, [x[t]]] += da
            carry = self.W_hh.T @ da
        return loss, dW_xh, dW_hh, dW_hy, db_h, db_y
"""


@pytest.mark.parametrize("isolated", [True, False], ids=["apart", "here"])
def test_a_state_that_is_written_into_is_seen_in_any_layout(isolated, tmp_path):
    """A state of shape (H, 1) is a view of that of the case, and columns are handed in one by one."""
    for code, wrong in ((OVERWRITES, {"inputs-unmodified"}), (OVERWRITES.replace("h[:] =", "h ="), set())):
        (tmp_path / "net.py").write_text(code)
        report = check_rnn(load_target(str(tmp_path / "net.py"), isolated=isolated))
        failed = {
            o.check.partition("[")[0].removeprefix("state-") for o in report.outcomes if o.verdict is Verdict.FAILED
        }
        assert failed == wrong


CLIPS = """
import numpy as np

def run(case):
    if case.kind == "clip" and case.method == "value":
        return {name: np.clip(g, -case.bound, case.bound) for name, g in case.grads.items()}
    if case.kind == "clip":
        norm = np.sqrt(sum((g**2).sum() for g in case.grads.values()))
        scale = min(1, case.bound / (norm + case.eps))
        clipped = {name: (g * scale).astype(g.dtype) for name, g in case.grads.items()}
        return {"total_norm": np.asarray(norm), **clipped}
    raise NotImplementedError(f"{case.kind}, {getattr(case, 'method', 'no method')}")
"""


def test_cases_of_every_kind_reach_a_target_apart(tmp_path):
    """The method of a case, "norm" or "adagrad", is not the method of the target that is called."""
    (tmp_path / "mine.py").write_text(CLIPS)
    report = check_rnn(load_target(f"{tmp_path / 'mine.py'}:run"))
    said = {o.family: o.message for o in report.outcomes}
    assert {o.verdict for o in report.outcomes if o.family == "clipping"} == {Verdict.PASSED}
    assert "NotImplementedError: optim, adagrad" in said["optimizer"]
    assert "NotImplementedError: sample, draw" in said["sampling"]


EXITS = """
import os

class RNN:
    def __init__(self, I, H, V, end=os._exit):
        end(0)

    def forward(self, x):
        pass

    def backward(self, y):
        pass
"""
FORGED = """
import os, sys

class RNN:
    def __init__(self, I, H, V):
        answer = {answer!r}
        for descriptor in range(3, 32):
            try:
                os.write(descriptor, answer.encode() + b"\\n")
            except OSError:
                pass
        os._exit(0)

    def forward(self, x): pass
    def backward(self, y): pass
"""


def test_a_file_cannot_have_another_judged_in_its_place(tmp_path):
    """It speaks for the search and points at a right file; what is then run is still its own."""
    right, forged = tmp_path / "right.py", tmp_path / "forged.py"
    right.write_text(RIGHT)
    honest = load_target(str(right))
    found = {"path": str(right), "adapter": asdict(honest.adapter), "found": True}
    forged.write_text(FORGED.format(answer=json.dumps({"ready": found})))
    report = check_rnn(load_target(str(forged)))
    assert report.exit_code == 2  # it does not run
    assert report.count(Verdict.PASSED) == 0
    found["found"] = False  # as an adapter, which may call another file, and the report says which
    forged.write_text(FORGED.format(answer=json.dumps({"ready": found})))
    assert f"the adapter calls {right}: that is the file that was judged" in check_rnn(load_target(str(forged))).notes


HOSTILE_LOOKS = {"exits": EXITS, "exits while it is defined": "import sys\nclass RNN:\n    sys.exit(0)\n"}


@pytest.mark.parametrize("code", HOSTILE_LOOKS.values(), ids=HOSTILE_LOOKS)
def test_a_file_that_ends_its_process_is_refused_in_a_sentence(code, tmp_path, capsys):
    (tmp_path / "net.py").write_text(code)
    assert main(["check", str(tmp_path / "net.py")]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "internal error" not in said
    assert len(said.splitlines()) == 1


GOOD = {"source": "net.py", "calls": ["out = rnn.forward(x)"], "params": {"W_xh": "rnn.U"}, "grad_scale": "-(T * B)"}


def test_an_adapter_from_a_child_is_data():
    assert received_adapter(GOOD).grad_scale == "-(T * B)"
    assert received_adapter(GOOD | {"fixed": {"H": 100}}).fixed == {"H": 100}
    assert received_adapter(GOOD | {"fixed": {}}).fixed == {}
    assert received_adapter(GOOD | {"uncalled": ["Other.backward", "train"]}).uncalled == ["Other.backward", "train"]


@pytest.mark.parametrize(
    "change",
    [
        {"grad_scale": "__import__('os').getpid()"},
        {"loss_scale": "T ** 9 ** 9"},
        {"loss_scale": 3},
        {"nonlinearity": "softplus"},
        {"task": ["last step"]},
        {"calls": "out = rnn.forward(x)"},
        {"params": {"W_xh": 1}},
        {"surprise": "x"},
        {"notes": [1]},
        {"uncalled": "train"},
        {"uncalled": ["all of it was judged. AGREE"]},
        {"uncalled": ["a\nb"]},
        {"fixed": {"H": 10**9}},
        {"fixed": {"H": 0}},
        {"fixed": {"H": True}},
        {"fixed": {"T": 5}},
        {"fixed": [7]},
    ],
)
def test_an_adapter_that_was_tampered_with_is_refused(change):
    with pytest.raises(TargetError):
        received_adapter(GOOD | change)


@pytest.mark.parametrize("values", [None, [], "adapter", {}, {"source": "net.py"}])
def test_what_is_no_adapter_is_refused(values):
    with pytest.raises(TargetError):
        received_adapter(values)


def test_scales_are_computed_without_evaluating_them():
    sizes = {"T": 3, "B": 2, "V": 5}
    assert [scale_of(text, sizes) for text in ("1", "-1", "T * B", "0.5 * T", "1 / V", "-(T)")] == [
        1,
        -1,
        6,
        1.5,
        0.2,
        -3,
    ]


def test_text_of_a_target_cannot_paint_the_terminal():
    assert plain_text("\x1b[2J\x1b[32mAGREE\r\n") == "\\x1b[2J\\x1b[32mAGREE\\r\n"
    assert plain_text("x" * 2000).endswith("x...")


def test_a_module_is_found_without_being_imported(tmp_path, monkeypatch):
    package = tmp_path / "surprise_package" / "inner"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "net.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_module("surprise_package.inner.net") == package / "net.py"
    assert not [name for name in sys.modules if name.startswith("surprise_package")]
    for missing in ("surprise_package.other", "surprise_package.inner.net.deeper", "sys", "", "."):
        with pytest.raises(UserError, match="was not found as Python source"):
            find_module(missing)


@pytest.mark.skipif(os.name != "posix" or not shutil.which("sh"), reason="starts a program by a shell")
def test_a_program_is_a_target(capsys):
    assert main(["check", "exec:sh -c 'echo Hello'", "-k", "clip"]) == 2
    why = "COULD NOT RUN: it ends so in every case that is asked: the line 'Hello' is not a JSON object"
    assert why in capsys.readouterr().out


# --- results in files


@pytest.fixture
def exported(tmp_path):
    export(chosen_vectors("clip"), tmp_path)
    cases = [v.case for v in read_vectors(shipped("vectors/v1")) if "clip" in v.case.name]
    lines = {case.name: answer_line(case.name, NumpyImpl().run(case)) for case in cases}
    return tmp_path, lines


def judged(folder, lines, capsys):
    (folder / "results.jsonl").write_text("\n".join(lines), "utf-8")
    code = main(["check", "--results", str(folder)])
    return code, capsys.readouterr()


def test_results_in_files_are_judged(exported, capsys):
    folder, lines = exported
    assert (folder / CASES).exists()
    code, said = judged(folder, lines.values(), capsys)
    assert code == 0
    assert "results are files" in said.out
    name = next(name for name in lines if "norm" in name and "float64" in name)  # the dtype that is judged by default
    line = lines.pop(name)
    answer = json.loads(line)
    answer["trace"]["total_norm"] *= 1.01
    wrong = json.dumps(answer)
    code, said = judged(folder, [*lines.values(), wrong], capsys)
    assert code == 1
    assert f"reproduce: rnncheck check --results {folder} -k 'clipping[{name}]'" in " ".join(said.out.split())


def test_results_of_a_case_that_does_not_exist_are_refused(exported, capsys):
    folder, lines = exported
    code, said = judged(folder, [line.replace('"id": "clip', '"id": "clap') for line in lines.values()], capsys)
    assert code == 2
    assert "which is no stored case" in said.err


def test_no_question_of_state_is_asked_of_files(exported):
    folder, lines = exported
    (folder / "results.jsonl").write_text("\n".join(lines.values()), "utf-8")
    report = check_rnn(load_results(folder), select="clip or optim")
    assert "state" not in report.families


@pytest.mark.parametrize(
    "words", [["check"], ["check", "net.py", "--results", "."], ["check", "--results", ".", "--trust"]], ids=" ".join
)
def test_one_thing_is_judged(words, capsys):
    assert main(words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_case_whose_settings_are_called_as_our_words_are_is_refused_like_any_other(tmp_path):
    (tmp_path / "net.py").write_text(RIGHT)
    target = load_target(str(tmp_path / "net.py"))
    for case in (v.case for v in read_vectors(shipped("vectors/v1"))):
        if case.kind != "rnn":
            with pytest.raises(NotShownError, match=f"a {case.kind} case"):
                target.run(case)
    assert target.implementation.sandbox._starts == 1
