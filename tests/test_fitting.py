"""AnnData in, AnnData out: the data contract, no look at labels, seeds, order, and memory that grows with the cells."""

import doctest
import tracemalloc
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from scrcl_edu import assign, clustering, fitting, stability, training
from scrcl_edu.datasets import simulate
from scrcl_edu.errors import CheckpointError, DataError, EvaluationError, OutputError, SettingsError, TrainingError
from scrcl_edu.evaluation import ari, scores
from scrcl_edu.fitting import clustered, fit
from scrcl_edu.graphs import cell_graph
from scrcl_edu.interpretation import gene_programs
from scrcl_edu.recipes import recipe
from scrcl_edu.training import Interrupted

SMALL = recipe("robust").with_(epochs=3, n_hidden=16, n_starts=4)
SPATIAL = recipe("robust/spatial").with_(epochs=3, n_hidden=16, n_starts=4, vote_neighbors=20)
PAPER = recipe("paper/Zeisel").with_(epochs=4, n_hidden=16)


@pytest.fixture(scope="module")
def section():
    """Well separated types in the layers of a tissue section."""
    return simulate(
        120,
        90,
        3,
        genes_per_program=15,
        imbalance=1,
        marker_fold=20,
        program_fold=8,
        related_types=None,
        layout="layers",
    )


@pytest.fixture
def cells(section):
    adata = section.copy()
    del adata.obsm["spatial"]
    return adata


@pytest.fixture(scope="module")
def fitted(section):
    return fit(section, n_clusters=3, recipe=SMALL, copy=True)


def same_result(one, other):
    return (one.obs["scrcl"] == other.obs["scrcl"]).all() and np.array_equal(one.obsm["X_scrcl"], other.obsm["X_scrcl"])


# No label reaches the fit


class Secret:
    """A label that cannot be looked at."""

    def _caught(self, *_):
        raise AssertionError("the fit looked at a label")

    __eq__ = __ne__ = __lt__ = __gt__ = __hash__ = __str__ = __repr__ = __float__ = __int__ = __bool__ = _caught


def without(adata):
    adata.obs = adata.obs[[]]


def permuted(adata):
    adata.obs["label"] = np.random.default_rng(0).permutation(adata.obs["label"])


def wrong(adata):
    adata.obs["label"] = "all the same"


def secret(adata):
    adata.obs["label"] = pd.Series([Secret() for _ in range(adata.n_obs)], index=adata.obs_names, dtype=object)


def in_every_place(adata):
    adata.obs["cell_type"] = adata.obs["labels"] = adata.obs["scrcl"] = adata.obs["label"]
    adata.obsm["X_scrcl"] = pd.get_dummies(adata.obs["label"]).to_numpy(np.float32)


@pytest.mark.parametrize("change", [without, permuted, wrong, secret, in_every_place], ids=lambda c: c.__name__)
def test_clusters_are_the_same_whatever_the_labels_are(cells, fitted, change):
    change(cells)
    assert same_result(fit(cells, n_clusters=3, recipe=SMALL), fitted)


def test_number_of_clusters_is_estimated_without_labels(cells):
    known = fit(cells, recipe=SMALL, copy=True)
    without(cells)
    unknown = fit(cells, recipe=SMALL)
    assert unknown.uns["scrcl"]["n_clusters"] == known.uns["scrcl"]["n_clusters"]
    assert same_result(known, unknown)


def test_labels_are_refused_by_the_label_free_protocol(cells):
    with pytest.raises(SettingsError, match="labels were given but protocol is 'label-free', which must not see them"):
        fit(cells, recipe=SMALL, labels=cells.obs["label"])


@pytest.mark.parametrize("name", ["robust", "robust/spatial"])
def test_oracle_exists_for_the_paper_s_recipes_only(section, name):
    with pytest.raises(SettingsError, match=f"oracle protocol exists for paper/ recipes only, not for '{name}'"):
        fit(section, recipe=name, protocol="oracle", labels=section.obs["label"], copy=True)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (None, SettingsError, "picks the epoch by the true labels: give labels="),
        (["a", "b"], SettingsError, "2 labels were given for 120 cells; give one per cell"),
        (["a"] * 120, EvaluationError, "the labels have 1 class; scores need at least 2"),
        (["a"] * 119 + [None], EvaluationError, "1 of 120 labels are missing"),
    ],
)
def test_oracle_needs_a_label_for_every_cell(cells, labels, error, message):
    with pytest.raises(error, match=message):
        fit(cells, n_clusters=3, recipe=PAPER, protocol="oracle", labels=labels)


