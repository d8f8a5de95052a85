"""The general file formats of single-cell data, each read into an AnnData with cells in rows.

Nothing in a file is executed: HDF5 is read through h5py, text through pandas, Matrix Market through scipy.
"""

from __future__ import annotations

import gzip
import itertools
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.errors import DataError, InputFileError
from scrcl_edu.matrices import check_structure, rows_out_of_order

if TYPE_CHECKING:
    import h5py
    import pandas as pd
    from anndata import AnnData

_SPARSE_BELOW = 0.5  # share of non-zero values under which CSR takes less memory than a dense array
_GENOME = r"^(GRCh\d+|hg\d+|GRCm\d+|mm\d+)[-_.]*"

_LOOM_GENES = ("Gene", "var_names", "gene_names", "Accession")
_LOOM_CELLS = ("CellID", "obs_names", "cell_names")


def compact(matrix: Any) -> Any:
    """Float32, as CSR when fewer than half of the values are non-zero and as a dense array otherwise."""
    from scipy import sparse

    if sparse.issparse(matrix):
        check_structure(matrix)
        matrix = sparse.csr_matrix(matrix, dtype=np.float32)
        matrix.sum_duplicates()
        return matrix if matrix.nnz < _SPARSE_BELOW * np.prod(matrix.shape, dtype=float) else matrix.toarray()
    dense = np.asarray(matrix, dtype=np.float32)
    return sparse.csr_matrix(dense) if np.count_nonzero(dense) < _SPARSE_BELOW * dense.size else dense


def names(values: Iterable[Any]) -> np.ndarray:
    """Names as text, whatever the file kept them as."""
    return np.array([v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in np.asarray(values).ravel()], object)


def assemble(matrix: Any, cells: Iterable[Any], genes: Iterable[Any]) -> AnnData:
    """AnnData from a matrix (n_cells, n_genes) and the names of both sides."""
    import anndata
    import pandas as pd

    of_cells, of_genes = pd.Index(names(cells)), pd.Index(names(genes))
    if matrix.shape != (len(of_cells), len(of_genes)):
        raise DataError(
            f"the matrix is {matrix.shape[0]} x {matrix.shape[1]} but there are {len(of_cells)} cell names and "
            f"{len(of_genes)} gene names; the file is incomplete or belongs to other data"
        )
    doubts = out_of_order("the matrix", matrix)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # duplicate names are reported where they matter, in preprocessing
        adata = anndata.AnnData(compact(matrix), obs=pd.DataFrame(index=of_cells), var=pd.DataFrame(index=of_genes))
    add_notes(adata, *doubts)
    return adata


def out_of_order(name: str, matrix: Any) -> list[str]:
    """A note when a few rows of a sound matrix are out of order, as damage leaves them."""
    check_structure(matrix, name)
    rows, total = rows_out_of_order(matrix)
    if not rows:
        return []
    return [
        f"{name}: entries of {rows} of {total} rows are there twice or out of order, those of all others are not; "
        "the file may be damaged"
    ]


def numbered(prefix: str, n: int) -> list[str]:
    """Names for cells or genes whose file has none."""
    return [f"{prefix}{i}" for i in range(n)]


def tenx_h5(path: Path | IO[bytes]) -> AnnData:
    """The .h5 of Cell Ranger: group `matrix` (version 3) or one group per genome (version 2); gene expression only."""
    import h5py
    from scipy import sparse

    with h5py.File(path) as file:
        if "matrix" not in file and len(file) > 1:
            raise DataError(
                f"this holds several genomes ({', '.join(file)}), only one is allowed; "
                "read the one you need with scanpy.read_10x_h5(genome=...) and save it as .h5ad"
            )
        group = file["matrix"] if "matrix" in file else file[next(iter(file))]
        n_genes, n_cells = group["shape"][:]
        parts = (group["data"][:], group["indices"][:], group["indptr"][:])
        matrix = sparse.csr_matrix(parts, shape=(n_cells, n_genes))
        features = group["features"] if "features" in group else group
        symbols = features["name"] if "name" in features else features["gene_names"]
        ids = features["id"] if "id" in features else features["genes"]
        adata = assemble(matrix, group["barcodes"][:], symbols[:])
        adata.var["gene_ids"] = names(ids[:])
        kinds = names(features["feature_type"][:]) if "feature_type" in features else None
        if "genome" in features:
            adata.var["genome"] = names(features["genome"][:])
    return _gene_expression(adata, kinds)


