"""Lesson 05, continued: the ratio of near to far."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.course.tasks.lesson_04 import unit_pair
from scrcl_edu.course.tasks.lesson_05 import pairwise_divergence


def neighborhood_ratio(divergence: Tensor, graph: Tensor) -> Tensor:
    """How close a cell is to its neighborhood, compared with all other cells."""
    return _ratio(divergence, graph)


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


def _divergences(rng: np.random.Generator) -> dict[str, Any]:
    e1, e2 = unit_pair(rng)
    graph = np.triu(rng.random((len(e1), len(e1))) < 0.4, 1)
    graph[0, 1:3] = True
    return {
        "divergence": pairwise_divergence(e1, e2, 0.5),
        "graph": torch.from_numpy((graph | graph.T).astype(float)),
    }


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


def _over_pairs(divergence: Tensor, graph: Tensor) -> Tensor:
    near, far = graph + _eye(graph), 1 - _eye(graph)
    return (divergence * near).sum() / near.sum() / ((divergence * far).sum() / far.sum())


def _difference(divergence: Tensor, graph: Tensor) -> Tensor:
    near, far = graph + _eye(graph), 1 - _eye(graph)
    return ((divergence * near).sum(1) / near.sum(1) - (divergence * far).sum(1) / far.sum(1)).mean()


def _near_summed(divergence: Tensor, graph: Tensor) -> Tensor:
    return _ratio_with(divergence, graph, 1, len(graph) - 1)


def _rows(divergence: Tensor, graph: Tensor) -> Tensor:
    near, far = graph + _eye(graph), 1 - _eye(graph)
    return (divergence * near).sum(1) / near.sum(1) / ((divergence * far).sum(1) / far.sum(1))


TASKS = (
    Exercise(
        name="neighborhood_ratio",
        lesson="05",
        difficulty=2,
        minutes=12,
        reference=neighborhood_ratio,
        inputs=_divergences,
        gradient=("divergence",),
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
                "near summed",
                _near_summed,
                "The neighbors are summed and not normalized: divide by their number (n_i neighbors and i itself), as "
                "you did for the others.",
            ),
            Mutant(
                "far summed",
                lambda divergence, graph: _ratio_with(divergence, graph, graph.sum(1) + 1, 1),
                "The others are summed and not normalized: divide by their number, n_cells - 1, as you did for the "
                "neighbors.",
            ),
            Mutant(
                "neighbors without division by their number",
                lambda divergence, graph: (
                    (divergence * graph).sum(1) / ((divergence * (1 - _eye(graph))).sum(1) / (len(graph) - 1))
                ).mean(),
                "You summed over the neighbors without the cell itself, and did not divide by their number. It is a "
                "mean, and the cell belongs to it.",
            ),
            Mutant(
                "self left out and unguarded",
                lambda divergence, graph: (
                    (divergence * graph).sum(1)
                    / graph.sum(1)
                    / ((divergence.sum(1) - divergence.diagonal()) / (len(graph) - 1))
                ).mean(),
                "A cell without neighbors gives 0 / 0: the cell itself is missing from its neighborhood, which is "
                "never empty.",
            ),
            Mutant(
                "over all pairs",
                _over_pairs,
                "You took the mean over all near pairs of all cells at once, so that a cell with many neighbors counts "
                "more. One ratio for each cell, then their mean.",
            ),
            Mutant(
                "difference",
                _difference,
                "You subtracted far from near. It is a ratio: near divided by far.",
            ),
            Mutant(
                "logarithm",
                lambda divergence, graph: _rows(divergence, graph).log().mean(),
                "You took the logarithm of the ratios. The loss is the mean of the ratios themselves.",
            ),
        ),
        hints=(
            "near = graph + identity marks the neighborhood of each cell; its row sums say how many that are.",
            "far = 1 - identity marks the others. Two masked means per row, one division per row, one mean at the end.",
        ),
        tested="value and gradient on 4 to 6 cells, cells without neighbors among them",
        not_tested="speed",
    ),
)
