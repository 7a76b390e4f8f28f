"""What the training step is held to: how many times our time the others take, and how near the floor we are."""

from typing import NamedTuple

__all__ = ["GOALS", "Goal"]


class Goal(NamedTuple):
    """Ratios, for float32 and float64. `floor` is an upper bound on ours / floor, all others are lower bounds."""

    torch: tuple[float, float]
    by_hand: tuple[float, float]
    jax: float
    floor: float | None
    of: str = "forward+backward"
    """What of ours is compared with the floor."""


GOALS = {
    "50,27,8,1": Goal((12, 9), (5, 5), 1.8, 2.5),
    "100,65,25,1": Goal((10, 8), (6, 5), 1.2, 2.0),
    "100,8000,20,1": Goal((2, 2), (5, 5), 1.4, 1.8, of="whole step"),
    "128,65,50,32": Goal((2, 1.8), (1.6, 1.6), 1.1, 1.2),
    "256,65,100,1": Goal((4, 3.5), (4, 4), 1.3, 1.25),
    "256,65,100,32": Goal((1.5, 1.45), (1.35, 1.35), 1.1, 1.08),
    "512,65,100,32": Goal((1.35, 1.5), (1.3, 1.3), 1.3, 1.05),
    "512,65,100,4": Goal((2.5, 2.5), (3, 3), 1.8, 1.0),
    "100,65,10000,1": Goal((10, 6.5), (8, 8), 1.0, None),
}
"""By H,V,T,B."""
