"""The figures of lessons 08, 10 and 11, made from stored results; each comes with its alt text, for `plotting.show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu import datasets, recipes
from scrcl_edu.errors import DataError
from scrcl_edu.evidence.margins import BLOCKS, differences, margin, method_title, of_block
from scrcl_edu.evidence.methods import ABLATIONS
from scrcl_edu.evidence.released import KINDS_OF_START, summarize_starts
from scrcl_edu.evidence.tables import paper_datasets
from scrcl_edu.plotting import MARKERS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame, Series


def starts_figure(results: DataFrame, *, names: Sequence[str] | None = None) -> tuple[Figure, str]:
    """Accuracy against inertia of every k-means start on the released embeddings, the two choices marked.

    Parameters
    ----------
    results
        Of kind "released_embeddings".
    names
        Datasets, a panel for each; of each the seed whose two choices differ most is drawn. All when not given.

    Returns
    -------
    The figure and its alt text.

    Raises
    ------
    DataError
        When there are no results of a dataset.
    """
    import matplotlib.pyplot as plt

    names = list(names) if names is not None else list(results["dataset"].drop_duplicates()) if len(results) else []
    rows = [_most_telling(results, datasets.card(name).name) for name in names]
    if not rows:
        raise DataError("there are no results of released embeddings; make them with scrcl-edu benchmark --released")
    columns = min(len(rows), 4)
    shape = (-(-len(rows) // columns), columns)
    figure, grid = plt.subplots(
        *shape, figsize=(3.1 * columns, 3.2 * shape[0]), sharey=True, squeeze=False, layout="constrained"
    )
    told = []
    for axes, row in zip(grid.flat, rows, strict=False):
        low, best = _draw_starts(axes, row)
        told.append(f"{_short(row['dataset'])}: {low:.2f} by the lowest inertia, {best:.2f} by the best NMI")
    for axes in grid.flat[len(rows) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy")
    handles, texts = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False)
    alt = "Each point is one k-means start on the authors' embedding, accuracy against inertia. " + "; ".join(told)
    return figure, alt + "."


def methods_figure(
    results: DataFrame, *, score: str = "accuracy", names: Sequence[str] | None = None
) -> tuple[Figure, str]:
    """A score of every method on every dataset: small marks are seeds, large ones their mean.

    Parameters
    ----------
    results
        Of kind "benchmark"; ablations are left out.
    score
        "accuracy", "nmi", "ari" or "macro_f1".
    names
        Datasets, in order; all when not given.

    Returns
    -------
    The figure and its alt text.

    Raises
    ------
    DataError
        When there are no results.
    """
    import matplotlib.pyplot as plt

    if len(results):
        results = results[~results["method"].isin(ABLATIONS)]
    if names is not None and len(results):
        results = results[results["dataset"].isin(names)]
    if not len(results):
        raise DataError("there are no results to draw; make them with scrcl-edu benchmark")
    names = list(results["dataset"].drop_duplicates()) if names is None else list(names)
    pairs = list(results[["method", "protocol"]].drop_duplicates().itertuples(index=False, name=None))
    figure, axes = plt.subplots(figsize=(4 + 1.3 * len(names), 4.2), layout="constrained")
    means = []
    for number, (method, protocol) in enumerate(pairs):
        mine = results[(results["method"] == method) & (results["protocol"] == protocol)]
        shift = 0.8 * ((number + 0.5) / len(pairs) - 0.5)
        style: dict[str, Any] = {
            "color": PALETTE[number % 7],
            "marker": MARKERS[(number + number // 7) % 7],
            "linewidths": 0,
        }
        title = method_title(method) + (", oracle" if protocol == "oracle" else "")
        places = mine["dataset"].map(names.index) + shift
        axes.scatter(places, mine[score], s=8, alpha=0.5, **style)
        average = mine.groupby("dataset", sort=False)[score].mean()
        axes.scatter([names.index(name) + shift for name in average.index], average, s=45, label=title, **style)
        means.append(f"{title} {average.mean():.2f} on {len(average)}")
    axes.set_xticks(range(len(names)), [_short(name) for name in names], rotation=30, ha="right")
    axes.set(
        ylabel="ARI" if score == "ari" else score,
        xlim=(-0.5, len(names) - 0.5),
        ylim=(min(0, results[score].min()), 1.02),
    )
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    alt = f"{score} of {len(pairs)} methods on {len(names)} datasets. Mean over datasets: {'; '.join(means)}."
    return figure, alt


def margins_figure(
    results: DataFrame,
    *,
    ours: str = "robust",
    rivals: Sequence[str] = ("pca_kmeans", "leiden_k", "smoothed_pca_kmeans", "untrained", "consensus/baselines"),
    score: str = "ari",
    task: str = "scrna",
) -> tuple[Figure, str]:
    """One method against others: every set is a dot, its place the paired difference; bars are 95 % intervals of means.

    Parameters
    ----------
    results
        Of kind "benchmark".
    ours, rivals
        Methods. Rivals without results are left out.
    score
        "ari" or "accuracy".
    task
        "scrna" or "spatial".

    Returns
    -------
    The figure and its alt text.

    Raises
    ------
    DataError
        When there are no results to compare.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.6 * len(rivals) + 1.6), layout="constrained")
    told, drawn = [], []
    for number, (chosen, block) in enumerate(BLOCKS.items()):
        mine = of_block(results, chosen=chosen, task=task)
        there = set(mine["method"]) if len(mine) else set()
        for rival in rivals if ours in there else ():
            if rival not in there or not len(points := differences(mine, ours, rival, score)):
                continue
            row = rivals.index(rival) + 0.36 * number - 0.18
            style: dict[str, Any] = {"color": PALETTE[number], "zorder": 3}
            label = block if block not in drawn else None
            drawn.append(block)
            axes.scatter(points, np.full(len(points), row), marker=MARKERS[number], s=22, label=label, **style)
            of = margin(points)
            axes.errorbar(of.mean, row + 0.1, xerr=of.half_width, fmt="|", capsize=3, **style)
            told.append(
                f"{method_title(rival)} on {of.n_sets} {block}: {of.mean:+.1f}, {of.won} won and {of.lost} lost, "
                f"least {of.at_worst:+.1f} ({of.worst})"
            )
    if not told:
        plt.close(figure)
        raise DataError(f"there are no results of {ours} and its rivals on the same sets; run scrcl-edu benchmark")
    axes.axvline(0, color="0.6", linewidth=1)
    axes.set_yticks(range(len(rivals)), [method_title(rival) for rival in rivals])
    axes.invert_yaxis()
    axes.set_xlabel(f"points of {'ARI' if score == 'ari' else score} by which {method_title(ours)} is ahead")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    what = "ARI" if score == "ari" else score
    return figure, f"{what} of {method_title(ours)}, in points, against {'; '.join(told)}. Each dot is a dataset."


