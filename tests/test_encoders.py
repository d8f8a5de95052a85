"""The graph convolution against torch_geometric's, the two views, and the dropout."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from helpers import random_graph, relative_error
from torch.nn import functional as F
from torch_geometric.nn import GCNConv

from scrcl_edu.encoders import Dropout, GCNLayer, GraphEncoder, MLPEncoder, gcn_operator, unit_rows
from scrcl_edu.graphs import Graph, normalized_adjacency


def directed_graph(n_nodes, *, loops, seed=0):
    """Random directed edges; the first three nodes have none that joins them to others."""
    rng = np.random.default_rng(seed)
    edges = (rng.random((n_nodes, n_nodes)) < 0.15) & ~np.eye(n_nodes, dtype=bool)
    edges[:3] = edges[:, :3] = False
    present = {"none": [], "some": range(0, n_nodes, 2), "all": range(n_nodes)}[loops]
    edges[present, present] = True
    return sp.csr_matrix(edges.astype(np.float32))


def reference_layer(ours):
    theirs = GCNConv(ours.lin.in_features, ours.lin.out_features).double()
    theirs.load_state_dict({"lin.weight": ours.lin.weight, "bias": ours.bias})
    return theirs


def edge_index(graph):
    return torch.as_tensor(np.stack(graph.nonzero()))


@pytest.mark.parametrize("loops", ["none", "some", "all"])
def test_graph_convolution_is_torch_geometric_s_with_its_gradients(loops):
    n_nodes, n_in, n_out = 30, 7, 4
    graph = directed_graph(n_nodes, loops=loops)
    assert (graph != graph.T).nnz > 0
    ours = GCNLayer(n_in, n_out).double()
    torch.nn.init.normal_(ours.bias)
    theirs = reference_layer(ours)
    x = torch.randn(n_nodes, n_in, dtype=torch.float64, requires_grad=True)
    target = torch.randn(n_nodes, n_out, dtype=torch.float64)

    out = ours(x, Graph(gcn_operator(graph), dtype=torch.float64))
    oracle = theirs(x, edge_index(graph))
    assert relative_error(out, oracle) < 1e-9
    mine = torch.autograd.grad((out * target).sum(), (x, ours.lin.weight, ours.bias))
    its = torch.autograd.grad((oracle * target).sum(), (x, theirs.lin.weight, theirs.bias))
    for one, other in zip(mine, its, strict=True):
        assert relative_error(one, other) < 1e-9


def test_operator_of_a_symmetric_graph_is_the_normalized_adjacency():
    graph = random_graph(20, isolated=2)
    np.testing.assert_allclose(gcn_operator(graph).toarray(), normalized_adjacency(graph).toarray(), rtol=1e-12)


def test_a_node_without_edges_keeps_its_own_features():
    layer = GCNLayer(5, 3).double()
    x = torch.randn(6, 5, dtype=torch.float64)
    out = layer(x, Graph(gcn_operator(sp.csr_matrix((6, 6))), dtype=torch.float64))
    assert relative_error(out, layer.lin(x) + layer.bias) < 1e-12


def test_convolution_starts_glorot_uniform_with_bias_zero():
    torch.manual_seed(0)
    weights = [GCNLayer(60, 40).lin.weight.detach() for _ in range(20)]
    limit = (6 / (60 + 40)) ** 0.5
    values = torch.stack(weights)
    assert values.abs().max() <= limit
    assert float(values.var()) == pytest.approx(limit**2 / 3, rel=0.02)
    assert (GCNLayer(60, 40).bias == 0).all()


def test_view_2_is_two_convolutions_of_torch_geometric_and_a_linear_layer():
    n_cells, n_genes, n_hidden = 25, 12, 6
    graph, view_2 = random_graph(n_cells, isolated=3), torch.randn(n_cells, n_genes, dtype=torch.float64)
    encoder = GraphEncoder(n_genes, n_hidden).double()
    operator = Graph(gcn_operator(graph), dtype=torch.float64)
    ours = encoder(operator @ view_2, operator)
    first, second = reference_layer(encoder.layer1), reference_layer(encoder.layer2)
    hidden = F.leaky_relu(second(F.leaky_relu(first(view_2, edge_index(graph)), 0.01), edge_index(graph)), 0.01)
    oracle = F.leaky_relu(encoder.layer3(hidden), 0.01)
    assert relative_error(ours, oracle) < 1e-9
    target = torch.randn_like(oracle)
    mine = torch.autograd.grad((ours * target).sum(), list(encoder.parameters()))
    named = {id(p): g for p, g in zip(encoder.parameters(), mine, strict=True)}
    theirs = [first.lin.weight, first.bias, second.lin.weight, second.bias, *encoder.layer3.parameters()]
    layers = encoder.layer1, encoder.layer2, encoder.layer3
    matching = [layers[0].lin.weight, layers[0].bias, layers[1].lin.weight, layers[1].bias, *layers[2].parameters()]
    its = torch.autograd.grad((oracle * target).sum(), theirs)
    for parameter, gradient in zip(matching, its, strict=True):
        assert relative_error(named[id(parameter)], gradient) < 1e-9


def test_view_1_is_a_linear_layer_and_a_relu_on_dense_and_on_sparse_features():
    features = sp.random(20, 15, density=0.2, random_state=0, format="csr")
    dense = torch.tensor(features.toarray())
    encoder = MLPEncoder(15, 8).double()
    oracle = F.relu(F.linear(dense, encoder.layer1.weight, encoder.layer1.bias))
    target = torch.randn_like(oracle)
    its = torch.autograd.grad((oracle * target).sum(), list(encoder.parameters()))
    for given in (dense, Graph(features, dtype=torch.float64)):
        ours = encoder(given)
        assert relative_error(ours, oracle) < 1e-12
        mine = torch.autograd.grad((ours * target).sum(), list(encoder.parameters()))
        for one, other in zip(mine, its, strict=True):
            assert relative_error(one, other) < 1e-12


def test_unit_rows_have_length_one_and_a_row_of_zeros_stays():
    x = torch.randn(5, 3)
    x[2] = 0
    rows = unit_rows(x)
    torch.testing.assert_close(rows.norm(dim=1), torch.tensor([1.0, 1, 0, 1, 1]))
    torch.testing.assert_close(rows * x.norm(dim=1, keepdim=True), x)


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(probability):
    torch.manual_seed(0)
    n = 400_001
    dropped = Dropout(probability)(torch.ones(n))
    share, spread = float((dropped == 0).float().mean()), (probability * (1 - probability) / n) ** 0.5
    assert abs(share - probability) < 3 * spread + 2**-17  # the share is a multiple of 2^-16
    assert abs(float(dropped.double().mean()) - 1) < 3 * spread / (1 - probability)
    assert float(dropped.max()) == pytest.approx(1 / (1 - probability), rel=1e-3)


def test_dropout_draws_neighboring_entries_independently():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(200_000)) != 0).double()
    for shift in range(1, 9):
        correlation = float(torch.corrcoef(torch.stack([kept[:-shift], kept[shift:]]))[0, 1])
        assert abs(correlation) < 4 / 200_000**0.5


def test_dropout_is_the_identity_when_evaluating_or_at_zero():
    x = torch.randn(10, 3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_dropout_is_repeated_by_its_seed_and_new_at_each_call():
    x, dropout = torch.ones(50, 7), Dropout(0.4)
    torch.manual_seed(3)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(3)
    again = dropout(x)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dropout_s_gradient_goes_where_its_values_went(dtype):
    torch.manual_seed(0)
    x = torch.randn(40, 11, dtype=dtype, requires_grad=True)
    dropped = Dropout(0.3)(x)
    dropped.sum().backward()
    assert dropped.dtype == dtype
    assert 0 < int((dropped == 0).sum()) < x.numel()
    torch.testing.assert_close(x.grad * x, dropped)
