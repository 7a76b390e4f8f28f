"""Write as `numpy_impl.sample` does, token for token, in a third of the time.

To draw a token one needs its probability only up to a factor: u falls where u S falls among the cumulative sums of
exp z, S being the last of them. So nothing is normalised while the text waits for its next token, and the logits
become probabilities afterwards, all steps at once.

Rounding is not that of the careful way, so u decides here only where it is certain to decide there too: if it lies
farther from a border between two tokens than rounding can move that border, `DOUBT`. Else the careful way decides. That
way also takes over where exp would overflow or S vanish, and says what is wrong with logits that are not finite.
"""

import numpy as np

from numpy_impl.aligned import aligned_empty
from numpy_impl.draw import distribution, draw
from numpy_impl.nonlinearity import activation
from numpy_impl.scalar import Scalar
from numpy_impl.shapes import Ids, Params, Real

__all__ = ["both_products", "doubt", "pays", "token_table", "write"]

DOUBT = 2, 128
"""Relative errors of two cumulative sums of V terms, in roundings: so many per term, and so many for the rest: exp
in both ways, its argument within +-100 ln 2, the quotient, u itself. A bound, not an estimate."""
SAFE = 2.0**-100, 2.0**100
"""The sum of exp z must lie between."""
SELDOM = 0.1
"""The careful way may be asked for so large a part of all tokens."""
WHOLE = 16
"""Numbers of which a row of the matrix has a multiple: 64 bytes in float32."""
ROWS = 4096
"""So many rows of logits become probabilities at a time."""


def doubt(V: int, dtype: np.dtype) -> float:
    """Return how far, at most, rounding moves the border between two of V tokens."""
    per_term, rest = DOUBT
    return float(np.finfo(dtype).eps) * (per_term * V + rest)


def pays(V: int, dtype: np.dtype) -> bool:
    """Return whether the careful way will be asked seldom enough."""
    return 2 * V * doubt(V, dtype) < SELDOM


def token_table(params: Params) -> Real[np.ndarray, "rows H"]:
    """Return W_xh x + b_h for every token x, one row each; the last is that of NO_TOKEN, -1."""
    W_xh = params["W_xh"]
    b_h = params.get("b_h", np.zeros(len(W_xh), W_xh.dtype))
    return np.vstack([W_xh.T + b_h, b_h])


def both_products(params: Params) -> Real[np.ndarray, "inputs outputs"]:
    """Return the matrix that makes of [h 1] the recurrent term of the next step, beside it the logits of this one.

        [h 1] [W_hh^T  W_hy^T  0]  =  [W_hh h,  W_hy h + b_y,  0]
              [  0      b_y    0]

    The zeros fill its rows up to whole lines of the cache: then the product takes 0.4 us instead of 0.6 at H = 50.
    """
    W_hh, W_hy = params["W_hh"], params["W_hy"]
    V, H = W_hy.shape
    both = aligned_empty((H + 1, -(-(H + V) // WHOLE) * WHOLE), W_hh.dtype)
    both.fill(0)
    both[:H, :H], both[:H, H : H + V] = W_hh.T, W_hy.T
    if "b_y" in params:
        both[H, H : H + V] = params["b_y"]
    return both


def write(
    params: Params,
    first: Ids[np.ndarray, "1"],
    uniforms: Real[np.ndarray, "T 1"],
    h0: Real[np.ndarray, "1 H"] | None,
    nonlinearity: str,
    temperature: Scalar,
) -> tuple[Ids[np.ndarray, "T 1"], Real[np.ndarray, "T 1 V"], Real[np.ndarray, "1 H"]]:
    """Write one stream of T tokens by plain drawing; return tokens, probabilities and the last state."""
    (V, H), T, dtype = params["W_hy"].shape, len(uniforms), params["W_hy"].dtype
    W_T, rows, token = both_products(params), list(token_table(params)), int(first[0])
    h_and_1, a = np.ones(H + 1, dtype), np.empty(H, dtype)
    h = h_and_1[:H]
    h[...] = 0 if h0 is None else h0[0]
    products = h_and_1.dot(W_T)
    recurrent, z = products[:H], products[H : H + V]
    logits, e, tokens = np.empty((T, V), dtype), np.empty(V, dtype), []
    scale = None if temperature == 1 else dtype.type(temperature)
    borders, at = np.zeros(V + 1, dtype), np.empty(1, dtype)  # token i lies between border i and border i + 1
    add, exp, cumulate, activate = np.add, np.exp, np.add.accumulate, activation(nonlinearity)
    sums, border, search = borders[1:], borders.item, borders[1:V].searchsorted
    unsure, (least, most) = doubt(V, dtype), SAFE
    with np.errstate(over="ignore", invalid="ignore"):  # the careful way looks at what comes of it
        for t, u in enumerate(uniforms[:, 0].tolist()):
            add(recurrent, rows[token], a)
            activate(a, h)
            h_and_1.dot(W_T, products)
            logits[t] = z
            exp(z if scale is None else z / scale, e)
            cumulate(e, 0, None, sums)
            S = border(V)
            at[0] = drawn = u * S
            token = search(at, "right").item()
            margin = unsure * S
            if not (drawn - border(token) > margin < border(token + 1) - drawn and least < S < most):
                token = draw(distribution(z[None], temperature), np.array([u])).item()
            tokens.append(token)
    for start in range(0, T, ROWS):
        logits[start : start + ROWS] = distribution(logits[start : start + ROWS], temperature)
    return np.array(tokens, np.int64)[:, None], logits[:, None], h[None].copy()
