"""A trained NumPy model is a torch model under other names, bit for bit, in both directions."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402 - torch may be missing

from numpy_impl.model import loss_and_grads  # noqa: E402
from reference.params import (  # noqa: E402
    SECOND_BIAS,
    TORCH_NAMES,
    TorchRNN,
    from_state_dict,
    from_torch_rnn,
    load_state_dict,
    save_state_dict,
    to_state_dict,
    to_torch_rnn,
)

T, B, I, H, V = 5, 3, 6, 4, 8
ROUNDING = {"float64": 256 * 2.0**-53, "float32": 256 * 2.0**-24}


def trained(dtype="float64", b_h=True, b_y=True):
    """Train a NumPy model for a few steps; numbers of every exponent, a negative zero among them."""
    rng = np.random.default_rng(0)
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    shapes = {name: s for name, s in shapes.items() if {"b_h": b_h, "b_y": b_y}.get(name, True)}
    params = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    x, y = rng.integers(0, I, (2, T, B))
    for _ in range(3):
        grads = loss_and_grads(params, x, y).grads
        params = {name: w - params["W_xh"].dtype.type(0.1) * grads["d" + name] for name, w in params.items()}
    params["W_hh"][0, 0] = -0.0
    if b_h:
        params["b_h"][0] = -0.0
    return params


def same_bits(a, b):
    return list(a) == list(b) and all(a[n].dtype == b[n].dtype and a[n].tobytes() == b[n].tobytes() for n in a)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("b_h", "b_y"), [(True, True), (False, False), (True, False), (False, True)])
def test_there_and_back_is_bit_for_bit(tmp_path, dtype, b_h, b_y):
    params = trained(dtype, b_h, b_y)
    save_state_dict(tmp_path / "model.safetensors", params)
    assert same_bits(from_state_dict(to_state_dict(params)), params)
    assert same_bits(from_torch_rnn(to_torch_rnn(params)), params)
    assert same_bits(load_state_dict(tmp_path / "model.safetensors"), params)


def test_one_flipped_bit_would_be_seen():
    params = trained()
    model = to_torch_rnn(params)
    with torch.no_grad():
        model.rnn.weight_hh_l0[0, 0] = 0.0  # was -0.0
    assert not same_bits(from_torch_rnn(model), params)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_a_trained_numpy_model_runs_in_a_real_torch_rnn(tmp_path, dtype, nonlinearity):
    params = trained(dtype)
    save_state_dict(tmp_path / "model.safetensors", params)
    model = TorchRNN(I, H, V, nonlinearity=nonlinearity).to(getattr(torch, dtype))
    model.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert isinstance(model.rnn, torch.nn.RNN)
    rng = np.random.default_rng(1)
    x, y, h0 = (
        rng.normal(size=(T, B, I)).astype(dtype),
        rng.integers(0, V, (T, B)),
        rng.normal(size=(B, H)).astype(dtype),
    )
    _, logits = model(torch.from_numpy(x), torch.from_numpy(h0))
    expected = loss_and_grads(params, x, y, h0, nonlinearity=nonlinearity).forward.logits
    error = np.abs(logits.detach().numpy() - expected).max() / np.abs(expected).max()
    assert logits.detach().numpy().dtype == expected.dtype
    assert error <= ROUNDING[dtype]


def test_every_name_of_torch_is_in_the_table():
    names = set(TorchRNN(I, H, V).state_dict())
    assert names == {*TORCH_NAMES.values(), SECOND_BIAS}
    assert list(TORCH_NAMES) == ["W_xh", "W_hh", "b_h", "W_hy", "b_y"]


def test_the_second_bias_is_zero_and_frozen():
    model = to_torch_rnn(trained())
    assert not model.rnn.bias_hh_l0.any()
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == [SECOND_BIAS]


def test_training_both_biases_would_double_the_step():
    params = trained()
    model = to_torch_rnn(params)
    model.rnn.bias_hh_l0.requires_grad_(True)
    _, logits = model(torch.zeros(T, B, I, dtype=torch.float64))
    logits.square().sum().backward()
    second, first = model.rnn.bias_hh_l0.grad, model.rnn.bias_ih_l0.grad
    assert second.any()
    assert (second - first).abs().max() <= ROUNDING["float64"] * first.abs().max()


def test_a_second_bias_from_elsewhere_is_added_to_the_first():
    params = trained()
    state = to_state_dict(params)
    state[SECOND_BIAS] += 0.5
    assert same_bits(from_state_dict(state), params | {"b_h": params["b_h"] + 0.5})


def test_nothing_shares_memory():
    params = trained()
    model = to_torch_rnn(params)
    before = {name: a.copy() for name, a in params.items()}
    back = from_torch_rnn(model)
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(7.0)
    assert same_bits(params, before)
    assert same_bits(back, before)


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (torch.nn.RNN(I, H), "missing ['readout.weight', 'rnn.weight_hh_l0', 'rnn.weight_ih_l0']"),
        (torch.nn.ModuleDict({"rnn": torch.nn.RNN(I, H, num_layers=2), "readout": torch.nn.Linear(H, V)}), "_l1'"),
        (
            torch.nn.ModuleDict({"rnn": torch.nn.RNN(I, H, bidirectional=True), "readout": torch.nn.Linear(H, V)}),
            "_rev",
        ),
    ],
    ids=["no readout", "two layers", "two directions"],
)
def test_another_network_is_refused_by_name(network, named):
    with pytest.raises(ValueError, match=r"^state_dict: missing ") as caught:
        from_state_dict(network.state_dict())
    assert named in str(caught.value)


def test_four_gates_are_refused_by_shape():
    lstm = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(I, H), "readout": torch.nn.Linear(H, V)})
    with pytest.raises(ValueError, match=r"^W_hh has shape \(16, 4\), expected \(16, 16\)"):
        from_state_dict(lstm.state_dict())


def test_files_that_hold_no_model_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(FileNotFoundError):
        load_state_dict(path)
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=f"^{path} is not a safetensors file"):
        load_state_dict(path)


def test_long_doubles_do_not_fit_into_torch():
    with pytest.raises(TypeError, match=r"torch computes in float32 or float64; cast with .astype"):
        to_state_dict(trained(np.longdouble))
