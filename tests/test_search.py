"""The search for `robust`: its record is whole, its report fresh, and the confirming sets took no part in choosing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is no part of the package

from benchmarks import search, searching  # noqa: E402
from scrcl_edu.datasets import simulate  # noqa: E402
from scrcl_edu.evidence.methods import blind  # noqa: E402
from scrcl_edu.evidence.storing import read_rows  # noqa: E402
from scrcl_edu.preprocessing import preprocess  # noqa: E402
from scrcl_edu.recipes import Recipe, recipe  # noqa: E402


@pytest.fixture(scope="module")
def rows():
    return read_rows(search.SEARCH.results, "search")[0]


def test_the_confirming_sets_saw_none_of_the_settings_that_were_compared(rows):
    confirming = {*search.CONFIRM_REAL, *search.CONFIRM_SIMULATED}
    assert {row["training"] for row in rows if row["dataset"] in confirming} == {"base"}
    assert {row["dataset"] for row in rows} == {*search.REAL, *search.SIMULATED, *confirming}
    assert {row["training"] for row in rows} == search.TRAININGS.keys()


def test_the_recipe_is_what_was_chosen():
    chosen = search.BASE | search.TRAININGS[search.CHOSEN] | {"epochs": 30, "embedding": "e"}
    ours = recipe("robust")
    assert {name: getattr(ours, name) for name in chosen} == chosen


def test_the_report_is_made_from_the_record(rows):
    text = search.README.read_text(encoding="utf-8")
    assert search.report(rows) in text


def test_a_mean_over_datasets_is_given_only_when_all_were_run():
    rows = [
        {"dataset": name, "training": "base", "seed": 0, "per_mille": {"30": {"e": [600 + 100 * n, 500]}}}
        for n, name in enumerate(search.CONFIRM_REAL)
    ]
    line = next(line for line in search.report(rows).splitlines() if line.startswith("| e, 30 "))
    assert line == "| e, 30 | - | - | 0.650 / 0.500 | - |"


@pytest.fixture(scope="module")
def prepared():
    adata = blind(simulate(80, 120, 3, seed=0))
    preprocess(adata, n_top_genes=60)
    return adata, Recipe("test", **search.BASE)


def test_counts_per_median_depth_times_depth_are_counts_again(prepared):
    adata, settings = prepared
    depth = adata.layers["counts"].sum(axis=1).A1
    again = search.counts_per_depth(adata, settings, 0).toarray() * (depth / np.median(depth))[:, None]
    np.testing.assert_allclose(again, searching.by_recipe(adata, settings, 0).toarray(), rtol=1e-5)


def test_mutual_neighbors_are_those_of_the_cell_graph_that_both_cells_chose(prepared):
    adata, settings = prepared
    search.mutual_neighbors(adata, settings, 0)
    mutual = adata.obsp["cell_graph"].toarray()
    searching.by_recipe(adata, settings, 0)
    union = adata.obsp["cell_graph"].toarray()
    assert (mutual == mutual.T).all()
    assert (mutual <= union).all()
    assert union.sum() + mutual.sum() == 2 * len(mutual) * (settings.n_neighbors - 1)


def test_every_training_that_is_prepared_otherwise_has_another_input_or_another_graph(prepared):
    adata, settings = prepared
    features = searching.by_recipe(adata, settings, 0).toarray()
    graph = adata.obsp["cell_graph"].copy()
    for prepare in search.PREPARED.values():
        other = prepare(adata, settings, 0)
        other = other.toarray() if sp.issparse(other) else other
        assert other.shape == features.shape
        assert not np.allclose(other, features) or (adata.obsp["cell_graph"] != graph).nnz
