"""From logits to one token: temperature, top-k, top-p, and the draw by inverse CDF.

    p = softmax(z / temperature)            D. Ackley, G. Hinton and T. Sejnowski, 1985
    top-k: the k likeliest tokens           A. Fan, M. Lewis and Y. Dauphin, ACL 2018
    top-p: the smallest set of likeliest    A. Holtzman et al., "The curious case of neural text degeneration",
           tokens with that much mass       ICLR 2020

In this order, as text generators do it: top-p counts the mass that top-k has left, and what both leave is renormalised.
Among equally likely tokens the lower id goes first.
"""

import numpy as np

from numpy_impl.scalar import Scalar
from numpy_impl.shapes import Ids, Real
from numpy_impl.spread import spread
from numpy_impl.sums import row_maxima

__all__ = ["distribution", "draw"]


def distribution(
    logits: Real[np.ndarray, "B V"], temperature: Scalar = 1.0, top_k: int | None = None, top_p: Scalar | None = None
) -> Real[np.ndarray, "B V"]:
    """Return the probabilities that a token is drawn with.

    Raises
    ------
    ValueError
        If the logits of a stream hold NaN or +infinity, or nothing but -infinity.
    """
    largest = row_maxima(logits)[:, None]
    if not np.isfinite(largest).all():
        b = int(np.argmin(np.isfinite(largest)))
        raise ValueError(f"the largest logit of stream {b} is {largest[b, 0]}: the weights have diverged; train anew")
    p = logits - spread(largest, logits)
    if temperature != 1:
        with np.errstate(over="ignore"):  # near temperature 0 all but the largest go to -infinity, as they should
            p /= logits.dtype.type(temperature)
    np.exp(p, p)
    np.divide(p, spread(p.sum(axis=1, keepdims=True), p), p)
    if top_k is not None or top_p is not None:
        _keep_likeliest(p, logits, top_k, top_p)
    return p


def _keep_likeliest(
    p: Real[np.ndarray, "B V"], logits: Real[np.ndarray, "B V"], top_k: int | None, top_p: Scalar | None
) -> None:
    """Zero all but the likeliest tokens of `p` in place, and renormalise."""
    order = np.argsort(-logits, kind="stable")
    streams = np.arange(len(p))[:, None]
    ranked = p[streams, order]  # likeliest first
    if top_k is not None:
        ranked[:, top_k:] = 0
    if top_p is not None and top_p < 1:  # at 1 rounding in the sum must not cost the last tokens
        mass = ranked.cumsum(axis=1)
        enough = p.dtype.type(top_p) * mass[:, -1:]
        ranked[:, 1:][mass[:, :-1] >= enough] = 0
    p[streams, order] = ranked
    p /= p.sum(axis=1, keepdims=True)


def draw(p: Real[np.ndarray, "B V"], u: Real[np.ndarray, "B"]) -> Ids[np.ndarray, "B"]:
    """Draw one token per stream: the first whose cumulative probability exceeds u, a uniform number in [0, 1).

    The same u gives the same token as in `np.random.choice(V, p=p)`, which works on one stream and on float64.
    """
    cdf = p.cumsum(axis=1)
    cdf /= cdf[:, -1:]
    return (cdf > u[:, None]).argmax(axis=1)
