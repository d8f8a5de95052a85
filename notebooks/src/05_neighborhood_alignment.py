# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 Neighborhood alignment: near against everyone, in linear time
#
# [Open 05_neighborhood_alignment on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/05_neighborhood_alignment.ipynb) · [Open 05_neighborhood_alignment on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/05_neighborhood_alignment.ipynb)
#
# You build the loss that pulls neighbors together and keeps the others away, first over all pairs of cells, then without ever looking at a pair; and you find out what it does to types, which is not what one hopes for.
#
# | | |
# |---|---|
# | **You will be able to** | compare every cell with every other across the views; write the ratio of near to far; turn a sum over all pairs into sums over cells; measure time and memory by the number of cells; say what the loss rewards and what it does not; find out by interventions why training merges types |
# | **You need** | log probabilities and divergences ([lesson 04](04_distribution_alignment.ipynb)); the cell graph ([lesson 02](02_graphs.ipynb)) |
# | **Time** | about 20 minutes to read, 80 to do; the cells run in about a minute on two cores |
# | **Where it sits** | counts, two views, **alignment**, refinement, clusters |

# %% tags=["hide-input"]
# @title Set-up: on Colab this installs the course first
import subprocess, sys

if "google.colab" in sys.modules:
    course = "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, course], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

import math
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from matplotlib.ticker import LogLocator

from scrcl_edu import alignment, datasets, evaluation
from scrcl_edu.clustering import kmeans
from scrcl_edu.course import (
    check,
    claim,
    explain,
    given,
    hint,
    mend,
    method_map,
    predict,
    quiz,
    reveal,
    transfer,
)
from scrcl_edu.course.platform import platform_check
from scrcl_edu.encoders import unit_rows
from scrcl_edu.explorables import explorable
from scrcl_edu.fitting import add_graphs, build
from scrcl_edu.graphs import Graph, homophily
from scrcl_edu.plotting import PALETTE, show
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.recipes import recipe
from scrcl_edu.training import embed, train

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %%
method_map("05")

# %% [markdown]
# New to matrix products and gradients? The [primer on PyTorch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/primer_pytorch.md) is what this lesson needs.
#
# ## The question
#
# [Lesson 04](04_distribution_alignment.ipynb) ended badly: pulled together without anything that keeps them apart, all cells became alike.
# Which cells should be alike, and which should not?
# The labels would tell, but we must not look at them.
# What we do have is the **[cell graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-graph)**, made from the counts alone.
# Its edges join cells of the same type far more often than chance does.

