"""The edge between NumPy and torch: copies, so that neither side can write into the other's arrays."""

import numpy as np
import torch
from torch import Tensor

__all__ = ["leaf", "to_numpy", "to_torch"]

NUMPY_DTYPES = {torch.float32: np.float32, torch.float64: np.float64}


def to_torch(array: np.ndarray, dtype: torch.dtype | None = None) -> Tensor:
    """Copy a floating array (longdouble too) to `dtype`, an array of ids to int64."""
    return torch.from_numpy(np.array(array, np.int64 if dtype is None else NUMPY_DTYPES[dtype]))


def leaf(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Copy an array into a tensor whose gradient autograd will tell."""
    return to_torch(array, dtype).requires_grad_()


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Copy a tensor out of the graph."""
    return np.array(tensor.detach().numpy())
