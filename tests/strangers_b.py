"""Sixty-five wrong answers of somebody who had not read the checks, and what was done wrong in each."""

import copy
import itertools
from collections import Counter

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from scipy import stats
from scipy.spatial import cKDTree
from sklearn.neighbors import NearestNeighbors


# ---------------------------------------------------------------- lesson 00
def zeros_rounded(counts):
    return round(float((np.asarray(counts) == 0).mean()), 2)


def nearest_unsorted(counts):
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    cosine[np.diag_indices_from(cosine)] = -np.inf
    return np.argsort(-cosine, axis=1, kind="stable")[:, :2]


def nearest_by_product(counts):
    likeness = (counts @ counts.T).astype(float)
    np.fill_diagonal(likeness, -1)
    order = np.argsort(-likeness, axis=1, kind="stable")
    return np.sort(order[:, :2], axis=1)


def lazy_by_chance(labels):
    return 1 / len(set(labels))


# ---------------------------------------------------------------- lesson 01
def drop_single(counts):
    return counts[counts.sum(1) > 1, :][:, counts.sum(0) > 1]


def keep_until_stable(counts, min_genes, min_cells):
    while True:
        before = counts.shape
        counts = counts[(counts > 0).sum(axis=1) >= min_genes]
        counts = counts[:, (counts > 0).sum(axis=0) >= min_cells]
        if counts.shape == before:
            return counts


def norm_in_place(counts):
    counts = np.asarray(counts, dtype=float)
    counts *= 10_000 / counts.sum(axis=1, keepdims=True)
    return np.log1p(counts)


def norm_log2(counts):
    per_10k = counts / counts.sum(axis=1)[:, None] * 1e4
    return np.log2(1 + per_10k)


def select_quantile_bins(log_values, n_top_genes):
    counts = np.expm1(log_values)
    df = pd.DataFrame({"mean": counts.mean(0), "var": counts.var(0, ddof=1)})
    df["d"] = np.log(df["var"] / df["mean"])
    df["bin"] = pd.qcut(np.log1p(df["mean"]), 20, labels=False, duplicates="drop")
    grouped = df.groupby("bin")["d"]
    score = (df["d"] - grouped.transform("mean")) / grouped.transform("std")
    score = score.fillna(1.0).to_numpy()
    out = np.zeros(len(score), bool)
    out[np.argsort(-score, kind="stable")[:n_top_genes]] = True
    return out


def select_lonely_zero(log_values, n_top_genes):
    x = np.expm1(log_values)
    mean = x.mean(axis=0)
    dispersion = pd.Series(np.log(x.var(axis=0, ddof=1) / mean))
    bins = pd.cut(np.log1p(mean), bins=20, labels=False)
    groups = dispersion.groupby(bins)
    z = (dispersion - groups.transform("mean")) / groups.transform("std")
    z = np.nan_to_num(z.to_numpy())
    mask = np.zeros(len(z), dtype=bool)
    mask[np.argsort(-z, kind="stable")[:n_top_genes]] = True
    return mask


# ---------------------------------------------------------------- lesson 02
def graph_one_more(values, n_neighbors):
    n = len(values)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    distance = 1 - unit @ unit.T
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :n_neighbors]
    a = np.zeros((n, n))
    np.put_along_axis(a, nearest, 1, axis=1)
    return sp.csr_matrix(np.maximum(a, a.T))


def graph_mutual(values, n_neighbors):
    search = NearestNeighbors(n_neighbors=n_neighbors - 1, metric="cosine").fit(values)
    chosen = search.kneighbors_graph()
    return chosen.multiply(chosen.T).tocsr()


def homophily_upper(graph, labels):
    labels = np.asarray(labels)
    upper = sp.triu(graph, k=1).tocoo()
    same = (labels[upper.row] == labels[upper.col]).sum()
    return same / graph.nnz


def mean_of_others_only(graph, values):
    degree = np.asarray(graph.sum(axis=1)).reshape(-1, 1)
    total = graph @ values
    return np.where(degree > 0, total / np.maximum(degree, 1), values)