# %%
adata = datasets.load("pbmc68k_reduced")
settings = recipe("robust")
preprocess(adata, n_top_genes=settings.n_top_genes)
features = encoder_features(adata, settings.features)  # (n_cells, n_genes)
add_graphs(adata, settings, features)
graph = Graph(adata.obsp["cell_graph"])
print("cells:", graph.shape[0], "| edges:", graph.matrix.nnz // 2)

# %%
labels = adata.obs["label"].to_numpy()
complete = sp.csr_matrix(np.ones((len(labels), len(labels))))
on_edges, on_pairs = homophily(graph.matrix, labels), homophily(complete, labels)
claim(
    "Of the edges of the cell graph {edges:.0%} stay inside a type; of all pairs of "
    "cells {pairs:.0%} do.",
    on_edges > on_pairs + 0.3,
    edges=on_edges,
    pairs=on_pairs,
)

# %% [markdown]
# The labels were used here only to judge the graph, and nearly a third of its edges does cross types: remember it for later.
#
# **Are graph neighbors close to each other across the two views, before any training?**
# As in lesson 04 each cell becomes a distribution in each view, and closeness is the symmetric divergence; but now of *every* cell $i$ in view 1 with *every* cell $j$ in view 2:
#
# $$D_{ij} = \mathrm{KL}(q_{1i} \| q_{2j}) + \mathrm{KL}(q_{2j} \| q_{1i})$$
#
# ## Six cells by hand
#
# These are the six cells of lesson 04, with the [temperature](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#temperature) that makes powers of two.
# The first cell of view 1 is $(8, 16, 1)/25$.
# The fourth cell of view 2 is $(1, 8, 16)/25$.
# The logarithms differ by $3$, $1$ and $-4$ times $\log 2$, the probabilities by $7$, $8$ and $-15$ parts of 25.
# So $D_{03} = (3 \cdot 7 + 1 \cdot 8 + 4 \cdot 15)/25 \cdot \log 2 = 3.56 \log 2$.

# %%
small_1 = [[3, 4, 0], [4, 3, 0], [3, 4, 0], [0, 3, 4], [0, 4, 3], [0, 3, 4]]
small_1 = torch.tensor(small_1) / 5.0  # (6 cells, 3)
small_2 = [[4, 3, 0], [4, 3, 0], [3, 4, 0], [0, 3, 4], [0, 3, 4], [0, 4, 3]]
small_2 = torch.tensor(small_2) / 5.0
by_hand = 1 / (5 * math.log(2))
q1, q2 = (torch.softmax(small / by_hand, dim=1) for small in (small_1, small_2))
pair = ((q1[0] - q2[3]) * (q1[0].log() - q2[3].log())).sum()
in_units = round(pair.item() / math.log(2), 2)
print("D of cell 0 in view 1 and cell 3 in view 2, in units of log 2:", in_units)

# %% [markdown]
# ## Exercise 1: every cell with every cell


# %%
def pairwise_divergence(e1, e2, temperature):
    """Symmetric divergence of each cell in view 1 to each cell in view 2.

    Parameters
    ----------
    e1, e2
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0.

    Returns
    -------
    D, shape (n_cells, n_cells): D_ij = KL(q1_i || q2_j) + KL(q2_j || q1_i), where q
    is the row-wise softmax of e / temperature.
    """
    ### BEGIN SOLUTION
    # (n_cells, n_hidden)
    log_q1, log_q2 = (torch.log_softmax(e / temperature, dim=1) for e in (e1, e2))
    gap = log_q1[:, None] - log_q2  # (n_cells, n_cells, n_hidden)
    # (n_cells, n_cells)
    return ((log_q1.exp()[:, None] - log_q2.exp()) * gap).sum(dim=2)
    ### END SOLUTION


# %%
hint("pairwise_divergence")

# %%
pairwise_divergence = check("pairwise_divergence", pairwise_divergence)

# %%
small_divergence = pairwise_divergence(small_1, small_2, by_hand)  # (6, 6)
print((small_divergence / math.log(2)).numpy().round(2) + 0.0)

# %% [markdown]
# Two blocks: the cells 0, 1, 2 are close to each other, and so are 3, 4, 5.
# A graph that knows the blocks joins 0 with 1, 1 with 2, 3 with 4, and 4 with 5.
#
# ## The ratio
#
# For each cell, the loss divides two means:
#
# $$\text{loss} = \frac{1}{N} \sum_i \frac{\text{mean of } D_{ij} \text{ over the neighbors of } i \text{ and } i \text{ itself}}{\text{mean of } D_{ij} \text{ over all } j \text{ other than } i}$$
#
# - It is 1 when neighbors are no closer than anyone.
# - It falls when neighbors come closer (smaller numerator) **or** when the others move away (larger denominator).
# - The cell itself belongs to its neighborhood: its two views should agree as well.
#
# For cell 0: its neighborhood is 0 and 1, with $D$ of $0.64$ and $0.64$ (in units of $\log 2$), so the mean is $0.64$.
# Its others are 1, 2, 3, 4, 5.

# %%
small_graph = torch.zeros(6, 6)
for i, j in [(0, 1), (1, 2), (3, 4), (4, 5)]:
    small_graph[i, j] = small_graph[j, i] = 1
near, others = small_divergence[0, [0, 1]].mean(), small_divergence[0, 1:].mean()
print(
    "cell 0: near",
    round(near.item() / math.log(2), 2),
    "| others",
    round(others.item() / math.log(2), 2),
    "| ratio",
    round((near / others).item(), 2),
)

# %% [markdown]
# ## Exercise 2: the ratio


# %%
def neighborhood_ratio(divergence, graph):
    """How close a cell is to its neighborhood, compared with all other cells.

    Parameters
    ----------
    divergence
        D, shape (n_cells, n_cells).
    graph
        Binary and symmetric, without self-loops, shape (n_cells, n_cells).

    Returns
    -------
    Scalar tensor, the mean over cells i of: the mean of D_ij over the neighbors of i
    and i itself, divided by the mean of D_ij over all j other than i.
    """
    ### BEGIN SOLUTION
    myself = torch.eye(len(graph), dtype=divergence.dtype)
    near, others = graph + myself, 1 - myself  # masks, (n_cells, n_cells)
    mean_near = (divergence * near).sum(dim=1) / near.sum(dim=1)  # (n_cells,)
    mean_others = (divergence * others).sum(dim=1) / others.sum(dim=1)
    return (mean_near / mean_others).mean()
    ### END SOLUTION


# %%
hint("neighborhood_ratio")

# %%
neighborhood_ratio = check("neighborhood_ratio", neighborhood_ratio)

# %%
wrong_graph = torch.zeros(6, 6)
for i, j in [(0, 3), (1, 4), (2, 5)]:
    wrong_graph[i, j] = wrong_graph[j, i] = 1
knows = neighborhood_ratio(small_divergence, small_graph).item()
crosses = neighborhood_ratio(small_divergence, wrong_graph).item()
claim(
    "By a function that is {whose}, the loss is {knows:.2f} for the graph that knows "
    "the blocks and {crosses:.2f} for one that joins across them.",
    knows < 0.5 < crosses,
    whose=neighborhood_ratio.whose,
    knows=knows,
    crosses=crosses,
)

# %% [markdown]
# Here is all of it in one picture.
# On the left D, with the entries that the numerator takes framed: the cell itself and its neighbors.
# On the right, what becomes of each row: two means, and their ratio.

# %%
in_logs = (small_divergence / math.log(2)).numpy()
near_mask = (small_graph + torch.eye(6)).numpy() > 0
near_mean = (in_logs * near_mask).sum(axis=1) / near_mask.sum(axis=1)
others_mean = (in_logs.sum(axis=1) - in_logs.diagonal()) / 5
fig, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4.2), width_ratios=(3, 2), layout="constrained"
)
image = left.imshow(in_logs, cmap="viridis", vmin=0)
fig.colorbar(image, ax=left, shrink=0.8, label="D, in units of log 2")
for (i, j), value in np.ndenumerate(in_logs):
    word = "self" if i == j else "near" if near_mask[i, j] else "far"
    ink = "black" if value > 2 else "white"
    text = f"{value + 0.0:.2f}\n{word}"
    left.text(j, i, text, ha="center", va="center", color=ink, fontsize=8)
    if near_mask[i, j]:
        frame = {"fill": False, "edgecolor": PALETTE[4], "lw": 2}
        frame |= {"linestyle": ":" if i == j else "-"}
        left.add_patch(plt.Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, **frame))
left.set(xlabel="cell j in view 2", ylabel="cell i in view 1", title="D, near and far")
columns = np.stack([near_mean, others_mean, near_mean / others_mean], axis=1)
right.imshow(np.zeros_like(columns), cmap="Greys", vmin=0, vmax=1)
for (i, j), value in np.ndenumerate(columns):
    right.text(j, i, f"{value:.2f}", ha="center", va="center")
right.set_xticks(range(3), ["near\nand self", "all\nothers", "ratio"])
right.set(yticks=range(6), title="what the loss makes of each row")
for line in (0.5, 1.5):
    right.axvline(line, color="#b0b0b0", lw=0.8)
show(
    fig,
    alt="Left, the matrix D of the six cells as a heat map with its numbers; each "
    "entry is marked as self, near or far, and near ones are framed. Two dark blocks "
    "lie along the diagonal. Right, for each row the mean over the framed entries, the "
    "mean over all others, and the ratio of the two.",
)

# %% [markdown]
# A mean of ratios is not a ratio of means.
# This function is nearly right, and on the real cells of below it differs only late in its digits:


# %%
def ratio_by_cell_given(divergence, graph):
    myself = torch.eye(len(graph), dtype=divergence.dtype)
    near, others = graph + myself, 1 - myself  # masks, (n_cells, n_cells)
    mean_near = (divergence * near).sum() / near.sum()
    mean_others = (divergence * others).sum() / others.sum()
    return mean_near / mean_others


