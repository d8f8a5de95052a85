"""A cell as a mixture of programs, still: one B cell's asks, the programs, and their product."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrcl_edu.course.drawings.svg import BLUE, INK, LINE, MUTED, RED, box, document, line, mix, text

TITLE = "A cell as a mixture of programs"
LESSON = "06"
SHOWN, ROW, TYPE = 12, 24, "CD19+ B"


def ALT(data: dict[str, Any]) -> str:
    """What is drawn, with its numbers."""
    at, asks = _cell(data)
    most = ", ".join(data["genes"][g] for g in np.argsort(-asks[:SHOWN])[:3])
    z = data["refined"][data["cells"][at]]
    return (
        f"A B cell, in three steps. Left: what its projector asks of {SHOWN} known genes, as bars to both sides of "
        f"zero; of these it asks most of {most}. Middle: how much each of these genes takes part in the ten programs, "
        f"as shades. Right: the product over all {data['n_genes']} genes, scaled to length 1, which is the refined "
        f"cell: a bar for each program, the largest {max(z):+.2f}."
    )


def draw(data: dict[str, Any]) -> str:
    """The picture as an SVG document."""
    at, asks = _cell(data)
    programs, z = np.array(data["programs"]), data["refined"][data["cells"][at]]
    pieces = [text(24, 34, "asked of each gene", size=16, bold=True), text(300, 34, "programs P", size=16, bold=True)]
    pieces.append(text(570, 34, "refined cell z", size=16, bold=True))
    limit, most = np.abs(asks[:SHOWN]).max(), programs.max(axis=0)
    for g in range(SHOWN):
        y = 56 + ROW * g
        pieces.append(text(84, y + 16, data["genes"][g], anchor="end", size=14))
        pieces.append(_bar(180, y + 3, 80 * asks[g] / limit))
        for k, value in enumerate(programs[g] / most):
            pieces.append(
                box(300 + 22 * k, y, 22, ROW, fill=mix(BLUE, round(float(value), 2)), stroke="#dde3ea", radius=0)
            )
    for k, value in enumerate(z):
        y = 56 + ROW * k
        pieces += [
            text(566, y + 16, f"{k}", anchor="end", size=14, color=MUTED),
            _bar(650, y + 3, 80 * value / np.abs(z).max()),
        ]
    foot = 56 + ROW * SHOWN
    pieces += [
        line([(180, 50), (180, foot)], color=LINE, thick=1),
        line([(650, 50), (650, 56 + ROW * 10)], color=LINE, thick=1),
    ]
    pieces += [
        text(311 + 22 * k, foot + 20, f"{k}", anchor="middle", size=14, color=MUTED) for k in range(programs.shape[1])
    ]
    pieces.append(text(24, foot + 24, f"{SHOWN} of {data['n_genes']} genes; the sum is over all", size=14, color=MUTED))
    return document(760, foot + 40, ALT(data), pieces)


def _cell(data: dict[str, Any]) -> tuple[int, np.ndarray]:
    own = [one["name"] for one in data["types"]].index(TYPE)
    at = next(k for k, cell in enumerate(data["cells"]) if data["type_of"][cell] == own)
    return at, np.array(data["asks"][at])


def _bar(zero: float, y: float, length: float) -> str:
    left = zero if length >= 0 else zero + length
    return box(left, y, abs(length), 16, fill=BLUE if length >= 0 else RED, stroke=INK, radius=0, thick=0.6)