def adjacency_degree_others(graph):
    degree = np.asarray(graph.sum(axis=0)).ravel().astype(float)
    root = np.zeros_like(degree)
    root[degree > 0] = degree[degree > 0] ** -0.5
    with_self = graph + sp.eye(graph.shape[0])
    return sp.csr_matrix(sp.diags(root) @ with_self @ sp.diags(root))


def adjacency_row_mean(graph):
    with_self = (graph + sp.identity(graph.shape[0], format="csr")).tocsr()
    d = np.asarray(with_self.sum(axis=1)).ravel()
    return sp.diags(1.0 / d).dot(with_self)


def low_pass_one_less(values, graph, n_steps):
    n = graph.shape[0]
    with_self = graph + sp.eye(n)
    d = np.asarray(with_self.sum(axis=1)).ravel()
    s = sp.diags(d**-0.5) @ with_self @ sp.diags(d**-0.5)
    out = values
    for _ in range(1, n_steps):
        out = s @ out
    return out


# ---------------------------------------------------------------- lesson 03
def hops_squared_entries(x, graph):
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)
    degree = incoming.sum(dim=1)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return operator**2 @ x


def gcn_not_turned(x, graph, weight, bias):
    a = graph + torch.eye(len(graph), dtype=x.dtype)
    deg = a.sum(dim=0)
    norm = deg.pow(-0.5)
    return (norm[:, None] * a * norm) @ (x @ weight) + bias


def gcn_plain_mean(x, graph, weight, bias):
    incoming = graph.T + torch.eye(len(graph), dtype=x.dtype)
    degree = incoming.sum(dim=1, keepdim=True)
    return incoming @ (x @ weight) / degree + bias


def unit_rows_sum_one(x):
    return F.normalize(x, p=1, dim=1)


def view_without_bias(x, weight, bias):
    hidden = F.relu(F.linear(x, weight.T))
    return hidden / hidden.norm(dim=1, keepdim=True).clamp_min(1e-12)


# ---------------------------------------------------------------- lesson 04
def log_times_temperature(e, temperature):
    x = e * temperature
    return x - torch.logsumexp(x, dim=1, keepdim=True)


def log_over_cells(e, temperature):
    return F.log_softmax(e / temperature, dim=0)


def skl_batchmean(e1, e2, temperature):
    a = F.log_softmax((e1 / temperature).reshape(-1), dim=0)
    b = F.log_softmax((e2 / temperature).reshape(-1), dim=0)
    kl_ab = F.kl_div(b, a, reduction="batchmean", log_target=True)
    kl_ba = F.kl_div(a, b, reduction="batchmean", log_target=True)
    return kl_ab + kl_ba


def cell_sum(e1, e2, temperature):
    a = torch.log_softmax(e1 / temperature, dim=1)
    b = torch.log_softmax(e2 / temperature, dim=1)
    kl1 = (a.exp() * (a - b)).sum()
    kl2 = (b.exp() * (b - a)).sum()
    return (kl1 + kl2) / 2


def cell_fixed_target(e1, e2, temperature):
    log_q1 = torch.log_softmax(e1 / temperature, dim=1)
    log_q2 = torch.log_softmax(e2.detach() / temperature, dim=1)  # the target
    forward = (log_q1.exp() * (log_q1 - log_q2)).sum(dim=1).mean()
    backward = (log_q2.exp() * (log_q2 - log_q1)).sum(dim=1).mean()
    return (forward + backward) / 2


def within_centered(e1, e2, temperature):
    e1 = e1 - e1.mean(dim=1, keepdim=True)
    e2 = e2 - e2.mean(dim=1, keepdim=True)
    log_q1 = torch.log_softmax(e1 / temperature, dim=0)
    log_q2 = torch.log_softmax(e2 / temperature, dim=0)
    both_ways = (log_q1.exp() - log_q2.exp()) * (log_q1 - log_q2)
    return both_ways.sum(dim=1).mean() / 2


def gap_with_gradient(e1, e2):
    gap = (e1 - e2).mean(dim=0, keepdim=True)
    return e2 + gap