def test_unknown_protocol_is_an_error(cells):
    with pytest.raises(SettingsError, match="protocol is 'peek'; choose 'label-free' or 'oracle'"):
        fit(cells, recipe=PAPER, protocol="peek")


def test_oracle_takes_the_best_epoch_and_says_that_it_has_seen_the_labels(cells):
    labels = cells.obs["label"].to_numpy()
    oracle = fit(cells, n_clusters=3, recipe=PAPER, protocol="oracle", labels=labels, copy=True)
    facts = oracle.uns["scrcl"]
    assert facts["protocol"] == "oracle: this result has seen the labels"

    by_epoch = []  # what stopping after each epoch would have scored
    for epoch in range(1, 5):
        shorter = fit(cells, n_clusters=3, recipe=PAPER.with_(epochs=epoch), seed=0, copy=True)
        clusters = clustering.kmeans_as_published(shorter.obsm["X_scrcl"], 3, seed=epoch)
        by_epoch.append(scores(labels, clusters)["nmi"])
    assert scores(labels, oracle.obs["scrcl"])["nmi"] == max(by_epoch)
    assert facts["best_epoch"] == 1 + np.argmax(by_epoch)
    assert facts["epochs"] == 4


def test_the_last_epoch_of_an_oracle_run_is_what_the_same_training_gives_without_labels(cells):
    oracle = fit(cells, n_clusters=3, recipe=PAPER, protocol="oracle", labels=cells.obs["label"], copy=True)
    label_free = fit(cells, n_clusters=3, recipe=PAPER, copy=True)
    assert (oracle.obs["scrcl_last_epoch"].to_numpy() == label_free.obs["scrcl"].to_numpy()).all()
    assert "scrcl_last_epoch" not in label_free.obs


def test_oracle_leaves_out_the_labels_of_empty_cells(cells):
    cells.X = sp.diags((np.arange(120) != 5).astype(np.float32)) @ cells.X
    labels = cells.obs["label"].to_numpy().astype(object)
    oracle = fit(cells, n_clusters=3, recipe=PAPER, protocol="oracle", labels=labels)
    assert oracle.n_obs == 119


def test_oracle_cannot_be_resumed_and_leaves_no_checkpoint(cells, tmp_path):
    labels, path = cells.obs["label"], tmp_path / "run.checkpoint"
    with pytest.raises(SettingsError, match="oracle protocol cannot be resumed"):
        fit(cells, recipe=PAPER, protocol="oracle", labels=labels, checkpoint=path, resume=True)
    with pytest.raises(Interrupted):
        fit(
            cells,
            n_clusters=3,
            recipe=PAPER,
            protocol="oracle",
            labels=labels,
            checkpoint=path,
            on_epoch=lambda *_: training.signal.raise_signal(training.signal.SIGINT),
        )
    assert not path.exists()


# Seeds, order, form


def test_same_seed_gives_the_same_result_bit_for_bit(cells, fitted):
    assert same_result(fit(cells, n_clusters=3, recipe=SMALL), fitted)


def test_other_seed_gives_another_embedding(cells, fitted):
    assert not np.allclose(fit(cells, n_clusters=3, recipe=SMALL, seed=1).obsm["X_scrcl"], fitted.obsm["X_scrcl"])


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range_is_an_error(cells, seed):
    with pytest.raises(SettingsError, match=f"seed is {seed}; choose a whole number from 0 to 4294967295"):
        fit(cells, recipe=SMALL, seed=seed)


def test_well_separated_types_are_found(fitted):
    assert ari(fitted.obs["label"], fitted.obs["scrcl"]) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_clusters_are_equivalent_when_cells_are_reordered(cells, fitted, seed):
    order = np.random.default_rng(seed).permutation(cells.n_obs)
    reordered = fit(cells[order].copy(), n_clusters=3, recipe=SMALL)
    assert ari(fitted.obs["scrcl"], reordered.obs["scrcl"][fitted.obs_names]) > 0.99


