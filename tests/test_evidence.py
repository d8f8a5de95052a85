"""The evidence: released results scored anew, a tiny benchmark, and tables and figures that come from files alone."""

from __future__ import annotations

import json
import shlex
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from click.testing import CliRunner
from scipy import stats
from sklearn.cluster import KMeans
from statsmodels.stats.power import TTestPower

from scrcl_edu import baselines, clustering, consensus, datasets, evaluation, evidence, plotting, recipes, rivals
from scrcl_edu.cli import main
from scrcl_edu.errors import DataError, InputFileError, OutputError, SettingsError
from scrcl_edu.evidence import margins, methods, released, running, shelf, storing, tables
from scrcl_edu.evidence.methods import Job
from scrcl_edu.preprocessing import preprocess

GOLDEN = ("Quake_Smart-seq2_Diaphragm", "Quake_Smart-seq2_Lung", "Zeisel", "Quake_10x_Limb_Muscle")


def cells(n_cells: int = 120, seed: int = 0, **settings: object):
    return datasets.simulate(n_cells, 150, 3, seed=seed, imbalance=2.0, related_types=None, depth=3000, **settings)


@pytest.fixture(scope="module")
def simulated():
    return {"first": cells(), "second": cells(seed=1)}


@pytest.fixture(scope="module")
def prepared():
    adata = cells()
    labels = adata.obs["label"].astype(str).to_numpy()
    preprocess(adata)
    return adata, labels


@pytest.fixture
def real(shared, monkeypatch):
    monkeypatch.setenv("SCRCL_EDU_DATA", str(shared / "data"))
    return shared / "data"


def run_quietly(data, out, **options):
    lines = []
    options = {"recipes": ["robust"], "seeds": 2, "epochs": 1, "report": lines.append} | options
    return evidence.benchmark(data, out=out, **options), lines


# ---- what the authors released -------------------------------------------------------------------------------------


@pytest.mark.shared
def test_released_predictions_score_what_the_golden_file_says(real, shared):
    golden = pd.read_csv(shared / "golden" / "released_predictions_scores.csv").set_index(["dataset", "seed"])
    names = golden.index.get_level_values("dataset").unique()
    found = evidence.score_released(names, labels=real).set_index(["dataset", "seed"])
    assert len(names) == 7
    assert found.index.equals(golden.index)
    for ours, theirs in (("accuracy", "ACC"), ("nmi", "NMI"), ("ari", "ARI")):
        np.testing.assert_allclose(found[ours], golden[theirs], atol=1e-6)
    for name in names:
        assert (found.loc[name, "published_accuracy"] == recipes.published(name)["accuracy_percent"] / 100).all()


@pytest.mark.shared
def test_the_released_slice_reaches_the_ari_that_was_measured_on_it(real):
    found = evidence.score_released(["151507"], labels=real)
    assert round(100 * found["ari"].item(), 1) == 68.9
    assert found["published_accuracy"].isna().all()


@pytest.mark.shared
@pytest.mark.parametrize(("name", "low", "best"), [("Quake_Smart-seq2_Diaphragm", 0.95, 0.996)])
def test_choosing_a_start_by_inertia_costs_accuracy_where_it_was_measured(real, name, low, best):
    summary = evidence.summarize_starts(evidence.starts_of(name, n_starts=12, labels=real))
    assert summary["lowest_inertia"].mean() == pytest.approx(low, abs=0.01)
    assert summary["best_nmi"].mean() == pytest.approx(best, abs=0.005)


@pytest.mark.shared
def test_stored_results_are_those_of_the_files_that_were_released(real, shared):
    golden = pd.read_csv(shared / "golden" / "released_predictions_scores.csv")
    stored = evidence.read_results(kind="released_predictions")
    merged = golden.merge(stored, on=["dataset", "seed"])
    assert len(merged) == len(golden)
    np.testing.assert_allclose(merged["accuracy"], merged["ACC"], atol=1e-6)
    starts = evidence.read_results(kind="released_embeddings")
    row = starts[(starts["dataset"] == "Zeisel") & (starts["seed"] == 25)].iloc[0]
    embedding, labels = datasets.released_embeddings("Zeisel")[25], evidence.released_labels("Zeisel", folder=real)
    again = evidence.score_starts(embedding, labels, n_starts=2)
    for kind, table in again.groupby("kind"):
        np.testing.assert_allclose(row["starts"][kind]["inertia"][:2], table["inertia"], rtol=1e-3)
        np.testing.assert_allclose(row["starts"][kind]["accuracy"][:2], table["accuracy"], atol=2e-3)


def test_released_labels_come_from_the_dataset_itself_when_there_is_no_folder(monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda name, cache=None: cells())
    assert len(evidence.released_labels("Zeisel")) == 120