far_cell = small_divergence.clone()
far_cell[0] *= 10  # cell 0 is further from everyone, its neighbors included
for name, divergence in (("as it was", small_divergence), ("one far cell", far_cell)):
    print(f"{name}: given {ratio_by_cell_given(divergence, small_graph):.3f}")

# %% [markdown]
# No cell's own ratio is any different, and the result has moved.
# Find the fault, and mend it.


# %%
def ratio_by_cell(divergence, graph):
    ### BEGIN SOLUTION
    myself = torch.eye(len(graph), dtype=divergence.dtype)
    near, others = graph + myself, 1 - myself  # masks, (n_cells, n_cells)
    mean_near = (divergence * near).sum(dim=1) / near.sum(dim=1)  # (n_cells,)
    mean_others = (divergence * others).sum(dim=1) / others.sum(dim=1)
    return (mean_near / mean_others).mean()
    ### END SOLUTION


# %%
hint("ratio_by_cell")

# %%
ratio_by_cell = mend("ratio_by_cell", ratio_by_cell)

# %% [markdown]
# ## From N x N x H to N x N
#
# Your first form makes an array of cells by cells by hidden units.
# How large is it?

# %%
for n_cells in (700, 1_000_000):
    pairs = 4 * n_cells**2 / 1e9  # a 32-bit number has 4 bytes
    full = pairs * settings.n_hidden
    print(f"{n_cells:,} cells: each pair {pairs:,.3f} GB", end=", ")
    print(f"each pair and hidden unit {full:,.1f} GB")

# %% [markdown]
# Multiply out the divergence, with $L = \log q$ and $h_i = q_i \cdot L_i$:
#
# $$D_{ij} = (q_{1i} - q_{2j}) \cdot (L_{1i} - L_{2j}) = h_{1i} + h_{2j} - q_{1i} \cdot L_{2j} - L_{1i} \cdot q_{2j}$$
#
# Now two matrix products do all pairs at once, and the hidden units are summed inside them.


# %%
def divergence_by_products(e1, e2, temperature):
    # (n_cells, n_hidden)
    log_q1, log_q2 = (torch.log_softmax(e / temperature, dim=1) for e in (e1, e2))
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(dim=1), (q2 * log_q2).sum(dim=1)  # (n_cells,)
    return h1[:, None] + h2 - q1 @ log_q2.T - log_q1 @ q2.T  # (n_cells, n_cells)


by_products = divergence_by_products(small_1, small_2, by_hand)
apart = (by_products - small_divergence).abs().max().item()
print(f"largest difference on the six cells: {apart:.0e}")

# %% [markdown]
# Now we can afford the real cells, and answer the question of the beginning.

# %%
model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
start = embed(model, inputs)
e1, e2, t = start.e1.clone(), start.e2.clone(), settings.temperature
adjacency = torch.as_tensor(
    graph.matrix.toarray()
)  # (n_cells, n_cells), only to look at
before = divergence_by_products(e1, e2, t)
mine = neighborhood_ratio(before, adjacency)
package = alignment.neighborhood_alignment_dense(e1, e2, graph)
claim(
    "Before training the loss is {mine:.3f}, and by the package's dense form "
    "{package:.3f}: across the views, neighbors are no closer than anyone.",
    abs(mine - 1) < 0.1 and torch.allclose(mine, package, rtol=1e-3),
    mine=mine.item(),
    package=package.item(),
)

# %% [markdown]
# The graph knows something that the encodings do not know yet.
#
# ## The good form: no matrix of cells by cells at all
#
# An atlas has a million cells.
# You have just seen what one matrix of its pairs would take, and training needs several of them.
# But look at what the loss really uses: **sums** of $D_{ij}$ over $j$.
# Sum the four terms over all $j$:
#
# $$\sum_j D_{ij} = N h_{1i} + \sum_j h_{2j} - q_{1i} \cdot \Big(\sum_j L_{2j}\Big) - L_{1i} \cdot \Big(\sum_j q_{2j}\Big)$$
#
# The sums in brackets are *one row each, the same for all cells*.
# Compute them once, and each cell needs two short products.
# For all $j$ other than $i$, subtract $D_{ii}$ at the end.
#
# On the six cells this is what is kept, once for all, in place of the 36 entries of D.

# %%
log_small = [torch.log_softmax(e / by_hand, dim=1) for e in (small_1, small_2)]
q_small = [log.exp() for log in log_small]
h_small = [(q * log).sum(dim=1) for q, log in zip(q_small, log_small, strict=True)]
fig, axes = plt.subplots(
    2, 3, figsize=(11, 4.8), width_ratios=(6, 3, 3), height_ratios=(6, 1.3),
    layout="constrained",
)  # fmt: skip
kept_instead = {
    "D": (small_divergence, small_divergence.sum(dim=1)[None]),
    "q of view 2": (q_small[1], q_small[1].sum(dim=0)[None]),
    "L = log q of view 2": (log_small[1], log_small[1].sum(dim=0)[None]),
}
names = "wanted: row sums of D, cells 0 to 5", "sum over j of q", "sum over j of L"
for column, (title, (whole, kept)) in enumerate(kept_instead.items()):
    for panel, part in zip(axes[:, column], (whole, kept), strict=True):
        panel.imshow(part, cmap="viridis" if column == 0 else "cividis", aspect="auto")
        middle = float(part.min() + part.max()) / 2
        for (i, j), value in np.ndenumerate(part.numpy()):
            ink = "black" if value > middle else "white"
            text = f"{value + 0.0:.1f}"
            panel.text(j, i, text, ha="center", va="center", color=ink, fontsize=8)
        panel.set(xticks=[], yticks=[])
    axes[0, column].set_title(title)
    axes[1, column].set_title(names[column], fontsize=10)
    axes[0, column].set_ylabel("cell i" if column == 0 else "cell j")
