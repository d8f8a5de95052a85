"""The formats of single studies: how each published dataset keeps its counts, labels and coordinates.

Archives are read in place and never unpacked, so nothing can be written outside a folder.
"""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from scrcl_edu.datasets import annotated, parsers, textual
from scrcl_edu.errors import DataError, InputFileError

if TYPE_CHECKING:
    from anndata import AnnData


def sc_mixology(counts: Path, metadata: Path) -> AnnData:
    """CSV of genes x cells beside a CSV of the cells, both as R writes them (no name over the first column)."""
    adata = textual.table(counts, genes_in_rows=True)
    adata.obs = adata.obs.join(textual.read_frame(metadata, ","))
    return labelled(adata, adata.obs["cell_line_demuxlet"])


def rna_mixtures(counts: Path, metadata: Path) -> AnnData:
    """As :func:`sc_mixology`; the class is the mixture, the shares of the three cell lines."""
    adata = textual.table(counts, genes_in_rows=True)
    shares = textual.read_frame(metadata, ",")[["H2228_prop", "H1975_prop", "HCC827_prop"]].reindex(adata.obs_names)
    mixed = shares.astype(float).astype(str).agg("/".join, axis=1)
    adata.obs["label"] = mixed.where(shares.notna().all(axis=1)).to_numpy()
    return labelled(adata, adata.obs["label"])


def cell_blast(data: Path, order: Path | None = None) -> AnnData:
    """The Cell BLAST layout, its cells put into the order of the list `order` when there is one."""
    return _ordered(parsers.cell_blast_h5(data), order)


def tabula_muris_facs(archive: Path, order: Path, *annotations: Path, tissue: str) -> AnnData:
    """`FACS/<tissue>-counts.csv` (genes x cells) of the FACS archive, without spike-ins and unlabelled cells."""
    with _zip(archive) as files:
        name = next((n for n in files if n.endswith(f"/{tissue}-counts.csv")), None)
        if name is None:
            raise DataError(f"{archive} has no counts of {tissue!r}; is it the FACS archive of Tabula Muris?")
        with files[name]() as stream:
            frame = pd.read_csv(stream, index_col=0)
    adata = parsers.assemble(frame.to_numpy(np.float32).T, frame.columns, frame.index)
    return _ordered(_annotated(adata, annotations), order)


def tabula_muris_droplet(archive: Path, *annotations: Path, tissue: str) -> AnnData:
    """All channels `droplet/<tissue>-10X_P*_*/` of the droplet archive, with labels; cells sorted by their id."""
    import anndata
    from scipy.io import mmread

    channels = []
    with _zip(archive) as files:
        for name, opened in files.items():
            path = PurePosixPath(name)
            if path.name != "matrix.mtx" or not path.parent.name.startswith(f"{tissue}-10X_"):
                continue
            with opened() as stream:
                matrix = mmread(stream, spmatrix=True).T
            with files[str(path.with_name("genes.tsv"))]() as stream:
                genes = pd.read_csv(stream, sep="\t", header=None, na_filter=False)[0]
            with files[str(path.with_name("barcodes.tsv"))]() as stream:
                barcodes = pd.read_csv(stream, sep="\t", header=None)[0]
            channel = path.parent.name.removeprefix(f"{tissue}-")
            cells = [f"{channel}_{barcode.split('-')[0]}" for barcode in barcodes]
            channels.append(parsers.assemble(sparse.csr_matrix(matrix), cells, genes))
    if not channels:
        raise DataError(f"{archive} has no channel of {tissue!r}; is it the droplet archive of Tabula Muris?")
    adata = _annotated(anndata.concat(channels, merge="same"), annotations)
    return adata[np.sort(adata.obs_names)].copy()


