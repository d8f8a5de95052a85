"""AnnData as a file: what cannot be stored is found before the work, and a full disk costs no more than a message."""

from __future__ import annotations

import errno
import io
import os
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.errors import DataError, InputFileError
from scrcl_edu.files import atomic_path
from scrcl_edu.hdf5 import check_hdf5
from scrcl_edu.matrices import check_all

if TYPE_CHECKING:
    from anndata import AnnData

_GROUPS = ("obsm", "varm", "obsp", "varp", "layers", "uns")
_LARGEST_IN_MEMORY = 2**29  # bytes of a result, uncompressed, up to which its file is made in memory
_COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1}


def make_storable(adata: AnnData) -> None:
    """Find now what could not be written later; names that only this pandas can store become plain text.

    Parameters
    ----------
    adata
        What a fit is going to add to. Only names and annotations are tried, in memory; of a matrix only the first row.

    Raises
    ------
    DataError
        When something cannot be stored; it is named, and how to remove it.
    """
    tables = {"obs": adata.obs, "var": adata.var} | ({"raw.var": adata.raw.var} if adata.raw is not None else {})
    for where, table in tables.items():
        if table.index.dtype != object:
            table.index = table.index.astype(str).astype(object)
        for column in table.columns[table.dtypes.astype(str).str.startswith("string")]:
            table[column] = table[column].astype("category")
        as_written = table.copy()
        adata.strings_to_categoricals(as_written)
        for column in as_written:
            if reason := _why_not(as_written[[column]]):
                raise _refusal(where, column, reason)
    for where in _GROUPS:
        for key, value in getattr(adata, where).items():
            if reason := _why_not({key: value if where == "uns" else value[:1]}):
                raise _refusal(where, key, reason)


def write_h5ad(adata: AnnData, path: str | Path, *, overwrite: bool = False) -> None:
    """Write compressed, and completely or not at all.

    Parameters
    ----------
    adata
        What to write.
    path
        As in :func:`~scrcl_edu.files.atomic_path`.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    import h5py
    from anndata.io import write_elem

    adata.strings_to_categoricals()
    with atomic_path(path, overwrite=overwrite) as temporary:
        # HDF5 itself ends the process when its disk is full: a small file is made in memory, for a large one there
        # must be room for all of it uncompressed.
        large = n_bytes(adata) > _LARGEST_IN_MEMORY
        if large and shutil.disk_usage(temporary.parent).free < n_bytes(adata):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        content = None if large else io.BytesIO()
        with h5py.File(content or temporary, "w") as file:
            write_elem(file, "/", adata, dataset_kwargs=_COMPRESSION)
        if content is not None:
            temporary.write_bytes(content.getbuffer())


def n_bytes(adata: AnnData) -> int:
    """Of all matrices and tables, as they are in memory; arrays that two of them share count twice."""
    matrices = [adata.X, *(m for name in _GROUPS if name != "uns" for m in getattr(adata, name).values())]
    parts = [part for m in matrices for part in ((m.data, m.indices, m.indptr) if hasattr(m, "indptr") else (m,))]
    tables = sum(int(table.memory_usage(deep=False).sum()) for table in (adata.obs, adata.var))
    return tables + sum(getattr(part, "nbytes", 0) for part in parts)


def read_result(path: str | Path, key: str = "scrcl") -> AnnData:
    """Read what :func:`write_h5ad` wrote, after a fit under `key`.

    Raises
    ------
    InputFileError
        When the file is missing or damaged.
    DataError
        When no fit of that name is in it.
    """
    import anndata

    path = Path(path)
    if not path.is_file():
        raise InputFileError(f"{path} is not there as a file; give what `scrcl-edu fit --out` wrote")
    try:
        check_hdf5(path)
        adata = anndata.read_h5ad(path)
        check_all(adata)
    except Exception as error:  # whatever a foreign or damaged file makes anndata raise
        raise InputFileError(
            f"{path} is damaged or not an .h5ad file; give what `scrcl-edu fit --out` wrote"
        ) from error
    check_fit(adata, key, str(path))
    return adata


def check_fit(adata: AnnData, key: str, where: str = "this data") -> None:
    """Raise DataError unless there is a fit of that name."""
    if key not in adata.obs or "recipe" not in (adata.uns.get(key) or {}):
        raise DataError(f"there is no fit called {key!r} in {where}; run scrcl_edu.fit (or scrcl-edu fit --out) first")


def genes_of(adata: AnnData, key: str) -> np.ndarray:
    """Which genes a fit used, a boolean mask of shape (n_genes,)."""
    if f"{key}_programs" in adata.varm:
        return np.isfinite(np.asarray(adata.varm[f"{key}_programs"])).all(axis=1)
    return adata.var["highly_variable"].to_numpy()


def _why_not(value: Any) -> str:
    """Why anndata cannot store a value; empty when it can."""
    import h5py
    from anndata.io import write_elem

    with h5py.File("tried", "w", driver="core", backing_store=False) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            write_elem(file, "value", value)
        except Exception as error:  # whatever a value of any kind makes it raise
            return str(error).strip().splitlines()[0][:120] or type(error).__name__
    return ""


def _refusal(where: str, key: Any, reason: str) -> DataError:
    return DataError(
        f"{where}[{key!r}] cannot be stored in an .h5ad file ({reason}); "
        f"remove it (del adata.{where}[{key!r}]) or turn it into text or numbers"
    )
