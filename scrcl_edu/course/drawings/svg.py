"""A sheet to draw on: boxes, words and arrows as SVG.

Every sheet brings its own light paper, so that it reads the same on a light page, on a dark one and in print.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field

PAPER, INK, SOFT, LINE = "#fbfaf6", "#1d1d1f", "#55555c", "#77777f"
SMALLEST = 12.0  # units of a sheet; smaller letters cannot be read where a sheet is shown at its own size


@dataclass(frozen=True)
class Box:
    """A rectangle: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its center."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass
class Sheet:
    """A drawing of a width and a height, in units that are pixels at its own size."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def rectangle(self, box: Box, *, fill: str, edge: str = "none", thick: float = 1.5, dashed: bool = False) -> None:
        """A rectangle with round corners."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="8" fill="{fill}" '
            f'stroke="{edge}" stroke-width="{thick:g}"{dash}/>'
        )

    def text(
        self, x: float, y: float, words: str, *, size: float = 14, bold: bool = False, color: str = INK,
        anchor: str = "middle",
    ) -> None:  # fmt: skip
        """A line of words; `y` is the middle of its height."""
        if size < SMALLEST:
            raise ValueError(f"size is {size}; letters smaller than {SMALLEST:g} cannot be read")
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" dominant-baseline="central" '
            f'fill="{color}"{weight}>{html.escape(words)}</text>'
        )

    def line(
        self, points: list[tuple[float, float]], *, color: str = LINE, thick: float = 1.6, dashed: bool = False
    ) -> None:
        """A line through points."""
        self._path("M" + " L".join(f"{x:g} {y:g}" for x, y in points), color, thick, dashed)

    def circle(self, x: float, y: float, radius: float, *, fill: str, edge: str = "none") -> None:
        """A disk."""
        self.parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
        )

    def arrow(self, start: Box, end: Box, *, color: str = LINE, thick: float = 1.6, dashed: bool = False) -> None:
        """A curved arrow from the side of one box to the facing side of another."""
        (x0, y0), (x1, y1) = start.middle, end.middle
        dx, dy = x1 - x0, y1 - y0
        apart_x = abs(dx) - (start.width + end.width) / 2
        apart_y = abs(dy) - (start.height + end.height) / 2
        if apart_x >= 20 or apart_y < 0:
            sign = 1 if dx > 0 else -1
            x0, x1 = x0 + sign * start.width / 2, x1 - sign * (end.width / 2 + 7)
            bend = (x1 - x0) / 2
            curve = f"M{x0:g} {y0:g} C{x0 + bend:g} {y0:g} {x1 - bend:g} {y1:g} {x1:g} {y1:g}"
            tip = [(x1, y1 - 5), (x1 + sign * 7, y1), (x1, y1 + 5)]
        else:
            sign = 1 if dy > 0 else -1
            y0, y1 = y0 + sign * start.height / 2, y1 - sign * (end.height / 2 + 7)
            bend = (y1 - y0) / 2
            curve = f"M{x0:g} {y0:g} C{x0:g} {y0 + bend:g} {x1:g} {y1 - bend:g} {x1:g} {y1:g}"
            tip = [(x1 - 5, y1), (x1, y1 + sign * 7), (x1 + 5, y1)]
        self._path(curve, color, thick, dashed)
        corners = " ".join(f"{x:g},{y:g}" for x, y in tip)
        self.parts.append(f'<polygon points="{corners}" fill="{color}"/>')

    def _path(self, path: str, color: str, thick: float, dashed: bool) -> None:
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{thick:g}"{dash}/>')

    def svg(self, alt: str) -> str:
        """The drawing with its text, as wide as the page lets it be."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'width="{self.width:g}" style="max-width: 100%; height: auto" '
            f'font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif">'
            f"<title>{html.escape(alt)}</title>"
            f'<rect width="{self.width:g}" height="{self.height:g}" rx="12" fill="{PAPER}"/>{"".join(self.parts)}</svg>'
        )