def test_a_folder_of_labels_that_lacks_a_dataset_or_has_other_cells_is_refused(tmp_path):
    with pytest.raises(InputFileError, match=r"has no \.csv or \.tsv with Zeisel in its name"):
        evidence.released_labels("Zeisel", folder=tmp_path)
    (tmp_path / "Zeisel.csv").write_text("cell,color\na,red\n")
    with pytest.raises(InputFileError, match="has no column 'group'; its columns are cell, color"):
        evidence.released_labels("Zeisel", folder=tmp_path)
    (tmp_path / "Zeisel.csv").write_text("cell,group\na,1\nb,2\n")
    with pytest.raises(DataError, match="3005 cells and 9 classes"):
        evidence.released_labels("Zeisel", folder=tmp_path)


def test_inertia_is_that_of_scikit_learn():
    x = np.random.default_rng(0).standard_normal((80, 4))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    model = KMeans(5, n_init=1, random_state=0, tol=0, max_iter=1000).fit(unit)
    assert released.inertia(x, model.labels_) == pytest.approx(model.inertia_)


def test_one_start_of_each_kind_is_what_the_clustering_module_gives():
    x = np.random.default_rng(0).standard_normal((80, 4))
    plus, published = (released.one_start(x, 5, kind=kind, seed=3) for kind in released.KINDS_OF_START)
    assert np.array_equal(plus, clustering.kmeans(x, 5, n_starts=1, seed=3))
    assert np.array_equal(published, clustering.kmeans_as_published(x, 5, seed=3))


def test_merged_and_split_classes_are_named():
    labels = np.repeat(["a", "b", "c", "d"], [10, 10, 10, 10])
    clusters = np.repeat([0, 0, 1, 2, 3], [10, 10, 5, 5, 10])
    found = released.merged_and_split(labels, clusters)
    assert found == {"merged": [["a", "b"]], "split": [["c", 2]]}
    assert released.merged_and_split(labels, labels) == {"merged": [], "split": []}


def test_the_summary_of_starts_tells_the_choice_without_labels_from_that_with_them():
    start = {"inertia": [1.0, 2.0, 3.0], "accuracy": [0.5, 0.9, 0.7], "nmi": [0.4, 0.8, 0.6]}
    row = {"dataset": "x", "seed": 5, "of_labels": {"inertia": 4.0}, "of_released": {"accuracy": 0.9}}
    found = evidence.summarize_starts([row | {"starts": {"k-means++": start}}]).iloc[0]
    assert (found["lowest_inertia"], found["best_nmi"], found["released"]) == (0.5, 0.9, 0.9)
    assert found["correlation"] == pytest.approx(0.5)
    assert found["inertia_ratio"] == 4


# ---- baselines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pca_kmeans", "pca_kmeans_cosine", "leiden_k"])
def test_every_baseline_finds_well_separated_types(prepared, name):
    adata, labels = prepared
    clusters = getattr(baselines, name)(adata, 3)
    assert evaluation.ari(labels, clusters) > 0.95


def test_smoothing_no_times_is_the_plain_baseline(prepared):
    adata, _ = prepared
    smoothed = baselines.smoothed_pca_kmeans(adata, 3, n_steps=0)
    assert evaluation.ari(smoothed, baselines.pca_kmeans(adata, 3)) == pytest.approx(1)


def test_leiden_at_k_gives_k_communities_where_they_can_be_had():
    clique = np.kron(np.eye(12), np.ones((6, 6)))
    group = np.kron(np.eye(3), np.ones((4, 4)))  # of four cliques, joined by one edge each
    corner = np.zeros((6, 6))
    corner[0, 0] = 1
    chain = np.kron(np.eye(12, k=4) + np.eye(12, k=-4), np.roll(corner, (3, 3), (0, 1)))
    graph = sp.csr_matrix((clique + np.kron(group, corner) + chain > 0) & ~np.eye(72, dtype=bool), dtype=float)
    for n_clusters in (3, 12):
        assert len(np.unique(baselines.leiden_at_k(graph, n_clusters))) == n_clusters


def test_leiden_at_k_comes_as_near_as_the_graph_allows():
    graph = sp.csr_matrix(sp.block_diag([np.ones((6, 6)) - np.eye(6)] * 5))
    assert len(np.unique(baselines.leiden_at_k(graph, 3))) == 5


def test_a_vote_makes_a_tissue_smoother_and_needs_coordinates(prepared):
    tissue = cells(300, layout="layers", mixing=0.0)
    preprocess(tissue)
    plain, voted = baselines.pca_kmeans(tissue, 3), baselines.voted(baselines.pca_kmeans)(tissue, 3)
    assert np.array_equal(voted, clustering.majority_vote(plain, tissue.obsm["spatial"]))
    with pytest.raises(DataError, match="needs coordinates"):
        baselines.voted(baselines.pca_kmeans)(prepared[0], 3)