# ---------------------------------------------------------------- lesson 05
def pairs_one_way(e1, e2, temperature):
    log_q1 = F.log_softmax(e1 / temperature, dim=1)
    log_q2 = F.log_softmax(e2 / temperature, dim=1)
    q1 = log_q1.exp()
    return (q1 * log_q1).sum(dim=1, keepdim=True) - q1 @ log_q2.T


def ratio_by_columns(divergence, graph):
    n = len(graph)
    near = graph.to(divergence.dtype) + torch.eye(n, dtype=divergence.dtype)
    close = (divergence * near).sum(dim=0) / near.sum(dim=0)
    rest = (divergence.sum(dim=0) - divergence.diagonal()) / (n - 1)
    return (close / rest).mean()


def ratio_of_sums(divergence, graph):
    myself = torch.eye(len(graph), dtype=divergence.dtype)
    near, others = graph + myself, 1 - myself
    return ((divergence * near).sum(dim=1) / (divergence * others).sum(dim=1)).mean()


def sum_through_matrix(log_q1, log_q2):
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(1), (q2 * log_q2).sum(1)
    d = h1[:, None] + h2[None, :] - q1 @ log_q2.T - log_q1 @ q2.T
    return d.sum(dim=1) - d.diagonal()


def sum_keeps_own_entropy(log_q1, log_q2):
    q1, q2 = log_q1.exp(), log_q2.exp()
    n = q1.shape[0]
    total_l, total_q = log_q2.sum(dim=0), q2.sum(dim=0)
    h2 = (q2 * log_q2).sum()  # all cells
    out = (n - 1) * (q1 * log_q1).sum(dim=1) + h2
    out = out - (q1 * (total_l - log_q2)).sum(dim=1)
    return out - (log_q1 * (total_q - q2)).sum(dim=1)


# ---------------------------------------------------------------- lesson 06
def programs_degree_leaving(view_1, graph, weight, bias):
    degree = graph.sum(dim=1)
    operator = graph.T / torch.outer(degree, degree).sqrt()
    return F.relu(operator @ (view_1.T @ weight) + bias)


def refine_softmax_mixture(encodings, weight, bias, programs):
    asked = torch.softmax(encodings @ weight + bias, dim=1)  # shares sum to one
    z = asked @ programs
    return z / z.norm(dim=1, keepdim=True)


def refine_scaled_too_early(encodings, weight, bias, programs):
    asked = F.normalize(encodings @ weight + bias, dim=1)
    return asked @ programs


def consistency_by_cell(z1, z2, graph):
    target = graph + torch.eye(len(graph), dtype=z1.dtype)
    return ((z1 @ z2.T - target) ** 2).sum(dim=1).mean()


def linear_mixed_views(z1, z2, graph):
    n_cells = len(z1)
    squares = (z1.T @ z2).square().sum()
    on_graph = (z1 * (graph @ z2 + z2)).sum()
    n_ones = graph.sum() + n_cells
    return (squares - 2 * on_graph + n_ones) / n_cells**2


# ---------------------------------------------------------------- lesson 07
def step_loss_after(model, optimizer, inputs, labels):
    model.train()
    optimizer.zero_grad()
    model.losses(model(inputs), inputs).total.backward()
    optimizer.step()
    with torch.no_grad():
        return model.losses(model(inputs), inputs).total.item()


def loss_convex(distribution, neighborhood, consistency, weight_neighborhood, weight_consistency):
    rest = 1 - weight_neighborhood - weight_consistency
    return rest * distribution + weight_neighborhood * neighborhood + weight_consistency * consistency


def kept_labels_break_ties(losses, clusters, labels):
    lowest = min(losses)
    tied = [epoch for epoch, loss in enumerate(losses) if loss == lowest]

    def agreement(epoch):
        return sum(clusters[epoch][i] == clusters[epoch][j] for i, j in labels)

    return max(tied, key=agreement)


def snapshot_view(model, optimizer, epoch):
    return {
        "model": dict(model.state_dict()),
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "epoch": epoch,
    }


