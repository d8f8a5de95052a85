"""Wrong answers that stand in no catalogue, written without looking into one: what a check says to a stranger.

Each is a function in the place of an exercise's, and a pattern that the cause must match for the mistake to count as
named: the thing that was done, not only that something is wrong.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn.functional import normalize

from scrcl_edu.course.tasks import catalogue

OWN = {name: task.reference for name, task in catalogue("check", "mend").items()}


def ratio(divergence, graph, *, near_own=True, total=False):
    own = torch.eye(len(graph), dtype=divergence.dtype)
    near = graph + own if near_own else graph
    far = torch.ones_like(own) if total else 1 - own
    return ((divergence * near).sum(1) / near.sum(1)) / ((divergence * far).sum(1) / far.sum(1))


def logs(e, temperature):
    return torch.log_softmax(e / temperature, -1)


def terms(log_q1, log_q2):
    q1, q2, n = log_q1.exp(), log_q2.exp(), len(log_q1)
    h1, h2 = (q1 * log_q1).sum(1), (q2 * log_q2).sum(1)
    return n * h1, h2.sum(), q1 @ log_q2.sum(0), log_q1 @ q2.sum(0), ((q1 - q2) * (log_q1 - log_q2)).sum(1)


def to_dense(graph):
    return graph.toarray() if sp.issparse(graph) else np.asarray(graph)


def scaled(graph, power, own=1.0):
    a = to_dense(graph) + own * np.eye(graph.shape[0])
    d = a.sum(1)
    return sp.csr_matrix(a * np.outer(d**power, d**power))


def one_way(e1, e2, temperature):
    q1, q2 = (torch.softmax(e / temperature, -1) for e in (e1, e2))
    return (q1 * (q1.log() - q2.log())).sum(-1)


def own_column(x):
    return x / x.norm(dim=1, keepdim=True)[0]


STRANGERS = [
    # share of zeros, and what one cluster is worth
    ("share_of_zeros", lambda counts: 100 * (counts == 0).mean(), "100 times"),
    ("share_of_zeros", lambda counts: (counts == 0).mean(axis=0), "not reduced: its mean"),
    ("share_of_zeros", lambda counts: (counts <= 1).mean(), "ones as well"),
    ("share_of_zeros", lambda counts: round(float((counts == 0).mean()), 1), "rounded"),
    ("one_cluster_accuracy", lambda labels: np.unique(labels, return_counts=True)[1] / len(labels), "max"),
    # counts to features
    ("normalize_log", lambda counts: np.log1p(counts), "divided by|depth|scaled|not normalized"),
    ("normalize_log", lambda counts: np.log10(1 + 1e4 * counts / counts.sum(1, keepdims=True)), "base 10"),
    ("normalize_log", lambda counts: 1e4 * np.log1p(counts / counts.sum(1, keepdims=True)), "before it|after the log"),
    ("normalize_log", lambda counts: OWN["normalize_log"](counts).T, "transpose"),
    ("normalize_log", lambda counts: OWN["normalize_log"](counts)[::-1], "reverse order"),
    ("normalize_log", lambda counts: np.sqrt(OWN["normalize_log"](counts)), "square root"),
    ("normalize_log", lambda counts: OWN["normalize_log"](counts) + 1, "plus 1"),
    ("drop_empty", lambda counts: counts[counts.sum(1) > 0], "genes|columns|shape"),
    ("select_genes", lambda x, n: ~OWN["select_genes"](x, n), "the other way round"),
    ("select_genes", lambda x, n: np.flatnonzero(OWN["select_genes"](x, n)), "positions"),
    (
        "select_genes",
        lambda x, n: OWN["select_genes"](x, n + 1),
        "True at all the right places and at 1 more|too many|n_top",
    ),
    ("select_genes", lambda x, n: OWN["select_genes"](x, n - 1), "n_top_genes one smaller"),
    # graphs
    ("homophily", lambda graph, labels: OWN["homophily"](graph, labels) / 2, "1/2|half"),
    ("homophily", lambda graph, labels: 1.0, "1 everywhere|not used|look"),
    ("homophily", lambda graph, labels: OWN["homophily"](graph, labels) ** 2, "square"),
    ("normalized_adjacency", lambda graph: scaled(graph, -1.0), "d_i d_j|square|root"),
    ("normalized_adjacency", lambda graph: scaled(graph, -0.25), "power|root"),
    ("normalized_adjacency", lambda graph: scaled(graph, -0.5).multiply(0.5).tocsr(), "1/2 of|0.5"),
    ("normalized_adjacency", lambda graph: scaled(graph, -0.5) @ scaled(graph, -0.5), "times itself|once too often"),
    ("normalized_adjacency", lambda graph: sp.triu(scaled(graph, -0.5)).tocsr(), "other side|symmetric"),
    ("normalized_adjacency", lambda graph: -scaled(graph, -0.5), "sign"),
    ("low_pass", lambda values, graph, n: OWN["low_pass"](values, graph, n + 1), "step|too often|once more"),
    ("low_pass", lambda values, graph, n: values, "graph used"),
    ("low_pass", lambda values, graph, n: OWN["low_pass"](values, graph, n).T, "transpose"),
    ("low_pass", lambda values, graph, n: n * OWN["low_pass"](values, graph, n), "times"),
    ("neighbor_mean", lambda graph, values: (graph @ values) / 2, None),
    (
        "neighbor_mean",
        lambda graph, values: OWN["neighbor_mean"](graph, OWN["neighbor_mean"](graph, values)),
        "applied twice",
    ),
    # encoders
    ("gcn_layer", lambda x, g, w, b: OWN["gcn_layer"](x, g, w, 2 * b), "off by one number in each column|bias"),
    ("gcn_layer", lambda x, g, w, b: OWN["gcn_layer"](x, g, w, -b), "off by one number in each column|bias"),
    ("gcn_layer", lambda x, g, w, b: OWN["gcn_layer"](x, g, w, b).abs(), "without its sign|ReLU|negative"),
    ("unit_rows", lambda x: x / x.norm(dim=1, keepdim=True) ** 3, "factor for each row|length|power"),
    ("unit_rows", own_column, "factor for each row|length"),
    ("unit_rows", lambda x: normalize(x, dim=1) / 2, "1/2 of|0.5 times|half"),
    ("unit_rows", lambda x: normalize(x, dim=1) - normalize(x, dim=1).mean(0), "mean of each column"),
    ("view_1", lambda x, w, b: normalize((x @ w + b).exp(), dim=1), "ReLU|exp"),
    # alignment
    ("log_probabilities", lambda e, t: logs(e, t) / np.log(2), "base 2"),
    ("log_probabilities", lambda e, t: torch.log_softmax(e / t, 0), "column|dimension|axis|cells"),
    ("log_probabilities", lambda e, t: logs(e, 1 / t), "temperature|multipl"),
    ("log_probabilities", lambda e, t: -logs(e, t), "sign"),
    ("symmetric_kl", lambda a, b, t: 3 * OWN["symmetric_kl"](a, b, t), "3 times"),
    ("symmetric_kl", lambda a, b, t: OWN["symmetric_kl"](a, b, t).sqrt(), "square root"),
    ("symmetric_kl", lambda a, b, t: OWN["symmetric_kl"](a, b.detach(), t), "gradient by e2"),
    ("cell_alignment", lambda a, b, t: OWN["cell_alignment"](a.detach(), b, t), "gradient by e1"),
    ("cell_alignment", lambda a, b, t: len(a) * OWN["cell_alignment"](a, b, t), "rows of e1|number of cells|summed"),
    ("cell_alignment", lambda a, b, t: OWN["cell_alignment"](a, b, t).log(), "logarithm"),
    (
        "pairwise_divergence",
        lambda a, b, t: OWN["pairwise_divergence"](a, b, t).T,
        "transpose|swapped|Rows and columns",
    ),
    ("pairwise_divergence", lambda a, b, t: OWN["pairwise_divergence"](a, b, t).fill_diagonal_(0), "diagonal"),
    (
        "pairwise_divergence",
        lambda a, b, t: OWN["pairwise_divergence"](a, b, t).mean(1),
        "reduced too far|summed|cells",
    ),
    ("neighborhood_ratio", lambda d, g: ratio(d, g).sum(), "number of rows|mean"),
    ("neighborhood_ratio", lambda d, g: 1 / ratio(d, g).mean(), "divided by the expected|turned"),
    ("neighborhood_ratio", lambda d, g: ratio(d, g), "mean"),
    ("neighborhood_ratio", lambda d, g: ratio(d, g, total=True).mean(), "in it"),
    ("neighborhood_ratio", lambda d, g: ratio(d, g).mean().detach(), "no gradient"),
    ("linear_sum_over_all", lambda a, b: sum(terms(a, b)[:2]) - terms(a, b)[2] - terms(a, b)[4], "L1|q2|product|term"),
    ("linear_sum_over_all", lambda a, b: -OWN["linear_sum_over_all"](a, b), "sign|negative"),
    ("linear_sum_over_all", lambda a, b: OWN["linear_sum_over_all"](a, b) / len(a), "number of rows|mean|divided"),
    # refinement, training
    ("refine", lambda e, w, b, p: -OWN["refine"](e, w, b, p), "sign"),
    ("refine", lambda e, w, b, p: normalize(e @ (w @ p), dim=1), "bias"),
    ("refine", lambda e, w, b, p: OWN["refine"](e, w, b, p.detach()), "gradient by programs"),
    ("consistency", lambda a, b, g: OWN["consistency"](a, b, g).sqrt(), "square root"),
    ("consistency", lambda a, b, g: (a @ b.T - g - torch.eye(len(g), dtype=g.dtype)).abs().mean(), "absolute|square"),
    ("consistency", lambda a, b, g: OWN["consistency"](a, b.detach(), g), "gradient by z2"),
    ("total_loss", lambda a, b, c, u, v: (a + u * b + v * c) / 3, "1/3|mean"),
    ("total_loss", lambda a, b, c, u, v: a + u * b - v * c, "consistency|sign|minus|subtract"),
    # judging, space
    (
        "hungarian_accuracy",
        lambda labels, clusters: 1 - OWN["hungarian_accuracy"](labels, clusters),
        "one minus|do .not. agree",
    ),
    (
        "hungarian_accuracy",
        lambda labels, clusters: 100 * OWN["hungarian_accuracy"](labels, clusters),
        "100 times|percent|too",
    ),
    ("report_over_seeds", lambda scores: OWN["report_over_seeds"](scores)[::-1], "order|first|swapped"),
    ("pick_start", lambda inertias, accuracies: int(np.argmax(inertias)), "lowest|largest|smallest|highest"),
    ("scale_and_clip", lambda x: np.minimum(x / x.std(0, ddof=1), 5), "cut off at 5"),
    ("scale_and_clip", lambda x: OWN["scale_and_clip"](x) - OWN["scale_and_clip"](x).mean(0), "mean of each column"),
    ("spatial_graph", lambda x, n: sp.triu(OWN["spatial_graph"](x, n)).tocsr(), "symmetric|other side"),
    ("majority_vote", lambda clusters, x, n: clusters, "as it came in"),
    ("majority_vote", lambda clusters, x, n: OWN["majority_vote"](clusters, x, n) + 1, "plus 1"),
    ("left_without_peeking", lambda p, i, a: 1 / OWN["left_without_peeking"](p, i, a), "divided by the expected"),
    # a second list, written after the first had been mended
    ("share_of_zeros", lambda c: (c == 0).sum() / c.shape[1], "number of rows"),
    ("share_of_zeros", lambda c: (c.sum(0) == 0).mean(), None),
    ("one_cluster_accuracy", lambda y: 1 - np.unique(y, return_counts=True)[1].max() / len(y), "one minus"),
    ("one_cluster_accuracy", lambda y: np.mean(np.unique(y, return_counts=True)[1]) / len(y), "same size"),
    ("normalize_log", lambda c: np.log1p(1e4 * c / c.sum(0, keepdims=True).clip(1)), "axis 1"),
    ("normalize_log", lambda c: np.log1p(1e4 * c / c.sum()), "whole matrix"),
    ("normalize_log", lambda c: np.log1p(1e6 * c / c.sum(1, keepdims=True)), "before log"),
    ("normalize_log", lambda c: np.log1p(1e4 * c / c.max(1, keepdims=True)), "before log"),
    ("drop_empty", lambda c: c[(c > 0).all(1)], "not to go|to go as well|empty"),
    ("drop_empty", lambda c: c.T, "turned over"),
    ("select_genes", lambda x, n: np.argsort(-x.var(0))[:n], "positions"),
    ("select_genes", lambda x, n: np.ones(x.shape[1], bool), "everywhere"),
    ("cell_graph", lambda v, n: sp.csr_matrix(np.ones((len(v),) * 2) - np.eye(len(v))), "n_neighbors - 1|right form"),
    ("cell_graph", lambda v, n: OWN["cell_graph"](v, n).toarray(), "dense|sparse"),
    ("cell_graph", lambda v, n: OWN["cell_graph"](v, n + 2), "n_neighbors - 1|right form"),
    (
        "homophily",
        lambda g, y: float(np.mean([(y[g[i].indices] == y[i]).mean() for i in range(len(y)) if g[i].nnz])),
        "Count edges",
    ),
    ("homophily", lambda g, y: float((to_dense(g) * (y[:, None] == y)).sum()), "Divide by"),
    (
        "normalized_adjacency",
        lambda g: sp.csr_matrix((to_dense(g) + np.eye(len(to_dense(g)))) / (to_dense(g).sum(1) + 1).max()),
        "same number",
    ),
    (
        "normalized_adjacency",
        lambda g: OWN["normalized_adjacency"](g) - sp.diags(OWN["normalized_adjacency"](g).diagonal()),
        r"no|A \+ I",
    ),
    ("low_pass", lambda v, g, n: np.linalg.matrix_power(to_dense(g) + np.eye(len(v)), n) @ v, "adds up"),
    ("low_pass", lambda v, g, n: OWN["low_pass"](v, g, 1), "once"),
    ("low_pass", lambda v, g, n: sum(OWN["low_pass"](v, g, k) for k in range(n + 1)), "Only the last"),
    ("gcn_layer", lambda x, g, w, b: x @ w + b, "graph"),
    ("gcn_layer", lambda x, g, w, b: OWN["gcn_layer"](x, g.T, w, b), "edges that arrive"),
    ("gcn_layer", lambda x, g, w, b: torch.relu(OWN["gcn_layer"](x, g, w, b)), "ReLU"),
    ("unit_rows", lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), "mean 0"),
    ("unit_rows", lambda x: torch.softmax(x, 1), "softmax"),
    ("view_1", lambda x, w, b: normalize(torch.relu(x @ w), dim=1), "bias"),
    ("view_1", lambda x, w, b: torch.relu(normalize(x @ w, dim=1) + b), "length 1"),
    ("log_probabilities", lambda e, t: torch.log_softmax(e, -1) / t, "after the softmax"),
    ("log_probabilities", lambda e, t: torch.log_softmax(e * t, -1), "multiplied"),
    ("log_probabilities", lambda e, t: e / t - (e / t).exp().sum().log(), "whole matrix"),
    ("symmetric_kl", lambda a, b, t: (a - b).square().sum(), "no softmax"),
    ("symmetric_kl", lambda a, b, t: OWN["symmetric_kl"](a, b, t * t), None),
    ("cell_alignment", lambda a, b, t: one_way(a, b, t).mean(), "one direction|other direction"),
    ("cell_alignment", lambda a, b, t: OWN["cell_alignment"](a, b, 1.0), "temperature"),
    ("cell_alignment", lambda a, b, t: OWN["cell_alignment"](a.T, b.T, t), "columns"),
    ("pairwise_divergence", lambda a, b, t: OWN["pairwise_divergence"](a, a, t), "one view"),
    (
        "pairwise_divergence",
        lambda a, b, t: OWN["pairwise_divergence"](a, b, t) + OWN["pairwise_divergence"](a, b, t).T,
        "symmetric",
    ),
    ("neighborhood_ratio", lambda D, g: OWN["neighborhood_ratio"](D.T, g), "columns"),
    (
        "neighborhood_ratio",
        lambda D, g: OWN["neighborhood_ratio"](D, torch.ones_like(g) - torch.eye(len(g)).to(g)),
        "graph used",
    ),
    (
        "linear_sum_over_all",
        lambda a, b: OWN["linear_sum_over_all"](a, b).sum() / len(a) * torch.ones(len(a)).to(a),
        "everywhere",
    ),
    ("linear_sum_over_all", lambda a, b: OWN["linear_sum_over_all"](a, b).flip(0), "reverse"),
    ("gene_programs", lambda v, g, w, b: torch.relu(v.T @ w + b), "graph used"),
    ("gene_programs", lambda v, g, w, b: OWN["gene_programs"](v, g.T.contiguous(), w, b), "against the edges"),
    ("refine", lambda e, w, b, p: normalize(e @ (w @ p) + (b @ p) * 2, dim=1), "bias"),
    ("refine", lambda e, w, b, p: normalize(torch.relu(e @ w + b) @ p, dim=1), None),
    ("consistency", lambda a, b, g: (a @ a.T - g - torch.eye(len(g)).to(g)).square().mean(), "z1"),
    ("consistency", lambda a, b, g: (a @ b.T - g).square().mean(), "identity"),
    ("total_loss", lambda a, b, c, u, v: a + b + c, "weights"),
    ("total_loss", lambda a, b, c, u, v: u * a + v * b + c, "in the places of"),
    ("hungarian_accuracy", lambda y, c: float((y == c).mean()), "matching"),
    ("report_over_seeds", lambda s: (float(np.median(s)), float(s.std(ddof=1))), "median"),
    ("pick_start", lambda i, a: int(np.argmax(a - i)), "accuracies"),
    ("cluster_to_split", lambda s, c: int(np.argmax(np.bincount(c))), "largest"),
    ("spatial_graph", lambda x, n: OWN["spatial_graph"](x[:, :1], n), "first column"),
    ("majority_vote", lambda c, x, n: OWN["majority_vote"](OWN["majority_vote"](c, x, n), x, n), "applied twice"),
    ("scale_and_clip", lambda x: x / x.max(0), "largest entry is 1"),
    ("left_without_peeking", lambda p, i, a: p - a[i.argmin()], "what is lost"),
    ("neighbor_mean", lambda g, v: np.median([v, OWN["neighbor_mean"](g, v)], axis=0), None),
]
