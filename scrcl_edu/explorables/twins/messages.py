"""Message passing, still: the six nodes with the weights on what arrives at node 3, and the same as a product."""

from __future__ import annotations

from typing import Any

from scrcl_edu.course.drawings.svg import BLUE, INK, LINE, MUTED, ORANGE, RED, arrow, box, circle, document, mix, text

TITLE = "Message passing"
LESSON = "03"
WATCHED, SIDE = 3, 40


def ALT(data: dict[str, Any]) -> str:
    """What is drawn, with its numbers."""
    weights = data["operator"][WATCHED]
    arriving = ", ".join(f"{weights[i]:.2f} from node {i}" for i, j in data["edges"] if j == WATCHED)
    total = sum(weight * value for weight, value in zip(weights, data["values"], strict=True))
    return (
        "Six nodes and the directed edges between them; node 0 says 1 and all others 0. The edges that arrive at node "
        f"{WATCHED} are marked and carry their weights: {arriving}, and {weights[WATCHED]:.2f} from itself. Beside it "
        f"stands the same as a matrix times a column, the row of node {WATCHED} marked: it collects {total:.2f}."
    )


def draw(data: dict[str, Any]) -> str:
    """The picture as an SVG document."""
    places = [(60 + 260 * x, 250 - 150 * y) for x, y in data["places"]]
    operator, values = data["operator"], data["values"]
    pieces = [text(24, 34, "what arrives at node 3", size=16, bold=True)]
    for i, j in data["edges"]:
        pieces += _edge(places[i], places[j], operator[j][i] if j == WATCHED else None)
    for i, (x, y) in enumerate(places):
        edge = (INK, 3) if i == WATCHED else (LINE, 1.2)
        fill = mix(ORANGE, 0.8) if values[i] else "#ffffff"
        pieces += [circle(x, y, 20, fill=fill, stroke=edge[0], thick=edge[1])]
        pieces += [text(x, y + 5, f"{values[i]}", anchor="middle"), text(x - 26, y + 22, f"{i}", color=MUTED, size=14)]
    pieces += _product(operator, values)
    return document(760, 330, ALT(data), pieces)


def _edge(start: tuple[float, float], end: tuple[float, float], weight: float | None) -> list[str]:
    (x1, y1), (x2, y2) = start, end
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    ends = [(x1 + 24 * ux + 5 * uy, y1 + 24 * uy - 5 * ux), (x2 - 26 * ux + 5 * uy, y2 - 26 * uy - 5 * ux)]
    if weight is None:
        return [arrow(ends, thick=1.6)]
    aside = 20 + 14 * abs(uy)
    middle = ((x1 + x2) / 2 + aside * uy, (y1 + y2) / 2 - 20 * ux + 5)
    return [arrow(ends, color=RED, thick=3), text(*middle, f"{weight:.2f}", color=RED, bold=True, anchor="middle")]


def _product(operator: list[list[float]], values: list[float]) -> list[str]:
    left, top = 392, 70
    pieces = [text(left, 34, "row 3 of the matrix, times x", size=16, bold=True)]
    for k in range(6):
        column = left + SIDE * (k + 0.5)
        pieces.append(text(column, top - 8, f"{k}", color=MUTED, anchor="middle", size=14))
        pieces.append(text(left - 8, top + SIDE * k + 25, f"{k}", color=MUTED, anchor="end", size=14))
        pieces.append(_cell(left + 6.4 * SIDE, top + SIDE * k, f"{values[k]:g}", lit=operator[WATCHED][k] > 0))
        for i in range(6):
            weight = operator[k][i]
            words = f"{weight:.2f}".lstrip("0") if weight else ""
            pieces.append(_cell(left + SIDE * i, top + SIDE * k, words, lit=k == WATCHED and weight > 0))
    total = sum(weight * value for weight, value in zip(operator[WATCHED], values, strict=True))
    pieces.append(text(left + 7.6 * SIDE, top + SIDE * WATCHED + 26, f"= {total:.2f}", bold=True, color=BLUE))
    return pieces


def _cell(x: float, y: float, words: str, *, lit: bool) -> str:
    fill = mix(ORANGE, 0.35) if lit else "#ffffff"
    return box(x, y, SIDE, SIDE, fill=fill, stroke=LINE, radius=0) + text(
        x + SIDE / 2, y + 25, words, anchor="middle", size=14
    )
