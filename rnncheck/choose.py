"""Choose checks by name as pytest's `-k` does: parts of a name, joined by `and`, `or`, `not` and parentheses.

A whole name chooses that check alone, so that the command under a failure runs nothing else.

    expression := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" expression ")" | part
"""

import re
from collections.abc import Callable, Collection

from rnncheck.errors import UserError

__all__ = ["choose"]

Selector = Callable[[str], bool]
KEYWORDS = ("and", "or", "not", "(", ")")


def choose(expression: str, names: Collection[str]) -> set[str]:
    """Return the names that `expression` chooses; case does not matter."""
    if expression in names:
        return {expression}
    parser = _Parser(expression)
    matches = parser.expression()
    if parser.tokens:
        raise parser.complaint("the end")
    return {name for name in names if matches(name)}


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
        return lambda name: part in name.lower()

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
