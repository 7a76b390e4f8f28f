"""Public files are found in the user's folder or fetched, and are held against their checksum either way."""

import hashlib
from pathlib import Path

import pooch
import pytest

from rnncheck import download
from rnncheck.download import at_hand, public_file
from rnncheck.errors import UserError

CONTENT = b"Ada\nBob\n"


@pytest.fixture(autouse=True)
def _known_file(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"names.txt": ("https://example.invalid/names.txt", hashlib.sha256(CONTENT).hexdigest())}
    monkeypatch.setattr(download, "PUBLIC", known)


def test_a_file_in_the_users_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "names.txt").write_bytes(CONTENT)
    monkeypatch.setenv("RNNCHECK_DATA", str(tmp_path))
    assert at_hand("names.txt") == public_file("names.txt") == tmp_path / "names.txt"


def test_another_file_of_the_same_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "names.txt").write_bytes(CONTENT + b"Cy\n")
    monkeypatch.setenv("RNNCHECK_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"it is not the public file of that name; replace it"):
        public_file("names.txt")


def test_a_folder_without_the_file_has_nothing_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNCHECK_DATA", str(tmp_path))
    assert at_hand("names.txt") is None
    monkeypatch.delenv("RNNCHECK_DATA")
    assert at_hand("names.txt") is None


def test_a_download_is_asked_for_with_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RNNCHECK_DATA", raising=False)
    asked = {}

    def retrieve(url: str, known_hash: str, fname: str, path: Path) -> str:
        asked.update(url=url, known_hash=known_hash)
        return str(tmp_path / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert public_file("names.txt") == tmp_path / "names.txt"
    assert asked == {
        "url": "https://example.invalid/names.txt",
        "known_hash": f"sha256:{hashlib.sha256(CONTENT).hexdigest()}",
    }


@pytest.mark.parametrize("error", [OSError("no network"), ValueError("wrong hash")])
def test_a_download_that_fails_says_what_to_do(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RNNCHECK_DATA", raising=False)

    def retrieve(*args: object, **options: object) -> str:
        raise error

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(UserError, match=r"^names\.txt is not at hand, and https://example\.invalid/.* RNNCHECK_DATA"):
        public_file("names.txt")
