"""Reading a user's own file or folder, with an error that says what is wrong with it."""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scrcl_edu.datasets import annotated, folders, parsers, textual
from scrcl_edu.errors import DataError, InputFileError, ScrclError, SettingsError
from scrcl_edu.hdf5 import check_hdf5
from scrcl_edu.matrices import check_all

if TYPE_CHECKING:
    from anndata import AnnData

KINDS = ".h5ad, .h5mu, .h5 (10x), .loom, .csv, .tsv, .txt, each also .gz, a folder with matrix.mtx, outs, or zarr"

# What to do with other kinds that people have, by the end of their names
_INSTEAD = {
    (".rds", ".rda", ".rdata", ".robj", ".h5seurat"): "in R, write it as .h5ad (anndataR or zellkonverter)",
    (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".bz2", ".xz"): "unpack it, and give the file or folder inside",
    (".xlsx", ".xls", ".ods"): "save the sheet as .csv; spreadsheets may have turned gene names into dates",
    (".fastq", ".fastq.gz", ".fq.gz", ".bam", ".cram"): "count genes in it first, as Cell Ranger or STARsolo do",
    (".pkl", ".pickle", ".pt", ".npy", ".npz"): "write .h5ad where it comes from; code in a file is never run",
}
_TABLES = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_HDF5_KINDS = (".h5ad", ".h5mu", ".h5", ".hdf5", ".loom")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_GZIP = b"\x1f\x8b"


def read_input(
    path: str | Path,
    *,
    genes_in_rows: bool | None = None,
    layer: str | None = None,
    raw: bool = False,
    rounded: bool = False,
) -> AnnData:
    """Read a count matrix from a file or a folder of one of the usual kinds.

    Parameters
    ----------
    path
        `.h5ad`; MuData (`.h5mu`) with one part of RNA; 10x `.h5`; `.loom`; `.csv`, `.tsv`, `.txt` (tab separated) with
        names in the first row and column; each also gzipped. A folder of 10x (matrix.mtx, barcodes.tsv, genes.tsv or
        features.tsv) or a `.mtx` file in one; Space Ranger's outs; a zarr store of AnnData, MuData or SpatialData.
    genes_in_rows
        For text tables: True when genes are in rows, False when cells are (as scanpy expects). None looks at the names.
    layer
        Name of the layer that holds the counts.
    raw
        Whether the counts are in `.raw`, with its genes.
    rounded
        Round the values to whole numbers, for expected counts (SoupX, CellBender, DecontX).

    Returns
    -------
    AnnData of shape (n_cells, n_genes) with the file's values in `X`, float32, sparse when that is smaller.
    Whether they are counts is checked in preprocessing, which also says the notes in ``uns["reading_notes"]``.

    Raises
    ------
    InputFileError
        When the path does not exist, is of another kind, is truncated or damaged.
    DataError
        When the content does not make a matrix (names that do not match its shape, text among numbers), a matrix is
        damaged, there is no such layer, or the names of a table do not tell cells from genes.

    Notes
    -----
    No code in a file is ever run: pickles (`.pkl`, `.pt`, `.npy` objects, in zarr) are refused.
    """
    path = Path(path)
    if not path.exists():
        raise InputFileError(f"{path} does not exist; check the spelling or give a dataset's name (scrcl-edu datasets)")
    reader = _reader(path, genes_in_rows, layer)
    with explaining(path):
        adata = reader()
    with naming(path):
        check_all(adata)
        adata = _chosen(adata, layer, raw=raw)
        if rounded:
            _round(adata)
        if 0 in adata.shape:
            raise InputFileError(
                f"{path} holds {adata.n_obs} cells and {adata.n_vars} genes; give a file with at least one of each"
            )
    return adata


def _chosen(adata: AnnData, layer: str | None, *, raw: bool) -> AnnData:
    """Put what the user named where the counts are looked for."""
    if layer is not None and raw:
        raise SettingsError("--layer and --raw both say where the counts are; give one of them")
    if layer is not None:
        layer = layer if layer in adata.layers else annotated.plain_name(layer)
        if layer not in adata.layers:
            raise DataError(f"there is no layer {layer!r}; the layers are: {', '.join(adata.layers) or 'none'}")
        adata.layers["counts"] = adata.layers[layer]
    if raw:
        if adata.raw is None:
            raise DataError("there is no .raw; leave --raw out, or name a layer with --layer")
        adata = adata.raw.to_adata()
        adata.raw = None
    if adata.X is None and "counts" not in adata.layers:
        there = " and ".join([*(f"--layer {name}" for name in adata.layers), *["--raw"] * (adata.raw is not None)])
        fix = f"take its counts with {there}" if there else 'store the counts in X or in layers["counts"]'
        raise DataError(f"there is no matrix X; {fix}")
    if adata.X is None:
        adata.X = adata.layers["counts"]
    return adata