def test_clusters_are_equivalent_when_genes_are_reordered(cells, fitted):
    order = np.random.default_rng(0).permutation(cells.n_vars)
    reordered = fit(cells[:, order].copy(), n_clusters=3, recipe=SMALL)
    assert ari(fitted.obs["scrcl"], reordered.obs["scrcl"]) > 0.99


def as_csc(x):
    return sp.csc_matrix(x)


def as_float64(x):
    return x.astype(np.float64)


def as_integers(x):
    return x.astype(np.int64).toarray()


def as_array(x):
    return x.toarray()


@pytest.mark.parametrize("form", [as_array, as_integers, as_csc, as_float64], ids=lambda f: f.__name__)
def test_result_does_not_depend_on_the_form_of_the_matrix(cells, fitted, form):
    cells.X = form(cells.X)
    other = fit(cells, n_clusters=3, recipe=SMALL)
    assert (other.obsp["cell_graph"] != fitted.obsp["cell_graph"]).nnz == 0
    np.testing.assert_allclose(other.obsm["X_scrcl"], fitted.obsm["X_scrcl"], atol=1e-4)
    assert ari(fitted.obs["scrcl"], other.obs["scrcl"]) == 1


def test_part_of_an_anndata_can_be_fitted_and_leaves_the_whole_as_it_was(cells):
    before = cells.X.copy()
    part = fit(cells[10:90], n_clusters=3, recipe=SMALL)
    assert part.n_obs == 80
    assert abs(cells.X - before).nnz == 0
    assert "scrcl" not in cells.obs


def test_fit_works_in_place_unless_a_copy_is_asked_for(cells):
    assert "scrcl" in fit(cells, n_clusters=3, recipe=SMALL, copy=True).obs
    assert "scrcl" not in cells.obs
    assert fit(cells, n_clusters=3, recipe=SMALL) is cells


def test_second_fit_of_the_same_object_starts_from_the_counts_again(cells, fitted):
    fit(cells, n_clusters=4, recipe=SMALL, seed=5)
    assert same_result(fit(cells, n_clusters=3, recipe=SMALL), fitted)


# The data contract

CONTRACT = {  # where, key: shape and type
    ("obsm", "X_scrcl"): ((120, 32), np.float32),
    ("obsm", "X_scrcl_z"): ((120, 6), np.float32),
    ("obsm", "X_scrcl_e1"): ((120, 16), np.float32),
    ("obsm", "X_scrcl_e2"): ((120, 16), np.float32),
    ("varm", "scrcl_programs"): ((90, 3), np.float32),
    ("obsp", "cell_graph"): ((120, 120), np.float32),
    ("varp", "gene_graph"): ((90, 90), np.float32),
    ("layers", "counts"): ((120, 90), np.float32),
}


@pytest.mark.parametrize(("where", "key"), CONTRACT)
def test_result_has_every_array_of_the_contract(fitted, where, key):
    values = getattr(fitted, where)[key]
    assert (values.shape, values.dtype) == CONTRACT[where, key]
    if where in ("obsp", "varp"):
        assert isinstance(values, sp.csr_matrix)
        assert set(values.data) == {1}


def test_clusters_are_categories_named_by_number(fitted):
    assert isinstance(fitted.obs["scrcl"].dtype, pd.CategoricalDtype)
    assert list(fitted.obs["scrcl"].cat.categories) == ["0", "1", "2"]


def test_refined_cells_are_both_views_with_unit_rows(fitted):
    z1, z2 = np.split(fitted.obsm["X_scrcl_z"], 2, axis=1)
    for rows in (z1, z2, fitted.obsm["X_scrcl_e1"], fitted.obsm["X_scrcl_e2"]):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_settings_history_versions_and_seed_are_kept(fitted):
    facts = fitted.uns["scrcl"]
    assert facts["recipe"] == SMALL.as_dict()
    assert {name: len(values) for name, values in facts["history"].items()} == dict.fromkeys(
        ("distribution", "neighborhood", "consistency", "total"), 3
    )
    assert (facts["seed"], facts["epochs"], facts["n_clusters"], facts["device"]) == (0, 3, 3, "cpu")
    assert (facts["protocol"], facts["n_clusters_from"]) == ("label-free", "given")
    assert facts["versions"]["torch"] == torch.__version__
    assert 0 < facts["seconds_per_epoch"] * 3 < facts["seconds"]


