"""Lesson 04: log probabilities, and the two symmetric divergences between views."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu import alignment
from scrcl_edu.course.exercise import Exercise, Mutant


def log_probabilities(e: Tensor, temperature: float) -> Tensor:
    """Turn each row of an encoding into the logarithm of a distribution.

    Parameters
    ----------
    e
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0. Smaller is sharper.

    Returns
    -------
    Logarithm of the row-wise softmax of e / temperature, shape (n_cells, n_hidden).
    """
    return torch.log_softmax(e / temperature, -1)


def symmetric_kl(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    """Symmetric divergence of two views whose softmax runs over all entries at once (the global alignment).

    Parameters
    ----------
    e1, e2
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0.

    Returns
    -------
    sum p1 (log p1 - log p2) + sum p2 (log p2 - log p1), a scalar tensor; p is a softmax over all n_cells * n_hidden
    entries of e / temperature.
    """
    return alignment.global_alignment(e1, e2, temperature=temperature)


def cell_alignment(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    """Half the symmetric divergence between the two views of a cell, averaged over cells.

    Parameters
    ----------
    e1, e2
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0.

    Returns
    -------
    (mean_i KL(q1_i || q2_i) + mean_i KL(q2_i || q1_i)) / 2, a scalar tensor; q is the row-wise softmax.
    """
    return alignment.cell_alignment(e1, e2, temperature=temperature)


def unit_pair(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Two small views with unit rows, more cells than hidden numbers; the first one is not negative."""
    n_cells, n_hidden = rng.integers(4, 7), 3
    pair = rng.random((n_cells, n_hidden)) + 0.05, rng.normal(size=(n_cells, n_hidden))
    e1, e2 = (torch.from_numpy(e / np.linalg.norm(e, axis=1, keepdims=True)) for e in pair)
    return e1, e2


def _views(rng: np.random.Generator) -> dict[str, Any]:
    e1, e2 = unit_pair(rng)
    return {"e1": e1, "e2": e2, "temperature": float(rng.choice([0.2, 0.5, 2.0]))}


def _view(rng: np.random.Generator) -> dict[str, Any]:
    return {"e": unit_pair(rng)[1], "temperature": float(rng.choice([0.2, 0.5, 2.0]))}


def _log_p(e: Tensor, temperature: float) -> Tensor:
    return torch.log_softmax((e / temperature).flatten(), 0).view_as(e)


def _both_ways(log_p1: Tensor, log_p2: Tensor) -> Tensor:
    return (log_p1.exp() - log_p2.exp()) * (log_p1 - log_p2)


def _kl_div(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_p1, log_p2 = (_log_p(e, temperature).flatten() for e in (e1, e2))
    kl = torch.nn.functional.kl_div
    return kl(log_p2, log_p1, log_target=True, reduction="sum") + kl(log_p1, log_p2, log_target=True, reduction="sum")


def _cell_kl_div(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, 1) for e in (e1, e2))
    kl = torch.nn.functional.kl_div
    first = kl(log_q2, log_q1, log_target=True, reduction="batchmean")
    return (first + kl(log_q1, log_q2, log_target=True, reduction="batchmean")) / 2


def _one_direction(log_p1: Tensor, log_p2: Tensor) -> Tensor:
    return log_p1.exp() * (log_p1 - log_p2)


def _no_logs(log_p1: Tensor, log_p2: Tensor) -> Tensor:
    return (log_p1.exp() - log_p2.exp()) ** 2


