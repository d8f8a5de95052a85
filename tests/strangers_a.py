"""Sixty-five wrong answers of somebody who had not read the checks, and what was done wrong in each."""

from collections import Counter

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from scipy import stats
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors


# ---------------------------------------------------------------- lesson 00
def zeros_share(counts):
    n = np.count_nonzero(counts)
    return n / counts.size


def nearest_diag_zero(counts):
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    np.fill_diagonal(cosine, 0)  # no cell is its own neighbour
    order = np.argsort(-cosine, axis=1, kind="stable")
    return np.sort(order[:, :2], axis=1)


def nearest_delete(counts):
    unit = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    sim = unit @ unit.T
    pairs = []
    for i in range(len(sim)):
        others = np.delete(sim[i], i)
        best = np.argsort(-others, kind="stable")[:2]
        pairs.append(sorted(best))
    return np.array(pairs)


def lazy_first_class(labels):
    _, n = np.unique(labels, return_counts=True)
    return n[0] / n.sum()


# ---------------------------------------------------------------- lesson 01
def drop_all(counts):
    cells = (counts != 0).all(axis=1)
    genes = (counts != 0).all(axis=0)
    return counts[cells][:, genes]


def genes_before_cells(counts, min_genes, min_cells):
    counts = counts[:, (counts > 0).sum(axis=0) >= min_cells]
    return counts[(counts > 0).sum(axis=1) >= min_genes]


def norm_by_gene(counts):
    depth = counts.sum(axis=0)
    depth = np.where(depth == 0, 1, depth)
    return np.log1p(counts / depth * 10_000)


def norm_median(counts):
    depth = counts.sum(axis=1, keepdims=True)
    return np.log1p(counts / depth * np.median(depth))


def select_population_sd(log_values, n_top_genes):
    x = np.expm1(log_values)
    mean = x.mean(axis=0)
    var = x.var(axis=0, ddof=1)
    table = pd.DataFrame({"disp": np.log(var / mean)})
    table["bin"] = pd.cut(np.log1p(mean), 20, labels=False)
    by_bin = table.groupby("bin")["disp"]
    z = (table["disp"] - by_bin.transform("mean")) / by_bin.transform(lambda d: np.std(d.to_numpy()))
    z[by_bin.transform("size") == 1] = 1.0
    mask = np.zeros(log_values.shape[1], dtype=bool)
    mask[np.argsort(-z.to_numpy(), kind="stable")[:n_top_genes]] = True
    return mask


def select_on_logs(log_values, n_top_genes):
    mean = log_values.mean(axis=0)
    disp = np.log(log_values.var(axis=0, ddof=1) / mean)
    where = np.log1p(mean)
    edges = np.linspace(where.min(), where.max(), 21)
    number = np.clip(np.searchsorted(edges, where, side="left") - 1, 0, 19)
    z = np.ones_like(disp)
    for b in np.unique(number):
        inside = number == b
        if inside.sum() > 1:
            z[inside] = (disp[inside] - disp[inside].mean()) / disp[inside].std(ddof=1)
    chosen = np.zeros(len(z), dtype=bool)
    chosen[np.argsort(z)[-n_top_genes:]] = True
    return chosen


# ---------------------------------------------------------------- lesson 02
def graph_first_is_me(values, n_neighbors):
    n = values.shape[0]
    search = NearestNeighbors(n_neighbors=n_neighbors, metric="cosine").fit(values)
    idx = search.kneighbors(values, return_distance=False)[:, 1:]
    rows = np.repeat(np.arange(n), idx.shape[1])
    a = sp.csr_matrix((np.ones(idx.size), (rows, idx.ravel())), shape=(n, n))
    return a.maximum(a.T)


def graph_added(values, n_neighbors):
    search = NearestNeighbors(n_neighbors=n_neighbors - 1, metric="cosine").fit(values)
    chosen = search.kneighbors_graph()
    return (chosen + chosen.T).tocsr()


