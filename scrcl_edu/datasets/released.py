"""The authors' released predictions and embeddings, by seed, and the labels in the same order of cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scrcl_edu.datasets import download, registry
from scrcl_edu.datasets.reading import explaining
from scrcl_edu.errors import DataError, InputFileError


def released(name: str, *, cache: str | Path | None = None, progress: bool = True) -> dict[int, np.ndarray]:
    """The clusters that the authors of scRCL released for a dataset.

    Parameters
    ----------
    name
        A dataset of the paper.
    cache, progress
        As in :func:`load`.

    Returns
    -------
    Integer clusters of shape (n_cells,) by seed (5, 15, 25, 35, 45); the spatial sets have one run, under key 0.
    The cells are in the order that the card's `row_order` describes, which says whether :func:`load` gives the same.

    Raises
    ------
    DataError
        When the dataset is unknown, or nothing was released for it.
    DownloadError, InputFileError
        When the file cannot be had, or is damaged.
    """
    return {seed: values.ravel().astype(int) for seed, values in _by_seed(name, "pred_label", cache, progress).items()}


def released_embeddings(name: str, *, cache: str | Path | None = None, progress: bool = True) -> dict[int, np.ndarray]:
    """The embeddings Z = [z1, z2] that the authors released, each (n_cells, 2 out_dim); else as :func:`released`."""
    return _by_seed(name, "emb", cache, progress)


def _by_seed(name: str, kind: str, cache: str | Path | None, progress: bool) -> dict[int, np.ndarray]:
    from scipy.io import loadmat

    card = registry.card(name)
    file = next((f for f in card.released if Path(f.name).name.startswith(kind)), None)
    if file is None:
        having = ", ".join(c.name for c in registry.cards().values() if c.released)
        raise DataError(f"the authors released nothing for {card.name}; there are results for {having}")
    path = download.fetch(file, cache=cache, progress=progress)
    with explaining(path):
        content = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    by_seed = {int(k) if k.isdigit() else 0: v for k, v in content.items()}
    for seed, values in by_seed.items():
        n_cells = values.size if kind == "pred_label" else len(values)
        if values.dtype.kind not in "iuf" or n_cells != card.cells:
            raise InputFileError(
                f"{path}: seed {seed} has {n_cells} rows of {values.dtype}, but {card.name} has {card.cells} cells; "
                "delete the file and load again"
            )
    return by_seed