show(
    fig,
    alt="Above, the matrix D of six by six cells, and q and L of the second view with "
    "six rows and three hidden units. Below each, what is kept: the row sums of D, and "
    "one row each with the sums of q and of L over all cells.",
)
row_sums = (
    6 * h_small[0]
    + h_small[1].sum()
    - q_small[0] @ log_small[1].sum(dim=0)
    - log_small[0] @ q_small[1].sum(dim=0)
)
claim(
    "Cell 0: the row sum of D is {dense:.4f}; from the two rows of sums, and the sum "
    "of h, it is {linear:.4f}.",
    torch.allclose(row_sums, small_divergence.sum(dim=1), atol=1e-4),
    dense=small_divergence[0].sum().item(),
    linear=row_sums[0].item(),
)

# %% [markdown]
# Those are the sums with the cell itself; you will take it out.
#
# ## Exercise 3: the sum over all others, in linear time


# %%
def linear_sum_over_all(log_q1, log_q2):
    """Sum of D_ij over all j other than i, without any matrix of cells by cells.

    Parameters
    ----------
    log_q1, log_q2
        Row-wise log-softmax of the two views, shape (n_cells, n_hidden).

    Returns
    -------
    Shape (n_cells,).
    """
    ### BEGIN SOLUTION
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(dim=1), (q2 * log_q2).sum(dim=1)  # (n_cells,)
    to_all = len(q1) * h1 + h2.sum() - q1 @ log_q2.sum(dim=0) - log_q1 @ q2.sum(dim=0)
    to_self = ((q1 - q2) * (log_q1 - log_q2)).sum(dim=1)
    return to_all - to_self
    ### END SOLUTION


# %%
hint("linear_sum_over_all")

# %%
linear_sum_over_all = check("linear_sum_over_all", linear_sum_over_all)

# %%
log_q1, log_q2 = (torch.log_softmax(e.double() / t, dim=1) for e in (e1, e2))
dense_sum = divergence_by_products(e1.double(), e2.double(), t)
dense_sum = dense_sum.sum(dim=1) - dense_sum.diagonal()
linear_sum = linear_sum_over_all(log_q1, log_q2)
apart = ((linear_sum - dense_sum).abs().max() / dense_sum.max()).item()
claim(
    "For {n} cells the sums by a function that is {whose} and those of the dense form "
    "differ by {apart:.0e} of the largest.",
    apart < 1e-9,
    n=len(dense_sum),
    whose=linear_sum_over_all.whose,
    apart=apart,
)

# %% [markdown]
# The numerator is a sum over neighbors: $\sum_j A_{ij} L_{2j}$ is the product of the *sparse* graph with a matrix, as in [lesson 02](02_graphs.ipynb).
# Its cost grows with the number of edges, not with the number of pairs.


# %%
def linear_ratio(e1, e2, graph, temperature):
    log_q1, log_q2 = (torch.log_softmax(e / temperature, dim=1) for e in (e1, e2))
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(dim=1), (q2 * log_q2).sum(dim=1)  # (n_cells,)
    to_self = ((q1 - q2) * (log_q1 - log_q2)).sum(dim=1)
    near_q2, near_log_q2 = graph @ q2, graph @ log_q2  # sums over neighbors
    near_h2 = (graph @ h2[:, None])[:, 0]
    cross = (q1 * near_log_q2).sum(dim=1) + (log_q1 * near_q2).sum(dim=1)
    to_near = graph.degrees * h1 + near_h2 - cross
    mean_near = (to_near + to_self) / (graph.degrees + 1)
    mean_others = linear_sum_over_all(log_q1, log_q2) / (len(e1) - 1)
    return (mean_near / mean_others).mean()


# %% [markdown]
# **Same number, same [gradient](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gradient).**
# This is algebra, not an approximation, so in 64-bit numbers the two forms must agree to many digits, and so must their gradients.

# %%
graph_64 = graph.to(dtype=torch.float64)


def value_and_gradient(loss):
    a, b = e1.double().requires_grad_(), e2.double().requires_grad_()
    value = loss(a, b)
    value.backward()
    return value.detach(), torch.stack([a.grad, b.grad])


def dense_ratio(a, b):
    return neighborhood_ratio(divergence_by_products(a, b, t), adjacency.double())


def package_ratio(a, b):
    return alignment.neighborhood_alignment(a, b, graph_64, temperature=t)


dense = value_and_gradient(dense_ratio)
linear = value_and_gradient(lambda a, b: linear_ratio(a, b, graph_64, t))
ours = value_and_gradient(package_ratio)
values, slopes = zip(*(dense, linear, ours), strict=True)
claim(
    "Dense {dense:.12f}, linear {linear:.12f}, package {ours:.12f}; their gradients "
    "differ by {slope:.0e} of the largest entry.",
    all(torch.allclose(v, values[0], rtol=1e-11) for v in values)
    and all(torch.allclose(s, slopes[0], rtol=1e-8, atol=1e-14) for s in slopes),
    dense=values[0].item(),
    linear=values[1].item(),
    ours=values[2].item(),
    slope=((slopes[0] - slopes[1]).abs().max() / slopes[0].abs().max()).item(),
)

# %% [markdown]
# ## What does it save? Measure
#
# Here are forty of the cells with their $D$.
# Choose a cell, and see which entries of its row are near and which are far.
# Count its row pair by pair; beside it stand the parts of the sum, of which three are sums over all cells that every row shares, and the number is the same.
# Then let the number of cells grow, and read the two bars.

# %%
explorable("near")

# %% [markdown]
# Now the stopwatch, and the memory.
# For the memory we count the bytes that must be kept from the forward pass until the backward pass; torch can be asked for each of them.
# The cells are random, and each is a neighbor of the seven before and the seven after it.
# What is timed are the functions of this lesson, with your sum in the linear one.


# %%
def ring(n_cells):
    steps = [step for step in range(-7, 8) if step]
    wrapped = [step - n_cells if step > 0 else step + n_cells for step in steps]
    return Graph(
        sp.diags([1.0] * 28, steps + wrapped, shape=(n_cells, n_cells), format="csr")
    )


# %%
def bytes_kept(loss, *arguments):
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss(*arguments)
    return sum(kept.values())


# %%
def seconds(loss, *arguments):
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        loss(*arguments).backward()
        taken.append(time.perf_counter() - started)
    return min(taken)


# %%
def timed_dense(a, b, connected, around):
    return neighborhood_ratio(divergence_by_products(a, b, t), around)


