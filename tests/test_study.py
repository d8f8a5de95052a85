"""The study of what training is worth: planned before it was run, its record whole, its report fresh."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is no part of the package

from benchmarks import study, study_report  # noqa: E402
from scrcl_edu import datasets, fitting  # noqa: E402
from scrcl_edu.evidence.methods import blind  # noqa: E402
from scrcl_edu.evidence.shelf import Shelf  # noqa: E402
from scrcl_edu.evidence.storing import read_rows  # noqa: E402
from scrcl_edu.preprocessing import preprocess  # noqa: E402
from scrcl_edu.recipes import recipe  # noqa: E402


@pytest.fixture(scope="module")
def rows():
    return read_rows(study.RESULTS, study.KIND)[0]


@pytest.fixture(scope="module")
def prepared():
    adata = blind(datasets.simulate(80, 120, 3, genes_per_program=20, seed=0))
    preprocess(adata, n_top_genes=60)
    return adata, recipe("robust").with_(n_hidden=16, n_top_genes=60)


def test_the_plan_was_committed_before_the_results():
    def first_commit(path: str) -> int:
        command = ["git", "log", "--diff-filter=A", "--format=%ct", "--", path]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if told.returncode or not told.stdout.strip():
            pytest.skip("the history is not here")
        return int(told.stdout.split()[-1])

    assert first_commit("benchmarks/study.md") < first_commit("benchmarks/results/study.json")


def test_the_report_is_made_from_the_record(rows):
    text = study_report.README.read_text(encoding="utf-8")
    assert study_report.report(rows) in text


def test_every_candidate_that_was_run_on_a_set_has_all_of_its_seeds(rows):
    scored = pd.DataFrame([row for row in rows if "ari" in row])
    seeds = scored.groupby(["dataset", "candidate"])["seed"].nunique()
    for (dataset, candidate), n_seeds in seeds.items():
        assert n_seeds == (1 if candidate in study.CONSENSUS else study.SEEDS), (dataset, candidate)
    assert set(scored["candidate"]) == set(study_report.CANDIDATES)
    assert set(scored["dataset"]) <= {*study.STUDIES, *study.SIMULATED}


def test_no_set_of_the_same_study_votes_on_what_is_chosen():
    names = list(study.STUDIES)
    scores = {candidate: dict.fromkeys(names, 50.0) for candidate in study_report.CANDIDATES}
    scores["robust"] |= dict.fromkeys((n for n in names if study.STUDIES[n] == "Tian"), 100.0)
    rows = [
        {"candidate": c, "dataset": d, "accuracy": s / 100, "ari": s / 100}
        for c, by in scores.items()
        for d, s in by.items()
    ]
    told = study_report.choosing(study_report.by_set(rows)).splitlines()
    lines = [line.split(" | ") for line in told if line.startswith("| ") and line.count("|") == 7]
    chosen = {cells[0].strip("| "): cells[1] for cells in lines}
    assert chosen["sc_celseq2"] == chosen["RNAmix_celseq2"] == study_report.CANDIDATES[0]
    assert chosen["paul15"] == chosen["camp_fetal_brain"] == "robust"


def test_a_small_set_goes_through_the_whole_study(tmp_path, monkeypatch):
    adata = datasets.simulate(90, 120, 3, genes_per_program=20, seed=0)
    monkeypatch.setattr(study, "load", lambda name: (adata, adata.obs["label"].astype(str).to_numpy()))
    monkeypatch.setattr(study, "SEEDS", 2)
    shelf, record = Shelf(), study.Record(tmp_path / "study.json")
    study.run("a continuum", ["robust", "signed"], shelf, record)
    found = {row["candidate"] for row in record.rows}
    trained = {name for key, name in study.NAMES.items() if key[0] in ("robust", "signed")}
    assert found >= {*study.SIMPLE, *trained, *study.CONSENSUS, "stop by agreement", "K by gap", "K by consensus"}
    written = (tmp_path / "study.json").read_text()
    study.run("a continuum", ["robust", "signed"], shelf, record)
    assert (tmp_path / "study.json").read_text() == written
    assert read_rows(tmp_path / "study.json", study.KIND)[0] == record.rows


def test_a_wrong_graph_is_half_wrong_and_the_same_for_every_seed(prepared):
    adata, settings = prepared
    first = adata.copy()
    study.by_recipe(adata, settings, 0)
    right = adata.obsp["cell_graph"]
    study.wrong_graph(adata, settings, 0)
    study.wrong_graph(first, settings, 1)
    wrong = adata.obsp["cell_graph"]
    assert (wrong != first.obsp["cell_graph"]).nnz == 0
    assert (wrong != wrong.T).nnz == 0
    assert wrong.diagonal().sum() == 0
    assert 0.4 < wrong.multiply(right).nnz / right.nnz < 0.7


def test_correlated_genes_are_those_of_the_correlation_matrix(prepared):
    adata, settings = prepared
    study.correlated_genes(adata, settings, 0)
    chosen = np.flatnonzero(adata.var["highly_variable"])
    values = adata.X[:, chosen].toarray() if sp.issparse(adata.X) else adata.X[:, chosen]
    graph = adata.varp["gene_graph"][chosen][:, chosen].toarray() > 0
    correlation = np.corrcoef(values.T)
    for gene in range(len(chosen)):
        joined, others = correlation[gene, graph[gene]], correlation[gene, ~graph[gene]]
        assert len(joined) == settings.n_gene_neighbors
        assert joined.min() >= others.max() - 1e-6


def test_a_pca_start_encodes_the_components_and_their_negatives(prepared):
    adata, settings = prepared
    features = study.by_recipe(adata, settings, 0)
    model, inputs = fitting.build(adata, settings, features, n_clusters=3)
    study.pca_start(model, inputs)
    x = inputs.view_1 if isinstance(inputs.view_1, torch.Tensor) else torch.from_numpy(inputs.view_1.matrix.toarray())
    with torch.no_grad():
        found = model.MLP_encoder(inputs.view_1).numpy()
    left, scale, _ = np.linalg.svd((x - x.mean(dim=0)).numpy(), full_matrices=False)
    expected = np.abs((left * scale)[:, :8])
    np.testing.assert_allclose(found[:, :8] + found[:, 8:], expected, rtol=1e-2, atol=1e-3 * scale[0])


def test_signed_programs_can_be_negative(prepared):
    adata, settings = prepared
    features = study.correlated_genes(adata, settings, 0)
    model, inputs = fitting.build(adata, settings, features, n_clusters=3)
    assert model(inputs).programs.min() >= 0
    study.signed_programs(model, inputs)
    assert model(inputs).programs.min() < 0


def test_a_continuum_has_the_molecules_of_two_neighboring_types():
    adata = datasets.simulate(200, 100, 3, related_types=None, genes_per_program=15, seed=0)
    before = adata.X.toarray().astype(int)
    study.blend(adata)
    mixed = adata.X.toarray().astype(int)
    assert (mixed >= 0).all()
    assert 0.9 < mixed.sum() / before.sum() < 1.1
    types = adata.obs["label"].cat.codes.to_numpy()
    profiles = np.stack([before[types == t].mean(axis=0) for t in range(3)])
    for t in range(3):
        mean = mixed[types == t].mean(axis=0)
        distances = [np.abs(mean - (0.75 * profiles[t] + 0.25 * profiles[other])).sum() for other in range(3)]
        assert np.argmin(distances) == (t + 1) % 3


def test_rules_for_k_find_well_separated_groups():
    rng = np.random.default_rng(0)
    centers = 20 * rng.standard_normal((6, 5))
    points = centers[rng.integers(0, 6, 240)] + rng.standard_normal((240, 5))
    assert study.by_kmeans(points) == {"silhouette": 6, "gap": 6}
