"""From a name to its role. A name alone proves nothing: it orders the guesses, and the trial decides."""

import re

from rnncheck.targets.words import ARGUMENTS, PARAMETERS, SIZES, STATES, Table

__all__ = [
    "VALUE",
    "argument_role",
    "bare",
    "beside",
    "gated",
    "gradient_of",
    "is_gradient",
    "kept_with_gradients",
    "last_word",
    "parameter_role",
    "remembered",
    "size_role",
    "state_like",
]

NUMBERED = {"w1": "W_xh", "w2": "W_hh", "w3": "W_hy", "b1": "b_h", "b2": "b_y"}
GRADIENT = re.compile(
    r"^(d[LJEl]_?d_?(?=.)|[Gg]rads?_?(of_|wrt_|for_)?|[Gg]radients?_?|[Dd]elta_?|nabla_?|d_?(?=[A-Z]|[wb]|[a-z]{1,3}[0-9]?$)|d_|g_"
    r"|g(?=[A-Z]|[wuv][a-z]{0,2}\d?$|[bc][a-z]?\d?$)|G_?(?=[WUVBb]|\d$))(?=.)"
    r"|_?([Gg]rads?|[Gg]radients?|[Dd]elta|deltas)$"
)
REMEMBERED = re.compile(
    r"^(m|mem_?|memory_?|v_?|vel_?|cache_?|r_|rms_?|s_|ada_?|adagrad_?|best_?|old_?)d?[WUVb]|_(m|mem|cache|memory)$|(?<=..)_v$"
)
MEMORIES = re.compile(
    r"\b(mem|mems|memory|memories|cache|caches|velocity|velocities|vel|adagrad|momentum)(\[|\.\w)"
    r"|\brnn\.(\w+\.)?[mv]\["
)
"""Where it is kept, whatever it is called there."""
VALUE = ("data", "value", "val", "v")
"""What an object that is a parameter calls its array."""
SLOPE = ("grad", "grads", "gradient", "delta", "d", "diff", "dw")
"""What such an object calls the gradient beside it."""
GATE = re.compile(
    r"^(weight|bias|w|u|b|v)?(f|i|o|c|g|z|r|forget|input|output|update|reset|candidate|cell)(x|h|f|i|o|c|g|z|r|gate)?$"
)


def last_word(name: str) -> str:
    """Return the last name in an expression: `rnn.params['W_xh']` ends in `W_xh`, and so does `rnn.W_xh.data`."""
    words = re.findall(r"[A-Za-z_]\w*", name)
    if len(words) > 2 and words[-1] in VALUE and name.endswith("." + words[-1]):
        return words[-2]
    return words[-1] if words else ""


def bare(name: str) -> str:
    """Reduce the last name to its letters, in lower case: `rnn.params['W_xh']` to `wxh`."""
    return re.sub(r"[^a-z]", "", last_word(name).lower())


def parameter_role(name: str) -> str | None:
    """Return the parameter that `name` suggests: `U` and `Wax` suggest W_xh."""
    role = NUMBERED.get(last_word(name).lower().replace("_", "")) or _role(bare(name), PARAMETERS)
    if role is None and (kept := re.search(r"\b(\w+)\[['\"](\w+)['\"]\]$", name)):
        role = _role_of_key(kept[1].lower(), kept[2].lower())
    return role


def _role_of_key(owner: str, key: str) -> str | None:
    """Return the role of an entry of a dictionary: `W["xh"]`, `biases["h"]`, `params["xh"]`, `params["h"]`."""
    if owner[0] in "wb":
        return _role(bare(owner[0] + key), PARAMETERS)
    if len(key) == 1 and argument_role(owner) != "params":
        return None
    return _role("wb"[len(key) == 1] + key, PARAMETERS) if re.fullmatch(r"[xiauh]?[hasyo]|hx", key) else None


def size_role(name: str) -> str | None:
    """Return the number that `name` suggests: T B I H V, O (outputs), k, lr, clip, layers."""
    return _role(bare(name), SIZES)


def argument_role(name: str) -> str | None:
    """Return what an argument of a function is for: x, y, h0, upstream, params, cache, a number, or a parameter.

    Sizes come first where the name says that it is one; `T`, `D`, `H` are sizes, `t`, `d`, `h` are not.
    """
    text = bare(name)
    if (
        re.search(
            r"size|dim|length|len$|^n_|^num_|^nb_?(of_)?[a-z]|rate|clip|trunc|steps|alpha|threshold|max", name.lower()
        )
        or name in "TBIHVDNM"
    ):
        return size_role(name) or _role(text, ARGUMENTS)
    if re.fullmatch(r"[WUVb]\w*", name) and parameter_role(name):
        return parameter_role(name)
    return _role(text, ARGUMENTS) or size_role(name) or parameter_role(name) or _role_of_a_word(name)


def _role_of_a_word(name: str) -> str | None:
    """Return the role of one of the words in a compound: `inputs_list`, `batchTargets`; `text_out` is a target."""
    words = re.findall(r"[a-z]+|[A-Z]+[a-z]*", name)
    if {w.lower() for w in words} & {"out", "next", "target", "targets"} and any(w in ARGUMENTS["x"] for w in words):
        return "y"
    return next((role for w in words if len(w) > 1 and (role := _role(w.lower(), ARGUMENTS))), None)


def gradient_of(name: str) -> str | None:
    """Return what a gradient's name says it is the gradient of: `dLdW_xh` of `W_xh`; None if it is no gradient's."""
    word = last_word(name)
    return (GRADIENT.sub("", word).strip("_") or None) if GRADIENT.search(word) else None


def is_gradient(place: str) -> bool:
    """Tell whether a place is where gradients are kept: `rnn.grads[0]`, `rnn.dWxh`."""
    return gradient_of(place) is not None or bool(re.search(r"grads?\b|gradients?\b|delta", place))


def kept_with_gradients(place: str) -> bool:
    """Tell whether a place is in a container of gradients, whatever it is called there: `rnn.grads['W_xh']`."""
    return bool(re.search(r"(grads?|gradients?)(\[|\.\w)", place))


def beside(place: str, other: str) -> bool:
    """Tell whether `other` is the gradient that a parameter object keeps beside its array: `W.grad` beside `W.data`."""
    owner, _, name = place.rpartition(".")
    holder, _, slope = other.rpartition(".")
    return "." in owner and owner == holder and name != slope and slope in SLOPE


def remembered(name: str) -> bool:
    """Tell whether a name is that of something an optimiser remembers: `mWxh`."""
    return bool(REMEMBERED.search(last_word(name)) or MEMORIES.search(name))


def state_like(name: str) -> bool:
    """Tell whether a name is that of a hidden state."""
    return bare(name) in STATES or bare(name).removesuffix("s") in STATES


def gated(names: list[str]) -> bool:
    """Tell whether these are the parameters of an LSTM or GRU: several of the gates f, i, o, or z and r."""
    gates = {m[2][0] for n in names if (m := GATE.match(bare(n))) and m[1]}
    return {"f", "i", "o"} <= gates or {"z", "r"} <= gates


def _role(text: str, table: Table) -> str | None:
    for role, words in table.items():
        if text in words or (text.endswith("s") and len(text) > 1 and text[:-1] in words):
            return role
    return None
