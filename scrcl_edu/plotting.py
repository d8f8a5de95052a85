"""The course's figures: readable without color vision, and with a text for those who do not see them.

Groups differ by color and by marker, and carry their names where there is room.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.errors import DataError, SettingsError

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colors, told apart with every common kind of color vision; yellow is last, being faint on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def show(figure: Figure | None = None, *, alt: str) -> None:
    """Display a figure once, with its text in the output's metadata, and close it.

    Parameters
    ----------
    figure
        A matplotlib figure; the current one when not given.
    alt
        What the figure shows, in one or two sentences, for those who do not see it.

    Raises
    ------
    SettingsError
        When the text is empty.
    """
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise SettingsError("alt is empty; say in one sentence what the figure shows")
    figure = plt.gcf() if figure is None else figure
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(f"Figure: {alt}")
    else:
        from IPython.display import display

        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=90, bbox_inches="tight", metadata={"Software": None})
        data = {"image/png": base64.b64encode(buffer.getvalue()).decode(), "text/plain": f"Figure: {alt}"}
        display(data, raw=True, metadata={"image/png": {"alt": alt}})
    # Closed figures are not drawn a second time when the cell ends.
    plt.close(figure)


def group_style(number: int) -> dict[str, str]:
    """Color and marker of a group: the two together are different for the first 56, neighbors differ in both."""
    return {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}


def embedding(
    values: AnnData | np.ndarray,
    groups: str | Sequence[Any],
    *,
    basis: str = "X_scrcl",
    title: str = "",
    axes: Axes | None = None,
    names: bool = True,
) -> Figure:
    """Draw cells in two dimensions, colored by group, each group's name at its median.

    Parameters
    ----------
    values
        Coordinates, shape (n_cells, 2), or AnnData with them in ``obsm[basis]``. Of more than two columns the first
        two principal components are drawn.
    groups
        One per cell, or the name of a column of ``adata.obs``.
    basis
        Key of ``adata.obsm``.
    title
        Above the axes.
    axes
        Where to draw; a new figure when not given.
    names
        Whether to write the groups' names into the picture; when not, a legend has them.

    Returns
    -------
    The figure.

    Raises
    ------
    DataError
        When there are not as many groups as cells.
    """
    if hasattr(values, "obsm"):
        groups = values.obs[groups] if isinstance(groups, str) else groups
        values = values.obsm[basis]
    figure, axes = _axes(axes)
    _scatter(axes, _two_columns(np.asarray(values, dtype=float)), np.asarray(groups).astype(str), names=names)
    axes.set(title=title, xticks=[], yticks=[])
    return figure


def spatial(
    coordinates: np.ndarray,
    groups: Sequence[Any],
    *,
    image: np.ndarray | None = None,
    title: str = "",
    axes: Axes | None = None,
    size: float = 12.0,
) -> Figure:
    """Draw spots where they lie in the tissue, colored by group, over the image when there is one.

    Parameters
    ----------
    coordinates
        Shape (n_cells, 2), in the image's pixels when there is an image.
    groups
        One per spot.
    image
        Shape (height, width, 3) or (height, width).
    title, axes
        As in :func:`embedding`.
    size
        Area of a spot, in points squared.

    Returns
    -------
    The figure.

    Raises
    ------
    DataError
        When there are not as many groups as spots.
    """
    figure, axes = _axes(axes)
    if image is not None:
        axes.imshow(image, cmap="gray" if np.ndim(image) == 2 else None)
    _scatter(axes, np.asarray(coordinates, dtype=float)[:, :2], np.asarray(groups).astype(str), names=False, size=size)
    if image is None:
        axes.invert_yaxis()
    axes.set(title=title, xticks=[], yticks=[], aspect="equal")
    return figure


def confusion(labels: Sequence[Any], clusters: Sequence[Any], *, title: str = "", axes: Axes | None = None) -> Figure:
    """Draw how many cells of each class fell into each cluster, the columns sorted so that matches lie on the diagonal.

    Parameters
    ----------
    labels
        True classes, one per cell.
    clusters
        Predicted clusters, one per cell.
    title, axes
        As in :func:`embedding`.

    Returns
    -------
    The figure; colors show the share of a class, numbers count cells.
    """
    from scipy.optimize import linear_sum_assignment

    classes, row = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    found, column = np.unique(np.asarray(clusters).astype(str), return_inverse=True)
    _same_length(len(row), len(column))
    table = np.zeros((len(classes), len(found)), dtype=int)
    np.add.at(table, (row, column), 1)
    matched = linear_sum_assignment(-table)[1]
    order = [*matched, *(j for j in range(len(found)) if j not in matched)]
    figure, axes = _axes(axes, size=(1.6 + 0.5 * len(found), 1.2 + 0.4 * len(classes)))
    share = table[:, order] / table.sum(axis=1, keepdims=True)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), count in np.ndenumerate(table[:, order]):
        if count:
            # Up to this shade black has the better contrast.
            color = "white" if share[i, j] > 0.715 else "black"
            axes.text(j, i, count, ha="center", va="center", color=color, fontsize=8)
    axes.set_xticks(range(len(found)), found[order])
    axes.set_yticks(range(len(classes)), classes)
    axes.set(title=title, xlabel="cluster", ylabel="class")
    return figure


def losses(history: Mapping[str, Sequence[float]], *, title: str = "", axes: Axes | None = None) -> Figure:
    """Draw each loss by epoch, with a line style of its own, as a share of its first value.

    Parameters
    ----------
    history
        One sequence for each loss, equally long; a pandas DataFrame will do.
    title, axes
        As in :func:`embedding`.

    Returns
    -------
    The figure.
    """
    figure, axes = _axes(axes)
    for number, name in enumerate(history):
        values = np.asarray(history[name], dtype=float)
        style = ("-", "--", "-.", ":")[number % 4]
        start = values[0] if values.size and values[0] else 1.0
        axes.plot(
            np.arange(1, len(values) + 1), values / start, style, color=PALETTE[number % len(PALETTE)], label=name
        )
    axes.set(title=title, xlabel="epoch", ylabel="loss, as a share of the first")
    axes.legend(frameon=False)
    return figure


def _axes(axes: Axes | None, size: tuple[float, float] = (5.5, 4.2)) -> tuple[Figure, Axes]:
    import matplotlib.pyplot as plt

    if axes is not None:
        return axes.figure, axes
    return plt.subplots(figsize=size, layout="constrained")


def _two_columns(values: np.ndarray) -> np.ndarray:
    if values.shape[1] <= 2:
        return values
    centered = values - values.mean(axis=0)
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    points = centered @ directions[:2].T
    # Singular vectors have no sign; with the longer tails to the right and up, pictures of two runs can be compared.
    return points * np.where((points**3).sum(axis=0) < 0, -1, 1)


def _scatter(axes: Axes, points: np.ndarray, groups: np.ndarray, *, names: bool, size: float = 14.0) -> None:
    from matplotlib import patheffects

    _same_length(len(points), len(groups))
    for number, name in enumerate(np.unique(groups)):
        mine = points[groups == name]
        axes.scatter(*mine.T, s=size, linewidths=0, alpha=0.8, label=name, **group_style(number))
        if names:
            text = axes.text(*np.median(mine, axis=0), name, ha="center", va="center", fontsize=8)
            text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white")])
    if not names:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=1.5, fontsize=8)


def _same_length(n_cells: int, n_groups: int) -> None:
    if n_cells != n_groups:
        raise DataError(f"there are {n_cells} cells but {n_groups} groups; give one group for each cell")
