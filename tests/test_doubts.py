"""What a fit's owner is told: batches, the number of clusters, coordinates that were not used."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from scrcl_edu import fit
from scrcl_edu.clustering import plausible_n_clusters
from scrcl_edu.datasets import simulate
from scrcl_edu.doubts import batch_agreement, batch_columns, check_column
from scrcl_edu.errors import DataError, DataNote
from scrcl_edu.recipes import recipe

from helpers import random_graph  # isort: skip

SMALL = recipe("robust").with_(epochs=3, n_hidden=16, n_starts=4)


pytestmark = pytest.mark.filterwarnings("ignore::scrcl_edu.errors.DataNote")


@pytest.fixture(scope="module")
def cells():
    return simulate(120, 90, 3, genes_per_program=15, marker_fold=20, program_fold=8, related_types=None)


def notes_of(adata, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataNote)
        return fit(adata.copy(), **{"n_clusters": 3, "recipe": SMALL} | settings).uns["scrcl"]


def in_two_batches(adata, *, shift):
    """The same cells, every other one in a second run in which a third of the genes are counted `shift` times."""
    adata = adata.copy()
    second = np.arange(adata.n_obs) % 2 == 1
    values = adata.X.toarray()
    values[np.ix_(second, np.arange(adata.n_vars) % 3 == 0)] *= shift
    adata.X = values
    if "counts" in adata.layers:
        adata.layers["counts"] = values
    adata.obs["batch"] = np.where(second, "run 2", "run 1")
    return adata


def test_agreement_is_scikit_learn_s_and_neighbors_are_counted_edge_by_edge():
    rng = np.random.default_rng(0)
    batches, clusters, graph = (
        rng.choice(["a", "b", "c"], 60, p=[0.5, 0.3, 0.2]),
        rng.integers(0, 4, 60),
        random_graph(60),
    )
    found = batch_agreement(batches, clusters, graph)
    assert found["ami"] == pytest.approx(adjusted_mutual_info_score(batches, clusters))
    assert found["ari"] == pytest.approx(adjusted_rand_score(batches, clusters))
    edges = [(i, j) for i in range(60) for j in range(60) if graph[i, j]]
    assert found["neighbors"] == pytest.approx(np.mean([batches[i] == batches[j] for i, j in edges]))
    assert found["neighbors_by_chance"] == pytest.approx(sum(np.mean(batches == b) ** 2 for b in "abc"))
    assert found["of_one_batch"] == []


def test_clusters_that_are_the_batches_are_named():
    batches = np.repeat(["a", "b"], 30)
    found = batch_agreement(batches, batches == "b", random_graph(60))
    assert (found["ami"], found["ari"]) == (pytest.approx(1), pytest.approx(1))
    assert found["of_one_batch"] == ["False", "True"]


def test_batches_that_clusters_follow_are_told_without_being_asked_for(cells):
    facts = notes_of(in_two_batches(cells, shift=30))
    assert facts["batches"]["batch"]["ami"] > 0.3
    told = next(note for note in facts["notes"] if "obs['batch']" in note)
    assert "clusters agree with obs['batch'] (AMI " in told
    assert "integrate first (Harmony, scVI)" in told


def test_batches_that_make_no_difference_are_told_only_when_asked_for(cells):
    adata = in_two_batches(cells, shift=1)
    assert not [note for note in notes_of(adata)["notes"] if "batch" in note]
    assert [note for note in notes_of(adata, batch="batch")["notes"] if "do not agree with obs['batch']" in note]


def test_a_batch_changes_no_cluster(cells):
    adata = in_two_batches(cells, shift=30)
    without = fit(adata, n_clusters=3, recipe=SMALL, copy=True)
    given = fit(adata, n_clusters=3, recipe=SMALL, batch="batch", copy=True)
    np.testing.assert_array_equal(without.obsm["X_scrcl"], given.obsm["X_scrcl"])
    assert (without.obs["scrcl"] == given.obs["scrcl"]).all()


def test_columns_are_taken_for_batches_by_name_and_number_of_values(cells):
    adata = cells.copy()
    adata.obs = pd.DataFrame(
        {"Sample": ["s", "t"] * 60, "donor": "one", "lane": range(120), "label": ["x", "y"] * 60}, index=adata.obs_names
    )
    assert batch_columns(adata) == ["Sample"]


def test_a_column_that_is_not_there_is_refused_with_those_that_are(cells):
    check_column(cells, None, "--batch")
    with pytest.raises(DataError, match=r"--batch: there is no column 'no' in obs; the columns are: label"):
        check_column(cells, "no", "--batch")
    with pytest.raises(DataError, match=r"batch: there is no column 'no' in obs"):
        fit(cells, batch="no", copy=True)


def test_estimated_number_of_clusters_comes_with_a_range_and_a_given_one_without(cells):
    facts = notes_of(cells, n_clusters=None)
    low, high = facts["n_clusters_range"]
    assert low <= facts["n_clusters"] <= high
    assert [note for note in facts["notes"] if "is an estimate; over parts of the cells and resolutions" in note]
    assert "n_clusters_range" not in notes_of(cells)


def test_the_range_is_narrow_where_communities_are_apart_and_wide_where_there_are_none():
    apart = np.kron(np.eye(4), np.ones((30, 30))) - np.eye(120)
    graph = sp.csr_matrix(apart.astype(np.float32))
    assert plausible_n_clusters(graph) == (4, 4)
    low, high = plausible_n_clusters(random_graph(120, density=0.1))
    assert low < high


def test_coordinates_that_are_not_used_are_named():
    section = simulate(120, 90, 3, genes_per_program=15, layout="layers")
    assert [note for note in notes_of(section)["notes"] if "obsm['spatial'] were not used" in note]
    spatial = SMALL.with_(task="spatial")
    assert not [note for note in notes_of(section, recipe=spatial)["notes"] if "obsm['spatial']" in note]


def test_fewer_clusters_than_asked_for_are_told(cells):
    adata = cells[:15].copy()  # as many as a cell has neighbors: smoothing makes all of them alike
    facts = notes_of(adata, n_clusters=3)
    assert [note for note in facts["notes"] if "3 clusters were asked for and 1 found: the others would be" in note]


def test_what_was_dropped_is_a_warning_in_python_and_few_genes_are_not(cells):
    adata = cells.copy()
    values = adata.X.toarray()
    values[:2] = 0
    adata.X = adata.layers["counts"] = values
    with pytest.warns(DataNote, match="2 cells without any count dropped") as caught:
        fit(adata, n_clusters=3, recipe=SMALL)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataNote)
        fit(cells.copy(), n_clusters=3, recipe=SMALL)