def test_result_survives_writing_and_reading(fitted, tmp_path):
    fitted.write_h5ad(tmp_path / "result.h5ad")
    again = anndata.read_h5ad(tmp_path / "result.h5ad")
    for where, key in CONTRACT:
        before, after = getattr(fitted, where)[key], getattr(again, where)[key]
        if sp.issparse(before):
            before, after = before.toarray(), after.toarray()
        np.testing.assert_array_equal(after, before)
    assert same_result(again, fitted)
    np.testing.assert_array_equal(again.var["highly_variable"], fitted.var["highly_variable"])
    assert again.uns["scrcl"]["versions"] == fitted.uns["scrcl"]["versions"]
    assert recipe("robust").with_(**plain(again.uns["scrcl"]["recipe"])) == SMALL
    for name, values in fitted.uns["scrcl"]["history"].items():
        np.testing.assert_array_equal(again.uns["scrcl"]["history"][name], values)


def plain(settings):
    return dict(settings) | {"filter_steps": tuple(settings["filter_steps"])}


def test_genes_that_are_not_used_have_no_program_and_no_edge(cells):
    adata = fit(cells, n_clusters=3, recipe=SMALL.with_(n_top_genes=40))
    used = adata.var["highly_variable"].to_numpy()
    assert used.sum() == 40
    assert np.isnan(adata.varm["scrcl_programs"][~used]).all()
    assert np.isfinite(adata.varm["scrcl_programs"][used]).all()
    graph = adata.varp["gene_graph"]
    assert graph[~used].nnz == graph[:, ~used].nnz == 0
    np.testing.assert_array_equal(np.asarray(graph[used].sum(axis=1)).ravel(), 5)


def test_results_can_have_another_name(cells):
    adata = fit(cells, n_clusters=3, recipe=SMALL, key_added="mine")
    assert {"mine"} <= set(adata.obs) & set(adata.uns)
    assert {"X_mine", "X_mine_e1", "X_mine_e2"} <= set(adata.obsm)
    assert "mine_programs" in adata.varm
    assert ("mine_cell_graph" in adata.obsp, "mine_gene_graph" in adata.varp) == (True, True)
    tables = (adata.obs, adata.uns, adata.obsm, adata.varm, adata.obsp, adata.varp)
    names = {name for table in tables for name in table}
    assert not [name for name in names if "scrcl" in name or name in ("cell_graph", "gene_graph")]


def test_fits_of_two_names_do_not_touch_each_other(cells, fitted):
    adata = fit(cells, n_clusters=3, recipe=SMALL)
    fit(adata, n_clusters=4, recipe=SMALL.with_(n_top_genes=40, n_neighbors=6), seed=2, key_added="k4")
    assert same_result(adata, fitted)
    for where, key in [place for place in CONTRACT if place[0] != "layers"]:
        np.testing.assert_array_equal(dense(getattr(adata, where)[key]), dense(getattr(fitted, where)[key]))
    alone = fit(cells.copy(), n_clusters=4, recipe=SMALL.with_(n_top_genes=40, n_neighbors=6), seed=2)
    np.testing.assert_array_equal(adata.obsm["X_k4"], alone.obsm["X_scrcl"])
    assert (adata.obsp["k4_cell_graph"] != alone.obsp["cell_graph"]).nnz == 0
    for key, expected in (("scrcl", fitted), ("k4", alone)):
        ours, theirs = gene_programs(adata, key, n_genes=5), gene_programs(expected, n_genes=5)
        pd.testing.assert_frame_equal(ours.usage, theirs.usage)
        pd.testing.assert_frame_equal(ours.genes, theirs.genes)
    assert list(gene_programs(adata, "scrcl", key="k4").usage.index) == ["0", "1", "2"]


def dense(values):
    return values.toarray() if sp.issparse(values) else values


@pytest.mark.parametrize("key", ["", "a/b", None, 3])
def test_name_of_the_results_that_cannot_be_stored_is_refused(cells, key):
    with pytest.raises(SettingsError, match=f"key_added is {key!r}; choose a name without '/'"):
        fit(cells, key_added=key)


