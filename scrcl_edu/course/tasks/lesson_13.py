"""Lesson 13, functions: one worker's part of a loss, a softmax over all cells, and a mean of means to mend."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu.course.task import Exercise, Mend, Mutant


def part_of_loss(e1: Tensor, e2: Tensor, near: tuple, sums: tuple, n_cells: int) -> Tensor:
    """What one worker adds to the neighborhood alignment of all cells, at temperature 0.1."""
    return _part(e1, e2, near, sums, n_cells)


def _part(
    e1: Tensor,
    e2: Tensor,
    near: tuple,
    sums: tuple,
    n_cells: int,
    *,
    own_sums: bool = False,
    own_mean: bool = False,
    own_count: bool = False,
    with_self: bool = True,
    without_self: bool = True,
) -> Tensor:
    log_q1, log_q2 = ((e / 0.1).log_softmax(1) for e in (e1, e2))
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(1), (q2 * log_q2).sum(1)
    near_q2, near_log_q2, near_h2, degree = near
    sum_q2, sum_log_q2, sum_h2 = (q2.sum(0), log_q2.sum(0), h2.sum()) if own_sums else sums
    count = len(e1) if own_count else n_cells
    own = h1 + h2 - (q1 * log_q2).sum(1) - (log_q1 * q2).sum(1)
    to_near = degree * h1 + near_h2 - (q1 * near_log_q2).sum(1) - (log_q1 * near_q2).sum(1)
    to_all = count * h1 + sum_h2 - q1 @ sum_log_q2 - log_q1 @ sum_q2
    to_near = (to_near + own) / (degree + 1) if with_self else to_near / degree
    to_all = (to_all - own) / (count - 1) if without_self else to_all / count
    ratio = to_near / to_all
    return ratio.mean() if own_mean else ratio.sum() / n_cells


def _by_pairs(e1: Tensor, e2: Tensor, near: tuple, sums: tuple, n_cells: int) -> Tensor:
    total = e1.new_zeros(())
    for i in range(len(e1)):
        p1, p2 = torch.softmax(10 * e1[i], 0), torch.softmax(10 * e2[i], 0)
        h1 = p1 @ p1.log()
        own = ((p1 - p2) * (p1.log() - p2.log())).sum()
        near_q2, near_log_q2, near_h2, degree = (part[i] for part in near)
        close = degree * h1 + near_h2 - p1 @ near_log_q2 - p1.log() @ near_q2 + own
        everyone = n_cells * h1 + sums[2] - p1 @ sums[1] - p1.log() @ sums[0] - own
        total = total + close / (degree + 1) * (n_cells - 1) / everyone
    return total / n_cells


def _cells(rng: np.random.Generator) -> dict[str, Any]:
    """Some cells of a small data set, with the sums that another worker's cells belong to as well."""
    n_cells, n_mine = int(rng.integers(7, 10)), int(rng.integers(3, 5))
    e1, e2 = (torch.tensor(rng.random((n_cells, 4)).round(2)) for _ in range(2))
    log_q2 = (torch.nn.functional.normalize(e2) / 0.1).log_softmax(1)
    e1, e2 = torch.nn.functional.normalize(e1), torch.nn.functional.normalize(e2)
    q2 = log_q2.exp()
    h2 = (q2 * log_q2).sum(1)
    graph = np.triu(rng.random((n_cells, n_cells)) < 0.5, 1)
    graph = torch.tensor((graph | graph.T | np.roll(np.eye(n_cells), 1, 1).astype(bool)).astype(float))
    graph.fill_diagonal_(0)
    near = (*((graph @ x)[:n_mine] for x in (q2, log_q2, h2)), graph.sum(1)[:n_mine])
    return {
        "e1": e1[:n_mine],
        "e2": e2[:n_mine],
        "near": near,
        "sums": (q2.sum(0), log_q2.sum(0), h2.sum()),
        "n_cells": n_cells,
    }


def log_sum_exp_of_parts(largest: np.ndarray, sums: np.ndarray) -> float:
    """Logarithm of the sum of exp(x) over all cells, from two numbers of each worker."""
    top = largest.max()
    return float(top + np.log((np.exp(largest - top) * sums).sum()))


def _parts(rng: np.random.Generator) -> dict[str, Any]:
    n_workers = int(rng.integers(2, 5))
    return {"largest": rng.normal(0, 3, n_workers).round(1), "sums": (1 + 4 * rng.random(n_workers)).round(2)}


