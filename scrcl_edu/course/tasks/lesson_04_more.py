"""Lesson 04, beyond its losses: two predictions, a fault, an intervention, a transfer and an explanation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu import alignment
from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.task import Exercise, Explanation, Mend, Mutant, Prediction, Property, Transfer
from scrcl_edu.course.tasks.lesson_04 import unit_pair


def within_cells(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    """Half the symmetric divergence between the two views of a cell, averaged over cells.

    Parameters
    ----------
    e1, e2
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0.

    Returns
    -------
    A scalar tensor.
    """
    return alignment.cell_alignment(e1, e2, temperature=temperature)


def within_cells_given(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    """The softmax runs over cells."""
    log_q1 = torch.log_softmax(e1 / temperature, dim=0)
    log_q2 = torch.log_softmax(e2 / temperature, dim=0)
    both_ways = (log_q1.exp() - log_q2.exp()) * (log_q1 - log_q2)  # (n_cells, n_hidden)
    return both_ways.sum(dim=1).mean() / 2


def _softmax_over(first: int, second: int) -> Any:
    def loss(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
        log_q1, log_q2 = torch.log_softmax(e1 / temperature, first), torch.log_softmax(e2 / temperature, second)
        return ((log_q1.exp() - log_q2.exp()) * (log_q1 - log_q2)).sum(1).mean() / 2

    return loss


def _over_everything(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    return alignment.global_alignment(e1, e2, temperature=temperature)


def _one_way_each(e1: Tensor, e2: Tensor, temperature: float) -> Tensor:
    log_q1, log_q2 = (torch.log_softmax(e / temperature, -1) for e in (e1, e2))
    first = (log_q1.exp() * (log_q1 - log_q2)).sum(-1)
    second = (log_q2.exp() * (log_q2 - log_q1)).sum(-1)
    return (first + second).mean() / 2


def _views(rng: np.random.Generator) -> dict[str, Any]:
    e1, e2 = unit_pair(rng)
    return {"e1": e1, "e2": e2, "temperature": float(rng.choice([0.2, 0.5, 1.0]))}


def without_mean_gap(e1: Tensor, e2: Tensor) -> Tensor:
    """Move view 2 so that the two views have no gap in common."""
    return e2 + (e1 - e2).mean(dim=0, keepdim=True).detach()


def _pair(rng: np.random.Generator) -> dict[str, Any]:
    e1, e2 = unit_pair(rng)
    return {"e1": e1, "e2": e2}


def encodings(rng: np.random.Generator) -> dict[str, Any]:
    """Unit-row encodings of 80 cells; how many hidden units, and how uneven, differs from draw to draw."""
    width, power = rng.choice([12, 60, 300]), rng.choice([1.0, 3.0])
    e = rng.random((80, width)) ** power
    return {"e": e / np.linalg.norm(e, axis=1, keepdims=True)}


def _share_in_use(e: np.ndarray, temperature: float) -> float:
    log_q = torch.log_softmax(torch.as_tensor(e / temperature), -1)
    return float((-(log_q.exp() * log_q).sum(-1)).exp().mean() / e.shape[1])


def _bisected(e: np.ndarray, share: float = 0.5) -> float:
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _share_in_use(e, middle) < share else (low, middle)
    return middle


def _is_temperature(answer: Any) -> bool:
    return isinstance(answer, (int, float)) and not isinstance(answer, bool) and math.isfinite(answer) and answer > 0


TASKS = (
    Prediction(
        name="worst_of_three",
        lesson="04",
        difficulty=1,
        minutes=1,
        text="k-means with ten clusters, over three seeds: on which of the three is its accuracy worst?",
        shape=Choice(
            options=("not trained", "alignment alone", "with neighborhoods"),
            right="k-means does not care how small the differences between cells are. Lesson 05 shows what the "
            "neighborhood loss does to types.",
            means={
                "not trained": "This guess takes it for granted that training helps. Lesson 03 found most of the score "
                "before the first step.",
                "alignment alone": "This guess takes the collapse for a loss of everything. Cells that are alike to a "
                "hundredth can still be sorted by who is nearer to whom.",
            },
        ),
    ),
    Prediction(
        name="mean_gap_out",
        lesson="04",
        difficulty=2,
        minutes=2,
        text="The mean gap is taken out at every step, so that the loss sees only what differs from cell to cell. At "
        "which mean cosine do different cells end? They begin at about 0.77, and end at 0.99 with the whole gap.",
        shape=Number(
            near=0.05,
            low=0.0,
            high=1.0,
            form=".2f",
            right="The story of the mean gap was plausible, and you did not believe it untested.",
            too_low="This guess believes the story: take the cause away, and the effect goes. But the mean gap was "
            "only seen beside the collapse; here the cells collapse without it.",
            too_high="It cannot well end above what the whole gap does.",
        ),
    ),
    Mend(
        name="within_cells",
        lesson="04",
        difficulty=2,
        minutes=5,
        text="This loss should compare the two views within each cell. Training makes it small, and it is 0 for equal "
        "views. Find the fault, and mend it.",
        reference=within_cells,
        faulty=within_cells_given,
        symptom="Add a number to all hidden units of one cell. Its own distribution should not change, and the loss "
        "does.",
        inputs=_views,
        gradient=("e1", "e2"),
        alternative=_one_way_each,
        mutants=(
            Mutant(
                "rows centered",
                lambda e1, e2, temperature: within_cells_given(
                    e1 - e1.mean(dim=1, keepdim=True), e2 - e2.mean(dim=1, keepdim=True), temperature
                ),
                "The symptom is gone, and the fault is not: you take off the mean of each cell, and the softmax still "
                "runs over cells. Whose distribution is it?",
            ),
            Mutant(
                "one view mended",
                _softmax_over(-1, 0),
                "View 1 is a distribution over hidden units now, and view 2 is still one over something else.",
            ),
            Mutant(
                "the other view mended",
                _softmax_over(0, -1),
                "View 2 is a distribution over hidden units now, and view 1 is still one over something else.",
            ),
            Mutant(
                "over everything",
                _over_everything,
                "This is one softmax over the whole matrix, the global loss. Each cell should have a distribution of "
                "its own.",
            ),
        ),
        hints=(
            "What sums to 1 here, a row or a column?",
            "A distribution of one cell has one probability for each hidden unit.",
        ),
        tested="value and both gradients on 4 to 6 cells",
        not_tested="speed",
    ),
    Exercise(
        name="without_mean_gap",
        lesson="04",
        difficulty=2,
        minutes=8,
        reference=without_mean_gap,
        inputs=_pair,
        gradient=("e2",),
        alternative=lambda e1, e2: e2 - e2.detach().mean(0) + e1.detach().mean(0),
        mutants=(
            Mutant(
                "other direction",
                lambda e1, e2: e2 + (e2 - e1).mean(dim=0, keepdim=True).detach(),
                "You moved view 2 away from view 1: the mean gap is twice as large now.",
            ),
            Mutant(
                "the whole gap",
                lambda e1, e2: e2 + (e1 - e2).detach(),
                "You took the whole gap out, cell by cell: the result is view 1. Only what all cells share should go.",
            ),
            Mutant(
                "over hidden units",
                lambda e1, e2: e2 + (e1 - e2).mean(dim=1, keepdim=True).detach(),
                "You averaged over the hidden units of each cell. The gap that is common to all cells is a mean over "
                "cells, one number for each hidden unit.",
            ),
        ),
        hints=(
            "Compare the means of the two views over cells. What has to be added to one to get the other?",
            "detach() makes a constant of a tensor: of the added row, and of nothing else.",
        ),
        tested="values and the gradient of view 2 on 4 to 6 cells",
        not_tested="that training without the mean gap goes as you expect",
    ),
    Transfer(
        name="fitting_temperature",
        lesson="04",
        difficulty=3,
        minutes=12,
        text="Encodings of other widths than the lesson's. Find, from the encodings alone, a temperature at which a "
        "cell spreads its weight over half of its hidden units, counted as in the lesson by e to the entropy.",
        answer="a function that takes encodings e, an array of shape (n_cells, n_hidden), and gives a number",
        function=True,
        data=encodings,
        properties=(
            Property(
                "a number above 0",
                lambda answer, data: _is_temperature(answer),
                "Hand back one number above 0.",
                wrong=lambda e: -0.1,
            ),
            Property(
                "half of the hidden units are in use",
                lambda answer, data: 0.45 <= _share_in_use(data["e"], answer) <= 0.55,
                "At your temperature another share of the hidden units is in use than a half. The same number does not "
                "fit every width.",
                wrong=lambda e: 0.1,
            ),
        ),
        solution=_bisected,
        rubric=(
            "says that the share rises with the temperature, so that halving an interval finds it",
            "explains why wider encodings need lower temperatures",
            "says that changing the temperature changes the weight of the loss as well",
        ),
        hints=(
            "Does the share rise or fall with the temperature? What do you know at its ends?",
            "Halve an interval again and again, in logarithms.",
        ),
    ),
    Explanation(
        name="story_and_test",
        lesson="04",
        difficulty=3,
        minutes=5,
        text="More than half of the gap between the views is common to all cells, and the cells collapse. Why does the "
        "first not prove the cause of the second, what did the two interventions show, and what does it take to "
        "collapse?",
        model="That the mean gap is large was only seen beside the collapse; both could be there for other reasons. "
        "With the mean gap taken out the cells collapse all the same, and with the mean gap alone they do not, so it "
        "is the gap of each cell for itself that does it. Weights that all cells share cannot close a gap that differs "
        "from cell to cell one by one, but they can make all differences between cells small, and a loss without "
        "negatives does not mind.",
        rubric=(
            "tells a correlation from an intervention",
            "reports both directions: taken out, and left alone",
            "names the three ingredients: gaps that differ from cell to cell, shared weights, and a loss that does not "
            "reward differences",
        ),
    ),
)
