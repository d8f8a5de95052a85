"""Tables of numbers as text: which sign parts them, where their names are, and on which side the cells are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.datasets.parsers import add_notes, assemble, names, numbered
from scrcl_edu.errors import DataError, InputFileError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Names that only genes have: Ensembl, mitochondrial, ribosomal, house-keeping; fly, plant, worm, yeast
_GENE = (
    r"^(?:ENS[A-Z]*G\d{6,}|(?:MT|mt)-\w+|(?:RP[LS]|Rp[ls])\d+\w*|ACTB|Actb|GAPDH|Gapdh"
    r"|FBgn\d{7}|AT[1-5MC]G\d{5}|WBGene\d{8}|Y[A-P][LR]\d{3}[WC])(?:\.\d+)?$"
)
# Names that only cells have: barcodes, a barcode's lane, and words for a cell with a number
_CELL = r"^(?:.*[_:.-])?[ACGTN]{8,}(?:[-_.].*)?$|^[ACGTN]{4,}\d*-\d+$|^(?i:cell|barcode|spot|bin|well)[-_. ]?\w*\d+$"
# Columns that describe cells and that tools write beside the genes; no gene has such a name
_ABOUT_CELLS = (
    r"^(?i:n_?counts?|n_?genes?|n_?umis?|ncount_\w+|nfeature_\w+|total_(?:counts|umis?)\w*|n_genes_by_counts"
    r"|(?:pct|percent|frac)[._]?\w*(?:mito?|mt|ribo|rb|counts)\w*|percent[._]mt|log1p_\w+"
    r"|clusters?|leiden\w*|louvain\w*|seurat_clusters|labels?|cell_?types?|batch|sample|donor|doublet_?scores?)$"
)


def table(path: Path, separator: str = ",", *, genes_in_rows: bool | None = None) -> AnnData:
    """A table of numbers, maybe gzipped, with names in its first row and column or without any.

    `genes_in_rows` None looks at the names of both sides and refuses when they do not tell. Columns that are text
    throughout, or that have the name of something told about cells, are annotations of the cells.
    """
    frame, notes = _read(path, separator)
    text = [c for c in frame if frame[c].dtype == object or frame[c].dtype == bool]
    if text and len(text) == frame.shape[1]:
        raise InputFileError(f"{path} holds no numbers; give a table with one cell per row and one gene per column")
    for column in text:
        _check_annotation(path, frame[column])
    told = [c for c in frame if c not in text and re.match(_ABOUT_CELLS, str(c))]
    if told:
        notes.append(f"columns {', '.join(told)} describe cells by their names; they are in obs, not among the genes")
    annotations, frame = frame[text + told], frame.drop(columns=text + told)
    if frame.shape[1] == 0:
        raise InputFileError(f"{path} holds no genes; give a table with one cell per row and one gene per column")
    if genes_in_rows is None:
        genes_in_rows, note = _direction(path, frame, annotated=bool(text or told), named="no names" not in str(notes))
        notes += [note] if note else []
    values = frame.to_numpy(dtype=np.float32)
    if genes_in_rows:
        adata = assemble(values.T, frame.columns, frame.index)
    else:
        adata = assemble(values, frame.index, frame.columns)
        for column in annotations:
            kept = annotations[column]
            adata.obs[str(column)] = (kept if column in told else kept.astype("category")).to_numpy()
    add_notes(adata, *notes)
    return adata


def read_frame(path: Path, separator: str) -> pd.DataFrame:
    """A text table with names in the first row and column; the corner may be missing, as R writes it."""
    return _read(path, separator)[0]


def _read(path: Path, separator: str) -> tuple[pd.DataFrame, list[str]]:
    import pandas as pd

    notes = []
    first, second, encoding = _first_lines(path)
    if encoding == "utf-16":
        notes.append(f"{path.name} is encoded as UTF-16 and was read as such")
    counted = {sign: first.count(sign) for sign in (separator, ",", ";", "\t")}
    found = max(counted, key=lambda sign: counted[sign])
    if found != separator:
        words = {",": "commas", ";": "semicolons", "\t": "tabs"}
        notes.append(f"{path.name} is parted by {words[found]}, not by the {words[separator]} that its name says")
    decimal = "," if found != "," and re.search(r"\d,\d", second) else "."
    if decimal == ",":
        notes.append(f"{path.name} has decimal commas, which were read as points")
    options = {"sep": found, "decimal": decimal, "encoding": encoding}
    if _is_numbers(first, found, decimal):
        frame = pd.read_csv(path, header=None, **options)
        frame.index, frame.columns = numbered("cell", len(frame)), numbered("gene", frame.shape[1])
        notes.append(f"{path.name} has no names in its first row and column: rows are taken as cells and numbered")
        return frame, notes
    frame = pd.read_csv(path, low_memory=False, **options)
    if isinstance(frame.index, pd.RangeIndex):
        frame = frame.set_index(frame.columns[0])
    if frame.empty:
        raise InputFileError(f"{path} holds no values; give a table with one cell per row and one gene per column")
    # pandas takes names such as NA, nan or NULL for missing ones
    if frame.index.hasnans or frame.index.dtype != object:
        kept = pd.read_csv(path, header=None, skiprows=1, usecols=[0], dtype=str, na_filter=False, **options)[0]
        frame.index = pd.Index(kept) if len(kept) == len(frame) else frame.index
    return frame, notes


def _first_lines(path: Path) -> tuple[str, str, str]:
    """The first two lines as text, and the encoding that the first bytes tell."""
    import gzip

    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    with opener(path, "rt", encoding=encoding, errors="replace") as file:
        return file.readline().rstrip("\r\n"), file.readline(), encoding


def _is_numbers(line: str, separator: str, decimal: str) -> bool:
    """Whether a first line holds values: numbers only, and one of them repeated or zero, as names never are."""
    fields = [field.strip(' "') for field in line.split(separator)]
    try:
        values = [float(field.replace(decimal, ".")) for field in fields]
    except ValueError:
        return False
    return len(values) > 1 and len(set(fields)) < len(fields) and bool(np.isfinite(values).all())


def _direction(path: Path, frame: pd.DataFrame, *, annotated: bool, named: bool) -> tuple[bool, str]:
    """Whether genes are in rows, and a note when the reader would not expect it."""
    if annotated or not named:
        return False, ""
    genes = _share(frame.index, _GENE) - _share(frame.columns, _GENE)
    cells = _share(frame.columns, _CELL) - _share(frame.index, _CELL)
    why = "gene names are there" if genes > 0 else "the columns are named like cells"
    if (genes > 0 and cells > -0.5) or (genes == 0 and cells >= 0.5):
        return True, f"{path.name} has genes in its rows ({why}); it was transposed (--cells-in-rows says otherwise)"
    if (genes < 0 and cells < 0.5) or (genes == 0 and cells <= -0.5):
        return False, ""
    raise DataError(
        f"{path}: the names, such as row {str(frame.index[0])!r} and column {str(frame.columns[0])!r}, do not tell "
        "cells from genes; say --genes-in-rows or --cells-in-rows (genes_in_rows=True or False)"
    )


def _share(labels: Any, pattern: str) -> float:
    import pandas as pd

    return float(pd.Series(names(labels)).str.match(pattern).mean())


def _check_annotation(path: Path, column: pd.Series) -> None:
    import pandas as pd

    present = column[column.notna()]
    wrong = pd.to_numeric(present, errors="coerce").isna()
    if wrong.any() and not wrong.all():
        cell = present.index[wrong.to_numpy()][0]
        raise DataError(
            f"{path}: column {column.name!r}, row {cell!r} is {present[wrong].iloc[0]!r}, which is not a number "
            "although others in that column are; correct it or remove the column"
        )