@pytest.mark.parametrize(
    ("thing", "fix"),
    [("cells.h5ad", "str; read the file first: scrcl_edu.datasets.read_input"), (np.ones((3, 2)), "ndarray; wrap")],
)
def test_what_is_no_anndata_is_answered_with_the_way_to_one(thing, fix):
    with pytest.raises(DataError, match=f"fit takes an AnnData, not {fix}"):
        fit(thing)


def test_settings_can_be_given_beside_the_recipe_and_are_told(cells):
    facts = fit(cells, n_clusters=3, recipe=SMALL, n_top_genes=40, n_neighbors=6, epochs=2, copy=True).uns["scrcl"]
    assert {name: facts["recipe"][name] for name in ("n_top_genes", "n_neighbors", "epochs")} == {
        "n_top_genes": 40,
        "n_neighbors": 6,
        "epochs": 2,
    }
    assert facts["ran"] == "robust with epochs=2, n_hidden=16, n_neighbors=6, n_starts=4, n_top_genes=40"


def test_tissue_can_be_asked_for_by_a_word(section):
    adata = fit(section, n_clusters=3, spatial=True, epochs=1, copy=True)
    assert (adata.uns["scrcl"]["recipe"]["name"], adata.uns["scrcl"]["recipe"]["task"]) == ("robust/spatial", "spatial")


def test_scanpy_is_told_that_the_values_are_logged(cells, tmp_path, monkeypatch):
    fit(cells, n_clusters=3, recipe=SMALL)
    cells.write_h5ad(tmp_path / "result.h5ad")
    again = anndata.read_h5ad(tmp_path / "result.h5ad")
    said = []
    monkeypatch.setattr(sc.pp._simple.logg, "warning", said.append)
    sc.pp.log1p(again)
    assert said == ["adata.X seems to be already log-transformed."]


def test_progress_is_shown_when_asked_for(cells, capsys):
    fit(cells, n_clusters=3, recipe=SMALL, copy=True)
    assert capsys.readouterr().err == ""
    fit(cells, n_clusters=3, recipe=SMALL, progress=True, copy=True)
    assert "3/3" in capsys.readouterr().err


@pytest.mark.parametrize("function", [fit, assign, stability.stability, recipe("robust").with_])
def test_examples_of_what_users_call_are_true(function):
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (found,) = finder.find(function, globs={})
        assert found.examples
        assert runner.run(found).failed == 0


@pytest.mark.parametrize("n_clusters", [2, 5])
def test_number_of_clusters_that_is_given_is_used(cells, n_clusters):
    adata = fit(cells, n_clusters=n_clusters, recipe=SMALL)
    assert adata.obs["scrcl"].nunique() == n_clusters
    assert adata.obsm["X_scrcl_z"].shape == (120, 2 * n_clusters)


def test_number_of_clusters_is_estimated_when_not_given_and_said_so(cells):
    facts = fit(cells, recipe=SMALL).uns["scrcl"]
    assert facts["n_clusters_from"] == "estimated from the cell graph"
    assert facts["n_clusters"] == 3


def test_width_of_the_refined_views_can_be_set(cells):
    assert fit(cells, n_clusters=3, recipe=SMALL.with_(out_dim=7)).obsm["X_scrcl_z"].shape == (120, 14)


def test_zero_epochs_cluster_the_untrained_model(cells):
    adata = fit(cells, n_clusters=3, recipe=SMALL.with_(epochs=0))
    assert adata.uns["scrcl"]["epochs"] == 0
    assert adata.obs["scrcl"].nunique() == 3


@pytest.mark.parametrize("embedding", ["z", "e", "ez", "e1", "e2"])
def test_clusters_are_those_of_the_embedding_that_the_recipe_names(cells, embedding):
    adata = fit(cells, n_clusters=3, recipe=SMALL.with_(embedding=embedding))
    e, z = ["X_scrcl_e1", "X_scrcl_e2"], ["X_scrcl_z"]
    parts = {"z": z, "e": e, "ez": e + z, "e1": ["X_scrcl_e1"], "e2": ["X_scrcl_e2"]}
    values = np.hstack([adata.obsm[key] for key in parts[embedding]])
    np.testing.assert_array_equal(adata.obsm["X_scrcl"], values)
    np.testing.assert_array_equal(clustered(adata), values)
    adata.obsm["X_scrcl"] = adata.obsm.pop("X_scrcl_z")  # as files of earlier versions have it
    np.testing.assert_array_equal(clustered(adata), values)
    assert ari(clustering.kmeans(values, 3), adata.obs["scrcl"]) == 1


