"""Lesson 05: divergences between all cells, the ratio of near to far, and the sum in linear time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu.course.exercise import Exercise, Mutant
from scrcl_edu.course.exercises.lesson_04 import unit_pair


def pairwise_divergence(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    """Symmetric divergence of each cell in view 1 to each cell in view 2.

    Parameters
    ----------
    e1, e2
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0.

    Returns
    -------
    D, shape (n_cells, n_cells): D_ij = KL(q1_i || q2_j) + KL(q2_j || q1_i), q the row-wise softmax of e / temperature.
    """
    log_q1, log_q2 = (torch.log_softmax(e / temperature, -1) for e in (e1, e2))
    gap = log_q1[:, None] - log_q2  # (n_cells, n_cells, n_hidden)
    return ((log_q1.exp()[:, None] - log_q2.exp()) * gap).sum(-1)


def neighborhood_ratio(divergence: Tensor, graph: Tensor) -> Tensor:
    """How close a cell is to its neighborhood, compared with all other cells.

    Parameters
    ----------
    divergence
        D, shape (n_cells, n_cells).
    graph
        Binary and symmetric, without self-loops, shape (n_cells, n_cells).

    Returns
    -------
    Scalar tensor, the mean over cells i of: the mean of D_ij over the neighbors of i and i itself, divided by the mean
    of D_ij over all j other than i.
    """
    return _ratio(divergence, graph)


def linear_sum_over_all(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    """Sum of D_ij over all j other than i, without any matrix of cells by cells.

    Parameters
    ----------
    log_q1, log_q2
        Row-wise log-softmax of the two views, shape (n_cells, n_hidden).

    Returns
    -------
    Shape (n_cells,).
    """
    q1, q2 = log_q1.exp(), log_q2.exp()
    to_all = len(q1) * _dot(q1, log_q1) + _dot(q2, log_q2).sum() - q1 @ log_q2.sum(0) - log_q1 @ q2.sum(0)
    return to_all - _to_self(log_q1, log_q2)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _to_self(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    return _dot(log_q1.exp() - log_q2.exp(), log_q1 - log_q2)


def _eye(like: Tensor) -> Tensor:
    return torch.eye(len(like), dtype=like.dtype)


def _ratio(divergence: Tensor, graph: Tensor, *, self_near: float = 1.0, self_far: float = 0.0) -> Tensor:
    near = graph + self_near * _eye(graph)
    far = 1 - (1 - self_far) * _eye(graph)
    mean_near = (divergence * near).sum(1) / near.sum(1)
    return (mean_near / ((divergence * far).sum(1) / far.sum(1))).mean()


def _cell_by_cell(divergence: Tensor, graph: Tensor) -> Tensor:
    ratios = []
    for i in range(len(graph)):
        near = [divergence[i, j] for j in range(len(graph)) if j == i or graph[i, j]]
        others = [divergence[i, j] for j in range(len(graph)) if j != i]
        ratios.append(torch.stack(near).mean() / torch.stack(others).mean())
    return torch.stack(ratios).mean()


def _ratio_of_means(divergence: Tensor, graph: Tensor) -> Tensor:
    near = graph + _eye(graph)
    far = 1 - _eye(graph)
    return ((divergence * near).sum(1) / near.sum(1)).mean() / ((divergence * far).sum(1) / far.sum(1)).mean()


def _by_products(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, -1) for e in (e1, e2))
    q1, q2 = log_q1.exp(), log_q2.exp()
    return _dot(q1, log_q1)[:, None] + _dot(q2, log_q2) - q1 @ log_q2.T - log_q1 @ q2.T


def _one_direction(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, -1) for e in (e1, e2))
    return _dot(log_q1.exp(), log_q1)[:, None] - log_q1.exp() @ log_q2.T


def _columns(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, 0) for e in (e1, e2))
    return ((log_q1.exp()[:, None] - log_q2.exp()) * (log_q1[:, None] - log_q2)).sum(-1)


def _dense_sum(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    gap = log_q1[:, None] - log_q2
    divergence = ((log_q1.exp()[:, None] - log_q2.exp()) * gap).sum(-1)
    return divergence.sum(1) - divergence.diagonal()


def _h1_once(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    q1 = log_q1.exp()
    return linear_sum_over_all(log_q1, log_q2) - (len(q1) - 1) * _dot(q1, log_q1)


def _h2_of_the_cell(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    own = _dot(log_q2.exp(), log_q2)
    return linear_sum_over_all(log_q1, log_q2) - own.sum() + own


def _one_way_sum(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    q1 = log_q1.exp()
    to_all = len(q1) * _dot(q1, log_q1) - q1 @ log_q2.sum(0)
    return to_all - (_dot(q1, log_q1) - _dot(q1, log_q2))


def _views(rng: np.random.Generator) -> dict[str, Any]:
    e1, e2 = unit_pair(rng)
    return {"e1": e1, "e2": e2, "temperature": float(rng.choice([0.2, 0.5, 2.0]))}


def _divergences(rng: np.random.Generator) -> dict[str, Any]:
    e1, e2 = unit_pair(rng)
    graph = np.triu(rng.random((len(e1), len(e1))) < 0.4, 1)
    graph[0, 1:3] = True
    return {
        "divergence": pairwise_divergence(e1, e2, 0.5),
        "graph": torch.from_numpy((graph | graph.T).astype(float)),
    }


def _logs(rng: np.random.Generator) -> dict[str, Any]:
    log_q1, log_q2 = (torch.log_softmax(e / 0.5, -1) for e in unit_pair(rng))
    return {"log_q1": log_q1, "log_q2": log_q2}


def _ratio_with(divergence: Tensor, graph: Tensor, n_near: Tensor | int, n_others: int) -> Tensor:
    to_near, to_others = (divergence * (graph + _eye(graph))).sum(1), (divergence * (1 - _eye(graph))).sum(1)
    return ((to_near / n_near) / (to_others / n_others)).mean()


def _far_over_near(divergence: Tensor, graph: Tensor) -> Tensor:
    near, far = graph + _eye(graph), 1 - _eye(graph)
    return ((divergence * far).sum(1) / far.sum(1) / ((divergence * near).sum(1) / near.sum(1))).mean()


def _others_without_neighbors(divergence: Tensor, graph: Tensor) -> Tensor:
    near = graph + _eye(graph)
    far = 1 - near
    mean_far = (divergence * far).sum(1) / far.sum(1).clamp(min=1)
    return ((divergence * near).sum(1) / near.sum(1) / mean_far).mean()


def _cross_terms_added(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    q1, q2 = log_q1.exp(), log_q2.exp()
    cross = q1 @ log_q2.sum(0) + log_q1 @ q2.sum(0)
    return len(q1) * _dot(q1, log_q1) + _dot(q2, log_q2).sum() + cross - _to_self(log_q1, log_q2)


EXERCISES = (
    Exercise(
        name="pairwise_divergence",
        lesson="05",
        reference=pairwise_divergence,
        inputs=_views,
        alternative=_by_products,
        mutants=(
            Mutant("one direction", _one_direction, "This is KL(q1_i || q2_j) alone; the other direction is missing."),
            Mutant(
                "transposed",
                lambda e1, e2, temperature: pairwise_divergence(e2, e1, temperature),
                "Rows and columns are swapped: row i belongs to cell i in view 1, column j to cell j in view 2.",
            ),
            Mutant(
                "one view only",
                lambda e1, e2, temperature: pairwise_divergence(e1, e1, temperature),
                "Both sides of your divergence come from view 1. It compares view 1 of cell i with view 2 of cell j.",
            ),
            Mutant(
                "halved",
                lambda e1, e2, temperature: pairwise_divergence(e1, e2, temperature) / 2,
                "You took half of it. Here the two directions are added.",
            ),
            Mutant("wrong axis", _columns, "Your softmax runs over the columns. A cell is a row."),
            Mutant(
                "no temperature",
                lambda e1, e2, temperature: pairwise_divergence(e1, e2, 1.0),
                "The temperature does not change your result.",
            ),
            Mutant(
                "times temperature",
                lambda e1, e2, temperature: pairwise_divergence(e1, e2, 1 / temperature),
                "You multiplied by the temperature instead of dividing by it.",
            ),
            Mutant(
                "mean over hidden numbers",
                lambda e1, e2, temperature: pairwise_divergence(e1, e2, temperature) / e1.shape[1],
                "You took the mean over the hidden numbers. A divergence is a sum: the probabilities are the weights"
                " already.",
            ),
            Mutant(
                "squared distance",
                lambda e1, e2, temperature: torch.cdist(e1, e2).square(),
                "These are squared distances of the encodings. Turn each row into a distribution first, then take "
                "divergences.",
            ),
        ),
        hints=(
            "log_q1[:, None] - log_q2 has shape (n_cells, n_cells, n_hidden): every cell against every cell.",
            "Weigh these gaps by q1_i - q2_j and sum over the last dimension; both directions are in it.",
        ),
        tested="values and shape on 4 to 6 cells, at three temperatures",
        not_tested="memory: this form is meant to be simple, not small",
    ),
    Exercise(
        name="neighborhood_ratio",
        lesson="05",
        reference=neighborhood_ratio,
        inputs=_divergences,
        alternative=_cell_by_cell,
        mutants=(
            Mutant(
                "self left out",
                lambda divergence, graph: (
                    (divergence * graph).sum(1)
                    / graph.sum(1).clamp(min=1)
                    / ((divergence.sum(1) - divergence.diagonal()) / (len(graph) - 1))
                ).mean(),
                "The cell itself is missing from its neighborhood. The graph has no self-loops; add them for the "
                "numerator.",
            ),
            Mutant(
                "self counted twice",
                lambda divergence, graph: _ratio(divergence, graph, self_near=2.0),
                "The cell itself is in its neighborhood twice.",
            ),
            Mutant(
                "self among the others",
                lambda divergence, graph: _ratio(divergence, graph, self_far=1.0),
                "The denominator is the mean over all cells *other* than i; yours has i in it.",
            ),
            Mutant(
                "ratio of means",
                _ratio_of_means,
                "You divided two means over all cells. Divide for each cell first, then take the mean of the ratios.",
            ),
            Mutant(
                "ratio of sums",
                lambda divergence, graph: _ratio_with(divergence, graph, 1, 1),
                "You divided sums. Each sum becomes a mean first: by n_i + 1 neighbors above, by n_cells - 1 others "
                "below.",
            ),
            Mutant(
                "mean over all cells",
                lambda divergence, graph: _ratio_with(divergence, graph, len(graph), len(graph) - 1),
                "In the numerator you divide by n_cells. The mean runs over the neighborhood only: n_i neighbors and "
                "i itself.",
            ),
            Mutant(
                "far over near",
                _far_over_near,
                "Your ratio is upside down: near is divided by far, so that close neighbors make the loss small.",
            ),
            Mutant(
                "others without neighbors",
                _others_without_neighbors,
                "You took the neighbors out of the denominator. It is the mean over *all* cells other than i, "
                "neighbors included.",
            ),
            Mutant(
                "divided by neighbors only",
                lambda divergence, graph: _ratio_with(divergence, graph, graph.sum(1).clamp(min=1), len(graph) - 1),
                "You summed over the neighbors and the cell itself, but divided by the number of neighbors alone: "
                "one too few.",
            ),
            Mutant(
                "others divided by n_cells",
                lambda divergence, graph: _ratio_with(divergence, graph, graph.sum(1) + 1, len(graph)),
                "In the denominator you divided by n_cells. There are n_cells - 1 others; a mean over a masked row "
                "counts the zero of the cell itself.",
            ),
            Mutant(
                "columns",
                lambda divergence, graph: _ratio(divergence.T, graph),
                "You went down the columns of D. Cell i of view 1 is a row: sum along dim=1.",
            ),
            Mutant(
                "sum over cells",
                lambda divergence, graph: _ratio(divergence, graph) * len(graph),
                "You summed the ratios of the cells; their mean is asked for.",
            ),
        ),
        hints=(
            "near = graph + identity marks the neighborhood of each cell; its row sums say how many that are.",
            "far = 1 - identity marks the others. Two masked means per row, one division per row, one mean at the end.",
        ),
        tested="the value on 4 to 6 cells, cells without neighbors among them",
        not_tested="gradients, speed",
    ),
    Exercise(
        name="linear_sum_over_all",
        lesson="05",
        reference=linear_sum_over_all,
        inputs=_logs,
        alternative=_dense_sum,
        mutants=(
            Mutant(
                "self included",
                lambda log_q1, log_q2: linear_sum_over_all(log_q1, log_q2) + _to_self(log_q1, log_q2),
                "D_ii is still in your sum: take the cell itself out at the end.",
            ),
            Mutant(
                "h1 only once",
                _h1_once,
                "h1_i stands in every D_ij, so it enters once for each of the cells j: N h1_i.",
            ),
            Mutant(
                "h2 of the cell itself",
                _h2_of_the_cell,
                "You added h2_i. D_ij holds h2_j, so its sum over all j is the same number for every cell.",
            ),
            Mutant(
                "one direction",
                _one_way_sum,
                "This is the sum of KL(q1_i || q2_j) alone; the terms of the other direction are missing.",
            ),
            Mutant(
                "mean",
                lambda log_q1, log_q2: linear_sum_over_all(log_q1, log_q2) / (len(log_q1) - 1),
                "You divided by the number of the others. Here the sum is asked for.",
            ),
            Mutant(
                "views swapped",
                lambda log_q1, log_q2: linear_sum_over_all(log_q2, log_q1),
                "The views are swapped: cell i comes from view 1, and the sum runs over the cells j of view 2.",
            ),
            Mutant(
                "cross terms added",
                _cross_terms_added,
                "You added the products q1 . L2 and L1 . q2. In D_ij they are subtracted.",
            ),
            Mutant(
                "h2 N times",
                lambda log_q1, log_q2: (
                    linear_sum_over_all(log_q1, log_q2) + (len(log_q1) - 1) * _dot(log_q2.exp(), log_q2).sum()
                ),
                "The sum of all h2_j is in your result N times. Each h2_j stands in one D_ij only, so their sum "
                "enters once.",
            ),
            Mutant(
                "half of the cell itself",
                lambda log_q1, log_q2: linear_sum_over_all(log_q1, log_q2) + _dot(log_q2.exp(), log_q2 - log_q1),
                "You took only KL(q1_i || q2_i) out at the end. D_ii has both directions.",
            ),
            Mutant(
                "one h1 too few",
                lambda log_q1, log_q2: linear_sum_over_all(log_q1, log_q2) - _dot(log_q1.exp(), log_q1),
                "You took h1_i only N - 1 times and subtracted D_ii as well. D_ii holds the h1_i of the cell itself:"
                " take N of them, or leave it out of D_ii.",
            ),
        ),
        hints=(
            "D_ij = h1_i + h2_j - q1_i . L2_j - L1_i . q2_j with h = sum of q log q. Sum each of the four terms over "
            "j.",
            "A sum over j of q1_i . L2_j is q1_i . (sum of L2_j): one vector for all cells. Then subtract D_ii.",
        ),
        tested="values on 4 to 6 cells",
        not_tested="that no matrix of cells by cells is made, gradients",
    ),
)
