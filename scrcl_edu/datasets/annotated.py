"""AnnData in HDF5 or zarr: also inside MuData or SpatialData, with slashes in names, or in half precision."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.datasets.parsers import add_notes, out_of_order
from scrcl_edu.errors import DataError, InputFileError
from scrcl_edu.hdf5 import check_hdf5
from scrcl_edu.matrices import check_structure

if TYPE_CHECKING:
    from anndata import AnnData

RNA = frozenset("rna gex mrna transcriptome expression gene_expression".split())
_MAPPINGS = frozenset("layers obsm varm obsp varp".split())
_PARTS = _MAPPINGS | {"X", "obs", "var", "uns", "raw"}
_WHOLE_IN_HALF = 2048  # up to here float16 holds every whole number


def h5ad(source: Path | IO[bytes]) -> AnnData:
    """An .h5ad or .h5mu file, or its bytes; when it has no `X`, its counts layer takes that place."""
    import anndata
    import h5py

    with h5py.File(source) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = _special(file)
        return _with_values(anndata.read_h5ad(source) if adata is None else adata)


def zarr(folder: Path) -> AnnData:
    """A zarr store of AnnData, of MuData, or of SpatialData with one table. Pickles in it are not read."""
    import anndata
    from zarr import open_group

    with _without_pickle(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = open_group(folder, mode="r")
        adata = _special(group)
        return _with_values(anndata.read_zarr(group) if adata is None else adata)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The group of an .h5ad file or a zarr store, to read from it part by part.

    Raises
    ------
    InputFileError
        When it is neither, or damaged so that HDF5's library would crash.
    """
    import h5py

    if path.is_dir() and is_zarr(path):
        from zarr import open_group

        with _without_pickle():
            yield _found(open_group(path, mode="r"))[0]
    elif path.is_file() and h5py.is_hdf5(path):
        check_hdf5(path)
        with h5py.File(path) as file:
            yield _found(file)[0]
    else:
        raise InputFileError(f"{path} is neither an .h5ad file nor a zarr store; leave --by-chunks out")


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a zarr store of version 2 or 3."""
    return any((folder / name).is_file() for name in (".zgroup", ".zmetadata", "zarr.json"))


def _special(group: Any) -> AnnData | None:
    """What anndata's own readers would not take, read part by part; None when there is nothing of the kind."""
    inside, notes = _found(group)
    if not {"obs", "var"} <= set(inside):
        as_zarr = type(group).__module__.startswith("zarr")
        there = ", ".join(sorted(_PARTS & set(inside))) or "none"
        raise DataError(
            f"this {'zarr store' if as_zarr else 'file'} holds no AnnData (of obs, var and X it has {there}); "
            "copy the whole of it again, or write an .h5ad where it comes from: adata.write_h5ad('cells.h5ad')"
        )
    slashed = [f"{name}/{key}" for name in _MAPPINGS for key in _flat(inside, name) if "/" in key]
    halves = [name for name in _sparse_parts(inside) if inside[name]["data"].dtype == np.float16]
    if inside is group and not slashed and not halves:
        return None
    for name in slashed:
        where, _, key = name.partition("/")
        notes.append(f"{where}[{key!r}] is called {plain_name(key)!r}: a name with a slash cannot be written back")
    for name in halves:
        if float(np.abs(inside[name]["data"][:]).max(initial=0)) > _WHOLE_IN_HALF:
            notes.append(
                f"{name} is of half precision (float16), which rounds whole numbers above {_WHOLE_IN_HALF:,}; "
                "take the counts from an earlier file if there is one"
            )
    adata = _read(inside)
    add_notes(adata, *notes)
    return adata


