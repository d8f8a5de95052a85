"""The simulator against what it promises: scipy's negative binomial, closed forms, and its own truth."""

from __future__ import annotations

import tracemalloc

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scrcl_edu.datasets.simulated import simulate
from scrcl_edu.errors import SettingsError

ONE_TYPE = {"n_types": 1, "related_types": None, "depth_spread": 0.0}


def mean_counts(adata, mask=None) -> np.ndarray:
    counts = adata.X if mask is None else adata.X[np.asarray(mask)]
    return np.asarray(counts.mean(axis=0)).ravel()


def homogeneous(**changes) -> anndata.AnnData:
    return simulate(20_000, 30, n_programs=1, genes_per_program=20, depth=60, **ONE_TYPE, **changes)


@pytest.mark.parametrize("overdispersion", [0.0, 0.3, 2.0])
def test_variance_is_mean_plus_overdispersion_times_mean_squared(overdispersion):
    counts = homogeneous(overdispersion=overdispersion).X.toarray().astype(float)
    mean, variance = counts.mean(0), counts.var(0)
    expected = mean + overdispersion * mean**2
    fourth = ((counts - mean) ** 4).mean(0)
    standard_error = np.sqrt((fourth - variance**2) / len(counts)) + (1 + 2 * overdispersion * mean) * np.sqrt(
        variance / len(counts)
    )
    assert (np.abs(variance - expected) < 4 * standard_error).all()


def test_counts_follow_scipys_negative_binomial():
    counts = homogeneous(overdispersion=0.5).X.toarray()
    for gene in np.argsort(counts.mean(0))[[0, 10, 20, 29]]:
        mean = counts[:, gene].mean()
        law = stats.nbinom(2.0, 2.0 / (2.0 + mean))  # size 1 / overdispersion
        top = int(law.ppf(0.999))
        observed = np.bincount(np.minimum(counts[:, gene].astype(int), top + 1), minlength=top + 2)
        expected = len(counts) * np.append(law.pmf(np.arange(top + 1)), law.sf(top))
        assert stats.chisquare(observed, expected, ddof=1).pvalue > 1e-4


def test_genes_of_a_cell_are_independent_given_its_type_and_depth():
    correlation = np.corrcoef(homogeneous(overdispersion=0.5).X.toarray().T)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 5 / np.sqrt(20_000)


def test_depths_are_log_normal_and_cells_reach_them():
    adata = simulate(20_000, 300, n_types=1, related_types=None, depth=500, depth_spread=0.4, overdispersion=0.0)
    logs = np.log(adata.obs["depth"])
    assert stats.kstest(logs, stats.norm(np.log(500), 0.4).cdf).pvalue > 1e-4
    surprise = (np.asarray(adata.X.sum(1)).ravel() - adata.obs["depth"]) / np.sqrt(adata.obs["depth"])  # Poisson sums
    assert abs(surprise.mean()) < 4 / np.sqrt(20_000)
    assert abs(surprise.std() - 1) < 0.03


def test_dropout_loses_weak_genes_first_and_at_the_stated_rate():
    changes = {"overdispersion": 0.2, "seed": 3}
    full = mean_counts(homogeneous(**changes))
    lossy = mean_counts(homogeneous(dropout=0.6, **changes))
    expected = full * (1 - 0.6 / (1 + full))
    assert np.allclose(lossy, expected, rtol=0.1)
    assert np.corrcoef(full, lossy / full)[0, 1] > 0.5


def test_markers_and_program_genes_rise_by_their_fold_change():
    adata = simulate(6000, 600, n_types=3, related_types=None, imbalance=1, marker_fold=8, program_fold=3, depth=2000)
    baseline = (adata.var["program"] == "none").to_numpy()
    for name in adata.obs["label"].cat.categories:
        inside = mean_counts(adata, adata.obs["label"] == name)
        marker = (adata.var["marker"] == name).to_numpy()
        weaker = (adata.var["program"] == name.replace("type", "program")).to_numpy() & ~marker
        other = next(t for t in adata.obs["label"].cat.categories if t != name)
        fold = inside / mean_counts(adata, adata.obs["label"] == other)
        fold = fold / np.median(fold[baseline])
        assert marker.sum() == 10
        assert weaker.sum() == 20
        assert np.isclose(np.exp(np.log(fold[marker]).mean()), 8, rtol=0.1)
        assert np.isclose(np.exp(np.log(fold[weaker]).mean()), 3, rtol=0.1)