def test_the_vote_after_smoothing_takes_as_many_steps_as_are_asked_for():
    tissue = cells(300, layout="layers", mixing=0.1)
    settings = methods.settings_of("smoothed_pca_kmeans_vote", "tissue", "spatial")
    assert settings == methods.settings_of("smoothed_pca_kmeans", "tissue", "spatial")
    job = methods.Job("tissue", "smoothed_pca_kmeans_vote", "label-free", 0, settings | {"n_steps": 7})
    (row,) = methods.run(job, tissue)
    bare = methods.blind(tissue)
    preprocess(bare, flavor="seurat_v3")
    smoothed = baselines.smoothed_pca_kmeans(bare, row["n_classes"], n_steps=7)
    voted = clustering.majority_vote(smoothed, tissue.obsm["spatial"])
    assert row["ari"] == pytest.approx(evaluation.ari(tissue.obs["label"].astype(str), voted), abs=1e-6)


def test_scvi_that_is_missing_is_named_with_the_way_to_get_it(prepared, monkeypatch):
    monkeypatch.setitem(sys.modules, "scvi", None)
    with pytest.raises(SettingsError, match=r"pip install 'scrcl_edu\[benchmark\]'"):
        baselines.scvi(prepared[0], 3)


@pytest.mark.parametrize("name", ["sc3s", "banksy"])
def test_a_rival_that_is_missing_is_named_with_the_way_to_get_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    tissue = cells(layout="layers")
    preprocess(tissue)
    with pytest.raises(SettingsError, match=f"the method {name} needs a package that cannot be imported.*pip install"):
        getattr(rivals, name)(tissue, 3)


@pytest.mark.parametrize("name", ["sc3s", "banksy"])
def test_a_rival_finds_well_separated_types(name):
    pytest.importorskip(name)
    tissue = cells(300, layout="layers", mixing=0.0)
    labels = tissue.obs["label"].astype(str).to_numpy()
    preprocess(tissue)
    assert evaluation.ari(labels, getattr(rivals, name)(tissue, 3)) > 0.9


def test_leiden_as_scanpy_runs_it_finds_its_own_number_of_well_separated_types(prepared):
    adata, labels = prepared
    before = adata.X.copy()
    clusters = rivals.leiden_scanpy(adata, 99)
    assert evaluation.ari(labels, clusters) > 0.8
    assert len(np.unique(clusters)) < 10
    assert (before != adata.X).nnz == 0


def test_banksy_needs_coordinates(prepared):
    with pytest.raises(DataError, match=r"needs coordinates in obsm\['spatial'\]"):
        rivals.banksy(prepared[0], 3)


# ---- the grid ------------------------------------------------------------------------------------------------------


def test_a_tiny_benchmark_writes_a_row_for_each_dataset_method_protocol_and_seed(simulated, tmp_path):
    out = tmp_path / "results.json"
    table, lines = run_quietly(
        simulated, out, recipes=["robust", "paper"], protocols=["label-free", "oracle"], baselines=["pca_kmeans"],
        seeds=1, command="scrcl-edu benchmark",
    )  # fmt: skip
    assert len(table) == len(lines) == 2 * (1 + 1 + 2)
    assert not table.duplicated(["dataset", "method", "protocol", "seed"]).any()
    assert set(table.loc[table["protocol"] == "oracle", "method"]) == {"paper"}
    assert table[["accuracy", "nmi", "ari", "macro_f1"]].to_numpy().max() <= 1
    assert (table.loc[table["method"] == "paper", "epochs"] == 1).all()
    rows, commands = storing.read_rows(out, "benchmark")
    assert commands == ["scrcl-edu benchmark"]
    assert pd.DataFrame(rows).equals(evidence.read_results(tmp_path))
    row = rows[-1]
    assert row["settings"]["name"] == "paper/default_SC"
    assert row["versions"]["scrcl_edu"]
    assert {"best_epoch", "seconds", "n_clusters"} <= row.keys()


def test_a_second_run_keeps_what_is_there_and_adds_what_is_not(simulated, tmp_path, monkeypatch):
    out, first = tmp_path / "results.json", {"first": simulated["first"]}
    before, _ = run_quietly(first, out, recipes=[], baselines=["pca_kmeans"])
    ran = []
    monkeypatch.setattr(
        methods, "run", lambda job, adata, shelf, run=methods.run: ran.append(job.seed) or run(job, adata, shelf)
    )
    again, lines = run_quietly(first, out, recipes=[], baselines=["pca_kmeans"])
    assert (ran, len(lines)) == ([], 1)
    assert again.equals(before)
    more, _ = run_quietly(first, out, recipes=[], baselines=["pca_kmeans"], seeds=3)
    assert ran == [2]
    assert more[:2].equals(before)


def test_rows_made_with_other_settings_are_not_replaced_unasked(simulated, tmp_path):
    out, first = tmp_path / "results.json", {"first": simulated["first"]}
    run_quietly(first, out, seeds=1)
    before = out.read_text()
    with pytest.raises(OutputError, match=r"made with epochs 1 instead of 2; choose another --out"):
        run_quietly(first, out, seeds=1, epochs=2)
    assert out.read_text() == before
    table, _ = run_quietly(first, out, seeds=1, epochs=2, overwrite=True)
    assert table["epochs"].tolist() == [2]
    assert len(storing.read_rows(out, "benchmark")[0]) == 1