def timed_linear(a, b, connected, around):
    return linear_ratio(a, b, connected, t)


print("the sum over all that is timed is", linear_sum_over_all.whose)
forms = {"dense": timed_dense, "linear": timed_linear}
sizes = {"dense": [250, 500, 1000, 2000], "linear": [250, 500, 1000, 2000, 4000, 8000]}
if PROFILE == "full":
    sizes = {
        "dense": [*sizes["dense"], 4000, 8000],
        "linear": [*sizes["linear"], 16000, 32000, 64000],
    }
measured = {}
for form, loss in forms.items():
    for n_cells in sizes[form]:
        torch.manual_seed(SEED)
        pair = [unit_rows(torch.rand(n_cells, settings.n_hidden)) for _ in range(2)]
        pair = [e.requires_grad_() for e in pair]
        connected = ring(n_cells)
        dense_graph = form == "dense" and torch.as_tensor(connected.matrix.toarray())
        given_to = *pair, connected, dense_graph
        measured[form, n_cells] = seconds(loss, *given_to), bytes_kept(loss, *given_to)

# %% tags=["nbval-ignore-output"]
table = pd.DataFrame(measured, index=["seconds", "megabytes kept"]).T
table["megabytes kept"] /= 1e6
table.round(3)

# %%
growth = {form: measured[form, 2000][1] / measured[form, 1000][1] for form in forms}
growing = claim(
    "Twice the cells keep {dense:.1f} times the memory in the dense form, and "
    "{linear:.1f} times in the linear one.",
    growth["dense"] > 3 and growth["linear"] < 2.3,
    dense=growth["dense"],
    linear=growth["linear"],
)

# %%
fig, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
titles = (
    ("seconds", "Loss and gradient", 1),
    ("megabytes", "Kept for the gradient", 1e6),
)
for column, (axes, (unit, title, size)) in enumerate(zip(panels, titles, strict=True)):
    for form, color, marker in (
        ("dense", PALETTE[1], "s-"),
        ("linear", PALETTE[0], "o-"),
    ):
        values = [measured[form, n_cells][column] / size for n_cells in sizes[form]]
        axes.loglog(sizes[form], values, marker, color=color, label=form)
    axes.set(xlabel="cells", ylabel=unit, title=title)
    axes.set_xticks(sizes["linear"], sizes["linear"], rotation=45)
    axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}")
    axes.minorticks_off()
    axes.legend(frameon=False)
show(
    fig,
    alt="Seconds and megabytes by number of cells, on logarithmic axes, for the dense "
    f"and the linear form. {growing.text}",
)

# %% [markdown]
# Look at the small sizes as well: for a few hundred cells and a wide encoding, pairs are not the problem, and the linear form saves nothing.
# It is the *growth* that decides.
#
# ## What does the loss do to cells?
#
# Train with the recipe's weights (and a larger learning rate, to be done in seconds).
# Write down after each [epoch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch) how far a cell is from its other view, from its neighbors, and from the rest.

# %%
EPOCHS = 40 if PROFILE == "fast" else 200
rest = 1 - adjacency - torch.eye(len(e1))  # neither neighbor nor the cell itself


def trained_on(loss_graph=graph, watch=None, data=adata):
    """The encodings before and after training, and the history."""
    model, inputs = build(data, settings, features, n_clusters=10, seed=SEED)
    inputs = replace(inputs, cell_graph=loss_graph)  # what the losses see
    now = embed(model, inputs)
    first = now.e1.clone(), now.e2.clone()
    follow = watch and (lambda epoch, losses: watch(embed(model, inputs)))
    pace = {"learning_rate": 2e-4, "weight_decay": settings.weight_decay}
    history = train(model, inputs, epochs=EPOCHS, on_epoch=follow, **pace)
    now = embed(model, inputs)
    return first, (now.e1, now.e2), history


distances = []


def watch(now):
    divergence = divergence_by_products(now.e1, now.e2, t)
    masks = torch.eye(len(e1)), adjacency, rest
    distances.append([((divergence * m).sum() / m.sum()).item() for m in masks])


watch(start)
_, (trained_1, trained_2), history = trained_on(watch=watch)
after = divergence_by_products(trained_1, trained_2, t)

# %%
itself, near_by, everyone_else = np.transpose(distances)
fell = claim(
    "The loss falls from {first:.2f} to {last:.2f}. A neighbor, which was as far as "
    "anyone, is {times:.0f} times closer than the rest in the end. Its divergence is "
    "smallest at epoch {lowest} of {epochs}, and larger again at the end.",
    history["neighborhood"][-1] < history["neighborhood"][0] / 3
    and everyone_else[-1] > 5 * near_by[-1]
    and near_by.min() < near_by[-1],
    first=history["neighborhood"][0],
    last=history["neighborhood"][-1],
    times=everyone_else[-1] / near_by[-1],
    lowest=int(near_by.argmin()),
    epochs=EPOCHS,
)

# %%
fig, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
lines = {"itself": itself, "neighbors": near_by, "the rest": everyone_else}
for (name, line), style in zip(lines.items(), ("-", "--", ":"), strict=True):
    axes.semilogy(line, style, lw=2, label=name)
axes.set(xlabel="epoch", ylabel="mean D", title="Mean divergence of a cell to")
axes.legend(frameon=False)
show(
    fig,
    alt="Three curves by epoch: the mean divergence of a cell to its own other view, "
    "to "
    f"its neighbors, and to the rest. {fell.text}",
)

# %% [markdown]
# It is the *ratio* that falls.
# Once near is near enough, the cheapest way to make it smaller is to push the rest further away, and neighbors may drift apart a little while that happens.
#
# ### Who is near whom, by type
#
# The whole matrix D, cells sorted by type: before training, after training, and the mean of each block as a share of the mean over all pairs.
# A 1 in a block says that cells of these two types are as far apart as any two cells; a number close to 0 says that the loss treats them as one.

# %%
by_type = np.argsort(labels, kind="stable")
types, first_of, size_of = np.unique(
    labels[by_type], return_index=True, return_counts=True
)
off_diagonal = 1 - torch.eye(len(e1))


