"""Lesson 01, beyond its functions: a prediction, a fault to mend, a transfer and an explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from scrcl_edu.course.guesses import Order
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction, Property, Transfer


def keep_good(counts: np.ndarray, min_genes: int, min_cells: int) -> np.ndarray:
    """Keep cells in which enough genes were seen, then genes that enough of these cells have."""
    cells = counts[(counts > 0).sum(axis=1) >= min_genes]
    return cells[:, (cells > 0).sum(axis=0) >= min_cells]


def keep_good_given(counts: np.ndarray, min_genes: int, min_cells: int) -> np.ndarray:
    """Judges genes by cells that will be gone."""
    seen = counts > 0
    cells = seen.sum(axis=1) >= min_genes
    genes = seen.sum(axis=0) >= min_cells
    return counts[cells][:, genes]


def _by_loop(counts: np.ndarray, min_genes: int, min_cells: int) -> np.ndarray:
    rows = [row for row in counts if np.count_nonzero(row) >= min_genes]
    kept = np.array(rows).reshape(len(rows), counts.shape[1])
    columns = [k for k in range(counts.shape[1]) if np.count_nonzero(kept[:, k]) >= min_cells]
    return kept[:, columns]


def _exchanged(counts: np.ndarray, min_genes: int, min_cells: int) -> np.ndarray:
    cells = counts[(counts > 0).sum(axis=1) >= min_cells]
    return cells[:, (cells > 0).sum(axis=0) >= min_genes]


def _by_molecules(counts: np.ndarray, min_genes: int, min_cells: int) -> np.ndarray:
    cells = counts[counts.sum(axis=1) >= min_genes]
    return cells[:, cells.sum(axis=0) >= min_cells]


def _more_than(counts: np.ndarray, min_genes: int, min_cells: int) -> np.ndarray:
    cells = counts[(counts > 0).sum(axis=1) > min_genes]
    return cells[:, (cells > 0).sum(axis=0) > min_cells]


def _genes_first(counts: np.ndarray, min_genes: int, min_cells: int) -> np.ndarray:
    genes = counts[:, (counts > 0).sum(axis=0) >= min_cells]
    return genes[(genes > 0).sum(axis=1) >= min_genes]


def _poor_and_rich(rng: np.random.Generator) -> dict[str, Any]:
    """Rich cells, and poor ones that alone keep some genes alive."""
    rich = rng.poisson(1.4, (5, 7))
    rich[:, -2:] = 0
    rich[0, -2] = 3
    poor = np.zeros((4, 7), dtype=int)
    poor[:, -2:] = rng.poisson(3, (4, 2)) + 1
    return {"counts": rng.permutation(np.vstack([rich, poor])), "min_genes": 3, "min_cells": 2}


def two_in_one(rng: np.random.Generator) -> dict[str, Any]:
    """Counts of 240 droplets, 24 of which hold two cells of different types; depth varies far more than twofold."""
    types = rng.integers(0, 3, 264)
    level = np.full((264, 90), 0.15)
    for number in range(3):
        level[types == number, 30 * number : 30 * number + 30] = 1.5
    counts = rng.poisson(level * rng.lognormal(0, 0.7, (264, 1)))
    first = np.flatnonzero(types[:240] == 0)[:24]
    others = np.flatnonzero(types != 0)
    second = rng.choice(others[others >= 120], len(first), replace=False)
    kept = np.setdiff1d(np.arange(264), np.concatenate([first, second]))[: 240 - len(first)]
    together = counts[first] + counts[second]
    order = rng.permutation(len(kept) + len(first))
    double = np.arange(len(order)) >= len(kept)
    return {"counts": np.vstack([counts[kept], together])[order].astype(float), "double": double[order]}


def doublet_score(counts: np.ndarray) -> np.ndarray:
    """Share of made-up doublets among the droplets that are nearest to each, as Scrublet does it."""
    rng = np.random.default_rng(0)
    made = counts[rng.integers(0, len(counts), 2 * len(counts))] + counts[rng.integers(0, len(counts), 2 * len(counts))]
    both = np.vstack([counts, made])
    log_values = np.log1p(100 * both / np.maximum(both.sum(axis=1, keepdims=True), 1))
    _, _, directions = np.linalg.svd(log_values - log_values.mean(axis=0), full_matrices=False)
    points = log_values @ directions[:10].T
    near = NearestNeighbors(n_neighbors=21).fit(points).kneighbors(points[: len(counts)], return_distance=False)
    return (near[:, 1:] >= len(counts)).mean(axis=1)


def _finds(score: np.ndarray, data: dict[str, Any]) -> bool:
    return roc_auc_score(data["double"], np.asarray(score, dtype=float)) >= 0.9


TASKS = (
    Prediction(
        name="values_by_graph",
        lesson="01",
        difficulty=2,
        minutes=2,
        text="We connect each of the 700 blood cells with its nearest cells and ask how many of the edges join two of "
        "the same type. Three kinds of values, all compared by the cosine: the raw counts; the values of this lesson, "
        "scaled to 10,000 and logged; and only 1 where a gene was seen and 0 where it was not. Put them in order.",
        shape=Order(
            items=("raw counts", "scaled to 10,000 and logged", "seen or not"),
            by="from the fewest edges inside a type to the most",
            right="You must have suspected the logarithm: at a target of 10,000 it comes close to seen-or-not when a "
            "cell holds only hundreds of molecules.",
            means={
                ("raw counts", "scaled to 10,000 and logged"): "This trusts the usual pipeline, as nearly everybody "
                "does. But the cosine takes depth out already, and how strongly the logarithm bends depends on the "
                "target: in cells of several hundred molecules 10,000 turns one molecule into nearly as much as three.",
                ("scaled to 10,000 and logged", "seen or not"): "This expects that which genes are on tells more than "
                "how much. How much tells something as well, and a zero is often an accident.",
            },
        ),
    ),
    Mend(
        name="keep_good",
        lesson="01",
        difficulty=2,
        minutes=7,
        text="This function should keep cells in which enough genes were seen, and then genes that enough of the kept "
        "cells have. Shapes shrink as they should. Find the fault, and mend it.",
        reference=keep_good,
        faulty=keep_good_given,
        symptom="Ask of the result how many cells have each of its genes. By whom was a gene judged that only the "
        "dropped cells had?",
        inputs=_poor_and_rich,
        edge_cases=(
            {"counts": np.array([[1, 1, 0], [1, 2, 0], [0, 0, 4]]), "min_genes": 2, "min_cells": 1},
            {"counts": np.array([[1, 0], [0, 1]]), "min_genes": 0, "min_cells": 0},
            {"counts": np.array([[1, 1, 0], [1, 2, 0], [1, 0, 4]]), "min_genes": 2, "min_cells": 2},
        ),
        alternative=_by_loop,
        mutants=(
            Mutant(
                "exchanged",
                _exchanged,
                "The limits have changed places: min_genes is asked of each cell, min_cells of each gene.",
            ),
            Mutant(
                "molecules",
                _by_molecules,
                "You add up molecules. What is asked is in how many cells, or of how many genes, there is any.",
            ),
            Mutant(
                "genes first",
                _genes_first,
                "One step follows the other now, but the genes come first: they are still judged by the poor cells.",
            ),
            Mutant("more than", _more_than, "At least so many means that exactly so many is enough."),
        ),
        hints=(
            "Which rows does the mask of the genes look at, and which rows are still there at the end?",
            "Do one step completely, and let the second begin with what the first has left.",
        ),
        tested="small matrices in which some genes live in poor cells only",
        not_tested="sparse matrices",
    ),
    Transfer(
        name="two_cells_in_one_droplet",
        lesson="01",
        difficulty=3,
        minutes=20,
        text="Here are counts of droplets that this course has not shown. About one in ten holds two cells of two "
        "types. Score each droplet: the higher, the more you believe that it is a doublet. Depths vary so much that "
        "the number of molecules will not do; you do not get to see the truth.",
        answer="a function that takes counts, shape (n_droplets, 90), and gives one number for each droplet",
        function=True,
        data=two_in_one,
        hidden=("double",),
        properties=(
            Property(
                "one finite number for each droplet",
                lambda score, data: (
                    np.shape(score) == data["counts"].shape[:1] and bool(np.isfinite(np.asarray(score, float)).all())
                ),
                "Hand back one finite number for each droplet, shape (n_droplets,).",
                wrong=lambda counts: doublet_score(counts)[:, None],
            ),
            Property(
                "a doublet scores higher than a single cell in nine of ten pairs",
                _finds,
                "Too many single cells score above doublets. The sum of molecules finds deep cells, whether double or "
                "not. What does a droplet with two types express that no cell of one type does?",
                wrong=lambda counts: counts.sum(axis=1),
            ),
        ),
        solution=doublet_score,
        rubric=(
            "uses that two types are expressed at once, or compares with doublets that were made up by adding cells, "
            "and not depth alone",
            "says which doublets such a score cannot see: two cells of the same type",
            "would not throw cells away by the score without looking at their genes",
        ),
        hints=(
            "You can make doublets yourself: add the counts of two droplets drawn at random.",
            "A real doublet lies near made-up ones. How many of its nearest are made up?",
        ),
    ),
    Explanation(
        name="why_depth_returns",
        lesson="01",
        difficulty=2,
        minutes=4,
        text="Every cell was scaled to the same sum, and yet after the logarithm the first component is depth again in "
        "a shallow experiment. How can that be?",
        model="Scaling makes the means of all cells equal, but it cannot make up for what was not caught: a shallow "
        "cell holds a few large values and many zeros, a deep one many values in between. The logarithm is curved and "
        "pulls the few large values down much more than the many small ones, so that the mean of the logs is lower "
        "in shallow cells. That difference runs through all genes at once, in the same direction, and so it makes a "
        "strong component out of depth.",
        rubric=(
            "equal sums do not make equal distributions: shallow cells have more zeros and larger jumps",
            "the logarithm is curved, so that the mean of logs depends on the scatter",
            "the effect has the same sign in many genes, which is what a first component picks up",
        ),
    ),
)
