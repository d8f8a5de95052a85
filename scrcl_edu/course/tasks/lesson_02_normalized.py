"""Lesson 02, continued: the normalized graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from scrcl_edu import graphs
from scrcl_edu.course.comparing import numbers
from scrcl_edu.course.task import Exercise, Mutant


def normalized_adjacency(graph: sp.csr_matrix) -> sp.csr_matrix:
    """D^-1/2 (A + I) D^-1/2."""
    return graphs.normalized_adjacency(graph)


TWO_EDGES = sp.csr_matrix(np.diag([1.0, 1.0, 0.0], 1) + np.diag([1.0, 1.0, 0.0], -1))  # the last cell has no neighbor


def random_graph(rng: np.random.Generator) -> sp.csr_matrix:
    n_cells = rng.integers(5, 8)
    graph = np.triu(rng.random((n_cells, n_cells)) < 0.4, 1)
    graph[0, 1:4] = True
    return sp.csr_matrix((graph | graph.T).astype(float))


def _graph(rng: np.random.Generator) -> dict[str, Any]:
    return {"graph": random_graph(rng)}


def dense(graph: sp.csr_matrix, *, loops: bool = True) -> tuple[np.ndarray, np.ndarray]:
    adjacency = graph.toarray() + (np.eye(graph.shape[0]) if loops else 0)
    return adjacency, np.maximum(adjacency.sum(1), 1)


def symmetric(graph: sp.csr_matrix, *, loops: bool = True) -> sp.csr_matrix:
    adjacency, degree = dense(graph, loops=loops)
    return sp.csr_matrix(adjacency / np.sqrt(np.outer(degree, degree)))


def row_normalized(graph: sp.csr_matrix) -> sp.csr_matrix:
    adjacency, degree = dense(graph)
    return sp.csr_matrix(adjacency / degree[:, None])


def _loops_not_counted(graph: sp.csr_matrix) -> sp.csr_matrix:
    degree = np.maximum(graph.toarray().sum(1), 1)
    return sp.csr_matrix(dense(graph)[0] / np.sqrt(np.outer(degree, degree)))


def _without_root(graph: sp.csr_matrix) -> sp.csr_matrix:
    adjacency, degree = dense(graph)
    return sp.csr_matrix(adjacency / np.outer(degree, degree))


def _off_diagonal(result: Any) -> np.ndarray:
    return numbers(result) * (1 - np.eye(result.shape[0]))


def _loops_after(graph: sp.csr_matrix) -> sp.csr_matrix:
    return sp.csr_matrix(symmetric(graph, loops=False) + sp.eye(graph.shape[0]))


def _with_loops(graph: sp.csr_matrix, n_in_graph: float, n_in_degree: float) -> sp.csr_matrix:
    scale = sp.diags((graph.toarray().sum(1) + n_in_degree) ** -0.5)
    return sp.csr_matrix(scale @ (graph + n_in_graph * sp.eye(graph.shape[0])) @ scale)


def _by_bare_degrees(graph: sp.csr_matrix) -> sp.csr_matrix:
    scale = sp.diags(1 / np.sqrt(graph.toarray().sum(1)))
    return sp.csr_matrix(scale @ (graph + sp.eye(graph.shape[0])) @ scale)


def _laplacian(graph: sp.csr_matrix) -> sp.csr_matrix:
    return sp.csr_matrix(sp.eye(graph.shape[0]) - symmetric(graph))


def _one_factor(result: Any, arguments: dict[str, Any]) -> bool:
    with_loops = dense(arguments["graph"])[0]
    found = numbers(result)[with_loops > 0]
    return np.ptp(found) < 1e-9 * abs(found[0])


def _powers_of_a_matrix(graph: sp.csr_matrix) -> sp.csr_matrix:
    degree = np.diag(dense(graph)[1])
    return sp.csr_matrix(degree**-0.5 @ dense(graph)[0] @ degree**-0.5)


TASKS = (
    Exercise(
        name="normalized_adjacency",
        lesson="02",
        difficulty=2,
        minutes=10,
        reference=normalized_adjacency,
        inputs=_graph,
        edge_cases=({"graph": TWO_EDGES},),
        alternative=symmetric,
        mutants=(
            Mutant(
                "row normalized",
                row_normalized,
                "Your rows sum to 1: that is D^-1 (A + I). Half of the division belongs to the other side: D^-1/2 on "
                "both.",
            ),
            Mutant(
                "no self-loop",
                lambda graph: symmetric(graph, loops=False),
                "The identity is missing: without self-loops a cell forgets its own values.",
            ),
            Mutant(
                "degrees without the loop",
                _loops_not_counted,
                "The self-loops are there, but D does not count them. Take the row sums of A + I.",
                sign=lambda result, arguments: np.allclose(
                    _off_diagonal(result), _off_diagonal(_loops_not_counted(**arguments))
                ),
            ),
            Mutant(
                "no root",
                _without_root,
                "You divide by d_i d_j. The exponent is -1/2: the square root of that product.",
            ),
            Mutant(
                "multiplied",
                lambda graph: sp.csr_matrix(dense(graph)[0] * np.sqrt(np.outer(*[dense(graph)[1]] * 2))),
                "You multiply by the roots of the degrees. The exponent is *minus* 1/2: divide.",
            ),
            Mutant(
                "one side",
                lambda graph: sp.csr_matrix(dense(graph)[0] / np.sqrt(dense(graph)[1])[:, None]),
                "Your result is not symmetric: rows and columns are not scaled alike. D^-1/2 stands on the left and on "
                "the right.",
                sign=lambda result, arguments: (abs(numbers(result) - numbers(result).T) > 1e-9).any(),
            ),
            Mutant(
                "columns normalized",
                lambda graph: sp.csr_matrix(dense(graph)[0] / dense(graph)[1]),
                "Your columns sum to 1: that is (A + I) D^-1. Half of the division belongs to the rows: D^-1/2 on "
                "both.",
            ),
            Mutant(
                "neighbors' mean",
                lambda graph: sp.csr_matrix(graph.toarray() / np.maximum(graph.toarray().sum(1), 1)[:, None]),
                "This is D^-1 A, the mean over the neighbors. The identity is missing, and D^-1/2 goes on both sides.",
            ),
            Mutant(
                "only A + I",
                lambda graph: sp.csr_matrix(dense(graph)[0]),
                "This is A + I. It is not scaled yet: D^-1/2 from the left and from the right.",
            ),
            Mutant(
                "one factor",
                lambda graph: sp.csr_matrix(dense(graph)[0] / dense(graph)[0].sum()),
                "You divided all entries by the same number. Entry [i, j] has its own: the root of d_i d_j.",
                sign=_one_factor,
            ),
            Mutant(
                "powers of a matrix",
                _powers_of_a_matrix,
                "There are infinite values or NaN: ** took the zeros of D to the power -1/2 (or a cell without "
                "neighbors has degree 0). Take the power of the degrees of A + I, as a vector, then make the diagonal "
                "matrix.",
                sign=lambda result, arguments: not np.isfinite(numbers(result)).all(),
            ),
            Mutant(
                "degrees of zero",
                _by_bare_degrees,
                "You took the degrees before the self-loops were there, so a cell without neighbors has degree 0 and "
                "you divide by it.",
            ),
            Mutant(
                "loops after",
                _loops_after,
                "You scaled A and added the identity afterwards. Add it first, so that it is scaled as well.",
            ),
            Mutant(
                "loops twice in the degrees",
                lambda graph: _with_loops(graph, 1, 2),
                "Your degrees count the self-loop twice: the row sums of A + I have it already.",
            ),
            Mutant(
                "loops twice",
                lambda graph: _with_loops(graph, 2, 2),
                "Your self-loops weigh 2. The identity is added once.",
            ),
            Mutant(
                "loops in the degrees only",
                lambda graph: _with_loops(graph, 0, 1),
                "D counts the self-loops, but the matrix between the two D^-1/2 has none: it is A + I, not A.",
            ),
            Mutant(
                "Laplacian",
                _laplacian,
                "This is the Laplacian, I - S: it takes differences to the neighbors. S itself is asked for.",
                sign=lambda result, arguments: (_off_diagonal(result) < 0).any() and (result.diagonal() >= 0).all(),
            ),
            Mutant(
                "entry by entry",
                lambda graph: sp.diags(symmetric(graph).diagonal()).tocsr(),
                "Only the diagonal is left: * (or multiply) works entry by entry. The matrix product is @.",
                sign=lambda result, arguments: not _off_diagonal(result).any(),
            ),
        ),
        hints=(
            "Add the identity first; the row sums of that matrix are the diagonal of D.",
            "sp.diags makes a sparse diagonal matrix from a vector; multiply from both sides with @.",
        ),
        tested="values on symmetric graphs of 4 to 7 cells, one with a cell without neighbors",
        not_tested="speed, directed graphs",
    ),
)
