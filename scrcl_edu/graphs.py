"""Who is close to whom: cell graph, gene graph, spatial graph, and the low-pass filter. Lesson 02 builds this module.

Graphs are binary CSR matrices. :class:`Graph` carries one to where tensors are.
"""

from __future__ import annotations

import warnings
from functools import cached_property, reduce
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from scrcl_edu.all_cells import HERE, AllCells
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.neighbors import fits, nearest_others, searched_others

LARGEST_EXACT_SEARCH = 100_000  # cells; above it pynndescent, which finds most neighbors, is the quicker one
LARGEST_BY_PRODUCTS = 20_000  # cells; above it all pairs take longer than a search
DENSE_ABOVE = 0.08  # share of non-zero entries from which a dense matrix product is the quicker one
LARGEST_GRAM = 5000  # genes, all pairs of which are held at once while neighbors are searched by dense products
EDGES_AT_ONCE = 2**16  # whose rows are gathered at once where sparse products are taken edge by edge
GRAM_CELLS = 4096  # cells that are dense at once during these products


def cell_graph(
    values: np.ndarray | sp.csr_matrix,
    *,
    n_neighbors: int = 15,
    metric: Literal["cosine", "euclidean"] = "cosine",
    n_components: int | None = None,
    seed: int = 0,
) -> sp.csr_matrix:
    """Connect each cell to its nearest cells, in both directions.

    Parameters
    ----------
    values
        log-normalized values, shape (n_cells, n_genes).
    n_neighbors
        Neighbors of a cell *counting itself*: 15 gives 14 others.
    metric
        Distance between cells.
    n_components
        Search in this many principal components; None is the paper's rule, 50 from 10,000 cells on.
    seed
        Of the principal components and of the approximate search above 100,000 cells.

    Returns
    -------
    Symmetric by union, binary, without self-loops, shape (n_cells, n_cells).

    Raises
    ------
    SettingsError
        When there are not more than `n_neighbors - 1` other cells, or `n_neighbors` is below 2.
    """
    n_cells = values.shape[0]
    _check_neighbors(n_neighbors - 1, n_cells, "cells", given=n_neighbors)
    if n_components is None and n_cells >= 10_000:
        n_components = 50
    if n_components and n_components < min(values.shape):
        values = principal_components(values, n_components, seed=seed)
    if n_cells > LARGEST_EXACT_SEARCH:
        neighbors = _approximate_neighbors(values, n_neighbors, metric, seed)
    elif n_cells <= LARGEST_BY_PRODUCTS and fits(values):
        neighbors = nearest_others(values, n_neighbors - 1, metric)
    else:
        neighbors = searched_others(values, n_neighbors - 1, metric)
    return _union(neighbors, n_cells)


def gene_graph(values: np.ndarray | sp.csr_matrix, *, n_neighbors: int = 5) -> sp.csr_matrix:
    """Connect each gene to the genes whose counts over the cells are nearest.

    Parameters
    ----------
    values
        Counts, shape (n_cells, n_genes).
    n_neighbors
        Neighbors of a gene *counting itself*.

    Returns
    -------
    Directed and binary, shape (n_genes, n_genes); entry [g, h] is the edge from g to h. Self-loops included, unless
    more than `n_neighbors` genes have the same profile.

    Raises
    ------
    SettingsError
        When there are fewer genes than `n_neighbors`.
    """
    n_genes = values.shape[1]
    if not 1 <= n_neighbors <= n_genes:
        raise SettingsError(f"n_neighbors is {n_neighbors} but there are {n_genes} genes; choose 1 to {n_genes}")
    if sp.issparse(values) and n_genes <= LARGEST_GRAM and _is_cheaper_dense(values):
        nearest = np.argpartition(_squared_distances(values), n_neighbors - 1, axis=1)[:, :n_neighbors]
        rows = np.repeat(np.arange(n_genes), n_neighbors)
        ones = np.ones(rows.size, np.float32)
        return sp.csr_matrix((ones, (rows, nearest.ravel())), shape=(n_genes, n_genes))
    genes = sp.csr_matrix(values.T) if sp.issparse(values) else np.ascontiguousarray(values.T)
    search = NearestNeighbors(n_neighbors=n_neighbors, metric="euclidean", algorithm="brute").fit(genes)
    graph = search.kneighbors_graph(genes, mode="connectivity")
    return sp.csr_matrix(graph, dtype=np.float32)


