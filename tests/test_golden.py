"""The numbers of the reference implementation: forward pass, losses, gradients, training, preprocessing."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from scrcl_edu.alignment import cell_alignment, global_alignment
from scrcl_edu.model import Inputs, ScRCL

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
