"""Softmax cross-entropy and its gradient, against values by hand, central differences and its own definition.

Every check is a function of the pair (forward, backward) under test, so that its twin can hand it a wrong pair.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl.loss import (
    IGNORE_INDEX,
    CrossEntropy,
    cross_entropy,
    cross_entropy_and_gradient,
    cross_entropy_backward,
    softmax,
)

DTYPES = [np.float32, np.float64, np.longdouble]
REDUCTIONS = ["sum", "mean", "none"]
ULPS = 64
"""Two correct orders of summation may differ by this many units in the last place of the largest entry."""

EXAMPLES = {"max_examples": 20}
seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 8))


class Problem(NamedTuple):
    logits: np.ndarray
    y: np.ndarray
    dloss: np.ndarray
    reduction: str

    @classmethod
    def draw(cls, seed: int, T=5, B=3, V=4, *, reduction="sum", ignored=True, dtype: type = np.float64) -> "Problem":
        rng = np.random.default_rng(seed)
        y = rng.integers(0, V, (T, B))
        if ignored:
            y[rng.random((T, B)) < 0.3] = IGNORE_INDEX
            y[0, 0] = 0  # a mean needs one target
        dloss = np.asarray(rng.standard_normal((T, B) if reduction == "none" else ()), dtype)
        return cls(3 * rng.standard_normal((T, B, V)).astype(dtype), y, dloss, reduction)


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    limit = ULPS * np.finfo(actual.dtype).eps * np.abs(expected).max()
    assert np.abs(actual - expected).max() <= limit


def gradient(p: Problem, forward: Callable = cross_entropy, backward: Callable = cross_entropy_backward) -> np.ndarray:
    return backward(forward(p.logits, p.y, p.reduction).p, p.y, p.reduction, dloss=p.dloss)


# --- by hand


def by_hand(forward: Callable, backward: Callable) -> None:
    """Logits (0, ln 3) are probabilities 1/4 and 3/4."""
    logits = np.array([[[0, np.log(3)], [0, 0]], [[0, np.log(3)], [np.log(7), 0]]])
    y = np.array([[0, 1], [1, IGNORE_INDEX]])
    loss, p = forward(logits, y, "none")
    assert_close(loss, np.log([[4, 2], [4 / 3, 1]]))
    assert_close(p, np.array([[[1 / 4, 3 / 4], [1 / 2, 1 / 2]], [[1 / 4, 3 / 4], [7 / 8, 1 / 8]]]))
    total = np.log(4 * 2 * 4 / 3)
    assert_close(forward(logits, y, "sum").loss, np.array(total))
    assert_close(forward(logits, y, "mean").loss, np.array(total / 3))
    dlogits = np.array([[[-3 / 4, 3 / 4], [1 / 2, -1 / 2]], [[1 / 4, -1 / 4], [0, 0]]])
    assert_close(backward(p, y, "sum"), dlogits)
    assert_close(backward(p, y, "mean"), dlogits / 3)
    assert_close(backward(p, y, "mean", dloss=np.array(6.0)), dlogits * 2)
    dloss = np.array([[1.0, 2.0], [-4.0, 5.0]])
    assert_close(backward(p, y, "none", dloss=dloss), dlogits * dloss[..., None])


def extremes(forward: Callable, backward: Callable, dtype: type) -> None:
    """exp(900) overflows in float64 and exp(-900) is zero: the loss is exactly 1800, or exactly 0."""
    logits = np.array([[[900, -900], [900, -900], [-900, -900]]], dtype)
    y = np.array([[0, 1, 1]])
    loss, p = forward(logits, y, "none")
    assert np.isfinite(loss).all()
    assert np.isfinite(p).all()
    assert loss[0, :2].tolist() == [0, 1800]
    assert_close(loss[0, 2], np.log(dtype(2)))
    with np.errstate(under="ignore"):
        dlogits = backward(p, y, "sum")
    tiny = np.exp(dtype(-1800))  # zero but in longdouble
    np.testing.assert_array_equal(dlogits, np.array([[[0, tiny], [1, -1], [0.5, -0.5]]], dtype))
    with np.errstate(under="ignore"):
        np.testing.assert_array_equal(softmax(logits), p)


def test_values_by_hand():
    by_hand(cross_entropy, cross_entropy_backward)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logits_of_900_give_the_exact_loss(dtype):
    extremes(cross_entropy, cross_entropy_backward, dtype)


def test_the_sum_is_what_is_meant_if_nothing_is_said():
    p = Problem.draw(1)
    one, same = cross_entropy(p.logits, p.y), cross_entropy(p.logits, p.y, "sum", IGNORE_INDEX)
    np.testing.assert_array_equal(one.loss, same.loss)
    np.testing.assert_array_equal(cross_entropy_backward(one.p, p.y), cross_entropy_backward(one.p, p.y, "sum"))


def test_uniform_logits_give_log_V():
    loss, p = cross_entropy(np.full((3, 2, 27), -5.0), np.zeros((3, 2), int), "mean")
    assert_close(loss, np.array(np.log(27)))
    assert_close(p, np.full((3, 2, 27), 1 / 27))


# --- central differences


def central_differences(p: Problem, forward: Callable, backward: Callable) -> None:
    found = gradient(p, forward, backward)
    dtype = p.logits.dtype
    along = np.random.default_rng(0).standard_normal(found.shape).astype(dtype)

    def value(step: float) -> np.floating:
        return (p.dloss * forward(p.logits + step * along, p.y, p.reduction).loss).sum()

    step = np.finfo(dtype).eps ** dtype.type(1 / 3)
    coarse, fine = ((value(s) - value(-s)) / (2 * s) for s in (step, step / 2))
    size = np.abs(p.dloss * forward(p.logits, p.y, p.reduction).loss).sum() + np.abs(p.dloss).sum()
    assert abs((found * along).sum() - fine) <= 4 * abs(coarse - fine) + ULPS * np.finfo(dtype).eps * size / step


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradient_matches_central_differences(reduction, dtype):
    central_differences(Problem.draw(1, reduction=reduction, dtype=dtype), cross_entropy, cross_entropy_backward)


@given(seeds, sizes, st.sampled_from(REDUCTIONS))
@settings(**EXAMPLES)
def test_gradient_matches_central_differences_at_any_size(seed, TBV, reduction):
    central_differences(Problem.draw(seed, *TBV, reduction=reduction), cross_entropy, cross_entropy_backward)


# --- what must hold by definition


def reductions_agree(p: Problem, forward: Callable, backward: Callable) -> None:
    each, probabilities = forward(p.logits, p.y, "none")
    count = (p.y != IGNORE_INDEX).sum()
    assert each.shape == p.y.shape
    assert_close(forward(p.logits, p.y, "sum").loss, each.sum())
    assert_close(forward(p.logits, p.y, "mean").loss, each.sum() / count)
    total = backward(probabilities, p.y, "sum")
    assert_close(backward(probabilities, p.y, "mean"), total / count)
    assert_close(backward(probabilities, p.y, "none", dloss=np.ones_like(each)), total)


def ignored_is_absent(p: Problem, forward: Callable, backward: Callable) -> None:
    # The loss over the kept targets alone is the loss; whatever the logits of an ignored one, nothing changes.
    kept = p.y != IGNORE_INDEX
    assert not kept.all()
    for reduction in ("sum", "mean"):
        alone = forward(p.logits[kept][:, None], p.y[kept][:, None], reduction)
        loss, probabilities = forward(p.logits, p.y, reduction)
        assert_close(loss, alone.loss)
        dlogits = backward(probabilities, p.y, reduction)
        assert_close(dlogits[kept], backward(alone.p, p.y[kept][:, None], reduction)[:, 0])
        assert not dlogits[~kept].any()
        other = np.where(kept[..., None], p.logits, 77)
        np.testing.assert_array_equal(forward(other, p.y, reduction).loss, loss)


def any_ignore_index(p: Problem, forward: Callable, backward: Callable) -> None:
    # The mark is a convention: 0, inside the vocabulary, does as well, where no target is 0.
    y = np.where(p.y == 0, 1, p.y)
    marked = np.where(y == IGNORE_INDEX, 0, y)
    a, b = forward(p.logits, y, "mean"), forward(p.logits, marked, "mean", ignore_index=0)
    np.testing.assert_array_equal(a.loss, b.loss)
    np.testing.assert_array_equal(backward(a.p, y, "mean"), backward(b.p, marked, "mean", ignore_index=0))


def shift_invariance(p: Problem, forward: Callable, backward: Callable) -> None:
    """Adding a constant to all logits of a step changes neither loss nor gradient (quarters are exact to add)."""
    logits = np.round(4 * p.logits) / 4
    a, b = forward(logits, p.y, "sum"), forward(logits + 64, p.y, "sum")
    np.testing.assert_array_equal(a.loss, b.loss)
    np.testing.assert_array_equal(backward(a.p, p.y, "sum"), backward(b.p, p.y, "sum"))


def probabilities(p: Problem, forward: Callable, backward: Callable) -> None:
    """They add up to one, so a gradient adds up to zero along the vocabulary."""
    found = forward(p.logits, p.y, "sum").p
    assert_close(found.sum(-1), np.ones(p.y.shape))
    assert_close(found, softmax(p.logits))
    assert_close(backward(found, p.y, "sum").sum(-1) + 1, np.ones(p.y.shape))


def linearity(p: Problem, forward: Callable, backward: Callable) -> None:
    for reduction in REDUCTIONS:
        found = forward(p.logits, p.y, reduction)
        u = np.random.default_rng(1).standard_normal(found.loss.shape).astype(p.logits.dtype)
        one = np.ones_like(u)
        a, b, c = (backward(found.p, p.y, reduction, dloss=np.asarray(d)) for d in (one, u, 2 * one - 3 * u))
        assert_close(c, 2 * a - 3 * b)


def order_of_the_vocabulary(p: Problem, forward: Callable, backward: Callable) -> None:
    V = p.logits.shape[-1]
    order = np.random.default_rng(2).permutation(V)
    new_id = np.argsort(order)
    y = np.where(p.y == IGNORE_INDEX, IGNORE_INDEX, new_id[np.maximum(p.y, 0)])
    a, b = forward(p.logits, p.y, "sum"), forward(p.logits[..., order], y, "sum")
    assert_close(b.loss, a.loss)
    assert_close(backward(b.p, y, "sum"), backward(a.p, p.y, "sum")[..., order])


def inputs_left_alone(p: Problem, forward: Callable, backward: Callable) -> None:
    logits, y = p.logits.copy(), p.y.copy()
    found = forward(p.logits, p.y, "none")
    before = found.p.copy()
    dlogits = backward(found.p, p.y, "sum")
    for kept, now in [(logits, p.logits), (y, p.y), (before, found.p)]:
        np.testing.assert_array_equal(kept, now)
    results = [p.logits, found.loss, found.p, dlogits]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(results) for b in results[:i])


RELATIONS = {
    r.__name__: r
    for r in (
        reductions_agree,
        ignored_is_absent,
        any_ignore_index,
        shift_invariance,
        probabilities,
        linearity,
        order_of_the_vocabulary,
        inputs_left_alone,
    )
}


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS.keys())
@pytest.mark.parametrize("dtype", DTYPES)
def test_relation_holds(relation, dtype):
    relation(Problem.draw(2, dtype=dtype), cross_entropy, cross_entropy_backward)


@given(seeds, sizes, st.sampled_from(["reductions_agree", "linearity", "probabilities", "order_of_the_vocabulary"]))
@settings(**EXAMPLES)
def test_relation_holds_at_any_size(seed, TBV, name):
    RELATIONS[name](Problem.draw(seed, *TBV), cross_entropy, cross_entropy_backward)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_every_array_keeps_the_dtype(reduction, dtype):
    p = Problem.draw(3, reduction=reduction, dtype=dtype)
    loss, probabilities = cross_entropy(p.logits, p.y, reduction)
    found = [loss, probabilities, gradient(p), gradient(p._replace(dloss=p.dloss)), softmax(p.logits)]
    assert {a.dtype for a in found} == {np.dtype(dtype)}
    assert loss.shape == (p.y.shape if reduction == "none" else ())


@pytest.mark.parametrize("integer", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint64])
def test_targets_may_have_any_integer_type(integer):
    p = Problem.draw(4, ignored=False)
    a, b = cross_entropy(p.logits, p.y), cross_entropy(p.logits, p.y.astype(integer))
    np.testing.assert_array_equal(a.loss, b.loss)
    np.testing.assert_array_equal(gradient(p), gradient(p._replace(y=p.y.astype(integer))))


def test_layout_of_the_logits_does_not_matter():
    p = Problem.draw(5)
    spread = p._replace(
        logits=np.asfortranarray(np.repeat(p.logits, 2, axis=-1))[..., ::2], y=np.repeat(p.y, 2, axis=1)[:, ::2]
    )
    assert not spread.logits.flags.c_contiguous
    assert_close(gradient(spread), gradient(p))


def test_wrong_calls_are_refused():
    p = Problem.draw(6)
    y = p.y.copy()
    y[1, 2] = -1
    with pytest.raises(ValueError, match=r"y\[1, 2\] is -1: ids run from 0 to 3"):
        cross_entropy(p.logits, y)
    with pytest.raises(ValueError, match="mean over no targets is undefined"):
        cross_entropy(p.logits, np.full_like(p.y, IGNORE_INDEX), "mean")
    with pytest.raises(ValueError, match="dloss is missing"):
        cross_entropy_backward(softmax(p.logits), p.y, "none")


def test_a_vocabulary_of_one_leaves_nothing_to_lose_with_targets_or_without():
    logits, y = np.array([[[3.0], [-2.0]]]), np.array([[0, IGNORE_INDEX]])
    loss, p = cross_entropy(logits, y, "none")
    np.testing.assert_array_equal(loss, [[0, 0]])
    np.testing.assert_array_equal(p, [[[1], [1]]])
    assert not cross_entropy_backward(p, y, "none", dloss=np.ones((1, 2))).any()


def test_all_targets_ignored_is_a_sum_of_nothing():
    p = Problem.draw(7)
    y = np.full_like(p.y, IGNORE_INDEX)
    loss, probabilities = cross_entropy(p.logits, y, "sum")
    assert loss == 0
    assert not cross_entropy_backward(probabilities, y, "sum").any()


# --- the twins: a wrong pair must be caught


def without_maximum(logits, y, reduction="sum", ignore_index=IGNORE_INDEX):
    with np.errstate(all="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        kept = y != ignore_index
        each = np.where(kept, -np.log(np.take_along_axis(p, np.where(kept, y, 0)[..., None], -1))[..., 0], 0)
    return CrossEntropy(np.asarray({"sum": each.sum(), "mean": each.sum() / kept.sum(), "none": each}[reduction]), p)


def mean_over_everything(logits, y, reduction="sum", ignore_index=IGNORE_INDEX):
    found = cross_entropy(logits, y, reduction, ignore_index)
    factor = (y != ignore_index).mean() if reduction == "mean" else 1
    return found._replace(loss=found.loss * factor)


def counting_ignored(logits, y, reduction="sum", ignore_index=IGNORE_INDEX):
    return cross_entropy(logits, np.where(y == ignore_index, 0, y), reduction)


def with_epsilon(logits, y, reduction="sum", ignore_index=IGNORE_INDEX):
    loss, p = cross_entropy(logits, y, reduction, ignore_index)
    return CrossEntropy(-np.log(np.exp(-loss) + 1e-8), p + 1e-8)


def working_in_place(logits, y, reduction="sum", ignore_index=IGNORE_INDEX):
    logits -= logits.max(-1, keepdims=True)
    return cross_entropy(logits, y, reduction, ignore_index)


def negative(p, y, reduction="sum", ignore_index=IGNORE_INDEX, dloss=None):
    return -cross_entropy_backward(p, y, reduction, ignore_index, dloss)


def sum_for_mean(p, y, reduction="sum", ignore_index=IGNORE_INDEX, dloss=None):
    return cross_entropy_backward(p, y, "sum" if reduction == "mean" else reduction, ignore_index, dloss)


def without_onehot(p, y, reduction="sum", ignore_index=IGNORE_INDEX, dloss=None):
    dlogits = cross_entropy_backward(p, y, reduction, ignore_index, dloss)
    return dlogits + np.eye(p.shape[-1])[np.where(y == ignore_index, 0, y)] * (y != ignore_index)[..., None]


def default_index_only(p, y, reduction="sum", ignore_index=IGNORE_INDEX, dloss=None):
    return cross_entropy_backward(p, y, reduction, IGNORE_INDEX, dloss)


def upstream_squared(p, y, reduction="sum", ignore_index=IGNORE_INDEX, dloss=None):
    return cross_entropy_backward(p, y, reduction, ignore_index, np.asarray(dloss * np.abs(dloss)))


def first_word_favoured(p, y, reduction="sum", ignore_index=IGNORE_INDEX, dloss=None):
    return cross_entropy_backward(p, y, reduction, ignore_index, dloss) * np.linspace(1, 1.1, p.shape[-1])


@pytest.mark.parametrize("forward", [without_maximum, with_epsilon])
def test_extremes_catch(forward):
    with pytest.raises(AssertionError):
        extremes(forward, cross_entropy_backward, np.float64)


@pytest.mark.parametrize("backward", [negative, sum_for_mean, without_onehot, upstream_squared, first_word_favoured])
def test_central_differences_catch(backward):
    with pytest.raises(AssertionError):
        central_differences(Problem.draw(8, reduction="mean"), cross_entropy, backward)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (mean_over_everything, cross_entropy_backward),
        (counting_ignored, cross_entropy_backward),
        (with_epsilon, cross_entropy_backward),
        (cross_entropy, negative),
        (cross_entropy, sum_for_mean),
    ],
)
def test_values_by_hand_catch(forward, backward):
    with pytest.raises(AssertionError):
        by_hand(forward, backward)


@pytest.mark.parametrize(
    ("relation", "forward", "backward"),
    [
        ("reductions_agree", mean_over_everything, cross_entropy_backward),
        ("reductions_agree", cross_entropy, sum_for_mean),
        ("ignored_is_absent", counting_ignored, cross_entropy_backward),
        ("ignored_is_absent", mean_over_everything, cross_entropy_backward),
        ("any_ignore_index", cross_entropy, default_index_only),
        ("shift_invariance", without_maximum, cross_entropy_backward),
        ("probabilities", with_epsilon, cross_entropy_backward),
        ("probabilities", cross_entropy, without_onehot),
        ("linearity", cross_entropy, upstream_squared),
        ("order_of_the_vocabulary", cross_entropy, first_word_favoured),
        ("inputs_left_alone", working_in_place, cross_entropy_backward),
    ],
)
def test_relation_catches(relation, forward, backward):
    with pytest.raises(AssertionError):
        RELATIONS[relation](Problem.draw(9), forward, backward)


# --- both in one pass


def as_the_two_functions(one_pass: Callable, p: Problem, **options) -> None:
    loss, dlogits = one_pass(p.logits.copy(), p.y, p.reduction, dloss=p.dloss, **options)
    np.testing.assert_array_equal(loss, cross_entropy(p.logits, p.y, p.reduction).loss, strict=True)
    np.testing.assert_array_equal(dlogits, gradient(p), strict=True)


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_pass_gives_the_bits_of_the_two_functions(dtype, reduction, ignored):
    p = Problem.draw(3, reduction=reduction, ignored=ignored, dtype=dtype)
    as_the_two_functions(cross_entropy_and_gradient, p)
    as_the_two_functions(cross_entropy_and_gradient, p, out=np.full_like(p.logits, np.nan))


def test_one_pass_writes_where_it_is_told_to_and_the_logits_stay_otherwise():
    p, out = Problem.draw(4), np.empty((5, 3, 4))
    logits = p.logits.copy()
    assert cross_entropy_and_gradient(logits, p.y, dloss=p.dloss, out=out)[1] is out
    np.testing.assert_array_equal(logits, p.logits)
    assert cross_entropy_and_gradient(logits, p.y, dloss=p.dloss, out=logits)[1] is logits
    np.testing.assert_array_equal(logits, out)


def test_one_pass_sums_if_nothing_is_said_and_takes_any_mark_for_what_is_ignored():
    p = Problem.draw(5)
    marked = np.where(p.y == IGNORE_INDEX, 77, p.y)
    expected = cross_entropy_and_gradient(p.logits, p.y, "sum")
    for found in (
        cross_entropy_and_gradient(p.logits, p.y),
        cross_entropy_and_gradient(p.logits, p.y, dloss=np.asarray(1.0)),
        cross_entropy_and_gradient(p.logits, marked, ignore_index=77),
    ):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"reduction": "none"}, ValueError, "dloss is missing"),
        ({"dloss": np.ones((5, 3))}, ValueError, "dloss has shape (5, 3), expected ()"),
        ({"dloss": np.float32([1])[0:1].reshape(())}, TypeError, "dloss is float32"),
        ({"reduction": "max"}, ValueError, "reduction is 'max'"),
        ({"ignore_index": 1}, ValueError, "y["),
    ],
)
def test_one_pass_refuses_what_the_two_functions_refuse(options, error, words):
    p = Problem.draw(6)
    with pytest.raises(error) as caught:
        cross_entropy_and_gradient(p.logits, p.y, **options)
    assert str(caught.value).startswith(words)


def test_a_gradient_of_another_reduction_shows():
    p = Problem.draw(7, reduction="mean")
    with pytest.raises(AssertionError):
        as_the_two_functions(lambda z, y, reduction, dloss: cross_entropy_and_gradient(z, y, "sum", dloss=dloss), p)
