"""Lesson 03: the graph convolution, unit rows, and the first view."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu import encoders
from scrcl_edu.course.comparing import numbers
from scrcl_edu.course.task import Exercise, Mutant


def gcn_layer(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One graph convolution: out_j = sum of W x_i / sqrt(deg_i deg_j), plus b."""
    layer = encoders.GCNLayer(*weight.shape).to(weight.dtype)
    layer.lin.weight.data, layer.bias.data = weight.T.detach(), bias.detach()
    operator = encoders.gcn_operator(_sparse(graph))
    return layer(x, encoders.Graph(operator, dtype=x.dtype)).detach()


def _sparse(graph: Tensor) -> Any:
    import scipy.sparse as sp

    return sp.csr_matrix(graph.numpy().astype(float))


def _gcn(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor, *, turned: bool = True, loops: bool = True) -> Tensor:
    with_self = graph + torch.eye(len(graph), dtype=graph.dtype) if loops else graph
    incoming = with_self.T if turned else with_self
    scale = incoming.sum(1).clamp(min=1).rsqrt()
    return (scale[:, None] * incoming * scale) @ (x @ weight) + bias


def _edge_by_edge(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    n_nodes = len(x)
    edges = [(i, j) for i in range(n_nodes) for j in range(n_nodes) if i == j or graph[i, j]]
    arriving = [sum(1 for _, target in edges if target == j) for j in range(n_nodes)]
    rows = [bias.clone() for _ in range(n_nodes)]
    for i, j in edges:
        rows[j] = rows[j] + x[i] @ weight / (arriving[i] * arriving[j]) ** 0.5
    return torch.stack(rows)


def _normalized_twice(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)
    degree = incoming.sum(1)
    return incoming / (degree[:, None] * degree) @ (x @ weight) + bias


def _leaving_degrees(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)
    scale = incoming.sum(0).rsqrt()
    return (scale[:, None] * incoming * scale) @ (x @ weight) + bias


def _not_turned(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    leaving = graph + torch.eye(len(graph), dtype=graph.dtype)
    scale = leaving.sum(0).rsqrt()
    return (scale[:, None] * leaving * scale) @ (x @ weight) + bias


def _mean_of_neighbors(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)
    return incoming / incoming.sum(1, keepdim=True) @ (x @ weight) + bias


def _unguarded(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    degree = graph.sum(0)
    return graph.T / torch.outer(degree, degree).sqrt() @ x @ weight + bias


def _bias_inside(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    with_ones = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    return _gcn(with_ones, graph, torch.cat([weight, bias[None]]), 0 * bias)


def _gcn_inputs(rng: np.random.Generator) -> dict[str, Any]:
    n_nodes, n_in, n_out = rng.integers(5, 8), 3, 2
    graph = np.triu(rng.random((n_nodes, n_nodes)) < 0.5, 1) | np.tril(rng.random((n_nodes, n_nodes)) < 0.2, -1)
    graph[0, 1:3] = True  # never symmetric, so that the direction matters
    graph[1:3, 0] = False
    return {
        "x": torch.from_numpy(rng.integers(-3, 4, (n_nodes, n_in)).astype(float)),
        "graph": torch.from_numpy(graph.astype(float)),
        "weight": torch.from_numpy(rng.normal(size=(n_in, n_out)).round(1)),
        "bias": torch.from_numpy(rng.uniform(0.5, 1.5, n_out).round(1)),
    }


def _rows_inputs(rng: np.random.Generator) -> dict[str, Any]:
    return {"x": torch.from_numpy(rng.integers(-4, 5, (rng.integers(3, 7), rng.integers(2, 5))) + 0.5)}


def view_1(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The first view of each cell: a linear layer, a ReLU, and rows of length 1."""
    encoder = encoders.MLPEncoder(*weight.shape).to(weight.dtype)
    encoder.layer1.weight.data, encoder.layer1.bias.data = weight.T.detach(), bias.detach()
    return encoders.unit_rows(encoder(x).detach())


def _view_inputs(rng: np.random.Generator) -> dict[str, Any]:
    n_cells, n_genes, n_hidden = rng.integers(4, 7), 3, rng.integers(3, 6)
    drawn = {
        "x": torch.from_numpy(rng.integers(-2, 4, (n_cells, n_genes)).astype(float)),
        "weight": torch.from_numpy(rng.normal(size=(n_genes, n_hidden)).round(1)),
        "bias": torch.from_numpy(rng.uniform(0.2, 1.0, n_hidden).round(1)),
    }
    silent = (drawn["x"] @ drawn["weight"] + drawn["bias"] <= 0).all(dim=1).any()  # a row of zeros has no length
    return _view_inputs(rng) if silent else drawn


TASKS = (
    Exercise(
        name="gcn_layer",
        lesson="03",
        difficulty=2,
        minutes=12,
        reference=gcn_layer,
        inputs=_gcn_inputs,
        alternative=_edge_by_edge,
        mutants=(
            Mutant(
                "sum not turned",
                _not_turned,
                "Your degrees count the edges that arrive, as they should, but the sum runs over the edges that leave: "
                "entry [i, j] is the edge from i to j, and j collects.",
            ),
            Mutant(
                "wrong direction",
                lambda x, graph, weight, bias: _gcn(x, graph, weight, bias, turned=False),
                "Your nodes listen to the nodes they point at. Entry [i, j] is the edge from i to j: node j collects "
                "from i, so row j of what you multiply with must hold the edges that arrive at j.",
            ),
            Mutant(
                "normalized twice",
                _normalized_twice,
                "Each edge is divided by deg_i deg_j instead of by the square root of it: the normalization is there "
                "twice.",
            ),
            Mutant(
                "no self-loop",
                lambda x, graph, weight, bias: _gcn(x, graph, weight, bias, loops=False),
                "A node does not hear itself: the self-loops are missing, in the sum and in the degrees.",
            ),
            Mutant(
                "degrees of leaving edges",
                _leaving_degrees,
                "The sum is right, the degrees are not: deg counts the edges that arrive, and yours are those that "
                "leave.",
            ),
            Mutant(
                "plain mean",
                _mean_of_neighbors,
                "You take the mean over the arriving edges, which divides by deg_j. The layer divides by sqrt(deg_i "
                "deg_j).",
            ),
            Mutant(
                "bias before the sum",
                _bias_inside,
                "The bias goes through the sum over the edges. Add it afterwards, so that each node gets it exactly "
                "once.",
            ),
            Mutant(
                "not normalized",
                lambda x, graph, weight, bias: (
                    (graph.T + torch.eye(len(graph), dtype=graph.dtype)) @ (x @ weight) + bias
                ),
                "You add up what arrives without dividing. Each edge i -> j weighs 1 / sqrt(deg_i deg_j).",
            ),
            Mutant(
                "made symmetric",
                lambda x, graph, weight, bias: _gcn(x, torch.maximum(graph, graph.T), weight, bias),
                "Your graph has become symmetric: edges carry in both directions. Here each has one, from i to j.",
            ),
            Mutant(
                "weight turned",
                lambda x, graph, weight, bias: _gcn(x, graph, weight.T, bias),
                "The weight has shape (n_in, n_out) here, so x @ weight fits as it is. (torch.nn.Linear stores its "
                "weight the other way round.)",
            ),
            Mutant(
                "with a ReLU",
                lambda x, graph, weight, bias: _gcn(x, graph, weight, bias).relu(),
                "What is negative has become 0: there is a ReLU in your layer. It comes later, outside of the layer.",
            ),
            Mutant(
                "no self-loop and no guard",
                lambda x, graph, weight, bias: _unguarded(x, graph, weight, bias),
                "Self-loops are missing, so that a node to which nothing points has degree 0, and you divide by it.",
            ),
        ),
        hints=(
            "Add the self-loops, then turn the graph so that row j holds the edges which arrive at node j.",
            "With M that turned matrix and deg its row sums, scale entry [j, i] by 1 / sqrt(deg_j deg_i); a row "
            "vector and a column vector of deg**-0.5 do it without a loop. Then multiply with x @ weight and add the "
            "bias.",
        ),
        tested="values and shape on directed graphs of 5 to 7 nodes",
        not_tested="speed, sparse graphs, gradients",
    ),
    Exercise(
        name="unit_rows",
        lesson="03",
        difficulty=1,
        minutes=4,
        reference=encoders.unit_rows,
        inputs=_rows_inputs,
        gradient=("x",),
        alternative=lambda x: x / (x * x).sum(1, keepdim=True).sqrt(),
        mutants=(
            Mutant(
                "whole matrix",
                lambda x: x / x.norm(),
                "You divide by the length of the whole matrix. Each row has a length of its own: sum along the last "
                "dimension.",
            ),
            Mutant(
                "columns",
                lambda x: x / x.norm(dim=0, keepdim=True),
                "Your columns have length 1, not the rows. The sum of squares runs over the wrong dimension.",
            ),
            Mutant(
                "forgot the root",
                lambda x: x / (x * x).sum(1, keepdim=True),
                "You divide by the squared length. The length is the square root of the sum of squares.",
            ),
            Mutant(
                "sum of absolute values",
                lambda x: x / x.abs().sum(1, keepdim=True),
                "Your rows have absolute values that sum to 1. The length meant here is the square root of the sum of "
                "squares.",
            ),
            Mutant(
                "no column",
                lambda x: x / x.norm(dim=1),
                "The lengths have shape (n_cells,), and torch lines them up with the columns. With keepdim=True they "
                "are a column, shape (n_cells, 1), which divides each row.",
            ),
            Mutant(
                "sum",
                lambda x: x / x.sum(1, keepdim=True),
                "Your rows sum to 1. Their length should be 1: the square root of the sum of squares.",
            ),
            Mutant(
                "softmax",
                lambda x: x.softmax(1),
                "That is a softmax: positive numbers that sum to 1. Unit rows keep signs and proportions.",
            ),
            Mutant(
                "standardized rows",
                lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True),
                "Your rows have mean 0: you subtracted it (and divided by the deviation, as when standardizing, which "
                "gives NaN for a constant row). A unit row is not shifted, only divided by its length.",
                sign=lambda result, arguments: abs(np.nan_to_num(numbers(result)).sum(1)).max() < 1e-6,
            ),
            Mutant(
                "standardized columns",
                lambda x: (x - x.mean(0)) / x.std(0),
                "Your columns have mean 0: you subtracted it. Unit rows are not shifted, and each row has a length of "
                "its own.",
                sign=lambda result, arguments: abs(np.nan_to_num(numbers(result)).sum(0)).max() < 1e-6,
            ),
            Mutant(
                "divided by the deviation",
                lambda x: x / x.std(1, keepdim=True),
                "You divided each row by its standard deviation, which takes the mean away first. The length does not: "
                "it is the square root of the sum of squares.",
            ),
            Mutant(
                "from 0 to 1",
                lambda x: (x - x.amin(1, keepdim=True)) / (x.amax(1, keepdim=True) - x.amin(1, keepdim=True)),
                "Your rows run from 0 to 1 (smallest and largest entry). Unit rows keep signs and proportions: they "
                "are divided by their length only.",
                sign=lambda result, arguments: np.nan_to_num(numbers(result)).min() >= 0,
            ),
            Mutant(
                "lengths alone",
                lambda x: x.norm(dim=1, keepdim=True),
                "These are the lengths of the rows. Each row is still to be divided by its own.",
                sign=lambda result, arguments: np.allclose(
                    numbers(result).ravel(), np.linalg.norm(numbers(arguments["x"]), axis=1)
                ),
            ),
            Mutant(
                "multiplied",
                lambda x: x * x.norm(dim=1, keepdim=True),
                "You multiplied by the length. Dividing by it makes the length 1.",
            ),
        ),
        hints=(
            "The length of a row is the square root of the sum of its squares.",
            "keepdim=True keeps a column of lengths, shape (n_cells, 1), which divides every row by its own.",
        ),
        tested="values and shape on matrices of 3 to 6 rows",
        not_tested="rows of zeros, speed",
    ),
    Exercise(
        name="view_1",
        lesson="03",
        difficulty=1,
        minutes=5,
        reference=view_1,
        inputs=_view_inputs,
        alternative=lambda x, weight, bias: torch.nn.functional.normalize(
            torch.addmm(bias, x, weight).clamp(min=0), dim=1
        ),
        mutants=(
            Mutant(
                "no ReLU",
                lambda x, weight, bias: encoders.unit_rows(x @ weight + bias),
                "There are negative numbers in your view: the ReLU is missing.",
            ),
            Mutant(
                "scaled before the ReLU",
                lambda x, weight, bias: encoders.unit_rows(x @ weight + bias).relu(),
                "Your rows are shorter than 1: they were scaled first, and the ReLU then cut off a part. Scale last.",
            ),
            Mutant(
                "not scaled",
                lambda x, weight, bias: (x @ weight + bias).relu(),
                "The encodings are right, but their rows are not scaled to length 1.",
            ),
            Mutant(
                "bias after the ReLU",
                lambda x, weight, bias: encoders.unit_rows((x @ weight).relu() + bias),
                "The bias is added after the ReLU. It belongs inside: linear layer with its bias first, then the ReLU.",
            ),
            Mutant(
                "leaky",
                lambda x, weight, bias: encoders.unit_rows(torch.nn.functional.leaky_relu(x @ weight + bias)),
                "Your ReLU is a leaky one, which view 2 uses. View 1 sets everything negative to 0.",
            ),
            Mutant(
                "sigmoid",
                lambda x, weight, bias: encoders.unit_rows((x @ weight + bias).sigmoid()),
                "You used a sigmoid in place of the ReLU.",
            ),
            Mutant(
                "unit columns",
                lambda x, weight, bias: torch.nn.functional.normalize((x @ weight + bias).relu(), dim=0),
                "Your columns have length 1, not the rows: dim=1 runs along a row.",
            ),
        ),
        hints=(
            "Three steps in this order: linear layer, ReLU, unit rows.",
            "x @ weight has shape (n_cells, n_hidden); the bias is added to every row before the ReLU sets what is "
            "negative to 0.",
        ),
        tested="values and shape on 4 to 6 cells",
        not_tested="speed, sparse features, cells whose encoding is zero",
    ),
)
