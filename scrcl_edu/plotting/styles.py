"""One color and one marker for each group of cells: the same type looks the same in every figure of the course."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# Okabe and Ito's colors, told apart with every common kind of color vision; yellow is last, being faint on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#F0E442")
# Petroff's ten colors (Accessible color sequences for data visualization, 2021), for up to ten groups at once.
TEN = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
# The types of the course's blood cells. Kin have neighboring hues: T cells cool, those that present antigens warm.
BLOOD = {
    "CD14+ Monocyte": 1,
    "Dendritic": 6,
    "CD19+ B": 2,
    "CD34+": 5,
    "CD56+ NK": 4,
    "CD8+ Cytotoxic T": 0,
    "CD8+/CD45RA+ Naive Cytotoxic": 9,
    "CD4+/CD45RA+/CD25- Naive T": 7,
    "CD4+/CD45RO+ Memory": 8,
    "CD4+/CD25 T Reg": 3,
}


def group_style(number: int) -> dict[str, str]:
    """Color and marker of a group: the two together are different for the first hundred, neighbors differ in both."""
    return {"color": TEN[number % 10], "marker": MARKERS[(number + number // 10) % 10]}


def type_styles(labels: Sequence[Any] | np.ndarray) -> dict[str, dict[str, str]]:
    """Color and marker of each type of cells, by name.

    Parameters
    ----------
    labels
        One for each cell, or the names of the types.

    Returns
    -------
    For each name its ``color`` and ``marker``: those of the course's blood cells always the same, others in the order
    of their names.
    """
    names = sorted(set(np.asarray(labels).astype(str)))
    known = set(names) <= BLOOD.keys()
    return {name: group_style(BLOOD[name] if known else number) for number, name in enumerate(names)}


def type_colors(labels: Sequence[Any] | np.ndarray) -> dict[str, str]:
    """Color of each type of cells, by name; see :func:`type_styles`."""
    return {name: style["color"] for name, style in type_styles(labels).items()}


def cluster_styles(clusters: Sequence[Any], labels: Sequence[Any]) -> dict[str, dict[str, str]]:
    """Styles of clusters: each has the color of the type that most of its cells are, and a marker of its own.

    Parameters
    ----------
    clusters, labels
        One for each cell. The labels choose colors and nothing else.

    Returns
    -------
    For each cluster its ``color`` and ``marker``.
    """
    found, known = np.asarray(clusters).astype(str), np.asarray(labels).astype(str)
    colors = type_colors(known)
    styles = {}
    for number, name in enumerate(sorted(set(found), key=_natural)):
        types, counts = np.unique(known[found == name], return_counts=True)
        styles[name] = {"color": colors[types[counts.argmax()]], "marker": MARKERS[number % len(MARKERS)]}
    return styles


def _natural(name: str) -> tuple[bool, int, str]:
    """Numbers by size, other names by letters."""
    return (not name.isdigit(), int(name) if name.isdigit() else 0, name)