# What comes in


def test_empty_cells_and_genes_are_dropped_counted_and_reported(cells):
    emptied = cells.X.toarray()
    emptied[[3, 7]] = emptied[:, [11]] = 0
    cells.X = sp.csr_matrix(emptied)
    adata = fit(cells, n_clusters=3, recipe=SMALL)
    assert adata.shape == (118, 89)
    assert not {"cell_3", "cell_7"} & set(adata.obs_names)
    said = adata.uns["preprocessing"]
    assert (said["cells_dropped"], said["genes_dropped"]) == (2, 1)
    assert "2 cells without any count dropped" in said["notes"]


def test_logged_values_are_used_as_they_are_when_said_so(cells, fitted):
    logged = fitted.X.copy()
    adata = anndata.AnnData(logged.copy())
    adata = fit(adata, n_clusters=3, recipe=SMALL, already_logged=True)
    assert abs(adata.X - logged).nnz == 0
    assert "counts" not in adata.layers
    assert (adata.obsp["cell_graph"] != fitted.obsp["cell_graph"]).nnz == 0
    assert ari(fitted.obs["scrcl"], adata.obs["scrcl"]) > 0.99


def test_logged_values_are_recognized_and_explained(fitted):
    with pytest.raises(DataError, match=r"look log-transformed already.*pass --already-logged"):
        fit(anndata.AnnData(fitted.X.copy()), n_clusters=3, recipe=SMALL)


def test_expected_counts_are_accepted_and_noted(cells):
    cells.X.data[::10] += 0.25
    cells.X.data[0] = 400
    adata = fit(cells, n_clusters=3, recipe=SMALL)
    assert any("taken as expected counts" in note for note in adata.uns["preprocessing"]["notes"])


@pytest.mark.parametrize(
    ("n_clusters", "message"),
    [
        (1, "n_clusters is 1; choose n_clusters >= 2"),
        (121, "n_clusters is 121 but there are 120 cells; choose n_clus"),
        ("8", "n_clusters is '8'; give a whole number"),
        (2.5, "n_clusters is 2.5; give a whole number"),
    ],
)
def test_impossible_number_of_clusters_is_an_error(cells, n_clusters, message):
    with pytest.raises(SettingsError, match=message):
        fit(cells, n_clusters=n_clusters, recipe=SMALL)


def test_as_many_clusters_as_cells_is_allowed(cells):
    assert fit(cells[:20].copy(), n_clusters=20, recipe=SMALL).n_obs == 20


def test_fewer_cells_than_neighbors_is_an_error_that_names_the_recipe(cells, section):
    with pytest.raises(SettingsError, match=r"'robust' needs at least 15 cells for its 15 neighbors, but there are 14"):
        fit(cells[:14].copy(), n_clusters=3, recipe=SMALL)
    assert fit(cells[:15].copy(), n_clusters=3, recipe=SMALL).n_obs == 15
    with pytest.raises(SettingsError, match=r"needs at least 16 cells .* but there are 15"):
        fit(section[:15].copy(), n_clusters=3, recipe=SPATIAL)


def test_one_gene_is_an_error(cells):
    with pytest.raises(DataError, match=r"at least 2 of each are needed|1 gene varies between cells; at least 2"):
        fit(cells[:, :1].copy(), n_clusters=3, recipe=SMALL)


def test_two_genes_are_enough(cells):
    most = np.argsort(np.asarray(cells.X.sum(axis=0)).ravel())[-2:]
    adata = fit(cells[:, most].copy(), n_clusters=2, recipe=SMALL)
    assert adata.varm["scrcl_programs"].shape == (2, 2)


def test_spatial_recipe_builds_its_graph_on_coordinates_and_votes(section):
    adata = fit(section, n_clusters=3, recipe=SPATIAL, copy=True)
    moved = section.copy()
    moved.obsm["spatial"] = np.random.default_rng(0).random((120, 2))
    assert (fit(moved, n_clusters=3, recipe=SPATIAL).obsp["cell_graph"] != adata.obsp["cell_graph"]).nnz > 0
    silent = fit(section, n_clusters=3, recipe=SPATIAL.with_(vote_neighbors=0), copy=True)
    voted = clustering.majority_vote(silent.obs["scrcl"].astype(int), section.obsm["spatial"], n_neighbors=20)
    np.testing.assert_array_equal(adata.obs["scrcl"].astype(int), voted)


