"""Lesson 08: accuracy by the best matching, a report over seeds, and a choice that needs no labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from scrcl_edu import evaluation
from scrcl_edu.course.exercise import Exercise, Mutant


def hungarian_accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of the cells that agree under the best one-to-one matching of clusters and classes.

    Parameters
    ----------
    labels, clusters
        Whole numbers from 0, shape (n_cells,). There may be more clusters than classes, or fewer.

    Returns
    -------
    A number from 0 to 1. Cells of a cluster that is matched with no class count as wrong.
    """
    return evaluation.accuracy(labels, clusters)


def report_over_seeds(scores: np.ndarray) -> tuple[float, float]:
    """What to report when a method was run with several seeds.

    Parameters
    ----------
    scores
        One score per seed, shape (n_seeds,).

    Returns
    -------
    Mean and sample standard deviation (n - 1).
    """
    return float(np.mean(scores)), float(np.std(scores, ddof=1))


def pick_start(inertias: np.ndarray, accuracies: np.ndarray) -> int:
    """Choose one of several starts of k-means without looking at labels.

    Parameters
    ----------
    inertias
        Sum of squared distances to the nearest center, one per start.
    accuracies
        Accuracy of each start against the true labels: known to whoever writes a paper, to nobody who has new cells.

    Returns
    -------
    Number of the start, from 0.
    """
    return int(np.argmin(inertias))


