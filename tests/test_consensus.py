"""Consensus: the same clusters and stabilities as the matrix of all pairs gives, without that matrix."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from scrcl_edu import consensus as room
from scrcl_edu.consensus import average_linkage, consensus
from scrcl_edu.errors import DataError, SettingsError


def noisy(n_cells: int = 300, n_types: int = 4, n_clusterings: int = 6, share: float = 0.2, seed: int = 0):
    """True types, and clusterings in each of which another part of the cells is at a wrong place."""
    rng = np.random.default_rng(seed)
    types = rng.integers(0, n_types, n_cells)
    clusterings = []
    for _ in range(n_clusterings):
        wrong = rng.random(n_cells) < share
        clusterings.append(rng.permutation(n_types)[np.where(wrong, rng.integers(0, n_types, n_cells), types)])
    return types, clusterings


def together(clusterings) -> np.ndarray:
    """The co-association of all pairs of cells, (n_cells, n_cells)."""
    return np.mean([np.equal.outer(clusters, clusters) for clusters in clusterings], axis=0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_groups", [2, 5, 12])
def test_average_linkage_of_points_is_that_of_all_their_cells(seed, n_groups):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, 25)
    points = rng.random((25, 25))
    points = (points + points.T) / 2  # no two similarities are the same
    np.fill_diagonal(points, 1)
    of_cell = np.repeat(np.arange(25), sizes)
    tree = linkage(squareform(1 - points[np.ix_(of_cell, of_cell)], checks=False), "average")
    expected = fcluster(tree, n_groups, "maxclust")
    merges = average_linkage(points, sizes)
    np.testing.assert_allclose(merges[:, 2], 1 - tree[-24:, 2][: len(merges)], atol=1e-12)
    group = np.arange(25)
    for first, second, _ in merges[: 25 - n_groups]:
        group[group == group[int(second)]] = group[int(first)]
    assert adjusted_rand_score(expected, group[of_cell]) == 1


def test_what_every_clustering_says_is_the_consensus():
    types = np.repeat(["a", "b", "c"], [30, 20, 10])
    found = consensus([types, np.unique(types, return_inverse=True)[1]], 3)
    assert adjusted_rand_score(types, found.clusters) == 1
    assert (found.stability == 1).all()
    assert np.bincount(found.clusters).tolist() == [30, 20, 10]


def test_the_consensus_is_nearer_to_the_truth_than_any_of_the_clusterings():
    types, clusterings = noisy()
    found = consensus(clusterings, 4)
    assert adjusted_rand_score(types, found.clusters) > max(adjusted_rand_score(types, c) for c in clusterings)


def test_stability_is_the_mean_co_association_with_the_others_of_the_cluster():
    _, clusterings = noisy()
    found, pairs = consensus(clusterings, 4), together(clusterings)
    for cell in range(0, 300, 17):
        others = (found.clusters == found.clusters[cell]) & (np.arange(300) != cell)
        assert found.stability[cell] == pytest.approx(pairs[cell, others].mean())


def test_cells_at_a_wrong_place_are_less_stable():
    types, clusterings = noisy(share=0.3)
    clusters, stability = consensus(clusterings, 4)
    moved = np.mean([adjusted_rand_score(types, c) for c in clusterings])
    majority = np.array([np.bincount(types[clusters == c]).argmax() for c in range(4)])
    wrong = majority[clusters] != types
    assert moved < 0.7
    assert 0 < wrong.sum() < 100
    assert stability[wrong].mean() < stability[~wrong].mean() - 0.1


def test_names_of_clusters_order_of_clusterings_and_of_cells_do_not_matter():
    _, clusterings = noisy(share=0.1, n_clusterings=9)  # so that no tie decides
    clusters, stability = consensus(clusterings, 4)
    renamed = consensus([np.array(["x", "y", "z", "w"])[c] for c in clusterings[::-1]], 4)
    order = np.random.default_rng(1).permutation(300)
    moved = consensus([c[order] for c in clusterings], 4)
    assert adjusted_rand_score(clusters, renamed.clusters) == 1
    assert adjusted_rand_score(clusters[order], moved.clusters) == 1
    np.testing.assert_allclose(renamed.stability, stability)
    np.testing.assert_allclose(moved.stability, stability[order])


def test_the_number_of_clusters_is_found_from_clusterings_of_several_k():
    types, clusterings = noisy(n_types=5, share=0.1, n_clusterings=8)
    halves = [2 * c + np.random.default_rng(n).integers(0, 2, 300) for n, c in enumerate(clusterings[:3])]
    found = consensus([*clusterings, *halves])
    assert found.clusters.max() + 1 == 5
    assert adjusted_rand_score(types, found.clusters) > 0.9
    assert np.bincount(found.clusters).min() >= 3


def test_many_cells_that_are_all_treated_differently_are_still_put_together(monkeypatch):
    types, clusterings = noisy(n_cells=2000, n_clusterings=12, share=0.3)
    exact = consensus(clusterings, 4)
    monkeypatch.setattr(room, "LARGEST_EXACT", 150)
    rough = consensus(clusterings, 4)
    assert adjusted_rand_score(types, exact.clusters) > 0.9
    assert adjusted_rand_score(types, rough.clusters) > 0.9


def test_memory_grows_with_the_cells_and_not_with_their_pairs():
    _, clusterings = noisy(n_cells=40_000, n_clusterings=10, share=0.3)
    tracemalloc.start()
    try:
        consensus(clusterings, 4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40_000**2 / 8  # bytes: a bit for each pair


def test_a_cell_that_is_alone_has_no_one_to_agree_with():
    found = consensus([np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 2])], 3)
    assert found.stability.tolist() == [1, 1, 1, 1, 1, 0]


def test_what_cannot_be_agreed_on_is_named():
    with pytest.raises(DataError, match="no clustering"):
        consensus([], 2)
    with pytest.raises(DataError, match="of 3 and 4 cells; give one cluster per cell"):
        consensus([np.zeros(3), np.zeros(4)], 2)
    with pytest.raises(SettingsError, match="n_clusters is 5 but there are 4 cells"):
        consensus([np.zeros(4)], 5)