def homophily_by_cell(graph, labels):
    labels = np.asarray(labels)
    shares = []
    for i in range(graph.shape[0]):
        friends = graph[i].indices
        if len(friends):
            shares.append((labels[friends] == labels[i]).mean())
    return float(np.mean(shares))


def mean_alias(graph, values):
    smooth = values
    old = values  # the values before
    for cell in range(len(values)):
        others = graph[cell].indices
        smooth[cell] = old[[cell, *others]].mean(axis=0)
    return smooth.copy()


def identity_at_the_end(graph):
    degree = np.asarray(graph.sum(axis=1)).ravel() + 1
    root = sp.diags(1 / np.sqrt(degree))
    return (root @ graph @ root + sp.eye(graph.shape[0])).tocsr()


def low_pass_elementwise(values, graph, n_steps):
    a = sp.csr_matrix(graph) + sp.eye(graph.shape[0], format="csr")
    d = np.asarray(a.sum(axis=1)).ravel() ** -0.5
    s = sp.diags(d) @ a @ sp.diags(d)
    return s.power(n_steps) @ values


def low_pass_in_place(values, graph, n_steps):
    a = graph + sp.identity(graph.shape[0])
    d = 1 / np.sqrt(np.asarray(a.sum(axis=1)).ravel())
    s = sp.diags(d) @ a @ sp.diags(d)
    for _ in range(n_steps):
        values[:] = s @ values
    return values


# ---------------------------------------------------------------- lesson 03
def hops_backwards(x, graph):
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)
    degree = incoming.sum(dim=1)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return operator.T @ (operator.T @ x)


def gcn_bias_first(x, graph, weight, bias):
    a = graph + torch.eye(graph.shape[0], dtype=x.dtype)
    deg = a.sum(dim=0)
    s = a.T / torch.sqrt(deg[:, None] * deg[None, :])
    return s @ (x @ weight + bias)


def gcn_degree_out(x, graph, weight, bias):
    incoming = graph.T + torch.eye(len(graph), dtype=x.dtype)
    degree = incoming.sum(dim=0)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return operator @ (x @ weight) + bias


def unit_rows_no_grad(x):
    with torch.no_grad():
        length = x.norm(dim=1, keepdim=True)
    return x / length


def view_relu_last(x, weight, bias):
    h = x @ weight + bias
    h = h / h.norm(dim=1, keepdim=True)
    return torch.relu(h)


# ---------------------------------------------------------------- lesson 04
def log_of_softmax(e, temperature):
    return torch.log(torch.softmax(e / temperature, dim=1))


def skl_half(e1, e2, temperature):
    l1 = torch.log_softmax(e1.flatten() / temperature, dim=0)
    l2 = torch.log_softmax(e2.flatten() / temperature, dim=0)
    forward = (l1.exp() * (l1 - l2)).sum()
    backward = (l2.exp() * (l2 - l1)).sum()
    return (forward + backward) / 2


def skl_rows(e1, e2, temperature):
    a = F.log_softmax(e1 / temperature, dim=-1)
    b = F.log_softmax(e2 / temperature, dim=-1)
    return ((a.exp() - b.exp()) * (a - b)).sum()


def cell_kl_mean(e1, e2, temperature):
    a = F.log_softmax(e1 / temperature, dim=1)
    b = F.log_softmax(e2 / temperature, dim=1)
    one = F.kl_div(b, a, log_target=True, reduction="mean")
    two = F.kl_div(a, b, log_target=True, reduction="mean")
    return 0.5 * (one + two)


def within_wrong_sum(e1, e2, temperature):
    log_q1 = torch.log_softmax(e1 / temperature, dim=1)
    log_q2 = torch.log_softmax(e2 / temperature, dim=1)
    both_ways = (log_q1.exp() - log_q2.exp()) * (log_q1 - log_q2)
    return both_ways.sum(dim=0).mean() / 2


def gap_half_detached(e1, e2):
    return e2 + e1.mean(dim=0).detach() - e2.mean(dim=0)


def gap_of_each_cell(e1, e2):
    row = (e1 - e2).mean(dim=1, keepdim=True).detach()
    return e2 + row


