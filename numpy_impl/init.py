"""Initial weights, from a seed. Biases start at zero.

    names        N(0, 1) / sqrt(H) for all three   the scale that keeps a Gaussian W_hh near the edge of stability:
                                                   H. Sompolinsky et al., Phys. Rev. Lett. 61, 1988
    uniform      U(-1, 1) / sqrt(fan-in)           X. Glorot and Y. Bengio, AISTATS 2010, eq. 1, after Y. LeCun et al.,
                 (also called sentences)           "Efficient backprop", 1998; fan-in is the number of columns
    chars        0.01 N(0, 1)                      A. Karpathy, min-char-rnn, 2015
    orthogonal   W_hh a random rotation or         A. Saxe et al., "Exact solutions to the nonlinear dynamics of
                 reflection, the others uniform    learning", 2013; drawn as in F. Mezzadri, Notices AMS 54, 2007

A seed fixes the weights only together with the *order* of the draws, which is the order of each scheme below. Weights
are drawn in float64 and then rounded to `dtype`: one seed means the same network in every dtype. `rng` may be a
`Generator` or the legacy `RandomState`, whose stream NumPy keeps for ever and published runs were made with.
"""

from collections.abc import Callable

import numpy as np

from numpy_impl.flat import Flat
from numpy_impl.shapes import Real
from numpy_impl.validate import DTYPES

__all__ = ["SCHEMES", "Rng", "init_params"]

Rng = np.random.Generator | np.random.RandomState
Draw = Callable[[Rng, tuple[int, int], int], np.ndarray]


def gaussian_over_root_H(rng: Rng, shape: tuple[int, int], H: int) -> Real[np.ndarray, "rows columns"]:
    """N(0, 1) / sqrt(H), whatever the fan-in."""
    return rng.standard_normal(shape) / np.sqrt(H)


def uniform_fan_in(rng: Rng, shape: tuple[int, int], H: int) -> Real[np.ndarray, "rows columns"]:
    """Uniform in plus or minus 1 / sqrt(columns)."""
    limit = 1 / np.sqrt(shape[1])
    return rng.uniform(-limit, limit, shape)


def small_gaussian(rng: Rng, shape: tuple[int, int], H: int) -> Real[np.ndarray, "rows columns"]:
    """0.01 N(0, 1)."""
    return 0.01 * rng.standard_normal(shape)


def orthogonal(rng: Rng, shape: tuple[int, int], H: int) -> Real[np.ndarray, "rows columns"]:
    """Uniform among the orthogonal matrices: Q of a Gaussian matrix, signs such that R has a positive diagonal."""
    Q, R = np.linalg.qr(rng.standard_normal(shape))
    return Q * np.where(np.diag(R) < 0, -1.0, 1.0)


_UNIFORM: dict[str, Draw] = {"W_xh": uniform_fan_in, "W_hh": uniform_fan_in, "W_hy": uniform_fan_in}

SCHEMES: dict[str, dict[str, Draw]] = {
    "names": {"W_hy": gaussian_over_root_H, "W_xh": gaussian_over_root_H, "W_hh": gaussian_over_root_H},
    "sentences": _UNIFORM,
    "uniform": _UNIFORM,
    "chars": {"W_xh": small_gaussian, "W_hh": small_gaussian, "W_hy": small_gaussian},
    "orthogonal": {"W_xh": uniform_fan_in, "W_hh": orthogonal, "W_hy": uniform_fan_in},
}
"""How each scheme draws each matrix, in the order in which it draws them."""


def init_params(
    scheme: str, I: int, H: int, V: int, rng: Rng, *, biases: bool = True, dtype: np.dtype | type = np.float64
) -> Flat:
    """Draw the parameters of a model with I inputs, H hidden units and V outputs.

    Raises
    ------
    ValueError
        If the scheme is unknown or a size is not a whole number from 1 on.
    TypeError
        If `rng` is not a generator (a bare seed, say) or `dtype` is none of a model.
    """
    if scheme not in tuple(SCHEMES):
        raise ValueError(f"scheme is {scheme!r}, expected one of {', '.join(SCHEMES)}")
    for name, size in (("I", I), ("H", H), ("V", V)):
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} is {size!r}: the sizes I, H and V are whole numbers from 1 on")
    if not isinstance(rng, Rng):
        raise TypeError(f"rng is {rng!r}: give a generator, np.random.default_rng(seed) or np.random.RandomState(seed)")
    if np.dtype(dtype) not in DTYPES:
        raise TypeError(
            f"dtype is {np.dtype(dtype)}: weights are floating; give np.float64, np.float32 or np.longdouble"
        )
    shapes = {"W_xh": (H, I), "W_hh": (H, H), "W_hy": (V, H)}
    drawn = {name: draw(rng, shapes[name], H) for name, draw in SCHEMES[scheme].items()}
    if biases:
        drawn |= {"b_h": np.zeros(H), "b_y": np.zeros(V)}
    names = [name for name in ("W_xh", "W_hh", "b_h", "W_hy", "b_y") if name in drawn]
    return Flat.pack({name: drawn[name].astype(dtype) for name in names})
