"""The blood cells that several explorables show: their values, their types, and how a type looks."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from scrcl_edu.plotting.styles import type_styles


class Cells(NamedTuple):
    """Real cells, ready for graphs.

    Attributes
    ----------
    values
        log-normalized, shape (n_cells, n_genes).
    genes
        Their names.
    labels
        Name of each cell's type; only shown, never used.
    """

    values: np.ndarray
    genes: np.ndarray
    labels: np.ndarray


@cache
def blood() -> Cells:
    """The 700 blood cells of the lessons, preprocessed as lesson 02 does."""
    from scrcl_edu import datasets, preprocessing

    adata = datasets.load("pbmc68k_reduced")
    preprocessing.preprocess(adata)
    labels = adata.obs["label"].to_numpy().astype(str)
    return Cells(adata.X.toarray().astype(float), adata.var_names.to_numpy().astype(str), labels)


def types_of(labels: np.ndarray) -> dict[str, Any]:
    """Entries `types` (name, color and marker of each) and `type_of` (its number for each cell), for the browser."""
    names, numbers = np.unique(labels, return_inverse=True)
    styles = type_styles(labels)
    return {"types": [{"name": str(name), **styles[str(name)]} for name in names], "type_of": numbers.tolist()}


def as_the_lessons(name: str, **changed: Any) -> tuple[Any, Any, np.ndarray]:
    """The blood cells prepared for training by a recipe: the data, the settings, and the features."""
    from scrcl_edu import datasets, preprocessing
    from scrcl_edu.fitting import add_graphs
    from scrcl_edu.recipes import recipe

    settings = recipe(name).with_(**changed)
    adata = datasets.load("pbmc68k_reduced")
    preprocessing.preprocess(adata, n_top_genes=settings.n_top_genes, flavor=settings.hvg_flavor)
    features = preprocessing.encoder_features(adata, settings.features)
    add_graphs(adata, settings, features)
    return adata, settings, features
