"""A fit that trains nothing: what PCA + k-means and Leiden agree on, left in the form of every fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scrcl_edu import __version__, baselines, evaluation
from scrcl_edu.consensus import consensus
from scrcl_edu.inputs import graph_names

if TYPE_CHECKING:
    from anndata import AnnData

    from scrcl_edu.recipes import Recipe

N_RUNS = 5


def agree(adata: AnnData, settings: Recipe, n_clusters: int | None, *, seed: int = 0, key: str = "scrcl") -> str:
    """Cluster a preprocessed AnnData by the consensus of plain baselines.

    Parameters
    ----------
    adata
        After :func:`~scrcl_edu.preprocessing.preprocess`; gets `obs[key]`, ``obs[key + "_stability"]`` (see
        :func:`~scrcl_edu.consensus.consensus`), the principal components in ``obsm["X_" + key]``, the graph of which
        Leiden finds the communities, and the facts of the fit in ``uns[key]``.
    settings
        Its recipe.
    n_clusters
        K; when it is not given, Leiden at four resolutions says which numbers there may be, and the consensus is cut
        where cells are together in half of the clusterings.
    seed
        Of the runs, see :func:`~scrcl_edu.baselines.for_consensus`.
    key
        Name of the result.

    Returns
    -------
    Name of the cell graph in `obsp`.
    """
    import pandas as pd

    given, cell_key = n_clusters is not None, graph_names(key)[0]
    clusterings = baselines.for_consensus(adata, n_clusters, seed=seed, n_runs=N_RUNS)
    clusters, stability = consensus(clusterings, n_clusters)
    names = [str(c) for c in range(clusters.max() + 1)]
    adata.obs[key] = pd.Categorical(clusters.astype(str), categories=names)
    adata.obs[f"{key}_stability"] = stability
    adata.obsm[f"X_{key}"] = baselines.components(adata, seed=seed)
    adata.obsp[cell_key] = baselines.neighbor_graph(adata, seed=seed)
    facts: dict[str, Any] = {
        "recipe": settings.as_dict(),
        "ran": settings.title,
        "parts": {},
        "history": {},
        "n_clusters": n_clusters if given else len(names),
        "n_clusters_from": "given" if given else "estimated from what clusterings of several K agree on",
        "protocol": "label-free",
        "epochs": 0,
        "best_epoch": 0,
        "seed": seed,
        "device": "cpu",
        "seconds_per_epoch": 0.0,
        "versions": {"scrcl_edu": __version__},
        "stability": {
            "seeds": list(range(N_RUNS * seed, N_RUNS * (seed + 1))),
            "ari": [evaluation.ari(clusters, other) for other in clusterings],
            "clusters": {name: float(stability[clusters == int(name)].mean()) for name in names},
        },
    }
    adata.uns[key] = facts
    return cell_key
