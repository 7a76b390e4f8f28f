"""A probabilistic grammar: read it, prove that it is unambiguous, draw from it, parse with it.

The proof asks for more than unambiguity: the next word alone must decide which alternative a rule takes (LL(1); Lewis
and Stearns, "Syntax-directed transduction", 1968). Then every text has exactly one derivation, a parser needs no
search, and the probability of a text is the product of the probabilities along its derivation.
"""

from __future__ import annotations

import math
import random
import tomllib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

END = "<end>"
EMPTY = ""


@dataclass(frozen=True)
class Alternative:
    """One right-hand side of a rule, taken with probability `p`."""

    symbols: tuple[str, ...]
    p: float


Rules = dict[str, list[Alternative]]
Templates = dict[str, list[str] | str]


@dataclass(frozen=True)
class Grammar:
    """A start symbol, its rules, and the table (symbol, next word) -> alternative that makes it unambiguous."""

    start: str
    rules: Rules
    table: dict[tuple[str, str], Alternative]

    def words(self) -> set[str]:
        """Return all terminals."""
        return {s for alternatives in self.rules.values() for a in alternatives for s in a.symbols} - self.rules.keys()

    def draw(self, rng: random.Random) -> tuple[list[str], float]:
        """Draw one text; return its words and the log-probability (nats) of the choices made."""
        words: list[str] = []
        log_p = 0.0
        stack = [self.start]
        while stack:
            symbol = stack.pop()
            if symbol not in self.rules:
                words.append(symbol)
                continue
            alternatives = self.rules[symbol]
            # Only rng.random() and sums of probabilities: the same bits under every Python.
            cumulative = list(accumulate(a.p for a in alternatives))
            chosen = alternatives[min(bisect_right(cumulative, rng.random()), len(alternatives) - 1)]
            log_p += math.log(chosen.p)
            stack.extend(reversed(chosen.symbols))
        return words, log_p

    def log_prob(self, words: Iterable[str]) -> float:
        """Return the log-probability (nats) of a text, by parsing it.

        Raises
        ------
        ValueError
            If the grammar does not give this text.
        """
        log_p = 0.0
        stack = [END, self.start]
        for position, word in enumerate([*words, END]):
            while (symbol := stack.pop()) in self.rules:
                if (symbol, word) not in self.table:
                    raise ValueError(
                        f"word {position} is {word!r}, which cannot begin {symbol}: not a text of this grammar"
                    )
                chosen = self.table[symbol, word]
                log_p += math.log(chosen.p)
                stack.extend(reversed(chosen.symbols))
            if symbol != word:
                raise ValueError(f"word {position} is {word!r}, expected {symbol!r}: not a text of this grammar")
        return log_p


def read_grammar(path: Path) -> Grammar:
    """Read a grammar from a TOML file; see the head of `tale.toml` for the format."""
    spec = tomllib.loads(path.read_text("ascii"))
    features = spec.get("features", [{}])
    try:
        return make_grammar(spec["start"], {**spec["rules"], **spec.get("words", {})}, features)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def make_grammar(start: str, templates: Templates, features: list[dict[str, str]] | None = None) -> Grammar:
    """Expand templates by features, drop what `start` does not reach, and prove the rest unambiguous.

    Raises
    ------
    ValueError
        If a rule is missing, contradictory or out of reach, or the next word does not decide an alternative.
    """
    rules: Rules = {}
    for row in features or [{}]:
        for name, body in templates.items():
            expanded = _alternatives(body, row)
            if rules.setdefault(name.format(**row), expanded) != expanded:
                raise ValueError(f"{name} means two things: its name must hold every feature that its alternatives use")
    lists = {name for name, body in templates.items() if isinstance(body, str)}
    if clash := rules.keys() & {a.symbols[0] for name in lists for a in rules[name]}:
        raise ValueError(f"{sorted(clash)} are words and names of rules: rename the rules")
    used = _reachable(start, rules, lists)
    for name in templates:
        if not used & {name.format(**row) for row in features or [{}]}:
            raise ValueError(f"{name} is never used: remove it, or name it in a rule that {start} reaches")
    rules = {name: rules[name] for name in rules if name in used}
    return Grammar(start, rules, _table(start, rules))


def _alternatives(body: list[str] | str, row: dict[str, str]) -> list[Alternative]:
    """Read `["3: Noun Verb", ...]` (weighted symbols) or `"dog cat ..."` (words, commonest first)."""
    if isinstance(body, str):
        # Zipf's law as Mandelbrot (1953) corrected it for the commonest words.
        weighted: list[tuple[float, tuple[str, ...]]]
        weighted = [(1 / (k + 2.7), (word,)) for k, word in enumerate(body.split(), start=1)]
    else:
        pairs = [text.format(**row).partition(":") for text in body]
        weighted = [(float(weight) if colon else 0.0, tuple(symbols.split())) for weight, colon, symbols in pairs]
    total = math.fsum(weight for weight, _ in weighted)  # exact: sum() rounds differently from Python 3.12 on
    if not all(0 < weight < math.inf for weight, _ in weighted):
        raise ValueError(f'{body}: every alternative is written "weight: symbols", with a weight above 0')
    return [Alternative(symbols, weight / total) for weight, symbols in weighted]


def _reachable(start: str, rules: Rules, lists: set[str]) -> set[str]:
    """Return the rules that `start` leads to. A capital letter means a rule, except in a list of words (Anna)."""
    used, todo = set[str](), [start]
    while todo:
        name = todo.pop()
        if name not in rules:
            raise ValueError(f"{name} has no rule: write one, or a small letter for a word")
        if name not in used:
            used.add(name)
            todo += [s for a in rules[name] for s in a.symbols if name not in lists and s[0].isupper()]
    return used


def _table(start: str, rules: Rules) -> dict[tuple[str, str], Alternative]:
    """Return (symbol, next word) -> alternative, from the sets FIRST and FOLLOW of LL(1) parsing."""
    first: dict[str, set[str]] = {name: set() for name in rules}
    follow: dict[str, set[str]] = {name: set() for name in rules}
    follow[start].add(END)

    def first_of(symbols: tuple[str, ...]) -> set[str]:
        found: set[str] = set()
        for symbol in symbols:
            begins = first.get(symbol, {symbol})
            found |= begins - {EMPTY}
            if EMPTY not in begins:
                return found
        return found | {EMPTY}

    def size() -> int:
        return sum(map(len, [*first.values(), *follow.values()]))

    before = -1
    while before < (before := size()):  # the sets only grow, so they are complete when they no longer do
        for name, alternatives in rules.items():
            for symbols in (a.symbols for a in alternatives):
                first[name] |= first_of(symbols)
                for i, symbol in enumerate(symbols):
                    if symbol in rules:
                        rest = first_of(symbols[i + 1 :])
                        follow[symbol] |= (rest - {EMPTY}) | (follow[name] if EMPTY in rest else set())

    table: dict[tuple[str, str], Alternative] = {}
    for name, alternatives in rules.items():
        for a in alternatives:
            begins = first_of(a.symbols)
            for word in sorted((begins - {EMPTY}) | (follow[name] if EMPTY in begins else set())):
                if (name, word) in table:
                    both = " and ".join(repr(" ".join(b.symbols)) for b in (table[name, word], a))
                    raise ValueError(
                        f"{name} has {both}, both possible before {word!r}: the next word must decide, or a text could "
                        "have two derivations; write the common beginning once, in a rule above both"
                    )
                table[name, word] = a
    return table
