"""Lesson 02: the cell graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from scrcl_edu import graphs
from scrcl_edu.course.comparing import numbers
from scrcl_edu.course.task import Exercise, Mutant


def cell_graph(values: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    """Connect each cell to its nearest cells by cosine distance, in both directions."""
    return graphs.cell_graph(values, n_neighbors=n_neighbors)


def _nearest(values: np.ndarray, n_others: int, *, euclidean: bool = False) -> np.ndarray:
    if euclidean:
        closeness = -((values[:, None] - values) ** 2).sum(-1)
    else:
        unit = values / np.linalg.norm(values, axis=1, keepdims=True)
        closeness = unit @ unit.T
    np.fill_diagonal(closeness, -np.inf)
    chosen = np.zeros_like(closeness)
    np.put_along_axis(chosen, np.argsort(-closeness, axis=1)[:, :n_others], 1.0, axis=1)
    return chosen  # row i marks the neighbors that cell i chose


def _union(chosen: np.ndarray) -> sp.csr_matrix:
    return sp.csr_matrix(np.maximum(chosen, chosen.T))


def _distances(values: np.ndarray, n_others: int) -> sp.csr_matrix:
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    return _union(_nearest(values, n_others) * (1 - unit @ unit.T))


# Three cells and a copy of each: the nearest other cell is as near as the cell itself.
_COPIES = np.array([[1.0, 5.0, 2.0], [4.0, 1.0, 3.0], [2.0, 2.0, 7.0]])[[0, 1, 2, 2, 1, 0]]


def _values(rng: np.random.Generator) -> dict[str, Any]:
    values = rng.integers(0, 9, (rng.integers(7, 9), 3)) + rng.random(3) + np.eye(3)[0]
    if len(np.unique(values, axis=0)) < len(values):  # of two cells in one direction either may be the nearest
        return _values(rng)
    return {"values": values * rng.uniform(0.3, 3, (len(values), 1)), "n_neighbors": int(rng.integers(3, 5))}


def _without_the_first(values: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    search = NearestNeighbors(n_neighbors=n_neighbors, metric="cosine").fit(values)
    chosen = np.zeros((len(values), len(values)))
    np.put_along_axis(chosen, search.kneighbors(values, return_distance=False)[:, 1:], 1.0, axis=1)
    return _union(chosen)


def _by_cosine(values: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    return _union(_nearest(values, n_neighbors - 1))


def _farthest(values: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    chosen = np.zeros((len(values), len(values)))
    np.put_along_axis(chosen, np.argsort(unit @ unit.T, axis=1)[:, : n_neighbors - 1], 1.0, axis=1)
    return _union(chosen)


def _second_farthest(values: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    chosen = np.zeros((len(values), len(values)))
    np.put_along_axis(chosen, np.argsort(unit @ unit.T, axis=1)[:, 1:n_neighbors], 1.0, axis=1)
    return _union(chosen)


def _dot_products(values: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    closeness = values @ values.T
    np.fill_diagonal(closeness, -np.inf)
    chosen = np.zeros_like(closeness)
    np.put_along_axis(chosen, np.argsort(-closeness, axis=1)[:, : n_neighbors - 1], 1.0, axis=1)
    return _union(chosen)


def _positions(values: np.ndarray, n_neighbors: int) -> np.ndarray:
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    return np.argsort(-(unit @ unit.T) - 2 * np.eye(len(values)), axis=1)[:, 1:n_neighbors]


def _search_among_genes(values: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    return NearestNeighbors(n_neighbors=n_neighbors - 1, metric="cosine").fit(values.T).kneighbors_graph()


def _fewest_edges(result: Any, arguments: dict[str, Any]) -> int:
    return int((numbers(result) > 0).sum(axis=1).min()) - arguments["n_neighbors"] + 1


TASKS = (
    Exercise(
        name="cell_graph",
        lesson="02",
        difficulty=2,
        minutes=10,
        reference=cell_graph,
        inputs=_values,
        edge_cases=({"values": _COPIES, "n_neighbors": 2},),
        alternative=lambda values, n_neighbors: _union(_nearest(values, n_neighbors - 1)),
        mutants=(
            Mutant(
                "counts itself",
                lambda values, n_neighbors: _union(np.maximum(_nearest(values, n_neighbors - 1), np.eye(len(values)))),
                "There are ones on the diagonal: each cell is its own neighbor. The nearest cell to a cell is always "
                "itself; it counts among the k, but it is no edge.",
                sign=lambda result, arguments: numbers(result).diagonal().all(),
            ),
            Mutant(
                "first is taken for itself",
                _without_the_first,
                "You leave out the first of those found, as if it always were the cell itself. Where two cells are "
                "equal, the first may be the other one, and the cell then joins itself.",
            ),
            Mutant(
                "one too many",
                lambda values, n_neighbors: _union(_nearest(values, n_neighbors)),
                "Each cell chose one neighbor too many: n_neighbors counts the cell itself.",
            ),
            Mutant(
                "not symmetric",
                lambda values, n_neighbors: sp.csr_matrix(_nearest(values, n_neighbors - 1)),
                "Your graph is not symmetric. That i chose j does not mean that j chose i: keep an edge when either "
                "did.",
                sign=lambda result, arguments: (numbers(result) != numbers(result).T).any(),
            ),
            Mutant(
                "mutual only",
                lambda values, n_neighbors: sp.csr_matrix(
                    np.minimum(_nearest(values, n_neighbors - 1), _nearest(values, n_neighbors - 1).T)
                ),
                "You keep an edge only when both cells chose each other (intersection). The union keeps it when "
                "either did.",
            ),
            Mutant(
                "Euclidean",
                lambda values, n_neighbors: _union(_nearest(values, n_neighbors - 1, euclidean=True)),
                "These are the neighbors by Euclidean distance. Cosine distance compares directions: scale the rows "
                "first.",
            ),
            Mutant(
                "not binary",
                lambda values, n_neighbors: sp.csr_matrix(
                    _nearest(values, n_neighbors - 1) + _nearest(values, n_neighbors - 1).T
                ),
                "Some edges have weight 2: where both chose each other you added the two. The graph is binary.",
                sign=lambda result, arguments: numbers(result).max() == 2,
            ),
            Mutant(
                "half edges",
                lambda values, n_neighbors: sp.csr_matrix(
                    (_nearest(values, n_neighbors - 1) + _nearest(values, n_neighbors - 1).T) / 2
                ),
                "Edges that only one of the two chose have weight 1/2: you took the mean of both directions. The graph "
                "is binary, and one choice is enough.",
            ),
            Mutant(
                "itself among too few",
                lambda values, n_neighbors: _union(np.maximum(_nearest(values, n_neighbors - 2), np.eye(len(values)))),
                "Each cell found itself first, so it has a self-loop and one neighbor too few. A search that is given "
                "the cells it was fitted on finds each cell itself; asked without arguments it does not.",
            ),
            Mutant(
                "distances",
                lambda values, n_neighbors: _distances(values, n_neighbors - 1),
                "Your entries are distances. An edge is 1, no edge is 0; and a distance of 0 would look like no edge.",
            ),
            Mutant(
                "positions",
                _positions,
                "Your result holds the numbers of the neighbors. Make a graph of them: a sparse matrix with a one at "
                "[i, j] where j is a neighbor of i.",
                sign=lambda result, arguments: (
                    isinstance(result, np.ndarray | tuple)
                    and np.ndim(result) > 1
                    and np.shape(result)[-1] != len(arguments["values"])
                ),
            ),
            Mutant(
                "genes",
                lambda values, n_neighbors: _by_cosine(values.T, n_neighbors),
                "You connected genes: a row of values is a cell, a column is a gene.",
                sign=lambda result, arguments: result.shape == 2 * arguments["values"].shape[1:],
            ),
            Mutant(
                "genes, by a search",
                _search_among_genes,
                "There are fewer rows to search than neighbors to find: you searched among the genes. Rows are cells.",
            ),
            Mutant(
                "farthest",
                _farthest,
                "You connected each cell with the *farthest* ones. argsort begins with the smallest; of similarities "
                "the largest are wanted, of distances the smallest.",
            ),
            Mutant(
                "farthest but one",
                _second_farthest,
                "You skipped the first place of an argsort of similarities, as if it were the cell itself: but the "
                "smallest stand first, so these are the farthest cells.",
            ),
            Mutant(
                "dot products",
                _dot_products,
                "You compared dot products, which prefer long rows. Cosine divides them by the lengths of both rows.",
            ),
            Mutant(
                "unit columns",
                lambda values, n_neighbors: _by_cosine(values / np.linalg.norm(values, axis=0), n_neighbors),
                "You scaled the columns first. Cosine scales rows: each cell by its own length, over its genes.",
            ),
            Mutant(
                "centered",
                lambda values, n_neighbors: _by_cosine(values - values.mean(1, keepdims=True), n_neighbors),
                "You subtracted each cell's mean first: that is correlation distance. Cosine takes the values as they "
                "are.",
            ),
            Mutant(
                "centered genes",
                lambda values, n_neighbors: _by_cosine(values - values.mean(0), n_neighbors),
                "You subtracted each gene's mean first, which turns all directions. Cosine takes the values as they "
                "are.",
            ),
            Mutant(
                "one too few",
                lambda values, n_neighbors: _union(_nearest(values, n_neighbors - 2)),
                "Some cells have too few edges: each chooses n_neighbors - 1 others, and keeps them all.",
                sign=lambda result, arguments: _fewest_edges(result, arguments) < 0,
            ),
            Mutant(
                "similarities",
                lambda values, n_neighbors: _union(_nearest(values, n_neighbors - 1) * (1 + values @ values.T)),
                "Your entries are weights, such as similarities or distances. The graph is binary: an edge is 1.",
                sign=lambda result, arguments: not np.isin(numbers(result), [0, 1]).all(),
            ),
            Mutant(
                "another distance",
                lambda values, n_neighbors: _union(_nearest(np.sqrt(values), n_neighbors - 1)),
                "The graph has the right form (binary, symmetric, no self-loops), but joins other cells. Look at the "
                "distance: cosine, of the rows as they are; and at the number: n_neighbors - 1 others for each.",
                sign=lambda result, arguments: (
                    sp.issparse(result) and result.shape == 2 * arguments["values"].shape[:1]
                ),
            ),
        ),
        hints=(
            "scikit-learn's NearestNeighbors(metric='cosine') and kneighbors_graph find them; ask without arguments, "
            "and a cell is not its own neighbor.",
            "graph.maximum(graph.T) is the union of a sparse matrix and its transpose.",
        ),
        tested="edges on 7 or 8 cells",
        not_tested="ties, speed, more than a few cells",
    ),
)
