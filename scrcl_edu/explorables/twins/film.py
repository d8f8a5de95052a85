"""The training film, still: both views in three epochs, the losses, and the accuracy that nobody saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scrcl_edu.course.drawings.svg import BLUE, GREEN, INK, LINE, MUTED, ORANGE, RED, box, circle, document, line, text

TITLE = "The training film"
LESSON = "08"
RUN = "all three losses"
SIDE, GAP = 210, 28
COLORS = {"distribution": BLUE, "neighborhood": ORANGE, "consistency": GREEN}
DASHES = {"distribution": "", "neighborhood": "7 4", "consistency": "2 4"}


def ALT(data: dict[str, Any]) -> str:
    """What is drawn, with its numbers."""
    accuracy = data["runs"][RUN]["accuracy"]
    best = max(range(1, len(accuracy)), key=accuracy.__getitem__)
    return (
        f"A training of {data['epochs']} epochs with all three losses. Above, {len(data['type_of'])} cells in both "
        "views before it, halfway and at its end, squares for the first view and dots for the second: the two come to "
        "lie over each other. Below left, the three losses, each as a share of its largest value, fall smoothly. Below "
        f"right, the accuracy, which the learner uncovers last, jumps: at the last epoch it is {accuracy[-1]:.2f}, and "
        f"at epoch {best}, which only the labels know, {accuracy[best]:.2f}."
    )


def draw(data: dict[str, Any]) -> str:
    """The picture as an SVG document."""
    run = data["runs"][RUN]
    places = run["places"]
    pieces = []
    for k, picture in enumerate((0, len(places) // 2, len(places) - 1)):
        left = GAP + k * (SIDE + GAP)
        pieces.append(text(left, 34, f"epoch {picture * data['filmed']}", size=16, bold=True))
        pieces += _cells(left, 46, places[picture], places)
    top = 46 + SIDE + 44
    pieces += [text(GAP, top - 12, "losses", size=16, bold=True), text(400, top - 12, "accuracy", size=16, bold=True)]
    for along, (name, values) in zip((8, 122, 254), run["losses"].items(), strict=True):
        pieces.append(_curve(GAP, top, values, max(values), COLORS[name], DASHES[name]))
        drawn = [(GAP + along, top + 146), (GAP + along + 22, top + 146)]
        pieces.append(line(drawn, color=COLORS[name], dashes=DASHES[name]))
        pieces.append(text(GAP + along + 27, top + 150, name, size=14, color=MUTED))
    accuracy = run["accuracy"]
    best = max(range(1, len(accuracy)), key=accuracy.__getitem__)
    pieces.append(_curve(400, top, accuracy, 1, RED, ""))
    said = ((best, f"peeking {accuracy[best]:.2f}", -10), (len(accuracy) - 1, f"last {accuracy[-1]:.2f}", 28))
    for epoch, words, below in said:
        x, y = _at(400, top, epoch, len(accuracy), accuracy[epoch])
        pieces += [circle(x, y, 5, fill=INK), text(x - 6, y + below, words, size=14, anchor="end", bold=True)]
    pieces.append(text(560, top + 150, "epoch, 0 to 60", size=14, color=MUTED, anchor="middle"))
    return document(760, top + 166, ALT(data), pieces)


def _cells(left: float, top: float, views: Sequence[Sequence[int]], everything: Sequence[Any]) -> list[str]:
    every = [value for frame in everything for view in frame for value in view]
    low, high = min(every), max(every)

    def at(value: int) -> float:
        return 8 + (SIDE - 16) * (value - low) / (high - low)

    pieces = [box(left, top, SIDE, SIDE, stroke=LINE, radius=4)]
    for view, color in zip(views, (BLUE, ORANGE), strict=True):
        spots = [(left + at(x), top + SIDE - at(y)) for x, y in zip(view[::4], view[1::4], strict=True)]
        if color == BLUE:
            pieces += [box(x - 2.5, y - 2.5, 5, 5, stroke=color, radius=0, thick=1.2) for x, y in spots]
        else:
            pieces += [circle(x, y, 2.5, fill=color) for x, y in spots]
    return pieces


def _at(left: float, top: float, epoch: int, many: int, share: float) -> tuple[float, float]:
    return left + 330 * epoch / (many - 1), top + 128 - 120 * share


def _curve(left: float, top: float, values: Sequence[float], most: float, color: str, dashes: str) -> str:
    spots = [_at(left, top, epoch, len(values), value / most) for epoch, value in enumerate(values)]
    return line(spots, color=color, thick=2, dashes=dashes)