def snapshot_settings_only(model, optimizer, epoch):
    state = {"state": {}, "param_groups": optimizer.state_dict()["param_groups"]}
    return copy.deepcopy({"model": model.state_dict(), "optimizer": state, "epoch": epoch})


# ---------------------------------------------------------------- lesson 08
def accuracy_purity(labels, clusters):
    right = 0
    for c in np.unique(clusters):
        right += np.bincount(labels[clusters == c]).max()
    return right / len(labels)


def report_error_of_mean(scores):
    scores = np.asarray(scores)
    return float(np.mean(scores)), float(stats.sem(scores))


def clusters_last_tie(clusters_by_epoch, losses, labels):
    kept, lowest = clusters_by_epoch[0], np.inf
    for clusters, loss in zip(clusters_by_epoch, losses, strict=True):
        lowest = min(lowest, loss)
        if loss <= lowest:
            kept = clusters
    return kept


def clusters_number_only(clusters_by_epoch, losses, labels):
    return int(np.argmin(losses))


def start_largest_inertia(inertias, accuracies):
    return int(np.argsort(inertias)[-1])


# ---------------------------------------------------------------- lesson 09
def names_t_for_nk():
    names = dict(zip("ABC", ["B cell", "T cell", "Dendritic cell"], strict=True))
    return names


def split_by_margin(scores, clusters):
    margin = []
    for c in range(clusters.max() + 1):
        mean = np.sort(scores[clusters == c].mean(axis=0))
        margin.append(mean[-1] - mean[-2])
    return int(np.argmin(margin))


def held_out_absolute(values, inside, held_out, n_genes):
    train, test = values[~held_out], values[held_out]
    a, b = inside[~held_out], inside[held_out]
    difference = np.abs(train[a].mean(axis=0) - train[~a].mean(axis=0))
    best = np.argsort(difference)[-n_genes:]
    return (test[b][:, best].mean(axis=0) - test[~b][:, best].mean(axis=0)).mean()


def held_out_tried_everywhere(values, inside, held_out, n_genes):
    seen, in_seen = values[~held_out], inside[~held_out]
    difference = seen[in_seen].mean(axis=0) - seen[~in_seen].mean(axis=0)
    best = np.argsort(difference)[-n_genes:]
    kept = values[:, best]
    return (kept[inside].mean(axis=0) - kept[~inside].mean(axis=0)).mean()


# ---------------------------------------------------------------- lesson 10
def spots_first_is_me(coordinates, n_neighbors):
    n = len(coordinates)
    _, nearest = cKDTree(coordinates).query(coordinates, k=n_neighbors + 1)
    nearest = nearest[:, 1:]
    rows = np.repeat(np.arange(n), n_neighbors)
    a = sp.coo_matrix((np.ones(nearest.size), (rows, nearest.ravel())), (n, n)).tocsr()
    return a.maximum(a.T)


def sections_moved_a_bit(coordinates, section, n_neighbors):
    number = np.unique(section, return_inverse=True)[1]
    moved = np.asarray(coordinates, dtype=float).copy()
    moved[:, 0] += 100 * number  # side by side
    a = NearestNeighbors(n_neighbors=n_neighbors).fit(moved).kneighbors_graph()
    return a.maximum(a.T).tocsr()


def sections_few_candidates(coordinates, section, n_neighbors):
    section = np.asarray(section)
    n = len(section)
    k = min(3 * n_neighbors, n - 1)
    near = NearestNeighbors(n_neighbors=k).fit(coordinates)
    near = near.kneighbors(return_distance=False)
    a = sp.lil_matrix((n, n))
    for i in range(n):
        same = near[i][section[near[i]] == section[i]][:n_neighbors]
        a[i, same] = 1
    a = a.tocsr()
    return a.maximum(a.T)


def scale_after_clip(log_values):
    clipped = np.minimum(log_values, 10)
    return clipped / clipped.std(axis=0, ddof=1)


def scale_centered(log_values):
    z = stats.zscore(log_values, axis=0, ddof=1)
    return np.minimum(z, 10)


