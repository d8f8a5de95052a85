"""Real cells that need no network: 700 blood cells that every scanpy carries, with their counts recovered."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scrcl_edu.errors import DataError, InputFileError

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy.sparse import csr_matrix


def counts_from_log(log_values: csr_matrix) -> csr_matrix:
    """Undo log1p and the normalization per cell, taking the smallest non-zero value of a cell as one count.

    Parameters
    ----------
    log_values
        log1p of counts that were scaled cell by cell, shape (n_cells, n_genes), sparse.

    Returns
    -------
    Counts as float32, shape (n_cells, n_genes).

    Raises
    ------
    DataError
        When a cell has no value, or a value is further than 0.2 from a whole number (its cell has no single count).
    """
    from scipy import sparse

    scaled = sparse.csr_matrix(log_values, dtype=np.float64)
    scaled.eliminate_zeros()
    scaled.data = np.expm1(scaled.data)
    n_values = np.diff(scaled.indptr)
    if (n_values == 0).any():
        cell = int(np.flatnonzero(n_values == 0)[0])
        raise DataError(f"cell {cell} has no value, so its counts cannot be recovered; drop empty cells first")
    one_count = np.minimum.reduceat(scaled.data, scaled.indptr[:-1])  # (n_cells,)
    scaled.data /= np.repeat(one_count, n_values)
    whole = np.rint(scaled.data)
    deviation = np.abs(scaled.data - whole).max()
    if deviation > 0.2:
        raise DataError(
            f"the values are not log1p of scaled counts: one is {deviation:.2f} away from a whole number "
            "(at most 0.2 is allowed); give the counts themselves"
        )
    scaled.data = whole
    return scaled.astype(np.float32)


def pbmc68k_reduced() -> AnnData:
    """700 peripheral blood cells, 765 genes, 10 types in ``obs["bulk_labels"]``, from the file that scanpy ships.

    Returns
    -------
    AnnData with counts in `X`.

    Raises
    ------
    InputFileError
        When scanpy is not installed or does not ship the file.
    """
    import anndata

    spec = importlib.util.find_spec("scanpy")
    path = Path(spec.origin).parent / "datasets" / "10x_pbmc68k_reduced.h5ad" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise InputFileError("pbmc68k_reduced ships inside scanpy, which is missing or incomplete; pip install scanpy")
    with warnings.catch_warnings():
        # the file is older than today's layout of .h5ad; scanpy silences the same warnings
        warnings.simplefilter("ignore")
        shipped = anndata.read_h5ad(path)
    obs = shipped.obs[["bulk_labels", "phase", "percent_mito"]].copy()
    return anndata.AnnData(counts_from_log(shipped.raw.X), obs=obs, var=shipped.raw.var[[]].copy())
