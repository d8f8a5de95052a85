"""The quick search finds exactly the neighbors that a search in double precision finds."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scrcl_edu import products
from scrcl_edu.neighbors import nearest_others

METRICS = ("cosine", "euclidean")


def distances(values: np.ndarray, metric: str) -> np.ndarray:
    """All pairs in double precision, by the definition; a row is infinitely far from itself."""
    rows = values.astype(np.float64)
    if metric == "cosine":
        lengths = np.linalg.norm(rows, axis=1)
        safe = np.where(lengths > 0, lengths, 1)
        apart = 1 - (rows @ rows.T) / np.outer(safe, safe)
    else:
        apart = np.linalg.norm(rows[:, None] - rows[None], axis=2) ** 2
    np.fill_diagonal(apart, np.inf)
    return apart


def as_far_as_the_nearest(values: np.ndarray, found: np.ndarray, metric: str) -> bool:
    """Whether the rows found are as near as the nearest ones: with ties several answers are right."""
    apart = distances(values, metric)
    n_others = found.shape[1]
    nearest = np.sort(apart, axis=1)[:, :n_others]
    chosen = np.sort(np.take_along_axis(apart, found, axis=1), axis=1)
    each_once = all(len(set(row)) == n_others for row in found)
    return each_once and np.allclose(chosen, nearest, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_neighbors_are_those_of_double_precision(metric, kind):
    rng = np.random.default_rng(0)
    values = (rng.random((1100, 60)) * (rng.random((1100, 60)) < 0.4)).astype(np.float32)
    found = nearest_others(kind(values), 14, metric)
    expected = np.argsort(distances(values, metric), axis=1, kind="stable")[:, :14]
    np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(expected, axis=1))


@pytest.mark.parametrize("metric", METRICS)
def test_what_single_precision_cannot_tell_apart_is_decided_in_double(metric):
    rng = np.random.default_rng(1)
    base = rng.random(200)
    values = base + rng.normal(size=(300, 200)) * 1e-8
    found = nearest_others(values, 5, metric)
    assert as_far_as_the_nearest(values, found, metric)


@given(arrays(np.int64, (12, 3), elements=st.integers(0, 2)), st.integers(1, 11), st.sampled_from(METRICS))
@settings(max_examples=60, deadline=None)
def test_ties_equal_rows_and_rows_of_zeros_are_no_exception(values, n_others, metric):
    assert as_far_as_the_nearest(values, nearest_others(values, n_others, metric), metric)


def test_among_ties_the_first_rows_are_taken():
    found = nearest_others(np.ones((6, 2)), 2)
    np.testing.assert_array_equal(np.sort(found, axis=1), [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]])


def test_the_neighbors_are_the_same_by_whichever_library_of_products(monkeypatch):
    values = np.random.default_rng(0).poisson(0.5, (150, 60)).astype(np.float32)
    found = []
    for speedup in (0.5, 2.0):
        monkeypatch.setattr(products, "measured", lambda speedup=speedup: products.Measured(speedup, 4e-7))
        monkeypatch.setattr(products, "MUCH", 0)
        found.append(np.sort(nearest_others(values, 7), axis=1))
    assert np.array_equal(*found)


def test_a_coarse_precision_set_by_hand_does_not_reach_the_neighbors(monkeypatch):
    seen, values = [], np.random.default_rng(0).random((40, 10), dtype=np.float32)
    mm = torch.mm
    monkeypatch.setattr(
        torch, "mm", lambda *a, **k: (seen.append(torch.get_float32_matmul_precision()), mm(*a, **k))[1]
    )
    with products.taken_as("medium"):
        nearest_others(values, 3)
    assert set(seen) == {"highest"}
