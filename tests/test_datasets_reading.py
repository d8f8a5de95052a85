"""A user's own files: every kind that is read, compared with scanpy's readers, and what can be wrong with one."""

from __future__ import annotations

import contextlib
import gzip
import pickle
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse
from scipy.io import mmwrite
from test_datasets_studies import cell_names, counts, dense, write_tenx_v3

from scrcl_edu.datasets import parsers, read_input
from scrcl_edu.errors import DataError, InputFileError

GENES = ["CD3D", "MS4A1", "NKG7", "LYZ", "PPBP"]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(counts(6, 5), index=cell_names(6), columns=GENES)


def write_tenx_mtx(folder: Path, frame: pd.DataFrame, *, old: bool) -> None:
    """Cell Ranger 2 (genes.tsv, plain) or 3 (features.tsv.gz with types)."""
    folder.mkdir()
    genes = pd.DataFrame({"id": [f"ENSG{i:011d}" for i in range(frame.shape[1])], "name": frame.columns})
    cells = pd.DataFrame(frame.index)
    if old:
        mmwrite(folder / "matrix.mtx", sparse.coo_matrix(frame.to_numpy().T))
        genes.to_csv(folder / "genes.tsv", sep="\t", header=False, index=False)
        cells.to_csv(folder / "barcodes.tsv", sep="\t", header=False, index=False)
        return
    with gzip.open(folder / "matrix.mtx.gz", "wb") as file:
        mmwrite(file, sparse.coo_matrix(frame.to_numpy().T))
    genes.assign(kind="Gene Expression").to_csv(folder / "features.tsv.gz", sep="\t", header=False, index=False)
    cells.to_csv(folder / "barcodes.tsv.gz", sep="\t", header=False, index=False)


def assert_same(adata: anndata.AnnData, other: anndata.AnnData) -> None:
    assert adata.X.dtype == np.float32
    assert np.array_equal(dense(adata), dense(other))
    assert adata.obs_names.tolist() == other.obs_names.tolist()
    assert adata.var_names.tolist() == other.var_names.tolist()


def test_h5ad_comes_back_as_it_was_written(frame, tmp_path):
    adata = anndata.AnnData(sparse.csr_matrix(frame.to_numpy(np.float32)), obs=frame[[]], var=frame.T[[]])
    adata.obs["type"] = pd.Categorical(["a", "b"] * 3)
    adata.obsm["spatial"] = np.ones((6, 2))
    adata.write_h5ad(tmp_path / "a.h5ad")
    read = read_input(tmp_path / "a.h5ad")
    assert_same(read, adata)
    assert read.obs["type"].tolist() == ["a", "b"] * 3
    assert read.obsm["spatial"].shape == (6, 2)


def test_h5ad_without_x_uses_its_counts(frame, tmp_path):
    adata = anndata.AnnData(obs=frame[[]], var=frame.T[[]], layers={"counts": frame.to_numpy(np.float32)})
    adata.write_h5ad(tmp_path / "a.h5ad")
    assert np.array_equal(dense(read_input(tmp_path / "a.h5ad")), frame.to_numpy())
    anndata.AnnData(obs=frame[[]], var=frame.T[[]]).write_h5ad(tmp_path / "b.h5ad")
    with pytest.raises(DataError, match="no matrix X"):
        read_input(tmp_path / "b.h5ad")


def test_tenx_h5_equals_scanpys_reading(frame, tmp_path):
    kinds = ["Gene Expression"] * 4 + ["Antibody Capture"]
    write_tenx_v3(tmp_path / "a.h5", frame.to_numpy(), frame.index.tolist(), kinds)
    read, expected = read_input(tmp_path / "a.h5"), sc.read_10x_h5(tmp_path / "a.h5")
    assert_same(read, expected)
    assert read.var["gene_ids"].tolist() == expected.var["gene_ids"].tolist()


def test_tenx_h5_of_version_2_equals_scanpys_reading(frame, tmp_path):
    matrix = sparse.csc_matrix(frame.to_numpy().T)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("hg19")
        for key in ("data", "indices", "indptr"):
            group[key] = getattr(matrix, key)
        group["shape"] = np.array(matrix.shape)
        group["barcodes"] = np.array(frame.index, "S")
        group["gene_names"] = np.array(GENES, "S")
        group["genes"] = np.array([f"ENSG{i}" for i in range(5)], "S")
    assert_same(read_input(tmp_path / "a.h5"), sc.read_10x_h5(tmp_path / "a.h5"))


@pytest.mark.parametrize("old", [True, False])
def test_tenx_folder_equals_scanpys_reading(old, frame, tmp_path):
    write_tenx_mtx(tmp_path / "run", frame, old=old)
    expected = sc.read_10x_mtx(tmp_path / "run")
    assert_same(read_input(tmp_path / "run"), expected)
    assert_same(read_input(next((tmp_path / "run").glob("matrix.mtx*"))), expected)


