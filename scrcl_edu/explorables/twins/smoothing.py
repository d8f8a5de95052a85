"""Smoothing, still: the cells before the first step, after three and after thirty, and what the steps do."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrcl_edu import graphs
from scrcl_edu.course.drawings.svg import BLUE, FAINT, GREEN, INK, LINE, MUTED, box, circle, document, line, text
from scrcl_edu.explorables.making.smoothing import ASKED
from scrcl_edu.explorables.twins.shapes import by_type, legend

TITLE = "Smoothing"
LESSON = "02"
SHOWN = (0, 3, 30)
SIDE, HEIGHT = 226, 170


def ALT(data: dict[str, Any]) -> str:
    """What is drawn, with its numbers."""
    curves = data["curves"][str(ASKED)]
    between = ", ".join(f"{curves['between'][n]:.0%} after {n}" for n in SHOWN)
    return (
        f"{len(data['type_of'])} blood cells on two principal components, k = {ASKED}, before the first smoothing "
        "step, after 3 and after 30, on one scale: clouds become rays that start near the middle, and the hub, marked, "
        f"is far out on one of them: its row has {curves['growth'][3]:.1f} times its length after 3 steps. Below, over "
        f"the steps: the share of the differences that lies between types ({between}), and the differences "
        f"that are left ({curves['left'][3]:.0%} after 3, {curves['left'][30]:.0%} after 30)."
    )


def draw(data: dict[str, Any]) -> str:
    """The picture as an SVG document."""
    curves = data["curves"][str(ASKED)]
    stages = stages_of(data)
    shown = np.concatenate([stages[n] for n in SHOWN])
    middle, reach = (shown.min(axis=0) + shown.max(axis=0)) / 2, np.ptp(shown, axis=0).max() / 2
    pieces = []
    for number, n in enumerate(SHOWN):
        left = 24 + number * (SIDE + 17)
        scaled = (stages[n] - middle) / reach  # (n_cells, 2), from -1 to 1
        places = [(left + SIDE * (0.5 + 0.44 * x), 48 + 0.5 * HEIGHT - 0.44 * SIDE * y) for x, y in scaled]
        pieces += [text(left, 34, f"{n} steps" if n else "before", size=16, bold=True)]
        pieces.append(box(left, 44, SIDE, HEIGHT, stroke=FAINT))
        pieces.append(by_type(places, data["type_of"], data["types"], radius=2.6))
        x, y = places[curves["hub"]]
        pieces += [circle(x, y, 9, stroke=INK, thick=2), text(x, y + 25, "hub", size=14, anchor="middle")]
    pieces += _curves(curves)
    half = len(data["types"]) // 2
    pieces += [legend(250, 262, data["types"][:half]), legend(495, 262, data["types"][half:])]
    return document(760, 400, ALT(data), pieces)


def stages_of(data: dict[str, Any]) -> dict[int, np.ndarray]:
    """Places after some steps, each (n_cells, 2), from the nearest cells that the browser is given."""
    import scipy.sparse as sp

    nearest = np.array(data["nearest"])[:, : ASKED - 1]
    rows = np.repeat(np.arange(len(nearest)), ASKED - 1)
    chosen = sp.csr_matrix((np.ones(rows.size), (rows, nearest.ravel())), shape=(len(nearest), len(nearest)))
    smoother = graphs.normalized_adjacency(chosen.maximum(chosen.T))
    stages, places = {}, np.array(data["places"])
    for step in range(max(SHOWN) + 1):
        stages[step] = places
        places = smoother @ places
    return stages


def _curves(curves: dict[str, Any]) -> list[str]:
    left, right, top, bottom = 48, 215, 248, 350
    pieces = [line([(left, top), (left, bottom), (right, bottom)], color=LINE, thick=1.2)]
    across = (right - left) / (len(curves["left"]) - 1)
    for name, words, color, dashes, up in (
        ("between", "between types", BLUE, "", -18),
        ("left", "differences left", GREEN, "7 4", -8),
    ):
        points = [(left + across * n, bottom - (bottom - top) * value) for n, value in enumerate(curves[name])]
        pieces += [line(points, color=color, thick=2.5, dashes=dashes)]
        pieces += [text(right - 4, points[-1][1] + up, words, size=14, color=color, anchor="end")]
    for n in (0, 10, 20, 30):
        pieces.append(text(left + across * n, bottom + 18, f"{n}", size=14, color=MUTED, anchor="middle"))
    pieces += [text(left - 6, bottom + 2, "0", size=14, color=MUTED, anchor="end")]
    pieces += [text(left - 6, top + 10, "1", size=14, color=MUTED, anchor="end")]
    return [*pieces, text((left + right) / 2, bottom + 38, "steps", size=14, color=MUTED, anchor="middle")]