# ---------------------------------------------------------------- lesson 05
def pairs_transposed(e1, e2, temperature):
    a = torch.log_softmax(e1 / temperature, dim=1)
    b = torch.log_softmax(e2 / temperature, dim=1)
    p = a[None, :, :] - b[:, None, :]
    return ((a.exp()[None, :, :] - b.exp()[:, None, :]) * p).sum(dim=2)


def pairs_log_of_softmax(e1, e2, temperature):
    q1 = torch.softmax(e1 / temperature, dim=1)
    q2 = torch.softmax(e2 / temperature, dim=1)
    l1, l2 = q1.log(), q2.log()
    h1 = (q1 * l1).sum(dim=1, keepdim=True)
    h2 = (q2 * l2).sum(dim=1)
    return h1 + h2 - q1 @ l2.T - l1 @ q2.T


def ratio_all_others(divergence, graph):
    near = graph + torch.eye(len(graph), dtype=divergence.dtype)
    mean_near = (divergence * near).sum(dim=1) / near.sum(dim=1)
    return (mean_near / divergence.mean(dim=1)).mean()


def ratio_of_averages(divergence, graph):
    myself = torch.eye(len(graph), dtype=divergence.dtype)
    near, others = graph + myself, 1 - myself
    mean_near = (divergence * near).sum(dim=1) / near.sum(dim=1)
    mean_others = (divergence * others).sum(dim=1) / others.sum(dim=1)
    return mean_near.mean() / mean_others.mean()


def sum_with_itself(log_q1, log_q2):
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1 = (q1 * log_q1).sum(dim=1)
    h2 = (q2 * log_q2).sum()
    n = len(q1)
    return n * h1 + h2 - q1 @ log_q2.sum(dim=0) - log_q1 @ q2.sum(dim=0)


# ---------------------------------------------------------------- lesson 06
def programs_two_loops(view_1, graph, weight, bias):
    incoming = graph.T + torch.eye(len(graph), dtype=view_1.dtype)
    degree = incoming.sum(dim=1)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return torch.relu(operator @ (view_1.T @ weight) + bias)


def programs_relu_then_bias(view_1, graph, weight, bias):
    d = graph.sum(dim=0).rsqrt()
    s = d[:, None] * graph.T * d[None, :]
    return torch.relu(s @ view_1.T @ weight) + bias


def refine_no_bias(encodings, weight, bias, programs):
    z = encodings @ (weight @ programs)  # programs first: much cheaper
    return F.normalize(z, dim=1)


def consistency_without_self(z1, z2, graph):
    return F.mse_loss(z1 @ z2.T, graph.to(z1.dtype))


def linear_is_dense(z1, z2, graph):
    n = z1.shape[0]
    similarity = torch.einsum("ik,jk->ij", z1, z2)
    squares = similarity.square().sum()
    on_graph = (z1 * (graph @ z2 + z2)).sum()
    return (squares - 2 * on_graph + graph.sum() + n) / n**2


# ---------------------------------------------------------------- lesson 07
def step_clears_at_end(model, optimizer, inputs, labels):
    model.train()
    loss = model.losses(model(inputs), inputs).total
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def step_without_train_mode(model, optimizer, inputs, labels):
    optimizer.zero_grad()
    outputs = model(inputs)
    total = model.losses(outputs, inputs).total
    total.backward()
    optimizer.step()
    return float(total)


def loss_weights_swapped(distribution, neighborhood, consistency, weight_neighborhood, weight_consistency):
    weights = 1, weight_consistency, weight_neighborhood
    parts = distribution, neighborhood, consistency
    return sum(w * part for w, part in zip(weights, parts, strict=True))


def kept_last_tie(losses, clusters, labels):
    best, kept = float("inf"), 0
    for epoch, loss in enumerate(losses):
        if loss <= best:
            best, kept = loss, epoch
    return kept


def snapshot_half(model, optimizer, epoch):
    weights = {name: w.detach().clone() for name, w in model.state_dict().items()}
    return {"model": weights, "optimizer": optimizer.state_dict(), "epoch": epoch}


