"""Lesson 01: empty cells and genes, normalization, and the choice of genes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from scrcl_edu import preprocessing
from scrcl_edu.course.task import Exercise, Mutant


def drop_empty(counts: np.ndarray) -> np.ndarray:
    """Leave out cells without any count and genes without any count.

    Parameters
    ----------
    counts
        Shape (n_cells, n_genes).

    Returns
    -------
    The other rows and columns, in their order.
    """
    from anndata import AnnData

    adata = preprocessing.preprocess(AnnData(counts.astype(np.float32)), copy=True)
    return adata.layers["counts"]


def normalize_log(counts: np.ndarray) -> np.ndarray:
    """Scale each cell to 10,000 counts, then take log(1 + x).

    Parameters
    ----------
    counts
        Shape (n_cells, n_genes); no cell is empty.

    Returns
    -------
    Shape (n_cells, n_genes).
    """
    return preprocessing.normalize_log(counts)


def select_genes(log_values: np.ndarray, n_top_genes: int) -> np.ndarray:
    """Mark the genes whose dispersion stands out among genes of the same mean.

    Parameters
    ----------
    log_values
        log(1 + x) of normalized counts, shape (n_cells, n_genes).
    n_top_genes
        How many to choose.

    Returns
    -------
    Boolean mask, shape (n_genes,). For each gene, on expm1 of the values: mean, variance (n - 1), dispersion
    log(variance / mean). The genes are put into 20 bins of equal width by log(1 + mean); in each bin dispersions are
    standardized (n - 1; a gene alone in its bin gets 1). The largest are chosen.
    """
    return preprocessing.highly_variable(log_values, n_top_genes)


def _by_bins(log_values: np.ndarray, n_top_genes: int) -> np.ndarray:
    return _largest(_standardized(log_values), n_top_genes)


def _standardized(
    log_values: np.ndarray,
    *,
    cut: Callable = pd.cut,
    scale: Callable = np.log1p,
    alone: float = 1.0,
    log: bool = True,
) -> pd.Series:
    table = _moments(log_values)
    table["dispersion"] = table["dispersion"] if log else np.exp(table["dispersion"])
    groups = table.groupby(cut(scale(table["mean"]), 20), observed=True)["dispersion"]
    standard = (table["dispersion"] - groups.transform("mean")) / groups.transform("std")
    return standard.where(groups.transform("size") > 1, alone)


def _less_the_bin(log_values: np.ndarray) -> pd.Series:
    table = _moments(log_values)
    return table["dispersion"] - table.groupby(pd.cut(np.log1p(table["mean"]), 20), observed=True)[
        "dispersion"
    ].transform("mean")


def _moments(log_values: np.ndarray) -> pd.DataFrame:
    values = np.expm1(log_values)
    mean, variance = values.mean(axis=0), values.var(axis=0, ddof=1)
    return pd.DataFrame({"mean": mean, "variance": variance, "dispersion": np.log(variance / mean)})


def _largest(scores: np.ndarray, n_top_genes: int) -> np.ndarray:
    mask = np.zeros(len(scores), dtype=bool)
    mask[np.argsort(-np.asarray(scores), kind="stable")[:n_top_genes]] = True
    return mask


def _with_empty(rng: np.random.Generator) -> dict[str, Any]:
    counts = rng.poisson(1.0, (6, 7)) + np.eye(6, 7, dtype=int)
    counts[rng.integers(6)] = 0
    counts[:, rng.choice(6, 2, replace=False)] = 0
    return {"counts": counts.astype(np.float32)}


def _counts(rng: np.random.Generator) -> dict[str, Any]:
    depth = rng.integers(1, 30, (rng.integers(3, 6), 1))
    return {"counts": (rng.poisson(0.5 * depth, (len(depth), 4)) + np.eye(len(depth), 4)).astype(float)}


def _log_values(rng: np.random.Generator) -> dict[str, Any]:
    n_cells, n_genes = 40, 80
    mean = np.exp(rng.normal(2, 1.2, n_genes))
    counts = rng.negative_binomial(1, 1 / (1 + mean * rng.uniform(0.2, 3, n_genes)), (n_cells, n_genes)) + rng.poisson(
        mean, (n_cells, n_genes)
    )
    counts[0] += 1  # no gene is empty
    log_values, n_top_genes = preprocessing.normalize_log(counts.astype(float)), int(rng.integers(8, 20))
    scores = np.sort(_standardized(log_values))[::-1]
    while scores[n_top_genes] == scores[n_top_genes - 1]:  # genes alone in their bins: who of them is chosen, is open
        n_top_genes += 1
    return {"log_values": log_values, "n_top_genes": n_top_genes}


TASKS = (
    Exercise(
        name="drop_empty",
        lesson="01",
        difficulty=1,
        minutes=5,
        reference=drop_empty,
        inputs=_with_empty,
        edge_cases=(
            {"counts": np.array([[1, 2], [3, 0]])},
            {"counts": np.array([[0, 0, 0], [0, 5, 1], [0, 2, 0]])},
        ),
        alternative=lambda counts: counts[np.ix_((counts > 0).any(1), (counts > 0).any(0))],
        mutants=(
            Mutant(
                "only cells",
                lambda counts: counts[counts.sum(1) > 0],
                "The empty cells are gone, the empty genes are still there.",
            ),
            Mutant(
                "only genes",
                lambda counts: counts[:, counts.sum(0) > 0],
                "The empty genes are gone, the empty cells are still there.",
            ),
            Mutant(
                "any zero",
                lambda counts: counts[(counts > 0).all(1)][:, (counts > 0).all(0)],
                "You leave out whatever has a zero anywhere. Nearly every cell has one; empty means that all entries "
                "are zero.",
            ),
            Mutant(
                "axes exchanged",
                lambda counts: counts[counts.sum(0) > 0][:, counts.sum(1) > 0],
                "The masks have changed places: the sum along axis 0 has one number for each gene, along axis 1 one "
                "for each cell.",
            ),
            Mutant(
                "both on rows",
                lambda counts: counts[counts.sum(1) > 0][counts.sum(0) > 0],
                "Both masks are applied to the rows. The genes are columns: values[:, mask].",
            ),
            Mutant(
                "any zero in a cell",
                lambda counts: counts[(counts > 0).all(1)],
                "You leave out each cell that has a zero anywhere. Nearly every cell has one; empty means that all "
                "entries are zero. And the empty genes are to go as well.",
            ),
            Mutant(
                "set to one",
                lambda counts: np.where((counts.sum(1) == 0)[:, None] | (counts.sum(0) == 0), 1, counts),
                "You filled the empty rows and columns. Nothing was measured there: leave them out.",
            ),
        ),
        hints=(
            "Sum along an axis tells which cells (rows) and which genes (columns) have any count.",
            "A boolean mask in square brackets keeps what is True: counts[mask] for rows, counts[:, mask] for columns.",
        ),
        tested="values and shape on 6 cells and 7 genes",
        not_tested="sparse matrices, minimum numbers other than one count",
    ),
    Exercise(
        name="normalize_log",
        lesson="01",
        difficulty=1,
        minutes=8,
        reference=normalize_log,
        inputs=_counts,
        alternative=lambda counts: np.log(1e4 * (counts.T / counts.sum(1)).T + 1),
        mutants=(
            Mutant(
                "not divided",
                lambda counts: np.log1p(counts),
                "The log is right; the counts were not divided by the depth of their cell before it.",
            ),
            Mutant(
                "scaled after the log",
                lambda counts: 1e4 * np.log1p(counts / counts.sum(1, keepdims=True)),
                "You multiplied by 10,000 after the log. It belongs to the scaling, before it.",
            ),
            Mutant(
                "wrong axis",
                lambda counts: np.log1p(1e4 * counts / counts.sum(axis=0, keepdims=True)),
                "You scaled each gene to 10,000. Depth belongs to a cell: sum over its genes, along axis 1.",
            ),
            Mutant(
                "no column",
                lambda counts: np.log1p(1e4 * counts / counts.sum(axis=1)),
                "The depths have shape (n_cells,), and NumPy lines them up with the genes. With keepdims=True they are "
                "a column, shape (n_cells, 1), which divides each row.",
            ),
            Mutant(
                "log before scaling",
                lambda counts: 1e4 * np.log1p(counts) / np.log1p(counts).sum(axis=1, keepdims=True),
                "You took the log before scaling, so that depth stays in the values. Scale first, then take the log.",
            ),
            Mutant(
                "forgot the pseudocount",
                lambda counts: np.log(1e4 * counts / counts.sum(axis=1, keepdims=True)),
                "The log of a zero count is minus infinity: the 1 in log(1 + x) is missing.",
            ),
            Mutant(
                "not times 10,000",
                lambda counts: np.log1p(counts / counts.sum(axis=1, keepdims=True)),
                "Your cells sum to 1 before the log, and should sum to 10,000.",
            ),
            Mutant(
                "to the median depth",
                lambda counts: np.log1p(counts / counts.sum(axis=1, keepdims=True) * np.median(counts.sum(axis=1))),
                "You scaled to the median depth. Many do, and it is a good choice; this exercise asks for 10,000.",
            ),
            Mutant(
                "mean for sum",
                lambda counts: np.log1p(1e4 * counts / counts.mean(axis=1, keepdims=True)),
                "You divided by the mean of each cell. Its depth is the sum; your cells sum to 10,000 times the number "
                "of genes.",
            ),
            Mutant(
                "log of the counts over the depth",
                lambda counts: 1e4 * np.log1p(counts) / counts.sum(axis=1, keepdims=True),
                "You took the log of the counts and scaled afterwards. Scale first, then take the log.",
            ),
            Mutant(
                "whole matrix",
                lambda counts: np.log1p(1e4 * counts / counts.sum()),
                "You divided by the sum of the whole matrix, so deep cells stay deep. Each cell has its own sum.",
            ),
        ),
        hints=(
            "The depth of a cell is the sum of its row: shape (n_cells, 1) with keepdims=True.",
            "Divide by the depth, multiply by 10,000, then np.log1p.",
        ),
        tested="values and shape on 3 to 5 cells of very different depth",
        not_tested="sparse matrices, empty cells",
    ),
    Exercise(
        name="select_genes",
        lesson="01",
        difficulty=2,
        minutes=8,
        reference=select_genes,
        inputs=_log_values,
        alternative=_by_bins,
        mutants=(
            Mutant(
                "by mean",
                lambda log_values, n_top_genes: _largest(_moments(log_values)["mean"], n_top_genes),
                "You chose the genes with the highest mean. They are high in every cell and tell no type from another.",
            ),
            Mutant(
                "the smallest",
                lambda log_values, n_top_genes: _largest(-_standardized(log_values), n_top_genes),
                "You chose the genes that vary least: argsort starts with the smallest.",
            ),
            Mutant(
                "bins of equal size",
                lambda log_values, n_top_genes: _largest(_standardized(log_values, cut=pd.qcut), n_top_genes),
                "Your bins hold equally many genes (qcut). They should be equally wide in log(1 + mean) (cut).",
            ),
            Mutant(
                "bins of the mean itself",
                lambda log_values, n_top_genes: _largest(_standardized(log_values, scale=np.asarray), n_top_genes),
                "Your bins are of equal width in the mean. Nearly all genes then share the first; use log(1 + mean).",
            ),
            Mutant(
                "alone in its bin",
                lambda log_values, n_top_genes: _largest(_standardized(log_values, alone=np.nan), n_top_genes),
                "A gene alone in its bin has no standard deviation, so its value is NaN in yours. It gets 1.",
            ),
            Mutant(
                "by variance",
                lambda log_values, n_top_genes: _largest(_moments(log_values)["variance"], n_top_genes),
                "You chose by raw variance. It grows with the mean, so these are again the highly expressed genes.",
            ),
            Mutant(
                "by variance of the log values",
                lambda log_values, n_top_genes: _largest(log_values.var(axis=0, ddof=1), n_top_genes),
                "You chose by the variance of the log values. It too depends on the mean: compare genes of the same "
                "mean.",
            ),
            Mutant(
                "dispersion without bins",
                lambda log_values, n_top_genes: _largest(_moments(log_values)["dispersion"], n_top_genes),
                "You ranked the dispersions of all genes together. Compare each gene with the genes in its bin of the "
                "mean.",
            ),
            Mutant(
                "dispersion of the log values",
                lambda log_values, n_top_genes: _by_bins(np.log1p(log_values), n_top_genes),
                "Mean and variance are taken of the log values. Undo the log first (expm1).",
            ),
            Mutant(
                "the smallest dispersion",
                lambda log_values, n_top_genes: _largest(-_moments(log_values)["dispersion"], n_top_genes),
                "You chose the genes of the *smallest* dispersion, and compared all genes together. Large dispersion "
                "stands out; argsort starts with the smallest.",
            ),
            Mutant(
                "the smallest variance",
                lambda log_values, n_top_genes: _largest(-_moments(log_values)["variance"], n_top_genes),
                "You chose the genes of the smallest variance. argsort starts with the smallest; and the variance "
                "grows with the mean.",
            ),
            Mutant(
                "the smallest mean",
                lambda log_values, n_top_genes: _largest(-_moments(log_values)["mean"], n_top_genes),
                "You chose the genes with the lowest mean. The mean only decides with which genes one is compared.",
            ),
            Mutant(
                "raw dispersion of the log values",
                lambda log_values, n_top_genes: _largest(
                    log_values.var(axis=0, ddof=1) / log_values.mean(axis=0), n_top_genes
                ),
                "You ranked raw dispersions, variance / mean of the log values. Undo the log first (expm1), and "
                "compare each gene with the genes in its bin of the mean.",
            ),
            Mutant(
                "relative deviation",
                lambda log_values, n_top_genes: _largest(
                    _moments(log_values)["variance"] / _moments(log_values)["mean"] ** 2, n_top_genes
                ),
                "You ranked by deviation / mean, which favors genes of low mean. The dispersion is variance / mean, "
                "and is standardized within a bin.",
            ),
            Mutant(
                "bin's mean only",
                lambda log_values, n_top_genes: _largest(_less_the_bin(log_values), n_top_genes),
                "You subtracted the mean of the bin, but did not divide by its standard deviation.",
            ),
            Mutant(
                "dispersion without its log",
                lambda log_values, n_top_genes: _largest(_standardized(log_values, log=False), n_top_genes),
                "You standardized variance / mean as it is. Its log is taken first, so that one extreme gene does not "
                "stretch the bin.",
            ),
        ),
        hints=(
            "np.expm1 undoes the log. Mean and variance are taken over cells, one per gene; variance with ddof=1.",
            "pd.cut(np.log1p(mean), 20) makes the bins; groupby(...).transform('mean') and 'std' give each gene its "
            "bin's.",
        ),
        tested="the chosen genes among 80, for 40 cells",
        not_tested="genes without any count, ties, speed",
    ),
)