def test_an_interruption_leaves_the_rows_that_were_done(simulated, tmp_path, monkeypatch):
    def interrupted(job, adata, shelf, run=methods.run):
        if job.seed == 1:
            raise KeyboardInterrupt
        return run(job, adata, shelf)

    out = tmp_path / "results.json"
    monkeypatch.setattr(methods, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_quietly({"first": simulated["first"]}, out, recipes=[], baselines=["leiden_1"])
    assert [row["seed"] for row in storing.read_rows(out, "benchmark")[0]] == [0]
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_rows_that_another_process_adds_meanwhile_are_kept(simulated, tmp_path, monkeypatch):
    out, first = tmp_path / "results.json", {"first": simulated["first"]}
    run = methods.run

    def run_beside_another(job, adata, shelf):
        monkeypatch.setattr(methods, "run", run)
        run_quietly(first, out, recipes=[], baselines=["pca_kmeans"], seeds=1, command="other")
        return run(job, adata, shelf)

    monkeypatch.setattr(methods, "run", run_beside_another)
    run_quietly(first, out, recipes=[], baselines=["leiden_1"], command="mine")
    rows, commands = storing.read_rows(out, "benchmark")
    assert [(row["method"], row["seed"]) for row in rows] == [("pca_kmeans", 0), ("leiden_1", 0), ("leiden_1", 1)]
    assert commands == ["other", "mine"]


def test_a_job_that_fails_does_not_stop_the_others(simulated, tmp_path):
    broken = cells()
    broken.obs = broken.obs.drop(columns="label")
    with pytest.raises(evidence.IncompleteError, match=r"2 of 4 failed.*\n.*no column 'label'"):
        run_quietly(
            {"broken": broken, "first": simulated["first"]}, tmp_path / "r.json", recipes=[], baselines=["leiden_1"]
        )
    assert len(storing.read_rows(tmp_path / "r.json", "benchmark")[0]) == 2


@pytest.mark.parametrize(
    "method", ["robust", "untrained", "k_estimated", "pca_kmeans", "leiden_k", "smoothed_pca_kmeans"]
)
def test_clusters_do_not_depend_on_the_labels(method, monkeypatch):
    seen = []
    monkeypatch.setattr(
        evaluation, "scores", lambda labels, clusters: seen.append(np.asarray(clusters)) or {"accuracy": 0.0}
    )
    job = Job("x", method, "label-free", 0, methods.settings_of(method, "x", "scrna", epochs=2), device="cpu")
    adata, shuffled = cells(), cells()
    shuffled.obs["label"] = np.random.default_rng(0).permutation(shuffled.obs["label"].astype(str))
    for data in (adata, shuffled):
        methods.run(job, data)
    assert np.array_equal(*seen)


def test_a_method_is_given_the_counts_and_nothing_that_names_a_class():
    adata = cells(layout="layers")
    bare = methods.blind(adata)
    assert list(bare.obs.columns) == list(bare.var.columns) == []
    assert [len(part) for part in (bare.uns, bare.layers, bare.obsp, bare.varm)] == [0, 0, 0, 0]
    assert list(bare.obsm) == ["spatial"]
    assert (adata.X != bare.X).nnz == 0


def test_labels_stay_with_their_cells_when_empty_cells_are_dropped():
    adata = cells()
    counts = adata.X.tolil()
    counts[[0, 5]] = 0
    adata.X = counts.tocsr()
    job = Job("x", "pca_kmeans", "label-free", 0, methods.settings_of("pca_kmeans", "x", "scrna"))
    (row,) = methods.run(job, adata)
    assert row["n_cells"] == 118
    assert row["accuracy"] > 0.95


def test_paper_means_the_row_of_the_dataset_or_the_defaults_of_its_task():
    names = [("Zeisel", "scrna"), ("pbmc4k", "scrna"), ("151507", "spatial"), ("osmfish", "spatial")]
    found = [methods.settings_of("paper", *name)["name"] for name in names]
    assert found == ["paper/Zeisel", "paper/default_SC", "paper/151507", "paper/default_ST"]
    assert methods.settings_of("robust", "osmfish", "spatial")["name"] == "robust/spatial"


def test_the_plan_has_votes_in_space_only():
    jobs = running.plan(["pbmc4k", "starmap_1"], recipes=[], baselines=["pca_kmeans_vote", "leiden_1"], seeds=1)
    assert [(job.dataset, job.method) for job in jobs] == [
        ("pbmc4k", "leiden_1"),
        ("starmap_1", "pca_kmeans_vote"),
        ("starmap_1", "leiden_1"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipes": ["best"]}, "there is no method 'best'"),
        ({"baselines": ["pca"]}, "there is no baseline 'pca'; choose from pca_kmeans"),
        ({"protocols": ["peeking"]}, "there is no protocol 'peeking'; choose from label-free, oracle"),
        ({"recipes": ["paper/151507"]}, "is for spatial data"),
        ({"seeds": 0}, "seeds is 0; choose at least 1"),
        ({"recipes": []}, "nothing to run"),
        ({"jobs": 0}, "jobs is 0"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is(simulated, tmp_path, options, message):
    with pytest.raises(SettingsError, match=message):
        run_quietly(simulated, tmp_path / "r.json", **options)
    assert not list(tmp_path.iterdir())


def test_damaged_and_foreign_results_are_kept_and_named(simulated, tmp_path):
    path = tmp_path / "r.json"
    for content, message in (("{", "is damaged"), ('{"kind": "benchmark"}', "is damaged"), ("[]", "is damaged")):
        path.write_text(content)
        with pytest.raises(InputFileError, match=message):
            run_quietly(simulated, path)
        assert path.read_text() == content
    storing.write_rows(path, "released_predictions", [], commands=[])
    with pytest.raises(InputFileError, match="holds results of kind 'released_predictions', not 'benchmark'"):
        run_quietly(simulated, path)


@pytest.mark.slow
def test_two_processes_give_the_rows_of_one(simulated, tmp_path):
    first, options = {"first": simulated["first"]}, {"recipes": [], "baselines": ["pca_kmeans"]}
    alone, _ = run_quietly(first, tmp_path / "one.json", **options)
    together, _ = run_quietly(first, tmp_path / "two.json", jobs=2, **options)
    assert together.drop(columns="seconds").equals(alone.drop(columns="seconds"))


# ---- tables, figures, command line ---------------------------------------------------------------------------------


def stored_row(dataset: str, method: str, protocol: str, seed: int, accuracy: float) -> dict:
    scores = dict.fromkeys(("nmi", "macro_f1"), 0.5) | {"accuracy": accuracy, "ari": accuracy / 2}
    return {"dataset": dataset, "method": method, "protocol": protocol, "seed": seed, "settings": {}} | scores


@pytest.fixture
def folder(tmp_path):
    rows = [stored_row("Zeisel", "paper", "oracle", seed, 0.8 + 0.2 * seed) for seed in range(2)]
    rows += [
        stored_row("Zeisel", "pca_kmeans", "label-free", 0, 0.6),
        stored_row("li_tumor", "paper", "oracle", 0, 0.5),
    ]
    storing.write_rows(tmp_path / "a.json", "benchmark", rows, commands=[])
    return tmp_path


def test_the_papers_table_has_all_25_datasets_and_the_parts_and_says_what_was_not_run(folder):
    table = evidence.results_table("paper", folder=folder).set_index("dataset")
    assert (table["data"] == "all").sum() == 25
    assert table.loc["Zeisel", "paper, oracle"] == "0.900 ± 0.141"
    assert table.loc["Zeisel", "PCA + k-means"] == "0.600"
    assert table.loc["Zeisel", "published"] == "0.835"
    assert (table.drop(index=["Zeisel", "li_tumor"])["paper, oracle"] == tables.NOT_RUN).all()
    assert (table["robust, label-free"] == tables.NOT_RUN).all()


def test_a_part_of_a_dataset_of_the_paper_says_what_it_is_and_runs_with_the_papers_settings(folder):
    table = evidence.results_table("paper", folder=folder).set_index("dataset")
    parts = [card for card in datasets.cards().values() if card.part_of]
    assert len(parts) == 4
    for part in parts:
        whole = datasets.card(part.part_of)
        assert methods.settings_of("paper", part.name, part.task)["name"] == f"paper/{whole.name}"
        assert table.loc[part.name, "published"] == table.loc[whole.name, "published"]
        assert table.loc[part.name, "cells"] == part.cells
        assert table.loc[part.name, "data"].startswith(f"of {whole.name} ")
    assert table.loc["baron_human_came", "data"] == "of Baron_human 2142 of 8569 cells"


def test_the_table_of_methods_averages_only_what_was_run_everywhere(folder):
    table = evidence.results_table("methods", folder=folder).set_index("method")
    assert table.loc["paper, oracle"].tolist() == ["0.90 / 0.45", "0.50 / 0.25", "0.70 / 0.35", "1"]
    assert table.loc["PCA (30) + k-means"].tolist() == ["0.60 / 0.30", tables.NOT_RUN, tables.NOT_GIVEN, "1"]


# ---- one method against the others, set by set ---------------------------------------------------------------------

UNSEEN = [name for name in datasets.names("scrna") if not datasets.card(name).chosen_on]


def compared(accuracies: dict[str, dict[str, float]], n_seeds: int = 2) -> list[dict]:
    """Rows from accuracy by method and dataset, which scatters over seeds and not on average."""
    return [
        stored_row(dataset, method, "label-free", seed, accuracy + 0.01 * (seed - (n_seeds - 1) / 2))
        for method, by_dataset in accuracies.items()
        for dataset, accuracy in by_dataset.items()
        for seed in range(n_seeds)
    ]


@pytest.fixture
def random_scores():
    rng = np.random.default_rng(0)
    return {name: dict(zip(UNSEEN[:7], rng.uniform(0.3, 0.9, 7), strict=True)) for name in ("robust", "pca_kmeans")}


def test_a_margin_is_the_paired_t_interval_over_sets(random_scores):
    results = pd.DataFrame(compared(random_scores))
    ours, theirs = (100 * np.array(list(scores.values())) for scores in random_scores.values())
    points = evidence.differences(results, "robust", "pca_kmeans", "accuracy")
    np.testing.assert_allclose(points[UNSEEN[:7]], ours - theirs)
    of, test = evidence.margin(points), stats.ttest_rel(ours, theirs)
    interval = test.confidence_interval(0.95)
    assert of.mean - of.half_width == pytest.approx(interval.low)
    assert of.mean + of.half_width == pytest.approx(interval.high)
    assert (of.verdict == "none shown") == (test.pvalue > 0.05)
    assert (of.won, of.lost) == ((ours - theirs > 0.5).sum(), (ours - theirs < -0.5).sum())
    assert of.at_worst == pytest.approx((ours - theirs).min())


@pytest.mark.parametrize("n_sets", [3, 5, 7, 12, 40])
def test_what_could_be_shown_is_what_a_power_analysis_says(n_sets):
    expected = TTestPower().solve_power(nobs=n_sets, alpha=0.05, power=0.8)
    assert margins.smallest_shown(10.0, n_sets) == pytest.approx(10 * expected, rel=1e-4)
    assert np.isnan(margins.smallest_shown(10.0, 1))


def test_sets_that_were_chosen_on_stand_apart_from_the_others(random_scores, tmp_path):
    for scores, accuracy in zip(random_scores.values(), (0.9, 0.5), strict=True):
        scores["pbmc4k"] = accuracy
    storing.write_rows(tmp_path / "a.json", "benchmark", compared(random_scores), commands=[])
    table = evidence.results_table("margins", folder=tmp_path).set_index("block")
    unseen, seen = (table.loc[name] for name in ("sets that were not chosen on", "sets that were chosen on"))
    assert (unseen["sets"], seen["sets"], seen["accuracy ± 95 %"]) == ("7", "1", "+40.0")
    assert unseen["worst set"] in UNSEEN
    text = evidence.as_text(evidence.results_table("margins", folder=tmp_path))
    first, second = text.split("sets that were chosen on\n")
    assert first.startswith("sets that were not chosen on\n")
    assert "pbmc4k" not in first
    assert "pbmc4k" in second


def test_stored_commands_can_be_run_as_they_stand():
    for path in storing.results_folder().glob("*.json"):
        for command in json.loads(path.read_text())["commands"]:
            program, name, *options = shlex.split(command)
            assert (program, name) == ("scrcl-edu", "benchmark")
            main.commands["benchmark"].make_context("benchmark", options)


def test_every_stored_row_says_whether_its_set_was_chosen_on():
    results = evidence.read_results()
    for name, rows in results.groupby("dataset"):
        assert (rows["chosen_on"] == datasets.card(name).chosen_on).all(), name
    assert {"sc_celseq2", "pbmc4k", "worm_neurons"} <= set(results.loc[results["chosen_on"].astype(bool), "dataset"])
    assert {"paul15", "camp_fetal_brain"} <= set(results.loc[~results["chosen_on"].astype(bool), "dataset"])


def test_the_margins_hold_the_better_of_two_baselines_set_by_set(tmp_path):
    first, second = UNSEEN[:2]
    scores = {"robust": {first: 0.8, second: 0.7}, "pca_kmeans": {first: 0.5, second: 0.8}}
    scores |= {"leiden_k": {first: 0.6, second: 0.6}}
    storing.write_rows(tmp_path / "a.json", "benchmark", compared(scores), commands=[])
    table = evidence.results_table("margins", folder=tmp_path).set_index("robust against")
    best = table.loc[margins.BETTER_OF_SIMPLE]
    assert best["accuracy ± 95 %"].startswith("+5.0 ")
    assert (best["won : lost"], best["worst set"], best["ARI there"]) == ("1 : 1", second, "-5.0")


def test_the_sentence_of_the_readme_needs_its_results_and_says_when_nothing_is_shown(random_scores, tmp_path):
    scores = random_scores | dict.fromkeys(("leiden_k", "untrained"), random_scores["pca_kmeans"])
    with pytest.raises(DataError, match="no stored result of consensus/baselines on a set that was not chosen on"):
        evidence.sentence(pd.DataFrame(compared(scores)))
    scores["consensus/baselines"] = random_scores["robust"]
    said = evidence.sentence(pd.DataFrame(compared(scores)))
    assert said.startswith("On 7 real datasets that no choice has seen, 2 seeds each")
    assert "None of these differences can be told from chance" in said
    scores["untrained"] = {name: accuracy - 0.1 for name, accuracy in random_scores["robust"].items()}
    scores["untrained"][UNSEEN[0]] -= 0.02
    assert "`robust` is ahead of itself untrained; none of the other differences" in evidence.sentence(
        pd.DataFrame(compared(scores))
    )


def test_what_peeking_is_worth_on_a_part_of_the_papers_data_is_told_with_the_published_number():
    rows = [
        stored_row("baron_human_came", "paper", protocol, 0, s)
        for protocol, s in (("oracle", 0.9), ("label-free", 0.5))
    ]
    assert margins.peeking(pd.DataFrame(rows)) == ""
    rows += [stored_row("baron_human_came", "robust", "label-free", 0, 0.8)]
    rows += [stored_row("baron_human_came", "pca_kmeans", "label-free", 0, 0.75)]
    said = margins.peeking(pd.DataFrame(rows))
    assert "On 2,142 of the 8,569 cells of Baron_human the paper's settings reach 90.0% accuracy" in said
    assert "(published for all cells: 90.02 %), and 50.0% at their last epoch (1 seed)" in said


def test_the_readme_says_what_the_stored_results_say(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    said = text.split("<!-- margins: begin -->")[1].split("<!-- margins: end -->")[0]
    assert said.strip() == evidence.sentence(evidence.read_results())


# ---- clusters that are kept, and what they agree on ----------------------------------------------------------------


def test_a_consensus_is_that_of_its_members_with_seeds_of_their_own(simulated):
    job = Job("x", "consensus/baselines", "label-free", 1, methods.settings_of("consensus/baselines", "x", "scrna"))
    bare = methods.blind(simulated["first"])
    preprocess(bare)
    runs = [
        cluster(bare, 3, seed=seed) for cluster in (baselines.pca_kmeans, baselines.leiden_k) for seed in range(5, 10)
    ]
    labels = simulated["first"].obs["label"].astype(str).to_numpy()
    (row,) = methods.run(job, simulated["first"])
    assert row["ari"] == pytest.approx(evaluation.ari(labels, consensus.consensus(runs, 3).clusters), abs=1e-6)


def test_in_space_a_consensus_takes_the_baselines_that_vote():
    members = methods.settings_of("consensus/all", "x", "spatial")["members"]
    assert list(members) == ["pca_kmeans_vote", "leiden_k_vote", "robust"]
    assert members["robust"]["name"] == "robust/spatial"


def test_a_shelf_makes_its_folder_and_takes_a_damaged_file_for_a_missing_one(tmp_path):
    found = shelf.Found(np.arange(3), np.array([0, 1, 1]), 2.5, "cpu", 0)
    kept = shelf.Shelf(tmp_path / "a" / "b")
    kept.put("x", "consensus/robust", 0, {"k": 1}, found)
    again = shelf.Shelf(tmp_path / "a" / "b").get("x", "consensus/robust", 0, {"k": 1})
    assert again.clusters.tolist() == [0, 1, 1]
    assert again[2:] == found[2:]
    assert kept.get("x", "consensus/robust", 0, {"k": 2}) is None
    (file,) = (tmp_path / "a" / "b").iterdir()
    for content in (b"", b"PK damaged", file.read_bytes()[:100]):
        file.write_bytes(content)
        assert kept.get("x", "consensus/robust", 0, {"k": 1}) is None
    with pytest.raises(OutputError, match=r"cannot be made: .*choose another folder"):
        shelf.Shelf(file / "c")


def test_clusters_that_are_kept_are_not_found_again(simulated, tmp_path, monkeypatch):
    first, keep = {"first": simulated["first"]}, tmp_path / "keep"
    before, _ = run_quietly(first, tmp_path / "a.json", baselines=["refined", "view_1"], seeds=1, epochs=2)
    run_quietly(first, tmp_path / "b.json", seeds=1, epochs=2, keep=keep)
    monkeypatch.setattr("scrcl_edu.fitting.fit", lambda *_, **__: pytest.fail("was trained again"))
    again, _ = run_quietly(first, tmp_path / "c.json", baselines=["refined", "view_1"], seeds=1, epochs=2, keep=keep)
    assert again["method"].tolist() == before["method"].tolist()
    np.testing.assert_allclose(again["ari"], before["ari"])
    other, _ = run_quietly(first, tmp_path / "d.json", recipes=[], baselines=["pca_kmeans"], seeds=1, keep=keep)
    assert len(other) == 1


def test_the_table_of_ablations_pairs_runs_by_dataset_and_seed(tmp_path):
    rows = [stored_row("li_tumor", "robust", "label-free", seed, accuracy) for seed, accuracy in enumerate((0.6, 0.8))]
    rows += [
        stored_row("li_tumor", "refined", "label-free", seed, accuracy) for seed, accuracy in enumerate((0.7, 0.4))
    ]
    rows += [stored_row("human_ESC", "refined", "label-free", 0, 0.9)]  # nothing to compare it with
    storing.write_rows(tmp_path / "a.json", "benchmark", rows, commands=[])
    table = evidence.results_table("ablation", folder=tmp_path)
    expected = ["robust, refined cells clustered", "1", "2", "-15.0", "-7.5", "1 / 1 of 2"]
    assert table.drop(columns="block").to_numpy().tolist() == [expected]
    assert "refined" not in " ".join(evidence.results_table("methods", folder=tmp_path)["method"])


def test_an_ablation_is_robust_with_one_setting_changed():
    robust = methods.settings_of("robust", "x", "scrna")
    for method, changes in methods.OF_ROBUST.items():
        assert methods.settings_of(method, "x", "scrna") == robust | changes
    assert methods.OF_ROBUST.keys() >= methods.ABLATIONS.keys()


def test_rows_older_than_a_setting_had_its_default(simulated, tmp_path):
    out, first = tmp_path / "results.json", {"first": simulated["first"]}
    run_quietly(first, out, seeds=1)
    rows, commands = storing.read_rows(out, "benchmark")
    del rows[0]["settings"]["weight_distribution"]
    storing.write_rows(out, "benchmark", rows, commands=commands)
    _, lines = run_quietly(first, out, seeds=1)
    assert lines == [f"1 of 1 are in {out} already"]


def test_the_table_of_clusters_shows_the_error_of_the_estimate_and_what_it_costs(tmp_path):
    rows = [stored_row("pbmc4k", "k_estimated", "label-free", seed, 0.6) for seed in range(2)]
    for row, found in zip(rows, (9, 11), strict=True):
        row |= {"n_clusters": found, "n_classes": 8}
    rows.append(stored_row("pbmc4k", "leiden_1", "label-free", 0, 0.7) | {"n_clusters": 12, "n_classes": 8})
    rows.append(stored_row("pbmc4k", "robust", "label-free", 0, 0.8))
    storing.write_rows(tmp_path / "a.json", "benchmark", rows, commands=[])
    table = evidence.results_table("clusters", folder=tmp_path)
    assert table.to_numpy().tolist() == [["pbmc4k", "8", "9 to 11", "+2.0", "12", "0.60 / 0.30", "0.80 / 0.40", "2"]]


def test_tables_read_as_text_and_as_markdown():
    table = pd.DataFrame({"dataset": ["Zeisel"], "mean": ["0.5"]})
    assert evidence.as_text(table).splitlines() == ["dataset  mean", "-------  ----", "Zeisel   0.5"]
    assert evidence.as_text(table, markdown=True).splitlines()[2] == "| Zeisel  | 0.5  |"


@pytest.mark.parametrize("name", list(evidence.TABLES))
def test_every_table_can_be_made_from_what_ships_and_from_nothing(name, tmp_path):
    assert isinstance(evidence.results_table(name), pd.DataFrame)
    evidence.results_table(name, folder=tmp_path)


def test_the_figures_tell_in_words_what_they_show(folder):
    results = evidence.read_results(folder)
    starts = evidence.read_results(kind="released_embeddings")
    made = [
        evidence.starts_figure(starts, names=["Lung", "Diaphragm"]),
        evidence.methods_figure(results),
        evidence.paper_figure(evidence.read_results(kind="released_predictions"), results),
        evidence.margins_figure(evidence.read_results()),
    ]
    for figure, alt in made:
        plotting.show(figure, alt=alt)
    assert "Lung" in made[0][1]
    assert "paper, oracle 0.70 on 2" in made[1][1]
    assert "published 0.933 on 10" in made[2][1]
    assert "PCA (30) + k-means on 5 sets that were chosen on: " in made[3][1]
    with pytest.raises(DataError, match="no results of robust and its rivals"):
        evidence.margins_figure(results)
    with pytest.raises(DataError, match="no results"):
        evidence.methods_figure(results[:0])


def test_the_command_runs_a_row_keeps_it_and_prints_tables(tmp_path):
    out = tmp_path / "r.json"
    arguments = ["benchmark", "--datasets", "pbmc68k_reduced", "--recipes", "", "--baselines", "leiden_1"]
    first = CliRunner().invoke(main, [*arguments, "--seeds", "1", "--out", str(out)])
    assert first.exit_code == 0, first.output
    assert "pbmc68k_reduced" in first.output
    assert json.loads(out.read_text())["rows"][0]["n_classes"] == 10
    second = CliRunner().invoke(main, [*arguments, "--seeds", "1", "--out", str(out)])
    assert "1 of 1 are in" in second.output
    table = CliRunner().invoke(
        main, ["benchmark", "--table", "methods_chosen_on", "--results", str(tmp_path), "--markdown"]
    )
    assert "| Leiden at resolution 1 |" in table.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--datasets", "pbmc4k"], "--out is missing"),
        (["--out", "r.json"], "--datasets is missing"),
        (["--table", "best"], "there is no table 'best'; choose one of paper"),
        (["--datasets", "pbmc4", "--out", "r.json"], "did you mean pbmc4k"),
    ],
)
def test_the_command_says_what_is_missing(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["benchmark", *arguments])
    assert result.exit_code == 1
    assert message in result.output