def mean_of_workers(means: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean over all cells, from the workers' own means."""
    return (means * counts[:, None]).sum(axis=0) / counts.sum()


def mean_of_workers_given(means: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean over all cells, from the workers' own means."""
    there = means[counts > 0]
    return there.mean(axis=0)


def _means(rng: np.random.Generator) -> dict[str, Any]:
    n_workers = int(rng.integers(2, 5))
    counts = rng.integers(1, 30, n_workers)
    counts[rng.integers(n_workers)] += 40
    return {"means": rng.normal(0, 1, (n_workers, 3)).round(2), "counts": counts}


TASKS = (
    Exercise(
        name="part_of_loss",
        lesson="13",
        difficulty=3,
        minutes=18,
        reference=part_of_loss,
        inputs=_cells,
        alternative=_by_pairs,
        gradient=("e1", "e2"),
        mutants=(
            Mutant(
                "own sums",
                lambda *given: _part(*given, own_sums=True),
                "You summed over the cells at hand where all cells are meant. The sums over all of them came in: "
                "the other workers' cells are in there, and nowhere else.",
            ),
            Mutant(
                "own mean",
                lambda *given: _part(*given, own_mean=True),
                "You took the mean over the cells at hand. Added up over the workers that is as many means as there "
                "are workers; what is to be added up is each cell's share of one mean over all cells.",
            ),
            Mutant(
                "own count",
                lambda *given: _part(*given, own_count=True),
                "You compared with as many others as there are cells at hand. A cell has all cells as others, "
                "wherever these are.",
            ),
            Mutant(
                "own sums, own count and own mean",
                lambda *given: _part(*given, own_sums=True, own_count=True, own_mean=True),
                "This is the loss of the cells at hand, as if there were no others: nothing that came in from the "
                "other workers was used.",
            ),
            Mutant(
                "without itself near",
                lambda *given: _part(*given, with_self=False),
                "Near a cell are its neighbors and the cell itself. The sums in `near` do not hold the cell.",
            ),
            Mutant(
                "itself among the others",
                lambda *given: _part(*given, without_self=False),
                "The cell itself is among your others. The sums over all cells hold it: take its own term off, and "
                "count one cell less.",
            ),
        ),
        hints=(
            "Write D_ij = h1_i + h2_j - q1_i . L2_j - L1_i . q2_j, and sum it over j once for the neighbors and once "
            "for everyone: only `near` and `sums` are needed of other cells. D_ii comes from the cell's own rows.",
            "near: degree * h1 + near_h2 - (q1 * near_log_q2).sum(1) - (log_q1 * near_q2).sum(1) + own, over "
            "degree + 1. all: the same with n_cells and the sums, minus own, over n_cells - 1.",
        ),
        tested="value and gradients for 3 or 4 of 7 to 9 cells",
        not_tested="cells without neighbors",
    ),
    Exercise(
        name="log_sum_exp_of_parts",
        lesson="13",
        difficulty=2,
        minutes=6,
        reference=log_sum_exp_of_parts,
        inputs=_parts,
        edge_cases=({"largest": np.array([900.0, 901.0]), "sums": np.array([1.0, 2.0])},),
        alternative=lambda largest, sums: float(np.logaddexp.reduce(largest + np.log(sums))),
        mutants=(
            Mutant(
                "largest forgotten",
                lambda largest, sums: float(largest.max() + np.log(sums.sum())),
                "You added the workers' sums as they came. Each has its own largest value taken out, so they are in "
                "different units: bring them to one before you add.",
            ),
            Mutant(
                "logs added",
                lambda largest, sums: float((largest + np.log(sums)).sum()),
                "You added logarithms. That multiplies what is behind them; what is to be added are the exponentials.",
            ),
            Mutant(
                "mean",
                lambda largest, sums: float(np.mean(largest + np.log(sums))),
                "You took the mean of the workers' logarithms. A softmax over all cells needs the sum over all cells.",
            ),
            Mutant(
                "largest left out",
                lambda largest, sums: float(np.log((np.exp(largest - largest.max()) * sums).sum())),
                "The largest value is still taken out of your result. Put it back at the end.",
            ),
            Mutant(
                "overflow",
                lambda largest, sums: float(np.log((np.exp(largest) * sums).sum())),
                "Right for small values; for large ones your exponential is infinite. Take the largest of all out "
                "first.",
            ),
        ),
        hints=(
            "exp(x) = exp(largest) * exp(x - largest): what must each worker's sum be multiplied by before you add?",
            "top = largest.max(); weigh each sum with exp(largest - top), add, take the logarithm, add top.",
        ),
        tested="2 to 4 workers, and values of 900",
        not_tested="a worker without cells",
    ),
    Mend(
        name="mean_of_workers",
        lesson="13",
        difficulty=1,
        minutes=4,
        text="This function should put the workers' means together to the mean over all cells. With equal numbers of "
        "cells it is right. Find the fault, and mend it.",
        reference=mean_of_workers,
        faulty=mean_of_workers_given,
        symptom="Give one worker 1 cell and the other 99: the one cell counts as much as the ninety-nine.",
        inputs=_means,
        edge_cases=({"means": np.array([[1.0, 2.0], [0.0, 0.0]]), "counts": np.array([4, 0])},),
        alternative=lambda means, counts: np.average(means, axis=0, weights=counts),
        mutants=(
            Mutant(
                "not divided",
                lambda means, counts: (means * counts[:, None]).sum(axis=0),
                "This is the sum over all cells. Divide it by how many there are.",
            ),
            Mutant(
                "divided by the workers",
                lambda means, counts: (means * counts[:, None]).sum(axis=0) / len(counts),
                "You divided the sum over cells by the number of workers.",
            ),
            Mutant(
                "weighed the wrong way round",
                lambda means, counts: (
                    (means / np.maximum(counts, 1)[:, None]).sum(axis=0) / (1 / np.maximum(counts, 1)).sum()
                ),
                "Your weights make a worker with few cells count more, not less.",
            ),
        ),
        hints=(
            "What can be added over workers without a thought: means, or sums?",
            "Turn each mean back into a sum, add the sums, and divide by the number of all cells.",
        ),
        tested="2 to 4 workers of unequal size, and one without cells",
        not_tested="no cells at all",
    ),
)
