"""Cell, gene and spatial graphs against scikit-learn, the low-pass filter and Graph against dense arrays."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from helpers import random_graph, relative_error
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors, kneighbors_graph

from scrcl_edu import graphs
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.graphs import (
    Graph,
    cell_graph,
    dense_if_cheaper,
    gene_graph,
    homophily,
    low_pass,
    normalized_adjacency,
    spatial_graph,
)


def values_of(n_cells, n_genes, seed=0):
    """Sparse, positive, without ties."""
    rng = np.random.default_rng(seed)
    return (rng.gamma(2, 1, (n_cells, n_genes)) * (rng.random((n_cells, n_genes)) < 0.4)).astype(np.float32)


def neighbors_in_sklearn(values, n_others, metric):
    chosen = kneighbors_graph(values, n_others, metric=metric, include_self=False)
    return chosen.maximum(chosen.T)


def same_edges(graph, other):
    return (graph != other).nnz == 0


def blobs(n_cells, n_dimensions, n_groups=5, seed=0):
    rng = np.random.default_rng(seed)
    groups = rng.integers(n_groups, size=n_cells)
    return (rng.normal(0, 3, (n_groups, n_dimensions))[groups] + rng.normal(size=(n_cells, n_dimensions))).astype(
        np.float32
    )


def assert_is_a_cell_graph(graph):
    assert isinstance(graph, sp.csr_matrix)
    assert graph.dtype == np.float32
    assert set(graph.data) == {1.0}
    assert same_edges(graph, graph.T)
    assert (graph.diagonal() == 0).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("n_neighbors", [2, 5, 15])
def test_cell_graph_is_scikit_learn_s_union_with_k_counting_the_cell_itself(metric, kind, n_neighbors):
    values = values_of(150, 40)
    graph = cell_graph(kind(values), n_neighbors=n_neighbors, metric=metric)
    assert_is_a_cell_graph(graph)
    assert same_edges(graph, neighbors_in_sklearn(values.astype(np.float64), n_neighbors - 1, metric))
    assert graph.getnnz(axis=1).min() >= n_neighbors - 1


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_a_cell_without_any_chosen_gene_is_far_from_everyone(kind):
    rng = np.random.default_rng(0)
    values = np.eye(12, dtype=np.float32).repeat(5, axis=0) + 0.01 * rng.random((60, 12), dtype=np.float32)
    values[0] = 0  # the four others of its group have each other, and no further cell is nearer than it
    graph = cell_graph(kind(values), n_neighbors=8)
    distances = 1 - (values[1:] @ values[1:].T) / np.outer(*2 * [np.linalg.norm(values[1:], axis=1)])
    assert np.sort(distances, axis=1)[:, 7].max() < 1  # every other cell has 7 that are nearer than distance 1
    assert graph[0].nnz == 7  # those that it chose itself, none chose it


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_cells_that_are_the_same_are_neighbors_and_never_their_own(kind):
    values = np.repeat(values_of(10, 20), 4, axis=0)
    graph = cell_graph(kind(values), n_neighbors=4)
    assert_is_a_cell_graph(graph)
    assert homophily(graph, np.repeat(np.arange(10), 4)) == 1
    assert (graph.getnnz(axis=1) == 3).all()


def test_cell_graph_searches_in_fifty_components_from_ten_thousand_cells_on():
    values = blobs(10_000, 60)
    components = PCA(50, svd_solver="covariance_eigh").fit_transform(values.astype(np.float64))
    unit = components / np.linalg.norm(components, axis=1, keepdims=True)  # Euclidean there sorts as the cosine does
    chosen = NearestNeighbors(n_neighbors=14, algorithm="brute").fit(unit).kneighbors_graph()
    oracle = chosen.maximum(chosen.T)
    graph = cell_graph(values)
    assert_is_a_cell_graph(graph)
    assert graph.multiply(oracle).nnz > 0.999 * max(graph.nnz, oracle.nnz)
    everywhere = cell_graph(values, n_components=60)  # as many as there are genes: no components at all
    assert graph.multiply(everywhere).nnz < 0.95 * graph.nnz


def test_fewer_cells_are_compared_in_all_genes_unless_components_are_asked_for():
    values = blobs(400, 60)
    assert same_edges(cell_graph(values), neighbors_in_sklearn(values, 14, "cosine"))
    components = PCA(5, svd_solver="full").fit_transform(values.astype(np.float64))
    oracle = neighbors_in_sklearn(components, 14, "cosine")
    assert cell_graph(values, n_components=5).multiply(oracle).nnz > 0.999 * oracle.nnz


@pytest.mark.slow
def test_approximate_search_finds_nearly_all_neighbors(monkeypatch):
    values = blobs(3000, 30)
    exact = cell_graph(values)
    monkeypatch.setattr(graphs, "LARGEST_EXACT_SEARCH", 2999)
    graph = cell_graph(values)
    assert_is_a_cell_graph(graph)
    assert graph.multiply(exact).nnz / exact.nnz > 0.95
    assert same_edges(graph, cell_graph(values))


@pytest.mark.slow
def test_scanpy_s_neighbors_work_above_8192_cells():
    import scanpy as sc
    from anndata import AnnData

    adata = AnnData(blobs(9000, 10))
    sc.pp.neighbors(adata, n_neighbors=10, use_rep="X")
    assert adata.obsp["connectivities"].shape == (9000, 9000)
    assert adata.obsp["distances"].getnnz(axis=1).min() >= 9


@pytest.mark.parametrize(
    ("n_neighbors", "message"),
    [
        (1, "n_neighbors is 1; choose at least 2"),
        (13, "n_neighbors is 13 but there are 12 cells; choose n_neighbors <= 12"),
    ],
)
def test_a_cell_graph_needs_enough_cells(n_neighbors, message):
    with pytest.raises(SettingsError, match=message):
        cell_graph(values_of(12, 5), n_neighbors=n_neighbors)
    assert cell_graph(values_of(12, 5), n_neighbors=12).nnz == 12 * 11


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_gene_graph_is_directed_from_each_gene_to_its_five_nearest_itself_included(kind):
    values = values_of(30, 80)
    graph = gene_graph(kind(values))
    distances = np.linalg.norm(values.T[:, None].astype(np.float64) - values.T[None], axis=2)
    nearest = np.argsort(distances, axis=1)[:, :5]
    for gene, chosen in enumerate(nearest):
        assert set(graph[gene].indices) == set(chosen)
        assert gene in chosen
    assert set(graph.data) == {1.0}
    assert not same_edges(graph, graph.T)


@pytest.mark.parametrize("largest", [graphs.LARGEST_GRAM, 0], ids=["dense products", "sparse search"])
def test_gene_graph_of_sparse_counts_is_that_of_scikit_learn_ties_included(largest, monkeypatch):
    monkeypatch.setattr(graphs, "LARGEST_GRAM", largest)
    monkeypatch.setattr(graphs, "GRAM_CELLS", 30)
    counts = sp.csr_matrix(np.random.default_rng(0).poisson(0.3, (100, 60)).astype(np.float32))
    genes = sp.csr_matrix(counts.T)
    search = NearestNeighbors(n_neighbors=5, metric="euclidean", algorithm="brute").fit(genes)
    assert (gene_graph(counts) != search.kneighbors_graph(genes)).nnz == 0


def test_a_gene_graph_needs_enough_genes():
    for n_neighbors in (0, 5):
        with pytest.raises(SettingsError, match=f"n_neighbors is {n_neighbors} but there are 4 genes; choose 1 to 4"):
            gene_graph(values_of(10, 4), n_neighbors=n_neighbors)


@pytest.mark.parametrize("n_axes", [2, 3])
def test_spatial_graph_joins_each_spot_to_its_nearest_others(n_axes):
    coordinates = np.random.default_rng(0).random((120, n_axes)) * 1000
    graph = spatial_graph(coordinates, n_neighbors=6)
    assert_is_a_cell_graph(graph)
    assert same_edges(graph, neighbors_in_sklearn(coordinates, 6, "euclidean"))


def test_spots_at_one_place_are_neighbors_and_never_their_own():
    graph = spatial_graph(np.repeat(np.random.default_rng(0).random((8, 2)), 3, axis=0), n_neighbors=2)
    assert_is_a_cell_graph(graph)
    assert (graph.getnnz(axis=1) == 2).all()


def test_spatial_graph_refuses_what_it_cannot_place():
    coordinates = np.random.default_rng(0).random((10, 2))
    with pytest.raises(SettingsError, match="n_neighbors is 10 but there are 10 spots; choose n_neighbors <= 9"):
        spatial_graph(coordinates, n_neighbors=10)
    with pytest.raises(SettingsError, match="n_neighbors is 0; choose at least 1"):
        spatial_graph(coordinates, n_neighbors=0)
    coordinates[3, 1] = np.nan
    with pytest.raises(DataError, match="some coordinates are NaN or infinite; drop these spots"):
        spatial_graph(coordinates)


def test_normalized_adjacency_is_one_minus_networkx_s_laplacian_of_the_graph_with_self_loops():
    graph = random_graph(25, isolated=3)
    with_loops = nx.from_scipy_sparse_array(sp.csr_array(graph + sp.identity(25)))
    # networkx counts a loop once in the matrix and once in its row sums, as the method does
    laplacian = nx.normalized_laplacian_matrix(with_loops, nodelist=range(25)).toarray()
    np.testing.assert_allclose(normalized_adjacency(graph).toarray(), np.eye(25) - laplacian, atol=1e-12)
    with_self = graph.toarray().astype(np.float64) + np.eye(25)
    formula = with_self / np.sqrt(np.outer(with_self.sum(1), with_self.sum(1)))
    np.testing.assert_allclose(normalized_adjacency(graph).toarray(), formula, rtol=1e-12)


@pytest.mark.parametrize("n_steps", [0, 1, 2, 5, 10])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_low_pass_is_the_dense_power(kind, n_steps):
    graph, values = random_graph(40, density=0.1, isolated=2), values_of(40, 15)
    filtered = low_pass(kind(values), graph, n_steps)
    assert filtered.dtype == np.float32
    filtered = filtered.toarray() if sp.issparse(filtered) else filtered
    oracle = np.linalg.matrix_power(normalized_adjacency(graph).toarray(), n_steps) @ values.astype(np.float64)
    assert relative_error(filtered, oracle) < 1e-5
    np.testing.assert_array_equal(filtered[:2], values[:2])  # the isolated cells have only themselves


def test_low_pass_stays_sparse_as_long_as_that_is_cheaper():
    few = sp.random(500, 200, density=0.001, random_state=0, format="csr", dtype=np.float32)
    graph = spatial_graph(np.random.default_rng(0).random((500, 2)), n_neighbors=4)
    once, often = low_pass(few, graph, 1), low_pass(few, graph, 8)
    assert sp.issparse(once)
    assert once.nnz < graphs.DENSE_ABOVE * 500 * 200
    assert isinstance(often, np.ndarray)
    assert np.count_nonzero(often) > graphs.DENSE_ABOVE * 500 * 200
    assert sp.issparse(low_pass(few, graph, 0))


def test_a_matrix_becomes_dense_only_when_filled_enough():
    filled = sp.random(100, 100, density=0.2, random_state=0, format="csr")
    np.testing.assert_array_equal(dense_if_cheaper(filled), filled.toarray())
    nearly_empty = sp.random(100, 100, density=0.01, random_state=0, format="csr")
    assert dense_if_cheaper(nearly_empty) is nearly_empty


def test_homophily_of_a_path_is_counted_by_hand():
    path = sp.csr_matrix(nx.to_scipy_sparse_array(nx.path_graph(5)))  # 0-1-2-3-4
    labels = np.array(["a", "a", "b", "b", "b"])
    assert homophily(path, labels) == pytest.approx(3 / 4)
    assert homophily(path + sp.identity(5, format="csr"), labels) == pytest.approx(3 / 4)


@pytest.mark.parametrize("shape", [(30, 30), (20, 45), (45, 20)])
def test_graph_times_tensor_is_the_dense_product_with_its_gradient(shape):
    matrix = sp.random(*shape, density=0.2, random_state=0, format="csr")
    graph, dense = Graph(matrix, dtype=torch.float64), torch.tensor(matrix.toarray())
    for sparse, full in ((graph, dense), (graph.T, dense.T), (graph.T.T, dense)):
        assert sparse.shape == tuple(full.shape)
        x = torch.randn(full.shape[1], 6, dtype=torch.float64, requires_grad=True)
        target = torch.randn(full.shape[0], 6, dtype=torch.float64)
        ours, oracle = sparse @ x, full @ x
        assert relative_error(ours, oracle) < 1e-12
        mine, its = (torch.autograd.grad((out * target).sum(), x)[0] for out in (ours, oracle))
        assert relative_error(mine, its) < 1e-12


def test_the_product_edge_by_edge_is_the_sparse_one_with_its_gradient(monkeypatch):
    """What Apple's devices run; here on the CPU, in chunks smaller than the graph."""
    monkeypatch.setattr(graphs, "EDGES_AT_ONCE", 7)
    matrix = sp.random(9, 6, density=0.4, format="csr", rng=np.random.default_rng(0))
    edge_by_edge = Graph(matrix, dtype=torch.float64)
    edge_by_edge._forward = graphs.Edges(matrix, torch.float64, "cpu")
    edge_by_edge._backward = graphs.Edges(matrix.T.tocsr(), torch.float64, "cpu")
    x = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weight = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    results = []
    for graph in (edge_by_edge, Graph(matrix, dtype=torch.float64)):
        product = graph @ x
        (gradient,) = torch.autograd.grad((product * weight).sum(), x)
        results.append((product.detach(), gradient))
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected)


def test_graph_takes_gradients_that_are_not_contiguous():
    graph = Graph(random_graph(10), dtype=torch.float64)
    x = torch.randn(10, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda x: (graph @ x).T.sum(0), x)


def test_graph_multiplies_any_sparse_format_and_moves_between_precisions():
    matrix = random_graph(12)
    x = torch.randn(12, 2)
    for form in (sp.coo_matrix, sp.csc_matrix, sp.csr_array):
        torch.testing.assert_close(Graph(form(matrix)) @ x, torch.tensor(matrix.toarray()) @ x)
    double = Graph(matrix).to(dtype=torch.float64)
    assert (double @ x.double()).dtype == torch.float64
    assert Graph(matrix).to("cpu").dtype == torch.float32


def test_degrees_are_the_numbers_of_neighbors():
    graph = random_graph(20, isolated=4)
    np.testing.assert_array_equal(Graph(graph).degrees, [degree for _, degree in nx.Graph(graph.toarray()).degree()])
