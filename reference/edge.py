"""The edge between NumPy and torch: copies, so that neither side can write into the other's arrays."""

import numpy as np
import torch
from torch import Tensor

__all__ = ["Number", "leaf", "to_numpy", "to_torch", "torch_dtype"]

Number = float | int
"""A setting; said in full because the shape checker of the tests does not take an int for a float."""

NUMPY_DTYPES = {torch.float32: np.float32, torch.float64: np.float64}
TORCH_DTYPES = {np.dtype(theirs): ours for ours, theirs in NUMPY_DTYPES.items()}


def to_torch(array: np.ndarray, dtype: torch.dtype | None = None) -> Tensor:
    """Copy a floating array (longdouble too) to `dtype`, an array of ids to int64."""
    return torch.from_numpy(np.array(array, np.int64 if dtype is None else NUMPY_DTYPES[dtype]))


def leaf(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Copy an array into a tensor whose gradient autograd will tell."""
    return to_torch(array, dtype).requires_grad_()


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Copy a tensor out of the graph."""
    return np.array(tensor.detach().numpy())


def torch_dtype(array: np.ndarray) -> torch.dtype:
    """Return torch's dtype for that of `array`."""
    if array.dtype not in TORCH_DTYPES:
        raise TypeError(f"an array is {array.dtype}, and torch computes in float32 or float64; cast with .astype")
    return TORCH_DTYPES[array.dtype]