def paper_figure(released: DataFrame, results: DataFrame) -> tuple[Figure, str]:
    """Accuracy on the paper's scRNA-seq sets: published, rescored, and ours where it was run.

    Parameters
    ----------
    released, results
        Of kinds "released_predictions" and "benchmark"; either may be empty.

    Returns
    -------
    The figure and its alt text.
    """
    import matplotlib.pyplot as plt

    names = [name for name in paper_datasets() if "accuracy_percent" in recipes.published(name)]
    series = [("published", {name: recipes.published(name)["accuracy_percent"] / 100 for name in names})]
    series.append(("released, rescored", _means(released)))
    for method, protocol in (("paper", "oracle"), ("paper", "label-free"), ("robust", "label-free")):
        if len(results):
            chosen = results[(results["method"] == method) & (results["protocol"] == protocol)]
            series.append((f"{method}, {protocol}", _means(chosen)))
    figure, axes = plt.subplots(figsize=(8, 0.4 * len(names) + 1.4), layout="constrained")
    told = []
    for number, (title, values) in enumerate(series):
        there = [name for name in names if name in values]
        if there:
            places = [values[name] for name in there]
            axes.scatter(
                places, [names.index(n) for n in there], color=PALETTE[number], marker=MARKERS[number], label=title
            )
            told.append(f"{title} {np.mean(places):.3f} on {len(there)}")
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("accuracy")
    axes.grid(axis="y", color="0.9")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure, f"Accuracy on the paper's {len(names)} scRNA-seq datasets, means: {'; '.join(told)}."


def _most_telling(results: DataFrame, name: str) -> Series:
    rows = results[results["dataset"] == name].reset_index(drop=True)
    if not len(rows):
        raise DataError(f"there are no results of the released embeddings of {name}")
    summary = summarize_starts(rows)
    return rows.loc[(summary["best_nmi"] - summary["lowest_inertia"]).idxmax()]


def _draw_starts(axes: Axes, row: Series) -> tuple[float, float]:
    import pandas as pd

    starts = pd.concat([pd.DataFrame(row["starts"][kind]).assign(kind=kind) for kind in KINDS_OF_START])
    starts = starts.reset_index(drop=True).assign(inertia=lambda table: table["inertia"] / table["inertia"].min())
    for number, kind in enumerate(KINDS_OF_START):
        table = starts[starts["kind"] == kind]
        style: dict[str, Any] = {"color": PALETTE[(0, 5)[number]], "marker": MARKERS[(0, 2)[number]]}
        axes.scatter(table["inertia"], table["accuracy"], s=16, alpha=0.6, linewidths=0, label=f"{kind} start", **style)
    low, best = starts.loc[starts["inertia"].idxmin()], starts.loc[starts["nmi"].idxmax()]
    marks = ((low, "s", PALETTE[4], "lowest inertia (no label)"), (best, "D", PALETTE[2], "best NMI (labels)"))
    for start, marker, color, text in marks:
        axes.scatter(
            start["inertia"], start["accuracy"], s=90, marker=marker, facecolors="none", edgecolors=color,
            linewidths=2, label=text,
        )  # fmt: skip
    axes.set(title=f"{_short(row['dataset'])}, seed {row['seed']}", xlabel="inertia / lowest")
    return float(low["accuracy"]), float(best["accuracy"])


def _means(table: DataFrame) -> dict[str, float]:
    return table.groupby("dataset")["accuracy"].mean().to_dict() if len(table) else {}


def _short(name: str) -> str:
    return name.removeprefix("Quake_10x_").removeprefix("Quake_Smart-seq2_")
