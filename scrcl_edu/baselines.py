"""What a practitioner would do instead of scRCL, in a few lines each. Lesson 08 (and 10 in space) sets scRCL beside it.

Of the labels no baseline sees more than their number of classes K, which scRCL is given too.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import AgglomerativeClustering, KMeans

from scrcl_edu import clustering
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.graphs import cell_graph, low_pass, principal_components, spatial_graph
from scrcl_edu.preprocessing import encoder_features

if TYPE_CHECKING:
    from anndata import AnnData

N_COMPONENTS = 30
N_STARTS = 20
N_NEIGHBORS = 15
SCVI_EPOCHS = 100
SCVI_DIMENSIONS = 10
RESOLUTIONS = (0.25, 0.5, 1.0, 2.0)  # of Leiden, from which a consensus finds K
LARGEST_FULL_WARD = 20_000  # cells; above it Ward may only join neighbors, which needs no distance of all pairs


def components(adata: AnnData, *, n_components: int = N_COMPONENTS, seed: int = 0) -> np.ndarray:
    """Principal components of the scaled log values of the highly variable genes, shape (n_cells, n_components)."""
    chosen = adata.var["highly_variable"].to_numpy()
    return principal_components(adata.X[:, chosen], n_components, seed=seed, scale=True)


def pca_kmeans(adata: AnnData, n_clusters: int, *, seed: int = 0) -> np.ndarray:
    """k-means (Euclidean, the best of 20 starts by inertia) on 30 principal components.

    Parameters
    ----------
    adata
        After :func:`~scrcl_edu.preprocessing.preprocess`.
    n_clusters
        K.
    seed
        Of the components and the starts.

    Returns
    -------
    Cluster of each cell, int, shape (n_cells,).

    Raises
    ------
    SettingsError
        When `n_clusters` is out of its range.
    """
    return _kmeans(components(adata, seed=seed), n_clusters, seed=seed)


def pca_kmeans_cosine(adata: AnnData, n_clusters: int, *, seed: int = 0) -> np.ndarray:
    """As :func:`pca_kmeans`, on the directions of the cells: the k-means that scRCL's embeddings get."""
    return clustering.kmeans(components(adata, seed=seed), n_clusters, n_starts=N_STARTS, seed=seed)


def smoothed_pca_kmeans(adata: AnnData, n_clusters: int, *, n_steps: int, seed: int = 0) -> np.ndarray:
    """As :func:`pca_kmeans`, on values averaged `n_steps` times over the cell graph, or the spatial graph of spots.

    What scRCL scores above this is what its training adds to the smoothing.
    """
    if "spatial" in adata.obsm:
        graph = spatial_graph(adata.obsm["spatial"], n_neighbors=N_NEIGHBORS)
    else:
        graph = cell_graph(adata.X[:, adata.var["highly_variable"].to_numpy()], n_neighbors=N_NEIGHBORS, seed=seed)
    smoothed = low_pass(encoder_features(adata, "scaled"), graph, n_steps)
    return _kmeans(principal_components(smoothed, N_COMPONENTS, seed=seed), n_clusters, seed=seed)


def leiden_k(adata: AnnData, n_clusters: int, *, seed: int = 0) -> np.ndarray:
    """Leiden at the resolution that gives K communities; when none does, the nearest number that was met."""
    return leiden_at_k(neighbor_graph(adata, seed=seed), n_clusters, seed=seed)


def leiden_1(adata: AnnData, n_clusters: int, *, seed: int = 0) -> np.ndarray:
    """Leiden at resolution 1, whatever number of communities that gives; K is not used."""
    return clustering.leiden(neighbor_graph(adata, seed=seed), seed=seed)


def leiden_at_k(graph: sp.csr_matrix, n_clusters: int, *, seed: int = 0, n_tries: int = 30) -> np.ndarray:
    """Communities of a graph, as near to `n_clusters` of them as a bisection over the resolution comes.

    Parameters
    ----------
    graph
        Symmetric cell graph without self-loops, shape (n_cells, n_cells).
    n_clusters
        Wanted; a graph with more connected components cannot have so few.
    seed
        Of the Leiden algorithm.
    n_tries
        Resolutions tried at most.

    Returns
    -------
    Community of each cell, int, shape (n_cells,).
    """
    clustering.check_n_clusters(n_clusters, graph.shape[0])
    low, high, resolution = 0.0, np.inf, 1.0
    nearest, miss = np.zeros(graph.shape[0], dtype=int), np.inf
    for _ in range(n_tries):
        found = clustering.leiden(graph, resolution=resolution, seed=seed)
        n_found = found.max() + 1
        if abs(n_found - n_clusters) < miss:
            nearest, miss = found, abs(n_found - n_clusters)
        if not miss:
            break
        if n_found < n_clusters:
            low = resolution
        else:
            high = resolution
        resolution = 2 * low if np.isinf(high) else (low + high) / 2
    return nearest


