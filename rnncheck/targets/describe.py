"""Say in one line what an adapter assumes, and write it out as a file that a person can edit."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from rnncheck.targets.adapter import DIFFERENCE, Adapter
from rnncheck.targets.conventions import FAMILIES
from rnncheck.targets.layout import axes_of
from rnncheck.targets.outputs import KINDS
from rnncheck.targets.roles import last_word
from rnncheck.targets.script import NAME
from rnncheck.targets.shelf import locate

__all__ = ["SKELETON", "assumptions", "called", "not_called", "source_text"]

COMMENTS = {
    "make": "the statement that makes the object; sizes are T B I H V, k is how far back the gradient goes",
    "sizes": "constants of the file, and what they are to be",
    "params": "where each parameter is kept; a final .T: kept transposed; W_hh|W_xh: side by side in one array",
    "calls": "the calls, in order; x y h0 come in the layouts of `axes`; dlogits or dh is an upstream gradient",
    "axes": "layouts: T time, B batch, N the vector, 1 a single one; without B: one sequence at a time",
    "trace": "where the other results are after the calls: h, logits or p (probabilities), loss, dx, dh0",
    "grads": "where the gradients are after the calls, or 'difference': only applied, read off the weights",
    "targets": f"'classes': softmax and cross-entropy; or {', '.join(map(repr, KINDS))}",
    "nonlinearity": "of the states: tanh, relu or sigmoid",
    "task": "'every step' has a target, or the 'last step' only",
    "loss_scale": "times this, the loss is that summed over time and batch",
    "grad_scale": "times this, the gradients are those of the summed loss; '-1': they are negated",
    "fixed": "sizes that the file does not let anybody choose",
    "memory": "what Adagrad remembers; with ` = 0` after it, the velocity of momentum",
    "uncalled": "what these calls do not reach, and the verdict does not cover",
    "lr": "the learning rate that is passed; 1: what is returned is the update, the gradient times this",
    "unguard": "log(p + 1e-12) is judged as log(p); without this, it is a wrong loss",
    "widen": "what the file keeps as float32 is judged as float64; without this, float32 is a fault",
}
LONGEST = 90
HEAD = '''"""How rnncheck calls {source}. {origin}

