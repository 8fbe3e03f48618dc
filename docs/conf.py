# SPDX-License-Identifier: Apache-2.0
"""Settings of the documentation."""

from monai_ethics import __version__

project = "monai_ethics"
author = "the monai_ethics developers"
copyright = "the monai_ethics developers"
version = release = __version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "monai_ethics"
exclude_patterns = ["_build"]
