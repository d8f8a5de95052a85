"""Reading by chunks gives what reading the whole file and preprocessing it give, of the genes that are used."""

from __future__ import annotations

import json
import tracemalloc

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from click.testing import CliRunner

from scrcl_edu import chunks, datasets, preprocessing, saving
from scrcl_edu.chunks import most_dispersed, read_by_chunks
from scrcl_edu.cli import main
from scrcl_edu.errors import DataError, InputFileError, OutputError, SettingsError
from scrcl_edu.fitting import fit


@pytest.fixture(scope="module")
def cells():
    adata = datasets.simulate(230, 150, 3, genes_per_program=15, depth=300, seed=0)
    empty_cells = sp.csr_matrix((7, 150), dtype=np.float32)
    matrix = sp.vstack([adata.X[:60], empty_cells, adata.X[60:]]).tolil()
    matrix[:, [3, 90]] = 0
    with_empty = anndata.AnnData(matrix.tocsr().astype(np.float32))
    with_empty.obsm["spatial"] = np.arange(2 * 237.0).reshape(237, 2)
    with_empty.obs["label"] = [f"label {n % 3}" for n in range(237)]
    return with_empty


@pytest.fixture(params=["h5ad", "zarr", "h5ad of a dense matrix"])
def stored(request, cells, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CELLS_AT_ONCE", 50)  # five chunks, the last one smaller
    path = tmp_path / "cells"
    if request.param == "zarr":
        cells.write_zarr(path)
        return path
    adata = cells.copy()
    if "dense" in request.param:
        adata.X = adata.X.toarray()
    adata.write_h5ad(path.with_suffix(".h5ad"))
    return path.with_suffix(".h5ad")


def test_it_is_what_preprocessing_the_whole_gives(stored, cells):
    whole = preprocessing.preprocess(cells, n_top_genes=60, copy=True)
    chosen = whole.var["highly_variable"].to_numpy()
    found = read_by_chunks(stored, n_top_genes=60)
    assert list(found.obs_names) == list(whole.obs_names)
    assert list(found.var_names) == list(whole.var_names[chosen])
    assert np.array_equal(found.layers["counts"].toarray(), whole[:, chosen].layers["counts"].toarray())
    assert np.array_equal(found.X.toarray(), whole[:, chosen].X.toarray())
    assert np.array_equal(found.obsm["spatial"], whole.obsm["spatial"])
    facts, of_whole = found.uns["preprocessing"], whole.uns["preprocessing"]
    assert {k: v for k, v in facts.items() if k != "notes"} == {k: v for k, v in of_whole.items() if k != "notes"}


@pytest.mark.parametrize("seed", range(5))
def test_genes_are_chosen_as_scanpy_chooses_them(seed):
    import scanpy as sc

    counts = datasets.simulate(150, 400, 4, genes_per_program=20, depth=500, seed=seed).X
    log_values = preprocessing.normalize_log(counts)
    table = sc.pp.highly_variable_genes(anndata.AnnData(log_values), n_top_genes=120, inplace=False)
    rates = np.expm1(log_values.toarray().astype(np.float64))
    chosen = most_dispersed(rates.mean(axis=0), rates.var(axis=0, ddof=1), 120)
    assert np.array_equal(chosen, table["highly_variable"].to_numpy())


def test_a_gene_alone_in_its_bin_counts_as_one_deviation():
    mean = np.array([1.0, 1.1, 1.2, 1000.0])
    assert most_dispersed(mean, mean * [1.0, 1.0, 1.1, 50.0], 1).tolist() == [False, False, True, False]


def test_a_fit_by_chunks_is_the_fit_of_the_whole(stored, cells):
    settings = {"n_clusters": 3, "epochs": 3}
    whole = fit(cells, n_top_genes=60, copy=True, **settings)
    found = fit(read_by_chunks(stored, n_top_genes=60), prepared=True, **settings)
    assert np.array_equal(found.obsm["X_scrcl"], whole.obsm["X_scrcl"])
    assert (found.obs["scrcl"] == whole.obs["scrcl"]).all()


def test_nothing_of_cells_times_genes_is_ever_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CELLS_AT_ONCE", 200)
    n_cells, n_genes = 4000, 3000
    counts = sp.random(n_cells, n_genes, 0.02, format="csr", random_state=0, dtype=np.float32)
    counts.data = np.ceil(counts.data * 5)
    anndata.AnnData(counts).write_h5ad(tmp_path / "cells.h5ad")
    of_file = counts.data.nbytes + counts.indices.nbytes
    tracemalloc.start()
    found = read_by_chunks(tmp_path / "cells.h5ad", n_top_genes=50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.n_vars >= 50
    assert peak < 0.8 * of_file, "not even the file's own sparse matrix fits into that"


def test_the_command_reads_by_chunks_and_writes_the_genes_that_were_used(stored, tmp_path):
    out, told = tmp_path / "out.h5ad", tmp_path / "out.json"
    arguments = ["fit", str(stored), "--by-chunks", "--n-top-genes", "60", "--n-clusters", "3", "--epochs", "2"]
    done = CliRunner().invoke(main, [*arguments, "--labels", "label", "--out", str(out), "--json", str(told)])
    assert done.exit_code == 0, done.output
    assert any("read by chunks: 60 of 148 genes were kept" in note for note in json.loads(told.read_text())["notes"])
    assert saving.read_result(out).shape == (230, 60)


@pytest.mark.parametrize("option", ["--raw", "--round", "--already-logged", "--genes-in-rows"])
def test_options_that_need_the_whole_are_refused(stored, option):
    done = CliRunner().invoke(main, ["fit", str(stored), "--by-chunks", option])
    assert done.exit_code
    assert f"--by-chunks does not go with {option}" in done.output


def test_a_matrix_by_columns_is_refused_with_the_way_out(cells, tmp_path):
    adata = anndata.AnnData(cells.X.tocsc())
    adata.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(DataError, match=r"stored by columns \(CSC\).*tocsr"):
        read_by_chunks(tmp_path / "cells.h5ad")


def test_logged_values_are_refused(cells, tmp_path):
    anndata.AnnData(cells.X.log1p()).write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(DataError, match="look log-transformed already"):
        read_by_chunks(tmp_path / "cells.h5ad")


def test_a_layer_that_is_not_there_and_other_files_are_named(stored, tmp_path):
    with pytest.raises(DataError, match="no layer 'raw'"):
        read_by_chunks(stored, layer="raw")
    (tmp_path / "cells.csv").write_text("a,b")
    with pytest.raises(InputFileError, match=r"neither an \.h5ad file nor a zarr store"):
        read_by_chunks(tmp_path / "cells.csv")
    with pytest.raises(InputFileError, match="does not exist"):
        read_by_chunks(tmp_path / "nothing.h5ad")
    with pytest.raises(SettingsError, match="n_top_genes is 1"):
        read_by_chunks(stored, n_top_genes=1)


def test_a_large_result_goes_to_the_disk_and_not_through_memory(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "_LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr(saving.io, "BytesIO", lambda: pytest.fail("the file was made in memory"))
    saving.write_h5ad(cells.copy(), tmp_path / "out.h5ad")
    assert np.array_equal(anndata.read_h5ad(tmp_path / "out.h5ad").X.toarray(), cells.X.toarray())


def test_a_large_result_is_not_begun_without_room_for_it(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "_LARGEST_IN_MEMORY", 0)
    monkeypatch.setattr(saving, "n_bytes", lambda _: 2**70)
    with pytest.raises(OutputError, match="the disk is full"):
        saving.write_h5ad(cells.copy(), tmp_path / "out.h5ad")
    assert not list(tmp_path.iterdir())
