"""One failure as a script that stands alone but for rnncheck: the smallest case, what it gives, what is right."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rnncheck.case import RNNCase

__all__ = ["is_script", "script"]

RUN_IT = "Run it with Python. It"

HEAD = '''"""{title}

{run_it} asks {target} the smallest case in which {array} is the first wrong array.
"""

{imports}import numpy as np

from rnncheck.case import RNNCase
from rnncheck.check import as_target

{arrays}
case = RNNCase({arguments})
found = np.asarray(as_target({place}).run(case)[{array!r}])
print("{array} found:", found, sep="\\n")
'''
TOLD = """
right = {right}
print("{array} right:", right, sep="\\n")
print("difference:", found - right, sep="\\n")
"""


def is_script(path: Path) -> bool:
    """Tell whether a file is such a script, which the next one may replace; anything else is somebody's work."""
    if not path.is_file():
        return False  # a pipe waits, and /dev/full never ends
    with path.open(encoding="utf-8", errors="replace") as file:
        return RUN_IT in file.read(1000)


def script(target: str, case: RNNCase, array: str, right: np.ndarray | None, beside: str = "") -> str:
    """Write the script; without `right`, it shows what the target gives and keeps what is right to itself.

    A target that is a file is found wherever the script is started: `beside` is the way to it from the script's folder.
    """
    params = ", ".join(f"{name!r}: {name}" for name in case.params)
    arrays: Mapping[str, np.ndarray] = {n.removeprefix("params."): a for n, a in case.arrays().items()}
    settings = [f"{n}={v!r}" for n, v in case.settings().items()]
    given = [f"{n}={n}" for n in arrays if n not in case.params]
    text = HEAD.format(
        title=f"{array} is wrong at {case.name.replace('-', ', ')}.",
        run_it=RUN_IT,
        imports="from pathlib import Path\n\n" if beside else "",
        place=f"str(Path(__file__).resolve().parent / {beside!r})" if beside else repr(target),
        target=target,
        array=array,
        arrays="\n".join(f"{name} = {_literal(a)}" for name, a in arrays.items()),
        arguments=", ".join([f"params={{{params}}}", *given, *settings]),
    )
    return text if right is None else text + TOLD.format(array=array, right=_literal(right))


def _literal(array: np.ndarray) -> str:
    """Write an array so that reading it gives the same bits."""
    return f"np.array({array.tolist()!r}, np.{array.dtype})"
