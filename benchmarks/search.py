"""`python -m benchmarks.search`: the search for the recipe `robust`, kept so that anyone can repeat it.

One training of each setting, dataset and seed is read out at several epochs and in several ways. Labels only score.
`python -m benchmarks.search --report` writes the tables of the README from the record.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.process import ROOT
from benchmarks.report import replace_between
from benchmarks.searching import Look, PerMille, Search, by_epoch, by_recipe, flat, main, read_out

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from scrcl_edu.recipes import Recipe

# Settings were chosen on these; the others saw only `base`, and then what was chosen (data/results/robust.json).
REAL = ("sc_celseq2", "pbmc68k_reduced", "mouse_pancreas_1")
SIMULATED = ("sim_rare_0", "sim_close_0", "sim_shallow_0", "sim_batches_0")
CONFIRM_REAL = ("pbmc4k", "worm_neurons")
CONFIRM_SIMULATED = ("sim_rare_1", "sim_close_1", "sim_shallow_1", "sim_batches_1")
GROUPS = {
    "chosen on, real": REAL,
    "chosen on, simulated": SIMULATED,
    "confirmed on, real": CONFIRM_REAL,
    "confirmed on, simulated": CONFIRM_SIMULATED,
}
STRESS: dict[str, dict[str, Any]] = {
    "rare": {"imbalance": 50.0},
    "close": {"imbalance": 1.0, "relatedness": 0.7},
    "shallow": {"depth": 300.0, "dropout": 0.3},
    "batches": {"n_batches": 3},
}
BASE = {"features": "counts", "filter_steps": (5, 0), "temperature": 0.1, "n_hidden": 256, "epochs": 100}
TRAININGS: dict[str, dict[str, Any]] = {
    "base": {},
    "32 programs": {"out_dim": 32},
    "no consistency": {"weight_consistency": 0.0},
    "no neighborhood": {"weight_neighborhood": 0.0},
    "no distribution": {"weight_distribution": 0.0},
    "filter 3, 1": {"filter_steps": (3, 1)},
    "temperature 0.5": {"temperature": 0.5},
    "neighborhood 10": {"weight_neighborhood": 10.0},
    "consistency 0.1": {"weight_consistency": 0.1},
    "consistency 0.01": {"weight_consistency": 0.01},
    "graph on 50 components": {"graph_components": 50},
    "25 neighbors": {"n_neighbors": 25},
    "10 neighbors": {"n_neighbors": 10},
    "log values": {"features": "log"},
    "scaled values": {"features": "scaled"},
    "counts per median depth": {},  # these four are made below
    "Pearson residuals": {},
    "mutual neighbors": {},
    "Euclidean neighbors": {},
}
CHOSEN = "consistency 0.1"  # read out as e after 30 epochs
EPOCHS = (0, 20, 30, 50, 70, 100)
README = ROOT / "benchmarks" / "README.md"
MARKS = "<!-- search: begin -->", "<!-- search: end -->"


def load(name: str) -> tuple[AnnData, np.ndarray]:
    """A registered dataset, or `sim_<stress>_<seed>`, and its classes."""
    from scrcl_edu import datasets
    from scrcl_edu.datasets import simulate

    if name.startswith("sim_"):
        _, stress, seed = name.split("_")
        adata = simulate(1000, 1000, 6, seed=int(seed), **STRESS[stress])
    else:
        adata = datasets.load(name, progress=False)
    return adata, adata.obs["label"].astype(str).to_numpy()


def measure(adata: AnnData, labels: np.ndarray, training: str, seed: int) -> PerMille:
    """Train once; accuracy and ARI of every read-out after each of EPOCHS."""
    from scrcl_edu.recipes import Recipe

    settings = Recipe(training, **BASE | TRAININGS[training])
    return by_epoch(adata, labels, settings, seed, epochs=EPOCHS, measure=read, prepare=PREPARED.get(training))


def read(look: Look) -> dict[str, list[int]]:
    """Accuracy and ARI of every read-out."""
    ways = read_out(look.outputs, look.n_clusters, look.seed)
    return {way: score(look.labels, clusters) for way, clusters in ways.items()}


def score(labels: np.ndarray, clusters: np.ndarray) -> list[int]:
    """Accuracy and ARI in thousandths."""
    from scrcl_edu import evaluation

    return [round(1000 * of(labels, clusters)) for of in (evaluation.accuracy, evaluation.ari)]


def counts_per_depth(adata: AnnData, settings: Recipe, seed: int) -> Any:
    """Counts that no longer show how deeply a cell was sequenced: each cell scaled to the median depth."""
    counts = by_recipe(adata, settings, seed)
    depth = adata.layers["counts"].sum(axis=1).A1
    return counts.multiply((np.median(depth) / depth)[:, None]).tocsr().astype(np.float32)


def pearson_residuals(adata: AnnData, settings: Recipe, seed: int) -> Any:
    """How far a count is from depth times abundance, in deviations of a negative binomial (overdispersion 0.01)."""
    import scanpy as sc
    from anndata import AnnData

    counts = by_recipe(adata, settings, seed)
    found = sc.experimental.pp.normalize_pearson_residuals(AnnData(counts), inplace=False)
    return found["X"].astype(np.float32)


def mutual_neighbors(adata: AnnData, settings: Recipe, seed: int) -> Any:
    """The cell graph without the edges that only one of the two cells chose."""
    from sklearn.neighbors import NearestNeighbors

    counts = by_recipe(adata, settings, seed)
    values = adata.X[:, adata.var["highly_variable"].to_numpy()]
    search = NearestNeighbors(n_neighbors=settings.n_neighbors - 1, metric="cosine", algorithm="brute").fit(values)
    chosen = search.kneighbors_graph(mode="connectivity")
    adata.obsp["cell_graph"] = chosen.minimum(chosen.T).tocsr().astype(np.float32)
    return counts


def euclidean_neighbors(adata: AnnData, settings: Recipe, seed: int) -> Any:
    """The cell graph by Euclidean distance."""
    from scrcl_edu.graphs import cell_graph

    counts = by_recipe(adata, settings, seed)
    values = adata.X[:, adata.var["highly_variable"].to_numpy()]
    adata.obsp["cell_graph"] = cell_graph(values, n_neighbors=settings.n_neighbors, metric="euclidean", seed=seed)
    return counts


PREPARED = {
    "counts per median depth": counts_per_depth,
    "Pearson residuals": pearson_residuals,
    "mutual neighbors": mutual_neighbors,
    "Euclidean neighbors": euclidean_neighbors,
}

SEARCH = Search(
    "benchmarks.search", ROOT / "benchmarks" / "results" / "search.json", REAL + SIMULATED, tuple(TRAININGS), load,
    measure, ("accuracy", "ARI"), seeds=5,
)  # fmt: skip


def report(rows: list[dict[str, Any]]) -> str:
    """The tables of the README."""
    table = flat(rows, SEARCH.scores)
    base = table[table["training"] == "base"]
    lines = [f"| read-out, epochs | {' | '.join(GROUPS)} |", f"|---{'|---' * len(GROUPS)}|"]
    for way in ("e", "ez", "z", "e1", "e2"):
        for epoch in EPOCHS:
            lines.append(line(f"{way}, {epoch}", base[(base["way"] == way) & (base["epoch"] == epoch)]))
    lines += ["", "| training | seeds | e, 30 epochs | ez, 30 | z, 30 | e, 30, simulated |", f"|---{'|---' * 5}|"]
    for training in dict.fromkeys(row["training"] for row in rows):
        part = table[(table["training"] == training) & (table["epoch"] == 30)]
        cells = [_pair(part[part["way"] == way], REAL) for way in ("e", "ez", "z")]
        cells.append(_pair(part[part["way"] == "e"], SIMULATED))
        n_seeds = part[part["dataset"].isin(REAL)]["seed"].nunique()
        lines.append(f"| {training} | {n_seeds} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def line(name: str, table: pd.DataFrame) -> str:
    """A line of a Markdown table: accuracy / ARI on each of GROUPS."""
    return f"| {name} | {' | '.join(_pair(table, names) for names in GROUPS.values())} |"


def write_report() -> None:
    """Write the tables into the README."""
    from scrcl_edu.evidence.storing import read_rows

    replace_between(README, *MARKS, report(read_rows(SEARCH.results, SEARCH.kind)[0]))


def _pair(table: pd.DataFrame, names: tuple[str, ...]) -> str:
    """Mean over seeds, then over datasets; a dash when not all datasets were run."""
    means = table[table["dataset"].isin(names)].groupby("dataset")[["accuracy", "ARI"]].mean()
    if len(means) < len(names):
        return "-"
    return f"{means['accuracy'].mean():.3f} / {means['ARI'].mean():.3f}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--report"]:
        write_report()
    else:
        main(SEARCH, __doc__)
