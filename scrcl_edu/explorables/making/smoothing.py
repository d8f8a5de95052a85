"""Smoothing: 700 blood cells, the nearest of each, their places, and curves over all genes by k and by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from scrcl_edu import graphs
from scrcl_edu.explorables.cells import blood, types_of
from scrcl_edu.explorables.questions import question

QUICK = True
KS = (3, 5, 10, 15, 20, 30)  # counting the cell itself
STEPS = 30
ASKED = 15  # the k of the question


def make() -> dict[str, Any]:
    """Nearest others, places on two principal components, types, and what the steps do by k."""
    values, _, labels = blood()
    nearest = nearest_in_order(values, KS[-1] - 1)
    components = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)[2][:2]  # (2, n_genes)
    components *= np.sign(components.sum(axis=1, keepdims=True))
    curves = {str(k): curves_of(values, graph_of(values, nearest, k), labels) for k in KS}
    peak = int(np.argmax(curves[str(ASKED)]["between"]))
    return {
        "nearest": nearest.tolist(),
        "places": (values @ components.T).round(2).tolist(),
        **types_of(labels),
        "ks": KS,
        "curves": curves,
        "question": question("clearest_step", peak),
    }


def nearest_in_order(values: np.ndarray, n_others: int) -> np.ndarray:
    """The nearest others of each cell by cosine, from near to far, shape (n_cells, n_others)."""
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    return np.argsort(-cosine, axis=1, kind="stable")[:, :n_others]


def graph_of(values: np.ndarray, nearest: np.ndarray, k: int) -> sp.csr_matrix:
    """The package's graph, which the first k - 1 of `nearest` give as well."""
    n_cells = len(values)
    rows, columns = np.repeat(np.arange(n_cells), k - 1), nearest[:, : k - 1].ravel()
    chosen = sp.csr_matrix((np.ones(rows.size), (rows, columns)), shape=(n_cells, n_cells))
    graph = graphs.cell_graph(values, n_neighbors=k)
    if (graph != chosen.maximum(chosen.T)).nnz:
        raise AssertionError(f"the nearest cells in order do not give the graph of k = {k}")
    return graph


def curves_of(values: np.ndarray, graph: sp.csr_matrix, labels: np.ndarray) -> dict[str, Any]:
    """By step, over all genes: the share between types, the differences left, and how the top hub's row grows."""
    smoother, current = graphs.normalized_adjacency(graph), values
    hub = int(graph.sum(axis=1).argmax())
    between, left, growth = [], [], []
    for _ in range(STEPS + 1):
        between.append(spread(means_of(current, labels)) / spread(current))
        left.append(spread(current) / spread(values))
        growth.append(np.linalg.norm(current[hub]) / np.linalg.norm(values[hub]))
        current = smoother @ current
    table = np.round([between, left, growth], 4).tolist()
    return {"hub": hub, **dict(zip(("between", "left", "growth"), table, strict=True))}


def means_of(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean of its type in place of each cell."""
    means = np.empty_like(values)
    for label in np.unique(labels):
        means[labels == label] = values[labels == label].mean(axis=0)
    return means


def spread(values: np.ndarray) -> float:
    """Sum of all squared differences from the mean cell."""
    return float(((values - values.mean(axis=0)) ** 2).sum())
