"""Beside a page stands the way to it, not the whole site.

The site has some 450 pages. With the tree of all of them, as furo asks for it, each weighs 400 kB, and writing them
takes most of the build.
"""

from typing import Any

from sphinx.application import Sphinx


def fold(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Let the theme ask for a tree in which only the branch of this page is open, without its hundreds of siblings."""
    unfolded = context.get("toctree")
    if unfolded is not None:
        context["toctree"] = lambda **options: unfolded(**(options | {"collapse": True, "maxdepth": 2}))


def setup(app: Sphinx) -> dict[str, bool]:
    """Come before the theme, which connects with the default priority of 500."""
    app.connect("html-page-context", fold, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
