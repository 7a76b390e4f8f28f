"""Which arrays follow from which: what a wrong array makes wrong after it.

Werbos' chain, as the textbook computes it: h -> logits -> loss and dlogits -> dh -> da -> the gradients, da going
back to the dh of the step before.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

__all__ = ["consequences"]

PARAMETERS = ("dW_xh", "dW_hh", "db_h", "dW_hy", "db_y")
NEXT: dict[str, tuple[str, ...]] = {
    "h": ("logits", "da", "dW_hy", "dW_hh", "p"),
    "logits": ("loss", "dlogits", "p"),
    "dlogits": ("dW_hy", "db_y", "dh"),
    "dh": ("da",),
    "da": ("dh", "dW_hh", "dW_xh", "db_h", "dx", "dh0"),
    "p": ("tokens",),
    "tokens": ("p",),
    "total_norm": PARAMETERS,
}


def consequences(corrupts: Iterable[str], names: Iterable[str]) -> set[str]:
    """Return those of `names` that are wrong once the arrays matching `corrupts` are, themselves included.

    An array that no one shows hands its error on all the same: a sample shows p, but not the state behind it.
    """
    corrupts, names = tuple(corrupts), set(names)
    calls = {pattern.rpartition(".")[0] for pattern in corrupts} | {""}
    known = names | {f"{call}.{array}".lstrip(".") for call in calls for array in NEXT}
    wrong = {name for name in known if any(fnmatchcase(name, pattern) for pattern in corrupts)}
    while True:
        more = {name for name in known - wrong if any(_follows(name, cause) for cause in wrong)}
        if not more:
            return wrong & names
        wrong |= more


def _follows(name: str, cause: str) -> bool:
    """Tell whether `name` is computed from `cause`; the second of two calls repeats what the first does."""
    call, _, array = name.rpartition(".")
    cause_call, _, cause_array = cause.rpartition(".")
    if name == f"second.{cause}":
        return True
    if call.startswith("step") and cause_call.startswith("step"):
        return array == cause_array and int(call[4:]) > int(cause_call[4:])
    return call == cause_call and array in NEXT.get(cause_array, ())
