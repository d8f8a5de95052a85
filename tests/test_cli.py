"""The command line: what it reads, writes, prints, and how it answers bad input."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
import torch
from click.testing import CliRunner

from scrcl_edu import __version__, training
from scrcl_edu.cli import main
from scrcl_edu.datasets import simulate
from scrcl_edu.evaluation import scores
from scrcl_edu.files import claimed

QUICK = ("--epochs", "2", "--n-clusters", "3")


@pytest.fixture(scope="module")
def simulated():
    return simulate(60, 50, 3, genes_per_program=10, depth=800, imbalance=1, related_types=None, layout="layers")


@pytest.fixture
def cells(simulated):
    adata = simulated.copy()
    del adata.obsm["spatial"]
    return adata


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def source(cells, folder):
    cells.write_h5ad("cells.h5ad")
    return "cells.h5ad"


def scrcl(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def succeed(*arguments):
    result = scrcl(*arguments)
    assert result.exit_code == 0, result.output
    return result


def fail(message, *arguments):
    """Exit code 1, one line that starts with Error and holds the message, and no traceback."""
    result = scrcl(*arguments)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert re.search(message, last), last
    return result


# What is read


def write_h5ad(adata, folder):
    adata.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


def write_tenx_h5(adata, folder):
    by_gene = sp.csc_matrix(adata.X.T)
    with h5py.File(folder / "cells.h5", "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"] = by_gene.data.astype(np.int32), by_gene.indices.astype(np.int64)
        group["indptr"], group["shape"] = by_gene.indptr.astype(np.int64), np.array(by_gene.shape, np.int32)
        group["barcodes"] = adata.obs_names.to_numpy("S")
        features = group.create_group("features")
        features["id"] = features["name"] = adata.var_names.to_numpy("S")
        features["feature_type"] = np.full(adata.n_vars, b"Gene Expression")
        features["genome"] = np.full(adata.n_vars, b"GRCh38")
    return folder / "cells.h5"


def write_mtx(adata, folder):
    scipy.io.mmwrite(folder / "matrix.mtx", sp.coo_matrix(adata.X.T.astype(int)))
    (folder / "barcodes.tsv").write_text("".join(f"{name}\n" for name in adata.obs_names))
    (folder / "genes.tsv").write_text("".join(f"{name}\t{name}\n" for name in adata.var_names))
    return folder


def write_csv(adata, folder):
    pd.DataFrame(adata.X.toarray().astype(int), adata.obs_names, adata.var_names).to_csv(folder / "cells.csv.gz")
    return folder / "cells.csv.gz"


def write_loom(adata, folder):
    with h5py.File(folder / "cells.loom", "w") as file:
        file["matrix"] = adata.X.toarray().T
        file["row_attrs/Gene"] = adata.var_names.to_numpy("S")
        file["col_attrs/CellID"] = adata.obs_names.to_numpy("S")
        file.create_group("layers")
        file.create_group("row_graphs")
        file.create_group("col_graphs")
    return folder / "cells.loom"


@pytest.mark.parametrize(
    "write", [write_h5ad, write_tenx_h5, write_mtx, write_csv, write_loom], ids=lambda write: write.__name__[6:]
)
def test_every_kind_of_input_gives_the_same_counts_and_clusters(cells, folder, write):
    (folder / "input").mkdir()
    succeed("fit", write(cells, folder / "input"), *QUICK, "--out", "out.h5ad")
    result = anndata.read_h5ad("out.h5ad")
    assert list(result.obs_names) == list(cells.obs_names)
    kept = cells[:, result.var_names]
    assert abs(sp.csr_matrix(result.layers["counts"]) - kept.X).nnz == 0
    assert scores(cells.obs["label"], result.obs["scrcl"])["ari"] > 0.9


@pytest.mark.slow
def test_dataset_can_be_named(folder):
    result = succeed("fit", "pbmc68k_reduced", *QUICK, "--labels", "bulk_labels", "--json", "facts.json")
    facts = json.loads(Path("facts.json").read_text())
    assert (facts["input"], facts["n_cells"]) == ("pbmc68k_reduced", 700)
    assert "700 cells in 3 clusters (K given), 2 epochs" in result.stdout


# What is written and printed


def test_json_holds_every_field_that_tools_read(source):
    succeed("fit", source, *QUICK, "--labels", "label", "--out", "out.h5ad", "--json", "facts.json", "--seed", 3)
    facts = json.loads(Path("facts.json").read_text())
    result = anndata.read_h5ad("out.h5ad")
    expected = scores(result.obs["label"], result.obs["scrcl"])
    assert {name: facts[name] for name in expected} == expected
    assert (facts["n_clusters"], facts["n_clusters_from"], facts["epochs"], facts["seed"]) == (3, "given", 2, 3)
    assert (facts["protocol"], facts["recipe"], facts["input"]) == ("label-free", "robust", source)
    assert facts["device"].split(":")[0] in ("cpu", "cuda", "mps")
    assert 0 < 2 * facts["seconds_per_epoch"] < facts["seconds"]
    assert 50 < facts["peak_rss_mb"] < 20_000
    assert facts["versions"]["scrcl_edu"] == __version__


def test_json_has_no_scores_without_labels(source):
    succeed("fit", source, *QUICK, "--json", "facts.json")
    assert not {"accuracy", "nmi", "ari", "macro_f1"} & set(json.loads(Path("facts.json").read_text()))


def test_labels_do_not_change_the_clusters(cells, source):
    succeed("fit", source, *QUICK, "--out", "without.h5ad")
    succeed("fit", source, *QUICK, "--out", "with.h5ad", "--labels", "label")
    cells.obs["label"] = cells.obs["label"].to_numpy()[::-1]
    cells.write_h5ad(source)
    succeed("fit", source, *QUICK, "--out", "wrong.h5ad", "--labels", "label")
    fits = [anndata.read_h5ad(f"{name}.h5ad") for name in ("without", "with", "wrong")]
    for other in fits[1:]:
        np.testing.assert_array_equal(other.obsm["X_scrcl"], fits[0].obsm["X_scrcl"])
        assert (other.obs["scrcl"] == fits[0].obs["scrcl"]).all()


def test_oracle_is_marked_in_the_file_and_in_the_json(source):
    arguments = (*QUICK, "--recipe", "paper/Zeisel", "--protocol", "oracle", "--labels", "label")
    result = succeed("fit", source, *arguments, "--out", "out.h5ad", "--json", "facts.json")
    said = "oracle: this result has seen the labels"
    assert json.loads(Path("facts.json").read_text())["protocol"] == said
    assert anndata.read_h5ad("out.h5ad").uns["scrcl"]["protocol"] == said
    assert said in result.stdout


def test_settings_reach_the_fit(source):
    succeed("fit", source, "--epochs", 1, "--n-top-genes", 20, "--seed", 4, "--device", "cpu", "--out", "out.h5ad")
    adata = anndata.read_h5ad("out.h5ad")
    assert adata.var["highly_variable"].sum() == 20
    facts = adata.uns["scrcl"]
    assert (facts["epochs"], facts["seed"], facts["device"]) == (1, 4, "cpu")
    assert facts["n_clusters_from"] == "estimated from the cell graph"


def test_spatial_takes_coordinates(simulated, folder):
    simulated.write_h5ad("section.h5ad")
    succeed("fit", "section.h5ad", *QUICK, "--spatial", "--json", "facts.json")
    assert json.loads(Path("facts.json").read_text())["recipe"] == "robust/spatial"


def test_quiet_prints_nothing(source):
    result = succeed("fit", source, *QUICK, "--quiet", "--out", "out.h5ad", "--labels", "label")
    assert result.stdout == ""


def test_nothing_but_the_result_is_left(source, folder):
    succeed("fit", source, *QUICK, "--out", "out.h5ad")
    assert sorted(p.name for p in folder.iterdir()) == ["cells.h5ad", "out.h5ad"]


def test_overwrite_replaces_a_result(source):
    Path("out.h5ad").write_text("old")
    succeed("fit", source, *QUICK, "--out", "out.h5ad", "--overwrite")
    assert "scrcl" in anndata.read_h5ad("out.h5ad").obs


def test_result_can_be_fitted_again(source):
    succeed("fit", source, *QUICK, "--out", "once.h5ad")
    succeed("fit", "once.h5ad", *QUICK, "--out", "twice.h5ad")
    once, twice = (anndata.read_h5ad(f"{name}.h5ad") for name in ("once", "twice"))
    np.testing.assert_array_equal(once.obsm["X_scrcl"], twice.obsm["X_scrcl"])


# Bad input, as the list in the issue has it. Each entry: what is done to the cells, the arguments, what the error says.


def write(adata):
    adata.write_h5ad("cells.h5ad")


def with_values(value):
    def change(adata):
        adata.X.data[:7] = value
        write(adata)

    return change


def truncated(adata):
    write(adata)
    content = Path("cells.h5ad").read_bytes()
    Path("cells.h5ad").write_bytes(content[: len(content) // 2])


def text(content, name="cells.h5ad"):
    return lambda adata: Path(name).write_text(content)


def shaped(n_cells=None, n_genes=None):
    return lambda adata: write(adata[:n_cells, :n_genes].copy())


def all_zero(adata):
    adata.X = sp.csr_matrix(adata.shape, dtype=np.float32)
    write(adata)


def constant(adata):
    adata.X = np.full(adata.shape, 3, np.float32)
    write(adata)


def logged(adata):
    adata.X.data = np.log1p(adata.X.data)
    write(adata)


def not_a_place(adata):
    adata.obsm["spatial"] = np.full((adata.n_obs, 2), np.nan)
    write(adata)


def folder_at_out(adata):
    write(adata)
    Path("out.h5ad").mkdir()


def file_as_folder(adata):
    write(adata)
    Path("file").write_text("kept")


FIT, OUT = ("fit", "cells.h5ad", *QUICK), ("--out", "out.h5ad")
BAD_INPUT = {
    "missing file": (
        write,
        ("fit", "nowhere.h5ad"),
        "nowhere.h5ad is not there as a file or folder, and no dataset is called",
    ),
    "empty file": (text(""), FIT, r"cells.h5ad is empty \(0 bytes\); copy or download it again"),
    "truncated file": (truncated, FIT, "cells.h5ad is truncated, damaged, or not of the kind"),
    "foreign file": (text("<html>404</html>"), FIT, "is not an HDF5 file although its name ends in .h5ad"),
    "foreign kind": (
        text("x", "cells.pkl"),
        ("fit", "cells.pkl"),
        r"of a kind that is not read \(.pkl\); allowed: .h5ad",
    ),
    "text in a table": (
        text(",g1,g2\nc1,1,2\nc2,x,3\n", "t.csv"),
        ("fit", "t.csv"),
        "t.csv: column 'g1', row 'c2' is 'x', which is not a number",
    ),
    "folder without a matrix": (lambda adata: Path("empty").mkdir(), ("fit", "empty"), "empty.*matrix.mtx"),
    "no cells": (shaped(n_cells=0), FIT, "holds 0 cells and 50 genes"),
    "no genes": (shaped(n_genes=0), FIT, "holds 60 cells and 0 genes"),
    "only zeros": (all_zero, FIT, "0 cells x 0 genes with counts are left of 60 cells x 50 genes"),
    "NaN": (with_values(np.nan), FIT, r"7 values are NaN; counts are 0 or more. Give the raw counts"),
    "infinite": (with_values(np.inf), FIT, "7 values are infinite"),
    "negative": (with_values(-1), FIT, "7 values are negative"),
    "logged": (logged, FIT, r"look log-transformed already\. .* pass --already-logged"),
    "fewer cells than neighbors": (
        shaped(n_cells=10),
        FIT,
        "needs at least 15 cells for its 15 neighbors, but there are 10; bring more cells",
    ),
    "fewer cells than clusters": (
        write,
        ("fit", "cells.h5ad", "--n-clusters", 61),
        "n_clusters is 61 but there are 60 cells; choose n_clusters <= 60",
    ),
    "K below 2": (write, ("fit", "cells.h5ad", "--n-clusters", 1), "n_clusters is 1; choose n_clusters >= 2"),
    "one gene": (shaped(n_genes=1), FIT, "at least 2 .*are needed"),
    "constant genes": (constant, FIT, "none of the 50 genes varies between cells"),
    "one gene asked for": (write, (*FIT, "--n-top-genes", 1), "n_top_genes is 1; choose n_top_genes >= 2"),
    "negative epochs": (write, ("fit", "cells.h5ad", "--epochs", -1), "epochs is -1; choose epochs >= 0"),
    "negative seed": (write, (*FIT, "--seed", -1), "seed is -1; choose a whole number from 0"),
    "labels absent": (
        write,
        (*FIT, "--labels", "type"),
        "there is no column 'type' in obs; the columns are: label, batch, depth, layer",
    ),
    "labels where clusters go": (
        lambda adata: write(adata.copy()) if adata.obs.insert(0, "scrcl", "a") is None else None,
        (*FIT, "--labels", "scrcl"),
        "column 'scrcl' is where the clusters are written; rename",
    ),
    "oracle without labels": (
        write,
        (*FIT, "--recipe", "paper/Zeisel", "--protocol", "oracle"),
        "oracle protocol picks the epoch by the true labels",
    ),
    "oracle for robust": (write, (*FIT, "--protocol", "oracle", "--labels", "label"), "exists for paper/ recipes only"),
    "spatial without coordinates": (
        write,
        (*FIT, "--spatial"),
        r"needs coordinates in obsm\['spatial'\], which is missing",
    ),
    "spatial with NaN": (not_a_place, (*FIT, "--spatial"), "some coordinates are NaN or infinite"),
    "spatial with another recipe": (
        write,
        (*FIT, "--spatial", "--recipe", "paper/Zeisel"),
        "--spatial does not go with recipe 'paper/Zeisel'",
    ),
    "unknown recipe": (
        write,
        (*FIT, "--recipe", "best"),
        "there is no recipe 'best'; choose one of consensus, paper/.*, robust",
    ),
    "unknown device": (write, (*FIT, "--device", "tpu"), "device is 'tpu'; choose auto, cuda, mps or cpu"),
    "output is a folder": (folder_at_out, (*FIT, *OUT), "out.h5ad is a folder; give the name of a file inside it"),
    "output's folder is missing": (
        write,
        (*FIT, "--out", "new/out.h5ad"),
        "new/out.h5ad cannot be written: the folder new does not exist; create it first",
    ),
    "output's folder is a file": (file_as_folder, (*FIT, "--out", "file/out.h5ad"), "the folder file does not exist"),
    "JSON's folder is missing": (write, (*FIT, "--json", "new/facts.json"), "the folder new does not exist"),
    "output and JSON are one": (write, (*FIT, *OUT, "--json", "./out.h5ad"), "--out and --json both name out.h5ad"),
    "resume without output": (write, (*FIT, "--resume"), "--resume needs --out"),
    "resume without checkpoint": (
        write,
        (*FIT, *OUT, "--resume"),
        "there is no checkpoint out.h5ad.checkpoint to resume from; start again without --resume",
    ),
    "unknown dataset": (write, ("datasets", "get", "nothing"), "nothing"),
}


@pytest.mark.parametrize(("prepare", "arguments", "message"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_has_a_clear_error_and_writes_nothing(cells, folder, prepare, arguments, message):
    prepare(cells)
    before = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
    fail(message, *arguments)
    assert {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")} == before


def expected_counts(adata):
    adata.X.data[::5] += 0.5
    adata.X.data[0] = 300
    write(adata)


def empty_cells_and_genes(adata):
    values = adata.X.toarray()
    values[:2] = values[:, :3] = 0
    adata.X = sp.csr_matrix(values)
    write(adata)


def duplicate_names(adata):
    adata.obs_names = [adata.obs_names[1], *adata.obs_names[1:]]
    adata.var_names = [adata.var_names[1], *adata.var_names[1:]]
    write(adata)


def constant_gene_when_logged(adata):
    values = np.log1p(adata.X.toarray())
    values[:, 0] = 1
    adata.X = values
    write(adata)


ACCEPTED = {
    "expected counts": (expected_counts, (), r"[\d.]+% of the non-zero values are not integers: taken as expected"),
    "empty cells": (empty_cells_and_genes, (), "2 cells without any count dropped"),
    "empty genes": (empty_cells_and_genes, (), "3 genes without any count dropped"),
    "duplicate cells": (duplicate_names, (), "1 cells had the name of another; a number was added"),
    "duplicate genes": (duplicate_names, (), "1 genes had the name of another; a number was added"),
    "constant gene": (
        constant_gene_when_logged,
        ("--already-logged",),
        "1 genes are the same in every cell and are not",
    ),
    "more genes than there are": (write, ("--n-top-genes", 99), "99 genes asked for, 50 are there: all are used"),
    "logged and said so": (logged, ("--already-logged",), "60 cells in 3 clusters"),
}


@pytest.mark.filterwarnings("ignore:.*names are not unique")
@pytest.mark.parametrize(("prepare", "arguments", "note"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_imperfect_input_is_fitted_and_what_was_done_is_said(cells, folder, prepare, arguments, note):
    prepare(cells)
    assert re.search(note, succeed(*FIT, *arguments).stdout)


# Labels that cannot be scored: the fit is kept


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", None] * 20, "--labels bad gives no scores: 20 of 60 labels are missing"),
        (["a"] * 60, "--labels bad gives no scores: the labels have 1 class; scores need at least 2"),
    ],
)
def test_labels_that_cannot_be_scored_leave_the_result_and_its_facts(cells, folder, labels, message):
    cells.obs["bad"] = pd.Categorical(labels)
    write(cells)
    fail(message + ".*; the clusters are in out.h5ad", *FIT, *OUT, "--labels", "bad", "--json", "facts.json")
    assert "scrcl" in anndata.read_h5ad("out.h5ad").obs
    assert json.loads(Path("facts.json").read_text())["n_clusters"] == 3


# Output that cannot be written


@pytest.mark.parametrize("option", ["--out", "--json"])
def test_existing_output_is_kept_byte_for_byte(source, option):
    Path("mine").write_bytes(b"precious")
    fail("mine exists and is kept; choose another name or pass --overwrite", *FIT, option, "mine")
    assert Path("mine").read_bytes() == b"precious"


def test_output_that_appeared_during_the_fit_is_kept(source, monkeypatch):
    step = training.step

    def step_and_write(*arguments):
        Path("out.h5ad").write_bytes(b"precious")
        return step(*arguments)

    monkeypatch.setattr(training, "step", step_and_write)
    fail("out.h5ad exists and is kept", *FIT, *OUT)
    assert Path("out.h5ad").read_bytes() == b"precious"


def refuse(code):
    def write_bytes(path, content):
        with path.open("wb") as file:
            file.write(bytes(content)[:100])
        raise OSError(code, os.strerror(code))

    return write_bytes


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "out.h5ad was not written: the disk is full; free some space and try again"),
        (errno.EIO, "out.h5ad cannot be written: Input/output error; choose another folder"),
    ],
)
def test_full_disk_leaves_nothing_behind_and_keeps_what_was_there(source, folder, monkeypatch, code, message):
    Path("out.h5ad").write_bytes(b"precious")
    monkeypatch.setattr(Path, "write_bytes", refuse(code))
    fail(message, *FIT, *OUT, "--overwrite")
    assert Path("out.h5ad").read_bytes() == b"precious"
    assert sorted(p.name for p in folder.iterdir()) == ["cells.h5ad", "out.h5ad"]


def test_folder_without_permission_is_found_before_the_fit(source, monkeypatch):
    def touch(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", touch)
    monkeypatch.setattr(training, "step", lambda *_: pytest.fail("the fit was started"))
    fail("out.h5ad cannot be written: Permission denied; choose another folder", *FIT, *OUT)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_really_full_device_is_explained_after_the_result_was_written(source, folder):
    fail("/dev/full was not written: the disk is full; free some space", *FIT, *OUT, "--json", "/dev/full")
    assert "scrcl" in anndata.read_h5ad("out.h5ad").obs


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_json_on_standard_output_is_nothing_but_json(source, folder, name):
    result = succeed(*FIT, "--json", name)
    assert json.loads(result.stdout)["n_clusters"] == 3
    assert "60 cells in 3 clusters" in result.stderr
    assert [p.name for p in folder.iterdir()] == ["cells.h5ad"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_result_and_figure_are_written_into_pipes_which_stay_pipes(source, folder):
    names, got = ("out.h5ad", "figure.png"), {}
    for name in names:
        os.mkfifo(name)
    readers = [threading.Thread(target=lambda n=name: got.update({n: Path(n).read_bytes()})) for name in names]
    for reader in readers:
        reader.start()
    succeed(*FIT, *OUT, "--figure", "figure.png")
    for reader in readers:
        reader.join()
    assert all(Path(name).is_fifo() for name in names)
    assert got["figure.png"].startswith(b"\x89PNG")
    Path("copy.h5ad").write_bytes(got["out.h5ad"])
    assert anndata.read_h5ad("copy.h5ad").obs["scrcl"].nunique() == 3


@pytest.mark.parametrize("name", ["result.xyz", "result", "result.h5ad"])
def test_figure_of_an_unknown_kind_is_refused_before_the_fit(source, monkeypatch, name):
    monkeypatch.setattr(training, "step", lambda *_: pytest.fail("the fit was started"))
    fail(r"ends in (\.xyz|nothing|\.h5ad); choose a name that ends in .png, .pdf, .svg", *FIT, "--figure", name)


@pytest.mark.parametrize("others", [("--json", "a.h5ad"), ("--figure", "b.png", "--json", "./b.png")])
def test_two_outputs_of_one_name_are_refused_before_the_fit(source, monkeypatch, others):
    monkeypatch.setattr(training, "step", lambda *_: pytest.fail("the fit was started"))
    fail("both name .*; give them different names", *FIT, "--out", "a.h5ad", *others)


def test_names_as_nullable_strings_are_written(cells, folder):
    with anndata.settings.override(allow_write_nullable_strings=True):
        cells.obs.index, cells.var.index = (index.astype("string") for index in (cells.obs_names, cells.var_names))
        cells.obs["note"] = pd.array(["a", None, "b"] * 20, dtype="string")
        write(cells)
    assert anndata.read_h5ad("cells.h5ad").obs.index.dtype == "string"
    succeed(*FIT, *OUT)
    result = anndata.read_h5ad("out.h5ad")
    assert list(result.obs_names) == list(cells.obs_names)
    assert list(result.obs["note"].dropna().unique()) == ["a", "b"]


def test_fit_that_would_leave_and_say_nothing_is_refused(source):
    fail("nothing would be kept or said: give --out, .*or leave --quiet out", *FIT, "--quiet")
    assert "The clusters were not kept: --out FILE.h5ad writes them." in succeed(*FIT).stderr


def test_two_fits_of_one_output_do_not_meet(source):
    with claimed(Path("out.h5ad")):
        fail("out.h5ad is being made by another process; wait for it, or choose another name", *FIT, *OUT)
    succeed(*FIT, *OUT)
    assert sorted(os.listdir()) == ["cells.h5ad", "out.h5ad"]


# What stops a fit


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory with 60 cells x 50 genes; lower n_hidden"),
        (training.TrainingError("the total loss is nan in epoch 1"), "the total loss is nan in epoch 1"),
    ],
)
def test_failed_training_is_explained_and_writes_nothing(source, folder, monkeypatch, error, message):
    def step(*_):
        raise error

    monkeypatch.setattr(training, "step", step)
    fail(message, *FIT, *OUT)
    assert [p.name for p in folder.iterdir()] == ["cells.h5ad"]


def test_loss_that_is_not_finite_names_the_epoch(source, monkeypatch):
    losses = {"distribution": 1.0, "neighborhood": float("nan"), "consistency": 1.0, "total": float("nan")}
    monkeypatch.setattr(training, "step", lambda *_: losses)
    fail("the neighborhood loss is nan in epoch 1; choose a smaller learning rate", *FIT, *OUT)


# Ctrl-C and --resume


def interrupt(monkeypatch, epoch, *arguments, times=1, by=signal.SIGINT):
    """Run with a signal (or two) in `epoch`."""
    step, done = training.step, []

    def step_and_signal(*given):
        done.append(1)
        for _ in range(times if len(done) == epoch else 0):
            signal.raise_signal(by)
        return step(*given)

    with monkeypatch.context() as patch:
        patch.setattr(training, "step", step_and_signal)
        return scrcl(*arguments)


LONGER = ("fit", "cells.h5ad", "--n-clusters", "3", "--epochs", "4", *OUT)


def test_ctrl_c_leaves_a_checkpoint_and_resume_ends_where_the_whole_run_would(source, folder, monkeypatch):
    result = interrupt(monkeypatch, 2, *LONGER, "--json", "facts.json")
    assert result.exit_code == 130
    assert "Stopped after epoch 2 of 4; nothing else was written." in result.stderr
    assert "out.h5ad.checkpoint holds the state: the same command with --resume goes on." in result.stderr
    assert sorted(p.name for p in folder.iterdir()) == ["cells.h5ad", "out.h5ad.checkpoint"]

    succeed(*LONGER, "--json", "facts.json", "--resume")
    assert not Path("out.h5ad.checkpoint").exists()
    assert json.loads(Path("facts.json").read_text())["epochs"] == 4
    succeed(*LONGER[:-1], "whole.h5ad")
    resumed, whole = anndata.read_h5ad("out.h5ad"), anndata.read_h5ad("whole.h5ad")
    np.testing.assert_array_equal(resumed.obsm["X_scrcl"], whole.obsm["X_scrcl"])
    assert (resumed.obs["scrcl"] == whole.obs["scrcl"]).all()


def test_sigterm_is_a_clean_stop_like_ctrl_c(source, folder, monkeypatch):
    result = interrupt(monkeypatch, 2, *LONGER, by=signal.SIGTERM)
    assert result.exit_code == 128 + signal.SIGTERM
    assert "Stopped after epoch 2 of 4; nothing else was written." in result.stderr
    assert sorted(p.name for p in folder.iterdir()) == ["cells.h5ad", "out.h5ad.checkpoint"]
    succeed(*LONGER, "--resume")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("place", ["scrcl_edu.fitting.preprocess", "scrcl_edu.saving.write_h5ad"])
def test_sigterm_outside_of_the_training_leaves_no_file_behind(source, folder, monkeypatch, place):
    monkeypatch.setattr(place, lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    result = scrcl(*LONGER)
    assert (result.exit_code, result.stderr.strip()) == (128 + signal.SIGTERM, "Stopped.")
    assert [p.name for p in folder.iterdir()] == ["cells.h5ad"]


def test_ctrl_c_without_out_says_that_nothing_was_written(source, folder, monkeypatch):
    result = interrupt(monkeypatch, 1, *LONGER[:-2])
    assert result.exit_code == 130
    assert "nothing else was written" in result.stderr
    assert "--resume" not in result.stderr
    assert [p.name for p in folder.iterdir()] == ["cells.h5ad"]


def test_second_ctrl_c_stops_at_once(source, folder, monkeypatch):
    result = interrupt(monkeypatch, 1, *LONGER, times=2)
    assert result.exit_code == 130
    assert result.stderr.strip().endswith("Stopped.")
    assert [p.name for p in folder.iterdir()] == ["cells.h5ad"]


def another_version(path):
    state = torch.load(path, weights_only=True)
    torch.save(state | {"version": "0.0.0"}, path)


def other_data(_):
    adata = anndata.read_h5ad("cells.h5ad")
    adata.X[0, adata.X[0].indices[0]] += 1
    write(adata)


BAD_CHECKPOINT = {
    "another version": (another_version, (), rf"is from scrcl_edu 0\.0\.0, this is {re.escape(__version__)}"),
    "other data": (other_data, (), "was made with other data"),
    "other settings": (None, ("--n-top-genes", "30"), r"was made with other (data|n_top_genes)"),
    "other epochs": (None, ("--epochs", "5"), r"was made with other epochs \(4 instead of 5\)"),
    "other seed": (None, ("--seed", "1"), r"was made with other seed \(0 instead of 1\)"),
    "other K": (None, ("--n-clusters", "4"), r"was made with other n_clusters \(3 instead of 4\)"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:5000]), (), "is damaged or not a checkpoint"),
    "foreign": (lambda path: path.write_text("notes"), (), "is damaged or not a checkpoint; delete it and start"),
    "forgotten --resume": (None, None, "of an interrupted run is there; go on from it with --resume, or start again"),
}


@pytest.fixture(scope="module")
def checkpoint(simulated, tmp_path_factory):
    """What Ctrl-C leaves after the first epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("interrupted"))
        adata = simulated.copy()
        del adata.obsm["spatial"]
        write(adata)
        assert interrupt(patch, 1, *LONGER).exit_code == 130
        return Path("out.h5ad.checkpoint").read_bytes()


