"""Packed sequences of different length: torch's `PackedSequence`, array by array, and nothing of the padding."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import packed
from numpy_impl.init import init_params
from numpy_impl.loss import IGNORE_INDEX
from numpy_impl.model import loss_and_grads
from numpy_impl.packed import packed_loss_and_grads
from numpy_impl.packing import Packing
from numpy_impl.workspace import Workspace

ULPS = 256
"""Products cut in other places round differently: units in the last place of the largest entry of an array."""
NONSENSE = 10**6
"""What the padding holds: an id that no vocabulary has, so that a look at it is noticed."""

MODES: list[dict[str, Any]] = [
    {},
    {"reduction": "mean"},
    {"nonlinearity": "relu"},
    {"bptt": "windowed", "k": 2},
    {"bptt": "windowed", "k": 0},
    {"bptt": "chunked", "k": 3, "reduction": "mean"},
]
AGAINST_TORCH: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *(({}, mode) for mode in MODES[:3]),
    ({"dense": True}, {"reduction": "mean"}),
    ({"biases": False}, {}),
    ({"dtype": np.float32}, {"nonlinearity": "relu"}),
]
LENGTHS = [[4], [1], [1, 1, 1], [5, 5, 5], [1, 6], [6, 1], [3, 7, 1, 7, 2]]


def problem(lengths, seed=0, I=6, H=4, V=5, dtype=np.float64, dense=False, biases=True):
    """Draw a batch whose padding is nonsense; the targets of some steps are ignored."""
    rng = np.random.default_rng(seed)
    lengths, T, B = np.array(lengths), max(lengths) + 1, len(lengths)
    params = init_params("uniform", I, H, V, rng, biases=biases, dtype=np.dtype(dtype))
    for name in ("b_h", "b_y") if biases else ():
        params[name][...] = rng.standard_normal(params[name].shape)
    x = rng.standard_normal((T, B, I)).astype(dtype) if dense else rng.integers(-1, I, (T, B))
    y = rng.integers(0, V, (T, B))
    y[rng.random((T, B)) < 0.2] = IGNORE_INDEX
    y[0, 0] = 0
    padding = np.arange(T)[:, None] >= lengths
    x[padding], y[padding] = np.nan if dense else NONSENSE, NONSENSE
    return params, x, y, lengths, rng.standard_normal((B, H)).astype(dtype)


def arrays_of(step) -> dict[str, np.ndarray]:
    found = {"loss": step.loss, "h": step.h, "h_T": step.h_T, "dh0": step.dh0, **step.grads}
    return found if step.dx is None else {**found, "dx": step.dx}


def test_a_small_batch_is_laid_out_as_the_docstring_says():
    """Sequences a, b, c of 3, 2, 1 steps, and the same in another order."""
    for lengths, order in (([3, 2, 1], [0, 1, 2]), ([1, 3, 2], [1, 2, 0])):
        ids = np.zeros((3, 3), int)
        packing = Packing.of(np.array(lengths), ids, ids)
        assert (packing.B, packing.T) == (3, 3)
        assert packing.order.tolist() == order
        assert packing.steps.tolist() == [0, 0, 0, 1, 1, 2]
        assert packing.sequences.tolist() == [0, 1, 2, 0, 1, 0]
        assert packing.starts.tolist() == [0, 3, 6, 8, 9]
        assert packing.columns.tolist() == [order[b] for b in (0, 1, 2, 0, 1, 0)]
        assert packing.slots == [slice(0, 3), slice(3, 6), slice(6, 8), slice(8, 9)]
        assert packing.rows == [slice(0, 3), slice(3, 5), slice(5, 6)]
        assert packing.before.tolist() == [0, 1, 2, 3, 4, 6]
        assert packing.last.tolist() == [8, 7, 5]


def by_torch(params, x, y, lengths, h0, *, nonlinearity="tanh", reduction="sum") -> dict[str, np.ndarray]:
    """Evaluate the same with `pack_padded_sequence`, `nn.RNN` and `cross_entropy`, in float64."""
    torch = pytest.importorskip("torch")
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    from reference.params import TORCH_NAMES, to_torch_rnn

    model = to_torch_rnn(params, nonlinearity=nonlinearity, dtype=torch.float64)
    I = params["W_xh"].shape[1]
    padding = np.arange(len(x))[:, None] >= lengths
    ids = np.where(padding, I, x) if x.ndim == 2 else None
    vectors = np.where(padding[..., None], 0, x) if ids is None else np.eye(I + 1, I)[ids]  # -1 and I: the zero row
    tx = torch.tensor(vectors, dtype=torch.float64, requires_grad=True)
    th0 = torch.tensor(h0, dtype=torch.float64, requires_grad=True)
    sequence = pack_padded_sequence(tx, torch.tensor(lengths), enforce_sorted=False)
    out, h_T = model.rnn(sequence, th0[None])
    targets = pack_padded_sequence(torch.tensor(y), torch.tensor(lengths), enforce_sorted=False).data
    loss = torch.nn.functional.cross_entropy(model.readout(out.data), targets, reduction=reduction)
    loss.backward()
    named = dict(model.named_parameters())
    found = {"loss": loss, "h": pad_packed_sequence(out)[0], "h_T": h_T[0], "dh0": th0.grad}
    found |= {"d" + name: named[TORCH_NAMES[name]].grad for name in params}
    if x.ndim == 3:
        found["dx"] = tx.grad[: lengths.max()]
    return {name: tensor.detach().numpy() for name, tensor in found.items()}


def one_by_one(params, x, y, lengths, h0, *, reduction="sum", **mode) -> dict[str, np.ndarray]:
    """Evaluate each sequence alone with the model, and add up: the definition, in every mode of truncation."""
    steps = [loss_and_grads(params, x[:n, b, None], y[:n, b, None], h0[b, None], **mode) for b, n in enumerate(lengths)]
    targets = sum(int((y[:n, b] != IGNORE_INDEX).sum()) for b, n in enumerate(lengths))
    share = np.asarray(1, h0.dtype) / h0.dtype.type(targets if reduction == "mean" else 1)
    h = np.zeros((lengths.max(), len(lengths), h0.shape[1]), h0.dtype)
    for b, step in enumerate(steps):
        h[: lengths[b], b] = step.forward.h[:, 0]
    found = {"d" + name: share * sum(step.grads["d" + name] for step in steps) for name in params}
    found |= {"loss": share * sum(step.loss for step in steps), "h": h}
    found["h_T"] = np.stack([step.forward.h_T[0] for step in steps])
    found["dh0"] = share * np.stack([step.backward.dh0[0] for step in steps])
    if x.ndim == 3:
        found["dx"] = np.zeros((*h.shape[:2], x.shape[2]), h0.dtype)
        for b, step in enumerate(steps):
            found["dx"][: lengths[b], b] = share * step.backward.dx[:, 0]
    return found


def assert_same(found, expected) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape, name
        unit = np.finfo(found[name].dtype).eps * max(np.abs(array).max(initial=0), 1e-30)
        assert np.abs(found[name] - array).max(initial=0) <= ULPS * unit, name


@pytest.mark.parametrize(("kind", "mode"), AGAINST_TORCH, ids=str)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_all_arrays_are_those_of_torchs_packed_sequence(lengths, kind, mode):
    given_ = problem(lengths, **kind)
    step = packed_loss_and_grads(*given_, **mode)
    assert {a.dtype for a in arrays_of(step).values()} == {np.dtype(kind.get("dtype", np.float64))}
    assert_same(arrays_of(step), by_torch(*given_, **mode))


@given(
    seed=st.integers(0, 2**32 - 1),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    dense=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64, np.longdouble]),
    mode=st.sampled_from(MODES),
)
@settings(max_examples=60)
def test_a_batch_is_the_sum_of_its_sequences(seed, lengths, dense, dtype, mode):
    given_ = problem(lengths, seed, dense=dense, dtype=dtype)
    assert_same(arrays_of(packed_loss_and_grads(*given_, **mode)), one_by_one(*given_, **mode))


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 9])
@pytest.mark.parametrize("bptt", ["windowed", "chunked"])
def test_a_truncation_of_any_length(bptt, k):
    """The longest has four steps: three steps back are all there are, and chunks of four are one."""
    if bptt == "windowed" or k > 0:
        given_ = problem([2, 4, 1, 4])
        found = packed_loss_and_grads(*given_, bptt=bptt, k=k)
        assert_same(arrays_of(found), one_by_one(*given_, bptt=bptt, k=k))


def test_a_state_that_is_left_out_is_zero():
    params, x, y, lengths, h0 = problem([3, 1, 5])
    left_out, zeros = (packed_loss_and_grads(params, x, y, lengths, first) for first in (None, 0 * h0))
    assert_same(arrays_of(left_out), arrays_of(zeros))


def test_arrays_need_not_be_contiguous_nor_the_ids_wide():
    params, x, y, lengths, h0 = problem([3, 1, 5])
    strided = np.asfortranarray(x), np.repeat(y, 2, axis=1)[:, ::2], np.repeat(lengths, 2)[::2].astype(np.uint8)
    found = packed_loss_and_grads(params, *strided, np.asfortranarray(h0))
    assert_same(arrays_of(found), arrays_of(packed_loss_and_grads(params, x, y, lengths, h0)))


def test_a_workspace_changes_no_bit():
    workspace = Workspace()
    for lengths in ([3, 1, 5], [9, 9, 2, 2], [1]):
        given_ = problem(lengths)
        used = packed_loss_and_grads(*given_, workspace=workspace)
        for name, array in arrays_of(packed_loss_and_grads(*given_)).items():
            np.testing.assert_array_equal(arrays_of(used)[name], array, err_msg=name)


def test_products_in_panels_agree_while_the_batch_grows_smaller():
    given_ = problem([4, 4, 4, 3, 3, *[2] * 8, *[1] * 7], H=256)
    found = packed_loss_and_grads(*given_, workspace=Workspace(panels=True))
    assert_same(arrays_of(found), arrays_of(packed_loss_and_grads(*given_, workspace=Workspace(panels=False))))


def test_there_is_a_row_for_every_step_and_none_for_padding():
    lengths = np.array([2, 5, 1, 5])
    packing = Packing.of(lengths, np.zeros((9, 4)), np.zeros((9, 4)))
    assert packing.order.tolist() == [1, 3, 0, 2]  # equal lengths in the order they came in, as in torch
    assert [slot.stop - slot.start for slot in packing.slots] == [4, 4, 3, 2, 2, 2]
    assert len(packing.steps) == lengths.sum()


def test_many_sequences_of_equal_length_stay_in_their_order():
    """Sorting few numbers keeps equal ones in order however it is done."""
    lengths = np.tile([3, 1, 2], 40)
    order = Packing.of(lengths, np.zeros((3, 120)), np.zeros((3, 120))).order
    assert order.tolist() == sorted(range(120), key=lambda b: -lengths[b])


def unsorted(packing: Packing) -> Packing:
    """Forget that the sequences were sorted."""
    return replace(packing, order=np.arange(packing.B))


class CarriesBeyondTheEnd(Packing):
    """Say that all sequences have a step before that is their first."""

    @property
    def before(self):
        return np.maximum(np.arange(len(self.steps)), 0)


def wrong_neighbour(packing: Packing) -> Packing:
    return CarriesBeyondTheEnd(packing.order, packing.steps, packing.sequences, packing.starts)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("fault", [unsorted, wrong_neighbour])
def test_a_wrong_layout_is_caught(monkeypatch, fault):
    given_ = problem([2, 5, 1, 4])
    of = Packing.of
    monkeypatch.setattr(packed.Packing, "of", lambda *lengths: fault(of(*lengths)))
    with pytest.raises((AssertionError, ValueError)):
        assert_same(arrays_of(packed_loss_and_grads(*given_)), one_by_one(*given_))


LENGTH_RULE = (
    "a sequence has at least 1 step and at most the T = 6 of x; leave empty sequences out, and pad x to the longest"
)
REFUSED = [
    (
        {"lengths": np.array([3, 1])},
        ValueError,
        "lengths has shape (2,), expected (B,) = (3,): one length per sequence of x; count the steps of each column",
    ),
    ({"lengths": np.array([3, 0, 2])}, ValueError, f"lengths[1] is 0: {LENGTH_RULE}"),
    ({"lengths": np.array([3, 1, 7])}, ValueError, f"lengths[2] is 7: {LENGTH_RULE}"),
    (
        {"lengths": np.array([3.0, 1, 5])},
        TypeError,
        "lengths is float64, expected whole numbers; cast with lengths.astype(np.int64)",
    ),
    *(
        ({name: [3, 1, 5]}, TypeError, f"{name} is a list, expected a NumPy array; convert it with np.asarray({name})")
        for name in ("lengths", "x", "y")
    ),
    (
        {"y": np.zeros((5, 3), int)},
        ValueError,
        "y has shape (5, 3), expected (T, B) = (6, 3) as in x: one target per input, padded alike; "
        "give both the same padding",
    ),
    (
        {"h0": np.zeros((2, 4))},
        ValueError,
        "h0 has shape (2, 4), expected (B, H) = (3, 4): one first state per sequence; leave h0 out for zeros",
    ),
    (
        {"x": np.zeros(6, int)},
        ValueError,
        "x has shape (6,), expected (T, B) for token ids or (T, B, I): time comes first",
    ),
    (
        {"reduction": "none"},
        ValueError,
        'reduction is "none", which asks for one loss per step; use "sum" or "mean"',
    ),
    ({"k": 3}, ValueError, 'k is 3 under bptt="full", which goes back to the first step; leave k out'),
]


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(("change", "error", "words"), REFUSED, ids=lambda v: str(v)[:30])
def test_bad_input_gets_one_sentence(change, error, words):
    params, x, y, lengths, h0 = problem([3, 1, 5])
    with pytest.raises(error) as refused:
        packed_loss_and_grads(**{"params": params, "x": x, "y": y, "lengths": lengths, "h0": h0, **change})
    assert str(refused.value) == words


def test_a_token_that_no_vocabulary_has_is_refused_where_it_is_not_padding():
    params, _, y, lengths, h0 = problem([3, 1, 5])
    with pytest.raises(ValueError, match=r"is 99: ids run from 0 to 5"):
        packed_loss_and_grads(params, np.full((6, 3), 99), y, lengths, h0)
