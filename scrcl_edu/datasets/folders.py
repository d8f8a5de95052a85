"""Folders that pipelines leave: Cell Ranger's, with GEO's prefix, Space Ranger's with its spots, and stores of zarr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scrcl_edu.datasets import annotated, parsers
from scrcl_edu.errors import DataError, InputFileError
from scrcl_edu.hdf5 import check_hdf5

if TYPE_CHECKING:
    from anndata import AnnData

_FILTERED = "filtered_feature_bc_matrix"


def read(folder: Path) -> AnnData:
    """Find the one matrix that a folder holds, in it or one folder below, and read it.

    Raises
    ------
    InputFileError
        When there is none, or several of which none is meant; the message names them.
    """
    if annotated.is_zarr(folder):
        return annotated.zarr(folder)
    if (folder / "spatial").is_dir():
        return space_ranger(folder)
    if (folder / "outs" / "spatial").is_dir():
        return space_ranger(folder / "outs")
    here = _matrices(folder)
    below = [path for inner in sorted(folder.iterdir()) if inner.is_dir() for path in _matrices(inner)]
    filtered = [path for path in below if path.parent.name.startswith("filtered")]
    found = here or filtered or below
    if len(found) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in found[:6])
        raise InputFileError(f"{folder} holds several matrices ({listed}); give the one you mean")
    if not found:
        return parsers.tenx_mtx(folder)  # says what is missing
    adata = parsers.tenx_mtx(found[0].parent, prefix_of(found[0]))
    if found[0].parent != folder or prefix_of(found[0]):
        parsers.add_notes(adata, f"{found[0].relative_to(folder)} was read, with the names beside it")
    return adata


def may_hold_counts(folder: Path) -> bool:
    """Whether there is anything in a folder that :func:`read` looks for."""
    inside = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    return annotated.is_zarr(folder) or any(_matrices(path) or path.name in ("spatial", "outs") for path in inside)


def prefix_of(mtx: Path) -> str:
    """What stands before `matrix.mtx` in a file's name, such as GEO's sample."""
    return mtx.name.partition("matrix.mtx")[0] if "matrix.mtx" in mtx.name else ""


def _matrices(folder: Path) -> list[Path]:
    paths = sorted([*folder.glob("*matrix.mtx"), *folder.glob("*matrix.mtx.gz")])
    plain = [path for path in paths if not prefix_of(path)]
    return plain[:1] or paths


def space_ranger(outs: Path) -> AnnData:
    """`outs` of Space Ranger: the filtered counts and, of the spots under tissue, coordinates in `obsm["spatial"]`.

    The table of positions has a header from version 2 on; pixels are those of the full image (x to the right, y down).
    """
    import pandas as pd

    counts = next((path for path in (*sorted(outs.glob(f"*{_FILTERED}.h5")), outs / _FILTERED) if path.exists()), None)
    positions = next(iter(sorted((outs / "spatial").glob("*tissue_positions*.csv"))), None)
    if counts is None or positions is None:
        missing = f"{_FILTERED}.h5" if counts is None else "spatial/tissue_positions.csv"
        raise InputFileError(f"{outs} looks like Space Ranger's outs but has no {missing}; copy the whole folder")
    if counts.suffix == ".h5":
        check_hdf5(counts)
    adata = parsers.tenx_h5(counts) if counts.suffix == ".h5" else parsers.tenx_mtx(counts)
    notes = parsers.check_text(positions)
    places = pd.read_csv(positions, header=None, dtype=str, na_filter=False).set_index(0)
    unknown = [name for name in adata.obs_names if name not in places.index]
    if unknown:
        raise DataError(f"{positions} has no position of spot {unknown[0]!r}; the files belong to different slices")
    places = places.loc[adata.obs_names].astype(float)
    under_tissue = (places[1] == 1).to_numpy()
    adata.obsm["spatial"] = places[[5, 4]].to_numpy()
    adata.obs["array_row"], adata.obs["array_col"] = (places[i].to_numpy(int) for i in (2, 3))
    notes += [f"{counts.name} was read, with coordinates from {positions.name}"]
    if not under_tissue.all():
        adata = adata[under_tissue].copy()
        notes.append(f"{int((~under_tissue).sum())} spots outside the tissue dropped")
    parsers.add_notes(adata, *notes)
    return adata
