"""Files as people have them: each kind that is easily read wrong gives the right counts, a note, or a reason."""

from __future__ import annotations

import csv
import gzip
import json
import pickle
import subprocess
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite
from test_datasets_studies import counts, dense, write_tenx_v3

from scrcl_edu.datasets import open_input, read_input, simulate
from scrcl_edu.errors import DataError, DataNote, InputFileError, ScrclError, SettingsError
from scrcl_edu.fitting import fit
from scrcl_edu.graphs import spatial_graph
from scrcl_edu.preprocessing import preprocess

CELLS = [f"AAAC{i:04d}-1" for i in range(8)]
GENES = [f"FBgn{i:07d}" for i in range(5)]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(counts(8, 5), index=CELLS, columns=GENES)


def in_memory(frame: pd.DataFrame) -> anndata.AnnData:
    matrix = sparse.csr_matrix(frame.to_numpy(np.float32))
    return anndata.AnnData(matrix, obs=frame[[]], var=frame.T[[]])


def notes(adata: anndata.AnnData) -> str:
    return " ".join(adata.uns.get("reading_notes", []))


def assert_holds(adata: anndata.AnnData, frame: pd.DataFrame) -> None:
    assert adata.obs_names.tolist() == frame.index.astype(str).tolist()
    assert adata.var_names.tolist() == frame.columns.astype(str).tolist()
    assert np.array_equal(dense(adata), frame.to_numpy())


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("layer", [False, True])
def test_entries_that_are_there_twice_are_summed_before_the_logarithm(kind, layer, frame):
    once = kind(frame.to_numpy(np.float32))
    ones = np.ones(once.nnz, np.float32)
    twice = (np.stack([once.data - ones, ones], 1).ravel(), np.repeat(once.indices, 2), once.indptr * 2)
    given = anndata.AnnData(kind(twice, shape=once.shape))
    if layer:
        given.layers["counts"], given.X = given.X, None
    expected = anndata.AnnData(once)
    preprocess(given)
    preprocess(expected)
    assert np.array_equal(dense(given), dense(expected))


@pytest.mark.parametrize("place", ["X", "layers/counts", "raw/X"])
@pytest.mark.parametrize("damage", ["negative", "too large", "decreasing"])
def test_a_sparse_matrix_that_points_outside_itself_is_refused_by_name(place, damage, frame, tmp_path):
    adata = in_memory(frame)
    adata.layers["counts"] = adata.X.copy()
    adata.raw = adata
    adata.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        if damage == "decreasing":
            file[place]["indptr"][3] = file[place]["indptr"][-1] + 2
        else:
            file[place]["indices"][2] = -5 if damage == "negative" else 5
    with pytest.raises(ScrclError, match=r"a\.h5ad.*(damaged).*export") as caught:
        read_input(tmp_path / "a.h5ad")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [-1, 8])
def test_the_matrix_of_a_10x_file_is_checked_before_it_is_used(damage, frame, tmp_path):
    write_tenx_v3(tmp_path / "a.h5", frame.to_numpy(), CELLS)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["matrix/indices"][0] = damage
    with pytest.raises(DataError, match="its indices go from"):
        read_input(tmp_path / "a.h5")


def test_a_damaged_matrix_from_python_is_refused_too(frame):
    adata = in_memory(frame)
    adata.X.indices[0] = 10**6
    with pytest.raises(DataError, match=r"X is damaged: its indices go from 0 to 1000000, allowed are 0 to 4"):
        preprocess(adata)


def test_an_anndata_that_is_not_in_memory_is_refused_with_the_fix(frame, tmp_path):
    in_memory(frame).write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(DataError, match=r"adata = adata\.to_memory\(\)"):
        preprocess(anndata.read_h5ad(tmp_path / "a.h5ad", backed="r"))


def test_a_dask_array_is_refused_with_the_fix(frame):
    dask = pytest.importorskip("dask.array", reason="needs dask, which nothing here uses but others' AnnData may hold")
    adata = in_memory(frame)
    adata.X = dask.from_array(frame.to_numpy(np.float32))
    with pytest.raises(DataError, match=r"X is a dask array.*adata = adata\.to_memory\(\)"):
        preprocess(adata)
    preprocess(adata.to_memory())


