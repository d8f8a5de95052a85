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
# You build the loss that pulls neighbors together and keeps the others away, first over all pairs of cells, then without ever looking at a pair.
#
# | | |
# |---|---|
# | **You will be able to** | compare every cell with every other across the views; write the ratio of near to far; turn a sum over all pairs into sums over cells; measure time and memory by the number of cells; say what the loss rewards and what it does not |
# | **You need** | log probabilities and divergences ([lesson 04](04_distribution_alignment.ipynb)); the cell graph ([lesson 02](02_graphs.ipynb)) |
# | **Time** | about 20 minutes to read, 50 to do; the cells run in well under a minute on two cores |
# | **Where it sits** | counts, two views, **alignment**, refinement, clusters |

# %%
import subprocess, sys

if "google.colab" in sys.modules:  # Colab lacks the package; elsewhere it is installed already
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

# %%
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from matplotlib.ticker import LogLocator

from scrcl_edu import alignment, datasets
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.encoders import unit_rows
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

# %% [markdown]
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
print("share of edges inside a type:", round(homophily(graph.matrix, labels), 1))
print("share of all pairs inside a type:", round(homophily(complete, labels), 1))

# %% [markdown]
# The labels were used here only to judge the graph.
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
small_1 = torch.tensor([[3, 4, 0], [4, 3, 0], [3, 4, 0], [0, 3, 4], [0, 4, 3], [0, 3, 4]]) / 5.0  # (6 cells, 3)
small_2 = torch.tensor([[4, 3, 0], [4, 3, 0], [3, 4, 0], [0, 3, 4], [0, 3, 4], [0, 4, 3]]) / 5.0
by_hand = 1 / (5 * math.log(2))
q1, q2 = torch.softmax(small_1 / by_hand, dim=1), torch.softmax(small_2 / by_hand, dim=1)
pair = ((q1[0] - q2[3]) * (q1[0].log() - q2[3].log())).sum()
print("D of cell 0 in view 1 and cell 3 in view 2, in units of log 2:", round(pair.item() / math.log(2), 2))

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
    D, shape (n_cells, n_cells): D_ij = KL(q1_i || q2_j) + KL(q2_j || q1_i), q the row-wise softmax of e / temperature.
    """
    ### BEGIN SOLUTION
    log_q1, log_q2 = (torch.log_softmax(e / temperature, dim=1) for e in (e1, e2))  # (n_cells, n_hidden)
    gap = log_q1[:, None] - log_q2  # (n_cells, n_cells, n_hidden)
    return ((log_q1.exp()[:, None] - log_q2.exp()) * gap).sum(dim=2)  # (n_cells, n_cells)
    ### END SOLUTION


# %%
hint("pairwise_divergence")

# %%
pairwise_divergence = check("pairwise_divergence", pairwise_divergence).function

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
    Scalar tensor, the mean over cells i of: the mean of D_ij over the neighbors of i and i itself, divided by the mean
    of D_ij over all j other than i.
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
neighborhood_ratio = check("neighborhood_ratio", neighborhood_ratio).function

# %%
print("graph that knows the blocks:", round(neighborhood_ratio(small_divergence, small_graph).item(), 2))
wrong_graph = torch.zeros(6, 6)
for i, j in [(0, 3), (1, 4), (2, 5)]:
    wrong_graph[i, j] = wrong_graph[j, i] = 1
print("graph across the blocks:    ", round(neighborhood_ratio(small_divergence, wrong_graph).item(), 2))

# %% [markdown]
# ## From N x N x H to N x N
#
# Your first form makes an array of cells by cells by hidden numbers.
# How large is it?

# %%
for n_cells in (700, 1_000_000):
    full, pairs = 4 * n_cells**2 * settings.n_hidden, 4 * n_cells**2  # bytes, 4 for a 32-bit number
    print(f"{n_cells:,} cells: every pair and hidden number {full / 1e9:,.1f} GB, every pair {pairs / 1e9:,.3f} GB")

# %% [markdown]
# Multiply out the divergence, with $L = \log q$ and $h_i = q_i \cdot L_i$:
#
# $$D_{ij} = (q_{1i} - q_{2j}) \cdot (L_{1i} - L_{2j}) = h_{1i} + h_{2j} - q_{1i} \cdot L_{2j} - L_{1i} \cdot q_{2j}$$
#
# Now two matrix products do all pairs at once, and the hidden numbers are summed inside them.


# %%
def divergence_by_products(e1, e2, temperature):
    log_q1, log_q2 = (torch.log_softmax(e / temperature, dim=1) for e in (e1, e2))  # (n_cells, n_hidden)
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(dim=1), (q2 * log_q2).sum(dim=1)  # (n_cells,)
    return h1[:, None] + h2 - q1 @ log_q2.T - log_q1 @ q2.T  # (n_cells, n_cells)


print("same numbers:", torch.allclose(divergence_by_products(small_1, small_2, by_hand), small_divergence, atol=1e-6))

# %% [markdown]
# Now we can afford the real cells, and answer the question of the beginning.

# %%
model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
start = embed(model, inputs)
e1, e2, t = start.e1.clone(), start.e2.clone(), settings.temperature
adjacency = torch.as_tensor(graph.matrix.toarray())  # (n_cells, n_cells), only to look at
before = divergence_by_products(e1, e2, t)
print("ratio before training, to one decimal:", round(neighborhood_ratio(before, adjacency).item(), 1))
print(
    "same as the package's dense form:",
    torch.allclose(neighborhood_ratio(before, adjacency), alignment.neighborhood_alignment_dense(e1, e2, graph)),
)

# %% [markdown]
# About 1: across the views, neighbors are no closer than anyone.
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
linear_sum_over_all = check("linear_sum_over_all", linear_sum_over_all).function

# %%
log_q1, log_q2 = (torch.log_softmax(e.double() / t, dim=1) for e in (e1, e2))
dense_sum = divergence_by_products(e1.double(), e2.double(), t)
dense_sum = dense_sum.sum(dim=1) - dense_sum.diagonal()
print("same sums for 700 cells:", torch.allclose(linear_sum_over_all(log_q1, log_q2), dense_sum))

# %% [markdown]
# The numerator is a sum over neighbors: $\sum_j A_{ij} L_{2j}$ is the product of the *sparse* graph with a matrix, as in [lesson 02](02_graphs.ipynb).
# Its cost grows with the number of edges, not with the number of pairs.


# %%
def linear_ratio(e1, e2, graph, temperature):
    log_q1, log_q2 = (torch.log_softmax(e / temperature, dim=1) for e in (e1, e2))
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(dim=1), (q2 * log_q2).sum(dim=1)  # (n_cells,)
    to_self = ((q1 - q2) * (log_q1 - log_q2)).sum(dim=1)
    near_q2, near_log_q2, near_h2 = graph @ q2, graph @ log_q2, (graph @ h2[:, None])[:, 0]  # sums over neighbors
    to_near = graph.degrees * h1 + near_h2 - (q1 * near_log_q2).sum(dim=1) - (log_q1 * near_q2).sum(dim=1)
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


dense = value_and_gradient(lambda a, b: neighborhood_ratio(divergence_by_products(a, b, t), adjacency.double()))
linear = value_and_gradient(lambda a, b: linear_ratio(a, b, graph_64, t))
ours = value_and_gradient(lambda a, b: alignment.neighborhood_alignment(a, b, graph_64, temperature=t))
for name, other in {"linear": linear, "package": ours}.items():
    print(
        f"dense and {name}: same value {torch.allclose(dense[0], other[0], rtol=1e-12)},",
        f"same gradient {torch.allclose(dense[1], other[1], rtol=1e-9, atol=1e-15)}",
    )

# %% [markdown]
# ## What does it save? Measure
#
# Move the slider: the orange square holds one number for each pair of cells, the blue block one for each cell and hidden number, both drawn to the same scale.


# %%
def draw(n_cells):
    n_hidden = settings.n_hidden
    fig, axes = plt.subplots(figsize=(4, 3), layout="constrained")
    axes.add_patch(plt.Rectangle((0, 0), n_cells, n_cells, color=PALETTE[1]))
    axes.add_patch(plt.Rectangle((0, 0), n_hidden, n_cells, color=PALETTE[0]))
    axes.set(xlim=(0, 8000), ylim=(8000, 0), aspect="equal", title=f"{n_cells} cells", ylabel="cells")
    axes.set_xlabel(f"{n_cells**2:,} pairs\n{n_cells * n_hidden:,} hidden numbers")
    return fig


slider(
    draw,
    alt="For {n_cells} cells, the square of all pairs beside the narrow block of cells by hidden numbers",
    start={"n_cells": 2000},
    n_cells=[250, 500, 1000, 2000, 4000, 8000],
)

# %% [markdown]
# Now the stopwatch, and the memory.
# For the memory we count the bytes that must be kept from the forward pass until the backward pass; torch can be asked for each of them.
# The cells are random, and each is a neighbor of the seven before and the seven after it.


# %%
def ring(n_cells):
    steps = [step for step in range(-7, 8) if step]
    wrapped = [step - n_cells if step > 0 else step + n_cells for step in steps]
    return Graph(sp.diags([1.0] * 28, steps + wrapped, shape=(n_cells, n_cells), format="csr"))


# %%
def bytes_kept(loss, *arguments):
    kept = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: kept.update({x.untyped_storage().data_ptr(): x.untyped_storage().nbytes()}) or x, lambda x: x
    ):
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
forms = {"dense": alignment.neighborhood_alignment_dense, "linear": alignment.neighborhood_alignment}
sizes = {"dense": [250, 500, 1000, 2000], "linear": [250, 500, 1000, 2000, 4000, 8000]}
if PROFILE == "full":
    sizes = {"dense": [*sizes["dense"], 4000, 8000], "linear": [*sizes["linear"], 16000, 32000, 64000]}
measured = {}
for form, loss in forms.items():
    for n_cells in sizes[form]:
        torch.manual_seed(SEED)
        pair = [unit_rows(torch.rand(n_cells, settings.n_hidden)).requires_grad_() for _ in range(2)]
        connected = ring(n_cells)
        measured[form, n_cells] = seconds(loss, *pair, connected), bytes_kept(loss, *pair, connected)

# %% tags=["nbval-ignore-output"]
table = pd.DataFrame(measured, index=["seconds", "megabytes kept"]).T
table["megabytes kept"] /= 1e6
table.round(3)

# %%
fig, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
titles = ("seconds", "Loss and gradient", 1), ("megabytes", "Kept for the gradient", 1e6)
for column, (axes, (unit, title, size)) in enumerate(zip(panels, titles, strict=True)):
    for form, color, marker in (("dense", PALETTE[1], "s-"), ("linear", PALETTE[0], "o-")):
        values = [measured[form, n_cells][column] / size for n_cells in sizes[form]]
        axes.loglog(sizes[form], values, marker, color=color, label=form)
    axes.set(xlabel="cells", ylabel=unit, title=title)
    axes.set_xticks(sizes["linear"], sizes["linear"], rotation=45)
    axes.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}")
    axes.minorticks_off()
    axes.legend(frameon=False)
show(
    fig,
    alt="Seconds and megabytes by number of cells, on logarithmic axes, for the dense and the linear form. The dense form's "
    "lines are steeper and end far above those of the linear form.",
)

# %%
for form in forms:
    growth = measured[form, 2000][1] / measured[form, 1000][1]
    print(f"{form}: twice the cells keep {growth:.1f} times the memory")
print("at 2000 cells the linear form is quicker:", measured["linear", 2000][0] < measured["dense", 2000][0])
smallest = min(n for n in sizes["dense"] if measured["dense", n][1] > measured["linear", n][1])
print("the dense form keeps more from about", smallest, "cells on")

# %% [markdown]
# Note the small sizes: for a few hundred cells and a wide encoding, pairs are not the problem, and the linear form keeps as much as the dense one.
# It is the *growth* that decides.
#
# ## What does the loss do to cells?
#
# Train with the recipe's weights (and a larger learning rate, to be done in seconds).
# Write down after each [epoch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch) how far a cell is from its other view, from its neighbors, and from the rest.

# %%
model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
rest = 1 - adjacency - torch.eye(len(e1))  # neither neighbor nor the cell itself
distances = []


def watch(epoch=0, losses=None):
    now = embed(model, inputs)
    divergence = divergence_by_products(now.e1, now.e2, t)
    means = [divergence.diagonal().mean(), *((divergence * mask).sum() / mask.sum() for mask in (adjacency, rest))]
    distances.append([mean.item() for mean in means])


watch()
epochs = 40 if PROFILE == "fast" else 200
history = train(model, inputs, epochs=epochs, learning_rate=2e-4, weight_decay=settings.weight_decay, on_epoch=watch)
trained = embed(model, inputs)
after = divergence_by_products(trained.e1, trained.e2, t)

# %%
by_type = np.argsort(labels, kind="stable")
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for axes, divergence, title in ((left, before, "D before training"), (middle, after, "D after training")):
    image = axes.imshow(divergence[by_type][:, by_type], cmap="viridis", interpolation="nearest")
    axes.set(title=title, xlabel="cells in view 2, by type", ylabel="cells in view 1, by type", xticks=[], yticks=[])
    fig.colorbar(image, ax=axes, shrink=0.8)
for name, line, style in zip(
    ("itself", "neighbors", "the rest"), np.transpose(distances), ("-", "--", ":"), strict=True
):
    right.semilogy(line, style, lw=2, label=name)
right.set(xlabel="epoch", title="Mean divergence of a cell to")
right.legend(frameon=False)
show(
    fig,
    alt="Left and middle: all pairwise divergences, cells sorted by type. Before training all are alike and form broad "
    "stripes; afterwards dark blocks of close cells lie along the diagonal. Right: by epoch the divergence to itself and to "
    "neighbors falls, that to the rest rises in the end.",
)

# %%
itself, neighbors, everyone_else = distances[-1]
print("neighbors are closer than the rest, more than 5 times:", everyone_else > 5 * neighbors)
print("the loss fell below a third of its first value:", history["neighborhood"][-1] < history["neighborhood"][0] / 3)

# %% [markdown]
# ## Why it does not collapse
#
# Numerator and denominator both shrink when all cells move together, so is the ratio not blind to a [collapse](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#collapse)?
# Try it: move all encodings towards their common center, step by step.
# Do it twice: once shrinking everything, and once with a small disagreement between the views that stays as it is.

# %%
a, b = trained.e1.double(), trained.e2.double()
center = unit_rows((a + b).mean(dim=0, keepdim=True))
torch.manual_seed(SEED)
noise_1, noise_2 = (0.1 * unit_rows(torch.randn_like(a)) for _ in range(2))
scales = [1.0, 0.3, 0.1, 0.03, 0.01, 0.003]


def ratio_when_shrunk(scale, strength):
    shrunk = [unit_rows(center + scale * (e - center) + strength * noise) for e, noise in ((a, noise_1), (b, noise_2))]
    return linear_ratio(*shrunk, graph_64, t).item()


everything = [ratio_when_shrunk(scale, 0.0) for scale in scales]
with_disagreement = [ratio_when_shrunk(scale, 1.0) for scale in scales]

# %%
fig, axes = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
axes.semilogx(scales, everything, "o-", color=PALETTE[1], label="views shrink together")
axes.semilogx(scales, with_disagreement, "s--", color=PALETTE[0], label="views disagree by a fixed amount")
axes.invert_xaxis()
axes.set(xlabel="size of the differences between cells (1 = trained)", ylabel="loss", ylim=(0, 1.1))
axes.legend(frameon=False)
show(
    fig,
    alt="The loss against the size of the differences between cells. When everything shrinks it stays where it is; when the "
    "views keep a fixed disagreement it climbs to 1.",
)

# %%
print("shrinking everything changes the loss by less than 20 %:", abs(everything[-1] / everything[0] - 1) < 0.2)
print("with a disagreement that stays, the loss goes to", round(with_disagreement[-1], 1))

# %% [markdown]
# The ratio does not see size as such.
# But two views never agree fully; next to that disagreement, which stands in numerator and denominator alike, the differences between cells must be *large* for the ratio to be small.
# That is what pushes cells apart.
# When the views agree perfectly, nothing holds the size.
# And when all cells are equal, the loss is zero divided by zero; on the way there, 32-bit numbers give out.

# %% tags=["nbval-ignore-output"]
for scale in (1, 1e-2, 1e-4):
    exact = [unit_rows(center + scale * (e - center)) for e in (a, b)]
    rounded = [e.float() for e in exact]
    print(
        f"size {scale}: 64 bit {linear_ratio(*exact, graph_64, t):.3f},",
        f"32 bit linear {alignment.neighborhood_alignment(*rounded, graph):.3f},",
        f"32 bit dense {alignment.neighborhood_alignment_dense(*rounded, graph):.3f}",
    )

# %% [markdown]
# Dense or linear makes no difference here: both subtract large numbers to get a small one.
#
# ## What it learns is the graph
#
# The loss never sees a type.
# Compare pairs that the graph gets wrong: neighbors of *different* type, and cells of the *same* type that are not neighbors.

# %%
same = torch.as_tensor(labels[:, None] == labels)
pairs = {
    "neighbors, same type": same & (adjacency > 0),
    "neighbors, different type": ~same & (adjacency > 0),
    "not neighbors, same type": same & (rest > 0),
    "not neighbors, different type": ~same & (rest > 0),
}
mean = {name: after[mask].mean().item() for name, mask in pairs.items()}
print("closest first:", *sorted(mean, key=mean.get), sep="\n  ")

# %% [markdown]
# After training a neighbor of the *wrong* type is closer than a cell of the right type that is no neighbor.
# The loss cannot be better than its graph; where edges cross types, it pulls types together.
# How much of the total is this loss?

# %%
share = settings.weight_neighborhood * history["neighborhood"][0]
total = history["total"][0]
print("at the start more than nine tenths of the total loss are this part:", share / total > 0.9)

# %% [markdown]
# One more choice to test: the neighbors of a cell stand in the numerator *and* among "all others" in the denominator.
# Leave them out below, and see whether it matters.

# %%
near = adjacency + torch.eye(len(e1))
without = ((after * near).sum(dim=1) / near.sum(dim=1)) / ((after * rest).sum(dim=1) / rest.sum(dim=1))
change = without.mean() / neighborhood_ratio(after, adjacency) - 1
print("the loss changes by less than 10 %:", bool(abs(change) < 0.1))

# %% [markdown]
# ## Quiz

# %%
quiz("05")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - The reference implementation computes the matrix of all pairs.
#   We use the sums; value and gradient are the same, as you have asserted, so this is the same method for more cells.
# - **Hard to justify:** the numerator counts the cell itself, the denominator does not, and neighbors stand in both.
#   The cell above shows how little the second choice matters when a cell has few neighbors among many cells.
# - **Hard to justify:** with the usual weights this part is nearly the whole loss, and it learns a graph that was computed beforehand from the same counts.
#   So ask of every result: would clustering the graph itself have done as well?
#   [Lesson 08](08_evaluation.ipynb) puts the rivals beside it.
# - Before it sums logarithms the package adds a constant to them, the logarithm of the number of hidden numbers; it cancels in every divergence and saves digits.
#
# ## Summary
#
# - The loss divides how far a cell is from its neighborhood by how far it is from everyone; 1 means that the graph has not been learned.
# - Multiplying out turns sums over pairs into sums over cells and over edges: same number, same gradient, linear time and memory.
# - It keeps cells apart because the views disagree a little; it has no view of size by itself.
# - It learns the graph, with the graph's mistakes.
#
# **Next:** [06 Gene refinement](06_gene_refinement.ipynb) brings in the genes.
#
# **Further reading:** Peng et al., arXiv 2512.10640; van den Oord et al., *Representation Learning with Contrastive Predictive Coding*, arXiv 1807.03748; Katharopoulos et al., *Transformers are RNNs*, ICML 2020, where the same trick, sums before products, makes attention linear.