def tenx_mtx(folder: Path, prefix: str = "") -> AnnData:
    """A folder of Cell Ranger: matrix.mtx, barcodes.tsv, genes.tsv or features.tsv, each maybe gzipped and prefixed."""
    from scipy.io import mmread

    def find(*stems: str) -> Path:
        for stem in stems:
            for path in (folder / f"{prefix}{stem}", folder / f"{prefix}{stem}.gz"):
                if path.is_file():
                    return path
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:6]) or "nothing"
        raise InputFileError(
            f"{folder} has no {prefix}{f' or {prefix}'.join(stems)}[.gz] (it holds {there}); "
            "a 10x folder has matrix.mtx, barcodes.tsv and genes.tsv or features.tsv"
        )

    mtx = find("matrix.mtx")
    lists = find("features.tsv", "genes.tsv"), find("barcodes.tsv")
    cut = [note for path in (mtx, *lists) for note in check_text(path)]
    features, barcodes = read_names(lists[0]), read_names(lists[1])[0]
    matrix = mmread(mtx, spmatrix=True).T  # (n_cells, n_genes)
    barcodes, features, turned, notes = _fitting(matrix.shape, barcodes, features)
    if turned:
        notes.append(f"{mtx.name} has cells in its rows, where 10x writes genes; it was transposed")
        matrix = matrix.T
    adata = assemble(matrix, barcodes, features[min(1, features.shape[1] - 1)])
    add_notes(adata, *cut, *notes)
    adata.var["gene_ids"] = features[0].to_numpy()
    return _gene_expression(adata, features[2].to_numpy() if features.shape[1] > 2 else None)


def read_names(path: Path) -> pd.DataFrame:
    """Columns of text without a header, parted by tabs."""
    import pandas as pd

    frame = pd.read_csv(path, sep="\t", header=None, dtype=str, na_filter=False)
    short = (frame.iloc[:, -1] == "").to_numpy()
    if frame.shape[1] > 2 and short.any() and not short.all():
        raise DataError(
            f"{path}: line {int(short.argmax()) + 1} has fewer columns than others; the file is cut off or damaged, "
            "copy it again"
        )
    return frame


def check_text(path: Path) -> list[str]:
    """Look at a file of text, maybe gzipped, before it is read.

    Returns
    -------
    A note when its last line has no end, as when it is cut off.

    Raises
    ------
    InputFileError
        When it holds zero bytes, on which readers of text crash.
    """
    opener, last = gzip.open if path.suffix.lower() == ".gz" else open, b""
    with opener(path, "rb") as file:
        while block := file.read(2**22):
            if 0 in block:
                raise InputFileError(
                    f"{path} is damaged: zero bytes stand between its letters; copy it again, or save it as UTF-8 if "
                    "it is UTF-16"
                )
            last = block[-1:]
    return [] if last == b"\n" else [f"the last line of {path.name} has no end: is the file complete?"]


def _fitting(shape: tuple[int, int], barcodes: Any, features: Any) -> tuple[Any, Any, bool, list[str]]:
    """Names that fit a matrix (n_cells, n_genes): without a header if there is one, and whether it must be turned."""
    for turned, header_1, header_2 in itertools.product((0, 1), repeat=3):
        if shape[:: -1 if turned else 1] == (len(barcodes) - header_1, len(features) - header_2):
            heads = [barcodes.iloc[0]] * header_1 + [features.iloc[0, 0]] * header_2
            notes = [f"{head!r}, the first line of a list of names, was taken as its header" for head in heads]
            return barcodes[header_1:], features[header_2:], bool(turned), notes
    return barcodes, features, False, []


def add_notes(adata: AnnData, *notes: str) -> None:
    """Keep what the user is to hear about reading until preprocessing says it."""
    if notes:
        adata.uns["reading_notes"] = [*adata.uns.get("reading_notes", []), *notes]