def _globally(part: Any, *, mean: bool = False, invert: bool = False) -> Any:
    def loss(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
        temperature = 1 / temperature if invert else temperature
        terms = part(_log_p(e1, temperature), _log_p(e2, temperature))
        return terms.mean() if mean else terms.sum()

    return loss


def _by_softmax(part: Any, dim: int, reduce: Any) -> Any:
    def loss(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
        log_q1, log_q2 = (torch.log_softmax(e / temperature, dim) for e in (e1, e2))
        return reduce(part(log_q1, log_q2), len(e1))

    return loss


EXERCISES = (
    Exercise(
        name="log_probabilities",
        lesson="04",
        reference=log_probabilities,
        inputs=_view,
        alternative=lambda e, temperature: e / temperature - (e / temperature).exp().sum(1, keepdim=True).log(),
        mutants=(
            Mutant(
                "wrong axis",
                lambda e, temperature: torch.log_softmax(e / temperature, 0),
                "Your columns sum to 1. Each cell is a row and has a distribution of its own: the softmax runs along "
                "the rows.",
            ),
            Mutant(
                "probabilities",
                lambda e, temperature: torch.softmax(e / temperature, 1),
                "These are the probabilities; their logarithms are asked for.",
            ),
            Mutant(
                "times temperature",
                lambda e, temperature: torch.log_softmax(e * temperature, 1),
                "You multiplied by the temperature. Dividing by a small one makes the differences large: that is "
                "sharper.",
            ),
            Mutant(
                "no temperature",
                lambda e, temperature: torch.log_softmax(e, 1),
                "The temperature does not change your result.",
            ),
            Mutant(
                "all entries",
                lambda e, temperature: _log_p(e, temperature),
                "Your softmax runs over the whole matrix, so that all entries together sum to 1. Here each row does.",
            ),
            Mutant(
                "sum without its logarithm",
                lambda e, temperature: e / temperature - (e / temperature).exp().sum(1, keepdim=True),
                "You subtracted the sum of the exponentials; what is subtracted is the logarithm of that sum.",
            ),
            Mutant(
                "base 2",
                lambda e, temperature: torch.log2(torch.softmax(e / temperature, 1)),
                "This is the logarithm with base 2. The natural logarithm is asked for, as in torch.log.",
            ),
        ),
        hints=(
            "torch.log_softmax does both steps at once and is safe for large numbers.",
            "Divide by the temperature first; the last dimension is that of one cell.",
        ),
        tested="values and shape at three temperatures",
        not_tested="gradients, very small temperatures",
    ),
    Exercise(
        name="symmetric_kl",
        lesson="04",
        reference=symmetric_kl,
        inputs=_views,
        alternative=_kl_div,
        mutants=(
            Mutant(
                "one direction",
                _globally(_one_direction),
                "This is KL(p1 || p2) alone. KL is not symmetric: add KL(p2 || p1).",
            ),
            Mutant(
                "other direction",
                _globally(lambda log_p1, log_p2: _one_direction(log_p2, log_p1)),
                "This is KL(p2 || p1) alone. KL is not symmetric: add KL(p1 || p2).",
            ),
            Mutant(
                "softmax over rows",
                _by_softmax(_both_ways, 1, lambda terms, n: terms.sum()),
                "Your softmax runs over each row, so there are n_cells distributions. In the global loss all entries "
                "of the "
                "matrix are one distribution.",
            ),
            Mutant(
                "softmax over columns",
                _by_softmax(_both_ways, 0, lambda terms, n: terms.sum()),
                "Your softmax runs over each column. In the global loss all entries of the matrix are one "
                "distribution.",
            ),
            Mutant(
                "mean for sum",
                _globally(_both_ways, mean=True),
                "You took the mean over the entries. A divergence is a sum: the probabilities are the weights already.",
            ),
            Mutant(
                "probabilities, not logs",
                _globally(_no_logs),
                "You compare probabilities where their logarithms belong: KL weighs a difference of *logs* by a "
                "probability.",
            ),
            Mutant(
                "halved",
                lambda e1, e2, temperature: _globally(_both_ways)(e1, e2, temperature) / 2,
                "You took half of it. The global loss adds the two directions; only the loss within cells is halved.",
            ),
            Mutant(
                "times temperature",
                _globally(_both_ways, invert=True),
                "You multiplied by the temperature instead of dividing by it.",
            ),
            Mutant(
                "difference of directions",
                _globally(lambda log_p1, log_p2: _one_direction(log_p1, log_p2) - _one_direction(log_p2, log_p1)),
                "You subtracted one direction from the other. They are added, so that each way of disagreeing counts.",
            ),
            Mutant(
                "mean over cells",
                _by_softmax(_both_ways, 1, lambda terms, n: terms.sum() / n),
                "This is a mean over cells of their own divergences, each with a softmax of its own row. The global "
                "loss has one softmax over all entries.",
            ),
            Mutant(
                "no temperature",
                lambda e1, e2, temperature: _globally(_both_ways)(e1, e2, 1.0),
                "The temperature does not change your result.",
            ),
        ),
        hints=(
            "Flatten e / temperature to one long vector, and take its log_softmax.",
            "(p1 - p2) * (log p1 - log p2), summed over everything, holds both directions at once.",
        ),
        tested="the value on 4 to 6 cells, at three temperatures",
        not_tested="gradients, speed",
    ),
    Exercise(
        name="cell_alignment",
        lesson="04",
        reference=cell_alignment,
        inputs=_views,
        alternative=_cell_kl_div,
        mutants=(
            Mutant(
                "one direction",
                _by_softmax(_one_direction, 1, lambda terms, n: terms.sum() / n),
                "This is the mean of KL(q1 || q2) alone. Add the other direction, and halve.",
            ),
            Mutant(
                "wrong axis",
                _by_softmax(_both_ways, 0, lambda terms, n: terms.sum() / n / 2),
                "Your softmax runs over the columns. A cell is a row.",
            ),
            Mutant(
                "sum over cells",
                _by_softmax(_both_ways, 1, lambda terms, n: terms.sum() / 2),
                "You summed over the cells. The mean over them makes the loss independent of how many there are.",
            ),
            Mutant(
                "mean over entries",
                _by_softmax(_both_ways, 1, lambda terms, n: terms.mean() / 2),
                "You took the mean over all entries. Within a cell the terms are summed; only over the cells is the "
                "mean taken.",
            ),
            Mutant(
                "not halved",
                _by_softmax(_both_ways, 1, lambda terms, n: terms.sum() / n),
                "You added the two directions. Within cells their average is taken: halve it.",
            ),
            Mutant(
                "probabilities, not logs",
                _by_softmax(_no_logs, 1, lambda terms, n: terms.sum() / n / 2),
                "You compare probabilities where their logarithms belong.",
            ),
            Mutant(
                "one direction, halved",
                _by_softmax(_one_direction, 1, lambda terms, n: terms.sum() / n / 2),
                "This is half of KL(q1 || q2). The other direction is missing; the half is that of the sum of both.",
            ),
            Mutant(
                "over all entries",
                lambda e1, e2, temperature: _globally(_both_ways)(e1, e2, temperature) / 2,
                "Your softmax runs over the whole matrix, as in the global loss. Here each row is a distribution of "
                "its own.",
            ),
            Mutant(
                "no temperature",
                lambda e1, e2, temperature: _by_softmax(_both_ways, 1, lambda terms, n: terms.sum() / n / 2)(
                    e1, e2, 1.0
                ),
                "The temperature does not change your result.",
            ),
        ),
        hints=(
            "Row-wise log_softmax of both views, then the divergence of each row: sum over the last dimension.",
            "The mean over cells of both directions, divided by two.",
        ),
        tested="the value on 4 to 6 cells, at three temperatures",
        not_tested="gradients, speed",
    ),
)