def test_spatial_recipe_without_coordinates_is_an_error(cells):
    with pytest.raises(DataError, match=r"'robust/spatial' needs coordinates in obsm\['spatial'\], which is missing"):
        fit(cells, n_clusters=3, recipe=SPATIAL)


def test_spatial_recipe_with_a_missing_coordinate_is_an_error(section):
    adata = section.copy()
    adata.obsm["spatial"][4, 1] = np.nan
    with pytest.raises(DataError, match="some coordinates are NaN or infinite"):
        fit(adata, n_clusters=3, recipe=SPATIAL)


# Devices


@pytest.mark.parametrize("device", ["tpu", "", "gpu:0"])
def test_unknown_device_is_an_error(cells, device):
    with pytest.raises(SettingsError, match=f"device is '{device}'; choose auto, cuda, mps or cpu"):
        fit(cells, recipe=SMALL, device=device)


def test_device_that_is_not_there_is_an_error(cells, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="device cuda is not there; use --device auto, or --device cpu"):
        fit(cells, recipe=SMALL, device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(SettingsError, match="device cuda:99 is not there"):
        fit(cells, recipe=SMALL, device="cuda:99")


def test_auto_takes_the_cpu_where_there_is_nothing_else(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert fitting.choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize(("module", "where"), [(fitting, "build"), (training, "embed")])
def test_out_of_memory_before_and_after_training_says_what_to_lower(cells, monkeypatch, module, where):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, where, fail)
    with pytest.raises(TrainingError, match="out of memory with 120 cells x 90 genes; lower n_hidden"):
        fit(cells, n_clusters=3, recipe=SMALL)


# Interrupt and resume


def interrupted(adata, path, **settings):
    with pytest.raises(Interrupted):
        fit(
            adata.copy(),
            n_clusters=3,
            checkpoint=path,
            on_epoch=lambda epoch, _: epoch == 2 and training.signal.raise_signal(training.signal.SIGINT),
            **{"recipe": SMALL} | settings,
        )


def test_resumed_fit_is_the_uninterrupted_one_bit_for_bit(cells, fitted, tmp_path):
    path = tmp_path / "run.checkpoint"
    interrupted(cells, path)
    resumed = fit(cells, n_clusters=3, recipe=SMALL, checkpoint=path, resume=True)
    assert same_result(resumed, fitted)
    assert (resumed.uns["scrcl"]["history"]["total"] == fitted.uns["scrcl"]["history"]["total"]).all()


def test_checkpoint_does_not_depend_on_labels_or_names(cells, fitted, tmp_path):
    path = tmp_path / "run.checkpoint"
    interrupted(cells, path)
    without(cells)
    cells.obs_names = [f"renamed {n}" for n in range(cells.n_obs)]
    resumed = fit(cells, n_clusters=3, recipe=SMALL, checkpoint=path, resume=True)
    np.testing.assert_array_equal(resumed.obsm["X_scrcl"], fitted.obsm["X_scrcl"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, r"made with other seed \(0 instead of 1\)"),
        ({"n_clusters": 4}, r"made with other n_clusters \(3 instead of 4\)"),
        ({"recipe": SMALL.with_(n_hidden=8)}, r"made with other n_hidden \(16 instead of 8\)"),
        ({"recipe": SMALL.with_(temperature=0.5)}, r"made with other temperature \(0.1 instead of 0.5\)"),
        ({"recipe": SMALL.with_(epochs=9)}, r"made with other epochs \(3 instead of 9\)"),
        ({"recipe": SMALL.with_(graph_components=5)}, r"made with other (data|graph_components)"),
    ],
)
def test_checkpoint_of_other_settings_is_refused_and_the_setting_named(cells, tmp_path, changed, message):
    interrupted(cells, tmp_path / "run.checkpoint")
    settings = {"n_clusters": 3, "recipe": SMALL} | changed
    with pytest.raises(CheckpointError, match=message):
        fit(cells, checkpoint=tmp_path / "run.checkpoint", resume=True, **settings)


