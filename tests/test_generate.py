"""What a model is fed first, where its text stops, and that a start text is read token by token."""

from dataclasses import replace

import numpy as np
import pytest

from numpy_impl.datasets import Dataset, chunk_data, name_data, sentence_data
from numpy_impl.generate import predict
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.loss import softmax
from numpy_impl.model import forward
from numpy_impl.recipes import RECIPES
from numpy_impl.run import Run, start
from numpy_impl.text import TextFile
from numpy_impl.train import train
from numpy_impl.vocabulary import SENTENCE_END, SENTENCE_START

NAMES = "Ada\nBartholomew\nCy\nDee\nElisabeth\n"
TEXT = "It rains today. The old dog sleeps near the fire, and nobody minds. Come in! The fire is warm, the dog is old. "


def dataset(name: str) -> Dataset:
    file = TextFile("a.txt", NAMES if name == "names" else TEXT, "0" * 64)
    return {"names": name_data, "sentences": sentence_data, "chars": chunk_data}[name](file)


def trained(name: str, steps: int = 30) -> Run:
    run = start(replace(RECIPES[name], hidden=12), dataset(name))
    for _ in train(run, dataset(name), steps):
        pass
    return run


def by_choice(run: Run, fed: list[int], h0: np.ndarray | None, n: int, stop: int | None) -> list[int]:
    """Feed one token at a time and draw with NumPy's own `choice`: what the published programs do."""
    rng, drawn = np.random.RandomState(9), []
    h, token = h0, None
    for token in fed[:-1]:
        h = forward(run.params, np.array([[token]]), h).h_T
    token = fed[-1]
    while len(drawn) < n and token != stop:
        step = forward(run.params, np.array([[token]]), h)
        h = step.h_T
        token = int(rng.choice(len(run.vocabulary), p=softmax(step.logits)[0, 0]))
        drawn.append(token)
    return [token for token in drawn if token != stop]


@pytest.mark.parametrize("start_text", ["", "Ba", " De "])
def test_names_begin_with_no_token_and_a_zero_state(start_text: str) -> None:
    run = trained("names")
    given = run.vocabulary.encode(start_text.strip().lower()).tolist()
    expected = given + by_choice(run, [NO_TOKEN, *given], None, 15, run.vocabulary.ids["\n"])
    assert predict(run, start_text, 15, np.random.RandomState(9)) == "".join(run.vocabulary.decode(expected))


def test_sentences_begin_with_their_marker() -> None:
    run = trained("sentences")
    given = run.vocabulary.encode(["the", "dog"]).tolist()
    fed = [run.vocabulary.ids[SENTENCE_START], *given]
    words = run.vocabulary.decode(given + by_choice(run, fed, None, 20, run.vocabulary.ids[SENTENCE_END]))
    assert (
        predict(run, "The dog", 20, np.random.RandomState(9)).split()
        == " ".join(words).replace(" .", ".").replace(" ,", ",").replace(" !", "!").split()
    )


@pytest.mark.parametrize("zero_state", [False, True])
def test_running_text_goes_on_from_the_carried_state(zero_state: bool) -> None:
    run = trained("chars")
    given = run.vocabulary.encode("The dog").tolist()
    expected = given + by_choice(run, given, None if zero_state else run.h, 40, None)
    found = predict(run, "The dog", 40, np.random.RandomState(9), zero_state=zero_state)
    assert found == "".join(run.vocabulary.decode(expected))


def test_the_order_of_the_start_text_counts() -> None:
    """Feeding it as one multi-hot vector, the known bug of this family, would not see the difference."""
    run = trained("chars")
    found = {predict(run, text, 40, np.random.RandomState(9))[4:] for text in ("ogdi", "idgo", "digo")}
    assert len(found) > 1


def test_text_without_a_start_text_is_as_long_as_asked_for() -> None:
    assert len(predict(trained("chars"), "", 17, np.random.RandomState(9))) == 17


def test_a_name_ends_after_its_last_letter_allowed_without_a_further_draw() -> None:
    run = trained("names", 1)
    for n in (1, 2, 15):
        rng, counted = np.random.RandomState(9), np.random.RandomState(9)
        name = predict(run, "", n, rng)
        counted.random(len(name) + (len(name) < n))  # one more where the line break was drawn
        assert rng.random() == counted.random()


def test_a_start_text_of_unknown_letters_is_refused() -> None:
    with pytest.raises(ValueError, match="the start text: '9' at position 3 is not in the vocabulary"):
        predict(trained("names", 1), "Ad9", 5, np.random.RandomState(9))


def test_nothing_is_not_a_length() -> None:
    with pytest.raises(ValueError, match="n is 0"):
        predict(trained("names", 1), "", 0, np.random.RandomState(9))
