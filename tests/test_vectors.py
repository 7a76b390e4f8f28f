"""Stored vectors: what is written is read again, a damaged folder is refused, and nobody else's file is deleted."""

import json
from pathlib import Path

import numpy as np
import pytest

from rnncheck import make_vectors
from rnncheck.case import ClipCase
from rnncheck.errors import UserError
from rnncheck.judging.arithmetic import update_paths
from rnncheck.make_vectors import check_vectors
from rnncheck.report.sentences import verdict
from rnncheck.result import Report
from rnncheck.vectors import Vector, read_vectors, write_folder


def clip_vector(name: str, bound: float = 2.0) -> Vector:
    """Return a vector that needs no torch: clipping by value, of which the answer is plain."""
    case = ClipCase(name, 1, {"dW_xh": np.array([[-3.0, 1.0]]), "db_h": np.array([5.0])}, "value", bound)
    trace = {"dW_xh": np.array([[-min(bound, 3.0), 1.0]]), "db_h": np.array([min(bound, 5.0)])}
    return Vector(case, trace, update_paths(case, trace), "arithmetic")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path / "v", [clip_vector("one"), clip_vector("two", 4.0)])
    return tmp_path / "v"


def check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr(make_vectors, "standard_cases", lambda: [clip_vector("one").case, clip_vector("two", 4.0).case])
    return check_vectors(folder, lambda *args: None)


def test_what_is_written_is_read_again(folder: Path) -> None:
    one, two = read_vectors(folder)
    assert (one.case.name, two.case.name, two.case.settings()["bound"]) == ("one", "two", 4.0)
    assert list(one.case.arrays()) == list(clip_vector("one").case.arrays())
    for name, array in clip_vector("one").trace.items():
        np.testing.assert_array_equal(one.trace[name], array)
        np.testing.assert_array_equal(one.scales[name], clip_vector("one").scales[name])


def test_writing_deletes_only_what_it_has_written(folder: Path) -> None:
    """`rnncheck vectors write .` in a folder with a checkpoint in it took the checkpoint away."""
    (folder / "names.safetensors").write_bytes(b"a checkpoint")
    write_folder(folder, [clip_vector("two")])
    assert sorted(p.name for p in folder.glob("*.safetensors")) == ["names.safetensors", "two.safetensors"]


def test_a_manifest_deletes_nothing_outside_its_folder(folder: Path) -> None:
    (folder.parent / "precious").touch()
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["vectors"][0]["file"] = "../precious"
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    write_folder(folder, [clip_vector("two")])
    assert (folder.parent / "precious").exists()


def test_a_changed_byte_is_seen(folder: Path) -> None:
    content = bytearray((folder / "one.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "one.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"one\.safetensors: sha256 is .* the manifest says .*: the file was changed"):
        read_vectors(folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json: No such file or directory; write"),
        (lambda folder: (folder / "two.safetensors").unlink(), r"two\.safetensors: No such file or directory; write"),
        (
            lambda folder: (folder / "two.safetensors").write_text("hello"),
            r"two\.safetensors: .*; write the folder anew",
        ),
        (lambda folder: (folder / "manifest.json").write_text("{"), r"manifest\.json: .*; write the folder anew"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "format is 'list', expected 1"),
        (lambda folder: (folder / "manifest.json").write_text('{"format": 9}'), "format is 9, expected 1"),
        (lambda folder: (folder / "manifest.json").write_text('{"format": 1}'), "is not a manifest of vectors, or"),
        (
            lambda folder: (folder / "manifest.json").write_text(
                '{"format": 1, "vectors": [{"file": "one.safetensors"}]}'
            ),
            "is not a manifest of vectors, or does not fit its files",
        ),
    ],
)
def test_a_damaged_folder_is_refused_in_a_sentence(folder: Path, change, sentence: str) -> None:
    change(folder)
    with pytest.raises(UserError, match=sentence):
        read_vectors(folder)


def test_the_cases_must_be_what_their_seeds_make(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(folder, monkeypatch).exit_code == 0
    write_folder(folder, [clip_vector("one", 3.0), clip_vector("three")])
    failed = [outcome.check for outcome in check(folder, monkeypatch).outcomes if outcome.verdict == "failed"]
    assert failed[:3] == ["vector-case[one]", "vector-case[three]", "vector-case[two]"]


def test_the_answers_must_be_those_of_torch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    report = check(folder, monkeypatch)
    assert report.exit_code == 0
    assert {outcome.family for outcome in report.outcomes} == {"vector-case", "vector-answer"}
    two = clip_vector("two", 4.0)
    two.trace["db_h"] += 1e-6
    write_folder(folder, [clip_vector("one"), two])
    report = check(folder, monkeypatch)
    assert [o.check for o in report.outcomes if o.verdict == "failed"] == ["vector-answer[two]"]


def test_without_torch_nothing_is_said_in_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_vectors, "torch_available", lambda: False)
    report = check(folder, monkeypatch)
    assert verdict(report) == "AGREE: the cases of this version and stored vectors differ by rounding only"
    assert report.notes == ["torch is not installed: the answers themselves were not asked for again"]
