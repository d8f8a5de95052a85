"""What divided cells look like (13): which pairs a worker sees, and which rows must cross."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scrcl_edu.course.drawings.svg import (
    BLUE,
    INK,
    LINE,
    MUTED,
    ORANGE,
    arrow,
    box,
    document,
    mix,
    show_drawing,
    text,
)

SIDE = 24  # of a square that stands for a pair of cells
COLORS = (BLUE, ORANGE)


def draw_pairs(graph: np.ndarray, owners: Sequence[int], *, alt: str) -> None:
    """Show all pairs of some cells twice: as two workers see them alone, and with sums and neighbors' rows.

    Parameters
    ----------
    graph
        Binary, shape (n_cells, n_cells), of at most ten cells; a dot marks an edge.
    owners
        Worker of each cell, 0 or 1.
    alt
        What is drawn.
    """
    left = _pairs(40, graph, owners, alone=True)
    right = _pairs(470, graph, owners, alone=False)
    width = SIDE * len(owners)
    middle = 40 + width + 20
    sent = [
        arrow([(middle, 60 + width / 2), (446, 60 + width / 2)], thick=2.5, both=True),
        text((middle + 446) / 2, 46 + width / 2, "sums over all cells", size=14, color=INK, anchor="middle"),
        text((middle + 446) / 2, 84 + width / 2, "rows across the cut", size=14, color=INK, anchor="middle"),
    ]
    heads = [
        text(40, 32, "each alone", size=16, bold=True),
        text(470, 32, "together", size=16, bold=True),
    ]
    key = [
        box(40, 76 + width, 14, 14, fill=mix(BLUE, 0.5), stroke="none", radius=2),
        text(60, 88 + width, "seen by worker 0", size=14, color=MUTED),
        box(200, 76 + width, 14, 14, fill=mix(ORANGE, 0.5), stroke="none", radius=2),
        text(220, 88 + width, "seen by worker 1", size=14, color=MUTED),
        box(360, 76 + width, 14, 14, fill="#ffffff", stroke=LINE, radius=2),
        text(380, 88 + width, "by nobody", size=14, color=MUTED),
        text(480, 88 + width, "dot: neighbors in the graph", size=14, color=MUTED),
    ]
    show_drawing(document(760, 104 + width, alt, [*heads, left, right, *sent, *key]), alt)


def _pairs(left: float, graph: np.ndarray, owners: Sequence[int], *, alone: bool) -> str:
    pieces = []
    for i, mine in enumerate(owners):
        for j, theirs in enumerate(owners):
            seen = not alone or mine == theirs
            x, y = left + SIDE * j, 56 + SIDE * i
            fill = mix(COLORS[mine], 0.5) if seen else "#ffffff"
            pieces.append(box(x, y, SIDE, SIDE, fill=fill, stroke=LINE, radius=2))
            if graph[i, j]:
                pieces.append(box(x + 9, y + 9, 6, 6, fill=INK if seen else LINE, stroke="none", radius=3))
    return "".join(pieces)
