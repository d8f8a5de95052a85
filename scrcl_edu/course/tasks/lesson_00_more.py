"""Lesson 00, beyond its functions: a prediction, a fault to mend, and an explanation."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrcl_edu.course.guesses import Order
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction


def two_nearest(counts: np.ndarray) -> np.ndarray:
    """The two other cells that are most like each cell, by the cosine of their counts."""
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    np.fill_diagonal(cosine, -np.inf)
    return np.sort(np.argsort(-cosine, axis=1, kind="stable")[:, :2], axis=1)


def two_nearest_given(counts: np.ndarray) -> np.ndarray:
    """Takes for granted that the first in each row is the cell itself."""
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    order = np.argsort(-cosine, axis=1, kind="stable")
    return np.sort(order[:, 1:3], axis=1)


def _by_loop(counts: np.ndarray) -> np.ndarray:
    found = []
    for cell, row in enumerate(counts):
        others = [other for other in range(len(counts)) if other != cell]
        cosine = {k: counts[k] @ row / np.linalg.norm(counts[k]) / np.linalg.norm(row) for k in others}
        found.append(sorted(sorted(others, key=lambda k: -round(cosine[k], 9))[:2]))
    return np.array(found)


def _with_itself(counts: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    return np.sort(np.argsort(-cosine, axis=1, kind="stable")[:, :2], axis=1)


def _zero_for_itself(counts: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    np.fill_diagonal(cosine, 0)
    return np.sort(np.argsort(-cosine, axis=1, kind="stable")[:, :2], axis=1)


def _farthest(counts: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    np.fill_diagonal(cosine, np.inf)
    return np.sort(np.argsort(cosine, axis=1, kind="stable")[:, :2], axis=1)


def _by_distance(counts: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(counts[:, None] - counts, axis=-1)
    np.fill_diagonal(distance, np.inf)
    return np.sort(np.argsort(distance, axis=1, kind="stable")[:, :2], axis=1)


def _three_of_a_kind(rng: np.random.Generator) -> dict[str, Any]:
    """Two kinds of three cells each: one cell caught once, twice and four times as well."""
    kinds = np.array([[3, 0, 1, rng.integers(1, 4)], [0, 5, 1, rng.integers(1, 3)]])
    counts = np.concatenate([kind * np.array([[1], [2], [4]]) for kind in kinds]).astype(float)
    return {"counts": rng.permutation(counts)}


TASKS = (
    Prediction(
        name="order_of_rivals",
        lesson="00",
        difficulty=1,
        minutes=2,
        text="Four ways to cluster the 700 cells: put them all into one cluster; PCA and k-means; scRCL with random "
        "weights, not trained at all; scRCL, trained. Put them in order by accuracy.",
        shape=Order(
            items=("one cluster", "PCA + k-means", "untrained scRCL", "scRCL"),
            by="from the least accurate to the most accurate",
            right="You expected that a network can be of use before it has learned anything. Hold on to that "
            "suspicion: it is what this course tests most often.",
            means={
                ("untrained scRCL", "PCA + k-means"): "This expects that random weights destroy what they are "
                "given. They mix the genes at random, and mixing keeps near cells near; and before that the cells "
                "were averaged with their neighbors, which takes noise away without any learning.",
                ("PCA + k-means", "one cluster"): "This expects PCA and k-means to do worse than nothing at all; but "
                "large types are far apart in these data.",
                ("scRCL", "untrained scRCL"): "This expects training to do harm. It may, as later lessons show; "
                "on these cells and by this score it helps a little.",
            },
        ),
    ),
    Mend(
        name="two_nearest",
        lesson="00",
        difficulty=2,
        minutes=6,
        text="This function should find the two other cells that are most like each cell. Look at cell 2: find the "
        "fault, and mend it.",
        reference=two_nearest,
        faulty=two_nearest_given,
        symptom="Cells 0 and 2 have the same proportions, so that the cosine of the two is 1. What does the first "
        "column of the sorted row hold then?",
        inputs=_three_of_a_kind,
        edge_cases=(
            {"counts": np.array([[1.0, 0.0], [2.0, 0.0], [4.0, 0.0]])},
            {"counts": np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])},  # cell 0 shares nothing with the others
        ),
        alternative=_by_loop,
        mutants=(
            Mutant(
                "counts itself",
                _with_itself,
                "Nobody is left out now, so a cell may be one of its own two nearest. Take it out of the race before "
                "you sort.",
            ),
            Mutant(
                "zero for itself",
                _zero_for_itself,
                "A cell that has nothing in common with the others has cosine 0 with them, and your 0 for the cell "
                "itself is no lower than that. Give it a value that no cosine can have.",
            ),
            Mutant("farthest", _farthest, "These are the two cells that are least alike: a cosine is large for near."),
            Mutant(
                "by distance",
                _by_distance,
                "The cell itself is left out now, but these are nearest by distance, which sees depth. The cosine is "
                "asked for.",
            ),
        ),
        hints=(
            "Print a row of the cosines: which entries are 1, and which of them comes first when they are sorted?",
            "A cell can be kept from choosing itself by the value that it has on the diagonal before the sorting.",
        ),
        tested="the two nearest of six cells, some with the same proportions",
        not_tested="which of several equally near cells is taken",
    ),
    Explanation(
        name="what_a_score_means",
        lesson="00",
        difficulty=1,
        minutes=4,
        text="A colleague writes: 'Our method reaches an accuracy of 0.72 on ten cell types, seven times better than "
        "chance.' What would you answer?",
        model="Chance is not one in ten here, because the types are not equally large: whoever puts all cells into "
        "one cluster is right as often as the largest type is frequent, which is a third. Beyond that a score needs "
        "rivals that cost nothing, such as PCA with k-means and the same network untrained; against these the gain is "
        "a few points, and with one seed it may be luck. And it says nothing about small types, which accuracy hardly "
        "sees, or about how the labels themselves were made.",
        rubric=(
            "the lazy baseline is the share of the largest type, not one over the number of types",
            "names a rival that a practitioner has for free, or the untrained method",
            "doubts one number: another seed, small types, or the labels",
        ),
    ),
)
