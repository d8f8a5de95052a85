"""How sure clusters are over seeds, and new cells for old clusters."""

import anndata
import numpy as np
import pytest

from scrcl_edu import assign, datasets, fit
from scrcl_edu.consensus import stability as stability_of
from scrcl_edu.datasets import simulate
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.evaluation import accuracy, ari
from scrcl_edu.recipes import recipe
from scrcl_edu.stability import stability

SMALL = recipe("robust").with_(epochs=3, n_hidden=16, n_starts=4)
EASY = {"genes_per_program": 15, "marker_fold": 20, "program_fold": 8, "related_types": None}


@pytest.fixture(scope="module")
def cells():
    return simulate(150, 90, 3, **EASY)


@pytest.fixture
def fitted(cells):
    return fit(cells, n_clusters=3, recipe=SMALL, copy=True)


def test_stability_of_given_clusters_is_counted_pair_by_pair():
    rng = np.random.default_rng(0)
    clusters, others = rng.integers(0, 3, 30), [rng.integers(0, 4, 30) for _ in range(5)]
    ours = stability_of(clusters, others)
    for cell in range(30):
        mates = [m for m in range(30) if m != cell and clusters[m] == clusters[cell]]
        assert ours[cell] == pytest.approx(np.mean([other[m] == other[cell] for other in others for m in mates]))


def test_seeds_of_stability_are_those_of_whole_fits(cells, fitted):
    found = stability(fitted, n_seeds=2)
    assert found["seeds"] == [1, 2]
    whole = [fit(cells, n_clusters=3, recipe=SMALL, seed=seed, copy=True).obs["scrcl"] for seed in (1, 2)]
    assert found["ari"] == [ari(fitted.obs["scrcl"], other) for other in whole]
    expected = stability_of(fitted.obs["scrcl"].cat.codes.to_numpy(), [np.asarray(other) for other in whole])
    np.testing.assert_array_equal(fitted.obs["scrcl_stability"], expected)
    assert found["clusters"] == {
        name: pytest.approx(expected[fitted.obs["scrcl"] == name].mean()) for name in fitted.obs["scrcl"].cat.categories
    }


def test_stability_of_a_result_read_from_its_file_is_the_same(fitted, tmp_path):
    fitted.write_h5ad(tmp_path / "result.h5ad")
    again = anndata.read_h5ad(tmp_path / "result.h5ad")
    assert stability(again, n_seeds=2) == stability(fitted, n_seeds=2)


def test_stability_belongs_to_the_fit_of_its_key(cells):
    adata = fit(cells, n_clusters=3, recipe=SMALL, copy=True)
    alone = stability(adata, n_seeds=1)
    fit(adata, n_clusters=4, recipe=SMALL.with_(n_top_genes=40), key_added="k4")
    assert stability(adata, n_seeds=1) == alone
    assert len(stability(adata, n_seeds=1, key="k4")["clusters"]) == 4
    assert {"scrcl_stability", "k4_stability"} <= set(adata.obs)


def test_cells_of_clear_types_are_stable_and_noise_is_not(fitted):
    stability(fitted, n_seeds=3)
    noise = fit(
        simulate(150, 90, 1, n_programs=1, genes_per_program=15, related_types=None), n_clusters=3, recipe=SMALL
    )
    stability(noise, n_seeds=3)
    assert fitted.obs["scrcl_stability"].mean() > 0.9
    assert noise.obs["scrcl_stability"].mean() < 0.7


def test_stability_needs_a_fit_and_a_seed(cells, fitted):
    with pytest.raises(DataError, match="there is no fit called 'scrcl' in this data; run"):
        stability(cells)
    with pytest.raises(SettingsError, match="n_seeds is 0; choose at least 1"):
        stability(fitted, n_seeds=0)


# New cells


def test_new_cells_of_clear_types_join_their_types(cells):
    rng = np.random.default_rng(0)
    order = rng.permutation(cells.n_obs)
    old, new = cells[order[:100]].copy(), cells[order[100:]].copy()
    fit(old, n_clusters=3, recipe=SMALL.with_(epochs=20))
    new = new[:, rng.permutation(new.n_vars)].copy()  # genes are matched by name
    assign(new, old)
    together = anndata.concat([old, new])
    assert accuracy(together.obs["label"], together.obs["scrcl"]) > 0.95
    assert list(new.obs["scrcl"].cat.categories) == list(old.obs["scrcl"].cat.categories)
    assert new.obs["scrcl_share"].between(1 / 3, 1).all()
    assert new.obs["scrcl_far"].mean() < 0.2


def test_real_cells_left_out_get_clusters_as_good_as_those_of_the_fit():
    blood = datasets.load("pbmc68k_reduced")
    held_out = np.random.default_rng(0).random(blood.n_obs) < 0.2
    old, new = blood[~held_out].copy(), blood[held_out].copy()
    fit(old, n_clusters=8, recipe=SMALL.with_(epochs=20))
    assign(new, old)
    assert ari(new.obs["label"], new.obs["scrcl"]) > 0.8 * ari(old.obs["label"], old.obs["scrcl"])


def test_cells_of_a_type_that_the_fit_has_not_seen_are_far(cells):
    seen = cells.obs["label"] != cells.obs["label"].iloc[0]
    old, new = cells[seen].copy(), cells[~seen].copy()
    fit(old, n_clusters=2, recipe=SMALL)
    assert assign(new, old).obs["scrcl_far"].mean() > 0.9


def test_cells_of_the_fit_get_their_own_cluster_back(fitted, cells):
    again = assign(cells.copy(), fitted, n_neighbors=1)
    assert (again.obs["scrcl"].astype(str) == fitted.obs["scrcl"].astype(str)).all()


def test_assignment_that_cannot_be_made_is_explained(cells, fitted):
    renamed = cells.copy()
    renamed.var_names = [f"ENSG{n}" for n in range(renamed.n_vars)]
    with pytest.raises(
        DataError, match="0 of the 90 genes that the fit used have counts in the new cells; are the genes"
    ):
        assign(renamed, fitted)
    with pytest.raises(DataError, match="there is no fit called 'mine'"):
        assign(cells.copy(), fitted, key="mine")
    with pytest.raises(SettingsError, match="n_neighbors is 150; choose 1 to 149"):
        assign(cells.copy(), fitted, n_neighbors=150)
