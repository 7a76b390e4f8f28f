"""Adapters: written by hand, written out, read back; and the commands `check` and `new` around them."""

import json
import re
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest

from rnncheck.cases.of_targets import FORMS, FORMS_FOLDER, Form, check_cases
from rnncheck.check import check_rnn, form_of
from rnncheck.cli import main
from rnncheck.errors import NotJudgedError, NotShownError, UserError
from rnncheck.implementation import NumpyImpl
from rnncheck.result import Verdict
from rnncheck.shipped import shipped
from rnncheck.target import load_target
from rnncheck.targets import Adapter
from rnncheck.targets.describe import SKELETON, assumptions, source_text
from rnncheck.targets.handwritten import defines_adapter
from rnncheck.targets.load import load
from rnncheck.targets.perform import Adapted
from rnncheck.targets.source import read_source
from rnncheck.targets.written import adapter_from
from rnncheck.vectors import read_vectors

TARGETS = Path(__file__).parent / "targets"
BY_HAND = Adapter(
    source="globals_function.py",
    sizes={"vocab_size": "V", "hidden_size": "H"},
    params={"W_xh": "file.Wxh", "W_hh": "file.Whh", "W_hy": "file.Why", "b_h": "file.bh", "b_y": "file.by"},
    calls=["loss, dWxh, dWhh, dWhy, dbh, dby, h = file.lossAndGradients(x, y, h0)"],
    axes={"x": "T", "y": "T", "h0": "N 1"},
    trace={"loss": "loss"},
    grads={"W_xh": "dWxh", "W_hh": "dWhh", "W_hy": "dWhy", "b_h": "dbh", "b_y": "dby"},
)


def run(adapter, case):
    return Adapted(adapter, TARGETS).run(case)


def case_of(T, B, **form):
    return next(c for c in check_cases(Form(**form)) if c.x.shape[:2] == (T, B) and c.bptt == "full")


def test_an_adapter_by_hand_computes_the_trace():
    case = case_of(3, 2)
    trace, right = run(BY_HAND, case), NumpyImpl().run(case)
    assert set(trace) == {"loss", "dW_xh", "dW_hh", "dW_hy", "db_h", "db_y"}
    for name, array in trace.items():
        assert array.dtype == np.float64
        assert array.shape == right[name].shape
        np.testing.assert_allclose(array, right[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"params": {**BY_HAND.params, "W_hh": "file.Whh.T"}}, "loss"),
        ({"grads": {**BY_HAND.grads, "W_hh": "-dWhh"}}, "dW_hh"),
        ({"loss_scale": "T"}, "loss"),
        ({"grad_scale": "-1"}, "db_y"),
    ],
)
def test_every_field_of_an_adapter_counts(change, wrong):
    case = case_of(3, 2)
    trace, right = run(replace(BY_HAND, **change), case), NumpyImpl().run(case)
    assert not np.allclose(trace[wrong], right[wrong])


def test_sequences_go_in_one_at_a_time_and_are_put_together():
    adapter = replace(BY_HAND, trace={"loss": "loss", "dh0": "h"}, axes={**BY_HAND.axes, "dh0": "N 1"})
    trace = run(adapter, case_of(3, 2))
    assert trace["dh0"].shape == (2, 7)
    assert trace["loss"].shape == ()


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (case_of(3, 2, biases=()), "biases are b_h and b_y, the case has none"),
        (case_of(3, 2, inputs="vectors"), "inputs are ids, not vectors"),
        (case_of(3, 2, nonlinearity="relu"), "states are tanh, not relu"),
        (case_of(3, 2, task="last step"), "every step has a target"),
        (check_cases(Form())[-1], "how far back the gradient goes cannot be set"),
        (replace(case_of(3, 2), reduction="mean"), "the loss is summed, not mean"),
        (replace(case_of(3, 2), x=np.full((3, 2), -1)), "there is no id for 'no token'"),
    ],
)
def test_what_an_interface_cannot_express_is_not_shown(case, why):
    with pytest.raises(NotShownError, match=why):
        run(BY_HAND, case)


