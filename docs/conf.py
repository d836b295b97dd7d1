"""How the documentation is built: ``make docs``, where a warning is an error."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]

project = PROJECT["name"]
author = copyright = "the genscache authors"
release = version = PROJECT["version"]
extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_title = f"genscache {release}"
copybutton_exclude = ".linenos, .gp"