def _table(labels: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    table = np.zeros((labels.max() + 1, clusters.max() + 1), dtype=int)
    np.add.at(table, (labels, clusters), 1)
    return table


def _by_permutations(labels: np.ndarray, clusters: np.ndarray) -> float:
    import itertools

    n_names = max(labels.max(), clusters.max()) + 1
    return float(max(np.mean(np.array(order)[clusters] == labels) for order in itertools.permutations(range(n_names))))


def _greedy(labels: np.ndarray, clusters: np.ndarray) -> float:
    table, right = _table(labels, clusters), 0
    for _ in range(min(table.shape)):
        row, column = np.unravel_index(table.argmax(), table.shape)
        right += max(table[row, column], 0)
        table[row], table[:, column] = -1, -1
    return float(right / len(labels))


def _transposed(labels: np.ndarray, clusters: np.ndarray) -> float:
    classes, found = linear_sum_assignment(_table(labels, clusters), maximize=True)
    name = dict(zip(classes, found, strict=True))  # class -> cluster, used below as if it were cluster -> class
    return float(np.mean([name.get(cluster, -1) == label for label, cluster in zip(labels, clusters, strict=True)]))


def _unmatched_dropped(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = _table(labels, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / table[np.ix_(rows, columns)].sum())


def _purity(labels: np.ndarray, clusters: np.ndarray) -> float:
    return float(_table(labels, clusters).max(axis=0).sum() / len(labels))


def _least_agreement(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = _table(labels, clusters)
    return float(table[linear_sum_assignment(table)].sum() / table.sum())


def _share_of_classes(labels: np.ndarray, clusters: np.ndarray) -> float:
    return float(_table(labels, clusters).max(axis=1).sum() / len(labels))


def _counted_once(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = (_table(labels, clusters) > 0).astype(int)  # what table[labels, clusters] += 1 gives
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(labels))


def _number_of_cells(labels: np.ndarray, clusters: np.ndarray) -> int:
    table = _table(labels, clusters)
    return int(table[linear_sum_assignment(table, maximize=True)].sum())


def _mean_over_classes(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = _table(labels, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float((table[rows, columns] / table[rows].sum(axis=1)).mean())


def _square_table(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = np.zeros((labels.max() + 1, labels.max() + 1), dtype=int)
    np.add.at(table, (labels, clusters), 1)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(labels))


def _cells(rng: np.random.Generator) -> dict[str, Any]:
    # Taking the largest entry first spoils the best matching, and one of the four clusters stays without a class.
    table = np.array([[5, 4, 0, 1], [4, 0, 1, 0], [0, 1, 4, 2]]) + rng.integers(0, 2, (3, 4)) * np.eye(3, 4, dtype=int)
    table = table[:, rng.permutation(4)]
    labels, clusters = np.repeat(np.indices((3, 4)).reshape(2, -1), table.ravel(), axis=1)
    order = rng.permutation(len(labels))
    return {"labels": labels[order], "clusters": clusters[order]}


def _scores(rng: np.random.Generator) -> dict[str, Any]:
    return {"scores": rng.uniform(0.4, 0.9, 5).round(2)}


def _starts(rng: np.random.Generator) -> dict[str, Any]:
    inertias = rng.permutation(5) * 7.5 + 100 + rng.random(5).round(1)
    accuracies = rng.uniform(0.5, 0.9, 5).round(2)
    accuracies[(np.argmin(inertias) + 1 + rng.integers(4)) % 5] = 0.95  # never the start with the lowest inertia
    return {"inertias": inertias, "accuracies": accuracies}


EXERCISES = (
    Exercise(
        name="hungarian_accuracy",
        lesson="08",
        reference=hungarian_accuracy,
        inputs=_cells,
        alternative=_by_permutations,
        mutants=(
            Mutant(
                "greedy",
                _greedy,
                "You matched the largest entry of the table first, and so on. That can block a better matching: all "
                "pairs "
                "have to be chosen together.",
            ),
            Mutant(
                "table transposed",
                _transposed,
                "The table is the wrong way round somewhere: you look clusters up in a matching that goes from "
                "classes to "
                "clusters.",
            ),
            Mutant(
                "unmatched clusters dropped",
                _unmatched_dropped,
                "You left out the cells of classes or clusters without a partner. They count as wrong: divide by all "
                "cells.",
            ),
            Mutant(
                "several clusters to one class",
                _purity,
                "You gave each cluster its most frequent class, so a class may be given twice. That is purity, and it "
                "only "
                "grows with more clusters; the matching is one to one.",
            ),
            Mutant(
                "several classes to one cluster",
                _share_of_classes,
                "You gave each class its largest cluster, so a cluster may be given twice; one cluster for all cells "
                "would score 100 %. The matching is one to one.",
            ),
            Mutant(
                "each pair counted once",
                _counted_once,
                "Your table holds ones and zeros: table[labels, clusters] += 1 counts each pair once, however many "
                "cells it has. np.add.at adds for every cell.",
            ),
            Mutant(
                "number instead of share",
                _number_of_cells,
                "This is the number of cells that agree. Divide by the number of all cells.",
            ),
            Mutant(
                "mean over classes",
                _mean_over_classes,
                "You averaged over classes, so that a rare one counts as much as a common one. Accuracy counts cells.",
            ),
            Mutant(
                "square table",
                _square_table,
                "Your table has as many columns as there are classes, but there are more clusters than that here. Give "
                "it a column for each cluster.",
            ),
            Mutant(
                "least agreement",
                _least_agreement,
                "Your matching makes the agreement as small as possible: linear_sum_assignment minimizes unless it is "
                "told to "
                "maximize.",
            ),
            Mutant(
                "no matching",
                lambda labels, clusters: float(np.mean(labels == clusters)),
                "You compared the numbers as they are. Cluster 0 need not be class 0: find the best matching first.",
            ),
        ),
        hints=(
            "Count cells in a table, one row per class and one column per cluster: np.add.at(table, (labels, "
            "clusters), 1).",
            "scipy.optimize.linear_sum_assignment(table, maximize=True) gives the rows and columns of the best "
            "matching.",
        ),
        tested="the value for 3 classes and 4 clusters",
        not_tested="missing labels, labels that are words, more classes than clusters",
    ),
    Exercise(
        name="report_over_seeds",
        lesson="08",
        reference=report_over_seeds,
        inputs=_scores,
        alternative=lambda scores: (
            sum(scores) / len(scores),
            (sum((s - sum(scores) / len(scores)) ** 2 for s in scores) / (len(scores) - 1)) ** 0.5,
        ),
        mutants=(
            Mutant(
                "best seed",
                lambda scores: (np.max(scores), np.std(scores, ddof=1)),
                "You report the best seed. Nobody who uses the method gets to choose the seed by its score.",
            ),
            Mutant(
                "population deviation",
                lambda scores: (np.mean(scores), np.std(scores)),
                "You divided by n. The deviation of a sample divides by n - 1; with five seeds that is 12 % more.",
            ),
            Mutant(
                "standard error",
                lambda scores: (np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5),
                "This is the standard error of the mean. What a reader wants to know is how far single runs scatter.",
            ),
            Mutant(
                "median",
                lambda scores: (np.median(scores), np.std(scores, ddof=1)),
                "You report the median; the mean is asked for.",
            ),
            Mutant(
                "range",
                lambda scores: (np.mean(scores), np.max(scores) - np.min(scores)),
                "The second number is the range. It grows with the number of seeds; the deviation does not.",
            ),
            Mutant(
                "order",
                lambda scores: (np.std(scores, ddof=1), np.mean(scores)),
                "Both numbers are right, in the wrong order: the mean comes first.",
            ),
            Mutant(
                "mean only",
                lambda scores: np.mean(scores),
                "The mean alone hides how far single runs scatter. Give the deviation with it.",
            ),
            Mutant(
                "variance",
                lambda scores: (np.mean(scores), np.var(scores, ddof=1)),
                "This is the variance. Its square root has the unit of the scores.",
            ),
        ),
        hints=(
            "Two numbers: where the scores lie, and how far they scatter.",
            "np.std has an argument ddof.",
        ),
        tested="both numbers for five scores",
        not_tested="a single seed, missing scores",
    ),
    Exercise(
        name="pick_start",
        lesson="08",
        reference=pick_start,
        inputs=_starts,
        alternative=lambda inertias, accuracies: min(range(len(inertias)), key=lambda start: inertias[start]),
        mutants=(
            Mutant(
                "peeking",
                lambda inertias, accuracies: int(np.argmax(accuracies)),
                "You chose the start with the best accuracy. That needs the labels, which nobody has for new cells.",
            ),
            Mutant(
                "highest inertia",
                lambda inertias, accuracies: int(np.argmax(inertias)),
                "You chose the highest inertia. It measures how far cells are from their centers: small is tight.",
            ),
            Mutant(
                "the inertia itself",
                lambda inertias, accuracies: float(np.min(inertias)),
                "You returned the inertia. The number of the start is asked for.",
            ),
            Mutant(
                "always the first",
                lambda inertias, accuracies: 0,
                "You always take the first start.",
            ),
        ),
        hints=(
            "One of the two arguments may be looked at.",
            "np.argmin gives the place of the smallest entry.",
        ),
        tested="the choice among five starts, in five cases",
        not_tested="ties",
    ),
)
