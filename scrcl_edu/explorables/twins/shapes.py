"""Many cells in few bytes: each type is one path of the course's markers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scrcl_edu.course.drawings.svg import text

# Steps of the pen around a cell, in units of the marker's radius: a command and its numbers.
OUTLINES = {
    "o": "m -1 0 a 1 1 0 1 0 2 0 a 1 1 0 1 0 -2 0",
    "s": "m -1 -1 h 2 v 2 h -2 z",
    "D": "m 0 -1.2 l 1.2 1.2 -1.2 1.2 -1.2 -1.2 z",
    "^": "m 0 -1.3 l 1.2 2.1 h -2.4 z",
    "v": "m 0 1.3 l 1.2 -2.1 h -2.4 z",
    "<": "m -1.3 0 l 2.1 1.2 v -2.4 z",
    ">": "m 1.3 0 l -2.1 1.2 v -2.4 z",
    "P": "m 0 -1.2 v 2.4 m -1.2 -1.2 h 2.4",
    "X": "m -1 -1 l 2 2 m 0 -2 l -2 2",
    "*": "m 0 -1.3 v 2.6 m -1 -2.1 l 2 1.6 m 0 -1.6 l -2 1.6",
}
STROKED = "PX*"


def spots(places: Iterable[tuple[float, float]], marker: str, color: str, *, radius: float = 3) -> str:
    """Cells of one type as one path."""
    steps = _steps(OUTLINES[marker], radius)
    path = "".join(f"M{x:.1f} {y:.1f}{steps}" for x, y in places)
    if marker in STROKED:
        return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{0.7 * radius:.3g}"/>'
    return f'<path d="{path}" fill="{color}"/>'


def by_type(
    places: Sequence[tuple[float, float]], type_of: Sequence[int], types: Sequence[dict[str, Any]], *, radius: float = 3
) -> str:
    """Cells with the color and marker of their type."""
    drawn = []
    for number, style in enumerate(types):
        mine = [place for place, own in zip(places, type_of, strict=True) if own == number]
        drawn.append(spots(mine, style["marker"], style["color"], radius=radius))
    return "".join(drawn)


def legend(x: float, y: float, types: Sequence[dict[str, Any]], *, step: float = 22) -> str:
    """Marker and name of each type, one below the other."""
    return "".join(
        spots([(x, y + step * number)], style["marker"], style["color"], radius=5)
        + text(x + 13, y + step * number + 5, style["name"], size=14)
        for number, style in enumerate(types)
    )


def _steps(outline: str, radius: float) -> str:
    """An outline at its size; the two flags and the angle of an arc stay as they are."""
    words, arc = [], 0
    for word in outline.split():
        arc = 1 if word == "a" else arc + 1 if arc and not word.isalpha() else 0
        plain = word.isalpha() or arc in (4, 5, 6)
        words.append(word if plain else f"{float(word) * radius:.3g}")
    return " ".join(words)
