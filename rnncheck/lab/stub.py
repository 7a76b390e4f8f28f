"""The reader's own check, at the end of every exercise; too weak on purpose."""

import numpy as np

from rnncheck.lab.template import MyRNN


def numerical_gradient(model: MyRNN, name: str, x: np.ndarray, y: np.ndarray, h0: np.ndarray | None) -> np.ndarray:
    """Return the central differences of the loss with respect to one parameter."""
    w, eps = getattr(model, name), 1e-5
    gradient = np.zeros_like(w)
    for i in np.ndindex(w.shape):
        kept, losses = w[i], []
        for w[i] in (kept + eps, kept - eps):
            model.forward(x, h0)
            losses.append(model.loss(y))
        w[i] = kept
        gradient[i] = (losses[0] - losses[1]) / (2 * eps)
    return gradient


def check(T: int, B: int) -> None:
    """Compare backward() with central differences. Make it see the mistake: sizes, h0, arrays, all are yours."""
    rng = np.random.default_rng(1)
    model = MyRNN(I=5, H=4, V=6)
    x, y = rng.integers(0, 5, (T, B)), rng.integers(0, 6, (T, B))
    h0 = None
    model.forward(x, h0)
    grads = model.backward(y)
    for name in ("W_hy", "b_y"):
        error = np.abs(grads[f"d{name}"] - numerical_gradient(model, name, x, y, h0)).max()
        print(f"T = {T}, d{name}: largest difference {error:.1e}")


if __name__ == "__main__":
    check(T=1, B=1)
