"""What is done to the built pages: icons in the page instead of 1.5 MB of script, pictures that load when scrolled to.

The theme draws its dozen icons by a script that holds two thousand, with fonts and rules for all of them.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from PIL import Image

from scrcl_edu.explorables import NAMES
from scrcl_edu.explorables.bundling import write_site
from scrcl_edu.explorables.storing import twin

SCRIPT_OF_ICONS, RULES = "_static/scripts/fontawesome.js", "_static/styles/pydata-sphinx-theme.css"
# Names for a screen reader that the theme leaves out, or that differ from what is seen.
SAID = (
    ('<summary aria-label="Toggle hidden content">', "<summary>"),
    ('<summary><span class="toctree-toggle"', '<summary aria-label="What is in it"><span class="toctree-toggle"'),
    (
        'search-button-field search-button__button pst-js-only" title="Search" aria-label="Search"',
        'search-button-field search-button__button pst-js-only" title="Search"',
    ),
)
TOUCHED = "_static/explorables"
LEFT_OUT = ("**/*.map", "_static/locales", "_static/vendor", SCRIPT_OF_ICONS, "_static/*webpack-macros.html")
DRAWN = re.compile(r'"?([\w-]+)"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]')
ICON = re.compile(r'<(i|span) class="([^"]*\bfa-[^"]*)"([^>]*)></\1>')
SCRIPT = re.compile(r"\s*<!-- So that users can add custom icons -->\s*<script[^>]*fontawesome\.js[^>]*></script>")
# What searching while one types would need on every page; the site searches on the page of its own.
SEARCHING = re.compile(
    r'\s*<script src="[./]*(?:_static/searchtools|_static/language_data|searchindex)\.js[^>]*></script>'
)
TWIN = re.compile(r'(<div data-explorable="(\w+)"><img alt="[^"]*" )src="data:[^"]*"')
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
# Selectors of icons as fonts, and of an extension for designs that the site does not use.
OF_ICONS = re.compile(r"\.(?:fa[bsr]?\b|fa-|sd-)")
WIDE = 1.9  # times as wide as high: panels side by side, which a phone would make unreadable
PICTURE = re.compile(
    r'(<a class="reference internal image-reference"[^>]*>\s*)?'
    r'<img\b([^>]*?\bsrc="([^"]*_images/[^"]+)"[^>]*?)/?>(?(1)\s*</a>)'
)


def polish(site: Path) -> None:
    """Change every page of a built site, and take out what no page asks for."""
    write_site(site / TOUCHED)
    _write_twins(site / TOUCHED)
    drawn = icons((site / SCRIPT_OF_ICONS).read_text(encoding="utf-8"))
    for page in site.rglob("*.html"):
        text = SCRIPT.sub("", page.read_text(encoding="utf-8"))
        text = ICON.sub(lambda found: inline_icon(found.group(2), found.group(3), drawn), text)
        text = PICTURE.sub(lambda found, folder=page.parent: _lazy(found, folder), text)
        if page.name != "search.html":
            text = SEARCHING.sub("", text)
        for was, becomes in SAID:
            text = text.replace(was, becomes)
        if "data-explorable=" in text:
            text = with_scripts(text, "../" * (len(page.relative_to(site).parts) - 1))
        page.write_text(text, encoding="utf-8")
    rules = site / RULES
    rules.write_text(without_icons(rules.read_text(encoding="utf-8")), encoding="utf-8")
    for pattern in LEFT_OUT:
        for path in list(site.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _write_twins(folder: Path) -> None:
    for name in NAMES:
        (folder / f"{name}.svg").write_text(twin(name), encoding="utf-8")


def with_scripts(text: str, root: str) -> str:
    """A page whose explorables come alive when the reader gets there, their pictures in files beside it."""
    text = TWIN.sub(rf'\g<1>loading="lazy" src="{root}{TOUCHED}/\g<2>.svg"', text)
    links = f'<link rel="stylesheet" href="{root}{TOUCHED}/explorables.css">'
    links += f'<script defer src="{root}{TOUCHED}/mount.js"></script>'
    return text.replace("</head>", f"{links}</head>", 1)


def icons(script: str) -> dict[str, tuple[str, str, str]]:
    """Width, height and path of each icon by name, from the script that draws them."""
    return {name: (width, height, path) for name, width, height, path in DRAWN.findall(script)}


def inline_icon(classes: str, attributes: str, drawn: dict[str, tuple[str, str, str]]) -> str:
    """An icon as SVG in the page.

    Raises
    ------
    ValueError
        When none of the classes names an icon that is drawn.
    """
    names = [name.removeprefix("fa-") for name in classes.split() if name.removeprefix("fa-") in drawn]
    if not names:
        raise ValueError(f"the theme draws no icon for {classes!r}")
    width, height, path = drawn[names[0]]
    kept = " ".join(name for name in classes.split() if not name.startswith("fa"))
    return (
        f'<svg class="icon {kept}"{attributes} aria-hidden="true" viewBox="0 0 {width} {height}">'
        f'<path fill="currentColor" d="{path}"/></svg>'
    )


def without_icons(rules: str) -> str:
    """The theme's style sheet without rules for icons as fonts."""

    def kept(found: re.Match[str]) -> str:
        selectors, body = found.groups()
        if "@font-face" in selectors and "fontawesome" in body:
            return ""
        return "" if all(OF_ICONS.search(selector) for selector in selectors.split(",")) else found.group()

    return re.sub(r"/\*# sourceMappingURL=.*?\*/", "", RULE.sub(kept, rules))


def _lazy(found: re.Match[str], folder: Path) -> str:
    """A picture that is fetched when it comes near, whose room is kept until then, and that leads to itself alone."""
    _, attributes, source = found.groups()
    if not source.endswith(".png"):
        return f'<img loading="lazy" {attributes.strip()}>'
    with Image.open(folder / source) as picture:
        width, height = picture.size
    wide = " wide" if width > WIDE * height else ""
    kept = re.sub(r'\s*\b(?:style|width|height)="[^"]*"', "", attributes).strip()
    tag = f'<img loading="lazy" width="{width}" height="{height}" {kept}>'
    return f'<a class="picture{wide}" href="{source}">{tag}</a>'