def vote_with_itself(clusters, coordinates, n_neighbors):
    _, near = cKDTree(coordinates).query(coordinates, k=n_neighbors + 1)
    return np.array([Counter(clusters[row].tolist()).most_common(1)[0][0] for row in near])


# ---------------------------------------------------------------- lesson 11
def left_at_most_all(published, inertias, accuracies):
    kept = accuracies[int(np.argmin(inertias))]
    return min(1.0, kept / published)


def gap_any_change(claimed, found, ledger, tolerance):
    if dict(claimed) != dict(found):
        return "dataset"
    worst, name = tolerance, "nothing"
    steps = list(ledger.items())
    for (_, before), (step, after) in itertools.pairwise(steps):
        if abs(after - before) > worst:
            worst, name = abs(after - before), step
    return name


def gap_relative(claimed, found, ledger, tolerance):
    if claimed["cells"] != found["cells"] or claimed["classes"] != found["classes"]:
        return "dataset"
    s = pd.Series(ledger, dtype=float)
    loss = -s.pct_change().iloc[1:]
    return loss.idxmax() if loss.max() > tolerance else "nothing"


# ---------------------------------------------------------------- lesson 12
def interval_unpaired(mine, theirs):
    a, b = mine.mean(axis=1), theirs.mean(axis=1)
    n = len(a)
    mean = a.mean() - b.mean()
    error = np.sqrt(a.var(ddof=1) / n + b.var(ddof=1) / n)
    half = stats.t.ppf(0.975, n - 1) * error
    return mean, mean - half, mean + half


def interval_numpy_std(mine, theirs):
    difference = mine.mean(axis=1) - theirs.mean(axis=1)
    n = difference.size
    reach = stats.t(n - 1).ppf(0.975) * np.std(difference) / n**0.5
    return difference.mean(), difference.mean() - reach, difference.mean() + reach


def gain_one_number(mine, theirs):
    return (mine.mean(axis=1) - theirs.mean(axis=1)).mean()


