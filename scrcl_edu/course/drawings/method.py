"""The map of the method: what flows where, which lesson builds which part, and where labels may enter.

It is drawn twice, wide for a page and narrow for a phone. `python -m scrcl_edu.course.drawings.method` writes both into
`data/` for the README and the site.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scrcl_edu.course.drawings.svg import INK, LINE, SOFT, Box, Sheet
from scrcl_edu.course.lessons import LESSONS
from scrcl_edu.course.showing import publish
from scrcl_edu.errors import SettingsError

DATA, STEP, LOSS, JUDGE = "data", "step", "loss", "judge"
FILLS = {DATA: "#e3eef7", STEP: "#ffffff", LOSS: "#fdeed3", JUDGE: "#efe6f3"}
EDGES = {DATA: "#0072B2", STEP: "#55555c", LOSS: "#b36b00", JUDGE: "#8d4f7d"}
LIT = "#ffd23f"


@dataclass(frozen=True)
class Part:
    """A part of the method: its kind, its words, the lessons that build it, its place in both drawings."""

    kind: str
    title: str
    below: str
    lessons: tuple[str, ...]
    wide: tuple[float, float]
    narrow: tuple[float, float]


PARTS = {
    "counts": Part(DATA, "counts X", "N cells × G genes", ("01",), (16, 205), (205, 46)),
    "place": Part(DATA, "places\nof spots", "in tissue only", ("10",), (16, 66), (15, 46)),
    "cell_graph": Part(STEP, "cell graph A", "N × N, sparse", ("02", "10"), (192, 66), (15, 148)),
    "filter": Part(STEP, "low-pass\nfilter", "X₁, X₂: N × G", ("02",), (192, 205), (15, 250)),
    "gene_graph": Part(STEP, "gene graph B", "G × G, sparse", ("06",), (192, 428), (205, 148)),
    "view_1": Part(STEP, "view 1:\none layer", "E₁: N × H", ("03",), (368, 130), (15, 352)),
    "view_2": Part(STEP, "view 2:\ngraph network", "E₂: N × H", ("03",), (368, 246), (205, 352)),
    "distribution": Part(LOSS, "distribution\nalignment", "a cell like itself", ("04",), (544, 66), (15, 454)),
    "neighborhood": Part(LOSS, "neighborhood\nalignment", "near against far", ("05",), (544, 166), (205, 454)),
    "gene_encoder": Part(STEP, "gene encoder", "P: G × d programs", ("06",), (368, 428), (205, 250)),
    "refinement": Part(STEP, "refinement", "Z₁, Z₂: N × d", ("06",), (544, 384), (205, 556)),
    "consistency": Part(LOSS, "cross-view\nconsistency", "Z₁ like Z₂", ("06",), (544, 266), (15, 556)),
    "training": Part(STEP, "training", "minimize the sum", ("07",), (720, 166), (15, 658)),
    "clustering": Part(STEP, "clustering", "of Z, or of E", ("08",), (720, 384), (205, 658)),
    "biology": Part(STEP, "biology", "markers, programs", ("09",), (720, 484), (205, 760)),
    "labels": Part(DATA, "labels", "enter only here", ("08",), (908, 246), (15, 914)),
    "evaluation": Part(JUDGE, "evaluation", "against labels", ("08",), (908, 384), (205, 914)),
    "table": Part(JUDGE, "the paper's\ntable", "sets and seeds", ("11",), (908, 484), (205, 1016)),
}
FLOWS = [
    ("place", "cell_graph"), ("counts", "filter"), ("counts", "cell_graph"), ("counts", "gene_graph"),
    ("cell_graph", "filter"), ("filter", "view_1"), ("filter", "view_2"), ("cell_graph", "view_2"),
    ("filter", "gene_encoder"), ("gene_graph", "gene_encoder"), ("view_1", "distribution"),
    ("view_2", "distribution"), ("view_1", "neighborhood"), ("view_2", "neighborhood"), ("view_1", "refinement"),
    ("view_2", "refinement"),
    ("gene_encoder", "refinement"), ("refinement", "consistency"), ("distribution", "training"),
    ("neighborhood", "training"), ("consistency", "training"), ("refinement", "clustering"),
    ("clustering", "evaluation"), ("clustering", "biology"), ("labels", "evaluation"), ("evaluation", "table"),
]  # fmt: skip
ALT = (
    "Map of the method. Counts become a cell graph, a gene graph and filtered features; two views encode each cell, "
    "and two losses align them, cell by cell and neighborhood against everyone; a gene encoder learns programs, "
    "which refine the cells, and a third loss makes the refined views agree. Training minimizes the sum. Clusters are "
    "found, and only then do labels enter, for the evaluation."
)
NAMES = {"00": "the whole method", "12": "your own part", "13": "beyond one machine"}


def method_map(lesson: str | None = None) -> None:
    """Show the map of the method, with the part lit that a lesson builds.

    Parameters
    ----------
    lesson
        Two digits; without it, or for a lesson about the whole, nothing is lit.

    Raises
    ------
    SettingsError
        When there is no such lesson.
    """
    if lesson is not None and lesson not in LESSONS:
        raise SettingsError(f"there is no lesson {lesson!r}; choose one of {', '.join(LESSONS)}")
    alt = alt_text(lesson)
    wide, narrow = draw(lesson).svg(alt), draw(lesson, narrow=True).svg(alt)
    page = (
        "<style>.scrcl-narrow{display:none}@media(max-width:600px){.scrcl-wide{display:none}"
        f".scrcl-narrow{{display:block}}}}</style>"
        f'<div class="scrcl-wide">{wide}</div><div class="scrcl-narrow">{narrow}</div>'
    )
    publish({"text/plain": alt, "text/html": page, "image/svg+xml": wide}, {"image/svg+xml": {"alt": alt}})


def alt_text(lesson: str | None) -> str:
    """The map in words, and which part is lit."""
    lit = [part.title.replace("\n", " ") for part in PARTS.values() if lesson in part.lessons]
    return ALT + (f" You are here: {', '.join(lit)}." if lit else "")


def draw(lesson: str | None = None, *, narrow: bool = False) -> Sheet:
    """The map on a sheet."""
    sheet = Sheet(400, 1108) if narrow else Sheet(1066, 576)
    width, height = (180, 76) if narrow else (142, 76)
    boxes = {name: Box(*(part.narrow if narrow else part.wide), width, height) for name, part in PARTS.items()}
    _border(sheet, narrow)
    for start, end in FLOWS:
        lit = lesson is not None and lesson in PARTS[end].lessons
        sheet.arrow(boxes[start], boxes[end], color=INK if lit else LINE, thick=2.4 if lit else 1.6)
    _return(sheet, boxes, narrow)
    for name, part in PARTS.items():
        _part(sheet, boxes[name], part, lit=lesson in part.lessons)
    title = NAMES.get(lesson or "00") or LESSONS[lesson][3:].replace("_", " ")
    words = "scRCL: the whole method" if lesson in (None, "00") else f"You are here: lesson {lesson}, {title}"
    sheet.text(16, 24, words, size=17 if not narrow else 15, bold=True, anchor="start")
    return sheet


def _part(sheet: Sheet, box: Box, part: Part, *, lit: bool) -> None:
    if lit:
        around = Box(box.x - 5, box.y - 5, box.width + 10, box.height + 10)
        sheet.rectangle(around, fill=LIT, edge=INK, thick=2)
    sheet.rectangle(box, fill=FILLS[part.kind], edge=EDGES[part.kind], thick=2 if lit else 1.5)
    x, y = box.middle
    lines = part.title.split("\n")
    for number, words in enumerate(lines):
        sheet.text(x, y - 9.5 * len(lines) + 19 * number, words, size=15, bold=True)
    sheet.text(x, y + 9.5 * len(lines) + 3, part.below, size=14)
    sheet.circle(box.x + box.width - 4, box.y + 2, 12, fill="#ffffff", edge=EDGES[part.kind])
    sheet.text(box.x + box.width - 4, box.y + 2.5, part.lessons[0], size=12, bold=True)


def _border(sheet: Sheet, narrow: bool) -> None:
    """Where the labels' side begins."""
    color = EDGES[JUDGE]
    if narrow:
        sheet.line([(12, 868), (388, 868)], color=color, thick=2, dashed=True)
        sheet.text(14, 850, "above: no labels", size=14, color=color, anchor="start")
        sheet.text(14, 886, "below: they may be seen", size=14, color=color, anchor="start")
        return
    sheet.line([(885, 40), (885, 564)], color=color, thick=2, dashed=True)
    for x, anchor, lines in (
        (876, "end", ("no labels", "on this side")),
        (894, "start", ("labels may be", "seen here")),
    ):
        for number, words in enumerate(lines):
            sheet.text(x, 62 + 18 * number, words, size=14, color=color, anchor=anchor)


def _return(sheet: Sheet, boxes: dict[str, Box], narrow: bool) -> None:
    """The way back: training moves the weights of the encoders."""
    training, view = boxes["training"], boxes["view_1"]
    if narrow:
        sheet.text(training.middle[0], training.y + training.height + 18, "moves all weights", size=14, color=SOFT)
        return
    x, top = training.middle[0], 46.0
    end, tip = view.middle[0], view.y - 2
    sheet.line([(x, training.y), (x, top), (end, top), (end, tip)], dashed=True)
    sheet.line([(end - 5, tip - 8), (end, tip), (end + 5, tip - 8)])
    sheet.text((x + end) / 2, top - 12, "moves the weights", size=14, color=SOFT)


def write(folder: Path) -> list[Path]:
    """Write both maps for pages that are no notebooks."""
    paths = [folder / "method_map.svg", folder / "method_map_narrow.svg"]
    for path, narrow in zip(paths, (False, True), strict=True):
        path.write_text(draw(narrow=narrow).svg(alt_text(None)) + "\n", encoding="utf-8")
    return paths


if __name__ == "__main__":
    for written in write(Path(__file__).resolve().parents[3] / "data"):
        print(written.name)
