"""Lesson 03, beyond its functions: a prediction, a fault to mend, a transfer and an explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrcl_edu import encoders
from scrcl_edu.course.guesses import Number
from scrcl_edu.course.task import Explanation, Mend, Mutant, Prediction, Property, Transfer
from scrcl_edu.course.tasks.lesson_03 import _sparse


def two_hops(x: Tensor, graph: Tensor) -> Tensor:
    """Collect along the arriving edges twice, as two graph convolutions without weights do.

    Parameters
    ----------
    x
        Features, shape (n_nodes, n_features).
    graph
        Binary and directed, without self-loops, shape (n_nodes, n_nodes); entry [i, j] is the edge from i to j.

    Returns
    -------
    Same shape as `x`.
    """
    operator = encoders.Graph(encoders.gcn_operator(_sparse(graph)), dtype=x.dtype)
    return operator @ (operator @ x)


def two_hops_given(x: Tensor, graph: Tensor) -> Tensor:
    """The second time it collects against the edges."""
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)  # (n_nodes, n_nodes)
    degree = incoming.sum(dim=1)  # (n_nodes,)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return operator.T @ (operator @ x)  # (n_nodes, n_features)


def _operator(graph: Tensor) -> Tensor:
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)
    scale = incoming.sum(1).rsqrt()
    return scale[:, None] * incoming * scale


def _node_by_node(x: Tensor, graph: Tensor) -> Tensor:
    arriving = graph.sum(0) + 1
    for _ in range(2):
        rows = []
        for j in range(len(x)):
            speakers = [j, *graph[:, j].nonzero()[:, 0].tolist()]
            rows.append(sum(x[i] / (arriving[i] * arriving[j]).sqrt() for i in speakers))
        x = torch.stack(rows)
    return x


def _directed(rng: np.random.Generator) -> dict[str, Any]:
    n_nodes = rng.integers(5, 8)
    graph = np.triu(rng.random((n_nodes, n_nodes)) < 0.5, 1)
    graph[0, 1] = graph[1, 2] = True
    x = torch.from_numpy(rng.integers(-3, 4, (n_nodes, 2)).astype(float))
    return {"x": x, "graph": torch.from_numpy(graph.astype(float))}


def counts_to_encode(rng: np.random.Generator) -> dict[str, Any]:
    """Counts of 150 cells of three types and 300 genes; the second cell is the first, caught three times as well."""
    types = np.repeat(["a", "b", "c"], 50)
    level = rng.gamma(1.0, 1.0, 300) * np.ones((150, 1))
    for number, name in enumerate("abc"):
        level[types == name, 60 * number : 60 * number + 60] *= 3
    counts = rng.poisson(level * rng.lognormal(0.5, 0.5, (150, 1))).astype(float)
    counts[1] = 3 * counts[0]
    return {"counts": counts, "types": types}


def _encode(counts: np.ndarray, width: int = 100, depth: float = 0.0) -> np.ndarray:
    directions = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    weights = np.random.default_rng(0).normal(size=(counts.shape[1], width))
    hidden = directions @ weights + depth * counts.sum(axis=1, keepdims=True)
    return hidden / np.linalg.norm(hidden, axis=1, keepdims=True)


def _kept(encoded: np.ndarray, counts: np.ndarray) -> float:
    directions = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    pairs = np.triu_indices(len(counts), 1)
    return float(np.corrcoef((directions @ directions.T)[pairs], (encoded @ encoded.T)[pairs])[0, 1])


TASKS = (
    Prediction(
        name="what_training_adds",
        lesson="03",
        difficulty=1,
        minutes=1,
        text="k-means clusters the encodings of both views together, before and after training, for three seeds. By "
        "how much does training change the mean accuracy, which lies between 0 and 1?",
        shape=Number(
            near=0.05,
            low=-0.2,
            high=0.4,
            form="+.2f",
            right="The smoothed counts go in, and wide random layers keep their angles: most of the score is there "
            "before the first step.",
            too_low="This guess expects training to do harm. It can, to one view or one seed; the mean over both views "
            "and the seeds hardly moves.",
            too_high="This guess gives the weights the credit. A random wide layer keeps the angles between cells, so "
            "what the smoothed counts know arrives without any training.",
        ),
    ),
    Mend(
        name="two_hops",
        lesson="03",
        difficulty=2,
        minutes=6,
        text="This function should collect along the arriving edges twice. On the symmetric graph of cells it is "
        "right. Find the fault, and mend it.",
        reference=two_hops,
        faulty=two_hops_given,
        symptom="Along the path 0 to 1 to 2, node 2 hears nothing of node 0, although two steps are enough.",
        inputs=_directed,
        edge_cases=({"x": torch.ones(1, 2).double(), "graph": torch.zeros(1, 1).double()},),
        alternative=_node_by_node,
        mutants=(
            Mutant(
                "entries squared",
                lambda x, graph: _operator(graph) ** 2 @ x,
                "** squares each entry by itself. Two steps are the product of the matrix with itself.",
            ),
            Mutant(
                "both against the edges",
                lambda x, graph: _operator(graph).T @ (_operator(graph).T @ x),
                "Now both steps go against the edges: nodes hear those they point at.",
            ),
            Mutant(
                "the other one",
                lambda x, graph: _operator(graph) @ (_operator(graph).T @ x),
                "One of the two steps still goes against the edges, the first one now.",
            ),
            Mutant(
                "one step",
                lambda x, graph: _operator(graph) @ x,
                "This collects once. Two steps are asked for.",
            ),
            Mutant(
                "made symmetric",
                lambda x, graph: (_operator(graph) + _operator(graph).T) @ (_operator(graph) + _operator(graph).T) @ x,
                "You let messages run both ways along every edge. The graph is directed, and should stay so.",
            ),
        ),
        hints=(
            "Do the two steps one by one on the path 0 to 1 to 2, and write down who holds what after each.",
            "Row j of the operator says whom node j hears. What do the rows of its transpose say?",
        ),
        tested="values on directed graphs of 5 to 7 nodes, and one node alone",
        not_tested="speed, sparse graphs",
    ),
    Transfer(
        name="untrained_encoder",
        lesson="03",
        difficulty=3,
        minutes=12,
        text="Encode 150 cells with 300 genes in at most 120 numbers each, without any training, so that similar cells "
        "stay similar and depth has no say. The types are hidden from you.",
        answer="a function that takes counts, shape (150, 300), and gives encodings, shape (150, at most 120)",
        function=True,
        data=counts_to_encode,
        hidden=("types",),
        properties=(
            Property(
                "a row for each cell, at most 120 numbers",
                lambda e, data: np.ndim(e) == 2 and len(e) == len(data["counts"]) and np.shape(e)[1] <= 120,
                "Hand back an array with a row for each cell and at most 120 columns.",
                wrong=lambda counts: _encode(counts, 200),
            ),
            Property(
                "unit rows",
                lambda e, data: np.allclose(np.linalg.norm(e, axis=1), 1),
                "Scale each row to length 1, so that products are cosines.",
                wrong=lambda counts: 2 * _encode(counts),
            ),
            Property(
                "depth has no say",
                lambda e, data: np.allclose(e[0], e[1], atol=1e-6),
                "The second cell is the first, caught three times as well, and your encodings of the two differ. What "
                "in your encoder does not scale with the counts?",
                wrong=lambda counts: _encode(counts, depth=1e-4),
            ),
            Property(
                "angles are kept",
                lambda e, data: _kept(np.asarray(e), data["counts"]) > 0.8,
                "The cosines of pairs before and after do not agree well. How many random sums does it take?",
                wrong=lambda counts: _encode(counts, 3),
            ),
        ),
        solution=_encode,
        rubric=(
            "says why many random sums keep angles and few do not",
            "there is no bias, or the depth is taken out first, for a reason that is given",
            "compares with the counts themselves instead of praising the encoder",
        ),
        hints=(
            "The lesson's slider shows what width does.",
            "Which part of a linear layer does not grow when all counts of a cell are three times as large?",
        ),
    ),
    Explanation(
        name="untrained_score",
        lesson="03",
        difficulty=2,
        minutes=4,
        text="An untrained network scores as well as the trained one. Where does the score come from, and which "
        "comparisons would show it?",
        model="From what goes in: the counts carry the types, and averaging over the graph takes noise out of them. A "
        "wide layer with random weights keeps the angles between cells, so that k-means finds in the encoding what it "
        "would find in the smoothed counts. The comparisons are the inputs without the network, the network without "
        "the graph, and the network without training, over several seeds.",
        rubric=(
            "names the smoothed counts as the source",
            "says that wide random layers keep angles",
            "names at least two comparisons that could have come out otherwise, over seeds",
        ),
    ),
)