def _annotated(adata: AnnData, annotations: tuple[Path, ...]) -> AnnData:
    """Labels from whichever of the annotation tables knows these cells."""
    for path in annotations:
        frame = pd.read_csv(path, low_memory=False)
        cells = frame["cell"] if "cell" in frame else frame.iloc[:, 0]
        labels = pd.Series(frame["cell_ontology_class"].to_numpy(), index=cells.astype(str))
        labels = labels[~labels.index.duplicated()].reindex(adata.obs_names)
        if labels.notna().any():
            adata.obs["cell_ontology_class"] = labels.to_numpy()
            spike_ins = adata.var_names.str.startswith("ERCC-")
            return labelled(adata[:, ~spike_ins].copy(), adata.obs["cell_ontology_class"])
    raise DataError("none of the annotations knows these cells; counts and annotations are of different data")


def _ordered(adata: AnnData, order: Path | None) -> AnnData:
    if order is None:
        return adata
    ranks = {name: rank for rank, name in enumerate(order.read_text(encoding="utf-8").replace('"', "").split())}
    missing = [name for name in adata.obs_names if name not in ranks]
    if missing:
        warnings.warn(
            f"{len(missing)} cells, such as {missing[0]!r}, are not in {order.name}: the cells stay in the order of "
            "their file, which need not be that of the released predictions",
            UserWarning,
            stacklevel=4,
        )
        return adata
    return adata[np.argsort([ranks[name] for name in adata.obs_names], kind="stable")].copy()


def zeisel(path: Path) -> AnnData:
    """The mouse cortex text: ten rows that describe the cells, then one row per gene; the label is `group #`."""
    with path.open(encoding="utf-8") as file:
        head = [file.readline().rstrip("\r\n").split("\t") for _ in range(11)]
        rows = {row[1].strip(): row[2:] for row in head if len(row) > 1 and row[1].strip()}
        frame = pd.read_csv(file, sep="\t", header=None, index_col=0, na_filter=False)
    values = frame.iloc[:, 1:].to_numpy(np.float32)  # column 0 after the index is the gene's own cluster
    adata = parsers.assemble(values.T, rows["cell_id"], frame.index)
    adata.obs["group"] = rows["group #"]
    for key in ("tissue", "level1class", "level2class"):
        adata.obs[key] = rows[key]
    return adata


def baron(archive: Path, *, species: str = "human") -> AnnData:
    """A tar of one gzipped CSV per donor: cell, barcode, `assigned_cluster`, then genes."""
    import anndata

    donors = []
    with _tar(archive) as files:
        for name in sorted(n for n in files if re.search(rf"_{species}\d+_umifm_counts\.csv\.gz$", n)):
            with files[name]() as stream:
                frame = pd.read_csv(stream, index_col=0, compression="gzip")
            genes = frame.columns.drop(["barcode", "assigned_cluster"])
            donor = parsers.assemble(frame[genes].to_numpy(np.float32), frame.index, genes)
            donor.obs["assigned_cluster"] = frame["assigned_cluster"].to_numpy()
            donor.obs["donor"] = re.findall(rf"{species}\d+", name)[0]
            donors.append(donor)
    if not donors:
        raise DataError(f"{archive} holds no {species} counts; it should hold GSM*_{species}<n>_umifm_counts.csv.gz")
    return anndata.concat(donors, merge="same")


def came_sample(wheel: Path, *, member: str) -> AnnData:
    """An .h5ad of anndata 0.7 in the archive of samples inside the wheel of the package came."""
    import h5py

    with _zip(wheel) as files, files["came/sample_data.zip"]() as stream:
        content = io.BytesIO(stream.read())
    with zipfile.ZipFile(content) as samples:
        opened = io.BytesIO(samples.read(member))
    with h5py.File(opened) as file:
        x, obs = file["X"], file["obs"]
        parts = tuple(x[part][:] for part in ("data", "indices", "indptr"))
        matrix = sparse.csr_matrix(parts, shape=tuple(x.attrs["shape"]))
        adata = parsers.assemble(matrix, obs["index"][:], file["var/index"][:])
        for ours, theirs in (("label", "cell_type1"), ("donor", "donor")):
            adata.obs[ours] = parsers.names(obs["__categories"][theirs][:])[obs[theirs][:]]
    return adata