def test_an_interface_without_h0_does_not_show_cases_with_one():
    target = load_target(str(TARGETS / "gates_uwv.py"), isolated=False)
    report = check_rnn(target)
    with_h0 = [o for o in report.outcomes if "-h0-" in o.check and o.family == "gradients"]
    assert with_h0
    assert {o.message for o in with_h0} == {"the initial state cannot be set"}
    assert {o.verdict for o in with_h0} == {Verdict.NOT_SHOWN}


def test_parameters_that_are_modified_in_place_are_seen(tmp_path):
    text = (
        (TARGETS / "globals_function.py")
        .read_text("utf-8")
        .replace("  return loss, dWxh", "  Why[0] += 1\n  return loss, dWxh")
    )
    path = tmp_path / "modifies.py"
    path.write_text(text, encoding="utf-8")
    failures = [o.check for o, _ in check_rnn(load_target(str(path), isolated=False)).failures]
    assert any(name.startswith("state-inputs-unmodified") for name in failures)


def test_gradients_that_are_added_to_those_of_the_call_before_are_seen(tmp_path):
    text = (TARGETS / "column_class.py").read_text("utf-8")
    zeros = "        self.dWhy = np.zeros_like(self.Why)\n"
    assert text.count(zeros) == 1
    path = tmp_path / "accumulates.py"
    path.write_text(
        text.replace(zeros, "").replace("self.by = np", "self.dWhy = np.zeros_like(self.Why)\n        self.by = np")
    )
    report = check_rnn(load_target(str(path), isolated=False))
    assert report.exit_code == 1
    assert report.failures[0][0].earliest.array == "dW_hy"


@pytest.mark.parametrize("name", ["globals_function.py", "rows_dict.py", "trains_at_import.py"])
def test_a_saved_adapter_is_the_same_adapter(name, tmp_path):
    saved = tmp_path / "adapter.py"
    assert main(["check", str(TARGETS / name), "--trust", "--save-adapter", str(saved), "-k", "T=3"]) == 0
    again, found = load_target(str(saved), isolated=False), load_target(str(TARGETS / name), isolated=False)
    one, two = (source_text(replace(t.adapter, source=""), "", "") for t in (again, found))
    assert one == two
    assert again.path == found.path
    assert check_rnn(again, select="T=3").exit_code == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--save-adapter mine.py", "mine.py exists already and is left as it is"),
        ("--repro mine.py", "mine.py exists already and is left as it is"),
        ("--repro notes.py", "notes.py exists already and is left as it is"),
        ("--save-adapter new.py --repro ./new.py", "--save-adapter and --repro both name new.py"),
        ("--json new.py --repro new.py", "--json and --repro both name new.py"),
        ("--json mine.py", "mine.py is what is read: the report would overwrite it"),
        ("--junit ./mine.py", "mine.py is what is read: the report would overwrite it"),
    ],
)
@pytest.mark.parametrize("target", ["mine.py", "mine.py:RNN"])
def test_the_file_that_is_judged_is_never_overwritten(options, sentence, target, tmp_path, monkeypatch, capsys):
    """It was: --save-adapter put the adapter in the place of the network, and judged that."""
    monkeypatch.chdir(tmp_path)
    text = (TARGETS / "column_class.py").read_text("utf-8")
    (tmp_path / "mine.py").write_text(text, "utf-8")
    (tmp_path / "notes.py").write_text("x = 1", "utf-8")
    assert main(["check", target, *options.split()]) == 2
    assert sentence in capsys.readouterr().err
    assert (tmp_path / "mine.py").read_text("utf-8") == text
    assert (tmp_path / "notes.py").read_text("utf-8") == "x = 1"


