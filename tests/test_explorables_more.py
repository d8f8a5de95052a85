"""Near against everyone, gene programs, the training film: numbers are the package's, and guesses come first."""

# ruff: noqa: F811 (fixtures)

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from test_explorables import browser_test, live, opened, served, site  # noqa: F401

from scrcl_edu import evaluation
from scrcl_edu.alignment import neighborhood_alignment, neighborhood_alignment_dense
from scrcl_edu.encoders import unit_rows
from scrcl_edu.explorables import bundling, storing
from scrcl_edu.graphs import Graph
from scrcl_edu.refinement import refine


def functions(folder: Path, module: str) -> str:
    """A page on which the functions of a module of numbers can be called."""
    path = folder / f"{module}.html"
    script = f"<script>{bundling.joined(module)}</script>"
    path.write_text(f'<!doctype html><link rel="icon" href="data:,">{script}', encoding="utf-8")
    return path.as_uri()


def state(root: Any) -> dict[str, Any]:
    return json.loads(root.get_attribute("data-state"))


def keep_guess(root: Any) -> None:
    root.get_by_role("button", name="Keep my guess and show me").press("Enter")


# Near against everyone


@browser_test
def test_pairs_and_three_sums_give_the_package_s_loss(opened, tmp_path):
    page, generator = opened(functions(tmp_path, "near_numbers")), np.random.default_rng(0)
    for n_cells, n_hidden in ((6, 3), (12, 20)):
        e1, e2 = (unit_rows(torch.as_tensor(generator.random((n_cells, n_hidden)))) for _ in range(2))
        upper = np.triu(generator.random((n_cells, n_cells)) < 0.4, 1)
        neighbors = [np.flatnonzero(row).tolist() for row in upper | upper.T]
        found = page.evaluate(
            """([e1, e2, neighbors]) => {
                const [one, two] = [distributions(e1, 0.1), distributions(e2, 0.1)];
                const D = divergences(one, two);
                const sums = e1.map((_, i) => rowBySums(one, sumsOver(two), i).reduce((a, b) => a + b));
                return { D, sums, ratios: nearAndOthers(D, neighbors).map(({ ratio }) => ratio) };
            }""",
            [e1.tolist(), e2.tolist(), neighbors],
        )
        graph = Graph(sp.csr_matrix((upper | upper.T).astype(float))).to(dtype=torch.float64)
        for loss in (neighborhood_alignment, neighborhood_alignment_dense):
            wanted = loss(e1, e2, graph, temperature=0.1).item()
            assert np.mean(found["ratios"]) == pytest.approx(wanted, rel=1e-6)
        np.testing.assert_allclose(found["sums"], np.sum(found["D"], axis=1), rtol=1e-6)


@browser_test
def test_near_the_loss_of_the_forty_cells_is_the_package_s_and_training_waits_for_a_guess(site, opened):
    page = opened((site / "index.html").as_uri())
    root, losses = live(page, "near"), storing.data("near")["losses"]
    assert state(root)["loss"] == pytest.approx(losses["before"], rel=1e-5)
    train = root.get_by_role("button", name=re.compile("Train for"))
    assert train.is_disabled()
    root.get_by_label("Your guess").press("Home")
    keep_guess(root)
    assert state(root)["loss"] == pytest.approx(losses["after"], rel=1e-5)
    assert "Not near" in root.locator(".sx-verdict").inner_text()
    root.get_by_role("button", name="Back to before training").press("Enter")
    assert state(root)["moment"] == "before"


@browser_test
def test_near_a_row_is_chosen_by_key_and_counted_to_the_same_sum(site, opened):
    page = opened((site / "index.html").as_uri(), reduced_motion="reduce")
    root = live(page, "near")
    before = state(root)
    root.get_by_label("Cell (sorted by type)").press("ArrowRight")
    assert state(root)["cell"] == before["cell"] + 1
    assert state(root)["sum"] != before["sum"]
    root.get_by_role("button", name="Count pair by pair").press("Enter")
    page.wait_for_function("(root) => JSON.parse(root.dataset.state).counted === 40", arg=root.element_handle())
    counted, by_sums = (root.locator(".sx-sums .sx-lit").nth(k).inner_text() for k in (0, 1))
    assert counted == by_sums == f"{state(root)['sum']:.4f}"


# Programs


@browser_test
def test_a_refined_cell_in_the_browser_is_the_package_s(opened, tmp_path):
    page, generator = opened(functions(tmp_path, "programs_numbers")), torch.Generator().manual_seed(0)
    n_genes, shown = 30, 12
    projector = torch.nn.Linear(8, n_genes, dtype=torch.float64)
    encodings, programs = (
        torch.rand(shape, generator=generator, dtype=torch.float64) for shape in ((5, 8), (n_genes, 4))
    )
    wanted = refine(encodings, projector, programs).detach().numpy()
    asks = projector(encodings).detach()
    rest = asks[:, shown:] @ programs[shown:]
    for i in range(5):
        given = [asks[i, :shown].tolist(), programs[:shown].tolist(), rest[i].tolist()]
        found = page.evaluate("([asked, programs, rest]) => refined(asked, programs, rest)", given)
        np.testing.assert_allclose(found, wanted[i], rtol=1e-6, atol=1e-12)


