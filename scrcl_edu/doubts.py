"""What to doubt in a fit, in numbers and in words: batches, the number of clusters, coordinates that were not used.

Nothing here changes a result, and no column is looked at but the batches'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.clustering import plausible_n_clusters
from scrcl_edu.errors import DataError
from scrcl_edu.graphs import homophily

if TYPE_CHECKING:
    import scipy.sparse as sp
    from anndata import AnnData

BATCH_NAMES = frozenset(
    "batch sample sample_id donor donor_id patient individual subject library library_id replicate plate lane run chip "
    "slice section experiment orig.ident".split()
)
AGREES = 0.1  # adjusted mutual information from which clusters and batches are said to agree
OF_ONE_BATCH = 0.9


def check_column(adata: AnnData, column: str | None, what: str, *, ours: str | None = None) -> None:
    """Raise DataError unless `obs` has the column, or none was asked for; `ours` is where clusters will be written."""
    if column is not None and column not in adata.obs:
        there = ", ".join(map(str, adata.obs.columns)) or "none"
        raise DataError(f"{what}: there is no column {column!r} in obs; the columns are: {there}")
    if column is not None and column == ours:
        raise DataError(f"{what}: column {column!r} is where the clusters are written; rename the column of labels")


def batch_columns(adata: AnnData) -> list[str]:
    """Columns of `obs` that are named as batches are, and hold from two to half as many values as there are cells."""
    named = [c for c in adata.obs if str(c).casefold() in BATCH_NAMES]
    return [c for c in named if 2 <= adata.obs[c].nunique() <= adata.n_obs / 2]


def batch_agreement(batches: np.ndarray, clusters: np.ndarray, cell_graph: sp.csr_matrix) -> dict[str, Any]:
    """How far clusters and batches say the same.

    Parameters
    ----------
    batches, clusters
        One per cell, any type, shape (n_cells,).
    cell_graph
        Symmetric, shape (n_cells, n_cells).

    Returns
    -------
    - ``ami``: adjusted mutual information of clusters and batches; 0 by chance, 1 if they are the same.
    - ``ari``: adjusted Rand index, 0 by chance, 1 if they are the same.
    - ``neighbors``, ``neighbors_by_chance``: share of the graph's edges within a batch, and what it would be if edges
      did not know batches: sum of the squared shares of the batches.
    - ``of_one_batch``: clusters of which nine tenths of the cells, or more, come from one batch.
    """
    import pandas as pd
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    batches, clusters = np.asarray(batches).astype(str), np.asarray(clusters).astype(str)
    table = pd.crosstab(clusters, batches)
    share = table.to_numpy().sum(axis=0) / len(batches)
    purity = table.max(axis=1) / table.sum(axis=1)
    return {
        "ami": float(adjusted_mutual_info_score(batches, clusters)),
        "ari": float(adjusted_rand_score(batches, clusters)),
        "neighbors": homophily(cell_graph, batches),
        "neighbors_by_chance": float((share**2).sum()),
        "of_one_batch": [str(name) for name in table.index[purity >= OF_ONE_BATCH]],
    }


def doubts(
    adata: AnnData, key: str = "scrcl", *, cell_graph: str = "cell_graph", batch: str | None = None
) -> list[str]:
    """What a fit's owner should know before believing it.

    Parameters
    ----------
    adata
        After a fit under `key`. What was found is added to ``uns[key]``: `batches` (see :func:`batch_agreement`) and,
        when K was estimated, `n_clusters_range`.
    key, cell_graph
        Names of the result and of its graph in `obsp`.
    batch
        Column of batches. When none is given, columns that are named as batches are looked at, and told only when
        clusters agree with them.

    Returns
    -------
    Sentences; empty when there is nothing to say.
    """
    facts, graph = adata.uns[key], adata.obsp[cell_graph]
    clusters = adata.obs[key].to_numpy()
    notes = []
    if (found := len(np.unique(clusters))) < facts["n_clusters"]:
        notes.append(f"{facts['n_clusters']} clusters were asked for and {found} found: the others would be empty")
    if facts["n_clusters_from"] != "given":
        low, high = plausible_n_clusters(graph, seed=facts["seed"])
        facts["n_clusters_range"] = [low, high]
        notes.append(
            f"K {facts['n_clusters']} is an estimate; over parts of the cells and resolutions from 0.7 to 1.4 it "
            f"{'stays' if low == high else f'goes from {low} to {high}'}. Look at the markers, and set it if you know "
            "better (--n-clusters, n_clusters=)"
        )
    if "spatial" in adata.obsm and facts["recipe"]["task"] != "spatial":
        notes.append("coordinates in obsm['spatial'] were not used; for a tissue section add --spatial (spatial=True)")
    if "spatial" in adata.obsm and facts["recipe"]["task"] == "spatial":
        places = np.asarray(adata.obsm["spatial"])
        if shared := len(places) - len(np.unique(places, axis=0)):
            notes.append(
                f"{shared} spots are where another is: spots of several slices were taken for neighbors, if there are "
                "several; shift their coordinates apart, or fit one at a time"
            )
    measured = {c: batch_agreement(adata.obs[c], clusters, graph) for c in ([batch] if batch else batch_columns(adata))}
    facts["batches"] = measured
    return notes + [_about(c, found) for c, found in measured.items() if batch or found["ami"] >= AGREES]


def _about(column: str, found: dict[str, Any]) -> str:
    agree = found["ami"] >= AGREES
    said = f"clusters {'agree' if agree else 'do not agree'} with obs[{column!r}] (AMI {found['ami']:.2f}, ARI "
    said += f"{found['ari']:.2f}; 0 is chance, 1 the same), {found['neighbors']:.0%} of neighbors are of one batch "
    said += f"({found['neighbors_by_chance']:.0%} by chance)"
    if not agree:
        return said
    if found["of_one_batch"]:
        said += f"; of one batch alone: {', '.join(found['of_one_batch'])}"
    return said + (
        ". If types should not differ between batches, integrate first (Harmony, scVI), or fit each batch and compare"
    )