def one_count_more(adata):
    adata.X[0, adata.X[0].indices[0]] += 1


def doubled(adata):
    adata.X *= 2  # the same log-normalized values, other counts


def reordered(adata):
    adata._inplace_subset_obs(np.arange(adata.n_obs)[::-1])


@pytest.mark.parametrize("change", [one_count_more, doubled, reordered], ids=lambda c: c.__name__)
def test_checkpoint_of_other_data_is_refused(cells, tmp_path, change):
    interrupted(cells, tmp_path / "run.checkpoint")
    change(cells)
    with pytest.raises(CheckpointError, match=r"made with other data \(\w{16} instead of \w{16}\)"):
        fit(cells, n_clusters=3, recipe=SMALL, checkpoint=tmp_path / "run.checkpoint", resume=True)


def test_checkpoint_of_other_coordinates_is_refused(section, tmp_path):
    path = tmp_path / "run.checkpoint"
    interrupted(section, path, recipe=SPATIAL)
    moved = section.copy()
    moved.obsm["spatial"] = np.random.default_rng(0).random((120, 2))
    with pytest.raises(CheckpointError, match="made with other data"):
        fit(moved, n_clusters=3, recipe=SPATIAL, checkpoint=path, resume=True)


def test_checkpoint_is_removed_when_the_fit_has_ended_unless_it_shall_stay(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    path = tmp_path / "run.checkpoint"
    there = []
    fit(cells, n_clusters=3, recipe=SMALL, checkpoint=path, on_epoch=lambda *_: there.append(path.exists()))
    assert there == [False, True, True]
    assert not path.exists()
    fit(cells, n_clusters=3, recipe=SMALL, checkpoint=path, keep_checkpoint=True)
    with pytest.raises(OutputError, match=r"of an interrupted run is there; .*resume=True"):
        fit(cells, n_clusters=3, recipe=SMALL, checkpoint=path)
    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*other to resume from"):
        fit(cells, n_clusters=3, recipe=SMALL, checkpoint=tmp_path / "other", resume=True)


# Memory


class LargestTensor(TorchDispatchMode):
    """Remembers the largest dense tensor that any operation of torch made, backward passes included."""

    entries = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for part in tree_iter(result):
            if isinstance(part, torch.Tensor) and part.layout == torch.strided:
                self.entries = max(self.entries, part.numel())
        return result


def memory_of_fit(n_cells, settings):
    """Bytes of numpy's peak, and entries of torch's largest tensor, of a whole fit with its scores."""
    adata = simulate(
        n_cells, 60, 3, genes_per_program=10, depth=200, imbalance=1, layout="layers" if settings is SPATIAL else None
    )
    tracemalloc.start()
    try:
        with LargestTensor() as largest:
            fit(adata, recipe=settings.with_(n_starts=2, epochs=2))
            scores(adata.obs["label"], adata.obs["scrcl"])
        return tracemalloc.get_traced_memory()[1], largest.entries
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("settings", [SMALL, SPATIAL], ids=["scrna", "spatial"])
def test_memory_of_fit_clustering_and_scores_grows_with_the_cells_and_not_their_square(settings):
    memory_of_fit(200, settings)  # imports count too
    (small, small_tensor), (large, large_tensor) = (memory_of_fit(n, settings) for n in (600, 1800))
    assert large / small < 3.3  # three times the cells; a square would be nine times
    assert large_tensor <= 3 * small_tensor
    assert large_tensor < 1800**2 / 10


def test_the_measurement_above_sees_a_square_array():
    with LargestTensor() as largest:
        x = torch.ones(1000, 2, requires_grad=True)
        (x @ x.T).sum().backward()
    assert largest.entries == 1000**2
    tracemalloc.start()
    try:
        np.ones((1000, 1000), np.float32)
        assert tracemalloc.get_traced_memory()[1] > 4e6
    finally:
        tracemalloc.stop()


def test_neighbors_of_dense_and_sparse_cells_are_searched_in_linear_memory():
    for form in (np.asarray, sp.csr_matrix):
        peaks = []
        for n_cells in (1000, 3000):
            values = form(np.random.default_rng(0).random((n_cells, 20), np.float32))
            tracemalloc.start()
            try:
                cell_graph(values)
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
        assert peaks[1] / peaks[0] < 3.3
