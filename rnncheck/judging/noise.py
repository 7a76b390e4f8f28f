"""Monte Carlo arithmetic: replace every rounding of a computation by a random one, and see how far its results move.

D. Parker, "Monte Carlo arithmetic", 1997; C. Denis et al., "Verificarlo", 2016. Here it is a torch dispatch mode. It
sees every operation below autograd, so that forward *and* backward pass become noisy, whatever the network is. K
replicas of the computation lie side by side in a leading axis, each with its own roundings.

An elementwise operation is rounded once, with a normally distributed relative error of size `size`; a transcendental
counts twice. A sum of n terms, in a product of matrices too, rounds each of its terms and each of its partial sums. If
any order of summation is as likely as any other, then with S the sum of the terms and Q the sum of their squares the
k-th partial sum has the mean square Q (k/n - k^2/n^2) + S^2 k^2/n^2, up to O(1/n), and all roundings together have the
variance

    Q (1 + n/6) + S^2 n/3,    times size^2.

So one normal number per sum does it, and no order is preferred. Without the partial sums correct code is refused at
T = 300; perturbing the inputs alone is not enough either.

*Every* array that goes in must have the replica axis: what lacks it gives all replicas the same noise.
"""

import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch._decomp import get_decompositions
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["REPLICAS", "SIZE", "Moved", "Noise", "deviation"]

SIZE = 2.0**-44
"""Relative size of a rounding: far above that of float64, so that the clean run counts as exact; still linear."""

REPLICAS = 32
POOL = 1 << 20

aten = torch.ops.aten


def _operations(names: str) -> list[Any]:
    return [getattr(aten, name) for name in names.split()]


# Never perturbed: these make, copy or select numbers, or compute without rounding. Views torch tells us itself.
EXACT = set(
    _operations(
        "zeros ones full arange eye empty empty_strided scalar_tensor rand randn randint bernoulli "
        "zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full new_empty "
        "new_empty_strided clone _to_copy copy copy_ zero zero_ fill fill_ lift_fresh_copy cat stack repeat flip roll "
        "tril triu sort topk index index_select gather take masked_select embedding where masked_fill masked_fill_ "
        "masked_scatter index_fill index_copy scatter slice_scatter select_scatter diagonal_scatter select_backward "
        "slice_backward diagonal_backward unfold_backward constant_pad_nd _unsafe_view _reshape_alias conj_physical "
        "neg abs sign sgn floor ceil round trunc relu threshold_backward maximum minimum clamp clamp_min clamp_max "
        "amax amin max min"
    )
)
TRANSCENDENTAL = set(
    _operations(
        "exp exp2 expm1 log log2 log10 log1p tanh sigmoid sin cos tan sinh cosh asin acos atan atan2 asinh acosh atanh "
        "erf erfc erfinv lgamma pow gelu silu mish softplus elu"
    )
)
PRODUCTS = set(_operations("mm bmm mv dot"))
SUMS = set(_operations("sum index_put index_add scatter_add"))
# These arrive whole and are several roundings: torch's own table takes them apart.
SPLIT: dict[Any, Callable[..., Any]] = get_decompositions(
    _operations(
        "tanh_backward sigmoid_backward _softmax _softmax_backward_data _log_softmax _log_softmax_backward_data "
        "nll_loss_forward nll_loss_backward logsumexp addmm baddbmm addmv addr addcmul addcdiv lerp "
        "embedding_dense_backward mse_loss mse_loss_backward var var_mean std native_layer_norm "
        "native_layer_norm_backward silu_backward gelu_backward elu_backward mish_backward softplus_backward "
        "log_sigmoid_backward"
    )
)


def _mean(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: torch.dtype | None = None) -> Tensor:
    total = x.sum(dim, keepdim, dtype=dtype)
    return total / (x.numel() / total.numel())


SPLIT |= {aten.mean.default: _mean, aten.mean.dim: _mean}


