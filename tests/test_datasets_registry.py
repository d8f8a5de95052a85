"""The registry is complete, its cards say what they must, and the data that need no network load from it."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pytest
import scanpy as sc
import yaml
from scipy import sparse

from scrcl_edu import datasets
from scrcl_edu.datasets import registry
from scrcl_edu.datasets.embedded import counts_from_log
from scrcl_edu.errors import DataError

EMBEDDED = [c.name for c in datasets.cards().values() if not any(s.files for s in c.sources)]


@pytest.mark.shared
def test_every_dataset_of_the_published_settings_is_registered_with_its_numbers(shared):
    settings = yaml.safe_load((shared / "reference_settings.yaml").read_text())
    rows = {name: row for name, row in settings.items() if not name.startswith("default_")}
    assert len(rows) == 25
    for name, row in rows.items():
        card = datasets.card(name)
        assert card.name == name
        assert (card.cells, card.classes, card.task) == (row["n_cells"], row["n_classes"], row["task"])
        assert card.sources
        assert card.released


@pytest.mark.shared
def test_every_dataset_and_address_of_the_sources_is_registered(shared):
    text = (shared / "sources.md").read_text()
    small = text.split("## Small real data")[1].split("## The paper's ten")[0]
    rows = [line.split("|")[1] for line in small.splitlines() if line.startswith("| `")]
    named = set(re.findall(r"`([a-z]\w+)`", " ".join(rows))) | {"pbmc68k_reduced"}
    named |= {"sc_celseq2_5cl_p1", "sc_celseq2_5cl_p2", "mouse_pancreas_2"}
    assert {"sc_celseq2", "pbmc4k", "worm_neurons", "kidney", "cbmc", "osmfish", "starmap"} <= named
    assert named - {"_2"} <= set(datasets.names()) | {"sc_celseq2_5cl_p1..p3"}
    registered = yaml.safe_dump([c.facts() | {"files": [f.check for s in c.sources for f in s.files]} for c in cards()])
    released = " ".join(f.urls[0] for c in cards() for f in c.released)
    for commit in re.findall(r"\b[0-9a-f]{40}\b", text.split("Commits in full:")[1].split("**Embedded")[0]):
        assert commit in registered + released, commit
    checksums = re.findall(r"\b[0-9a-f]{64}\b|md5 [0-9a-f]{32}", text)
    blobs = re.findall(r"\b[0-9a-f]{40}\b", small.split("Commits in full:")[0])
    blobs += re.findall(r"\b[0-9a-f]{40}\b", text.split("Blob ids:")[1].split("Tabula Muris on figshare")[0])
    assert len(checksums) == 5
    assert len(blobs) == 11
    for checksum in (*checksums, *blobs):
        assert checksum.removeprefix("md5 ") in registered, checksum


@pytest.mark.shared
def test_files_of_the_developers_folder_have_the_registered_checksums(shared):
    files = {f.name: f for c in cards() for f in (*c.released, *(f for s in c.sources for f in s.files))}
    present = [f for f in files.values() if (shared / "data" / f.name).is_file()]
    assert len(present) == 39
    for file in present:
        assert datasets.download.matches(shared / "data" / file.name, file.check), file.name


def cards() -> list[registry.Card]:
    return list(datasets.cards().values())


def test_there_are_ten_and_fifteen_datasets_of_the_paper():
    paper = [c for c in cards() if c.released]
    assert sum(c.task == "scrna" for c in paper) == 10
    assert sum(c.task == "spatial" for c in paper) == 15


@pytest.mark.parametrize("name", datasets.names())
def test_a_card_says_everything_that_a_user_must_know(name):
    card = datasets.card(name)
    for key in ("title", "organism", "technology", "label", "license", "citation"):
        assert isinstance(getattr(card, key), str)
        assert getattr(card, key), key
    if card.status in ("verified", "expected", "generated"):
        assert card.cells
        assert card.classes
    if card.status == "unresolved":
        assert card.note
    if card.class_sizes:
        assert sum(card.class_sizes.values()) == card.cells
        assert len(card.class_sizes) == card.classes
    if card.released:
        assert card.row_order
    for source in card.sources:
        for file in source.files:
            assert all(url.startswith("https://") and "$" not in url for url in file.urls)
            assert re.fullmatch(r"(blob:[0-9a-f]{40}|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})?", file.check)
            assert ".." not in file.name
            assert not file.name.startswith("/")
    assert name in str(card)
    assert card.license in str(card)


def test_no_two_datasets_put_different_files_under_one_name():
    files = [f for c in cards() for f in (*c.released, *(f for s in c.sources for f in s.files))]
    by_name = {}
    for file in files:
        assert by_name.setdefault(file.name, file) == file


def test_names_can_be_chosen_by_task_and_status():
    assert set(datasets.names("scrna")) | set(datasets.names("spatial")) == set(datasets.names())
    assert "li_tumor" in datasets.names(status="unresolved")
    assert "151507" in datasets.names(task="spatial", status="expected")
    with pytest.raises(DataError, match="task is 'bulk'; choose one of scrna, spatial"):
        datasets.names("bulk")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(DataError, match="no dataset is called 'Ziesel'; did you mean Zeisel"):
        datasets.load("Ziesel")


def test_aliases_name_the_same_card():
    assert datasets.card("DLPFC_151673") is datasets.card("151673")
    assert datasets.card("Lung").name == "Quake_Smart-seq2_Lung"
    assert len({a for c in cards() for a in c.aliases} & set(datasets.names())) == 0


def test_the_table_of_the_documentation_has_a_row_for_each_dataset():
    lines = datasets.markdown_table().splitlines()
    assert len(lines) == 2 + len(datasets.names())
    assert {line.count("|") for line in lines} == {11}


@pytest.mark.parametrize("name", EMBEDDED)
def test_data_without_network_keep_the_contract_and_survive_saving(name, tmp_path):
    adata, card = datasets.load(name, cache=tmp_path), datasets.card(name)
    values = adata.layers["counts"]
    data = values.data if sparse.issparse(values) else values
    assert adata.shape == (card.cells, card.genes)
    assert data.dtype == np.float32
    assert np.all(data >= 0)
    assert np.all(data == np.rint(data))
    assert adata.obs["label"].cat.categories.size == card.classes
    assert adata.obs[card.label].tolist() == adata.obs["label"].tolist()
    assert ("spatial" in adata.obsm) == (card.task == "spatial")
    adata.write_h5ad(tmp_path / "a.h5ad")
    read = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert read.uns["dataset"]["title"] == card.title
    assert list(tmp_path.iterdir()) == [tmp_path / "a.h5ad"]


def test_recovered_counts_give_scanpys_values_again():
    adata = datasets.load("pbmc68k_reduced")
    shipped = sc.datasets.pbmc68k_reduced()
    assert adata.obs_names.tolist() == shipped.obs_names.tolist()
    assert adata.obs["label"].tolist() == shipped.obs["bulk_labels"].tolist()
    values = np.expm1(shipped.raw.X.toarray().astype(float))
    counts = adata.X.toarray()
    assert np.array_equal(counts > 0, values > 0)
    scale = values.sum(1, keepdims=True) / counts.sum(1, keepdims=True)
    assert np.abs(values / scale - counts).max() < 0.5  # a scale per cell explains every value, to a rounding
    assert counts[counts > 0].min() == 1


def test_counts_come_back_from_any_scale_per_cell():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.8, (50, 40)) + np.eye(50, 40, dtype=int)
    counts[np.arange(50), rng.integers(0, 40, 50)] = 1
    scaled = counts / counts.sum(1, keepdims=True) * 1e4
    assert np.array_equal(counts_from_log(sparse.csr_matrix(np.log1p(scaled))).toarray(), counts)


def test_values_that_are_not_scaled_counts_are_refused():
    values = sparse.csr_matrix(np.log1p([[2.0, 3.0], [1.0, 4.0]]))
    with pytest.raises(DataError, match=r"0\.50 away from a whole number"):
        counts_from_log(values)
    with pytest.raises(DataError, match="cell 1 has no value"):
        counts_from_log(sparse.csr_matrix([[1.0], [0.0]]))


@pytest.mark.parametrize("name", ["sc_celseq2", "simulated_easy"])
def test_only_released_datasets_have_released_results(name):
    with pytest.raises(DataError, match=r"released nothing for.*Zeisel"):
        datasets.released(name)
