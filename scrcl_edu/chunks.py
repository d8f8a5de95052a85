"""Counts of very many cells, read some at a time: one pass over the file chooses the genes, a second keeps theirs.

Nothing of size cells x genes is dense, and of genes that are not used nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from scrcl_edu.datasets.annotated import opened
from scrcl_edu.datasets.reading import explaining, naming
from scrcl_edu.errors import DataError, InputFileError, SettingsError
from scrcl_edu.matrices import checked_values
from scrcl_edu.preprocessing import name_uniquely, normalize_log

if TYPE_CHECKING:
    from anndata import AnnData

CELLS_AT_ONCE = 4096
TARGET_SUM = 1e4  # as in normalize_log
N_BINS = 20  # of genes by their mean, as in scanpy


def read_by_chunks(
    path: str | Path, *, n_top_genes: int = 2000, layer: str | None = None, progress: bool | None = False
) -> AnnData:
    """What reading a file and :func:`~scrcl_edu.preprocessing.preprocess` give, with the chosen genes alone.

    Parameters
    ----------
    path
        An `.h5ad` file or a zarr store of AnnData, with its counts by rows (CSR, or dense).
    n_top_genes
        Number of highly variable genes; all when there are no more.
    layer
        Name of the layer that holds the counts; None takes `layers["counts"]` where it is there, else `X`.
    progress
        Show a bar for each pass; None shows it on a terminal only.

    Returns
    -------
    AnnData of shape (n_cells, n_top_genes): `layers["counts"]`, `X` log-normalized by the depth over all genes,
    `var["highly_variable"]` and `uns["preprocessing"]`; `obs` and `obsm` of the file, nothing else of it. The two
    matrices share their indices. For `fit(..., prepared=True)`.

    Raises
    ------
    InputFileError
        When the path is neither, or damaged.
    DataError
        When the matrix is stored by columns, or is not of counts, or fewer than 2 genes vary.
    """
    path = Path(path)
    if n_top_genes < 2:
        raise SettingsError(f"n_top_genes is {n_top_genes}; choose at least 2, usually 500 to 3000")
    if not path.exists():
        raise InputFileError(f"{path} does not exist; check the spelling")
    with explaining(path), opened(path) as group, naming(path):
        matrix = _matrix(group, layer)
        sums = _Sums.of(matrix.shape[1])
        depths = np.concatenate([sums.add(counts) for counts in _chunks(matrix, "choosing genes", progress)])
        chosen, kept = _chosen(sums, n_top_genes), depths > 0
        columns = np.flatnonzero(chosen)
        size = int(sums.stored[columns].sum())
        counts, log_values = _of_genes(_chunks(matrix, "reading them", progress), columns, int(kept.sum()), size)
        return _assembled(group, kept, chosen, counts, log_values, sums, n_top_genes)


@dataclass
class _Sums:
    """Of each gene, over the cells seen so far; shape (n_genes,)."""

    n_cells: int
    total: np.ndarray  # of the counts per 10,000
    squares: np.ndarray
    stored: np.ndarray  # cells that have the gene
    least: np.ndarray
    most: np.ndarray

    @classmethod
    def of(cls, n_genes: int) -> _Sums:
        zeros = np.zeros(n_genes)
        return cls(0, zeros, zeros.copy(), np.zeros(n_genes, np.int64), zeros + np.inf, zeros.copy())

    def add(self, counts: sp.csr_matrix) -> np.ndarray:
        """Take some cells in; returns their depths. Cells without any count are not counted."""
        depths = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
        present = counts[depths > 0]
        rates = sp.diags(TARGET_SUM / depths[depths > 0]) @ present.astype(np.float64)
        self.n_cells += rates.shape[0]
        self.total += np.asarray(rates.sum(axis=0)).ravel()
        self.squares += np.asarray(rates.multiply(rates).sum(axis=0)).ravel()
        self.stored += rates.getnnz(axis=0)
        if rates.shape[0]:
            self.least = np.minimum(self.least, rates.min(axis=0).toarray().ravel())
            self.most = np.maximum(self.most, rates.max(axis=0).toarray().ravel())
        return depths


def most_dispersed(mean: np.ndarray, variance: np.ndarray, n_top_genes: int) -> np.ndarray:
    """The genes that scanpy's default flavor chooses, from the mean and variance of each gene alone.

    Parameters
    ----------
    mean, variance
        Of the counts per 10,000, not logarithms, shape (n_genes,).
    n_top_genes
        How many; more only when genes tie at the end.

    Returns
    -------
    Boolean mask, shape (n_genes,).
    """
    import pandas as pd

    mean = np.where(mean == 0, 1e-12, mean)
    ratio = variance / mean
    dispersion = pd.Series(np.log(np.where(ratio == 0, np.nan, ratio)))
    groups = dispersion.groupby(pd.cut(np.log1p(mean), N_BINS), observed=True)
    average, deviation = groups.transform("mean"), groups.transform("std")
    standing_out = ((dispersion - average) / deviation).where(deviation.notna(), dispersion / average).to_numpy()
    known = np.sort(standing_out[~np.isnan(standing_out)])
    last = known[max(len(known) - n_top_genes, 0)] if len(known) else np.inf
    return np.nan_to_num(standing_out, nan=-np.inf) >= last


def _chosen(sums: _Sums, n_top_genes: int) -> np.ndarray:
    present = sums.stored > 0
    if sums.n_cells < 2 or present.sum() < 2:
        raise DataError(
            f"{sums.n_cells} cells x {int(present.sum())} genes with counts are there; at least 2 of each are needed"
        )
    mean = sums.total / sums.n_cells
    variance = np.maximum(sums.squares / sums.n_cells - mean**2, 0) * sums.n_cells / (sums.n_cells - 1)
    chosen = present.copy()
    if n_top_genes < present.sum():
        chosen[present] = most_dispersed(mean[present], variance[present], n_top_genes)
    chosen &= sums.most > sums.least
    if chosen.sum() < 2:
        raise DataError(f"{int(chosen.sum())} gene varies between cells; at least 2 are needed")
    return chosen


def _matrix(group: Any, layer: str | None) -> Any:
    """Something whose rows can be sliced from the file."""
    from anndata.io import sparse_dataset

    layers = list(group["layers"]) if "layers" in group else []
    if layer is not None and layer not in layers:
        raise DataError(f"there is no layer {layer!r}; the layers are: {', '.join(layers) or 'none'}")
    name = layer or ("counts" if "counts" in layers else None)
    found = group["layers"][name] if name else group["X"] if "X" in group else None
    if found is None:
        raise DataError("there is no matrix X; name the layer that holds the counts (--layer)")
    if not hasattr(found, "keys"):
        return found
    matrix = sparse_dataset(found)
    if matrix.format != "csr":
        raise DataError(
            "the counts are stored by columns (CSC), of which no cell can be read alone; leave --by-chunks out, or "
            "store them by rows: adata.X = adata.X.tocsr(); adata.write_h5ad('by_rows.h5ad')"
        )
    return matrix


def _chunks(matrix: Any, stage: str, progress: bool | None) -> Iterator[sp.csr_matrix]:
    """Checked counts of some cells after the other, with a bar that tells the time left."""
    from tqdm.auto import tqdm

    n_cells = matrix.shape[0]
    with tqdm(total=n_cells, desc=stage, unit="cell", disable=None if progress is None else not progress) as bar:
        for start in range(0, n_cells, CELLS_AT_ONCE):
            part = matrix[start : start + CELLS_AT_ONCE]
            yield sp.csr_matrix(checked_values(part, part.shape))
            bar.update(part.shape[0])


def _of_genes(
    chunks: Iterator[sp.csr_matrix], columns: np.ndarray, n_cells: int, size: int
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Counts and log-normalized values of some genes, written into arrays of the right size at once."""
    data, logs = np.empty(size, np.float32), np.empty(size, np.float32)
    indices = np.empty(size, np.int32 if max(size, n_cells) < 2**31 else np.int64)
    indptr, row = np.zeros(n_cells + 1, indices.dtype), 0
    for chunk in chunks:
        present = chunk[chunk.getnnz(axis=1) > 0]
        present.sort_indices()
        counts, log_values = (
            present[:, columns],
            sp.csr_matrix(normalize_log(present, target_sum=TARGET_SUM))[:, columns],
        )
        begin = int(indptr[row])
        end = begin + counts.nnz
        data[begin:end], logs[begin:end], indices[begin:end] = counts.data, log_values.data, counts.indices
        indptr[row + 1 : row + 1 + counts.shape[0]] = begin + counts.indptr[1:]
        row += counts.shape[0]
    shape = (n_cells, len(columns))
    return sp.csr_matrix((data, indices, indptr), shape=shape), sp.csr_matrix((logs, indices, indptr), shape=shape)


