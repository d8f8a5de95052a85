"""The tables of lessons 08, 10 and 11, made from stored results; a cell says "not run" where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scrcl_edu import datasets, recipes
from scrcl_edu.errors import SettingsError
from scrcl_edu.evidence.margins import BLOCKS, margins_table, method_title, of_block
from scrcl_edu.evidence.methods import ABLATIONS
from scrcl_edu.evidence.released import summarize_starts
from scrcl_edu.evidence.storing import read_results

if TYPE_CHECKING:
    from pandas import DataFrame, Series

NOT_RUN = "not run"
NOT_GIVEN = "-"
TABLES = {
    "paper": "all datasets of the paper: published, rescored, ours by both protocols",
    "margins": "robust against every other method, in points, in two blocks: sets not chosen on, sets chosen on",
    "margins_consensus": "the same for the consensus of plain baselines",
    "margins_spatial": "the same for robust on spatial sets",
    "methods": "accuracy / ARI of every method on scRNA-seq sets that were not chosen on, mean over seeds",
    "methods_chosen_on": "the same on the sets that were chosen on",
    "spatial": "ARI of every method on spatial sets that were not chosen on, mean over seeds",
    "spatial_chosen_on": "the same on the sets that were chosen on",
    "ablation": "robust with one part switched off or another embedding clustered, in points, in the same two blocks",
    "clusters": "number of clusters by robust's estimate and by Leiden, beside the classes; what the error costs",
    "starts": "k-means starts on the released embeddings: chosen without labels and with them",
}


def results_table(name: str, *, folder: str | Path | None = None) -> DataFrame:
    """A table for people, made from the stored results alone.

    Parameters
    ----------
    name
        One of TABLES.
    folder
        Of the results; those that ship when not given.

    Returns
    -------
    DataFrame of text, the first column naming the row.

    Raises
    ------
    SettingsError
        When there is no such table.
    InputFileError
        When the folder is not there or a file in it is damaged.
    """
    if name not in TABLES:
        raise SettingsError(f"there is no table {name!r}; choose one of {', '.join(TABLES)}")
    if name == "paper":
        return _paper(read_results(folder), read_results(folder, kind="released_predictions"))
    if name == "starts":
        return _starts(read_results(folder, kind="released_embeddings"))
    results = read_results(folder)
    if name.startswith("margins"):
        ours = "consensus/baselines" if name == "margins_consensus" else "robust"
        return margins_table(results, ours=ours, task="spatial" if name == "margins_spatial" else "scrna")
    if name == "ablation":
        return _ablation(results)
    if name == "clusters":
        return _clusters(results)
    task = "spatial" if name.startswith("spatial") else "scrna"
    return _methods(of_block(results, chosen=name.endswith("_chosen_on"), task=task), task)


def as_text(table: DataFrame, *, markdown: bool = False) -> str:
    """The table as aligned text, or as Markdown; one with a column "block" as a table under each of its names."""
    if "block" in table:
        blocks = table.groupby("block", sort=False)
        return "\n".join(f"{name}\n\n{as_text(part.drop(columns='block'), markdown=markdown)}" for name, part in blocks)
    rows = [list(map(str, table.columns)), *(list(map(str, row)) for row in table.to_numpy())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    rule = ["-" * width for width in widths]
    if not markdown:
        return "\n".join("  ".join(row).rstrip() for row in [padded[0], rule, *padded[1:]]) + "\n"
    return "\n".join("| " + " | ".join(row) + " |" for row in [padded[0], rule, *padded[1:]]) + "\n"


def paper_datasets() -> list[str]:
    """The 25 datasets of the paper, scRNA-seq first."""
    rows = [name.removeprefix("paper/") for name in recipes.recipe_names() if name.startswith("paper/")]
    rows = [name for name in rows if not name.startswith("default_")]
    return sorted(rows, key=lambda name: (datasets.card(name).task != "scrna", name))


def _paper(results: DataFrame, released: DataFrame) -> DataFrame:
    import pandas as pd

    rows = []
    for name in (name for whole in paper_datasets() for name in (whole, *_parts(whole))):
        card = datasets.card(name)
        headline = recipes.published(card.part_of or name)
        score = "accuracy" if card.task == "scrna" else "ari"
        mine = results[results["dataset"] == name] if len(results) else results
        theirs = released[released["dataset"] == name] if len(released) else released
        published = headline.get("accuracy_percent")
        rows.append(
            {
                "dataset": name,
                "data": _share(card) if card.part_of else "all",
                "cells": card.cells if card.part_of else headline["n_cells"],
                "classes": card.classes if card.part_of else headline["n_classes"],
                "score": score.upper() if score == "ari" else score,
                "published": f"{published / 100:.3f}" if published else NOT_GIVEN,
                "released, rescored": _spread(theirs, score),
                "paper, oracle": _spread(_of(mine, "paper", "oracle"), score),
                "paper, label-free": _spread(_of(mine, "paper"), score),
                "robust, label-free": _spread(_of(mine, "robust"), score),
                "PCA + k-means": _spread(_of(mine, "pca_kmeans"), score),
                "consensus of baselines": _spread(_of(mine, "consensus/baselines"), score),
            }
        )
    return pd.DataFrame(rows)


def _parts(whole: str) -> list[str]:
    return [name for name in datasets.names() if datasets.card(name).part_of == whole]


def _share(part: datasets.Card) -> str:
    """What of a dataset of the paper a part of it holds."""
    whole = datasets.card(part.part_of)
    counts = [(getattr(part, what), getattr(whole, what), what) for what in ("cells", "classes", "genes")]
    shares = [f"{mine} {f'of {all_} ' if all_ else ''}{what}" for mine, all_, what in counts if mine != all_]
    return f"of {whole.name} {', '.join(shares)}"


def _methods(results: DataFrame, task: str) -> DataFrame:
    """Methods in rows, datasets in columns, and their mean over the datasets on which every method was run."""
    import pandas as pd

    results = results[~results["method"].isin(ABLATIONS)] if len(results) else results
    names = list(results["dataset"].drop_duplicates()) if len(results) else []
    pairs = results[["method", "protocol"]].drop_duplicates().itertuples(index=False) if names else []
    rows = []
    for method, protocol in pairs:
        of = {name: _of(results[results["dataset"] == name], method, protocol) for name in names}
        title = f"{method_title(method)}, {protocol}" if protocol == "oracle" else method_title(method)
        done = [of[name][["accuracy", "ari"]].mean() for name in names if len(of[name])]
        mean = _pair(pd.concat(done, axis=1).mean(axis=1), task) if len(done) == len(names) else NOT_GIVEN
        cells = {
            name: _pair(of[name][["accuracy", "ari"]].mean(), task) if len(of[name]) else NOT_RUN for name in names
        }
        rows.append(
            {"method": title} | cells | {"mean": mean, "seeds": str(min(len(t) for t in of.values() if len(t)))}
        )
    return pd.DataFrame(rows, columns=["method", *names, "mean", "seeds"])


def _ablation(results: DataFrame) -> DataFrame:
    """Paired by dataset and seed; points below 0: the part that is missing was worth something."""
    import pandas as pd

    columns = ["block", "what is changed", "sets", "seeds", "accuracy", "ARI"]
    columns.append("runs in which ARI fell / rose by a point")
    pair = ["dataset", "seed"]
    rows = []
    for chosen, block in BLOCKS.items():
        mine = of_block(results, chosen=chosen, task="scrna")
        whole = _of(mine, "robust").set_index(pair)[["accuracy", "ari"]] if len(mine) else mine
        for method in ("untrained", *ABLATIONS):
            changed = _of(mine, method)
            if not len(changed):
                continue
            points = 100 * (changed.set_index(pair)[["accuracy", "ari"]] - whole).dropna()
            means = points.groupby("dataset").mean().mean()
            n_sets = points.index.get_level_values("dataset").nunique()
            fell, rose = (points["ari"] < -1).sum(), (points["ari"] > 1).sum()
            row = [block, method_title(method), str(n_sets), str(changed["seed"].nunique())]
            row += [f"{means['accuracy']:+.1f}", f"{means['ari']:+.1f}", f"{fell} / {rose} of {len(points)}"]
            rows.append(row)
    return pd.DataFrame(rows, columns=columns)


def _clusters(results: DataFrame) -> DataFrame:
    import pandas as pd

    columns = [
        "dataset",
        "classes",
        "estimated",
        "error",
        "Leiden's own",
        "accuracy / ARI, K estimated",
        "accuracy / ARI, K given",
        "seeds",
    ]
    rows = []
    for name, table in _of(results, "k_estimated").groupby("dataset", sort=False) if len(results) else ():
        found, classes = table["n_clusters"].astype(int), int(table["n_classes"].iloc[0])
        given = _of(results[results["dataset"] == name], "robust")
        pairs = [_pair(of[["accuracy", "ari"]].mean(), "scrna") if len(of) else NOT_RUN for of in (table, given)]
        leiden = _of(results[results["dataset"] == name], "leiden_1")["n_clusters"].astype(int)
        error = f"{found.mean() - classes:+.1f}"
        rows.append([name, str(classes), _range(found), error, _range(leiden), *pairs, str(len(table))])
    return pd.DataFrame(rows, columns=columns)


def _range(numbers: Series) -> str:
    if not len(numbers):
        return NOT_RUN
    return f"{numbers.min()} to {numbers.max()}" if numbers.nunique() > 1 else str(numbers.iloc[0])


def _starts(results: DataFrame) -> DataFrame:
    import pandas as pd

    if not len(results):
        return pd.DataFrame(columns=["dataset"])
    rows = []
    for name, table in summarize_starts(results).groupby("dataset", sort=False):
        mean = table.mean(numeric_only=True)
        rows.append(
            {
                "dataset": name,
                "a start at random": f"{mean['mean']:.3f}",
                "lowest inertia": f"{mean['lowest_inertia']:.3f}",
                "best NMI": f"{mean['best_nmi']:.3f}",
                "released": f"{mean['released']:.3f}",
                "rank correlation of inertia and accuracy": NOT_GIVEN
                if table["correlation"].isna().all()
                else f"{mean['correlation']:+.2f}",
                "inertia of the true classes / lowest": f"{mean['inertia_ratio']:.1f}",
                "seeds": str(len(table)),
            }
        )
    return pd.DataFrame(rows)


def _of(table: DataFrame, method: str, protocol: str = "label-free") -> DataFrame:
    return table[(table["method"] == method) & (table["protocol"] == protocol)] if len(table) else table


def _spread(table: DataFrame, score: str) -> str:
    if not len(table):
        return NOT_RUN
    mean, number = table[score].mean(), len(table)
    return f"{mean:.3f} ± {table[score].std():.3f}" if number > 1 else f"{mean:.3f}"


def _pair(means: Series, task: str) -> str:
    return f"{means['ari']:.2f}" if task == "spatial" else f"{means['accuracy']:.2f} / {means['ari']:.2f}"
