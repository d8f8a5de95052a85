"""Lesson 08: accuracy by the best matching of clusters and classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn import metrics

from scrcl_edu import evaluation
from scrcl_edu.course.task import Exercise, Mutant


def hungarian_accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of the cells that agree under the best one-to-one matching of clusters and classes."""
    return evaluation.accuracy(labels, clusters)


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


def _mean_over_classes(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = _table(labels, clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float((table[rows, columns] / table[rows].sum(axis=1)).mean())


def _square_table(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = np.zeros((labels.max() + 1, labels.max() + 1), dtype=int)
    np.add.at(table, (labels, clusters), 1)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(labels))


def _cells(rng: np.random.Generator) -> dict[str, Any]:
    # Taking the largest entry first spoils the best matching, and one of the four clusters stays without a class; in
    # the second table a matching of shares is not the best one of cells.
    even = np.array([[5, 4, 0, 1], [4, 0, 1, 0], [0, 1, 4, 2]]) + rng.integers(0, 2, (3, 4)) * np.eye(3, 4, dtype=int)
    table = (even, np.array([[2, 6, 3, 4], [0, 1, 0, 0], [0, 4, 0, 0]]))[int(rng.random() < 0.5)][:, rng.permutation(4)]
    labels, clusters = np.repeat(np.indices((3, 4)).reshape(2, -1), table.ravel(), axis=1)
    order = rng.permutation(len(labels))
    return {"labels": labels[order], "clusters": clusters[order]}


def _matched(table: np.ndarray, by: np.ndarray | None = None) -> np.ndarray:
    return table[linear_sum_assignment(table if by is None else by, maximize=True)]


def _rows_in_turn(labels: np.ndarray, clusters: np.ndarray) -> float:
    table, right = _table(labels, clusters), 0
    for row in range(len(table)):
        right += table[row].max()
        table[:, table[row].argmax()] = -1
    return float(right / len(labels))


def _columns_in_turn(labels: np.ndarray, clusters: np.ndarray) -> float:
    table, right = _table(labels, clusters), 0
    for column in range(table.shape[1]):
        right += max(table[:, column].max(), 0)
        table[table[:, column].argmax()] = -1
    return float(right / len(labels))


def _by_size(labels: np.ndarray, clusters: np.ndarray) -> float:
    rows, columns = (np.argsort(-np.bincount(groups), kind="stable") for groups in (labels, clusters))
    return float(_table(labels, clusters)[rows, columns[: len(rows)]].sum() / len(labels))


def _by_shares(labels: np.ndarray, clusters: np.ndarray, axis: int) -> float:
    table = _table(labels, clusters)
    return float(_matched(table, table / table.sum(axis=axis, keepdims=True)).sum() / len(labels))


def _block(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = _table(labels, clusters)
    return float(table[np.ix_(*linear_sum_assignment(table, maximize=True))].sum() / len(labels))


def _turned_index(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = _table(labels, clusters)
    rows, columns = linear_sum_assignment(table.T, maximize=True)
    return float(table[rows % len(table), columns].sum() / len(labels))


def _too_small(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = np.zeros((labels.max(), clusters.max()), dtype=int)
    np.add.at(table, (labels, clusters), 1)
    return float(_matched(table).sum() / len(labels))


def _without_an_entry(labels: np.ndarray, clusters: np.ndarray) -> float:
    classes, found = linear_sum_assignment(_table(labels, clusters), maximize=True)
    name = dict(zip(found, classes, strict=True))
    return float(np.mean([name[cluster] for cluster in clusters] == labels))


def _mean_over_clusters(labels: np.ndarray, clusters: np.ndarray) -> float:
    table = _table(labels, clusters)
    return float(_matched(table / table.sum(axis=0), table).mean())


def _is_another_measure(result: Any, arguments: dict[str, Any]) -> bool:
    known = "normalized_mutual_info", "adjusted_rand", "rand", "adjusted_mutual_info", "homogeneity", "completeness"
    names = [f"{name}_score" for name in (*known, "v_measure", "fowlkes_mallows")]
    return any(np.isclose(result, getattr(metrics, name)(*arguments.values())) for name in names)


TASKS = (
    Exercise(
        name="hungarian_accuracy",
        lesson="08",
        difficulty=2,
        minutes=12,
        reference=hungarian_accuracy,
        inputs=_cells,
        alternative=_by_permutations,
        mutants=(
            Mutant(
                "greedy",
                _greedy,
                "You matched the largest entry of the table first, and so on. That can block a better matching: all "
                "pairs have to be chosen together.",
            ),
            Mutant(
                "table transposed",
                _transposed,
                "The table is the wrong way round somewhere: you look clusters up in a matching that goes from "
                "classes to clusters.",
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
                "only grows with more clusters; the matching is one to one.",
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
                "Your table holds ones and zeros: += counts each pair once, however many cells it has. np.add.at adds "
                "for every cell.",
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
                "told to maximize.",
            ),
            Mutant(
                "no matching",
                lambda labels, clusters: float(np.mean(labels == clusters)),
                "You compared the numbers as they are. Cluster 0 need not be class 0: find the best matching first.",
            ),
            Mutant(
                "cluster without a class",
                lambda labels, clusters: linear_sum_assignment(_table(labels, clusters))[0][clusters],
                "You looked up a class for each cluster, but one cluster has none: there are more clusters than "
                "classes, and the matching is one to one.",
            ),
            Mutant(
                "cluster without an entry",
                _without_an_entry,
                "Your dictionary has no entry for a cluster without a class: there are more clusters than classes. Its "
                "cells count as wrong.",
            ),
            Mutant(
                "the matching itself",
                lambda labels, clusters: linear_sum_assignment(_table(labels, clusters), maximize=True),
                "You returned the matching, rows and columns. The entries of the table at these places are the cells "
                "that agree.",
                sign=lambda result, arguments: isinstance(result, tuple | list | dict | np.ndarray),
            ),
            Mutant(
                "block of the table",
                _block,
                "You summed all rows and columns of the matching, crossed (np.ix_), so nearly the whole table. Only "
                "the matched pairs count: table[rows, columns].",
            ),
            Mutant(
                "rows in turn",
                _rows_in_turn,
                "You went through the classes in turn, each taking the largest cluster left. The first ones can take "
                "what a later one needs: all pairs have to be chosen together.",
            ),
            Mutant(
                "columns in turn",
                _columns_in_turn,
                "You went through the clusters in turn, each taking the most frequent class left. All pairs have to be "
                "chosen together.",
            ),
            Mutant(
                "by size",
                _by_size,
                "You matched the largest class with the largest cluster, and so on by size. What counts is which cells "
                "they share.",
            ),
            Mutant(
                "shares of classes matched",
                lambda labels, clusters: _by_shares(labels, clusters, 1),
                "You matched shares of the classes (rows that sum to 1), so a rare class weighs as much as a common "
                "one. Match the numbers of cells.",
            ),
            Mutant(
                "shares of clusters matched",
                lambda labels, clusters: _by_shares(labels, clusters, 0),
                "You matched shares of the clusters (columns that sum to 1), so a small cluster weighs as much as a "
                "large one. Match the numbers of cells.",
            ),
            Mutant(
                "mean over clusters",
                _mean_over_clusters,
                "You averaged over the matched clusters, so that a small one counts as much as a large one. Accuracy "
                "counts cells.",
            ),
            Mutant(
                "indices of the transpose",
                _turned_index,
                "You matched the transposed table and read the upright one at these places. Rows and columns belong to "
                "the table that was matched.",
            ),
            Mutant(
                "table too small",
                _too_small,
                "Your table has one row and one column too few: numbers begin at 0, so there are max() + 1 of them.",
            ),
            Mutant(
                "macro F1",
                evaluation.macro_f1,
                "This is macro F1: the matching is right, but F1 averages over classes. Accuracy is the share of the "
                "cells.",
            ),
            Mutant(
                "mean of the matched entries",
                lambda labels, clusters: float(_matched(_table(labels, clusters)).mean()),
                "Your number has another divisor: the matched cells are to be divided by the number of all cells. A "
                "share is not above 1.",
                sign=lambda result, arguments: result > 1,
            ),
            Mutant(
                "another measure",
                metrics.normalized_mutual_info_score,
                "This is another measure (NMI, ARI or one of their kin), which needs no matching. Accuracy counts the "
                "cells that agree after the best matching.",
                sign=_is_another_measure,
            ),
            Mutant(
                "too high",
                lambda labels, clusters: (evaluation.accuracy(labels, clusters) + 1) / 2,
                "No one-to-one matching agrees on so many cells. Either a class or a cluster is used twice, or you "
                "divide by fewer than all cells.",
                sign=lambda result, arguments: result > evaluation.accuracy(**arguments) + 1e-9,
            ),
            Mutant(
                "too low",
                lambda labels, clusters: evaluation.accuracy(labels, clusters) / 2,
                "There is a matching on which more cells agree. Either yours is not the best one, or you divide by too "
                "much, or look names up the wrong way round.",
                sign=lambda result, arguments: 0 <= result < evaluation.accuracy(**arguments),
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
)
