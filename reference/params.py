"""Our names and torch's: the only such table, and the files that torch users exchange.

Shapes are torch's already, so sharing weights is a rename. One thing is not: `nn.RNN` adds two hidden biases, and each
receives the full gradient. Ours is the first; the second is zero and frozen, because training both would double the
step.
"""

from collections.abc import Mapping
from os import PathLike

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from reference.edge import to_torch, torch_dtype
from reference.validate import check_params

__all__ = ["SECOND_BIAS", "TORCH_NAMES", "TorchRNN", "from_state_dict", "from_torch_rnn"]
__all__ += ["load_state_dict", "save_state_dict", "to_state_dict", "to_torch_rnn"]

TORCH_NAMES = {
    "W_xh": "rnn.weight_ih_l0",
    "W_hh": "rnn.weight_hh_l0",
    "b_h": "rnn.bias_ih_l0",
    "W_hy": "readout.weight",
    "b_y": "readout.bias",
}
SECOND_BIAS = "rnn.bias_hh_l0"


class TorchRNN(nn.Module):
    """The same network from torch's own layers: `nn.RNN`, then `nn.Linear`."""

    def __init__(self, I: int, H: int, V: int, *, nonlinearity: str = "tanh", b_h: bool = True, b_y: bool = True):
        super().__init__()
        self.rnn = nn.RNN(I, H, nonlinearity=nonlinearity, bias=b_h)
        self.readout = nn.Linear(H, V, bias=b_y)

    def forward(self, x: Tensor, h0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the states h_1..h_T and the logits; `x` is (T, B, I), `h0` (B, H) or zero."""
        h, _ = self.rnn(x, None if h0 is None else h0[None])
        return h, self.readout(h)


def to_state_dict(params: Mapping[str, np.ndarray], dtype: torch.dtype | None = None) -> dict[str, Tensor]:
    """Copy parameters into tensors under torch's names; their dtype stays unless another is given.

    Raises
    ------
    ValueError, TypeError
        If the parameters do not fit together, or have a dtype that torch does not know.
    """
    check_params(params)
    state = {TORCH_NAMES[name]: to_torch(array, dtype or torch_dtype(array)) for name, array in params.items()}
    if "b_h" in params:
        state[SECOND_BIAS] = torch.zeros_like(state[TORCH_NAMES["b_h"]])
    return state


def from_state_dict(state: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Copy a state_dict into arrays under our names. A second hidden bias that is not zero is added to the first.

    Raises
    ------
    ValueError
        If an entry is missing or unknown: another kind of network, more layers, two directions.
    """
    unknown = state.keys() - TORCH_NAMES.values() - {SECOND_BIAS}
    missing = {TORCH_NAMES[name] for name in ("W_xh", "W_hh", "W_hy")} - state.keys()
    if unknown or missing or (SECOND_BIAS in state and TORCH_NAMES["b_h"] not in state):
        raise ValueError(
            f"state_dict: missing {sorted(missing) or 'none'}, unknown {sorted(unknown) or 'none'}; expected one "
            f"nn.RNN layer `rnn` in one direction and one nn.Linear `readout`: {', '.join(TORCH_NAMES.values())}"
        )
    params = {name: state[key].detach().numpy().copy() for name, key in TORCH_NAMES.items() if key in state}
    if SECOND_BIAS in state and state[SECOND_BIAS].any():
        params["b_h"] += state[SECOND_BIAS].detach().numpy()
    check_params(params)
    return params


def to_torch_rnn(
    params: Mapping[str, np.ndarray], *, nonlinearity: str = "tanh", dtype: torch.dtype | None = None
) -> TorchRNN:
    """Load parameters into real torch layers, ready to run and, but for the second bias, to train."""
    state = to_state_dict(params, dtype)
    (H, I), V = params["W_xh"].shape, len(params["W_hy"])
    model = TorchRNN(I, H, V, nonlinearity=nonlinearity, b_h="b_h" in params, b_y="b_y" in params)
    model.to(state[TORCH_NAMES["W_xh"]].dtype).load_state_dict(state)
    if "b_h" in params:
        model.rnn.bias_hh_l0.requires_grad_(False)
    return model


def from_torch_rnn(model: TorchRNN) -> dict[str, np.ndarray]:
    """Copy the parameters of torch layers into arrays under our names."""
    return from_state_dict(model.state_dict())


def save_state_dict(path: str | PathLike[str], params: Mapping[str, np.ndarray]) -> None:
    """Write parameters as a safetensors file that `TorchRNN.load_state_dict` takes."""
    save_file(to_state_dict(params), path)


def load_state_dict(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """Read parameters from a safetensors file of a state_dict.

    Raises
    ------
    ValueError
        If the file is not safetensors, or holds another network.
    OSError
        If the file cannot be read.
    """
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file ({error}); give one written from a state_dict") from None
    try:
        return from_state_dict(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
