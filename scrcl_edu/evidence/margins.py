"""One method against the others, set by set: how much, how surely, and what so many sets could have shown.

The unit is the set: seeds are averaged first, for they say nothing about the next data that a reader brings. Sets on
which a recipe was chosen flatter it and stand apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scrcl_edu import datasets, recipes
from scrcl_edu.errors import DataError
from scrcl_edu.evidence.methods import ABLATIONS, BASELINES, chosen_on

if TYPE_CHECKING:
    from pandas import DataFrame, Series

SIMPLE = ("pca_kmeans", "leiden_k")
BETTER_OF_SIMPLE = "the better of PCA + k-means and Leiden at K, set by set (labels tell which)"
BLOCKS = {False: "sets that were not chosen on", True: "sets that were chosen on"}
TOLD = {  # in the sentence of the README
    "pca_kmeans": "PCA + k-means",
    "leiden_k": "Leiden at K",
    "untrained": "itself untrained",
    "consensus/baselines": "a consensus of the two baselines",
}
PEEKED = "baron_human_came"
DRAW = 0.5  # points of ARI below which a set is neither won nor lost
LEVEL, POWER = 0.05, 0.8


class Margin(NamedTuple):
    """A difference in points (100 x score) over sets.

    Parameters
    ----------
    n_sets
        On which both were run.
    mean, half_width
        Mean over sets, and half the length of its 95 % interval (t); NaN for one set.
    scatter
        Standard deviation over sets.
    won, lost
        Sets on which the difference is more than half a point.
    detectable
        The true mean that so many sets of this scatter would show four times out of five.
    worst, at_worst
        The set with the smallest difference.
    """

    n_sets: int
    mean: float
    half_width: float
    scatter: float
    won: int
    lost: int
    detectable: float
    worst: str
    at_worst: float

    @property
    def verdict(self) -> str:
        """What the interval says."""
        if not abs(self.mean) > self.half_width:
            return "none shown"
        return "ahead" if self.mean > 0 else "behind"


def margin(points: Series) -> Margin:
    """Sum up differences in points, one for each set (the index)."""
    from scipy import stats

    n_sets, scatter = len(points), float(points.std())
    half_width = stats.t.ppf(1 - LEVEL / 2, n_sets - 1) * scatter / np.sqrt(n_sets) if n_sets > 1 else np.nan
    return Margin(
        n_sets,
        float(points.mean()),
        float(half_width),
        scatter,
        int((points > DRAW).sum()),
        int((points < -DRAW).sum()),
        smallest_shown(scatter, n_sets),
        str(points.idxmin()),
        float(points.min()),
    )


def smallest_shown(scatter: float, n_sets: int, *, level: float = LEVEL, power: float = POWER) -> float:
    """The true mean difference that a two-sided paired t test finds with this power; NaN for fewer than two sets.

    Parameters
    ----------
    scatter
        Standard deviation of the differences over sets.
    n_sets
        How many.
    level, power
        Of the test.
    """
    from scipy import optimize, stats

    if n_sets < 2 or not scatter > 0:
        return np.nan
    freedom, bound = n_sets - 1, stats.t.ppf(1 - level / 2, n_sets - 1)

    def missing(shift: float) -> float:  # the other tail holds nothing that counts
        return stats.nct.sf(bound, freedom, shift) - power

    return float(optimize.brentq(missing, 0.1, 30) * scatter / np.sqrt(n_sets))


def differences(results: DataFrame, ours: str, theirs: str, score: str = "ari") -> Series:
    """Points by which one label-free method is above another, by set; only sets on which both were run."""
    means = _means(results)
    return 100 * (means[ours][score] - means[theirs][score]).dropna()


def margins_table(results: DataFrame, *, ours: str = "robust", task: str = "scrna") -> DataFrame:
    """`ours` against every other method, in two blocks: sets that were not chosen on, then those that were.

    Parameters
    ----------
    results
        Of kind "benchmark".
    ours
        A method.
    task
        "scrna" or "spatial".

    Returns
    -------
    DataFrame of text; its column "block" says which sets.
    """
    import pandas as pd

    rows = []
    for chosen, block in BLOCKS.items():
        for title, seeds, accuracy, ari in _rivals(of_block(results, chosen=chosen, task=task), ours):
            by_accuracy, by_ari = margin(accuracy), margin(ari)
            rows.append(
                {
                    "block": block,
                    f"{method_title(ours)} against": title,
                    "sets": str(by_ari.n_sets),
                    "seeds": str(seeds),
                    "accuracy ± 95 %": _plus_minus(by_accuracy),
                    "ARI ± 95 %": _plus_minus(by_ari),
                    "verdict": by_ari.verdict if by_ari.n_sets > 1 else "-",
                    "scatter over sets": f"{by_ari.scatter:.1f}" if by_ari.n_sets > 1 else "-",
                    "won : lost": f"{by_ari.won} : {by_ari.lost}",
                    "could be shown": f"{by_ari.detectable:.1f}" if by_ari.detectable > 0 else "-",
                    "worst set": by_ari.worst,
                    "ARI there": f"{by_ari.at_worst:+.1f}",
                }
            )
    names = ["block", f"{method_title(ours)} against", "sets", "seeds", "accuracy ± 95 %", "ARI ± 95 %", "verdict"]
    names += ["scatter over sets", "won : lost", "could be shown", "worst set", "ARI there"]
    return pd.DataFrame(rows, columns=names)


def sentence(results: DataFrame) -> str:
    """What the README says of `robust`, from the sets that were not chosen on.

    Raises
    ------
    DataError
        When a method that it speaks of was not run on any of them.
    """
    results = of_block(results, chosen=False, task="scrna")
    there = set(results["method"]) if len(results) else set()
    if missing := [name for name in ("robust", *TOLD) if name not in there]:
        raise DataError(f"no stored result of {', '.join(missing)} on a set that was not chosen on; run it first")
    of = {
        title: [margin(differences(results, "robust", name, score)) for score in ("accuracy", "ari")]
        for name, title in TOLD.items()
    }
    told = "; ".join(
        f"against {title} {_plus_minus(accuracy)} and {_plus_minus(ari)} ({ari.won} won, {ari.lost} lost)"
        for title, (accuracy, ari) in of.items()
    )
    n_sets = min(ari.n_sets for _, ari in of.values())
    shown = [f"{ari.verdict} of {title}" for title, (_, ari) in of.items() if ari.verdict != "none shown"]
    needed = [ari.detectable for _, ari in of.values()]
    verdict = f"`robust` is {' and '.join(shown)}; none of the other" if shown else "None of these"
    return (
        f"On {n_sets} real datasets that no choice has seen, {_fewest_seeds(results)['robust']} seeds each, `robust` "
        f"gains so many points of accuracy and ARI (± half of a 95 % interval over datasets): {told}.\n"
        f"{verdict} differences can be told from chance with so few datasets: to show four times out of five, a "
        f"difference in ARI would have to be {min(needed):.0f} to {max(needed):.0f} points."
        f"{peeking(results)}"
    )


def peeking(results: DataFrame, name: str = PEEKED) -> str:
    """What the paper's settings score on a part of its data, with the labels' choice of the epoch and without it.

    Parameters
    ----------
    results
        Of kind "benchmark".
    name
        A dataset that is part of one of the paper's, see :class:`scrcl_edu.datasets.Card`.

    Returns
    -------
    A sentence after a line break; empty when the paper's settings were not run on it.
    """
    mine = _named(results[results["dataset"] == name]) if len(results) else results
    scores = mine.groupby("method")["accuracy"].mean() if len(mine) else {}
    if not {"paper, oracle", "paper", "robust", "pca_kmeans"} <= set(scores.keys()):
        return ""
    card, seeds = datasets.card(name), mine.loc[mine["method"] == "paper", "seed"].nunique()
    whole = datasets.card(card.part_of)
    published = recipes.published(card.part_of)["accuracy_percent"]
    return (
        f"\nOn {card.cells:,} of the {whole.cells:,} cells of {whole.name} the paper's settings reach "
        f"{scores['paper, oracle']:.1%} accuracy where the labels pick the epoch (published for all cells: {published} "
        f"%), and {scores['paper']:.1%} at their last epoch ({seeds} seed{'s' if seeds > 1 else ''}); `robust`, which "
        f"sees no label, reaches {scores['robust']:.1%}, PCA + k-means {scores['pca_kmeans']:.1%}."
    )


def of_block(results: DataFrame, *, chosen: bool, task: str) -> DataFrame:
    """The rows of the sets of one task that were, or were not, chosen on."""
    if not len(results):
        return results
    names = [name for name in results["dataset"].drop_duplicates() if task_of(results, name) == task]
    return results[results["dataset"].isin([name for name in names if bool(chosen_on(name)) is chosen])]


def task_of(results: DataFrame, name: str) -> str:
    """ "scrna" or "spatial": by the card of a dataset, else by how its rows were made."""
    if name in datasets.names():
        return datasets.card(name).task
    methods = results.loc[results["dataset"] == name, "settings"]
    return "spatial" if any(settings.get("hvg_flavor") == "seurat_v3" for settings in methods) else "scrna"


def method_title(method: str) -> str:
    """How tables and figures call a method; one that has seen labels ends in "oracle"."""
    name, comma, oracle = method.partition(", ")
    titles = BASELINES | ABLATIONS | {"scvi_kmeans": "scVI + k-means", "scvi_ward": "scVI + Ward"}
    return titles.get(name, name) + comma + oracle


def _rivals(results: DataFrame, ours: str) -> Iterator[tuple[str, int, Series, Series]]:
    """Title, fewest seeds of a set, and the differences in accuracy and ARI by set, of every other method."""
    means, seeds = _means(results), _fewest_seeds(results)
    if ours not in means:
        return
    if all(name in means for name in SIMPLE):
        first, second = (means[name] for name in SIMPLE)
        means[BETTER_OF_SIMPLE] = first.where(first >= second, second).dropna()
        seeds[BETTER_OF_SIMPLE] = min(seeds[name] for name in SIMPLE)
    for name, theirs in means.items():
        points = 100 * (means[ours] - theirs).dropna()
        if name != ours and len(points):
            yield method_title(name), min(seeds[name], seeds[ours]), points["accuracy"], points["ari"]


def _means(results: DataFrame) -> dict[str, DataFrame]:
    """By method, the mean over seeds of accuracy and ARI by set."""
    if not len(results):
        return {}
    named = _named(results)
    means = named.groupby(["method", "dataset"], sort=False)[["accuracy", "ari"]].mean()
    return {name: means.loc[name] for name in named["method"].drop_duplicates()}


def _fewest_seeds(results: DataFrame) -> dict[str, int]:
    if not len(results):
        return {}
    return _named(results).groupby(["method", "dataset"])["seed"].nunique().groupby("method").min().to_dict()


def _named(results: DataFrame) -> DataFrame:
    """What has seen labels is a method of its own."""
    return results.assign(method=results["method"] + np.where(results["protocol"] == "oracle", ", oracle", ""))


def _plus_minus(of: Margin) -> str:
    return f"{of.mean:+.1f} ± {of.half_width:.1f}" if of.n_sets > 1 else f"{of.mean:+.1f}"
