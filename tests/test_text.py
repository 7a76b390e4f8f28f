"""Reading files, and the rules of sentences and words."""

import errno
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl.text import TextFile, join_words, read_comments, read_text, split_sentences, split_words


def test_a_file_is_read_with_the_checksum_of_its_bytes(tmp_path: Path) -> None:
    raw = "naïve\r\ntext\rend\n".encode()
    (tmp_path / "a.txt").write_bytes(raw)
    file = read_text(tmp_path / "a.txt")
    assert file.text == "naïve\ntext\nend\n"
    assert file.sha256 == hashlib.sha256(raw).hexdigest()


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("anna\n".encode("utf-8-sig"))
    assert read_text(tmp_path / "a.txt").text == "anna\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"a\.txt is empty \(0 bytes, no text\)"),
        (b" \n\t\n", r"a\.txt is empty \(4 bytes, no text\)"),
        ("josé".encode("latin1"), r"a\.txt: byte 0xe9 at offset 3 is not UTF-8"),
        ("anna".encode("utf-16"), r"a\.txt: byte 0xff at offset 0 is not UTF-8"),
    ],
)
def test_what_is_not_utf8_text_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_text(tmp_path / "a.txt")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        read_text(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        read_text(tmp_path / "nowhere.txt")


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root, as whom tests often run, may read everything
    with pytest.raises(ValueError, match=r"a\.txt cannot be read: Permission denied"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.50 now.\nReally?!  Yes", ["It costs 3.50 now.", "Really?!", "Yes"]),
        ('He said "stop." Then (at last!) he left.', ['He said "stop."', "Then (at last!)", "he left."]),
        ("a title\n\nthe text\ngoes on", ["a title", "the text\ngoes on"]),
        ("…", ["…"]),
        (" \n ", []),
    ],
)
def test_sentences_end_at_their_mark_and_at_an_empty_line(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.text(max_size=80))
def test_splitting_into_sentences_loses_nothing_but_white_space(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Don't stop, well-known Fox!", ["don't", "stop", ",", "well-known", "fox", "!"]),
        ("'quoted' (3.5)", ["'", "quoted", "'", "(", "3", ".", "5", ")"]),
        ("été 2024 - fin", ["été", "2024", "-", "fin"]),
        ("wait...", ["wait", ".", ".", "."]),
    ],
)
def test_words_and_punctuation_are_tokens(sentence: str, words: list[str]) -> None:
    assert split_words(sentence) == words


@given(st.text(max_size=80))
def test_splitting_into_words_loses_nothing_but_white_space(text: str) -> None:
    assert "".join(split_words(text)) == "".join(text.lower().split())


def test_words_are_written_without_a_space_before_punctuation() -> None:
    assert join_words(["i", "see", ",", "(", "yes", ")", "!"]) == "i see, ( yes)!"


@pytest.mark.parametrize("header", ["body", "Comment", " text "])
def test_a_header_row_is_recognised_by_its_name(header: str) -> None:
    file = TextFile("a.csv", f'{header},score\n"first, with a comma\nand a line",3\nsecond,4\n\n', "")
    assert read_comments(file) == ["first, with a comma\nand a line", "second"]


def test_a_first_row_of_another_name_is_a_comment() -> None:
    assert read_comments(TextFile("a.csv", "hello there\nsecond\n", "")) == ["hello there", "second"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_are_separated_as_in_the_header(delimiter: str) -> None:
    text = f'comment{delimiter}n\n"one, two; three\tfour"{delimiter}3\nfive{delimiter}4\n'
    assert read_comments(TextFile("a.csv", text, "")) == ["one, two; three\tfour", "five"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('"' + "x" * 200_000 + '"', "at line 1: field larger than field limit"),
        ('good\n"left open, and all that follows\nis swallowed\n', "at line 3: unexpected end of data"),
        ('good\n"closed" and more\n', "at line 2: ',' expected after '\"'"),
    ],
)
def test_a_csv_that_cannot_be_parsed_is_refused(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=rf"^a\.csv is not a readable CSV {what}.*; put the line right"):
        read_comments(TextFile("a.csv", text, ""))
