"""Files as people have them, from the command line: the same clusters as from a clean file, a note, or one line."""

from __future__ import annotations

import csv
import gzip
import re
import shlex
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from test_cli import scrcl, simulated  # noqa: F401
from test_datasets_kinds import half, write_loom, write_mtx, write_muon
from test_datasets_studies import write_tenx_v3

QUICK = ("--n-clusters", "3", "--epochs", "1")


@pytest.fixture(scope="module")
def frame(simulated) -> pd.DataFrame:  # noqa: F811
    names = [f"AAAC{i:04d}-1" for i in range(simulated.n_obs)]
    return pd.DataFrame(simulated.X.toarray().astype(int), names, simulated.var_names)


@pytest.fixture(scope="module")
def clean(frame, tmp_path_factory) -> anndata.AnnData:
    return fitted(write_clean(frame, tmp_path_factory.mktemp("clean")))[0]


def fitted(path: Path, *arguments: str) -> tuple[anndata.AnnData, str]:
    out = path.parent / f"{path.name}.out.h5ad"
    result = scrcl("fit", path, *QUICK, "--out", out, *arguments)
    assert result.exit_code == 0, result.output
    return anndata.read_h5ad(out), result.output


def in_memory(frame: pd.DataFrame) -> anndata.AnnData:
    return anndata.AnnData(sparse.csr_matrix(frame.to_numpy(np.float32)), obs=frame[[]], var=frame.T[[]])


def write_clean(frame, folder):
    in_memory(frame).write_h5ad(folder / "a.h5ad")
    return folder / "a.h5ad"


def write_zarr(frame, folder):
    in_memory(frame).write_zarr(folder / "a.zarr")
    return folder / "a.zarr"


def write_gzipped(frame, folder):
    path = folder / "a.h5ad.gz"
    path.write_bytes(gzip.compress(write_clean(frame, folder).read_bytes()))
    return path


def write_h5mu(frame, folder):
    write_muon(folder / "a.h5mu", in_memory(frame), ["prot", "rna"])
    return folder / "a.h5mu"


def write_half(frame, folder):
    half(path := write_clean(frame, folder))
    return path


def write_slash(frame, folder):
    path = write_clean(frame, folder)
    with h5py.File(path, "r+") as file:
        file.copy("X", "layers/umi/v1")
        file["X/data"][:] = -1
    return path


def write_raw(frame, folder):
    adata = in_memory(frame)
    adata.raw = adata
    adata.X = adata.X.log1p()
    adata.write_h5ad(folder / "a.h5ad")
    return folder / "a.h5ad"


def write_plant(frame, folder):
    genes = frame.set_axis([f"AT1G{i:05d}" for i in range(frame.shape[1])], axis=1)
    genes.T.to_csv(folder / "a.tsv", sep="\t")
    return folder / "a.tsv"


def write_metadata(frame, folder):
    frame.assign(strange=np.linspace(0.1, 0.2, len(frame)), depth=frame.sum(axis=1)).to_csv(folder / "a.csv")
    return folder / "a.csv"


def write_decimal_commas(frame, folder):
    frame.astype(float).to_csv(folder / "a.csv", sep=";", decimal=",")
    return folder / "a.csv"


def write_prefixed(frame, folder):
    write_mtx(folder / "run", frame, "GSM1_", header=True)
    return folder / "run"


def write_tenx_gz(frame, folder):
    write_tenx_v3(folder / "a.h5", frame.to_numpy(), list(frame.index))
    (folder / "a.h5.gz").write_bytes(gzip.compress((folder / "a.h5").read_bytes()))
    return folder / "a.h5.gz"


def write_loom_file(frame, folder):
    write_loom(folder / "a.loom", frame)
    return folder / "a.loom"


READ = [
    (write_zarr, (), ""),
    (write_gzipped, (), ""),
    (write_h5mu, (), "MuData file, of which 'rna' was read; left out: prot"),
    (write_half, (), ""),
    (write_slash, ("--layer", "umi/v1"), "layers['umi/v1'] is called 'umi_v1'"),
    (write_raw, ("--raw",), ""),
    (write_plant, (), "has genes in its rows (gene names are there)"),
    (write_metadata, (), "columns strange hold fractions or negative numbers"),
    (write_metadata, (), "columns depth sum up or count the others"),
    (write_decimal_commas, (), "has decimal commas"),
    (write_prefixed, (), "GSM1_matrix.mtx.gz was read"),
    (write_tenx_gz, (), ""),
    (write_loom_file, (), ""),
]


@pytest.mark.parametrize(("write", "options", "note"), READ, ids=[f"{w.__name__[6:]} {n[:12]}" for w, _, n in READ])
def test_a_kind_that_is_read_gives_the_clusters_of_the_clean_file(write, options, note, frame, clean, tmp_path):
    adata, said = fitted(write(frame, tmp_path), *options)
    assert note in said
    assert adata.shape == clean.shape
    assert adata.obs["scrcl"].tolist() == clean.obs["scrcl"].tolist()
    assert np.array_equal(adata.obsm["X_scrcl"], clean.obsm["X_scrcl"])


