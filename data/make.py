"""Make tale.txt and comments.csv from their grammars, and floors.json: the lowest loss a language model can reach.

- `python data/make.py` writes the three files again, bit for bit
- `python data/make.py --check` compares instead of writing, and exits 1 where a file differs
- `python data/make.py --seed 7 --out fresh` writes other texts of the same source, to test a model on what it never saw
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import random
import re
import sys
from pathlib import Path

from entropy import by_length, entropy, expected_length, floor_mean_of_means
from grammar import Grammar, read_grammar

HERE = Path(__file__).resolve().parent
SEED = 1
PARAGRAPHS = 480
COMMENTS = 1000
# Solving a linear system may round differently from one BLAS to the next; nothing else here may differ at all.
FLOORS_RELATIVE = 1e-9

UNITS = {
    "nats": "natural logarithms; divide by 0.6931 for bits",
    "text": "a paragraph of the tale, a comment, or a sentence of a comment",
    "char": "a character of the text, and the newline (or, between sentences, the space) after it",
    "token": "a word, a punctuation mark, and one end of the text",
    "source": "expectations under the grammar: the floor of the loss on fresh text",
    "sample": "the shipped texts themselves: what the grammar, the best model there is, loses on them",
    "nats_per_token_mean_of_sentence_means": "the floor where each sentence counts by its mean",
}

WORD = re.compile(r"[A-Za-z]+|[.,!?]")


def render(words: list[str]) -> str:
    """Write words as English: a space before each word, none before punctuation, a capital after `.`, `!`, `?`."""
    text = ""
    capital = True
    for word in words:
        if word.isalpha():
            text += " " + (word[0].upper() + word[1:] if capital else word)
        else:
            text += word
        capital = word in {".", "!", "?"}
    return text.removeprefix(" ")


def tokenise(text: str, grammar: Grammar) -> list[str]:
    """Undo `render`. Words differ by more than their capitals (`check_words`), so nothing is lost."""
    known = {word.lower(): word for word in grammar.words()}
    return [known.get(found.lower(), found) for found in WORD.findall(text)]


def check_words(grammar: Grammar) -> None:
    """Raise ValueError for words that the text does not give back: its entropy would be lower than computed."""
    seen: dict[str, str] = {}
    for word in sorted(grammar.words()):
        if not WORD.fullmatch(word):
            raise ValueError(
                f"the word {word!r} is neither letters nor one of . , ! ?: its texts cannot be split again"
            )
        if seen.setdefault(word.lower(), word) != word:
            raise ValueError(f"the words {seen[word.lower()]!r} and {word!r} differ in capitals only: one must go")


def width(word: str) -> int:
    """Count the characters that a word adds: its own and the space before it.

    The first word of a text has no space before it; the newline after the text takes its place in the count.
    """
    return len(word) + word.isalpha()


def draw_texts(grammar: Grammar, seed: int, count: int) -> list[list[str]]:
    """Draw `count` independent texts as lists of words."""
    rng = random.Random(seed)
    return [grammar.draw(rng)[0] for _ in range(count)]


def write_comments(comments: list[list[str]]) -> str:
    """Return the CSV: a comment and its number of sentences in each row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["comment", "sentences"])
    writer.writerows([render(words), sum(word in {".", "!", "?"} for word in words)] for words in comments)
    return out.getvalue()


def floors(grammar: Grammar, texts: list[list[str]]) -> dict[str, dict[str, float]]:
    """Return what the source gives on average, and what these very texts give (nats); `UNITS` says what is counted."""
    chars = expected_length(grammar, width)[grammar.start]
    tokens = expected_length(grammar, lambda word: 1)[grammar.start] + 1
    nats = entropy(grammar)[grammar.start]
    n_chars = sum(len(render(words)) + 1 for words in texts)
    n_tokens = sum(len(words) + 1 for words in texts)
    surprise = -math.fsum(grammar.log_prob(words) for words in texts)
    return {
        "source": {
            "nats_per_text": nats,
            "chars_per_text": chars,
            "tokens_per_text": tokens,
            "nats_per_char": nats / chars,
            "nats_per_token": nats / tokens,
        },
        "sample": {
            "texts": len(texts),
            "chars": n_chars,
            "tokens": n_tokens,
            "nats": surprise,
            "nats_per_char": surprise / n_chars,
            "nats_per_token": surprise / n_tokens,
        },
    }


def sentence_floors(grammar: Grammar, texts: list[list[str]]) -> dict[str, dict[str, float]]:
    """Return the same for single sentences: a comment is independent draws of them."""
    alone = Grammar("Sentence", grammar.rules, grammar.table)
    sentences = [re.findall(r"[^.!?]+[.!?]", " ".join(words)) for words in texts]
    result = floors(alone, [found.split() for comment in sentences for found in comment])
    p, h = by_length(grammar, "Sentence")
    result["source"]["nats_per_token_mean_of_sentence_means"] = floor_mean_of_means(p, h, extra=1)
    return result


def make(seed: int) -> dict[str, str]:
    """Return the content of every file by its name."""
    tale, comments = (read_grammar(HERE / name) for name in ("tale.toml", "comments.toml"))
    check_words(tale)
    check_words(comments)
    paragraphs = draw_texts(tale, seed, PARAGRAPHS)
    rows = draw_texts(comments, seed, COMMENTS)
    figures = {
        "units": UNITS,
        "seed": seed,
        "tale.txt": floors(tale, paragraphs),
        "comments.csv": floors(comments, rows),
        "comments.csv, single sentences": sentence_floors(comments, rows),
    }
    return {
        "tale.txt": "".join(render(words) + "\n" for words in paragraphs),
        "comments.csv": write_comments(rows),
        "floors.json": json.dumps(figures, indent=2) + "\n",
    }


def same(name: str, found: str, expected: str) -> bool:
    """Compare bit for bit; the figures in floors.json to a relative 1e-9."""
    if found == expected or not name.endswith(".json"):
        return found == expected
    number = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
    pairs = zip(number.findall(found), number.findall(expected), strict=False)
    close = all(math.isclose(float(a), float(b), rel_tol=FLOORS_RELATIVE) for a, b in pairs)
    return close and number.sub("", found) == number.sub("", expected)


def main(argv: list[str] | None = None) -> int:
    """Write or check the files; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare the files instead of writing them")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the draws (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the files (default: the one of this script)")
    args = parser.parse_args(argv)
    if args.out.resolve() == HERE and args.seed != SEED:
        parser.error(
            f"--seed {args.seed} would replace the shipped files, made with seed {SEED}: give --out FOLDER too"
        )
    status = 0
    for name, content in make(args.seed).items():
        path = args.out / name
        if not args.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("ascii"))
        elif not path.is_file() or not same(name, path.read_bytes().decode("ascii", "replace"), content):
            print(f"{path} differs from what its grammar and seed give: run python data/make.py", file=sys.stderr)
            status = 1
            continue
        print(f"{name}: {len(content)} bytes, {'as its grammar gives it' if args.check else 'written'}")
        if name.endswith(".json"):
            print(content, end="")
    return status


if __name__ == "__main__":
    sys.exit(main())
