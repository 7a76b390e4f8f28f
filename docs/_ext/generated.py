"""Write the pages that the code dictates, at every build: the API, the command line, one page for each fault.

They lie under `docs/generated/`, which is not committed: a page written by hand beside the code would one day
contradict it.
"""

from pathlib import Path

from sphinx.application import Sphinx

import api
import command_line
import fault_pages


def write(pages: dict[str, str], folder: Path) -> None:
    """Write what has changed and remove what is no longer there: an unchanged file is not read again."""
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.rglob("*.md"):
        if path.relative_to(folder).as_posix() not in pages:
            path.unlink()


def generate(app: Sphinx) -> None:
    """Write all pages before Sphinx looks for them."""
    write(api.pages() | command_line.pages() | fault_pages.pages(), Path(app.srcdir) / "generated")


def setup(app: Sphinx) -> dict[str, bool]:
    """Generate when the builder is ready and before documents are read."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
