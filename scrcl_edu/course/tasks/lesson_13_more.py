"""Lesson 13, guesses, a graph to divide among machines, and a question."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.spatial import cKDTree

from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.task import Explanation, Prediction, Property, Transfer

N_WORKERS = 4


def _island(rng: np.random.Generator) -> dict[str, Any]:
    """Cells along a winding path, each joined to its nearest, in random order."""
    n_cells = 400
    along = np.sort(rng.random(n_cells)) * 12
    places = np.column_stack([along, 2 * np.sin(along)]) + rng.normal(0, 0.15, (n_cells, 2))
    places = places[rng.permutation(n_cells)]
    nearest = cKDTree(places).query(places, k=9)[1][:, 1:]
    graph = sp.csr_matrix((np.ones(nearest.size), (np.repeat(np.arange(n_cells), 8), nearest.ravel())))
    return {"graph": graph.maximum(graph.T).tocsr(), "n_workers": N_WORKERS}


def _workers_are_numbers(found: Any, data: dict[str, Any]) -> bool:
    found = np.asarray(found)
    n_cells = data["graph"].shape[0]
    return bool(found.shape == (n_cells,) and found.dtype.kind in "iu" and set(found) <= set(range(N_WORKERS)))


def _is_even(found: Any, data: dict[str, Any]) -> bool:
    sizes = np.bincount(np.asarray(found), minlength=N_WORKERS)
    return bool(np.ptp(sizes) <= 0.1 * data["graph"].shape[0] / N_WORKERS)


def share_cut(found: Any, graph: sp.csr_matrix) -> float:
    """Share of the edges whose two cells are with different workers."""
    found, edges = np.asarray(found), graph.tocoo()
    return float(np.mean(found[edges.row] != found[edges.col]))


def by_order(graph: sp.csr_matrix, n_workers: int) -> np.ndarray:
    """Stretches of an order in which neighbors are close."""
    order = reverse_cuthill_mckee(graph.tocsr(), symmetric_mode=True)
    found = np.empty(graph.shape[0], dtype=int)
    found[order] = np.arange(graph.shape[0]) * n_workers // graph.shape[0]
    return found


def _in_turn(graph: sp.csr_matrix, n_workers: int) -> np.ndarray:
    return np.arange(graph.shape[0]) % n_workers


def _crowded(graph: sp.csr_matrix, n_workers: int) -> np.ndarray:
    found = np.zeros(graph.shape[0], dtype=int)
    found[:n_workers] = np.arange(n_workers)
    return found


TASKS = (
    Prediction(
        name="pairs_forgotten",
        lesson="13",
        difficulty=1,
        minutes=1,
        text="The cells are divided evenly among eight workers, and each computes the loss of its own cells alone. "
        "Which share of all pairs of cells does nobody look at?",
        shape=Number(
            near=0.03,
            low=0.0,
            high=1.0,
            form=".2f",
            right="Each worker sees an eighth of the cells and an eighth of their partners.",
            too_low="This guess counts cells. Every cell is with somebody; but of a cell's partners only those count "
            "that are with the same worker.",
            too_high="Some pairs are left: those within one worker.",
        ),
    ),
    Prediction(
        name="what_crosses_most",
        lesson="13",
        difficulty=2,
        minutes=2,
        text="Two workers train together, with their cells divided along the graph. Of what do they send each other "
        "the most bytes in an epoch, for 700 cells?",
        shape=Choice(
            options=("neighbors' rows", "sums over cells", "gradients of shared weights"),
            means={
                "neighbors' rows": "This guess thinks of many cells. It is right for a million of them; here few edges "
                "are cut, and 700 cells are few.",
                "sums over cells": "A sum over cells is one row, however many cells there are: as long as an encoding "
                "is wide, or a matrix of programs.",
                "gradients of shared weights": "This guess sees that weights stay as large as they are when cells are "
                "few.",
            },
            right="The weights do not know how many cells there are. With more cells the rows overtake them.",
        ),
    ),
    Prediction(
        name="machines_for_1e8",
        lesson="13",
        difficulty=2,
        minutes=2,
        text="How many machines with 64 GB of memory each does it take to *hold* the training of a hundred million "
        "cells, with 2,000 genes and 256 hidden units?",
        shape=Number(
            near=1.5,
            low=1,
            high=1000,
            form=".0f",
            factor=True,
            unit="machines",
            right="Count what belongs to a cell: two views of 2,000 genes, some arrays as wide as an encoding, and its "
            "edges.",
            too_low="The features alone are two arrays of 2,000 numbers for each cell, and training keeps several "
            "arrays as wide as an encoding until the backward pass has been there.",
            too_high="The weights are small, and nothing here is as large as cells times cells.",
        ),
    ),
    Transfer(
        name="divide_cells",
        lesson="13",
        difficulty=3,
        minutes=18,
        text="Here is a cell graph that this course has not shown, in random order. Divide its cells among four "
        "workers, so that all hold about as many and few edges are cut.",
        answer="a function of graph (CSR, symmetric) and n_workers that gives the worker of each cell, integers from "
        "0, shape (n_cells,)",
        function=True,
        data=_island,
        properties=(
            Property(
                "one worker for each cell",
                _workers_are_numbers,
                "Give a whole number from 0 to n_workers - 1 for each cell, in the order of the graph's rows.",
                wrong=lambda graph, n_workers: by_order(graph, n_workers) + 1,
            ),
            Property(
                "all hold about as many cells",
                _is_even,
                "One of your workers holds clearly more cells than another, and the others will wait for it in every "
                "epoch.",
                wrong=_crowded,
            ),
            Property(
                "few edges are cut",
                lambda found, data: share_cut(found, data["graph"]) < 0.2,
                "A fifth of the edges or more are cut. By chance it would be three quarters. Cells that are neighbors "
                "in the graph should be neighbors in the order by which you divide.",
                wrong=_in_turn,
            ),
        ),
        solution=by_order,
        rubric=(
            "orders the cells along the graph (Cuthill-McKee, Fiedler vector, communities) and cuts the order evenly",
            "says why equal numbers matter: everybody waits for the slowest",
            "names a graph for which this order would be poor, such as a star or a random graph",
        ),
        hints=(
            "scipy.sparse.csgraph has an order in which the ends of every edge are close.",
            "reverse_cuthill_mckee gives the order; the first quarter of it goes to worker 0, and so on.",
        ),
    ),
    Explanation(
        name="why_averages_fail",
        lesson="13",
        difficulty=2,
        minutes=4,
        text="Averaging the workers' gradients is right for a classifier with cross-entropy, and wrong for this loss. "
        "What is the difference, and what does each worker need to know of the others to make it right?",
        model="Cross-entropy is a mean of terms of single cells: whoever holds a cell can compute its term, and the "
        "mean of means is the mean. Here a cell's term compares it with all others, so that a worker alone computes "
        "another number, with fewer others and without the neighbors across the cut. What it needs are the sums over "
        "all cells of q2, log q2 and h2, one row each, the log-sum-exp of the softmax over all cells, the small "
        "products of the refined cells, and the rows of neighbors that others hold; gradients go back the same ways.",
        rubric=(
            "says that the terms of cross-entropy belong to single cells, and those of this loss to pairs",
            "says that a worker alone has other, fewer partners, and so another loss rather than a noisy one",
            "names the sums over all cells and the rows of neighbors across the cut",
        ),
    ),
)
