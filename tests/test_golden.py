"""The numbers of the reference implementation: forward pass, losses, gradients, training, preprocessing."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData

from scrcl_edu.alignment import cell_alignment, global_alignment
from scrcl_edu.graphs import cell_graph, gene_graph, low_pass
from scrcl_edu.model import Inputs, ScRCL
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.training import embed, train

pytestmark = pytest.mark.shared


def graph_of(edges, n):
    return sp.csr_matrix((np.ones(edges.shape[1], np.float32), (edges[0], edges[1])), shape=(n, n))


def problem(shared, name, dtype, **settings):
    golden = np.load(shared / "golden" / name)
    n_cells, n_genes = golden["X1"].shape
    inputs = Inputs.build(
        golden["X1"].astype(np.float64),
        golden["X2"].astype(np.float64),
        graph_of(golden["cell_edge_index"], n_cells),
        graph_of(golden["gene_edge_index"], n_genes),
        dtype=dtype,
    )
    n_hidden, out_dim = golden["w.MLP_encoder.layer1.bias"].size, golden["w.gene_encoder.gcn.bias"].size
    model = ScRCL(n_cells, n_genes, n_hidden=n_hidden, out_dim=out_dim, dropout=0.0, **settings).to(dtype)
    model.load_state_dict({k[2:]: torch.tensor(golden[k], dtype=dtype) for k in golden if k.startswith("w.")})
    return golden, model, inputs


def relative_error(ours, golden):
    ours, golden = np.asarray(ours.detach().numpy(), np.float64), np.asarray(golden, np.float64)
    return np.abs(ours - golden).max() / np.abs(golden).max()


PRECISIONS = [(torch.float64, 1e-9), (torch.float32, 1e-4)]


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_forward_pass_and_losses_are_the_reference_s(shared, temperature, dtype, tolerance):
    golden, model, inputs = problem(shared, "forward.npz", dtype, temperature=temperature)
    outputs = model(inputs)
    for ours, name in zip(outputs[:4], ("emb_1", "emb_2", "z_1", "z_2"), strict=True):
        assert relative_error(ours, golden[name]) < tolerance
    losses = model.losses(outputs, inputs)
    at = f"t{temperature}."
    expected = {
        "global": global_alignment(outputs.e1, outputs.e2, temperature=temperature),
        "cell": cell_alignment(outputs.e1, outputs.e2, temperature=temperature),
        "embedding_alignment": losses.distribution,
        "neighborhood_alignment": losses.neighborhood,
        "cross_view_consistency": losses.consistency,
    }
    for name, ours in expected.items():
        assert relative_error(ours, golden[at + name]) < tolerance, name


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_every_gradient_is_the_reference_s(shared, temperature):
    golden, model, inputs = problem(shared, "forward.npz", torch.float64, temperature=temperature)
    model.losses(model(inputs), inputs).total.backward()
    for name, parameter in model.named_parameters():
        assert relative_error(parameter.grad, golden[f"t{temperature}.grad.{name}"]) < 1e-9, name


def test_fifty_training_steps_are_the_reference_s(shared):
    golden, model, inputs = problem(shared, "training_sc_celseq2.npz", torch.float64)
    history = train(model, inputs, epochs=50, learning_rate=5e-4, weight_decay=1e-3)
    ours = np.column_stack([history[name] for name in ("distribution", "neighborhood", "consistency", "total")])
    np.testing.assert_allclose(ours, golden["losses"], rtol=1e-9)
    outputs = embed(model, inputs)
    for ours, name in zip(outputs[:4], ("emb_1", "emb_2", "z_1", "z_2"), strict=True):
        assert relative_error(ours, golden[name]) < 1e-9


@pytest.fixture(scope="module")
def cells(shared):
    counts = pd.read_csv(shared / "data/sc_mixology/sc_celseq2.count.csv.gz", index_col=0)
    adata = AnnData(sp.csr_matrix(counts.T.to_numpy(np.float32)))
    adata.obs_names, adata.var_names = counts.columns.astype(str), counts.index.astype(str)
    preprocess(adata, n_top_genes=500)
    return adata


@pytest.mark.parametrize("steps", [(0, 0), (4, 2)])
def test_preprocessing_and_graphs_are_the_reference_s(shared, cells, steps):
    golden = np.load(shared / "golden" / f"preprocess_sc_celseq2_hvg500_filter{steps[0]}{steps[1]}.npz")
    chosen = cells.var["highly_variable"].to_numpy()
    assert set(cells.var_names[chosen]) == set(golden["hvg_names"])
    order = cells.var_names[chosen].get_indexer(golden["hvg_names"])  # ours keeps the order of the file
    np.testing.assert_array_equal(order, np.arange(500))

    graph = cell_graph(cells.X[:, chosen])
    assert edges(graph) == set(zip(*golden["cell_edge_index"].tolist(), strict=True))
    counts = encoder_features(cells, "counts")
    assert edges(gene_graph(counts)) == set(zip(*golden["gene_edge_index"].tolist(), strict=True))

    for view, n_steps in (("X1", steps[0]), ("X2", steps[1])):
        filtered = low_pass(counts, graph, n_steps)
        np.testing.assert_allclose(np.asarray(filtered.sum(axis=1)).ravel(), golden[f"{view}_rowsum"], rtol=1e-5)
        corner = filtered[:20, :20]
        corner = corner.toarray() if sp.issparse(corner) else corner
        np.testing.assert_allclose(corner, golden[f"{view}_corner"], rtol=1e-4, atol=1e-6)


def edges(graph):
    return set(zip(*(index.tolist() for index in graph.nonzero()), strict=True))
