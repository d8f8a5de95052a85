"""Lesson 09: names for clusters from their markers, and the cluster that should be split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from scrcl_edu.course.task import Exercise, Mutant
from scrcl_edu.interpretation import PBMC_MARKERS

_NAMES = {"A": "B cell", "B": "NK cell", "C": "Dendritic cell"}


def three_names() -> dict[str, str]:
    """Name the clusters A, B and C of the lesson from their markers."""
    return dict(_NAMES)


def cluster_to_split(scores: np.ndarray, clusters: np.ndarray) -> int:
    """Find the cluster whose cells agree least on what they are."""
    types = scores.argmax(axis=1)
    shares = [
        np.bincount(types[clusters == cluster]).max() / np.sum(clusters == cluster)
        for cluster in range(clusters.max() + 1)
    ]
    return int(np.argmin(shares))


def _judged(function: Callable[[], Any]) -> Any:
    """Names judged up to the first that does not fit, so that the expected result does not give the names away."""
    named = function()
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        return named
    known = {_plain(name): name for name in PBMC_MARKERS}
    verdicts, earlier = {}, ""
    for cluster in sorted(named, key=str):
        name = known.get(_plain(named[cluster]), named[cluster])
        if earlier:
            verdicts[cluster] = f"looked at when {earlier} fits"
        elif name == _NAMES.get(cluster):
            verdicts[cluster] = "fits"
        else:
            verdicts[cluster], earlier = f"{name} does not fit", cluster
    return verdicts


def _plain(name: str) -> str:
    return name.strip().lower().removesuffix("s")


def _named(**changed: str) -> Callable[[], dict[str, str]]:
    return lambda: _NAMES | changed


def _share_of_first(scores: np.ndarray, clusters: np.ndarray) -> list[float]:
    types = scores.argmax(axis=1)
    numbers = range(clusters.max() + 1)
    return [np.bincount(types[clusters == cluster]).max() / np.sum(clusters == cluster) for cluster in numbers]


def _margin_of_means(scores: np.ndarray, clusters: np.ndarray) -> int:
    means = np.array([scores[clusters == cluster].mean(axis=0) for cluster in range(clusters.max() + 1)])
    best = np.sort(means, axis=1)
    return int(np.argmin(best[:, -1] - best[:, -2]))


def _most_others(scores: np.ndarray, clusters: np.ndarray) -> int:
    share = np.array(_share_of_first(scores, clusters))
    return int(np.argmax((1 - share) * np.bincount(clusters)))


def _by_table(scores: np.ndarray, clusters: np.ndarray) -> int:
    table = np.zeros((clusters.max() + 1, scores.shape[1]))
    for cell, cluster in enumerate(clusters):
        table[cluster, max(range(scores.shape[1]), key=lambda kind: scores[cell, kind])] += 1
    return int((table.max(axis=1) / table.sum(axis=1)).argmin())


def _spread(scores: np.ndarray, clusters: np.ndarray) -> int:
    numbers = range(clusters.max() + 1)
    return int(np.argmax([scores[clusters == cluster].var(axis=0).sum() for cluster in numbers]))


def _mixed(rng: np.random.Generator) -> dict[str, Any]:
    # One cluster of each kind: half and half, large with some strangers, wide but pure, close calls but pure,
    # and the largest and the smallest, which are pure.
    half = [(9, 1, 0)] * 3 + [(0, 5, 1)] * 3
    large = [(1, 0, 6)] * 9 + [(6, 1, 0)] * 4
    wide = [(0, 5 * strength, 0) for strength in (1, 4, 7, 10)]
    largest, smallest = [(1, 4, 1)] * 18, [(0, 1, 7)] * 2
    close = [(5.5, 5, 0)] * 4
    number = rng.permutation(6)
    clusters = np.repeat(number, [len(half), len(large), len(wide), len(close), len(largest), 2])
    scores = np.array(half + large + wide + close + largest + smallest, dtype=float) + rng.uniform(
        0, 0.3, (len(clusters), 3)
    ).round(2)
    order = rng.permutation(len(clusters))
    return {"scores": scores[order], "clusters": clusters[order]}


# Cluster 0 is half and half; in cluster 1 more are of one type, and the others are of two: the entropy is larger there.
_TYPES = np.repeat([0, 1, 0, 1, 2], [5, 5, 12, 4, 4])
_MANY_STRANGERS = {"scores": 3.0 * np.eye(3)[_TYPES] + 1, "clusters": np.repeat([0, 1], [10, 20])}


def _entropy(scores: np.ndarray, clusters: np.ndarray) -> int:
    types = np.eye(scores.shape[1])[scores.argmax(axis=1)]
    table = np.stack([types[clusters == cluster].sum(axis=0) for cluster in range(clusters.max() + 1)])
    return int(np.argmax(stats.entropy(table, axis=1)))


TASKS = (
    Exercise(
        name="three_names",
        lesson="09",
        difficulty=1,
        minutes=8,
        reference=three_names,
        inputs=lambda rng: {},
        alternative=lambda: {"C": "dendritic cells", "B": "NK cells", "A": "B cells"},
        mutants=(
            Mutant(
                "killer cells taken for T cells",
                _named(B="T cell"),
                "The markers of B are tools for killing, and killer T cells own some of them as well. What makes a T "
                "cell is its receptor: look for the CD3 genes among the markers, and count how many of each set there "
                "are.",
            ),
            Mutant(
                "dendritic cells taken for monocytes",
                _named(C="Monocyte"),
                "The two are relatives and share LYZ and CST3. Leave out the genes they share: the others, such as "
                "FCER1A, decide for C.",
            ),
            Mutant(
                "B cells taken for plasma cells",
                _named(A="Plasma cell"),
                "A has some genes of plasma cells (MZB1, IGJ): a few of them may be among its cells. Count the genes "
                "of both sets in the list, and see which set is complete.",
            ),
            Mutant(
                "antigen presentation taken for dendritic cells",
                _named(A="Dendritic cell"),
                "Several types present antigens, so HLA genes and CD74 do not decide for A. Genes of one set only do.",
            ),
            Mutant(
                "B and C exchanged",
                _named(B="Dendritic cell", C="NK cell"),
                "B kills (granzyme, perforin) and shows nothing of antigen presentation. Did you exchange it with "
                "another cluster?",
            ),
            Mutant(
                "all are T cells",
                lambda: dict.fromkeys("ABC", "T cell"),
                "The most frequent type of blood is not the answer for every cluster. Each list shares genes with "
                "one set.",
            ),
        ),
        hints=(
            "For each cluster and each set of PBMC_MARKERS, count the genes that are in both.",
            "A gene in one set only says more than a gene that many types express.",
        ),
        tested="the names of the three clusters",
        not_tested="whether you could tell the kinds of T cells apart, which is harder",
        through=_judged,
        n_inputs=1,
    ),
    Exercise(
        name="cluster_to_split",
        lesson="09",
        difficulty=2,
        minutes=8,
        reference=cluster_to_split,
        inputs=_mixed,
        edge_cases=(_MANY_STRANGERS,),
        alternative=_by_table,
        mutants=(
            Mutant(
                "means of clusters",
                _margin_of_means,
                "You compared the means of the clusters. A mean cannot tell half the cells of one type and half of "
                "another from cells that are all a bit of both: decide for each cell first, then count.",
            ),
            Mutant(
                "counts for shares",
                _most_others,
                "You counted the cells that do not fit, and so found a large cluster. Divide by the size of the "
                "cluster.",
            ),
            Mutant(
                "smallest count",
                lambda scores, clusters: int(
                    np.argmin(np.array(_share_of_first(scores, clusters)) * np.bincount(clusters))
                ),
                "You counted the cells of the most frequent type, and so found a small cluster. Divide by the size of "
                "the cluster.",
            ),
            Mutant(
                "largest entropy",
                _entropy,
                "You chose by entropy, or another measure of variety, which looks at how the rest is spread as well. "
                "Only the share of the most frequent type is asked for.",
            ),
            Mutant(
                "the largest",
                lambda scores, clusters: int(np.bincount(clusters).argmax()),
                "You chose the largest cluster. A large cluster may well be of one type.",
            ),
            Mutant(
                "the widest",
                _spread,
                "You chose the cluster whose scores scatter most. Cells of one type may express its markers weakly or "
                "strongly; what counts is which type scores highest.",
            ),
            Mutant(
                "the purest",
                lambda scores, clusters: int(np.argmax(_share_of_first(scores, clusters))),
                "You found the cluster that agrees most. The one that agrees least is asked for.",
            ),
            Mutant(
                "the share itself",
                lambda scores, clusters: float(min(_share_of_first(scores, clusters))),
                "You returned the share. The number of the cluster is asked for.",
            ),
        ),
        hints=(
            "scores.argmax(axis=1) is the type of each cell.",
            "np.bincount counts the types among the cells of one cluster; divide its largest entry by the cells.",
        ),
        tested="the choice among six clusters of three types, in five cases",
        not_tested="ties, cells in which no type scores high",
    ),
)