@browser_test
def test_programs_shows_real_cells_and_what_is_asked_moves_them(site, opened):
    page = opened((site / "index.html").as_uri())
    root, data = live(page, "programs"), storing.data("programs")
    cells, chosen = data["cells"], root.get_by_label("Cell", exact=True)
    for k in (0, len(cells) // 2, len(cells) - 1):
        chosen.select_option(str(k))
        shown = state(root)
        assert shown["cell"] == cells[k]
        np.testing.assert_allclose(shown["z"], data["refined"][cells[k]], atol=2e-3)
    own = state(root)["z"]
    root.get_by_label("Gene", exact=True).select_option(str(data["genes"].index("LYZ")))
    root.get_by_label("How much it asks of it").press("End")
    moved = state(root)["z"]
    assert np.dot(own, moved) < 0.999
    assert np.linalg.norm(moved) == pytest.approx(1)
    root.get_by_role("button", name="As the cell asks").press("Enter")
    np.testing.assert_allclose(state(root)["z"], own)


@browser_test
def test_programs_a_bar_is_dragged_and_a_guess_shows_the_cell_without_the_gene(site, opened):
    page = opened((site / "index.html").as_uri())
    root, data = live(page, "programs"), storing.data("programs")
    drawing = root.get_by_role("img", name=re.compile("^What .* asks of")).bounding_box()
    before, x, y = state(root)["mixture"], drawing["x"] + drawing["width"] * 0.4, drawing["y"] + drawing["height"] * 0.3
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y, steps=3)
    page.mouse.up()
    assert state(root)["mixture"] != before
    root.get_by_role("radio", name=data["question"]["truth"]).check()
    keep_guess(root)
    types = [data["types"][data["type_of"][cell]]["name"] for cell in state(root)["near"]]
    assert (types.count("CD19+ B") > len(types) / 2) == (data["question"]["truth"] == "it stays among its own type")
    assert "Right." in root.locator(".sx-verdict").inner_text()


# The training film


def test_the_film_is_of_real_trainings_and_scores_match_the_clusters():
    data = storing.data("film")
    pictures = data["epochs"] // data["filmed"] + 1
    for name, run in data["runs"].items():
        assert len(run["places"]) == pictures, name
        assert len(run["clusters"]) == len(run["accuracy"]) == len(run["silhouette"]) == data["epochs"] + 1
        assert all(len(view) == 2 * len(data["type_of"]) for picture in run["places"] for view in picture)
        for clusters, score in zip(run["clusters"], run["accuracy"], strict=True):
            of_the_shown = evaluation.accuracy(np.array(data["type_of"]), np.array([int(c) for c in clusters]))
            assert of_the_shown == pytest.approx(score, abs=0.15), "the cells of the film are a sample of all"
        for before, after in zip(run["clusters"], run["clusters"][1:], strict=False):
            assert np.mean([a == b for a, b in zip(before, after, strict=True)]) > 0.35, "clusters keep their numbers"


@browser_test
def test_film_the_accuracy_is_covered_until_an_epoch_is_chosen_which_is_kept(served, opened):
    page, data = opened(served), storing.data("film")
    root, accuracy = live(page, "film"), storing.data("film")["runs"]["all three losses"]["accuracy"]
    charts = root.locator(".sx-chart")
    assert charts.nth(1).locator(".sx-line").count() == 0
    assert "covered" in root.inner_text()
    root.get_by_label("Your guess").press("Home")
    assert state(root)["epoch"] == 1
    keep_guess(root)
    assert charts.nth(1).locator(".sx-line").count() == 1
    best = data["question"]["truth"]
    told = root.locator(".sx-worth").inner_text()
    assert f"Your epoch is worth an accuracy of {accuracy[1]:.2f}" in told
    assert f"Peeking would have been {accuracy[int(best)]:.2f} at epoch {best:.0f}" in told
    assert accuracy[int(best)] == max(accuracy[1:])
    kept = page.evaluate("JSON.parse(localStorage['scrcl_edu.progress']).predictions.epoch_to_keep")
    assert kept == {"guess": 1, "truth": best, "status": "far"}
    page.reload()
    assert "Your epoch is worth" in live(page, "film").locator(".sx-worth").inner_text()


@browser_test
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_film_plays_pauses_and_scrubs_by_key(motion, site, opened):
    page = opened((site / "index.html").as_uri(), reduced_motion=motion)
    root = live(page, "film")
    root.get_by_role("button", name="Play").press("Enter")
    page.wait_for_function("(root) => JSON.parse(root.dataset.state).epoch >= 3", arg=root.element_handle())
    root.get_by_role("button", name="Pause").press("Enter")
    at = state(root)["epoch"]
    page.wait_for_timeout(500)
    assert state(root)["epoch"] == at
    root.get_by_label("Epoch", exact=True).press("End")
    assert state(root)["epoch"] == 60
    root.get_by_label("Training", exact=True).select_option("without neighborhood")
    assert state(root)["run"] == "without neighborhood"
