"""How good clusters are, once labels may be seen. Lesson 08 builds this module.

A cluster has no name: each score is the same under any renaming of the clusters.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, f1_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from scrcl_edu.errors import EvaluationError


def scores(labels: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
    """All four scores at once: `accuracy`, `nmi`, `ari`, `macro_f1`.

    Parameters
    ----------
    labels
        True classes, any type, shape (n_cells,); none may be missing.
    clusters
        Predicted, any type, shape (n_cells,).

    Raises
    ------
    EvaluationError
        When the lengths differ, a label is missing, there is only one class, or each cell has one of its own.
    """
    import pandas as pd

    labels, clusters = np.asarray(labels), np.asarray(clusters)
    if missing := int(pd.isna(labels).sum()):
        raise EvaluationError(f"{missing} of {len(labels)} labels are missing; drop these cells or complete the labels")
    if (n_classes := len(np.unique(labels))) < 2:
        raise EvaluationError(f"the labels have {n_classes} class; scores need at least 2")
    if n_classes == len(labels) > 10:
        raise EvaluationError(f"each of the {n_classes} cells has a label of its own: these are names, not classes")
    if len(labels) != len(clusters):
        raise EvaluationError(f"{len(labels)} labels but {len(clusters)} clusters; give one of each per cell")
    return {
        "accuracy": accuracy(labels, clusters),
        "nmi": nmi(labels, clusters),
        "ari": ari(labels, clusters),
        "macro_f1": macro_f1(labels, clusters),
    }


def match_clusters(labels: np.ndarray, clusters: np.ndarray) -> dict:
    """The one-to-one matching of clusters to classes under which most cells agree (Hungarian algorithm).

    Returns
    -------
    Cluster -> class. With more clusters than classes some clusters have no class, and their cells count as wrong.
    """
    table = contingency_matrix(labels, clusters)  # (n_classes, n_clusters)
    rows, columns = linear_sum_assignment(table, maximize=True)
    classes, names = np.unique(labels), np.unique(clusters)
    return {names[column]: classes[row] for row, column in zip(rows, columns, strict=True)}


def accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of the cells whose cluster is matched to their class by :func:`match_clusters`."""
    table = contingency_matrix(labels, clusters)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / table.sum())


def nmi(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Mutual information over the arithmetic mean of the two entropies."""
    return float(normalized_mutual_info_score(labels, clusters))


def ari(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Rand index over pairs of cells, adjusted so that random clusters score 0 on average."""
    return float(adjusted_rand_score(labels, clusters))


def macro_f1(labels: np.ndarray, clusters: np.ndarray) -> float:
    """F1 of each class after :func:`match_clusters`, averaged over classes: rare types count as much as common ones."""
    classes, truth = np.unique(labels, return_inverse=True)
    number = {name: index for index, name in enumerate(classes)}
    matching = {cluster: number[name] for cluster, name in match_clusters(labels, clusters).items()}
    predicted = np.array([matching.get(cluster, -1) for cluster in np.asarray(clusters)])
    return float(f1_score(truth, predicted, labels=np.arange(len(classes)), average="macro", zero_division=0))
