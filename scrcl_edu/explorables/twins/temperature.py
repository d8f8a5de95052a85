"""Two views, one temperature, still: two distributions, what each hidden unit adds, and the loss along a collapse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scrcl_edu import alignment
from scrcl_edu.course.drawings.svg import BLUE, INK, LINE, MUTED, ORANGE, box, document, line, text
from scrcl_edu.encoders import unit_rows

TITLE = "Two views, one temperature"
LESSON = "04"
CELL = 0


def ALT(data: dict[str, Any]) -> str:
    """What is drawn, with its numbers."""
    _, halves = divergences(data)
    first, second = (float(part.sum()) for part in halves)
    losses = along(data)
    return (
        f"One blood cell before training, at temperature {data['temperature']:g}: its distributions over "
        f"{len(data['e1'][0])} hidden units in view 1 and in view 2 as pairs of bars; beside them what each unit adds "
        f"to the two directions of the divergence, KL(q1 || q2) = {first:.2f} and KL(q2 || q1) = {second:.2f}, where "
        f"single parts are negative and the sum of both never is. Right, the loss of {len(data['e1'])} cells while all "
        f"of them move to one point: it falls from {losses[0]:.2f} to {losses[-1]:.2f}."
    )


def draw(data: dict[str, Any]) -> str:
    """The picture as an SVG document."""
    distributions, halves = divergences(data)
    pieces = [text(24, 34, "two distributions", size=16, bold=True)]
    pieces += _bars(24, 230, distributions, (0.0, float(max(map(max, distributions)))))
    pieces += [text(276, 34, "what each unit adds", size=16, bold=True)]
    reach = float(np.abs(halves).max())
    pieces += _bars(276, 230, halves, (-reach / 2, reach))
    pieces += [box(24, 262, 14, 14, fill=BLUE, radius=0), text(44, 274, "view 1, and KL(q1 || q2)", size=14)]
    pieces += [box(24, 286, 14, 14, fill=ORANGE, stroke=INK, radius=0)]
    pieces += [text(44, 298, "view 2, with an edge, and KL(q2 || q1)", size=14)]
    pieces += [text(528, 34, "loss while all collapse", size=16, bold=True), *_curve(along(data))]
    return document(760, 320, ALT(data), pieces)


def divergences(data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Distributions of the shown cell in both views, and what each unit adds to both directions; each (2, n_units)."""
    rows = torch.tensor([data["e1"][CELL], data["e2"][CELL]], dtype=torch.float64)
    logs = torch.log_softmax(rows / data["temperature"], -1).numpy()
    q = np.exp(logs)
    return q, np.stack([q[0] * (logs[0] - logs[1]), q[1] * (logs[1] - logs[0])])


def along(data: dict[str, Any], n_moments: int = 20) -> list[float]:
    """The package's loss while all cells of both views move to one point."""
    views = [unit_rows(torch.tensor(data[name], dtype=torch.float64)) for name in ("e1", "e2")]
    point = unit_rows(torch.ones_like(views[0]))
    shares = np.linspace(0, 1, n_moments + 1)
    moments = [[unit_rows((1 - share) * view + share * point) for view in views] for share in shares]
    return [alignment.distribution_alignment(*pair, temperature=data["temperature"]).item() for pair in moments]


def _bars(left: float, width: float, series: np.ndarray, ends: tuple[float, float]) -> list[str]:
    top, bottom = 52, 226
    unit = (bottom - top) / (ends[1] - ends[0])
    zero, wide = bottom + ends[0] * unit, (width - 6) / series.shape[1]
    pieces = [line([(left, zero), (left + width, zero)], thick=1.2)]
    for number, values in enumerate(series):
        color, edge = ((BLUE, "none"), (ORANGE, INK))[number]
        for k, value in enumerate(values):
            x, y = left + 6 + wide * (k + 0.42 * number), zero - max(float(value), 0) * unit
            pieces.append(box(x, y, 0.38 * wide, abs(float(value)) * unit, fill=color, stroke=edge, radius=0))
    names = [
        text(left + 6 + wide * (k + 0.4), bottom + 20, f"{k}", size=14, color=MUTED, anchor="middle")
        for k in range(series.shape[1])
    ]
    return [*pieces, *names]


def _curve(losses: Sequence[float]) -> list[str]:
    left, right, top, bottom = 556, 736, 52, 226
    points = [
        (left + (right - left) * i / (len(losses) - 1), bottom - (bottom - top) * value / losses[0])
        for i, value in enumerate(losses)
    ]
    return [
        line([(left, top), (left, bottom), (right, bottom)], color=LINE, thick=1.2),
        line(points, color=BLUE, thick=3),
        text(left - 6, top + 8, f"{losses[0]:.1f}", size=14, color=MUTED, anchor="end"),
        text(left - 6, bottom + 2, "0", size=14, color=MUTED, anchor="end"),
        text(left, bottom + 20, "real cells", size=14, color=MUTED),
        text(right, bottom + 20, "one point", size=14, color=MUTED, anchor="end"),
    ]
