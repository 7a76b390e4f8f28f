"""The data that comes with rnncheck: inside the package in an installed copy, beside it in a checkout."""

from pathlib import Path

from rnncheck.errors import UserError

__all__ = ["TEXTS", "data_folder", "shipped", "shipped_text"]

TEXTS = {"names": "names.txt", "sentences": "comments.csv", "chars": "tale.txt"}
"""The text that each recipe is trained on when no other is given."""


def data_folder() -> Path:
    """Return the folder of the shipped data, whether or not it is there."""
    package = Path(__file__).parent
    installed = package / "data"
    return installed if installed.is_dir() else package.parent / "data"


def shipped(name: str) -> Path:
    """Return the path of shipped data, say `names.txt` or `vectors/v1`.

    Raises
    ------
    UserError
        If this copy of rnncheck came without it.
    """
    path = data_folder() / name
    if not path.exists():
        raise UserError(f"{path} is missing: this copy of rnncheck is not whole; install it again")
    return path


def shipped_text(recipe: str) -> Path:
    """Return the text that a recipe is trained on when no other is given."""
    return shipped(TEXTS[recipe])