@pytest.mark.parametrize(("damage", "arguments", "message"), BAD_CHECKPOINT.values(), ids=BAD_CHECKPOINT.keys())
def test_checkpoint_that_cannot_be_continued_is_explained_and_kept(source, checkpoint, damage, arguments, message):
    path = Path("out.h5ad.checkpoint")
    path.write_bytes(checkpoint)
    if damage:
        damage(path)
    before = path.read_bytes()
    fail(message, *LONGER, *(() if arguments is None else ("--resume", *arguments)))
    assert path.read_bytes() == before
    assert not Path("out.h5ad").exists()


def test_overwrite_starts_again_in_spite_of_a_checkpoint(source, checkpoint):
    Path("out.h5ad.checkpoint").write_bytes(checkpoint)
    succeed(*LONGER, "--overwrite")
    assert not Path("out.h5ad.checkpoint").exists()


# The bar is drawn ten times a second at most: epochs of a fifth of a second are seen, and do not end before the signal.
SLOWLY = """
import time
from scrcl_edu import training
from scrcl_edu.cli import main
step = training.step
training.step = lambda *given: (time.sleep(0.2), step(*given))[1]
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_ctrl_c_in_a_terminal_stops_a_real_fit_which_then_resumes(source, folder):
    import pty
    import termios

    arguments = ["fit", source, "--n-clusters", "3", "--epochs", "50", "--out", "out.h5ad"]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))  # without a width there is no bar
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, *arguments], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    seen, deadline = b"", time.monotonic() + 300
    while not re.search(rb"\b[1-9]\d*/50 ", seen):
        assert time.monotonic() < deadline, seen
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    while b"--resume goes on" not in seen:
        assert time.monotonic() < deadline, seen
        seen += os.read(ours, 4096)
    assert process.wait(timeout=120) == 130
    process.stdout.close()
    os.close(ours)
    assert b"Traceback" not in seen
    stopped = int(re.search(rb"Stopped after epoch (\d+) of 50", seen).group(1))
    assert 1 <= stopped < 50
    assert sorted(p.name for p in folder.iterdir()) == ["cells.h5ad", "out.h5ad.checkpoint"]

    succeed(*arguments, "--resume")
    succeed(*arguments[:-1], "whole.h5ad")
    resumed, whole = anndata.read_h5ad("out.h5ad"), anndata.read_h5ad("whole.h5ad")
    np.testing.assert_array_equal(resumed.obsm["X_scrcl"], whole.obsm["X_scrcl"])


# Help, and what it costs


@pytest.mark.parametrize("name", ["", "fit", "run", "build", "datasets", "datasets list", "datasets get", "doctor"])
def test_every_command_has_help(name):
    text = succeed(*name.split(), "--help").output
    assert text.startswith("Usage:")
    assert len(text.splitlines()) > 4


def test_every_option_of_fit_is_explained():
    options = {o.opts[0]: o.help for o in main.commands["fit"].params if o.param_type_name == "option"}
    promised = "--out --n-clusters --recipe --n-top-genes --seed --epochs --device --labels --spatial --already-logged"
    assert set(f"{promised} --resume --overwrite --quiet --json".split()) <= set(options)


def test_version_is_the_package_s():
    assert __version__ in succeed("--version").output


def test_datasets_are_listed():
    for arguments in (["datasets"], ["datasets", "list"]):
        assert "pbmc68k_reduced" in succeed(*arguments).output


def test_wrong_use_is_explained_by_click(source):
    assert scrcl("fit").exit_code == 2
    result = scrcl("fit", source, "--epochs", "many")
    assert result.exit_code == 2
    assert "'many' is not a valid integer" in result.output


def test_help_and_early_errors_do_not_wait_for_torch_or_scanpy(folder):
    Path("out.h5ad").write_bytes(b"precious")
    code = """
import sys
from click.testing import CliRunner
import scrcl_edu
from scrcl_edu.cli import main
assert CliRunner().invoke(main, ["--help"]).exit_code == 0
assert CliRunner().invoke(main, ["fit", "--help"]).exit_code == 0
assert CliRunner().invoke(main, ["fit", "x.h5ad", "--out", "out.h5ad"]).exit_code == 1
print(sorted({"torch", "scanpy", "anndata", "sklearn", "matplotlib", "pandas"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
