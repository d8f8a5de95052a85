"""Markers, PAGA and gene programs against scanpy, scipy and scikit-learn, on cells whose truth is known."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import stats
from sklearn.metrics import roc_auc_score

from scrcl_edu import interpretation
from scrcl_edu.datasets.embedded import pbmc68k_reduced
from scrcl_edu.datasets.simulated import simulate
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.fitting import fit
from scrcl_edu.preprocessing import preprocess
from scrcl_edu.recipes import recipe

N_TYPES = 5


@pytest.fixture(scope="module")
def simulated() -> anndata.AnnData:
    adata = simulate(600, 300, N_TYPES, n_programs=N_TYPES, relatedness=0, imbalance=2, depth=1500, seed=4)
    preprocess(adata, n_top_genes=300)
    return adata


@pytest.fixture(scope="module")
def blood() -> anndata.AnnData:
    adata = pbmc68k_reduced()
    preprocess(adata)
    return adata


def with_programs(adata, *, usage=None, programs=None) -> anndata.AnnData:
    """The simulation as if a model had found its true programs, used by its true types, unless told otherwise."""
    adata = adata.copy()
    codes = adata.obs["label"].cat.codes.to_numpy()
    usage = np.eye(N_TYPES)[codes] if usage is None else usage
    adata.obsm["X_scrcl_z"] = np.hstack([usage, usage])
    adata.varm["scrcl_programs"] = adata.varm["programs"] if programs is None else programs
    adata.obs["scrcl"] = adata.obs["label"]
    return adata


def true_sets(adata) -> dict[str, list[str]]:
    return {f"program_{p}": list(adata.var_names[adata.var["program"] == f"program_{p}"]) for p in range(N_TYPES)}


def test_scores_of_markers_are_the_z_values_of_the_rank_sum_test(simulated):
    table = interpretation.marker_genes(simulated, "label", n_genes=3)
    inside = (simulated.obs["label"] == "type_2").to_numpy()
    for row in table[table["cluster"] == "type_2"].itertuples():
        values = simulated[:, row.gene].X.toarray().ravel().astype(float)
        p_value = stats.mannwhitneyu(values[inside], values[~inside], method="asymptotic", use_continuity=False).pvalue
        assert np.isclose(row.score, stats.norm.isf(p_value / 2), rtol=1e-4)
        assert np.isclose(row.share_inside, (values[inside] > 0).mean())
        assert np.isclose(row.share_outside, (values[~inside] > 0).mean())


def test_filters_keep_what_scanpys_filter_keeps(blood):
    ours = interpretation.marker_genes(blood, "bulk_labels", n_genes=10_000, max_p=1.0)
    sc.tl.filter_rank_genes_groups(blood, key="scrcl_markers", key_added="filtered", use_raw=False)
    kept = pd.DataFrame(blood.uns["filtered"]["names"])
    assert len(ours) > 50
    for cluster in kept:
        assert set(ours.loc[ours["cluster"] == cluster, "gene"]) == set(kept[cluster].dropna())


def test_markers_are_the_simulations_markers(simulated):
    table = interpretation.marker_genes(simulated, "label", n_genes=10, max_share_outside=1.0)
    own = simulated.var.loc[table["gene"], "program"].str.replace("program", "type").to_numpy()
    assert (own == table["cluster"].astype(str)).mean() > 0.95
    assert (table.groupby("cluster", observed=True)["rank"].max() == 10).all()
    assert (table.groupby("cluster", observed=True)["score"].diff().dropna() <= 0).all()


def test_known_markers_name_the_blood_cells(blood):
    scores = interpretation.gene_set_scores(blood, interpretation.PBMC_MARKERS, "bulk_labels")
    named = scores.idxmax(axis=1)
    expected = {
        "CD14+ Monocyte": "Monocyte",
        "CD19+ B": "B cell",
        "CD34+": "Progenitor",
        "CD4+/CD25 T Reg": "T cell",
        "CD56+ NK": "NK cell",
        "Dendritic": "Dendritic cell",
    }
    assert {label: named[label] for label in expected} == expected


def test_gene_set_scores_are_means_of_scaled_values(blood):
    sets = {"a": ["CD79A", "MS4A1", "not a gene"], "b": ["LYZ"]}
    scores = interpretation.gene_set_scores(blood, sets, "bulk_labels")
    scaled = pd.DataFrame(blood.X.toarray().astype(float), columns=blood.var_names, index=blood.obs_names)
    scaled = (scaled - scaled.mean()) / scaled.std(ddof=0)
    for name, genes in {"a": ["CD79A", "MS4A1"], "b": ["LYZ"]}.items():
        expected = scaled[genes].mean(axis=1).groupby(blood.obs["bulk_labels"], observed=True).mean()
        assert np.allclose(scores[name], expected[scores.index], atol=1e-5)


def test_a_cluster_of_one_cell_is_named_and_left_out(simulated):
    adata = simulated.copy()
    adata.obs["scrcl"] = np.where(np.arange(adata.n_obs) == 0, "alone", adata.obs["label"].astype(str))
    with pytest.warns(UserWarning, match="clusters of one cell are not tested: alone"):
        table = interpretation.marker_genes(adata)
    assert "alone" not in set(table["cluster"])


def test_markers_survive_h5ad(simulated, tmp_path):
    adata = simulated.copy()
    interpretation.marker_genes(adata, "label")
    adata.write_h5ad(tmp_path / "cells.h5ad")
    back = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert (back.uns["scrcl_markers"]["names"] == adata.uns["scrcl_markers"]["names"]).all()


@pytest.fixture
def chain() -> anndata.AnnData:
    """Cells along an arc, cut into four clusters; only consecutive ones touch."""
    angle = np.sort(np.random.default_rng(0).random(400)) * np.pi
    adata = anndata.AnnData(np.ones((400, 1), np.float32), obs=pd.DataFrame(index=[str(i) for i in range(400)]))
    adata.obs["scrcl"] = (angle // (np.pi / 4)).astype(int).astype(str)
    adata.obsm["X_scrcl"] = np.column_stack([np.cos(angle), np.sin(angle)])
    return adata


def test_paga_joins_clusters_that_touch_and_no_others(chain):
    table = interpretation.paga(chain)
    far = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) > 1
    assert (table.to_numpy()[far] == 0).all()
    assert (np.diag(table, 1) > 0).all()
    assert np.array_equal(table, table.T)
    assert not chain.obsp
    assert list(chain.uns) == ["paga"]


def test_paga_is_observed_over_expected_edges(chain):
    from scrcl_edu.graphs import cell_graph

    graph = cell_graph(chain.obsm["X_scrcl"], n_neighbors=15).toarray()
    codes = chain.obs["scrcl"].astype(int).to_numpy()
    member = np.eye(4)[codes]
    between, sizes = member.T @ graph @ member, member.sum(axis=0)  # both directions of an edge are in the graph
    degree = between.sum(axis=1)
    expected = (np.outer(degree, sizes) + np.outer(sizes, degree)) / (len(codes) - 1)
    scaled = np.minimum(2 * between / expected, 1)
    np.fill_diagonal(scaled, 0)
    assert np.allclose(interpretation.paga(chain), scaled, atol=1e-6)


def test_true_programs_used_by_their_types_tell_the_story(simulated):
    adata = with_programs(simulated)
    agreement = interpretation.program_agreement(adata)
    summary = interpretation.summarize_agreement(agreement)
    assert len(agreement) == N_TYPES**2
    assert summary["usage_follows_markers"] > 0.9
    assert summary["p_value"] < 0.05
    assert summary["same_sign"] == summary["most_used_is_best"] == summary["clusters_with_a_program"] == 1
    assert (interpretation.gene_programs(adata).summary["follows_expression"] > 0.8).all()


def test_true_programs_used_the_other_way_round_are_found_out(simulated):
    codes = simulated.obs["label"].cat.codes.to_numpy()
    adata = with_programs(simulated, usage=1 - np.eye(N_TYPES)[codes])
    summary = interpretation.summarize_agreement(interpretation.program_agreement(adata))
    assert summary["usage_follows_markers"] < -0.9
    assert summary["same_sign"] == summary["most_used_is_best"] == 0
    assert summary["clusters_with_a_program"] == 1  # the genes are right, their use is not


def test_true_programs_used_at_random_are_found_out(simulated):
    rng = np.random.default_rng(1)
    adata = with_programs(simulated, usage=rng.normal(size=(simulated.n_obs, N_TYPES)))
    summary = interpretation.summarize_agreement(interpretation.program_agreement(adata))
    assert abs(summary["usage_follows_markers"]) < 0.7
    assert summary["p_value"] > 0.01
    assert (interpretation.gene_programs(adata).summary["follows_expression"].abs() < 0.2).all()


def test_random_programs_agree_with_nothing(simulated):
    rng = np.random.default_rng(2)
    adata = with_programs(simulated, programs=rng.exponential(size=(simulated.n_vars, N_TYPES)))
    agreement = interpretation.program_agreement(adata)
    assert (agreement["p_adjusted"] > 0.05).all()
    assert agreement["auroc"].between(0.3, 0.7).all()
    assert agreement["rank_correlation"].abs().max() < 0.25


def test_agreement_with_gene_sets_is_what_scipy_and_sklearn_say(simulated):
    rng = np.random.default_rng(3)
    programs = np.maximum(simulated.varm["programs"] + rng.normal(size=(simulated.n_vars, N_TYPES)), 0)
    loadings = interpretation.program_loadings(with_programs(simulated, programs=programs))
    sets = true_sets(simulated)
    table = interpretation.gene_set_agreement(loadings, sets, n_genes=40)
    p_values = []
    for row in table.itertuples():
        leading = set(loadings[row.program].nlargest(40).index)
        inside = set(sets[row.gene_set])
        overlap, n = len(leading & inside), len(loadings)
        square = [[overlap, len(inside) - overlap], [40 - overlap, n - 40 - len(inside) + overlap]]
        p_values.append(stats.fisher_exact(square, alternative="greater").pvalue)
        assert (row.size, row.n_overlap) == (len(inside), overlap)
        assert np.isclose(row.expected, 40 * len(inside) / n)
        assert np.isclose(row.jaccard, overlap / len(leading | inside))
        assert np.isclose(row.auroc, roc_auc_score(loadings.index.isin(list(inside)), loadings[row.program]))
    assert np.allclose(table["p_adjusted"], stats.false_discovery_control(p_values))


def test_rank_correlation_is_spearmans_of_loading_and_score(simulated):
    adata = with_programs(simulated)
    agreement = interpretation.program_agreement(adata).set_index(["cluster", "program"])
    interpretation.marker_genes(adata)
    loadings = interpretation.program_loadings(adata)
    tested = sc.get.rank_genes_groups_df(adata, "type_1", key="scrcl_markers").set_index("names")
    expected = stats.spearmanr(loadings["program_1"], tested.loc[loadings.index, "scores"]).statistic
    assert np.isclose(agreement.loc[("type_1", "program_1"), "rank_correlation"], expected)


def test_usage_and_expression_are_centered_means_per_cluster(simulated):
    rng = np.random.default_rng(5)
    z = rng.normal(size=(simulated.n_obs, 2 * N_TYPES))
    adata = with_programs(simulated)
    adata.obsm["X_scrcl_z"] = z
    found = interpretation.gene_programs(adata)
    both = (z[:, :N_TYPES] + z[:, N_TYPES:]) / 2
    expected = pd.DataFrame(both - both.mean(axis=0)).groupby(adata.obs["label"].to_numpy()).mean()
    assert np.allclose(found.usage, expected)
    sizes = adata.obs["label"].value_counts().reindex(found.expression.index)
    assert np.allclose(found.expression.mul(sizes, axis=0).sum(), 0, atol=1e-3)


def test_leading_genes_are_sorted_and_never_empty_loadings(simulated):
    programs = simulated.varm["programs"].copy()
    programs[:, 0] = 0
    found = interpretation.gene_programs(with_programs(simulated, programs=programs), n_genes=50)
    assert "program_0" not in set(found.genes["program"])
    assert found.summary.loc["program_0", "n_genes"] == 0
    assert np.isnan(found.summary.loc["program_0", "follows_expression"])
    assert (found.genes["loading"] > 0).all()
    assert (found.genes.groupby("program").size() == 30).all()
    assert (found.genes.groupby("program")["loading"].diff().dropna() <= 0).all()


def test_a_program_that_lists_abundant_genes_is_found_out(simulated):
    programs = simulated.varm["programs"].copy()
    programs[:, 2] = np.asarray(simulated.X.mean(axis=0)).ravel()
    programs[:, 3] = programs[:, 4]
    summary = interpretation.gene_programs(with_programs(simulated, programs=programs)).summary
    assert np.isclose(summary.loc["program_2", "abundance"], 1)
    assert summary.loc["program_3", "shared"] == summary.loc["program_4", "shared"] == 1


def test_a_fitted_model_gives_programs_of_the_genes_it_saw(tmp_path):
    adata = pbmc68k_reduced()
    fit(adata, n_clusters=8, recipe=recipe("robust").with_(epochs=3, n_top_genes=500, n_hidden=32, n_starts=2))
    adata.write_h5ad(tmp_path / "fitted.h5ad")
    adata = anndata.read_h5ad(tmp_path / "fitted.h5ad")
    loadings = interpretation.program_loadings(adata)
    assert loadings.shape == (500, 8)
    assert list(loadings.index) == list(adata.var_names[adata.var["highly_variable"]])
    agreement = interpretation.program_agreement(adata)
    assert set(agreement["cluster"]) <= set(adata.obs["scrcl"])
    assert agreement["rank_correlation"].dropna().between(-1, 1).all()
    figure = interpretation.agreement_figure(agreement)
    assert [axes.get_xlabel() for axes in figure.axes[:2]] == ["program", "program"]
    assert interpretation.paga(adata).shape == (adata.obs["scrcl"].nunique(),) * 2


def test_bad_input_names_the_value_and_the_fix(simulated):
    adata = with_programs(simulated)
    counts = adata.copy()
    counts.X = counts.layers["counts"]
    one = adata.copy()
    one.obs["scrcl"] = "same"
    gap = adata.copy()
    gap.obs["scrcl"] = gap.obs["scrcl"].astype(object).where(np.arange(gap.n_obs) > 2)
    narrow = adata.copy()
    narrow.obsm["X_scrcl_z"] = narrow.obsm["X_scrcl_z"][:, :3]
    empty = with_programs(simulated, programs=np.zeros((simulated.n_vars, N_TYPES)))
    for call, error, says in [
        (lambda: interpretation.marker_genes(adata, "leiden"), DataError, "obs has no column 'leiden'.*fit a model"),
        (lambda: interpretation.marker_genes(adata, n_genes=0), SettingsError, "n_genes is 0; choose at least 1"),
        (lambda: interpretation.marker_genes(counts), DataError, "X holds whole numbers.*preprocess first"),
        (lambda: interpretation.marker_genes(one), DataError, "one group"),
        (lambda: interpretation.marker_genes(gap), DataError, "3 cells have no value.*drop them"),
        (lambda: interpretation.gene_set_scores(adata, {"X": ["?"]}), DataError, "none of the genes of 'X'"),
        (lambda: interpretation.paga(adata, use_rep="X_no"), DataError, r"obsm\['X_no'\] is missing"),
        (lambda: interpretation.program_loadings(simulated), DataError, "varm.*missing; fit a model first"),
        (lambda: interpretation.gene_programs(narrow), DataError, "has 3 columns but 5 programs need 10"),
        (lambda: interpretation.program_agreement(empty), DataError, "every program is empty"),
        (
            lambda: interpretation.gene_set_agreement(interpretation.program_loadings(adata), {"X": ["?"]}),
            DataError,
            "gene set 'X' has 0 of the 300 genes",
        ),
    ]:
        with pytest.raises(error, match=says):
            call()
