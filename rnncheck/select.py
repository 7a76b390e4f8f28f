"""Choose checks by name as pytest's `-k` does: parts of a name, joined by `and`, `or`, `not` and parentheses.

A whole name, `family[case]`, chooses that check alone: the command under a failure runs nothing else.

    expression := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" expression ")" | part
"""

import re
from collections.abc import Callable

from rnncheck.errors import UserError

__all__ = ["selector"]

Selector = Callable[[str], bool]
WHOLE = re.compile(r"[^\[]+\[.*\]")
KEYWORDS = ("and", "or", "not", "(", ")")


def selector(expression: str) -> Selector:
    """Return a function that says whether a name is chosen; case does not matter."""
    parser = _Parser(expression)
    chosen = parser.expression()
    if parser.tokens:
        raise parser.complaint("the end")
    return chosen


class _Parser:
    """Recursive descent: one method per rule of the grammar above."""

    def __init__(self, text: str):
        self.text = text
        self.tokens = re.findall(r"[()]|[^\s()]+", text)

    def expression(self) -> Selector:
        terms = [self.term()]
        while self.take("or"):
            terms.append(self.term())
        return lambda name: any(term(name) for term in terms)

    def term(self) -> Selector:
        factors = [self.factor()]
        while self.take("and"):
            factors.append(self.factor())
        return lambda name: all(factor(name) for factor in factors)

    def factor(self) -> Selector:
        if self.take("not"):
            negated = self.factor()
            return lambda name: not negated(name)
        if self.take("("):
            inner = self.expression()
            if not self.take(")"):
                raise self.complaint("a closing parenthesis")
            return inner
        if not self.tokens or self.tokens[0].lower() in KEYWORDS:
            raise self.complaint("part of a check's name")
        part = self.tokens.pop(0).lower()
        whole = WHOLE.fullmatch(part)
        return lambda name: part == name.lower() if whole else part in name.lower()

    def take(self, token: str) -> bool:
        """Take the next token if it is this one."""
        if not self.tokens or self.tokens[0].lower() != token:
            return False
        del self.tokens[0]
        return True

    def complaint(self, expected: str) -> UserError:
        found = repr(self.tokens[0]) if self.tokens else "the end"
        return UserError(
            f"-k {self.text!r}: found {found}, expected {expected}; write for example 'gradients and not (B=1 or T=1)'"
        )
