"""Near against everyone, still: D of forty cells with one row framed, before training and after, and both sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrcl_edu.course.drawings.svg import BLUE, INK, MUTED, ORANGE, box, circle, document, mix, text

TITLE = "Near against everyone"
LESSON = "05"
WATCHED = 12
SIDE, SHADES = 320, 12


def ALT(data: dict[str, Any]) -> str:
    """What is drawn, with its numbers."""
    before, after = (data["losses"][moment] for moment in ("before", "after"))
    near = _near(data)
    return (
        f"The matrix D of forty cells of four types, before training and after {data['epochs']} epochs: rows are cells "
        f"in the first view, columns in the second, dark is far. The row of cell {WATCHED} is framed, and its "
        f"{len(near)} near entries, itself and its neighbors, are dotted. Near divided by others, over all cells, is "
        f"{before:.2f} before training and {after:.2f} after it; then blocks of the four types have come out. A row of "
        f"{len(_types(data))} pairs has the same sum as three sums over all cells that every row shares."
    )


def draw(data: dict[str, Any]) -> str:
    """The picture as an SVG document."""
    pieces = []
    for k, (moment, words) in enumerate((("before", "before training"), ("after", f"after {data['epochs']} epochs"))):
        left = 40 + k * (SIDE + 40)
        loss = data["losses"][moment]
        pieces += [text(left, 34, f"{words}: near / others {loss:.2f}", size=16, bold=True)]
        pieces += _matrix(left, 50, divergences(data, moment))
        pieces += _row(left, 50, _near(data), len(_types(data)))
    pieces.append(
        text(40, 50 + SIDE + 30, "rows: view 1; columns: view 2; dark: far; dots: itself, neighbors", color=MUTED)
    )
    return document(760, 50 + SIDE + 46, ALT(data), pieces)


def divergences(data: dict[str, Any], moment: str) -> np.ndarray:
    """D of the cells at a moment, shape (n_cells, n_cells)."""
    log_1, log_2 = (_log_softmax(np.array(e) / 1000 / data["temperature"]) for e in data["encodings"][moment])
    gap = log_1[:, None] - log_2[None]
    return ((np.exp(log_1)[:, None] - np.exp(log_2)[None]) * gap).sum(axis=2)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _types(data: dict[str, Any]) -> list[int]:
    return data["type_of"]


def _near(data: dict[str, Any]) -> list[int]:
    return [WATCHED, *(a + b - WATCHED for a, b in data["edges"] if WATCHED in (a, b))]


def _matrix(left: int, top: int, values: np.ndarray) -> list[str]:
    """A path for each shade, which takes a tenth of the room of a box for each pair."""
    unit = SIDE // len(values)
    shades = np.rint(SHADES * values / values.max()).astype(int)
    pieces = []
    for shade in np.unique(shades):
        squares = "".join(
            f"M{left + j * unit} {top + i * unit}h{unit}v{unit}h-{unit}z" for i, j in np.argwhere(shades == shade)
        )
        pieces.append(f'<path fill="{mix(BLUE, 0.95 * shade / SHADES)}" d="{squares}"/>')
    return pieces


def _row(left: float, top: float, near: list[int], n_cells: int) -> list[str]:
    unit = SIDE / n_cells
    y = top + WATCHED * unit
    framed = box(left - 1, y - 1, SIDE + 2, unit + 2, stroke=INK, thick=2, radius=0)
    return [
        framed,
        *(circle(left + (j + 0.5) * unit, y + unit / 2, 2.6, fill=ORANGE, stroke=INK, thick=0.6) for j in near),
    ]
