"""Right answers in many styles pass: loops, einsum, SciPy, scikit-learn, pandas, other dtypes."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.metrics.pairwise import cosine_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler, normalize

from scrcl_edu.course.checking import judge
from scrcl_edu.course.tasks import exercises


def zeros_by_hand(counts):
    n = 0
    for row in counts:
        for value in row:
            n += int(value == 0)
    return n / (len(counts) * len(counts[0]))


def lazy_with_pandas(labels):
    return pd.Series(labels).value_counts(normalize=True).iloc[0]


def filled_by_pandas(counts):
    table = pd.DataFrame(counts)
    return table.loc[table.any(axis=1), table.any(axis=0)].to_numpy()


def logs_by_einsum(counts):
    return np.log1p(np.einsum("ij,i->ij", counts, 10_000 / np.einsum("ij->i", counts)))


def logs_by_sklearn(counts):
    return np.log1p(normalize(counts, norm="l1") * 1e4)


def logs_in_single_precision(counts):
    counts = counts.astype(np.float32)
    return np.log1p(counts / counts.sum(1, keepdims=True) * np.float32(1e4))


def genes_by_loops(log_values, n_top_genes):
    x = np.expm1(log_values)
    mean = x.mean(axis=0)
    dispersion = np.log(x.var(axis=0, ddof=1) / mean)
    where = np.log1p(mean)
    width = (where.max() - where.min()) / 20
    bins = [min(19, max(0, math.ceil((w - where.min()) / width) - 1)) for w in where]
    z = np.ones(len(mean))
    for b in set(bins):
        inside = [g for g, other in enumerate(bins) if other == b]
        if len(inside) > 1:
            z[inside] = scipy.stats.zscore(dispersion[inside], ddof=1)
    chosen = np.zeros(len(mean), dtype=bool)
    chosen[sorted(range(len(mean)), key=lambda g: -z[g])[:n_top_genes]] = True
    return chosen


def cells_by_full_sort(values, n_neighbors):
    distance = cosine_distances(values)
    np.fill_diagonal(distance, np.inf)
    n = len(values)
    graph = sp.lil_matrix((n, n))
    for i, j in itertools.product(range(n), range(n_neighbors - 1)):
        other = np.argsort(distance[i])[j]
        graph[i, other] = graph[other, i] = 1
    return graph.tocsr()


def cells_by_search(values, n_neighbors):
    search = NearestNeighbors(n_neighbors=n_neighbors - 1, metric="cosine").fit(values)
    chosen = search.kneighbors_graph(mode="connectivity")
    return ((chosen + chosen.T) > 0).astype(np.float32)


def edges_by_coo(graph, labels):
    edges = sp.coo_matrix(graph)
    return accuracy_score(np.asarray(labels)[edges.row], np.asarray(labels)[edges.col])


def rows_one_by_one(x):
    return torch.stack([row / row.norm() for row in x])


def rows_by_einsum(x):
    return x / torch.einsum("ij,ij->i", x, x).sqrt().unsqueeze(1)


def log_probabilities_by_logsumexp(e, temperature):
    scaled = e / temperature
    return scaled - scaled.logsumexp(dim=1, keepdim=True)


def global_by_kl_div(e1, e2, temperature):
    p1, p2 = (F.log_softmax(e.reshape(-1) / temperature, dim=0) for e in (e1, e2))
    return F.kl_div(p2, p1, log_target=True, reduction="sum") + F.kl_div(p1, p2, log_target=True, reduction="sum")


def cells_by_kl_div(e1, e2, temperature):
    q1, q2 = (F.log_softmax(e / temperature, dim=1) for e in (e1, e2))
    both = F.kl_div(q2, q1, log_target=True, reduction="batchmean") + F.kl_div(
        q1, q2, log_target=True, reduction="batchmean"
    )
    return both / 2


def cells_by_distributions(e1, e2, temperature):
    q1, q2 = (torch.distributions.Categorical(logits=e / temperature) for e in (e1, e2))
    kl = torch.distributions.kl_divergence
    return (kl(q1, q2) + kl(q2, q1)).mean() / 2


def pairs_by_two_loops(e1, e2, temperature):
    q1, q2 = (torch.log_softmax(e / temperature, dim=1) for e in (e1, e2))
    rows = [torch.stack([((a.exp() - b.exp()) * (a - b)).sum() for b in q2]) for a in q1]
    return torch.stack(rows)


def pairs_by_einsum(e1, e2, temperature):
    q1, q2 = (torch.log_softmax(e / temperature, dim=1) for e in (e1, e2))
    p1, p2 = q1.exp(), q2.exp()
    own = torch.einsum("ik,ik->i", p1, q1)[:, None] + torch.einsum("jk,jk->j", p2, q2)[None, :]
    return own - torch.einsum("ik,jk->ij", p1, q2) - torch.einsum("ik,jk->ij", q1, p2)


def refined_by_einsum(encodings, weight, bias, programs):
    mixed = torch.einsum("nh,hd->nd", encodings, torch.einsum("hg,gd->hd", weight, programs)) + bias @ programs
    return F.normalize(mixed, dim=-1)


def consistency_by_loops(z1, z2, graph):
    n, total = len(z1), 0.0
    for i in range(n):
        for j in range(n):
            total = total + (z1[i].dot(z2[j]) - graph[i, j] - float(i == j)) ** 2
    return total / n**2


def losses_by_dot(distribution, neighborhood, consistency, weight_neighborhood, weight_consistency):
    return math.fsum([distribution, weight_neighborhood * neighborhood, weight_consistency * consistency])


def accuracy_by_sklearn(labels, clusters):
    table = confusion_matrix(labels, clusters)
    return table[linear_sum_assignment(table.max() - table)].sum() / table.sum()


def accuracy_by_relabelling(labels, clusters):
    table = pd.crosstab(labels, clusters)
    rows, columns = linear_sum_assignment(-table)
    name = dict(zip(table.columns[columns], table.index[rows], strict=True))
    return float(pd.Series(clusters).map(name).eq(pd.Series(labels)).mean())


def report_by_statistics(scores):
    return statistics.fmean(scores), statistics.stdev(scores)


def report_as_a_list(scores):
    described = scipy.stats.describe(scores)
    return [described.mean, math.sqrt(described.variance)]


def start_by_pandas(inertias, accuracies):
    return pd.Series(inertias).idxmin()


def split_by_crosstab(scores, clusters):
    shares = pd.crosstab(clusters, pd.DataFrame(scores).idxmax(axis=1), normalize="index")
    return int(shares.max(axis=1).idxmin())


def spots_by_tree(coordinates, n_neighbors):
    _, found = cKDTree(coordinates).query(coordinates, k=n_neighbors + 1)
    edges = {(i, j) for i, row in enumerate(found) for j in row if i != j}
    edges |= {(j, i) for i, j in edges}
    rows, columns = zip(*sorted(edges), strict=True)
    return sp.coo_matrix((np.ones(len(edges), dtype=np.int8), (rows, columns)), shape=2 * (len(coordinates),))


def scaled_by_sklearn(log_values):
    n = len(log_values)
    scaled = StandardScaler(with_mean=False).fit_transform(log_values) * np.sqrt((n - 1) / n)
    return np.where(scaled > 10, 10, scaled)


def votes_by_counting(clusters, coordinates, n_neighbors):
    distance = cdist(coordinates, coordinates) + np.diag(np.full(len(coordinates), np.inf))
    voted = []
    for row in distance:
        votes = [int(clusters[j]) for j in np.argsort(row, kind="stable")[:n_neighbors]]
        voted.append(max(votes, key=votes.count))
    return np.array(voted)


def left_by_sorting(published, inertias, accuracies):
    return next(acc for _, acc in sorted(zip(inertias, accuracies, strict=True))) / published


def interval_by_scipy(mine, theirs):
    gains = [statistics.fmean(a) - statistics.fmean(b) for a, b in zip(mine, theirs, strict=True)]
    low, high = scipy.stats.t.interval(0.95, len(gains) - 1, loc=np.mean(gains), scale=scipy.stats.sem(gains))
    return np.mean(gains), low, high


ANSWERS = [
    ("share_of_zeros", zeros_by_hand),
    ("one_cluster_accuracy", lazy_with_pandas),
    ("drop_empty", filled_by_pandas),
    ("normalize_log", logs_by_einsum),
    ("normalize_log", logs_by_sklearn),
    ("normalize_log", logs_in_single_precision),
    ("select_genes", genes_by_loops),
    ("cell_graph", cells_by_full_sort),
    ("cell_graph", cells_by_search),
    ("homophily", edges_by_coo),
    ("unit_rows", rows_one_by_one),
    ("unit_rows", rows_by_einsum),
    ("log_probabilities", log_probabilities_by_logsumexp),
    ("symmetric_kl", global_by_kl_div),
    ("cell_alignment", cells_by_kl_div),
    ("cell_alignment", cells_by_distributions),
    ("pairwise_divergence", pairs_by_two_loops),
    ("pairwise_divergence", pairs_by_einsum),
    ("refine", refined_by_einsum),
    ("consistency", consistency_by_loops),
    ("total_loss", losses_by_dot),
    ("hungarian_accuracy", accuracy_by_sklearn),
    ("hungarian_accuracy", accuracy_by_relabelling),
    ("report_over_seeds", report_by_statistics),
    ("report_over_seeds", report_as_a_list),
    ("pick_start", start_by_pandas),
    ("cluster_to_split", split_by_crosstab),
    ("spatial_graph", spots_by_tree),
    ("scale_and_clip", scaled_by_sklearn),
    ("majority_vote", votes_by_counting),
    ("left_without_peeking", left_by_sorting),
    ("paired_interval", interval_by_scipy),
]


@pytest.mark.parametrize(("name", "answer"), ANSWERS, ids=[answer.__name__ for _, answer in ANSWERS])
def test_a_right_answer_passes_in_any_style(name, answer):
    result = judge(exercises()[name], answer)
    assert result.passed, result.message
