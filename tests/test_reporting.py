"""The page about a fit: it needs no other file, has a text for each figure, and says what to doubt."""

import itertools
import json
from html.parser import HTMLParser
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from scrcl_edu import fit
from scrcl_edu.cli import main
from scrcl_edu.datasets import simulate
from scrcl_edu.errors import DataError
from scrcl_edu.evaluation import scores
from scrcl_edu.interpretation import marker_genes
from scrcl_edu.recipes import recipe
from scrcl_edu.reporting import overview, report
from scrcl_edu.stability import stability

pytestmark = pytest.mark.filterwarnings("ignore::scrcl_edu.errors.DataNote")
SMALL = recipe("robust").with_(epochs=3, n_hidden=16, n_starts=4)


VOID = ("meta", "img", "br")


class Page(HTMLParser):
    """What is in a page: tags with attributes, and the text of each kind of tag."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.open = [], {}, []
        self.feed(html)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(text.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def fitted():
    adata = simulate(120, 90, 3, genes_per_program=15, marker_fold=20, program_fold=8, related_types=None)
    adata.obs["batch"] = np.where(np.arange(120) % 2, "one", "<two>")
    fit(adata, recipe=SMALL, batch="batch")
    stability(adata, n_seeds=2)
    return adata


@pytest.fixture(scope="module")
def page(fitted):
    return Page(report(fitted, labels="label", title="Cells & <more>"))


def test_page_needs_no_other_file_and_names_its_language(page):
    assert page.all("html") == [{"lang": "en"}]
    assert not page.all("script")
    assert not page.all("link")
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert page.texts["h1"] == ["Cells & <more>"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_each_figure_has_a_text_and_each_table_heads(fitted, page):
    n_clusters = fitted.obs["scrcl"].nunique()
    texts = [image["alt"] for image in page.all("img")]
    assert len(texts) == 4  # clusters, labels, their table, losses
    assert texts[0] == f"120 cells in a UMAP of what was clustered, colored by {n_clusters} clusters."
    assert all(len(text) > 20 for text in texts)
    assert {scope["scope"] for scope in page.all("th")} == {"col", "row"}


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_colors_follow_the_reader_s_system(page):
    (style,) = page.texts["style"]
    assert "prefers-color-scheme: dark" in style


def test_page_has_the_markers_scores_and_stability_that_the_functions_give(fitted, page):
    cells = page.texts["td"] + page.texts["th"]
    markers = marker_genes(fitted, n_genes=8)
    assert set(markers["gene"]) <= set(cells)
    found = scores(fitted.obs["label"], fitted.obs["scrcl"])
    assert any(f"ari {found['ari']:.3f}" in text for text in page.texts["figcaption"])
    for value in fitted.uns["scrcl"]["stability"]["clusters"].values():
        assert f"{value:.2f}" in cells


def test_doubts_name_the_estimate_and_the_batches(page):
    said = " ".join(page.texts["li"])
    assert "is an estimate" in said
    assert "clusters do not agree with obs['batch']" in said
    assert "Nobody has tried other seeds" not in said
    assert {"one", "<two>"} <= set(page.texts["th"])


def test_doubts_name_unstable_clusters_and_those_without_markers_or_seeds():
    noise = simulate(90, 60, 1, n_programs=1, genes_per_program=15, related_types=None)
    fit(noise, n_clusters=4, recipe=SMALL)
    assert "Nobody has tried other seeds" in report(noise)
    stability(noise, n_seeds=3)
    said = report(noise)
    assert "depends on the seed: its cells stay together in" in said
    assert "has no marker gene: it may be a part of another" in said


def test_a_section_of_tissue_is_drawn_where_it_lies():
    section = simulate(120, 90, 3, genes_per_program=15, layout="layers")
    fit(section, n_clusters=3, recipe=SMALL.with_(task="spatial", vote_neighbors=10))
    figure = overview(section, ["scrcl", "label"])
    for axes in figure.axes:
        drawn = np.vstack([points.get_offsets() for points in axes.collections])
        assert sorted(map(tuple, drawn)) == sorted(map(tuple, np.asarray(section.obsm["spatial"], dtype=float)))
    assert "where they lie in the tissue" in report(section)


def test_one_cluster_and_no_epoch_still_make_a_page():
    adata = simulate(60, 50, 2, genes_per_program=10)
    fit(adata, n_clusters=2, recipe=SMALL.with_(epochs=0))
    adata.obs["scrcl"] = pd.Categorical(["0"] * adata.n_obs)
    assert Page(report(adata)).texts["h1"] == ["Clusters of cells"]


def test_page_of_data_without_a_fit_is_refused():
    with pytest.raises(DataError, match="there is no fit called 'scrcl' in this data; run"):
        report(simulate(60, 50, 2, genes_per_program=10))


# The commands


def scrcl(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def folder(fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted.write_h5ad("result.h5ad")
    return tmp_path


def test_report_is_written_beside_the_result_and_never_over_another_file(folder):
    result = scrcl("report", "result.h5ad", "--seeds", 0, "--labels", "label")
    assert (result.exit_code, result.stdout.strip()) == (0, "result.html")
    assert "Clusters of result" in Page(Path("result.html").read_text()).texts["h1"]
    again = scrcl("report", "result.h5ad", "--seeds", 0)
    assert "result.html exists and is kept" in again.output
    assert scrcl("report", "result.h5ad", "--seeds", 1, "--overwrite").exit_code == 0
    assert "1 run more, with another seed, agrees" in Path("result.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "no.h5ad"), "no.h5ad is not there as a file; give what `scrcl-edu fit --out` wrote"),
        (("report", "text.h5ad"), "text.h5ad is damaged or not an .h5ad file"),
        (
            ("report", "bare.h5ad"),
            "there is no fit called 'scrcl' in bare.h5ad; run scrcl_edu.fit (or scrcl-edu fit --out) first",
        ),
        (("report", "result.h5ad", "--key", "k5"), "there is no fit called 'k5' in result.h5ad"),
        (("report", "result.h5ad", "--labels", "no"), "--labels: there is no column 'no' in obs"),
        (("report", "result.h5ad", "--out", "page.pdf"), "page.pdf ends in .pdf; choose a name that ends in .html"),
        (("report", "result.h5ad", "--seeds", "-1"), "n_seeds is -1; choose at least 1"),
        (("assign", "bare.h5ad", "bare.h5ad", "--out", "new.h5ad"), "there is no fit called 'scrcl' in bare.h5ad"),
    ],
)
def test_bad_input_of_report_and_assign_is_explained(fitted, folder, arguments, message):
    Path("text.h5ad").write_text("text")
    anndata.AnnData(fitted.layers["counts"]).write_h5ad("bare.h5ad")
    before = sorted(path.name for path in folder.iterdir())
    result = scrcl(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert sorted(path.name for path in folder.iterdir()) == before


def test_new_cells_are_assigned_by_a_command(fitted, folder):
    new = anndata.AnnData(fitted.layers["counts"][:30], obs=fitted.obs[["label"]][:30], var=fitted.var[[]])
    new.write_h5ad("new.h5ad")
    result = scrcl("assign", "new.h5ad", "result.h5ad", "--out", "assigned.h5ad", "--n-neighbors", 1)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("new cells per cluster: 0: ")
    assigned = anndata.read_h5ad("assigned.h5ad")
    assert (assigned.obs["scrcl"].astype(str).to_numpy() == fitted.obs["scrcl"][:30].astype(str).to_numpy()).all()


def test_stability_can_be_asked_for_with_the_fit(folder):
    settings = ("--n-clusters", 3, "--epochs", 2, "--stability", 2, "--json", "facts.json")
    result = scrcl("fit", "result.h5ad", *settings, "--out", "out.h5ad")
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("facts.json").read_text())
    assert facts["stability"]["seeds"] == [1, 2]
    assert "2 other seeds agree at ARI" in result.stdout
    assert anndata.read_h5ad("out.h5ad").obs["scrcl_stability"].between(0, 1).all()


def test_page_of_a_consensus_needs_no_training(tmp_path):
    adata = simulate(120, 90, 3, genes_per_program=15, marker_fold=20, program_fold=8, related_types=None)
    fit(adata, n_clusters=3, recipe="consensus", key_added="agreed")
    assert stability(adata, key="agreed") == adata.uns["agreed"]["stability"]
    page = Page(report(adata, key="agreed"))
    assert "Training" not in page.texts["h2"]
    assert {"Markers", "How sure it is", "What to doubt"} <= set(page.texts["h2"])
