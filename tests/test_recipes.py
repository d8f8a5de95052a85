"""Recipes: those of the paper are the published settings, and a wrong name or setting is explained."""

import numpy as np
import pytest
import yaml

from scrcl_edu.errors import SettingsError
from scrcl_edu.recipes import Recipe, choose, published, recipe, recipe_names

SAME_SETTING = {
    "task": "task",
    "hvg": "n_top_genes",
    "k": "n_neighbors",
    "t": "temperature",
    "lambda1": "weight_neighborhood",
    "lambda2": "weight_consistency",
    "lr": "learning_rate",
    "weight_decay": "weight_decay",
    "dropout": "dropout",
    "out_dim": "out_dim",
}


@pytest.fixture(scope="module")
def reference(shared):
    return yaml.safe_load((shared / "reference_settings.yaml").read_text(encoding="utf-8"))


@pytest.mark.shared
def test_every_published_row_is_a_recipe_with_its_numbers(reference):
    assert {name for name in recipe_names() if name.startswith("paper/")} == {f"paper/{name}" for name in reference}
    for name, row in reference.items():
        ours = recipe(f"paper/{name}")
        for theirs, setting in SAME_SETTING.items():
            value = row[theirs] if theirs == "task" else float(row[theirs])  # YAML reads 5e-05 as a string
            assert getattr(ours, setting) == value, (name, setting)
        assert ours.filter_steps == tuple(row["filter"])
        assert ours.vote_neighbors == row.get("radius", 0)
        assert (ours.epochs, ours.n_hidden, ours.embedding) == (500, 1500, "z")
        assert ours.clustering == "kmeans_as_published"
        assert ours.n_gene_neighbors == 5
        spatial = row["task"] == "spatial"
        assert ours.hvg_flavor == ("seurat_v3" if spatial else "seurat")
        assert ours.features == ours.gene_graph_features == ("scaled_uncentered" if spatial else "counts")


@pytest.mark.shared
def test_published_accuracies_and_sizes_are_those_of_the_paper(reference):
    for name, row in reference.items():
        expected = {key: row[key] for key in ("accuracy_percent", "n_cells", "n_classes") if key in row}
        assert published(name) == expected
    assert published("no such dataset") == {}


def test_every_recipe_can_be_had_and_knows_its_name():
    assert {"robust", "robust/spatial"} <= set(recipe_names())
    for name in recipe_names():
        assert recipe(name).name == name


def test_a_recipe_given_as_such_is_taken_as_it_is():
    mine = recipe("robust").with_(epochs=3)
    assert recipe(mine) is mine
    assert mine.epochs == 3
    assert recipe("robust").epochs != 3


def test_an_unknown_recipe_is_answered_with_those_that_are_there():
    with pytest.raises(SettingsError, match=r"there is no recipe 'paper/Nowhere'; choose one of .*Zeisel.*robust"):
        recipe("paper/Nowhere")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs is -1; choose epochs >= 0"),
        ({"n_top_genes": 1}, "n_top_genes is 1; choose n_top_genes >= 2"),
        ({"n_hidden": 0}, "n_hidden is 0; choose n_hidden >= 1"),
        ({"n_starts": 0}, "n_starts is 0; choose n_starts >= 1"),
        ({"filter_steps": (1, -1)}, r"filter_steps is \(1, -1\); give two numbers >= 0"),
        ({"filter_steps": (1,)}, r"filter_steps is \(1,\); give two numbers >= 0"),
        ({"clustering": "dbscan"}, "clustering is 'dbscan'; choose kmeans"),
        ({"embedding": "umap"}, "embedding is 'umap'; choose z, e, ez, e1, e2 or pca"),
        ({"task": "atac"}, "task is 'atac'; choose scrna or spatial"),
        ({"hvg_flavor": "cell_ranger"}, "hvg_flavor is 'cell_ranger'; choose seurat or seurat_v3"),
        ({"features": "raw"}, "features is 'raw'; choose counts, log, scaled or scaled_uncentered"),
        ({"gene_graph_features": "raw"}, "gene_graph_features is 'raw'; choose counts"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_before_anything_is_computed(settings, message):
    with pytest.raises(SettingsError, match=message):
        recipe("robust").with_(**settings)


def test_a_recipe_is_plain_values_that_make_it_again():
    ours = recipe("paper/Zeisel")
    values = ours.as_dict()
    assert None not in values.values()
    assert Recipe(**values | {"filter_steps": tuple(values["filter_steps"])}) == ours


def test_what_was_changed_is_told_by_the_title_and_nothing_else_is():
    ours = recipe("robust")
    mine = ours.with_(epochs=60).with_(n_neighbors=10)
    assert (ours.title, ours.changed) == ("robust", {})
    assert mine.changed == {"epochs": 60, "n_neighbors": 10}
    assert mine.title == "robust with epochs=60, n_neighbors=10"
    assert mine.with_(epochs=ours.epochs, n_neighbors=ours.n_neighbors).title == "robust"
    assert Recipe("my own", epochs=3).title == "my own"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "there is no setting 'epoch'; choose from clustering, .*epochs"),
        ({"epochs": "3"}, "epochs is '3'; give a whole number"),
        ({"n_hidden": 2.5}, "n_hidden is 2.5; give a whole number"),
        ({"temperature": "hot"}, "temperature is 'hot'; give a number"),
        ({"n_neighbors": 0}, "n_neighbors is 0; choose n_neighbors >= 1"),
    ],
)
def test_a_setting_of_another_kind_or_name_is_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        recipe("robust").with_(**settings)


def test_a_recipe_is_chosen_by_what_a_user_says():
    assert choose() == recipe("robust")
    assert choose(spatial=True) == recipe("robust/spatial")
    assert choose("paper/151507", spatial=True) == recipe("paper/151507")
    assert choose(recipe("robust"), epochs=3, n_top_genes=None) == recipe("robust").with_(epochs=3)
    with pytest.raises(SettingsError, match=r"--spatial does not go with recipe 'paper/Zeisel'"):
        choose("paper/Zeisel", spatial=True)


@pytest.mark.parametrize("name", ["robust", "paper/Zeisel", "paper/151507"])
def test_a_recipe_comes_back_from_numpy_s_values_as_a_file_gives_them(name):
    ours = recipe(name)
    stored = {key: np.asarray(value)[()] if key != "name" else value for key, value in ours.as_dict().items()}
    stored |= {key: str(value) for key, value in stored.items() if isinstance(value, np.str_)}
    assert Recipe.from_dict(stored) == ours
