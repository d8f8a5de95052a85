"""The parts of the map of the method, each drawn by a function of its own, and the lessons that are about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scrcl_edu.course.drawings.svg import (
    BLUE,
    GREEN,
    INK,
    LINE,
    MUTED,
    ORANGE,
    RED,
    arrow,
    bars,
    box,
    circle,
    line,
    matrix,
    mix,
    network,
    text,
)

LOSS = "#8e3a77"

# Six cells of two types and a third; eight genes in two programs, and one that all cells have.
COUNTS = (
    (5, 3, 4, 0, 0, 1, 2),
    (9, 7, 8, 0, 1, 0, 4),
    (2, 1, 2, 0, 0, 0, 1),
    (0, 1, 0, 5, 3, 4, 2),
    (0, 0, 0, 2, 1, 2, 1),
    (1, 0, 0, 8, 6, 7, 3),
)
FEATURES = tuple(tuple(value / sum(row) for value in row) for row in COUNTS)
TYPES = (BLUE, BLUE, BLUE, ORANGE, ORANGE, ORANGE)
PLACES = ((0, 22), (20, 0), (30, 34), (66, 6), (62, 38), (92, 20))
EDGES = ((0, 1), (0, 2), (1, 2), (2, 4), (3, 4), (3, 5), (4, 5))
GENE_PLACES = ((0, 8), (26, 0), (20, 30), (60, 4), (88, 16), (62, 34))
GENE_EDGES = ((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3))
GENES = (GREEN, GREEN, GREEN, RED, RED, RED)


@dataclass(frozen=True)
class Part:
    """A part of the map: the lessons that are about it, what it is called in the map's text, and how it is drawn."""

    lessons: tuple[str, ...]
    name: str
    draw: Callable[[bool], str]


def _card(
    x: float, y: float, width: float, height: float, title: str, *, shines: bool, number: str = "", color: str = INK
) -> str:
    """A card with its title and the number of its lesson."""
    fill, edge = (mix(ORANGE, 0.14), INK) if shines else ("#fbfcfd", LINE)
    pieces = [box(x, y, width, height, fill=fill, stroke=edge, thick=2.5 if shines else 1.2)]
    left = x + 12
    for one in number.split():
        pieces.append(_badge(left + 13, y + 19, one))
        left += 32
    pieces.append(text(left + (2 if number else 0), y + 24.5, title, size=16, bold=True, color=color))
    return "".join(pieces)


def _badge(x: float, y: float, number: str, *, color: str = INK) -> str:
    return box(x - 14, y - 10, 28, 20, fill=color, stroke=color, radius=10) + text(
        x, y + 5, number, size=14, bold=True, color="#ffffff", anchor="middle"
    )


def _shape(x: float, y: float, name: str, size: str) -> str:
    """A quantity and its shape."""
    return text(x, y, name, size=16, bold=True) + text(x + 11 + 10 * len(name), y, size, size=15, color=MUTED)


def _counts(shines: bool) -> str:
    return (
        _card(24, 58, 166, 130, "counts", shines=shines)
        + matrix(36, 92, COUNTS, size=12, color=MUTED)
        + text(128, 112, "cells", size=14, color=MUTED)
        + text(128, 129, "by", size=14, color=MUTED)
        + text(128, 146, "genes", size=14, color=MUTED)
        + text(36, 181, "N × G", size=15, color=MUTED)
    )


def _features(shines: bool) -> str:
    return (
        _card(222, 58, 166, 130, "features", shines=shines, number="01")
        + matrix(234, 92, FEATURES, size=12, color=BLUE)
        + text(328, 112, "scaled,", size=14, color=MUTED)
        + text(328, 129, "logged", size=14, color=MUTED)
        + _shape(234, 181, "X", "N × G")
    )


def _moved(places: tuple[tuple[float, float], ...], x: float, y: float) -> list[tuple[float, float]]:
    return [(a + x, b + y) for a, b in places]


def _cell_graph(shines: bool) -> str:
    return (
        _card(420, 58, 146, 130, "cell graph", shines=shines, number="02")
        + network(_moved(PLACES, 445, 102), EDGES, TYPES, radius=6.5)
        + _shape(432, 181, "A", "N × N")
    )


def _tissue(shines: bool) -> str:
    """A tissue gives the graph of cells by itself."""
    return _badge(542, 176, "10", color=RED if shines else INK)


def _gene_graph(shines: bool) -> str:
    return (
        _card(582, 58, 154, 130, "gene graph", shines=shines, number="02")
        + network(_moved(GENE_PLACES, 614, 102), GENE_EDGES, GENES, radius=6, directed=True)
        + _shape(594, 181, "B", "G × G")
    )