@pytest.mark.parametrize(
    "genes",
    [
        GENES,
        [f"AT1G{i:05d}" for i in range(5)],
        ["1000", "7157", "672", "1956", "3845"],
        ["NA", "nan", "NULL", "None", ""],
    ],
)
def test_genes_in_rows_are_turned_with_a_note(genes, frame, tmp_path):
    frame.columns = genes
    frame.T.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert_holds(read, frame)
    assert "has genes in its rows" in notes(read)


@pytest.mark.parametrize("turned", [False, True])
def test_names_that_tell_nothing_are_refused_until_the_direction_is_said(turned, frame, tmp_path):
    frame.index, frame.columns = [f"u{i}" for i in range(8)], [f"v{i}" for i in range(5)]
    (frame.T if turned else frame).to_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match="--genes-in-rows or --cells-in-rows"):
        read_input(tmp_path / "a.csv")
    assert_holds(read_input(tmp_path / "a.csv", genes_in_rows=turned), frame)


def test_numbers_about_cells_are_not_taken_for_genes(frame, tmp_path):
    wide = frame.assign(n_counts=frame.sum(axis=1), percent_mito=0.03, cluster=range(8))
    wide.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert_holds(read, frame)
    assert read.obs["cluster"].tolist() == list(range(8))
    assert "n_counts, percent_mito, cluster describe cells" in notes(read)


WIDE = pd.DataFrame(counts(12, 40), index=[f"AAAC{i:04d}-1" for i in range(12)], columns=[f"G{i}" for i in range(40)])


def about_cells() -> dict[str, tuple[np.ndarray, str]]:
    """Columns whose names tell nothing, and what their content says."""
    share = np.linspace(0.01, 0.3, 12)
    return {
        "fraction": (share, "hold fractions or negative numbers"),
        "signed": (np.arange(12) - 20, "hold fractions or negative numbers"),
        "total": (WIDE.sum(axis=1).to_numpy(), "sum up or count the others"),
        "expressed": ((WIDE > 0).sum(axis=1).to_numpy(), "sum up or count the others"),
    }


@pytest.mark.parametrize("kind", about_cells())
@pytest.mark.parametrize("place", [0, 20, 40])
@pytest.mark.parametrize("turned", [False, True])
def test_a_column_that_holds_no_counts_is_not_taken_for_a_gene(kind, place, turned, tmp_path):
    values, why = about_cells()[kind]
    table = WIDE.copy()
    table.insert(place, "strange", values)
    (table.T if turned else table).to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert_holds(read, WIDE)
    assert np.allclose(read.obs["strange"], values)
    assert f"columns strange {why}" in notes(read)


@pytest.mark.parametrize(
    ("place", "values"),
    [(0, np.arange(1, 13)), (40, np.arange(1, 13)), (20, WIDE.sum(axis=1).to_numpy() + np.arange(12) % 2)],
)
def test_a_column_that_may_be_about_cells_stays_a_gene_with_a_note(place, values, tmp_path):
    table = WIDE.copy()
    table.insert(place, "strange", values)
    table.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert_holds(read, table)
    assert "columns strange were taken as genes" in notes(read)


def test_genes_that_look_like_genes_are_left_alone_without_a_word(tmp_path):
    table = WIDE.assign(MALAT1=0, ACTB=1 + np.arange(12))
    table.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert_holds(read, table)
    assert notes(read) == ""


def test_a_table_of_expected_counts_keeps_its_genes(tmp_path):
    table = WIDE + 0.25 * (WIDE > 0) * (np.arange(40) < 35)
    table.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert read.shape == (12, 40)
    assert not len(read.obs.columns)


def test_a_table_with_symbols_and_lengths_beside_its_genes_is_turned(tmp_path):
    table = WIDE.T.set_axis([f"gene{i}" for i in range(40)])
    table.insert(0, "gene_name", [f"Sym{i}" for i in range(40)])
    table.insert(1, "Length", np.arange(40) + 500)
    table.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert np.array_equal(dense(read), WIDE.to_numpy())
    assert read.var["gene_name"].tolist() == [f"Sym{i}" for i in range(40)]
    assert read.var["Length"].tolist() == [*range(500, 540)]


