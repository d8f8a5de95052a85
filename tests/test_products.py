"""Matrix products: the quickest library that is as exact as float32, never a coarse one, the same after a stop."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch

from scrcl_edu import datasets, products
from scrcl_edu.fitting import fit
from scrcl_edu.products import Measured
from scrcl_edu.training import Interrupted, products_of

CPU = torch.device("cpu")
SETTINGS = {"n_clusters": 3, "epochs": 6, "n_top_genes": 60}


@pytest.fixture(scope="module")
def cells():
    return datasets.simulate(90, 80, 3, genes_per_program=10, seed=0)


@pytest.fixture
def found(monkeypatch):
    """Say what measuring finds."""

    def say(speedup: float, error: float) -> None:
        monkeypatch.setattr(products, "measured", lambda: Measured(speedup, error))

    return say


@pytest.fixture
def small_counts_as_large(monkeypatch):
    monkeypatch.setattr(products, "MUCH", 0)


def test_what_is_chosen_here_is_as_exact_as_float32():
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(300, 700, generator=generator), torch.randn(700, 200, generator=generator)
    with products.taken_as(products.choose(CPU, 1e12)):
        product = a @ b
    exact = a.double() @ b.double()
    assert torch.linalg.norm(product - exact) <= products.LARGEST_ERROR * torch.linalg.norm(exact)


def test_the_bound_refuses_bfloat16():
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(300, 700, generator=generator), torch.randn(700, 200, generator=generator)
    exact, coarse = a.double() @ b.double(), a.bfloat16().double() @ b.bfloat16().double()
    assert torch.linalg.norm(coarse - exact) > 100 * products.LARGEST_ERROR * torch.linalg.norm(exact)


@pytest.mark.parametrize(
    ("speedup", "error", "operations", "chosen"),
    [
        (2.0, 4e-7, 1e12, "medium"),
        (9.0, 1e-3, 1e12, "highest"),  # quick because it is coarse
        (1.1, 4e-7, 1e12, "highest"),
        (2.0, 4e-7, 1e9, "highest"),  # too small to matter
    ],
)
def test_quicker_and_exact_is_taken_and_nothing_else(found, speedup, error, operations, chosen):
    found(speedup, error)
    assert products.choose(CPU, operations) == chosen


def test_what_someone_has_set_by_hand_is_left_alone(found):
    found(2.0, 4e-7)
    with products.taken_as("high"):
        assert products.choose(CPU, 1e12) == "high"


def test_measuring_leaves_random_numbers_and_precision_as_they_were():
    before, precision = torch.get_rng_state(), torch.get_float32_matmul_precision()
    products.measured.cache_clear()
    products.measured()
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_float32_matmul_precision() == precision


def test_a_fit_says_with_what_it_was_trained_and_leaves_the_precision_as_it_was(cells, found, small_counts_as_large):
    found(2.0, 4e-7)
    inside = []
    adata = fit(cells, on_epoch=lambda *_: inside.append(torch.get_float32_matmul_precision()), copy=True, **SETTINGS)
    assert adata.uns["scrcl"]["products"] == "medium"
    assert set(inside) == {"medium"}
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_resumed_fit_multiplies_as_it_began_whatever_is_measured_then(cells, found, small_counts_as_large, tmp_path):

    def stop(epoch: int, _: dict[str, float]) -> None:
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)

    found(2.0, 4e-7)
    whole = fit(cells, copy=True, **SETTINGS)
    path = tmp_path / "state"
    with pytest.raises(Interrupted):
        fit(cells, checkpoint=path, on_epoch=stop, copy=True, **SETTINGS)
    assert products_of(path) == "medium"
    found(0.5, 4e-7)  # a busy moment
    resumed = fit(cells, checkpoint=path, resume=True, copy=True, **SETTINGS)
    assert resumed.uns["scrcl"]["products"] == "medium"
    assert np.array_equal(resumed.obsm["X_scrcl"], whole.obsm["X_scrcl"])


def test_a_checkpoint_from_another_processor_does_not_make_products_coarse(found):
    found(9.0, 1e-3)
    assert products.choose(CPU, 1e12, "medium") == "highest"


def test_of_a_damaged_checkpoint_nothing_can_be_told(tmp_path):
    (tmp_path / "state").write_bytes(b"nothing")
    assert products_of(tmp_path / "state") is None
    assert products_of(None) is None
