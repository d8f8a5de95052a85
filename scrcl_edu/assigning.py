"""New cells for old clusters: the vote of the nearest fitted cells.

A fitted model cannot take new cells, because its gene encoder has weights for each cell; their neighbors can speak for
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.preprocessing import preprocess
from scrcl_edu.saving import check_fit, genes_of

if TYPE_CHECKING:
    from anndata import AnnData

FEWEST_SHARED = 0.5  # of the genes that the fit used
_SAMPLE = 1000  # fitted cells whose own distances say what is far


def assign(
    adata: AnnData,
    fitted: AnnData,
    *,
    key: str = "scrcl",
    n_neighbors: int = 15,
    already_logged: bool = False,
    copy: bool = False,
) -> AnnData:
    """Give new cells the clusters of their nearest cells in a fit: cosine distance of the log values of its genes.

    Parameters
    ----------
    adata
        New cells, counts as in :func:`scrcl_edu.fit`, genes named as in `fitted`.
    fitted
        After a fit under `key`.
    key
        Name of the fit's result, and of the new column.
    n_neighbors
        How many fitted cells vote.
    already_logged
        `X` of the new cells holds log-normalized values.
    copy
        Work on a copy; otherwise `adata` is changed as a fit does it.

    Returns
    -------
    The AnnData with `obs[key]`, the cluster; `obs[key + "_share"]`, the share of the neighbors that have it; and
    `obs[key + "_far"]`: whether the cell is farther from its nearest fitted cells than 99 % of these are from each
    other. Far cells may be of a type that the fit has not seen: their cluster means nothing.

    Raises
    ------
    DataError
        When there is no fit, fewer than half of its genes are there, or the counts cannot be used.
    SettingsError
        When `n_neighbors` is not between 1 and the number of fitted cells.

    Examples
    --------
    >>> import scrcl_edu
    >>> cells = scrcl_edu.datasets.simulate(250, 100, 3, genes_per_program=15, seed=0)
    >>> old, new = cells[:200].copy(), cells[200:].copy()
    >>> new = scrcl_edu.assign(new, scrcl_edu.fit(old, n_clusters=3, epochs=5))
    >>> set(new.obs["scrcl"]) <= set(old.obs["scrcl"])
    True
    """
    import pandas as pd
    from sklearn.neighbors import NearestNeighbors

    check_fit(fitted, key, "the fitted data")
    if not 1 <= n_neighbors < fitted.n_obs:
        raise SettingsError(f"n_neighbors is {n_neighbors}; choose 1 to {fitted.n_obs - 1}, usually 15")
    used = fitted.var_names[genes_of(fitted, key)]
    adata = adata.copy() if copy else adata
    preprocess(adata, already_logged=already_logged)
    genes = used.intersection(adata.var_names)
    if len(genes) < FEWEST_SHARED * len(used):
        raise DataError(
            f"{len(genes)} of the {len(used)} genes that the fit used have counts in the new cells; "
            "are the genes of both named alike (symbols or identifiers)?"
        )
    old, new = fitted[:, genes].X, adata[:, genes].X
    search = NearestNeighbors(n_neighbors=n_neighbors, metric="cosine", algorithm="brute").fit(old)
    distances, neighbors = search.kneighbors(new)  # both (n_new, n_neighbors)
    names = fitted.obs[key].cat.categories
    votes = np.stack([(fitted.obs[key].cat.codes.to_numpy()[neighbors] == c).mean(axis=1) for c in range(len(names))])
    adata.obs[key] = pd.Categorical(names[votes.argmax(axis=0)], categories=names)
    adata.obs[f"{key}_share"] = votes.max(axis=0)
    sample = np.random.default_rng(0).permutation(fitted.n_obs)[:_SAMPLE]
    own, _ = search.kneighbors(old[sample], n_neighbors=n_neighbors + 1)
    adata.obs[f"{key}_far"] = distances.mean(axis=1) > np.quantile(own[:, 1:].mean(axis=1), 0.99)
    return adata
