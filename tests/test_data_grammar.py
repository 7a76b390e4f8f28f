"""The grammars of the shipped texts give each text one derivation, and refuse to be ambiguous."""

import csv
import importlib
import io
import math
import random
import re
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
sys.path.insert(0, str(DATA))  # these scripts import each other by their plain names, as when they are run
grammar, entropy, make = (importlib.import_module(name) for name in ("grammar", "entropy", "make"))
sys.path.remove(str(DATA))

EXACT = 1e-12  # relative; sums of some hundred float64 terms
FRESH_SEED = 20_240


SHIPPED = {
    "tale": (DATA / "tale.txt").read_text("ascii").splitlines(),
    "comments": [row["comment"] for row in csv.DictReader(io.StringIO((DATA / "comments.csv").read_text("ascii")))],
}


@pytest.fixture(scope="module", params=["tale", "comments"])
def shipped(request):
    return grammar.read_grammar(DATA / f"{request.param}.toml"), SHIPPED[request.param]


def test_rendering_loses_nothing(shipped):
    rules, texts = shipped
    rng = random.Random(make.SEED)
    for text in texts:
        words, log_p = rules.draw(rng)
        assert make.tokenise(text, rules) == make.tokenise(text.lower(), rules) == words
        # The parser finds the choices that were made: the same probability by another way.
        assert math.isclose(rules.log_prob(words), log_p, rel_tol=EXACT)


@pytest.mark.parametrize(
    ("old", "new"),
    [("she", "he"), ("she", "they"), ("her", "its"), ("waits", "wait"), ("an", "a"), ("house.", "house")],
)
def test_a_text_with_one_word_wrong_is_not_of_the_grammar(old, new):
    tale = grammar.read_grammar(DATA / "tale.toml")
    text = "Anna has an apple and her lamp. When she waits, she does not sleep. She walks to the house."
    assert tale.log_prob(make.tokenise(text, tale)) < 0
    with pytest.raises(ValueError, match="not a text of this grammar"):
        tale.log_prob(make.tokenise(re.sub(rf"\b{re.escape(old)}(?!\w)", new, text, count=1), tale))


@pytest.mark.parametrize(
    ("words", "message"),
    [("may May", "differ in capitals only"), ("don't do", "neither letters"), ("two_words one", "neither letters")],
)
def test_words_that_rendering_would_merge_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        make.check_words(grammar.make_grammar("S", {"S": ["1: Word ."], "Word": words}))


def derivations(rules, start, limit):
    """Yield (words, p) of all leftmost derivations of at most `limit` expansions: no table, no parser."""
    todo = [((), (start,), 1.0, 0)]
    while todo:
        words, symbols, p, steps = todo.pop()
        if not symbols:
            yield words, p
        elif symbols[0] not in rules:
            todo.append(((*words, symbols[0]), symbols[1:], p, steps))
        elif steps < limit:
            todo += [(words, a.symbols + symbols[1:], p * a.p, steps + 1) for a in rules[symbols[0]]]


AMBIGUOUS = {
    "the same twice": {"S": ["1: a", "1: a"]},
    "a word twice": {"S": "a b a"},
    "by two rules": {"S": ["1: A", "1: B"], "A": ["1: a b"], "B": ["1: a b"]},
    "nothing by two ways": {"S": ["1: A b"], "A": ["1:", "1: B"], "B": ["1:"]},
    "after nothing": {"S": ["1: A", "1: b"], "A": ["1: B b"], "B": ["1:"]},
    "either side": {"S": ["1: A A"], "A": ["1:", "1: a"]},
    "left recursion": {"S": ["1: S S", "3: a"]},
    "whose else": {"S": ["1: if S Else", "2: a"], "Else": ["1:", "1: else S"]},
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_grammar_is_refused(name):
    templates = AMBIGUOUS[name]
    rules = {key: grammar._alternatives(body, {}) for key, body in templates.items()}
    texts = [words for words, _ in derivations(rules, "S", 7)]
    assert len(set(texts)) < len(texts), "the planted grammar is not ambiguous at all"
    with pytest.raises(ValueError, match="the next word must decide"):
        grammar.make_grammar("S", templates)


def test_a_rule_that_may_write_nothing_is_accepted_where_the_next_word_decides():
    rules = grammar.make_grammar("S", {"S": ["1: A b", "1:"], "A": ["1:", "3: a"]})
    for words, p in (("", 1 / 2), ("b", 1 / 8), ("a b", 3 / 8)):
        assert math.isclose(rules.log_prob(words.split()), math.log(p), rel_tol=EXACT)


def test_without_the_proof_the_entropy_of_the_text_would_be_overstated():
    templates = AMBIGUOUS["by two rules"]
    rules = {key: grammar._alternatives(body, {}) for key, body in templates.items()}
    assert entropy.entropy(grammar.Grammar("S", rules, {}))["S"] == math.log(2)  # of the choice; the text is certain


def test_what_is_accepted_among_random_grammars_is_unambiguous():
    rng = random.Random(FRESH_SEED)
    accepted = ambiguous = 0
    for trial in range(3000):
        templates = {
            name: [f"1: {' '.join(rng.choices('SABab', k=rng.randrange(4)))}" for _ in range(rng.randrange(1, 4))]
            for name in "SAB"
        }
        rules = {key: grammar._alternatives(body, {}) for key, body in templates.items()}
        used = grammar._reachable("S", rules, set())
        texts = dict.fromkeys(found := [words for words, _ in derivations(rules, "S", 5)])
        try:
            grammar.make_grammar("S", {name: templates[name] for name in used})
        except ValueError:
            ambiguous += len(texts) < len(found)
        else:
            accepted += len(texts) > 1
            assert len(texts) == len(found), f"seed {FRESH_SEED}, trial {trial}: two derivations in {templates}"
    assert accepted > 50
    assert ambiguous > 50


@pytest.mark.parametrize(
    ("templates", "features", "message"),
    [
        ({"S": ["1: a Missing"]}, [{}], "Missing has no rule"),
        ({"S": ["1: a"], "Unused": ["1: b"]}, [{}], "Unused is never used"),
        ({"S": ["1: {n}"]}, [{"n": "a"}, {"n": "b"}], "S means two things"),
        ({"S": ["1: Name"], "Name": "Anna S"}, [{}], "words and names of rules"),
        ({"S": ["0: a", "1: b"]}, [{}], "a weight above 0"),
        ({"S": ["a"]}, [{}], "a weight above 0"),
    ],
)
def test_a_mistaken_grammar_is_refused(templates, features, message):
    with pytest.raises(ValueError, match=message):
        grammar.make_grammar("S", templates, features)


def test_the_message_names_the_file(tmp_path):
    (tmp_path / "bad.toml").write_text('start = "S"\n[rules]\nS = ["1: a", "1: a b"]\n', encoding="ascii")
    with pytest.raises(ValueError, match=r"^bad\.toml: S has 'a' and 'a b', both possible before 'a'"):
        grammar.read_grammar(tmp_path / "bad.toml")
