"""Cells times gene programs: what the gene graph adds to the two views. Lesson 06 builds this module.

A graph convolution over the gene graph turns the genes' profiles into programs P (n_genes, out_dim). A refined cell is
the mixture of programs that its encoding asks for, scaled to length 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scrcl_edu.encoders import GCNLayer, unit_rows
from scrcl_edu.graphs import Graph


class GeneEncoder(nn.Module):
    """Gene programs: P = ReLU(GCN(X1^T; gene graph)). Its input is as wide as there are cells.

    Parameters
    ----------
    n_cells
        Width of a gene's profile.
    out_dim
        Number of programs.
    """

    def __init__(self, n_cells: int, out_dim: int) -> None:
        super().__init__()
        self.gcn = GCNLayer(n_cells, out_dim)

    def forward(self, profiles: Tensor | Graph, operator: Graph) -> Tensor:
        """Profiles X1^T (n_genes, n_cells), operator of the gene graph -> programs (n_genes, out_dim), >= 0."""
        return F.relu(self.gcn(profiles, operator))


def refine(encodings: Tensor, projector: nn.Linear, programs: Tensor) -> Tensor:
    """Write each cell as a mixture of gene programs.

    Parameters
    ----------
    encodings
        Of one view, before scaling, shape (n_cells, n_hidden).
    projector
        Linear map n_hidden -> n_genes, shared by the views.
    programs
        P, shape (n_genes, out_dim).

    Returns
    -------
    z, unit rows, shape (n_cells, out_dim). Costs O(n_cells * n_hidden * out_dim).

    Notes
    -----
    (E W + b) P = E (W P) + b P: the small matrices meet first, and the n_cells x n_genes projection never exists.
    """
    return unit_rows(encodings @ (projector.weight.T @ programs) + projector.bias @ programs)


def refine_dense(encodings: Tensor, projector: nn.Linear, programs: Tensor) -> Tensor:
    """:func:`refine` as the paper writes it, through the n_cells x n_genes projection."""
    return unit_rows(projector(encodings) @ programs)


def cross_view_consistency(z1: Tensor, z2: Tensor, cell_graph: Graph) -> Tensor:
    """How far the similarities between refined cells of the two views are from the graph with its self-loops.

    Parameters
    ----------
    z1, z2
        Refined cells of the two views, unit rows, shape (n_cells, out_dim).
    cell_graph
        Symmetric, without self-loops, shape (n_cells, n_cells).

    Returns
    -------
    Scalar, the mean over all pairs of (z1_i . z2_j - (A + I)_ij)^2. Costs O(n_cells * out_dim^2 + n_edges * out_dim).
    """
    n_cells, cells = cell_graph.shape[1], cell_graph.cells
    squares = (cells.total(z1.T @ z1) * cells.total(z2.T @ z2)).sum()
    on_graph = cells.total((z1 * (cell_graph @ z2 + z2)).sum())
    return (squares - 2 * on_graph + cell_graph.n_edges + n_cells) / n_cells**2


def cross_view_consistency_dense(z1: Tensor, z2: Tensor, cell_graph: Graph) -> Tensor:
    """:func:`cross_view_consistency` through the n_cells x n_cells similarities."""
    target = torch.as_tensor(cell_graph.matrix.toarray(), dtype=z1.dtype, device=z1.device)
    return (z1 @ z2.T - target - torch.eye(len(z1), dtype=z1.dtype, device=z1.device)).square().mean()
