"""The versions a verdict depends on, read from package metadata: naming torch must not import it."""

import platform
from importlib import metadata

from rnncheck import __version__

__all__ = ["versions"]


def versions() -> dict[str, str]:
    """Return the versions of the suite, Python, NumPy and torch (`not installed` where it is not)."""
    return {
        "rnncheck": __version__,
        "python": platform.python_version(),
        "numpy": _installed("numpy"),
        "torch": _installed("torch"),
        "platform": platform.platform(),
    }


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
