"""Clusters from embeddings and graphs, and the vote in space."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from scrcl_edu.clustering import estimate_n_clusters, kmeans, kmeans_as_published, leiden, majority_vote
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.graphs import cell_graph

BOTH = pytest.mark.parametrize("cluster", [kmeans, kmeans_as_published])


def directions(n_cells=300, n_groups=4, spread=0.1, seed=0):
    """Cells around orthogonal directions, each at its own distance from the origin; their groups."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(n_groups, size=n_cells)
    cells = np.eye(n_groups, 6)[groups] + spread * rng.normal(size=(n_cells, 6))
    return cells * rng.uniform(0.5, 5, (n_cells, 1)), groups


@BOTH
def test_separated_directions_are_found(cluster):
    embedding, groups = directions()
    found = max(adjusted_rand_score(groups, cluster(embedding, 4, seed=seed)) for seed in range(3))
    assert found == 1


def test_one_call_of_kmeans_is_enough():
    embedding, groups = directions(n_groups=6, spread=0.15)
    for seed in range(5):
        assert adjusted_rand_score(groups, kmeans(embedding, 6, seed=seed)) > 0.99


@BOTH
def test_a_seed_gives_the_same_clusters_again(cluster):
    embedding = np.random.default_rng(0).normal(size=(200, 5))  # no structure: every start ends elsewhere
    first, again = cluster(embedding, 5, seed=1), cluster(embedding, 5, seed=1)
    np.testing.assert_array_equal(first, again)
    assert first.shape == (200,)
    assert np.issubdtype(first.dtype, np.integer)
    assert set(first) == set(range(5))


@BOTH
def test_only_the_direction_of_a_cell_counts(cluster):
    embedding, _ = directions(spread=0.3)
    lengths = np.random.default_rng(1).integers(1, 9, size=(300, 1)) * 2.0
    scaled = cluster(embedding * lengths, 4, seed=0)
    assert adjusted_rand_score(scaled, cluster(embedding, 4, seed=0)) == 1


def test_kmeans_keeps_the_start_with_the_lowest_inertia():
    embedding = np.random.default_rng(0).normal(size=(150, 4))
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)

    def inertia(clusters):
        return sum(((unit[clusters == c] - unit[clusters == c].mean(0)) ** 2).sum() for c in set(clusters))

    many, one = (inertia(kmeans(embedding, 8, n_starts=n, seed=0)) for n in (20, 1))
    assert many < one
    assert many == pytest.approx(KMeans(8, n_init=20, random_state=0).fit(unit).inertia_)


def test_the_published_kmeans_ends_where_every_cell_is_with_its_nearest_center():
    embedding = np.random.default_rng(0).normal(size=(120, 4))
    clusters = kmeans_as_published(embedding, 5, seed=0)
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    centers = np.stack([unit[clusters == c].mean(axis=0) for c in range(5)])
    np.testing.assert_array_equal(cdist(unit, centers, "cosine").argmin(axis=1), clusters)


def test_a_cluster_that_runs_empty_stays_empty():
    places = np.repeat([[1.0, 0.0], [0.0, 1.0]], [40, 40], axis=0)  # two distinct cells, three clusters
    for seed in range(5):
        clusters = kmeans_as_published(places, 3, seed=seed)
        assert len(set(clusters[:40])) == 1  # the reference would rename the first cells to fill the gap
        assert len(set(clusters)) <= 2
    assert len(set(kmeans(places, 3))) == 2


@BOTH
@pytest.mark.parametrize(
    ("n_clusters", "message"),
    [
        (1, "n_clusters is 1; choose n_clusters >= 2, or leave it out to have it estimated"),
        (0, "n_clusters is 0; choose n_clusters >= 2"),
        (10, "n_clusters is 10 but there are 9 cells; choose n_clusters <= 9"),
    ],
)
def test_a_number_of_clusters_out_of_range_is_refused(cluster, n_clusters, message):
    with pytest.raises(SettingsError, match=message):
        cluster(np.random.default_rng(0).normal(size=(9, 3)), n_clusters)


@BOTH
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_refused(cluster, wrong):
    embedding = np.ones((9, 3))
    embedding[4, 1] = wrong
    with pytest.raises(DataError, match="the embedding holds NaN or infinite values"):
        cluster(embedding, 2)


def islands(sizes):
    """Separate communities, every two cells of one joined."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    joined = groups[:, None] == groups
    np.fill_diagonal(joined, False)
    return sp.csr_matrix(joined.astype(np.float32)), groups


def test_leiden_finds_separate_communities():
    graph, groups = islands([30, 20, 10, 25])
    communities = leiden(graph)
    assert adjusted_rand_score(groups, communities) == 1
    np.testing.assert_array_equal(communities, leiden(graph))


def test_a_higher_resolution_gives_more_communities():
    graph = cell_graph(np.random.default_rng(0).normal(size=(300, 5)), metric="euclidean")
    few, many = (leiden(graph, resolution=resolution).max() for resolution in (0.2, 5))
    assert few < many


def test_the_number_of_clusters_is_that_of_the_communities():
    assert estimate_n_clusters(islands([30, 20, 10, 25])[0]) == 4
    embedding, _ = directions(n_groups=5)
    assert estimate_n_clusters(cell_graph(embedding)) >= 5


def test_communities_below_one_percent_are_not_counted_and_two_are_the_least():
    assert estimate_n_clusters(islands([150, 150, 2])[0]) == 2
    assert estimate_n_clusters(islands([150, 150, 100, 5])[0]) == 4
    assert estimate_n_clusters(islands([40])[0]) == 2


def test_the_spot_itself_does_not_vote():
    line = np.array([[0.0, 0], [1, 0], [2.5, 0], [4.5, 0]])
    np.testing.assert_array_equal(majority_vote(np.array([5, 3, 3, 3]), line, n_neighbors=3), [3, 3, 3, 3])
    np.testing.assert_array_equal(majority_vote(np.array([5, 3, 3, 3]), line, n_neighbors=1), [3, 5, 3, 3])


def test_of_clusters_that_tie_the_one_met_first_going_outwards_wins():
    # from the first spot outwards: 2, 0, 0, 2, 1
    line = np.column_stack([[0.0, 1, 2, 3, 4, 5], np.zeros(6)])
    clusters = np.array([1, 2, 0, 0, 2, 1])
    assert majority_vote(clusters, line, n_neighbors=5)[0] == 2
    assert majority_vote(clusters, line, n_neighbors=3)[0] == 0
    assert majority_vote(clusters[[0, 2, 1, 4, 3, 5]], line, n_neighbors=5)[0] == 0


def test_with_fewer_spots_than_voters_all_others_vote():
    spots = np.random.default_rng(0).random((4, 2))
    np.testing.assert_array_equal(majority_vote(np.array([0, 1, 1, 1]), spots, n_neighbors=50), [1, 1, 1, 1])


def test_the_vote_is_the_most_frequent_of_the_nearest_others():
    rng = np.random.default_rng(0)
    spots, clusters = rng.random((200, 2)), rng.integers(4, size=200)
    voted = majority_vote(clusters, spots, n_neighbors=9)
    order = cdist(spots, spots).argsort(axis=1)[:, 1:10]
    for spot, neighbors in enumerate(order):
        outwards = clusters[neighbors].tolist()
        assert voted[spot] == max(outwards, key=outwards.count)  # max keeps the first of those that tie
