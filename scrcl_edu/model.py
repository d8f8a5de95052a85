"""ScRCL: encoders, refinement and losses put together. Lesson 07 trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from scrcl_edu.alignment import alignments, check_temperature
from scrcl_edu.all_cells import AllCells
from scrcl_edu.dropout import Dropout
from scrcl_edu.encoders import GraphEncoder, MLPEncoder, gcn_operator, unit_rows
from scrcl_edu.errors import SettingsError
from scrcl_edu.graphs import Chain, Graph, dense_if_cheaper
from scrcl_edu.refinement import GeneEncoder, cross_view_consistency, refine


class Outputs(NamedTuple):
    """What a forward pass gives: unit-row encodings, refined cells, gene programs."""

    e1: Tensor  # (n_cells, n_hidden)
    e2: Tensor
    z1: Tensor  # (n_cells, out_dim)
    z2: Tensor
    programs: Tensor  # (n_genes, out_dim)


class Losses(NamedTuple):
    """The three parts, not weighted, and their weighted sum; scalars."""

    distribution: Tensor
    neighborhood: Tensor
    consistency: Tensor
    total: Tensor


@dataclass(frozen=True)
class Inputs:
    """What stays the same in every epoch.

    Parameters
    ----------
    view_1
        Filtered features of view 1, shape (n_cells, n_genes): a tensor, a Graph while they are sparse, or a Chain of
        the graph's and the features' matrices where a tensor would be too large.
    propagated
        S X2, what the first graph convolution of view 2 multiplies with its weights.
    cell_graph, cell_operator
        The graph of the losses, and S = D^-1/2 (A + I) D^-1/2.
    gene_operator
        Of the directed gene graph.
    """

    view_1: Tensor | Graph | Chain
    propagated: Tensor | Graph | Chain
    cell_graph: Graph
    cell_operator: Graph
    gene_operator: Graph

    @property
    def cells(self) -> AllCells:
        """What sums over all cells go through."""
        return self.cell_graph.cells

    @property
    def profiles(self) -> Any:
        """The genes over the cells, X1^T, shape (n_genes, n_cells): something that multiplies weights."""
        return self.view_1.T

    @classmethod
    def build(
        cls,
        view_1: np.ndarray | sp.csr_matrix,
        view_2: np.ndarray | sp.csr_matrix,
        cell_graph: sp.csr_matrix,
        gene_graph: sp.csr_matrix,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Inputs:
        """From filtered features (n_cells, n_genes) and binary graphs to what the model reads."""
        cell_operator = gcn_operator(cell_graph)
        # dense before the product: as a sparse matrix its result would take twice the memory
        propagated = dense_if_cheaper(cell_operator.astype(view_2.dtype) @ dense_if_cheaper(view_2))

        def placed(x: np.ndarray | sp.csr_matrix) -> Tensor | Graph:
            dense = isinstance(x, np.ndarray)
            return torch.as_tensor(x, dtype=dtype, device=device) if dense else Graph(x, dtype=dtype, device=device)

        operators = (
            Graph(g, dtype=dtype, device=device) for g in (cell_graph, cell_operator, gcn_operator(gene_graph))
        )
        return cls(placed(dense_if_cheaper(view_1)), placed(propagated), *operators)

    @classmethod
    def chained(
        cls,
        features: sp.csr_matrix,
        filter_steps: tuple[int, int],
        cell_graph: sp.csr_matrix,
        gene_graph: sp.csr_matrix,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Inputs:
        """As :meth:`build` of features that are filtered so often, without anything of size n_cells x n_genes dense."""
        x, graph, smoother, genes = (
            Graph(matrix, dtype=dtype, device=device)
            for matrix in (features, cell_graph, gcn_operator(cell_graph), gcn_operator(gene_graph))
        )
        steps_1, steps_2 = filter_steps
        view_1, propagated = Chain(*[smoother] * steps_1, x), Chain(*[smoother] * (steps_2 + 1), x)
        return cls(view_1, propagated, graph, smoother, genes)


class ScRCL(nn.Module):
    """The whole method as one torch module.

    Parameters
    ----------
    n_cells, n_genes
        Shape of the features; the gene encoder is as wide as there are cells.
    n_hidden
        Width of the encodings.
    out_dim
        Number of gene programs, and width of one refined view.
    dropout
        In view 2 and before the projector, in [0, 1).
    temperature
        Of the softmaxes of both alignments, > 0.
    weight_distribution, weight_neighborhood, weight_consistency
        1, lambda1 and lambda2 in the paper, >= 0; 0 switches a loss off.
    align, refine_cells
        What the alignments and the refinement are computed by, see :mod:`scrcl_edu.parts`.
    """

    def __init__(
        self,
        n_cells: int,
        n_genes: int,
        *,
        n_hidden: int = 1500,
        out_dim: int,
        dropout: float = 0.3,
        temperature: float = 0.1,
        weight_distribution: float = 1.0,
        weight_neighborhood: float = 100.0,
        weight_consistency: float = 1.0,
        align: Callable[..., tuple[Tensor, Tensor]] = alignments,
        refine_cells: Callable[..., Tensor] = refine,
    ) -> None:
        super().__init__()
        self.align, self.refine_cells = align, refine_cells
        check_temperature(temperature)
        if not 0 <= dropout < 1:
            raise SettingsError(f"dropout is {dropout}; choose a share from 0 to below 1, usually 0.3")
        if min(n_hidden, out_dim) < 1:
            raise SettingsError(f"n_hidden is {n_hidden} and out_dim {out_dim}; both must be at least 1")
        weights = (weight_distribution, weight_neighborhood, weight_consistency)
        for name, weight in zip(Losses._fields, weights, strict=False):
            if not 0 <= weight < float("inf"):
                raise SettingsError(f"weight_{name} is {weight}; choose a number >= 0")
        self.temperature = temperature
        self.weight_distribution, self.weight_neighborhood, self.weight_consistency = weights
        self.MLP_encoder = MLPEncoder(n_genes, n_hidden)
        self.GNN_encoder = GraphEncoder(n_genes, n_hidden, dropout)
        self.gene_encoder = GeneEncoder(n_cells, out_dim)
        self.projector = nn.Linear(n_hidden, n_genes)
        self.dropout = Dropout(dropout)

    @property
    def operations(self) -> float:
        """Of a forward pass, about: two floating-point ones for each cell and weight of the encoders."""
        weights = [*self.MLP_encoder.parameters(), *self.GNN_encoder.parameters()]
        return 2.0 * self.gene_encoder.gcn.lin.in_features * sum(weight.numel() for weight in weights)

    def forward(self, inputs: Inputs) -> Outputs:
        """One pass over all cells."""
        encodings_1 = self.MLP_encoder(inputs.view_1)  # (n_cells, n_hidden)
        encodings_2 = self.GNN_encoder(inputs.propagated, inputs.cell_operator)
        programs = self.gene_encoder(inputs.profiles, inputs.gene_operator)
        # computed again in the backward pass, random numbers included: their arrays are as large as the encodings
        z1, z2 = (checkpoint(self._refine, e, programs, use_reentrant=False) for e in (encodings_1, encodings_2))
        return Outputs(unit_rows(encodings_1), unit_rows(encodings_2), z1, z2, programs)

    def _refine(self, encodings: Tensor, programs: Tensor) -> Tensor:
        return self.refine_cells(self.dropout(encodings), self.projector, programs)

    def losses(self, outputs: Outputs, inputs: Inputs) -> Losses:
        """The three losses of one pass and their weighted sum."""
        distribution, neighborhood = self.align(outputs.e1, outputs.e2, inputs.cell_graph, temperature=self.temperature)
        consistency = cross_view_consistency(outputs.z1, outputs.z2, inputs.cell_graph)
        total = self.weight_distribution * distribution
        total = total + self.weight_neighborhood * neighborhood + self.weight_consistency * consistency
        return Losses(distribution, neighborhood, consistency, total)
