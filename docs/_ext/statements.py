"""What a page says about the code in words must be so: exit codes, shapes of arrays, names and counts of faults.

A figure that a page has computed is pinned by a hidden cell, `assert len(seen) == 3  # says: Three of fourteen`: the
assertion runs, and the words must stand in the page.
"""

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache

import shapes

from rnncheck.cli.main import CODES
from rnncheck.faults import FAULTS, SURVEYED
from rnncheck.shipped import shipped

MEANINGS = dict(re.findall(r"(\d+) ([a-z ]+)", CODES))
SENTENCE = re.compile(r"Exit codes: ([^.]*)")
TABLE = re.compile(r"^\| code \| meaning \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", re.M)
EXITS = re.compile(r"(?<!never )(?<!not )exit(?:s|ed|ing)?(?: codes?| status)?(?: with| is| of)? (\d+)\b")
STATES = {"agree": r"\bagrees?\b", "differ": r"\bdiffers?\b", "could not run": r"\b(?:could|can) ?not run\b"}
STATES |= {"nothing comparable": r"\bnothing (?:is |was )?comparable\b", "interrupted": r"\binterrupted\b"}
"""How a sentence says what happened, by the meaning of the exit code."""

FAULT_LINK = re.compile(r"\]\([\w./]*faults/([\w-]+)\.md\)")
FAULT_ASKED = re.compile(r"rnncheck (?:explain|lab|demo --fault) ([a-z][\w-]+)(?!.*# exit code)")
SLUG = re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+){2,})`")
SEEN = re.compile(r"found (?:in )?(\d+) (?:times|of)")
SURVEY = re.compile(r"(\d+) public implementations")
CELL = re.compile(r"^```\{code-cell\}.*?^```$", re.M | re.S)
SAYS = re.compile(r"# says: (.+)$", re.M)


def complaints(text: str) -> Iterator[str]:
    """Yield a sentence for everything in `text` that is not so."""
    yield from _codes(text)
    yield from shapes.complaints(text)
    yield from _faults(text)
    prose = " ".join(CELL.sub("", text).split())
    yield from (f"the page does not say {words!r}" for words in SAYS.findall(text) if words not in prose)
    for paragraph in re.split(r"\n\s*\n", text):
        yield from _counts(" ".join(paragraph.split()))
        yield from _exits(" ".join(paragraph.split()))


def _codes(text: str) -> Iterator[str]:
    told = [pair for sentence in SENTENCE.findall(text) for pair in re.findall(r"(\d+) ([a-z ]+)", sentence)]
    for rows in TABLE.findall(text):
        told += re.findall(r"^\| (\d+) \| ([a-z ]+)", rows, re.M)
    for code, words in told:
        if MEANINGS.get(code) != words.strip():
            yield f"exit code {code} does not mean {words.strip()!r} but {MEANINGS.get(code)!r}"


def _exits(paragraph: str) -> Iterator[str]:
    """Hold every code of a running sentence against what the sentence says happened."""
    for words in re.split(r"(?<=[.;!?]) ", paragraph):
        said = [meaning for meaning, pattern in STATES.items() if re.search(pattern, words)]
        for code in EXITS.findall(words):
            if code not in MEANINGS:
                yield f"there is no exit code {code}"
            elif said and MEANINGS[code] not in said:
                yield f"exit code {code} does not mean {said[0]!r} but {MEANINGS[code]!r}"


def _faults(text: str) -> Iterator[str]:
    slugs = set(SLUG.findall(text)) - _stored_cases()
    for name in sorted({*FAULT_ASKED.findall(text), *FAULT_LINK.findall(text), *slugs} - {"index"}):
        near = get_close_matches(name, FAULTS, n=1, cutoff=0)
        if name not in FAULTS:
            yield f"there is no fault {name}; the nearest name is {near[0]}"


@cache
def _stored_cases() -> frozenset[str]:
    manifest = json.loads((shipped("vectors/v1") / "manifest.json").read_text(encoding="utf-8"))
    return frozenset(vector["name"] for vector in manifest["vectors"])


def _counts(paragraph: str) -> Iterator[str]:
    for number in SURVEY.findall(paragraph):
        if int(number) != SURVEYED:
            yield f"{number} implementations were not surveyed, but {SURVEYED}"
    counts = set(SEEN.findall(paragraph))
    named = {*FAULT_LINK.findall(paragraph), *FAULT_ASKED.findall(paragraph), *SLUG.findall(paragraph)}
    linked = named & set(FAULTS)
    if counts and not linked:
        yield f"what was found {', '.join(sorted(counts))} times? Name its fault in the same paragraph"
    elif counts and not counts <= {str(FAULTS[name].seen) for name in linked}:
        yield f"found {', '.join(sorted(counts))} times, but the catalogue says " + ", ".join(
            f"{FAULTS[name].seen} for {name}" for name in sorted(linked)
        )
