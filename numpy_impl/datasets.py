r"""Examples to train on: pairs of inputs and targets, the targets one token later than the inputs.

names      one name per line:       (no token) j o e   ->  j o e \n
sentences  sentences of a text:     <start> it rains   ->  it rains <end>
chars      chunks of running text:  ids[25 k : 25 k + 25]  ->  ids[25 k + 1 : 25 k + 26]
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from numpy_impl.inputs import NO_TOKEN
from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.recipes import Recipe
from numpy_impl.shapes import Ids
from numpy_impl.text import TextFile, read_comments, read_text, split_sentences, split_words
from numpy_impl.vocabulary import SENTENCE_END, SENTENCE_START, Vocabulary, character_vocabulary, word_vocabulary

__all__ = ["Batch", "Dataset", "chunk_data", "load_dataset", "make_dataset", "name_data", "sentence_data"]


class Batch(NamedTuple):
    """What one step trains on; `reset` says that the state before it is zero, not the one carried over."""

    x: Ids[np.ndarray, "T B"]
    y: Ids[np.ndarray, "T B"]
    reset: bool
    lengths: Ids[np.ndarray, "B"] | None = None
    """How long each of several examples is; beyond that, x is NO_TOKEN and y IGNORE_INDEX. None: all of length T."""

    @property
    def targets(self) -> int:
        """How many steps have a target."""
        return self.y.size if self.lengths is None else int(self.lengths.sum())


@dataclass(frozen=True)
class Dataset:
    """All examples of a file, in file order. `carried`: the state goes from each example to the next."""

    inputs: Sequence[Ids[np.ndarray, "_"]]
    targets: Sequence[Ids[np.ndarray, "_"]]
    vocabulary: Vocabulary
    sha256: str
    carried: bool = False

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, *examples: int) -> Batch:
        """Return one example, or several beside each other, padded to the longest."""
        if len(examples) == 1:
            (i,) = examples
            return Batch(self.inputs[i][:, None], self.targets[i][:, None], not self.carried or i == 0)
        lengths = np.array([len(self.targets[i]) for i in examples])
        x = np.full((lengths.max(), len(examples)), NO_TOKEN)
        y = np.full(x.shape, IGNORE_INDEX)
        for b, i in enumerate(examples):
            x[: lengths[b], b], y[: lengths[b], b] = self.inputs[i], self.targets[i]
        return Batch(x, y, True, lengths)

    @property
    def mean_length(self) -> float:
        """The number of targets of an example, on average."""
        return sum(map(len, self.targets)) / len(self)


def load_dataset(recipe: Recipe, path: str | os.PathLike[str], vocabulary: Vocabulary | None = None) -> Dataset:
    """Read the file at `path` into the examples of `recipe`; a `vocabulary` that is given is kept as it is.

    Raises
    ------
    ValueError
        If the file cannot be read, holds no example, or has a token that is not in the vocabulary.
    """
    return make_dataset(recipe, read_text(path), vocabulary)


def make_dataset(recipe: Recipe, file: TextFile, vocabulary: Vocabulary | None = None) -> Dataset:
    """Turn a file that has been read into the examples of `recipe`; see `load_dataset`."""
    if recipe.name == "names":
        return name_data(file, vocabulary, recipe.examples)
    if recipe.name == "sentences":
        return sentence_data(file, vocabulary, recipe.examples, recipe.vocabulary_size)
    return chunk_data(file, vocabulary, recipe.examples, recipe.chunk_length)


def name_data(file: TextFile, vocabulary: Vocabulary | None = None, examples: int | None = None) -> Dataset:
    """Take every line as a name, lower-cased and stripped. Empty lines are no names."""
    text = file.text.lower()
    vocabulary = vocabulary or character_vocabulary(text + "\n")
    if not text.strip():
        raise ValueError(f"{file.path} is empty; it must hold at least one name")
    names = {n: line.strip() for n, line in enumerate(text.split("\n"), start=1) if line.strip()}
    ids = [vocabulary.encode(name + "\n", f"{file.path}, line {n}") for n, name in names.items()][:examples]
    return Dataset([np.concatenate([[NO_TOKEN], name[:-1]]) for name in ids], ids, vocabulary, file.sha256)


def sentence_data(
    file: TextFile, vocabulary: Vocabulary | None = None, examples: int | None = None, vocabulary_size: int = 8000
) -> Dataset:
    """Cut a text, or every comment of a CSV, into sentences between markers; those of three tokens or fewer go."""
    is_csv = file.path.lower().endswith(".csv")
    comments = read_comments(file) if is_csv else [file.text]
    sentences = [
        [SENTENCE_START, *split_words(sentence), SENTENCE_END]
        for comment in comments
        for sentence in split_sentences(comment)
    ]
    sentences = [sentence for sentence in sentences if len(sentence) > 3]
    if not sentences:
        where = " in its first column" if is_csv else ""
        raise ValueError(f"{file.path} has no sentence of two words or more{where}; shorter ones are left out, add one")
    vocabulary = vocabulary or word_vocabulary(sentences, vocabulary_size)
    ids = [vocabulary.encode(sentence, file.path) for sentence in sentences[:examples]]
    return Dataset([s[:-1] for s in ids], [s[1:] for s in ids], vocabulary, file.sha256)


def chunk_data(
    file: TextFile, vocabulary: Vocabulary | None = None, examples: int | None = None, chunk_length: int = 25
) -> Dataset:
    """Cut running text into chunks; what is left over at the end, less than a chunk and one character, goes."""
    if chunk_length < 1:
        raise ValueError(f"chunk_length is {chunk_length}, and must be at least 1")
    n = (len(file.text) - 1) // chunk_length
    if n < 1:
        raise ValueError(
            f"{file.path} has {len(file.text)} characters; a chunk of {chunk_length} and the one that follows make "
            f"{chunk_length + 1}: give a longer text, or shorten chunk_length"
        )
    vocabulary = vocabulary or character_vocabulary(file.text)
    ids = vocabulary.encode(file.text, file.path)[: n * chunk_length + 1]
    inputs, targets = ids[:-1].reshape(n, chunk_length), ids[1:].reshape(n, chunk_length)
    return Dataset(list(inputs[:examples]), list(targets[:examples]), vocabulary, file.sha256, carried=True)