def _view_1(shines: bool) -> str:
    layer = [(44 + 0, 274 + 14 * k) for k in range(4)]
    hidden = [(104, 274 + 14 * k) for k in range(4)]
    wires = "".join(line([a, b], thick=0.8) for a in layer for b in hidden)
    nodes = "".join(circle(*place, 4.5, fill=BLUE) for place in [*layer, *hidden])
    return (
        _card(24, 228, 180, 130, "view 1", shines=shines, number="03")
        + wires
        + nodes
        + text(122, 290, "one dense", size=14, color=MUTED)
        + text(122, 308, "layer", size=14, color=MUTED)
        + _shape(36, 349, "e₁", "N × H")
    )


def _view_2(shines: bool) -> str:
    near = [(386, 272), (406, 320), (382, 304), (416, 274)]
    messages = "".join(arrow([place, (446, 296)], color=GREEN, thick=1.6, head=7) for place in near)
    return (
        _card(362, 228, 180, 130, "view 2", shines=shines, number="03")
        + messages
        + "".join(circle(*place, 5, fill=GREEN) for place in near)
        + circle(452, 297, 7.5, fill=GREEN)
        + text(468, 284, "graph", size=14, color=MUTED)
        + text(468, 301, "convo-", size=14, color=MUTED)
        + text(468, 318, "lutions", size=14, color=MUTED)
        + _shape(374, 349, "e₂", "N × H")
    )


def _glow(x: float, y: float, width: float, height: float, *, shines: bool) -> str:
    return box(x, y, width, height, fill=mix(ORANGE, 0.14), stroke=INK, thick=2.5) if shines else ""


def _alignment(shines: bool) -> str:
    first, second = (0.2, 0.55, 1, 0.45, 0.15), (0.25, 0.7, 0.85, 0.35, 0.2)
    return (
        _glow(210, 230, 146, 62, shines=shines)
        + arrow([(206, 268), (360, 268)], color=LOSS, both=True)
        + bars(226, 262, first, color=BLUE, unit=24)
        + bars(302, 262, second, color=GREEN, unit=24)
        + _badge(283, 254, "04", color=LOSS)
        + text(283, 286, "distributions agree", size=14, color=LOSS, anchor="middle")
    )


def _neighborhoods(shines: bool) -> str:
    return (
        _glow(210, 297, 146, 60, shines=shines)
        + arrow([(206, 332), (360, 332)], color=LOSS, both=True)
        + _badge(283, 314, "05", color=LOSS)
        + network([(232, 312), (246, 320), (238, 324)], [(0, 1), (0, 2), (1, 2)], [ORANGE] * 3, radius=5)
        + circle(330, 318, 5, fill=BLUE)
        + text(283, 350, "neighbors closest", size=14, color=LOSS, anchor="middle")
    )


def _programs(shines: bool) -> str:
    values = ((1, 0.1), (0.8, 0), (0.9, 0.2), (0, 1), (0.1, 0.7), (0.1, 0.9))
    return (
        _card(582, 228, 154, 130, "programs", shines=shines, number="06")
        + text(596, 278, "graph", size=14, color=MUTED)
        + text(596, 295, "convolution", size=14, color=MUTED)
        + text(596, 312, "over genes", size=14, color=MUTED)
        + "".join(
            box(
                692 + 16 * j,
                262 + 11 * i,
                15,
                10,
                fill=mix((GREEN, RED)[j], value),
                stroke="none",
                radius=1.5,
            )
            for i, row in enumerate(values)
            for j, value in enumerate(row)
        )
        + _shape(594, 349, "P", "G × d")
    )


def _refinement(shines: bool) -> str:
    pieces = [
        _card(24, 398, 518, 120, "refined cells: each a mixture of programs", shines=shines, number="06"),
        arrow([(206, 470), (360, 470)], color=LOSS, both=True),
        _badge(283, 456, "06", color=LOSS),
        text(283, 492, "consistency: alike", size=14, color=LOSS, anchor="middle"),
        text(283, 509, "where A has an edge", size=14, color=LOSS, anchor="middle"),
        _shape(36, 509, "z₁", "N × d"),
        _shape(374, 509, "z₂", "N × d"),
    ]
    for x, shares in ((42, (0.95, 0.8, 0.15)), (380, (0.9, 0.85, 0.1))):
        for k, share in enumerate(shares):
            width = 120 * share
            pieces.append(box(x, 436 + 17 * k, width, 13, fill=GREEN, stroke="none", radius=2))
            pieces.append(box(x + width, 436 + 17 * k, 120 - width, 13, fill=RED, stroke="none", radius=2))
    return "".join(pieces)


