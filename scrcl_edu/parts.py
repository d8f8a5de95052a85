"""The seam of the method: six functions that a fit is made of, each of which can be replaced by one's own.

Lesson 12 replaces one. A part is a plain function with the signature of the one that it stands for; it sees what that
one sees, and never a label. What it gives back is looked at before it is used.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from scrcl_edu.errors import SettingsError

SIGNATURES = {
    "input": "counts",
    "graph": "values, n_neighbors",
    "alignment": "e1, e2, cell_graph, temperature",
    "refinement": "encodings, projector, programs",
    "clustering": "embedding, n_clusters, seed",
    "stopping": "epoch, history",
}


class PartError(SettingsError):
    """A part cannot be called as it should be, or gives something else than it should."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a fit is made of; None is the method's own, with the settings of the recipe.

    Attributes
    ----------
    input
        (counts) -> features: from the counts of the chosen genes, CSR, to what the encoders read, of the same shape;
        the method's own is :func:`scrcl_edu.preprocessing.encoder_features`.
    graph
        (values, n_neighbors) -> CSR graph: from the log values of the chosen genes, CSR, to a symmetric, binary graph
        without self-loops; :func:`scrcl_edu.graphs.cell_graph`. n_neighbors counts the cell itself.
    alignment
        (e1, e2, cell_graph, temperature) -> scalar tensor: the loss between the two views' unit-row encodings, which
        stands for the weighted sum of both alignments; :func:`scrcl_edu.alignment.alignments`. `cell_graph @ x` sums
        over neighbors.
    refinement
        (encodings, projector, programs) -> refined cells, shape (n_cells, out_dim);
        :func:`scrcl_edu.refinement.refine`.
    clustering
        (embedding, n_clusters, seed) -> cluster of each cell, integers >= 0, shape (n_cells,);
        :func:`scrcl_edu.clustering.kmeans`.
    stopping
        (epoch, history) -> whether to stop after this epoch, which counts from 1; `history["total"]` and the other
        losses are lists. The recipe's number of epochs remains the largest.
    """

    input: Callable[..., Any] | None = None
    graph: Callable[..., Any] | None = None
    alignment: Callable[..., Any] | None = None
    refinement: Callable[..., Any] | None = None
    clustering: Callable[..., Any] | None = None
    stopping: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        for name, function in self.given.items():
            if not callable(function):
                raise PartError(f"the part {name} is {function!r}; give a function ({SIGNATURES[name]})")
            try:
                inspect.signature(function).bind(*SIGNATURES[name].split(", "))
            except TypeError as error:
                raise PartError(f"the part {name} is called with ({SIGNATURES[name]}), but {error}") from error

    @property
    def given(self) -> dict[str, Callable[..., Any]]:
        """The parts that are not the method's own, by name."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: function for name, function in fields.items() if function is not None}

    @property
    def named(self) -> dict[str, str]:
        """What stands in `uns`: the names of the functions that were given."""
        return {name: getattr(function, "__name__", type(function).__name__) for name, function in self.given.items()}


def features_of(part: Callable[..., Any], counts: sp.csr_matrix) -> np.ndarray | sp.csr_matrix:
    """Call an input part and look at what it gives.

    Raises
    ------
    PartError
        When it is no matrix of finite numbers of the shape of the counts.
    """
    features = part(counts.copy())
    values = features.data if sp.issparse(features) else features
    if not (sp.issparse(features) or isinstance(features, np.ndarray)) or features.shape != counts.shape:
        raise PartError(f"the part input gave {_what(features)}; give a matrix of shape {counts.shape}, as the counts")
    if not np.isfinite(values).all():
        raise PartError("the part input gave NaN or infinite values; is something divided by zero?")
    return sp.csr_matrix(features, dtype=np.float32) if sp.issparse(features) else features.astype(np.float32)


def graph_of(part: Callable[..., Any], values: sp.csr_matrix, n_neighbors: int) -> sp.csr_matrix:
    """Call a graph part and look at what it gives.

    Raises
    ------
    PartError
        When it is no symmetric, binary graph of the cells without self-loops.
    """
    given = part(values.copy(), n_neighbors)
    shape = (values.shape[0], values.shape[0])
    if getattr(given, "shape", None) != shape:
        raise PartError(f"the part graph gave {_what(given)}; give a SciPy sparse matrix of shape {shape}")
    graph = sp.csr_matrix(given, dtype=np.float32)
    graph.eliminate_zeros()
    if set(np.unique(graph.data)) - {1.0}:
        raise PartError("the part graph gave weights; an edge is 1 and no edge is 0")
    if graph.diagonal().any():
        raise PartError("the part graph gave self-loops; no cell is its own neighbor here")
    if (graph != graph.T).nnz:
        raise PartError("the part graph gave a graph that is not symmetric; graph.maximum(graph.T) makes it so")
    return graph


def aligned(
    part: Callable[..., Any], e1: Tensor, e2: Tensor, cell_graph: Any, *, temperature: float
) -> tuple[Tensor, Tensor]:
    """Call an alignment part; its loss, and zero for the neighborhood's, which it stands for as well.

    Raises
    ------
    PartError
        When it is no scalar tensor with a gradient.
    """
    loss = part(e1, e2, cell_graph, temperature)
    if not isinstance(loss, Tensor) or loss.ndim:
        raise PartError(f"the part alignment gave {_what(loss)}; give one number as a scalar tensor")
    if torch.is_grad_enabled() and not loss.requires_grad:
        raise PartError("the part alignment gave a loss without a gradient; stay with torch and do not detach")
    return loss, torch.zeros_like(loss)


def refined(part: Callable[..., Any], encodings: Tensor, projector: Any, programs: Tensor) -> Tensor:
    """Call a refinement part and look at what it gives.

    Raises
    ------
    PartError
        When it is no tensor of shape (n_cells, out_dim).
    """
    z, shape = part(encodings, projector, programs), (len(encodings), programs.shape[1])
    if not isinstance(z, Tensor) or tuple(z.shape) != shape:
        raise PartError(f"the part refinement gave {_what(z)}; give a tensor of shape {shape}")
    return z


def clusters_of(part: Callable[..., Any], embedding: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Call a clustering part and look at what it gives.

    Raises
    ------
    PartError
        When it is not one whole number >= 0 for each cell.
    """
    clusters = np.asarray(part(embedding.copy(), n_clusters, seed))
    if clusters.shape != (len(embedding),) or clusters.dtype.kind not in "iu" or clusters.min() < 0:
        raise PartError(
            f"the part clustering gave {_what(clusters)}; give one whole number >= 0 for each of {len(embedding)} cells"
        )
    return clusters.astype(int)


def _what(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}{f' of shape {tuple(shape)}' if shape is not None else ''}"
