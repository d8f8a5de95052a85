"""Slides for each lesson from its stored notebook, and the cheat sheet: `make slides` writes them into `out/slides`.

A slide is a section: its heading, its first figure or drawing, its claims. The section's text is the speaker's notes.
Each file stands alone and needs no network: arrow keys turn pages, N shows the notes, printing gives one slide a page.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mistune
import nbformat

from scrcl_edu.course.claims import HELD
from scrcl_edu.course.drawings.method import map_svg
from scrcl_edu.course.lessons import LESSONS

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "out" / "slides"
SKIPPED = ("quiz", "summary", "set up", "set-up")
MOST_CLAIMS = 4
STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; font: 24px/1.4 system-ui, sans-serif; }
section { box-sizing: border-box; min-height: 100vh; padding: 4vh 6vw; display: none; }
section.shown { display: block; }
h1 { font-size: 1.7em; margin: 0 0 0.6em; }
img, svg { display: block; max-width: 100%; max-height: 58vh; height: auto; margin: 0 auto 1em; }
img, svg { background: #fbfaf6; border-radius: 8px; }
li { margin: 0.3em 0; }
aside { display: none; font-size: 0.7em; border-top: 1px solid #8888; margin-top: 1em; }
.notes aside { display: block; }
footer { position: fixed; right: 1em; bottom: 0.5em; font-size: 0.6em; opacity: 0.7; }
@media print { section { display: block; break-after: page; } footer { display: none; } aside { display: block; } }
"""
SCRIPT = """
const slides = [...document.querySelectorAll("section")];
let at = Math.max(0, Math.min(slides.length, Number(location.hash.slice(1)) || 1) - 1);
function show(number) {
  at = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, i) => slide.classList.toggle("shown", i === at));
  document.querySelector("footer").textContent = `${at + 1} / ${slides.length} (arrows; N: notes)`;
  history.replaceState(null, "", `#${at + 1}`);
}
addEventListener("keydown", (event) => {
  if (["ArrowRight", "PageDown", " "].includes(event.key)) show(at + 1);
  else if (["ArrowLeft", "PageUp"].includes(event.key)) show(at - 1);
  else if (event.key === "Home") show(0);
  else if (event.key === "End") show(slides.length - 1);
  else if (event.key.toLowerCase() === "n") document.body.classList.toggle("notes");
});
show(at);
"""


@dataclass
class Slide:
    """A section of a lesson."""

    title: str
    picture: str = ""
    claims: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def slides(notebook: Any, lesson: str) -> list[Slide]:
    """One slide for the title, one for the map, one for each section that shows or claims something."""
    found: list[Slide] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for part in re.split(r"^(?=#{1,2} )", cell.source, flags=re.MULTILINE):
                heading = re.match(r"#{1,2} (.+)\n?", part)
                if heading:
                    found.append(Slide(heading.group(1).strip()))
                if found and (text := part[heading.end() if heading else 0 :].strip()):
                    found[-1].notes.append(text)
        elif found:
            for output in cell.get("outputs", []):
                _take(output.get("data", {}), output.get("metadata", {}), found[-1])
    title, *sections = found
    told = [s for s in sections if (s.picture or s.claims) and not s.title.lower().startswith(SKIPPED)]
    where = Slide("Where we are", map_svg(lesson))
    return [Slide(title.title, notes=title.notes), where, *told]


def _take(data: dict[str, Any], metadata: dict[str, Any], slide: Slide) -> None:
    words = "".join(data.get("text/plain", ""))
    if words.startswith(HELD) and len(slide.claims) < MOST_CLAIMS:
        slide.claims.append(words.removeprefix(HELD).strip())
    elif "image/svg+xml" in data and not slide.picture:
        slide.picture = "".join(data["image/svg+xml"])
    elif "image/png" in data and not slide.picture:
        alt = html.escape(metadata.get("image/png", {}).get("alt", words), quote=True)
        slide.picture = f'<img alt="{alt}" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'


def page(title: str, shown: list[Slide]) -> str:
    """All slides in one file."""
    markdown = mistune.create_markdown(plugins=["table", "math"])
    body = []
    for slide in shown:
        claims = "".join(f"<li>{html.escape(claim)}</li>" for claim in slide.claims)
        notes = markdown("\n\n".join(slide.notes)) if slide.notes else ""
        body.append(
            f"<section><h1>{html.escape(slide.title)}</h1>{slide.picture}"
            f"{f'<ul>{claims}</ul>' if claims else ''}{f'<aside>{notes}</aside>' if notes else ''}</section>"
        )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body>{''.join(body)}<footer></footer><script>{SCRIPT}</script></body></html>\n"
    )


def cheat_sheet() -> str:
    """Two printed pages."""
    text = mistune.create_markdown()((ROOT / "docs" / "cheat_sheet.md").read_text(encoding="utf-8"))
    style = "body{font:10.5pt/1.35 system-ui,sans-serif;max-width:46rem;margin:1rem auto;padding:0 1rem}" + (
        "h1{font-size:16pt}h2{font-size:12pt;margin:0.8em 0 0.2em}ul{margin:0;padding-left:1.1em}"
        "@page{size:A4;margin:15mm}@media print{body{margin:0;max-width:none}}"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>scRCL on two pages</title>'
        f"<style>{style}</style></head>\n<body>{text}</body></html>\n"
    )


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for number, name in LESSONS.items():
        path = ROOT / "notebooks" / f"{name}.ipynb"
        if path.is_file():
            shown = slides(nbformat.read(path, as_version=4), number)
            (OUT / f"{name}.html").write_text(page(shown[0].title, shown), encoding="utf-8")
            print(f"{name}.html: {len(shown)} slides")
    (OUT / "cheat_sheet.html").write_text(cheat_sheet(), encoding="utf-8")


if __name__ == "__main__":
    main()