def _training(shines: bool) -> str:
    return (
        _card(582, 398, 154, 120, "training", shines=shines, number="07")
        + text(596, 449, "makes the losses", size=14, color=MUTED)
        + _badge(610, 467, "04", color=LOSS)
        + text(634, 472, "+", size=15, color=LOSS, anchor="middle")
        + _badge(658, 467, "05", color=LOSS)
        + text(682, 472, "+", size=15, color=LOSS, anchor="middle")
        + _badge(706, 467, "06", color=LOSS)
        + text(596, 493, "small by changing", size=14, color=MUTED)
        + text(596, 509, "every weight", size=14, color=MUTED)
    )


def _clusters(shines: bool) -> str:
    spots = {
        BLUE: ((0, 0), (11, 7), (3, 15), (16, -5), (14, 17)),
        ORANGE: ((50, 26), (60, 34), (48, 38), (63, 22), (56, 46)),
        GREEN: ((56, -8), (66, 0), (72, -12), (60, -18), (77, -3)),
    }
    pieces = [_card(24, 554, 230, 146, "clusters", shines=shines, number="08")]
    for color, group_of in spots.items():
        x, y = (sum(values) / len(group_of) for values in zip(*group_of, strict=True))
        pieces.append(circle(52 + x, 612 + y, 20, fill=mix(color, 0.15), stroke=color, thick=1.2))
        pieces += [circle(52 + a, 612 + b, 4, fill=color) for a, b in group_of]
    pieces += [
        text(156, 600, "k-means", size=15, bold=True),
        text(156, 620, "on e₁, e₂", color=MUTED),
        text(156, 638, "(paper:", size=14, color=MUTED),
        text(156, 655, "z₁, z₂)", size=14, color=MUTED),
        text(36, 690, "no label so far", size=15, bold=True, color=RED),
    ]
    return "".join(pieces)


def _names(shines: bool) -> str:
    sizes = ((6, 5, 1.5, 2), (2, 1.5, 6.5, 5.5), (1.5, 6, 2, 1.5))
    dots = [
        circle(308 + 17 * j, 597 + 15 * i, size, fill=mix((BLUE, ORANGE, GREEN)[i], size / 6.5))
        for i, row in enumerate(sizes)
        for j, size in enumerate(row)
    ]
    return (
        _card(286, 554, 166, 92, "names", shines=shines, number="09")
        + "".join(dots)
        + text(378, 606, "by their", size=14, color=MUTED)
        + text(378, 623, "markers", size=14, color=MUTED)
    )


def _scores(shines: bool) -> str:
    table = ((9, 1, 0), (1, 8, 1), (0, 2, 7))
    return (
        box(488, 534, 260, 178, fill=mix(RED, 0.03), stroke=RED, radius=12, thick=2, dashes="7 5")
        + text(619, 553, "labels enter only here", size=15, bold=True, color=RED, anchor="middle")
        + arrow([(254, 680), (500, 680)])
        + _card(500, 562, 236, 138, "scores", shines=shines, number="08 11")
        + matrix(518, 600, table, size=26, color=INK, numbers=True)
        + text(612, 618, "clusters", size=14, color=MUTED)
        + text(612, 635, "against labels:", size=14, color=MUTED)
        + text(612, 652, "to judge, never", size=14, color=MUTED)
        + text(612, 669, "to choose", size=14, color=MUTED)
        + text(518, 694, "paper: they chose the epoch", size=14, color=RED)
    )


PARTS = (
    Part(("01",), "counts", _counts),
    Part(("01", "12"), "features", _features),
    Part(("02", "10", "12"), "cell graph", _cell_graph),
    Part(("10",), "the graph of a tissue", _tissue),
    Part(("02",), "gene graph", _gene_graph),
    Part(("03",), "view 1", _view_1),
    Part(("03",), "view 2", _view_2),
    Part(("04", "12", "13"), "alignment of distributions", _alignment),
    Part(("05", "12", "13"), "alignment of neighborhoods", _neighborhoods),
    Part(("06", "09"), "gene programs", _programs),
    Part(("06", "12", "13"), "refined cells and their consistency", _refinement),
    Part(("07", "12", "13"), "training", _training),
    Part(("08", "10", "12"), "clusters", _clusters),
    Part(("09",), "names of clusters", _names),
    Part(("08", "11"), "scores, where labels enter", _scores),
)
