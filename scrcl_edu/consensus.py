"""What several clusterings of the same cells agree on, and on which cells they do not agree.

Two cells are as similar as the share of clusterings that put them together (co-association, Fred and Jain 2005);
average linkage of these similarities gives the clusters. Cells that every clustering treats alike are one point to it,
and so no matrix of all pairs of cells is ever made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from scrcl_edu import clustering
from scrcl_edu.errors import DataError

LARGEST_EXACT = 2000  # groups of cells that all clusterings treat alike, among which all pairs are compared
MAJORITY = 0.5
SMALLEST_SHARE = 0.01  # of the cells; smaller groups are not counted where K is estimated


class Consensus(NamedTuple):
    """Clusters, int, shape (n_cells,); stability of each cell in [0, 1], shape (n_cells,)."""

    clusters: np.ndarray
    stability: np.ndarray


def consensus(clusterings: Sequence[np.ndarray], n_clusters: int | None = None) -> Consensus:
    """The clusters on which several clusterings agree, and how much they agree about each cell.

    Parameters
    ----------
    clusterings
        Each of shape (n_cells,); any names of clusters, any number of them in each.
    n_clusters
        K. When it is not given, groups are merged as long as their cells are together in at least half of the
        clusterings on average, and what is left with less than 1 % of the cells joins the group that it agrees with
        most. It should then come from clusterings of different K.

    Returns
    -------
    Clusters, numbered by size from the largest, and stability: the share of clusterings that put a cell together with
    another cell of its cluster, averaged over the others. A cell that is alone has 0. A stability far below that of
    most cells is a reason to doubt the cell's cluster.

    Raises
    ------
    DataError
        When there is no clustering, or they are of different numbers of cells.
    SettingsError
        When `n_clusters` is out of its range.

    Notes
    -----
    Exact while there are at most 2,000 groups of cells that all clusterings treat alike. Beyond, the 2,000 largest
    are linked, and each other cell joins that one of them with which it is together most often. Time and memory grow
    with n_cells * n_clusterings, beside a matrix of 2,000 x 2,000. Pairs of groups that are equally similar are merged
    in the order of their names.
    """
    members = _members(clusterings)
    if n_clusters is not None:
        clustering.check_n_clusters(n_clusters, members.shape[0])
    of_cell, sizes, kept = _alike(members)
    points, n_clusterings = members[kept], len(clusterings)
    merges = average_linkage((points @ points.T).toarray() / n_clusterings, sizes)
    n_merges = (merges[:, 2] >= MAJORITY).sum() if n_clusters is None else max(0, len(kept) - n_clusters)
    pairs = merges[:n_merges, :2].astype(int)
    links = sp.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(kept), len(kept)))
    clusters = connected_components(links, directed=False)[1][of_cell]
    if n_clusters is None:
        clusters = _without_small(clusters, members)
    clusters = _by_size(clusters)
    return Consensus(clusters, _stability(clusters, members, n_clusterings))


def stability(clusters: np.ndarray, clusterings: Sequence[np.ndarray]) -> np.ndarray:
    """How far several clusterings agree about each cell of given clusters.

    Parameters
    ----------
    clusters
        Int from 0, shape (n_cells,).
    clusterings
        Each of shape (n_cells,), any names.

    Returns
    -------
    Share of the clusterings that put a cell together with another cell of its cluster, averaged over the others, in
    [0, 1], shape (n_cells,). A cell that is alone has 0.
    """
    return _stability(clusters, _members(clusterings), len(clusterings))


def average_linkage(similarity: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Average linkage of points that stand for several cells each, by chains of nearest neighbors.

    Parameters
    ----------
    similarity
        Symmetric, shape (n_points, n_points).
    sizes
        Cells of each point, shape (n_points,).

    Returns
    -------
    One row for each merge, the most similar first, shape (n_points - 1, 3): a point of either group, and the mean
    similarity of the two groups over all pairs of their cells. Takes O(n_points^2) time and memory.
    """
    similarity, sizes = np.array(similarity, dtype=float), np.array(sizes, dtype=float)
    np.fill_diagonal(similarity, -np.inf)  # so are the rows of points that are merged into others
    chain: list[int] = []
    merges: list[tuple[int, int, float]] = []
    gone = np.zeros(len(sizes), dtype=bool)
    while len(merges) < len(sizes) - 1:
        if not chain:
            chain = [int(np.argmin(gone))]
        row = similarity[chain[-1]]
        nearest = int(row.argmax())
        if len(chain) == 1 or row[chain[-2]] < row[nearest]:
            chain.append(nearest)
            continue
        second, first = chain.pop(), chain.pop()
        merges.append((first, second, similarity[first, second]))
        joined = np.average(similarity[[first, second]], axis=0, weights=sizes[[first, second]])
        similarity[first] = similarity[:, first] = joined
        similarity[second] = similarity[:, second] = similarity[first, first] = -np.inf
        sizes[first] += sizes[second]
        gone[second] = True
    found = np.array(merges, dtype=float).reshape(-1, 3)
    return found[np.argsort(-found[:, 2], kind="stable")]


