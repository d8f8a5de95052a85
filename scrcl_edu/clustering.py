"""From an embedding to clusters, and the majority vote in space. Lesson 08 (and 10 for the vote) builds this module."""

from __future__ import annotations

import warnings
from functools import cache
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import ThreadpoolController

from scrcl_edu.errors import DataError, SettingsError


def kmeans(embedding: np.ndarray, n_clusters: int, *, n_starts: int = 20, seed: int = 0) -> np.ndarray:
    """k-means on the directions of the cells: rows scaled to length 1, k-means++ starts, lowest inertia kept.

    Parameters
    ----------
    embedding
        Shape (n_cells, n_dimensions).
    n_clusters
        At least 2, at most the number of cells.
    n_starts
        Of these the one with the lowest inertia is kept, which needs no label.
    seed
        Of the starts.

    Returns
    -------
    Cluster of each cell, int, shape (n_cells,). Fewer than `n_clusters` are used when fewer cells are distinct.

    Raises
    ------
    SettingsError
        When `n_clusters` is out of its range.
    DataError
        When the embedding is not finite.
    """
    check_n_clusters(n_clusters, len(embedding))
    _check_finite(embedding)
    model = KMeans(n_clusters, n_init=n_starts, random_state=seed)
    # Threads of BLAS spin while they wait for each other, and a step of k-means gives each next to nothing to do: on a
    # busy machine it takes seven times as much of the processor with two of them as with one. Steps stay parallel.
    with _libraries().limit(limits=1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct cells than clusters
        return model.fit_predict(_directions(embedding)).astype(int)


@cache
def _libraries() -> ThreadpoolController:
    """Those that compute in threads; looked for once, since looking opens each of them."""
    return ThreadpoolController()


def kmeans_as_published(
    embedding: np.ndarray, n_clusters: int, *, seed: int = 0, n_iterations: int = 100
) -> np.ndarray:
    """k-means with cosine distance as the reference runs it: one start, the best of 20 random draws of cells.

    Parameters
    ----------
    embedding
        Z = [z1, z2], shape (n_cells, 2 * out_dim).
    n_clusters
        At least 2, at most the number of cells.
    seed
        Of the draws; the best is the one whose cells are nearest to their centers.
    n_iterations
        At most.

    Returns
    -------
    Cluster of each cell, int, shape (n_cells,). A cluster that runs empty stays empty; the reference would overwrite
    the clusters of the first cells instead.
    """
    check_n_clusters(n_clusters, len(embedding))
    _check_finite(embedding)
    cells, generator = _directions(embedding), np.random.default_rng(seed)
    draws = [cells[generator.choice(len(cells), n_clusters, replace=False)] for _ in range(20)]
    centers = max(draws, key=lambda centers: (cells @ centers.T).max(axis=1).sum())
    clusters = np.full(len(cells), -1)
    for _ in range(n_iterations):
        previous, clusters = clusters, (cells @ _directions(centers).T).argmax(axis=1)
        if (clusters == previous).all():
            break
        members = np.eye(n_clusters, dtype=cells.dtype)[clusters]  # (n_cells, n_clusters)
        sizes = members.sum(axis=0)[:, None]
        centers = np.where(sizes > 0, members.T @ cells / np.maximum(sizes, 1), centers)
    return clusters


def estimate_n_clusters(graph: sp.csr_matrix, *, resolution: float = 1.0, seed: int = 0) -> int:
    """How many communities the cell graph has: Leiden, communities below 1 % of the cells not counted.

    Parameters
    ----------
    graph
        Symmetric cell graph without self-loops, shape (n_cells, n_cells).
    resolution
        Above 1 for more communities, below for fewer.
    seed
        Of the Leiden algorithm.

    Returns
    -------
    At least 2.
    """
    sizes = np.bincount(leiden(graph, resolution=resolution, seed=seed))
    return max(2, int((sizes >= 0.01 * graph.shape[0]).sum()))


def plausible_n_clusters(graph: sp.csr_matrix, *, seed: int = 0, n_draws: int = 8) -> tuple[int, int]:
    """How far :func:`estimate_n_clusters` moves with the cells at hand and the resolution.

    Parameters
    ----------
    graph
        Symmetric cell graph without self-loops, shape (n_cells, n_cells).
    seed
        Of the draws.
    n_draws
        Each takes 80 % of the cells (at most 20,000) and one of as many resolutions from 0.7 to 1.4.

    Returns
    -------
    Lowest and highest estimate.
    """
    generator, n_cells = np.random.default_rng(seed), graph.shape[0]
    size = min(max(2, int(0.8 * n_cells)), 20_000)
    found = []
    for resolution in np.geomspace(0.7, 1.4, n_draws):
        cells = np.sort(generator.choice(n_cells, size, replace=False))
        found.append(estimate_n_clusters(graph[cells][:, cells], resolution=resolution, seed=seed))
    return min(found), max(found)


def leiden(graph: sp.csr_matrix, *, resolution: float = 1.0, seed: int = 0) -> np.ndarray:
    """Communities of a graph by modularity (igraph's Leiden), int, shape (n_cells,)."""
    import random

    import igraph

    edges = sp.triu(graph).tocoo()
    igraph.set_random_number_generator(random.Random(seed))
    found = igraph.Graph(graph.shape[0], np.column_stack([edges.row, edges.col])).community_leiden(
        objective_function="modularity", weights=edges.data.tolist(), resolution=resolution, n_iterations=10
    )
    igraph.set_random_number_generator(random)
    return np.array(found.membership)


def majority_vote(clusters: np.ndarray, coordinates: np.ndarray, *, n_neighbors: int = 50) -> np.ndarray:
    """Give each spot the cluster that most of its nearest *other* spots have; of ties, the first met going outwards.

    Parameters
    ----------
    clusters
        Shape (n_cells,), integers >= 0.
    coordinates
        Positions, shape (n_cells, 2) or (n_cells, 3).
    n_neighbors
        How many others vote; all of them when there are fewer.

    Returns
    -------
    Clusters after one round of voting, shape (n_cells,).
    """
    clusters = np.asarray(clusters)
    n_neighbors = min(n_neighbors, len(clusters) - 1)
    neighbors = NearestNeighbors(n_neighbors=n_neighbors).fit(coordinates).kneighbors(return_distance=False)
    voted = np.empty_like(clusters)
    for spot, outwards in enumerate(clusters[neighbors]):
        votes = np.bincount(outwards)
        voted[spot] = outwards[np.argmax(votes[outwards])]
    return voted


def check_n_clusters(n_clusters: int, n_cells: int) -> None:
    """Raise SettingsError unless 2 <= n_clusters <= n_cells."""
    if not isinstance(n_clusters, Integral):
        raise SettingsError(f"n_clusters is {n_clusters!r}; give a whole number, such as 8")
    if n_clusters < 2:
        raise SettingsError(f"n_clusters is {n_clusters}; choose n_clusters >= 2, or leave it out to have it estimated")
    if n_clusters > n_cells:
        raise SettingsError(f"n_clusters is {n_clusters} but there are {n_cells} cells; choose n_clusters <= {n_cells}")


def _directions(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def _check_finite(embedding: np.ndarray) -> None:
    if not np.isfinite(embedding).all():
        raise DataError("the embedding holds NaN or infinite values; train again with a smaller learning rate")