def test_genes_that_share_a_symbol_are_kept_apart(frame, tmp_path):
    frame.columns = ["A", "B", "A", "C", "D"]
    write_tenx_mtx(tmp_path / "run", frame, old=True)
    read = read_input(tmp_path / "run")
    assert read.var_names.is_unique
    assert read.var["gene_ids"].is_unique
    assert np.array_equal(dense(read), frame.to_numpy())


@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ","), ("a.csv.gz", ","), ("a.tsv", "\t"), ("a.txt.gz", "\t")]
)
def test_tables_equal_scanpys_reading(name, separator, frame, tmp_path):
    frame.to_csv(tmp_path / name, sep=separator)
    plain = tmp_path / "plain.txt"
    frame.to_csv(plain, sep=separator)
    assert_same(read_input(tmp_path / name), sc.read_csv(plain, delimiter=separator))


def test_a_table_as_r_writes_it_has_no_name_over_its_first_column(frame, tmp_path):
    (tmp_path / "a.csv").write_text(frame.to_csv(index_label=False))
    assert (tmp_path / "a.csv").read_text().startswith("CD3D,")
    read = read_input(tmp_path / "a.csv")
    assert read.obs_names.tolist() == frame.index.tolist()
    assert np.array_equal(dense(read), frame.to_numpy())


@pytest.mark.shared
def test_a_table_with_genes_in_rows_is_recognized_and_turned(shared):
    path = shared / "data" / "sc_mixology" / "sc_celseq2.count.csv.gz"
    read = read_input(path)
    assert "has genes in its rows (gene names are there)" in read.uns["reading_notes"][0]
    assert read.shape == (274, 28204)
    assert read.var_names[0].startswith("ENSG")


def test_the_direction_of_a_table_can_be_given(frame, tmp_path):
    frame.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv", genes_in_rows=True)
    assert read.obs_names.tolist() == GENES
    assert np.array_equal(dense(read), frame.to_numpy().T)


def test_text_columns_of_a_table_become_annotations(frame, tmp_path):
    frame.insert(0, "cell_type", ["B", "T"] * 3)
    frame.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert read.var_names.tolist() == GENES
    assert read.obs["cell_type"].tolist() == ["B", "T"] * 3


def test_a_single_word_among_numbers_is_named_with_its_place(frame, tmp_path):
    frame = frame.astype(object)
    frame.loc["cell_3", "NKG7"] = "12a"
    frame.to_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match="column 'NKG7', row 'cell_3' is '12a'"):
        read_input(tmp_path / "a.csv")


def test_missing_values_of_a_table_stay_for_preprocessing_to_report(frame, tmp_path):
    frame = frame.astype(float)
    frame.iloc[2, 1] = np.nan
    frame.to_csv(tmp_path / "a.csv")
    assert np.isnan(dense(read_input(tmp_path / "a.csv"))).sum() == 1


def test_loom_equals_what_loompy_wrote(frame, tmp_path):
    loompy = pytest.importorskip("loompy", reason="loompy writes the file that is read here")
    path = tmp_path / "a.loom"
    rows = {"Gene": np.array(GENES), "Length": np.arange(5)}
    columns = {"CellID": np.array(frame.index, str), "Region": np.array(["x", "y"] * 3)}
    loompy.create(str(path), frame.to_numpy().T, rows, columns)
    read = read_input(path)
    assert np.array_equal(dense(read), frame.to_numpy())
    assert read.obs_names.tolist() == frame.index.tolist()
    assert read.var_names.tolist() == GENES
    assert read.obs["Region"].tolist() == ["x", "y"] * 3
    assert read.var["Length"].tolist() == list(range(5))


@pytest.mark.shared
def test_the_layout_of_deep_clustering_papers_is_read_too(shared):
    assert read_input(shared / "data" / "scdcc" / "10X_PBMC_top2000.h5").shape == (4271, 2000)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_matrix_is_sparse_exactly_when_that_is_smaller(share):
    values = (np.random.default_rng(0).random((200, 100)) < share).astype(float)
    for given in (values, sparse.csc_matrix(values)):
        kept = parsers.compact(given)
        assert sparse.issparse(kept) == (share < 0.5)
        assert np.array_equal(kept.toarray() if sparse.issparse(kept) else kept, values)


def test_a_path_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputFileError, match=r"pbmc\.h5ad does not exist; check the spelling or give a dataset's name"):
        read_input(tmp_path / "pbmc.h5ad")


def every_kind(folder: Path, frame: pd.DataFrame) -> list[Path]:
    """One file of each kind, written well."""
    adata = anndata.AnnData(sparse.csr_matrix(frame.to_numpy(np.float32)), obs=frame[[]], var=frame.T[[]])
    adata.write_h5ad(folder / "a.h5ad")
    write_tenx_v3(folder / "a.h5", frame.to_numpy(), frame.index.tolist())
    with h5py.File(folder / "a.loom", "w") as file:
        file["matrix"] = frame.to_numpy().T
        file["row_attrs/Gene"], file["col_attrs/CellID"] = np.array(GENES, "S"), np.array(frame.index, "S")
    frame.to_csv(folder / "a.csv.gz")
    write_tenx_mtx(folder / "run", frame, old=False)
    return [folder / "a.h5ad", folder / "a.h5", folder / "a.loom", folder / "a.csv.gz", folder / "run/matrix.mtx.gz"]


