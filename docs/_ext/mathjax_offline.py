"""Mathematics without a network: MathJax and its fonts are copied from an installed package into the site."""

from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.fileutil import copy_asset

PACKAGE = "sphinx-mathjax-offline"
"""Its static files are used directly: its extension copies 20 MB of them, and does not read in parallel."""

SCRIPT = "tex-chtml.js"
FONTS = "output/chtml/fonts/woff-v2"


def copy(app: Sphinx, error: Exception | None) -> None:
    """Copy the one script and the fonts that it loads, where they lie from its point of view."""
    spec = find_spec(PACKAGE)
    if error is None and app.builder.format == "html" and spec is not None and spec.origin is not None:
        source, target = Path(spec.origin).parent / "static" / "mathjax", Path(app.outdir) / "_static" / "mathjax"
        copy_asset(source / SCRIPT, target)
        copy_asset(source / FONTS, target / FONTS)


def setup(app: Sphinx) -> dict[str, bool]:
    """Point Sphinx to the copy."""
    if find_spec(PACKAGE) is None:
        raise ImportError(f"{PACKAGE} is not installed: the site brings its own MathJax; pip install --group docs")
    app.setup_extension("sphinx.ext.mathjax")
    app.config.mathjax_path = f"mathjax/{SCRIPT}"
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
