"""Lesson 11: what is left of a published number without its labels, and where the rest of it went."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrcl_edu.course.task import Exercise, Mutant

_STEPS = ("published", "rescored", "chosen by the labels", "chosen without labels")


def left_without_peeking(published: float, inertias: np.ndarray, accuracies: np.ndarray) -> float:
    """What is left of a published accuracy when no label helps to choose the start of k-means."""
    return float(accuracies[np.argmin(inertias)] / published)


def explain_gap(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    """Name the step at which most of a published accuracy goes."""
    if claimed != found:
        return "dataset"
    names, values = list(ledger), np.array(list(ledger.values()))
    losses = values[:-1] - values[1:]
    return names[losses.argmax() + 1] if losses.max() > tolerance else "nothing"


def _by_sorting(published: float, inertias: np.ndarray, accuracies: np.ndarray) -> float:
    return float(min(zip(inertias, accuracies, strict=True), key=lambda start: start[0])[1]) / published


def _by_loop(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    if any(claimed[what] != found[what] for what in ("cells", "classes")):
        return "dataset"
    worst, largest, before = "nothing", tolerance, None
    for name, accuracy in ledger.items():
        if before is not None and before - accuracy > largest:
            worst, largest = name, before - accuracy
        before = accuracy
    return worst


def _only(what: str) -> Any:
    def compared(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
        return explain_gap({what: claimed[what]}, {what: found[what]}, ledger, tolerance)

    return compared


def _both_differ(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    differ = all(claimed[what] != found[what] for what in claimed)
    return "dataset" if differ else explain_gap({}, {}, ledger, tolerance)


def _largest_change(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    if claimed != found:
        return "dataset"
    changes = np.abs(np.diff(list(ledger.values())))
    return list(ledger)[changes.argmax() + 1] if changes.max() > tolerance else "nothing"


def _from_published(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    if claimed != found:
        return "dataset"
    values = np.array(list(ledger.values()))
    return list(ledger)[values.argmin()] if values[0] - values.min() > tolerance else "nothing"


def _total_loss(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    values = list(ledger.values())
    none = values[0] - values[-1] <= tolerance and claimed == found
    return "nothing" if none else explain_gap(claimed, found, ledger, -np.inf)


def _relative(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    logs = {step: float(np.log(accuracy)) for step, accuracy in ledger.items()}
    return explain_gap(claimed, found, logs, -np.log1p(-tolerance))


# The larger loss comes first; compared with what was there before it, the second is larger.
_SAME = {"cells": 500, "classes": 5}
_LOW_AT_THE_END = {
    "claimed": _SAME,
    "found": _SAME,
    "ledger": dict(zip(_STEPS, (0.9, 0.6, 0.4, 0.2), strict=True)),
    "tolerance": 0.01,
}


def _step_before(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    name = explain_gap(claimed, found, ledger, tolerance)
    return list(ledger)[list(ledger).index(name) - 1] if name in ledger else name


def _first_loss(claimed: dict[str, int], found: dict[str, int], ledger: dict[str, float], tolerance: float) -> str:
    if claimed != found:
        return "dataset"
    losses = -np.diff(list(ledger.values()))
    return list(ledger)[int(np.argmax(losses > tolerance)) + 1] if losses.max() > tolerance else "nothing"


def _starts(rng: np.random.Generator) -> dict[str, Any]:
    inertias = (rng.permutation(5) * 7.5 + 100 + rng.random(5)).round(1)
    accuracies = rng.uniform(0.5, 0.8, 5).round(2)
    others = np.setdiff1d(np.arange(5), [np.argmin(inertias), np.argmax(inertias)])
    accuracies[rng.choice(others)] = 0.88  # neither the lowest inertia nor the highest
    return {"published": round(float(rng.uniform(0.9, 0.99)), 2), "inertias": inertias, "accuracies": accuracies}


_BETTER_THAN_PUBLISHED = {
    "published": 0.5,
    "inertias": np.array([3.0, 1.0, 2.0]),
    "accuracies": np.array([0.4, 0.6, 0.8]),
}


def _accounts(rng: np.random.Generator) -> dict[str, Any]:
    kind = int(rng.integers(1000)) % 6  # over ten generators each kind comes up
    cells, classes = int(rng.integers(300, 3000)), int(rng.integers(4, 12))
    claimed = {"cells": cells, "classes": classes}
    found = {"cells": cells - (kind in (3, 5)) * 12, "classes": classes - (kind in (4, 5)) * 2}
    changes = {  # the largest loss is neither the first one nor at the lowest value; then with a gain that is larger
        0: [-0.03, -0.14, -0.08],
        1: [-0.02, 0.2, -0.06],
        2: [-0.005, 0.002, -0.004],
    }.get(kind, [-0.03, -0.14, -0.08])
    start = (0.7 if kind == 1 else 0.9) + rng.uniform(0, 0.08)
    values = (start + np.cumsum([0, *changes])).round(3).tolist()
    return {"claimed": claimed, "found": found, "ledger": dict(zip(_STEPS, values, strict=True)), "tolerance": 0.01}


TASKS = (
    Exercise(
        name="left_without_peeking",
        lesson="11",
        difficulty=1,
        minutes=5,
        reference=left_without_peeking,
        inputs=_starts,
        edge_cases=(
            {"published": 0.5, "inertias": np.array([3.0, 1.0, 2.0]), "accuracies": np.array([0.4, 0.6, 0.8])},
        ),
        alternative=_by_sorting,
        mutants=(
            Mutant(
                "peeked",
                lambda published, inertias, accuracies: float(accuracies.max() / published),
                "You took the most accurate start. To know which one that is takes the labels: you peeked. Which of "
                "the two arrays may choose?",
            ),
            Mutant(
                "highest inertia",
                lambda published, inertias, accuracies: float(accuracies[np.argmax(inertias)] / published),
                "You took the start with the highest inertia. k-means makes the inertia small: which start did that "
                "best?",
            ),
            Mutant(
                "a start at random",
                lambda published, inertias, accuracies: float(accuracies.mean() / published),
                "You averaged over all starts: that is what one start taken at random gives. Without labels one can "
                "do better than chance; the inertias are known.",
            ),
            Mutant(
                "capped",
                lambda published, inertias, accuracies: min(1.0, float(accuracies[np.argmin(inertias)] / published)),
                "You cut the share off at 1. When the start is better than what was published, the share says so.",
            ),
            Mutant(
                "not a share",
                lambda published, inertias, accuracies: float(accuracies[np.argmin(inertias)]),
                "The start is the right one, and you returned its accuracy. Asked for is what share of the published "
                "accuracy that is.",
            ),
            Mutant(
                "what is lost",
                lambda published, inertias, accuracies: float(published - accuracies[np.argmin(inertias)]),
                "The start is the right one, and you returned the difference from the published accuracy: that is "
                "what is lost. Asked for is what is left, as a share.",
            ),
            Mutant(
                "number of the start",
                lambda published, inertias, accuracies: int(np.argmin(inertias)),
                "You returned the number of the start. Look up its accuracy, and divide.",
            ),
            Mutant(
                "inertia for accuracy",
                lambda published, inertias, accuracies: float(inertias.min() / published),
                "You divided the inertia itself. It only chooses; judged is the accuracy of the start it chose.",
            ),
        ),
        hints=(
            "inertias.argmin() is the start that someone without labels would keep.",
            "Divide the accuracy of that start by the published one.",
        ),
        tested="the choice among five starts, and the share, in five cases",
        not_tested="ties in inertia",
    ),
    Exercise(
        name="explain_gap",
        lesson="11",
        difficulty=2,
        minutes=8,
        reference=explain_gap,
        inputs=_accounts,
        edge_cases=(_LOW_AT_THE_END,),
        alternative=_by_loop,
        mutants=(
            Mutant(
                "dataset not compared",
                lambda claimed, found, ledger, tolerance: explain_gap({}, {}, ledger, tolerance),
                "You went straight to the accuracies. When the numbers of cells or classes differ, they belong to "
                "different data and cannot be compared: look there first.",
            ),
            Mutant(
                "classes not compared",
                _only("cells"),
                "You compared the cells and not the classes. The same cells with other classes are another task.",
            ),
            Mutant(
                "cells not compared",
                _only("classes"),
                "You compared the classes and not the cells. A few cells that were left out are another dataset: they "
                "are seldom the easy ones.",
            ),
            Mutant(
                "both must differ",
                _both_differ,
                "You ask for the cells and the classes to differ. One of the two is enough.",
            ),
            Mutant(
                "gains taken for losses",
                _largest_change,
                "You looked for the largest change. A step at which the accuracy rises explains no gap: keep the sign.",
            ),
            Mutant(
                "measured from the published",
                _from_published,
                "You measured every step from the published accuracy and so found the lowest entry. That adds up all "
                "the losses before it: measure each step from the one before.",
            ),
            Mutant(
                "tolerance of the total",
                _total_loss,
                "You compare the tolerance with what is lost from the first step to the last, where a gain makes up "
                "for a loss. It belongs to single steps.",
            ),
            Mutant(
                "first loss",
                _first_loss,
                "You stopped at the first loss above the tolerance. A later step may lose more.",
            ),
            Mutant(
                "one step early",
                _step_before,
                "You named the step before the fall. Name the step at which the accuracy has fallen.",
            ),
            Mutant(
                "relative losses",
                _relative,
                "You divided each loss by the accuracy before it: late ones weigh more. A loss is a difference.",
            ),
            Mutant(
                "no tolerance",
                lambda claimed, found, ledger, tolerance: explain_gap(claimed, found, ledger, -np.inf),
                "You name a step even when hardly anything is lost. A loss within the tolerance is 'nothing'.",
            ),
        ),
        hints=(
            "First compare claimed with found; only then list(ledger.values()).",
            "The loss of a step is the value before it minus its own; the first entry has none.",
        ),
        tested="ten accounts: other data, a loss at each place, a gain, hardly any loss",
        not_tested="whether the steps of a ledger really change one thing at a time, which no function can know",
        n_inputs=10,
    ),
)
