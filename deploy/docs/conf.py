"""The documentation site: `bash deploy/local.sh docs` builds it into build/docs."""

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
SOURCES = [
    str(TOP),
    str(TOP / "sweep" / "api"),
]  # these, whatever is installed; notebooks run in processes of their own
sys.path[:0] = [str(HERE / "extensions"), *SOURCES]
os.environ["PYTHONPATH"] = os.pathsep.join([*SOURCES, os.environ.get("PYTHONPATH", "")])

project = "spinsweep"
author = "The spinsweep developers"
release = version_of("spinsweep")
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_design",
    "field_lists",
    "inline_math",
    "pages",
]
exclude_patterns = ["extensions"]
smartquotes_action = "qe"  # quotes and dots, but no dashes: `--axis` is an option
default_role = "code"  # of docstrings, whose names stand in single backticks
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # conf.py names functions, which a build cannot compare

# Notebooks and pages with code are executed in a folder that is thrown away; one that fails ends the build.
nb_execution_mode = "cache"
nb_execution_cache_path = str(TOP / "build" / "docs" / "executed")
nb_execution_in_temp = True
nb_execution_timeout = 3000
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables and formulas in what cells show

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = "spinsweep"
html_math_renderer = "mathtext"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
