"""Gene programs, refined cells and cross-view consistency: the linear forms against the dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from helpers import random_graph, relative_error, unit_rows_of
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scrcl_edu.encoders import gcn_operator
from scrcl_edu.graphs import Graph
from scrcl_edu.refinement import (
    GeneEncoder,
    cross_view_consistency,
    cross_view_consistency_dense,
    refine,
    refine_dense,
)


@st.composite
def refined_views(draw):
    """Refined cells of two views and a graph that may have isolated cells or no edge."""
    n_cells, out_dim, seed = draw(st.integers(2, 40)), draw(st.integers(1, 12)), draw(st.integers(0, 2**20))
    graph = random_graph(
        n_cells, density=draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])), isolated=draw(st.integers(0, n_cells)), seed=seed
    )
    return *(unit_rows_of(n_cells, out_dim, seed=seed + v) for v in (1, 2)), Graph(graph, dtype=torch.float64)


@settings(max_examples=40)
@given(refined_views())
def test_linear_consistency_equals_the_dense_form_with_its_gradient(problem):
    z1, z2, graph = problem
    ours, dense = cross_view_consistency(z1, z2, graph), cross_view_consistency_dense(z1, z2, graph)
    assert relative_error(ours, dense) < 1e-9
    for mine, its in zip(torch.autograd.grad(ours, (z1, z2)), torch.autograd.grad(dense, (z1, z2)), strict=True):
        # at out_dim 1 the gradient can vanish entry by entry: 1e-9 of what a gradient of z is made of
        np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-9 / len(z1))


@settings(max_examples=40)
@given(refined_views(), st.randoms(use_true_random=False))
def test_consistency_keeps_its_value_when_cells_are_reordered_or_views_exchanged(problem, random):
    z1, z2, graph = problem
    value = cross_view_consistency(z1, z2, graph)
    order = list(range(len(z1)))
    random.shuffle(order)
    moved = Graph(graph.matrix[order][:, order], dtype=torch.float64)
    assert relative_error(cross_view_consistency(z1[order], z2[order], moved), value) < 1e-9
    assert relative_error(cross_view_consistency(z2, z1, graph), value) < 1e-9


def test_consistency_is_zero_where_similarities_are_the_graph_itself():
    groups = np.repeat(np.arange(3), [2, 3, 5])
    cliques = Graph(sp.csr_matrix(groups[:, None] == groups).astype(float) - sp.identity(10), dtype=torch.float64)
    z = torch.eye(3, dtype=torch.float64)[torch.as_tensor(groups)]
    assert float(cross_view_consistency(z, z, cliques)) == pytest.approx(0, abs=1e-12)
    assert float(cross_view_consistency(z, z.flip(1), cliques)) > 0.1


def test_zeros_that_a_graph_stores_are_no_edges():
    graph = (random_graph(12, density=0.4) + sp.identity(12)).tolil().tocsr()
    graph.setdiag(0)  # keeps twelve zeros among the stored values
    assert graph.nnz > graph.count_nonzero()
    z1, z2, graph = unit_rows_of(12, 3, seed=1), unit_rows_of(12, 3, seed=2), Graph(graph, dtype=torch.float64)
    assert relative_error(cross_view_consistency(z1, z2, graph), cross_view_consistency_dense(z1, z2, graph)) < 1e-9


def test_float32_consistency_stays_close_to_the_dense_form_in_float64():
    graph = random_graph(300, density=0.05)
    z1, z2 = (unit_rows_of(300, 8, seed=v) for v in (1, 2))
    ours = cross_view_consistency(z1.float(), z2.float(), Graph(graph))
    assert relative_error(ours, cross_view_consistency_dense(z1, z2, Graph(graph, dtype=torch.float64))) < 1e-4


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(2, 40), st.integers(1, 20), st.integers(2, 8), st.integers(0, 2**20))
def test_refined_cells_equal_the_dense_form_with_its_gradient(n_cells, n_genes, n_hidden, out_dim, seed):
    generator = torch.Generator().manual_seed(seed)
    encodings = torch.randn(n_cells, n_hidden, dtype=torch.float64, generator=generator).requires_grad_()
    programs = torch.rand(n_genes, out_dim, dtype=torch.float64, generator=generator).requires_grad_()
    target = torch.randn(n_cells, out_dim, dtype=torch.float64, generator=generator)
    projector = nn.Linear(n_hidden, n_genes, dtype=torch.float64)
    for parameter in projector.parameters():
        nn.init.normal_(parameter, generator=generator)
    leaves = (encodings, programs, projector.weight, projector.bias)
    ours, dense = refine(encodings, projector, programs), refine_dense(encodings, projector, programs)
    assert relative_error(ours, dense) < 1e-9
    mine, its = (torch.autograd.grad((z * target).sum(), leaves) for z in (ours, dense))
    for one, other in zip(mine, its, strict=True):
        assert relative_error(one, other) < 1e-9


def test_refined_cells_have_length_one_in_float32_too():
    projector, programs = nn.Linear(16, 50), torch.rand(50, 4)
    encodings = torch.randn(20, 16)
    z = refine(encodings, projector, programs)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(20))
    dense = refine_dense(encodings.double(), projector.double(), programs.double())
    assert relative_error(z, dense) < 1e-4


def test_gene_programs_are_the_reference_convolution_over_the_directed_gene_graph():
    from torch_geometric.nn import GCNConv

    n_cells, n_genes, out_dim = 12, 20, 3
    rng = np.random.default_rng(0)
    directed = sp.csr_matrix((rng.random((n_genes, n_genes)) < 0.2) | np.eye(n_genes, dtype=bool)).astype(float)
    profiles = torch.tensor(rng.poisson(1.0, (n_genes, n_cells)), dtype=torch.float64)
    encoder = GeneEncoder(n_cells, out_dim).double()
    theirs = GCNConv(n_cells, out_dim).double()
    theirs.load_state_dict({"lin.weight": encoder.gcn.lin.weight, "bias": encoder.gcn.bias})
    edges = torch.as_tensor(np.stack(directed.nonzero()))
    programs = encoder(profiles, Graph(gcn_operator(directed), dtype=torch.float64))
    assert relative_error(programs, theirs(profiles, edges).relu()) < 1e-9
    assert programs.min() >= 0
    sparse = encoder(
        Graph(sp.csr_matrix(profiles.numpy()), dtype=torch.float64), Graph(gcn_operator(directed), dtype=torch.float64)
    )
    assert relative_error(sparse, programs) < 1e-9
