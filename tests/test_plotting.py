"""Figures can be read without color vision and without eyes."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from anndata import AnnData

mpl.use("Agg")

import matplotlib.pyplot as plt

from scrcl_edu import plotting
from scrcl_edu.errors import DataError, SettingsError

rng = np.random.default_rng(0)
POINTS = rng.normal(size=(60, 2))
GROUPS = np.repeat(["B", "T", "NK"], 20)


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    plt.close("all")


def test_show_prints_the_text_without_a_notebook_and_closes_the_figure(capsys):
    figure = plt.figure()
    plotting.show(figure, alt="A line that rises.")
    assert capsys.readouterr().out == "Figure: A line that rises.\n"
    assert not plt.fignum_exists(figure.number)


def test_show_needs_a_text():
    with pytest.raises(SettingsError, match="alt is empty"):
        plotting.show(plt.figure(), alt=" ")
    with pytest.raises(TypeError):
        plotting.show(plt.figure())


def test_groups_differ_by_color_and_marker_and_never_repeat():
    styles = [tuple(plotting.group_style(number).values()) for number in range(56)]
    assert len(set(styles)) == 56


def _simulated(color: str, matrix: np.ndarray) -> np.ndarray:
    rgb = np.array(mpl.colors.to_rgb(color))
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    return np.clip(matrix @ linear, 0, 1)


@pytest.mark.parametrize("kind", ["protan", "deutan"])
def test_the_first_colors_stay_apart_with_red_green_blindness(kind):
    # Machado, Oliveira and Fernandes 2009, severity 1.0
    matrix = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    }[kind]
    seen = [_simulated(color, np.array(matrix)) for color in plotting.PALETTE]
    apart = [np.abs(a - b).max() for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 0.05


def test_embedding_draws_each_group_once_with_its_name():
    axes = plotting.embedding(POINTS, GROUPS).axes[0]
    assert [text.get_text() for text in axes.texts] == ["B", "NK", "T"]
    assert sum(len(collection.get_offsets()) for collection in axes.collections) == 60


def test_embedding_reads_anndata():
    adata = AnnData(np.zeros((60, 1)), obsm={"X_scrcl": POINTS})
    adata.obs["type"] = GROUPS
    offsets = plotting.embedding(adata, "type").axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(offsets, POINTS[:20])


def test_wide_embeddings_are_drawn_by_their_principal_components():
    from sklearn.decomposition import PCA

    wide = rng.normal(size=(60, 5)) * [5, 3, 1, 1, 1]
    drawn = plotting.embedding(wide, np.zeros(60)).axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(np.abs(drawn), np.abs(PCA(2).fit_transform(wide)), atol=1e-8)


def test_a_group_for_each_cell_is_needed():
    with pytest.raises(DataError, match="60 cells but 3 groups"):
        plotting.embedding(POINTS, ["B", "T", "NK"])


def test_confusion_puts_the_matched_clusters_on_the_diagonal():
    clusters = np.repeat([2, 0, 1], 20)
    axes = plotting.confusion(GROUPS, clusters).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), np.eye(3))
    assert [text.get_text() for text in axes.texts] == ["20", "20", "20"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "1", "0"]


@pytest.mark.parametrize("n_clusters", [2, 5])
def test_confusion_takes_more_or_fewer_clusters_than_classes(n_clusters):
    figure = plotting.confusion(GROUPS, np.arange(60) % n_clusters)
    assert figure.axes[0].images[0].get_array().shape == (3, n_clusters)
    assert sum(int(text.get_text()) for text in figure.axes[0].texts) == 60


def test_losses_differ_by_line_style_and_begin_at_one():
    axes = plotting.losses({"distribution": [4, 2], "neighborhood": [0.5, 0.25], "total": [0, 0]}).axes[0]
    assert [line.get_ydata()[0] for line in axes.lines] == [1, 1, 0]
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    assert len(axes.get_legend().get_texts()) == 3


def test_spatial_lies_over_its_image_with_equal_units():
    axes = plotting.spatial(POINTS, GROUPS, image=np.zeros((4, 4, 3))).axes[0]
    assert len(axes.images) == 1
    assert axes.get_aspect() == 1
    assert axes.yaxis_inverted()
    assert plotting.spatial(POINTS, GROUPS).axes[0].yaxis_inverted()


def test_figures_can_be_drawn_side_by_side():
    figure, axes = plt.subplots(1, 2)
    assert plotting.embedding(POINTS, GROUPS, axes=axes[0], names=False) is figure
    assert plotting.losses({"total": [1.0]}, axes=axes[1]) is figure
