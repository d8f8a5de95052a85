"""Distribution and neighborhood alignment: the linear forms against the dense ones, scipy, and their symmetries."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from helpers import random_graph, relative_error, unit_rows_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import entropy

from scrcl_edu import alignment
from scrcl_edu.alignment import (
    alignments,
    cell_alignment,
    distribution_alignment,
    distribution_alignment_dense,
    global_alignment,
    neighborhood_alignment,
    neighborhood_alignment_dense,
)
from scrcl_edu.errors import SettingsError
from scrcl_edu.graphs import Graph


@st.composite
def problems(draw):
    """Two views (float64), a graph that may have isolated cells or no edge, a temperature."""
    n_cells, n_hidden = draw(st.integers(3, 40)), draw(st.integers(2, 24))
    seed = draw(st.integers(0, 2**20))
    graph = random_graph(
        n_cells, density=draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])), isolated=draw(st.integers(0, n_cells)), seed=seed
    )
    views = [unit_rows_of(n_cells, n_hidden, seed=seed + view) for view in (1, 2)]
    return *views, Graph(graph, dtype=torch.float64), draw(st.floats(0.05, 5))


def neighborhood_dense(e1, e2, graph, temperature):
    """The dense form; not where all others are a hair from a cell, which makes the ratio itself ill-conditioned."""
    dense = neighborhood_alignment_dense(e1, e2, graph, temperature=temperature)
    assume(dense < 1e3)
    return dense


def gradients(loss, *leaves):
    return torch.autograd.grad(loss, leaves)


def assert_equal_with_gradients(ours, oracle, leaves, tolerance=1e-9):
    assert relative_error(ours, oracle) < tolerance
    for mine, its in zip(gradients(ours, *leaves), gradients(oracle, *leaves), strict=True):
        assert relative_error(mine, its) < tolerance


@settings(max_examples=40)
@given(problems())
def test_linear_distribution_alignment_equals_the_dense_form_with_its_gradient(problem):
    e1, e2, _, temperature = problem
    ours = distribution_alignment(e1, e2, temperature=temperature)
    assert_equal_with_gradients(ours, distribution_alignment_dense(e1, e2, temperature=temperature), (e1, e2))


@settings(max_examples=40)
@given(problems())
def test_linear_neighborhood_alignment_equals_the_dense_form_with_its_gradient(problem):
    e1, e2, graph, temperature = problem
    ours = neighborhood_alignment(e1, e2, graph, temperature=temperature)
    assert_equal_with_gradients(ours, neighborhood_dense(e1, e2, graph, temperature), (e1, e2))


@settings(max_examples=40)
@given(problems())
def test_both_alignments_at_once_equal_the_dense_forms_with_their_gradients(problem):
    e1, e2, graph, temperature = problem
    distribution, neighborhood = alignments(e1, e2, graph, temperature=temperature)
    ours = distribution + 100 * neighborhood
    dense = distribution_alignment_dense(e1, e2, temperature=temperature)
    dense = dense + 100 * neighborhood_dense(e1, e2, graph, temperature)
    assert_equal_with_gradients(ours, dense, (e1, e2))
    assert relative_error(distribution, distribution_alignment(e1, e2, temperature=temperature)) < 1e-12
    assert relative_error(neighborhood, neighborhood_alignment(e1, e2, graph, temperature=temperature)) < 1e-12


@pytest.mark.parametrize("rows_at_once", [1, 7, 50])
def test_taking_rows_in_blocks_changes_neither_values_nor_gradients(rows_at_once, monkeypatch):
    e1, e2 = (unit_rows_of(50, 6, seed=view) for view in (1, 2))
    graph = Graph(random_graph(50, isolated=3), dtype=torch.float64)
    monkeypatch.setattr(alignment, "BLOCK_ENTRIES", 6 * rows_at_once)
    dense = distribution_alignment_dense(e1, e2), neighborhood_alignment_dense(e1, e2, graph)
    for which, oracle in enumerate(dense):
        assert_equal_with_gradients(alignments(e1, e2, graph)[which], oracle, (e1, e2))


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0, 5.0])
def test_float32_stays_close_to_the_dense_form_in_float64(temperature):
    n_cells, n_hidden = 200, 64
    graph = random_graph(n_cells, density=0.07)
    doubles = [unit_rows_of(n_cells, n_hidden, seed=view) for view in (1, 2)]
    singles = [e.detach().float().requires_grad_() for e in doubles]
    losses = alignments(*singles, Graph(graph), temperature=temperature)
    dense = (
        distribution_alignment_dense(*doubles, temperature=temperature),
        neighborhood_alignment_dense(*doubles, Graph(graph, dtype=torch.float64), temperature=temperature),
    )
    for ours, oracle in zip(losses, dense, strict=True):
        assert relative_error(ours, oracle) < 1e-4
        ours_gradients = torch.autograd.grad(ours, singles, retain_graph=True)
        for mine, its in zip(ours_gradients, gradients(oracle, *doubles), strict=True):
            assert relative_error(mine, its) < 1e-3


def test_distribution_alignment_is_scipy_s_relative_entropy_of_the_two_softmaxes():
    e1, e2, t = unit_rows_of(7, 5, seed=1), unit_rows_of(7, 5, seed=2), 0.3
    logits = [e.detach().numpy() / t for e in (e1, e2)]
    p1, p2 = (softmax(x.ravel()) for x in logits)
    q1, q2 = (softmax(x, axis=1) for x in logits)
    over_all = entropy(p1, p2) + entropy(p2, p1)
    within = (entropy(q1, q2, axis=1).mean() + entropy(q2, q1, axis=1).mean()) / 2
    assert relative_error(global_alignment(e1, e2, temperature=t), over_all) < 1e-9
    assert relative_error(cell_alignment(e1, e2, temperature=t), within) < 1e-9
    assert relative_error(distribution_alignment(e1, e2, temperature=t), over_all + within) < 1e-9


def test_neighborhood_alignment_is_the_mean_ratio_of_scipy_s_relative_entropies():
    n_cells, t = 9, 0.2
    e1, e2 = unit_rows_of(n_cells, 5, seed=3), unit_rows_of(n_cells, 5, seed=4)
    graph = random_graph(n_cells, density=0.4, isolated=2, seed=5)
    q1, q2 = (softmax(e.detach().numpy() / t, axis=1) for e in (e1, e2))
    ratios = []
    for i in range(n_cells):
        to = [entropy(q1[i], q2[j]) + entropy(q2[j], q1[i]) for j in range(n_cells)]
        near = [i, *graph[i].indices]
        ratios.append(np.mean([to[j] for j in near]) / np.mean([to[j] for j in range(n_cells) if j != i]))
    ours = neighborhood_alignment(e1, e2, Graph(graph, dtype=torch.float64), temperature=t)
    assert relative_error(ours, np.mean(ratios)) < 1e-9


def test_views_that_agree_have_nothing_left_to_align():
    e = unit_rows_of(30, 8, seed=0)
    other = e.detach().clone().requires_grad_()
    isolated = Graph(sp.csr_matrix((30, 30)), dtype=torch.float64)
    distribution, neighborhood = alignments(e, other, isolated)
    assert float(distribution.detach()) == pytest.approx(0, abs=1e-12)
    assert float(neighborhood.detach()) == pytest.approx(0, abs=1e-12)  # each cell is near itself and far from the rest
    for gradient in gradients(distribution, e, other):
        assert gradient.abs().max() < 1e-12


def test_neighborhood_alignment_falls_as_neighbors_come_together():
    groups = np.repeat(np.arange(3), 8)
    graph = Graph(
        sp.csr_matrix((groups[:, None] == groups) & ~np.eye(24, dtype=bool)).astype(float), dtype=torch.float64
    )
    centers, noise = np.eye(24, 6)[groups], np.random.default_rng(0).standard_normal((24, 6))
    values = [
        float(neighborhood_alignment(*2 * [torch.tensor(centers + spread * noise)], graph, temperature=0.5))
        for spread in (0.0, 0.1, 0.3, 1.0)
    ]
    assert values[0] == pytest.approx(0, abs=1e-12)
    assert values == sorted(values)


def test_neighborhood_alignment_is_one_where_neighbors_are_no_closer_than_others():
    e1 = torch.eye(2, 4, dtype=torch.float64)[[0] * 12]
    e2 = torch.eye(2, 4, dtype=torch.float64)[[1] * 12]  # every pair across the views is equally far apart
    graph = Graph(random_graph(12, density=0.4, isolated=1), dtype=torch.float64)
    assert float(neighborhood_alignment(e1, e2, graph)) == pytest.approx(1)


@settings(max_examples=40)
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_the_cells_does_not_matter(problem, random):
    e1, e2, graph, temperature = problem
    order = list(range(len(e1)))
    random.shuffle(order)
    moved = Graph(graph.matrix[order][:, order], dtype=torch.float64)
    for ours, reordered in zip(
        alignments(e1, e2, graph, temperature=temperature),
        alignments(e1[order], e2[order], moved, temperature=temperature),
        strict=True,
    ):
        assert relative_error(reordered, ours) < 1e-9


@settings(max_examples=40)
@given(problems())
def test_distribution_alignment_does_not_care_which_view_is_first(problem):
    e1, e2, _, temperature = problem
    for loss in (global_alignment, cell_alignment, distribution_alignment):
        forth, back = loss(e1, e2, temperature=temperature), loss(e2, e1, temperature=temperature)
        assert relative_error(forth, back) < 1e-9
        assert forth >= 0


@pytest.mark.parametrize("temperature", [0, -0.1, float("nan"), float("inf")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    e = unit_rows_of(4, 3, seed=0)
    with pytest.raises(SettingsError, match=f"temperature is {temperature}; choose a positive number"):
        distribution_alignment(e, e, temperature=temperature)
    with pytest.raises(SettingsError, match=f"temperature is {temperature}; choose a positive number"):
        neighborhood_alignment(e, e, Graph(random_graph(4), dtype=torch.float64), temperature=temperature)
