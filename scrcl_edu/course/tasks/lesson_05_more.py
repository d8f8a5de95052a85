"""Lesson 05, beyond its functions: two predictions, a fault to mend, a transfer and an explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from scrcl_edu.course.guesses import Choice
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction, Property, Transfer


def ratio_by_cell(divergence: Tensor, graph: Tensor) -> Tensor:
    """How close each cell is to its neighborhood, compared with all other cells, averaged over the cells.

    Parameters
    ----------
    divergence
        D, shape (n_cells, n_cells).
    graph
        Binary and symmetric, without self-loops, shape (n_cells, n_cells).

    Returns
    -------
    Scalar tensor: the mean over cells of the ratio of near to others.
    """
    mean_near, mean_others = _near_and_others(divergence, graph)
    return (mean_near / mean_others).mean()


def ratio_by_cell_given(divergence: Tensor, graph: Tensor) -> Tensor:
    """One ratio of two means over all cells."""
    myself = torch.eye(len(graph), dtype=divergence.dtype)
    near, others = graph + myself, 1 - myself  # masks, (n_cells, n_cells)
    mean_near = (divergence * near).sum() / near.sum()
    mean_others = (divergence * others).sum() / others.sum()
    return mean_near / mean_others


def _near_and_others(divergence: Tensor, graph: Tensor) -> tuple[Tensor, Tensor]:
    myself = torch.eye(len(graph), dtype=divergence.dtype)
    near, others = graph + myself, 1 - myself
    return (divergence * near).sum(1) / near.sum(1), (divergence * others).sum(1) / others.sum(1)


def _cell_by_cell(divergence: Tensor, graph: Tensor) -> Tensor:
    ratios = []
    for i, row in enumerate(divergence):
        near = [j for j in range(len(row)) if j == i or graph[i, j]]
        others = [j for j in range(len(row)) if j != i]
        ratios.append(row[near].mean() / row[others].mean())
    return torch.stack(ratios).mean()


def _matrices(rng: np.random.Generator) -> dict[str, Any]:
    n_cells = rng.integers(4, 7)
    divergence = rng.random((n_cells, n_cells)) * rng.integers(1, 9, (n_cells, 1)) + 0.1
    graph = np.triu(rng.random((n_cells, n_cells)) < 0.5, 1)
    return {"divergence": torch.from_numpy(divergence), "graph": torch.from_numpy((graph | graph.T).astype(float))}


def distant_points(rng: np.random.Generator) -> dict[str, Any]:
    """Points of 2,000 cells in five dimensions, a million away from the origin."""
    return {"points": rng.normal(size=(2000, 5)) * rng.gamma(1.0, 1.0, (2000, 1)) + 1e6}


def _from_the_center(points: np.ndarray) -> np.ndarray:
    centered = points - points.mean(axis=0)
    squares = (centered**2).sum(axis=1)
    return len(points) * squares + squares.sum()


def _from_the_origin(points: np.ndarray) -> np.ndarray:
    squares = (points**2).sum(axis=1)
    return len(points) * squares + squares.sum() - 2 * points @ points.sum(axis=0)


def _is_right(result: Any, data: dict[str, Any]) -> bool:
    some = data["points"][:20]
    exact = ((some[:, None] - data["points"]) ** 2).sum(axis=(1, 2))
    return bool(np.allclose(np.asarray(result)[:20], exact, rtol=1e-6))


TASKS = (
    Prediction(
        name="whose_fault",
        lesson="05",
        difficulty=3,
        minutes=3,
        text="Three ways to cut the edges that cross types. In which of them will the types of T and NK cells stand "
        "apart most clearly after training, compared with the size of a type?",
        shape=Choice(
            options=("cut in the loss", "perfect in the loss", "cut everywhere"),
            right="What the encoders cannot tell apart no loss can pull apart, and averaging over neighbors blurs.",
            means={
                "cut in the loss": "This guess blames the wrong edges for pulling types together. Where the encoders "
                "still average over them, the types stay blurred, whatever the loss sees.",
                "perfect in the loss": "This guess trusts a loss with a perfect target. But its denominator is a mean "
                "over everyone, which a few far heaps make large, and the encoders blur near types beforehand.",
            },
        ),
    ),
    Prediction(
        name="nearer_pair",
        lesson="05",
        difficulty=1,
        minutes=1,
        text="After training, which pairs are closer on average: neighbors in the graph that are of different types, "
        "or cells of the same type that are no neighbors?",
        shape=Choice(
            options=("neighbors, different type", "not neighbors, same type"),
            right="The loss knows the graph and nothing else.",
            means={
                "not neighbors, same type": "This guess lets the loss know types. It sees edges; a cell of the same "
                "type without an edge is a stranger to it, and stands in the denominator.",
            },
        ),
    ),
    Mend(
        name="ratio_by_cell",
        lesson="05",
        difficulty=2,
        minutes=6,
        text="This function should average over cells how near a cell is to its neighborhood compared with all others. "
        "On the cells before training the two values are nearly the same. Find the fault, and mend it.",
        reference=ratio_by_cell,
        faulty=ratio_by_cell_given,
        symptom="Make one cell ten times as far from everyone, its neighbors included. Nothing has changed for any "
        "cell's own ratio by much, and yet the result moves towards that cell's.",
        inputs=_matrices,
        gradient=("divergence",),
        alternative=_cell_by_cell,
        mutants=(
            Mutant(
                "means of rows, then one ratio",
                lambda divergence, graph: (
                    _near_and_others(divergence, graph)[0].mean() / _near_and_others(divergence, graph)[1].mean()
                ),
                "You take the mean of each cell now, and still divide only once, at the end. A mean of ratios is asked "
                "for.",
            ),
            Mutant(
                "sums",
                lambda divergence, graph: (
                    (divergence * (graph + torch.eye(len(graph)).double())).sum(1)
                    / (divergence * (1 - torch.eye(len(graph)).double())).sum(1)
                ).mean(),
                "You divide sums. A cell has fewer neighbors than others, so that both have to be means.",
            ),
            Mutant(
                "without the cell itself",
                lambda divergence, graph: (
                    (divergence * graph).sum(1) / graph.sum(1).clamp(min=1) / _near_and_others(divergence, graph)[1]
                ).mean(),
                "The ratio is taken cell by cell now. But the cell itself belongs to its neighborhood.",
            ),
        ),
        hints=(
            "Two cells, one with near and far of 1 and 2, the other of 10 and 40. What is the mean of the two ratios, "
            "and what is the ratio of the two means?",
            "Sum along rows only, divide, and average at the very end.",
        ),
        tested="value and gradient on 4 to 6 cells",
        not_tested="speed; the linear form",
    ),
    Transfer(
        name="far_from_all",
        lesson="05",
        difficulty=3,
        minutes=12,
        text="Points of 2,000 cells. Find for each the sum of its squared distances to all others, without a matrix of "
        "cells by cells. The points lie far from the origin; mind the digits.",
        answer="a function that takes points, shape (2000, 5), and gives an array of shape (2000,)",
        function=True,
        data=distant_points,
        properties=(
            Property(
                "one number for each cell",
                lambda result, data: np.shape(result) == (len(data["points"]),),
                "Hand back one number for each cell, shape (n_cells,).",
                wrong=lambda points: _from_the_center(points)[:, None],
            ),
            Property(
                "right to six digits",
                _is_right,
                "Some of your sums are off by more than a millionth. Is it the formula, or are large numbers "
                "subtracted to get a small one? Try the points around the origin.",
                wrong=_from_the_origin,
            ),
            Property(
                "no matrix of cells by cells",
                lambda result, data: data["megabytes"] < 8,  # half of that of 2,000 cells in float32
                "The sums may be right, but on the way you hold a number for every pair of cells. Sum over the others "
                "first, and let only that sum meet cell i.",
                wrong=lambda points: cdist(points, points, "sqeuclidean").sum(axis=1),
            ),
        ),
        solution=_from_the_center,
        rubric=(
            "multiplies the square out and sums over j before anything is multiplied with cell i",
            "says why moving the points changes the digits and not the distances",
        ),
        hints=(
            "Multiply out, as in the lesson. Which terms depend on i alone, and which on j alone?",
            "Distances do not change when all points move together. Where would you like them to lie?",
        ),
    ),
    Explanation(
        name="why_types_merge",
        lesson="05",
        difficulty=3,
        minutes=5,
        text="With a perfect graph in the loss, the kinds of T cells stay merged. Why is the graph of the loss not to "
        "blame, what is, and how would you test your answer further?",
        model="If wrong edges in the loss merged the types, taking them out would have parted them, and it did not. "
        "The encoders average each cell with its neighbors before any loss sees it, so that near types are blurred, "
        "and the ratio compares with the mean over everyone, which a few heaps that are far apart make large already. "
        "One could weigh near strangers more, as InfoNCE does, or encode without the filter, and look at the same "
        "blocks of D again.",
        rubric=(
            "argues from the interventions, not from the picture",
            "names the averaging in the encoders",
            "names the mean over all others, which does not see near types",
            "proposes a test that could come out otherwise",
        ),
    ),
)