# Exercise, answer, what was done wrong, and the name that the check gives it; empty where it gives none.
ANSWERS = (
    ("share_of_zeros", zeros_rounded, "rounded to two digits", "rounded"),
    ("two_nearest", nearest_unsorted, "rows not sorted", "entries in another order"),
    ("two_nearest", nearest_by_product, "product instead of cosine", "not invariant"),
    ("one_cluster_accuracy", lazy_by_chance, "one over the number of classes", "one over the number of classes"),
    ("drop_empty", drop_single, "drops those with a single count, too", "rows or columns left out"),
    ("keep_good", keep_until_stable, "filters cells again after the genes", "rows or columns left out"),
    ("normalize_log", norm_in_place, "overwrites the counts handed in", "input changed"),
    ("normalize_log", norm_log2, "logarithm to base 2", "other base"),
    ("select_genes", select_quantile_bins, "bins of equal number, not equal width", "bins of equal size"),
    ("select_genes", select_lonely_zero, "gene alone in its bin gets 0", "alone gets 0"),
    ("cell_graph", graph_one_more, "n_neighbors others, itself not counted", "one too many"),
    ("cell_graph", graph_mutual, "intersection instead of union", "mutual only"),
    ("homophily", homophily_upper, "edges counted once above, twice below", "one side of one only"),
    ("neighbor_mean", mean_of_others_only, "cell itself left out of the mean", "without the cell itself"),
    ("normalized_adjacency", adjacency_degree_others, "degree lacks the cell itself", "degrees without the loop"),
    ("normalized_adjacency", adjacency_row_mean, "divides on one side only", "row normalized"),
    ("low_pass", low_pass_one_less, "one step too few", "one less"),
    ("two_hops", hops_squared_entries, "squares the entries, not the matrix", "entries squared"),
    ("gcn_layer", gcn_not_turned, "graph not turned", "sum not turned"),
    ("gcn_layer", gcn_plain_mean, "divides by arriving degree only", "plain mean"),
    ("unit_rows", unit_rows_sum_one, "sum of magnitudes is 1, not length", "sum of absolute values"),
    ("view_1", view_without_bias, "bias forgotten", "not used"),
    ("log_probabilities", log_times_temperature, "multiplies by the temperature", "times temperature"),
    ("log_probabilities", log_over_cells, "softmax over cells, not hidden units", "wrong axis"),
    ("symmetric_kl", skl_batchmean, "batchmean divides by number of entries", "mean for sum"),
    ("cell_alignment", cell_sum, "sum over cells, not mean", "sum over cells"),
    ("cell_alignment", cell_fixed_target, "no gradient for the second view", "gradient"),
    ("within_cells", within_centered, "rows centered, softmax still over cells", "rows centered"),
    ("without_mean_gap", gap_with_gradient, "gradient flows through the row", "gradient"),
    ("pairwise_divergence", pairs_one_way, "one direction only", "one direction"),
    ("neighborhood_ratio", ratio_by_columns, "columns instead of rows", "columns"),
    ("ratio_by_cell", ratio_of_sums, "sums not divided by their numbers", "sums"),
    ("linear_sum_over_all", sum_through_matrix, "makes the cells by cells matrix", "cost"),
    ("linear_sum_over_all", sum_keeps_own_entropy, "own entropy of view 2 kept", "h2 of all cells"),
    ("gene_programs", programs_degree_leaving, "degrees of edges that leave", "edges that leave"),
    ("refine", refine_softmax_mixture, "softmax of the weights", "softmax of the projection"),
    ("refine", refine_scaled_too_early, "scaled before the programs, not after", "scaled too early"),
    ("consistency", consistency_by_cell, "sum over j, mean over i only", "factor of a size"),
    ("linear_consistency", linear_mixed_views, "squares of z1.T z2, not product of both", "across first"),
    ("training_step", step_loss_after, "returns the loss after the move", "loss after the move"),
    ("total_loss", loss_convex, "distribution weighted by the rest to 1", "weights that sum to 1"),
    ("kept_epoch", kept_labels_break_ties, "labels decide among equal losses", "tie"),
    ("snapshot", snapshot_view, "model's tensors not copied", "only the optimizer copied"),
    ("snapshot", snapshot_settings_only, "Adam's running means left out", "no optimizer"),
    ("hungarian_accuracy", accuracy_purity, "purity: several clusters per class", "several clusters to one class"),
    ("report_over_seeds", report_error_of_mean, "standard error instead of deviation", "standard error"),
    ("keep_clusters", clusters_last_tie, "last of equal losses, not first", "the last of the lowest"),
    ("keep_clusters", clusters_number_only, "returns the epoch, not the clusters", ""),
    ("pick_start", start_largest_inertia, "largest inertia", "highest inertia"),
    ("three_names", names_t_for_nk, "NK cells called T cells", "killer cells taken for T cells"),
    ("cluster_to_split", split_by_margin, "margin of mean scores, not single cells", "means of clusters"),
    ("held_out_difference", held_out_absolute, "picks by absolute difference", "largest in size"),
    ("held_out_difference", held_out_tried_everywhere, "tried on all cells", "tried on all cells"),
    ("spatial_graph", spots_first_is_me, "assumes first is itself: fails with copies", "first is taken for itself"),
    ("sections_graph", sections_moved_a_bit, "sections shifted by too little", "moved by a fixed step"),
    ("sections_graph", sections_few_candidates, "only some candidates searched", "of a few candidates"),
    ("scale_and_clip", scale_after_clip, "clips before scaling", "not cut off"),
    ("scale_and_clip", scale_centered, "subtracts the mean", "centered"),
    ("majority_vote", vote_with_itself, "spot votes for itself", "itself and all neighbors"),
    ("left_without_peeking", left_at_most_all, "capped at 1", "capped"),
    ("explain_gap", gap_any_change, "gains count as losses", "gains taken for losses"),
    ("explain_gap", gap_relative, "relative loss instead of difference", "relative losses"),
    ("paired_interval", interval_unpaired, "treats the two as independent", "not paired"),
    ("paired_interval", interval_numpy_std, "deviation with n, not n - 1", "population deviation"),
    ("gain_over", gain_one_number, "one number instead of one per set", "reduced too far"),
)
