"""A small graph as a drawing and as words: which edges came out, which are missing, which are too many."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import scipy.sparse as sp

LARGEST = 12  # nodes that a drawing can still tell apart
STYLES = {
    "right": ("#777777", ""),
    "missing": ("#0072B2", ' stroke-dasharray="6 4"'),
    "too many": ("#D55E00", ""),
}


def is_small_graph(value: Any, *, like: Any = None) -> bool:
    """Whether a value is a small sparse square matrix, of zeros and ones when it is not only shaped `like` another."""
    if not sp.issparse(value) or value.shape[0] != value.shape[1] or value.shape[0] > LARGEST:
        return False
    return value.shape == like.shape if like is not None else bool(np.isin(value.data, [0, 1]).all())


def edges(got: np.ndarray, expected: np.ndarray) -> dict[str, list[tuple[int, int]]]:
    """Edges by how they did: right, missing, too many. A pair without direction stands once."""
    directed = (expected != expected.T).any() or ((got != 0) != (got != 0).T).any()
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in STYLES}
    for i, j in zip(*np.nonzero((got != 0) | (expected != 0)), strict=True):
        if directed or i <= j:
            name = "missing" if not got[i, j] else "right" if expected[i, j] else "too many"
            found[name].append((int(i), int(j)))
    return found


def in_words(got: np.ndarray, expected: np.ndarray) -> str:
    """What is missing and what is too many, such as "missing 0-3; too many 1-1"."""
    found = edges(got, expected)
    arrow = ">" if (expected != expected.T).any() or ((got != 0) != (got != 0).T).any() else "-"
    said = [
        f"{name} {', '.join(f'{i}{arrow}{j}' for i, j in found[name])}"
        for name in ("missing", "too many")
        if found[name]
    ]
    return "; ".join(said)


def beside(got: np.ndarray, expected: np.ndarray) -> str:
    """Draw both graphs over each other as SVG, edges by how they did; empty when no edge differs."""
    said = in_words(got, expected)
    if not said:
        return ""
    n = len(got)
    angle = 2 * np.pi * np.arange(n) / n - np.pi / 2
    x, y = 130 + 90 * np.cos(angle), 120 + 90 * np.sin(angle)
    lines = []
    for name, pairs in edges(got, expected).items():
        color, dashes = STYLES[name]
        style = f'stroke="{color}" stroke-width="2.5" fill="none"{dashes}'
        for i, j in pairs:
            if i == j:
                cx, cy = 130 + 112 * np.cos(angle[i]), 120 + 112 * np.sin(angle[i])
                lines.append(f'<circle cx="{cx:.0f}" cy="{cy:.0f}" r="11" {style}/>')
            else:
                lines.append(f'<path d="M{x[i]:.0f} {y[i]:.0f} L{x[j]:.0f} {y[j]:.0f}" {style}/>')
    nodes = "".join(
        f'<circle cx="{a:.0f}" cy="{b:.0f}" r="11" fill="white" stroke="black"/>'
        f'<text x="{a:.0f}" y="{b + 4:.0f}" text-anchor="middle" fill="black">{i}</text>'
        for i, (a, b) in enumerate(zip(x, y, strict=True))
    )
    key = "".join(
        f'<path d="M280 {60 + 30 * k} h40" stroke="{color}" stroke-width="2.5"{dashes}/>'
        f'<text x="330" y="{64 + 30 * k}" fill="currentColor">{name}</text>'
        for k, (name, (color, dashes)) in enumerate(STYLES.items())
    )
    return (
        f'<svg role="img" aria-label="{html.escape(f"Your graph over the expected one: {said}")}" width="420" '
        f'height="240" viewBox="0 0 420 240" font-size="12" font-family="sans-serif">{"".join(lines)}{nodes}{key}</svg>'
    )
