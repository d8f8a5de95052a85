"""From counts to features: what the method sees of a cell. Lesson 01 builds this module.

The encoders read the counts of the highly variable genes, the cell graph is built on their log-normalized values.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp

from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.matrices import check_all, checked_values, share_of_fractions, where_counts_are

if TYPE_CHECKING:
    from anndata import AnnData

Matrix: TypeAlias = np.ndarray | sp.csr_matrix
Features = Literal["counts", "log", "scaled", "scaled_uncentered"]

SCALED_LIMIT = 10.0


def normalize_log(counts: Matrix, *, target_sum: float = 1e4) -> Matrix:
    """Scale each cell to the same depth, then take log(1 + x).

    Parameters
    ----------
    counts
        Counts, shape (n_cells, n_genes), array or CSR; no cell may be empty.
    target_sum
        Depth of each cell after scaling, in counts.

    Returns
    -------
    log1p values of the same kind and shape, float32 unless the counts are of another floating type.
    """
    dtype = counts.dtype if np.issubdtype(counts.dtype, np.floating) else np.float32
    depth = np.asarray(counts.sum(axis=1)).ravel()
    factors = target_sum / np.where(depth > 0, depth, 1)
    if sp.issparse(counts):
        values = sp.csr_matrix(counts, copy=True)
        values.data = np.log1p(values.data * np.repeat(factors, np.diff(values.indptr))).astype(dtype)
        return values
    return np.log1p(counts * factors[:, None]).astype(dtype)


def highly_variable(log_values: Matrix, n_top_genes: int) -> np.ndarray:
    """Mark the genes whose dispersion stands out among genes of the same mean (scanpy's default flavor).

    Parameters
    ----------
    log_values
        log-normalized values, shape (n_cells, n_genes).
    n_top_genes
        How many genes to choose; all of them when there are no more.

    Returns
    -------
    Boolean mask, shape (n_genes,).
    """
    import scanpy as sc
    from anndata import AnnData

    if n_top_genes >= log_values.shape[1]:
        return np.ones(log_values.shape[1], dtype=bool)
    table = sc.pp.highly_variable_genes(AnnData(log_values), n_top_genes=n_top_genes, inplace=False)
    return table["highly_variable"].to_numpy()


def preprocess(
    adata: AnnData,
    *,
    n_top_genes: int = 2000,
    flavor: Literal["seurat", "seurat_v3"] = "seurat",
    already_logged: bool = False,
    copy: bool = False,
) -> AnnData | None:
    """Check the counts, drop what is empty, normalize, and choose the highly variable genes.

    Parameters
    ----------
    adata
        Counts in `layers["counts"]` or in `X`, shape (n_cells, n_genes).
    n_top_genes
        Number of highly variable genes; with fewer genes all of them are used and a note says so.
    flavor
        "seurat" chooses on log values (scRNA-seq), "seurat_v3" on counts (the reference's spatial sets).
    already_logged
        `X` holds log-normalized values and counts are not to be had; they are used as they are.
    copy
        Return a new object instead of changing `adata`.

    Returns
    -------
    None, or the copy: `layers["counts"]`, `X` log-normalized, `var["highly_variable"]`, and `uns["preprocessing"]` with
    the numbers of dropped cells and genes and with `notes` in words.

    Raises
    ------
    DataError
        When the matrix is empty, holds NaN, infinite or negative values, is logged, or has no gene that varies.
    SettingsError
        When `n_top_genes` is below 2.
    """
    if n_top_genes < 2:
        raise SettingsError(f"n_top_genes is {n_top_genes}; choose at least 2, usually 500 to 3000")
    check_all(adata)
    adata = adata.copy() if copy else adata
    if adata.is_view:
        adata._init_as_actual(adata.copy())  # writing into a view would change the values of the whole
    notes = [*map(str, adata.uns.pop("reading_notes", [])), *name_uniquely(adata)]
    given = adata.X if already_logged else adata.layers.get("counts", adata.X)
    values = checked_values(given, adata.shape, already_logged=already_logged, fix=partial(where_counts_are, adata))
    if not already_logged and (fractional := share_of_fractions(values)):
        notes.append(f"{fractional:.1%} of the non-zero values are not integers: taken as expected counts")

    keep_cells = _count_nonzero(values, axis=1) > 0
    keep_genes = _count_nonzero(values, axis=0) > 0
    dropped = {"cells": int((~keep_cells).sum()), "genes": int((~keep_genes).sum())}
    notes += [f"{number} {what} without any count dropped" for what, number in dropped.items() if number]
    values = values[keep_cells][:, keep_genes]
    if min(values.shape) < 2:
        raise DataError(
            f"{_shape(values)} with counts are left of {_shape(adata)}; at least 2 of each are needed. "
            "Are the counts in X or layers['counts']?"
        )
    if not (keep_cells.all() and keep_genes.all()):
        adata._inplace_subset_obs(keep_cells)
        adata._inplace_subset_var(keep_genes)

    log_values = values if already_logged else normalize_log(values)
    varies = _varies(log_values)
    if not varies.any():
        raise DataError(f"none of the {values.shape[1]} genes varies between cells; there is nothing to tell apart")
    if n_top_genes > values.shape[1]:
        notes.append(f"{n_top_genes} genes asked for, {values.shape[1]} are there: all are used")
    adata.X = log_values
    if not already_logged:
        adata.layers["counts"] = values
    chosen = _highly_variable_on_counts(values, n_top_genes) if flavor == "seurat_v3" else None
    adata.var["highly_variable"] = (highly_variable(log_values, n_top_genes) if chosen is None else chosen) & varies
    if (constant := int((~varies).sum())) and constant < values.shape[1]:
        notes.append(f"{constant} genes are the same in every cell and are not used")
    if (n_chosen := int(adata.var["highly_variable"].sum())) < 2:
        raise DataError(f"{n_chosen} gene varies between cells; at least 2 are needed. Bring more genes")
    adata.uns["preprocessing"] = {
        "n_top_genes": n_top_genes,
        "flavor": flavor,
        "already_logged": already_logged,
        "cells_dropped": dropped["cells"],
        "genes_dropped": dropped["genes"],
        "notes": notes,
    }
    return adata if copy else None


def encoder_features(adata: AnnData, kind: Features = "counts") -> Matrix:
    """What the encoders read: the highly variable genes in one of four forms.

    Parameters
    ----------
    adata
        After :func:`preprocess`.
    kind
        "counts" as the reference; "log" the log-normalized values; "scaled" those with mean 0 and variance 1 per gene,
        clipped at 10; "scaled_uncentered" divided by their deviation only, clipped at 10 (as the reference's spatial).

    Returns
    -------
    float32, shape (n_cells, n_highly_variable); sparse input stays sparse unless it is centered.
    """
    chosen = adata.var["highly_variable"].to_numpy()
    if kind == "counts" and "counts" in adata.layers:
        return adata.layers["counts"][:, chosen].astype(np.float32)
    values = adata.X[:, chosen].astype(np.float32)
    if kind == "counts":  # already logged: counts per 10,000 are the closest there is
        return values.expm1() if sp.issparse(values) else np.expm1(values)
    if kind == "log":
        return values
    if kind not in ("scaled", "scaled_uncentered"):
        raise SettingsError(f"features is {kind!r}; choose counts, log, scaled or scaled_uncentered")
    mean, deviation = _moments(values)
    if kind == "scaled":
        dense = values.toarray() if sp.issparse(values) else values
        return np.clip((dense - mean) / deviation, -SCALED_LIMIT, SCALED_LIMIT).astype(np.float32)
    if sp.issparse(values):
        scaled = sp.csr_matrix(values.multiply(1 / deviation))
        scaled.data = np.minimum(scaled.data, SCALED_LIMIT).astype(np.float32)
        return scaled
    return np.minimum(values / deviation, SCALED_LIMIT).astype(np.float32)


def name_uniquely(adata: AnnData) -> list[str]:
    """Give each cell and gene a name of its own, in place; what was changed, in words."""
    notes = []
    # names of pandas' nullable kind cannot be written everywhere
    adata.obs_names, adata.var_names = (
        names.astype(str).astype(object) for names in (adata.obs_names, adata.var_names)
    )
    for names, unique, what in (
        (adata.obs_names, adata.obs_names_make_unique, "cells"),
        (adata.var_names, adata.var_names_make_unique, "genes"),
    ):
        if repeated := int(names.duplicated().sum()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                unique()
            notes.append(f"{repeated} {what} had the name of another; a number was added to theirs")
    return notes


def _count_nonzero(values: Matrix, *, axis: int) -> np.ndarray:
    return np.count_nonzero(values, axis=axis) if isinstance(values, np.ndarray) else values.getnnz(axis=axis)


def _moments(values: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each gene, float64, the deviation of a constant gene being 1."""
    mean = np.asarray(values.mean(axis=0, dtype=np.float64)).ravel()
    if isinstance(values, np.ndarray):
        variance = values.var(axis=0, dtype=np.float64)
    else:
        square = np.asarray(values.multiply(values).mean(axis=0, dtype=np.float64)).ravel()
        variance = np.maximum(square - mean**2, 0)
    deviation = np.sqrt(variance * values.shape[0] / max(values.shape[0] - 1, 1))
    return mean, np.where(deviation > 0, deviation, 1)


def _varies(values: Matrix) -> np.ndarray:
    low, high = values.min(axis=0), values.max(axis=0)
    if sp.issparse(values):
        low, high = low.toarray().ravel(), high.toarray().ravel()
    return high > low


def _highly_variable_on_counts(counts: Matrix, n_top_genes: int) -> np.ndarray:
    import scanpy as sc
    from anndata import AnnData

    if n_top_genes >= counts.shape[1]:
        return np.ones(counts.shape[1], dtype=bool)
    table = sc.pp.highly_variable_genes(
        AnnData(counts), flavor="seurat_v3", n_top_genes=n_top_genes, inplace=False, check_values=False
    )
    return table["highly_variable"].to_numpy()


def _shape(matrix: Matrix | AnnData) -> str:
    return f"{matrix.shape[0]} cells x {matrix.shape[1]} genes"
