"""Cases so large, of size or of number, that our own RNN goes ways which it takes for no standard case.

A long sequence is worked on in windows, a wide readout in blocks of steps, a large product in pieces, a long vector
of parameters likewise, and many samples become probabilities block by block. A mistake there shows at these sizes
only. The oracle is the textbook, so the cases are tame: gradients die out, logits are small, sums are short. Of other
programs none of this is asked: a norm whose squares overflow in float32 is infinite in torch as well.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from rnncheck.case import ClipCase, OptimCase, SampleCase
from rnncheck.cases.make import NO_TOKEN, Design, make_rnn_case, random_params
from rnncheck.checks.check import Source

__all__ = ["extreme_clips", "large_passes", "large_steps"]

LONG = Design(16_501, 1, H=4, V=5, gain=0.6)
"""More steps than a window of the way back has, more rows than are sorted by token at once, and an odd number."""
WIDE = {
    # logits in five blocks, the last of one step, which share one mean, and products with one long side
    "vocabulary": Design(17, 2, H=24, V=30_000, reduction="mean", ignored=0.2),
    "state": Design(3, 17, H=256, V=9),  # a product with W_hh that is cut into panels
}
WEIGHTS = {"W_xh": (9, 30_011), "b_h": (9,)}
"""More weights than an update or a look at the largest gradient takes at once, and not a multiple of a piece."""
TOKENS = 4_100
"""More than become probabilities at once."""


def large_passes(dtype: str, seed: int, *, long: bool) -> Iterator[Source]:
    """Yield the forward and backward passes: the long one, or the wide ones."""
    designs = {"long": LONG} if long else WIDE
    for word, design in designs.items():
        made = Design(**{**vars(design), "dtype": dtype})
        yield Source(f"{word}-{dtype}", partial(make_rnn_case, made, seed, f"{word}-{dtype}"))


def large_steps(dtype: str, seed: int) -> Iterator[Source]:
    """Yield what is not a pass: clipping that has to look at the last piece, updates, and a long text."""
    yield Source(f"clip-large-{dtype}", partial(_clip, dtype, seed))
    for method in ("sgd", "adagrad"):
        yield Source(f"optim-{method}-large-{dtype}", partial(_optim, method, dtype, seed))
    yield Source(f"sample-large-{dtype}", partial(_sample, dtype, seed))


def extreme_clips(seed: int) -> Iterator[Source]:
    """Yield gradients in float32 whose squares overflow, or are all zero; their norm is an ordinary number."""
    for word, scale in (("huge", 1e25), ("tiny", 1e-25)):
        yield Source(f"clip-{word}-float32", partial(_extreme, word, scale, seed))


def _extreme(word: str, scale: float, seed: int) -> ClipCase:
    rng = np.random.default_rng([seed, 4])
    grads = {"dW_hh": (scale * rng.normal(size=(7, 7))).astype("float32")}
    return ClipCase(f"clip-{word}-float32", seed, grads, "norm", scale)


def _clip(dtype: str, seed: int) -> ClipCase:
    """Return gradients of which only the very last is beyond the bound."""
    rng = np.random.default_rng([seed, 1])
    grads = {f"d{name}": rng.uniform(-0.9, 0.9, shape).astype(dtype) for name, shape in WEIGHTS.items()}
    grads["db_h"][-1] = -3
    return ClipCase(f"clip-large-{dtype}", seed, grads, "value", 1.0)


def _optim(method: str, dtype: str, seed: int) -> OptimCase:
    rng = np.random.default_rng([seed, 2])
    params = {name: rng.normal(size=shape).astype(dtype) for name, shape in WEIGHTS.items()}
    grads = {f"d{name}": rng.normal(size=(2, *shape)).astype(dtype) for name, shape in WEIGHTS.items()}
    return OptimCase(f"optim-{method}-large-{dtype}", seed, params, grads, method, lr=0.1)


def _sample(dtype: str, seed: int) -> SampleCase:
    """Return one stream, drawn plainly: that is the way which has a faster one."""
    rng = np.random.default_rng([seed, 3])
    design = Design(1, 1, V=7)
    params = {name: array.astype(dtype) for name, array in random_params(design, design.V, rng).items()}
    uniforms = rng.random((TOKENS, 1)).astype(dtype)
    return SampleCase(f"sample-large-{dtype}", seed, params, np.array([NO_TOKEN]), uniforms)
