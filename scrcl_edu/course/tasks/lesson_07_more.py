"""Lesson 07, beyond its functions: two predictions, a fault to mend, a transfer and an explanation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scrcl_edu.course.guesses import Choice
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction, Property, Transfer

Array = np.ndarray
State = tuple[Array, Array]


def kept_epoch(losses: Sequence[float], clusters: Array, labels: Sequence[tuple[int, int]]) -> int:
    """Choose the epoch whose clusters are handed back."""
    return int(np.argmin(losses))


def kept_epoch_given(losses: Sequence[float], clusters: Array, labels: Sequence[tuple[int, int]]) -> int:
    """The epoch is chosen that agrees best with the labels."""
    best, kept = -1.0, 0
    for epoch, found in enumerate(clusters):
        agreement = np.mean([found[i] == found[j] for i, j in labels])
        if agreement > best:
            best, kept = agreement, epoch
    return kept


def _agreement(clusters: Array, labels: Sequence[tuple[int, int]]) -> Array:
    return np.array([np.mean([found[i] == found[j] for i, j in labels]) for found in clusters])


def _first_of_sorted(losses: Sequence[float], clusters: Array, labels: Sequence[tuple[int, int]]) -> int:
    return min(range(len(losses)), key=lambda epoch: (losses[epoch], epoch))


def _epochs(rng: np.random.Generator) -> dict[str, Any]:
    labels = [(0, 1), (1, 2), (3, 4), (4, 5)]
    while True:
        losses, clusters = rng.permutation(9)[:5] / 4, rng.integers(0, 3, (5, 6))
        chosen = {int(np.argmin(losses)), int(_agreement(clusters, labels).argmax()), 4, int(np.argmax(losses))}
        if len(chosen) == 4:
            return {"losses": losses.tolist(), "clusters": clusters, "labels": labels}


def regression(rng: np.random.Generator) -> dict[str, Any]:
    """Fifty points with four features, and targets that are nearly linear in them."""
    x = rng.normal(size=(50, 4))
    return {"x": x, "y": x @ rng.normal(size=4) + 0.1 * rng.normal(size=50)}


def descend(x: Array, y: Array, n_steps: int, state: State | None, *, momentum: float = 0.9) -> State:
    """Gradient descent with momentum on the mean squared error; the state is all that it carries along."""
    weights, velocity = (0 * x[0], 0 * x[0]) if state is None else state
    for _ in range(n_steps):
        velocity = momentum * velocity + 2 * x.T @ (x @ weights - y) / len(y)
        weights = weights - 0.02 * velocity
    return weights, velocity


def _forgetful(x: Array, y: Array, n_steps: int, state: State | None) -> State:
    weights, _ = descend(x, y, n_steps, state)
    return weights, 0 * weights


def _in_place(x: Array, y: Array, n_steps: int, state: State | None) -> State:
    weights, velocity = (0 * x[0], 0 * x[0]) if state is None else state
    for _ in range(n_steps):
        velocity *= 0.9
        velocity += 2 * x.T @ (x @ weights - y) / len(y)
        weights -= 0.02 * velocity
    return weights, velocity


def _resumes(descent: Callable[..., State], data: dict[str, Any]) -> bool:
    x, y = data["x"], data["y"]
    straight, half = descent(x, y, 40, None), descent(x, y, 20, None)
    return bool(np.allclose(descent(x, y, 20, half)[0], straight[0], rtol=1e-10, atol=1e-12))


def _follows_the_rule(descent: Callable[..., State], data: dict[str, Any]) -> bool:
    expected = descend(data["x"], data["y"], 3, None)[0]
    return bool(np.allclose(descent(data["x"], data["y"], 3, None)[0], expected))


def _leaves_the_kept_state(descent: Callable[..., State], data: dict[str, Any]) -> bool:
    kept = descent(data["x"], data["y"], 5, None)
    before = np.copy(kept[0])
    descent(data["x"], data["y"], 5, kept)
    return bool(np.array_equal(kept[0], before))


LOSSES = ("distribution", "neighborhood", "consistency")

TASKS = (
    Prediction(
        name="who_drives",
        lesson="07",
        difficulty=1,
        minutes=1,
        text="Three losses, with the weights 1, 100 and 0.1. Before the first step the values of the first two are "
        "about 3 and 1. Which weighted loss has the longest gradient?",
        shape=Choice(
            options=LOSSES,
            right="Here the large weight wins, and that had to be measured: a weight multiplies a slope that nobody "
            "knows beforehand.",
            means={
                "distribution": "This guess goes by the value of the loss. A loss may be large and flat.",
                "consistency": "Its weight is a tenth, and its slope is no larger than those of the others.",
            },
        ),
    ),
    Prediction(
        name="which_loss_matters",
        lesson="07",
        difficulty=2,
        minutes=2,
        text="Each loss is switched off in turn, for five seeds. Without which one do the clusters of the encoded "
        "cells lose 0.05 NMI or more?",
        shape=Choice(
            options=(*LOSSES, "none of them"),
            right="What a loss does to the weights is one thing, what the clusters miss is another.",
            means={
                "neighborhood": "This guess follows the gradient. It moves the weights most, but what moves them need "
                "not be what the clusters miss.",
                "consistency": "It acts on the refined cells, and has hardly a share of the gradient.",
                "distribution": "The two views are brought together by the neighborhood loss as well, so that this one "
                "can be spared.",
            },
        ),
    ),
    Mend(
        name="kept_epoch",
        lesson="07",
        difficulty=1,
        minutes=6,
        text="This function hands back one epoch of many. Find what it should not have used, and mend it.",
        reference=kept_epoch,
        faulty=kept_epoch_given,
        symptom="Change the labels and another epoch is handed back. Labels are there to judge the clusters in the "
        "end; here they make them.",
        inputs=_epochs,
        edge_cases=tuple(
            {"losses": [2.0, 1.0, 1.0], "clusters": np.array([[0, 1], *clusters]), "labels": [(0, 1)]}
            for clusters in (
                [[0, 0], [0, 0]],
                [[0, 1], [0, 0]],
            )  # of the two that tie the second agrees no less, or better
        ),
        alternative=_first_of_sorted,
        mutants=(
            Mutant(
                "labels among the best losses",
                lambda losses, clusters, labels: int(
                    max(np.argsort(losses)[:2], key=lambda epoch: _agreement(clusters, labels)[epoch])
                ),
                "You look at the losses first, and let the labels decide among the best. A little peeking is peeking.",
            ),
            Mutant(
                "last epoch",
                lambda losses, clusters, labels: len(losses) - 1,
                "The last epoch needs no labels, and is a fair rule. This function is to keep the smallest loss.",
            ),
            Mutant(
                "largest loss",
                lambda losses, clusters, labels: int(np.argmax(losses)),
                "You kept the epoch with the largest loss; smaller is better.",
            ),
            Mutant(
                "the loss itself",
                lambda losses, clusters, labels: float(np.min(losses)),
                "You hand back the smallest loss. What is asked for is its position.",
            ),
        ),
        hints=(
            "Which of the three arguments would a new experiment not have?",
            "The position of the smallest number in a list: NumPy has a function for it.",
        ),
        tested="the epoch for five random runs and one with a tie",
        not_tested="losses that are not finite",
    ),
    Transfer(
        name="resumable_descent",
        lesson="07",
        difficulty=3,
        minutes=15,
        text="A linear regression, and gradient descent with momentum: the velocity v becomes 0.9 v + gradient of the "
        "mean squared error, the weights move by -0.02 v, and both start at 0. Write it so that a run can be stopped "
        "and resumed.",
        answer="a function of x, y, n_steps and state (None at the start) that gives the new state, a tuple whose "
        "first part are the weights",
        data=regression,
        properties=(
            Property(
                "three steps follow the rule",
                _follows_the_rule,
                "After three steps from nothing the weights are others. Is the gradient that of the mean, and does "
                "the velocity carry over from step to step?",
                wrong=lambda x, y: lambda *given: descend(*given, momentum=0.0),
            ),
            Property(
                "twenty steps and twenty more are forty",
                _resumes,
                "Resumed after twenty steps the run arrives elsewhere than in one go. What changes from step to step "
                "besides the weights?",
                wrong=lambda x, y: _forgetful,
            ),
            Property(
                "a kept state stays as it was",
                _leaves_the_kept_state,
                "Going on changes the state that was kept. Arrays that are changed in place are changed for everyone "
                "who holds them.",
                wrong=lambda x, y: _in_place,
            ),
        ),
        solution=lambda x, y: descend,
        rubric=(
            "the state holds all that the next step reads, and nothing else",
            "says what else would belong in it if points were drawn at random (the generator's state)",
        ),
        hints=(
            "Write the loop first. Then ask of each name in it: does the next step read what this one left there?",
            "Compare one run of forty steps with two of twenty, number by number.",
        ),
    ),
    Explanation(
        name="driver_and_score",
        lesson="07",
        difficulty=3,
        minutes=5,
        text="The neighborhood loss has most of the gradient, and clusters hardly miss it. How can both be true, and "
        "which experiment would you run before you call the loss useless?",
        model="The gradient says which way the weights move, and NMI asks only which cells end up together: the loss "
        "spreads the cells out, and k-means on unit rows finds the same groups in a cloud that is spread and in one "
        "that has drawn together. What the groups are made of was in the smoothed counts before the first step, so no "
        "loss has much to add on these cells. Before calling it useless I would look at more sets and longer "
        "training, where the collapse goes on, at clusterings that read distances, and count how many seeds it takes "
        "to see a difference of a hundredth.",
        rubric=(
            "tells apart what moves the weights and what the score reads",
            "says that the types are in the input (smoothing) before training",
            "proposes an experiment that could come out either way: other data, longer runs, more seeds",
        ),
    ),
)