REFUSED = [
    (write_slash, (), r"a\.h5ad: .*negative.*Counts are in layers\['umi_v1'\] \(--layer umi_v1\)"),
    (write_raw, (), r"a\.h5ad: .*log-transformed.*Counts are in \.raw \(--raw\)"),
    (write_clean, ("--layer", "umi"), r"a\.h5ad: there is no layer 'umi'; the layers are: none"),
    (write_clean, ("--raw",), r"a\.h5ad: there is no \.raw; leave --raw out"),
    (write_clean, ("--spatial",), r"a\.h5ad: .*needs coordinates in obsm\['spatial'\]"),
    (write_clean, ("--labels", "type"), r"a\.h5ad: --labels: there is no column 'type' in obs"),
]


@pytest.mark.parametrize(("write", "options", "message"), REFUSED)
def test_a_refusal_is_one_line_that_names_the_file_and_the_fix(write, options, message, frame, tmp_path):
    result = scrcl("fit", write(frame, tmp_path), *QUICK, *options)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert re.search(message, line), line


# Of every row of cases.tsv: exit code, what the output says, and whether the clusters are those of clean.h5ad.
SAME, OTHER, NONE = True, False, None
ROWS = {
    "csr_duplicates": (0, "", SAME),
    "csv_rows_fly": (0, "has genes in its rows", SAME),
    "csv_rows_entrez": (0, "has genes in its rows", SAME),
    "csv_numeric_metadata": (0, "cluster, n_counts, percent_mito describe cells", SAME),
    "tenx_two_genomes_v3": (0, r"several genomes are there \(GRCh38, mm10\)", SAME),
    "csv_no_names": (0, "has no names in its first row and column", SAME),
    "sp_stacked_slices": (0, "60 spots are where another is", OTHER),
    "fifteen_cells": (0, "3 clusters were asked for and 1 found", OTHER),
    "csr_index_negative": (1, r"X is damaged: its indices go from -5 to 199, allowed are 0 to 199; export", NONE),
    "csr_indptr_decreasing": (1, "X is damaged: its indptr decreases; export the file again", NONE),
    "nullable_names": (0, "", SAME),
    "raw_only": (1, r"Counts are in \.raw \(--raw\)", NONE),
    "seurat_scaled": (1, r"values are negative.*Counts are in \.raw \(--raw\)", NONE),
    "slash_layer": (0, "layers.'lognorm/v1'. is called 'lognorm_v1'", SAME),
    "mudata_named_h5ad": (0, "this is a MuData file, of which 'rna' was read", SAME),
    "spaceranger_v1": (0, "with coordinates from tissue_positions_list.csv", OTHER),
    "spaceranger_v2": (0, "with coordinates from tissue_positions.csv", OTHER),
    "mtx_prefix": (0, "GSM6567159_PDAC2_matrix.mtx.gz was read", SAME),
    "mtx_nested": (0, "filtered_feature_bc_matrix/matrix.mtx was read", SAME),
    "mtx_transposed": (0, "it was transposed", SAME),
    "csv_semicolon": (0, "is parted by semicolons", SAME),
    "csv_utf16": (0, "is encoded as UTF-16", SAME),
    "zarr_store": (1, r"zarr store holds no AnnData.*write an \.h5ad", NONE),
    "soupx_fractions": (1, r"expected counts \(SoupX, CellBender\), --round", NONE),
    "csv_gene_called_na": (0, "", SAME),
    "labels_all_different": (1, "--labels truth gives no scores: .*the clusters are in", SAME),
    "figure_bad_suffix": (1, r"ends in \.xyz; choose a name that ends in", NONE),
    "clean": (0, "accuracy", SAME),
}


@pytest.mark.shared
@pytest.mark.slow
def test_every_row_of_the_reported_cases_is_as_its_user_may_expect(shared, tmp_path, monkeypatch):
    with (shared / "inputs" / "cases.tsv").open(encoding="utf-8") as file:
        commands = {
            row["case"]: row["command"].replace("$T", str(tmp_path)) for row in csv.DictReader(file, delimiter="\t")
        }
    assert commands.keys() == ROWS.keys()
    monkeypatch.chdir(shared / "inputs")
    found = {}
    for case, command in sorted(commands.items(), key=lambda row: row[0] != "clean"):
        _, *arguments = shlex.split(command)
        out = tmp_path / f"{case}.h5ad"
        result = scrcl(*arguments, "--epochs", "1", "--out", out)
        code, said, same = ROWS[case]
        assert (case, result.exit_code) == (case, code), result.output
        assert re.search(said, result.output), (case, result.output)
        assert out.exists() == (same is not NONE), case
        errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
        assert len(errors) == code, (case, result.output)
        if same is not NONE:
            found[case] = anndata.read_h5ad(out)
        if same:
            assert np.array_equal(found[case].obsm["X_scrcl"], found["clean"].obsm["X_scrcl"]), case
            assert found[case].obs["scrcl"].tolist() == found["clean"].obs["scrcl"].tolist(), case
    assert found["csv_gene_called_na"].var_names[:3].isin(["NA", "nan", "NULL"]).any()
