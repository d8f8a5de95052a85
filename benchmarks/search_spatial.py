"""`python -m benchmarks.search_spatial`: the search for the spatial recipe, kept so that anyone can repeat it.

One training of each setting, dataset and seed is read out at several epochs, in several ways, with several votes.
Rivals are read out with the same votes. Labels only score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.process import ROOT
from benchmarks.searching import Look, PerMille, Search, by_epoch, main, read_out

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData

# Settings were chosen on the first alone; the second was run once, for what had been chosen.
CHOOSE = ("starmap_1", "tissue_shallow_0", "tissue_mixed_0")
CONFIRM = ("starmap_2", "starmap_3", "tissue_shallow_1", "tissue_mixed_1", "tissue_thin_1", "tissue_deep_1")
TISSUES: dict[str, dict[str, Any]] = {
    "shallow": {"n_types": 6, "depth": 150.0, "mixing": 0.1, "imbalance": 2.0},
    "mixed": {"n_types": 6, "depth": 400.0, "mixing": 0.3, "imbalance": 3.0, "relatedness": 0.7},
    "thin": {"n_types": 8, "depth": 200.0, "mixing": 0.15, "imbalance": 6.0},
    "deep": {"n_types": 5, "depth": 1000.0, "mixing": 0.2, "imbalance": 2.0},
}
BASE = {
    "task": "spatial", "hvg_flavor": "seurat_v3", "features": "scaled_uncentered",
    "gene_graph_features": "scaled_uncentered", "filter_steps": (5, 1), "n_hidden": 256, "epochs": 50,
}  # fmt: skip
LOG = {"features": "log", "gene_graph_features": "log"}
AFTER_2_STEPS: dict[str, dict[str, Any]] = {
    "counts": {"features": "counts", "gene_graph_features": "counts"},
    "log": LOG,
    "scaled": {"features": "scaled", "gene_graph_features": "scaled"},
    "temperature 0.5": {"temperature": 0.5},
    "temperature 1": {"temperature": 1.0},
    "6 neighbors": {"n_neighbors": 6},
    "30 neighbors": {"n_neighbors": 30},
    "neighborhood 10": {"weight_neighborhood": 10.0},
}
OF_LOG: dict[str, dict[str, Any]] = {
    "filter 1, 0": {"filter_steps": (1, 0)},
    "hidden 1024": {"n_hidden": 1024},
    "64 programs, 100 epochs": {"out_dim": 64, "epochs": 100},
    "filter 2, 2": {"filter_steps": (2, 2)},
    "filter 3, 1": {"filter_steps": (3, 1)},
    "neighborhood 10": {"weight_neighborhood": 10.0},
    "neighborhood 1000": {"weight_neighborhood": 1000.0},
    "consistency 0": {"weight_consistency": 0.0},
    "consistency 100": {"weight_consistency": 100.0},
    "30 neighbors": {"n_neighbors": 30},
    "dropout 0": {"dropout": 0.0},
    "filter 1, 0, neighborhood 10": {"filter_steps": (1, 0), "weight_neighborhood": 10.0, "epochs": 50},
    "filter 1, 0, consistency 100": {"filter_steps": (1, 0), "weight_consistency": 100.0, "epochs": 50},
    "filter 1, 0, neighborhood 10, hidden 512": {
        "filter_steps": (1, 0),
        "weight_neighborhood": 10.0,
        "n_hidden": 512,
        "epochs": 50,
    },
    "neighborhood 10, consistency 10": {"weight_neighborhood": 10.0, "weight_consistency": 10.0, "epochs": 50},
    "neighborhood 10, hidden 512": {"weight_neighborhood": 10.0, "n_hidden": 512},
    "neighborhood 1": {"weight_neighborhood": 1.0, "epochs": 50},
}
FILTERS = ((5, 1), (2, 0), (1, 0), (2, 2), (3, 1), (5, 5), (10, 8), (10, 0))
TRAININGS: dict[str, dict[str, Any]] = (
    {f"filter {first}, {second}": {"filter_steps": (first, second)} for first, second in FILTERS}
    | {f"filter 2, 0, {name}": {"filter_steps": (2, 0)} | settings for name, settings in AFTER_2_STEPS.items()}
    | {f"log, {name}": LOG | {"filter_steps": (2, 0), "epochs": 30} | settings for name, settings in OF_LOG.items()}
)
RIVALS = "rivals"
CHOSEN = "log, neighborhood 10, hidden 512"  # read out as e after 30 epochs, without a vote
EPOCHS = (0, 10, 20, 30, 50, 100)
VOTES = (0, 10, 20, 50)


def load(name: str) -> tuple[AnnData, np.ndarray]:
    """A registered section, or `tissue_<kind>_<seed>`, and its domains."""
    from scrcl_edu import datasets
    from scrcl_edu.datasets import simulate

    if not name.startswith("tissue_"):
        adata = datasets.load(name, progress=False)
        return adata, adata.obs["label"].astype(str).to_numpy()
    _, kind, seed = name.split("_")
    adata = simulate(1000, 600, layout="layers", seed=int(seed), **TISSUES[kind])
    return adata, adata.obs["layer"].astype(str).to_numpy()


def measure(adata: AnnData, labels: np.ndarray, training: str, seed: int) -> PerMille:
    """Train once, or run the rivals; ARI of every read-out with every vote after each of EPOCHS."""
    from scrcl_edu.recipes import Recipe

    if training == RIVALS:
        return rivals(adata, labels, seed)
    settings = Recipe(training, **BASE | TRAININGS[training])
    return by_epoch(adata, labels, settings, seed, epochs=EPOCHS, measure=read)


def read(look: Look) -> dict[str, list[int]]:
    """ARI of every read-out with every vote."""
    ways = read_out(look.outputs, look.n_clusters, look.seed)
    return {way: voted(look.labels, clusters, look.adata) for way, clusters in ways.items()}


def rivals(adata: AnnData, labels: np.ndarray, seed: int) -> PerMille:
    """ARI of the baselines with every vote; those that smooth, with several numbers of steps."""
    from scrcl_edu import baselines
    from scrcl_edu.evidence.methods import N_TOP_GENES, blind
    from scrcl_edu.preprocessing import preprocess

    bare = blind(adata)
    preprocess(bare, n_top_genes=N_TOP_GENES, flavor="seurat_v3")
    labels = labels[bare.obs_names.astype(int)]
    n_clusters = len(set(labels))
    found = {name: getattr(baselines, name)(bare, n_clusters, seed=seed) for name in ("pca_kmeans", "leiden_k")}
    for steps in (1, 2, 3, 5, 10):
        found[f"smoothed {steps}"] = baselines.smoothed_pca_kmeans(bare, n_clusters, n_steps=steps, seed=seed)
    return {"0": {name: voted(labels, clusters, bare) for name, clusters in found.items()}}


def voted(labels: np.ndarray, clusters: np.ndarray, adata: AnnData) -> list[int]:
    """ARI, in thousandths, after each of VOTES."""
    from scrcl_edu.clustering import majority_vote
    from scrcl_edu.evaluation import ari

    places = adata.obsm["spatial"]
    groups = [majority_vote(clusters, places, n_neighbors=voters) if voters else clusters for voters in VOTES]
    return [round(1000 * ari(labels, group)) for group in groups]


SEARCH = Search(
    "benchmarks.search_spatial", ROOT / "benchmarks" / "results" / "search_spatial.json", CHOOSE,
    (RIVALS, *TRAININGS), load, measure, tuple(f"ARI, vote {voters}" for voters in VOTES), seeds=3,
)  # fmt: skip


if __name__ == "__main__":
    main(SEARCH, __doc__)
