"""Lesson 02, beyond its functions: two predictions, a fault to mend, a transfer and an explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from scrcl_edu import graphs
from scrcl_edu.course.guesses import Number, Order
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction, Property, Transfer
from scrcl_edu.course.tasks.lesson_02_normalized import TWO_EDGES, random_graph


def neighbor_mean(graph: sp.csr_matrix, values: np.ndarray) -> np.ndarray:
    """Replace each cell by the mean of itself and its neighbors."""
    with_self = graph + sp.identity(graph.shape[0], format="csr")
    return with_self @ values / np.asarray(with_self.sum(axis=1))


def neighbor_mean_given(graph: sp.csr_matrix, values: np.ndarray) -> np.ndarray:
    """Each cell in turn becomes the mean of itself and its neighbors, while its neighbors change as well."""
    smooth = values.copy()
    for cell in range(len(values)):
        others = graph[cell].indices
        smooth[cell] = smooth[[cell, *others]].mean(axis=0)
    return smooth


def _by_loop(graph: sp.csr_matrix, values: np.ndarray) -> np.ndarray:
    return np.array([values[[cell, *graph[cell].indices]].mean(axis=0) for cell in range(len(values))])


def _backwards(graph: sp.csr_matrix, values: np.ndarray) -> np.ndarray:
    smooth = values.copy()
    for cell in reversed(range(len(values))):
        smooth[cell] = smooth[[cell, *graph[cell].indices]].mean(axis=0)
    return smooth


def _neighbors_from_before(graph: sp.csr_matrix, values: np.ndarray) -> np.ndarray:
    degree = np.maximum(np.asarray(graph.sum(axis=1)), 1)
    return graph @ values / degree


def _right_without_itself(result: Any, arguments: dict[str, Any]) -> bool:
    has_others = np.asarray(arguments["graph"].sum(axis=1)).ravel() > 0
    return np.allclose(np.asarray(result)[has_others], np.asarray(_neighbors_from_before(**arguments))[has_others])


def _graph_and_values(rng: np.random.Generator) -> dict[str, Any]:
    graph = random_graph(rng)
    return {"graph": graph, "values": rng.integers(0, 9, (graph.shape[0], 2)).astype(float)}


def loud_cells(rng: np.random.Generator) -> dict[str, Any]:
    """Counts of 150 cells of three types; depths differ widely, three genes are loud in some cells of every type."""
    types = np.repeat(["a", "b", "c"], 50)
    level = np.full((150, 60), 0.5)
    for number, name in enumerate("abc"):
        level[types == name, 15 * number : 15 * number + 15] = 2.5
    level[:, 57:] = rng.lognormal(3, 1, (150, 3))
    depth = rng.lognormal(0, 0.6, (150, 1))
    return {"counts": rng.poisson(level * depth).astype(float), "types": types}


def _log_graph(counts: np.ndarray, n_neighbors: int = 11) -> sp.csr_matrix:
    return graphs.cell_graph(np.log1p(1000 * counts / counts.sum(axis=1, keepdims=True)), n_neighbors=n_neighbors)


def _inside(graph: sp.csr_matrix, data: dict[str, Any]) -> float:
    return graphs.homophily(sp.csr_matrix(graph), data["types"])


TASKS = (
    Prediction(
        name="nearest_is_same_type",
        lesson="02",
        difficulty=1,
        minutes=1,
        text="For each of the 700 blood cells we look for the one cell that is most similar. In which share of the "
        "cases are the two of the same type? There are ten types, some of them close relatives.",
        shape=Number(
            near=0.1,
            low=0.0,
            high=1.0,
            form=".2f",
            right="Hundreds of noisy genes together say a lot, and close relatives are still mistaken for each other.",
            too_low="This guess expects the noise of single counts to drown the types. But a similarity sums over "
            "hundreds of genes, and noise averages out in a sum.",
            too_high="This guess trusts similarity too far. Kinds of T cells share most of their genes, so a cell's "
            "nearest one is often a relative; and the labels are not free of errors either.",
        ),
    ),
    Prediction(
        name="steps_by_clarity",
        lesson="02",
        difficulty=2,
        minutes=2,
        text="We average every cell with its neighbors 0, 2 or 200 times, and measure which share of all differences "
        "between cells lies between types. Put the three in order.",
        shape=Order(
            items=("0 steps", "2 steps", "200 steps"),
            by="from the smallest share to the largest",
            right="A few steps average noise away; many average the types away as well.",
            means={
                (
                    "0 steps",
                    "200 steps",
                ): "This expects that averaging can only help. But after n steps a cell has heard "
                "from cells n edges away, and these are of other types.",
                ("2 steps", "0 steps"): "This expects that averaging blurs the types from the first step on. But most "
                "neighbors are of a cell's own type, so that at first it is the noise that goes.",
            },
        ),
    ),
    Mend(
        name="neighbor_mean",
        lesson="02",
        difficulty=2,
        minutes=8,
        text="This function should replace each cell by the mean of itself and its neighbors. It makes cells smoother, "
        "and nothing stops. Find the fault, and mend it.",
        reference=neighbor_mean,
        faulty=neighbor_mean_given,
        symptom="Give it the same cells in another order and each cell gets another result. Which values does the "
        "fifth cell read?",
        inputs=_graph_and_values,
        edge_cases=({"graph": TWO_EDGES, "values": np.array([[4.0, 1.0], [2.0, 3.0], [5.0, 7.0], [1.0, 8.0]])},),
        alternative=_by_loop,
        mutants=(
            Mutant(
                "backwards",
                _backwards,
                "You turned the loop round, so the fault begins at the other end: later cells still read what earlier "
                "ones have become.",
            ),
            Mutant(
                "without the cell itself",
                _neighbors_from_before,
                "All cells read the old values now, but the mean leaves the cell itself out.",
                sign=_right_without_itself,
            ),
            Mutant(
                "sum",
                lambda graph, values: values + graph @ values,
                "All cells read the old values now. But this is the sum over the cell and its neighbors, and the mean "
                "is asked for.",
            ),
        ),
        hints=(
            "Take three cells in a row and do the loop by hand. What is in the first cell when the second one reads "
            "it?",
            "Old and new values need a place each: read from one, write to the other.",
        ),
        tested="values on graphs of 3 to 7 cells, one with a lone cell",
        not_tested="speed",
    ),
    Transfer(
        name="graph_of_loud_cells",
        lesson="02",
        difficulty=3,
        minutes=15,
        text="Here are counts of 150 cells of three types that this course has not shown. The cells differ widely in "
        "depth, and three genes are loud in some cells of every type. Build a graph that follows the types all the "
        "same; you do not get to see them.",
        answer="a function that takes counts, shape (150, 60), and gives a sparse graph of the cells",
        function=True,
        data=loud_cells,
        hidden=("types",),
        properties=(
            Property(
                "sparse, one row and column for each cell",
                lambda graph, data: sp.issparse(graph) and graph.shape == 2 * data["counts"].shape[:1],
                "Hand back a SciPy sparse matrix, shape (n_cells, n_cells).",
                wrong=lambda counts: _log_graph(counts).toarray(),
            ),
            Property(
                "binary, without self-loops",
                lambda graph, data: set(graph.data) <= {0, 1} and not graph.diagonal().any(),
                "An edge is 1, and no cell is its own neighbor.",
                wrong=lambda counts: _log_graph(counts) + sp.identity(len(counts)),
            ),
            Property(
                "symmetric",
                lambda graph, data: (graph != graph.T).nnz == 0,
                "That i chose j does not mean that j chose i: keep an edge when either did.",
                wrong=lambda counts: sp.triu(_log_graph(counts)).tocsr(),
            ),
            Property(
                "every cell has at least five neighbors",
                lambda graph, data: np.asarray(graph.sum(axis=1)).min() >= 5,
                "With fewer than five neighbors a cell borrows from too few others to lose its noise.",
                wrong=lambda counts: _log_graph(counts, 3),
            ),
            Property(
                "few edges",
                lambda graph, data: graph.nnz <= 40 * graph.shape[0],
                "With more than 40 neighbors on average a graph no longer says who is close.",
                wrong=lambda counts: _log_graph(counts, 90),
            ),
            Property(
                "nine of ten edges stay inside a type",
                lambda graph, data: _inside(graph, data) >= 0.9,
                "Too many edges join cells of different types. What makes two of these cells look alike that are not? "
                "Think of depth, and of the genes that are louder than all others.",
                wrong=lambda counts: graphs.cell_graph(counts, n_neighbors=11),
            ),
        ),
        solution=_log_graph,
        rubric=(
            "depth is divided out before cells are compared, or a distance is taken that does not see it",
            "the loud genes are tamed (logarithm, scaling, leaving them out) for a reason that is said and was seen "
            "without the types",
            "the number of neighbors is argued for, not tried until something unseen fits",
        ),
        hints=(
            "Look at the largest means among the genes, and at what a logarithm makes of them.",
            "Lesson 01 has the two steps that come before the graph.",
        ),
    ),
    Explanation(
        name="what_smoothing_leaves",
        lesson="02",
        difficulty=2,
        minutes=4,
        text="S is applied to the cells again and again, on a graph in one piece. What is left in the end, why just "
        "that, and what does it still say about a cell?",
        model="S has one pattern with the eigenvalue 1, and all others have smaller ones, which shrink with every "
        "step: after many steps only that one is left. It is the square root of d, because (D^-1/2 (A + I) D^-1/2) "
        "d^1/2 = D^-1/2 (A + I) 1 = D^-1/2 d = d^1/2. So in the end all cells have the same profile, scaled by the "
        "root of their number of neighbors: how popular a cell is, and nothing about its type.",
        rubric=(
            "names the pattern, the square root of the degree, and its eigenvalue 1",
            "says that the other patterns shrink because their eigenvalues are smaller than 1 in size",
            "says that the types are gone and that the number of neighbors is what remains",
        ),
    ),
)
