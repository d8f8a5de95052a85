"""Published methods that readers ask about, each by its own package. They get what scRCL gets: the counts, and K.

None of the packages is needed for anything else, and each is imported when its method is called.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from scrcl_edu import baselines
from scrcl_edu.clustering import check_n_clusters
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.graphs import cell_graph, principal_components

if TYPE_CHECKING:
    from anndata import AnnData

INSTALL = {
    "sc3s": "pip install --no-deps sc3s==0.1.1 (it asks for a numpy below 2, and works with ours)",
    "banksy": "pip install 'scrcl_edu[benchmark]'",
}
BANKSY_LAMBDA = 0.8  # weight of the neighborhood, as its authors advise for domains of a tissue
BANKSY_COMPONENTS = 20
BANKSY_NEIGHBORS = 50


def sc3s(adata: AnnData, n_clusters: int, *, seed: int = 0) -> np.ndarray:
    """SC3s (Quah and Hemberg 2022): the consensus of five k-means on 25 principal components, its defaults.

    Parameters
    ----------
    adata
        After :func:`~scrcl_edu.preprocessing.preprocess`.
    n_clusters
        K.
    seed
        Of the components and the runs.

    Returns
    -------
    Cluster of each cell, int, shape (n_cells,).

    Raises
    ------
    SettingsError
        When the package is not installed, or `n_clusters` out of its range.
    """
    from anndata import AnnData

    check_n_clusters(n_clusters, adata.n_obs)
    with _needed("sc3s"):
        import sc3s as package
        import sc3s.tools
    with _quiet():
        cells = AnnData(obsm={"X_pca": baselines.components(adata, seed=seed)})
        package.tools.consensus(cells, n_clusters=[n_clusters], random_state=seed)
    return cells.obs[f"sc3s_{n_clusters}"].astype(int).to_numpy()


def leiden_scanpy(adata: AnnData, n_clusters: int = 0, *, seed: int = 0) -> np.ndarray:
    """Leiden as scanpy's tutorials run it: scaled values, 50 components, its own graph, resolution 1; K is not used.

    Parameters
    ----------
    adata
        After :func:`~scrcl_edu.preprocessing.preprocess`.
    n_clusters
        Not used: how many communities there are is what is found.
    seed
        Of the components, the graph and Leiden.

    Returns
    -------
    Community of each cell, int, shape (n_cells,).
    """
    import scanpy as sc

    with _quiet():
        cells = adata[:, adata.var["highly_variable"].to_numpy()].copy()
        sc.pp.scale(cells, max_value=10)
        sc.pp.pca(cells, n_comps=min(50, min(cells.shape) - 1), random_state=seed)
        sc.pp.neighbors(cells, random_state=seed)
        sc.tl.leiden(cells, flavor="igraph", n_iterations=2, directed=False, random_state=seed)
    return cells.obs["leiden"].astype(int).to_numpy()


def banksy(adata: AnnData, n_clusters: int, *, seed: int = 0) -> np.ndarray:
    """BANKSY (Singhal et al. 2024): a spot beside the mean and the gradient of its neighbors, Leiden at K.

    Settings are those that its authors advise for domains (lambda 0.8, 15 spatial neighbors, 20 components, 50
    neighbors for Leiden); the genes are the highly variable ones that every method here gets.

    Parameters
    ----------
    adata
        After :func:`~scrcl_edu.preprocessing.preprocess`, with ``obsm["spatial"]``.
    n_clusters
        K; as near to it as Leiden comes.
    seed
        Of the components and of Leiden.

    Returns
    -------
    Cluster of each spot, int, shape (n_cells,).

    Raises
    ------
    SettingsError
        When the package is not installed, or `n_clusters` out of its range.
    DataError
        When there are no coordinates.
    """
    from anndata import AnnData
    from scipy import sparse

    if "spatial" not in adata.obsm:
        raise DataError("banksy needs coordinates in obsm['spatial'], which is missing; leave this method out")
    with _needed("banksy"):
        from banksy.embed_banksy import generate_banksy_matrix
        from banksy.initialize_banksy import initialize_banksy
    values = adata.X[:, adata.var["highly_variable"].to_numpy()]
    values = values.toarray() if sparse.issparse(values) else np.asarray(values)
    spots = AnnData(values.astype(np.float32), obsm={"spatial": np.asarray(adata.obsm["spatial"], dtype=float)})
    with _quiet():
        weights = initialize_banksy(
            spots, ("x", "y", "spatial"), num_neighbours=15, max_m=1, plt_edge_hist=False, plt_nbr_weights=False,
            plt_theta=False,
        )  # fmt: skip
        _, matrix = generate_banksy_matrix(spots, weights, [BANKSY_LAMBDA], max_m=1, verbose=False)
    x = matrix.X if hasattr(matrix, "X") else matrix
    x = x.toarray() if sparse.issparse(x) else np.asarray(x)
    near = min(BANKSY_NEIGHBORS, adata.n_obs - 1)
    found = principal_components(x, BANKSY_COMPONENTS, seed=seed)
    graph = cell_graph(found, n_neighbors=near, metric="euclidean", seed=seed)
    return baselines.leiden_at_k(graph, n_clusters, seed=seed)


@contextlib.contextmanager
def _needed(method: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise SettingsError(
            f"the method {method} needs a package that cannot be imported ({error}): {INSTALL[method]}, "
            f"or leave {method} out of --baselines"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Neither prints nor warnings, which are about progress and versions."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
