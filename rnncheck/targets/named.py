"""What a function that makes functions has returned, by name: `params, forward, backward = make_rnn(5, 8, 7)`."""

from collections.abc import Mapping
from typing import Any

__all__ = ["named"]


class Named:
    """An object of what was returned: its functions are called, and its arrays found, like those of a class."""

    __module__ = "target_named"


def named(names: str, made: Any) -> Any:
    """Return an object that has what was `made`, in order, under these names; a dictionary has its own."""
    thing = Named()
    vars(thing).update(made if isinstance(made, Mapping) else zip(names.split(), made, strict=True))
    return thing
