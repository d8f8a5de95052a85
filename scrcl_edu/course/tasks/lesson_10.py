"""Lesson 10: neighbors in space, the majority vote, and the scaling of the spatial sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from scrcl_edu import clustering, graphs, preprocessing
from scrcl_edu.course.task import Exercise, Mutant


def spatial_graph(coordinates: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    """Connect each spot to its nearest other spots in space, in both directions."""
    return graphs.spatial_graph(coordinates, n_neighbors=n_neighbors)


def majority_vote(clusters: np.ndarray, coordinates: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Give each spot the cluster that most of its nearest other spots have."""
    return clustering.majority_vote(clusters, coordinates, n_neighbors=n_neighbors)


def scale_and_clip(log_values: np.ndarray) -> np.ndarray:
    """Divide each gene by its standard deviation, without centering, and clip at 10."""
    import pandas as pd
    from anndata import AnnData

    genes = pd.DataFrame({"highly_variable": np.ones(log_values.shape[1], dtype=bool)})
    genes.index = genes.index.astype(str)
    return preprocessing.encoder_features(AnnData(log_values, var=genes), "scaled_uncentered")


def _outwards(coordinates: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(coordinates[:, None] - coordinates, axis=2)
    np.fill_diagonal(distance, -1)
    return np.argsort(distance, axis=1)  # each row begins with the spot itself


def _chosen(coordinates: np.ndarray, first: int, last: int) -> np.ndarray:
    chosen = np.zeros((len(coordinates), len(coordinates)))
    np.put_along_axis(chosen, _outwards(coordinates)[:, first:last], 1.0, axis=1)
    return chosen


def _without_the_first(coordinates: np.ndarray, n_neighbors: int) -> np.ndarray:
    _, found = cKDTree(coordinates).query(coordinates, k=n_neighbors + 1)
    chosen = np.zeros((len(coordinates), len(coordinates)))
    np.put_along_axis(chosen, found[:, 1:], 1.0, axis=1)
    return chosen


def _union(chosen: np.ndarray) -> sp.csr_matrix:
    return sp.csr_matrix(np.maximum(chosen, chosen.T))


def _vote(clusters: np.ndarray, coordinates: np.ndarray, first: int, last: int, tie: str) -> np.ndarray:
    voted = clusters.copy()
    for spot, outwards in enumerate(_outwards(coordinates)[:, first:last]):
        votes = np.bincount(clusters[outwards])
        best = np.flatnonzero(votes == votes.max())
        if tie == "smallest" or len(best) == 1:
            voted[spot] = best[0]
        elif tie == "outwards":
            voted[spot] = next(cluster for cluster in clusters[outwards] if cluster in best)
    return voted


def _one_after_the_other(clusters: np.ndarray, coordinates: np.ndarray, n_neighbors: int) -> np.ndarray:
    clusters = clusters.copy()
    for spot, outwards in enumerate(_outwards(coordinates)[:, 1 : n_neighbors + 1]):
        votes = np.bincount(clusters[outwards])
        clusters[spot] = max(clusters[outwards], key=lambda cluster: votes[cluster])
    return clusters


# Two spots at each place: the nearest other spot is as near as the spot itself.
_PAIRS = np.array([[0.0, 0.0], [5.0, 1.0], [2.0, 7.0]])[[0, 1, 2, 2, 1, 0]]


def _spots(rng: np.random.Generator) -> dict[str, Any]:
    return {"coordinates": rng.random((int(rng.integers(8, 10)), 2)).round(2) * 10, "n_neighbors": 2}


def _voters(rng: np.random.Generator) -> dict[str, Any]:
    n_cells = int(rng.integers(9, 12))
    return {
        "clusters": rng.integers(0, 3, n_cells),
        "coordinates": rng.random((n_cells, 2)).round(2) * 10,
        "n_neighbors": 4,
    }


def _logs(rng: np.random.Generator) -> dict[str, Any]:
    values = rng.random((6, 4)).round(2) * 2
    values[:, 0] = 5 + rng.random(6).round(2) / 5  # always on: far above ten deviations
    return {"log_values": values}


TASKS = (
    Exercise(
        name="spatial_graph",
        lesson="10",
        difficulty=1,
        minutes=6,
        reference=spatial_graph,
        inputs=_spots,
        edge_cases=({"coordinates": _PAIRS, "n_neighbors": 1},),
        alternative=lambda coordinates, n_neighbors: _union(_chosen(coordinates, 1, n_neighbors + 1)),
        mutants=(
            Mutant(
                "not symmetric",
                lambda coordinates, n_neighbors: sp.csr_matrix(_chosen(coordinates, 1, n_neighbors + 1)),
                "Your graph is not symmetric. A spot at the rim chooses others that did not choose it: keep an edge "
                "when either did.",
            ),
            Mutant(
                "counts itself among them",
                lambda coordinates, n_neighbors: _union(_chosen(coordinates, 1, n_neighbors)),
                "Each spot chose one neighbor too few: here n_neighbors counts *others*, unlike in the cell graph.",
            ),
            Mutant(
                "self-loops",
                lambda coordinates, n_neighbors: _union(_chosen(coordinates, 0, n_neighbors + 1)),
                "There are ones on the diagonal: a spot is at distance 0 from itself and was found as its own "
                "neighbor.",
            ),
            Mutant(
                "itself for a neighbor",
                lambda coordinates, n_neighbors: _union(_chosen(coordinates, 0, n_neighbors)),
                "Each spot chose itself in the place of a neighbor: kneighbors counts the spot when coordinates are "
                "handed to it.",
            ),
            Mutant(
                "first is taken for itself",
                lambda coordinates, n_neighbors: _union(_without_the_first(coordinates, n_neighbors)),
                "You leave out the first of those found, as if it always were the spot itself. Of two at one place the "
                "first may be the other one, and the spot then joins itself.",
            ),
            Mutant(
                "edges counted twice",
                lambda coordinates, n_neighbors: sp.csr_matrix(
                    _chosen(coordinates, 1, n_neighbors + 1) + _chosen(coordinates, 1, n_neighbors + 1).T
                ),
                "Some edges weigh 2: where both spots chose each other you added two ones. The graph is binary.",
            ),
            Mutant(
                "mutual only",
                lambda coordinates, n_neighbors: sp.csr_matrix(
                    _chosen(coordinates, 1, n_neighbors + 1) * _chosen(coordinates, 1, n_neighbors + 1).T
                ),
                "You keep an edge only when both spots chose each other. The union keeps it when either did.",
            ),
        ),
        hints=(
            "It is the cell graph of lesson 02 with another distance and another way to count.",
            "NearestNeighbors(n_neighbors=...).fit(coordinates).kneighbors_graph() leaves the spot itself out when it "
            "is called without arguments.",
        ),
        tested="edges on 8 or 9 spots, and two spots at each of three places",
        not_tested="speed",
    ),
    Exercise(
        name="majority_vote",
        lesson="10",
        difficulty=2,
        minutes=12,
        reference=majority_vote,
        inputs=_voters,
        alternative=lambda clusters, coordinates, n_neighbors: _vote(
            clusters, coordinates, 1, n_neighbors + 1, "outwards"
        ),
        mutants=(
            Mutant(
                "ties to the smallest number",
                lambda clusters, coordinates, n_neighbors: _vote(clusters, coordinates, 1, n_neighbors + 1, "smallest"),
                "Ties go to the smallest cluster number. Numbers mean nothing: of clusters that tie, take the one met "
                "first going outwards.",
            ),
            Mutant(
                "ties keep their own",
                lambda clusters, coordinates, n_neighbors: _vote(clusters, coordinates, 1, n_neighbors + 1, "own"),
                "With a tie your spot keeps its own cluster. Of clusters that tie, take the one met first going "
                "outwards.",
            ),
            Mutant(
                "counts itself",
                lambda clusters, coordinates, n_neighbors: _vote(clusters, coordinates, 0, n_neighbors, "outwards"),
                "The spot itself votes, in the place of one of its neighbors. Only others do.",
            ),
            Mutant(
                "itself and all neighbors",
                lambda clusters, coordinates, n_neighbors: _vote(clusters, coordinates, 0, n_neighbors + 1, "outwards"),
                "The spot itself votes beside its neighbors. Only others do.",
            ),
            Mutant(
                "one after the other",
                _one_after_the_other,
                "Later spots see the new clusters of earlier ones, so the result depends on their order. All vote at "
                "once, on the old clusters.",
            ),
        ),
        hints=(
            "kneighbors sorts by distance, so clusters[neighbors] lists the votes from near to far.",
            "np.bincount counts votes; then find the first vote in the list whose count is the largest.",
        ),
        tested="all spots of five small tissues, with ties",
        not_tested="fewer spots than voters, speed",
        n_inputs=6,
    ),
    Exercise(
        name="scale_and_clip",
        lesson="10",
        difficulty=1,
        minutes=6,
        reference=scale_and_clip,
        inputs=_logs,
        alternative=lambda log_values: np.minimum(log_values / log_values.std(axis=0, ddof=1), 10),
        mutants=(
            Mutant(
                "centered",
                lambda log_values: np.clip((log_values - log_values.mean(0)) / log_values.std(axis=0, ddof=1), -10, 10),
                "You subtracted the mean. Without centering, zeros stay zeros and a sparse matrix stays sparse.",
            ),
            Mutant(
                "by cell",
                lambda log_values: np.minimum(log_values / log_values.std(axis=1, ddof=1, keepdims=True), 10),
                "You divided each cell by its deviation. Each gene has its own: along axis 0.",
            ),
            Mutant(
                "population deviation",
                lambda log_values: np.minimum(log_values / log_values.std(axis=0), 10),
                "Your deviation divides by n; here it divides by n - 1 (ddof=1).",
            ),
            Mutant(
                "variance",
                lambda log_values: np.minimum(log_values / log_values.var(axis=0, ddof=1), 10),
                "You divided by the variance. The standard deviation is its square root.",
            ),
        ),
        hints=(
            "One deviation for each gene: along axis 0, with ddof=1.",
            "np.minimum(values, 10) clips from above; below, nothing is negative.",
        ),
        tested="values and shape on 6 cells and 4 genes",
        not_tested="sparse matrices, constant genes",
    ),
)
