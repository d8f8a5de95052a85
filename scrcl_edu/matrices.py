"""What a matrix of counts must be: sound in its structure, finite, not negative. Called wherever a matrix comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

LARGEST_LOG_VALUE = 25.0  # log1p of 7e10: no count per 10,000 reaches it, real counts soon do


def check_structure(matrix: Any, name: str = "the matrix") -> None:
    """Raise when a compressed sparse matrix points outside itself: compiled code would read foreign memory.

    Parameters
    ----------
    matrix
        CSR or CSC of any shape; anything else passes.
    name
        What the message calls it.

    Raises
    ------
    DataError
        When `indptr` or `indices` do not describe a matrix of this shape.
    """
    from scipy import sparse

    if not (sparse.issparse(matrix) and matrix.format in ("csr", "csc")):
        return
    major, minor = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
    indptr, indices = np.asarray(matrix.indptr), np.asarray(matrix.indices)
    wrong = ""
    if len(indptr) != major + 1 or indptr[0] != 0:
        wrong = f"its indptr has {len(indptr)} entries, not {major + 1} that begin with 0"
    elif (indptr[1:] < indptr[:-1]).any():
        wrong = "its indptr decreases"
    elif not indptr[-1] <= len(indices) == len(matrix.data):
        wrong = f"{indptr[-1]} entries are announced, {len(indices)} indices and {len(matrix.data)} values are there"
    elif len(indices) and not 0 <= indices.min() <= indices.max() < minor:
        wrong = f"its indices go from {indices.min()} to {indices.max()}, allowed are 0 to {minor - 1}"
    if wrong:
        raise DataError(f"{name} is damaged: {wrong}; export the file again")


def rows_out_of_order(matrix: Any) -> tuple[int, int]:
    """Rows (of CSC: columns) whose indices do not rise, where nearly all others' do, and how many there are at all.

    Any order is allowed, but a program that sorts sorts all; the exception is a sign of damage. (0, n) without one.
    """
    from scipy import sparse

    if not (sparse.issparse(matrix) and matrix.format in ("csr", "csc")) or matrix.nnz == 0:
        return 0, 0
    kept = type(matrix)((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    if kept.has_canonical_format:
        return 0, 0
    falls = np.flatnonzero(matrix.indices[1:] <= matrix.indices[:-1]) + 1
    within = falls[~np.isin(falls, matrix.indptr)]
    rows = len(np.unique(np.searchsorted(matrix.indptr, within, side="right")))
    total = len(matrix.indptr) - 1
    return (rows, total) if rows <= max(2, total // 50) else (0, total)


def check_all(adata: AnnData) -> None:
    """Check the structure of every matrix that an AnnData holds, and that all of it is in memory.

    Raises
    ------
    DataError
        When a matrix is damaged, stays in a file (backed), or is computed later (dask).
    """
    if adata.isbacked:
        raise DataError("the AnnData is backed by its file; read it into memory first: adata = adata.to_memory()")
    for name, matrix in _matrices(adata):
        if hasattr(matrix, "dask"):
            raise DataError(f"{name} is a dask array; compute it first: adata = adata.to_memory()")
        check_structure(matrix, name)


def _matrices(adata: AnnData) -> Iterator[tuple[str, Any]]:
    yield "X", adata.X
    for mapping in ("layers", "obsm", "varm", "obsp", "varp"):
        for key, matrix in getattr(adata, mapping).items():
            yield f"{mapping}[{key!r}]", matrix
    if adata.raw is not None:
        yield "raw.X", adata.raw.X


def checked_values(
    values: Any, shape: tuple[int, int], *, already_logged: bool = False, fix: Callable[[], str] = str
) -> Any:
    """Float32 copy of a sound matrix, CSR when sparse, with duplicate entries summed and zeros dropped.

    Parameters
    ----------
    values
        Counts or log values, shape (n_cells, n_genes), array or sparse.
    shape
        Shape of the AnnData, for the message about an empty one.
    already_logged
        Whether log-normalized values are expected instead of counts.
    fix
        Asked, when the values are no counts, where else counts are; empty when nowhere.

    Raises
    ------
    DataError
        When the matrix is empty, damaged, not of numbers, or its values are not what is expected.
    """
    from scipy import sparse

    if values is None or 0 in shape:
        raise DataError(f"the matrix is empty ({shape[0]} cells x {shape[1]} genes); check how the file was exported")
    if not np.issubdtype(values.dtype, np.number):
        raise DataError(f"the matrix holds {values.dtype} instead of numbers; leave only genes in its columns")
    check_structure(values)
    values = sparse.csr_matrix(values) if sparse.issparse(values) else np.asarray(values)
    values = values.astype(np.float32)
    if sparse.issparse(values):
        values.sum_duplicates()
    data = values.data if sparse.issparse(values) else values
    for wrong, word in ((np.isnan(data), "NaN"), (np.isinf(data), "infinite"), (data < 0, "negative")):
        if wrong.any():
            way = fix() or "Give the raw counts in X or layers['counts']"
            raise DataError(f"{int(wrong.sum())} values are {word}; counts are 0 or more. {way}")
    if not already_logged and data.size and data.max() < LARGEST_LOG_VALUE and share_of_fractions(values):
        way = fix() or (
            "If so, pass --already-logged (already_logged=True); if they are expected counts (SoupX, CellBender), "
            "--round; else give the raw counts in X or layers['counts']"
        )
        raise DataError(
            f"the values are not integers and none exceeds {data.max():.2f}: they look log-transformed already. {way}"
        )
    if already_logged and data.size and data.max() >= LARGEST_LOG_VALUE:
        raise DataError(
            f"already_logged is set but values reach {data.max():.6g}, which no log-transformed count does; "
            "leave --already-logged (already_logged=True) out, or give the logged values in X"
        )
    if sparse.issparse(values):
        values.eliminate_zeros()
    return values


def share_of_fractions(values: Any) -> float:
    """Share of the non-zero values that are no integers."""
    from scipy import sparse

    data = values.data if sparse.issparse(values) else values[values != 0]
    return float(np.mean(data != np.rint(data))) if data.size else 0.0


def where_counts_are(adata: AnnData) -> str:
    """Where else an AnnData holds whole numbers of 0 or more, with the option that takes them; empty if nowhere."""
    places = [(f"layers[{key!r}] (--layer {key})", matrix) for key, matrix in adata.layers.items()]
    if adata.raw is not None:
        places.insert(0, (".raw (--raw)", adata.raw.X))
    found = [place for place, matrix in places if _are_counts(matrix)]
    return f"Counts are in {' and in '.join(found)}; take them from there" if found else ""


def _are_counts(matrix: Any) -> bool:
    data = matrix.data if hasattr(matrix, "indptr") else np.asarray(matrix)
    return bool(np.issubdtype(data.dtype, np.number) and (data >= 0).all() and not (data != np.rint(data)).any())
