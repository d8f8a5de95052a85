"""Lesson 04, continued: the divergence within cells."""

from __future__ import annotations

import torch
from torch import Tensor

from scrcl_edu import alignment
from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.course.tasks.lesson_04 import (
    PARTS,
    divergence,
    seen,
    temperature_of_one_view,
    two_views,
    wrong_parts,
    wrong_temperatures,
)


def cell_alignment(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    """Half the symmetric divergence between the two views of a cell, averaged over cells."""
    return alignment.cell_alignment(e1, e2, temperature=temperature)


def _cell_kl_div(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, 1) for e in (e1, e2))
    kl = torch.nn.functional.kl_div
    first = kl(log_q2, log_q1, log_target=True, reduction="batchmean")
    return (first + kl(log_q1, log_q2, log_target=True, reduction="batchmean")) / 2


def _all_pairs(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, 1) for e in (e1, e2))
    return PARTS["both"](log_q1[:, None], log_q2).sum(-1).mean() / 2


def _median(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, 1) for e in (e1, e2))
    return PARTS["both"](log_q1, log_q2).sum(1).median() / 2


def _mistake(name: str, message: str, **wrong: str) -> Mutant:
    right = {"logs": "rows", "over": "mean over cells", "half": "halved"}
    return Mutant(name, divergence(**right | wrong), message, seen(**wrong))


TASKS = (
    Exercise(
        name="cell_alignment",
        lesson="04",
        difficulty=2,
        minutes=10,
        reference=cell_alignment,
        inputs=two_views,
        gradient=("e1", "e2"),
        alternative=_cell_kl_div,
        mutants=(
            Mutant(
                "one direction",
                divergence("rows", "one", over="mean over cells"),
                "This is the mean of KL(q1 || q2) alone. Add the other direction, and halve.",
            ),
            Mutant(
                "other direction",
                divergence("rows", "other", over="mean over cells"),
                "This is the mean of KL(q2 || q1) alone. Add the other direction, and halve.",
            ),
            _mistake(
                "wrong axis",
                "Your softmax runs over the columns. A cell is a row.",
                logs="columns",
            ),
            _mistake(
                "over all entries",
                "Your softmax runs over the whole matrix, as in the global loss. Here each row is a distribution of "
                "its own.",
                logs="all",
            ),
            _mistake(
                "no softmax",
                "There is no softmax in your result: e / temperature is used as if it were a log probability. Make a "
                "distribution of each row first.",
                logs="none",
            ),
            _mistake(
                "one direction, halved",
                "This is KL(q1 || q2), scaled in some way. The other direction is missing; the half is that of the "
                "sum of both.",
                part="one",
            ),
            _mistake(
                "other direction, halved",
                "This is KL(q2 || q1), scaled in some way. The other direction is missing; the half is that of the "
                "sum of both.",
                part="other",
            ),
            *wrong_parts(_mistake),
            _mistake(
                "difference of directions",
                "You subtracted one direction from the other. They are added, then halved.",
                part="difference",
            ),
            _mistake(
                "mean over entries",
                "You took the mean over all entries. Within a cell the terms are summed; only over the cells is the "
                "mean taken.",
                over="mean over entries",
            ),
            _mistake(
                "mean over hidden units",
                "You took a mean over the hidden units and a sum over the cells. It is the other way round: a sum "
                "within a cell, a mean over the cells.",
                over="mean over hidden units",
            ),
            _mistake(
                "sum over cells",
                "You summed over the cells. The mean over them makes the loss independent of how many there are.",
                over="sum",
            ),
            *wrong_temperatures(_mistake),
            *temperature_of_one_view(_cell_kl_div),
            _mistake(
                "not halved",
                "You added the two directions. Within cells their average is taken: halve it.",
                half="added",
            ),
            _mistake(
                "halved twice",
                "You halved it twice: the average of the two directions divides by 2 once.",
                half="quartered",
            ),
            Mutant(
                "negative",
                divergence("rows", "negative", over="mean over cells", half="halved"),
                "A divergence is never negative, and yours is. KL(q || p) weighs log q - log p by q, the distribution "
                "that is named first.",
                sign=lambda result, arguments: result < 0,
            ),
            Mutant(
                "NaN",
                lambda e1, e2, temperature: _cell_kl_div(e1, e2, temperature) * float("nan"),
                "Your result is NaN. A logarithm was taken of something that is not positive: kl_div, for one, expects "
                "probabilities as its second argument unless you say log_target=True.",
                sign=lambda result, arguments: not torch.isfinite(result).all(),
            ),
            Mutant(
                "all pairs of cells",
                _all_pairs,
                "You compared each cell with every cell. Here only the two views of the *same* cell are compared.",
            ),
            Mutant(
                "median",
                _median,
                "You took the median over the cells. The mean is asked for.",
            ),
            Mutant(
                "temperature squared",
                lambda e1, e2, temperature: _cell_kl_div(e1, e2, temperature) * temperature**2,
                "You multiplied by the squared temperature, as distillation does. This loss has no such factor.",
            ),
        ),
        hints=(
            "Row-wise log_softmax of both views, then the divergence of each row: sum over the last dimension.",
            "The mean over cells of both directions, divided by two.",
        ),
        tested="value and gradients on 4 to 6 cells, at three temperatures",
        not_tested="speed",
    ),
)
