"""Lesson 04, continued: the divergence of two whole views."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scrcl_edu import alignment
from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.course.tasks.lesson_04 import (
    LOGS,
    divergence,
    seen,
    temperature_of_one_view,
    two_views,
    wrong_parts,
    wrong_temperatures,
)


def symmetric_kl(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    """Symmetric divergence of two views whose softmax runs over all entries at once (the global alignment)."""
    return alignment.global_alignment(e1, e2, temperature=temperature)


def _kl_div(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_p1, log_p2 = (LOGS["all"](e, temperature).flatten() for e in (e1, e2))
    kl = torch.nn.functional.kl_div
    return kl(log_p2, log_p1, log_target=True, reduction="sum") + kl(log_p1, log_p2, log_target=True, reduction="sum")


def _mistake(name: str, message: str, **wrong: str) -> Mutant:
    return Mutant(name, divergence(**{"logs": "all"} | wrong), message, seen(**wrong))


def _compares_encodings(result: Tensor, arguments: dict[str, Any]) -> bool:
    e1, e2, _ = arguments.values()
    squares, agreement = (e1 - e2).square(), (e1 * e2).sum(1)
    known = squares.sum(), squares.mean(), squares.sum(1).mean(), 1 - agreement.mean(), -agreement.mean()
    return any(torch.isclose(result, value) for value in known)


TASKS = (
    Exercise(
        name="symmetric_kl",
        lesson="04",
        difficulty=2,
        minutes=10,
        reference=symmetric_kl,
        inputs=two_views,
        gradient=("e1", "e2"),
        alternative=_kl_div,
        mutants=(
            _mistake(
                "one direction",
                "This is KL(p1 || p2) alone. KL is not symmetric: add KL(p2 || p1).",
                part="one",
            ),
            _mistake(
                "other direction",
                "This is KL(p2 || p1) alone. KL is not symmetric: add KL(p1 || p2).",
                part="other",
            ),
            _mistake(
                "softmax over rows",
                "Your softmax runs over each row, so there are n_cells distributions. In the global loss all entries "
                "of the matrix are one distribution.",
                logs="rows",
            ),
            _mistake(
                "softmax over columns",
                "Your softmax runs over each column. In the global loss all entries of the matrix are one "
                "distribution.",
                logs="columns",
            ),
            _mistake(
                "no softmax",
                "There is no softmax in your result: e / temperature is used as if it were a log probability. Make a "
                "distribution of it first, so that its exponentials sum to 1.",
                logs="none",
            ),
            _mistake(
                "mean for sum",
                "You took the mean over the entries. A divergence is a sum: the probabilities are the weights already.",
                over="mean over entries",
            ),
            _mistake(
                "divided by the cells",
                "You divided by the number of cells (as reduction='batchmean' does). All entries are one distribution, "
                "so there is one sum.",
                over="mean over cells",
            ),
            *wrong_parts(_mistake),
            _mistake(
                "halved",
                "You took half of it. The global loss adds the two directions; only the loss within cells is halved.",
                half="halved",
            ),
            *wrong_temperatures(_mistake),
            *temperature_of_one_view(_kl_div),
            _mistake(
                "difference of directions",
                "You subtracted one direction from the other. They are added, so that each way of disagreeing counts.",
                part="difference",
            ),
            Mutant(
                "mean over cells",
                divergence("rows", over="mean over cells"),
                "This is a mean over cells of their own divergences, each with a softmax of its own row. The global "
                "loss has one softmax over all entries.",
            ),
            Mutant(
                "negative",
                divergence("all", "negative"),
                "A divergence is never negative, and yours is. KL(p || q) weighs log p - log q by p, the distribution "
                "that is named first.",
                sign=lambda result, arguments: result < 0,
            ),
            Mutant(
                "directions cancel",
                lambda e1, e2, temperature: 0 * (e1 + e2).sum(),
                "Your result is always 0: the two directions cancel. Each is weighed by the probability of the "
                "distribution that it starts from.",
            ),
            Mutant(
                "NaN",
                lambda e1, e2, temperature: _kl_div(e1, e2, temperature) * float("nan"),
                "Your result is NaN. A logarithm was taken of something that is not positive: kl_div, for one, expects "
                "probabilities as its second argument unless you say log_target=True.",
                sign=lambda result, arguments: not torch.isfinite(result).all(),
            ),
            Mutant(
                "encodings compared",
                lambda e1, e2, temperature: (e1 - e2).square().mean(),
                "You compared the encodings themselves. The loss compares distributions: the softmax over all entries "
                "of e / temperature.",
                sign=_compares_encodings,
            ),
            Mutant(
                "temperature squared",
                lambda e1, e2, temperature: _kl_div(e1, e2, temperature) * temperature**2,
                "You multiplied by the squared temperature, as distillation does. This loss has no such factor.",
            ),
        ),
        hints=(
            "Flatten e / temperature to one long vector, and take its log_softmax.",
            "(p1 - p2) * (log p1 - log p2), summed over everything, holds both directions at once.",
        ),
        tested="value and gradients on 4 to 6 cells, at three temperatures",
        not_tested="speed",
    ),
)
