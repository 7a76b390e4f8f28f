"""Sampling under shared random numbers: the same uniforms give the same tokens in any framework.

Logits are divided by the temperature. All but the k largest are dropped (A. Fan et al., ACL 2018), then all outside the
smallest set of likeliest tokens that holds `top_p` of the mass that is left (A. Holtzman et al., ICLR 2020). What is
dropped becomes -inf; the softmax of the rest is the distribution. A uniform number picks the token by inverse CDF.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from reference.edge import Number, to_numpy, to_torch
from reference.loop import NO_TOKEN, forward
from reference.validate import check_params, check_sampling

__all__ = ["filtered", "pick", "run_sample"]


def run_sample(
    params: Mapping[str, np.ndarray],
    first: np.ndarray,
    uniforms: np.ndarray,
    h0: np.ndarray | None = None,
    *,
    nonlinearity: str = "tanh",
    method: str = "draw",
    temperature: Number = 1.0,
    top_k: int | None = None,
    top_p: Number | None = None,
    stop: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> dict[str, np.ndarray]:
    """Draw T tokens in each of B streams; return `p` (T, B, V), what each was drawn from, and `tokens` (T, B).

    The first input is `first` (B,), every later one the token drawn before it. After the token `stop` a stream is
    over: its tokens are NO_TOKEN, its p are zeros, its state stands still.

    Raises
    ------
    ValueError
        If a setting is out of its range, or an array does not fit.
    """
    check_params(params)
    check_sampling(params, first, uniforms, h0, nonlinearity, method, temperature, top_k, top_p, stop)
    weights = {name: to_torch(array, dtype) for name, array in params.items()}
    u = to_torch(uniforms, dtype)
    token = to_torch(first)
    h = torch.zeros(len(first), len(params["W_hh"]), dtype=dtype) if h0 is None else to_torch(h0, dtype)
    over = torch.zeros(len(first), dtype=torch.bool)
    all_p, tokens = [], []
    with torch.no_grad():
        for t in range(len(u)):
            nodes = forward(weights, token[None], h, nonlinearity=nonlinearity)
            h = torch.where(over[:, None], h, nodes.h[-1])
            p = torch.where(over[:, None], 0, filtered(nodes.logits[0], temperature, top_k, top_p))
            drawn = nodes.logits[0].argmax(-1) if method == "greedy" else pick(p, u[t])
            token = torch.where(over, NO_TOKEN, drawn)
            all_p.append(p)
            tokens.append(token)
            if stop is not None:
                over = over | (token == stop)
    return {"p": to_numpy(torch.stack(all_p)), "tokens": to_numpy(torch.stack(tokens))}


def filtered(
    logits: Tensor, temperature: Number = 1.0, top_k: int | None = None, top_p: Number | None = None
) -> Tensor:
    """Return the distribution that is drawn from. Of equal logits the lower id counts as the likelier."""
    z = (logits - logits.amax(-1, keepdim=True)) / temperature  # a small temperature must not overflow
    order = z.argsort(dim=-1, descending=True, stable=True)
    rank = order.argsort(-1)
    if top_k is not None:
        z = z.masked_fill(rank >= top_k, -torch.inf)
    if top_p is not None and top_p < 1:  # all the mass is in all tokens, whatever rounding says
        mass = z.gather(-1, order).softmax(-1).cumsum(-1)
        z = z.masked_fill(rank > (mass < top_p).sum(-1, keepdim=True), -torch.inf)
    return z.softmax(-1)


def pick(p: Tensor, u: Tensor) -> Tensor:
    """Return the first token whose cumulative probability exceeds `u`, as `np.random.choice` does."""
    cdf = p.cumsum(-1)
    return torch.searchsorted(cdf / cdf[..., -1:], u[..., None], right=True)[..., 0]
