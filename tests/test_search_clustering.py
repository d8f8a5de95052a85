"""The search for a way to cluster and a time to stop: its measures, its record, its report."""

from __future__ import annotations

import sys
from pathlib import Path

import igraph
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is no part of the package

from benchmarks import search, search_clustering  # noqa: E402
from scrcl_edu.evidence.storing import read_rows  # noqa: E402


@pytest.fixture(scope="module")
def rows():
    return read_rows(search_clustering.SEARCH.results, search_clustering.SEARCH.kind)[0]


def test_the_record_is_whole_and_the_report_made_from_it(rows):
    seeds = {(row["dataset"], row["seed"]) for row in rows}
    real, simulated = (*search.REAL, *search.CONFIRM_REAL), (*search.SIMULATED, *search.CONFIRM_SIMULATED)
    assert seeds == {(name, n) for name in real for n in range(5)} | {(name, n) for name in simulated for n in range(3)}
    assert search_clustering.report(rows) in search.README.read_text(encoding="utf-8")


def test_modularity_is_that_of_igraph():
    generator = np.random.default_rng(0)
    graph = sp.random(60, 60, density=0.1, random_state=0, data_rvs=np.ones, format="csr")
    graph = ((graph + graph.T) > 0).astype(float).tolil()
    graph.setdiag(0)
    graph, clusters = graph.tocsr(), generator.integers(0, 4, 60)
    theirs = igraph.Graph(60, np.column_stack(sp.triu(graph).nonzero())).modularity(clusters)
    assert search_clustering.modularity(graph, clusters) == pytest.approx(theirs, abs=1e-12)


def test_of_the_starts_the_best_is_kept():
    starts = [np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array([1, 0, 0, 1])]
    assert search_clustering.best(starts, lambda start: start.sum()) is starts[1]


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("not trained", 0),
        ("after 30 epochs (`robust`)", 30),
        ("after 100 epochs", 100),
        ("highest silhouette", 20),
        ("highest modularity", 10),
        ("views agree most", 50),
        ("clusters unchanged (ARI 0.95 with the look before)", 40),
        ("loss less than 1 % below the look before", 70),
        ("best accuracy (needs labels)", 100),
    ],
)
def test_each_rule_stops_where_it_says(name, epoch):
    fit = pd.DataFrame(
        {
            "epoch": search_clustering.EPOCHS,
            "accuracy": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
            "silhouette": [0.1, 0.2, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2],
            "modularity": [0.1, 0.3, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2],
            "views agree": [0.1, 0.2, 0.3, 0.2, 0.2, 0.9, 0.2, 0.2],
            "unchanged": [0.0, 0.2, 0.3, 0.94, 0.95, 0.9, 1.0, 1.0],
            "loss": [0.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.99, 4.98],
        }
    ).set_index("epoch", drop=False)
    assert search_clustering.STOPS[name](fit)["epoch"] == epoch


def test_a_rule_that_is_never_met_trains_to_the_end():
    fit = pd.DataFrame({"epoch": [0, 10, 20], "unchanged": [0.0, 0.5, 0.5]}).set_index("epoch", drop=False)
    assert search_clustering.first(fit, fit["unchanged"] >= 0.95)["epoch"] == 20
