"""Ideas drawn from small real numbers: likeness and its graph (00), depth (01), one step of smoothing (02)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scrcl_edu.course.drawings.svg import (
    BLUE,
    GREEN,
    INK,
    LINE,
    MUTED,
    ORANGE,
    arrow,
    box,
    circle,
    document,
    line,
    matrix,
    mix,
    show_drawing,
    text,
)

SIDE = 34  # of a square that holds a number
HEXAGON = ((30, 20), (0, 90), (70, 90), (150, 30), (220, 30), (190, 100))


def draw_likeness(
    counts: np.ndarray, likeness: np.ndarray, edges: Sequence[tuple[int, int]], types: Sequence[int], *, alt: str
) -> None:
    """Show six cells as counts, as a matrix of their likeness, and as a graph.

    Parameters
    ----------
    counts
        Shape (6, n_genes), of at most four genes.
    likeness
        Shape (6, 6).
    edges
        Pairs of cells that are joined.
    types
        One number for each cell, 0 or 1; chooses its color.
    alt
        What is drawn.
    """
    n_genes = counts.shape[1]
    pieces = [text(24, 32, "counts", size=16, bold=True), *_rows(66, 66), *_columns(66, 58, "ABCD"[:n_genes])]
    pieces.append(matrix(66, 66, counts.tolist(), size=SIDE, color=MUTED, numbers=True))
    right = 66 + SIDE * n_genes
    pieces.append(arrow([(right + 14, 168), (right + 54, 168)]))
    left = right + 104
    pieces += [text(left - 40, 32, "cosine of each two cells", size=16, bold=True), *_rows(left, 66)]
    pieces += _columns(left, 58, "012345")
    pieces.append(matrix(left, 66, np.round(likeness, 1).tolist(), size=SIDE, color=BLUE, numbers=True))
    pieces.append(arrow([(left + 6 * SIDE + 12, 168), (left + 6 * SIDE + 50, 168)]))
    x = left + 6 * SIDE + 66
    places = [(x + 0.66 * a + 8, 96 + 1.25 * b) for a, b in HEXAGON]
    pieces.append(text(x - 6, 32, "its two nearest", size=16, bold=True))
    pieces += [line([places[i], places[j]]) for i, j in edges]
    pieces += [_node(*place, str(k), (BLUE, ORANGE)[types[k]]) for k, place in enumerate(places)]
    show_drawing(document(760, 290, alt, pieces), alt)


def draw_depth(counts: np.ndarray, scaled: np.ndarray, *, alt: str) -> None:
    """Show six cells and their depth before and after each is divided by it.

    Parameters
    ----------
    counts, scaled
        Shape (6, n_genes), of at most four genes.
    alt
        What is drawn.
    """
    n_genes = counts.shape[1]
    pieces = []
    for left, values, name, color in ((66, counts, "counts", MUTED), (452, scaled, "divided by depth", BLUE)):
        depth = values.sum(axis=1)
        pieces += [text(left - 42, 32, name, size=16, bold=True), *_rows(left, 66)]
        pieces += _columns(left, 58, "ABCD"[:n_genes])
        pieces.append(matrix(left, 66, np.round(values, 1).tolist(), size=SIDE, color=color, numbers=True))
        right = left + SIDE * n_genes + 14
        pieces.append(text(right, 58, "depth", color=MUTED))
        for row, value in enumerate(depth):
            y = 66 + SIDE * row
            width = 110 * value / depth.max()
            pieces.append(box(right, y + 7, width, SIDE - 14, fill=mix(GREEN, 0.75), stroke="none", radius=3))
            pieces.append(text(right + width + 6, y + 22, f"{value:.0f}", color=INK))
    pieces.append(arrow([(344, 168), (396, 168)], thick=2.5))
    show_drawing(document(760, 290, alt, pieces), alt)


def draw_smoothing(graph: np.ndarray, smoother: np.ndarray, before: np.ndarray, after: np.ndarray, *, alt: str) -> None:
    """Show one step of smoothing: a graph with a value in each cell, the matrix S, and the values after it.

    Parameters
    ----------
    graph, smoother
        A and S, shape (6, 6).
    before, after
        A value for each cell, shape (6,), and S times it.
    alt
        What is drawn.
    """
    largest = max(np.abs(before).max(), np.abs(after).max())
    edges = [(i, j) for i, j in zip(*np.nonzero(np.triu(graph)), strict=True)]
    pieces = []
    for left, values, name in ((30, before, "x: before"), (528, after, "S x: after one step")):
        pieces.append(text(left - 6, 32, name, size=16, bold=True))
        places = [(left + 14 + 0.82 * a, 96 + 1.2 * b) for a, b in HEXAGON]
        pieces += [line([places[i], places[j]]) for i, j in edges]
        for k, (x, y) in enumerate(places):
            shade = abs(values[k]) / largest
            pieces.append(circle(x, y, 20, fill=mix(BLUE, shade), stroke=LINE, thick=1.2))
            ink = "#ffffff" if shade > 0.6 else INK
            pieces.append(text(x, y + 5, f"{values[k]:.1f}", color=ink, anchor="middle"))
            pieces.append(text(x, y - 25, f"{k}", size=14, color=MUTED, anchor="middle"))
    pieces += [text(276, 32, "S", size=16, bold=True), *_columns(284, 58, "012345"), *_rows(284, 66, "")]
    pieces.append(matrix(284, 66, np.round(smoother, 2).tolist(), size=SIDE, color=GREEN))
    for (i, j), value in np.ndenumerate(smoother):
        if value:
            ink = "#ffffff" if value / smoother.max() > 0.6 else INK
            words = f"{value:.2f}".lstrip("0")
            place = (284 + SIDE * (j + 0.5), 66 + SIDE * i + 22)
            pieces.append(text(*place, words, size=14, color=ink, anchor="middle"))
    show_drawing(document(760, 290, alt, pieces), alt)


def _rows(left: float, top: float, word: str = "cell ") -> list[str]:
    return [
        text(left - 6, top + SIDE * k + 22, f"{word if k == 0 else ''}{k}", size=14, color=MUTED, anchor="end")
        for k in range(6)
    ]


def _columns(left: float, y: float, names: Sequence[str]) -> list[str]:
    return [
        text(left + SIDE * (k + 0.5), y, name, size=14, color=MUTED, anchor="middle") for k, name in enumerate(names)
    ]


def _node(x: float, y: float, name: str, color: str) -> str:
    return circle(x, y, 15, fill=color, stroke="#ffffff", thick=2) + text(
        x, y + 5, name, bold=True, color="#ffffff", anchor="middle"
    )
