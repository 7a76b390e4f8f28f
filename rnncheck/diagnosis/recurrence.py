"""Decoder, step d: the recurrence, on the da_{t+1} that is observed.

At the last step nothing comes back from later ones: there the derivative of the activation is read. Before it,
dh_t less what comes from the own output is the carry: the terms that it is made of are solved for; failing that, the
linear operator itself, from as many pairs (da_{t+1}, carry_t) as it needs.
"""

from collections.abc import Iterator

import numpy as np

from rnncheck.diagnosis.formula import EXACT, distance, number
from rnncheck.diagnosis.reading import Reading, Relation, read
from rnncheck.diagnosis.table import Table

__all__ = ["read_recurrence"]

Array = np.ndarray
OWN, CARRY = "W_hy^T dlogits_t", "W_hh^T da_{t+1}"


def read_recurrence(t: Table) -> Iterator[Reading]:
    """Yield what is wrong with dh, da and dh0."""
    derivative = _derivative(t)
    overwritten = _overwritten(t)
    if overwritten:
        yield Reading(
            "dh", "dh_t = da_t: the array that is shown as dh is da", "multiply into a new array, not into dh"
        )
    elif derivative is not None and (derivative.explained or t.dh is not None):
        yield derivative
    carry = None
    if t.sizes["T"] > 1 and (t.dh is not None or derivative is None or not derivative.explained):
        dh = t.divided(t.da) if t.dh is None or overwritten else t.dh
        carry = _carry(t, dh)
        if carry is not None:
            yield carry
    if "dh0" in t.shown:
        dh0 = _first_state(t)
        if dh0 is not None and not _same_mistake(dh0, carry):
            yield dh0


def _same_mistake(dh0: Reading, carry: Reading | None) -> bool:
    """Tell whether dh0 is what the wrong carry sends back from the first step: one mistake, not two."""
    if carry is None or not carry.explained:
        return False
    formula = carry.what.rpartition("dh_t = ")[2].removeprefix(f"{OWN} + ").replace("{t+1}", "1")
    return not dh0.explained or dh0.what == f"dh0 = {formula}"


def _overwritten(t: Table) -> bool:
    """Tell whether what is shown as dh is da: equal to it at the last step, where dh is known, and wrong there."""
    if t.dh is None or distance(t.dh, t.da) > EXACT:
        return False
    return distance(t.dh[:, -1], t.own[:, -1]) > EXACT


def _derivatives(t: Table) -> dict[str, Array]:
    """Return the right derivative and those that have been seen in its place, as functions of the state."""
    h = t.h
    with np.errstate(all="ignore"):
        a = np.arctanh(np.clip(h, -1 + 1e-15, 1 - 1e-15))
    return {
        "(1 - h_t^2)": 1 - h**2,
        "1": np.ones_like(h),
        "(1 - h_t^2)^2": (1 - h**2) ** 2,
        "(1 - tanh(h_t)^2)": 1 - np.tanh(h) ** 2,
        "(1 - a_t^2)": 1 - a**2,
        "h_t (1 - h_t)": h * (1 - h),
        "(1 - h_t)": 1 - h,
        "(1 - |h_t|)": 1 - np.abs(h),
        "(1 + h_t^2)": 1 + h**2,
        "h_t": h,
        "h_t^2": h**2,
        "f'(a_T)": np.broadcast_to(t.df[:, -1:], h.shape),
        "(1 - h_{t-1}^2)": 1 - t.before**2,
        "[h_t > 0]": (h > 0).astype(h.dtype),
    }


def _derivative(t: Table) -> Reading | None:
    """Read da_t / dh_t: at every step where dh is shown, else at the last."""
    if t.dh is not None:
        terms = {f"{name} dh_t".removeprefix("1 "): factor * t.dh for name, factor in _derivatives(t).items()}
        found = read(Relation("da", "da_t", t.da, {f"{t.df_name} dh_t": 1.0}, terms, t.sizes, most=2))
        return found if found is None or found.explained else _bounded(t, t.dh) or found
    carry = np.concatenate([t.da[:, 1:] @ t.params["W_hh"], np.zeros_like(t.da[:, :1])], axis=1)
    for name, factor in _derivatives(t).items():
        if distance(t.da, factor * (t.own + carry)) <= EXACT:
            usual = name == t.df_name
            return (
                None
                if usual
                else Reading("da", f"da_t = {name} dh_t".replace("= 1 ", "= "), f"da_t = {t.df_name} dh_t")
            )
    terms = {f"{name} {OWN}".removeprefix("1 "): (f * t.own)[:, -1:] for name, f in _derivatives(t).items()}
    last = read(Relation("da", "da_t", t.da[:, -1:], {f"{t.df_name} {OWN}": 1.0}, terms, t.sizes, most=2))
    if last is None:
        return None
    T = t.sizes["T"]
    return Reading("da", f"{last.what} at the last step", f"{last.change} there", (T,), last.explained)


def _bounded(t: Table, dh: Array) -> Reading | None:
    """Recognise a da that is clipped element by element."""
    bound = float(np.abs(t.da).max())
    if distance(t.da, np.clip(t.df * dh, -bound, bound)) > EXACT:
        return None
    what = f"da_t is clipped to ±{bound:.6g} at every step"
    return Reading("da", what, "finish the backward pass, then clip the gradients of the parameters")