@pytest.mark.parametrize("index", range(5))
def test_a_truncated_file_is_said_to_be_damaged(index, frame, tmp_path):
    path = every_kind(tmp_path, frame)[index]
    assert read_input(path).shape == (6, 5)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputFileError, match=r"truncated, damaged.*(again)") as caught:
        read_input(path)
    assert path.parent.name in str(caught.value)


@pytest.mark.parametrize("index", range(5))
def test_bytes_changed_inside_a_file_never_escape_as_another_error(index, frame, tmp_path):
    path = every_kind(tmp_path, frame)[index]
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(25):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 20):
            damaged[place] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        with contextlib.suppress(InputFileError, DataError):
            read_input(path)


@pytest.mark.parametrize("name", ["a.h5ad", "a.h5", "a.loom", "a.csv", "a.tsv", "a.csv.gz"])
def test_an_empty_file_is_named(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(InputFileError, match="is empty"):
        read_input(tmp_path / name)


@pytest.mark.parametrize("name", ["a.h5ad", "a.h5", "a.loom", "a.h5ad.gz"])
def test_an_error_page_under_the_name_of_an_hdf5_file_is_recognized(name, tmp_path):
    (tmp_path / name).write_text("<html>404 not found</html>")
    with pytest.raises(InputFileError, match=r"not an HDF5 file although.*<html"):
        read_input(tmp_path / name)


def test_hdf5_of_an_unknown_layout_says_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["weights"] = np.ones(3)
    with pytest.raises(InputFileError, match="of no layout that is read: it holds weights"):
        read_input(tmp_path / "a.h5")


@pytest.mark.parametrize("name", ["a.xlsx", "a.rds", "a", "a.xlsx.gz", "a.npy", "a.zip"])
def test_other_kinds_are_refused_with_the_list_of_those_that_are_read(name, tmp_path):
    (tmp_path / name).write_bytes(b"PK\x03\x04 something")
    with pytest.raises(InputFileError, match=r"of a kind that is not read.*\.h5ad.*\.loom"):
        read_input(tmp_path / name)


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("name", ["a.pkl", "a.pt", "a.npy", "a.h5ad", "a.csv", "a.csv.gz", "a.loom"])
def test_a_pickle_under_any_name_is_never_run(name, tmp_path):
    content = pickle.dumps(Bomb(tmp_path / "mark"))
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(InputFileError):
        read_input(tmp_path / name)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_table_that_is_not_what_its_name_says_is_refused(name, frame, tmp_path):
    text = frame.to_csv().encode()
    (tmp_path / name).write_bytes(text if name.endswith("gz") else gzip.compress(text))
    with pytest.raises(InputFileError, match="not what its name says"):
        read_input(tmp_path / name)


@pytest.mark.parametrize("text", [",g1,g2\n", ",g1,g2", "just a line\n", "c1\nc2\nc3\n"])
def test_a_table_without_values_is_refused(text, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputFileError, match=r"holds (no|0) "):
        read_input(tmp_path / "a.csv")


def test_a_table_of_words_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("cell,g1,g2\nc1,a,b\nc2,c,d\n")
    with pytest.raises(InputFileError, match="holds no numbers"):
        read_input(tmp_path / "a.csv")


def test_a_folder_without_a_matrix_says_what_it_holds(tmp_path):
    (tmp_path / "notes.md").touch()
    with pytest.raises(InputFileError, match=r"no matrix.mtx\[.gz\] \(it holds notes.md\)"):
        read_input(tmp_path)


def test_names_that_do_not_match_the_matrix_are_counted(frame, tmp_path):
    write_tenx_mtx(tmp_path / "run", frame, old=True)
    (tmp_path / "run" / "barcodes.tsv").write_text("one\ntwo\n")
    with pytest.raises(DataError, match="6 x 5 but there are 2 cell names and 5 gene names"):
        read_input(tmp_path / "run")


def test_a_file_with_no_cells_is_refused(frame, tmp_path):
    empty = frame.iloc[:0]
    anndata.AnnData(empty.to_numpy(np.float32), obs=empty[[]], var=frame.T[[]]).write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputFileError, match="0 cells and 5 genes"):
        read_input(tmp_path / "a.h5ad")


def test_several_genomes_are_refused_with_their_names(frame, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for genome in ("hg19", "mm10"):
            file.create_group(genome)["barcodes"] = np.array(["A"], "S")
    with pytest.raises(DataError, match="several genomes \\(hg19, mm10\\)"):
        read_input(tmp_path / "a.h5")
