"""Small pieces of SVG that stay readable everywhere: light page, dark page, GitHub, phone, screen reader.

A drawing stands on a light panel of its own, so that it does not depend on the page behind it, and no letter is
smaller than 14 units of a width of 760.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

from scrcl_edu.course.showing import publish

INK, MUTED, LINE, FAINT = "#1f2933", "#46525f", "#8a96a3", "#dde3ea"
BLUE, ORANGE, GREEN, PINK, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


def document(width: int, height: int, alt: str, body: Iterable[str]) -> str:
    """A whole drawing on its panel.

    Parameters
    ----------
    width, height
        Size in units; about 760 wide fits a notebook, and half of it a phone.
    alt
        What is drawn, for those who do not see it.
    body
        The pieces, back to front.
    """
    said = html.escape(alt, quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{said}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="{FONT}"><title>{said}</title>'
        f"{box(0.5, 0.5, width - 1, height - 1, fill='#ffffff', stroke=FAINT, radius=14)}{''.join(body)}</svg>\n"
    )


def show_drawing(svg: str, alt: str, *, width: int = 760) -> None:
    """Display a drawing as a picture with its text; at most so many pixels wide, and narrower on a phone."""
    # As an image in HTML, since JupyterLab shows no stored SVG of a notebook that has not been run yet.
    data = base64.b64encode(svg.encode()).decode()
    picture = (
        f'<img alt="{html.escape(alt, quote=True)}" src="data:image/svg+xml;base64,{data}" '
        f'style="width: 100%; max-width: {width}px">'
    )
    publish({"text/plain": f"Drawing: {alt}", "text/html": picture})


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float = 15,
    color: str = INK,
    bold: bool = False,
    anchor: str = "start",
) -> str:
    """One line of text whose baseline is at y; anchor is start, middle or end."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{color}" text-anchor="{anchor}"{weight}>'
        f"{html.escape(words)}</text>"
    )


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str = "none",
    stroke: str = LINE,
    radius: float = 8,
    thick: float = 1,
    dashes: str = "",
) -> str:
    """A rectangle with round corners."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="{_n(thick)}"{dashed}/>'
    )


def circle(x: float, y: float, radius: float, *, fill: str = "none", stroke: str = "none", thick: float = 1) -> str:
    """A disc or a ring."""
    edge = f' stroke="{stroke}" stroke-width="{_n(thick)}"' if stroke != "none" else ""
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{fill}"{edge}/>'


def line(points: Sequence[tuple[float, float]], *, color: str = LINE, thick: float = 2, dashes: str = "") -> str:
    """A line through points, corners rounded."""
    path = "M" + " L".join(f"{_n(x)} {_n(y)}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{_n(thick)}" '
        f'stroke-linejoin="round" stroke-linecap="round"{dashed}/>'
    )


def arrow(
    points: Sequence[tuple[float, float]],
    *,
    color: str = LINE,
    thick: float = 2,
    dashes: str = "",
    both: bool = False,
    head: float = 9,
) -> str:
    """A line with a head at its end, or at both ends."""
    points = list(points)
    pieces = [line(_shortened(points, head * 0.8, both=both), color=color, thick=thick, dashes=dashes)]
    pieces.append(_head(points[-2], points[-1], color, head))
    if both:
        pieces.append(_head(points[1], points[0], color, head))
    return "".join(pieces)


def group(pieces: Iterable[str], *, opacity: float = 1, at: tuple[float, float] = (0, 0)) -> str:
    """Several pieces, moved and faded together."""
    moved = f' transform="translate({_n(at[0])} {_n(at[1])})"' if at != (0, 0) else ""
    faded = f' opacity="{_n(opacity)}"' if opacity != 1 else ""
    return f"<g{moved}{faded}>{''.join(pieces)}</g>"


def matrix(
    x: float, y: float, values: Sequence[Sequence[float]], *, size: float = 10, color: str = BLUE, numbers: bool = False
) -> str:
    """A matrix as squares, the darker the larger; optionally with its numbers."""
    largest = max(abs(value) for row in values for value in row) or 1
    pieces = []
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            shade = mix(color, abs(value) / largest)
            pieces.append(box(x + j * size, y + i * size, size, size, fill=shade, stroke="#ffffff", radius=1))
            if numbers:
                ink = "#ffffff" if abs(value) / largest > 0.6 else INK
                place = (x + (j + 0.5) * size, y + (i + 0.5) * size + 5)
                pieces.append(text(*place, f"{value:g}", size=14, color=ink, anchor="middle"))
    return "".join(pieces)


def network(
    places: Sequence[tuple[float, float]],
    edges: Iterable[tuple[int, int]],
    colors: Sequence[str],
    *,
    radius: float = 6,
    directed: bool = False,
) -> str:
    """Nodes and the edges between them."""
    drawn = [
        arrow(_between(places[i], places[j], radius + 2), thick=1.6, head=7)
        if directed
        else line([places[i], places[j]], thick=1.6)
        for i, j in edges
    ]
    nodes = [
        circle(x, y, radius, fill=color, stroke="#ffffff", thick=1.2)
        for (x, y), color in zip(places, colors, strict=True)
    ]
    return "".join([*drawn, *nodes])


def bars(
    x: float, y: float, heights: Sequence[float], *, color: str, width: float = 6, gap: float = 2, unit: float = 30
) -> str:
    """A small histogram that stands on y; a height of 1 is so many units tall."""
    return "".join(
        f'<rect x="{_n(x + number * (width + gap))}" y="{_n(y - height * unit)}" width="{_n(width)}" '
        f'height="{_n(height * unit)}" rx="1" fill="{color}"/>'
        for number, height in enumerate(heights)
    )


def mix(color: str, share: float) -> str:
    """A color mixed with white: share 1 is the color, 0 nearly white."""
    share = 0.06 + 0.94 * share
    parts = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - share * (255 - part)):02x}" for part in parts)


def _shortened(points: list[tuple[float, float]], by: float, *, both: bool) -> list[tuple[float, float]]:
    """The same line, ending where its head begins."""
    points = [*points[:-1], _towards(points[-1], points[-2], by)]
    return [_towards(points[0], points[1], by), *points[1:]] if both else points


def _between(start: tuple[float, float], end: tuple[float, float], margin: float) -> list[tuple[float, float]]:
    return [_towards(start, end, margin), _towards(end, start, margin)]


def _towards(start: tuple[float, float], end: tuple[float, float], by: float) -> tuple[float, float]:
    length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
    return start[0] + (end[0] - start[0]) * by / length, start[1] + (end[1] - start[1]) * by / length


def _head(before: tuple[float, float], tip: tuple[float, float], color: str, size: float) -> str:
    base = _towards(tip, before, size)
    across = (tip[1] - base[1]) * 0.45, (base[0] - tip[0]) * 0.45
    corners = [tip, (base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1])]
    return f'<path d="M{" L".join(f"{_n(x)} {_n(y)}" for x, y in corners)} Z" fill="{color}"/>'


def _n(value: float) -> str:
    """A number in few digits: the same bytes on every machine."""
    return f"{round(float(value), 1):g}"
