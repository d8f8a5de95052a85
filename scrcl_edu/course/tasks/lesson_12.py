"""Lesson 12: a difference with its uncertainty, a comparison to mend, a stopping "
"rule, and what a trial can say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.task import Exercise, Explanation, Mend, Mutant, Prediction, Property, Transfer
from scrcl_edu.trial.holding import interval


def paired_interval(mine: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Mean difference of two methods over several sets, and its 95 % interval."""
    places = [(i, j) for i in range(len(mine)) for j in range(mine.shape[1])]
    rows = [{"set": i, "part": mine[i, j], "robust": theirs[i, j]} for i, j in places]
    return interval(pd.DataFrame(rows))


def _interval(
    differences: np.ndarray, *, ddof: int = 1, root: bool = True, normal: bool = False, one_sided: bool = False
) -> tuple[float, float, float]:
    n = len(differences)
    spread = differences.std(ddof=ddof) / (np.sqrt(n) if root else 1)
    level = 0.95 if one_sided else 0.975
    reach = spread * (stats.norm.ppf(level) if normal else stats.t.ppf(level, n - 1))
    return differences.mean(), differences.mean() - reach, differences.mean() + reach


def _of_sets(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return (mine - theirs).mean(axis=1)


def _unpaired(mine: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    a, b = mine.mean(axis=1), theirs.mean(axis=1)
    n, gap = len(a), a.mean() - b.mean()
    reach = stats.t.ppf(0.975, n - 1) * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    return gap, gap - reach, gap + reach


def _by_scipy(mine: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    test = stats.ttest_rel(mine.mean(axis=1), theirs.mean(axis=1))
    found = test.confidence_interval(0.95)
    return float((mine - theirs).mean()), float(found.low), float(found.high)


def _scores(rng: np.random.Generator) -> dict[str, Any]:
    n_sets, n_seeds = int(rng.integers(4, 8)), int(rng.integers(2, 4))
    hard = rng.uniform(0.3, 0.8, (n_sets, 1))
    gain = rng.normal(0.03, 0.03, (n_sets, 1))
    noise = rng.normal(0, 0.02, (2, n_sets, n_seeds))
    return {"mine": (hard + gain + noise[0]).round(3), "theirs": (hard + noise[1]).round(3)}


def gain_over(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """How far one method is ahead of another on each set."""
    return (mine - theirs).mean(axis=1)


def gain_over_given(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """For each set what my method reaches, less what the other one does."""
    reached = mine.max(axis=1)
    usual = theirs.mean(axis=1)
    return reached - usual


def plateaus(rng: np.random.Generator) -> dict[str, Any]:
    """Loss curves of 8 trainings that fall and settle; each odd one is the even one "
    "before it until they part."""
    n_epochs, epochs = 200, np.arange(200)
    pace = np.repeat(rng.uniform(6, 18, 4), 2)
    scale = np.repeat(10.0 ** rng.uniform(-2, 2, 4), 2)
    curves = np.exp(-epochs / pace[:, None]) + 0.2 + 0.004 * rng.normal(size=(8, n_epochs))
    parted = rng.integers(120, 160, 4)
    for pair, epoch in enumerate(parted):
        curves[2 * pair + 1, :epoch] = curves[2 * pair, :epoch]
        curves[2 * pair + 1, epoch:] -= 0.15
    return {"losses": curves * scale[:, None], "settled": 5 * pace, "parted": np.repeat(parted, 2)}


def patient(losses: np.ndarray, window: int = 10, share: float = 0.02) -> np.ndarray:
    """Stop when the mean of the last epochs is hardly below that of those before, "
    "measured by all that was gained."""
    stops = []
    for curve in losses:
        for epoch in range(2 * window, len(curve) + 1):
            before, last = curve[epoch - 2 * window : epoch - window].mean(), curve[epoch - window : epoch].mean()
            if before - last < share * (curve[0] - last):
                break
        stops.append(epoch)
    return np.array(stops)


def _ahead(losses: np.ndarray) -> np.ndarray:
    lowest = losses.min(axis=1, keepdims=True) + 0.05 * np.ptp(losses, axis=1, keepdims=True)
    return 1 + (losses <= lowest).argmax(axis=1)


def _same_beginning(stops: np.ndarray, data: dict[str, Any]) -> bool:
    first, second, parted = stops[::2], stops[1::2], data["parted"][::2]
    return bool(((first == second) | (np.minimum(first, second) >= parted)).all())


TASKS = (
    Prediction(
        name="luck_on_one_set",
        lesson="12",
        difficulty=2,
        minutes=2,
        text="robust is trained twice on each of nine sets, with two seeds and nothing else changed. How far apart "
        "will the two be, in ARI, on the set where they differ most?",
        shape=Number(
            near=0.04,
            low=0.0,
            high=0.4,
            form=".2f",
            right="You have met seeds before: where types are hard to tell apart, they decide more than most ideas do.",
            too_low="This guess trusts a method to do twice what it did once. First weights, dropout and starts are "
            "drawn anew, and on a small hard set that shows.",
            too_high="This guess expects chaos. The two trainings read the same cells and the same graph, which fix "
            "most of what comes out.",
        ),
    ),
    Prediction(
        name="verdict_on_graph",
        lesson="12",
        difficulty=1,
        minutes=1,
        text="The cell graph is built on fifteen principal components instead of all genes. What will the trial say?",
        shape=Choice(
            options=("better", "worse", "no difference that these sets can show"),
            means={
                "better": "This guess believes in the reason that was given. A reason "
                "is where an idea comes from; whether it holds, only sets can say.",
                "worse": "This guess expects that what is left out is missed. Which kind of set would show that?",
                "no difference that these sets can show": "This guess is the safe one: "
                "most ideas end there. Look at which sets moved this one away from "
                "zero.",
            },
            right="Before you are pleased: was there a reason for your guess that could have been wrong?",
        ),
    ),
    Exercise(
        name="paired_interval",
        lesson="12",
        difficulty=2,
        minutes=12,
        reference=paired_interval,
        inputs=_scores,
        alternative=_by_scipy,
        mutants=(
            Mutant(
                "seeds as units",
                lambda mine, theirs: _interval((mine - theirs).ravel()),
                "You took every seed for a unit. Seeds on one set say nothing about "
                "other sets, so this interval is too narrow: average over the seeds "
                "first.",
            ),
            Mutant(
                "not paired",
                _unpaired,
                "You compared the two methods as if they had seen different sets. How "
                "hard a set is moves both, and drops out when you subtract set by set.",
            ),
            Mutant(
                "normal",
                lambda mine, theirs: _interval(_of_sets(mine, theirs), normal=True),
                "You took the normal distribution (1.96). With so few sets the spread "
                "itself is uncertain, which Student's t allows for.",
            ),
            Mutant(
                "population deviation",
                lambda mine, theirs: _interval(_of_sets(mine, theirs), ddof=0),
                "Your deviation divides by n. These sets are a sample: n - 1 (ddof=1).",
            ),
            Mutant(
                "no root of n",
                lambda mine, theirs: _interval(_of_sets(mine, theirs), root=False),
                "This is how far single sets scatter. The mean of n sets scatters less, by the root of n.",
            ),
            Mutant(
                "one-sided",
                lambda mine, theirs: _interval(_of_sets(mine, theirs), one_sided=True),
                "Your interval leaves out 5 % on each side. 95 % in all leaves 2.5 % on each side: the quantile 0.975.",
            ),
            Mutant(
                "swapped",
                lambda mine, theirs: _interval(_of_sets(theirs, mine)),
                "You subtracted mine from theirs: ahead looks like behind.",
            ),
        ),
        hints=(
            "What is one piece of evidence here: a seed, or a set? Bring the scores to one number for each of these.",
            "scipy.stats.t.ppf(0.975, n - 1) is how many standard errors the interval reaches to each side.",
        ),
        tested="all three numbers for 4 to 7 sets with 2 or 3 seeds",
        not_tested="a single set, for which there is no interval",
    ),
    Mend(
        name="gain_over",
        lesson="12",
        difficulty=1,
        minutes=5,
        text="This function should say how far one method is ahead of another on each set. It runs, and whoever uses "
        "it is pleased. Find the fault, and mend it.",
        reference=gain_over,
        faulty=gain_over_given,
        symptom="Hand in the same scores twice, as mine and as theirs: the gain should be 0, and is not.",
        inputs=_scores,
        alternative=lambda mine, theirs: np.array([np.mean(a) - np.mean(b) for a, b in zip(mine, theirs, strict=True)]),
        mutants=(
            Mutant(
                "best against best",
                lambda mine, theirs: mine.max(axis=1) - theirs.max(axis=1),
                "Both sides are treated alike now. But the best of several seeds is "
                "picked by its score, which needs labels; what a user gets is the "
                "usual one.",
            ),
            Mutant(
                "best pair",
                lambda mine, theirs: (mine - theirs).max(axis=1),
                "You picked the seed at which mine is furthest ahead. That is the same fault in another place.",
            ),
            Mutant(
                "worst against usual",
                lambda mine, theirs: mine.min(axis=1) - theirs.mean(axis=1),
                "Now my method is treated worse than the other. A fair comparison treats both alike.",
            ),
        ),
        hints=(
            "Which seeds does each side get to use?",
            "What would this function say of two methods that are the same, with other random numbers?",
        ),
        tested="values on 4 to 7 sets",
        not_tested="missing seeds",
    ),
    Transfer(
        name="when_to_stop",
        lesson="12",
        difficulty=3,
        minutes=20,
        text="Here are the losses of eight trainings that this course has not shown, of very different sizes and "
        "paces. Write a rule that stops each of them soon after it has settled, and "
        "that a training could use while it runs.",
        answer="a function that takes losses, shape (8, 200), and gives for each training the number of epochs after "
        "which it would have stopped, integers from 1 to 200",
        function=True,
        data=plateaus,
        hidden=("settled", "parted"),
        properties=(
            Property(
                "one whole number for each training, from 1 to 200",
                lambda stops, data: (
                    np.shape(stops) == (8,)
                    and np.asarray(stops).dtype.kind in "iu"
                    and min(stops) >= 1
                    and max(stops) <= 200
                ),
                "Count the epochs that are done when you stop; 200 is all of them.",
                wrong=lambda losses: patient(losses) / 2,
            ),
            Property(
                "does not look ahead",
                lambda stops, data: _same_beginning(np.asarray(stops), data),
                "Two of these trainings begin alike, and you stop them at different "
                "epochs before they part. While a training runs, nobody knows how it "
                "will end.",
                wrong=_ahead,
            ),
            Property(
                "waits until the loss has settled",
                lambda stops, data: (np.asarray(stops) >= 0.6 * data["settled"]).all(),
                "You stop at least one training while its loss still falls. Is a single epoch without progress noise?",
                wrong=lambda losses: 2 + (np.diff(losses, axis=1) > 0).argmax(axis=1),
            ),
            Property(
                "does not wait much longer",
                lambda stops, data: (np.asarray(stops) <= data["settled"] + 60).all(),
                "At least one training goes on for more than sixty epochs after it has "
                "settled. Losses differ in size by ten thousand times here: does your "
                "rule know how large a step is for this training?",
                wrong=lambda losses: np.full(8, 200),
            ),
        ),
        solution=patient,
        rubric=(
            "compares with something that scales as the loss does, and says with what",
            "averages over several epochs because single ones are noisy, and says how many and why",
            "says what the rule would do wrong: a loss that rests and then falls again",
        ),
        hints=(
            "Compare the mean of the last ten epochs with that of the ten before.",
            "Small is small compared with all that the training has gained so far.",
        ),
    ),
    Explanation(
        name="why_open_once",
        lesson="12",
        difficulty=2,
        minutes=4,
        text="You try twenty versions of a part on the sets to play with and keep the one with the largest gain. Why "
        "does its gain on those sets say too much, and what do sets that are opened "
        "once change?",
        model="Each version's gain is its true gain and some luck, and who keeps the largest of twenty keeps mostly "
        "luck: even if all twenty are worthless, the best one is ahead. On sets that "
        "had no say in the choice the luck is drawn anew and is zero on average, so "
        "the gain there is an honest one. That holds for one opening: whoever opens "
        "again after each disappointment is playing with those sets, too.",
        rubric=(
            "says that choosing the best of many picks up luck, also when nothing is better",
            "says that new sets are independent of the choice",
            "says that opening several times and choosing again brings the problem back",
        ),
    ),
)