def test_a_saved_adapter_can_be_edited(tmp_path):
    path = tmp_path / "adapter.py"
    text = source_text(replace(BY_HAND, source=str(TARGETS / "globals_function.py")), path.name, "")
    path.write_text(text, encoding="utf-8")
    assert check_rnn(load_target(str(path), isolated=False), select="T=2").exit_code == 0
    path.write_text(text.replace("'W_hh': 'dWhh'", "'W_hh': '2 * dWhh'"), encoding="utf-8")
    assert check_rnn(load_target(str(path), isolated=False), select="T=2").exit_code == 1


def test_an_adapter_is_read_and_not_run(tmp_path):
    path = tmp_path / "adapter.py"
    path.write_text("from rnncheck.targets import Adapter\nadapter = Adapter(source=open('x').read())\n")
    with pytest.raises(UserError, match=r"adapter\.py, line 2: the fields of an Adapter are strings, lists and"):
        load_target(str(path), isolated=False)


LEAST = {"source": "a.py", "calls": [], "params": {}}
BATCH = LEAST | {"calls": ["out = rnn.forward(x, h0=h0)", "grads = rnn.backward(y)"]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "a.py", "calls": []}, "lacks 'params'"),
        ({"sourc": "a.py"}, "has no field 'sourc'; its fields are axes,"),
        (LEAST | {"source": 3}, "source is 3, expected a string"),
        (LEAST | {"calls": "rnn.forward(x)"}, "calls is 'rnn.forward(x)', expected a list of strings"),
        (LEAST | {"uncalled": [1]}, "uncalled is [1], expected a list of strings"),
        (LEAST | {"nonlinearity": "softplus"}, "is 'softplus', expected 'tanh' or 'relu' or 'sigmoid'"),
        (
            LEAST | {"loss_scale": "T + 3"},
            "loss_scale is 'T + 3', expected a product or quotient of numbers and of T",
        ),
        (LEAST | {"grad_scale": 2}, "grad_scale is 2, expected a string"),
        (LEAST | {"grads": "differences"}, "expected a dictionary of strings, {...}, or the word 'difference'"),
        (
            LEAST | {"grads": {"dW_hh": "d"}},
            "expected W_xh, W_hh, b_h, W_hy, b_y, h0: 'dW_hh' is no name of a parameter",
        ),
        (LEAST | {"params": {"W_hh|W_zz": "a"}}, "'W_zz' is no name of a parameter"),
        (LEAST | {"params": ["W_xh"]}, "params is ['W_xh'], expected a dictionary of strings, {...}"),
        (LEAST | {"trace": {"hs": "out"}}, "'hs' is no name of an array"),
        (LEAST | {"axes": {"x": "T Q"}}, "expected T, B, N, 1: 'Q' is no name of an axis"),
        (
            LEAST | {"fixed": {"H": 0}},
            "fixed is {'H': 0}, expected sizes by name, such as {'H': 100}: H, V or I, each from",
        ),
        (BATCH | {"axes": {"x": "T B"}}, "axes has no 'y', which a call uses: add its layout, such as 'y': 'T B'"),
        (
            BATCH | {"axes": {"x": "T B", "y": "T B"}},
            "axes has no 'h0', which a call uses: add its layout, such as 'h0'",
        ),
    ],
)
def test_mistakes_in_an_adapter_are_named(values, message):
    with pytest.raises(UserError) as refused:
        adapter_from(values, "adapter.py")
    assert str(refused.value).startswith("adapter.py: ")
    assert message in str(refused.value)


def test_a_layout_that_no_call_needs_may_be_left_out():
    """A call without them, and one sequence, which is what a layout that is left out says."""
    both = {"y": "T B", "h0": "B N"}
    for values in (
        BATCH | {"axes": {"x": "T B", **both}},
        LEAST | {"axes": {"x": "T B"}},
        BATCH | {"axes": {"x": "T"}},
    ):
        assert adapter_from(values, "adapter.py") == Adapter(**values)


