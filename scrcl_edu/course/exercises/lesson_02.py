"""Lesson 02: the cell graph, its normalization, smoothing, and homophily."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from scrcl_edu import graphs
from scrcl_edu.course.exercise import Exercise, Mutant


def cell_graph(values: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    """Connect each cell to its nearest cells by cosine distance, in both directions.

    Parameters
    ----------
    values
        log-normalized values, shape (n_cells, n_genes).
    n_neighbors
        Neighbors of a cell counting itself: 5 gives 4 others.

    Returns
    -------
    Sparse and binary, symmetric by union, without self-loops, shape (n_cells, n_cells).
    """
    return graphs.cell_graph(values, n_neighbors=n_neighbors)


def normalized_adjacency(graph: sp.csr_matrix) -> sp.csr_matrix:
    """D^-1/2 (A + I) D^-1/2.

    Parameters
    ----------
    graph
        A: symmetric, binary, without self-loops, shape (n_cells, n_cells).

    Returns
    -------
    Sparse, same shape. D counts the neighbors of a cell and the cell itself.
    """
    return graphs.normalized_adjacency(graph)


def low_pass(values: np.ndarray, graph: sp.csr_matrix, n_steps: int) -> np.ndarray:
    """Average each cell with its neighbors, n_steps times: S^n X.

    Parameters
    ----------
    values
        X, shape (n_cells, n_features).
    graph
        Symmetric, binary, without self-loops.
    n_steps
        How often.

    Returns
    -------
    Shape (n_cells, n_features), where S = D^-1/2 (A + I) D^-1/2.
    """
    smoother = graphs.normalized_adjacency(graph)
    return np.linalg.matrix_power(smoother.toarray(), n_steps) @ values


def homophily(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    """Share of the edges that join two cells of the same label.

    Parameters
    ----------
    graph
        Symmetric, binary, without self-loops.
    labels
        Shape (n_cells,).

    Returns
    -------
    A number from 0 to 1.
    """
    return graphs.homophily(graph, labels)


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


def _values(rng: np.random.Generator) -> dict[str, Any]:
    values = rng.integers(0, 9, (rng.integers(7, 9), 3)) + rng.random(3) + np.eye(3)[0]
    return {"values": values * rng.uniform(0.3, 3, (len(values), 1)), "n_neighbors": int(rng.integers(3, 5))}


def _random_graph(rng: np.random.Generator) -> sp.csr_matrix:
    n_cells = rng.integers(5, 8)
    graph = np.triu(rng.random((n_cells, n_cells)) < 0.4, 1)
    graph[0, 1:4] = True
    return sp.csr_matrix((graph | graph.T).astype(float))


def _graph(rng: np.random.Generator) -> dict[str, Any]:
    return {"graph": _random_graph(rng)}


def _smoothing(rng: np.random.Generator) -> dict[str, Any]:
    graph = _random_graph(rng)
    values = rng.integers(-5, 6, (graph.shape[0], 2)).astype(float)
    return {"values": values, "graph": graph, "n_steps": int(rng.integers(2, 5))}


def _labeled(rng: np.random.Generator) -> dict[str, Any]:
    graph = _random_graph(rng)
    labels = rng.integers(0, 2, graph.shape[0])
    labels[:3] = 0, 0, 1
    return {"graph": graph, "labels": np.array(["B", "T"])[labels]}


def _smooth(values: np.ndarray, smoother: np.ndarray, n_steps: int) -> np.ndarray:
    for _ in range(n_steps):
        values = smoother @ values
    return values


def _dense(graph: sp.csr_matrix, *, loops: bool = True) -> tuple[np.ndarray, np.ndarray]:
    adjacency = graph.toarray() + (np.eye(graph.shape[0]) if loops else 0)
    return adjacency, np.maximum(adjacency.sum(1), 1)


def _symmetric(graph: sp.csr_matrix, *, loops: bool = True) -> sp.csr_matrix:
    adjacency, degree = _dense(graph, loops=loops)
    return sp.csr_matrix(adjacency / np.sqrt(np.outer(degree, degree)))


def _row_normalized(graph: sp.csr_matrix) -> sp.csr_matrix:
    adjacency, degree = _dense(graph)
    return sp.csr_matrix(adjacency / degree[:, None])


def _loops_not_counted(graph: sp.csr_matrix) -> sp.csr_matrix:
    degree = np.maximum(graph.toarray().sum(1), 1)
    return sp.csr_matrix(_dense(graph)[0] / np.sqrt(np.outer(degree, degree)))


def _without_root(graph: sp.csr_matrix) -> sp.csr_matrix:
    adjacency, degree = _dense(graph)
    return sp.csr_matrix(adjacency / np.outer(degree, degree))


def _by_cell(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    same = graph.multiply(labels[:, None] == labels).toarray()
    degree = graph.toarray().sum(1)
    return float(np.mean(same.sum(1)[degree > 0] / degree[degree > 0]))


EXERCISES = (
    Exercise(
        name="cell_graph",
        lesson="02",
        reference=cell_graph,
        inputs=_values,
        alternative=lambda values, n_neighbors: _union(_nearest(values, n_neighbors - 1)),
        mutants=(
            Mutant(
                "counts itself",
                lambda values, n_neighbors: _union(np.maximum(_nearest(values, n_neighbors - 1), np.eye(len(values)))),
                "There are ones on the diagonal: each cell is its own neighbor. The nearest cell to a cell is always "
                "itself; "
                "it counts among the k, but it is no edge.",
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
        ),
        hints=(
            "scikit-learn's NearestNeighbors(metric='cosine') and kneighbors_graph find them; ask without arguments, "
            "and a "
            "cell is not its own neighbor.",
            "graph.maximum(graph.T) is the union of a sparse matrix and its transpose.",
        ),
        tested="edges on 7 or 8 cells",
        not_tested="ties, speed, more than a few cells",
    ),
    Exercise(
        name="normalized_adjacency",
        lesson="02",
        reference=normalized_adjacency,
        inputs=_graph,
        alternative=_symmetric,
        mutants=(
            Mutant(
                "row normalized",
                _row_normalized,
                "Your rows sum to 1: that is D^-1 (A + I). Half of the division belongs to the other side: D^-1/2 on "
                "both.",
            ),
            Mutant(
                "no self-loop",
                lambda graph: _symmetric(graph, loops=False),
                "The identity is missing: without self-loops a cell forgets its own values.",
            ),
            Mutant(
                "degrees without the loop",
                _loops_not_counted,
                "The self-loops are there, but D does not count them. Take the row sums of A + I.",
            ),
            Mutant(
                "no root",
                _without_root,
                "You divide by d_i d_j. The exponent is -1/2: the square root of that product.",
            ),
            Mutant(
                "multiplied",
                lambda graph: sp.csr_matrix(_dense(graph)[0] * np.sqrt(np.outer(*[_dense(graph)[1]] * 2))),
                "You multiply by the roots of the degrees. The exponent is *minus* 1/2: divide.",
            ),
            Mutant(
                "one side",
                lambda graph: sp.csr_matrix(_dense(graph)[0] / np.sqrt(_dense(graph)[1])[:, None]),
                "You scaled the rows only. D^-1/2 stands on the left and on the right: scale the columns as well.",
            ),
            Mutant(
                "columns normalized",
                lambda graph: sp.csr_matrix(_dense(graph)[0] / _dense(graph)[1]),
                "Your columns sum to 1: that is (A + I) D^-1. Half of the division belongs to the rows: D^-1/2 on "
                "both.",
            ),
        ),
        hints=(
            "Add the identity first; the row sums of that matrix are the diagonal of D.",
            "sp.diags makes a sparse diagonal matrix from a vector; multiply from both sides with @.",
        ),
        tested="values on symmetric graphs of 5 to 7 cells",
        not_tested="speed, directed graphs",
    ),
    Exercise(
        name="low_pass",
        lesson="02",
        reference=low_pass,
        inputs=_smoothing,
        alternative=lambda values, graph, n_steps: _smooth(values, _symmetric(graph).toarray(), n_steps),
        mutants=(
            Mutant(
                "once only",
                lambda values, graph, n_steps: _symmetric(graph) @ values,
                "You smoothed once, whatever n_steps says.",
            ),
            Mutant(
                "row normalized",
                lambda values, graph, n_steps: _smooth(values, _row_normalized(graph).toarray(), n_steps),
                "Your S is D^-1 (A + I), the plain mean of a cell and its neighbors; it should be normalized on both "
                "sides.",
            ),
            Mutant(
                "no self-loop",
                lambda values, graph, n_steps: _smooth(values, _symmetric(graph, loops=False).toarray(), n_steps),
                "The self-loops are missing: in each step a cell takes over its neighbors' values and loses its own.",
            ),
            Mutant(
                "powers of entries",
                lambda values, graph, n_steps: _symmetric(graph).toarray() ** n_steps @ values,
                "** takes each entry to a power. S^n is n matrix products.",
            ),
            Mutant(
                "multiplied by n",
                lambda values, graph, n_steps: n_steps * (_symmetric(graph) @ values),
                "You multiplied by n_steps. S^n X means: apply S, then apply S to the result, and so on.",
            ),
            Mutant(
                "the graph itself",
                lambda values, graph, n_steps: _smooth(values, graph.toarray(), n_steps),
                "You multiplied with the graph, which adds up neighbors. S is normalized, and holds the cell itself.",
            ),
            Mutant(
                "added to the values",
                lambda values, graph, n_steps: _smooth(values, np.eye(graph.shape[0]) + _symmetric(graph), n_steps),
                "In each step you add S X to X. S holds the cell itself already, so the result of a step is S X alone.",
            ),
        ),
        hints=(
            "You have written normalized_adjacency already; use scrcl_edu.graphs.normalized_adjacency or your own.",
            "A loop over range(n_steps) with one sparse product in it; the N x N power never has to exist.",
        ),
        tested="values for 2 to 4 steps on 5 to 7 cells",
        not_tested="speed, zero steps",
    ),
    Exercise(
        name="homophily",
        lesson="02",
        reference=homophily,
        inputs=_labeled,
        alternative=lambda graph, labels: graph.multiply(labels[:, None] == labels).sum() / graph.sum(),
        mutants=(
            Mutant(
                "all pairs",
                lambda graph, labels: graph.multiply(labels[:, None] == labels).sum() / graph.shape[0] ** 2,
                "You divided by the number of all pairs of cells. The share is among the edges.",
            ),
            Mutant(
                "mean over cells",
                _by_cell,
                "You averaged the share of each cell, so an edge of a cell with few edges counts more. Count edges.",
            ),
            Mutant(
                "number, not share",
                lambda graph, labels: graph.multiply(labels[:, None] == labels).sum(),
                "You counted the edges inside a class. Divide by the number of all edges.",
            ),
            Mutant(
                "between classes",
                lambda graph, labels: graph.multiply(labels[:, None] != labels).sum() / graph.sum(),
                "That is the share of the edges *between* classes.",
            ),
            Mutant(
                "without the graph",
                lambda graph, labels: float(np.mean(labels[:, None] == labels)),
                "That is the share among all pairs of cells; the graph plays no part in it. Look at the edges only.",
            ),
            Mutant(
                "by number of cells",
                lambda graph, labels: graph.multiply(labels[:, None] == labels).sum() / len(labels),
                "You divided by the number of cells. The share is among the edges.",
            ),
            Mutant(
                "twice",
                lambda graph, labels: 2 * graph.multiply(labels[:, None] == labels).sum() / graph.sum(),
                "Your share is twice the right one. Each edge stands in the matrix twice: count both or none of them "
                "twice, above and below the line.",
            ),
        ),
        hints=(
            "graph.nonzero() gives two arrays: where each edge begins and where it ends.",
            "labels[source] == labels[target] is True for the edges inside a class.",
        ),
        tested="the value on 5 to 7 cells of two classes",
        not_tested="graphs without edges, missing labels",
    ),
)