def by_blocks(divergence):
    """Mean D of each pair of types, over the mean of all pairs."""
    inside = torch.as_tensor(labels[:, None] == types).float()  # (n_cells, n_types)
    count = inside.T @ off_diagonal @ inside
    blocks = inside.T @ (divergence * off_diagonal) @ inside / count
    return (blocks / ((divergence * off_diagonal).sum() / off_diagonal.sum())).numpy()


fig, axes = plt.subplots(1, 3, figsize=(15, 5.8), layout="constrained")
for panel, divergence, title in zip(
    axes, (before, after), ("D before training", "D after training"), strict=False
):
    sorted_cells = divergence[by_type][:, by_type]
    image = panel.imshow(sorted_cells, cmap="viridis", interpolation="nearest")
    fig.colorbar(image, ax=panel, shrink=0.6, pad=0.02)
    for edge in first_of[1:]:
        panel.axhline(edge - 0.5, color="white", lw=0.6)
        panel.axvline(edge - 0.5, color="white", lw=0.6)
    panel.set(title=title, xticks=[], xlabel="cells in view 2, same order")
    panel.set_yticks([])
large = size_of >= 19  # the names of the smallest two would lie on others
axes[0].set_yticks((first_of + size_of / 2)[large], types[large], fontsize=8)
blocks = by_blocks(after)
axes[2].imshow(blocks, cmap="viridis", vmin=0, vmax=2)
for (i, j), value in np.ndenumerate(blocks):
    color = "black" if value > 1.1 else "white"
    axes[2].text(
        j, i, f"{value:.1f}", ha="center", va="center", color=color, fontsize=8
    )
axes[2].set_xticks(range(len(types)), types, rotation=90, fontsize=8)
axes[2].set_yticks(range(len(types)), types, fontsize=8)
axes[2].set_title("after training, mean of a block / mean of all")
t_and_nk = np.flatnonzero([name.startswith(("CD4+", "CD8+", "CD56")) for name in types])
pairs_of = [(i, j) for i in t_and_nk for j in t_and_nk if i < j]


def merged(divergence):
    """Of T and NK types: D within a type and between two, over the mean of all."""
    table = by_blocks(divergence)
    within = np.mean([table[i, i] for i in t_and_nk])
    return within, np.mean([(table[i, j] + table[j, i]) / 2 for i, j in pairs_of])


within_before, between_before = merged(before)
within_after, between_after = merged(after)
merge = claim(
    "Between two of the {n} types of T and NK cells, D is {before:.2f} of the mean "
    "over all pairs before training and {after:.2f} afterwards; within one of these "
    "types it is {within:.2f} afterwards.",
    between_after < 0.3 and between_before > 0.8 and between_after < 1.6 * within_after,
    n=len(t_and_nk),
    before=between_before,
    after=between_after,
    within=within_after,
)
show(
    fig,
    alt="Three pictures of D by type, with white lines between the types: all pairs of "
    "cells before training, after training, and the mean of each block after training "
    f"as a number. {merge.text}",
)

# %% [markdown]
# **Training merges types.**
# It draws a few dark squares, each of them larger than a type.
# All T and NK cells are one block, within which the loss hardly sees a difference between types; whether the monocytes merge with the dendritic cells as well depends on the seed.
# This goes with what lesson 04 found, where the cells that were held apart scored worst: they are held apart in a few heaps, and ten clusters have to be found in them.


# %%
def accuracy(pair):
    clusters = kmeans(np.hstack(pair), 10, n_starts=5, seed=SEED)
    return evaluation.accuracy(labels, clusters)


score_before, score_after = accuracy((e1, e2)), accuracy((trained_1, trained_2))
claim(
    "The accuracy of k-means with ten clusters is {before:.2f} before training and "
    "{after:.2f} afterwards.",
    score_after < score_before + 0.02,
    before=score_before,
    after=score_after,
)

# %% [markdown]
# ### Whose fault is it?
#
# The first suspect is the graph: nearly a third of its edges cross types, and the loss pulls together whoever is joined.
# If the wrong edges did it, taking them out should undo it.
# So let us cheat, for once, with open eyes: the labels tell which edges to cut.
# We cut them in three ways, each time training from the same start.
#
# - **Cut in the loss.** The loss sees only edges inside a type; the encoders keep their graph.
# - **Perfect in the loss.** The loss sees a graph made from the labels: each cell is joined with cells drawn from its own type, near or far.
# - **Cut everywhere.** The wrong edges are gone for the encoders as well, in the filter and in the convolutions.

# %%
predict("whose_fault")

# %%
row, column = sp.triu(graph.matrix).nonzero()
inside = labels[row] == labels[column]
cells = graph.shape[0]


def symmetric(row, column):
    edges = sp.csr_matrix((np.ones(len(row)), (row, column)), shape=(cells, cells))
    return ((edges + edges.T) > 0).astype(float).tocsr()


cut = symmetric(row[inside], column[inside])
generator = np.random.default_rng(SEED)
drawn = []
for cell, label in enumerate(labels):
    own = np.flatnonzero((labels == label) & (np.arange(cells) != cell))
    own = generator.choice(own, min(14, len(own)), replace=False)
    drawn += [(cell, other) for other in own]
perfect = symmetric(*np.transpose(drawn))
cut_data = adata.copy()
cut_data.obsp["cell_graph"] = cut

# %%
trials = {"as it is": ((e1, e2), (trained_1, trained_2))}
trials["cut in the loss"] = trained_on(Graph(cut))[:2]
trials["perfect in the loss"] = trained_on(Graph(perfect))[:2]
trials["cut everywhere"] = trained_on(Graph(cut), data=cut_data)[:2]
found = {}
for name, (first, last) in trials.items():
    within, between = merged(divergence_by_products(*last, t))
    found[name] = {"T and NK, within": within, "between": between}
    found[name] |= {"between / within": between / within}
    found[name] |= {"accuracy before": accuracy(first), "after": accuracy(last)}

# %% tags=["nbval-ignore-output"]
pd.DataFrame(found).T.round(2)

