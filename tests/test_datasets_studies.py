"""Each study's format, on a small file made in exactly that format."""

from __future__ import annotations

import gzip
import inspect
import io
import tarfile
import zipfile
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

from scrcl_edu import datasets
from scrcl_edu.datasets import parsers, registry, studies
from scrcl_edu.datasets.registry import Card, File
from scrcl_edu.errors import DataError, InputFileError

RNG = np.random.default_rng(0)


def counts(n_cells: int, n_genes: int) -> np.ndarray:
    return RNG.poisson(0.7, (n_cells, n_genes)).astype(np.int64)


def cell_names(n: int) -> list[str]:
    return [f"cell_{i}" for i in range(n)]


def dense(adata: anndata.AnnData) -> np.ndarray:
    return adata.X.toarray() if sparse.issparse(adata.X) else adata.X


def write_tenx_v3(path: Path, values: np.ndarray, barcodes: list[str], kinds: list[str] | None = None) -> None:
    """The .h5 of Cell Ranger 3 and later: CSC-like parts of genes x cells."""
    n_cells, n_genes = values.shape
    matrix = sparse.csc_matrix(values.T)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, "S")
        for key in ("data", "indices", "indptr"):
            group[key] = getattr(matrix, key)
        group["shape"] = np.array([n_genes, n_cells])
        features = group.create_group("features")
        features["id"] = np.array([f"ENSG{i:011d}" for i in range(n_genes)], "S")
        features["name"] = np.array([f"GENE{i}" for i in range(n_genes)], "S")
        features["feature_type"] = np.array(kinds or ["Gene Expression"] * n_genes, "S")
        features["genome"] = np.array(["GRCh38"] * n_genes, "S")