@pytest.mark.parametrize("name", ["__no_feature", "N_unmapped", "nUMI", "cell.type.id"])
def test_rows_that_counting_tools_add_are_not_genes(name, tmp_path):
    table = WIDE.T
    table.loc[name] = np.arange(12) * 100
    table.to_csv(tmp_path / "a.csv")
    read = read_input(tmp_path / "a.csv")
    assert_holds(read, WIDE)
    assert read.obs[name].tolist() == [i * 100 for i in range(12)]


def test_a_table_without_names_loses_neither_a_row_nor_a_column(frame, tmp_path):
    frame.iloc[0] = 0
    frame.to_csv(tmp_path / "a.csv", header=False, index=False)
    read = read_input(tmp_path / "a.csv")
    assert np.array_equal(dense(read), frame.to_numpy())
    assert "has no names" in notes(read)


@pytest.mark.parametrize(
    ("name", "options", "note"),
    [
        ("a.csv", {"sep": ";"}, "semicolons"),
        ("a.csv", {"sep": "\t"}, "tabs"),
        ("a.tsv", {"sep": ","}, "commas"),
        ("a.txt", {"sep": "\t", "encoding": "utf-16"}, "UTF-16"),
        ("a.csv", {"sep": ";", "decimal": ","}, "decimal commas"),
    ],
)
def test_other_signs_and_encodings_are_read_and_said(name, options, note, frame, tmp_path):
    frame = frame + 0.5 if "decimal" in options else frame
    frame.to_csv(tmp_path / name, **options)
    read = read_input(tmp_path / name)
    assert_holds(read, frame)
    assert note in notes(read)


def write_mtx(folder: Path, frame: pd.DataFrame, prefix: str = "", *, turned: bool = False, header: bool = False):
    folder.mkdir(parents=True)
    with gzip.open(folder / f"{prefix}matrix.mtx.gz", "wb") as file:
        mmwrite(file, sparse.coo_matrix(frame.to_numpy() if turned else frame.to_numpy().T))
    (folder / f"{prefix}barcodes.tsv").write_text("\n".join(["barcode"] * header + list(frame.index)))
    (folder / f"{prefix}features.tsv").write_text("\n".join(f"{g}\t{g}\tGene Expression" for g in frame.columns))


@pytest.mark.parametrize(
    ("inner", "options", "note"),
    [
        ("", {"prefix": "GSM1_"}, "GSM1_matrix.mtx.gz was read"),
        ("filtered_feature_bc_matrix", {}, "filtered_feature_bc_matrix/matrix.mtx.gz was read"),
        ("", {"turned": True}, "it was transposed"),
        ("", {"header": True}, "'barcode', the first line"),
    ],
)
def test_10x_folders_as_they_lie_about(inner, options, note, frame, tmp_path):
    write_mtx(tmp_path / "run" / inner, frame, **options)
    read = read_input(tmp_path / "run")
    assert_holds(read, frame)
    assert note in notes(read)


def test_a_folder_of_several_samples_asks_which(frame, tmp_path):
    write_mtx(tmp_path / "all" / "one", frame)
    write_mtx(tmp_path / "all" / "two", frame)
    with pytest.raises(InputFileError, match=r"several matrices \(one/matrix.mtx.gz, two/matrix.mtx.gz\)"):
        read_input(tmp_path / "all")


@pytest.mark.parametrize("version", [1, 2])
def test_space_rangers_folder_gives_the_spots_under_tissue_with_their_places(version, frame, tmp_path):
    (tmp_path / "outs" / "spatial").mkdir(parents=True)
    write_tenx_v3(tmp_path / "outs" / "filtered_feature_bc_matrix.h5", frame.to_numpy(), CELLS)
    places = pd.DataFrame({"barcode": CELLS[::-1], "in_tissue": 1, "array_row": 3, "array_col": 4})
    places = places.assign(y=np.arange(8) * 10, x=np.arange(8) * 7)
    places.loc[0, "in_tissue"] = 0  # the last cell
    name = "tissue_positions_list.csv" if version == 1 else "tissue_positions.csv"
    places.to_csv(tmp_path / "outs" / "spatial" / name, header=version == 2, index=False)
    read = read_input(tmp_path / "outs")
    assert read.obs_names.tolist() == CELLS[:7]
    assert np.array_equal(dense(read), frame.to_numpy()[:7])
    assert read.obsm["spatial"][0].tolist() == [49, 70]
    assert "1 spots outside the tissue" in notes(read)


