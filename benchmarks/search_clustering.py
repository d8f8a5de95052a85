"""`python -m benchmarks.search_clustering`: how to cluster the encodings of `robust`, and when to stop training.

One training for each dataset and seed. At every look the recipe's own clusters are scored, and measured by what needs
no label; after 30 epochs many other ways to cluster are as well. Labels only score. `--report` writes the tables of
the README from the record.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks import search
from benchmarks.process import ROOT
from benchmarks.report import replace_between
from benchmarks.searching import Look, PerMille, Search, by_epoch, flat, main

if TYPE_CHECKING:
    import scipy.sparse as sp
    from anndata import AnnData

EPOCHS = (0, 10, 20, 30, 40, 50, 70, 100)
OF_RECIPE = 30  # epochs
N_STARTS = 20
N_COMPONENTS = 20
N_FOR_SILHOUETTE = 1500  # cells at most: it costs their square
SCORES = ("accuracy", "ARI", "silhouette", "modularity", "views agree", "unchanged", "loss")
ROBUST = "robust"
MARKS = "<!-- clustering: begin -->", "<!-- clustering: end -->"


def measure(adata: AnnData, labels: np.ndarray, training: str, seed: int) -> PerMille:
    """Train as `robust` does, but on to the last of EPOCHS; SCORES of the ways to cluster."""
    from scrcl_edu.recipes import recipe

    settings = recipe(training).with_(epochs=EPOCHS[-1])
    return by_epoch(adata, labels, settings, seed, epochs=EPOCHS, measure=functools.partial(read, before=[]))


def read(look: Look, before: list[np.ndarray]) -> dict[str, list[int]]:
    """SCORES, in thousandths, of the recipe's clusters, and after 30 epochs of all others; `before` is for the next."""
    from sklearn.preprocessing import normalize

    from scrcl_edu import evaluation
    from scrcl_edu.clustering import kmeans

    e1, e2, *_ = (part.numpy() for part in look.outputs)
    cells, n_clusters, graph = normalize(np.hstack([e1, e2])), look.n_clusters, look.adata.obsp["cell_graph"]
    ways = {"k-means": kmeans(cells, n_clusters, seed=look.seed)}
    before.append(ways["k-means"])
    of_fit = [
        evaluation.ari(*(kmeans(view, n_clusters, seed=look.seed) for view in (e1, e2))),
        evaluation.ari(*before[-2:]) if len(before) > 1 else 0.0,
        look.loss,
    ]
    if look.epoch == OF_RECIPE:
        ways |= others(cells, n_clusters, graph, look.seed)
    return {
        way: [
            round(1000 * value)
            for value in (
                evaluation.accuracy(look.labels, clusters),
                evaluation.ari(look.labels, clusters),
                silhouette(cells, clusters),
                modularity(graph, clusters),
                *of_fit,
            )
        ]
        for way, clusters in ways.items()
    }


