"""The front page of the site: the method's map with its parts as links, hours, and a card for each lesson.

All figures come from the lessons' front matter, the words from the table of the README, the pictures from the lessons.
"""

from __future__ import annotations

import base64
import html
import io
import re
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image
from plans import front_matter

from scrcl_edu.course.drawings.method import map_svg
from scrcl_edu.course.drawings.parts import PARTS
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.explorables import NAMES
from scrcl_edu.explorables.bundling import element
from scrcl_edu.explorables.storing import lesson as lesson_of
from scrcl_edu.explorables.storing import title as title_of

ROOT = Path(__file__).resolve().parents[1]
# The picture on a lesson's card, by the words that its text begins with; without an entry it is the
# lesson's first, if it has any.
PICTURES = {
    "00": "The encoded cells in a plane",
    "01": "Simulated cells on their first two components",
    "02": "The cells in a plane three times",
    "03": "The six nodes three times",
    "04": "Left: weights of the cells in the second view",
    "05": "Left, the matrix D of the six cells",
    "06": "Left: mean use of ten programs",
    "07": "UMAP of the refined cells",
    "08": "Left: the total loss by epoch",
    "09": "UMAP of the cells, twice",
    "10": "The simulated section twice",
    "11": "One line for each dataset over five steps",
    "12": "ARI of the part minus that of robust",
}
TOUCHED = "smoothing"  # the explorable of the front page
WIDTH = 480  # pixels of a card's picture: sharp at half of that, which is how wide a card is
ROW = re.compile(r"^\| \[(\d\d) ([^\]]+)\]\([^)]*\) \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)


def there() -> list[str]:
    """Numbers of the lessons that are stored as they were run."""
    return [number for number in LESSONS if (ROOT / "notebooks" / f"{LESSONS[number]}.ipynb").is_file()]


def told() -> dict[str, tuple[str, str]]:
    """What each lesson builds and what one sees in it, from the table of the README."""
    rows = ROW.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    found = {number: (builds.strip(), sees.strip()) for number, _, builds, sees in rows}
    if missing := LESSONS.keys() - found.keys():
        raise ValueError(f"README.md has no row for the lessons {sorted(missing)}")
    return found


def hours(number: str | None = None) -> tuple[int, int]:
    """Minutes to read and to do a lesson, or all of them."""
    chosen = [front_matter(one) for one in ([number] if number else there())]
    return sum(read for _, read, _, _ in chosen), sum(do for _, _, do, _ in chosen)


def stored_picture(number: str) -> bytes | None:
    """The picture of a lesson's card, as a WebP file, from the worked lesson; None where it has no figure.

    Raises
    ------
    ValueError
        When no picture of the lesson has a text that begins as PICTURES says.
    """
    notebook = nbformat.read(ROOT / "notebooks" / f"{LESSONS[number]}.ipynb", as_version=4)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        text = output.get("metadata", {}).get("image/png", {}).get("alt", "")
        if text and text.startswith(PICTURES.get(number, "")):
            return _small(base64.b64decode(output.data["image/png"]))
    if number not in PICTURES:
        return None
    raise ValueError(f"no picture of lesson {number} has a text that begins {PICTURES.get(number)!r}; choose another")


def _small(png: bytes) -> bytes:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def linked_map() -> str:
    """The map of the method as SVG in the page, each part a link to its first lesson."""
    drawing = map_svg()
    for part in PARTS:
        drawn = part.draw(False)
        if drawn not in drawing:
            raise ValueError(f"the map does not hold its part {part.name!r} as that part draws itself")
        address = f"../notebooks/{LESSONS[part.lessons[0]]}.html"
        drawing = drawing.replace(drawn, f'<a href="{address}">{drawn}</a>')
    # A picture's children are hidden from a screen reader; these links must not be.
    drawing = drawing.replace('role="img"', 'role="group"', 1)
    drawing = re.sub(r"<title>.*?</title>", "", drawing, count=1)
    return f'<div class="method-map">{drawing}</div>'


def cards() -> str:
    """A list of the lessons as HTML: picture, title, what one sees, minutes, what it builds."""
    words = told()
    return '<ol class="lesson-cards">' + "".join(_card(number, *words[number]) for number in there()) + "</ol>"


def _card(number: str, builds: str, sees: str) -> str:
    title, read, do, _ = front_matter(number)
    made = "" if builds == "-" else f" · builds {_code(builds)}"
    return (
        f'<li><a href="../notebooks/{LESSONS[number]}.html">{_picture(number)}'
        f'<span class="title">{html.escape(title)}</span></a>'
        f'<p>{_code(sees)}</p><p class="facts">{read} min to read, {do} to do{made}</p></li>'
    )


def _picture(number: str) -> str:
    stored = stored_picture(number)
    if stored is None:
        return ""
    with Image.open(io.BytesIO(stored)) as picture:
        width, height = picture.size
    return (
        f'<span class="picture"><img src="../_static/lessons/{number}.webp" alt="" loading="lazy" '
        f'width="{width}" height="{height}"></span>'
    )


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def touched() -> str:
    """The explorable of the front page, and where the others are."""
    others = [f"[{title_of(name)}](../notebooks/{LESSONS[lesson_of(name)]}.ipynb)" for name in NAMES if name != TOUCHED]
    said = f"Others stand in their lessons: {', '.join(others)}." if others else ""
    return f"```{{raw}} html\n{element(TOUCHED)}\n```\n\n{said}"


def front_page(text: str) -> str:
    """The front page with everything that is made: the marks for map, touch, hours and lessons filled."""
    read, do = hours()
    made: dict[str, Any] = {
        "map": f"```{{raw}} html\n{linked_map()}\n```",
        "touch": touched(),
        "lessons": f"```{{raw}} html\n{cards()}\n```",
        "hours": f"about {round(read / 60)} hours to read, {round(do / 60)} more with every exercise",
    }
    for name, value in made.items():
        mark = f"<!-- {name} -->"
        if mark not in text:
            raise ValueError(f"the front page has no {mark}")
        text = text.replace(mark, value)
    return text
