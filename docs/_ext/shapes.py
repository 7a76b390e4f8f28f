"""A shape that a page gives to an array must be the one that the code gives it, in backticks or in a sentence.

Only shapes in the letters of the notation are held against it: `(T + 1, B, H)` of a variable in a lesson is that
lesson's affair.
"""

import re
from collections.abc import Iterator
from functools import cache

import numpy as np

from rnncheck.cases.make import Design, make_rnn_case
from rnncheck.textbook import Textbook

SIZES = {"T": 4, "B": 2, "I": 5, "H": 3, "V": 7}
"""All different: two shapes that differ in letters differ in numbers."""

FENCE = re.compile(r"^(`{3,}|:{3,}).*?\n.*?^\1$", re.M | re.S)
IS = r"(?:[ ,:]+(?:is|are|has|have|of|in|with|its|the|a|an|shape|and|as|then|too))*"
SHAPE = r"\(([TBIHV](?:, ?[TBIHV])*,?)\)"
SENTENCE = re.compile(rf"(?<![\w.])(\w+)`?(?: and `?(\w+)`?)?{IS} ?`?{SHAPE}")
REVERSED = re.compile(rf"{SHAPE}`?(?: is| as)? (?:the )?shape of `?(\w+)")
NAMED_FIRST = re.compile(rf"shape of `?(\w+)`?(?: is| must be| stays)? `?{SHAPE}")


def complaints(text: str) -> Iterator[str]:
    """Yield a sentence for every array of the notation with a shape that it has not."""
    prose = " ".join(FENCE.sub("", text).split())
    said = [(name, shape) for *names, shape in SENTENCE.findall(prose) for name in names]
    said += [(name, shape) for shape, name in REVERSED.findall(prose)] + NAMED_FIRST.findall(prose)
    for name, shape in dict.fromkeys(said):
        told = tuple(SIZES[letter] for letter in re.findall("[A-Z]", shape))
        if name in _shapes() and told not in _shapes()[name]:
            yield f"{name} has not the shape ({shape})"


@cache
def _shapes() -> dict[str, frozenset[tuple[int, ...]]]:
    """Return the shapes of all arrays, as the textbook makes them, and those of one of their steps."""
    found: dict[str, set[tuple[int, ...]]] = {}
    for inputs in ("ids", "dense"):
        case = make_rnn_case(Design(SIZES["T"], **{n: SIZES[n] for n in "BHVI"}, inputs=inputs), seed=0)
        for name, array in {**case.arrays(), **Textbook().run(case)}.items():
            if inputs == "dense" or "x" not in name:  # ids have as many columns in W_xh as there are outputs
                found.setdefault(name.removeprefix("params."), set()).add(np.shape(array))
    found["x"] |= found["y"]
    of_a_step = {name: {shape[1:] for shape in shapes if shape[:1] == (SIZES["T"],)} for name, shapes in found.items()}
    return {name: frozenset(shapes | of_a_step[name]) for name, shapes in found.items()}
