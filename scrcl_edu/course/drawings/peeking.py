"""Two protocols, one below the other: labels that stand before a choice, and labels that stand behind it."""

from __future__ import annotations

from collections.abc import Sequence

from scrcl_edu.course.drawings.svg import BLUE, LINE, MUTED, arrow, box, document, line, show_drawing, text

PEEK, LABELS = "#b3470a", "#8d4f7d"
WIDTH, HEIGHT, TALL = 760, 420, 54


def two_protocols(accuracies: Sequence[float], best: int, honest: float) -> None:
    """Show how the published protocol and an honest one come to the number that they report.

    Parameters
    ----------
    accuracies
        After each epoch, of the clusters found there; a few epochs are drawn.
    best
        Epoch that the labels choose, from 1.
    honest
        Accuracy of the clusters that are kept without labels.
    """
    alt = (
        f"Two protocols. Above, peeking: clusters are found after every epoch, labels choose epoch {best}, and its "
        f"accuracy, {accuracies[best - 1]:.2f}, is reported. Below, honest: training ends at an epoch fixed "
        f"beforehand, clusters are kept without labels, and only then do labels enter, to score them: {honest:.2f}."
    )
    show_drawing(protocols_svg(accuracies, best, honest, alt), alt)


def protocols_svg(accuracies: Sequence[float], best: int, honest: float, alt: str) -> str:
    """The drawing of :func:`two_protocols`."""
    pieces = [*_peeking(accuracies, best), *_honest(len(accuracies), honest)]
    return document(WIDTH, HEIGHT, alt, pieces)


def _peeking(accuracies: Sequence[float], best: int) -> list[str]:
    last = len(accuracies)
    epochs = sorted({1, max(1, last // 4), max(1, last // 2), max(1, 3 * last // 4), best, last})
    step = (WIDTH - 32) / len(epochs)
    lines, boxes = [], []
    for place, epoch in enumerate(epochs):
        x, chosen = 16 + step * place, epoch == best
        edge = PEEK if chosen else LINE
        boxes.append(_step(x + 5, 46, step - 10, f"epoch {epoch}", f"{accuracies[epoch - 1]:.2f}", edge, chosen))
        ends = [(x + step / 2, 46 + TALL), (300 + 150 * (place + 0.5) / len(epochs), 158)]
        lines.append(line(ends, color=edge, thick=3 if chosen else 1.2))
    return [
        text(20, 30, "Peeking: labels stand before the choice", size=17, bold=True, color=PEEK),
        *lines,
        *boxes,
        _step(21, 158, 130, "labels", "of all cells", LABELS),
        arrow([(151, 185), (270, 185)], color=LABELS, thick=3),
        _step(270, 158, 210, "keep the epoch that", "the labels like best", PEEK),
        arrow([(480, 185), (609, 185)], color=PEEK, thick=3),
        _step(609, 158, 130, "reported", f"{accuracies[best - 1]:.2f}", PEEK),
    ]


def _honest(last: int, honest: float) -> list[str]:
    return [
        text(20, 264, "Honest: labels stand behind it", size=17, bold=True, color=BLUE),
        _step(21, 284, 150, f"epoch {last}", "fixed beforehand", BLUE),
        arrow([(171, 311), (230, 311)], color=BLUE, thick=3),
        _step(230, 284, 170, "clusters", "by a rule, no choice", BLUE),
        arrow([(400, 311), (609, 311)], color=BLUE, thick=3),
        line([(505, 250), (505, 402)], color=LABELS, dashes="6 5"),
        text(495, 392, "no labels on this side", size=14, color=LABELS, anchor="end"),
        text(515, 392, "labels score, choose nothing", size=14, color=LABELS),
        _step(609, 284, 130, "reported", f"{honest:.2f}", BLUE),
    ]


def _step(x: float, y: float, width: float, above: str, below: str, edge: str, thick: bool = False) -> str:
    middle = x + width / 2
    return "".join(
        [
            box(x, y, width, TALL, fill="#ffffff", stroke=edge, thick=3 if thick else 1.5),
            text(middle, y + 23, above, bold=True, anchor="middle"),
            text(middle, y + 43, below, color=MUTED, anchor="middle"),
        ]
    )
