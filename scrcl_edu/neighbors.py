"""Exact nearest neighbors by blocks of matrix products, for graphs. Its cost is one product of all pairs of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from sklearn import config_context
from sklearn.neighbors import NearestNeighbors

from scrcl_edu import products

LARGEST_DENSE = 2**30  # bytes of values that are dense at once; above it scikit-learn's search needs less memory
ROWS_AT_ONCE = 128  # whose similarities to all others are in memory
SEARCHED_AT_ONCE = 256  # whose distances to all others are in memory during scikit-learn's search
# Products in float32 are off by less than this share of the lengths; what lies closer together is compared in float64.
ROUNDING = 1e-5


def fits(values: np.ndarray | sp.csr_matrix) -> bool:
    """Whether the values may be held dense, in float32."""
    return float(np.prod(values.shape, dtype=float)) * 4 <= LARGEST_DENSE


def nearest_others(
    values: np.ndarray | sp.csr_matrix, n_others: int, metric: Literal["cosine", "euclidean"] = "cosine"
) -> np.ndarray:
    """The nearest other rows of each row, exact: found in float32, decided in float64 where float32 cannot.

    Parameters
    ----------
    values
        Shape (n_rows, n_features).
    n_others
        How many, from 1 to n_rows - 1.
    metric
        A row of zeros has cosine 0 with every row.

    Returns
    -------
    Shape (n_rows, n_others), in no order; among ties the rows that come first. Costs n_rows^2 n_features operations and
    memory for one dense copy.
    """
    rows, score, tolerance = _prepared(values, metric)
    found = np.empty((len(rows), n_others), dtype=np.int64)
    for start, scores in _blocks(rows, metric):
        most = torch.from_numpy(scores).topk(min(n_others + 1, scores.shape[1]), dim=1)
        best, places = most.values.numpy(), most.indices.numpy()
        found[start : start + len(scores)] = places[:, :n_others]
        last = best[:, n_others - 1]
        for row in np.flatnonzero(last - best[:, -1] <= 2 * tolerance).tolist():
            near = np.flatnonzero(scores[row] >= last[row] - 2 * tolerance)
            near = near[near != start + row]
            order = np.argsort(-score(start + row, near), kind="stable")
            found[start + row] = near[order[:n_others]]
    return found


def searched_others(values: np.ndarray | sp.csr_matrix, n_others: int, metric: str) -> np.ndarray:
    """As :func:`nearest_others` by scikit-learn, which never holds the values dense; ties in any order."""
    if metric == "cosine" and not sp.issparse(values) and values.any(axis=1).all():
        # On the unit sphere, where no cell of zeros is, Euclidean distance sorts as cosine distance does, and has the
        # quick exact search.
        values, metric = _on_unit_sphere(values), "euclidean"
    search = NearestNeighbors(n_neighbors=n_others, metric=metric, algorithm="brute").fit(values)
    with config_context(working_memory=values.shape[0] * 8 * SEARCHED_AT_ONCE / 2**20):  # MiB of float64 distances
        return search.kneighbors(return_distance=False)


def _on_unit_sphere(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1)


def _prepared(
    values: np.ndarray | sp.csr_matrix, metric: str
) -> tuple[np.ndarray, Callable[[int, np.ndarray], np.ndarray], float]:
    """Rows in float32 (of length 1 for the cosine), exact similarities of some pairs, and what rounding may be."""
    dense = values if isinstance(values, np.ndarray) else values.toarray()
    lengths = np.sqrt(np.einsum("ij,ij->i", dense, dense, dtype=np.float64))
    if metric == "cosine":
        safe = np.where(lengths > 0, lengths, 1.0)

        def cosine(row: int, others: np.ndarray) -> np.ndarray:
            products = dense[others].astype(np.float64) @ dense[row].astype(np.float64)
            return products / (safe[row] * safe[others])

        return np.asarray(dense / safe[:, None], np.float32), cosine, ROUNDING

    def closeness(row: int, others: np.ndarray) -> np.ndarray:
        apart = dense[others].astype(np.float64) - dense[row].astype(np.float64)
        return -np.einsum("ij,ij->i", apart, apart)

    return np.ascontiguousarray(dense, np.float32), closeness, ROUNDING * float(lengths.max(initial=0.0)) ** 2


def _blocks(rows: np.ndarray, metric: str) -> Iterator[tuple[int, np.ndarray]]:
    """Similarities of some rows to all, the largest for the nearest; a row is not its own neighbor.

    The next block is written over the last one: memory is that of one.
    """
    half = np.einsum("ij,ij->i", rows, rows, dtype=np.float64).astype(np.float32) / 2
    precision, everyone = products.exact(2.0 * len(rows) * rows.size), torch.from_numpy(rows)
    block = torch.empty(min(ROWS_AT_ONCE, len(rows)), len(rows))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = everyone[start : start + ROWS_AT_ONCE]
        with products.taken_as(precision):
            scores = torch.mm(some, everyone.T, out=block[: len(some)]).numpy()
        if metric == "euclidean":
            scores -= half
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -np.inf
        yield start, scores
