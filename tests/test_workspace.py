"""A workspace remembers memory and no numbers: with it, without it, whatever it has seen, the same bits come out."""

import copy
import pickle

import numpy as np
import pytest

from numpy_impl import workspace as workspace_
from numpy_impl.flat import Flat
from numpy_impl.init import init_params
from numpy_impl.lean import lean_loss_and_grads
from numpy_impl.loss import cross_entropy_and_gradient
from numpy_impl.model import backward, forward, loss_and_grads
from numpy_impl.packed import packed_loss_and_grads
from numpy_impl.rnn import rnn_backward, rnn_forward_
from numpy_impl.workspace import FRESH, Fresh, Workspace

# T, B, I, H, V, dtype, options: long and short, wide and narrow, one after the other in one workspace
CALLS = [
    (7, 2, 5, 4, 6, "float64", {}),
    (3, 1, 5, 4, 6, "float32", {}),
    (9, 3, 5, 8, 6, "float64", {"nonlinearity": "relu"}),
    (1, 1, 2, 1, 2, "float64", {"reduction": "mean"}),
    (9, 3, 5, 8, 6, "float64", {"bptt": "windowed", "k": 2}),
    (9, 3, 300, 8, 300, "float64", {"bptt": "chunked", "k": 2}),
    (7, 2, 5, 4, 6, "longdouble", {}),
    (1100, 1, 5, 4, 6, "float64", {}),
    (7, 2, 5, 4, 6, "float64", {}),
]


def evaluate(call: tuple, workspace: Fresh, function=loss_and_grads) -> list[np.ndarray]:
    """Return copies of everything that comes out."""
    T, B, I, H, V, dtype, options = call
    rng = np.random.default_rng(T)
    params = init_params("uniform", I, H, V, rng, dtype=np.dtype(dtype))
    x, y = rng.integers(-1, I, (T, B)), rng.integers(0, V, (T, B))
    step = function(params, x, y, **options, workspace=workspace)
    found = [step.loss, step.grads.flat]
    if function is loss_and_grads:
        found += [step.forward.states, step.forward.logits, step.dlogits, step.backward.dh, step.backward.da]
        found += [step.backward.dh0]
    return [np.array(a) for a in found]


def poison(workspace: Workspace) -> None:
    """Fill all memory with NaN: what is read before it is written shows."""
    for memory in workspace._memory.values():
        memory.fill(np.nan)
    for grads in workspace._gradients.values():
        grads.flat.fill(np.nan)


@pytest.mark.parametrize("function", [loss_and_grads, lean_loss_and_grads])
def test_the_same_bits_with_and_without(function):
    workspace = Workspace()
    for call in CALLS + CALLS[::-1]:
        for found, expected in zip(evaluate(call, workspace, function), evaluate(call, FRESH, function), strict=True):
            np.testing.assert_array_equal(found, expected, strict=True)
        poison(workspace)


def reads_before_it_writes(params, x, y, *, workspace, **options):
    step = loss_and_grads(params, x, y, workspace=workspace, **options)
    step.grads.flat[0] += workspace.empty("sum", (1, 1, 1), step.grads.flat.dtype)[0, 0, 0]
    return step


def test_a_number_that_was_left_behind_shows():
    workspace = Workspace()
    evaluate(CALLS[0], workspace, reads_before_it_writes)
    poison(workspace)
    assert np.isnan(evaluate(CALLS[0], workspace, reads_before_it_writes)[1][0])


def test_memory_is_used_again():
    workspace, dtype = Workspace(), np.dtype(float)
    first = workspace.empty("h", (4, 2, 3), dtype)
    assert workspace.empty("h", (4, 2, 3), dtype) is first
    for smaller_or_as_large in [(2, 2, 3), (2, 4, 3), (24,)]:
        assert np.shares_memory(workspace.empty("h", smaller_or_as_large, dtype), first)
    assert not np.shares_memory(workspace.empty("da", (4, 2, 3), dtype), first)
    assert not np.shares_memory(workspace.empty("h", (4, 2, 3), np.dtype(np.float32)), first)
    larger = workspace.empty("h", (5, 2, 3), dtype)
    assert not np.shares_memory(larger, first)
    assert np.shares_memory(workspace.empty("h", (4, 2, 3), dtype), larger)


def test_memory_that_has_become_too_small_is_let_go():
    workspace, dtype = Workspace(), np.dtype(float)
    workspace.empty("h", (4, 2, 3), dtype)
    larger = workspace.empty("h", (5, 2, 3), dtype)
    assert np.shares_memory(workspace.empty("h", (4, 2, 3), dtype), larger)