def for_consensus(adata: AnnData, n_clusters: int | None = None, *, seed: int = 0, n_runs: int = 5) -> list[np.ndarray]:
    """Clusterings of which :func:`~scrcl_edu.consensus.consensus` says what they agree on; none of them is trained.

    Parameters
    ----------
    adata
        After :func:`~scrcl_edu.preprocessing.preprocess`.
    n_clusters
        K of each; when it is not given, Leiden at four resolutions says how many there may be.
    seed, n_runs
        Seeds from ``n_runs * seed`` on, so that two seeds share no run.

    Returns
    -------
    Of each run with K given PCA + k-means and Leiden at K; without, Leiden at each resolution, and PCA + k-means at
    each number of communities (at least 2) that it found.

    Raises
    ------
    SettingsError
        When `n_clusters` is out of its range.
    """
    found = []
    for run in range(n_runs * seed, n_runs * (seed + 1)):
        if n_clusters is not None:
            found += [pca_kmeans(adata, n_clusters, seed=run), leiden_k(adata, n_clusters, seed=run)]
            continue
        graph = neighbor_graph(adata, seed=run)
        communities = [clustering.leiden(graph, resolution=resolution, seed=run) for resolution in RESOLUTIONS]
        found += communities + [pca_kmeans(adata, max(2, len(np.unique(c))), seed=run) for c in communities]
    return found


def neighbor_graph(adata: AnnData, *, seed: int = 0) -> sp.csr_matrix:
    """The graph of which Leiden finds the communities: 15 nearest neighbors, Euclidean, on 30 principal components."""
    return cell_graph(components(adata, seed=seed), n_neighbors=N_NEIGHBORS, metric="euclidean", seed=seed)


def voted(cluster: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The same baseline, after which each spot takes the majority of its 50 nearest others, as the reference does."""

    def clustered(adata: AnnData, n_clusters: int, *, seed: int = 0, **settings: Any) -> np.ndarray:
        if "spatial" not in adata.obsm:
            raise DataError("a vote needs coordinates in obsm['spatial'], which is missing; leave this baseline out")
        return clustering.majority_vote(cluster(adata, n_clusters, seed=seed, **settings), adata.obsm["spatial"])

    return clustered


def scvi(adata: AnnData, n_clusters: int, *, seed: int = 0, epochs: int = SCVI_EPOCHS) -> dict[str, np.ndarray]:
    """k-means and Ward linkage on 10 latent dimensions of scVI, trained on the counts of the highly variable genes.

    Raises
    ------
    SettingsError
        When scvi-tools is not installed.
    """
    embedding = scvi_embedding(adata, seed=seed, epochs=epochs)
    return {
        "scvi_kmeans": _kmeans(embedding, n_clusters, seed=seed),
        "scvi_ward": ward(embedding, n_clusters),
    }


def scvi_embedding(adata: AnnData, *, seed: int = 0, epochs: int = SCVI_EPOCHS) -> np.ndarray:
    """Latent means of scVI, shape (n_cells, 10); needs the extra `benchmark`."""
    try:
        import scvi as scvi_tools
    except ImportError as error:
        raise SettingsError(
            "the baseline scvi needs scvi-tools, which is not installed: "
            "pip install 'scrcl_edu[benchmark]', or leave scvi out of --baselines"
        ) from error
    chosen = adata[:, adata.var["highly_variable"].to_numpy()].copy()
    with warnings.catch_warnings(), _quiet("lightning.pytorch"), _quiet("lightning.fabric"):
        warnings.simplefilter("ignore")  # about workers, devices and column types; none is about the result
        scvi_tools.settings.seed = seed
        scvi_tools.model.SCVI.setup_anndata(chosen, layer="counts")
        model = scvi_tools.model.SCVI(chosen, n_latent=SCVI_DIMENSIONS)
        model.train(max_epochs=epochs, enable_progress_bar=False)
        return np.asarray(model.get_latent_representation())


def ward(embedding: np.ndarray, n_clusters: int) -> np.ndarray:
    """Ward linkage cut at K clusters, int, shape (n_cells,)."""
    near = cell_graph(embedding, metric="euclidean") if len(embedding) > LARGEST_FULL_WARD else None
    return AgglomerativeClustering(n_clusters, linkage="ward", connectivity=near).fit_predict(embedding)


def _kmeans(embedding: np.ndarray, n_clusters: int, *, seed: int) -> np.ndarray:
    clustering.check_n_clusters(n_clusters, len(embedding))
    return KMeans(n_clusters, n_init=N_STARTS, random_state=seed).fit_predict(embedding).astype(int)


class _quiet:
    """Lets a logger speak of errors only, for as long as the block lasts."""

    def __init__(self, name: str) -> None:
        self.logger = logging.getLogger(name)

    def __enter__(self) -> None:
        self.level = self.logger.level
        self.logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self.logger.setLevel(self.level)
