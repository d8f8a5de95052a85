"""The gene programs of a fitted model, and whether they mean anything. Lesson 09 builds this module.

A gene program is a column of the refined gene matrix P (n_genes, out_dim); a cell's entry of z in that column says how
much the model makes the cell of it. The paper's story is that programs are the biology of the cells that use them.
Nothing in the losses asks for that, so everything here returns numbers that can contradict it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.interpretation.markers import (
    cluster_means,
    embedding_of,
    fit_of,
    groups_of,
    log_values_of,
    standardized_expression,
    wilcoxon,
)

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure


class GenePrograms(NamedTuple):
    """The programs of a fitted model.

    Attributes
    ----------
    genes
        The leading genes: columns program, rank, gene, loading.
    usage
        Mean of z (both views) over the cells of a cluster minus the mean over all cells, clusters x programs.
    expression
        Standardized log expression weighted by the loadings, mean per cluster, clusters x programs.
    summary
        By program: `n_genes` with a loading above 0; `abundance`, the rank correlation of loading and mean expression
        (near 1, the program lists what is abundant); `shared`, the share of its leading genes that lead another program
        too; `follows_expression`, the correlation over cells of z and the expression of the program (near 1, a cell
        uses the program when it expresses its genes). NaN where a program has no gene.
    """

    genes: pd.DataFrame
    usage: pd.DataFrame
    expression: pd.DataFrame
    summary: pd.DataFrame


def program_loadings(adata: AnnData, key: str = "scrcl_programs") -> pd.DataFrame:
    """Loading of each gene that the model saw in each program, genes x programs, >= 0.

    Raises
    ------
    DataError
        When ``varm[key]`` is missing.
    """
    if key not in adata.varm:
        raise DataError(f"varm[{key!r}] is missing; fit a model first (scrcl_edu.fit writes it)")
    programs = np.asarray(adata.varm[key], dtype=float)
    seen = np.isfinite(programs).all(axis=1)
    if "highly_variable" in adata.var and key.removesuffix("_programs") not in adata.uns:  # a fit marks its own genes
        seen &= adata.var["highly_variable"].to_numpy(dtype=bool)
    names = [f"program_{p}" for p in range(programs.shape[1])]
    return pd.DataFrame(programs[seen], index=adata.var_names[seen], columns=names)


def gene_programs(adata: AnnData, groupby: str = "scrcl", *, n_genes: int = 20, key: str | None = None) -> GenePrograms:
    """The genes of each program, the programs of each cluster, and what speaks against reading them as biology.

    Parameters
    ----------
    adata
        After a fit: ``varm["scrcl_programs"]``, ``obsm["X_scrcl_z"]`` (z of both views), log-normalized `X`, clusters.
    groupby
        Column of clusters.
    n_genes
        Leading genes listed for each program.
    key
        Name of the fit whose programs are meant; when not given, `groupby` if a fit has that name, else "scrcl".

    Returns
    -------
    GenePrograms

    Raises
    ------
    DataError
        When the fit's results are missing or do not fit each other.
    """
    if n_genes < 1:
        raise SettingsError(f"n_genes is {n_genes}; choose at least 1, usually 10 to 50")
    key = fit_of(adata, groupby) if key is None else key
    loadings, groups = program_loadings(adata, f"{key}_programs"), groups_of(adata, groupby)
    z, expressed = _cell_usage(adata, loadings, f"X_{key}_z"), _cell_expression(adata, loadings)
    leading = {program: _leading(loadings[program], n_genes) for program in loadings}
    genes = pd.DataFrame(
        [(p, r, g, loadings.at[g, p]) for p, names in leading.items() for r, g in enumerate(names, start=1)],
        columns=["program", "rank", "gene", "loading"],
    )
    mean = np.asarray(log_values_of(adata)[:, adata.var_names.get_indexer(loadings.index)].mean(axis=0)).ravel()
    others = {p: set().union(*(names for q, names in leading.items() if q != p)) for p in leading}
    summary = pd.DataFrame(
        {
            "n_genes": (loadings > 0).sum(),
            "abundance": [_spearman(loadings[p], mean) for p in loadings],
            "shared": [np.mean([g in others[p] for g in leading[p]]) if leading[p] else np.nan for p in loadings],
            "follows_expression": [_pearson(z[:, p], expressed[:, p]) for p in range(z.shape[1])],
        }
    )
    return GenePrograms(
        genes,
        cluster_means(z, groups, loadings.columns),
        cluster_means(expressed, groups, loadings.columns),
        summary,
    )


def gene_set_agreement(
    loadings: pd.DataFrame, gene_sets: Mapping[str, Sequence[str]], *, n_genes: int | None = None
) -> pd.DataFrame:
    """Compare programs with sets of genes: the truth of a simulation, known markers, or differential expression.

    Parameters
    ----------
    loadings
        Genes x programs, from :func:`program_loadings` or any other method.
    gene_sets
        Genes by name; genes without a loading are left out.
    n_genes
        Leading genes of a program that are compared; None takes as many as the set has.

    Returns
    -------
    A row for each set and program: gene_set, program, size, n_overlap, expected (overlap by chance), jaccard,
    p_adjusted (hypergeometric, Benjamini-Hochberg over the table) and auroc (the probability that a gene of the set has
    a larger loading than another gene; 0.5 by chance).

    Raises
    ------
    DataError
        When a set has no gene with a loading, or has all of them.
    """
    rows = []
    for name, genes in gene_sets.items():
        inside = loadings.index.isin(list(genes))
        size = int(inside.sum())
        if not 0 < size < len(loadings):
            raise DataError(
                f"gene set {name!r} has {size} of the {len(loadings)} genes with a loading; give some, not all"
            )
        for program in loadings:
            leading = _leading(loadings[program], n_genes or size)
            overlap = int(loadings.index[inside].isin(leading).sum())
            p_value = stats.hypergeom.sf(overlap - 1, len(loadings), size, len(leading)) if leading else 1.0
            ranks = stats.rankdata(loadings[program])
            auroc = (ranks[inside].sum() - size * (size + 1) / 2) / (size * (len(loadings) - size))
            expected = size * len(leading) / len(loadings)
            rows.append(
                (name, program, size, overlap, expected, overlap / (size + len(leading) - overlap), p_value, auroc)
            )
    columns = ["gene_set", "program", "size", "n_overlap", "expected", "jaccard", "p_adjusted", "auroc"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_adjusted"] = stats.false_discovery_control(table["p_adjusted"].clip(0, 1))
    return table


def program_agreement(
    adata: AnnData, groupby: str = "scrcl", *, n_genes: int = 30, key: str | None = None
) -> pd.DataFrame:
    """Do clusters use the programs whose genes they express? One row for each cluster and program.

    Parameters
    ----------
    adata
        After a fit, as for :func:`gene_programs`.
    groupby
        Column of clusters.
    n_genes
        Genes with the highest Wilcoxon score of a cluster that are compared with a program's leading genes.
    key
        As in :func:`gene_programs`.

    Returns
    -------
    Columns cluster, program, usage and expression (see :class:`GenePrograms`), n_overlap, expected, jaccard,
    p_adjusted and auroc (see :func:`gene_set_agreement`), rank_correlation (of loadings and Wilcoxon scores over all
    genes seen; NaN for a program without genes). :func:`summarize_agreement` condenses it.

    Raises
    ------
    DataError
        When the fit's results are missing or do not fit each other, or every program is empty.
    """
    key = fit_of(adata, groupby) if key is None else key
    loadings, programs = program_loadings(adata, f"{key}_programs"), gene_programs(adata, groupby, key=key)
    if not (loadings > 0).any(axis=None):
        raise DataError("every program is empty (all loadings are 0); fit again with another seed or more programs")
    tested, _ = wilcoxon(adata, groupby)
    scores = tested.pivot(index="gene", columns="cluster", values="score").loc[loadings.index]
    top = {cluster: _leading(scores[cluster], min(n_genes, len(loadings) - 1)) for cluster in scores}
    table = gene_set_agreement(loadings, {c: genes for c, genes in top.items() if genes})
    table = table.drop(columns="size").rename(columns={"gene_set": "cluster"})
    pairs = list(zip(table["cluster"], table["program"], strict=True))
    table.insert(2, "usage", [programs.usage.at[pair] for pair in pairs])
    table.insert(3, "expression", [programs.expression.at[pair] for pair in pairs])
    table["rank_correlation"] = [_spearman(loadings[p], scores[c]) for c, p in pairs]
    return table


def summarize_agreement(agreement: pd.DataFrame, *, n_permutations: int = 2000, seed: int = 0) -> pd.Series:
    """The story in six numbers.

    Parameters
    ----------
    agreement
        From :func:`program_agreement`.
    n_permutations, seed
        Of the test that shuffles which cluster has which usage.

    Returns
    -------
    - ``usage_follows_markers``: correlation of usage and rank correlation over clusters and programs, each program
      centered; 1 if clusters use the programs of their markers, 0 if usage says nothing about genes, below 0 if it is
      the other way round.
    - ``p_value``: share of shuffles that reach it, two-sided.
    - ``same_sign``: share of programs that are used more where their genes are markers; 0.5 by chance.
    - ``most_used_is_best``: share of clusters whose most used program is the one that ranks their markers best.
    - ``by_chance``: 1 / number of programs, what the last would be by chance.
    - ``clusters_with_a_program``: share of clusters whose markers are enriched in some program (p_adjusted < 0.05).
    """
    usage, ranks = _table(agreement, "usage"), _table(agreement, "rank_correlation").dropna(axis=1)
    usage = (usage - usage.mean())[ranks.columns].to_numpy()
    centered = (ranks - ranks.mean()).to_numpy()
    rng = np.random.default_rng(seed)
    observed = _pearson(usage.ravel(), centered.ravel())
    shuffled = [_pearson(usage[rng.permutation(len(usage))].ravel(), centered.ravel()) for _ in range(n_permutations)]
    enriched = agreement["p_adjusted"].lt(0.05).groupby(agreement["cluster"]).any()
    return pd.Series(
        {
            "usage_follows_markers": observed,
            "p_value": (1 + np.sum(np.abs(shuffled) >= abs(observed))) / (1 + n_permutations),
            "same_sign": np.mean((usage * centered).sum(axis=0) > 0),
            "most_used_is_best": np.mean(usage.argmax(axis=1) == ranks.to_numpy().argmax(axis=1)),
            "by_chance": 1 / ranks.shape[1],
            "clusters_with_a_program": enriched.mean(),
        }
    )


def agreement_figure(agreement: pd.DataFrame) -> Figure:
    """Usage beside agreement with the markers, clusters x programs: the two panels look alike if the story holds.

    Parameters
    ----------
    agreement
        From :func:`program_agreement`.

    Returns
    -------
    The figure, not shown yet.
    """
    from matplotlib.figure import Figure

    names = {"usage": "Use: mean of z, centered", "rank_correlation": "Genes: correlation with markers, centered"}
    tables = {column: _table(agreement, column).transform(lambda x: x - x.mean()) for column in names}
    n_clusters, n_programs = tables["usage"].shape
    figure = Figure(figsize=(3.5 + 0.7 * n_programs, 1.8 + 0.3 * n_clusters), layout="constrained")
    for axes, (column, table) in zip(figure.subplots(1, 2, sharey=True), tables.items(), strict=True):
        limit = np.nanmax(np.abs(table)) or 1
        image = axes.imshow(table, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
        axes.set_title(names[column], fontsize=10)
        axes.set_xticks(range(n_programs), table.columns.str.removeprefix("program_"))
        axes.set_yticks(range(n_clusters), table.index)
        axes.set_xlabel("program")
        figure.colorbar(image, ax=axes)
    return figure


def _table(agreement: pd.DataFrame, column: str) -> pd.DataFrame:
    """One column as clusters x programs, in the order of the rows (program_10 after program_9)."""
    table = agreement.pivot(index="cluster", columns="program", values=column)
    return table.loc[agreement["cluster"].unique(), agreement["program"].unique()]


def _leading(values: pd.Series, n: int) -> list[str]:
    """Names of the n largest values above 0."""
    return list(values[values > 0].sort_values(ascending=False, kind="stable").index[:n])


def _cell_expression(adata: AnnData, loadings: pd.DataFrame) -> np.ndarray:
    seen = adata.var_names.get_indexer(loadings.index)
    return standardized_expression(log_values_of(adata)[:, seen], loadings.to_numpy())


def _cell_usage(adata: AnnData, loadings: pd.DataFrame, where: str) -> np.ndarray:
    """Mean of z over the two views, (n_cells, n_programs)."""
    z, n_programs = embedding_of(adata, where), loadings.shape[1]
    if z.shape[1] != 2 * n_programs:
        raise DataError(
            f"obsm[{where!r}] has {z.shape[1]} columns but {n_programs} programs need {2 * n_programs} "
            "(z of both views); take both from the same fit"
        )
    return (z[:, :n_programs] + z[:, n_programs:]) / 2


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    return _pearson(stats.rankdata(a), stats.rankdata(b))
