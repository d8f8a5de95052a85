"""Boxes of text for every front end: HTML where it is shown, plain text everywhere else."""

from __future__ import annotations

import html
import sys
from collections.abc import Sequence
from typing import Any


def in_notebook() -> bool:
    """Whether there is an IPython session that takes rich output."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def publish(data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
    """Display a bundle of MIME types; without IPython print its plain text."""
    if not in_notebook():
        print(data["text/plain"])
        return
    from IPython.display import display

    display(data, raw=True, metadata=metadata or {})


def box(title: str, rows: Sequence[tuple[str, str]], *, good: bool | None = None) -> dict[str, str]:
    """Lay out a title and labeled rows as text and as HTML.

    Parameters
    ----------
    title
        First line; says by itself how it went, so that color is never needed.
    rows
        Pairs of a label and a text, which may have several lines; lines that begin with a dash become a list.
    good
        Color of the edge: True, False, or None for neither.

    Returns
    -------
    Bundle with `text/plain` and `text/html`.
    """
    lines = [title]
    for label, text in rows:
        first, *rest = text.split("\n")
        lines += [f"  {label}: {first}" if label else f"  {first}", *(f"    {line}" for line in rest)]
    body = "".join(_row(label, text) for label, text in rows)
    page = (
        f'<div role="status" style="border-left: 6px solid {edge_color(good)}; padding: 0.4em 0.8em; margin: 0.4em 0">'
        f"<strong>{html.escape(title)}</strong>{body}</div>"
    )
    return {"text/plain": "\n".join(lines), "text/html": page}


def edge_color(good: bool | None) -> str:
    """Color of a box's edge; the words of the box say the same."""
    return {True: "#009E73", False: "#D55E00", None: "#56B4E9"}[good]


def _row(label: str, text: str) -> str:
    head = f"<em>{html.escape(label)}:</em> " if label else ""
    if text.startswith("- "):
        items = "".join(f"<li>{html.escape(line.removeprefix('- '))}</li>" for line in text.split("\n"))
        return f'<p style="margin: 0.2em 0">{head}</p><ul style="margin: 0.2em 0">{items}</ul>'
    if "\n" not in text:
        return f'<p style="margin: 0.2em 0">{head}{html.escape(text)}</p>'
    return f'<p style="margin: 0.2em 0">{head}</p><pre style="margin: 0.2em 0 0.2em 1em">{html.escape(text)}</pre>'
