"""What the authors released, scored: their predictions, and every k-means start on their embeddings. Lesson 08 uses it.

The start with the lowest inertia needs no label; the start with the best NMI needs them all. Between the two lies what
looking at the labels is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu import clustering, datasets, evaluation, recipes
from scrcl_edu.errors import DataError, InputFileError
from scrcl_edu.evidence.methods import versions
from scrcl_edu.evidence.storing import write_rows

if TYPE_CHECKING:
    from pandas import DataFrame

SCORED = (
    "Quake_Smart-seq2_Diaphragm",
    "Quake_Smart-seq2_Lung",
    "Quake_Smart-seq2_Trachea",
    "Quake_10x_Bladder",
    "Quake_10x_Limb_Muscle",
    "Quake_10x_Spleen",
    "Zeisel",
    "151507",
)
KINDS_OF_START = ("k-means++", "published")
N_STARTS = 100
MOSTLY, PARTLY = 0.5, 0.2  # shares of a class: to be merged with another in a cluster, to be split between two


def released_labels(name: str, *, folder: str | Path | None = None, cache: str | Path | None = None) -> np.ndarray:
    """True classes in the order of the released predictions.

    Parameters
    ----------
    name
        A dataset of the paper.
    folder
        Where tables named after the datasets hold the labels; when not given, the dataset itself is loaded.
    cache
        Of the downloads.

    Returns
    -------
    Class names, shape (n_cells,).

    Raises
    ------
    InputFileError
        When the folder has no such table, or it has no column of labels.
    DataError
        When the number of cells or classes is not that of the card.
    DownloadError
        When the dataset cannot be had.
    """
    import pandas as pd

    card = datasets.card(name)
    if folder is None:
        return datasets.load(name, cache=cache).obs["label"].astype(str).to_numpy()
    path = next((p for p in sorted(Path(folder).rglob(f"*{card.name}*")) if p.suffix in (".csv", ".tsv")), None)
    if path is None:
        raise InputFileError(f"{folder} has no .csv or .tsv with {card.name} in its name; leave out the folder")
    frame = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")
    column = next((c for c in (card.label, "groupNo", "layer_guess") if c in frame), None)
    if column is None:
        raise InputFileError(f"{path} has no column {card.label!r}; its columns are {', '.join(frame.columns)}")
    values = frame[column].dropna()
    values = (values.astype(int) if values.dtype.kind == "f" else values).astype(str)
    labels = values.map(card.class_names).fillna(values).to_numpy(str)
    found = {"cells": len(labels), "classes": len(np.unique(labels))}
    if any(found[what] != getattr(card, what) for what in found):
        raise DataError(f"{path} has {found}, but {card.name} has {card.cells} cells and {card.classes} classes")
    return labels


def score_released(
    names: Iterable[str] = SCORED, *, labels: str | Path | None = None, cache: str | Path | None = None
) -> DataFrame:
    """Score the released predictions against the public labels, beside the paper's headline.

    Parameters
    ----------
    names
        Datasets.
    labels, cache
        As `folder` and `cache` of :func:`released_labels`.

    Returns
    -------
    A row for each dataset and seed: the four scores, `n_clusters` used, `n_classes`, `n_cells`, and
    `published_accuracy` (NaN where the paper's table gives none).

    Raises
    ------
    DataError
        When nothing was released for a dataset.
    """
    import pandas as pd

    rows = []
    for name in names:
        card = datasets.card(name)
        truth = released_labels(name, folder=labels, cache=cache)
        headline = recipes.published(card.name).get("accuracy_percent", np.nan) / 100
        for seed, clusters in sorted(datasets.released(name, cache=cache).items()):
            facts = {"n_clusters": len(np.unique(clusters)), "n_classes": card.classes, "n_cells": len(truth)}
            found = evaluation.scores(truth, clusters)
            rows.append({"dataset": card.name, "seed": seed} | found | facts | {"published_accuracy": headline})
    return pd.DataFrame(rows)


def score_starts(
    embedding: np.ndarray, labels: np.ndarray, *, n_starts: int = N_STARTS, kinds: Iterable[str] = KINDS_OF_START
) -> DataFrame:
    """Many single k-means starts on one embedding: the inertia of each, which is all that an honest choice may use.

    Parameters
    ----------
    embedding
        Z, shape (n_cells, n_dimensions); its rows are scaled to length 1.
    labels
        True classes, shape (n_cells,); used for the scores only.
    n_starts
        Of each kind, with seeds 0, 1, ...
    kinds
        "k-means++" (which moves empty clusters), and "published": from random cells, empty clusters stay empty.

    Returns
    -------
    A row for each start: `kind`, `start`, `inertia`, `accuracy`, `nmi`, `ari`, `n_clusters`.
    """
    import pandas as pd

    n_clusters, rows = len(np.unique(labels)), []
    for kind in kinds:
        for start in range(n_starts):
            clusters = one_start(embedding, n_clusters, kind=kind, seed=start)
            rows.append({"kind": kind, "start": start} | _measured(embedding, labels, clusters))
    return pd.DataFrame(rows)


def one_start(embedding: np.ndarray, n_clusters: int, *, kind: str, seed: int) -> np.ndarray:
    """Clusters of one k-means start of a kind of :func:`score_starts`, int, shape (n_cells,)."""
    if kind == "published":
        return clustering.kmeans_as_published(embedding, n_clusters, seed=seed)
    return clustering.kmeans(embedding, n_clusters, n_starts=1, seed=seed)


def inertia(embedding: np.ndarray, clusters: np.ndarray) -> float:
    """Sum of squared distances of the unit rows to the mean of their cluster: what k-means makes small."""
    cells = np.asarray(embedding, dtype=np.float64)
    length = np.linalg.norm(cells, axis=1, keepdims=True)
    cells = cells / np.where(length > 0, length, 1)
    groups = (cells[clusters == name] for name in np.unique(clusters))
    return float(sum(((members - members.mean(axis=0)) ** 2).sum() for members in groups))


def merged_and_split(labels: np.ndarray, clusters: np.ndarray) -> dict[str, list]:
    """Which classes share a cluster, and which are spread over several.

    Returns
    -------
    `merged`: groups of classes of which each has more than half of its cells in the same cluster. `split`: pairs of a
    class and the number of clusters that hold at least a fifth of it, where these are two or more.
    """
    import pandas as pd

    shares = pd.crosstab(np.asarray(labels), np.asarray(clusters), normalize="index")  # (n_classes, n_clusters)
    together = [shares.index[shares[cluster] > MOSTLY].tolist() for cluster in shares]
    parts = (shares >= PARTLY).sum(axis=1)
    return {
        "merged": [group for group in together if len(group) > 1],
        "split": [[name, int(number)] for name, number in parts.items() if number > 1],
    }


def starts_of(
    name: str,
    *,
    n_starts: int = N_STARTS,
    labels: str | Path | None = None,
    cache: str | Path | None = None,
) -> list[dict[str, Any]]:
    """All starts on a dataset's released embeddings, by seed, with what explains them.

    Returns
    -------
    A row for each seed: `starts` (by kind, the columns of :func:`score_starts`), `of_labels` and `of_released` (inertia
    and scores of the true classes and of the released prediction), and `explained`: what the start of lowest inertia
    and that of best NMI merge and split.
    """
    truth = released_labels(name, folder=labels, cache=cache)
    predictions, rows = datasets.released(name, cache=cache), []
    for seed, embedding in sorted(datasets.released_embeddings(name, cache=cache).items()):
        starts = score_starts(embedding, truth, n_starts=n_starts)
        explained = {}
        for choice, index in (("lowest_inertia", starts["inertia"].idxmin()), ("best_nmi", starts["nmi"].idxmax())):
            kind, start = starts.loc[index, ["kind", "start"]]
            clusters = one_start(embedding, len(np.unique(truth)), kind=kind, seed=int(start))
            explained[choice] = {"kind": kind, "start": int(start)} | merged_and_split(truth, clusters)
        rows.append(
            {
                "dataset": datasets.card(name).name,
                "seed": seed,
                "of_labels": _measured(embedding, truth, truth),
                "of_released": _measured(embedding, truth, predictions[seed]),
                "explained": explained,
                "starts": {
                    kind: table.drop(columns=["kind", "start"]).round(5).to_dict("list")
                    for kind, table in starts.groupby("kind", sort=False)
                },
            }
        )
    return rows


def summarize_starts(rows: DataFrame | list[dict[str, Any]]) -> DataFrame:
    """One line for each dataset and seed of :func:`starts_of`.

    Returns
    -------
    `lowest_inertia` and `best_nmi`: accuracy of these two starts out of all; `mean`, the accuracy of a start taken at
    random; `released`, that of the released prediction; `correlation`, Spearman's, of inertia and accuracy over the
    k-means++ starts (positive: the lower the inertia, the *worse*; NaN when all are equal); `inertia_ratio`, the
    inertia of the true classes over the lowest one.
    """
    import pandas as pd

    summary = []
    for row in rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows:
        starts = pd.concat([pd.DataFrame(table) for table in row["starts"].values()], ignore_index=True)
        plus = pd.DataFrame(row["starts"]["k-means++"])
        varied = plus["inertia"].nunique() > 1 and plus["accuracy"].nunique() > 1
        summary.append(
            {
                "dataset": row["dataset"],
                "seed": row["seed"],
                "lowest_inertia": starts["accuracy"][starts["inertia"].idxmin()],
                "best_nmi": starts["accuracy"][starts["nmi"].idxmax()],
                "mean": starts["accuracy"].mean(),
                "released": row["of_released"]["accuracy"],
                "correlation": plus["inertia"].corr(plus["accuracy"], method="spearman") if varied else np.nan,
                "inertia_ratio": row["of_labels"]["inertia"] / starts["inertia"].min(),
            }
        )
    return pd.DataFrame(summary)


def store_released(
    kind: str,
    out: str | Path,
    *,
    names: Iterable[str] = SCORED,
    labels: str | Path | None = None,
    cache: str | Path | None = None,
    n_starts: int = N_STARTS,
    command: str = "",
    report: Callable[[str], Any] = print,
) -> None:
    """Write the scores of the released "predictions", or of the starts on the released "embeddings", as JSON.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    rows: list[dict[str, Any]] = []
    for name in names:
        if kind == "predictions":
            found = score_released([name], labels=labels, cache=cache)
            rows += found.astype(object).where(found.notna(), None).to_dict("records")
            report(f"{name:<28} accuracy {found['accuracy'].mean():.4f}  ARI {found['ari'].mean():.4f}")
        else:
            found = starts_of(name, n_starts=n_starts, labels=labels, cache=cache)
            rows += found
            mean = summarize_starts(found).mean(numeric_only=True)
            report(f"{name:<28} lowest inertia {mean['lowest_inertia']:.3f}  best NMI {mean['best_nmi']:.3f}")
    needed = {name: versions()[name] for name in ("scrcl_edu", "numpy", "scikit-learn")}
    rows = [row | {"versions": needed} for row in rows]
    write_rows(out, f"released_{kind}", rows, commands=[command] if command else [])


def _measured(embedding: np.ndarray, labels: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
    return {
        "inertia": round(inertia(embedding, clusters), 5),
        "accuracy": evaluation.accuracy(labels, clusters),
        "nmi": evaluation.nmi(labels, clusters),
        "ari": evaluation.ari(labels, clusters),
        "n_clusters": len(np.unique(clusters)),
    }