def spatial_graph(coordinates: np.ndarray, *, n_neighbors: int = 15) -> sp.csr_matrix:
    """Connect each spot to its nearest *other* spots in space, in both directions.

    Parameters
    ----------
    coordinates
        Positions, shape (n_cells, 2) or (n_cells, 3), any unit of length.
    n_neighbors
        Other spots that each spot chooses.

    Returns
    -------
    Symmetric by union, binary, without self-loops, shape (n_cells, n_cells).

    Raises
    ------
    DataError
        When a coordinate is not a finite number, or all spots are at one place.
    SettingsError
        When there are not more than `n_neighbors` spots.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    if not np.isfinite(coordinates).all():
        raise DataError("some coordinates are NaN or infinite; drop these spots or mend their positions")
    if len(coordinates) > 1 and (coordinates == coordinates[0]).all():
        raise DataError("all spots are at the same place; give their positions in obsm['spatial']")
    _check_neighbors(n_neighbors, len(coordinates), "spots", given=n_neighbors)
    search = NearestNeighbors(n_neighbors=n_neighbors).fit(coordinates)
    return _union(search.kneighbors(return_distance=False), len(coordinates))


def normalized_adjacency(graph: sp.csr_matrix) -> sp.csr_matrix:
    """D^-1/2 (A + I) D^-1/2 of a symmetric graph without self-loops; D counts the neighbors and the cell itself."""
    with_self = sp.csr_matrix(graph + sp.identity(graph.shape[0], format="csr"))
    scale = sp.diags(1 / np.sqrt(np.asarray(with_self.sum(axis=1)).ravel()))
    return sp.csr_matrix(scale @ with_self @ scale)


def low_pass(values: np.ndarray | sp.csr_matrix, graph: sp.csr_matrix, n_steps: int) -> np.ndarray | sp.csr_matrix:
    """Average each cell with its neighbors, `n_steps` times: S^n X with S = D^-1/2 (A + I) D^-1/2.

    Parameters
    ----------
    values
        Features, shape (n_cells, n_features).
    graph
        Symmetric, without self-loops, shape (n_cells, n_cells).
    n_steps
        How often; 0 returns the values.

    Returns
    -------
    float32, shape (n_cells, n_features); sparse as long as few entries are non-zero.
    """
    smoother = normalized_adjacency(graph).astype(np.float32)
    for _ in range(n_steps):
        values = dense_if_cheaper(smoother @ dense_if_cheaper(values))
    return values.astype(np.float32, copy=False)


def dense_if_cheaper(values: np.ndarray | sp.csr_matrix) -> np.ndarray | sp.csr_matrix:
    """The same matrix, as an array when so many entries are non-zero that sparse products are the slower ones."""
    return values if isinstance(values, np.ndarray) or not _is_cheaper_dense(values) else values.toarray()


def principal_components(
    values: np.ndarray | sp.csr_matrix, n_components: int, *, seed: int = 0, scale: bool = False
) -> np.ndarray:
    """Coordinates of the cells on the leading principal components, shape (n_cells, n_components), float32."""
    import scanpy as sc

    n_components = min(n_components, min(values.shape) - 1)
    if scale:
        dense = values if isinstance(values, np.ndarray) else values.toarray()
        values = sc.pp.scale(dense, max_value=10, copy=True)
    return sc.pp.pca(values.astype(np.float32), n_comps=n_components, random_state=seed).astype(np.float32)


def homophily(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    """Share of the edges that join two cells of the same label; self-loops do not count."""
    source, target = graph.nonzero()
    labels, other = np.asarray(labels), source != target
    return float(np.mean(labels[source[other]] == labels[target[other]]))


class Graph:
    """A sparse matrix that multiplies tensors, with its transpose at hand for the backward pass.

    Parameters
    ----------
    matrix
        Any scipy sparse matrix, shape (n_rows, n_columns).
    dtype
        Of the products.
    device
        Where the products are taken.

    Attributes
    ----------
    cells
        What a sum over all rows goes through.
    n_edges
        Number of non-zero entries.
    """

    cells: AllCells = HERE

    def __init__(
        self, matrix: sp.spmatrix, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
    ) -> None:
        self.matrix = sp.csr_matrix(matrix)
        if not self.matrix.data.all():  # as scipy's setdiag(0) leaves them; a stored zero is no edge
            self.matrix = self.matrix.copy()
            self.matrix.eliminate_zeros()
        self.matrix.sort_indices()
        self.shape = self.matrix.shape
        self.dtype, self.device = dtype, torch.device(device)
        self._forward = _operand(self.matrix, dtype, device)
        symmetric = self.shape[0] == self.shape[1] and (self.matrix != self.matrix.T).nnz == 0
        self._backward = self._forward if symmetric else _operand(self.matrix.T.tocsr(), dtype, device)

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Graph:
        """The same matrix on another device or in another precision."""
        return Graph(self.matrix, dtype=dtype or self.dtype, device=device or self.device)

    @cached_property
    def T(self) -> Graph:
        """The transpose; shares the memory of the products."""
        other = object.__new__(Graph)
        other.matrix, other.shape = self.matrix.T.tocsr(), self.shape[::-1]
        other.dtype, other.device = self.dtype, self.device
        other._forward, other._backward = self._backward, self._forward
        return other

    @property
    def n_edges(self) -> int:
        return self.matrix.nnz

    @cached_property
    def degrees(self) -> Tensor:
        """Sum of each row, shape (n_rows,): the number of neighbors in a binary graph."""
        sums = np.asarray(self.matrix.sum(axis=1)).ravel()
        return torch.as_tensor(sums, dtype=self.dtype, device=self.device)

    def __matmul__(self, x: Tensor) -> Tensor:
        return _SparseProduct.apply(x, self._forward, self._backward)


class Chain:
    """A product of sparse matrices that is never formed: a tensor is multiplied by one after the other.

    Filtered features are such a product, S ... S X, and nearly dense when formed. So they need the memory of X alone; a
    product with them takes as many more steps over the graph.

    Parameters
    ----------
    factors
        From left to right, each with as many columns as the next one has rows.
    """

    def __init__(self, *factors: Graph) -> None:
        self.factors = factors
        self.shape = (factors[0].shape[0], factors[-1].shape[1])

    @property
    def T(self) -> Chain:
        """The transpose; shares the memory of the factors."""
        return Chain(*(factor.T for factor in reversed(self.factors)))

    @property
    def matrix(self) -> sp.csr_matrix:
        """The product, formed."""
        return reduce(lambda left, right: sp.csr_matrix(left @ right), (factor.matrix for factor in self.factors))

    def __matmul__(self, x: Tensor) -> Tensor:
        for factor in reversed(self.factors):
            x = factor @ x
        return x


class _SparseProduct(torch.autograd.Function):
    """A X, whose gradient in X is A^T times the gradient; the matrix itself is a constant."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor | Edges, transpose: Tensor | Edges) -> Tensor:
        ctx.transpose = transpose
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transpose @ gradient.contiguous(), None, None


