"""The whole module: its parts meet as described, and nothing as large as cells x cells is made."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from helpers import random_graph, relative_error
from torch.utils._python_dispatch import TorchDispatchMode

from scrcl_edu.alignment import distribution_alignment_dense, neighborhood_alignment_dense
from scrcl_edu.encoders import unit_rows
from scrcl_edu.errors import SettingsError
from scrcl_edu.graphs import normalized_adjacency
from scrcl_edu.model import Inputs, ScRCL
from scrcl_edu.refinement import cross_view_consistency_dense, refine_dense

N_CELLS, N_GENES, N_HIDDEN, OUT_DIM = 211, 97, 13, 3


class Shapes(TorchDispatchMode):
    """Notes the shape of every strided tensor that an operation makes, forward and backward."""

    def __init__(self, known):
        super().__init__()
        self.known, self.made = {x.untyped_storage().data_ptr() for x in known}, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else (result,):
            is_new = isinstance(made, torch.Tensor) and made.layout == torch.strided
            if is_new and made.untyped_storage().data_ptr() not in self.known:
                self.made.add(tuple(made.shape))
        return result


def problem(*, sparse=False, dtype=torch.float64, **settings):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.02 if sparse else 1.0, (N_CELLS, N_GENES)).astype(np.float64)
    cells = random_graph(N_CELLS, density=0.005 if sparse else 0.04, isolated=4)
    genes = sp.csr_matrix((rng.random((N_GENES, N_GENES)) < 0.05) | np.eye(N_GENES, dtype=bool)).astype(np.float32)
    inputs = Inputs.build(*2 * [sp.csr_matrix(counts)], cells, genes, dtype=dtype)
    return ScRCL(N_CELLS, N_GENES, n_hidden=N_HIDDEN, out_dim=OUT_DIM, **settings).to(dtype), inputs


def large(shapes):
    """Those as large as cells x cells or cells x genes; for features that are given that would be no news."""
    return {shape for shape in shapes if np.prod(shape) >= N_CELLS * N_GENES}


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_no_tensor_of_cells_by_cells_or_cells_by_genes_is_made(sparse):
    model, inputs = problem(sparse=sparse)
    given = [x for x in (inputs.view_1, inputs.propagated) if isinstance(x, torch.Tensor)]
    assert len(given) == (0 if sparse else 2)
    with Shapes(given) as seen:
        model.losses(model(inputs), inputs).total.backward()
    assert (N_HIDDEN, N_GENES) in seen.made  # gradients of the weights: the backward pass was watched too
    assert (N_CELLS, N_HIDDEN) in seen.made
    assert large(seen.made) == set()


def test_the_dense_forms_would_be_noticed():
    model, inputs = problem()
    outputs = model(inputs)
    with Shapes([inputs.view_1]) as seen:
        refine_dense(outputs.e1, model.projector, outputs.programs)
        neighborhood_alignment_dense(outputs.e1, outputs.e2, inputs.cell_graph)
    assert large(seen.made) >= {(N_CELLS, N_GENES), (N_CELLS, N_CELLS)}


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_outputs_and_losses_are_those_of_the_dense_forms(sparse):
    settings = {"weight_distribution": 2.0, "weight_neighborhood": 7.0, "weight_consistency": 3.0}
    model, inputs = problem(sparse=sparse, dropout=0.0, temperature=0.5, **settings)
    outputs = model(inputs)
    views = model.MLP_encoder(inputs.view_1), model.GNN_encoder(inputs.propagated, inputs.cell_operator)
    for encoding, e, z in zip(views, outputs[:2], outputs[2:4], strict=True):
        assert relative_error(e, unit_rows(encoding)) < 1e-12
        assert relative_error(z, refine_dense(encoding, model.projector, outputs.programs)) < 1e-9
    losses = model.losses(outputs, inputs)
    e1, e2, z1, z2, _ = outputs
    expected = (
        distribution_alignment_dense(e1, e2, temperature=0.5),
        neighborhood_alignment_dense(e1, e2, inputs.cell_graph, temperature=0.5),
        cross_view_consistency_dense(z1, z2, inputs.cell_graph),
    )
    for ours, oracle in zip(losses, (*expected, 2 * expected[0] + 7 * expected[1] + 3 * expected[2]), strict=True):
        assert relative_error(ours, oracle) < 1e-9


def test_sparse_and_dense_features_give_one_model():
    model, inputs = problem(sparse=True, dropout=0.0)
    full = Inputs(
        torch.tensor(inputs.view_1.matrix.toarray()),
        torch.tensor(inputs.propagated.matrix.toarray()),
        inputs.cell_graph,
        inputs.cell_operator,
        inputs.gene_operator,
    )
    gradients = []
    for given in (inputs, full):
        loss = model.losses(model(given), given).total
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for one, other in zip(*gradients, strict=True):
        assert relative_error(one, other) < 1e-9


@pytest.mark.parametrize("filter_steps", [(0, 0), (3, 0), (2, 1)])
def test_filtered_features_that_are_never_formed_give_the_same_losses_and_gradients(filter_steps):
    rng = np.random.default_rng(1)
    counts = sp.csr_matrix(rng.poisson(0.1, (N_CELLS, N_GENES)).astype(np.float64))
    cells, genes = random_graph(N_CELLS, density=0.04, isolated=4), sp.identity(N_GENES, format="csr")
    smoother = normalized_adjacency(cells)
    views = [counts, counts]
    for view, steps in enumerate(filter_steps):
        for _ in range(steps):
            views[view] = smoother @ views[view]
    formed = Inputs.build(*views, cells, genes, dtype=torch.float64)
    chained = Inputs.chained(counts, filter_steps, cells, genes, dtype=torch.float64)
    assert chained.view_1.shape == (N_CELLS, N_GENES)
    assert abs(chained.view_1.matrix - views[0]).max() < 1e-12
    torch.manual_seed(0)
    model = ScRCL(N_CELLS, N_GENES, n_hidden=N_HIDDEN, out_dim=OUT_DIM, dropout=0.0).to(torch.float64)
    losses, gradients = [], []
    for given in (formed, chained):
        losses.append(model.losses(model(given), given).total)
        gradients.append(torch.autograd.grad(losses[-1], list(model.parameters())))
    assert relative_error(*losses) < 1e-12
    for one, other in zip(*gradients, strict=True):
        assert relative_error(one, other) < 1e-9


def test_nothing_of_cells_by_genes_is_dense_when_features_are_chained():
    counts = sp.csr_matrix(np.random.default_rng(1).poisson(0.3, (N_CELLS, N_GENES)).astype(np.float32))
    cells, genes = random_graph(N_CELLS, density=0.04, isolated=4), sp.identity(N_GENES, format="csr")
    inputs, model = Inputs.chained(counts, (5, 0), cells, genes), ScRCL(N_CELLS, N_GENES, n_hidden=N_HIDDEN, out_dim=3)
    with Shapes([]) as seen:
        model.losses(model(inputs), inputs).total.backward()
    assert (N_CELLS, N_HIDDEN) in seen.made
    assert large(seen.made) == set()


def test_dropout_acts_in_training_only():
    model, inputs = problem(dropout=0.5)
    with torch.no_grad():
        assert not torch.equal(model(inputs).z1, model(inputs).z1)
        model.eval()
        assert torch.equal(model(inputs).z1, model(inputs).z1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "temperature is 0; choose a positive number"),
        ({"dropout": 1.0}, "dropout is 1.0; choose a share from 0 to below 1"),
        ({"dropout": -0.1}, "dropout is -0.1; choose a share from 0 to below 1"),
        ({"n_hidden": 0}, "n_hidden is 0 and out_dim 3; both must be at least 1"),
        ({"out_dim": 0}, "n_hidden is 8 and out_dim 0; both must be at least 1"),
        ({"weight_neighborhood": -1.0}, "weight_neighborhood is -1.0; choose a number >= 0"),
        ({"weight_distribution": float("nan")}, "weight_distribution is nan; choose a number >= 0"),
        ({"weight_consistency": float("nan")}, "weight_consistency is nan; choose a number >= 0"),
    ],
)
def test_settings_out_of_their_range_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        ScRCL(10, 5, **{"n_hidden": 8, "out_dim": 3} | settings)
