"""Which backward passes and losses the calls do not reach: the verdict says nothing of them, and the report says so."""

import ast
import re
import sys
from contextlib import suppress
from types import FrameType

from rnncheck.targets.patience import at_most
from rnncheck.targets.perform import Adapted
from rnncheck.targets.survey import Survey
from rnncheck.targets.trial import PROBE, Trial, problem_for

__all__ = ["uncalled"]

GOES_BACK = re.compile(r"back(?!up|end)|bptt|bprop", re.IGNORECASE)
LOSES = re.compile(r"loss|entropy|criterion|nll", re.IGNORECASE)
"""Of interest where the gradient comes from above: then the loss in the file, and its gradient, are not looked at."""
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
    given = any(GIVEN.search(call) for call in trial.adapter.calls)
    return tuple(
        label
        for label, node in named.values()
        if (GOES_BACK.search(node.name) or (given and LOSES.search(label) and node.name != "__init__"))
        and not _is_abstract(node)
        and (node.name, _line(node)) not in reached
    )


def _line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def _is_abstract(node: ast.FunctionDef) -> bool:
    """Tell whether it only says that somebody else is to write it."""
    return all(isinstance(s, ast.Raise | ast.Pass | ast.Expr) for s in node.body)
