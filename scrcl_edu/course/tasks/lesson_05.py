"""Lesson 05: divergences between all cells."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.course.tasks.lesson_04 import (
    COLD,
    LOGS,
    PARTS,
    TEMPERATURES,
    two_views,
    wrong_parts,
    wrong_temperatures,
)


def pairwise_divergence(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    """Symmetric divergence of each cell in view 1 to each cell in view 2."""
    log_q1, log_q2 = (torch.log_softmax(e / temperature, -1) for e in (e1, e2))
    gap = log_q1[:, None] - log_q2  # (n_cells, n_cells, n_hidden)
    return ((log_q1.exp()[:, None] - log_q2.exp()) * gap).sum(-1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _by_products(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, -1) for e in (e1, e2))
    q1, q2 = log_q1.exp(), log_q2.exp()
    return _dot(q1, log_q1)[:, None] + _dot(q2, log_q2) - q1 @ log_q2.T - log_q1 @ q2.T


VIEWS = {
    "both": lambda e1, e2: (e1, e2),
    "swapped": lambda e1, e2: (e2, e1),
    "first twice": lambda e1, e2: (e1, e1),
    "second twice": lambda e1, e2: (e2, e2),
}


def _pairs(
    logs: str = "rows", part: str = "both", temperature: str = "divided", views: str = "both", half: str = "added"
) -> Callable[[Tensor, Tensor, float], Tensor]:
    def divergence(e1: Tensor, e2: Tensor, t: float) -> Tensor:
        log_1, log_2 = (LOGS[logs](e, TEMPERATURES[temperature](t)) for e in VIEWS[views](e1, e2))
        return PARTS[part](log_1[:, None], log_2).sum(-1) * (0.5 if half == "halved" else 1)

    return divergence


def _mistake(name: str, message: str, **wrong: str) -> Mutant:
    kinds = {"logs": LOGS, "part": PARTS, "temperature": TEMPERATURES, "views": VIEWS, "half": ("added", "halved")}

    def sign(result: Tensor, arguments: dict[str, Any]) -> bool:
        choices = ([wrong[key]] if key in wrong else known for key, known in kinds.items())
        return any(
            torch.allclose(_pairs(*pieces)(*arguments.values()), result) for pieces in itertools.product(*choices)
        )

    return Mutant(name, _pairs(**wrong), message, sign)


def _compares_encodings(result: Tensor, arguments: dict[str, Any]) -> bool:
    e1, e2, temperature = arguments.values()
    distance, product = torch.cdist(e1, e2), e1 @ e2.T
    known = distance, distance.square(), product, 1 - product, product / temperature, (1 - product) / temperature
    return any(torch.allclose(value, result) for value in known)


def _not_summed(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_1, log_2 = (LOGS["rows"](e, temperature) for e in (e1, e2))
    return PARTS["both"](log_1[:, None], log_2)


TASKS = (
    Exercise(
        name="pairwise_divergence",
        lesson="05",
        difficulty=2,
        minutes=10,
        reference=pairwise_divergence,
        inputs=two_views,
        edge_cases=(COLD,),
        gradient=("e1", "e2"),
        alternative=_by_products,
        mutants=(
            Mutant(
                "squared distance",
                lambda e1, e2, temperature: torch.cdist(e1, e2).square(),
                "These are distances or products of the encodings. Turn each row into a distribution first, then take "
                "divergences.",
                sign=_compares_encodings,
            ),
            _mistake(
                "one direction",
                "This is KL(q1_i || q2_j) alone; the other direction is missing.",
                part="one",
            ),
            _mistake(
                "other direction",
                "This is KL(q2_j || q1_i) alone, the reverse one; the other direction is missing.",
                part="other",
            ),
            *wrong_parts(_mistake),
            _mistake(
                "difference of directions",
                "You subtracted one direction from the other. They are added.",
                part="difference",
            ),
            _mistake(
                "wrong axis",
                "Your softmax runs over the columns. A cell is a row.",
                logs="columns",
            ),
            _mistake(
                "over all entries",
                "Your softmax runs over the whole matrix, as in the global loss. Here each cell is a distribution of "
                "its own.",
                logs="all",
            ),
            _mistake(
                "no softmax",
                "Nothing is normalized: e / temperature is used as if it were a log probability. Make a distribution "
                "of each row first.",
                logs="none",
            ),
            _mistake(
                "transposed",
                "Rows and columns are swapped: row i belongs to cell i in view 1, column j to cell j in view 2.",
                views="swapped",
            ),
            _mistake(
                "one view only",
                "Both sides of your divergence come from one view. It compares view 1 of cell i with view 2 of cell j.",
                views="first twice",
            ),
            _mistake(
                "second view only",
                "Both sides of your divergence come from view 2. It compares view 1 of cell i with view 2 of cell j.",
                views="second twice",
            ),
            *wrong_temperatures(_mistake),
            Mutant(
                "mean over hidden units",
                lambda e1, e2, temperature: pairwise_divergence(e1, e2, temperature) / e1.shape[1],
                "You took the mean over the hidden units. A divergence is a sum: the probabilities are the weights"
                " already.",
            ),
            _mistake(
                "halved",
                "You took half of it. Here the two directions are added.",
                half="halved",
            ),
            Mutant(
                "negative",
                lambda e1, e2, temperature: -pairwise_divergence(e1, e2, temperature),
                "A divergence is never negative, and yours is. KL(q || p) weighs log q - log p by q, the distribution "
                "that is named first.",
                sign=lambda result, arguments: result.min() < 0,
            ),
            Mutant(
                "NaN",
                lambda e1, e2, temperature: pairwise_divergence(e1, e2, temperature) * float("nan"),
                "Your result holds NaN. A logarithm was taken of something that is not positive: of a probability that "
                "a low temperature rounds to 0 (log_softmax takes both steps at once), or of a log: kl_div expects "
                "probabilities as its second argument unless you say log_target=True.",
                sign=lambda result, arguments: not torch.isfinite(result).all(),
            ),
            Mutant(
                "same cells only",
                lambda e1, e2, temperature: pairwise_divergence(e1, e2, temperature).diagonal(),
                "You compared each cell with itself only, one number per cell. A matrix is asked for: cell i of view 1 "
                "with *every* cell j of view 2.",
                sign=lambda result, arguments: result.shape == arguments["e1"].shape[:1],
            ),
            Mutant(
                "not summed",
                _not_summed,
                "The last dimension, that of the hidden units, is still there. A divergence is the sum over it.",
                sign=lambda result, arguments: result.ndim == 3,
            ),
        ),
        hints=(
            "log_q1[:, None] - log_q2 has shape (n_cells, n_cells, n_hidden): every cell against every cell.",
            "Weigh these gaps by q1_i - q2_j and sum over the last dimension; both directions are in it.",
        ),
        tested="values, shape and gradients on 4 to 6 cells, at three temperatures",
        not_tested="memory: this form is meant to be simple, not small",
    ),
)
