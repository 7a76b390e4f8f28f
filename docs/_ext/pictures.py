"""Pictures that are readable in light and in dark: SVG inside the page, in the page's own text colour.

Tutorials draw with plain matplotlib. While the site is built, the kernels that run them draw SVG on a transparent
ground with a mark for "the colour of text" (docs/_ext/matplotlibrc), and the SVG is put into the page, where the mark
becomes CSS's `currentColor`. An SVG that is only linked cannot know the theme that a reader has chosen.
"""

import html
import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

HERE = Path(__file__).parent
TEXT_COLOUR = "#010203"
KERNEL = "c.InlineBackend.figure_formats = {'svg'}\nc.HistoryManager.enabled = False\n"


class InlinePictures(SphinxPostTransform):
    """Replace every SVG that a cell has drawn by its content."""

    default_priority = 10
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Look at the images of one document."""
        for number, image in enumerate(list(self.document.findall(nodes.image))):
            path = Path(self.app.srcdir) / image["uri"].lstrip("/")
            if path.suffix == ".svg" and "jupyter_execute" in path.parts:
                svg = inline(path.read_text(encoding="utf-8"), f"p{number}-", image.get("alt", ""))
                image.replace_self(nodes.raw("", svg, format="html"))


def inline(svg: str, prefix: str, alt: str) -> str:
    """Make an SVG part of a page: ids of its own, the colour of text, a width that fits, and words beside it."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", svg)
    svg = svg.replace(TEXT_COLOUR, "currentColor")
    label = f'role="img" aria-label="{html.escape(alt)}" style="width: 100%; max-width: 38rem; height: auto"'
    return svg.replace("<svg", f'<svg class="picture" {label}', 1)


def prepare(app: Sphinx, config: Any) -> None:
    """Tell the kernels how to draw, by files that they read when they start."""
    ipython = Path(app.outdir).parent / "ipython"
    profile = ipython / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(ipython)
    os.environ["MATPLOTLIBRC"] = str(HERE / "matplotlibrc")


def setup(app: Sphinx) -> dict[str, bool]:
    """Prepare before anything is executed, replace after it has been read."""
    app.connect("config-inited", prepare)
    app.add_post_transform(InlinePictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