class Edges:
    """A sparse matrix as a list of edges, for devices on which torch multiplies no CSR matrix (Apple's)."""

    def __init__(self, matrix: sp.csr_matrix, dtype: torch.dtype, device: str | torch.device) -> None:
        edges = matrix.tocoo()
        self.n_rows = matrix.shape[0]
        self.rows, self.columns = (torch.as_tensor(i, dtype=torch.int64, device=device) for i in (edges.row, edges.col))
        self.values = torch.as_tensor(edges.data, dtype=dtype, device=device)[:, None]

    def __matmul__(self, x: Tensor) -> Tensor:
        product = x.new_zeros(self.n_rows, x.shape[1])
        chunks = (part.split(EDGES_AT_ONCE) for part in (self.rows, self.columns, self.values))
        for rows, columns, values in zip(*chunks, strict=True):
            product.index_add_(0, rows, x[columns] * values)
        return product


def _operand(matrix: sp.csr_matrix, dtype: torch.dtype, device: str | torch.device) -> Tensor | Edges:
    if torch.device(device).type == "mps":
        return Edges(matrix, dtype, device)
    # scipy's own indices, which are then not copied, where they are of one type
    index = torch.int32 if matrix.indices.dtype == matrix.indptr.dtype == np.int32 else torch.int64
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            torch.as_tensor(matrix.indptr, dtype=index),
            torch.as_tensor(matrix.indices, dtype=index),
            torch.as_tensor(matrix.data, dtype=dtype),
            size=matrix.shape,
            dtype=dtype,
            device=device,
            check_invariants=True,
        )


def _check_neighbors(n_others: int, n_points: int, what: str, *, given: int) -> None:
    if n_others < 1:
        raise SettingsError(f"n_neighbors is {given}; choose at least {given - n_others + 1}")
    if n_others >= n_points:
        most = n_points - 1 + given - n_others
        raise SettingsError(f"n_neighbors is {given} but there are {n_points} {what}; choose n_neighbors <= {most}")


def _is_cheaper_dense(values: sp.csr_matrix) -> bool:
    return values.nnz > DENSE_ABOVE * np.prod(values.shape, dtype=float)


def _squared_distances(values: sp.csr_matrix) -> np.ndarray:
    """Between columns, rounded to float32 at the end as scikit-learn does: ties of counts are then the same."""
    squared = -2 * _gram(values)
    lengths = squared.diagonal() / -2
    squared += lengths[:, None]
    squared += lengths
    return np.maximum(squared, 0, out=squared).astype(np.float32)


def _gram(values: sp.csr_matrix) -> np.ndarray:
    """X^T X in float64, exact for counts, with some cells dense at a time."""
    products = np.zeros((values.shape[1], values.shape[1]))
    for start in range(0, values.shape[0], GRAM_CELLS):
        block = values[start : start + GRAM_CELLS].toarray().astype(np.float64)
        products += block.T @ block
    return products


def _union(neighbors: np.ndarray, n_points: int) -> sp.csr_matrix:
    rows = np.repeat(np.arange(n_points), neighbors.shape[1])
    chosen = sp.csr_matrix((np.ones(rows.size, np.float32), (rows, neighbors.ravel())), shape=(n_points, n_points))
    graph = chosen.maximum(chosen.T)
    graph.sort_indices()
    return sp.csr_matrix(graph)


def _approximate_neighbors(values: np.ndarray | sp.csr_matrix, n_neighbors: int, metric: str, seed: int) -> np.ndarray:
    from pynndescent import NNDescent

    index = NNDescent(values, metric=metric, n_neighbors=n_neighbors + 1, random_state=seed)
    found = index.neighbor_graph[0]
    others = np.empty((len(found), n_neighbors - 1), dtype=found.dtype)
    for cell, row in enumerate(found):
        others[cell] = row[row != cell][: n_neighbors - 1]
    return others
