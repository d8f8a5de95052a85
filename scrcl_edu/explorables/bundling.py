"""One script from several small modules, by joining them: for a notebook, for the site, for a page of its own."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from scrcl_edu.errors import DataError
from scrcl_edu.explorables import NAMES
from scrcl_edu.explorables.storing import alt, check_name, data, static, title, twin

IMPORT = re.compile(r"^import \{[^}]*\} from \"\./(\w+)\.js\";\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=function |const )", re.MULTILINE)
NAMED = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def joined(name: str) -> str:
    """The module NAME.js behind everything that it imports, as one text without imports and exports.

    Raises
    ------
    DataError
        When two of the modules use one top-level name, or import or export in a form that joining does not know.
    """
    order: list[str] = []

    def visit(module: str) -> None:
        if module not in order:
            for imported in IMPORT.findall(static(f"{module}.js")):
                visit(imported)
            order.append(module)

    visit(name)
    owners: dict[str, str] = {}
    pieces = []
    for module in order:
        text = static(f"{module}.js")
        for own in NAMED.findall(text):
            if own in owners:
                raise DataError(f"{module}.js and {owners[own]}.js both have a top-level {own}; rename one")
            owners[own] = module
        text = EXPORT.sub("", IMPORT.sub("", text))
        if left := LEFT.search(text):
            raise DataError(f"{module}.js has {left.group()!r}; use the forms that scrcl_edu.explorables describes")
        pieces.append(text)
    return "\n".join(pieces)


def notebook_module(name: str) -> str:
    """The explorable as the one ES module that anywidget takes."""
    return f"{joined(check_name(name))}\n{static('notebook.js')}"


def script(name: str) -> str:
    """The explorable as a plain script with its data, which registers itself for `mount.js`."""
    given = json.dumps(json.dumps(data(name), separators=(",", ":"), ensure_ascii=False), ensure_ascii=False)
    return f"""(() => {{
{joined(name)}
const given = JSON.parse({_in_script(given)});
(window.scrclExplorables ??= {{}}).{name} = (element, options) => mount(element, given, options);
}})();
"""


def style(names: Sequence[str] = NAMES) -> str:
    """The style sheet of some explorables."""
    folder = files("scrcl_edu.explorables") / "static"
    own = [f"{name}.css" for name in names if (folder / f"{name}.css").is_file()]
    return "\n".join(static(sheet) for sheet in ["explorables.css", *own])


def element(name: str) -> str:
    """HTML that shows the static twin, and comes alive where `mount.js` runs."""
    picture = base64.b64encode(twin(name).encode()).decode()
    return (
        f'<div data-explorable="{name}"><img alt="{html.escape(alt(name), quote=True)}" '
        f'src="data:image/svg+xml;base64,{picture}" style="width: 100%; max-width: 760px"></div>'
    )


def page(names: Sequence[str] = NAMES) -> str:
    """One HTML page that holds some explorables and needs nothing else."""
    shown = "\n".join(element(name) for name in names)
    scripts = "\n".join(f"<script>\n{_in_script(script(name))}</script>" for name in names)
    heading = title(names[0]) if len(names) == 1 else "scRCL to touch"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(heading)}</title>
<link rel="icon" href="data:,">
<style>
{PAGE}
{style(names)}</style>
</head>
<body>
<main>
<h1>scRCL to touch</h1>
{shown}
</main>
{scripts}
<script>
{static("mount.js")}</script>
</body>
</html>
"""


PAGE = """:root { color-scheme: light dark; }
body { margin: 0; padding: 12px; background: #fff; color: #1f2933; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 960px; margin: 0 auto; }
h1 { font-size: 1.5em; }
@media (prefers-color-scheme: dark) { body { background: #0e1114; color: #eef2f6; } }"""


def write_site(folder: Path) -> list[Path]:
    """Write `NAME.js` for each explorable, `mount.js` and `explorables.css` into a folder of the site."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{name}.js": script(name) for name in NAMES}
    texts |= {"mount.js": static("mount.js"), "explorables.css": style()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def _in_script(text: str) -> str:
    return text.replace("</", "<\\/")