def human_esc(path: Path) -> AnnData:
    """CSV of genes x cells; the label is the column's name up to the first underscore."""
    adata = textual.table(path, genes_in_rows=True)
    adata.obs["cell_type"] = adata.obs_names.str.split("_").str[0]
    return adata


def li_tumor(path: Path) -> AnnData:
    """CSV of genes x cells; columns `<id>__<type>__<color>`, rows `<place>_<symbol>_<Ensembl id>`."""
    adata = textual.table(path, genes_in_rows=True)
    adata.obs["cell_type"] = [name.split("__")[1] if "__" in name else "NA" for name in adata.obs_names]
    adata.var["gene"] = [name.split("_")[1] if name.count("_") > 1 else name for name in adata.var_names]
    return labelled(adata, adata.obs["cell_type"].replace("NA", np.nan))


def starmap_rdata(path: Path, *, slice: str | None = None) -> AnnData:
    """R lists `starmap_cnts` (genes x cells) and `starmap_info` (x, y, c cell type, z domain), one entry per slice."""
    import anndata

    try:
        import rdata
    except ImportError as error:
        raise InputFileError(f'{path} is an R file; reading it needs: pip install "scrcl_edu[data]"') from error
    lists = rdata.read_rda(path)
    slices = []
    for name, counts in lists["starmap_cnts"].items():
        info = lists["starmap_info"][name]
        label = match.group() if (match := re.search(r"BZ\d+", name)) else name
        adata = parsers.assemble(np.asarray(counts).T, [f"{label}_{i}" for i in info.index], _row_names(counts))
        adata.obsm["spatial"] = info[["x", "y"]].to_numpy(float)
        adata.obs = adata.obs.assign(slice=label, domain=_whole(info["z"]), cell_type=info["c"].astype(str).to_numpy())
        slices.append(adata)
    return _slice(anndata.concat(slices, merge="same"), slice)


def _row_names(matrix: Any) -> Any:
    """Names that R gave to the rows, if any: a matrix with names arrives as xarray, a data frame as pandas."""
    if hasattr(matrix, "coords"):
        return matrix.coords[matrix.dims[0]].values
    return matrix.index if isinstance(matrix, pd.DataFrame) else parsers.numbered("gene", len(matrix))


def starmap_h5ad(path: Path, *, slice: str | None = None) -> AnnData:
    """The same three slices as .h5ad, with `slice`, `domain`, `cell_type` and the coordinates."""
    return _slice(annotated.h5ad(path), slice)


def _slice(adata: AnnData, slice: str | None) -> AnnData:
    return adata if slice is None else adata[adata.obs["slice"] == slice].copy()


def _whole(values: Any) -> list[str]:
    return [str(int(v)) if isinstance(v, (int, float, np.number)) else str(v) for v in values]


def prepared(path: Path) -> AnnData:
    """.h5ad that was made from what its study published: counts in `X`, classes in `label`, maybe coordinates."""
    return annotated.h5ad(path)


def osmfish(path: Path) -> AnnData:
    """Loom of all cells; the valid ones inside a region are kept."""
    adata = parsers.loom(path)
    adata = adata[(adata.obs["Valid"].astype(int) == 1) & (adata.obs["Region"] != "Excluded")].copy()
    adata.obsm["spatial"] = adata.obs[["X", "Y"]].to_numpy(float)
    return adata


def dlpfc(counts: Path, positions: Path, layers: Path, *, sample: str) -> AnnData:
    """One slice of the cortex: 10x counts, the spots' places, and (barcode, sample, layer) of all slices."""
    adata = _placed(parsers.tenx_h5(counts), pd.read_csv(positions, header=None))
    table = pd.read_csv(layers, sep="\t", header=None, dtype=str)
    table = table[table[1] == sample].set_index(0)[2]
    adata.obs["layer_guess"] = table.reindex(adata.obs_names).to_numpy()
    return labelled(adata, adata.obs["layer_guess"])