def _read(inside: Any) -> AnnData:
    import anndata
    from anndata.experimental import read_dispatched

    start = "/" + inside.name.strip("/")

    def part(read: Any, name: str, elem: Any, iospec: Any) -> Any:
        path = ("/" + name.strip("/")).removeprefix(start).strip("/")
        if not path:
            return anndata.AnnData(**{key: read_dispatched(elem[key], part) for key in elem if key in _PARTS})
        if path in _MAPPINGS:
            return {plain_name(key): read_dispatched(elem[key], part) for key in _flat(inside, path)}
        if path == "raw" and hasattr(elem, "keys"):  # without one an empty value is stored
            return {key: read_dispatched(elem[key], part) for key in elem if key in ("X", "var", "varm")}
        if iospec.encoding_type in ("csr_matrix", "csc_matrix") and elem["data"].dtype == np.float16:
            return _whole_precision(elem, iospec.encoding_type)
        return read(elem)

    return read_dispatched(inside, part)


def _whole_precision(elem: Any, kind: str) -> Any:
    """A sparse matrix of float16, which scipy cannot hold, as float32."""
    from scipy import sparse

    make = sparse.csr_matrix if kind == "csr_matrix" else sparse.csc_matrix
    shape = tuple(int(n) for n in elem.attrs["shape"])
    matrix = make((elem["data"][:].astype(np.float32), elem["indices"][:], elem["indptr"][:]), shape=shape)
    check_structure(matrix)
    return matrix


def _found(group: Any) -> tuple[Any, list[str]]:
    """Where the AnnData is, with a note when that is not the root of the file."""
    if "mod" in group:
        names = list(group["mod"])
        rna = [name for name in names if name.casefold().replace(" ", "_") in RNA] if len(names) > 1 else names
        if len(rna) != 1:
            raise DataError(
                f"this is a MuData file whose parts ({', '.join(names) or 'none'}) leave open which is RNA; save "
                "the one with the counts: mudata.read(...)[NAME].write_h5ad('rna.h5ad')"
            )
        others = f"; left out: {', '.join(name for name in names if name != rna[0])}" if len(names) > 1 else ""
        return group["mod"][rna[0]], [f"this is a MuData file, of which {rna[0]!r} was read{others}"]
    if "tables" in group and "obs" not in group:
        names = list(group["tables"])
        if len(names) != 1:
            raise DataError(
                f"this is a SpatialData store of {len(names)} tables ({', '.join(names)}); give the one with the "
                "counts, such as STORE/tables/NAME"
            )
        return group["tables"][names[0]], [f"this is a SpatialData store, of which table {names[0]!r} was read"]
    return group, []


def _flat(inside: Any, name: str) -> list[str]:
    """Keys of a mapping; a group that is no matrix or table was made by a slash in a name and is entered."""
    if name not in inside or not hasattr(inside[name], "keys"):
        return []

    def enter(group: Any, before: str) -> Iterator[str]:
        for key in group:
            value = group[key]
            made_by_slash = hasattr(value, "keys") and "encoding-type" not in value.attrs
            if made_by_slash and not {"data", "indptr"} & set(value.keys()):
                yield from enter(value, f"{before}{key}/")
            else:
                yield before + key

    return list(enter(inside[name], ""))


def _sparse_parts(inside: Any) -> list[str]:
    names = ["X", "raw/X", *(f"{name}/{key}" for name in sorted(_MAPPINGS) for key in _flat(inside, name))]
    return [name for name in names if name in inside and hasattr(inside[name], "keys") and "data" in inside[name]]


def plain_name(key: str) -> str:
    """A name without slashes."""
    return key.replace("/", "_")


def _with_values(adata: AnnData) -> AnnData:
    for name, matrix in (("X", adata.X), *((f"layers[{key!r}]", adata.layers[key]) for key in adata.layers)):
        add_notes(adata, *out_of_order(name, matrix))
    if adata.X is None and "counts" in adata.layers:
        adata.X = adata.layers["counts"]  # not copied: preprocessing makes what it changes
    return adata


@contextlib.contextmanager
def _without_pickle() -> Iterator[None]:
    """Forget zarr's codec that runs code from the store, for the time of reading."""
    from numcodecs import registry

    known = {key: codec for key, codec in registry.codec_registry.items() if "pickle" in key.casefold()}
    entries = {key: entry for key, entry in registry.entries.items() if "pickle" in key.casefold()}
    for key in known:
        del registry.codec_registry[key]
    for key in entries:
        del registry.entries[key]
    try:
        yield
    finally:
        registry.codec_registry.update(known)
        registry.entries.update(entries)
