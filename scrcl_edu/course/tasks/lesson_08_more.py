"""Lesson 08, beyond its functions: two predictions, a leak to mend, cells to doubt, and an explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from scrcl_edu import evaluation
from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction, Property, Transfer


def keep_clusters(clusters_by_epoch: np.ndarray, losses: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Clusters that a pretraining hands on: those of the epoch with the lowest loss."""
    return clusters_by_epoch[np.argmin(losses)]


def keep_clusters_given(clusters_by_epoch: np.ndarray, losses: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Clusters of the best epoch, with a log of the accuracy on the way."""
    kept, log = clusters_by_epoch[0], []
    for clusters, loss in zip(clusters_by_epoch, losses, strict=True):
        log.append({"loss": loss, "acc": evaluation.accuracy(labels, clusters)})
        if log[-1]["acc"] >= max(entry["acc"] for entry in log):
            kept = clusters
    return kept


def _by_loop(clusters_by_epoch: np.ndarray, losses: np.ndarray, labels: np.ndarray) -> np.ndarray:
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
    return clusters_by_epoch[best]


def _epochs(rng: np.random.Generator) -> dict[str, Any]:
    labels = np.repeat([0, 1, 2], 4)
    n_wrong = np.array([6, 3, 1, 4, 5])
    runs = np.array([np.where(rng.permutation(12) < wrong, rng.permutation(labels), labels) for wrong in n_wrong])
    # the lowest loss is neither the best epoch nor the last one, and equal clusters would hide a wrong choice
    losses = np.array([5.0, 2.5, 3.0, 1.0, 2.0]) + rng.random(5).round(2) / 10
    shift = rng.permutation(3)
    return {"clusters_by_epoch": shift[runs], "losses": losses, "labels": labels}


def four_groups(rng: np.random.Generator) -> dict[str, Any]:
    """300 cells in eight dimensions: four groups of unequal size, two of which overlap."""
    labels = np.repeat([0, 1, 2, 3], [120, 90, 60, 30])
    centers = np.zeros((4, 8))
    centers[1, 0], centers[2, 1], centers[3, 2] = 2.6, 7.0, 7.0
    order = rng.permutation(300)
    values = centers[labels] + rng.normal(0, 1, (300, 8))
    return {"values": values[order], "labels": labels[order]}


def _nearest_two(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    model = KMeans(4, n_init=20, random_state=0).fit(values)
    distance = np.sort(model.transform(values), axis=1)
    return model.labels_, distance[:, 1] - distance[:, 0]


def _doubt_the_border(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    clusters, margin = _nearest_two(values)
    return clusters, margin < np.quantile(margin, 0.15)


def _doubt_the_clear(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    clusters, margin = _nearest_two(values)
    return clusters, margin > np.quantile(margin, 0.85)


def _rates(answer: Any, data: dict[str, Any]) -> tuple[float, float]:
    """Share of wrong cells among the doubted, and among the others."""
    clusters, doubted = np.asarray(answer[0]), np.asarray(answer[1], dtype=bool)
    names = evaluation.match_clusters(data["labels"], clusters)
    wrong = np.array([names.get(cluster, -1) for cluster in clusters]) != data["labels"]
    return float(wrong[doubted].mean()), float(wrong[~doubted].mean())


TASKS = (
    Prediction(
        name="gain_of_looking",
        lesson="08",
        difficulty=1,
        minutes=1,
        text="The same training, read out at the epoch with the best NMI against the labels and at the last epoch: by "
        "how many points of accuracy is the first better, on average over three seeds?",
        shape=Number(
            near=5.0,
            low=0.0,
            high=50.0,
            form=".0f",
            unit="points",
            right="It is large enough to decide any comparison in the literature of this task.",
            too_low="This guess takes epochs for neighbors that hardly differ. The models hardly differ; what is drawn "
            "anew after each epoch is the clustering, and there are many draws to choose from.",
            too_high="The last epoch is not bad, it is one draw out of many. Choosing the best of them gains much, and "
            "not everything.",
        ),
    ),
    Prediction(
        name="score_of_chance",
        lesson="08",
        difficulty=1,
        minutes=1,
        text="Clusters are drawn at random, without a look at the cells, and their number K goes from 2 to 350. Which "
        "score rises although nothing was found?",
        shape=Choice(
            options=("accuracy", "NMI", "ARI", "none of them"),
            means={
                "accuracy": "With more clusters than types most clusters have no partner in the matching, and their "
                "cells count as wrong: accuracy falls.",
                "ARI": "ARI subtracts what chance gives, so that it stays at zero.",
                "none of them": "A score need not be corrected for chance only because it lies between 0 and 1: small "
                "clusters hold few types each, by chance.",
            },
            right="A cluster of two cells tells something about both by chance. Compare NMI at equal K only.",
        ),
    ),
    Mend(
        name="keep_clusters",
        lesson="08",
        difficulty=2,
        minutes=8,
        text="A pretraining hands its clusters on to the next stage, those of the epoch with the lowest loss. Labels "
        "are there for the log. Nothing stops and the scores are good. Find the fault, and mend it.",
        reference=keep_clusters,
        faulty=keep_clusters_given,
        symptom="Give it other labels and other clusters are handed on, although cells and losses are the same.",
        inputs=_epochs,
        edge_cases=(
            {
                "clusters_by_epoch": np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]]),
                "losses": np.array([2.0, 1.0, 1.0]),
                "labels": np.array([0, 0, 1, 1]),
            },
        ),
        alternative=_by_loop,
        mutants=(
            Mutant(
                "the last epoch",
                lambda clusters_by_epoch, losses, labels: clusters_by_epoch[-1],
                "No label chooses any more, and the last epoch would be an honest choice. But the docstring promises "
                "the epoch with the lowest loss.",
            ),
            Mutant(
                "the first valley",
                lambda clusters_by_epoch, losses, labels: clusters_by_epoch[
                    int(np.argmax(np.diff([*losses, np.inf]) >= 0))
                ],
                "You stop at the first epoch after which the loss rises. It may fall lower later on.",
            ),
            Mutant(
                "the highest loss",
                lambda clusters_by_epoch, losses, labels: clusters_by_epoch[np.argmax(losses)],
                "No label chooses any more. But you keep the epoch with the highest loss.",
            ),
            Mutant(
                "another score of the labels",
                lambda clusters_by_epoch, losses, labels: clusters_by_epoch[
                    np.argmax([evaluation.ari(labels, clusters) for clusters in clusters_by_epoch])
                ],
                "Labels still choose, only by another score.",
            ),
            Mutant(
                "the last of the lowest",
                lambda clusters_by_epoch, losses, labels: clusters_by_epoch[np.flatnonzero(losses == losses.min())[-1]],
                "Of equal losses the first epoch counts; you keep the last of them.",
            ),
        ),
        hints=(
            "Cover the line of the log with your hand. What decides which clusters are kept?",
            "The losses are all that may decide; the log may stay, when nothing reads it.",
        ),
        tested="which epoch is kept, in six short trainings",
        not_tested="whether anything else of the training has seen labels, such as its settings",
    ),
    Transfer(
        name="cells_to_doubt",
        lesson="08",
        difficulty=3,
        minutes=15,
        text="Here are 300 cells in eight dimensions, in four groups, two of which overlap. Find four clusters, and "
        "say of which cells one should doubt the cluster. You do not get to see the types.",
        answer="a function of values, shape (300, 8), that gives two arrays of 300: clusters, and True for doubt",
        function=True,
        data=four_groups,
        hidden=("labels",),
        properties=(
            Property(
                "two arrays, one entry for each cell",
                lambda answer, data: all(np.shape(part) == (300,) for part in answer) and len(answer) == 2,
                "Hand back clusters and doubts, each of shape (300,).",
                wrong=lambda values: _nearest_two(values)[0],
            ),
            Property(
                "four clusters",
                lambda answer, data: len(np.unique(answer[0])) == 4,
                "There are four groups.",
                wrong=lambda values: (values[:, 0] > 1, _doubt_the_border(values)[1]),
            ),
            Property(
                "some are doubted, and at most a fifth",
                lambda answer, data: 0 < np.mean(answer[1]) <= 0.2,
                "Whoever doubts nothing or everything has said nothing. Doubt at most 60 of the 300 cells.",
                wrong=lambda values: (_nearest_two(values)[0], np.ones(300, dtype=bool)),
            ),
            Property(
                "a doubted cell is wrong at least four times as often as another",
                lambda answer, data: _rates(answer, data)[0] >= 4 * _rates(answer, data)[1],
                "The cells that you doubt are not wrong much more often than the others. What is a cell like that "
                "might as well belong to another cluster?",
                wrong=_doubt_the_clear,
            ),
        ),
        solution=_doubt_the_border,
        rubric=(
            "doubts come from the cells alone: a margin between the nearest centers, or disagreement over seeds, "
            "resampled genes or cells",
            "says that doubt finds cells between clusters and not a cluster that is wrong as a whole",
            "the threshold is argued for",
        ),
        hints=(
            "k-means gives each cell a distance to every center. What do the two smallest say?",
            "Or cluster many times with some cells or dimensions left out, and count who stays together.",
        ),
    ),
    Explanation(
        name="half_of_the_labels",
        lesson="08",
        difficulty=2,
        minutes=4,
        text="A paper stops the training when the NMI on half of the labels is best, and reports the accuracy on the "
        "other half. The authors call the method unsupervised, because no label enters the loss. What is right about "
        "this, what is wrong, and what would you ask for?",
        model="The number is right: the cells that judge took no part in the choice, so that it is not flattered by "
        "luck. The name is wrong: labels chose the model, so that it needs them, and nobody with new cells and no "
        "labels can repeat it. I would ask for a rival that may use the same half, such as k-means whose start is "
        "chosen by these labels, or a simple classifier trained on them, and for the score at an epoch that was fixed "
        "beforehand.",
        rubric=(
            "tells a real gain from a gain that a user can have",
            "calls the use of labels by its name, semi-supervised",
            "asks for rivals with the same labels, or for the score without them",
        ),
    ),
)