# %%
apart = {name: values["between / within"] for name, values in found.items()}
reveal("whose_fault", "cut everywhere")
claim(
    "Between and within types of T and NK cells, D stands {as_it_is:.1f} to 1 as it "
    "is, {cut:.1f} to 1 with the wrong edges cut in the loss, {perfect:.1f} to 1 with "
    "a perfect graph in the loss, and {everywhere:.1f} to 1 with the wrong edges cut "
    "for the encoders as well.",
    max(apart["as it is"], apart["cut in the loss"], apart["perfect in the loss"]) < 1.8
    and apart["cut everywhere"] > 2,
    as_it_is=apart["as it is"],
    cut=apart["cut in the loss"],
    perfect=apart["perfect in the loss"],
    everywhere=apart["cut everywhere"],
)
everywhere = found["cut everywhere"]
claim(
    "With the wrong edges cut everywhere the accuracy is {before:.2f} before training, "
    "and training does not raise it: {after:.2f}.",
    everywhere["accuracy before"] > score_before + 0.05
    and everywhere["after"] < everywhere["accuracy before"] + 0.03,
    before=everywhere["accuracy before"],
    after=everywhere["after"],
)

# %% [markdown]
# The graph of the loss is not to blame: with a *perfect* one the types stay nearly as merged as they were.
# What helps is to cut the wrong edges where the encoders read them, and then the help is there before the first step of training.
# (Its accuracy is no score of the method: the labels drew that graph.)
# Two things come together.
#
# First, a loss can only pull apart what the encoders can tell apart, and averaging over neighbors has blurred the kinds of T cells before any loss sees them.
#
# Second, look at the ratio once more.
# Its denominator is the mean over *all* others, so that it rewards a cell for being far from the average cell.
# Monocytes and T cells differ most, and pushing these heaps apart makes the denominator large; whether two kinds of T cells stand apart hardly changes it.
# A small ratio does not need many groups. A few heaps will do.
#
# ## Why it does not collapse
#
# Numerator and denominator both shrink when all cells move together, so is the ratio not blind to a [collapse](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#collapse)?
# For small differences a divergence is a squared distance, up to a factor.
# Make all differences $s$ times as large, and numerator and denominator are both $s^2$ times as large: the ratio stays.
# But suppose that the two views disagree by an amount $\delta$ that stays.
# It stands in near and far alike:
#
# $$\text{ratio} \approx \frac{s^2 \, \text{near}^2 + \delta^2}{s^2 \, \text{far}^2 + \delta^2}$$
#
# and goes to 1 when $s$ becomes small.
# Try both: move all encodings towards their common center, step by step, without such a disagreement and with one.

# %%
a, b = trained_1.double(), trained_2.double()
center = unit_rows((a + b).mean(dim=0, keepdim=True))
torch.manual_seed(SEED)
noise = [0.1 * unit_rows(torch.randn_like(a)) for _ in range(2)]
scales = [1.0, 0.3, 0.1, 0.03, 0.01, 0.003]


def ratio_when_shrunk(scale, strength):
    moved = [center + scale * (e - center) for e in (a, b)]
    pair = [unit_rows(m + strength * n) for m, n in zip(moved, noise, strict=True)]
    return linear_ratio(*pair, graph_64, t).item()


everything = [ratio_when_shrunk(scale, 0.0) for scale in scales]
with_disagreement = [ratio_when_shrunk(scale, 1.0) for scale in scales]
shrinking = claim(
    "Shrinking all differences to {smallest:.1%} changes the loss from {first:.3f} to "
    "{last:.3f}; with a disagreement that stays it goes to {disagreeing:.2f}.",
    abs(everything[-1] / everything[0] - 1) < 0.3 and with_disagreement[-1] > 0.9,
    smallest=scales[-1],
    first=everything[0],
    last=everything[-1],
    disagreeing=with_disagreement[-1],
)

# %%
fig, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
lines = (
    (everything, "o-", PALETTE[1], "views shrink together"),
    (
        with_disagreement,
        "s--",
        PALETTE[0],
        "views disagree by a fixed amount",
    ),
)
for values, style, color, label in lines:
    axes.semilogx(scales, values, style, color=color, label=label)
axes.invert_xaxis()
axes.set(xlabel="size of the differences between cells (1 = trained)", ylabel="loss")
axes.set_ylim(0, 1.1)
axes.legend(frameon=False)
show(
    fig,
    alt="The loss against the size of the differences between cells, for views that "
    f"shrink together and for views with a fixed disagreement. {shrinking.text}",
)

# %% [markdown]
# The ratio does not see size as such.
# But two views never agree fully, and next to their disagreement the differences between cells must be *large* for the ratio to be small.
# That is what pushes cells apart in training.
# When the views agree perfectly, nothing holds the size.
# And when all cells are equal, the loss is zero divided by zero; on the way there, 32-bit numbers give out.

# %%
digits = {}
for scale in (1, 1e-2, 1e-4):
    exact = [unit_rows(center + scale * (e - center)) for e in (a, b)]
    pair = [e.float() for e in exact]
    digits[scale] = {
        "64 bit": linear_ratio(*exact, graph_64, t).item(),
        "32 bit, linear": alignment.neighborhood_alignment(*pair, graph).item(),
        "32 bit, dense": alignment.neighborhood_alignment_dense(*pair, graph).item(),
    }

# %% tags=["nbval-ignore-output"]
pd.DataFrame(digits).T.round(3)

# %%
tiny = digits[1e-4]
off = {k: abs(v - tiny["64 bit"]) / tiny["64 bit"] for k, v in tiny.items()}
claim(
    "At the smallest size the loss is {true:.3f}; in 32 bit the linear form is off by "
    "{linear:,.0f} times that value, and the dense form by {dense:,.0f} times.",
    min(off["32 bit, linear"], off["32 bit, dense"]) > 0.5,
    true=tiny["64 bit"],
    linear=off["32 bit, linear"],
    dense=off["32 bit, dense"],
)

# %% [markdown]
# Do not take the dense form for the safer one because its wrong answer looks more modest: *both* are wrong, for the same reason.
# They subtract large numbers to get a small one, and the small one is smaller than the rounding.
#
# ## Is this contrastive learning?
#
# In [lesson 04](04_distribution_alignment.ipynb) you met InfoNCE, which has one positive for each cell, its own other view, and all other cells as negatives.
# This loss has about fifteen positives, the cell and its graph neighbors, and the negatives stand in the denominator.
# So it is a relative.
# But the two treat their negatives differently, and this can be seen on the same encodings: the slope of a loss by one pair's divergence or similarity says how hard it pushes that pair.


