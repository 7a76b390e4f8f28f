"""Let the model write: draw a token from its output, feed it back as the next input, and so on.

B streams are written at once. All randomness comes in from outside as uniform numbers, one per token: the same
numbers give the same tokens in any implementation. A stream that has drawn `stop` is over: its state stands still.

`sample` takes the uniforms as one array and returns arrays. `stream` takes them row by row, from any iterable, and
yields token by token; it draws no row more than it needs, which is how published runs used up their generator.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from numpy_impl import quick
from numpy_impl.draw import distribution, draw
from numpy_impl.inputs import NO_TOKEN, input_projection
from numpy_impl.nonlinearity import activation
from numpy_impl.rnn import rnn_forward
from numpy_impl.scalar import Scalar
from numpy_impl.shapes import Ids, Params, Real
from numpy_impl.validate import check_array, check_inputs, check_params
from numpy_impl.validate_sampling import check_sampling, check_uniforms

__all__ = ["Drawn", "Primed", "Samples", "prime", "sample", "stream"]


class Samples(NamedTuple):
    """The tokens, the probabilities that each was drawn from, and the last states. Zero p: the stream was over."""

    tokens: Ids[np.ndarray, "T B"]
    p: Real[np.ndarray, "T B V"]
    h_T: Real[np.ndarray, "B H"]  # noqa: N815 - the field's name for the last state


class Drawn(NamedTuple):
    """One token per stream, as `stream` yields it: NO_TOKEN with zero p where the stream was over."""

    tokens: Ids[np.ndarray, "B"]
    p: Real[np.ndarray, "B V"]
    h: Real[np.ndarray, "B H"]


class Primed(NamedTuple):
    """Where sampling goes on after a text: the first input and the state to start from."""

    first: Ids[np.ndarray, "B"]
    h0: Real[np.ndarray, "B H"]


def prime(
    params: Params,
    x: Ids[np.ndarray, "T B"],
    h0: Real[np.ndarray, "B H"] | None = None,
    *,
    nonlinearity: str = "tanh",
) -> Primed:
    """Read a text token by token: all but its last token go into the state, the last is the first input to come.

    Raises
    ------
    ValueError, TypeError
        If `x` does not hold at least one token id per stream, or anything else that `forward` refuses.
    """
    check_params(params)
    check_inputs(params, x, h0)
    if x.ndim != 2:
        raise TypeError(f"x is {x.dtype} with shape {x.shape}, expected token ids (T, B): sampling feeds back ids")
    states = rnn_forward(input_projection(x[:-1], params["W_xh"], params.get("b_h")), h0, params["W_hh"], nonlinearity)
    return Primed(x[-1].copy(), states[-1].copy())


def sample(
    params: Params,
    first: Ids[np.ndarray, "B"],
    uniforms: Real[np.ndarray, "T B"],
    h0: Real[np.ndarray, "B H"] | None = None,
    *,
    nonlinearity: str = "tanh",
    method: str = "draw",
    temperature: Scalar = 1.0,
    top_k: int | None = None,
    top_p: Scalar | None = None,
    stop: int | None = None,
) -> Samples:
    """Write up to T tokens in each of B streams, T and B being the shape of `uniforms`, from the input `first` on.

    `method` "draw" draws; "greedy" takes the largest logit (the first of equals) and asks the uniforms only for T.
    `p` is in both cases what temperature, top-k and top-p make of the softmax. The token `stop` itself is still
    written; after it the stream's tokens are NO_TOKEN and its state stands still.

    Raises
    ------
    ValueError
        If a setting, a shape, an id or a uniform number is out of its range, or the logits are not finite.
    TypeError
        If an array or a setting is of the wrong kind.
    """
    check_sampling(params, first, h0, nonlinearity, method, temperature, top_k, top_p, stop)
    check_array("uniforms", uniforms)
    if uniforms.ndim != 2 or len(uniforms) == 0:
        raise ValueError(
            f"uniforms has shape {uniforms.shape}, expected (T, B) with T from 1 on: one number per token to write"
        )
    check_uniforms("uniforms", uniforms, len(first))
    (T, B), V = uniforms.shape, params["W_hy"].shape[0]
    plain = method == "draw" and top_k is None and top_p is None and stop is None
    if plain and B == 1 and quick.pays(V, params["W_hy"].dtype):
        return Samples(*quick.write(params, first, uniforms, h0, nonlinearity, temperature))
    tokens = np.full((T, B), NO_TOKEN, np.int64)
    p = np.zeros((T, B, V), params["W_hy"].dtype)
    for t, drawn in enumerate(
        _walk(params, first, uniforms, h0, nonlinearity, method, temperature, top_k, top_p, stop)
    ):
        tokens[t], p[t], h = drawn
    return Samples(tokens, p, h)


def stream(
    params: Params,
    first: Ids[np.ndarray, "B"],
    uniforms: Iterable[Real[np.ndarray, "B"]],
    h0: Real[np.ndarray, "B H"] | None = None,
    *,
    nonlinearity: str = "tanh",
    method: str = "draw",
    temperature: Scalar = 1.0,
    top_k: int | None = None,
    top_p: Scalar | None = None,
    stop: int | None = None,
) -> Iterator[Drawn]:
    """Yield token by token what `sample` returns at once, until `uniforms` ends or all streams are over.

    No row of `uniforms` is taken before it is needed: `(rng.random(B) for _ in range(n))` leaves the generator where
    a program that draws one number per token leaves it. Read the arrays yielded, do not write into them.
    """
    check_sampling(params, first, h0, nonlinearity, method, temperature, top_k, top_p, stop)
    rows = (check_uniforms("a row of uniforms", u, len(first)) for u in uniforms)
    return _walk(params, first, rows, h0, nonlinearity, method, temperature, top_k, top_p, stop)


def _walk(
    params: Params,
    tokens: Ids[np.ndarray, "B"],
    uniforms: Iterable[Real[np.ndarray, "B"]],
    h0: Real[np.ndarray, "B H"] | None,
    nonlinearity: str,
    method: str,
    temperature: Scalar,
    top_k: int | None,
    top_p: Scalar | None,
    stop: int | None,
) -> Iterator[Drawn]:
    (V, H), B, dtype = params["W_hy"].shape, len(tokens), params["W_hy"].dtype
    W_T, xp, activate = quick.both_products(params), quick.token_table(params), activation(nonlinearity)
    h = np.zeros((B, H), dtype) if h0 is None else h0
    h_and_1 = np.ones((B, H + 1), dtype)
    h_and_1[:, :H] = h
    products = h_and_1.dot(W_T)
    over = np.zeros(B, bool)
    for u in uniforms:
        a = products[:, :H] + xp.take(tokens, axis=0)
        h_and_1[:, :H] = h_next = activate(a, a)
        products = h_and_1.dot(W_T)
        logits = products[:, H : H + V]
        p = distribution(logits, temperature, top_k, top_p)
        tokens = logits.argmax(axis=-1) if method == "greedy" else draw(p, u)
        if stop is not None:
            tokens[over], p[over], h_next[over] = NO_TOKEN, 0, h[over]
            over |= tokens == stop
        h = h_next
        yield Drawn(tokens, p, h)
        if stop is not None and over.all():
            return
