"""Clipping against torch.nn.utils, and what torch has no setting for."""

import math

import numpy as np
import pytest

from numpy_impl.clip import clip_grad_norm, clip_grad_value

torch = pytest.importorskip("torch")

A_FEW_ROUNDINGS = 8  # units of eps: torch takes the norm of the parameters' norms, we of one vector
DTYPES = [np.float32, np.float64]
GRADIENTS = {
    "large": [3.0, -40.0, 0.25, 1e-9, 0.0],
    "small": [3e-3, -4e-2, 1e-9, 0.0, -0.0],
    "with NaN": [math.nan, 100.0, -2.0, 0.5, 0.0],
    "with infinity": [math.inf, 100.0, -2.0, 0.5, 0.0],
}


def by_torch(clip_, g, bound):
    """Clip with a function of torch.nn.utils, the gradient spread over two parameters; return both results."""
    parameters = [torch.nn.Parameter(torch.zeros(n, dtype=torch.from_numpy(g).dtype)) for n in (1, len(g) - 1)]
    parameters[0].grad, parameters[1].grad = torch.from_numpy(g[:1].copy()), torch.from_numpy(g[1:].copy())
    returned = clip_(parameters, bound)
    return torch.cat([p.grad for p in parameters]).numpy(), returned


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", GRADIENTS)
def test_value_clipping_is_that_of_torch_to_the_bit(name, dtype):
    g = np.array(GRADIENTS[name], dtype)
    expected, _ = by_torch(torch.nn.utils.clip_grad_value_, g, 0.1)
    np.testing.assert_array_equal(clip_grad_value(g, 0.1), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("bound", [0.1, 1e3])
def test_norm_clipping_is_that_of_torch(name, bound, dtype):
    g = np.array(GRADIENTS[name], dtype)
    expected, norm = by_torch(torch.nn.utils.clip_grad_norm_, g, bound)
    clipped, total_norm = clip_grad_norm(g, bound)
    few = A_FEW_ROUNDINGS * np.finfo(dtype).eps
    np.testing.assert_allclose(total_norm, norm.numpy(), rtol=few)
    np.testing.assert_allclose(clipped, expected, rtol=few)


def test_the_textbook_without_epsilon_is_not_what_torch_does():
    g = np.array([3e-6, 4e-6])
    textbook, _ = clip_grad_norm(g, 1e-6, eps=0.0)
    with_epsilon, _ = by_torch(torch.nn.utils.clip_grad_norm_, g, 1e-6)
    np.testing.assert_allclose(textbook / with_epsilon, 6 / 5, rtol=A_FEW_ROUNDINGS * np.finfo(float).eps)


def test_a_norm_beyond_the_range_leaves_zeros_in_torch_and_the_direction_here():
    g = np.array([3e25, 4e25], np.float32)
    zeros, norm = by_torch(torch.nn.utils.clip_grad_norm_, g, 1.0)
    assert norm == math.inf
    assert not zeros.any()
    few = A_FEW_ROUNDINGS * np.finfo(np.float32).eps
    np.testing.assert_allclose(clip_grad_norm(g, 1.0)[0], [0.6, 0.8], rtol=few)
