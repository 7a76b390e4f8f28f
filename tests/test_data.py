"""The shipped texts are what data/README.md says and what their grammars give.

What checks a file takes its content, so that a twin can hand it a spoilt copy.
"""

import csv
import functools
import hashlib
import importlib
import io
import json
import re
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
sys.path.insert(0, str(DATA))  # these scripts import each other by their plain names, as when they are run
grammar, make = (importlib.import_module(name) for name in ("grammar", "make"))
sys.path.remove(str(DATA))

FLOORS = json.loads((DATA / "floors.json").read_text("ascii"))
README = (DATA / "README.md").read_text("ascii")


# The files


def fault_in_names(content: bytes) -> str | None:
    lines = content.decode("latin-1").split("\n")
    if lines.pop() != "":
        return "no newline at the end"
    if bad := [line for line in lines if not re.fullmatch("[A-Z][a-z]+", line)]:
        return f"not a capital and small letters a-z: {bad[0]!r}"
    if len(set(lines)) < len(lines):
        return "a name stands twice"
    if lines != sorted(lines):
        return "not sorted"
    return "fewer than 2000 names" if len(lines) < 2000 else None


def test_names_are_two_thousand_distinct_ascii_names():
    assert fault_in_names((DATA / "names.txt").read_bytes()) is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b"\nZoe\n", b"\nZo\xc3\xab\n", "not a capital"),
        (b"\nZoe\n", b"\nzoe\n", "not a capital"),
        (b"\nZoe\n", b"\n\nZoe\n", "not a capital"),
        (b"\nZoe\n", b"\nZoe\r\n", "not a capital"),
        (b"\nZoe\n", b"\nZoe\nZoe\n", "twice"),
        (b"\nAnna\n", b"\nZzz\n", "not sorted"),
    ],
)
def test_a_spoilt_list_of_names_is_noticed(old, new, fault):
    content = (DATA / "names.txt").read_bytes()
    assert content.count(old) == 1
    assert fault in fault_in_names(content.replace(old, new))


def test_tale_is_fifty_kilobytes_of_ascii_paragraphs():
    content = (DATA / "tale.txt").read_bytes()
    assert len(content) >= 50_000
    assert content.isascii()
    assert b"\r" not in content
    paragraphs = content.decode("ascii").splitlines()
    assert len(paragraphs) == make.PARAGRAPHS
    assert all(re.fullmatch(r"[A-Z][A-Za-z ,]*\.( [A-Z][A-Za-z ,]*\.)+", paragraph) for paragraph in paragraphs)


def faulty_rows(text: str) -> list[list[str]]:
    """Return the rows that are not a comment and its number of sentences."""
    header, *rows = csv.reader(io.StringIO(text), strict=True)
    assert header == ["comment", "sentences"]
    good = [len(row) == 2 and row[1] == str(len(re.findall(r"[.!?](?: |$)", row[0]))) for row in rows]
    return [row for row, is_good in zip(rows, good, strict=True) if not is_good]


def test_comments_parse_as_csv_and_count_their_sentences():
    text = (DATA / "comments.csv").read_bytes().decode("ascii")
    assert faulty_rows(text) == []
    counts = [int(row["sentences"]) for row in csv.DictReader(io.StringIO(text))]
    assert len(counts) >= 600
    assert set(counts) == {1, 2, 3, 4}


@pytest.mark.parametrize("fault", ["no quotes", "a sentence less"])
def test_a_spoilt_row_is_noticed(fault):
    text = (DATA / "comments.csv").read_text("ascii")
    spoilt = text.replace('"', "") if fault == "no quotes" else text.replace(". ", ", ", 1)
    assert faulty_rows(spoilt)


def stale_in_readme(readme: str) -> list[str]:
    """Return the sizes, checksums and figures that the README should hold and does not."""
    expected = []
    for name in ("names.txt", "tale.txt", "comments.csv"):
        content = (DATA / name).read_bytes()
        expected.append(f"| {len(content):,} | `{hashlib.sha256(content).hexdigest()}` |")
    for label, file in (
        ("`tale.txt`", "tale.txt"),
        ("`comments.csv`", "comments.csv"),
        ("`comments.csv`, single sentences", "comments.csv, single sentences"),
    ):
        source, sample = FLOORS[file]["source"], FLOORS[file]["sample"]
        for unit, key in (("character", "nats_per_char"), ("token", "nats_per_token")):
            if unit == "token" or "sentences" not in label:
                expected.append(f"| {label} | {unit} | {source[key]:.4f} | {sample[key]:.4f} |")
    expected.append(f"mean of sentence means | {source['nats_per_token_mean_of_sentence_means']:.4f} |")
    vocabulary = (len(grammar.read_grammar(DATA / f"{name}.toml").words()) for name in ("tale", "comments"))
    expected.append("The tale has {} different words, the comments {}.".format(*vocabulary))
    return [line for line in expected if line not in readme]


def test_readme_states_the_checksums_and_floors_of_the_files():
    assert stale_in_readme(README) == []


def test_an_old_figure_in_the_readme_is_noticed():
    figures = re.findall(r"\d\.\d{4}|[0-9a-f]{64}|\d+,\d{3} \|", README)
    assert len(figures) > 10
    for figure in figures:
        assert stale_in_readme(README.replace(figure, figure.translate(str.maketrans("0123456789", "1234567890"))))


# Made again, bit for bit


make_once = functools.cache(make.make)


@pytest.fixture
def copies(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "make", make_once)  # the same texts for every planted fault
    for name in ("tale.txt", "comments.csv", "floors.json"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    return tmp_path


def test_grammar_and_seed_give_the_shipped_files(capsys):
    assert make.main(["--check"]) == 0
    assert f"{FLOORS['tale.txt']['source']['nats_per_char']}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tale.txt", b" she ", b" She "),
        ("comments.csv", b"\n", b"\r\n"),
        ("floors.json", b'"nats_per_char": 0.4', b'"nats_per_char": 0.40'),
        ("floors.json", b'"seed": 1', b'"seed": 2'),
    ],
)
def test_check_exits_1_where_a_file_differs(copies, capsys, name, old, new):
    content = (copies / name).read_bytes()
    assert old in content
    (copies / name).write_bytes(content.replace(old, new, 1))
    assert make.main(["--check", "--out", str(copies)]) == 1
    assert capsys.readouterr().err.split(" differs ")[:-1] == [str(copies / name)]


def test_check_exits_1_where_a_file_is_missing(copies):
    (copies / "tale.txt").unlink()
    assert make.main(["--check", "--out", str(copies)]) == 1


def test_another_seed_gives_other_texts_elsewhere_only(copies, capsys):
    with pytest.raises(SystemExit) as refused:
        make.main(["--seed", "7"])
    assert refused.value.code == 2
    assert "give --out FOLDER too" in capsys.readouterr().err
    assert make.main(["--seed", "7", "--out", str(copies)]) == 0
    assert (copies / "tale.txt").read_bytes() != (DATA / "tale.txt").read_bytes()
    assert make.main(["--check", "--seed", "7", "--out", str(copies)]) == 0
