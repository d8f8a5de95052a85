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
    styles = [tuple(plotting.group_style(number).values()) for number in range(100)]
    assert len(set(styles)) == 100
    for first in range(0, 100, 10):
        assert all(len(set(part)) == 10 for part in zip(*styles[first : first + 10], strict=True))


def test_the_course_s_ten_types_have_ten_colors_and_ten_markers_that_never_change():
    from scrcl_edu.datasets import load

    names = sorted(set(load("pbmc68k_reduced").obs["label"]))
    styles = plotting.type_styles(names)
    assert len({style["color"] for style in styles.values()}) == 10
    assert len({style["marker"] for style in styles.values()}) == 10
    for missing in names:
        others = plotting.type_styles([name for name in names if name != missing])
        assert others == {name: style for name, style in styles.items() if name != missing}


def test_clusters_have_the_color_of_the_type_that_most_of_their_cells_are():
    clusters = np.repeat(["0", "1", "2", "10"], 15)
    colors, styles = plotting.type_colors(GROUPS), plotting.cluster_styles(clusters, GROUPS)
    assert [styles[name]["color"] for name in ("0", "1", "2", "10")] == [colors[n] for n in ("B", "T", "T", "NK")]
    assert len({style["marker"] for style in styles.values()}) == 4
    drawn = plotting.embedding(POINTS, clusters, styles=styles).axes[0].collections
    assert mpl.colors.to_hex(drawn[0].get_facecolors()[0]) == colors["B"]


def test_names_of_groups_do_not_lie_on_each_other():
    crowded = np.repeat(rng.normal(size=(10, 2)) * 0.02, 6, axis=0)
    names = np.repeat([f"a type with a long name {number}" for number in range(10)], 6)
    figure = plotting.embedding(crowded + rng.normal(size=(60, 2)) * 0.01, names)
    figure.canvas.draw()
    boxes = [text.get_window_extent().shrunk(0.9, 0.8) for text in figure.axes[0].texts if text.get_text()]
    assert sum(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i]) <= 1


def test_letters_smaller_than_eight_points_are_refused():
    figure = plt.figure()
    figure.text(0.5, 0.5, "tiny", fontsize=7)
    with pytest.raises(SettingsError, match=r"'tiny' is written in 7 points; use at least 8"):
        plotting.show(figure, alt="A word.")


def test_figures_are_stored_at_twice_the_size_at_which_they_are_shown():
    import io

    from PIL import Image

    from scrcl_edu.plotting.drawing import _png

    data, width, height = _png(plotting.embedding(POINTS, GROUPS))
    image = Image.open(io.BytesIO(data))
    assert abs(image.width - 2 * width) <= 1
    assert abs(image.height - 2 * height) <= 1
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)  # opaque, for pages that are dark


@pytest.mark.slow
def test_umap_keeps_groups_together_and_is_the_same_for_a_seed():
    from sklearn.metrics import silhouette_score

    groups = np.repeat([0, 1, 2], 30)
    values = np.eye(3)[groups] + rng.normal(size=(90, 3)) * 0.1
    points = plotting.umap(values, seed=1)
    assert points.shape == (90, 2)
    assert silhouette_score(points, groups) > 0.5
    np.testing.assert_array_equal(points, plotting.umap(values, seed=1))


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
