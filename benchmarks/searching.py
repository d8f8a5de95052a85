"""What the searches for recipes share: train once, read out at several epochs and in several ways, keep every score."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData

    from scrcl_edu.model import Inputs, Outputs, ScRCL
    from scrcl_edu.recipes import Recipe

PerMille = dict[str, dict[str, list[int]]]  # by epoch and read-out, scores in thousandths


@dataclass(frozen=True)
class Search:
    """A search: where its record is, what it tries, on what, and how clusters are scored.

    Parameters
    ----------
    module, results
        `python -m <module>` runs it; the file keeps every score.
    choose
        Datasets on which settings are chosen.
    trainings
        Names of what is tried.
    load
        Name of a dataset -> AnnData and its true classes; they only score.
    measure
        AnnData, classes, training, seed -> scores.
    scores
        What the numbers of a score are.
    seeds
        How many, when not asked for.
    """

    module: str
    results: Path
    choose: tuple[str, ...]
    trainings: tuple[str, ...]
    load: Callable[[str], tuple[AnnData, np.ndarray]]
    measure: Callable[[AnnData, np.ndarray, str, int], PerMille]
    scores: tuple[str, ...]
    seeds: int

    @property
    def kind(self) -> str:
        """Of the file of results."""
        return self.results.stem


def main(search: Search, description: str) -> None:
    """Run what is not in the file yet, or print what is."""
    parser = argparse.ArgumentParser(prog=f"python -m {search.module}", description=description)
    parser.add_argument("--datasets", default=",".join(search.choose), help="default: those for choosing")
    parser.add_argument("--trainings", default=";".join(search.trainings), help="names with semicolons between")
    parser.add_argument("--seeds", type=int, default=search.seeds)
    parser.add_argument("--out", type=Path, default=search.results)
    parser.add_argument("--table", type=int, metavar="N", help="print the best N ways of the file on these datasets")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")

    from scrcl_edu.evidence.storing import read_rows, write_rows

    rows, commands = read_rows(asked.out, search.kind) if asked.out.exists() else ([], [])
    names = asked.datasets.split(",")
    if asked.table:
        print("\n".join(ranking(rows, names, search.scores)[: asked.table + 1]))
        return
    given = re.sub(r"--out[ =]\S+ ?", "", shlex.join(sys.argv[1:])).strip()  # wherever the file lies now
    command = f"python -m {search.module} {given}".strip()
    done = {(row["dataset"], row["training"], row["seed"]) for row in rows}
    data = {name: search.load(name) for name in names}
    for training in asked.trainings.split(";"):
        for dataset, (adata, labels) in data.items():
            for seed in range(asked.seeds):
                if (dataset, training, seed) not in done:
                    started = time.perf_counter()
                    found = search.measure(adata, labels, training, seed)
                    rows += [{"dataset": dataset, "training": training, "seed": seed, "per_mille": found}]
                    write_rows(asked.out, search.kind, rows, commands=list(dict.fromkeys([*commands, command])))
                    print(f"{dataset}, {training}, seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)


class Look(NamedTuple):
    """What there is after an epoch: outputs, the blind AnnData with its graphs, true classes that may only score."""

    epoch: int
    loss: float  # before the last step; 0 before the first
    outputs: Outputs
    adata: AnnData
    labels: np.ndarray
    n_clusters: int
    seed: int


def by_epoch(
    adata: AnnData,
    labels: np.ndarray,
    settings: Recipe,
    seed: int,
    *,
    epochs: tuple[int, ...],
    measure: Callable[[Look], dict[str, list[int]]],
    prepare: Callable[[AnnData, Recipe, int], Any] | None = None,
    alter: Callable[[ScRCL, Inputs], None] | None = None,
) -> PerMille:
    """Train without labels; what `measure` says after each of `epochs` (0: before).

    `prepare` puts the graphs into a preprocessed AnnData and returns the encoders' features, both as the recipe says
    when it is not given. `alter` may change the model before it is trained.
    """
    from scrcl_edu import fitting
    from scrcl_edu.evidence.methods import blind
    from scrcl_edu.preprocessing import preprocess
    from scrcl_edu.training import embed, train

    bare = blind(adata)
    preprocess(bare, n_top_genes=settings.n_top_genes, flavor=settings.hvg_flavor)
    labels = labels[bare.obs_names.astype(int)]
    n_clusters = len(set(labels))
    features = (prepare or by_recipe)(bare, settings, seed)
    model, inputs = fitting.build(bare, settings, features, n_clusters=n_clusters, seed=seed)
    if alter is not None:
        alter(model, inputs)
    found: PerMille = {}

    def look(epoch: int, losses: dict[str, float]) -> None:
        if epoch in epochs:
            outputs = embed(model, inputs)
            found[str(epoch)] = measure(Look(epoch, losses.get("total", 0.0), outputs, bare, labels, n_clusters, seed))

    look(0, {})
    rate = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
    train(model, inputs, epochs=settings.epochs, **rate, on_epoch=look)
    return found


def by_recipe(adata: AnnData, settings: Recipe, seed: int) -> Any:
    """The encoders' features; the graphs that the recipe asks for are put into the AnnData."""
    from scrcl_edu import fitting
    from scrcl_edu.preprocessing import encoder_features

    features = encoder_features(adata, settings.features)
    fitting.add_graphs(adata, settings, features, seed=seed)
    return features


def read_out(outputs: Outputs, n_clusters: int, seed: int) -> dict[str, np.ndarray]:
    """Clusters of each view's encodings, of both, of the refined cells, and of all side by side."""
    import numpy as np

    from scrcl_edu.clustering import kmeans

    e1, e2, z1, z2, _ = (part.numpy() for part in outputs)
    parts = {"e1": (e1,), "e2": (e2,), "e": (e1, e2), "z": (z1, z2), "ez": (e1, e2, z1, z2)}
    return {name: kmeans(np.hstack(part), n_clusters, seed=seed) for name, part in parts.items()}


def ranking(rows: list[dict[str, Any]], names: list[str], scores: tuple[str, ...]) -> list[str]:
    """Every way to clusters that was measured on all of the datasets, by its mean over them and their seeds."""
    table = flat(rows, scores)
    table = table[table["dataset"].isin(names)].melt(["training", "seed", "dataset", "epoch", "way"], var_name="score")
    table = table.pivot_table(
        index=["training", "epoch", "way", "score"], columns="dataset", values="value", aggfunc="mean"
    )
    table = table[names].dropna().assign(mean=lambda t: t.mean(axis=1)).sort_values("mean", ascending=False)
    return [f"{'training, epoch, read-out, score':<60}" + "  ".join([*names, "mean"])] + [
        f"{', '.join(map(str, key)):<60}" + "  ".join(f"{value:.3f}" for value in values)
        for key, values in zip(table.index, table.to_numpy(), strict=True)
    ]


def flat(rows: list[dict[str, Any]], scores: tuple[str, ...]) -> pd.DataFrame:
    """One line a read-out: training, seed, dataset, epoch, way (the read-out), and each of the scores."""
    import pandas as pd

    return pd.DataFrame(
        {"training": row["training"], "seed": row["seed"], "dataset": row["dataset"], "epoch": int(epoch), "way": way}
        | {name: value / 1000 for name, value in zip(scores, values, strict=True)}
        for row in rows
        for epoch, ways in row["per_mille"].items()
        for way, values in ways.items()
    )
