"""One failure as a script that stands alone but for rnncheck: the smallest case, what it gives, what is right."""

from collections.abc import Mapping

import numpy as np

from rnncheck.case import RNNCase

__all__ = ["script"]

HEAD = '''"""{title}

Run it with Python. It asks {target} the smallest case in which {array} is the first wrong array.
"""

import numpy as np

from rnncheck.case import RNNCase
from rnncheck.check import as_target

{arrays}
case = RNNCase({arguments})
found = np.asarray(as_target({target!r}).run(case)[{array!r}])
print("{array} found:", found, sep="\\n")
'''
TOLD = """
right = {right}
print("{array} right:", right, sep="\\n")
print("difference:", found - right, sep="\\n")
"""


def script(target: str, case: RNNCase, array: str, right: np.ndarray | None) -> str:
    """Write the script; without `right`, it shows what the target gives and keeps what is right to itself."""
    params = ", ".join(f"{name!r}: {name}" for name in case.params)
    arrays: Mapping[str, np.ndarray] = {n.removeprefix("params."): a for n, a in case.arrays().items()}
    settings = [f"{n}={v!r}" for n, v in case.settings().items()]
    given = [f"{n}={n}" for n in arrays if n not in case.params]
    text = HEAD.format(
        title=f"{array} is wrong at {case.name.replace('-', ', ')}.",
        target=target,
        array=array,
        arrays="\n".join(f"{name} = {_literal(a)}" for name, a in arrays.items()),
        arguments=", ".join([f"params={{{params}}}", *given, *settings]),
    )
    return text if right is None else text + TOLD.format(array=array, right=_literal(right))


def _literal(array: np.ndarray) -> str:
    """Write an array so that reading it gives the same bits."""
    return f"np.array({array.tolist()!r}, np.{array.dtype})"
