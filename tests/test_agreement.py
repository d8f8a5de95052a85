"""A fit by the consensus of plain baselines: the keys of every fit, nothing trained, and a stability for each cell."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
from click.testing import CliRunner

import scrcl_edu
from scrcl_edu import baselines, datasets, evaluation, fitting
from scrcl_edu.cli import main
from scrcl_edu.consensus import consensus
from scrcl_edu.errors import DataNote, SettingsError
from scrcl_edu.evidence.methods import blind
from scrcl_edu.parts import Parts
from scrcl_edu.preprocessing import preprocess
from scrcl_edu.recipes import recipe


@pytest.fixture(scope="module")
def simulated():
    return datasets.simulate(240, 200, 4, genes_per_program=15, imbalance=2.0, related_types=None, depth=800, seed=0)


@pytest.fixture(scope="module")
def fitted(simulated):
    return scrcl_edu.fit(simulated, n_clusters=4, recipe="consensus", seed=1, copy=True)


def test_the_fit_is_the_consensus_of_the_baselines(simulated, fitted):
    bare = blind(simulated)
    preprocess(bare)
    runs = [f(bare, 4, seed=seed) for seed in range(5, 10) for f in (baselines.pca_kmeans, baselines.leiden_k)]
    expected = consensus(runs, 4)
    assert evaluation.ari(expected.clusters, fitted.obs["scrcl"]) == 1
    np.testing.assert_allclose(fitted.obs["scrcl_stability"], expected.stability)
    assert evaluation.ari(simulated.obs["label"].astype(str), fitted.obs["scrcl"]) > 0.9


def test_it_leaves_the_keys_of_every_fit_and_none_of_a_training(fitted, tmp_path):
    np.testing.assert_allclose(fitting.clustered(fitted), baselines.components(fitted, seed=1))
    assert fitted.obsm["X_scrcl"].shape == (240, 30)
    assert "scrcl_programs" not in fitted.varm
    facts = fitted.uns["scrcl"]
    assert (facts["ran"], facts["epochs"], facts["n_clusters"], facts["n_clusters_from"]) == (
        "consensus",
        0,
        4,
        "given",
    )
    assert facts["stability"]["seeds"] == [5, 6, 7, 8, 9]
    fitted.write_h5ad(tmp_path / "a.h5ad")
    read = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert read.obs["scrcl"].tolist() == fitted.obs["scrcl"].tolist()
    assert read.uns["scrcl"]["n_clusters"] == 4


def test_the_number_of_clusters_is_estimated_when_it_is_not_given(simulated):
    with pytest.warns(DataNote, match="K 4 is an estimate"):
        found = scrcl_edu.fit(simulated, recipe="consensus", copy=True)
    assert found.uns["scrcl"]["n_clusters"] == found.obs["scrcl"].nunique() == 4
    assert found.uns["scrcl"]["n_clusters_from"].startswith("estimated")


def test_no_label_is_seen(simulated):
    shuffled = simulated.copy()
    shuffled.obs["label"] = np.random.default_rng(0).permutation(shuffled.obs["label"].astype(str))
    found = [scrcl_edu.fit(a, n_clusters=4, recipe="consensus", copy=True).obs["scrcl"] for a in (simulated, shuffled)]
    assert found[0].tolist() == found[1].tolist()


def test_the_command_line_fits_scores_and_draws_it(simulated, tmp_path):
    simulated.write_h5ad(tmp_path / "cells.h5ad")
    options = ["--recipe", "consensus", "--n-clusters", "4", "--labels", "label"]
    files = ["--out", str(tmp_path / "out.h5ad"), "--figure", str(tmp_path / "a.png")]
    told = CliRunner().invoke(main, ["fit", str(tmp_path / "cells.h5ad"), *options, *files])
    assert told.exit_code == 0, told.output
    assert "accuracy" in told.output
    assert "10 single clusterings agree at ARI" in told.output
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert "scrcl_stability" in anndata.read_h5ad(tmp_path / "out.h5ad").obs


def test_components_and_consensus_go_together():
    assert recipe("consensus").clustering == "consensus"
    with pytest.raises(SettingsError, match="embedding 'pca' does not go with clustering 'kmeans'"):
        recipe("robust").with_(embedding="pca")
    with pytest.raises(SettingsError, match="choose the recipe 'consensus'"):
        recipe("robust").with_(clustering="consensus")


def test_it_is_not_for_tissue(simulated):
    with pytest.raises(SettingsError, match="does not go with recipe 'consensus'"):
        scrcl_edu.fit(simulated, n_clusters=4, recipe="consensus", spatial=True, copy=True)


def test_it_has_no_parts_to_replace(simulated):
    own = Parts(stopping=lambda epoch, history: True)
    with pytest.raises(SettingsError, match="the consensus trains nothing"):
        scrcl_edu.fit(simulated, n_clusters=4, recipe="consensus", parts=own, copy=True)
