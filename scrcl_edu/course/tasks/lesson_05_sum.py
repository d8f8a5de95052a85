"""Lesson 05, continued: the sum of all divergences in linear time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu.course.task import Cost, Exercise, Mutant
from scrcl_edu.course.tasks.lesson_04 import unit_pair


def linear_sum_over_all(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    """Sum of D_ij over all j other than i, without any matrix of cells by cells."""
    q1, q2 = log_q1.exp(), log_q2.exp()
    to_all = len(q1) * _dot(q1, log_q1) + _dot(q2, log_q2).sum() - q1 @ log_q2.sum(0) - log_q1 @ q2.sum(0)
    return to_all - _to_self(log_q1, log_q2)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _to_self(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    return _dot(log_q1.exp() - log_q2.exp(), log_q1 - log_q2)


def _by_vectors(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    q1, q2, others = log_q1.exp(), log_q2.exp(), len(log_q1) - 1
    own, all_h2 = _dot(q2, log_q2), _dot(q2, log_q2).sum()
    cross = _dot(q1, log_q2.sum(0) - log_q2) + _dot(log_q1, q2.sum(0) - q2)
    return others * _dot(q1, log_q1) + all_h2 - own - cross


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


def _many_logs(rng: np.random.Generator) -> dict[str, Any]:
    return {name: torch.log_softmax(torch.from_numpy(rng.normal(size=(80, 4))), -1) for name in ("log_q1", "log_q2")}


def _logs(rng: np.random.Generator) -> dict[str, Any]:
    log_q1, log_q2 = (torch.log_softmax(e / 0.5, -1) for e in unit_pair(rng))
    return {"log_q1": log_q1, "log_q2": log_q2}


def _cross_terms_added(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    q1, q2 = log_q1.exp(), log_q2.exp()
    cross = q1 @ log_q2.sum(0) + log_q1 @ q2.sum(0)
    return len(q1) * _dot(q1, log_q1) + _dot(q2, log_q2).sum() + cross - _to_self(log_q1, log_q2)


def _from_one_mean(log_q1: Tensor, log_q2: Tensor) -> Tensor:
    middle = log_q2.mean(0)  # the sums over j are then too small by n_cells
    return _dot(log_q1.exp() - log_q2.exp().mean(0), log_q1 - middle) * len(log_q1) - _to_self(log_q1, log_q2)


TASKS = (
    Exercise(
        name="linear_sum_over_all",
        lesson="05",
        difficulty=3,
        minutes=18,
        reference=linear_sum_over_all,
        inputs=_logs,
        gradient=("log_q1", "log_q2"),
        alternative=_by_vectors,
        cost=Cost(
            arguments=_many_logs,
            n_entries=lambda given: 4 * given["log_q1"].numel(),
            n_operations=lambda given: 30 * len(given["log_q1"]),
            message="A matrix of cells by cells is what this form does without: sum over j before anything is "
            "multiplied with cell i.",
        ),
        mutants=(
            Mutant(
                "h2 of all cells",
                lambda log_q1, log_q2: linear_sum_over_all(log_q1, log_q2) + _dot(log_q2.exp(), log_q2),
                "The entropy term of view 2 is summed over all cells, cell i among them. Take it out like the rest.",
            ),
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
            Mutant(
                "to the mean cell",
                _from_one_mean,
                "You compared each cell with the mean of all others, once. The sum of q2_j log q2_j is not the same as "
                "that of the means: sum each h2_j by itself.",
            ),
            Mutant(
                "a matrix",
                lambda log_q1, log_q2: ((log_q1.exp()[:, None] - log_q2.exp()) * (log_q1[:, None] - log_q2)).sum(-1),
                "This is D itself, a matrix of cells by cells. Its row sums are asked for, without making it.",
                sign=lambda result, arguments: result.ndim == 2,
            ),
            Mutant(
                "negative",
                lambda log_q1, log_q2: -linear_sum_over_all(log_q1, log_q2),
                "Some of your sums are negative; divergences never are. Look at the signs: h1 and h2 are added, the "
                "two products are subtracted.",
                sign=lambda result, arguments: result.min() < 0,
            ),
        ),
        hints=(
            "Take two cells i and three cells j and write all six D_ij out as four terms each. Which terms do the D_ij "
            "of one i share, and which are the same for every i?",
            "For a term that holds both i and j, ask what depends on j alone, and add that up first: what is left is "
            "one dot product for each cell. One D_ij in the sum is not wanted.",
        ),
        tested="values and gradients on 4 to 6 cells, the largest tensor and the operations on 80",
        not_tested="more than 80 cells",
    ),
)
