"""Lesson 06: gene programs, cells as mixtures of programs, and consistency across views."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from scrcl_edu import encoders, refinement
from scrcl_edu.course.task import Cost, Exercise, Mutant
from scrcl_edu.graphs import Graph


def gene_programs(view_1: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The gene encoder: P = ReLU(graph convolution over genes)."""
    encoder = refinement.GeneEncoder(*weight.shape).to(weight.dtype)
    encoder.gcn.lin.weight.data, encoder.gcn.bias.data = weight.T, bias
    operator = encoders.gcn_operator(sp.csr_matrix(graph.numpy()))
    return encoder(view_1.T, Graph(operator, dtype=view_1.dtype)).detach()


def refine(encodings: Tensor, weight: Tensor, bias: Tensor, programs: Tensor) -> Tensor:
    """Write each cell as a mixture of gene programs."""
    projector = nn.Linear(*weight.shape, dtype=weight.dtype)
    projector.requires_grad_(False)
    projector.weight.data, projector.bias.data = weight.T, bias
    return refinement.refine(encodings, projector, programs)


def consistency(z1: Tensor, z2: Tensor, graph: Tensor) -> Tensor:
    """How far similarities across the views are from the graph."""
    return refinement.cross_view_consistency(z1, z2, Graph(sp.csr_matrix(graph.numpy()), dtype=z1.dtype))


def _operator(graph: Tensor, *, turned: bool = True) -> Tensor:
    incoming = graph.T if turned else graph
    scale = incoming.sum(1).clamp(min=1).rsqrt()
    return scale[:, None] * incoming * scale


