"""A run in one file: safetensors for the arrays, JSON in its metadata for the rest. Nothing in it can be executed.

The file holds what the next steps depend on and nothing else: no time, no path, no host. Two runs that are in the
same state give the same bytes, whether or not one of them was interrupted on the way.
"""

import hashlib
import json
import os
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from numpy_impl.atomic import refuse_special, try_out, write_atomically
from numpy_impl.flat import Flat
from numpy_impl.recipes import Recipe
from numpy_impl.run import Run
from numpy_impl.validate import check_params
from numpy_impl.vocabulary import Vocabulary

__all__ = ["check_place", "load", "save"]

FORMAT = 1
PARAMS = ("W_xh", "W_hh", "b_h", "W_hy", "b_y")
KEY = "rnncheck"
"""The one metadata entry: safetensors writes several in an order that changes from one process to the next."""


def save(path: str | os.PathLike[str], run: Run) -> None:
    """Write `run` to `path`, all of it or nothing: whatever happens on the way, the file that was there stays.

    Raises
    ------
    ValueError
        If the run is not fit to go on with: parameters that are not finite would overwrite the last good ones.
    TypeError
        If its dtype has no place in the format (longdouble).
    OSError
        If the file cannot be written, a full disk for one; the previous file is untouched.
    """
    if run.params.flat.dtype.name not in ("float32", "float64"):
        raise TypeError(f"params are {run.params.flat.dtype}: a checkpoint holds float32 or float64; cast with .astype")
    if not np.isfinite(run.params.flat).all():
        raise ValueError(
            f"params are not finite after step {run.step}: a checkpoint must be fit to go on from. {os.fspath(path)} "
            "was not written and is still the last good one, if it was there; lower lr or clip the gradient"
        )
    arrays, plain = _arrays(run), _plain(run)
    header = json.dumps({**plain, "checksum": _checksum(arrays, plain)})
    write_atomically(path, to_bytes(arrays, {KEY: header}))


def check_place(path: str | os.PathLike[str]) -> None:
    """Try whether `save` can write to `path`, before the work whose result is to go there.

    Raises
    ------
    ValueError
        If something else would be lost: a file that is no checkpoint, a device, a pipe.
    OSError
        If nothing can be written there.
    """
    name = os.fspath(path)
    refuse_special(path)
    if os.path.isfile(path) and os.path.getsize(path) > 0 and not _is_checkpoint(name):
        raise ValueError(
            f"{name} is there already and is not a checkpoint: it would be overwritten; name another file, or delete it"
        )
    try_out(path)


def load(path: str | os.PathLike[str]) -> Run:
    """Read the run that `save` wrote.

    Raises
    ------
    ValueError
        If there is no checkpoint at `path`, or it is damaged, or of another format.
    """
    name = os.fspath(path)
    if os.path.isdir(path):
        raise ValueError(f"{name} is a folder; name the checkpoint file inside it")
    if not os.path.exists(path):
        raise ValueError(f"{name} does not exist; write a checkpoint first, or check the spelling")
    refuse_special(path)
    try:
        with safe_open(name, framework="numpy") as file:
            plain = json.loads((file.metadata() or {})[KEY])
            arrays = {key: np.array(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118 - not a dictionary
        if plain["format"] == FORMAT:
            if plain.pop("checksum") != _checksum(arrays, plain):
                raise ValueError("its contents do not match their checksum")
            return _run(arrays, plain)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror or error}; check its permissions") from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} is not a checkpoint of a training run, or it is damaged ({error}); use a file that "
            "was written by a run, whole"
        ) from None
    raise ValueError(
        f"{name} has checkpoint format {plain['format']}, this version reads {FORMAT}; use the version that wrote it"
    )


def _arrays(run: Run) -> dict[str, np.ndarray]:
    """Return every array of the run under its name in the file."""
    arrays = {f"params.{name}": array for name, array in run.params.items()}
    arrays |= {f"opt_state.{name}": np.asarray(array) for name, array in run.opt_state.items()}
    arrays |= {name: array for name, array in (("h", run.h), ("order", run.order)) if array is not None}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _plain(run: Run) -> dict[str, Any]:
    """Return everything that is not an array. JSON keeps floats to the last bit and integers of any size."""
    return {
        "format": FORMAT,
        "recipe": run.recipe.settings(),
        "vocabulary": {"tokens": list(run.vocabulary.tokens), "unknown": run.vocabulary.unknown},
        "sha256": run.sha256,
        "seed": run.seed,
        "rng": _rng_state(run.rng),
        "lr": run.lr,
        "smoothed": run.smoothed,
        "set_loss": run.set_loss,
        "step": run.step,
    }


def _checksum(arrays: dict[str, np.ndarray], plain: dict[str, Any]) -> str:
    """Return the sha256 of all that a checkpoint holds: a flipped bit in a weight would go unseen without it."""
    digest = hashlib.sha256(json.dumps(plain).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _run(arrays: dict[str, np.ndarray], plain: dict[str, Any]) -> Run:
    """Put together what `_arrays` and `_plain` took apart."""
    tokens, unknown = plain["vocabulary"]["tokens"], plain["vocabulary"]["unknown"]
    params = Flat.pack({name: arrays[f"params.{name}"] for name in PARAMS if f"params.{name}" in arrays})
    check_params(params)
    return Run(
        recipe=Recipe(**plain["recipe"]),
        vocabulary=Vocabulary(tuple(tokens), unknown),
        params=params,
        opt_state={k.removeprefix("opt_state."): a for k, a in arrays.items() if k.startswith("opt_state.")},
        rng=_rng(plain["rng"]),
        order=arrays.get("order"),
        h=arrays.get("h"),
        **{name: plain[name] for name in ("sha256", "seed", "lr", "smoothed", "set_loss", "step")},
    )


def _rng_state(rng: np.random.Generator | np.random.RandomState) -> dict[str, Any]:
    """Return the state of either kind of generator as plain values; the legacy one counts 624 words."""
    state: dict[str, Any]
    if isinstance(rng, np.random.Generator):
        return dict(rng.bit_generator.state)
    state = rng.get_state(legacy=False)
    return {**state, "state": {"key": state["state"]["key"].tolist(), "pos": state["state"]["pos"]}}


def _rng(state: dict[str, Any]) -> np.random.Generator | np.random.RandomState:
    """Return a generator in the given state."""
    if state["bit_generator"] == "MT19937":
        legacy = np.random.RandomState()
        legacy.set_state({**state, "state": {**state["state"], "key": np.array(state["state"]["key"], np.uint32)}})
        return legacy
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    return rng


def _is_checkpoint(path: str) -> bool:
    try:
        with safe_open(path, framework="numpy") as file:
            return KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False
