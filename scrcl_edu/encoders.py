"""Two views of each cell: a plain layer and a graph network. Lesson 03 builds this module.

Both map the filtered features of a cell to `n_hidden` numbers; their rows, scaled to length 1, are e1 and e2.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scrcl_edu.dropout import Dropout
from scrcl_edu.graphs import Graph

NEGATIVE_SLOPE = 0.01


def unit_rows(x: Tensor) -> Tensor:
    """Scale each row to length 1; a row of zeros stays as it is. Shape kept."""
    return F.normalize(x, dim=-1)


def gcn_operator(graph: sp.csr_matrix) -> sp.csr_matrix:
    """What a graph convolution multiplies with: entry [j, i] is 1 / sqrt(deg_i deg_j) for each edge i -> j.

    Parameters
    ----------
    graph
        Binary, directed or not; entry [i, j] is the edge from i to j. Self-loops are added where they are missing.

    Returns
    -------
    Shape as `graph`. deg counts the edges that *arrive*, the self-loop included.
    """
    loops = sp.diags((graph.diagonal() == 0).astype(np.float64))
    incoming = sp.csr_matrix((graph + loops).T)
    scale = sp.diags(1 / np.sqrt(np.asarray(incoming.sum(axis=1)).ravel()))
    return sp.csr_matrix(scale @ incoming @ scale)


class GCNLayer(nn.Module):
    """Graph convolution: out_j = sum over edges i -> j of W x_i / sqrt(deg_i deg_j), plus b.

    Parameters
    ----------
    n_in, n_out
        Widths. W starts Glorot-uniform, b at zero.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.lin = nn.Linear(n_in, n_out, bias=False)
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.xavier_uniform_(self.lin.weight)

    def forward(self, x: Tensor | Graph, operator: Graph) -> Tensor:
        """Features x (n_nodes, n_in), operator from :func:`gcn_operator` -> (n_nodes, n_out)."""
        return operator @ (x @ self.lin.weight.T) + self.bias


class MLPEncoder(nn.Module):
    """View 1: one linear layer and a ReLU."""

    def __init__(self, n_genes: int, n_hidden: int) -> None:
        super().__init__()
        self.layer1 = nn.Linear(n_genes, n_hidden)

    def forward(self, view_1: Tensor | Graph) -> Tensor:
        """Features (n_cells, n_genes) -> encodings (n_cells, n_hidden), >= 0."""
        return F.relu_(_add(view_1 @ self.layer1.weight.T, self.layer1.bias))


class GraphEncoder(nn.Module):
    """View 2: two graph convolutions and a linear layer, each followed by a leaky ReLU.

    The first convolution acts on features that never change, so it is given S X2, computed once before training.
    """

    def __init__(self, n_genes: int, n_hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.layer1 = GCNLayer(n_genes, n_hidden)
        self.layer2 = GCNLayer(n_hidden, n_hidden)
        self.layer3 = nn.Linear(n_hidden, n_hidden)
        self.dropout = Dropout(dropout)

    def forward(self, propagated: Tensor | Graph, operator: Graph) -> Tensor:
        """Propagated features S X2 (n_cells, n_genes) -> encodings (n_cells, n_hidden)."""
        hidden = _leaky(_add(propagated @ self.layer1.lin.weight.T, self.layer1.bias))  # (n_cells, n_hidden)
        hidden = _leaky(_add(operator @ (hidden @ self.layer2.lin.weight.T), self.layer2.bias))
        return _leaky(self.layer3(self.dropout(hidden)))


def _add(product: Tensor, bias: Tensor) -> Tensor:
    return product.add_(bias)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu_(x, NEGATIVE_SLOPE)
