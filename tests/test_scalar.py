"""A setting is judged as what it is: a float is remembered, and nothing that equals it is taken for it."""

import numpy as np
import pytest

from numpy_impl import scalar
from numpy_impl.scalar import positive

FLOAT64 = np.dtype(np.float64)


def asked(value: object) -> np.floating:
    return positive("lr", value, FLOAT64, "try 0.1")


def is_refused_after_its_equal(value: object) -> None:
    """True equals 1.0, and a cache asks no more than that."""
    assert asked(1.0) == 1
    with pytest.raises(TypeError, match="lr is True, a bool: it must be a number"):
        asked(value)


def test_what_equals_a_float_that_was_asked_before_is_no_float():
    is_refused_after_its_equal(True)


def test_a_memory_of_whatever_is_equal_would_show(monkeypatch):
    monkeypatch.setattr(scalar, "_positive", scalar._positive_float)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_refused_after_its_equal(True)


def test_a_float_is_judged_once_and_a_number_that_could_change_each_time(monkeypatch):
    judged = []
    careful = scalar._positive
    monkeypatch.setattr(scalar, "_positive", lambda *asked: judged.append(asked[1]) or careful(*asked))
    monkeypatch.setattr(scalar, "_positive_float", scalar.lru_cache(scalar._positive))
    for value in (0.5, 0.5, np.float64(0.5), np.float64(0.5), 2, 2):
        assert asked(value) == value
    assert judged == [0.5, 0.5, 0.5, 2, 2]
    assert [type(value) for value in judged] == [float, np.float64, np.float64, int, int]
