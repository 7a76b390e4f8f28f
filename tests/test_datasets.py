"""Examples are cut from a text as the three systems cut them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl.datasets import chunk_data, load_dataset, name_data, sentence_data
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.recipes import RECIPES
from numpy_impl.text import TextFile
from numpy_impl.vocabulary import SENTENCE_END, SENTENCE_START, UNKNOWN, character_vocabulary


def text_file(text: str, path: str = "a.txt") -> TextFile:
    return TextFile(path, text, "0" * 64)


def test_a_name_begins_with_no_token_and_ends_with_a_line_break() -> None:
    data = name_data(text_file("Anna\n\n  Bob \nzoé"))
    assert data.vocabulary.tokens == ("\n", " ", "a", "b", "n", "o", "z", "é")  # of the file, before stripping
    assert ["".join(data.vocabulary.decode(y)) for y in data.targets] == ["anna\n", "bob\n", "zoé\n"]
    for x, y in zip(data.inputs, data.targets, strict=True):
        assert x[0] == NO_TOKEN
        np.testing.assert_array_equal(x[1:], y[:-1])


def test_every_name_resets_the_state() -> None:
    data = name_data(text_file("anna\nbob"))
    assert [data.batch(i).reset for i in (0, 1)] == [True, True]
    assert data.batch(1).x.shape == data.batch(1).y.shape == (4, 1)


def test_the_line_break_is_a_letter_even_of_a_single_name() -> None:
    assert name_data(text_file("bob")).vocabulary.tokens == ("\n", "b", "o")


def test_a_name_outside_a_given_vocabulary_is_named_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"^a\.txt, line 3: 'z' at position 1 is not in the vocabulary of 5 tokens"):
        name_data(text_file("anna\n\nzoe"), character_vocabulary("\nanoe"))


@given(n=st.integers(26, 140), length=st.integers(1, 30))
def test_running_text_gives_whole_chunks_one_character_apart(n: int, length: int) -> None:
    text = "".join(chr(33 + i) for i in range(n))  # all different: an id is a position
    if n <= length:
        return
    data = chunk_data(text_file(text), chunk_length=length)
    assert len(data) == (n - 1) // length
    for k, (x, y) in enumerate(zip(data.inputs, data.targets, strict=True)):
        np.testing.assert_array_equal(x, np.arange(length * k, length * (k + 1)))
        np.testing.assert_array_equal(y, x + 1)


def test_the_state_is_reset_at_the_start_of_a_pass_only() -> None:
    data = chunk_data(text_file("abcdefgh" * 10))
    assert [data.batch(i).reset for i in range(3)] == [True, False, False]


def test_the_shortest_text_has_a_chunk_and_one_character() -> None:
    assert len(chunk_data(text_file("x" * 26))) == 1
    with pytest.raises(ValueError, match=r"^a\.txt has 25 characters; .* make 26: give a longer text"):
        chunk_data(text_file("x" * 25))


def test_sentences_lie_between_markers_and_short_ones_are_dropped() -> None:
    data = sentence_data(text_file("It rains. Stop! No. Go on now"))
    words = [data.vocabulary.decode(np.append(x, y[-1])) for x, y in zip(data.inputs, data.targets, strict=True)]
    assert words == [
        [SENTENCE_START, "it", "rains", ".", SENTENCE_END],
        [SENTENCE_START, "stop", "!", SENTENCE_END],
        [SENTENCE_START, "no", ".", SENTENCE_END],
        [SENTENCE_START, "go", "on", "now", SENTENCE_END],
    ]
    assert len(sentence_data(text_file("Yes\n\nIt rains."))) == 1  # "yes" makes three tokens with its markers
    for x, y in zip(data.inputs, data.targets, strict=True):
        np.testing.assert_array_equal(x[1:], y[:-1])


def test_dropped_sentences_are_not_counted() -> None:
    assert "yes" not in sentence_data(text_file("yes\n\nyes\n\nit rains.")).vocabulary.ids


def test_the_vocabulary_holds_the_most_frequent_tokens_and_the_unknown_one() -> None:
    data = sentence_data(text_file("b b a.\n\na b c d."), vocabulary_size=6)
    assert data.vocabulary.tokens == ("b", SENTENCE_START, "a", ".", SENTENCE_END, UNKNOWN)
    assert UNKNOWN in data.vocabulary.decode(data.targets[1])


def test_the_vocabulary_shrinks_with_the_text() -> None:
    assert len(sentence_data(text_file("it rains."), vocabulary_size=8000).vocabulary) == 6


def test_a_csv_is_split_comment_by_comment() -> None:
    rows = 'body,score\n"It rains. It pours",1\n"no dot here",2\n'
    assert len(sentence_data(text_file(rows, "a.CSV"))) == 3
    assert len(sentence_data(text_file(rows, "a.txt"))) == 2  # the same bytes as plain text


def test_a_text_without_a_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a\.txt has no sentence of two words or more"):
        sentence_data(text_file("yes\n\nno"))
    with pytest.raises(ValueError, match=r"^a\.csv has no sentence of two words or more in its first column"):
        sentence_data(text_file("id,comment\n1,the words are here\n", "a.csv"))


def test_no_names_and_chunks_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^a\.txt is empty; it must hold at least one name"):
        name_data(text_file(" \n\n"))
    with pytest.raises(ValueError, match="chunk_length is 0, and must be at least 1"):
        chunk_data(text_file("anna"), chunk_length=0)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_reads_its_kind_of_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("anna goes home again.\nbob stays at the lake.\n" * 3)
    data = load_dataset(replace(RECIPES[name], examples=2), path)
    assert len(data) == 2
    assert data.carried == (name == "chars")
    assert data.mean_length == np.mean([len(y) for y in data.targets])