def test_every_field_may_be_what_it_is_said_to_be():
    for adapter in (BY_HAND, SKELETON, replace(BY_HAND, grads="difference", fixed={"H": 8}, uncalled=["train"])):
        assert adapter_from(asdict(adapter), "adapter.py") == Adapter(**asdict(adapter))


def test_a_name_that_the_file_misses_is_told_with_those_that_it_has(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("class First:\n    pass\ndef second(x):\n    return x\n", "utf-8")
    for isolated in (False, True):
        with pytest.raises(UserError, match=r"^mine\.py: there is no class or function Frist; it has First, second$"):
            load_target(f"{path}:Frist", isolated=isolated)
    with pytest.raises(NotJudgedError, match=r"mine\.py:First: no class with a forward and a backward pass"):
        load_target(f"{path}:First", isolated=False)


def test_what_a_file_does_not_define_is_said_of_the_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("Wxh = train()\n", "utf-8")
    module = load(read_source(path), {}, 5)
    with pytest.raises(AttributeError, match=r"^mine\.py defines no 'RNN'$"):
        _ = module.RNN
    with pytest.raises(AttributeError, match=r"^mine\.py defines no 'Wxh': line 1, which computes it, was not run$"):
        _ = module.Wxh


def test_a_file_may_have_names_that_are_ours(tmp_path):
    """`clipping = 5` at its top was taken for the record of its clipping, and no call came through."""
    text = (TARGETS / "globals_function.py").read_text("utf-8")
    (tmp_path / "mine.py").write_text(f"clipping, skipped, siblings = 5, 0, None\n{text}", "utf-8")
    report = check_rnn(load_target(str(tmp_path / "mine.py"), isolated=False), select="T=3 or clipping")
    assert report.exit_code == 0
    assert "clipping" in report.families


LISTED = {"calls": list(SKELETON.calls), "memory": [], "uncalled": []}


def test_new_writes_every_field_and_overwrites_nothing(tmp_path, capsys):
    path = tmp_path / "mine.py"
    (tmp_path / "their.py").write_text("", "utf-8")
    assert main(["new", str(path), "--for", "their.py"]) == 0
    text = path.read_text("utf-8")
    assert "source='their.py'" in text
    for field in fields(Adapter):
        comment = "" if field.name == "source" else r"\n    # .{10,}"
        assert re.search(rf"{comment}\n    {field.name}=", text), field.name
    assert adapter_from(defines_adapter(read_source(path)), "mine.py") == replace(SKELETON, source="their.py", **LISTED)
    found = source_text(SKELETON, "found.py", "")
    assert "targets=" not in found  # what was found by trying is told without what is usual
    assert main(["new", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["new", str(tmp_path / "mine.txt")]) == 2
    assert "name it" in capsys.readouterr().err
    for folder in (tmp_path, "."):
        assert main(["new", str(folder)]) == 2
        assert "it is a folder; name a file in it" in capsys.readouterr().err


def test_new_is_for_a_file_that_is_there(tmp_path, capsys, monkeypatch):
    """Seen from the adapter's folder: one that lies here is told by the way to it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "their.py").write_text("", "utf-8")
    path = tmp_path / "below" / "mine.py"
    refused = {
        "thier.py": "--for: there is no file below/thier.py: the name is that seen from the adapter's folder; check",
        "their.py": "adapter's folder; write --for ../their.py",
        ".": "--for: below is a folder; name the file in it",
    }
    for source, complaint in refused.items():
        assert main(["new", "below/mine.py", "--for", source]) == 2
        assert complaint in capsys.readouterr().err
        assert not path.exists()
    assert main(["new", "below/mine.py", "--for", "../their.py"]) == 0
    assert "source='../their.py'" in path.read_text("utf-8")


RUN = """
import numpy as np
def run(case):
    if type(case).__name__ != "RNNCase":
        return {}
    return {"h": np.zeros((*case.x.shape[:2], len(case.params["W_hh"])), case.dtype)}
"""


def test_a_function_of_the_case_needs_no_adapter(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(RUN, encoding="utf-8")
    report = check_rnn(load_target(str(path), isolated=False), select="forward and T=1-")
    assert report.exit_code == 1
    assert report.failures[0][0].earliest.array == "h"


def test_a_result_that_is_no_trace_is_named(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("class Mine:\n    def run(self, case): return 3\n", encoding="utf-8")
    report = check_rnn(load_target(f"{path}:Mine", isolated=False), select="forward[T=1-B=1-float64]")
    assert "run returned a int, expected a dictionary of arrays" in report.outcomes[0].message


def test_the_command_gives_the_verdict_and_its_code(tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main(["check", str(TARGETS / "rows_dict_scaled_twice.py"), "--trust", "--json", str(report)]) == 1
    assert "DIFFER" in capsys.readouterr().out
    document = json.loads(report.read_text("utf-8"))
    assert document["exit_code"] == 1
    assert any("Wx as W_xh transposed" in note for note in document["notes"])


def test_the_command_refuses_in_one_sentence(tmp_path, capsys):
    lstm = tmp_path / "lstm.py"
    lstm.write_text("class LSTM:\n    def forward(self, x): return x\n    def backward(self, dy): return dy\n")
    assert main(["check", str(lstm), "--trust"]) == 3
    assert "an LSTM or GRU is not judged yet" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "none.py")]) == 2
    assert main(["check", "numpy_impl", "--save-adapter", str(tmp_path / "a.py")]) == 2
    assert "without an adapter" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["notebook.ipynb", "globals_function_same_state.py"])
def test_the_verdict_in_a_process_of_its_own_is_the_same(name):
    here = check_rnn(load_target(str(TARGETS / name), isolated=False), select="gradients and (T=1 or T=3)")
    apart = check_rnn(load_target(str(TARGETS / name), isolated=True), select="gradients and (T=1 or T=3)")
    verdicts = lambda report: [(o.check, o.verdict, o.earliest and o.earliest.array) for o in report.outcomes]  # noqa: E731
    assert verdicts(here) == verdicts(apart)
    assert any("a process of its own" in note for note in apart.notes)


def test_what_was_assumed_is_said_in_one_line():
    words = assumptions(load_target(str(TARGETS / "trains_at_import.py"), isolated=False).adapter)
    assert "Wxh as W_xh" in words
    assert "a target at the last step only" in words
    assert "gradients read off the applied update" in words
    assert "\n" not in words


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_stored_vectors_of_a_form_are_its_cases(form):
    stored = {v.case.name: v.case for v in read_vectors(shipped(f"{FORMS_FOLDER}/{form.name}"))}
    made = {c.name: c for c in check_cases(form)}
    assert stored.keys() == made.keys()
    for name, case in made.items():
        assert case.settings() == stored[name].settings()
        for key, array in case.arrays().items():
            np.testing.assert_array_equal(array, stored[name].arrays()[key])


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_stored_answers_are_those_of_torch(form):
    pytest.importorskip("torch")
    from rnncheck.implementation import TorchLoop

    for vector in read_vectors(shipped(f"{FORMS_FOLDER}/{form.name}"))[:6]:
        now = TorchLoop().run(vector.case)
        for name, array in vector.trace.items():
            np.testing.assert_allclose(now[name], array, rtol=1e-9, atol=1e-12)


def test_a_form_follows_from_an_adapter():
    assert form_of(BY_HAND) == Form()
    assert form_of(replace(BY_HAND, params={"W_xh": "a", "W_hh": "b"}, axes={"x": "B T N"})) == Form(
        "vectors", ("b_y",)
    )


@pytest.mark.parametrize(("command", "target"), [("check", "none.py"), ("grade", ".")])
@pytest.mark.parametrize(("hints", "complaint"), [("-1", "-1 is below 0"), ("4", "4 is above 3")])
def test_hints_have_four_levels(command, target, hints, complaint, capsys):
    assert main([command, target, "--hints", hints]) == 2
    assert complaint in capsys.readouterr().err
