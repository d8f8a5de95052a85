"""`python -m benchmarks.study`: does training help, and when? The plan, committed beforehand, is in `study.md`.

Every candidate is run on every set with three seeds and sees no label; labels only score. What is in the record is not
run again. `python -m benchmarks.study_report` judges the record.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.process import ROOT
from benchmarks.searching import Look, by_epoch, by_recipe

if TYPE_CHECKING:
    from anndata import AnnData

    from scrcl_edu.evidence.shelf import Shelf
    from scrcl_edu.model import Inputs, ScRCL
    from scrcl_edu.recipes import Recipe

RESULTS = ROOT / "benchmarks" / "results" / "study.json"
KIND = "study"
SEEDS = 3
STUDIES = {  # real sets, small ones first, and the study that each is from
    "camp_fetal_brain": "Camp",
    "sc_celseq2": "Tian",
    "RNAmix_celseq2": "Tian",
    "zeisel_2types_2040genes": "Zeisel",
    "pbmc68k_reduced": "Zheng",
    "pancreas_endocrine_veloviz": "Bastidas-Ponce",
    "mouse_pancreas_1": "Baron",
    "zeisel_3types_1000genes": "Zeisel",
    "baron_human_came": "Baron",
    "paul15": "Paul",
    "worm_neurons": "Cao",
    "pbmc4k": "10x",
}
SIMULATED: dict[str, dict[str, Any]] = {  # one thing is wrong with each
    "few counts": {"depth": 300.0, "dropout": 0.3},
    "batches": {"n_batches": 3},
    "rare types": {"imbalance": 50.0},
    "a continuum": {},
    "wrong graph": {},
}
EPOCHS = (0, 10, 20, 30, 50)
TRAININGS: dict[str, dict[str, Any]] = {  # what each changes in robust
    "robust": {"epochs": 50},
    "wide": {"n_hidden": 1024, "epochs": 0},
    "PCA start": {},
    "temperature 0.5": {"temperature": 0.5},
    "neighborhood 10": {"weight_neighborhood": 10.0},
    "no neighborhood": {"weight_neighborhood": 0.0},
    "no distribution": {"weight_distribution": 0.0},
    "signed": {},
}
NAMES = {  # of the candidates that a training gives, by epoch and what is clustered
    ("robust", 0, "e"): "untrained",
    ("robust", 10, "e"): "10 epochs",
    ("robust", 20, "e"): "20 epochs",
    ("robust", 30, "e"): "robust",
    ("robust", 30, "z"): "refined",
    ("robust", 50, "e"): "50 epochs",
    ("wide", 0, "e"): "untrained, wide",
    ("PCA start", 0, "e"): "PCA start, untrained",
    ("PCA start", 30, "e"): "PCA start",
    ("temperature 0.5", 30, "e"): "temperature 0.5",
    ("neighborhood 10", 30, "e"): "neighborhood 10",
    ("no neighborhood", 30, "e"): "no neighborhood",
    ("no distribution", 30, "e"): "no distribution",
    ("signed", 30, "z"): "refined, signed",
}
SIMPLE = {"PCA + k-means": "pca_kmeans", "Leiden at K": "leiden_k", "smoothed PCA + k-means": "smoothed_pca_kmeans"}
STOPS = ("untrained", "10 epochs", "20 epochs", "robust", "50 epochs")
BASELINES = ("PCA + k-means", "Leiden at K")
CONSENSUS = {
    "consensus of baselines": BASELINES,
    "consensus of robust": ("robust",),
    "consensus of untrained": ("untrained",),
    "consensus of all": (*BASELINES, "robust"),
    "consensus of baselines and untrained": (*BASELINES, "untrained"),
}


def main() -> None:
    """Run what is not in the record yet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study", description=__doc__)
    parser.add_argument("--datasets", default=";".join([*STUDIES, *SIMULATED]), help="names with semicolons between")
    parser.add_argument("--trainings", default=";".join(TRAININGS), help="names with semicolons between; '' for none")
    parser.add_argument(
        "--keep", type=Path, required=True, help="folder for clusters; a consensus takes them from there"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")

    from scrcl_edu.evidence.shelf import Shelf

    record = Record(asked.out)
    for dataset in asked.datasets.split(";"):
        run(dataset, [name for name in asked.trainings.split(";") if name], Shelf(asked.keep), record)


class Record:
    """The rows of the file, and a place for new ones."""

    def __init__(self, path: Path) -> None:
        from scrcl_edu.evidence.storing import read_rows

        self.path = path
        self.rows, self.commands = read_rows(path, KIND) if path.exists() else ([], [])
        self.command = "python -m benchmarks.study --keep clusters"

    def add(self, dataset: str, candidate: str, seed: int, **facts: Any) -> None:
        """Put a row into the file, in place of one of the same name."""
        from scrcl_edu.evidence.storing import write_rows

        row = {"dataset": dataset, "candidate": candidate, "seed": seed} | facts
        key = (dataset, candidate, seed)
        self.rows = [r for r in self.rows if (r["dataset"], r["candidate"], r["seed"]) != key] + [row]
        write_rows(self.path, KIND, self.rows, commands=[self.command])

    def has(self, dataset: str, candidate: str) -> bool:
        """Whether any seed of a candidate is there."""
        return any((row["dataset"], row["candidate"]) == (dataset, candidate) for row in self.rows)


def run(dataset: str, trainings: list[str], shelf: Shelf, record: Record) -> None:
    """Every candidate on one set; a consensus and a rule for stopping once their members are there."""
    adata, labels = load(dataset)
    for training, seed in itertools.product(["simple", *trainings], range(SEEDS)):
        wanted = list(SIMPLE) if training == "simple" else [name for key, name in NAMES.items() if key[0] == training]
        if all(shelf.get(dataset, name, seed, {}) for name in wanted):
            continue
        started = time.perf_counter()
        found = simple(adata, labels, seed) if training == "simple" else trained(dataset, adata, labels, training, seed)
        for name, (cells, clusters) in found.items():
            _keep(shelf, dataset, name, seed, cells, clusters)
            record.add(dataset, name, seed, **scores(labels[cells], clusters))
        print(f"{dataset}, {training}, seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
    for name, members in CONSENSUS.items():
        agree(dataset, name, members, labels, shelf, record)
    stop(dataset, labels, shelf, record)
    if not record.has(dataset, "K by silhouette"):
        for name, n_clusters in estimates(adata).items():
            record.add(dataset, f"K by {name}", 0, n_clusters=n_clusters, n_classes=len(set(labels)))


def load(name: str) -> tuple[AnnData, np.ndarray]:
    """A registered dataset or a simulated one, and its classes."""
    from scrcl_edu import datasets
    from scrcl_edu.datasets import simulate

    if name in SIMULATED:
        settings = {"imbalance": 3.0, "related_types": None} | SIMULATED[name]
        adata = simulate(600, 1000, 6, seed=0, **settings)
        if name == "a continuum":
            blend(adata)
    else:
        adata = datasets.load(name, progress=False)
    return adata, adata.obs["label"].astype(str).to_numpy()


def blend(adata: AnnData, *, seed: int = 0) -> None:
    """Turn separate types into a path: each cell becomes a mixture of itself, mostly, and a cell of the next type.

    Of either cell a binomial share of the molecules is kept, so that the mixture holds counts again.
    """
    import scipy.sparse as sp

    generator = np.random.default_rng(seed)
    types = adata.obs["label"].cat.codes.to_numpy()
    following = [np.flatnonzero(types == (t + 1) % (types.max() + 1)) for t in types]
    others = np.array([generator.choice(cells) for cells in following])
    share = generator.uniform(0.5, 1.0, adata.n_obs)
    counts = adata.X.toarray().astype(int)
    mixed = generator.binomial(counts, share[:, None]) + generator.binomial(counts[others], 1 - share[:, None])
    adata.X = sp.csr_matrix(mixed.astype(np.float32))


def simple(adata: AnnData, labels: np.ndarray, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The practitioner's candidates: numbers of the cells that are not empty, and clusters."""
    from scrcl_edu import baselines
    from scrcl_edu.evidence.methods import blind
    from scrcl_edu.preprocessing import preprocess
    from scrcl_edu.recipes import recipe

    bare = blind(adata)
    preprocess(bare)
    cells = bare.obs_names.astype(int).to_numpy()
    found = {}
    for name, function in SIMPLE.items():
        extra = {"n_steps": max(recipe("robust").filter_steps)} if name.startswith("smoothed") else {}
        clusters = getattr(baselines, function)(bare, len(set(labels)), seed=seed, **extra)
        found[name] = (cells, clusters)
    return found


def trained(
    dataset: str, adata: AnnData, labels: np.ndarray, training: str, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """All candidates that one training gives."""
    from scrcl_edu.clustering import kmeans
    from scrcl_edu.recipes import recipe

    found = {}

    def look(at: Look) -> dict[str, list[int]]:
        e1, e2, z1, z2, _ = (part.numpy() for part in at.outputs)
        for way, parts in (("e", (e1, e2)), ("z", (z1, z2))):
            if name := NAMES.get((training, at.epoch, way)):
                clusters = kmeans(np.hstack(parts), at.n_clusters, seed=at.seed)
                found[name] = (at.adata.obs_names.astype(int).to_numpy(), clusters)
        return {}

    settings = recipe("robust").with_(**TRAININGS[training])
    graphs = wrong_graph if dataset == "wrong graph" else correlated_genes if training == "signed" else None
    alter = {"PCA start": pca_start, "signed": signed_programs}.get(training)
    by_epoch(adata, labels, settings, seed, epochs=EPOCHS, measure=look, prepare=graphs, alter=alter)
    return found


def wrong_graph(adata: AnnData, settings: Recipe, seed: int) -> Any:
    """Half of the cell graph's edges are replaced by edges between cells drawn at random."""
    import scipy.sparse as sp

    features, graph = by_recipe(adata, settings, seed), sp.triu(adata.obsp["cell_graph"]).tocoo()
    generator = np.random.default_rng(0)  # the same wrong edges for every seed and training
    wrong = generator.random(graph.nnz) < 0.5
    ends = [np.where(wrong, generator.integers(0, adata.n_obs, graph.nnz), side) for side in (graph.row, graph.col)]
    half = sp.coo_matrix((np.ones(graph.nnz, np.float32), ends), shape=graph.shape).tocsr()
    both = half + half.T
    both.setdiag(0)
    both.eliminate_zeros()
    both.data[:] = 1
    adata.obsp["cell_graph"] = both
    return features


def correlated_genes(adata: AnnData, settings: Recipe, seed: int) -> Any:
    """A gene's neighbors are those with which its log values correlate most."""
    import scipy.sparse as sp

    from scrcl_edu.graphs import gene_graph
    from scrcl_edu.preprocessing import encoder_features

    features = by_recipe(adata, settings, seed)
    values = encoder_features(adata, "log")
    values = values.toarray() if sp.issparse(values) else values
    values = values - values.mean(axis=0)
    lengths = np.linalg.norm(values, axis=0)
    small = gene_graph(values / np.where(lengths > 0, lengths, 1), n_neighbors=settings.n_gene_neighbors).tocoo()
    chosen = np.flatnonzero(adata.var["highly_variable"].to_numpy())
    shape = (adata.n_vars, adata.n_vars)
    adata.varp["gene_graph"] = sp.csr_matrix((small.data, (chosen[small.row], chosen[small.col])), shape=shape)
    return features


def signed_programs(model: ScRCL, inputs: Inputs) -> None:
    """Programs may be negative: the gene encoder loses its ReLU."""
    encoder = model.gene_encoder
    encoder.forward = lambda profiles, operator: encoder.gcn(profiles, operator)


def pca_start(model: ScRCL, inputs: Inputs) -> None:
    """First weights are principal axes with both signs, about the mean cell; the later layers start as the identity."""
    import torch

    with torch.no_grad():
        for x, layer, bias in (
            (inputs.view_1, model.MLP_encoder.layer1, model.MLP_encoder.layer1.bias),
            (inputs.propagated, model.GNN_encoder.layer1.lin, model.GNN_encoder.layer1.bias),
        ):
            dense = x if isinstance(x, torch.Tensor) else torch.from_numpy(x.matrix.toarray()).float()
            mean = dense.mean(dim=0)
            n_axes = min(len(bias) // 2, *dense.shape)
            axes = torch.linalg.svd(dense - mean, full_matrices=False)[2][:n_axes]
            layer.weight.zero_()
            bias.zero_()
            layer.weight[: 2 * n_axes] = torch.cat([axes, -axes])
            bias[: 2 * n_axes] = -layer.weight[: 2 * n_axes] @ mean
        for layer, bias in (
            (model.GNN_encoder.layer2.lin, model.GNN_encoder.layer2.bias),
            (model.GNN_encoder.layer3, model.GNN_encoder.layer3.bias),
        ):
            layer.weight.copy_(torch.eye(len(bias)))
            bias.zero_()


def agree(dataset: str, name: str, members: tuple[str, ...], labels: np.ndarray, shelf: Shelf, record: Record) -> None:
    """The consensus of all seeds of some candidates, and whether cells that it doubts are the wrong ones."""
    from sklearn.metrics import roc_auc_score

    from scrcl_edu.consensus import consensus
    from scrcl_edu.evaluation import match_clusters

    found = [shelf.get(dataset, member, seed, {}) for member in members for seed in range(SEEDS)]
    if record.has(dataset, name) or not all(found):
        return
    truth = labels[found[0].cells]
    clusters, stability = consensus([one.clusters for one in found], len(set(labels)))
    matched = match_clusters(truth, clusters)
    right = np.array([matched.get(cluster) == label for cluster, label in zip(clusters, truth, strict=True)])
    auc = None if right.all() else round(float(roc_auc_score(right, stability)), 3)
    record.add(dataset, name, 0, **scores(truth, clusters), auc=auc)


def stop(dataset: str, labels: np.ndarray, shelf: Shelf, record: Record) -> None:
    """Stop where the seeds agree most; no label is needed for it."""
    from scrcl_edu.evaluation import ari

    looks = {name: [shelf.get(dataset, name, seed, {}) for seed in range(SEEDS)] for name in STOPS}
    if record.has(dataset, "stop by agreement") or not all(all(found) for found in looks.values()):
        return
    agreement = {
        name: np.mean([ari(a.clusters, b.clusters) for a, b in itertools.combinations(found, 2)])
        for name, found in looks.items()
    }
    best = max(agreement, key=agreement.get)
    for seed, found in enumerate(looks[best]):
        record.add(dataset, "stop by agreement", seed, **scores(labels[found.cells], found.clusters), stopped_at=best)


def estimates(adata: AnnData) -> dict[str, int]:
    """The number of clusters by several rules that see no label."""
    from scrcl_edu import baselines
    from scrcl_edu.clustering import estimate_n_clusters
    from scrcl_edu.consensus import consensus
    from scrcl_edu.evidence.methods import blind
    from scrcl_edu.graphs import cell_graph
    from scrcl_edu.preprocessing import preprocess

    bare = blind(adata)
    preprocess(bare)
    graph = cell_graph(bare.X[:, bare.var["highly_variable"].to_numpy()], n_neighbors=15)
    agreed = consensus(baselines.for_consensus(bare, n_runs=SEEDS)).clusters
    found = {"robust": estimate_n_clusters(graph), "Leiden": len(np.unique(baselines.leiden_1(bare, 0)))}
    return found | by_kmeans(baselines.components(bare)) | {"consensus": len(np.unique(agreed))}


def by_kmeans(components: np.ndarray, *, largest: int = 25, n_references: int = 5) -> dict[str, int]:
    """K of the highest silhouette, and of the gap statistic (Tibshirani 2001: the first not beaten by the next)."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    generator = np.random.default_rng(0)
    low, high = components.min(axis=0), components.max(axis=0)
    references = [generator.uniform(low, high, components.shape) for _ in range(n_references)]
    silhouettes, gaps, errors = {}, {}, {}
    for k in range(2, min(largest, len(components) - 1) + 1):
        model = KMeans(k, n_init=3, random_state=0).fit(components)
        sample = min(2000, len(components))
        silhouettes[k] = silhouette_score(components, model.labels_, sample_size=sample, random_state=0)
        logs = [np.log(KMeans(k, n_init=1, random_state=0).fit(x).inertia_) for x in references]
        gaps[k] = np.mean(logs) - np.log(model.inertia_)
        errors[k] = np.std(logs) * np.sqrt(1 + 1 / n_references)
    enough = [k for k in gaps if k + 1 in gaps and gaps[k] >= gaps[k + 1] - errors[k + 1]]
    return {"silhouette": max(silhouettes, key=silhouettes.get), "gap": enough[0] if enough else max(gaps)}


def scores(labels: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
    """Accuracy and ARI."""
    from scrcl_edu import evaluation

    return {
        "accuracy": round(evaluation.accuracy(labels, clusters), 4),
        "ari": round(evaluation.ari(labels, clusters), 4),
    }


def _keep(shelf: Shelf, dataset: str, name: str, seed: int, cells: np.ndarray, clusters: np.ndarray) -> None:
    from scrcl_edu.evidence.shelf import Found

    shelf.put(dataset, name, seed, {}, Found(cells, clusters, 0.0, "cpu", 0))


if __name__ == "__main__":
    main()
