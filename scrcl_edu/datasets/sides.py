"""Which side of a table the cells are on, and which rows and columns are no counts but describe cells or genes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Names that only genes have: Ensembl, mitochondrial, ribosomal, house-keeping; fly, plant, worm, yeast
_GENE = (
    r"^(?:ENS[A-Z]*G\d{6,}|(?:MT|mt)-\w+|(?:RP[LS]|Rp[ls])\d+\w*|ACTB|Actb|GAPDH|Gapdh"
    r"|FBgn\d{7}|AT[1-5MC]G\d{5}|WBGene\d{8}|Y[A-P][LR]\d{3}[WC])(?:\.\d+)?$"
)
# Names that only cells have: barcodes, a barcode's lane, and words for a cell with a number
_CELL = r"^(?:.*[_:.-])?[ACGTN]{8,}(?:[-_.].*)?$|^[ACGTN]{4,}\d*-\d+$|^(?i:cell|barcode|spot|bin|well)[-_. ]?\w*\d+$"
# What tools write beside the genes and no gene is called: about cells, what HTSeq and STAR could not count, about genes
_ABOUT_CELLS = (
    r"^(?i:n_?counts?|n_?genes?|n_?umis?|ncount_\w+|nfeature_\w+|total_(?:counts|umis?)\w*|n_genes_by_counts"
    r"|(?:pct|percent|frac)[._]?\w*(?:mito?|mt|ribo|rb|counts)\w*|percent[._]mt|log1p_\w+"
    r"|clusters?|leiden\w*|louvain\w*|seurat_clusters|labels?|cell_?types?|batch|sample|donor|doublet_?scores?"
    r"|[\w.]+[._](?:id|idx|index|label|labels|cluster|clusters|type|group|class|ident|barcode|score)"
    r"|__\w+|n_(?:unmapped|multimapping|nofeature|ambiguous))$"
)
_ABOUT_GENES = (
    r"^(?i:chr|chromosome|start|end|strand|length|gene_?length|symbol|gene_?(?:symbol|name|type|id|biotype)s?|biotype"
    r"|description|ensembl\w*|entrez\w*|feature_?type)$"
)
_FEW = 30  # columns about cells; more columns of fractions are genes with expected counts
_SELDOM = 0.05


def share(labels: Any, pattern: str) -> float:
    """Share of the names that match."""
    import pandas as pd

    return float(pd.Series([str(label) for label in labels], dtype=object).str.match(pattern).mean())


def genes_are_in_rows(frame: pd.DataFrame, texts: list[Any]) -> tuple[bool, str]:
    """Whether genes are in rows, and why.

    Parameters
    ----------
    frame
        The whole table, one side's names in its index, the other's in its columns.
    texts
        Its columns of text: a type of each cell, or a symbol of each gene.

    Raises
    ------
    DataError
        When neither names nor columns of text tell.
    """
    numbers = frame.columns.difference(texts, sort=False)
    genes = share(frame.index, _GENE) - share(numbers, _GENE)
    cells = share(numbers, _CELL) - share(frame.index, _CELL)
    symbols = [c for c in texts if share([c], _ABOUT_GENES) or share(frame[c].dropna(), _GENE) > 0]
    if (genes > 0 and cells > -0.5) or (genes == 0 and cells >= 0.5):
        return True, "gene names are there" if genes > 0 else "the columns are named like cells"
    if (genes < 0 and cells < 0.5) or (genes == 0 and cells <= -0.5):
        return False, "names"
    if texts and genes == 0:
        return bool(symbols), f"column {symbols[0]!r} describes genes" if symbols else "columns of text"
    raise DataError(
        f"the names, such as row {str(frame.index[0])!r} and column {str(frame.columns[0])!r}, do not tell cells from "
        "genes; say --genes-in-rows or --cells-in-rows (genes_in_rows=True or False)"
    )


def no_counts(frame: pd.DataFrame) -> tuple[list[Any], list[Any], list[str]]:
    """Rows and columns that are no counts, by their names or by what they hold.

    Parameters
    ----------
    frame
        Numbers, cells in rows, genes in columns.

    Returns
    -------
    Names of columns that describe cells, names of rows that describe genes, and notes about both and about columns that
    may be such but could as well be genes.
    """
    import pandas as pd

    named = [
        c for c, fits in zip(frame, pd.Series(frame.columns.astype(str)).str.match(_ABOUT_CELLS), strict=True) if fits
    ]
    rows = [r for r in frame.index if re.match(_ABOUT_GENES, str(r))]
    of_genes = ~frame.columns.isin(named)
    found, notes = _by_content(frame.drop(index=rows).loc[:, of_genes])
    if named:
        notes.insert(0, _said(named, "describe cells by their names"))
    if rows:
        notes.append(f"{_listed(rows)} describe genes by their names; they are in var, not among the cells")
    return [*named, *found], rows, notes


def _by_content(frame: pd.DataFrame) -> tuple[list[Any], list[str]]:
    """Columns of fractions or negative numbers, or sums over the others, in a table of counts."""
    values = frame.to_numpy()
    if values.shape[1] < 3 or not np.isfinite(values).all():
        return [], []
    odd = _per_gene(values, lambda x: ((x < 0) | (x != np.rint(x))).sum(axis=0))
    there = _per_gene(values, lambda x: np.count_nonzero(x, axis=0))
    mixed = odd > np.maximum(there, 1) / 2
    if (odd > 0).mean() > 0.5 or mixed.sum() > _FEW:
        return [], []  # not counts, or expected counts: preprocessing says so
    sums = _sums(values, ~mixed)
    found, notes = [], []
    for chosen, why in ((mixed, "hold fractions or negative numbers"), (sums, "sum up or count the others")):
        columns = list(frame.columns[chosen])
        found += columns
        notes += [_said(columns, f"{why}, as no gene of this table does")] if columns else []
    return found, notes + _suspected(values, frame.columns, ~(mixed | sums), there)


def _sums(values: np.ndarray, genes: np.ndarray) -> np.ndarray:
    """Which columns are, in every cell, the sum of the other genes or the number of those that are there."""
    whole = values @ genes.astype(values.dtype)
    positive = np.count_nonzero(values, axis=1) - np.count_nonzero(values[:, ~genes], axis=1)
    sums = np.zeros(len(genes), dtype=bool)
    for i in np.flatnonzero(genes & (values[0] != 0)):
        x = values[:, i]
        if x[0] in (whole[0] - x[0], positive[0] - 1):  # of thousands only a few have to be looked at
            sums[i] = np.ptp(x) > 0 and ((whole - x == x).all() or (positive - (x > 0) == x).all())
    return sums


def _suspected(values: np.ndarray, names: pd.Index, genes: np.ndarray, there: np.ndarray) -> list[str]:
    """What may be a gene or about cells: it outweighs all others together, or stands aside and is never 0."""
    always, total = there == len(values), values.sum(axis=0)
    suspected = total > total[genes].sum() / 2
    with_zeros = np.flatnonzero(genes & ~always)
    if genes.any() and always[genes].mean() < _SELDOM:
        suspected[: with_zeros[0]] = suspected[with_zeros[-1] + 1 :] = True
    columns = [str(name) for name in names[suspected & genes] if not re.match(_GENE, str(name))]
    if not columns:
        return []
    return [
        f"columns {_listed(columns)} were taken as genes, but hold more than all others together, or stand aside and "
        "are never 0: if they describe cells, remove them from the table"
    ]


def _per_gene(values: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A function of columns, for some hundreds at a time: a table may fill half of the memory."""
    return np.concatenate([function(values[:, i : i + 512]) for i in range(0, values.shape[1], 512)])


def _listed(names: list[Any]) -> str:
    return ", ".join(map(str, names[:6])) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _said(columns: list[Any], what: str) -> str:
    return f"columns {_listed(columns)} {what}; they are in obs, not among the genes"
