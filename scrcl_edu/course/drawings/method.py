"""The map of the whole method: data with their shapes, networks, losses, clusters, and where labels may enter.

`python -m scrcl_edu.course.drawings.method FILE` writes it for the README and the site; lessons show it by
`method_map("03")`, with their own part lit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scrcl_edu.course.drawings.parts import PARTS, Part
from scrcl_edu.course.drawings.svg import (
    INK,
    LINE,
    MUTED,
    arrow,
    box,
    circle,
    document,
    group,
    line,
    show_drawing,
    text,
)
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.errors import SettingsError
from scrcl_edu.files import atomic_path

WIDTH, HEIGHT = 760, 724
DIMMED = 0.45


def method_map(lesson: str | None = None) -> None:
    """Show the map of the method.

    Parameters
    ----------
    lesson
        Number of a lesson, such as `"03"`, whose part is lit; the whole map when not given.

    Raises
    ------
    SettingsError
        When there is no such lesson.
    """
    show_drawing(map_svg(lesson), map_alt(lesson), width=WIDTH)


def map_svg(lesson: str | None = None) -> str:
    """The map as the text of an SVG file; the same bytes every time."""
    lit = _lit(lesson)
    everything = len(lit) == len(PARTS)
    pieces = [text(24, 32, "The method, from counts to clusters", size=19, bold=True), _flow()]
    if lesson is not None:
        pieces.append(_here(lesson))
    for part in PARTS:
        shines = part in lit and not everything
        pieces.append(group([part.draw(shines)], opacity=1 if part in lit else DIMMED))
    return document(WIDTH, HEIGHT, map_alt(lesson), pieces)


def map_alt(lesson: str | None = None) -> str:
    """The map in words."""
    lit = _lit(lesson)
    where = "" if len(lit) == len(PARTS) else f" Lit, for this lesson: {'; '.join(part.name for part in lit)}."
    return (
        "Map of the method. Counts of cells by genes become features, a graph of cells and a graph of genes. "
        "Two networks encode each cell twice, view 1 and view 2; two losses align the views, cell by cell and "
        "neighborhood by neighborhood. A third network finds gene programs, and the refined cells, mixtures of "
        "programs, are held to the graph by a consistency loss. Training makes the sum of the losses small. k-means "
        "on the cells gives clusters, and marker genes name them. Labels enter only after that, to score the clusters."
        + where
    )


def write_map(path: str | Path) -> None:
    """Write the whole map as an SVG file."""
    with atomic_path(Path(path), overwrite=True) as temporary:
        Path(temporary).write_text(map_svg(), encoding="utf-8")


def _lit(lesson: str | None) -> list[Part]:
    if lesson is not None and lesson not in LESSONS:
        raise SettingsError(f"lesson is {lesson!r}; the map knows {', '.join(LESSONS)}")
    return [part for part in PARTS if lesson in part.lessons] or list(PARTS)


def _here(lesson: str) -> str:
    words = f"you are here: {lesson}"
    return box(584, 11, 152, 28, fill=INK, stroke=INK, radius=14) + text(
        660, 30, words, size=15, color="#ffffff", bold=True, anchor="middle"
    )


def _flow() -> str:
    """The arrows between the parts."""
    return "".join(
        [
            arrow([(190, 123), (222, 123)]),  # counts to features
            arrow([(388, 123), (420, 123)]),  # features to the cell graph
            arrow([(305, 58), (305, 47), (666, 47), (666, 58)]),  # features to the gene graph
            line([(305, 188), (305, 206)]),
            line([(470, 188), (470, 206)]),
            circle(305, 206, 3, fill=LINE),
            circle(470, 206, 3, fill=LINE),
            line([(114, 206), (622, 206)]),  # smoothed features, to both views and to the genes
            arrow([(114, 206), (114, 228)]),
            arrow([(452, 206), (452, 228)]),
            arrow([(622, 206), (622, 228)]),
            arrow([(696, 188), (696, 228)]),
            arrow([(114, 358), (114, 398)]),
            arrow([(452, 358), (452, 398)]),
            arrow([(582, 340), (562, 340), (562, 420), (542, 420)]),  # programs to the refinement
            circle(114, 376, 3, fill=LINE),
            circle(452, 376, 3, fill=LINE),
            line([(452, 376), (12, 376), (12, 620)]),  # both encodings, straight to the clusters
            arrow([(12, 620), (24, 620)], head=8),
            arrow([(139, 518), (139, 554)]),
            arrow([(254, 600), (286, 600)]),
            text(283, 224, "smoothed over A", size=14, color=MUTED, anchor="middle"),
            text(616, 222, "transposed", size=14, color=MUTED, anchor="end"),
        ]
    )


if __name__ == "__main__":
    write_map(sys.argv[1])
