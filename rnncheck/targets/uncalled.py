"""Which backward passes and losses the calls do not reach: the verdict says nothing of them, and the report says so.

A backward pass is known by its name, or, as in min-char-rnn, by a loop from the last step to the first.
"""

import ast
import re
import sys
from contextlib import suppress
from types import FrameType

from rnncheck.targets.candidates import NEVER
from rnncheck.targets.patience import at_most
from rnncheck.targets.perform import Adapted
from rnncheck.targets.survey import Survey
from rnncheck.targets.trial import PROBE, Trial, problem_for
from rnncheck.targets.words import LOSES, TELLS

__all__ = ["uncalled"]

GOES_BACK = re.compile(r"back(?!up|end)|bptt|bprop", re.IGNORECASE)
WALKS_BACK = re.compile(r"\bfor .+ in .*(\breversed\(|\[::-1\]|range\(.*, -1\))")
MULTIPLIES = re.compile(r" @ |@=|\b(dot|outer|matmul|einsum)\(|\.T\b")
GIVEN = re.compile(r"\b(dlogits|dh)\b")


def uncalled(trial: Trial, work: Adapted, survey: Survey) -> tuple[str, ...]:
    """Run the calls of a trial once, and return what goes back, or would have begun to, and was not reached."""
    reached: set[tuple[str, int]] = set()

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            reached.add((frame.f_code.co_name, frame.f_code.co_firstlineno))

    case, _ = problem_for(trial.adapter, PROBE["B"] if trial.adapter.batched else 1)
    work.change(trial.adapter)
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        with suppress(Exception), at_most():
            work.run(case.copy())
    finally:
        sys.setprofile(before)
    named = {id(f.node): (f.name, f.node) for f in survey.functions.values()}
    for cls in survey.classes:
        for f in cls.methods.values():
            named.setdefault(id(f.node), (f"{cls.name}.{f.name}", f.node))
    # where no loss is shown, or the gradient comes from above, the loss of the file is not looked at
    unseen = "loss" not in trial.adapter.trace or any(GIVEN.search(call) for call in trial.adapter.calls)
    return tuple(
        label
        for label, node in named.values()
        if (_goes_back(node) or (unseen and LOSES.search(label) and not TELLS.search(node.name)))
        and not _is_abstract(node)
        and (node.name, _line(node)) not in reached
    )


def _goes_back(node: ast.FunctionDef) -> bool:
    """Tell whether a function is a backward pass, by its name or by how it walks; not one that checks or draws."""
    if GOES_BACK.search(node.name):
        return True
    text = ast.unparse(node)
    return bool(WALKS_BACK.search(text) and MULTIPLIES.search(text) and not NEVER.search(node.name))


def _line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def _is_abstract(node: ast.FunctionDef) -> bool:
    """Tell whether it only says that somebody else is to write it."""
    return all(isinstance(s, ast.Raise | ast.Pass | ast.Expr) for s in node.body)
