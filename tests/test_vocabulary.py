"""Ids are the same on every machine, and nothing is looked up in silence that is not there."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_impl.vocabulary import UNKNOWN, Vocabulary, character_vocabulary, word_vocabulary

TEXTS = st.text(min_size=1, max_size=60)


@given(TEXTS, st.randoms(use_true_random=False))
def test_character_ids_do_not_depend_on_the_order_of_the_text(text: str, rng: random.Random) -> None:
    shuffled = "".join(rng.sample(text, len(text)))
    assert character_vocabulary(text) == character_vocabulary(shuffled)


@given(TEXTS)
def test_decode_gives_back_what_was_encoded(text: str) -> None:
    vocabulary = character_vocabulary(text)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int64
    assert "".join(vocabulary.decode(ids)) == text


def test_characters_are_sorted() -> None:
    assert character_vocabulary("banana\n").tokens == ("\n", "a", "b", "n")


def test_words_come_by_frequency_then_by_first_appearance() -> None:
    sentences = [["z", "b", "a"], ["b", "z", "c"], ["b"]]
    assert word_vocabulary(sentences, 100).tokens == ("b", "z", "a", "c", UNKNOWN)
    assert word_vocabulary(sentences, 3).tokens == ("b", "z", UNKNOWN)


def test_a_rare_word_is_read_as_the_unknown_token() -> None:
    vocabulary = word_vocabulary([["b", "b", "a"]], 2)
    assert vocabulary.decode(vocabulary.encode(["b", "a"])) == ["b", UNKNOWN]


def test_an_unlisted_character_is_named_with_its_place() -> None:
    with pytest.raises(
        ValueError, match=r"^names\.txt, line 3: 'é' at position 4 is not in the vocabulary of 3 tokens"
    ):
        character_vocabulary("jos").encode("josé", "names.txt, line 3")


@pytest.mark.parametrize("wrong", [-1, 3])
def test_an_id_without_a_token_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match=rf"^ids: {wrong} has no token; ids of this vocabulary run from 0 to 2"):
        character_vocabulary("abc").decode([0, wrong])


def test_a_token_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' is listed more than once"):
        Vocabulary(("a", "b", "a"))


def test_an_unknown_token_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ValueError, match="not among the tokens"):
        Vocabulary(("a",), unknown="?")


def test_a_vocabulary_needs_room_for_one_word() -> None:
    with pytest.raises(ValueError, match="vocabulary_size is 1"):
        word_vocabulary([["a"]], 1)
