"""Lesson 08, continued: a report over seeds, and a choice that needs no labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrcl_edu.course.task import Exercise, Mutant


def report_over_seeds(scores: np.ndarray) -> tuple[float, float]:
    """What to report when a method was run with several seeds."""
    return float(np.mean(scores)), float(np.std(scores, ddof=1))


def pick_start(inertias: np.ndarray, accuracies: np.ndarray) -> int:
    """Choose one of several starts of k-means without looking at labels."""
    return int(np.argmin(inertias))


def _scores(rng: np.random.Generator) -> dict[str, Any]:
    return {"scores": rng.uniform(0.4, 0.9, 5).round(2)}


def _starts(rng: np.random.Generator) -> dict[str, Any]:
    # As large as accuracies, so that whoever mixes the two is found out.
    inertias = (rng.permutation(5) * 0.04 + 1.2 + rng.random(5) / 50).round(3)
    accuracies = rng.uniform(0.5, 0.9, 5).round(2)
    accuracies[(np.argmin(inertias) + 1 + rng.integers(4)) % 5] = 0.95  # never the start with the lowest inertia
    return {"inertias": inertias, "accuracies": accuracies}


def _parts(number: int, *candidates: Any) -> Any:
    """A sign: this part of the answer is one of these functions of the scores."""
    return lambda result, arguments: any(
        np.isclose(result[number], candidate(arguments["scores"])) for candidate in candidates
    )


def _trimmed(scores: np.ndarray) -> tuple[float, float]:
    kept = np.sort(scores)[1:-1]
    return kept.mean(), kept.std(ddof=1)


def _indices(result: Any, arguments: dict[str, Any]) -> bool:
    return np.size(result) == 1 and float(result) in range(len(arguments["inertias"]))


def _compromise(inertias: np.ndarray, accuracies: np.ndarray) -> int:
    ranks = np.argsort(np.argsort(inertias)) + np.argsort(np.argsort(-accuracies))
    return int(np.argmin(ranks))


TASKS = (
    Exercise(
        name="report_over_seeds",
        lesson="08",
        difficulty=1,
        minutes=6,
        reference=report_over_seeds,
        inputs=_scores,
        alternative=lambda scores: (
            sum(scores) / len(scores),
            (sum((s - sum(scores) / len(scores)) ** 2 for s in scores) / (len(scores) - 1)) ** 0.5,
        ),
        mutants=(
            Mutant(
                "best seed",
                lambda scores: (np.max(scores), np.std(scores, ddof=1)),
                "You report the best seed. Nobody who uses the method gets to choose the seed by its score.",
                sign=_parts(0, np.max),
            ),
            Mutant(
                "population deviation",
                lambda scores: (np.mean(scores), np.std(scores)),
                "You divided by n. The deviation of a sample divides by n - 1; with five seeds that is 12 % more.",
                sign=_parts(1, np.std),
            ),
            Mutant(
                "standard error",
                lambda scores: (np.mean(scores), np.std(scores, ddof=1) / len(scores) ** 0.5),
                "This is the standard error of the mean. What a reader wants to know is how far single runs scatter.",
                sign=_parts(1, lambda s: s.std(ddof=1) / len(s) ** 0.5, lambda s: s.std() / len(s) ** 0.5),
            ),
            Mutant(
                "median",
                lambda scores: (np.median(scores), np.std(scores, ddof=1)),
                "You report the median; the mean is asked for.",
                sign=_parts(0, np.median),
            ),
            Mutant(
                "range",
                lambda scores: (np.mean(scores), np.max(scores) - np.min(scores)),
                "The second number is the range. It grows with the number of seeds; the deviation does not.",
                sign=_parts(1, np.ptp),
            ),
            Mutant(
                "order",
                lambda scores: (np.std(scores, ddof=1), np.mean(scores)),
                "Both numbers are right, in the wrong order: the mean comes first.",
                sign=lambda result, arguments: result[0] < result[1] and _parts(1, np.mean)(result, arguments),
            ),
            Mutant(
                "mean only",
                lambda scores: np.mean(scores),
                "The mean alone hides how far single runs scatter. Give the deviation with it.",
            ),
            Mutant(
                "variance",
                lambda scores: (np.mean(scores), np.var(scores, ddof=1)),
                "This is the variance. Its square root has the unit of the scores.",
                sign=_parts(1, lambda s: s.var(ddof=1), np.var),
            ),
            Mutant(
                "deviation only",
                lambda scores: np.std(scores, ddof=1),
                "The deviation alone does not say where the scores lie. Give the mean with it, first.",
            ),
            Mutant(
                "best score only",
                lambda scores: np.max(scores),
                "You report one score, the best. Nobody gets to choose the seed by its score: give the mean, and the "
                "deviation with it.",
            ),
            Mutant(
                "worst seed",
                lambda scores: (np.min(scores), np.std(scores, ddof=1)),
                "You report the worst seed. That is modest, but the mean is asked for.",
                sign=_parts(0, np.min),
            ),
            Mutant(
                "single seed",
                lambda scores: (scores[0], np.std(scores, ddof=1)),
                "You report a single seed, the first or the last. Which one comes first is chance: the mean is asked "
                "for.",
                sign=_parts(0, lambda s: s[0], lambda s: s[-1]),
            ),
            Mutant(
                "sum",
                lambda scores: (np.sum(scores), np.std(scores, ddof=1)),
                "The first number is the sum of the scores. Divide by the number of seeds.",
                sign=_parts(0, np.sum),
            ),
            Mutant(
                "trimmed",
                _trimmed,
                "You left out the best or the worst seed. Every seed that was run is reported.",
                sign=_parts(0, lambda s: np.sort(s)[1:-1].mean(), lambda s: np.sort(s)[1:].mean()),
            ),
            Mutant(
                "interval",
                lambda scores: (np.mean(scores) - np.std(scores, ddof=1), np.mean(scores) + np.std(scores, ddof=1)),
                "These are the ends of an interval around the mean. The mean itself and the deviation are asked for.",
                sign=lambda result, arguments: np.isclose(np.sum(result) / 2, arguments["scores"].mean()),
            ),
            Mutant(
                "confidence interval",
                lambda scores: (np.mean(scores), 1.96 * np.std(scores, ddof=1) / len(scores) ** 0.5),
                "The second number is a multiple of the deviation or of the standard error, as for a confidence "
                "interval. The deviation itself is asked for.",
                sign=_parts(
                    1,
                    *(lambda s, k=k: k * s.std(ddof=1) for k in (1.96, 2, 3)),
                    *(lambda s, k=k: k * s.std(ddof=1) / len(s) ** 0.5 for k in (1.96, 2, 2.776)),
                ),
            ),
            Mutant(
                "mean deviation",
                lambda scores: (np.mean(scores), np.abs(scores - np.mean(scores)).mean()),
                "The second number is a mean of absolute deviations. The standard deviation squares them first.",
                sign=_parts(1, lambda s: np.abs(s - s.mean()).mean(), lambda s: np.abs(s - np.median(s)).mean()),
            ),
            Mutant(
                "relative deviation",
                lambda scores: (np.mean(scores), np.std(scores, ddof=1) / np.mean(scores)),
                "You divided the deviation by the mean. Give it as it is, in the unit of the scores.",
                sign=_parts(1, lambda s: s.std(ddof=1) / s.mean(), lambda s: s.std() / s.mean()),
            ),
            Mutant(
                "quartiles",
                lambda scores: (np.mean(scores), np.percentile(scores, 75) - np.percentile(scores, 25)),
                "The second number is the distance of the quartiles. The standard deviation is asked for.",
                sign=_parts(1, lambda s: np.percentile(s, 75) - np.percentile(s, 25)),
            ),
            Mutant(
                "best as the spread",
                lambda scores: (np.mean(scores), np.max(scores)),
                "The second number is the best score. How far the scores scatter is asked for.",
                sign=_parts(1, np.max),
            ),
            Mutant(
                "percent",
                lambda scores: (100 * np.mean(scores), 100 * np.std(scores, ddof=1)),
                "You turned the scores into percent. Leave them as they are.",
                sign=_parts(0, lambda s: 100 * s.mean()),
            ),
            Mutant(
                "rounded",
                lambda scores: (round(float(np.mean(scores)), 2), round(float(np.std(scores, ddof=1)), 2)),
                "You rounded. Hand back the numbers as they are; round when you write them down.",
                sign=lambda result, arguments: np.allclose(result, report_over_seeds(**arguments), rtol=0, atol=0.06),
            ),
            Mutant(
                "a sentence",
                lambda scores: f"{np.mean(scores):.2f} +- {np.std(scores, ddof=1):.2f}",
                "You made a text of the numbers. Hand back the two numbers, mean and deviation, with a comma between.",
                sign=lambda result, arguments: isinstance(result, str | dict),
            ),
        ),
        hints=(
            "Two numbers: where the scores lie, and how far they scatter.",
            "np.std has an argument ddof.",
        ),
        tested="both numbers for five scores",
        not_tested="a single seed, missing scores",
    ),
    Exercise(
        name="pick_start",
        lesson="08",
        difficulty=1,
        minutes=5,
        reference=pick_start,
        inputs=_starts,
        edge_cases=({"inertias": np.array([1.4, 1.2, 1.2, 1.3]), "accuracies": np.array([0.6, 0.5, 0.7, 0.9])},),
        alternative=lambda inertias, accuracies: min(range(len(inertias)), key=lambda start: inertias[start]),
        mutants=(
            Mutant(
                "peeking",
                lambda inertias, accuracies: int(np.argmax(accuracies)),
                "You chose the start with the best accuracy. That needs the labels, which nobody has for new cells.",
            ),
            Mutant(
                "highest inertia",
                lambda inertias, accuracies: int(np.argmax(inertias)),
                "You chose the highest inertia. It measures how far cells are from their centers: small is tight.",
            ),
            Mutant(
                "the inertia itself",
                lambda inertias, accuracies: float(np.min(inertias)),
                "You returned the inertia. The number of the start is asked for.",
            ),
            Mutant(
                "always the first",
                lambda inertias, accuracies: 0,
                "You always take the first start.",
            ),
            Mutant(
                "the accuracy itself",
                lambda inertias, accuracies: float(np.max(accuracies)),
                "You returned an accuracy. The number of a start is asked for, and chosen without any accuracy.",
                sign=lambda result, arguments: np.isclose(arguments["accuracies"], float(result)).any(),
            ),
            Mutant(
                "highest inertia itself",
                lambda inertias, accuracies: float(np.max(inertias)),
                "You returned an inertia, and not the lowest. The number of the start is asked for.",
                sign=lambda result, arguments: np.isclose(arguments["inertias"], float(result)).any(),
            ),
            Mutant(
                "worst accuracy",
                lambda inertias, accuracies: int(np.argmin(accuracies)),
                "You chose the start with the lowest accuracy. No accuracy is known for new cells, low or high.",
            ),
            Mutant(
                "always the last",
                lambda inertias, accuracies: len(inertias) - 1,
                "You always take the last start.",
            ),
            Mutant(
                "second lowest",
                lambda inertias, accuracies: int(np.argsort(inertias)[1]),
                "You chose the second lowest inertia. In argsort's answer the place of the smallest stands first, at "
                "0.",
            ),
            Mutant(
                "the median start",
                lambda inertias, accuracies: int(np.argsort(inertias)[len(inertias) // 2]),
                "You chose a start of middling inertia. Nothing speaks for the middle: low is tight.",
            ),
            Mutant(
                "accuracy by inertia",
                lambda inertias, accuracies: int(np.argmax(accuracies / inertias)),
                "Your choice weighs the accuracy against the inertia. Even a bit of accuracy is peeking: leave it out.",
            ),
            Mutant(
                "ties by accuracy",
                lambda inertias, accuracies: min(range(len(inertias)), key=lambda i: (inertias[i], -accuracies[i])),
                "Where two inertias are equal, you let the accuracy decide. Even a bit of accuracy is peeking: leave "
                "it out.",
            ),
            Mutant(
                "ranks of both",
                _compromise,
                "Your choice adds the ranks of both. Even a bit of accuracy is peeking: leave it out.",
            ),
            Mutant(
                "order of all starts",
                lambda inertias, accuracies: np.argsort(inertias),
                "You returned one entry for each start, or a list. One whole number is asked for: that of the start "
                "you choose.",
                sign=lambda result, arguments: np.ndim(result) > 0 or isinstance(result, dict),
            ),
            Mutant(
                "one number whatever comes",
                lambda inertias, accuracies: 2,
                "The start you chose does not have the lowest inertia. If the accuracies play a part in your choice, "
                "leave them out; if nothing does, look at the inertias.",
                sign=_indices,
            ),
        ),
        hints=(
            "One of the two arguments may be looked at.",
            "np.argmin gives the place of the smallest entry.",
        ),
        tested="the choice among five starts, in five cases, and a tie",
        not_tested="whether the inertias come from the same cells",
    ),
)
