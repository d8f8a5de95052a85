"""Tables of numbers as text: which sign parts them, where their names are, and on which side the cells are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scrcl_edu.datasets import sides
from scrcl_edu.datasets.parsers import add_notes, assemble, check_text, numbered
from scrcl_edu.errors import DataError, InputFileError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

NO_NAMES = "has no names in its first row and column"


def table(path: Path, separator: str = ",", *, genes_in_rows: bool | None = None) -> AnnData:
    """A table of numbers, maybe gzipped, with names in its first row and column or without any.

    `genes_in_rows` None looks at the names of both sides and refuses when they do not tell. Columns of text, and rows
    or columns of numbers that are no counts, become annotations; a note says so.
    """
    frame, notes = _read(path, separator)
    named = not notes or NO_NAMES not in notes[-1]
    texts = [c for c in frame if frame[c].dtype == object or frame[c].dtype == bool]
    if texts and len(texts) == frame.shape[1]:
        raise InputFileError(f"{path} holds no numbers; give a table with one cell per row and one gene per column")
    for column in texts:
        _check_annotation(path, frame[column])
    if genes_in_rows is None:
        genes_in_rows, why = sides.genes_are_in_rows(frame, texts) if named else (False, "")
        if genes_in_rows:
            notes.append(f"{path.name} has genes in its rows ({why}); it was transposed (--cells-in-rows if not)")
    numbers = frame.drop(columns=texts).T if genes_in_rows else frame.drop(columns=texts)
    about_cells, about_genes, said = sides.no_counts(numbers)
    counts = numbers.drop(index=about_genes, columns=about_cells)
    if counts.shape[1] == 0:
        raise InputFileError(f"{path} holds no genes; give a table with one cell per row and one gene per column")
    adata = assemble(counts.to_numpy(dtype=np.float32), counts.index, counts.columns)
    for column in about_cells:
        adata.obs[str(column)] = numbers.loc[counts.index, column].to_numpy()
    for row in about_genes:
        adata.var[str(row)] = numbers.loc[row, counts.columns].to_numpy()
    kept = frame.loc[counts.columns if genes_in_rows else counts.index, texts]
    for column in texts:
        (adata.var if genes_in_rows else adata.obs)[str(column)] = kept[column].astype("category").to_numpy()
    add_notes(adata, *notes, *said)
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
    else:
        notes += check_text(path)
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
        notes.append(f"{path.name} {NO_NAMES}: rows are taken as cells and numbered")
        return frame, notes
    frame = pd.read_csv(path, low_memory=False, **options)
    if isinstance(frame.index, pd.RangeIndex):
        frame = frame.set_index(frame.columns[0])
    elif str(frame.columns[0]).startswith(
        "Unnamed: "
    ):  # with a name less than values it may be R's, but not with a corner
        raise DataError(
            f"{path}: its first line names {frame.shape[1]} columns and the second has {frame.shape[1] + 1}; "
            "is a separator missing there? Export it again"
        )
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