def test_counts_elsewhere_in_the_file_are_pointed_to_and_taken(frame, tmp_path):
    adata = in_memory(frame)
    adata.raw = adata
    adata.layers["umi"] = adata.X.copy()
    adata.X = adata.X.log1p() - sparse.csr_matrix(np.full(adata.shape, 0.5, np.float32))
    adata.write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(
        DataError, match=r"negative.*Counts are in \.raw \(--raw\) and in layers\['umi'\] \(--layer umi\)"
    ):
        preprocess(read_input(tmp_path / "a.h5ad"))
    for options in ({"raw": True}, {"layer": "umi"}):
        read = read_input(tmp_path / "a.h5ad", **options)
        preprocess(read)
        kept = frame.loc[read.obs_names, read.var_names].to_numpy()
        assert np.array_equal(np.asarray(read.layers["counts"].todense()), kept)
    with pytest.raises(DataError, match="no layer 'other'; the layers are: umi"):
        read_input(tmp_path / "a.h5ad", layer="other")
    with pytest.raises(SettingsError, match="give one of them"):
        read_input(tmp_path / "a.h5ad", layer="umi", raw=True)


def test_expected_counts_are_a_choice_of_their_own(frame, tmp_path):
    adata = in_memory(frame)
    adata.X.data -= np.float32(0.2)
    adata.write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(DataError, match=r"expected counts.*--round"):
        preprocess(read_input(tmp_path / "a.h5ad"))
    read = read_input(tmp_path / "a.h5ad", rounded=True)
    preprocess(read)
    assert np.array_equal(read.layers["counts"].toarray(), frame.loc[read.obs_names, read.var_names].to_numpy())


def test_names_of_pandas_nullable_kind_become_text(frame):
    adata = in_memory(frame)
    adata.obs.index = adata.obs.index.astype("string")
    preprocess(adata)
    assert adata.obs_names.dtype == object


def test_two_genomes_are_named(frame, tmp_path):
    frame.columns = ["GRCh38_A", "GRCh38_B", "mm10___a", "mm10___b", "mm10___c"]
    write_mtx(tmp_path / "run", frame)
    assert "several genomes are there (GRCh38, mm10)" in notes(read_input(tmp_path / "run"))


def half(path: Path, part: str = "X") -> None:
    with h5py.File(path, "r+") as file:
        values = file[part]["data"][:].astype(np.float16)
        del file[part]["data"]
        file[part]["data"] = values


def test_a_layer_with_a_slash_in_its_name_is_read_and_chosen_by_either_name(frame, tmp_path):
    in_memory(frame).write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file.copy("X", "layers/umi/v1")
        file["X/data"][:] = 0.5
    read = read_input(tmp_path / "a.h5ad")
    assert list(read.layers) == ["umi_v1"]
    assert "layers['umi/v1'] is called 'umi_v1'" in notes(read)
    for name in ("umi/v1", "umi_v1"):
        chosen = read_input(tmp_path / "a.h5ad", layer=name).layers["counts"]
        assert np.array_equal(chosen.toarray(), frame.to_numpy())


@pytest.mark.parametrize("place", ["X", "layers/counts", "raw/X"])
@pytest.mark.parametrize("largest", [9, 3000])
def test_half_precision_is_read_and_said_where_it_rounds(place, largest, frame, tmp_path):
    frame.iloc[0, 0] = largest
    adata = in_memory(frame)
    adata.raw, adata.layers["counts"] = adata, adata.X.copy()
    adata.write_h5ad(tmp_path / "a.h5ad")
    half(tmp_path / "a.h5ad", place)
    read = read_input(tmp_path / "a.h5ad")
    part = read.raw.X if place == "raw/X" else read.X if place == "X" else read.layers["counts"]
    assert np.array_equal(part.toarray(), frame.to_numpy())
    assert ("rounds whole numbers above 2,048" in notes(read)) == (largest > 2048)