# ---------------------------------------------------------------- lesson 08
def accuracy_greedy(labels, clusters):
    labels, clusters = np.asarray(labels), np.asarray(clusters)
    table = np.zeros((labels.max() + 1, clusters.max() + 1))
    np.add.at(table, (labels, clusters), 1)
    hits = 0
    for _ in range(min(table.shape)):
        t, c = np.unravel_index(table.argmax(), table.shape)
        hits += max(table[t, c], 0)
        table[t, :] = -1
        table[:, c] = -1
    return hits / len(labels)


def accuracy_of_matched(labels, clusters):
    table = pd.crosstab(np.asarray(labels), np.asarray(clusters)).to_numpy()
    rows, columns = linear_sum_assignment(-table)
    return table[rows, columns].sum() / table[:, columns].sum()


def report_population(scores):
    scores = np.asarray(scores, dtype=float)
    return scores.mean(), scores.std()


def clusters_first_valley(clusters_by_epoch, losses, labels):
    kept = clusters_by_epoch[0]
    for epoch in range(1, len(losses)):
        if losses[epoch] >= losses[epoch - 1]:
            break
        kept = clusters_by_epoch[epoch]
    return kept


def start_tie_by_accuracy(inertias, accuracies):
    return min(range(len(inertias)), key=lambda s: (inertias[s], -accuracies[s]))


# ---------------------------------------------------------------- lesson 09
def names_t_for_b():
    return {"A": "T cell", "B": "NK cell", "C": "Dendritic cell"}


def split_by_number(scores, clusters):
    types = scores.argmax(axis=1)
    most = [np.bincount(types[clusters == c]).max() for c in range(clusters.max() + 1)]
    return int(np.argmin(most))


def split_by_entropy(scores, clusters):
    types = np.argmax(scores, axis=1)
    h = []
    for c in np.unique(clusters):
        p = np.bincount(types[clusters == c], minlength=scores.shape[1])
        h.append(stats.entropy(p))
    return int(np.argmax(h))


def held_out_leak_outside(values, inside, held_out, n_genes):
    seen = ~held_out
    difference = values[inside & seen].mean(axis=0) - values[~inside].mean(axis=0)
    best = np.argsort(difference)[-n_genes:]
    kept, is_in = values[held_out][:, best], inside[held_out]
    return (kept[is_in].mean(axis=0) - kept[~is_in].mean(axis=0)).mean()


# ---------------------------------------------------------------- lesson 10
def spots_counting_itself(coordinates, n_neighbors):
    n = len(coordinates)
    distance = cdist(coordinates, coordinates)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, : n_neighbors - 1]
    rows = np.repeat(np.arange(n), n_neighbors - 1)
    a = sp.csr_matrix((np.ones(nearest.size), (rows, nearest.ravel())), shape=(n, n))
    return a.maximum(a.T)


def spots_by_angle(coordinates, n_neighbors):
    search = NearestNeighbors(n_neighbors=n_neighbors, metric="cosine")
    chosen = search.fit(coordinates).kneighbors_graph()
    return chosen.maximum(chosen.T)


def sections_in_blocks(coordinates, section, n_neighbors):
    section = np.asarray(section)
    blocks = []
    for name in np.unique(section):
        part = coordinates[section == name]
        a = NearestNeighbors(n_neighbors=n_neighbors).fit(part).kneighbors_graph()
        blocks.append(a.maximum(a.T))
    return sp.block_diag(blocks, format="csr")


def scale_population(log_values):
    return np.clip(log_values / np.std(log_values, axis=0), None, 10)


def vote_lowest_number(clusters, coordinates, n_neighbors):
    tree = NearestNeighbors(n_neighbors=n_neighbors).fit(coordinates)
    nearest = tree.kneighbors(return_distance=False)
    return np.array([np.bincount(clusters[row]).argmax() for row in nearest])


