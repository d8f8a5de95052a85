"""Lesson 00: two first looks at data, to meet the checks."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrcl_edu import evaluation
from scrcl_edu.course.task import Exercise, Mutant


def share_of_zeros(counts: np.ndarray) -> float:
    """Share of the entries of a count matrix that are zero."""
    return float(1 - np.count_nonzero(counts) / counts.size)


def one_cluster_accuracy(labels: np.ndarray) -> float:
    """Accuracy of the laziest method of all, which puts every cell into one cluster."""
    return evaluation.accuracy(labels, np.zeros(len(labels), dtype=int))


_NAMES = ["B cell", "T cell", "monocyte"]


def _counts(rng: np.random.Generator) -> dict[str, Any]:
    return {"counts": rng.poisson(0.6, (rng.integers(3, 6), rng.integers(6, 9)))}


def _labels(rng: np.random.Generator) -> dict[str, Any]:
    sizes = rng.permutation([7, 3, 2]) + rng.integers(0, 2, 3)
    return {"labels": rng.permutation(np.repeat(_NAMES, sizes))}


TASKS = (
    Exercise(
        name="share_of_zeros",
        lesson="00",
        difficulty=1,
        minutes=3,
        reference=share_of_zeros,
        inputs=_counts,
        edge_cases=({"counts": np.zeros((2, 3), dtype=int)},),
        alternative=lambda counts: (counts == 0).mean(),
        mutants=(
            Mutant(
                "ones counted too",
                lambda counts: np.mean(counts <= 1),
                "You counted the ones as well: a single molecule is not nothing.",
            ),
            Mutant(
                "number, not share",
                lambda counts: np.sum(counts == 0),
                "You counted the zeros. A share is that number divided by the number of all entries.",
            ),
            Mutant(
                "zeros by zeros and ones",
                lambda counts: np.sum(counts == 0) / counts.sum(),
                "You divided by the sum of the counts. What counts here is how many entries there are, not how large "
                "they are.",
            ),
        ),
        hints=(
            "counts == 0 gives a matrix of True and False of the same shape.",
            "The mean of True and False values is the share of True.",
        ),
        tested="the value on small count matrices",
        not_tested="sparse matrices",
    ),
    Exercise(
        name="one_cluster_accuracy",
        lesson="00",
        difficulty=1,
        minutes=5,
        reference=one_cluster_accuracy,
        inputs=_labels,
        edge_cases=(
            {"labels": np.array(["T cell"])},
            {"labels": np.array(["T cell", "B cell"])},
        ),
        alternative=lambda labels: max(np.mean(labels == name) for name in set(labels)),
        mutants=(
            Mutant(
                "one over the number of classes",
                lambda labels: 1 / len(np.unique(labels)),
                "That would be right if all classes were of the same size. The one cluster is matched with the "
                "largest.",
            ),
            Mutant(
                "smallest class",
                lambda labels: np.unique(labels, return_counts=True)[1].min() / len(labels),
                "You took the smallest class. The cluster is matched with the class that suits it best.",
            ),
            Mutant(
                "first class",
                lambda labels: np.mean(labels == labels[0]),
                "You took the share of one class that is not always the largest: that of the first cell, or the first "
                "in the alphabet. Neither order nor names may matter.",
                sign=lambda result, arguments: (
                    result in [np.mean(arguments["labels"] == x) for x in arguments["labels"]]
                ),
            ),
        ),
        hints=(
            "Which class would you name the cluster after, to be right as often as possible?",
            "np.unique(labels, return_counts=True) gives the classes and their sizes.",
        ),
        tested="the value on 12 to 15 cells of three classes",
        not_tested="missing labels",
    ),
)
