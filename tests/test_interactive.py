"""The object does what the pure functions do, step after step, and says which call is missing."""

from collections.abc import Callable

import numpy as np
import pytest

from numpy_impl.clip import clip_grad_norm, clip_grad_value
from numpy_impl.init import init_params
from numpy_impl.inputs import NO_TOKEN
from numpy_impl.interactive import RNNModel
from numpy_impl.loss import softmax
from numpy_impl.model import forward, loss_and_grads
from numpy_impl.optim import SGD, Adagrad

T, B, V, H = 6, 2, 5, 7


def batches(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(4)
    return [(rng.integers(-1, V, (T, B)), rng.integers(0, V, (T, B))) for _ in range(n)]


def step(model: RNNModel, x: np.ndarray, y: np.ndarray) -> float:
    model.forward(x)
    loss = model.loss(y)
    model.backward()
    model.clip(0.5)
    model.optimize(lr=0.1)
    return loss


@pytest.mark.parametrize("optimizer", [SGD(), SGD(momentum=0.9, dampening=0.9, zero_start=True), Adagrad()])
def test_many_steps_equal_those_of_the_pure_functions(optimizer: SGD | Adagrad) -> None:
    model = RNNModel(V, V, H, optimizer=optimizer, seed=2)
    params = init_params("names", V, H, V, np.random.default_rng(2))
    state = optimizer.init(params.flat)
    for x, y in batches(5):
        result = loss_and_grads(params, x, y)
        assert step(model, x, y) == float(result.loss)
        g = clip_grad_value(result.grads.flat, 0.5)
        optimizer.step(params.flat, g, state, 0.1, inplace=True)
        np.testing.assert_array_equal(model.params.flat, params.flat)


def test_every_option_reaches_the_function_behind_it() -> None:
    (x, y) = batches(1)[0]
    model = RNNModel(V, V, H, nonlinearity="relu", biases=False, init="orthogonal", dtype=np.float32)
    h0 = np.full((B, H), 0.5, np.float32)
    p = model.forward(x, h0)
    fwd = forward(model.params, x, h0, nonlinearity="relu")
    np.testing.assert_array_equal(p, softmax(fwd.logits))
    np.testing.assert_array_equal(model.h_T, fwd.h_T)
    y[0, 0] = -7
    options = {"reduction": "mean", "ignore_index": -7}
    result = loss_and_grads(model.params, x, y, h0, nonlinearity="relu", bptt="windowed", k=2, **options)
    assert model.loss(y, **options) == float(result.loss)
    np.testing.assert_array_equal(model.backward("windowed", 2).flat, result.grads.flat)
    model.clip(0.01, "norm")
    np.testing.assert_array_equal(model.grads.flat, clip_grad_norm(result.grads.flat, 0.01)[0])
    assert model.predict(x, h0).tolist() == fwd.logits.argmax(axis=-1).tolist()
    assert "b_h" not in model.params


def test_training_lowers_the_loss() -> None:
    model = RNNModel(V, V, H)
    (x, y) = batches(1)[0]
    losses = [step(model, x, y) for _ in range(60)]
    assert losses[-1] < losses[0] / 2


def test_the_targets_may_change_after_the_loss() -> None:
    (x, y), (_, other) = batches(2)
    model = RNNModel(V, V, H)
    model.forward(x)
    model.loss(y)
    expected = model.backward().flat.copy()
    y[...] = other
    np.testing.assert_array_equal(model.backward().flat, expected)


def test_the_inputs_may_change_after_the_forward_pass() -> None:
    """A program that fills one array with every batch must not train on the next one's inputs."""
    (x, y), (other, _) = batches(2)
    expected, model = RNNModel(V, V, H), RNNModel(V, V, H)
    for m, late in ((expected, x.copy()), (model, other)):
        m.forward(x)
        m.loss(y)
        x[...] = late
        m.backward()
    np.testing.assert_array_equal(model.grads.flat, expected.grads.flat)


def test_samples_are_reproducible_and_end_at_their_stop() -> None:
    runs = [RNNModel(V, V, H, seed=3) for _ in range(2)]
    drawn = [[model.sample(20, NO_TOKEN, stop=0) for _ in range(10)] for model in runs]
    assert drawn[0] == drawn[1]
    assert all(0 not in tokens[:-1] for tokens in drawn[0])
    assert any(len(tokens) < 20 for tokens in drawn[0])
    assert runs[0].sample(4, top_k=1) == runs[1].sample(4, top_p=1e-9)  # both leave the likeliest only


CALLS: dict[str, Callable[[RNNModel], object]] = {
    "loss": lambda m: m.loss(batches(1)[0][1]),
    "backward": lambda m: m.backward(),
    "clip": lambda m: m.clip(1.0),
    "optimize": lambda m: m.optimize(0.1),
}


@pytest.mark.parametrize(("call", "missing"), [("loss", "forward"), ("backward", "forward"), ("clip", "backward")])
def test_a_call_out_of_order_says_what_comes_first(call: str, missing: str) -> None:
    with pytest.raises(ValueError, match=rf"^{call} has nothing to work on: call {missing}\(.*\) first"):
        CALLS[call](RNNModel(V, V, H))


@pytest.mark.parametrize("call", CALLS)
def test_a_finished_step_is_not_used_twice(call: str) -> None:
    model = RNNModel(V, V, H)
    step(model, *batches(1)[0])
    with pytest.raises(ValueError, match=f"^{call} has nothing to work on"):
        CALLS[call](model)


def test_a_new_forward_makes_the_old_gradients_stale() -> None:
    model = RNNModel(V, V, H)
    (x, y), (other, _) = batches(2)
    model.forward(x)
    model.loss(y)
    model.backward()
    model.forward(other)
    with pytest.raises(ValueError, match="optimize has nothing to work on"):
        model.optimize(0.1)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda m: m.loss(batches(1)[0][1], "none"), 'reduction is "none"'),
        (lambda m: m.loss(np.full((T, B), V)), rf"y\[0, 0\] is {V}: ids run from 0 to {V - 1}"),
        (lambda m: m.sample(0), "n is 0"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(wrong: Callable[[RNNModel], object], sentence: str) -> None:
    model = RNNModel(V, V, H)
    model.forward(batches(1)[0][0])
    with pytest.raises(ValueError, match=sentence):
        wrong(model)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"nonlinearity": "sigmoid"}, "nonlinearity is 'sigmoid', expected one of tanh, relu"),
        ({"optimizer": "sgd"}, r"optimizer is 'sgd', expected SGD\(...\) or Adagrad\(...\)"),
        ({"seed": -1}, "seed is -1: it must be a whole number from 0 on"),
        ({"seed": "one"}, "seed is 'one': it must be a whole number"),
        ({"dtype": np.float16}, "dtype is float16"),
    ],
)
def test_a_wrong_option_is_refused_at_once(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises((ValueError, TypeError), match=sentence):
        RNNModel(V, V, H, **wrong)


@pytest.mark.usefixtures("shapes_unchecked")
def test_half_a_token_is_not_drawn() -> None:
    with pytest.raises(ValueError, match=r"n is 2.5: at least one token is drawn; give a whole number from 1 on"):
        RNNModel(V, V, H).sample(2.5)


def test_an_unknown_way_to_clip_is_refused() -> None:
    model = RNNModel(V, V, H)
    model.forward(batches(1)[0][0])
    model.loss(batches(1)[0][1])
    model.backward()
    with pytest.raises(ValueError, match="method is 'size', expected value or norm"):
        model.clip(1.0, "size")
