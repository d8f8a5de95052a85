"""Every figure takes its text along, is sharp on dense screens, and has letters that can be read."""

from __future__ import annotations

import base64
import io
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.plotting.styles import PALETTE, type_styles

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 160  # dots; shown at half of that, so that it is sharp on dense screens
SHOWN = 80
SMALLEST = 8.0  # points


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
        When the text is empty, or letters in the figure are smaller than 8 points.
    """
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise SettingsError("alt is empty; say in one sentence what the figure shows")
    figure = plt.gcf() if figure is None else figure
    _legible(figure)
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(f"Figure: {alt}")
    else:
        from IPython.display import display

        image, width, height = _png(figure)
        data = {"image/png": base64.b64encode(image).decode(), "text/plain": f"Figure: {alt}"}
        display(data, raw=True, metadata={"image/png": {"alt": alt, "width": width, "height": height}})
    # Closed figures are not drawn a second time when the cell ends.
    plt.close(figure)


def _legible(figure: Figure) -> None:
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        size = float(text.get_fontsize())
        if text.get_visible() and text.get_text().strip() and size < SMALLEST - 1e-6:
            raise SettingsError(f"{text.get_text()!r} is written in {size:g} points; use at least {SMALLEST:g}")


def _png(figure: Figure) -> tuple[bytes, int, int]:
    """The figure in up to 256 colors, which makes it a third of the size, and the size at which it is shown."""
    from PIL import Image

    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", dpi=DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    image = Image.open(full).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue(), image.width * SHOWN // DPI, image.height * SHOWN // DPI


def umap(values: np.ndarray, *, n_neighbors: int = 15, seed: int = 0) -> np.ndarray:
    """Coordinates for the field's usual picture of cells: near cells stay near, distances between islands mean little.

    Parameters
    ----------
    values
        Shape (n_cells, n_features); compared by the cosine.
    n_neighbors
        Of each cell.
    seed
        Of the layout.

    Returns
    -------
    Shape (n_cells, 2). The first call takes some seconds, in which it is compiled.
    """
    from umap import UMAP

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")
        warnings.filterwarnings("ignore", message=".*n_neighbors is larger")
        return UMAP(n_neighbors=n_neighbors, metric="cosine", random_state=seed).fit_transform(np.asarray(values))


def embedding(
    values: AnnData | np.ndarray,
    groups: str | Sequence[Any],
    *,
    basis: str = "X_scrcl",
    title: str = "",
    axes: Axes | None = None,
    names: bool = True,
    styles: Mapping[str, Mapping[str, str]] | None = None,
) -> Figure:
    """Draw cells in two dimensions, colored by group, each group's name near its cells.

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
    styles
        Color and marker by name of a group, such as those of :func:`~scrcl_edu.plotting.cluster_styles`; those of
        types when not given.

    Returns
    -------
    The figure.

    Raises
    ------
    DataError
        When there are not as many groups as cells.
    """
    if not isinstance(values, np.ndarray) and hasattr(values, "obsm"):
        groups = values.obs[groups] if isinstance(groups, str) else groups
        values = values.obsm[basis]
    figure, axes = _axes(axes)
    points = _two_columns(np.asarray(values, dtype=float))
    _scatter(axes, points, np.asarray(groups).astype(str), names=names, styles=styles)
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
    styles: Mapping[str, Mapping[str, str]] | None = None,
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
    styles
        As in :func:`embedding`.

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
    points, names = np.asarray(coordinates, dtype=float)[:, :2], np.asarray(groups).astype(str)
    _scatter(axes, points, names, names=False, size=size, styles=styles)
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


def losses(history: Mapping[str, Sequence[float] | np.ndarray], *, title: str = "", axes: Axes | None = None) -> Figure:
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
        return cast("Figure", axes.figure), axes
    return plt.subplots(figsize=size, layout="constrained")


def _two_columns(values: np.ndarray) -> np.ndarray:
    if values.shape[1] <= 2:
        return values
    centered = values - values.mean(axis=0)
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    points = centered @ directions[:2].T
    # Singular vectors have no sign; with the longer tails to the right and up, pictures of two runs can be compared.
    return points * np.where((points**3).sum(axis=0) < 0, -1, 1)


def _scatter(
    axes: Axes,
    points: np.ndarray,
    groups: np.ndarray,
    *,
    names: bool,
    size: float = 14.0,
    styles: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    _same_length(len(points), len(groups))
    styles = styles or type_styles(groups)
    for name in np.unique(groups):
        mine = points[groups == name]
        axes.scatter(mine[:, 0], mine[:, 1], s=size, linewidths=0, alpha=0.8, label=name, **styles[name])
    if names:
        _write_names(axes, points, groups)
    else:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=1.5, fontsize=SMALLEST)


def _write_names(axes: Axes, points: np.ndarray, groups: np.ndarray) -> None:
    """Each group's name near its median, moved until no name lies on another; a line leads to where it belongs."""
    from adjustText import adjust_text
    from matplotlib import patheffects

    names = np.unique(groups)
    centers = np.array([_most_central(points[groups == name]) for name in names])
    places = zip(names, centers, strict=True)
    texts = [axes.text(x, y, name, ha="center", va="center", fontsize=SMALLEST) for name, (x, y) in places]
    for text in texts:
        text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white")])
    adjust_text(
        texts, *centers.T, ax=axes, expand=(1.05, 1.15), force_explode=(0.05, 0.1), max_move=None, iter_lim=200,
        arrowprops={"arrowstyle": "-", "color": "#55555c", "lw": 0.7},
    )  # fmt: skip


def _most_central(points: np.ndarray) -> np.ndarray:
    """The cell nearest to the median: a group of two islands has its median in the sea."""
    return points[((points - np.median(points, axis=0)) ** 2).sum(axis=1).argmin()]


def _same_length(n_cells: int, n_groups: int) -> None:
    if n_cells != n_groups:
        raise DataError(f"there are {n_cells} cells but {n_groups} groups; give one group for each cell")
