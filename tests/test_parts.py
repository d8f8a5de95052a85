"""Each part of a fit can be replaced, sees no label, and is told when it gives something else than it should."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from scrcl_edu import alignment, clustering, datasets, graphs, refinement
from scrcl_edu.errors import SettingsError
from scrcl_edu.fitting import fit
from scrcl_edu.parts import PartError, Parts

pytestmark = pytest.mark.filterwarnings("ignore::scrcl_edu.errors.DataNote")


@pytest.fixture(scope="module")
def cells():
    return datasets.simulate(120, 90, 3, genes_per_program=15, depth=400, seed=3)


def run(cells, epochs=3, **functions):
    return fit(cells.copy(), n_clusters=3, epochs=epochs, parts=Parts(**functions))


def weighted(losses):
    distribution, neighborhood = losses
    return distribution + 100 * neighborhood


OWN = {
    "input": lambda counts: counts,  # what `robust` reads
    "graph": lambda values, n_neighbors: graphs.cell_graph(values, n_neighbors=n_neighbors),
    "refinement": refinement.refine,
    "clustering": lambda embedding, n_clusters, seed: clustering.kmeans(embedding, n_clusters, seed=seed),
    "stopping": lambda epoch, history: False,
    "alignment": lambda e1, e2, cell_graph, temperature: sum(
        weight * loss
        for weight, loss in zip(
            (1, 100), alignment.alignments(e1, e2, cell_graph, temperature=temperature), strict=True
        )
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_the_method_s_own_function_as_a_part_changes_nothing(cells, name):
    own, given = fit(cells.copy(), n_clusters=3, epochs=3), run(cells, **{name: OWN[name]})
    np.testing.assert_allclose(given.obsm["X_scrcl"], own.obsm["X_scrcl"], atol=1e-5)
    assert (given.obs["scrcl"].astype(str) == own.obs["scrcl"].astype(str)).all()
    assert name in given.uns["scrcl"]["parts"]
    assert not own.uns["scrcl"]["parts"]


def test_an_input_is_read_by_the_encoders_and_not_by_the_graph(cells):
    own, given = run(cells), run(cells, input=lambda counts: np.log1p(counts.toarray()))
    assert (own.obsp["cell_graph"] != given.obsp["cell_graph"]).nnz == 0
    assert not np.allclose(own.obsm["X_scrcl"], given.obsm["X_scrcl"])


def test_a_graph_is_the_one_that_is_used(cells):
    ring = sp.csr_matrix(np.roll(np.eye(120), 1, axis=1) + np.roll(np.eye(120), -1, axis=1))
    given = run(cells, graph=lambda values, n_neighbors: ring)
    assert (given.obsp["cell_graph"] != ring).nnz == 0


def test_a_stopping_rule_sees_the_history_and_ends_the_training(cells):
    seen = []

    def two(epoch, history):
        seen.append((epoch, len(history["total"])))
        return epoch == 2

    assert run(cells, epochs=9, stopping=two).uns["scrcl"]["epochs"] == 2
    assert seen == [(1, 1), (2, 2)]


def test_a_loss_of_one_s_own_is_minimized(cells):
    given = run(cells, epochs=12, alignment=lambda e1, e2, cell_graph, temperature: (e1 - e2).square().sum())
    history = given.uns["scrcl"]["history"]
    assert history["distribution"][-1] < history["distribution"][0]
    assert not history["neighborhood"].any()


def test_a_fit_with_parts_survives_a_file(cells, tmp_path):
    import anndata

    given = run(cells, clustering=OWN["clustering"])
    given.write_h5ad(tmp_path / "x.h5ad")
    assert anndata.read_h5ad(tmp_path / "x.h5ad").uns["scrcl"]["parts"] == {"clustering": "<lambda>"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"input": lambda counts: counts[:5]},
            r"gave csr_matrix of shape \(5, 90\); give a matrix of",
        ),
        ({"input": lambda counts: counts.toarray() / 0}, "NaN or infinite"),
        ({"graph": lambda values, n: np.eye(3)}, r"shape \(120, 120\)"),
        ({"graph": lambda values, n: sp.identity(120, format="csr")}, "self-loops"),
        ({"graph": lambda values, n: sp.csr_matrix(np.roll(np.eye(120), 1, 1))}, "not symmetric"),
        ({"graph": lambda values, n: 2 * graphs.cell_graph(values, n_neighbors=n)}, "an edge is 1"),
        ({"alignment": lambda e1, e2, g, t: 3.0}, "gave float; give one number as a scalar tensor"),
        ({"alignment": lambda e1, e2, g, t: (e1 - e2).square().sum().detach()}, "without a gradient"),
        ({"refinement": lambda e, projector, programs: e}, "give a tensor of shape"),
        ({"clustering": lambda x, k, seed: np.zeros(4, int)}, "one whole number >= 0 for each of 120 cells"),
        ({"clustering": lambda x, k, seed: x[:, 0]}, "one whole number"),
        ({"clustering": lambda x: x}, r"is called with \(embedding, n_clusters, seed\)"),
        ({"clustering": 3}, "give a function"),
    ],
)
def test_what_a_part_must_not_give_is_named(cells, wrong, words):
    with pytest.raises(PartError, match=words), np.errstate(all="ignore"):
        run(cells, **wrong)


def test_parts_do_not_go_with_the_protocol_that_looks_at_labels(cells):
    with pytest.raises(SettingsError, match="label-free protocol"):
        fit(
            cells.copy(),
            n_clusters=3,
            recipe="paper/default_SC",
            protocol="oracle",
            labels=cells.obs["label"].to_numpy(),
            parts=Parts(clustering=OWN["clustering"]),
        )


def test_a_part_works_on_copies(cells):
    def careless(counts):
        features = counts.copy()
        counts.data[:] = 0
        return features

    assert run(cells, input=careless).layers["counts"].sum() > 0


def test_a_part_cannot_see_a_label(cells):
    seen = {}

    def spy(name, own):
        def part(*arguments):
            seen[name] = arguments
            return own(*arguments)

        return part

    run(cells, **{name: spy(name, own) for name, own in OWN.items() if name not in ("stopping",)})
    assert set(seen) == set(OWN) - {"stopping"}
    for arguments in seen.values():
        for value in arguments:
            assert isinstance(
                value, sp.csr_matrix | np.ndarray | torch.Tensor | torch.nn.Linear | graphs.Graph | int | float
            )