def add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def test_every_source_of_the_registry_has_a_parser_that_takes_its_files_and_arguments():
    for card in datasets.cards().values():
        for source in card.sources:
            if source.parser == "embedded":
                parser = datasets.load
                assert card.name == "pbmc68k_reduced"
            elif source.parser == "simulated":
                inspect.signature(datasets.simulate).bind(**source.arguments)
            else:
                parser = parsers.xy_h5 if source.parser == "xy" else getattr(studies, source.parser)
                inspect.signature(parser).bind(*source.files, **source.arguments)
                assert source.files


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([1.0, 2.0, 1.0]), ["1", "2", "1"]),
        (np.array([1, 2, 1]), ["1", "2", "1"]),
        (np.array(["B", "T", "B"], "S"), ["B", "T", "B"]),
    ],
)
def test_xy_files_keep_counts_and_labels_of_any_kind(labels, expected, tmp_path):
    values = counts(3, 5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"], file["Y"], file["ADT_X"] = values, labels, np.ones((3, 2))
    adata = parsers.xy_h5(tmp_path / "a.h5")
    assert np.array_equal(dense(adata), values)
    assert adata.obs["Y"].tolist() == expected
    assert adata.obsm["ADT"].shape == (3, 2)


@pytest.mark.parametrize("as_sparse", [True, False])
def test_cell_blast_files_come_in_the_released_order(as_sparse, tmp_path):
    values = counts(4, 6)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        if as_sparse:
            group, matrix = file.create_group("exprs"), sparse.csr_matrix(values)
            for key in ("data", "indices", "indptr"):
                group[key] = getattr(matrix, key)
            group["shape"] = np.array(values.shape)
        else:
            file["exprs"] = values
        file["obs_names"] = np.array(["a", "b", "c", "d"], "S")
        file["var_names"] = np.array([f"g{i}" for i in range(6)], "S")
        file["obs/cell_type1"] = np.array(["T", "B", "T", "B"], "S")
        file["var/length"] = np.arange(6)
        file.create_group("uns")
    order = tmp_path / "order.txt"
    order.write_text("x\nd\nb\na\nc\n")
    adata = studies.cell_blast(tmp_path / "data.h5", order)
    assert adata.obs_names.tolist() == ["d", "b", "a", "c"]
    assert np.array_equal(dense(adata), values[[3, 1, 0, 2]])
    assert adata.obs["cell_type1"].tolist() == ["B", "B", "T", "T"]
    assert adata.var_names.tolist() == [f"g{i}" for i in range(6)]
    order.write_text("a\nb\n")
    with pytest.warns(UserWarning, match="2 cells, such as 'c', are not in order.txt"):
        assert studies.cell_blast(tmp_path / "data.h5", order).obs_names.tolist() == ["a", "b", "c", "d"]


def test_tabula_muris_facs_drops_spike_ins_and_unlabelled_cells_and_sorts(tmp_path):
    values = counts(4, 3)
    frame = pd.DataFrame(
        values.T, index=["Actb", "ERCC-00002", "Gapdh"], columns=["A1.x.1.1", "B2.x.1.1", "C3.x", "D4"]
    )
    with zipfile.ZipFile(tmp_path / "FACS.zip", "w") as archive:
        archive.writestr("FACS/Lung-counts.csv", frame.to_csv())
        archive.writestr("FACS/Lung_Other-counts.csv", "nothing")
    labels = pd.DataFrame({"cell_ontology_class": ["T cell", "", "B cell", "T cell"], "cell": frame.columns})
    labels.to_csv(tmp_path / "facs.csv")
    droplet = pd.DataFrame({"cell": ["10X_P4_3_AAA"], "cell_ontology_class": ["x"]})
    droplet.to_csv(tmp_path / "droplet.csv")
    (tmp_path / "order.txt").write_text("D4\nC3.x\nA1.x.1.1\n")
    files = [tmp_path / name for name in ("FACS.zip", "order.txt", "droplet.csv", "facs.csv")]
    adata = studies.tabula_muris_facs(*files, tissue="Lung")
    assert adata.obs_names.tolist() == ["D4", "C3.x", "A1.x.1.1"]
    assert adata.var_names.tolist() == ["Actb", "Gapdh"]
    assert np.array_equal(dense(adata), values[[3, 2, 0]][:, [0, 2]])
    assert adata.obs["cell_ontology_class"].tolist() == ["T cell", "B cell", "T cell"]
    with pytest.raises(DataError, match="no counts of 'Heart'"):
        studies.tabula_muris_facs(*files, tissue="Heart")
    with pytest.raises(DataError, match="none of the annotations"):
        studies.tabula_muris_facs(*files[:3], tissue="Lung")


def test_tabula_muris_droplet_joins_the_channels_of_one_tissue(tmp_path):
    expected = {}
    with zipfile.ZipFile(tmp_path / "droplet.zip", "w") as archive:
        for channel, tissue in (("10X_P7_7", "Bladder"), ("10X_P4_3", "Bladder"), ("10X_P4_3", "Bladder_Other")):
            values = counts(2, 3)
            buffer = io.BytesIO()
            mmwrite(buffer, sparse.coo_matrix(values.T))
            folder = f"droplet/{tissue}-{channel}"
            archive.writestr(f"{folder}/matrix.mtx", buffer.getvalue())
            archive.writestr(f"{folder}/genes.tsv", "Xkr4\tXkr4\nERCC-00002\tERCC-00002\nSox17\tSox17\n")
            archive.writestr(f"{folder}/barcodes.tsv", "GGG-1\nAAA-1\n")
            if tissue == "Bladder":
                expected |= {f"{channel}_GGG": values[0, [0, 2]], f"{channel}_AAA": values[1, [0, 2]]}
    labels = pd.DataFrame({"cell": sorted(expected), "cell_ontology_class": ["a", "b", "a", None]})
    labels.to_csv(tmp_path / "labels.csv", index=False)
    adata = studies.tabula_muris_droplet(tmp_path / "droplet.zip", tmp_path / "labels.csv", tissue="Bladder")
    assert adata.obs_names.tolist() == ["10X_P4_3_AAA", "10X_P4_3_GGG", "10X_P7_7_AAA"]
    assert adata.obs["cell_ontology_class"].tolist() == ["a", "b", "a"]
    assert np.array_equal(dense(adata), [expected[name] for name in adata.obs_names])


def zeisel_text(values: np.ndarray, groups: list[int]) -> str:
    n_cells = len(values)
    heads = ["tissue", "group #", "total mRNA mol", "well", "sex", "age", "diameter", "cell_id", "level1class"]
    heads.append("level2class")
    rows = {key: [f"{key}_{i}" for i in range(n_cells)] for key in heads} | {"group #": list(map(str, groups))}
    lines = ["\t".join(["", key, *rows[key]]) for key in heads]
    lines.append("\t".join(["", "(none)"] + [""] * n_cells))
    lines += ["\t".join([f"gene'{g}", "1", *map(str, values[:, g])]) for g in range(values.shape[1])]
    return "\n".join(lines) + "\n"


def test_zeisel_text_gives_the_nine_groups_their_names(tmp_path, monkeypatch):
    values = counts(4, 6)
    (tmp_path / "zeisel.txt").write_text(zeisel_text(values, [1, 3, 3, 9]))
    adata = studies.zeisel(tmp_path / "zeisel.txt")
    assert np.array_equal(dense(adata), values)
    assert adata.obs_names[0] == "cell_id_0"
    assert adata.var_names[0] == "gene'0"
    real = registry.card("Zeisel")
    card = small_card(real, tmp_path, "zeisel.txt", cells=4, genes=6, classes=3)
    monkeypatch.setattr(registry, "cards", lambda: {"Zeisel": card})
    loaded = datasets.load("Zeisel", cache=tmp_path, progress=False)
    assert loaded.obs["label"].tolist() == ["interneurons", "CA1 pyramidal", "CA1 pyramidal", "mural"]


def small_card(real: Card, folder: Path, name: str, **promises: int) -> Card:
    """The card with the promises and the one file of a small example."""
    import dataclasses

    check = f"sha256:{datasets.download.digest(folder / name, 'sha256')}"
    source = dataclasses.replace(real.sources[0], files=(File(name=name, urls=(), check=check),))
    return dataclasses.replace(real, sources=(source,), class_sizes={}, **promises)


def baron_csv(values: np.ndarray, donor: str, types: list[str]) -> bytes:
    frame = pd.DataFrame(values, columns=["A1BG", "INS"], index=[f"{donor}_{i}" for i in range(len(values))])
    frame.insert(0, "barcode", "ACGT")
    frame.insert(1, "assigned_cluster", types)
    return gzip.compress(frame.to_csv().encode())


def test_baron_tar_joins_the_human_donors(tmp_path):
    values = counts(4, 2)
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        add_bytes(archive, "GSM2230758_human2_umifm_counts.csv.gz", baron_csv(values[2:], "human2", ["beta", "alpha"]))
        add_bytes(archive, "GSM2230757_human1_umifm_counts.csv.gz", baron_csv(values[:2], "human1", ["beta", "beta"]))
        add_bytes(archive, "GSM2230761_mouse1_umifm_counts.csv.gz", baron_csv(values[:2], "mouse1", ["beta", "beta"]))
    adata = studies.baron(tmp_path / "raw.tar")
    assert np.array_equal(dense(adata), values)
    assert adata.obs["assigned_cluster"].tolist() == ["beta", "beta", "beta", "alpha"]
    assert adata.obs["donor"].tolist() == ["human1", "human1", "human2", "human2"]


@pytest.mark.parametrize("name", ["../outside.csv", "/outside.csv", "a/../../outside.csv", "..\\outside.csv", "C:/x"])
def test_archives_that_lead_out_of_their_folder_are_refused(name, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    with tarfile.open(folder / "raw.tar", "w") as archive:
        add_bytes(archive, name, b"x")
    with zipfile.ZipFile(folder / "raw.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(InputFileError, match="leads out of its folder"):
        studies.baron(folder / "raw.tar")
    with pytest.raises(InputFileError, match="leads out of its folder"):
        studies.tabula_muris_droplet(folder / "raw.zip", tissue="Lung")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["cache", "raw.tar", "raw.zip"]


def test_archives_with_links_are_refused(tmp_path):
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        link = tarfile.TarInfo("GSM_human1_umifm_counts.csv.gz")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(InputFileError, match="is a link"):
        studies.baron(tmp_path / "raw.tar")


@pytest.mark.shared
@pytest.mark.parametrize("name", ["RNAmix_celseq2", "her2st_B1"])
def test_a_prepared_file_and_what_its_study_published_are_read_alike(name, shared, tmp_path):
    expected = datasets.load(name, cache=shared / "data")
    card = datasets.card(name)
    frame = pd.DataFrame(dense(expected).astype(int), expected.obs_names, expected.var_names)
    if name.startswith("her2st"):
        x, y = (np.array([float(spot.split("x")[side]) for spot in frame.index]) for side in (0, 1))
        pixels = dict(zip(("pixel_x", "pixel_y"), expected.obsm["spatial"].T, strict=True))
        regions = pd.DataFrame({"x": x + 0.04, "y": y - 0.01, **pixels, "label": expected.obs["label"].astype(str)})
        unknown = pd.DataFrame({"x": [99.0, np.nan], "y": [9.0, 1.0], "pixel_x": 0.0, "pixel_y": 0.0})
        frame.loc["99x9"] = 1
        tables = frame, pd.concat([regions, unknown.assign(label="undetermined")]).sample(frac=1, random_state=0)
        separator = "\t"
    else:
        shares = expected.obs["label"].astype(str).str.split("/", expand=True).astype(float)
        shares.columns = ["H2228_prop", "H1975_prop", "HCC827_prop"]
        tables, separator = (frame.T, shares[::-1].assign(outliers=False)), ","
    for table, file in zip(tables, card.sources[0].files, strict=True):
        (tmp_path / file.name).parent.mkdir(exist_ok=True)
        table.to_csv(tmp_path / file.name, sep=separator)
    with pytest.warns(UserWarning, match="could not be verified"):
        found = datasets.load(name, cache=tmp_path)
    assert found.obs_names.tolist() == expected.obs_names.tolist()
    assert found.obs["label"].tolist() == expected.obs["label"].tolist()
    assert np.array_equal(dense(found), dense(expected))
    if "spatial" in expected.obsm:
        np.testing.assert_allclose(found.obsm["spatial"], expected.obsm["spatial"])


def test_the_sample_of_came_is_read_from_inside_its_wheel(tmp_path):
    values, types = counts(6, 4), np.array(["alpha", "beta"])
    content = io.BytesIO()
    with h5py.File(content, "w") as file:  # as anndata 0.7 wrote it
        matrix = sparse.csr_matrix(values)
        x = file.create_group("X")
        x.attrs["shape"] = matrix.shape
        for part in ("data", "indices", "indptr"):
            x[part] = getattr(matrix, part)
        file["obs/index"], file["var/index"] = np.array(cell_names(6), "S"), np.array(["A", "B", "C", "D"], "S")
        for column, names in (("cell_type1", types), ("donor", np.array(["human1", "human2"]))):
            file[f"obs/{column}"] = np.array([0, 1, 1, 0, 1, 0], np.int8)
            file[f"obs/__categories/{column}"] = names.astype("S")
    samples = io.BytesIO()
    with zipfile.ZipFile(samples, "w") as archive:
        archive.writestr("raw.h5ad", content.getvalue())
    with zipfile.ZipFile(tmp_path / "came.whl", "w") as archive:
        archive.writestr("came/sample_data.zip", samples.getvalue())
    adata = studies.came_sample(tmp_path / "came.whl", member="raw.h5ad")
    assert np.array_equal(dense(adata), values)
    assert adata.obs["label"].tolist() == types[[0, 1, 1, 0, 1, 0]].tolist()
    assert adata.obs["donor"].tolist()[:2] == ["human1", "human2"]


def test_human_esc_keeps_expected_counts_as_they_are(tmp_path):
    values = counts(3, 4) + 0.25
    frame = pd.DataFrame(values.T, index=list("wxyz"), columns=["H1_Exp1.001", "DEC_Batch1.004", "NPC_Batch2_x.7"])
    frame.to_csv(tmp_path / "a.csv.gz", index_label="")
    adata = studies.human_esc(tmp_path / "a.csv.gz")
    assert np.array_equal(dense(adata), values.astype(np.float32))
    assert adata.obs["cell_type"].tolist() == ["H1", "DEC", "NPC"]


def test_li_tumor_reads_types_from_names_and_drops_the_unnamed(tmp_path):
    columns = ["RHC3546__Tcell__#C6E879", "RHC3547__NA__#FFFFFF", "RHC3548__Bcell__#C6E870"]
    rows = ["chr1:1-2_A1BG_ENSG00000121410.7", "chr2:1-2_TP53_ENSG00000141510.11"]
    values = counts(3, 2)
    pd.DataFrame(values.T, index=rows, columns=columns).to_csv(tmp_path / "a.csv.gz")
    adata = studies.li_tumor(tmp_path / "a.csv.gz")
    assert adata.obs["cell_type"].tolist() == ["Tcell", "Bcell"]
    assert adata.var["gene"].tolist() == ["A1BG", "TP53"]
    assert np.array_equal(dense(adata), values[[0, 2]])


def test_starmap_rdata_gives_slices_with_coordinates_and_domains(tmp_path):
    rdata = pytest.importorskip("rdata", reason="R files need the extra: pip install 'scrcl_edu[data]'")
    xarray = pytest.importorskip("xarray")
    from rdata.conversion import to_r
    from rdata.parser import RObjectType

    def named_matrix(matrix: xarray.DataArray, converter: to_r.ConverterFromPythonToR) -> object:
        """A matrix with dimnames, as R writes it."""
        attributes = {"dim": np.array(matrix.shape), "dimnames": [matrix["gene"].values, matrix["cell"].values]}
        values = np.ravel(matrix.values, order="F")
        return to_r.build_r_object(
            RObjectType.REAL, value=values, attributes=converter.convert_to_r_attributes(attributes)
        )

    cnts, info, expected = {}, {}, {}
    for slice, n_cells in (("20180417_BZ5_control", 3), ("20180424_BZ14_control", 2)):
        expected[slice] = values = counts(n_cells, 4).astype(float)
        names = [f"{i}x{i}" for i in range(n_cells)]
        cnts[slice] = xarray.DataArray(values.T, dims=["gene", "cell"], coords={"gene": list("abcd"), "cell": names})
        info[slice] = pd.DataFrame(
            {"x": np.arange(n_cells) * 1.5, "y": np.ones(n_cells), "c": ["Smc"] * n_cells, "z": [1.0] * n_cells},
            index=names,
        )
    constructors = dict(to_r.DEFAULT_CLASS_MAP) | {xarray.DataArray: named_matrix}
    path = tmp_path / "starmap_mpfc.RData"
    rdata.write_rda(path, {"starmap_cnts": cnts, "starmap_info": info}, constructor_dict=constructors)
    adata = studies.starmap_rdata(path)
    assert np.array_equal(dense(adata), np.vstack(list(expected.values())))
    assert adata.obs_names.tolist() == ["BZ5_0x0", "BZ5_1x1", "BZ5_2x2", "BZ14_0x0", "BZ14_1x1"]
    assert adata.var_names.tolist() == list("abcd")
    assert set(adata.obs["domain"]) == {"1"}
    assert set(adata.obs["cell_type"]) == {"Smc"}
    assert np.array_equal(adata.obsm["spatial"][:3], [[0, 1], [1.5, 1], [3, 1]])
    assert studies.starmap_rdata(path, slice="BZ14").n_obs == 2


def test_osmfish_keeps_valid_cells_inside_a_region(tmp_path):
    values = counts(4, 3)
    with h5py.File(tmp_path / "a.loom", "w") as file:
        file["matrix"] = values.T
        file["row_attrs/Gene"] = np.array(["a", "b", "c"], "S")
        file["col_attrs/CellID"] = np.array(["778", "779", "780", "781"], "S")
        file["col_attrs/Valid"] = np.array([1, 0, 1, 1])
        file["col_attrs/Region"] = np.array(["Layer 6", "Layer 6", "Excluded", "Pia Layer 1"], "S")
        file["col_attrs/X"], file["col_attrs/Y"] = np.arange(4.0), np.arange(4.0) * 2
        for group in ("layers", "row_graphs", "col_graphs"):
            file.create_group(group)
    adata = studies.osmfish(tmp_path / "a.loom")
    assert adata.obs_names.tolist() == ["778", "781"]
    assert adata.obs["Region"].tolist() == ["Layer 6", "Pia Layer 1"]
    assert np.array_equal(dense(adata), values[[0, 3]])
    assert np.array_equal(adata.obsm["spatial"], [[0, 0], [3, 6]])


def positions_csv(barcodes: list[str]) -> str:
    return "".join(f"{b},1,{i},{2 * i},{100 + i},{500 + i}\n" for i, b in enumerate(barcodes))


def test_dlpfc_keeps_the_labelled_spots_of_its_slice(tmp_path):
    values, barcodes = counts(3, 5), ["AAA-1", "CCC-1", "GGG-1"]
    write_tenx_v3(tmp_path / "a.h5", values, barcodes)
    (tmp_path / "positions.txt").write_text(positions_csv([*barcodes[::-1], "TTT-1"]))
    (tmp_path / "map.tsv").write_text("AAA-1\t151507\tL1\nCCC-1\t151508\tL2\nGGG-1\t151507\tWM\n")
    files = [tmp_path / name for name in ("a.h5", "positions.txt", "map.tsv")]
    adata = studies.dlpfc(*files, sample="151507")
    assert adata.obs_names.tolist() == ["AAA-1", "GGG-1"]
    assert adata.obs["layer_guess"].tolist() == ["L1", "WM"]
    assert np.array_equal(dense(adata), values[[0, 2]])
    assert np.array_equal(adata.obsm["spatial"], [[502, 102], [500, 100]])  # x is the pixel column, y the row
    (tmp_path / "positions.txt").write_text(positions_csv(barcodes[:2]))
    with pytest.raises(DataError, match="'GGG-1' has counts but no position"):
        studies.dlpfc(*files, sample="151507")


@pytest.mark.shared
def test_dlpfc_finds_the_labelled_spots_of_the_real_slice_151507(shared, tmp_path):
    metadata = pd.read_csv(shared / "data" / "dlpfc" / "DLPFC_151507_metadata.tsv", sep="\t", dtype=str)
    write_tenx_v3(tmp_path / "a.h5", counts(len(metadata), 2), metadata["barcode"].tolist())
    positions = metadata[["barcode", "tissue", "row", "col", "imagerow", "imagecol"]]
    positions.to_csv(tmp_path / "positions.txt", header=False, index=False)
    layers = metadata[["barcode", "sample_name", "layer_guess"]].dropna()
    layers.to_csv(tmp_path / "map.tsv", sep="\t", header=False, index=False)
    adata = studies.dlpfc(*(tmp_path / name for name in ("a.h5", "positions.txt", "map.tsv")), sample="151507")
    card = registry.card("151507")
    assert (adata.n_obs, adata.obs["layer_guess"].nunique()) == (card.cells, card.classes)
    assert adata.obs["layer_guess"].tolist() == metadata["layer_guess"].dropna().tolist()


@pytest.mark.parametrize("header", [False, True])
def test_visium_joins_counts_places_and_annotation(header, tmp_path):
    values, barcodes = counts(3, 5), ["AAA-1", "CCC-1", "GGG-1"]
    write_tenx_v3(tmp_path / "a.h5", values, barcodes)
    text = positions_csv(barcodes)
    if header:
        text = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n" + text
    with tarfile.open(tmp_path / "spatial.tar.gz", "w:gz") as archive:
        add_bytes(archive, "spatial/scalefactors_json.json", b"{}")
        name = "tissue_positions.csv" if header else "tissue_positions_list.csv"
        add_bytes(archive, f"spatial/{name}", text.encode())
    (tmp_path / "metadata.tsv").write_text("ID\tfine_annot_type\nGGG-1\tTumor_edge_1\nAAA-1\tDCIS/LCIS_2\n")
    files = [tmp_path / name for name in ("a.h5", "spatial.tar.gz", "metadata.tsv")]
    adata = studies.visium(*files, label="fine_annot_type")
    assert adata.obs["fine_annot_type"].tolist() == ["DCIS/LCIS_2", "Tumor_edge_1"]
    assert np.array_equal(adata.obsm["spatial"], [[500, 100], [502, 102]])
    assert np.array_equal(dense(adata), values[[0, 2]])
    with pytest.raises(DataError, match="no column 'ground_truth'"):
        studies.visium(*files, label="ground_truth")


def test_mosta_takes_the_counts_layer(tmp_path):
    values = counts(3, 4)
    adata = anndata.AnnData(np.log1p(values.astype(np.float32)), obs=pd.DataFrame(index=cell_names(3)))
    adata.layers["count"] = sparse.csr_matrix(values)
    adata.obs["annotation"] = ["Brain", "Heart", "Brain"]
    adata.obsm["spatial"] = np.ones((3, 2))
    adata.write_h5ad(tmp_path / "a.h5ad")
    loaded = studies.mosta(tmp_path / "a.h5ad")
    assert np.array_equal(dense(loaded), values)
    assert loaded.obs["annotation"].tolist() == ["Brain", "Heart", "Brain"]


@pytest.mark.parametrize("parser", ["baron", "zeisel", "osmfish", "human_esc", "starmap_rdata", "mosta", "li_tumor"])
def test_a_foreign_file_gives_one_error_that_names_it(parser, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"\x1f\x8bnot at all")
    card = next(c for c in registry.cards().values() if c.sources[0].parser == parser)
    card = small_card(card, tmp_path, "file")
    monkeypatch.setattr(registry, "cards", lambda: {card.name: card})
    with pytest.raises(InputFileError, match=r"file is (truncated, damaged, or not of the kind|damaged or its text)"):
        datasets.load(card.name, cache=tmp_path, progress=False)