def visium(counts: Path, spatial: Path, metadata: Path, *, label: str) -> AnnData:
    """10x counts, `spatial.tar.gz` with the spots' places, and a table of the spots with the label in one column."""
    with _tar(spatial) as files:
        name = next((n for n in files if PurePosixPath(n).name.startswith("tissue_positions")), None)
        if name is None:
            raise DataError(f"{spatial} has no tissue_positions file; is it the spatial archive of Space Ranger?")
        with files[name]() as stream:
            positions = pd.read_csv(stream, header=0 if name.endswith("positions.csv") else None)
    adata = _placed(parsers.tenx_h5(counts), positions)
    frame = textual.read_frame(metadata, "\t")
    if label not in frame:
        raise DataError(f"{metadata} has no column {label!r}, only {', '.join(map(str, frame.columns[:8]))}")
    adata.obs[label] = frame[label].reindex(adata.obs_names).to_numpy()
    return labelled(adata, adata.obs[label])


def _placed(adata: AnnData, positions: pd.DataFrame) -> AnnData:
    """Coordinates (x to the right, y downwards, in pixels) from a table of barcode, in_tissue, row, column, y, x."""
    positions = positions.set_index(positions.columns[0]).reindex(adata.obs_names)
    if positions.isna().to_numpy().any():
        spot = positions.index[positions.isna().any(axis=1)][0]
        raise DataError(f"spot {spot!r} has counts but no position; the files belong to different slices")
    adata.obsm["spatial"] = positions.iloc[:, [4, 3]].to_numpy(float)
    adata.obs["array_row"], adata.obs["array_col"] = (positions.iloc[:, i].to_numpy(int) for i in (1, 2))
    return adata


def her2st(counts: Path, regions: Path) -> AnnData:
    """A table of spots ("10x13") x genes, and the pathologist's table; spots left undetermined are dropped."""
    adata = textual.table(counts, "\t", genes_in_rows=False)
    frame = pd.read_csv(regions, sep="\t").dropna(subset=["x", "y"])
    frame.index = [f"{x:.0f}x{y:.0f}" for x, y in zip(frame["x"].round(), frame["y"].round(), strict=True)]
    frame = frame[~frame.index.duplicated()].reindex(adata.obs_names)
    adata.obsm["spatial"] = frame[["pixel_x", "pixel_y"]].to_numpy(float)
    adata.obs["label"] = frame["label"].replace("undetermined", np.nan).to_numpy()
    return labelled(adata, adata.obs["label"])


def mosta(path: Path) -> AnnData:
    """.h5ad whose counts are in ``layers["count"]``, with `annotation` and ``obsm["spatial"]``."""
    adata = annotated.h5ad(path)
    adata.X = adata.layers.pop("count")
    adata.layers.clear()
    return labelled(adata, adata.obs["annotation"])


def labelled(adata: AnnData, labels: Any) -> AnnData:
    """The cells that have a label, as a new AnnData when some have none."""
    values = pd.Series(np.asarray(labels, dtype=object))
    keep = (values.notna() & (values.astype(str).str.strip() != "")).to_numpy()
    return adata if keep.all() else adata[keep].copy()


@contextlib.contextmanager
def _zip(path: Path) -> Iterator[dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/")]
        for name in names:
            _check_member(path, name)
        yield {n: (lambda n=n: archive.open(n)) for n in names}


@contextlib.contextmanager
def _tar(path: Path) -> Iterator[dict[str, Any]]:
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        for member in members:
            _check_member(path, member.name, link=member.islnk() or member.issym() or member.isdev())

        def opened(member: tarfile.TarInfo) -> IO[bytes]:
            stream = archive.extractfile(member)
            if stream is None:  # only of what is no file
                raise InputFileError(f"{path} holds {member.name}, which is no file; download it again")
            return stream

        yield {m.name: (lambda m=m: opened(m)) for m in members if m.isfile()}


def _check_member(path: Path, name: str, *, link: bool = False) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if link or parts.is_absolute() or ".." in parts.parts or ":" in (parts.parts or ("",))[0]:
        raise InputFileError(
            f"{path} is not trusted: its member {name!r} is a link or leads out of its folder; download it again"
        )
