"""Lesson 02, second half: smoothing with a graph, and the share of its edges inside a class."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from scrcl_edu import graphs
from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.course.tasks.lesson_02_normalized import TWO_EDGES, random_graph, row_normalized, symmetric


def low_pass(values: np.ndarray, graph: sp.csr_matrix, n_steps: int) -> np.ndarray:
    """Average each cell with its neighbors, n_steps times: S^n X."""
    smoother = graphs.normalized_adjacency(graph)
    return np.linalg.matrix_power(smoother.toarray(), n_steps) @ values


def homophily(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    """Share of the edges that join two cells of the same label."""
    return graphs.homophily(graph, labels)


def _smoothing(rng: np.random.Generator) -> dict[str, Any]:
    graph = random_graph(rng)
    values = rng.integers(-5, 6, (graph.shape[0], 2)).astype(float)
    return {"values": values, "graph": graph, "n_steps": int(rng.integers(2, 5))}


def _labeled(rng: np.random.Generator) -> dict[str, Any]:
    graph = random_graph(rng)
    labels = rng.integers(0, 2, graph.shape[0])
    labels[:3] = 0, 0, 1
    return {"graph": graph, "labels": np.array(["B", "T"])[labels]}


def _smooth(values: np.ndarray, smoother: np.ndarray, n_steps: int) -> np.ndarray:
    for _ in range(n_steps):
        values = smoother @ values
    return values


def _by_cell(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    same = graph.multiply(labels[:, None] == labels).toarray()
    degree = graph.toarray().sum(1)
    return float(np.mean(same.sum(1)[degree > 0] / degree[degree > 0]))


def _path(values: np.ndarray, graph: sp.csr_matrix, n_steps: int) -> np.ndarray:
    smoother = symmetric(graph).toarray()
    return np.array([_smooth(values, smoother, step) for step in range(n_steps + 1)])


def _of_degree(graph: sp.csr_matrix) -> np.ndarray:
    adjacency = graph.toarray()
    return adjacency / np.maximum(adjacency.sum(1, keepdims=True), 1)


def _rescaled(values: np.ndarray, graph: sp.csr_matrix, n_steps: int) -> np.ndarray:
    for _ in range(n_steps):
        values = symmetric(graph) @ values
        values = values / np.linalg.norm(values, axis=1, keepdims=True)
    return values


def _squared(values: np.ndarray, graph: sp.csr_matrix, n_steps: int) -> np.ndarray:
    smoother = symmetric(graph).toarray()
    for _ in range(n_steps):
        smoother = smoother @ smoother
    return smoother @ values


def _inside(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    return float(graph.multiply(labels[:, None] == labels).sum())


def _of_each_class(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    return float(
        np.mean([graph[labels == name][:, labels == name].sum() / graph[labels == name].sum() for name in "BT"])
    )


def _mostly_alike(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    same, degree = graph.multiply(labels[:, None] == labels).toarray().sum(1), graph.toarray().sum(1)
    return float(np.mean(same > degree / 2))


TASKS = (
    Exercise(
        name="low_pass",
        lesson="02",
        difficulty=1,
        minutes=5,
        reference=low_pass,
        inputs=_smoothing,
        edge_cases=(
            {"values": np.array([[2.0, 0.0], [0.0, 4.0], [3.0, 3.0], [1.0, 5.0]]), "graph": TWO_EDGES, "n_steps": 0},
        ),
        alternative=lambda values, graph, n_steps: _smooth(values, symmetric(graph).toarray(), n_steps),
        mutants=(
            Mutant(
                "once only",
                lambda values, graph, n_steps: symmetric(graph) @ values,
                "You smoothed once, whatever n_steps says.",
            ),
            Mutant(
                "row normalized",
                lambda values, graph, n_steps: _smooth(values, row_normalized(graph).toarray(), n_steps),
                "Your S is D^-1 (A + I), the plain mean of a cell and its neighbors; it should be normalized on both "
                "sides.",
            ),
            Mutant(
                "no self-loop",
                lambda values, graph, n_steps: _smooth(values, symmetric(graph, loops=False).toarray(), n_steps),
                "The self-loops are missing: in each step a cell takes over its neighbors' values and loses its own.",
            ),
            Mutant(
                "powers of entries",
                lambda values, graph, n_steps: symmetric(graph).toarray() ** n_steps @ values,
                "** takes each entry to a power. S^n is n matrix products.",
            ),
            Mutant(
                "multiplied by n",
                lambda values, graph, n_steps: n_steps * (symmetric(graph) @ values),
                "You multiplied by n_steps. S^n X means: apply S, then apply S to the result, and so on.",
            ),
            Mutant(
                "the graph itself",
                lambda values, graph, n_steps: _smooth(values, graph.toarray(), n_steps),
                "You multiplied with the graph, which adds up neighbors. S is normalized, and holds the cell itself.",
            ),
            Mutant(
                "added to the values",
                lambda values, graph, n_steps: _smooth(values, np.eye(graph.shape[0]) + symmetric(graph), n_steps),
                "In each step you add S X to X. S holds the cell itself already, so the result of a step is S X alone.",
            ),
            Mutant(
                "one step too few",
                lambda values, graph, n_steps: _path(values, graph, n_steps)[-2],
                "You smoothed n_steps - 1 times.",
            ),
            Mutant(
                "sum of all steps",
                lambda values, graph, n_steps: _path(values, graph, n_steps).sum(0),
                "You added up X, S X, S^2 X and so on (adding the first X in each step does that). Only the last, "
                "S^n X, is asked for.",
            ),
            Mutant(
                "mean of all steps",
                lambda values, graph, n_steps: _path(values, graph, n_steps).mean(0),
                "You took the mean of X, S X, S^2 X and so on. Only the last, S^n X, is asked for.",
            ),
            Mutant(
                "high pass",
                lambda values, graph, n_steps: _smooth(values, np.eye(len(values)) - symmetric(graph), n_steps),
                "You applied I - S, which keeps the differences to the neighbors (a high-pass filter). S averages.",
            ),
            Mutant(
                "half steps",
                lambda values, graph, n_steps: _smooth(values, (np.eye(len(values)) + symmetric(graph)) / 2, n_steps),
                "In each step you took the mean of X and S X. A step is S X; the cell itself is in S already.",
            ),
            Mutant(
                "power of the graph",
                lambda values, graph, n_steps: symmetric(sp.csr_matrix(graph**n_steps)) @ values,
                "You took the power of the graph and normalized that. Normalize first; then the power, or n products.",
            ),
            Mutant(
                "squared again and again",
                _squared,
                "S is multiplied with itself in the loop, so its power doubles in each step. Multiply X in the loop, "
                "and leave S as it is.",
            ),
            Mutant(
                "rows scaled in each step",
                _rescaled,
                "You scaled the rows to length 1 on the way. S^n X has no such step.",
            ),
            Mutant(
                "mean of the neighbors",
                lambda values, graph, n_steps: _smooth(values, _of_degree(graph), n_steps),
                "Your S is D^-1 A, the mean of the neighbors without the cell itself. It is D^-1/2 (A + I) D^-1/2.",
            ),
            Mutant(
                "A + I",
                lambda values, graph, n_steps: _smooth(values, graph.toarray() + np.eye(len(values)), n_steps),
                "You multiplied with A + I, which adds up a cell and its neighbors, so that values grow with each "
                "step. S is normalized by the degrees on both sides.",
            ),
            Mutant(
                "the filter alone",
                lambda values, graph, n_steps: np.linalg.matrix_power(symmetric(graph).toarray(), n_steps),
                "This is S^n, a matrix of cells by cells. It is still to be multiplied with X.",
                sign=lambda result, arguments: result.shape == arguments["graph"].shape,
            ),
            Mutant(
                "divided by n",
                lambda values, graph, n_steps: _path(values, graph, n_steps)[-1] / n_steps,
                "You divided by n_steps at the end. S is a mean already.",
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
        difficulty=1,
        minutes=5,
        reference=homophily,
        inputs=_labeled,
        edge_cases=({"graph": TWO_EDGES, "labels": np.array(["B", "T", "T", "B"])},),
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
            Mutant(
                "one side of one only",
                lambda graph, labels: _inside(graph, labels) / graph.sum() / 2,
                "Your share is half the right one. Each edge stands in the matrix twice: count both or none of them "
                "twice.",
            ),
            Mutant(
                "all pairs of two",
                lambda graph, labels: _inside(graph, labels) / len(labels) / (len(labels) - 1),
                "You divided by the number of all pairs of two cells. The share is among the edges.",
            ),
            Mutant(
                "pairs of the same label",
                lambda graph, labels: _inside(graph, labels) / float((labels[:, None] == labels).sum()),
                "You divided by the number of pairs with the same label. The share is among the edges.",
            ),
            Mutant(
                "with self-loops",
                lambda graph, labels: (_inside(graph, labels) + len(labels)) / (graph.sum() + len(labels)),
                "You counted self-loops, which always join equal labels. The graph has none; leave it as it is.",
            ),
            Mutant(
                "cells without edges",
                lambda graph, labels: float(
                    np.mean(
                        graph.multiply(labels[:, None] == labels).toarray().sum(1)
                        / np.maximum(graph.toarray().sum(1), 1)
                    )
                ),
                "You averaged the shares of the cells, with 0 for a cell without edges. Count edges.",
            ),
            Mutant(
                "empty cells",
                lambda graph, labels: float(
                    np.mean(graph.multiply(labels[:, None] == labels).toarray().sum(1) / graph.toarray().sum(1))
                ),
                "You averaged the shares of the cells; one without edges has none (0 / 0), and gives NaN. Count edges.",
            ),
            Mutant(
                "mean over classes",
                _of_each_class,
                "You averaged the shares of the classes, so that a small class counts as much as a large one. Count "
                "edges.",
            ),
            Mutant(
                "majority of the neighbors",
                _mostly_alike,
                "This is the share of the cells whose neighbors are mostly alike. Count edges, not cells.",
            ),
            Mutant(
                "inside against between",
                lambda graph, labels: _inside(graph, labels) / (graph.sum() - _inside(graph, labels)),
                "You divided the edges inside a class by the edges between classes. The share is among all edges.",
            ),
            Mutant(
                "beyond chance",
                lambda graph, labels: _inside(graph, labels) / graph.sum() - np.mean(labels[:, None] == labels),
                "You subtracted what chance would give. That is a good question, but the plain share is asked for.",
            ),
            Mutant(
                "edges once, cells",
                lambda graph, labels: _inside(graph, labels) / 2 / len(labels),
                "You counted each edge once and divided by the number of cells. The share is among the edges.",
            ),
            Mutant(
                "edges once",
                lambda graph, labels: _inside(graph, labels) / 2,
                "This is the number of edges inside a class. Divide by the number of all edges.",
            ),
            Mutant(
                "one class",
                lambda graph, labels: graph[labels == "B"].sum() / graph.sum(),
                "You looked at one end of each edge only. An edge is inside a class when the labels of *both* its ends "
                "are equal.",
            ),
            Mutant(
                "next in the file",
                lambda graph, labels: float(np.mean(labels[:-1] == labels[1:])),
                "You compared each cell with the next one in the file. The graph says who the neighbors are.",
            ),
            Mutant(
                "ends, not labels",
                lambda graph, labels: 0.0,
                "Your share is 0: none of the edges seems to be inside a class. Compare the *labels* of the two ends, "
                "not their positions.",
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
