"""Sphinx: the site is built offline, runs its tutorials, and is red for every warning (`tox -e docs`)."""

import os
import sys
from pathlib import Path

for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(pool, "1")  # also for the kernels that run the tutorials

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from rnncheck import __version__

project = "rnncheck"
author = "The rnncheck developers"
copyright = author
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathjax_offline",
    "docstrings",
    "generated",
    "claims",
    "pictures",
    "navigation",
]
exclude_patterns = ["_build", "_ext", "_static"]

# Markdown
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

# Tutorials run at every build; one that fails shows its traceback and turns the build red.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 60
nb_execution_show_tb = True
nb_execution_raise_on_error = False  # every page is run; -W turns the failed ones red
nb_merge_streams = True

# API: signatures come from the source (docs/_ext/docstrings.py), single backticks are code
autodoc_member_order = "bysource"
autodoc_typehints = "none"
default_role = "literal"
napoleon_google_docstring = False
napoleon_use_rtype = False
nitpicky = True

html_theme = "furo"
html_title = f"rnncheck {version}"
html_favicon = "favicon.svg"
pygments_dark_style = "github-dark"  # the default underlines names like links
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