def _members(clusterings: Sequence[np.ndarray]) -> sp.csr_matrix:
    """Which clusters each cell is in, one of each clustering: ones, shape (n_cells, clusters of all clusterings)."""
    if not len(clusterings):
        raise DataError("there is no clustering to agree with; give at least one")
    lengths = sorted({len(clusters) for clusters in clusterings})
    if len(lengths) > 1:
        raise DataError(f"the clusterings are of {' and '.join(map(str, lengths))} cells; give one cluster per cell")
    blocks = []
    for clusters in clusterings:
        names, numbers = np.unique(np.asarray(clusters), return_inverse=True)
        blocks.append(sp.csr_matrix((np.ones(lengths[0]), (np.arange(lengths[0]), numbers)), (lengths[0], len(names))))
    return sp.hstack(blocks, format="csr")


def _alike(members: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Point of each cell, cells of each point, and a cell of each point."""
    n_cells, n_clusterings = members.shape[0], members.indptr[1]
    rows = members.indices.reshape(n_cells, n_clusterings)  # sorted, as the blocks are
    _, first, of_cell, sizes = np.unique(rows, axis=0, return_index=True, return_inverse=True, return_counts=True)
    of_cell = of_cell.ravel()
    if len(sizes) <= LARGEST_EXACT:
        return of_cell, sizes, first
    large = np.argsort(-sizes, kind="stable")[:LARGEST_EXACT]
    point = np.full(len(sizes), -1)
    point[large] = np.arange(LARGEST_EXACT)
    others, kept = np.flatnonzero(point < 0), first[large]
    for block in np.array_split(others, len(others) // LARGEST_EXACT + 1):
        point[block] = (members[first[block]] @ members[kept].T).toarray().argmax(axis=1)
    of_cell = point[of_cell]
    return of_cell, np.bincount(of_cell, minlength=LARGEST_EXACT), kept


def _without_small(clusters: np.ndarray, members: sp.csr_matrix) -> np.ndarray:
    sizes = np.bincount(clusters)
    large = np.flatnonzero(sizes >= min(SMALLEST_SHARE * len(clusters), sizes.max()))
    lost = ~np.isin(clusters, large)
    if lost.any():
        clusters = clusters.copy()
        clusters[lost] = large[(members[lost] @ _profiles(clusters, members)[:, large]).argmax(axis=1)]
    return clusters


def _by_size(clusters: np.ndarray) -> np.ndarray:
    _, numbers, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[numbers.ravel()]


def _stability(clusters: np.ndarray, members: sp.csr_matrix, n_clusterings: int) -> np.ndarray:
    of_others = np.bincount(clusters)[clusters] - 1
    profiles = _profiles(clusters, members, mean=False)  # how many cells of a cluster are in each member cluster
    together = np.empty(len(clusters))
    for cluster in np.unique(clusters):
        mine = clusters == cluster
        together[mine] = members[mine] @ profiles[:, cluster] - n_clusterings  # without the cell itself
    return np.where(of_others > 0, together / np.maximum(of_others * n_clusterings, 1), 0.0)


def _profiles(clusters: np.ndarray, members: sp.csr_matrix, *, mean: bool = True) -> np.ndarray:
    """Of each cluster, the share (or number) of its cells in each member cluster: (member clusters, clusters)."""
    n_cells, n_clusters = len(clusters), clusters.max() + 1
    sums = (
        members.T @ sp.csr_matrix((np.ones(n_cells), (np.arange(n_cells), clusters)), (n_cells, n_clusters))
    ).toarray()
    return sums / np.maximum(np.bincount(clusters), 1) if mean else sums