Check with it:  rnncheck check {file}
"""

from rnncheck.targets import Adapter

adapter = Adapter(
'''


def assumptions(adapter: Adapter) -> str:
    """Say what was read as what, and which conventions were taken for granted."""
    read = []
    for key, place in adapter.params.items():
        expressions, transposed = locate(place)
        names = " + ".join(_short(e) for e in expressions)
        roles = " and ".join(key.split("|"))
        if names != roles or transposed:
            read.append(f"{names} as {roles}" + (" transposed" if transposed else ""))
    layout = " ".join(axes_of(adapter.axes.get("x", "")))
    x, h0 = adapter.axes.get("x"), adapter.axes.get("h0")
    family = next((f.name for f in FAMILIES if x in f.x and h0 in (None, f.h)), "plain lists" if x == "[T]" else layout)
    whose = f"{owner}: " if (owner := _owner(adapter)) else ""
    words = [
        f"read {whose}" + (", ".join(read) if read else "parameters by their names"),
        *([f"loss as {_reduction(adapter.loss_scale)}"] if "loss" in adapter.trace else []),
        f"{_inputs(adapter)} as inputs, {family}" + (f" ({layout})" if " " in layout else ""),
        *([] if adapter.batched else ["one sequence at a time"]),
        *([] if adapter.task == "every step" else ["a target at the last step only"]),
        *([] if adapter.nonlinearity == "tanh" else [f"{adapter.nonlinearity} states"]),
        *([] if adapter.targets == "classes" else [KINDS[adapter.targets]]),
        *(["its loss is not judged"] if adapter.targets != "classes" and "loss" not in adapter.trace else []),
        _gradients(adapter),
        *(["its float32 as float64"] if adapter.widen else []),
        *([not_called(adapter.uncalled)] if adapter.uncalled else []),
        *(["without what it adds against log(0), such as 1e-12"] if adapter.unguard else []),
    ]
    return "; ".join(words)


def not_called(names: Sequence[str]) -> str:
    """Name what the verdict does not cover."""
    return f"not called, so not judged: {', '.join(names)}"


def called(adapter: Adapter) -> str:
    """Name the class that is made, or the functions that are called."""
    if found := _owner(adapter):
        return found
    names = dict.fromkeys(re.findall(r"\bfile\.(\w+)\(", " ".join(adapter.calls)))
    return " and ".join("the training loop" if name == NAME else name for name in names)


def _owner(adapter: Adapter) -> str:
    found = re.search(r"file\.(\w+)", adapter.make if adapter.make.startswith("rnn") else "")
    return found[1] if found else ""


def _inputs(adapter: Adapter) -> str:
    if "chars[i]" in " ".join(adapter.calls):
        return "a text"
    return "ids" if adapter.takes_ids else "vectors"


def _short(expression: str) -> str:
    """Return the last name of a place, with its number if it is one of a list."""
    expression = re.sub(r"\[[^\]]*:.*", "", expression)  # of a piece, the whole
    name = last_word(expression)
    return expression[expression.rindex(name) :] if expression.endswith("]") and expression[-2].isdigit() else name


def _reduction(scale: str) -> str:
    return {"1": "sum", "0.5": "sum, doubled", "T": "mean over time", "B": "mean over the batch", "T * B": "mean"}.get(
        scale, f"sum / ({scale})"
    )


def _gradients(adapter: Adapter) -> str:
    scale = adapter.grad_scale.removeprefix("-").strip("()")
    negated = ", negated" if adapter.grad_scale.startswith("-") else ""
    of = (
        ""
        if scale == (adapter.loss_scale if "loss" in adapter.trace else "1")
        else f", those of the {_reduction(scale)}"
    )
    where = "read off the applied update" if adapter.grads == DIFFERENCE else "as "
    if adapter.grads != DIFFERENCE and not isinstance(adapter.grads, str):
        returned = any(e.startswith(("out", "grads")) for e in adapter.grads.values())
        where = (
            ("returned" if not adapter.lr else "returned as updates")
            if returned
            else "kept as attributes"
            if any("rnn." in e for e in adapter.grads.values())
            else "kept as globals"
        )
    given = " from an upstream gradient" if any(u in " ".join(adapter.calls) for u in ("dlogits", "dh")) else ""
    return f"gradients {where}{given}{negated}{of}"


def source_text(adapter: Adapter, file: str, origin: str, whole: bool = False) -> str:
    """Return the adapter as a Python file, each line with what it means; `whole`, with every field it could have."""
    defaults = {f.name: f.default for f in fields(Adapter)}
    order = ["source", "make", "sizes", "params", "calls", "axes", "nonlinearity", "task", "trace", "grads"]
    names = order + [f.name for f in fields(Adapter) if f.name not in order]
    lines = [HEAD.format(source=adapter.source, file=file, origin=origin)]
    for name in names:
        value: Any = getattr(adapter, name)
        needed = whole or name in ("source", "params", "calls")
        if not needed and (not value or value == defaults[name]):
            continue
        value = dict(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        if name in COMMENTS:
            lines.append(f"    # {COMMENTS[name]}\n")
        lines.append(f"    {name}={_literal(value)},\n")
    return "".join([*lines, ")\n"])


def _literal(value: Any) -> str:
    """Write a value as Python, a long dictionary or list with one entry a line."""
    if len(repr(value)) <= LONGEST or not isinstance(value, dict | list):
        return repr(value)
    entries = [f"{k!r}: {v!r}" for k, v in value.items()] if isinstance(value, dict) else map(repr, value)
    open_, close = "{}" if isinstance(value, dict) else "[]"
    return open_ + "".join(f"\n        {entry}," for entry in entries) + f"\n    {close}"


SKELETON = Adapter(
    source="my_rnn.py",
    make="rnn = file.RNN(I, H, V)",
    sizes={"vocab_size": "V"},
    params={"W_xh": "rnn.Wxh", "W_hh": "rnn.Whh", "b_h": "rnn.bh", "W_hy": "rnn.Why", "b_y": "rnn.by"},
    calls=("loss, states = rnn.forward(x, y, h0)", "grads = rnn.backward()"),
    axes={"x": "T", "y": "T", "h0": "N 1", "h": "T N 1"},
    nonlinearity="tanh",
    task="every step",
    trace={"h": "states", "loss": "loss"},
    grads={
        key: f"grads['d{name}']"
        for key, name in (("W_xh", "Wxh"), ("W_hh", "Whh"), ("b_h", "bh"), ("W_hy", "Why"), ("b_y", "by"))
    },
    loss_scale="1",
    grad_scale="1",
)
"""What `rnncheck new` writes, with every field, to be edited."""
