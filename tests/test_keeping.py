"""The trained model comes back as it was, beside the cells that it was trained on and beside no others."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
import torch
from test_cli import fail, succeed

import scrcl_edu
from scrcl_edu.datasets import simulate
from scrcl_edu.errors import CheckpointError, DataError, SettingsError
from scrcl_edu.fitting import fit
from scrcl_edu.parts import Parts
from scrcl_edu.training import embed


def cells(seed=0):
    adata = simulate(60, 50, 3, genes_per_program=10, depth=800, related_types=None, seed=seed)
    return adata


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    adata = fit(cells(), n_clusters=3, epochs=3, model_file=folder / "model.pt")
    adata.write_h5ad(folder / "out.h5ad")
    return folder


def parts_of(adata, key="scrcl"):
    return [adata.obsm[f"X_{key}_e1"], adata.obsm[f"X_{key}_e2"], adata.obsm[f"X_{key}_z"]]


def test_the_model_gives_again_what_the_fit_stored(kept):
    adata = anndata.read_h5ad(kept / "out.h5ad")
    model, inputs = scrcl_edu.load_model(kept / "model.pt", adata)
    assert not model.training
    e1, e2, z1, z2, programs = (part.numpy() for part in embed(model, inputs))
    for found, stored in zip((e1, e2, np.hstack([z1, z2])), parts_of(adata), strict=True):
        assert np.array_equal(found, stored)
    assert np.array_equal(programs, adata.varm["scrcl_programs"][adata.var["highly_variable"].to_numpy()])


def test_a_fit_of_another_name_and_with_a_part_of_its_own_comes_back_too(tmp_path):
    parts = Parts(graph=lambda values, n_neighbors: ring(values.shape[0]))
    adata = fit(cells(), n_clusters=3, epochs=1, key_added="mine", parts=parts, model_file=tmp_path / "m.pt")
    model, inputs = scrcl_edu.load_model(tmp_path / "m.pt", adata, key="mine", parts=parts)
    assert np.array_equal(embed(model, inputs)[0].numpy(), parts_of(adata, "mine")[0])
    with pytest.raises(CheckpointError, match="belongs to a fit of other part graph"):
        scrcl_edu.load_model(tmp_path / "m.pt", adata, key="mine")


def ring(n):
    import scipy.sparse as sp

    one = sp.csr_matrix((np.ones(n), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n))
    return one + one.T


def test_a_model_of_other_cells_settings_or_seeds_is_refused(kept):
    for other, what in (
        (fit(cells(seed=1), n_clusters=3, epochs=3), "data"),
        (fit(cells(), n_clusters=4, epochs=3), "n_clusters"),
        (fit(cells(), n_clusters=3, epochs=3, seed=5), "seed"),
    ):
        with pytest.raises(CheckpointError, match=rf"model\.pt belongs to a fit of other {what}.*give the result"):
            scrcl_edu.load_model(kept / "model.pt", other)
    with pytest.raises(DataError, match="no fit called 'scrcl'"):
        scrcl_edu.load_model(kept / "model.pt", cells())


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign", "weights"])
def test_a_file_that_is_no_model_is_explained(kept, damage, tmp_path):
    path, content = tmp_path / "m.pt", (kept / "model.pt").read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "foreign":
        torch.save({"weights": 1}, path)
    elif damage == "weights":
        torch.save(torch.load(kept / "model.pt", weights_only=True) | {"model": {}}, path)
    with pytest.raises(CheckpointError, match=r"m\.pt is (not there|damaged).*--model"):
        scrcl_edu.load_model(path, anndata.read_h5ad(kept / "out.h5ad"))


def test_the_command_line_keeps_it_too_and_nothing_is_replaced_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells().write_h5ad("cells.h5ad")
    arguments = ("fit", "cells.h5ad", "--n-clusters", "3", "--epochs", "1", "--out", "out.h5ad", "--model")
    succeed(*arguments, "model.pt")
    adata = anndata.read_h5ad("out.h5ad")
    model, inputs = scrcl_edu.load_model("model.pt", adata)
    assert np.array_equal(embed(model, inputs)[0].numpy(), parts_of(adata)[0])
    fail("model.h5 ends in .h5; choose a name that ends in .pt", *arguments[:-3], "--model", "model.h5")
    fail("model.pt exists and is kept", *arguments[:-3], "--model", "model.pt")


def test_a_consensus_has_no_model_to_keep(tmp_path):
    with pytest.raises(SettingsError, match=r"no one trained model.*leave model_file out"):
        fit(cells(), n_clusters=3, recipe="consensus", model_file=tmp_path / "m.pt")