def test_steps_are_views():
    for memory in (Workspace(), FRESH):
        array = memory.empty("h", (4, 2, 3), np.dtype(float))
        steps = memory.steps(array)
        assert len(steps) == 4
        for t, step in enumerate(steps):
            step[...] = t
        assert array[:, 0, 0].tolist() == [0, 1, 2, 3]


def test_steps_are_made_once():
    workspace, dtype = Workspace(), np.dtype(float)
    array = workspace.empty("h", (4, 2, 3), dtype)
    steps = workspace.steps(array)
    assert isinstance(steps, list)
    workspace.empty("da", (4, 2, 3), dtype)
    assert workspace.steps(workspace.empty("h", (4, 2, 3), dtype)) is steps


def test_what_has_no_axis_of_time_has_no_steps():
    workspace = Workspace()
    carry = workspace.empty("carry", (2, 3), np.dtype(float))
    assert workspace.steps(carry) is carry


def test_steps_of_another_array_are_its_own():
    workspace = Workspace()
    workspace.empty("h", (4, 2, 3), np.dtype(float))
    stranger = np.arange(24.0).reshape(4, 2, 3)
    assert workspace.steps(stranger) is stranger


def test_very_many_steps_are_not_kept(monkeypatch):
    monkeypatch.setattr(workspace_, "MANY", 3)
    workspace = Workspace()
    for T, kept in ((3, True), (4, False)):
        array = workspace.empty("h", (T, 2, 3), np.dtype(float))
        assert isinstance(workspace.steps(array), list) is kept
        assert len(workspace.steps(array)) == T


def test_fresh_memory_is_fresh():
    first = FRESH.empty("h", (4, 2, 3), np.dtype(float))
    assert not np.shares_memory(first, FRESH.empty("h", (4, 2, 3), np.dtype(float)))


def test_gradients_are_kept_by_layout():
    workspace = Workspace()
    params = Flat.pack({"W": np.ones((2, 3)), "b": np.ones(2)})
    grads = workspace.gradients(params)
    assert list(grads) == ["dW", "db"]
    assert workspace.gradients(params) is grads
    assert workspace.gradients(Flat.pack(params)) is not grads  # the same shapes, but perhaps another model
    assert workspace.gradients(dict(params)) is not workspace.gradients(dict(params))


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))])
def test_a_copy_begins_empty(twin):
    workspace = Workspace(panels=True)
    array = workspace.empty("h", (4, 2, 3), np.dtype(float))
    copied = twin(workspace)
    assert copied.panels is True
    assert not np.shares_memory(copied.empty("h", (4, 2, 3), np.dtype(float)), array)


@pytest.mark.parametrize("workspace", [FRESH, Workspace()], ids=["fresh", "workspace"])
def test_only_an_array_over_time_and_a_batch_of_one_is_handed_out_as_vectors(workspace):
    shapes = {(5, 1): (5, 1), (5, 3): (5, 3), (5, 1, 3): (5, 3), (5, 2, 3): (5, 2, 3), (5, 2, 1): (5, 2, 1)}
    for shape, steps in shapes.items():
        assert np.shape(workspace.steps(np.zeros(shape))) == steps


def wanting_a_workspace(workspace) -> dict[str, object]:
    """Return everything public that takes a workspace, ready to be called with this one."""
    rng = np.random.default_rng(1)
    params = init_params("uniform", 5, 4, 6, rng)
    x, y, states = rng.integers(0, 5, (3, 2)), rng.integers(0, 6, (3, 2)), np.zeros((4, 2, 4))
    fwd, given = forward(params, x), {"workspace": workspace}
    return {
        "forward": lambda: forward(params, x, **given),
        "backward": lambda: backward(params, fwd, fwd.logits, **given),
        "loss_and_grads": lambda: loss_and_grads(params, x, y, **given),
        "lean_loss_and_grads": lambda: lean_loss_and_grads(params, x, y, **given),
        "packed_loss_and_grads": lambda: packed_loss_and_grads(params, x, y, np.array([3, 1]), **given),
        "cross_entropy_and_gradient": lambda: cross_entropy_and_gradient(fwd.logits, y, **given),
        "rnn_forward_": lambda: rnn_forward_(states, params["W_hh"], **given),
        "rnn_backward": lambda: rnn_backward(fwd.h.copy(), fwd.states, params["W_hh"], **given),
    }


@pytest.mark.parametrize("name", wanting_a_workspace(FRESH))
@pytest.mark.parametrize(("wrong", "told"), [(None, "None"), ({"h": 1}, "{'h': 1}"), (Workspace, "<class")])
def test_what_is_no_workspace_is_refused(name, wrong, told, shapes_unchecked):
    with pytest.raises(TypeError, match=rf"^workspace is {told}.*, expected a Workspace\(\); leave it out"):
        wanting_a_workspace(wrong)[name]()
    for right in (FRESH, Workspace()):
        wanting_a_workspace(right)[name]()