def _gene_expression(adata: AnnData, kinds: np.ndarray | None) -> AnnData:
    if kinds is not None:
        keep = kinds == "Gene Expression"
        if not keep.any():
            raise DataError(f"no feature is of type 'Gene Expression', only {sorted(set(kinds))}; give expression data")
        if not keep.all():
            others = ", ".join(f"{(kinds == kind).sum()} of type {kind!r}" for kind in sorted(set(kinds[~keep]))[:6])
            adata = adata[:, keep].copy()
            add_notes(adata, f"features that are no genes were left out: {others}")
    _note_genomes(adata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata.var_names_make_unique()  # several Ensembl ids share a symbol; var["gene_ids"] tells them apart
    return adata


def _note_genomes(adata: AnnData) -> None:
    """Say when genes of several genomes are there, by the file's word or by the prefix that Cell Ranger gives them."""
    genomes = adata.var["genome"] if "genome" in adata.var else adata.var_names.str.extract(_GENOME, expand=False)
    found = sorted({str(genome) for genome in genomes if isinstance(genome, str) and genome})
    if len(found) > 1:
        add_notes(
            adata,
            f"genes of several genomes are there ({', '.join(found)}): clusters will mostly tell the species apart; "
            "keep one genome's cells and genes to find cell types",
        )


def loom(path: Path | IO[bytes], layer: str | None = None) -> AnnData:
    """A loom file: `matrix` (genes x cells), `row_attrs` of the genes, `col_attrs` of the cells; of layers only one."""
    import h5py

    with h5py.File(path) as file:
        matrix, genes, cells = file["matrix"], file["row_attrs"], file["col_attrs"]
        if not matrix.shape[0]:
            raise DataError("this has no genes; give a file with at least one gene and one cell")
        gene_names = _first(genes, _LOOM_GENES, "gene", matrix.shape[0])
        cell_names = _first(cells, _LOOM_CELLS, "cell", matrix.shape[1])
        adata = assemble(_in_blocks(matrix), cell_names, gene_names)
        for what, attributes, keys in (("cells", cells, _LOOM_CELLS), ("genes", genes, _LOOM_GENES)):
            if not set(keys) & set(attributes):
                add_notes(adata, f"no names of {what} are there (looked for {', '.join(keys)}); they are numbered")
        if layer is not None and layer in file.get("layers", {}):
            adata.layers[layer] = compact(_in_blocks(file["layers"][layer]))
        elif layer is not None:
            there = ", ".join(file.get("layers", {})) or "none"
            raise DataError(f"there is no layer {layer!r}; the layers are: {there}")
        for frame, attributes in ((adata.obs, cells), (adata.var, genes)):
            for key, values in attributes.items():
                if values.ndim == 1:
                    frame[key] = column(values[:])
    return adata


def _in_blocks(matrix: h5py.Dataset) -> Any:
    """A dense matrix (genes x cells) as a sparse one (cells x genes), without holding it dense."""
    from scipy import sparse

    step = max(1, int(2**26 // (8 * max(1, matrix.shape[1]))))
    blocks = [sparse.csr_matrix(matrix[i : i + step].astype(np.float32)) for i in range(0, matrix.shape[0], step)]
    return sparse.vstack(blocks, format="csr").T


def _first(group: h5py.Group, keys: tuple[str, ...], prefix: str, n: int) -> Iterable[Any]:
    return next((group[k][:] for k in keys if k in group), numbered(prefix, n))


def column(values: np.ndarray) -> np.ndarray:
    """A column for `obs` or `var`: numbers stay, everything else becomes text."""
    return values if np.issubdtype(values.dtype, np.number) or values.dtype == bool else names(values)


def xy_h5(path: Path | IO[bytes]) -> AnnData:
    """HDF5 with `X` (cells x genes) and `Y` (labels: numbers or bytes) at its root, as many papers ship it."""
    import h5py

    with h5py.File(path) as file:
        values = file["X"][:]
        adata = assemble(values, numbered("cell", values.shape[0]), numbered("gene", values.shape[1]))
        if "Y" in file:
            labels = column(file["Y"][:].ravel())
            if np.issubdtype(labels.dtype, np.number):
                labels = labels.astype(int)
            adata.obs["Y"] = names(labels)
        if "ADT_X" in file:
            adata.obsm["ADT"] = file["ADT_X"][:].astype(np.float32)
    return adata


def cell_blast_h5(path: Path | IO[bytes]) -> AnnData:
    """The Cell BLAST layout: `exprs` (CSR parts or dense), `obs_names`, `var_names`, a dataset per column of `obs`."""
    import h5py
    from scipy import sparse

    with h5py.File(path) as file:
        exprs = file["exprs"]
        if isinstance(exprs, h5py.Group):
            parts = (exprs["data"][:], exprs["indices"][:], exprs["indptr"][:])
            matrix = sparse.csr_matrix(parts, shape=tuple(exprs["shape"][:]))
        else:
            matrix = exprs[:]
        adata = assemble(matrix, file["obs_names"][:], file["var_names"][:])
        for key, values in file["obs"].items() if "obs" in file else ():
            adata.obs[key] = column(values[:])
    return adata
