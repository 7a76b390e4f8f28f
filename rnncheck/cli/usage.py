"""What is wrong with the words of a command, in one sentence of ours.

Typer says it in a wording that changes from version to version ("Input should be a valid integer, unable to parse
string as an integer") and forgets the value. What it knows stands in attributes, and the value among the arguments.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches

import typer

__all__ = ["sentence"]

KINDS = {"integer": "a whole number", "int": "a whole number", "number": "a number", "float": "a number"}
NOT_A = re.compile(r"valid (integer|int|number|float)\b")
NO_SUCH = re.compile(r"(?i)^(dir|directory|file|path) '(.*)' does not exist")
IS_A = re.compile(r"(?i)^(?:dir|directory|file|path) '(.*)' is a (file|directory)")
MISSING = re.compile(r"^Missing (?:argument|option|parameter) '(.*?)'(?:\. Choose from: (.*))?")
BAD_VALUE = re.compile(r"^Invalid value(?: for (.*?))?: (.*)")
EXTRA = re.compile(r"unexpected extra arguments? ?(?:\(s\) )?\((.*)\)")
COMMAND = re.compile(r"No such command '(.*?)'")
MEANT = re.compile(r"Did you mean (.*?)\?")


def sentence(complaint: typer.BadParameter, argv: Sequence[str]) -> str:
    """Say which word is wrong, how, and what to write in its place; at the end, where help is."""
    said = " ".join(complaint.format_message().split()).rstrip(".")
    command = complaint.ctx.command_path if complaint.ctx is not None else " ".join(["rnncheck", *_name(argv)])
    return f"{_what(complaint, said, command, argv)} (see {command} --help)"


def _what(complaint: typer.BadParameter, said: str, command: str, argv: Sequence[str]) -> str:
    kind = type(complaint).__name__
    if missing := MISSING.search(said):
        name = missing[1].upper()
        return f"{name} is missing: {command} {name}" + (f", one of {missing[2]}" if missing[2] else "")
    if bad := BAD_VALUE.search(said):
        return _bad_value((bad[1] or "").replace("'", ""), bad[2], argv)
    if kind == "NoSuchOption":
        option = getattr(complaint, "option_name", "")
        alike = " or ".join(_near(option, getattr(complaint, "possibilities", None) or ()))
        return f"there is no option {option}" + (f"; did you mean {alike}?" if alike else "")
    if kind == "BadOptionUsage":
        option = getattr(complaint, "option_name", "")
        return f"{option} takes no value" if "does not take" in said else f"{option} needs a value after it"
    if extra := EXTRA.search(said):
        return f"{extra[1]} is one too many: {command} takes fewer arguments"
    if unknown := COMMAND.search(said):
        near = MEANT.search(said)
        return f"there is no command {unknown[1]}" + (f"; did you mean {near[1].replace(chr(39), '')}?" if near else "")
    return f"the name of a command is missing after {command}" if said == "Missing command" else said


def _near(option: str, known: Sequence[str]) -> list[str]:
    """Return the options that may have been meant; that two begin with dashes does not make them alike."""
    names = {name.lstrip("-"): name for name in sorted(known)}
    return [names[name] for name in get_close_matches(option.lstrip("-"), names)]


def _bad_value(name: str, words: str, argv: Sequence[str]) -> str:
    """Say what is wrong with a value; ours are sentences already."""
    words = words.replace("Value error, ", "")
    if number := NOT_A.search(words):
        words = f"{_value(name, argv)!r} is not {KINDS[number[1]]}"
    elif missing := NO_SUCH.search(words):
        what = "folder" if missing[1].lower().startswith("dir") else "file"
        words = f"there is no {what} {missing[2]}; check the spelling, or the folder that you are in"
    elif other := IS_A.search(words):
        there, wanted = ("a file", "a folder") if other[2] == "file" else ("a folder", "a file")
        words = f"{other[1]} is {there}; give {wanted}"
    return f"{name}: {words}" if name else words


def _value(names: str, argv: Sequence[str]) -> str:
    """Find what was given for an option, for typer does not say it."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option in names.split(" / "):
            return value if equals else following
    return "this"


def _name(argv: Sequence[str]) -> list[str]:
    """Return the words that name a command, where typer has not kept which one it was."""
    return [word for word in argv[:1] if not word.startswith("-")]
