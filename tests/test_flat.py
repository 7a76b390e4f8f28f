"""One vector, many names: what is written to either side is seen on the other, and nothing slips out of the vector."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl.flat import Flat

shapes = st.dictionaries(
    st.text("abcdW_", min_size=1, max_size=4),
    st.lists(st.integers(1, 3), max_size=3).map(tuple),
    min_size=1,
    max_size=5,
)


def numbered(shapes: dict[str, tuple[int, ...]], dtype: type = np.float64) -> Flat:
    """Fill the vector with 0, 1, 2 ... so that every entry tells where it lies."""
    size = sum(int(np.prod(s)) for s in shapes.values())
    return Flat(np.arange(size).astype(dtype), shapes)


def assert_views(flat: Flat) -> None:
    """Every name is a window on the vector, in the order of the names, and together they cover it once."""
    laid_out = np.concatenate([a.ravel() for a in flat.values()])
    np.testing.assert_array_equal(laid_out, flat.flat)
    before = flat.flat.copy()
    flat.flat += 1
    for name, array in flat.items():
        assert np.shares_memory(array, flat.flat), name
    np.testing.assert_array_equal(np.concatenate([a.ravel() for a in flat.values()]), before + 1)
    flat.flat -= 1


SHAPES = {"W": (2, 3), "b": (3,), "scalar": ()}


@given(shapes)
@settings(max_examples=25)
def test_names_are_views_of_the_vector(shapes):
    flat = numbered(shapes)
    assert {name: a.shape for name, a in flat.items()} == shapes
    assert_views(flat)


def test_layout_by_hand():
    flat = numbered(SHAPES)
    assert flat["W"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert flat["b"].tolist() == [6, 7, 8]
    assert flat["scalar"] == 9
    flat["b"] = np.zeros(3)
    assert flat.flat.tolist() == [0, 1, 2, 3, 4, 5, 0, 0, 0, 9]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_pack_copies_and_keeps_the_dtype(dtype):
    given = {"W": np.asfortranarray(np.arange(6, dtype=dtype).reshape(2, 3)), "b": np.ones(3, dtype)[::-1]}
    flat = Flat.pack(given)
    assert flat.flat.dtype == dtype
    assert flat.flat.tolist() == [0, 1, 2, 3, 4, 5, 1, 1, 1]
    assert list(flat) == ["W", "b"]
    assert_views(flat)
    flat.flat[:] = 7
    assert given["W"].max() == 5


def test_pack_refuses_several_dtypes():
    with pytest.raises(TypeError) as caught:
        Flat.pack({"W": np.zeros(2), "b": np.zeros(2, np.float32)})
    assert str(caught.value) == (
        "arrays have several dtypes (W float64, b float32): one vector has one dtype; cast them with .astype"
    )


def test_zeros_take_shapes_and_dtype():
    zeros = Flat.zeros(numbered(SHAPES, np.float32), prefix="d")
    assert {name: a.shape for name, a in zeros.items()} == {"dW": (2, 3), "db": (3,), "dscalar": ()}
    assert zeros.flat.dtype == np.float32
    assert not zeros.flat.any()
    assert_views(zeros)


@pytest.mark.parametrize(
    "duplicate",
    [Flat.copy, copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))],
    ids=["Flat.copy", "copy.copy", "copy.deepcopy", "pickle"],
)
def test_copies_have_views_of_their_own_vector(duplicate):
    flat = numbered(SHAPES)
    twin = duplicate(flat)
    assert type(twin) is Flat
    assert list(twin) == list(flat)
    assert_views(twin)
    assert np.shares_memory(twin.flat, flat.flat) == (duplicate is copy.copy)


def test_update_writes_into_the_vector():
    flat = numbered(SHAPES)
    flat.update({"b": np.zeros(3)}, W=np.ones((2, 3)))
    assert flat.flat.tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 0, 9]
    assert_views(flat)


def test_a_name_cannot_be_added():
    with pytest.raises(KeyError, match="W_new"):
        numbered(SHAPES)["W_new"] = np.zeros(3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(3), "W is float64 of shape (3,), expected float64 of shape (2, 3)"),
        (np.zeros((2, 3), np.float32), "W is float32 of shape (2, 3), expected float64 of shape (2, 3)"),
    ],
)
def test_nothing_is_broadcast_or_cast(value, message):
    flat = numbered(SHAPES)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole sentence is compared
        flat["W"] = value
    assert str(caught.value) == (
        f"{message}: an array in a vector keeps its shape and dtype; cast or reshape the value first"
    )
    assert flat.flat.tolist() == list(range(10))


class Rebinding(Flat):
    """What a plain dictionary would do: bind the name to the new array."""

    def __setitem__(self, name, value):
        dict.__setitem__(self, name, value)


def test_assert_views_catches_a_name_that_left_the_vector():
    flat = Rebinding(np.zeros(9), {"W": (2, 3), "b": (3,)})
    assert_views(flat)
    flat["b"] = np.zeros(3)
    with pytest.raises(AssertionError):
        assert_views(flat)


def test_assert_views_catches_views_of_another_vector():
    flat = numbered(SHAPES)
    flat.flat = flat.flat.copy()
    with pytest.raises(AssertionError):
        assert_views(flat)