class Noise(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's class has no annotations
    """While active, round every floating-point result at random; `size` is the relative standard deviation."""

    def __init__(self, size: float = SIZE, seed: int = 0):
        super().__init__()  # type: ignore[no-untyped-call]
        self.size = size
        self.offsets = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and asking for that protection would import the compiler: a second

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Run `func` and perturb what it rounds. In here the mode is off; `with self` turns it on for the parts."""
        kwargs = kwargs or {}
        packet = func.overloadpacket
        if func.is_view or packet in EXACT or (packet is aten.index_put and not _accumulates(*args, **kwargs)):
            return func(*args, **kwargs)
        if packet in PRODUCTS and not kwargs:
            return self.product(func, *args)
        if packet in SUMS:
            return self.sum(func, args, kwargs)
        if func in SPLIT:
            with self:
                return SPLIT[func](*args, **kwargs)
        functional = _functional(func)
        if functional is not None:
            with self:
                return args[0].copy_(functional(*args, **kwargs))
        results = func(*args, **kwargs)
        for result in results if isinstance(results, tuple | list) else (results,):
            handed_through = any(result is arg for arg in args) and not func._schema.is_mutable
            if isinstance(result, Tensor) and result.is_floating_point() and not handed_through:
                roundings = 2 if packet in TRANSCENDENTAL else 1
                result.addcmul_(result, self.normals(result), value=self.size * roundings**0.5)
        return results

    def product(self, func: Any, a: Tensor, b: Tensor) -> Tensor:
        """Multiply matrices: each sum has as many terms as `a` has columns."""
        S = func(a, b)
        return self.add_noise(S, func(a * a, b * b), a.shape[-1]) if S.is_floating_point() else S

    def sum(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Sum with `func`, and have it sum the squares and count the terms as well.

        An exact zero is no term, because adding it rounds nothing; and a single term is a copy.
        """
        S = func(*args, **kwargs)
        if not S.is_floating_point():
            return S
        n = func(*_each_float(lambda x: (x != 0).to(x.dtype), args), **kwargs)
        n *= n > 1
        Q = func(*_each_float(lambda x: x * x, args), **kwargs) * (n > 0)
        return self.add_noise(S, Q, n)

    def add_noise(self, S: Tensor, Q: Tensor, n: Any) -> Tensor:
        """Add to the sums S, in place, the noise of their n terms and partial sums."""
        variance = Q * (1 + n / 6) + S * S * (n / 3)
        return S.addcmul_(variance.sqrt_(), self.normals(S), value=self.size)

    def normals(self, like: Tensor) -> Tensor:
        """Take normal numbers from the pool, from a random place on; a large array gets fresh ones."""
        n = like.numel()
        if n > POOL // 4:
            return torch.randn(like.shape, generator=self.generator, dtype=like.dtype)
        start = self.offsets.randrange(POOL - n)
        return _pool(like.dtype)[start : start + n].view(like.shape)


class Moved(NamedTuple):
    """What a computation gives without noise, and the root mean square deviation under noise, over its size."""

    clean: dict[str, np.ndarray]
    sigma: dict[str, np.ndarray]


def deviation(
    run: Callable[[dict[str, Tensor]], Mapping[str, Tensor]],
    inputs: Mapping[str, np.ndarray],
    size: float = SIZE,
    *,
    replicas: int = REPLICAS,
    at_once: int = REPLICAS,
    seed: int = 0,
) -> Moved:
    """Measure by how much rounding moves each element of what `run` computes, per unit of relative error.

    `run` takes and returns tensors by name, all with a leading replica axis, and does its own backward pass: one
    gradient of the loss summed over the replicas. `at_once` replicas are in memory at a time.
    """
    clean = {name: value.detach()[0] for name, value in run(_stack(inputs, 1)).items()}
    squares = {name: torch.zeros_like(value) for name, value in clean.items()}
    noise = Noise(size, seed)
    for start in range(0, replicas, at_once):
        with noise:
            noisy = run(_stack(inputs, min(at_once, replicas - start)))
        for name, value in noisy.items():
            squares[name] += (value.detach() - clean[name]).square().sum(0)
    sigma = {name: (value / replicas).sqrt().numpy() / size for name, value in squares.items()}
    return Moved({name: value.numpy() for name, value in clean.items()}, sigma)


def _stack(inputs: Mapping[str, np.ndarray], K: int) -> dict[str, Tensor]:
    """Repeat each array K times in float64, as leaves that collect a gradient of their own."""
    copies = {name: torch.tensor(a, dtype=torch.float64).repeat(K, *[1] * a.ndim) for name, a in inputs.items()}
    return {name: leaf.requires_grad_() for name, leaf in copies.items()}


@cache
def _pool(dtype: torch.dtype) -> Tensor:
    return torch.randn(POOL, generator=torch.Generator().manual_seed(POOL), dtype=dtype)


@cache
def _functional(func: Any) -> Any:
    """Find the operation that an in-place one (`add_`) stands for, or None."""
    name = func.overloadpacket.__name__
    packet = getattr(aten, name[:-1], None) if name.endswith("_") and not name.endswith("__") else None
    return getattr(packet, func._overloadname, None)


def _accumulates(x: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> bool:
    return accumulate


def _each_float(function: Callable[[Tensor], Tensor], args: tuple[Any, ...]) -> list[Any]:
    return [function(a) if isinstance(a, Tensor) and a.is_floating_point() else a for a in args]