def _carry(t: Table, dh: Array) -> Reading | None:
    W_hh, before_last = t.params["W_hh"], slice(0, t.sizes["T"] - 1)
    da, later = t.da, np.roll(t.da, -1, axis=1)
    dh_later, df_later = np.roll(dh, -1, axis=1), np.roll(t.df, -1, axis=1)
    earlier = np.concatenate([np.zeros_like(da[:, :1]), da[:, :-1]], axis=1)
    last = np.broadcast_to(da[:, -1:], da.shape)
    terms = {
        OWN: t.own,
        CARRY: later @ W_hh,
        "W_hh da_{t+1}": later @ W_hh.T,
        "da_{t+1}": later,
        "W_hh^T dh_{t+1}": dh_later @ W_hh,
        "W_hh dh_{t+1}": dh_later @ W_hh.T,
        "f'(a_{t+1}) W_hh^T dh_{t+1}": (dh_later @ W_hh) * df_later,
        "dh_{t+1}": dh_later,
        "W_hh^T da_T": last @ W_hh,
        "W_hh^T da_{t-1}": earlier @ W_hh,
        "W_hh^T f'(a_t) da_{t+1}": (later * t.df) @ W_hh,
        "W_hy^T dlogits_{t+1}": np.roll(t.own, -1, axis=1),
        "W_hy^T dlogits_{t-1}": np.roll(t.own, 1, axis=1),
    }
    final = read(
        Relation("dh", "dh_T", dh[:, -1:], {OWN: 1.0}, {n: a[:, -1:] for n, a in terms.items()}, t.sizes, most=2)
    )
    inner = {name: term[:, before_last] for name, term in terms.items()}
    r = Relation("dh", "dh_t", dh[:, before_last], {OWN: 1.0, CARRY: 1.0}, inner, t.sizes)
    found = read(r)
    if found is None or not found.explained:
        other = (_clipped(t, dh) or _operator(t, dh)) if found is not None else None
        found = other or found
    if found is None and final is not None:
        return Reading("dh", final.what, final.change, (t.sizes["T"],), final.explained)
    return found


def _clipped(t: Table, dh: Array) -> Reading | None:
    """Recognise a carry that is clipped element by element: several elements lie at the bound."""
    carry, right = (dh - t.own)[:, :-1], t.da[:, 1:] @ t.params["W_hh"]
    bound = float(np.abs(carry).max())
    if distance(carry, np.clip(right, -bound, bound)) > EXACT:
        return None
    what = f"the carry is clipped to ±{bound:.6g} at every step: dh_t = {OWN} + clip({CARRY})"
    return Reading("dh", what, "finish the backward pass, then clip the gradients of the parameters")


def _operator(t: Table, dh: Array) -> Reading | None:
    """Solve carry_t = M da_{t+1} for M, and say what is known of it; None if no matrix does it."""
    H = t.sizes["H"]
    carry, da = (dh - t.own)[:, :-1].reshape(-1, H), t.da[:, 1:].reshape(-1, H)
    if len(da) <= H or not (np.isfinite(carry).all() and np.isfinite(da).all()):
        return None
    M, *_ = np.linalg.lstsq(da, carry, rcond=None)
    if distance(da @ M, carry) > 1e-7:
        return None
    M, right, change = M.T, t.params["W_hh"].T, f"dh_t = {OWN} + {CARRY}"
    differ = np.abs(M - right) > 1e-6 * np.abs(right).max()
    for what, axis in (("row", 1), ("column", 0)):
        places = np.flatnonzero(differ.any(axis=axis))
        if 0 < len(places) <= H // 3:
            return Reading("dh", f"the carry is M da_{{t+1}}, M equals W_hh^T but for {what} {_list(places)}", change)
    for name, matrix in (("W_hh^T", right), ("W_hh", right.T)):
        ratio = M / matrix
        for what, axis in (("rows", 1), ("columns", 0)):
            line = ratio.mean(axis=axis)
            if distance(ratio, np.broadcast_to(np.expand_dims(line, axis), ratio.shape)) < 1e-5:
                factors = ", ".join(number(f, {}) for f in line[:4])
                return Reading(
                    "dh", f"the carry is M da_{{t+1}}, M is {name} with its {what} scaled by {factors}, ...", change
                )
        if distance(np.abs(M), np.abs(matrix)) < 1e-6:
            return Reading("dh", f"the carry is M da_{{t+1}}, M is {name} with other signs", change)
    words = "the carry is a linear map of da_{t+1}, the same at every step, but by a matrix other than W_hh^T"
    return Reading("dh", words, change)


def _list(places: Array) -> str:
    return ", ".join(str(place + 1) for place in places)


def _first_state(t: Table) -> Reading | None:
    W_hh, da = t.params["W_hh"], t.da[:, 0]
    terms = {
        "W_hh^T da_1": da @ W_hh,
        "W_hh da_1": da @ W_hh.T,
        "da_1": da,
        "W_hh^T da_T": t.da[:, -1] @ W_hh,
        "W_hh^T da_2": t.da[:, min(1, t.sizes["T"] - 1)] @ W_hh,
    }
    if t.dh is not None:
        terms |= {"W_hh^T dh_1": t.dh[:, 0] @ W_hh, "dh_1": t.dh[:, 0]}
        terms |= {"f'(a_1) W_hh^T dh_1": (t.dh[:, 0] @ W_hh) * t.df[:, 0]}
    bound = float(np.abs(t.shown["dh0"]).max())
    if bound < np.abs(da @ W_hh).max():
        terms["clip(W_hh^T da_1)"] = np.clip(da @ W_hh, -bound, bound)
    terms |= {"(1 - h_0^2) W_hh^T da_1": (da @ W_hh) * (1 - t.h0**2)}
    return read(Relation("dh0", "dh0", t.shown["dh0"], {"W_hh^T da_1": 1.0}, terms, t.sizes, timed=False, most=1))
