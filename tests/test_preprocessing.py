"""Preprocessing against scanpy, and every kind of matrix that it must explain, repair or refuse."""

import re

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from anndata import AnnData
from helpers import relative_error

from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.preprocessing import encoder_features, highly_variable, normalize_log, preprocess

KINDS = pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])


def counts_of(n_cells=120, n_genes=300, seed=0):
    """Overdispersed counts with cells of different depth; every cell and gene has some."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.5, 4, n_genes) * rng.uniform(0.5, 2, (n_cells, 1)) + 0.05
    counts = rng.negative_binomial(1, 1 / (1 + mean)).astype(np.float32)
    counts[np.arange(n_cells), rng.integers(n_genes, size=n_cells)] += 1
    counts[rng.integers(n_cells, size=n_genes), np.arange(n_genes)] += 1
    return counts


def dense(matrix):
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


def notes_of(adata):
    return " | ".join(adata.uns["preprocessing"]["notes"])


@KINDS
def test_normalized_values_are_scanpy_s(kind):
    counts = counts_of()
    oracle = AnnData(counts.copy())
    sc.pp.normalize_total(oracle, target_sum=1e4)
    sc.pp.log1p(oracle)
    ours = normalize_log(kind(counts))
    assert sp.issparse(ours) == (kind is sp.csr_matrix)
    assert ours.dtype == np.float32
    assert relative_error(dense(ours), oracle.X) < 1e-6
    np.testing.assert_allclose(np.expm1(dense(normalize_log(kind(counts), target_sum=50.0))).sum(1), 50, rtol=1e-5)


@KINDS
@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.float64])
def test_counts_of_any_type_are_normalized_to_the_same_values(kind, dtype):
    counts = counts_of()
    before = counts.copy()
    ours = dense(normalize_log(kind(counts.astype(dtype))))
    assert relative_error(ours, dense(normalize_log(kind(counts)))) < 1e-6
    np.testing.assert_array_equal(counts, before)


@KINDS
@pytest.mark.parametrize("n_top_genes", [20, 100])
def test_highly_variable_genes_are_scanpy_s(kind, n_top_genes):
    log_values = normalize_log(counts_of())
    oracle = AnnData(log_values.copy())
    sc.pp.highly_variable_genes(oracle, n_top_genes=n_top_genes)
    given = kind(log_values)
    chosen = highly_variable(given, n_top_genes)
    assert chosen.sum() == n_top_genes
    np.testing.assert_array_equal(chosen, oracle.var["highly_variable"])
    np.testing.assert_array_equal(dense(given), log_values)  # what was given is not changed


@KINDS
def test_seurat_v3_genes_are_scanpy_s_on_counts(kind):
    counts = counts_of()
    oracle = AnnData(counts)
    sc.pp.highly_variable_genes(oracle, flavor="seurat_v3", n_top_genes=60)
    ours = preprocess(AnnData(kind(counts)), n_top_genes=60, flavor="seurat_v3", copy=True)
    np.testing.assert_array_equal(ours.var["highly_variable"], oracle.var["highly_variable"])
    default = preprocess(AnnData(kind(counts)), n_top_genes=60, copy=True)
    assert (default.var["highly_variable"] != ours.var["highly_variable"]).any()


@KINDS
def test_preprocessing_keeps_the_data_contract(kind):
    counts = counts_of()
    adata = AnnData(kind(counts))
    assert preprocess(adata, n_top_genes=50) is None
    np.testing.assert_array_equal(dense(adata.layers["counts"]), counts)
    assert relative_error(dense(adata.X), normalize_log(counts)) < 1e-6
    assert sp.issparse(adata.X) == sp.issparse(adata.layers["counts"]) == (kind is sp.csr_matrix)
    np.testing.assert_array_equal(adata.var["highly_variable"], highly_variable(normalize_log(counts), 50))
    assert adata.uns["preprocessing"]["notes"] == []


def test_a_copy_leaves_the_original_as_it_was():
    adata = AnnData(counts_of())
    adata.X[:, 7] = 0
    before = adata.X.copy()
    ours = preprocess(adata, n_top_genes=50, copy=True)
    np.testing.assert_array_equal(adata.X, before)
    assert adata.n_vars == ours.n_vars + 1
    assert not len(adata.layers)
    assert "highly_variable" not in adata.var


def test_counts_are_taken_from_their_layer_when_there_is_one():
    counts = counts_of()
    twice = AnnData(counts.copy())
    preprocess(twice, n_top_genes=50)
    once = twice.copy()
    preprocess(twice, n_top_genes=50)  # X is logged by now
    np.testing.assert_array_equal(twice.X, once.X)
    np.testing.assert_array_equal(twice.layers["counts"], counts)


@KINDS
def test_features_are_counts_log_or_scanpy_s_scaled_values_of_the_chosen_genes(kind):
    adata = preprocess(AnnData(kind(counts_of())), n_top_genes=80, copy=True)
    chosen = adata.var["highly_variable"].to_numpy()
    np.testing.assert_array_equal(dense(encoder_features(adata)), dense(adata.layers["counts"])[:, chosen])
    np.testing.assert_array_equal(dense(encoder_features(adata, "log")), dense(adata.X)[:, chosen])
    for features, zero_center in (("scaled", True), ("scaled_uncentered", False)):
        oracle = AnnData(dense(adata.X).astype(np.float64)[:, chosen])
        sc.pp.scale(oracle, zero_center=zero_center, max_value=10)
        ours = encoder_features(adata, features)
        assert ours.dtype == np.float32
        assert sp.issparse(ours) == (kind is sp.csr_matrix and not zero_center)
        assert relative_error(dense(ours), oracle.X) < 1e-4
        assert np.abs(dense(ours)).max() <= 10


def test_features_of_an_unknown_form_are_refused():
    adata = preprocess(AnnData(counts_of()), n_top_genes=50, copy=True)
    with pytest.raises(SettingsError, match="features is 'raw'; choose counts, log, scaled or scaled_uncentered"):
        encoder_features(adata, "raw")


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_an_empty_matrix_is_refused(shape):
    message = re.escape(f"the matrix is empty ({shape[0]} cells x {shape[1]} genes)")
    with pytest.raises(DataError, match=message):
        preprocess(AnnData(np.zeros(shape, np.float32)))


def test_an_annotation_without_a_matrix_is_refused():
    with pytest.raises(DataError, match="the matrix is empty"):
        preprocess(AnnData(obs=pd.DataFrame(index=list("abc")), var=pd.DataFrame(index=list("xy"))))


@KINDS
@pytest.mark.parametrize(("wrong", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-3, "negative")])
def test_values_that_are_no_counts_are_refused_and_nothing_is_lost(kind, wrong, word):
    counts = counts_of()
    counts[3, 4] = counts[5, 6] = wrong
    adata = AnnData(kind(counts))
    with pytest.raises(DataError, match=f"2 values are {word}; counts are 0 or more. Give the raw counts"):
        preprocess(adata)
    np.testing.assert_array_equal(dense(adata.X), counts)


def test_text_instead_of_numbers_is_refused():
    with pytest.raises(DataError, match="instead of numbers; leave only genes in its columns"):
        preprocess(AnnData(np.array([["a", "b"], ["c", "d"]])))


@KINDS
def test_expected_counts_are_accepted_and_noted(kind):
    counts = counts_of()
    counts[:, :30] *= 1.25
    values = counts[counts > 0]
    share = np.mean(values != np.rint(values))
    adata = preprocess(AnnData(kind(counts)), n_top_genes=50, copy=True)
    assert f"{share:.1%} of the non-zero values are not integers: taken as expected counts" in notes_of(adata)
    np.testing.assert_array_equal(dense(adata.layers["counts"]), counts)


@KINDS
def test_logged_values_are_detected_explained_and_accepted_when_said_to_be(kind):
    logged = normalize_log(counts_of())
    adata = AnnData(kind(logged))
    with pytest.raises(
        DataError, match=r"look log-transformed already.*--already-logged \(already_logged=True\)"
    ) as error:
        preprocess(adata, n_top_genes=50)
    assert f"none exceeds {logged.max():.2f}" in str(error.value)
    np.testing.assert_array_equal(dense(adata.X), logged)
    preprocess(adata, n_top_genes=50, already_logged=True)
    np.testing.assert_array_equal(dense(adata.X), logged)
    assert "counts" not in adata.layers
    assert adata.uns["preprocessing"]["already_logged"]
    np.testing.assert_array_equal(adata.var["highly_variable"], highly_variable(logged, 50))
    chosen = adata.var["highly_variable"].to_numpy()
    assert relative_error(dense(encoder_features(adata)), np.expm1(logged[:, chosen])) < 1e-6


def test_logged_values_in_x_are_used_as_they_are_beside_a_layer_of_counts():
    counts = counts_of()
    logged = np.log2(counts + 1)
    adata = AnnData(logged.copy(), layers={"counts": counts})
    preprocess(adata, n_top_genes=50, already_logged=True)
    np.testing.assert_array_equal(adata.X, logged)
    np.testing.assert_array_equal(adata.layers["counts"], counts)


@KINDS
def test_counts_said_to_be_logged_are_refused(kind):
    counts = counts_of()
    with pytest.raises(DataError, match=f"already_logged is set but values reach {counts.max():.6g}, which no log"):
        preprocess(AnnData(kind(counts)), already_logged=True)


@KINDS
def test_empty_cells_and_genes_are_dropped_counted_and_reported(kind):
    counts = counts_of()
    counts[[2, 9]] = 0
    counts[:, [1, 5, 8]] = 0
    adata = AnnData(kind(counts), obs=pd.DataFrame({"number": np.arange(120)}, index=[f"c{i}" for i in range(120)]))
    preprocess(adata, n_top_genes=50)
    assert adata.shape == (118, 297)
    assert not {2, 9} & set(adata.obs["number"])
    report = adata.uns["preprocessing"]
    assert (report["cells_dropped"], report["genes_dropped"]) == (2, 3)
    assert "2 cells without any count dropped" in notes_of(adata)
    assert "3 genes without any count dropped" in notes_of(adata)
    np.testing.assert_array_equal(dense(adata.layers["counts"]), np.delete(np.delete(counts, [2, 9], 0), [1, 5, 8], 1))


def test_stored_zeros_are_no_counts():
    counts = sp.csr_matrix(counts_of())
    counts.data[counts.indptr[4] : counts.indptr[5]] = 0
    adata = preprocess(AnnData(counts), n_top_genes=50, copy=True)
    assert adata.uns["preprocessing"]["cells_dropped"] == 1
    assert adata.layers["counts"].nnz == np.count_nonzero(adata.layers["counts"].toarray())


def test_names_that_repeat_are_made_unique_and_noted():
    counts = counts_of(30, 40)
    genes = ["Actb", "Actb", "Actb", *(f"g{i}" for i in range(37))]
    with pytest.warns(UserWarning, match="not unique"):
        adata = AnnData(counts, obs=pd.DataFrame(index=["a", "a", *map(str, range(28))]), var=pd.DataFrame(index=genes))
    preprocess(adata, n_top_genes=20)
    assert adata.var_names.is_unique
    assert adata.obs_names.is_unique
    assert "1 cells had the name of another" in notes_of(adata)
    assert "2 genes had the name of another" in notes_of(adata)


def test_one_gene_is_refused():
    with pytest.raises(
        DataError, match="60 cells x 1 genes with counts are left of 60 cells x 1 genes; at least 2 of each"
    ):
        preprocess(AnnData(counts_of(60, 1)))


def test_one_cell_is_refused():
    with pytest.raises(
        DataError, match="1 cells x 3 genes with counts are left of 2 cells x 3 genes; at least 2 of each"
    ):
        preprocess(AnnData(np.array([[1, 2, 3], [0, 0, 0]], np.float32)))


def test_genes_that_never_vary_are_refused_when_there_are_no_others():
    with pytest.raises(DataError, match="none of the 3 genes varies between cells; there is nothing to tell apart"):
        preprocess(AnnData(np.tile(np.float32([1, 2, 3]), (10, 1))))


@KINDS
def test_constant_genes_among_others_are_left_out_and_noted(kind):
    depth = np.float32(60)
    varying = np.random.default_rng(0).multinomial(40, np.ones(6) / 6, size=50).astype(np.float32)
    counts = np.column_stack([varying, np.full(50, depth - 50), np.full(50, 10)]).astype(np.float32)  # equal depths
    adata = preprocess(AnnData(kind(counts)), copy=True)
    assert "2 genes are the same in every cell and are not used" in notes_of(adata)
    np.testing.assert_array_equal(adata.var["highly_variable"], [True] * 6 + [False] * 2)


@KINDS
@pytest.mark.parametrize("flavor", ["seurat", "seurat_v3"])
def test_more_genes_than_there_are_means_all_of_them_and_a_note(kind, flavor):
    adata = preprocess(AnnData(kind(counts_of(60, 40))), n_top_genes=2000, flavor=flavor, copy=True)
    assert adata.var["highly_variable"].all()
    assert "2000 genes asked for, 40 are there: all are used" in notes_of(adata)


@pytest.mark.parametrize("n_top_genes", [1, 0, -5])
def test_too_few_genes_asked_for_are_refused(n_top_genes):
    with pytest.raises(SettingsError, match=f"n_top_genes is {n_top_genes}; choose at least 2"):
        preprocess(AnnData(counts_of()), n_top_genes=n_top_genes)


@pytest.mark.parametrize("empty_cells", [0, 2])
def test_the_report_survives_h5ad(tmp_path, empty_cells):
    counts = counts_of()
    counts[:empty_cells] = 0
    adata = preprocess(AnnData(sp.csr_matrix(counts)), n_top_genes=50, copy=True)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    back = anndata.read_h5ad(tmp_path / "cells.h5ad")
    before, after = adata.uns["preprocessing"], back.uns["preprocessing"]
    assert list(after.pop("notes")) == before.pop("notes")
    assert after == before
    assert (back.X != adata.X).nnz == (back.layers["counts"] != adata.layers["counts"]).nnz == 0
    np.testing.assert_array_equal(back.var["highly_variable"], adata.var["highly_variable"])
