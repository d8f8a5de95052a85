"""Markers of the clusters, and which clusters touch. Lesson 09 builds this module."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.graphs import cell_graph

LARGEST_LOG_VALUE = 25.0  # log1p of 7e10: no count per 10,000 reaches it
PBMC_MARKERS = {
    "B cell": ["CD79A", "CD79B", "MS4A1", "BANK1", "BLK", "FCRLA"],
    "T cell": ["CD3D", "CD3E", "IL32", "LCK", "LAT", "IL7R", "CD27"],
    "NK cell": ["GNLY", "NKG7", "GZMB", "PRF1", "FGFBP2", "CTSW", "CST7"],
    "Monocyte": ["LYZ", "S100A8", "S100A9", "CD14", "FCGR3A", "LST1", "CTSS"],
    "Dendritic cell": ["FCER1A", "CLEC10A", "CPVL", "CST3", "HLA-DQA1"],
    "Plasma cell": ["MZB1", "IGJ", "TNFRSF17", "IGLL5", "FKBP11"],
    "Progenitor": ["CD34", "PRSS57", "EGFL7", "CYTL1", "GATA2"],
}


def marker_genes(
    adata: AnnData,
    groupby: str = "scrcl",
    *,
    n_genes: int = 25,
    min_share_inside: float = 0.25,
    max_share_outside: float = 0.5,
    min_log2_fold: float = 1.0,
    max_p: float = 0.05,
    key_added: str | None = None,
) -> pd.DataFrame:
    """Genes that tell each cluster from all other cells: scanpy's Wilcoxon test, then the usual filters.

    Parameters
    ----------
    adata
        Log-normalized values in `X`, clusters in ``obs[groupby]``.
    groupby
        Column of clusters (or labels).
    n_genes
        At most this many markers for each cluster, best score first.
    min_share_inside, max_share_outside
        A marker is in more than this share of the cluster's cells, and in less than that of the rest.
    min_log2_fold
        The log2 fold change of the mean is above this.
    max_p
        Largest p-value after Benjamini-Hochberg.
    key_added
        Where in `uns` the whole test is kept for ``sc.pl.rank_genes_groups(adata, key=...)``; "scrcl_markers", or of a
        fit with another name that name and "_markers", when not given.

    Returns
    -------
    Columns cluster, rank (from 1), gene, score, log2_fold, p_adjusted, share_inside, share_outside. A cluster without
    markers has no row; a cluster of one cell cannot be tested and is named in a warning.

    Raises
    ------
    DataError
        When `X` is not log-normalized or the clusters cannot be used.
    SettingsError
        When `n_genes` is below 1.

    Notes
    -----
    The clusters were made from the same values that are tested, so the p-values are too small; they rank genes, they do
    not prove that a cluster exists.
    """
    if n_genes < 1:
        raise SettingsError(f"n_genes is {n_genes}; choose at least 1, usually 5 to 50")
    tested, adata.uns[key_added or f"{fit_of(adata, groupby)}_markers"] = wilcoxon(adata, groupby)
    passed = tested[
        (tested["share_inside"] > min_share_inside)
        & (tested["share_outside"] < max_share_outside)
        & (tested["log2_fold"] > min_log2_fold)
        & (tested["p_adjusted"] <= max_p)
    ]
    best = passed.groupby("cluster", observed=True).head(n_genes).reset_index(drop=True)
    best.insert(1, "rank", best.groupby("cluster", observed=True).cumcount() + 1)
    return best


def gene_set_scores(adata: AnnData, gene_sets: Mapping[str, Sequence[str]], groupby: str = "scrcl") -> pd.DataFrame:
    """Mean standardized log expression of each gene set in each cluster: the row's largest entry suggests a name.

    Parameters
    ----------
    adata
        Log-normalized values in `X`.
    gene_sets
        Genes by name of a cell type, such as ``PBMC_MARKERS``. Genes that `adata` lacks are left out.
    groupby
        Column of clusters.

    Returns
    -------
    Clusters x gene sets, in standard deviations over all cells.

    Raises
    ------
    DataError
        When a set has no gene in `adata`.
    """
    weights = np.zeros((adata.n_vars, len(gene_sets)))
    for column, (name, genes) in enumerate(gene_sets.items()):
        present = adata.var_names.get_indexer_for([g for g in genes if g in adata.var_names])
        if not len(present):
            raise DataError(f"none of the genes of {name!r} is in the data ({', '.join(genes)}); check the gene names")
        weights[present, column] = 1
    scores = standardized_expression(log_values_of(adata), weights)
    return cluster_means(scores, groups_of(adata, groupby), list(gene_sets), centered=False)


def paga(adata: AnnData, groupby: str = "scrcl", *, use_rep: str | None = None, n_neighbors: int = 15) -> pd.DataFrame:
    """Which clusters touch: PAGA on the neighbor graph of the embedding.

    Parameters
    ----------
    adata
        Embedding in ``obsm[use_rep]``, clusters in ``obs[groupby]``.
    groupby
        Column of clusters.
    use_rep
        Key of the embedding; what was clustered in the fit that `groupby` belongs to, when not given.
    n_neighbors
        Of the cosine graph, a cell counting itself.

    Returns
    -------
    Connectivity of each pair of clusters, in [0, 1]: edges between them over what random edges would give, clusters x
    clusters. Also written to ``uns["paga"]``, so that ``sc.pl.paga`` draws it.

    Raises
    ------
    DataError
        When the embedding or the clusters are missing or unusable.
    """
    import scanpy as sc

    groups = groups_of(adata, groupby)
    graph = cell_graph(embedding_of(adata, use_rep or f"X_{fit_of(adata, groupby)}"), n_neighbors=n_neighbors)
    small = AnnData(obs=pd.DataFrame({groupby: groups.array}, index=adata.obs_names))
    small.obsp["connectivities"] = small.obsp["distances"] = graph
    small.uns["neighbors"] = {
        "connectivities_key": "connectivities", "distances_key": "distances", "params": {"n_neighbors": n_neighbors}
    }  # fmt: skip
    sc.tl.paga(small, groupby)
    adata.uns["paga"] = small.uns["paga"]
    names = groups.cat.categories
    return pd.DataFrame(small.uns["paga"]["connectivities"].toarray(), index=names, columns=names)


def wilcoxon(adata: AnnData, groupby: str) -> tuple[pd.DataFrame, dict]:
    """Every gene in every cluster, best score first, and scanpy's own record of the test."""
    import scanpy as sc

    light = _light(adata, groupby)
    sizes = light.obs[groupby].value_counts(sort=False)
    tested = list(sizes.index[sizes > 1])
    if not tested:
        raise DataError(f"every group of obs[{groupby!r}] has one cell; a test needs two; choose fewer clusters")
    if len(tested) < len(sizes):
        warnings.warn(f"clusters of one cell are not tested: {', '.join(sizes.index[sizes < 2])}", stacklevel=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        sc.tl.rank_genes_groups(
            light, groupby, groups=tested, method="wilcoxon", tie_correct=True, pts=True, use_raw=False
        )
    names = {
        "group": "cluster", "names": "gene", "scores": "score", "logfoldchanges": "log2_fold",
        "pvals_adj": "p_adjusted", "pct_nz_group": "share_inside", "pct_nz_reference": "share_outside",
    }  # fmt: skip
    tables = {group: sc.get.rank_genes_groups_df(light, group=group) for group in tested}
    table = pd.concat([t.assign(group=group) for group, t in tables.items()], ignore_index=True)
    table["group"] = pd.Categorical(table["group"], categories=sizes.index)
    return table[list(names)].rename(columns=names), light.uns["rank_genes_groups"]


def fit_of(adata: AnnData, groupby: str) -> str:
    """Name of the fit that clusters belong to: their own if a fit has it, else "scrcl"."""
    return groupby if "recipe" in (adata.uns.get(groupby) or {}) else "scrcl"


def groups_of(adata: AnnData, groupby: str) -> pd.Series:
    """The groups as a categorical of strings, at least two, each with a cell."""
    if groupby not in adata.obs:
        raise DataError(f"obs has no column {groupby!r}; it has {', '.join(adata.obs) or 'none'}; fit a model first")
    groups = adata.obs[groupby]
    if groups.isna().any():
        raise DataError(f"{int(groups.isna().sum())} cells have no value in obs[{groupby!r}]; drop them first")
    if not isinstance(groups.dtype, pd.CategoricalDtype):
        groups = groups.astype(str).astype("category")
    groups = groups.cat.remove_unused_categories().cat.rename_categories(str)
    if len(groups.cat.categories) < 2:
        raise DataError(f"obs[{groupby!r}] holds one group; there is nothing to compare it with")
    return groups


def log_values_of(adata: AnnData) -> np.ndarray | sp.csr_matrix:
    """X, once it is certain that it is log-normalized."""
    low, high = adata.X.min(), adata.X.max()
    data = adata.X.data if sp.issparse(adata.X) else adata.X
    if low < 0 or high > LARGEST_LOG_VALUE or (data == np.rint(data)).all():
        kind = "whole numbers" if (data == np.rint(data)).all() else "values"
        raise DataError(
            f"X holds {kind} from {low:.4g} to {high:.4g}: not log-normalized; "
            "run scrcl_edu.preprocessing.preprocess first"
        )
    return adata.X


def embedding_of(adata: AnnData, key: str) -> np.ndarray:
    """The embedding under a key of obsm, (n_cells, width)."""
    if key not in adata.obsm:
        raise DataError(f"obsm[{key!r}] is missing; it has {', '.join(adata.obsm) or 'nothing'}; fit a model first")
    return np.asarray(adata.obsm[key])


def _light(adata: AnnData, groupby: str) -> AnnData:
    """The same values (not copied) with clusters as scanpy wants them, so that the caller's object is not changed."""
    obs = pd.DataFrame({groupby: groups_of(adata, groupby).array}, index=adata.obs_names)
    return AnnData(log_values_of(adata), obs=obs, var=pd.DataFrame(index=adata.var_names))


def standardized_expression(log_values: np.ndarray | sp.csr_matrix, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over genes of the values with mean 0 and deviation 1 per gene; weights (n_genes, n_sets)."""
    mean = np.asarray(log_values.mean(axis=0, dtype=np.float64)).ravel()
    square = np.square(log_values) if isinstance(log_values, np.ndarray) else log_values.multiply(log_values)
    deviation = np.sqrt(np.maximum(np.asarray(square.mean(axis=0, dtype=np.float64)).ravel() - mean**2, 0))
    total = weights.sum(axis=0)
    weights = weights / np.where(total > 0, total, 1) / np.where(deviation > 0, deviation, np.inf)[:, None]
    return np.asarray(log_values @ weights) - mean @ weights


def cluster_means(
    values: np.ndarray, groups: pd.Series, columns: Sequence[str], *, centered: bool = True
) -> pd.DataFrame:
    frame = pd.DataFrame(values - values.mean(axis=0) if centered else values, columns=columns)
    return frame.groupby(groups.to_numpy(), observed=True).mean().reindex(groups.cat.categories)
