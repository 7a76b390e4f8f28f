"""From a file to tokens: reading, and the rules by which text is cut into sentences and words.

- A *sentence* ends after `.`, `!`, `?` or `…` (and one closing quote or bracket) when white space follows, and at an
  empty line. The rule knows no abbreviations: "e.g. this" is two sentences.
- A *word* is a run of letters and digits, with apostrophes and hyphens inside it (`don't`, `well-known`); every other
  character that is not white space is a token by itself.
"""

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TextFile", "join_words", "read_comments", "read_text", "split_sentences", "split_words"]

SENTENCE_BREAK = re.compile(r"""(?:(?<=[.!?…])|(?<=[.!?…]["'”\u2019)\]]))\s+|\n\s*\n""")
WORD = re.compile(r"\w+(?:['\u2019-]\w+)*|[^\w\s]")
DELIMITERS = ",;\t"
HEADERS = {"body", "comment", "comments", "content", "message", "review", "sentence", "sentences", "text"}


@dataclass(frozen=True)
class TextFile:
    """A file that has been read: its text, its name for messages, and the checksum of its bytes."""

    path: str
    text: str
    sha256: str


def read_text(path: str | os.PathLike[str]) -> TextFile:
    """Read a UTF-8 text; all three kinds of line end become one, as everywhere in Python.

    Raises
    ------
    ValueError
        If the file is missing, a folder, unreadable, empty or not UTF-8.
    """
    name = os.fspath(path)
    if os.path.isdir(path):
        raise ValueError(f"{name} is a folder; data is one text file, name a file inside it")
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{name} does not exist; check the spelling, or the folder you are in") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}; check the path and its permissions") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}: byte 0x{raw[error.start]:02x} at offset {error.start} is not UTF-8, the encoding that "
            "is read; convert the file, for example with iconv -f latin1 -t utf-8"
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ValueError(f"{name} is empty ({len(raw)} bytes, no text); data must hold at least one example")
    return TextFile(name, text, hashlib.sha256(raw).hexdigest())


def read_comments(file: TextFile) -> list[str]:
    """Return the first column of a CSV, one comment per row; a header row is recognised by its name.

    Columns are separated by commas, or by what stands behind the name in the header: a semicolon or a tab.

    Raises
    ------
    ValueError
        If a quotation mark is left open, or anything else makes it unreadable as CSV.
    """
    delimiter = next((d for d in DELIMITERS if _is_header(file.text.partition("\n")[0].partition(d)[0])), ",")
    reader = csv.reader(io.StringIO(file.text, newline=""), delimiter=delimiter, strict=True)
    try:
        column = [row[0] for row in reader if row]
    except csv.Error as error:
        raise ValueError(
            f"{file.path} is not a readable CSV at line {reader.line_num}: {error}; put the line right (a "
            "quotation mark opens a field and closes it, and is written twice inside), or save the text as .txt"
        ) from None
    return column[1:] if column and _is_header(column[0]) else column


def _is_header(cell: str) -> bool:
    return cell.strip(' "').lower() in HEADERS


def split_sentences(text: str) -> list[str]:
    """Cut running text into sentences."""
    return [sentence.strip() for sentence in SENTENCE_BREAK.split(text) if sentence.strip()]


def split_words(sentence: str) -> list[str]:
    """Cut a sentence into lower-cased words and punctuation."""
    return WORD.findall(sentence.lower())


def join_words(tokens: Iterable[str]) -> str:
    """Write tokens as a line of text, without a space before closing punctuation."""
    return re.sub(r" ([.,;:!?…)\]])", r"\1", " ".join(tokens))