def vote_one_after_other(clusters, coordinates, n_neighbors):
    new = np.array(clusters)
    distance = cdist(coordinates, coordinates)
    np.fill_diagonal(distance, np.inf)
    for spot in range(len(new)):
        others = np.argsort(distance[spot], kind="stable")[:n_neighbors]
        new[spot] = Counter(new[others].tolist()).most_common(1)[0][0]
    return new


# ---------------------------------------------------------------- lesson 11
def left_of_average(published, inertias, accuracies):
    return np.mean(accuracies) / published


def gap_from_the_first(claimed, found, ledger, tolerance):
    if claimed != found:
        return "dataset"
    steps = list(ledger)
    top = ledger[steps[0]]
    loss = {step: top - ledger[step] for step in steps[1:]}
    worst = max(loss, key=loss.get)
    return worst if loss[worst] > tolerance else "nothing"


def gap_total_tolerance(claimed, found, ledger, tolerance):
    if any(claimed[key] != found[key] for key in ("cells", "classes")):
        return "dataset"
    names, scores = list(ledger.keys()), np.array(list(ledger.values()))
    if scores[0] - scores[-1] <= tolerance:
        return "nothing"
    return names[1 + int(np.argmin(np.diff(scores)))]


# ---------------------------------------------------------------- lesson 12
def interval_normal(mine, theirs):
    d = mine.mean(axis=1) - theirs.mean(axis=1)
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half


def interval_seeds_as_units(mine, theirs):
    d = (mine - theirs).ravel()
    low, high = stats.t.interval(0.95, d.size - 1, d.mean(), stats.sem(d))
    return d.mean(), low, high


def gain_best_of_both(mine, theirs):
    return mine.max(axis=1) - theirs.max(axis=1)