# %%
def push_on_negatives(similarity, loss):
    """Share of the push that goes to the nearest tenth of the negatives."""
    similarity = similarity.clone().requires_grad_()
    loss(similarity).backward()
    negative = (rest > 0) & ~torch.eye(cells, dtype=torch.bool)
    push = similarity.grad.abs() * negative
    scores = similarity.detach().masked_fill(~negative, -torch.inf)
    nearest = scores.topk(cells // 10, dim=1).indices
    return (push.gather(1, nearest).sum(dim=1) / push.sum(dim=1)).mean().item()


similarity = trained_1 @ trained_2.T
identity = torch.arange(cells)
hard = {
    "InfoNCE": push_on_negatives(
        similarity, lambda s: torch.nn.functional.cross_entropy(s / 0.1, identity)
    ),
    "ratio": push_on_negatives(-after, lambda s: neighborhood_ratio(-s, adjacency)),
}
claim(
    "Of all its push on negatives, InfoNCE spends {info:.0%} on the nearest tenth of "
    "them, and the ratio {ratio:.0%}.",
    hard["InfoNCE"] > hard["ratio"] + 0.1 and hard["ratio"] < 0.15,
    info=hard["InfoNCE"],
    ratio=hard["ratio"],
)

# %% [markdown]
# InfoNCE presses hardest on the negatives that are most easily mistaken for the cell; the ratio presses on all of them alike.
# That is the second reason from above in one number: a near stranger, such as another kind of T cell, gets no more push than a monocyte.
# (On the other hand InfoNCE calls a cell's own kin strangers. There is no free lunch, only a choice.)
#
# ## What it learns is the graph
#
# The loss never sees a type.
# Compare pairs that the graph gets wrong: neighbors of *different* type, and cells of the *same* type that are not neighbors.

# %%
predict("nearer_pair")

# %%
same = torch.as_tensor(labels[:, None] == labels)
pairs = {
    "neighbors, same type": same & (adjacency > 0),
    "neighbors, different type": ~same & (adjacency > 0),
    "not neighbors, same type": same & (rest > 0),
    "not neighbors, different type": ~same & (rest > 0),
}
mean = {name: after[mask].mean().item() for name, mask in pairs.items()}
wrong, right = mean["neighbors, different type"], mean["not neighbors, same type"]
reveal("nearer_pair", min(list(mean)[1:3], key=mean.get))
claim(
    "After training, the mean D to a neighbor of another type is {wrong:.4f}, and to a "
    "cell of the same type that is no neighbor {right:.4f}.",
    wrong < right,
    wrong=wrong,
    right=right,
)

# %% [markdown]
# A neighbor of the *wrong* type is closer than a cell of the right type that is no neighbor.
# How much of the total is this loss?

# %%
share = settings.weight_neighborhood * history["neighborhood"][0]
share /= history["total"][0]
claim(
    "At the start {share:.1%} of the total loss is this part.", share > 0.9, share=share
)

# %% [markdown]
# One more choice to test: the neighbors of a cell stand in the numerator *and* among "all others" in the denominator.
# Leave them out below, and see whether it matters.

# %%
near = adjacency + torch.eye(cells)
mean_near = (after * near).sum(dim=1) / near.sum(dim=1)
without = mean_near / ((after * rest).sum(dim=1) / rest.sum(dim=1))
change = without.mean() / neighborhood_ratio(after, adjacency) - 1
claim(
    "Without the neighbors in the denominator the loss changes by {change:+.1%}.",
    abs(change) < 0.1,
    change=change.item(),
)

# %% [markdown]
# ## Transfer: another sum over all pairs
#
# The trick is not bound to divergences.
# Here are cells as points far from the origin; find how far each of them is from all others, and make no matrix of cells by cells.

# %%
points = given("far_from_all")
print("points:", points.points.shape)


# %%
def far_from_all(points):
    ### BEGIN SOLUTION
    centered = points - points.mean(axis=0)  # distances stay, digits are saved
    squares = (centered**2).sum(axis=1)  # (n_cells,)
    return len(points) * squares + squares.sum()  # the sum of centered points is 0
    ### END SOLUTION


# %%
transfer("far_from_all", far_from_all)

# %% [markdown]
# ## Explain

# %%
explain("why_types_merge")

# %% [markdown]
# ## Quiz

# %%
quiz("05")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - The reference implementation computes the matrix of all pairs.
#   We use the sums; value and gradient are the same, as claimed above on this very run, so that this is the same method for more cells.
# - **Hard to justify:** the numerator counts the cell itself, the denominator does not, and neighbors stand in both.
#   The cell above shows how little the second choice matters when a cell has few neighbors among many cells.
# - **Hard to justify:** with the usual weights this part is nearly the whole loss, and it learns a graph that was computed beforehand from the same counts.
#   So ask of every result: would clustering the graph itself have done as well?
#   [Lesson 08](08_evaluation.ipynb) puts the rivals beside it.
# - Before it sums logarithms the package adds a constant to them, the logarithm of the number of hidden units; it cancels in every divergence and saves digits.
#
# ## Summary
#
# - The loss divides how far a cell is from its neighborhood by how far it is from everyone; 1 means that the graph has not been learned.
# - Multiplying out turns sums over pairs into sums over cells and over edges: same number, same gradient, linear time and memory.
# - It keeps cells apart because the views disagree a little; it has no view of size by itself.
# - It learns the graph, with the graph's mistakes; and it merges types that the encoders have blurred, even with a graph that has no mistakes, because a few far heaps are enough for a small ratio.
# - It is a relative of contrastive losses: positives by the graph, negatives in the denominator, all of them pressed on alike.
#
# **Next:** [06 Gene refinement](06_gene_refinement.ipynb) brings in the genes.
#
# **Further reading:** Peng et al., arXiv 2512.10640; van den Oord et al., *Representation Learning with Contrastive Predictive Coding*, arXiv 1807.03748; Katharopoulos et al., *Transformers are RNNs*, ICML 2020, where the same trick, sums before products, makes attention linear.