def others(cells: np.ndarray, n_clusters: int, graph: sp.csr_matrix, seed: int) -> dict[str, np.ndarray]:
    """Clusters found in other ways.

    Parameters
    ----------
    cells
        Encodings of both views, unit rows, shape (n_cells, n_dimensions).
    n_clusters
        K.
    graph
        Cell graph that the encoders saw.
    seed
        Of everything that is drawn.
    """
    from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    from scrcl_edu import baselines, evaluation
    from scrcl_edu.clustering import kmeans
    from scrcl_edu.graphs import cell_graph

    starts = [
        KMeans(n_clusters, n_init=1, random_state=N_STARTS * seed + n).fit_predict(cells) for n in range(N_STARTS)
    ]
    components = PCA(N_COMPONENTS, random_state=seed).fit_transform(cells)
    many = KMeans(min(3 * n_clusters, len(cells)), n_init=5, random_state=seed).fit(cells)
    merged = AgglomerativeClustering(n_clusters, linkage="ward").fit_predict(many.cluster_centers_)[many.labels_]
    centers = np.stack([cells[merged == cluster].mean(axis=0) for cluster in range(n_clusters)])
    mixture = GaussianMixture(n_clusters, covariance_type="diag", n_init=3, reg_covar=1e-4, random_state=seed)
    spectral = SpectralClustering(n_clusters, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
    near = cell_graph(cells, seed=seed)
    return {
        "start of highest modularity": best(starts, functools.partial(modularity, graph)),
        "start of highest silhouette": best(starts, functools.partial(silhouette, cells)),
        "start that agrees most with the others": best(
            starts, lambda start: np.mean([evaluation.ari(start, other) for other in starts])
        ),
        "k-means from 3 K clusters merged by Ward": KMeans(n_clusters, init=centers, n_init=1).fit_predict(cells),
        "k-means, cells centered first": kmeans(cells - cells.mean(axis=0), n_clusters, seed=seed),
        "k-means on components": kmeans(components, n_clusters, seed=seed),
        "Gaussian mixture on components": mixture.fit_predict(components),
        "Ward": baselines.ward(cells, n_clusters),
        "Leiden at K, neighbors by encodings": baselines.leiden_at_k(near, n_clusters, seed=seed),
        "Leiden at K, cell graph": baselines.leiden_at_k(graph, n_clusters, seed=seed),
        "spectral, cell graph": spectral.fit_predict(graph),
    }


def best(starts: list[np.ndarray], value: Callable[[np.ndarray], float]) -> np.ndarray:
    """The clustering of the highest value."""
    return starts[int(np.argmax([value(start) for start in starts]))]


def modularity(graph: sp.csr_matrix, clusters: np.ndarray) -> float:
    """Share of the edges that stay within a cluster, above what the degrees alone would give."""
    members = np.eye(clusters.max() + 1)[clusters]  # (n_cells, n_clusters)
    edges, degrees = graph.sum(), np.asarray(graph.sum(axis=1)).ravel()
    within = (members * (graph @ members)).sum() / edges
    return float(within - ((degrees @ members / edges) ** 2).sum())


def silhouette(cells: np.ndarray, clusters: np.ndarray) -> float:
    """Mean silhouette by cosine distance, of at most N_FOR_SILHOUETTE cells."""
    from sklearn.metrics import silhouette_score

    some = np.random.default_rng(0).permutation(len(cells))[:N_FOR_SILHOUETTE]
    return float(silhouette_score(cells[some], clusters[some], metric="cosine"))


def at_epoch(fit: pd.DataFrame, epoch: int) -> pd.Series:
    """The look after so many epochs."""
    return fit.loc[epoch]


def highest(fit: pd.DataFrame, score: str) -> pd.Series:
    """The look at which a score is highest."""
    return fit.loc[fit[score].idxmax()]


def first(fit: pd.DataFrame, reached: pd.Series) -> pd.Series:
    """The first look at which a condition holds; the last look when there is none."""
    return fit.loc[reached.idxmax()] if reached.any() else fit.iloc[-1]


STOPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "not trained": functools.partial(at_epoch, epoch=0),
    "after 30 epochs (`robust`)": functools.partial(at_epoch, epoch=OF_RECIPE),
    "after 100 epochs": functools.partial(at_epoch, epoch=EPOCHS[-1]),
    "highest silhouette": functools.partial(highest, score="silhouette"),
    "highest modularity": functools.partial(highest, score="modularity"),
    "views agree most": functools.partial(highest, score="views agree"),
    "clusters unchanged (ARI 0.95 with the look before)": lambda fit: first(fit, fit["unchanged"] >= 0.95),
    "loss less than 1 % below the look before": lambda fit: first(
        fit, fit["loss"] > 0.99 * fit["loss"].shift().replace(0, np.inf)
    ),
    "best accuracy (needs labels)": functools.partial(highest, score="accuracy"),
}
SEARCH = Search(
    "benchmarks.search_clustering", ROOT / "benchmarks" / "results" / "search_clustering.json",
    search.REAL + search.SIMULATED, (ROBUST,), search.load, measure, SCORES, seeds=5,
)  # fmt: skip


def report(rows: list[dict[str, Any]]) -> str:
    """The tables of the README."""
    table, groups = flat(rows, SCORES), " | ".join(search.GROUPS)
    lines = [f"| clusters, after 30 epochs | {groups} |", f"|---{'|---' * len(search.GROUPS)}|"]
    for way, part in table[table["epoch"] == OF_RECIPE].groupby("way", sort=False):
        lines.append(search.line(way, part))
    lines += ["", f"| stop | epochs | {groups} |", f"|---{'|---' * len(search.GROUPS)}|---|"]
    fits = table[table["way"] == "k-means"].set_index("epoch", drop=False).groupby(["dataset", "seed"])
    for name, stop in STOPS.items():
        looks = pd.DataFrame([stop(fit) for _, fit in fits])
        lines.append(search.line(f"{name} | {looks['epoch'].median():.0f}", looks))
    return "\n".join(lines) + "\n"


def write_report() -> None:
    """Write the tables into the README."""
    from scrcl_edu.evidence.storing import read_rows

    replace_between(search.README, *MARKS, report(read_rows(SEARCH.results, SEARCH.kind)[0]))


if __name__ == "__main__":
    if sys.argv[1:] == ["--report"]:
        write_report()
    else:
        main(SEARCH, __doc__)
