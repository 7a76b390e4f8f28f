"""Public text files that are not part of the project: found in a folder of the user's, or fetched by name.

The folder is what the environment variable RNNCHECK_DATA names. What is fetched is kept in the user's cache folder.
Either way the bytes are held against a checksum, because published figures hold for these bytes only.
"""

import hashlib
import os
from pathlib import Path

from rnncheck.errors import UserError

__all__ = ["PUBLIC", "at_hand", "public_file"]

PUBLIC = {
    "person_names.txt": (
        "https://raw.githubusercontent.com/Javicadserres/quantdare_posts/master/rnn/person_names.txt",
        "223821f7f633a8e3a119b4ee29f62b694293cd7580ee8f15c74c9213c2e6c28c",
    ),
}


def at_hand(name: str) -> Path | None:
    """Return the file in the folder RNNCHECK_DATA; None if there is no such folder or file.

    Raises
    ------
    UserError
        If a file of that name is there, but it is another one.
    """
    folder = os.environ.get("RNNCHECK_DATA")
    path = Path(folder, name) if folder else None
    if path is None or not path.is_file():
        return None
    expected, found = PUBLIC[name][1], hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise UserError(
            f"{path} has sha256 {found[:12]}..., expected {expected[:12]}...: it is not the public file of that name; "
            "replace it, or take it away and it will be downloaded"
        )
    return path


def public_file(name: str) -> Path:
    """Return the path of the public file `name`, downloading it the first time.

    Raises
    ------
    UserError
        If it is neither at hand nor to be had from its address.
    """
    found = at_hand(name)
    if found is not None:
        return found
    import pooch  # type: ignore[import-untyped]

    url, sha256 = PUBLIC[name]
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=name, path=pooch.os_cache("rnncheck")))
    except (OSError, ValueError) as error:  # no network, no such page, no room; ValueError is a wrong checksum
        raise UserError(
            f"{name} is not at hand, and {url} could not be downloaded ({type(error).__name__}); "
            "get it by other means and let RNNCHECK_DATA name the folder that it is in"
        ) from None
