"""The training step in JAX: `lax.scan` over time, `value_and_grad`, the whole of it compiled by `jit`."""

import jax
import jax.numpy as jnp
import numpy as np
from problem import CLIP, EPS, LR, Problem

jax.config.update("jax_enable_x64", True)

__all__ = ["JaxScan"]


class JaxScan:
    """The peer; see `peers`."""

    name = "JAX jit scan"

    def __init__(self, problem: Problem):
        self.params = {name: jnp.array(a) for name, a in problem.params.items()}
        self.memory = {name: jnp.zeros_like(a) for name, a in self.params.items()}
        self.batch = tuple(jnp.array(a) for a in (problem.x, problem.y, problem.h0))
        self._evaluate = jax.jit(jax.value_and_grad(_loss))
        self._step = jax.jit(_step, donate_argnums=(0, 1))

    def gradients(self) -> dict[str, np.ndarray]:
        """Return the gradients by name."""
        _, grads = self._evaluate(self.params, *self.batch)
        return {"d" + name: np.asarray(g) for name, g in grads.items()}

    def forward_backward(self) -> None:
        """Evaluate the loss and every gradient."""
        jax.block_until_ready(self._evaluate(self.params, *self.batch))

    def step(self) -> None:
        """Train on the batch."""
        self.params, self.memory, loss = self._step(self.params, self.memory, *self.batch)
        jax.block_until_ready(loss)


def _loss(p: dict[str, jax.Array], x: jax.Array, y: jax.Array, h0: jax.Array) -> jax.Array:
    def cell(h: jax.Array, xp: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = jnp.tanh(xp + h @ p["W_hh"].T)
        return h, h

    _, h = jax.lax.scan(cell, h0, p["W_xh"].T[x] + p["b_h"])
    log_p = jax.nn.log_softmax(h @ p["W_hy"].T + p["b_y"])
    return -jnp.take_along_axis(log_p, y[..., None], axis=-1).sum()


def _step(params: dict, memory: dict, x: jax.Array, y: jax.Array, h0: jax.Array) -> tuple[dict, dict, jax.Array]:
    loss, grads = jax.value_and_grad(_loss)(params, x, y, h0)
    grads = {name: jnp.clip(g, -CLIP, CLIP) for name, g in grads.items()}
    memory = {name: memory[name] + g * g for name, g in grads.items()}
    update = {name: LR * g / (jnp.sqrt(memory[name]) + EPS) for name, g in grads.items()}
    return {name: w - update[name] for name, w in params.items()}, memory, loss
