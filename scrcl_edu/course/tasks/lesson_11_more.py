"""Lesson 11, beyond its functions: two predictions, a verdict over datasets, and two explanations."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from scrcl_edu.course.guesses import Number
from scrcl_edu.course.task import Explanation, Prediction, Property, Transfer

N_SETS = 6


def comparisons(rng: np.random.Generator) -> dict[str, Any]:
    """Scores of two methods in 200 comparisons on six sets with five seeds; in half of them neither is better.

    Sets scatter by four points in what they favor, seeds by one: many seeds of few sets say little.
    """
    truth = np.repeat([0.0, 0.0, 0.15, -0.15], 50)
    favored = rng.normal(0, 0.04, (200, N_SETS, 1)) + truth[:, None, None]
    level = rng.uniform(0.55, 0.75, (200, N_SETS, 1))
    noise = rng.normal(0, 0.01, (2, 200, N_SETS, 5))
    return {"ours": level + favored + noise[0], "theirs": level + noise[1], "truth": truth}


def _by_sets(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    test = stats.ttest_rel(ours.mean(axis=2), theirs.mean(axis=2), axis=1)
    return np.where(test.pvalue < 0.05, np.sign(test.statistic), 0)


def _by_runs(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    points = (ours - theirs).reshape(len(ours), -1)
    test = stats.ttest_1samp(points, 0, axis=1)
    return np.where(test.pvalue < 0.05, np.sign(test.statistic), 0)


def _unpaired(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    verdicts = _by_sets(ours, theirs)
    return np.where(np.abs((ours - theirs).mean(axis=(1, 2))) > 0.25, verdicts, 0)


TASKS = (
    Prediction(
        name="left_on_lung",
        lesson="11",
        difficulty=1,
        minutes=1,
        text="On Lung the paper reports an accuracy of 0.865. On the embeddings that its authors released, k-means is "
        "started two hundred times, and the start of lowest inertia is kept, which needs no label. Which share of the "
        "published accuracy is left?",
        shape=Number(
            near=0.06,
            low=0.3,
            high=1.1,
            form=".0%",
            right="A good third can go although weights, cells and algorithm are the same: choosing is work, and "
            "labels did it.",
            too_low="This guess expects the embedding to be worthless without labels. It holds much of the types; what "
            "it does not hold is a reason for k-means to prefer the clustering that the experts prefer.",
            too_high="This guess trusts that embeddings of a good epoch give the good clusters again. They were chosen "
            "together with one lucky start, and two hundred starts by inertia do not find it.",
        ),
    ),
    Prediction(
        name="worth_of_training",
        lesson="11",
        difficulty=2,
        minutes=1,
        text="On datasets that no choice has seen: how many points of ARI is `robust` after its 30 epochs above the "
        "same network before the first one, on average over the sets?",
        shape=Number(
            near=1.5,
            low=-10.0,
            high=20.0,
            form="+.1f",
            unit="points",
            right="Smoothing and a wide random network do what there is to do; on these sets training moves scores up "
            "here and down there.",
            too_low="This guess expects training to do harm. It does on some sets, and helps on others; the mean lies "
            "near zero.",
            too_high="This guess expects that what is optimized gets better. What is optimized are agreements of two "
            "views; whether types profit is another question, and the gain seen on the sets that the recipe was chosen "
            "on does not come back on others.",
        ),
    ),
    Transfer(
        name="is_it_ahead",
        lesson="11",
        difficulty=3,
        minutes=12,
        text="Two methods were compared 200 times, each time on six datasets with five seeds. Say for each comparison "
        "whether ours is ahead (1), behind (-1), or whether these sets cannot show a difference (0). In half of them "
        "there is none, and a false alarm in more than one of ten of these is too many.",
        answer="a function of ours and theirs, each of shape (200, 6, 5), that gives 200 numbers out of 1, 0 and -1",
        function=True,
        data=comparisons,
        hidden=("truth",),
        properties=(
            Property(
                "one verdict for each comparison, out of 1, 0 and -1",
                lambda found, data: np.shape(found) == (200,) and set(np.unique(found)) <= {-1, 0, 1},
                "Hand back one number for each comparison, shape (200,), and only 1, 0 or -1.",
                wrong=lambda ours, theirs: (ours - theirs).mean(axis=(1, 2)),
            ),
            Property(
                "at most one false alarm in ten",
                lambda found, data: np.mean(np.asarray(found)[data["truth"] == 0] != 0) <= 0.13,
                "Too often you see a difference where there is none. What is the unit that is drawn at random: a run, "
                "or a dataset? Seeds of the same set are no new evidence about other sets.",
                wrong=_by_runs,
            ),
            Property(
                "large differences are found",
                lambda found, data: np.mean(np.asarray(found)[data["truth"] != 0] != 0) >= 0.9,
                "You overlook differences of 15 points that are there on every set. Compare set by set, so that hard "
                "and easy sets cancel, and ask for no more than an interval without zero.",
                wrong=_unpaired,
            ),
            Property(
                "the direction is right",
                lambda found, data: np.mean(np.asarray(found) * data["truth"] < 0) == 0,
                "Ahead and behind are mixed up somewhere: 1 means that ours is the better one.",
                wrong=lambda ours, theirs: _by_sets(theirs, ours),
            ),
        ),
        solution=_by_sets,
        rubric=(
            "averages seeds first and takes a set as the unit, with a reason",
            "compares in pairs, set by set",
            "says what a 0 means: not that there is no difference, but that these sets do not show one",
        ),
        hints=(
            "First average over the seeds; what is left has shape (200, 6).",
            "For six differences the mean lies within 2.57 standard errors of the truth 95 times out of 100.",
        ),
    ),
    Explanation(
        name="null_result",
        lesson="11",
        difficulty=2,
        minutes=4,
        text="A colleague reads the figure and says: so training is useless. Another says: the interval reaches above "
        "zero, so it may well help. What do you answer both?",
        model="To the first: an interval around zero means that these sets do not show a gain, and with so few sets, "
        "which scatter so much, a gain of a few points would be overlooked more often than found; a null result comes "
        "with its power. To the second: it may, but whoever claims a gain has to show it, and a gain that would be "
        "large enough to matter for a user is what these sets would have shown. Both should want more datasets that "
        "nobody chose on, not more seeds, because it is the sets that scatter.",
        rubric=(
            "tells 'no difference shown' from 'no difference'",
            "names the power, or the smallest difference that would have been seen",
            "asks for more sets rather than more seeds",
        ),
    ),
    Explanation(
        name="tomorrow",
        lesson="11",
        difficulty=2,
        minutes=5,
        text="A biologist brings 5,000 unlabeled cells and asks for 'the best clustering'. What do you run, in which "
        "order, and what do you tell her that you cannot know?",
        model="First the cheap methods, PCA with k-means and Leiden, each with several seeds; then their consensus, "
        "which also says which cells they disagree about; then robust as a third opinion. I keep clusters that are "
        "steady over seeds, found by methods that work differently, and have genes of their own on cells that were "
        "held out. I cannot know which method is best on her cells, because there is no label to tell, nor the right "
        "number of clusters; and steadiness alone would not show a mistake that a method always makes.",
        rubric=(
            "begins with what is cheap, and uses more than one method and more than one seed",
            "judges without labels: seeds, agreement of methods, genes on held-out cells",
            "says that the best method, and K, cannot be known here, and that steady is not right",
        ),
    ),
)