# Exercise, answer, what was done wrong, and the name that the check gives it; empty where it gives none.
ANSWERS = (
    ("share_of_zeros", zeros_share, "share of the entries that are not zero", "complement"),
    ("two_nearest", nearest_diag_zero, "own likeness set to 0, not below all", "zero for itself"),
    ("two_nearest", nearest_delete, "positions shifted after deleting the own entry", "shifted positions"),
    ("one_cluster_accuracy", lazy_first_class, "first class instead of the largest", "first class"),
    ("drop_empty", drop_all, "all instead of any: drops rows with a zero", "any zero"),
    ("keep_good", genes_before_cells, "genes filtered before cells", "genes first"),
    ("normalize_log", norm_by_gene, "depth of genes instead of cells", "wrong axis"),
    ("normalize_log", norm_median, "scaled to the median depth, not 10,000", "to the median depth"),
    ("select_genes", select_population_sd, "standardized with n instead of n - 1", "population deviation"),
    ("select_genes", select_on_logs, "no expm1: works on log values", ""),
    (
        "cell_graph",
        graph_first_is_me,
        "assumes first neighbor is itself: fails with copies",
        "first is taken for itself",
    ),
    ("cell_graph", graph_added, "sum with transpose: mutual edges are 2", "not binary"),
    ("homophily", homophily_by_cell, "mean of shares of cells, not of edges", "mean over cells"),
    ("neighbor_mean", mean_alias, "no copy: old values are overwritten while read", "input changed"),
    ("normalized_adjacency", identity_at_the_end, "identity added after normalization", "diagonal"),
    ("low_pass", low_pass_elementwise, "power of the entries, not of the matrix", ""),
    ("low_pass", low_pass_in_place, "overwrites the values handed in", "input changed"),
    ("two_hops", hops_backwards, "both hops against the arrows", "both against the edges"),
    ("gcn_layer", gcn_bias_first, "bias added before the aggregation", "bias before the sum"),
    ("gcn_layer", gcn_degree_out, "degrees of edges that leave", "degrees of leaving edges"),
    ("unit_rows", unit_rows_no_grad, "no gradient through the length", "gradient"),
    ("view_1", view_relu_last, "ReLU after the unit rows", "scaled before the ReLU"),
    ("log_probabilities", log_of_softmax, "log after softmax: -inf when cold", "logarithm of a softmax"),
    ("symmetric_kl", skl_half, "halved, as in the other loss", "halved"),
    ("symmetric_kl", skl_rows, "softmax by rows instead of everything", "softmax over rows"),
    ("cell_alignment", cell_kl_mean, "kl_div mean divides by hidden units too", "mean over entries"),
    ("within_cells", within_wrong_sum, "sums over cells, mean over hidden units", "quotient of sizes"),
    ("without_mean_gap", gap_half_detached, "gradient flows through mean of e2", "gradient"),
    ("without_mean_gap", gap_of_each_cell, "mean over hidden units, not cells", "over hidden units"),
    ("pairwise_divergence", pairs_transposed, "transposed: rows are cells of view 2", "transposed"),
    ("pairwise_divergence", pairs_log_of_softmax, "log of softmax: nan when cold", "NaN"),
    ("neighborhood_ratio", ratio_all_others, "cell itself counted among all others", "self among the others"),
    ("ratio_by_cell", ratio_of_averages, "means by cell, still ratio of means", "means of rows, then one ratio"),
    ("linear_sum_over_all", sum_with_itself, "cell itself not taken out", "self included"),
    ("gene_programs", programs_two_loops, "self-loops added a second time", "self-loops added"),
    ("gene_programs", programs_relu_then_bias, "bias added after the ReLU", "bias after the ReLU"),
    ("refine", refine_no_bias, "bias lost by reordering the product", "not used"),
    ("consistency", consistency_without_self, "target lacks the cell itself", "no identity"),
    ("linear_consistency", linear_is_dense, "makes the cells by cells matrix", "cost"),
    ("training_step", step_clears_at_end, "gradients cleared at the end, not before", "cleared at the end"),
    ("training_step", step_without_train_mode, "training mode not switched on", "evaluation mode left on"),
    ("total_loss", loss_weights_swapped, "two weights swapped", "weights swapped"),
    ("kept_epoch", kept_last_tie, "last of equal losses, not first", "tie"),
    ("snapshot", snapshot_half, "optimizer's state is not copied", "only the model copied"),
    ("hungarian_accuracy", accuracy_greedy, "greedy matching, largest entry first", "greedy"),
    ("hungarian_accuracy", accuracy_of_matched, "divides by cells of matched clusters", "unmatched clusters dropped"),
    ("report_over_seeds", report_population, "population deviation (n)", "population deviation"),
    ("keep_clusters", clusters_first_valley, "stops at first epoch that rises", "the first valley"),
    ("pick_start", start_tie_by_accuracy, "accuracy breaks ties of inertia", "ties by accuracy"),
    ("three_names", names_t_for_b, "B cells called T cells", "all are T cells"),
    ("cluster_to_split", split_by_number, "number of cells instead of share", "smallest count"),
    ("cluster_to_split", split_by_entropy, "largest entropy, not smallest top share", "largest entropy"),
    ("held_out_difference", held_out_leak_outside, "outside cells held out help to pick", "outside leaks"),
    ("spatial_graph", spots_counting_itself, "spot counts itself as neighbor", "counts itself among them"),
    ("spatial_graph", spots_by_angle, "cosine distance of coordinates", "invariant"),
    ("sections_graph", sections_in_blocks, "order of spots lost in blocks", "order of rows"),
    ("scale_and_clip", scale_population, "deviation with n, not n - 1", "population deviation"),
    ("majority_vote", vote_lowest_number, "ties go to the lowest number", "ties to the smallest number"),
    ("majority_vote", vote_one_after_other, "later spots see earlier votes", "one after the other"),
    ("left_without_peeking", left_of_average, "mean of all starts, none chosen", "a start at random"),
    ("explain_gap", gap_from_the_first, "loss against published, not step before", "measured from the published"),
    ("explain_gap", gap_total_tolerance, "tolerance compared with the total loss", "tolerance of the total"),
    ("paired_interval", interval_normal, "normal quantile instead of Student's t", "normal"),
    ("paired_interval", interval_seeds_as_units, "seeds as units, not sets", "seeds as units"),
    ("gain_over", gain_best_of_both, "best seed of both instead of means", "best against best"),
)