def test_stored_programs_explain_every_type():
    adata = simulate(4000, 400, n_types=4, relatedness=0.3, imbalance=1, depth=2000)
    truth = adata.uns["simulation"]["type_programs"] @ adata.varm["programs"].T  # (n_types, n_genes), log folds
    means = np.stack([mean_counts(adata, adata.obs["label"] == f"type_{t}") for t in range(4)])
    observed = np.log(means[1:] / means[0])
    expected = truth[1:] - truth[0]
    expected += np.median(observed - expected, axis=1, keepdims=True)  # the profiles sum to one
    assert np.median(np.abs(observed - expected)) < 0.05


@pytest.mark.parametrize("relatedness", [0.0, 0.5, 1.0])
def test_relatedness_is_the_share_of_the_log_difference_that_is_gone(relatedness):
    adata = simulate(4000, 400, n_types=4, related_types=(2, 3), relatedness=relatedness, imbalance=1, depth=2000)
    means = [mean_counts(adata, adata.obs["label"] == f"type_{t}") for t in (2, 3)]
    log_fold = np.log(means[0] / means[1])
    log_fold -= np.median(log_fold[(adata.var["program"] == "none").to_numpy()])
    observed = log_fold[(adata.var["marker"] == "type_2").to_numpy()].mean()
    assert abs(observed - (1 - relatedness) * np.log(8)) < 0.1


def test_relatedness_leaves_the_other_types_and_the_programs_alone():
    near, far = (simulate(300, 400, n_types=4, relatedness=r) for r in (0.9, 0.0))
    assert (near.var["program"] == far.var["program"]).all()
    assert (near.obs["label"] == far.obs["label"]).all()
    activities = [a.uns["simulation"]["type_programs"] for a in (near, far)]
    assert np.array_equal(activities[0][[0, 2, 3]], activities[1][[0, 2, 3]])
    assert not np.array_equal(activities[0][1], activities[1][1])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 8), st.integers(1, 12), st.integers(0, 400), st.floats(1, 1000), st.integers(0, 2**32 - 1))
def test_class_sizes_fall_sum_up_and_keep_the_rare(n_types, min_cells, extra, imbalance, seed):
    n_cells = n_types * min_cells + extra
    adata = simulate(
        n_cells, n_types * 4, n_types, n_programs=n_types, genes_per_program=3, n_markers=1, related_types=None,
        imbalance=imbalance, min_cells=min_cells, depth=2, seed=seed,
    )  # fmt: skip
    sizes = adata.obs["label"].value_counts(sort=False).to_numpy()
    assert adata.shape == (n_cells, n_types * 4)
    assert sizes.sum() == n_cells
    assert sizes.min() >= min_cells
    assert (np.diff(sizes) <= 0).all()


def test_largest_class_is_imbalance_times_the_rarest():
    sizes = simulate(6100, 300, n_types=5, imbalance=16, depth=2).obs["label"].value_counts(sort=False).to_numpy()
    assert np.allclose(sizes[:-1] / sizes[1:], 2, atol=0.02)  # 16 = 2^4


def test_batches_scale_genes_by_the_stated_strength_and_ignore_types():
    shape = {"n_types": 2, "n_batches": 2, "imbalance": 1, "depth": 1000}
    adata = simulate(6000, 400, batch_strength=0.4, **shape)
    means = [mean_counts(adata, adata.obs["batch"] == f"batch_{b}") for b in range(2)]
    assert abs(np.log(means[0] / means[1]).std() - 0.4 * np.sqrt(2)) < 0.08
    plain = simulate(6000, 400, batch_strength=0.0, **shape)
    means = [mean_counts(plain, plain.obs["batch"] == f"batch_{b}") for b in range(2)]
    assert np.log(means[0] / means[1]).std() < 0.1
    table = np.array(adata.obs.groupby(["label", "batch"], observed=False).size().unstack())
    assert stats.chi2_contingency(table).pvalue > 1e-4
    assert (table.sum(0) == 3000).all()


def test_layers_are_bands_of_one_type_in_order():
    adata = simulate(1500, 300, n_types=4, layout="layers", depth=5)
    assert adata.obsm["spatial"].shape == (1500, 2)
    assert (adata.obs["layer"].cat.codes.to_numpy() == adata.obs["label"].cat.codes.to_numpy()).all()
    across, down = adata.obsm["spatial"].T / np.sqrt(1500)
    flat = down - 0.1 * np.sin(np.pi * across)
    order = adata.obs["layer"].cat.codes.to_numpy()[np.argsort(flat)]
    assert (np.diff(order) >= 0).all()