@pytest.mark.parametrize("place", ["X", "raw/X"])
def test_half_precision_is_checked_as_other_matrices_are(place, frame, tmp_path):
    adata = in_memory(frame)
    adata.raw = adata
    adata.write_h5ad(tmp_path / "a.h5ad")
    half(tmp_path / "a.h5ad", place)
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file[place]["indices"][0] = -2
    with pytest.raises(DataError, match=r"a\.h5ad.*is damaged: its indices go from -2"):
        read_input(tmp_path / "a.h5ad")


def test_dense_half_precision_gives_the_same_values(frame, tmp_path):
    adata = in_memory(frame)
    adata.X = frame.to_numpy(np.float16)
    adata.write_h5ad(tmp_path / "a.h5ad")
    read = read_input(tmp_path / "a.h5ad")
    preprocess(read)
    assert np.array_equal(read.layers["counts"], frame.loc[read.obs_names, read.var_names].to_numpy())


def write_muon(path: Path, adata: anndata.AnnData, parts: list[str]) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "MuData"
        file.create_group("obs")
        for part in parts:
            anndata.io.write_elem(file, f"mod/{part}", adata)


@pytest.mark.parametrize("name", ["m.h5ad", "m.h5mu"])
@pytest.mark.parametrize("parts", [["rna"], ["GEX", "prot"], ["prot", "rna", "atac"], ["only"]])
def test_of_a_muon_file_the_one_part_of_rna_is_read(name, parts, frame, tmp_path):
    write_muon(tmp_path / name, in_memory(frame), parts)
    read = read_input(tmp_path / name)
    assert_holds(read, frame)
    assert "MuData file, of which" in notes(read)
    assert all(part in notes(read) for part in parts)


@pytest.mark.parametrize("parts", [["a", "b"], ["gex", "rna"], []])
def test_a_muon_file_that_leaves_the_part_open_is_refused_with_their_names(parts, frame, tmp_path):
    write_muon(tmp_path / "m.h5mu", in_memory(frame), parts)
    with h5py.File(tmp_path / "m.h5mu", "r+") as file:
        file.require_group("mod")
    with pytest.raises(DataError, match=rf"m\.h5mu.*MuData.*\({', '.join(parts) or 'none'}\).*write_h5ad"):
        read_input(tmp_path / "m.h5mu")


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_is_read_as_h5ad_is(version, frame, tmp_path):
    adata = in_memory(frame)
    adata.layers["log"], adata.obs["kind"] = adata.X.log1p(), pd.Categorical(list("abababab"))
    with anndata.settings.override(zarr_write_format=version):
        adata.write_zarr(tmp_path / "a.zarr")
    read = read_input(tmp_path / "a.zarr")
    assert_holds(read, frame)
    assert read.obs["kind"].tolist() == list("abababab")
    assert np.array_equal(read.layers["log"].toarray(), adata.layers["log"].toarray())