def _edge_by_edge(view_1: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    profiles, degree = view_1.T @ weight, graph.sum(0)
    rows = [bias.clone() for _ in range(len(graph))]
    for g, h in graph.nonzero().tolist():
        rows[h] = rows[h] + profiles[g] / (degree[g] * degree[h]) ** 0.5
    return torch.stack(rows).relu()


def _mixture(encodings: Tensor, weight: Tensor, bias: Tensor, programs: Tensor) -> Tensor:
    return (encodings @ weight + bias) @ programs


def _genes(rng: np.random.Generator) -> dict[str, Any]:
    n_cells, n_genes = rng.integers(4, 6), 5
    graph = np.eye(n_genes) + (rng.random((n_genes, n_genes)) < 0.25)
    graph[0, 1:3], graph[1:3, 0] = 1, 0
    return {
        "view_1": torch.from_numpy(rng.integers(0, 6, (n_cells, n_genes)).astype(float)),
        "graph": torch.from_numpy(np.minimum(graph, 1)),
        "weight": torch.from_numpy(rng.normal(size=(n_cells, 2)).round(1)),
        "bias": torch.from_numpy(rng.uniform(0.2, 0.8, 2).round(1)),
    }


def _mixtures(rng: np.random.Generator) -> dict[str, Any]:
    n_cells, n_hidden, n_genes, out_dim = rng.integers(3, 6), 2, 4, 3
    return {
        "encodings": torch.from_numpy(rng.random((n_cells, n_hidden)).round(1) + 0.1),
        "weight": torch.from_numpy(rng.normal(size=(n_hidden, n_genes)).round(1)),
        "bias": torch.from_numpy(rng.uniform(0.3, 1, n_genes).round(1)),
        "programs": torch.from_numpy(rng.integers(0, 5, (n_genes, out_dim)) + 0.5),
    }


def _many_mixtures(rng: np.random.Generator) -> dict[str, Any]:
    shapes = {"encodings": (90, 5), "weight": (5, 400), "bias": (400,), "programs": (400, 3)}
    return {name: torch.from_numpy(rng.random(shape)) for name, shape in shapes.items()}


def _refined(rng: np.random.Generator) -> dict[str, Any]:
    n_cells, out_dim = rng.integers(4, 7), 3
    z1, z2 = (torch.nn.functional.normalize(torch.from_numpy(rng.random((n_cells, out_dim)))) for _ in range(2))
    graph = np.triu(rng.random((n_cells, n_cells)) < 0.5, 1)
    graph[0, 1] = True
    return {"z1": z1, "z2": z2, "graph": torch.from_numpy((graph | graph.T).astype(float))}


def _errors(z1: Tensor, z2: Tensor, graph: Tensor) -> Tensor:
    return z1 @ z2.T - graph - torch.eye(len(graph), dtype=graph.dtype)


def _collected(view_1: Tensor, graph: Tensor, weight: Tensor, bias: Tensor, degree: Tensor) -> Tensor:
    scale = degree.clamp(min=1).rsqrt()
    return scale[:, None] * graph.T * scale @ (view_1.T @ weight) + bias


TASKS = (
    Exercise(
        name="gene_programs",
        lesson="06",
        difficulty=2,
        minutes=10,
        reference=gene_programs,
        inputs=_genes,
        alternative=_edge_by_edge,
        mutants=(
            Mutant(
                "not transposed",
                lambda view_1, graph, weight, bias: (_operator(graph) @ (view_1 @ weight) + bias).relu(),
                "You fed the cells to the gene encoder. Its nodes are genes: the profile of a gene is a column of X1, "
                "so its input is the transpose, shape (n_genes, n_cells).",
            ),
            Mutant(
                "wrong direction",
                lambda view_1, graph, weight, bias: (
                    _operator(graph, turned=False) @ (view_1.T @ weight) + bias
                ).relu(),
                "Messages run against the edges. Entry [g, h] is the edge from g to h: gene h collects from g.",
            ),
            Mutant(
                "no ReLU",
                lambda view_1, graph, weight, bias: _operator(graph) @ (view_1.T @ weight) + bias,
                "There are negative numbers in your programs: the ReLU is missing.",
            ),
            Mutant(
                "edges that leave",
                lambda view_1, graph, weight, bias: _collected(view_1, graph, weight, bias, graph.sum(1)).relu(),
                "You counted the edges that leave a gene. The degrees count those that *arrive*: sum over the first "
                "dimension.",
            ),
            Mutant(
                "mean over edges",
                lambda view_1, graph, weight, bias: (
                    graph.T / graph.sum(0)[:, None] @ (view_1.T @ weight) + bias
                ).relu(),
                "You took the mean over the edges that arrive. Each message is divided by the root of both degrees, "
                "sender and receiver.",
            ),
            Mutant(
                "sum over edges",
                lambda view_1, graph, weight, bias: (graph.T @ (view_1.T @ weight) + bias).relu(),
                "You summed the messages without any scaling: each is divided by sqrt(deg_g deg_h).",
            ),
            Mutant(
                "bias after the ReLU",
                lambda view_1, graph, weight, bias: (
                    _collected(view_1, graph, weight, 0 * bias, graph.sum(0)).relu() + bias
                ),
                "You added the bias after the ReLU. It belongs inside.",
            ),
            Mutant(
                "leaky ReLU",
                lambda view_1, graph, weight, bias: torch.nn.functional.leaky_relu(
                    _collected(view_1, graph, weight, bias, graph.sum(0))
                ),
                "This is the leaky ReLU of view 2. Programs have no negative entries: a plain ReLU.",
            ),
        ),
        hints=(
            "What is a node here, and what are its features? Look at the shapes of weight and graph.",
            "Transpose view_1, then do what gcn_layer of lesson 03 does (the self-loops are there already), then a "
            "ReLU.",
        ),
        tested="values and shape on 4 or 5 cells and 5 genes",
        not_tested="speed, sparse features, gradients",
    ),
    Exercise(
        name="refine",
        lesson="06",
        difficulty=2,
        minutes=10,
        reference=refine,
        inputs=_mixtures,
        gradient=("encodings", "programs"),
        alternative=lambda encodings, weight, bias, programs: torch.nn.functional.normalize(
            torch.addmm(bias @ programs, encodings, weight @ programs), dim=1
        ),
        cost=Cost(
            arguments=_many_mixtures,
            n_entries=lambda given: given["encodings"].numel() + 2 * given["programs"].numel(),
            n_operations=lambda given: 10 * len(given["encodings"]),
            message="The matrix of cells by genes need not exist: let the two small matrices, the projector and the "
            "programs, meet first.",
        ),
        mutants=(
            Mutant(
                "softmax of the projection",
                lambda encodings, weight, bias, programs: encoders.unit_rows(
                    (encodings @ weight + bias).softmax(1) @ programs
                ),
                "You took a softmax of the projection. The weights of the mixture are E W + b as they are; only the "
                "result is scaled.",
            ),
            Mutant(
                "not unit rows",
                _mixture,
                "The mixture is right; its rows are not scaled to length 1.",
            ),
            Mutant(
                "unit columns",
                lambda encodings, weight, bias, programs: torch.nn.functional.normalize(
                    _mixture(encodings, weight, bias, programs), dim=0
                ),
                "You scaled the columns to length 1. A cell is a row.",
            ),
            Mutant(
                "scaled too early",
                lambda encodings, weight, bias, programs: encoders.unit_rows(encodings @ weight + bias) @ programs,
                "You scaled the projection, before it met the programs. The rows of the product are scaled.",
            ),
            Mutant(
                "whole matrix",
                lambda encodings, weight, bias, programs: (
                    _mixture(encodings, weight, bias, programs) / _mixture(encodings, weight, bias, programs).norm()
                ),
                "You divided by the length of the whole matrix. Each row has a length of its own: dim=1.",
            ),
            Mutant(
                "softmax",
                lambda encodings, weight, bias, programs: _mixture(encodings, weight, bias, programs).softmax(1),
                "You took a softmax. A refined cell is only scaled to length 1; its entries may be negative.",
            ),
            Mutant(
                "ReLU",
                lambda encodings, weight, bias, programs: encoders.unit_rows(
                    _mixture(encodings, weight, bias, programs).relu()
                ),
                "You cut off the negative entries. There is a ReLU in the programs, but none after the mixture.",
            ),
        ),
        hints=(
            "(E W + b) P is a sum of two products. In which order can three matrices be multiplied, and which order "
            "never makes a matrix of cells by genes?",
            "Scale the rows at the very end.",
        ),
        tested="values, shape and gradients on 3 to 5 cells; the largest tensor on 90",
        not_tested="speed",
    ),
    Exercise(
        name="consistency",
        lesson="06",
        difficulty=2,
        minutes=10,
        reference=consistency,
        inputs=_refined,
        gradient=("z1", "z2"),
        alternative=lambda z1, z2, graph: torch.nn.functional.mse_loss(
            z1 @ z2.T, graph + torch.eye(len(graph), dtype=graph.dtype)
        ),
        mutants=(
            Mutant(
                "no identity",
                lambda z1, z2, graph: (z1 @ z2.T - graph).square().mean(),
                "The identity is missing: the two views of one and the same cell should agree as well, so the target "
                "is A + I.",
            ),
            Mutant(
                "absolute",
                lambda z1, z2, graph: _errors(z1, z2, graph).abs().mean(),
                "You took absolute differences; they are squared here.",
            ),
            Mutant(
                "identity subtracted",
                lambda z1, z2, graph: (
                    (_errors(z1, z2, graph) + 2 * torch.eye(len(graph), dtype=graph.dtype)).square().mean()
                ),
                "The identity has the wrong sign: the target is A + I, and all of it is subtracted from the "
                "similarities.",
            ),
            Mutant(
                "edges only",
                lambda z1, z2, graph: (
                    (_errors(z1, z2, graph) * (graph + torch.eye(len(graph), dtype=graph.dtype))).square().mean()
                ),
                "You look at edges and the cell itself only. All pairs count: where there is no edge, the similarity"
                " should be 0.",
            ),
        ),
        hints=(
            "z1 @ z2.T holds the similarity of every pair, shape (n_cells, n_cells).",
            "Subtract the graph and the identity, square, take the mean of all entries.",
        ),
        tested="value and gradients on 4 to 6 cells",
        not_tested="memory",
    ),
)
