"""Settings of the site, whose sources build_site.py gathers; nothing here needs the network."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from latex2mathml.converter import convert

import scrcl_edu
from scrcl_edu.course import links

project = "scrcl_edu"
author = "The scrcl_edu authors"
copyright = "The scrcl_edu authors; text and figures CC BY 4.0, code MIT"
release = scrcl_edu.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
language = "en"

nb_execution_mode = "off"
# What the lessons store; a slider's picture stands for its widget.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_preprocess_types = False

html_theme = "sphinx_book_theme"
html_title = "scRCL, built in the open"
html_theme_options = {
    "repository_url": links.repository(),
    "repository_branch": "main",
    "use_repository_button": True,
    "use_download_button": False,  # a page's source would be the site's, without its links
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search stands in the sidebar already
    "logo": {"text": "scRCL, built in the open"},
}
html_context = {"default_mode": "auto"}  # light or dark as the reader's system
# Relative to the gathered sources, where the pictures of the front page are.
html_static_path = ["../out/site-sources/docs/_static"]
html_css_files = ["site.css"]
html_domain_indices = False
html_show_search_summary = False  # it fetches pages, which a browser forbids to a page from the file system
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = ""


def pictures(folder: Path) -> dict[str, str]:
    """Text of every stored picture, by the digest that myst-nb names its file after."""
    texts = {}
    for path in sorted((folder / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                alt = output.get("metadata", {}).get("image/png", {}).get("alt")
                if alt:
                    texts[hashlib.sha256(b64decode(output.data["image/png"])).hexdigest()] = alt
    return texts


def describe_pictures(app: Any, doctree: nodes.document) -> None:
    """myst-nb leaves the text of a picture in the notebook; put it where a screen reader finds it."""
    if not hasattr(app, "scrcl_pictures"):
        app.scrcl_pictures = pictures(Path(app.srcdir))
    for image in doctree.findall(nodes.image):
        digest = Path(image["uri"]).stem
        if digest in app.scrcl_pictures:
            image["alt"] = app.scrcl_pictures[digest]


def formula(self: Any, node: nodes.Node) -> None:
    """Write a formula as MathML, which browsers draw and screen readers read without a download."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    markup = convert(node.astext(), display=display)
    self.body.append(f'<div class="math">{markup}</div>' if display == "block" else markup)
    raise nodes.SkipNode


def setup(app: Any) -> None:
    app.connect("doctree-read", describe_pictures, priority=900)
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))


html_math_renderer = "mathml"
