"""Lesson 06, beyond its functions: two predictions, a fault to mend, a transfer and an explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from scrcl_edu import graphs, refinement
from scrcl_edu.course.guesses import Choice, Number
from scrcl_edu.course.task import Cost, Explanation, Mend, Mutant, Prediction, Property, Transfer
from scrcl_edu.graphs import Graph


def linear_consistency(z1: Tensor, z2: Tensor, graph: Tensor) -> Tensor:
    """The consistency loss through matrices of programs by programs and the edges."""
    return refinement.cross_view_consistency(z1, z2, Graph(sp.csr_matrix(graph.numpy()), dtype=z1.dtype))


def linear_consistency_given(z1: Tensor, z2: Tensor, graph: Tensor) -> Tensor:
    """The sum of squared similarities is taken inside view 1."""
    n_cells = len(z1)
    squares = (z1.T @ z1).square().sum()  # (out_dim, out_dim)
    on_graph = (z1 * (graph @ z2 + z2)).sum()  # sums over neighbors, and the cell itself
    n_ones = graph.sum() + n_cells
    return (squares - 2 * on_graph + n_ones) / n_cells**2


def _squares_across(z1: Tensor, z2: Tensor) -> Tensor:
    return (z1.T @ z2).square().sum()


def _with_squares(squares: Any, *, itself: bool = True) -> Any:
    def loss(z1: Tensor, z2: Tensor, graph: Tensor) -> Tensor:
        on_graph = (z1 * (graph @ z2 + (z2 if itself else 0))).sum()
        return (squares(z1, z2) - 2 * on_graph + graph.sum() + len(z1)) / len(z1) ** 2

    return loss


def _right_squares(z1: Tensor, z2: Tensor) -> Tensor:
    return ((z1.T @ z1) * (z2.T @ z2)).sum()


def _two_views(rng: np.random.Generator) -> dict[str, Any]:
    n_cells = rng.integers(4, 7)
    z1, z2 = (torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(n_cells, 3)))) for _ in range(2))
    graph = np.triu(rng.random((n_cells, n_cells)) < 0.5, 1)
    return {"z1": z1, "z2": z2, "graph": torch.from_numpy((graph | graph.T).astype(float))}


def _many_cells(rng: np.random.Generator) -> dict[str, Any]:
    z1, z2 = (torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(80, 3)))) for _ in range(2))
    graph = np.triu(rng.random((80, 80)) < 0.1, 1)
    return {"z1": z1, "z2": z2, "graph": torch.from_numpy((graph | graph.T).astype(float))}


def module_counts(rng: np.random.Generator) -> dict[str, Any]:
    """Counts of 300 cells and 60 genes in six modules; within a module abundance differs a hundredfold."""
    modules = np.repeat(np.arange(6), 10)
    activity = rng.gamma(1.0, 1.0, (300, 6))
    abundance = np.tile(np.geomspace(0.5, 50, 10), 6)
    counts = rng.poisson(activity[:, modules] * abundance).astype(float)
    order = rng.permutation(60)
    return {"counts": counts[:, order], "modules": modules[order]}


def _by_correlation(counts: np.ndarray, n_neighbors: int = 5) -> sp.csr_matrix:
    logs = np.log1p(counts)
    return graphs.gene_graph((logs - logs.mean(axis=0)) / logs.std(axis=0), n_neighbors=n_neighbors)


def _inside(graph: Any, data: dict[str, Any]) -> float:
    source, target = sp.csr_matrix(graph).nonzero()
    other = source != target
    return float(np.mean(data["modules"][source[other]] == data["modules"][target[other]]))


TASKS = (
    Prediction(
        name="operations_saved",
        lesson="06",
        difficulty=2,
        minutes=2,
        text="There are 700 cells, 765 genes, 256 hidden units and 10 programs. How many times fewer operations does "
        "E (W P) take than (E W) P?",
        shape=Number(
            near=2,
            low=1,
            high=200,
            factor=True,
            form=".0f",
            unit="times",
            right="N H G against H G d + N H d: the number of genes is traded for a handful of programs.",
            too_low="Write both counts down: (E W) P costs 2 N H G + 2 N G d, and in E (W P) no term has N and G in "
            "it together.",
            too_high="The genes do not vanish altogether: W P still has to be made once, for 2 H G d operations, and "
            "E times it costs 2 N H d.",
        ),
    ),
    Prediction(
        name="consistency_prefers",
        lesson="06",
        difficulty=2,
        minutes=2,
        text="Two embeddings: in one, cells of the same type have similarity 1 and all others 0; in the other, every "
        "similarity is 0. Which one has the smaller consistency loss?",
        shape=Choice(
            options=("the perfect types", "no similarity at all"),
            right="Most pairs of one type are no neighbors, and the target calls them strangers.",
            means={
                "the perfect types": "This guess takes the loss for what it is meant to do. Its target is the graph, "
                "and the graph joins a cell with about fourteen others, while its type has many more.",
            },
        ),
    ),
    Mend(
        name="linear_consistency",
        lesson="06",
        difficulty=2,
        minutes=10,
        text="This loss should equal the dense one, in linear time. On one embedding it did. Find the fault, and "
        "mend it.",
        reference=linear_consistency,
        faulty=linear_consistency_given,
        cost=Cost(
            arguments=_many_cells,
            n_entries=lambda given: given["z1"].numel() + 2 * int(given["graph"].sum()),
            n_operations=lambda given: 2 * len(given["z1"]),
            message="Similarities of all pairs of cells need not exist: what is summed over the pairs can be had from "
            "matrices of programs by programs, and from the edges.",
        ),
        symptom="It agrees with the dense form when the two views are the same, and with no other. Where does view 2 "
        "come in?",
        inputs=_two_views,
        gradient=("z1", "z2"),
        alternative=lambda z1, z2, graph: (
            (((z1 @ (z2.T @ z2)) * z1).sum() - 2 * ((graph @ z1 + z1) * z2).sum() + graph.sum() + len(z1))
            / len(z1) ** 2
        ),
        mutants=(
            Mutant(
                "across first",
                _with_squares(_squares_across),
                "You took Z1^T Z2 for both factors. Write the sum over i and j out: what belongs to i is z1_i twice, "
                "and what belongs to j is z2_j twice.",
            ),
            Mutant(
                "the other view alone",
                _with_squares(lambda z1, z2: (z2.T @ z2).square().sum()),
                "Now both factors come from view 2. The square of z1_i . z2_j holds each of them twice.",
            ),
            Mutant(
                "mean of the two views",
                _with_squares(lambda z1, z2: ((z1.T @ z1).square().sum() + (z2.T @ z2).square().sum()) / 2),
                "This is the mean over the two views of similarities inside a view. The loss compares across them.",
            ),
            Mutant(
                "matrix product",
                _with_squares(lambda z1, z2: (z1.T @ z1 @ z2.T @ z2).sum()),
                "Entry by entry: (Z1^T Z1)_ab times (Z2^T Z2)_ab, and no product of the two matrices.",
            ),
            Mutant(
                "without the cell itself",
                _with_squares(_right_squares, itself=False),
                "The squares are right now. But the target is A + I: the cell itself belongs to its neighborhood.",
            ),
        ),
        hints=(
            "Two views that differ show it. Which of the three parts does not change when z2 does?",
            "The sum over i, j, a, b of z1_ia z1_ib z2_ja z2_jb: first sum over i alone, then over j alone.",
        ),
        tested="value and gradients on 4 to 6 cells",
        not_tested="speed; only the largest matrix that is made",
    ),
    Transfer(
        name="graph_of_modules",
        lesson="06",
        difficulty=3,
        minutes=15,
        text="Counts of 300 cells and 60 genes that act in modules; inside a module the abundance of genes differs a "
        "hundredfold. Build a gene graph that follows the modules, which you do not get to see.",
        answer="a function that takes counts, shape (300, 60), and gives a sparse graph of the genes",
        function=True,
        data=module_counts,
        hidden=("modules",),
        properties=(
            Property(
                "sparse, one row and column for each gene",
                lambda graph, data: sp.issparse(graph) and graph.shape == 2 * data["counts"].shape[1:],
                "Hand back a SciPy sparse matrix, shape (n_genes, n_genes): the nodes are genes.",
                wrong=lambda counts: _by_correlation(counts.T),
            ),
            Property(
                "three to ten others for each gene",
                lambda graph, data: bool(
                    np.all((others := np.asarray((graph - sp.diags(graph.diagonal()) != 0).sum(axis=1))) >= 3)
                    and np.all(others <= 10)
                ),
                "Each gene should choose between three and ten others, itself not counted.",
                wrong=lambda counts: _by_correlation(counts, 30),
            ),
            Property(
                "nine of ten edges stay inside a module",
                lambda graph, data: _inside(graph, data) >= 0.9,
                "Too many edges join genes of different modules. What makes two of these genes look alike that do not "
                "act together?",
                wrong=lambda counts: graphs.gene_graph(counts, n_neighbors=5),
            ),
        ),
        solution=_by_correlation,
        rubric=(
            "abundance is taken out before genes are compared (standardizing, correlation, cosine of centered values)",
            "says why a rare gene of a module still finds it, or where that stops",
            "the number of neighbors is argued for from the counts, without the modules",
        ),
        hints=(
            "Look at the means of two genes that your graph joins. What have they in common?",
            "After which scaling is the Euclidean distance of two columns a function of their correlation?",
        ),
    ),
    Explanation(
        name="why_alone_is_cheap",
        lesson="06",
        difficulty=3,
        minutes=5,
        text="Trained with the consistency loss alone, the two views of a cell end up at right angles, although the "
        "loss asks for similarity 1 there. Why is that cheap, and what prevents it when all three losses are trained?",
        model="Of all pairs only about three or four in a hundred have the target 1, so that a similarity of 0 for "
        "everyone misses the target nowhere else, while any similarity that ten programs can give to neighbors spills "
        "over to the many pairs with the target 0. Turning one view away from the other through the projector and the "
        "programs is an easy step to that solution. With all three losses this one has a tiny share of the gradient, "
        "and the alignments keep the encodings of the two views together, so that one projector for both gives "
        "similar mixtures.",
        rubric=(
            "says that nearly all pairs have the target 0, so that nothing is a good approximation",
            "says that similarity of neighbors cannot be had without similarity of non-neighbors when programs are few",
            "names what keeps the views together in the whole method: the alignments, or the small weight of this loss",
        ),
    ),
)