def test_mixing_moves_cells_between_layers_and_keeps_all_sizes():
    adata = simulate(4000, 300, n_types=4, layout="layers", imbalance=1, mixing=0.4, depth=5)
    label, layer = adata.obs["label"].cat.codes.to_numpy(), adata.obs["layer"].cat.codes.to_numpy()
    assert np.array_equal(np.bincount(label), np.bincount(layer))
    assert abs((label != layer).mean() - 0.4 * 0.75) < 0.03  # a quarter of the moved land in a layer of their type


def test_the_seed_decides_everything():
    first, again, other = (simulate(500, 300, n_batches=2, layout="layers", dropout=0.2, seed=s) for s in (1, 1, 2))
    assert (first.X != again.X).nnz == 0
    assert first.obs.equals(again.obs)
    assert first.var.equals(again.var)
    assert np.array_equal(first.obsm["spatial"], again.obsm["spatial"])
    assert (first.X != other.X).nnz > 0
    assert not first.var.equals(other.var)


def test_the_blocks_leave_no_trace(monkeypatch):
    many = simulate(4000, 100, 2, genes_per_program=20, depth=100)
    monkeypatch.setattr("scrcl_edu.datasets.simulated.BLOCK_MOLECULES", 1000)
    few = simulate(4000, 100, 2, genes_per_program=20, depth=100)
    assert many.obs.equals(few.obs)
    assert many.var.equals(few.var)
    assert np.allclose(mean_counts(many), mean_counts(few), rtol=0.15, atol=0.1)


def test_counts_are_sparse_float32_whole_and_canonical():
    counts = simulate(500, 300, dropout=0.3).X
    assert isinstance(counts, sp.csr_matrix)
    assert counts.dtype == np.float32
    assert (counts.data >= 1).all()
    assert (counts.data == np.rint(counts.data)).all()
    indices = [counts.indices[a:b] for a, b in zip(counts.indptr[:-1], counts.indptr[1:], strict=True)]
    assert all((np.diff(row) > 0).all() for row in indices)


def test_memory_follows_the_nonzeros_not_the_dense_size():
    tracemalloc.start()
    adata = simulate(100_000, 5000, depth=20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    dense = 4 * 100_000 * 5000
    assert peak < 3 * 8 * adata.X.nnz + 120e6 < dense / 10


def test_everything_survives_h5ad(tmp_path):
    adata = simulate(200, 300, layout="layers", n_batches=2)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    back = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert (adata.X != back.X).nnz == 0
    assert adata.obs.equals(back.obs)
    assert adata.var.equals(back.var)
    written, read = adata.uns["simulation"], back.uns["simulation"]
    assert np.array_equal(written["type_programs"], read["type_programs"])
    assert set(read["settings"]) == set(written["settings"])
    assert read["settings"]["depth"] == 2000
    assert list(read["settings"]["related_types"]) == ["type_0", "type_1"]


@pytest.mark.parametrize(
    ("changes", "says", "fix"),
    [
        ({"n_cells": 0}, "n_cells is 0", "whole number of at least 1"),
        ({"n_cells": 2.5}, "n_cells is 2.5", "whole number"),
        ({"n_cells": 20}, "n_cells is 20", "raise n_cells, or lower n_types or min_cells"),
        ({"n_genes": 100}, "n_genes is 100", "choose genes_per_program <= 11"),
        ({"n_programs": 3}, "n_programs is 3", "choose n_programs >= 6"),
        ({"n_markers": 31}, "n_markers is 31", "choose n_markers <= 30"),
        ({"relatedness": 1.5}, "relatedness is 1.5", "from 0 to 1"),
        ({"related_types": (0, 6)}, r"related_types is \(0, 6\)", "from 0 to 5"),
        ({"related_types": (1, 1)}, r"related_types is \(1, 1\)", "two different types"),
        ({"dropout": float("nan")}, "dropout is nan", "from 0 to 1"),
        ({"depth": -1}, "depth is -1", "at least"),
        ({"imbalance": "high"}, "imbalance is 'high'", "a number of at least 1"),
        ({"n_batches": 3000}, "n_batches is 3000", "choose n_batches <= n_cells"),
        ({"layout": "rings"}, "layout is 'rings'", "choose 'layers'"),
        ({"mixing": 0.5}, "mixing is 0.5", "add layout='layers'"),
        ({"seed": None}, "seed is None", "whole number"),
    ],
)
def test_bad_settings_name_the_value_and_the_fix(changes, says, fix):
    with pytest.raises(SettingsError, match=f"{says}.*{fix}"):
        simulate(**changes)
