"""The search for the spatial recipe: its record is whole, and what confirmed it was not used for choosing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ is no part of the package

from benchmarks import search_spatial, searching  # noqa: E402
from scrcl_edu.clustering import majority_vote  # noqa: E402
from scrcl_edu.datasets import simulate  # noqa: E402
from scrcl_edu.evaluation import ari  # noqa: E402
from scrcl_edu.evidence.storing import read_rows  # noqa: E402
from scrcl_edu.recipes import recipe  # noqa: E402


@pytest.fixture(scope="module")
def rows():
    return read_rows(search_spatial.SEARCH.results, "search_spatial")[0]


def test_the_sections_that_confirm_saw_only_the_chosen_training_and_the_rivals(rows):
    confirming = {row["training"] for row in rows if row["dataset"] in search_spatial.CONFIRM}
    assert confirming == {search_spatial.RIVALS, search_spatial.CHOSEN}
    assert {row["dataset"] for row in rows} == {*search_spatial.CHOOSE, *search_spatial.CONFIRM}
    assert {row["training"] for row in rows} <= {search_spatial.RIVALS, *search_spatial.TRAININGS}


def test_the_recipe_is_what_was_chosen(rows):
    chosen = search_spatial.BASE | search_spatial.TRAININGS[search_spatial.CHOSEN]
    ours = recipe("robust/spatial")
    assert {name: getattr(ours, name) for name in chosen} == chosen
    assert (ours.embedding, ours.vote_neighbors) == ("e", 0)


def test_votes_are_scored_in_the_order_of_their_size():
    tissue = simulate(200, 60, 3, n_programs=3, genes_per_program=20, layout="layers")
    labels, strays = tissue.obs["layer"].cat.codes.to_numpy(), np.random.default_rng(0).permutation(200)[:40]
    clusters = labels.copy().astype(int)
    clusters[strays] = (clusters[strays] + 1) % 3
    found = search_spatial.voted(labels, clusters, tissue)
    after = [ari(labels, majority_vote(clusters, tissue.obsm["spatial"], n_neighbors=n)) for n in (10, 20, 50)]
    assert found == [round(1000 * score) for score in (ari(labels, clusters), *after)]


def test_the_ranking_leaves_out_what_was_not_run_on_all_sections():
    scores = {"0": {"e": [500, 600, 400, 300]}}
    rows = [{"dataset": name, "training": "a", "seed": 0, "per_mille": scores} for name in ("x", "y")]
    rows.append({"dataset": "x", "training": "b", "seed": 0, "per_mille": {"0": {"e": [900, 900, 900, 900]}}})
    _, first, *others = searching.ranking(rows, ["x", "y"], search_spatial.SEARCH.scores)
    assert first.startswith("a, 0, e, ARI, vote 10 ")
    assert first.endswith("0.600  0.600  0.600")
    assert len(others) == 3