def _round(adata: AnnData) -> None:
    """Whole numbers in place of fractions, where the counts are looked for."""
    counts = adata.layers["counts"] if "counts" in adata.layers else adata.X
    adata.layers["counts"] = counts.rint() if hasattr(counts, "indptr") else np.rint(counts)
    parsers.add_notes(adata, "values were rounded to whole numbers (--round)")


def _reader(path: Path, genes_in_rows: bool | None, layer: str | None) -> Callable[[], AnnData]:
    if path.is_dir():
        return lambda: folders.read(path)
    if path.stat().st_size == 0:
        raise InputFileError(f"{path} is empty (0 bytes); copy or download it again")
    suffixes = [s.lower() for s in path.suffixes]
    gzipped = suffixes[-1:] == [".gz"]
    kind = next(iter((suffixes[:-1] if gzipped else suffixes)[-1:]), "")
    with path.open("rb") as file:
        start = file.read(8)
    if kind == ".mtx":
        return lambda: parsers.tenx_mtx(path.parent, folders.prefix_of(path))
    if kind not in (*_TABLES, *_HDF5_KINDS):
        named = "".join(suffixes) or "no suffix"
        way = next((f". Instead, {fix}" for ends, fix in _INSTEAD.items() if path.name.lower().endswith(ends)), "")
        raise InputFileError(f"{path} is of a kind that is not read ({named}); allowed: {KINDS}{way}")
    if kind in _TABLES:
        if gzipped != (start[:2] == _GZIP) or start == _HDF5:
            raise InputFileError(f"{path} is not what its name says: it starts with {start!r}; export it again")
        return lambda: textual.table(path, _TABLES[kind], genes_in_rows=genes_in_rows)
    if start[:2] == _GZIP:
        return lambda: _hdf5(io.BytesIO(gzip.decompress(path.read_bytes())), layer)
    if start != _HDF5:
        raise InputFileError(
            f"{path} is not an HDF5 file although its name ends in {kind}: it starts with {start!r}; "
            "it may be an error page saved under that name, so download or export it again"
        )
    return lambda: _hdf5(path, layer)


def _hdf5(path: Path | io.BytesIO, layer: str | None) -> AnnData:
    """Recognize the layout by what the file holds: names are used for more than one."""
    import h5py

    check_hdf5(path)
    with h5py.File(path) as file:
        keys = set(file)
        groups = [file[k] for k in keys if isinstance(file.get(k, getlink=False), h5py.Group)]
        barcodes = any("barcodes" in g for g in groups)
    if "mod" in keys or ({"obs", "var"} <= keys and "exprs" not in keys):
        return annotated.h5ad(path)
    if {"matrix", "row_attrs", "col_attrs"} <= keys:
        return parsers.loom(path, layer)
    if barcodes:
        return parsers.tenx_h5(path)
    if "exprs" in keys:
        return parsers.cell_blast_h5(path)
    if "X" in keys:
        return parsers.xy_h5(path)
    raise InputFileError(
        f"this is HDF5 but of no layout that is read: it holds {', '.join(sorted(keys)[:6]) or 'nothing'}; "
        f"allowed: {KINDS}"
    )


@contextlib.contextmanager
def explaining(path: Path | str) -> Iterator[None]:
    """Turn whatever a format's library raises on a damaged file into one error that names the file."""
    try:
        with naming(path):
            yield
    except ScrclError:
        raise
    except MemoryError as error:
        raise InputFileError(f"{path} does not fit into memory; use a machine with more, or fewer cells") from error
    except PermissionError as error:
        raise InputFileError(f"{path} may not be read by you; change its permissions") from error
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path} is damaged or its text is not UTF-8 (byte {error.object[error.start]:#x}: {error.reason}); "
            "save it as UTF-8, or copy it again"
        ) from error
    except Exception as error:  # half a file makes the formats' libraries stumble in any way
        detail = str(error).strip().splitlines()
        said = detail[0][:100].encode("utf-8", "backslashreplace").decode() if detail else "no detail"
        raise InputFileError(
            f"{path} is truncated, damaged, or not of the kind that its name says "
            f"({type(error).__name__}: {said}); copy, download or export it again"
        ) from error


@contextlib.contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put the file before the message of an error about its content that does not name it."""
    try:
        yield
    except (DataError, InputFileError) as error:
        if Path(path).name in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