def test_the_one_table_of_a_spatialdata_store_is_read(frame, tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(tmp_path / "s.zarr", mode="w", zarr_format=2)
    anndata.io.write_elem(group, "tables/table", in_memory(frame))
    read = read_input(tmp_path / "s.zarr")
    assert_holds(read, frame)
    assert "SpatialData store, of which table 'table' was read" in notes(read)
    anndata.io.write_elem(group, "tables/other", in_memory(frame))
    with pytest.raises(DataError, match=r"SpatialData store of 2 tables \((other, table|table, other)\)"):
        read_input(tmp_path / "s.zarr")
    assert_holds(read_input(tmp_path / "s.zarr" / "tables" / "table"), frame)


@pytest.mark.parametrize("inside", [[], ["obs"]])
def test_a_zarr_store_without_an_anndata_says_what_is_there(inside, tmp_path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    for name in inside:
        (tmp_path / "a.zarr" / name).mkdir()
        (tmp_path / "a.zarr" / name / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(DataError, match=rf"zarr store holds no AnnData \(.*{inside[0] if inside else 'none'}\).*write"):
        read_input(tmp_path / "a.zarr")


def test_a_pickle_in_a_zarr_store_is_not_run(frame, tmp_path):
    in_memory(frame).write_zarr(tmp_path / "a.zarr")
    names = next(path for path in (tmp_path / "a.zarr" / "obs").iterdir() if path.name == "_index")
    meta = json.loads((names / ".zarray").read_text())
    meta |= {"filters": [{"id": "pickle", "protocol": 5}], "dtype": "|O", "compressor": None}
    (names / ".zarray").write_text(json.dumps(meta))
    (tmp_path / "a.zarr" / ".zmetadata").unlink(missing_ok=True)
    mark = tmp_path / "mark"
    (names / "0").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(InputFileError, match=r"a\.zarr.*pickle"):
        read_input(tmp_path / "a.zarr")
    assert not mark.exists()


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("name", ["a.h5ad.gz", "a.h5.gz", "a.loom.gz", "a.h5ad"])
def test_gzipped_hdf5_is_unpacked_on_the_way(name, frame, tmp_path):
    plain = tmp_path / name.removesuffix(".gz")
    if ".loom" in name:
        write_loom(plain, frame)
    elif ".h5ad" in name:
        in_memory(frame).write_h5ad(plain)
    else:
        write_tenx_v3(plain, frame.to_numpy(), CELLS)
    packed = gzip.compress(plain.read_bytes())
    (tmp_path / name).write_bytes(packed)
    read = read_input(tmp_path / name)
    assert read.obs_names.tolist() == CELLS
    assert np.array_equal(dense(read), frame.to_numpy())
    (tmp_path / name).write_bytes(packed[:-9])
    with pytest.raises(InputFileError, match=rf"{name} is truncated"):
        read_input(tmp_path / name)


def write_loom(path: Path, frame: pd.DataFrame) -> None:
    with h5py.File(path, "w") as file:
        file["matrix"] = frame.to_numpy().T
        file["row_attrs/Gene"] = frame.columns.to_numpy("S")
        file["col_attrs/CellID"] = frame.index.to_numpy("S")


def test_entries_that_are_there_twice_in_a_matrix_market_file_are_summed(frame, tmp_path):
    write_mtx(tmp_path / "run", frame)
    with gzip.open(tmp_path / "run" / "matrix.mtx.gz", "wt") as file:
        file.write(f"%%MatrixMarket matrix coordinate integer general\n5 8 {2 * np.count_nonzero(frame)}\n")
        for gene, cell in np.argwhere(frame.to_numpy().T):
            for value in (frame.iloc[cell, gene] - 1, 1):
                file.write(f"{gene + 1} {cell + 1} {value}\n")
    read = read_input(tmp_path / "run")
    assert_holds(read, frame)


def test_a_first_line_that_lacks_a_separator_is_refused(frame, tmp_path):
    text = frame.to_csv()
    (tmp_path / "a.csv").write_text(text.replace(f"{GENES[1]},", GENES[1], 1))
    with pytest.raises(DataError, match=r"a\.csv: its first line names 5 columns and the second has 6"):
        read_input(tmp_path / "a.csv")


def test_a_table_that_is_cut_within_its_last_value_is_said_to_be(frame, tmp_path):
    frame.iloc[-1, -1] = 42
    (tmp_path / "a.csv").write_text(frame.to_csv()[:-2])
    read = read_input(tmp_path / "a.csv")
    assert dense(read)[-1, -1] == 4
    assert "the last line of a.csv has no end" in notes(read)


@pytest.mark.parametrize("name", ["a.csv", "run/matrix.mtx.gz", "run/barcodes.tsv", "run/features.tsv"])
def test_zero_bytes_in_text_are_refused_before_a_reader_crashes_on_them(name, frame, tmp_path):
    frame.to_csv(tmp_path / "a.csv")
    write_mtx(tmp_path / "run", frame)
    path = tmp_path / name
    packed = name.endswith(".gz")
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    content = content[:60] + bytes(8) + content[68:]
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputFileError, match=rf"{path.name} is damaged: zero bytes stand between its letters"):
        read_input(path if name == "a.csv" else path.parent)


def test_features_of_other_types_are_left_out_with_a_note(frame, tmp_path):
    kinds = ["Gene Expression"] * 3 + ["Antibody Capture", "Gene Expressioo"]
    write_tenx_v3(tmp_path / "a.h5", frame.to_numpy(), CELLS, kinds)
    read = read_input(tmp_path / "a.h5")
    assert np.array_equal(dense(read), frame.to_numpy()[:, :3])
    assert "left out: 1 of type 'Antibody Capture', 1 of type 'Gene Expressioo'" in notes(read)


def test_a_list_of_genes_that_is_cut_off_loses_no_gene_silently(frame, tmp_path):
    write_mtx(tmp_path / "run", frame)
    path = tmp_path / "run" / "features.tsv"
    path.write_text(path.read_text().removesuffix("\tGene Expression"))
    with pytest.raises(DataError, match=r"features\.tsv: line 5 has fewer columns than others"):
        read_input(tmp_path / "run")


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix])
def test_a_row_out_of_order_among_rows_in_order_is_said(kind, tmp_path):
    matrix = kind(WIDE.to_numpy(np.float32))
    adata = anndata.AnnData(matrix, obs=WIDE[[]], var=WIDE.T[[]])
    adata.write_h5ad(tmp_path / "a.h5ad")
    assert notes(read_input(tmp_path / "a.h5ad")) == ""
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        indices = file["X/indices"][:]
        indices[[0, 1]] = indices[[1, 0]]
        file["X/indices"][:] = indices
    n = min(matrix.shape) if kind is sparse.csr_matrix else max(matrix.shape)
    assert f"X: entries of 1 of {n} rows are there twice or out of order" in notes(read_input(tmp_path / "a.h5ad"))
    rng = np.random.default_rng(0)
    for i in range(len(matrix.indptr) - 1):
        order = rng.permutation(np.arange(matrix.indptr[i], matrix.indptr[i + 1]))
        matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]] = matrix.indices[order]
        matrix.data[matrix.indptr[i] : matrix.indptr[i + 1]] = matrix.data[order]
    adata.X = kind((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    adata.write_h5ad(tmp_path / "b.h5ad")
    read = read_input(tmp_path / "b.h5ad")
    assert notes(read) == ""
    assert np.array_equal(read.X.toarray(), WIDE.to_numpy())


def test_a_text_whose_type_is_damaged_is_refused_before_hdf5_reads_it(frame, tmp_path):
    in_memory(frame).write_h5ad(tmp_path / "a.h5ad")
    content = bytearray((tmp_path / "a.h5ad").read_bytes())
    content[content.find(b"\x19\x01", content.find(b"column-order")) + 1] = 0xBD  # of a text of any length
    (tmp_path / "a.h5ad").write_bytes(content)
    with pytest.raises(InputFileError, match=r"a\.h5ad: this is damaged: (obs|var) holds lists of varying length"):
        read_input(tmp_path / "a.h5ad")


def test_a_layer_of_a_loom_file_is_read_when_it_is_named(frame, tmp_path):
    write_loom(tmp_path / "a.loom", frame)
    with h5py.File(tmp_path / "a.loom", "r+") as file:
        file["layers/spliced"] = file["matrix"][:]
        file["matrix"][:] = 0.5
    assert not read_input(tmp_path / "a.loom").layers
    chosen = read_input(tmp_path / "a.loom", layer="spliced").layers["counts"]
    assert np.array_equal(chosen.toarray() if sparse.issparse(chosen) else chosen, frame.to_numpy())
    with pytest.raises(DataError, match=r"a\.loom: there is no layer 'other'; the layers are: spliced"):
        read_input(tmp_path / "a.loom", layer="other")


def test_a_table_in_another_encoding_names_it_and_the_fix(frame, tmp_path):
    frame.index = [f"Zürich_{name}" for name in frame.index]
    frame.to_csv(tmp_path / "a.csv", encoding="latin-1")
    with pytest.raises(
        InputFileError, match=r"a\.csv is damaged or its text is not UTF-8 \(byte 0xfc.*save it as UTF-8"
    ):
        read_input(tmp_path / "a.csv")
    frame.to_csv(tmp_path / "b.csv", encoding="utf-16-le")
    with pytest.raises(InputFileError, match=r"b\.csv is damaged: zero bytes.*save it as UTF-8 if it is UTF-16"):
        read_input(tmp_path / "b.csv")


def test_a_loom_file_without_names_says_that_they_are_numbers(frame, tmp_path):
    write_loom(tmp_path / "a.loom", frame)
    with h5py.File(tmp_path / "a.loom", "r+") as file:
        file.move("col_attrs/CellID", "col_attrs/CelMID")
    read = read_input(tmp_path / "a.loom")
    assert read.obs_names[0] == "cell0"
    assert "no names of cells are there (looked for CellID, obs_names, cell_names)" in notes(read)


def test_a_folder_that_happens_to_have_a_datasets_name_does_not_hide_it(frame, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pbmc68k_reduced").mkdir()
    assert open_input("pbmc68k_reduced").shape == (700, 765)
    write_mtx(tmp_path / "pbmc68k_reduced" / "run", frame)
    read = open_input("pbmc68k_reduced")
    assert read.shape == (8, 5)
    assert "not the dataset of that name" in notes(read)


def test_spots_at_one_place_have_no_neighbors():
    with pytest.raises(DataError, match="all spots are at the same place"):
        spatial_graph(np.ones((20, 2)))


def test_spots_of_several_slices_on_the_same_coordinates_are_said():
    adata = simulate(60, 50, 3, genes_per_program=10, depth=800, related_types=None, layout="layers")
    assert "where another is" not in str(fit(adata.copy(), **SPATIAL).uns["scrcl"]["notes"])
    stacked = adata.obsm["spatial"].copy()
    stacked[30:] = stacked[:30]
    adata.obsm["spatial"] = stacked
    with pytest.warns(DataNote, match="30 spots are where another is: spots of several slices"):
        fit(adata, **SPATIAL)


SPATIAL = {"n_clusters": 3, "epochs": 1, "spatial": True}
REFUSED = "csr_index_negative csr_indptr_decreasing raw_only seurat_scaled zarr_store"


@pytest.mark.shared
def test_every_reported_situation_is_read_right_or_refused_in_one_line(shared):
    with (shared / "inputs" / "cases.tsv").open(encoding="utf-8") as file:
        cases = {row["case"]: shared / "inputs" / row["file"] for row in csv.DictReader(file, delimiter="\t")}
    clean = read_input(cases["clean"])
    preprocess(clean)
    for case, path in cases.items():
        if case in [*REFUSED.split(), "soupx_fractions"]:
            with pytest.raises(ScrclError) as caught:
                preprocess(read_input(path))
            assert "\n" not in str(caught.value)
            continue
        read = read_input(path)
        preprocess(read)
        if case != "fifteen_cells":
            assert np.array_equal(dense(read), dense(clean)), case


FUZZ = """
import sys, warnings
from pathlib import Path
from scrcl_edu.datasets import read_input
from scrcl_edu.errors import ScrclError
from scrcl_edu.preprocessing import preprocess
warnings.simplefilter("ignore")
for path in map(Path, sys.argv[1:]):
    try:
        preprocess(read_input(path))
    except ScrclError:
        pass
    print(path.name, flush=True)
"""


def test_damage_anywhere_in_a_file_ends_in_one_line_or_not_at_all(frame, tmp_path):
    in_memory(frame).write_h5ad(tmp_path / "good")
    content, rng, paths = (tmp_path / "good").read_bytes(), np.random.default_rng(0), []
    for index in range(17):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 10):
            damaged[place] = rng.integers(256)
        paths.append(tmp_path / f"{index}.h5ad")
        paths[-1].write_bytes(bytes(damaged[: rng.integers(1, len(content))] if index % 4 == 0 else damaged))
    ran = subprocess.run([sys.executable, "-c", FUZZ, *map(str, paths)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, (ran.stdout.splitlines()[-1:], ran.stderr[-2000:])
    assert len(ran.stdout.splitlines()) == len(paths)
