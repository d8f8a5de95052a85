"""Lesson 01: empty cells and genes, normalization, and the choice of genes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from scrcl_edu import preprocessing
from scrcl_edu.course.task import Exercise, Mutant


def drop_empty(counts: np.ndarray) -> np.ndarray:
    """Leave out cells without any count and genes without any count."""
    from anndata import AnnData

    adata = preprocessing.preprocess(AnnData(counts.astype(np.float32)), copy=True)
    return adata.layers["counts"]


def normalize_log(counts: np.ndarray) -> np.ndarray:
    """Scale each cell to 10,000 counts, then take log(1 + x)."""
    return preprocessing.normalize_log(counts)


def select_genes(log_values: np.ndarray, n_top_genes: int) -> np.ndarray:
    """Mark the genes whose dispersion stands out among genes of the same mean."""
    return preprocessing.highly_variable(log_values, n_top_genes)


def _standard(x: pd.Series, bins: Any, *, ddof: int = 1) -> pd.Series:
    return (x - bins.transform("mean")) / bins.transform("std", ddof=ddof)


# What learners take in place of each step of the choice; a sign looks for two wrong steps at once.
STEPS: dict[str, dict[str, Callable]] = {
    "values": {"right": np.expm1, "as they are": np.asarray},
    "statistic": {
        "right": lambda mean, variance: np.log(variance / mean),
        "without its log": lambda mean, variance: variance / mean,
        "variance": lambda mean, variance: variance,
        "mean": lambda mean, variance: mean,
        "squared deviation": lambda mean, variance: variance / mean**2,
    },
    "bins": {
        "right": lambda mean: pd.cut(np.log1p(mean), 20),
        "of the mean": lambda mean: pd.cut(mean, 20),
        "of equal size": lambda mean: pd.qcut(mean, 20),
    },
    "standard": {
        "right": lambda x, bins: _standard(x, bins).where(bins.transform("size") > 1, 1),
        "by n": lambda x, bins: _standard(x, bins, ddof=0).where(bins.transform("size") > 1, 1),
        "alone": lambda x, bins: _standard(x, bins),
        "alone is average": lambda x, bins: _standard(x, bins).fillna(0),
        "mean only": lambda x, bins: x - bins.transform("mean"),
        "not at all": lambda x, bins: x,
    },
    "order": {"right": lambda x: -x, "upwards": lambda x: x},
}


def _scores(log_values: np.ndarray, **wrong: str) -> pd.Series:
    step = {name: ways[wrong.get(name, "right")] for name, ways in STEPS.items()}
    values = step["values"](log_values)
    mean = pd.Series(values.mean(axis=0))
    statistic = step["statistic"](mean, pd.Series(values.var(axis=0, ddof=1)))
    return step["order"](step["standard"](statistic, statistic.groupby(step["bins"](mean), observed=True)))


def _chosen(log_values: np.ndarray, n_top_genes: int, **wrong: str) -> np.ndarray:
    scores = _scores(log_values, **wrong)
    mask = np.zeros(len(scores), dtype=bool)
    mask[np.argsort(scores, kind="stable")[:n_top_genes]] = True
    return mask


def _wrong_step(name: str, message: str, **wrong: str) -> Mutant:
    ((step, way),) = wrong.items()

    def sign(result: Any, arguments: dict[str, Any]) -> bool:
        others = ({other: found, step: way} for other, ways in STEPS.items() if other != step for found in ways)
        return any(np.array_equal(_chosen(**arguments, **two), result) for two in others)

    return Mutant(name, lambda log_values, n_top_genes: _chosen(log_values, n_top_genes, **wrong), message, sign)


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
    scores = np.sort(_scores(log_values))  # the most telling first
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
        alternative=_chosen,
        mutants=(
            _wrong_step(
                "by mean",
                "You chose by the mean. Genes of high mean are high in every cell and tell no type from another.",
                statistic="mean",
            ),
            _wrong_step(
                "by variance",
                "You chose by raw variance. It grows with the mean, so these are again the highly expressed genes.",
                statistic="variance",
            ),
            _wrong_step(
                "values as they are",
                "Mean and variance are taken of the log values. Undo the log first (expm1).",
                values="as they are",
            ),
            _wrong_step(
                "the smallest",
                "You chose the genes that vary least: argsort starts with the smallest.",
                order="upwards",
            ),
            _wrong_step(
                "bins of equal size",
                "Your bins hold equally many genes (qcut). They should be equally wide in log(1 + mean) (cut).",
                bins="of equal size",
            ),
            _wrong_step(
                "bins of the mean itself",
                "Your bins are of equal width in the mean. Nearly all genes then share the first; use log(1 + mean).",
                bins="of the mean",
            ),
            _wrong_step(
                "dispersion without bins",
                "You ranked the dispersions of all genes together. Compare each gene with the genes in its bin of the "
                "mean.",
                standard="not at all",
            ),
            _wrong_step(
                "bin's mean only",
                "You subtracted the mean of the bin, but did not divide by its standard deviation.",
                standard="mean only",
            ),
            _wrong_step(
                "population deviation",
                "The deviation within a bin divides by n in yours. It divides by n - 1 (ddof=1), as the variance does.",
                standard="by n",
            ),
            _wrong_step(
                "alone in its bin",
                "A gene alone in its bin has no standard deviation, so its value is NaN in yours. It gets 1.",
                standard="alone",
            ),
            _wrong_step(
                "alone gets 0",
                "A gene alone in its bin gets 0 in yours, as if it were average. It gets 1.",
                standard="alone is average",
            ),
            _wrong_step(
                "relative deviation",
                "You ranked by deviation / mean, which favors genes of low mean. The dispersion is variance / mean, "
                "and is standardized within a bin.",
                statistic="squared deviation",
            ),
            _wrong_step(
                "dispersion without its log",
                "You standardized variance / mean as it is. Its log is taken first, so that one extreme gene does not "
                "stretch the bin.",
                statistic="without its log",
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