def _assembled(
    group: Any,
    kept: np.ndarray,
    chosen: np.ndarray,
    counts: sp.csr_matrix,
    log_values: sp.csr_matrix,
    sums: _Sums,
    n_top_genes: int,
) -> AnnData:
    from anndata import AnnData
    from anndata.io import read_elem

    n_genes = int((sums.stored > 0).sum())
    dropped = {"cells": int((~kept).sum()), "genes": int((sums.stored == 0).sum())}
    notes = [f"{number} {what} without any count dropped" for what, number in dropped.items() if number]
    notes.append(f"read by chunks: {int(chosen.sum())} of {n_genes} genes were kept")
    if n_top_genes > n_genes:
        notes.append(f"{n_top_genes} genes asked for, {n_genes} are there: all are used")
    obsm = {key: read_elem(group["obsm"][key])[kept] for key in group["obsm"]} if "obsm" in group else {}
    adata = AnnData(log_values, obs=read_elem(group["obs"])[kept], var=read_elem(group["var"])[chosen], obsm=obsm)
    adata.layers["counts"] = counts
    adata.var["highly_variable"] = True
    adata.uns["preprocessing"] = {
        "n_top_genes": n_top_genes,
        "flavor": "seurat",
        "already_logged": False,
        "cells_dropped": dropped["cells"],
        "genes_dropped": dropped["genes"],
        "notes": [*name_uniquely(adata), *notes],
    }
    return adata
