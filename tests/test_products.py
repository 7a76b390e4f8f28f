"""Products in pieces are the same products. With small whole numbers every order of summation is exact, so: equal."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpy_impl import products
from numpy_impl.products import SWITCH, panels_pay, piece, product, state_product
from numpy_impl.workspace import FRESH, Fresh, Workspace

DTYPES = [np.float32, np.float64, np.longdouble]
PIECES, WHOLE = Fresh(panels=True), Fresh(panels=False)
SIZES = [(1, 1, 1), (12, 8, 6), (6, 48, 8), (8, 6, 48), (64, 4, 4), (7, 13, 5), (2, 97, 3), (2, 3, 48)]
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture
def _tiny(monkeypatch):
    """Let a product be too large from 100 multiplications on, so that a test need not be."""
    monkeypatch.setattr(products, "SMALL", 100)
    monkeypatch.setattr(products, "SHORTEST", 2)
    monkeypatch.setattr(products, "FEWEST", 2)
    products._largest_divisor.cache_clear()
    yield
    products._largest_divisor.cache_clear()


def whole_numbers(seed: int, *shape: int, dtype: type = np.float64) -> np.ndarray:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def equal_to_the_plain_product(multiply: Callable, M: int, N: int, K: int, dtype: type, transposed: bool) -> None:
    a, b = whole_numbers(1, M, K, dtype=dtype), whole_numbers(2, K, N, dtype=dtype)
    if transposed:
        a, b = np.asfortranarray(a), np.asfortranarray(b)
    out = np.full((M, N), np.nan, dtype)
    multiply(a, b, out)
    np.testing.assert_array_equal(out, a @ b)


def by_product(workspace: Fresh) -> Callable:
    return lambda a, b, out: product(a, b, out, workspace)


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("M", "N", "K"), SIZES)
@pytest.mark.parametrize("workspace", [PIECES, WHOLE, Workspace(panels=True)])
def test_product_in_pieces_is_the_product(M, N, K, dtype, transposed, workspace):
    equal_to_the_plain_product(by_product(workspace), M, N, K, dtype, transposed)


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("B", [1, 2, 4, 7])
@pytest.mark.parametrize("H", [2, 5, 12, 30])
@pytest.mark.parametrize("workspace", [PIECES, WHOLE])
def test_state_product_is_the_product(B, H, dtype, workspace):
    W, h = whole_numbers(3, H, H, dtype=dtype), whole_numbers(4, B, H, dtype=dtype)
    for matrix in (W, W.T, np.tile(W, (2, 2))[::2, ::2]):
        for T in (1, 10 * H):
            times, prepared = state_product(matrix, T, B, workspace)
            out = np.full((B, H), np.nan, dtype)
            times(h, prepared, out)
            np.testing.assert_array_equal(out, h @ matrix)


@pytest.mark.usefixtures("_tiny")
def test_pieces_are_taken_where_they_should_be():
    """Else the tests above would compare the plain product with itself."""
    times, W = state_product(np.ones((12, 12)), 9, 4, PIECES)
    assert times is products._times_panels
    assert W.shape == (6, 12, 2)
    assert state_product(np.ones((12, 12)), 9, 4, WHOLE)[0] is np.ndarray.dot
    assert state_product(np.ones((12, 12)), 9, 1, PIECES)[0] is np.ndarray.dot  # a row: another routine


@pytest.mark.parametrize(
    ("B", "T", "copied"), [(1, 1, False), (1, 2 * 5 - 1, False), (1, 2 * 5, True), (2, 1, True), (3, 100, True)]
)
def test_a_transposed_matrix_is_copied_where_that_pays(B, T, copied):
    W = whole_numbers(3, 5, 5)
    assert state_product(W, T, B, WHOLE)[1] is W
    transposed = W.T
    prepared = state_product(transposed, T, B, WHOLE)[1]
    assert (prepared is not transposed) is copied
    assert prepared.flags.c_contiguous is copied


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(("B", "panels"), [(1, False), (2, True)])
def test_two_rows_are_cut_and_one_is_not(B, panels):
    assert (state_product(np.ones((12, 12)), 9, B, PIECES)[0] is products._times_panels) is panels


CUT = {
    "rows": ((64, 4, 4), (16, 4, 4)),
    "rows of three": ((63, 5, 6), (21, 3, 6)),
    "columns, as rows of the transposed product": ((6, 48, 8), (24, 2, 8)),
    "a prime number of rows": ((67, 4, 4), None),
    "a prime number of columns": ((2, 97, 3), None),
    "two sides equally long": ((10, 10, 2), None),
    "columns and terms equally many": ((2, 10, 10), None),
    "rows and terms equally many": ((10, 2, 10), None),
    "small": ((25, 2, 2), None),
}


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(("sizes", "stack"), CUT.values(), ids=CUT)
def test_a_product_is_cut_along_its_longest_side(monkeypatch, sizes, stack):
    (M, N, K), stacks, matmul = sizes, [], np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b, **out: stacks.append(a.shape) or matmul(a, b, **out))
    for workspace, expected in ((PIECES, [stack] if stack else []), (WHOLE, [])):
        equal_to_the_plain_product(by_product(workspace), M, N, K, np.float64, False)
        assert stacks == expected
        stacks.clear()


TERMS = {
    "three times 16 of 48": ((2, 3, 48), 3),
    "24 times two of 48": ((8, 6, 48), 24),
    "25, 25, and 8 that are left": ((2, 2, 58), 3),
    "not fewer than two": ((7, 8, 58), 1),
    "small": ((2, 2, 25), 1),
}


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("sizes", "sums"), TERMS.values(), ids=TERMS)
def test_a_sum_of_many_terms_is_cut(monkeypatch, sizes, sums, transposed, dtype):
    (M, N, K), seen, add = sizes, [], np.add
    for workspace, expected in ((PIECES, sums), (WHOLE, 1)):
        with monkeypatch.context() as patch:
            patch.setattr(np, "add", lambda a, b, out: seen.append(a.shape) or add(a, b, out))
            equal_to_the_plain_product(by_product(workspace), M, N, K, dtype, transposed)
        assert seen == [(M, N)] * (expected - 1)
        seen.clear()


@given(st.integers(1, 5000), st.integers(1, 100_000))
@settings(max_examples=50)
def test_a_piece_divides_and_is_small(side, others):
    found = piece(side, others, PIECES)
    assert found == 0 or (side % found == 0 and products.SHORTEST <= found < side and found * others <= products.SMALL)
    assert piece(side, others, WHOLE) == 0


def test_sizes_of_the_field():
    assert piece(512, 4 * 512, PIECES) == 256
    assert piece(512, 32 * 512, PIECES) == 32
    assert piece(100, 1 * 100, PIECES) == 0  # small as it is
    assert piece(1000, 1000, PIECES) == 0  # just small enough
    assert piece(64, 62_500, PIECES) == 16  # just not too short
    assert piece(509, 32 * 509, PIECES) == 0  # a prime has no pieces


# --- the switch


@pytest.fixture
def _unasked(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    panels_pay.cache_clear()
    yield
    panels_pay.cache_clear()


def machine(blas: str, **instructions: list[str]) -> dict:
    """Describe a machine as NumPy does."""
    named = {name.replace("_", " "): list(names) for name, names in instructions.items()}
    return {"Build Dependencies": {"blas": {"name": blas}}, "SIMD Extensions": named}


@pytest.mark.usefixtures("_unasked")
@pytest.mark.parametrize(
    ("described", "answer"),
    [
        (machine("scipy-openblas", baseline=["X86_V2"], found=["X86_V3", "X86_V4"]), True),
        (machine("openblas64", baseline=["SSE"], found=["AVX2", "AVX512_SKX"], not_found=["AVX512_SPR"]), True),
        (machine("openblas", baseline=["X86_V4"]), True),
        (machine("scipy-openblas", found=["X86_V3"], not_found=["X86_V4"]), False),
        (machine("scipy-openblas", baseline=["NEON", "ASIMD"]), False),
        (machine("mkl-sdl", found=["X86_V4"]), False),
        (machine("accelerate", baseline=["NEON"]), False),
    ],
)
def test_the_machine_decides(monkeypatch, described, answer):
    monkeypatch.setattr(products.np, "show_config", lambda mode: described)
    assert panels_pay() is answer


def test_numpy_describes_this_machine_in_these_words():
    """Else the descriptions above would be of no machine."""
    built = np.show_config(mode="dicts")
    assert built["Build Dependencies"]["blas"]["name"]
    assert set(built["SIMD Extensions"]) <= {"baseline", "found", "not found"}


@pytest.mark.usefixtures("_unasked")
@pytest.mark.parametrize("answer", ["0", "1"])
def test_the_environment_decides_before_the_machine(monkeypatch, answer):
    monkeypatch.setenv(SWITCH, answer)
    monkeypatch.setattr(products.np, "show_config", None)
    assert panels_pay() is (answer == "1")


@pytest.mark.usefixtures("_unasked")
def test_the_answer_does_not_change_within_a_process(monkeypatch):
    first = panels_pay()
    monkeypatch.setenv(SWITCH, "0" if first else "1")
    assert panels_pay() is first


@pytest.mark.usefixtures("_unasked")
def test_small_products_do_not_ask(monkeypatch):
    monkeypatch.setattr(products.np, "show_config", None)
    state_product(np.ones((50, 50)), 8, 1, FRESH)
    assert piece(10**6, 70_000, FRESH) == 0  # too large for any piece
    product(np.ones((8, 50)), np.ones((50, 27)), np.empty((8, 27)), FRESH)


# --- the twins


def without_the_last_piece(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    product(a, b, out, PIECES)
    out[-1] = 0


def transposed_pieces(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    out[...] = product(a, b, out.copy(), PIECES).reshape(out.shape[::-1]).T


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("wrong", [without_the_last_piece, transposed_pieces])
def test_a_wrong_product_is_caught(wrong):
    with pytest.raises(AssertionError):
        equal_to_the_plain_product(wrong, 12, 8, 6, np.float64, False)
