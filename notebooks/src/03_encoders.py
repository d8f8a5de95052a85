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
# # 03 Encoders: two views of each cell
#
# [Open 03_encoders on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/03_encoders.ipynb) · [Open 03_encoders on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/03_encoders.ipynb)
#
# You build the two networks that encode each cell, a plain layer and a [graph convolution](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#graph-convolution), and you find out how much they know before they are trained: on these cells, nearly all that they ever will.
#
# | | |
# |---|---|
# | **You will be able to** | compute a graph convolution by hand, edge by edge and as a matrix; say which way information flows; scale encodings to unit rows; explain why random weights keep types apart; ask of any network what its training adds |
# | **You need** | PyTorch tensors; the normalized graph ([lesson 02](02_graphs.ipynb)) |
# | **Time** | about 15 minutes to read, 60 to do; the cells run in under a minute on two cores |
# | **Where it sits** | counts to features, graphs and filter, **two views**, then alignment, refinement, clusters |

# %% tags=["hide-input"]
# @title Set-up: on Colab this installs the course first
import subprocess, sys

if "google.colab" in sys.modules:
    course = "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, course], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from torch.nn import functional as F

from scrcl_edu import datasets, encoders, evaluation, graphs, preprocessing
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
    slider,
    transfer,
)
from scrcl_edu.course.platform import platform_check
from scrcl_edu.explorables import explorable
from scrcl_edu.fitting import fit
from scrcl_edu.plotting import PALETTE, embedding, show, umap
from scrcl_edu.recipes import recipe, recipe_names

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %%
method_map("03")

# %% [markdown]
# New to [tensors](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#tensor) and layers? The [primer on PyTorch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/primer_pytorch.md) is what this lesson needs.
#
# ## The question
#
# The method reads every cell twice, with two networks that share nothing but the counts.
# Together they have hundreds of thousands of weights, and the paper trains them for many [epochs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch).
# Before we build them: how much of the result is there when all weights are still random?
# `epochs=0` gives exactly that.

# %%
settings = recipe("robust")
adata = datasets.load("pbmc68k_reduced")
labels = adata.obs["label"].to_numpy().astype(str)  # only to judge
untrained = fit(
    adata, n_clusters=10, recipe=settings.with_(epochs=0), seed=SEED, copy=True
)
print(
    "encodings of view 1 and view 2:",
    untrained.obsm["X_scrcl_e1"].shape,
    untrained.obsm["X_scrcl_e2"].shape,
)


# %%
def accuracy(values):
    """Of k-means with ten clusters."""
    return evaluation.accuracy(
        labels, kmeans(np.asarray(values), 10, n_starts=5, seed=SEED)
    )


lazy = pd.Series(labels).value_counts().max() / len(labels)
random_1, random_2 = (accuracy(untrained.obsm[f"X_scrcl_e{v}"]) for v in (1, 2))
claim(
    "With random weights, k-means on view 1 has an accuracy of {one:.2f} and on view 2 "
    "of {two:.2f}; putting all cells into one cluster has {lazy:.2f}.",
    min(random_1, random_2) > lazy + 0.15,
    one=random_1,
    two=random_2,
    lazy=lazy,
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
for panel, view in zip(axes, (1, 2), strict=True):
    picture = umap(untrained.obsm[f"X_scrcl_e{view}"], seed=SEED)
    title = f"view {view}, random weights"
    embedding(picture, labels, axes=panel, title=title, names=view == 1)
show(
    fig,
    alt="The encodings of the two views with random weights as UMAP pictures, each "
    "cell colored by its type. Broad families, such as B cells, monocytes and T cells, "
    "can be made out; how well, the numbers above tell.",
)

# %% [markdown]
# Nobody has trained anything, and the large families of cells stand apart already.
# By the end of this lesson you will know why, and what it means for every score that you read.
#
# Before we begin, commit yourself: what will training add?

# %%
predict("what_training_adds")

# %% [markdown]
#
# ## View 2: a graph convolution, by hand
#
# A cell's counts are noisy, and its neighbors in the graph are nearly the same kind of cell.
# A network that reads graphs makes use of that: it lets a node listen to its neighbors.
# A graph convolution does two things. It multiplies the features $x_i$ of each node by a weight matrix $W$, as any layer does, and it lets each node **collect** along the edges that arrive at it:
#
# $$\mathrm{out}_j = \sum_{i \to j} \frac{W x_i}{\sqrt{\deg_i \deg_j}} + b$$
#
# In code the features of all nodes are the *rows* of `x`, so that $W x_i$ for every node at once is `x @ weight`, with `weight` $= W^\top$, shape (n_in, n_out).
# Every node has an edge to itself, so that it hears itself, too; $\deg$ counts the edges that *arrive*, the [self-loop](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#self-loop) included.
# Six nodes, a directed graph, one feature that is 1 at node 0 and 0 elsewhere: we watch where it goes.

# %%
graph = torch.zeros(6, 6)  # entry [i, j]: edge i -> j
for i, j in [(0, 1), (1, 2), (0, 3), (3, 4), (4, 3), (5, 3)]:
    graph[i, j] = 1
x = torch.tensor([[1.0], [0], [0], [0], [0], [0]])  # (6 nodes, 1 feature)
degree = graph.sum(dim=0) + 1  # (6,), arriving edges and the self-loop
print("edges that arrive, with the self-loop:", degree.int().tolist())

# %% [markdown]
# By hand: node 1 collects from 0 and itself; deg_0 = 1 (only its self-loop), deg_1 = 2, so it gets 1 / sqrt(1 x 2) = 0.71.
# Node 3 has deg 4 and gets 1 / sqrt(1 x 4) = 0.5.
# Node 0 keeps 1 / sqrt(1 x 1) = 1.
# Nodes 2 and 4 are two steps away and get nothing yet.

# %%
out = torch.zeros(6, 1)  # the naive form: edge by edge
for i in range(6):
    for j in range(6):
        if graph[i, j] or i == j:
            out[j] += x[i] / (degree[i] * degree[j]).sqrt()
print(out[:, 0].numpy().round(2))

# %% [markdown]
# As a matrix: row j must hold the edges that **arrive** at j.
# Entry [i, j] is the edge i -> j, so the graph has to be *turned*.

# %%
incoming = graph.T + torch.eye(6)  # (6, 6), row j: who speaks to j
operator = incoming / torch.outer(degree, degree).sqrt()  # (6, 6)
wrong = (graph + torch.eye(6)) / torch.outer(degree, degree).sqrt()
turned = (operator @ x)[:, 0]  # (6,)
not_turned = (wrong @ x)[:, 0]
claim(
    "The matrix gives what the loop over edges gives, to {gap:.0e}: {right} nodes "
    "other than node 0 hear it. With the graph not turned, {nobody} do.",
    torch.allclose(turned, out[:, 0]) and not not_turned[1:].any(),
    gap=(turned - out[:, 0]).abs().max().item(),
    right=int(turned[1:].count_nonzero()),
    nobody=int(not_turned[1:].count_nonzero()),
)

# %% [markdown]
# The same in a picture: what each node says, what travels along each arrow, and what has arrived.

# %%
place = np.array([[0, 1], [1, 1], [2, 1], [1, 0], [2, 0], [0, 0]])


def draw_messages(axes, values, title, edges=(), against=False):
    for i, j in graph.nonzero().tolist():
        loud = (i, j) in edges
        color = PALETTE[4] if loud else "#b0b0b0"
        ends = (place[i], place[j]) if against else (place[j], place[i])
        bend = {"arrowstyle": "-|>", "connectionstyle": "arc3,rad=0.18", "lw": 1.6}
        bend |= {"color": color, "shrinkA": 15, "shrinkB": 15}
        axes.annotate("", *ends, arrowprops=bend)
        if loud:
            middle = (place[i] + place[j]) / 2 + [0.12, 0.08]
            weight = operator[j, i].item()
            axes.text(*middle, f"x {weight:.2f}", color=color, ha="center", fontsize=9)
    shade = [PALETTE[1] if value > 0 else "#e8e8e8" for value in values]
    axes.scatter(*place.T, s=640, c=shade, edgecolors="black", linewidths=0.8)
    for node, (right, up) in enumerate(place):
        axes.text(right, up, f"{values[node]:.2g}", ha="center", va="center")
        axes.text(right, up - 0.3, f"node {node}", ha="center", fontsize=8)
    axes.set(xlim=(-0.5, 2.4), ylim=(-0.5, 1.5), xticks=[], yticks=[], title=title)


fig, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
draw_messages(axes[0], x[:, 0].tolist(), "before: node 0 speaks", [(0, 1), (0, 3)])
draw_messages(axes[1], turned.tolist(), "one convolution later")
draw_messages(axes[2], not_turned.tolist(), "graph not turned", against=True)
show(
    fig,
    alt="The six nodes three times, a number in each. Left, the node that speaks holds "
    "one, and two arrows leave it, each with its weight. Middle, the nodes at their "
    "ends hold what arrived. Right, all arrows point the other way, and the node that "
    "spoke is the only one that holds anything.",
)

# %% [markdown]
# Now turn the edges yourself, drag a head to another node, let other nodes speak; drawing and matrix follow.
# It begins with the graph from above.

# %%
explorable("messages")

# %% [markdown]
# With the graph not turned, nobody hears node 0: information flows against the arrows.
# A symmetric graph equals itself turned.
# The [cell graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-graph) is symmetric, so **it would never show this mistake**.
# The [gene graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-graph) of [lesson 06](06_gene_refinement.ipynb) is directed, and would.
#
# Two layers let a node hear from two steps away.
# Here is a function that applies the collecting twice, and on symmetric graphs it is right.


# %%
def two_hops_given(x, graph):
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)  # (n_nodes, n_nodes)
    degree = incoming.sum(dim=1)  # (n_nodes,)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return operator.T @ (operator @ x)  # (n_nodes, n_features)


print("from node 0 reaches:", two_hops_given(x, graph)[:, 0].numpy().round(2))

# %% [markdown]
# There is a path from node 0 to node 1 and on to node 2, yet node 2 has heard nothing.
# Find the fault, and mend it.


# %%
def two_hops(x, graph):
    ### BEGIN SOLUTION
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)  # (n_nodes, n_nodes)
    degree = incoming.sum(dim=1)  # (n_nodes,)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return operator @ (operator @ x)  # (n_nodes, n_features)
    ### END SOLUTION


# %%
hint("two_hops")

# %%
two_hops = mend("two_hops", two_hops)

# %% [markdown]
# ## Exercise 1: the layer


# %%
def gcn_layer(x, graph, weight, bias):
    """One graph convolution: out_j = sum of W x_i / sqrt(deg_i deg_j), plus b.

    The sum runs over the edges i -> j, self-loops included.

    Parameters
    ----------
    x
        Features, shape (n_nodes, n_in).
    graph
        Binary and directed, without self-loops, shape (n_nodes, n_nodes);
        entry [i, j] is the edge from i to j.
    weight
        Shape (n_in, n_out).
    bias
        Shape (n_out,).

    Returns
    -------
    Shape (n_nodes, n_out). deg counts the edges that arrive, the self-loop included.
    """
    ### BEGIN SOLUTION
    incoming = graph.T + torch.eye(len(graph), dtype=graph.dtype)  # (n_nodes, n_nodes)
    degree = incoming.sum(dim=1)  # (n_nodes,)
    operator = incoming / torch.outer(degree, degree).sqrt()
    return operator @ (x @ weight) + bias  # (n_nodes, n_out)
    ### END SOLUTION


# %%
hint("gcn_layer")

# %%
gcn_layer = check("gcn_layer", gcn_layer)

# %% [markdown]
# ### On real cells
#
# Our layer holds a dense matrix of cells by cells.
# The package's `GCNLayer` multiplies with a sparse one, `gcn_operator`.
# Same numbers:

# %%
chosen = untrained.var["highly_variable"].to_numpy()
features = preprocessing.encoder_features(
    untrained, settings.features
)  # (n_cells, n_genes)
features = features.toarray() if sp.issparse(features) else features
cells = torch.as_tensor(features)
cell_graph = untrained.obsp["cell_graph"]  # (n_cells, n_cells), symmetric
torch.manual_seed(SEED)
layer = encoders.GCNLayer(cells.shape[1], 64)
cell_operator = graphs.Graph(encoders.gcn_operator(cell_graph))
with torch.no_grad():
    sparse = layer(cells, cell_operator)  # (n_cells, 64)
    dense = gcn_layer(
        cells, torch.as_tensor(cell_graph.toarray()), layer.lin.weight.T, layer.bias
    )
apart = ((sparse - dense).abs().max() / sparse.abs().max()).item()
smoother = graphs.normalized_adjacency(cell_graph)  # lesson 02
operator_apart = np.abs((cell_operator.matrix - smoother).toarray()).max()
claim(
    "Dense, with a function that is {whose}, and sparse differ by {apart:.0e} of the "
    "largest value. Of the edges of the cell graph {one_way} go one way only, and its "
    "operator differs from the smoother of lesson 02 by {operator_apart:.0e}.",
    apart < 1e-3 and (cell_graph != cell_graph.T).nnz == 0 and operator_apart < 1e-6,
    whose=gcn_layer.whose,
    apart=apart,
    one_way=(cell_graph != cell_graph.T).nnz,
    operator_apart=operator_apart,
)

# %% [markdown]
# So a graph convolution is one step of the [low-pass filter](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#low-pass-filter), followed by a linear layer.
# With $S$ for the smoother and $X$ for the features, the order of the two does not matter: $S (X W) = (S X) W$.
# That has a use. In the first layer $X$ never changes, so that $S X$ is computed once, before training, and never again.

# %%
propagated = cell_operator @ cells  # S X, (n_cells, n_genes), once
with torch.no_grad():
    again = propagated @ layer.lin.weight.T + layer.bias
apart = ((again - sparse).abs().max() / sparse.abs().max()).item()
claim(
    "S (X W) and (S X) W differ by {apart:.0e} of the largest value.",
    apart < 1e-3,
    apart=apart,
)

# %% [markdown]
# ## Unit rows
#
# From here on the method compares **directions**: each encoding is scaled to length 1.
# Then the product of two rows is their cosine, and [depth](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#depth), which makes rows long or short, has no say.
#
# ## Exercise 2: unit rows


# %%
def unit_rows(x):
    """Scale each row to length 1.

    Parameters
    ----------
    x
        Shape (n_cells, n_hidden).

    Returns
    -------
    Same shape.
    """
    ### BEGIN SOLUTION
    return x / x.norm(dim=1, keepdim=True)
    ### END SOLUTION


# %%
hint("unit_rows")

# %%
unit_rows = check("unit_rows", unit_rows)

# %%
pair = torch.tensor(
    [[3.0, 4.0], [6.0, 8.0]]
)  # (2, 2), the second is the first caught twice as well
print(unit_rows(pair).numpy().round(2))
rows_apart = (unit_rows(cells) - encoders.unit_rows(cells)).abs().max().item()
print(f"{unit_rows.whose} and the package's, largest difference: {rows_apart:.0e}")

# %% [markdown]
# What happens to a row of zeros?
# Yours divides 0 by 0; the package's leaves it as it is.
# Such rows can occur: a ReLU may set all of a cell's hidden units to zero when there are only a few of them.
#
# ## View 1: a plain layer
#
# The other view uses no convolution: linear layer, ReLU, [unit rows](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#unit-rows).
#
# ## Exercise 3: view 1


# %%
def view_1(x, weight, bias):
    """The first view of each cell: a linear layer, a ReLU, and rows of length 1.

    Parameters
    ----------
    x
        Filtered features, shape (n_cells, n_genes).
    weight
        Shape (n_genes, n_hidden).
    bias
        Shape (n_hidden,).

    Returns
    -------
    e1, shape (n_cells, n_hidden).
    """
    ### BEGIN SOLUTION
    hidden = torch.relu(x @ weight + bias)  # (n_cells, n_hidden), >= 0
    return hidden / hidden.norm(dim=1, keepdim=True)
    ### END SOLUTION


# %%
hint("view_1")

# %%
view_1 = check("view_1", view_1)

# %% [markdown]
# Note the word *filtered* in the docstring.
# The recipe says how many low-pass steps each view's features get before any network sees them.

# %%
steps_1, steps_2 = settings.filter_steps
filtered_1 = torch.as_tensor(
    graphs.low_pass(features, cell_graph, steps_1)
)  # (n_cells, n_genes)
filtered_2 = torch.as_tensor(graphs.low_pass(features, cell_graph, steps_2))
print("filter steps of view 1:", steps_1, "| of view 2:", steps_2)

# %%
torch.manual_seed(SEED)
plain = encoders.MLPEncoder(cells.shape[1], settings.n_hidden)
with torch.no_grad():
    e1 = view_1(
        filtered_1, plain.layer1.weight.T, plain.layer1.bias
    )  # (n_cells, n_hidden)
    package = encoders.unit_rows(plain(filtered_1))
claim(
    "View 1, {shape}, computed with a function that is {whose}, differs from the "
    "package's by at most {apart:.0e}; its smallest entry is {smallest:.0f}.",
    torch.allclose(e1, package, atol=1e-5) and e1.min() >= 0,
    shape=tuple(e1.shape),
    whose=view_1.whose,
    apart=(e1 - package).abs().max().item(),
    smallest=e1.min().item(),
)

# %% [markdown]
# ### View 2 in full
#
# Two graph convolutions and a linear layer, each followed by a leaky ReLU, which leaves a hundredth of what is negative.
# You have all the parts.

# %%
torch.manual_seed(SEED)
network = encoders.GraphEncoder(cells.shape[1], settings.n_hidden).eval()
adjacency = torch.as_tensor(cell_graph.toarray())  # (n_cells, n_cells)
with torch.no_grad():
    first, second, third = network.layer1, network.layer2, network.layer3
    hidden = F.leaky_relu(
        gcn_layer(filtered_2, adjacency, first.lin.weight.T, first.bias), 0.01
    )
    hidden = F.leaky_relu(
        gcn_layer(hidden, adjacency, second.lin.weight.T, second.bias), 0.01
    )
    e2 = unit_rows(F.leaky_relu(third(hidden), 0.01))  # (n_cells, n_hidden)
    package = encoders.unit_rows(network(cell_operator @ filtered_2, cell_operator))
n_weights = sum(p.numel() for net in (plain, network) for p in net.parameters())
claim(
    "View 2 from your parts differs from the package's by at most {apart:.0e}. The two "
    "networks have {n_weights:,} weights.",
    torch.allclose(e2, package, atol=1e-4),
    apart=(e2 - package).abs().max().item(),
    n_weights=n_weights,
)

# %% [markdown]
# ## Why random weights keep types apart
#
# A hidden unit of an untrained layer is a weighted sum with random weights.
# One such sum says little, but many of them together keep the **angles** between cells: two cells with similar directions agree in most sums, and two different cells in few.
# For a random layer with ReLU there is even a formula.
# Two inputs at angle $a$ come out with the cosine
#
# $$\frac{\sin a + (\pi - a) \cos a}{\pi}$$
#
# if the layer is wide and has no bias.
# Compare it with the cells.

# %%
cosine_in = (
    unit_rows(filtered_1) @ unit_rows(filtered_1).T
).numpy()  # (n_cells, n_cells)
pairs = np.triu_indices(len(cosine_in), 1)
some = np.random.default_rng(SEED).choice(len(pairs[0]), 3000, replace=False)
angles = np.linspace(0, np.pi / 2, 50)
formula = (np.sin(angles) + (np.pi - angles) * np.cos(angles)) / np.pi


def encode(width, seed=SEED):
    torch.manual_seed(seed)
    encoder = encoders.MLPEncoder(cells.shape[1], width)
    with torch.no_grad():
        return encoders.unit_rows(encoder(filtered_1))  # (n_cells, width)


# %%
def draw(hidden_width):
    encoded = encode(hidden_width)
    cosine_out = (encoded @ encoded.T).numpy()  # (n_cells, n_cells)
    fig, axes = plt.subplots(figsize=(4, 3.4), layout="constrained")
    axes.scatter(
        cosine_in[pairs][some],
        cosine_out[pairs][some],
        s=2,
        alpha=0.4,
        color=PALETTE[0],
    )
    axes.plot(np.cos(angles), formula, color=PALETTE[4], label="formula")
    axes.set(
        xlabel="cosine of two cells, features",
        ylabel="after the random layer",
        title=f"{hidden_width} hidden units",
    )
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(frameon=False)
    return fig


text = "Cosine of pairs before and after {hidden_width} random units, and the formula"
slider(draw, alt=text, start={"hidden_width": 256}, hidden_width=[4, 16, 64, 256, 1024])

# %%
kept = {}
for width in (4, 16, 64, 256, 1024):
    encoded = encode(width)  # (n_cells, width)
    kept[width] = np.corrcoef(cosine_in[pairs], (encoded @ encoded.T).numpy()[pairs])[
        0, 1
    ]
claim(
    "Cosines of pairs before and after the random layer correlate at {narrow:.2f} with "
    "4 hidden units and at {wide:.3f} with 1024.",
    kept[1024] > 0.98 and kept[1024] > kept[4],
    narrow=kept[4],
    wide=kept[1024],
)

# %% [markdown]
# The wider the layer, the more closely the cells follow the curve.
# The curve rises, so **the order of similarities is kept**: whoever was near in the features is near in the encoding.
# [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) on the random encoding therefore sees about what k-means on the filtered features sees.
# All of this is geometry; nothing has been learned.
#
# The clusters agree:

# %%
widths, seeds = (4, 16, 64, 256, 1024), range(3)
reached = np.array(
    [[accuracy(encode(width, seed)) for seed in seeds] for width in widths]
)  # (widths, seeds)
direct = accuracy(filtered_1)
wide = claim(
    "Mean accuracy over {n} seeds is {narrow:.2f} with 4 hidden units and {wide:.2f} "
    "with 1024; on the filtered features, without any network, it is {direct:.2f}.",
    reached[0].mean() < reached[-1].mean() - 0.03
    and abs(reached[-1].mean() - direct) < 0.1,
    n=len(seeds),
    narrow=reached[0].mean(),
    wide=reached[-1].mean(),
    direct=direct,
)

# %%
fig, axes = plt.subplots(figsize=(6, 3.8), layout="constrained")
places = np.arange(len(widths))
axes.plot(
    places,
    reached.mean(axis=1),
    "o-",
    color=PALETTE[0],
    label="random layer, mean of 3 seeds",
)
axes.plot(
    np.repeat(places, len(seeds)),
    reached.ravel(),
    "x",
    color=PALETTE[5],
    label="each seed",
)
axes.axhline(
    direct, color=PALETTE[4], linestyle="--", label="filtered features, no network"
)
axes.axhline(lazy, color="black", linestyle=":", label="one cluster")
axes.set_xticks(places, widths)
axes.set(
    xlabel="hidden width",
    ylabel="accuracy of k-means",
    ylim=(0, 1),
    title="Random layers of several widths",
)
axes.legend(frameon=False)
show(
    fig,
    alt="Accuracy of k-means on random encodings against their width, with the mean "
    "and each seed, a dashed line for the filtered features and a dotted one for a "
    f"single cluster. {wide.text}",
)

# %% [markdown]
# ## The graph, or the network?
#
# If random weights only pass on what they are given, then the credit belongs to what goes in.
# Both views contain the graph, view 1 in its filter and view 2 in its convolutions, and it can be taken out of either while the random network stays.
# If the network did the work, little would change.

# %%
alone = graphs.Graph(encoders.gcn_operator(sp.csr_matrix(cell_graph.shape)))  # no edges


def random_view_1(values, seed):
    torch.manual_seed(seed)
    return encoders.unit_rows(encoders.MLPEncoder(cells.shape[1], 256)(values))


def random_view_2(operator, seed):
    torch.manual_seed(seed)
    net = encoders.GraphEncoder(cells.shape[1], 256).eval()
    return encoders.unit_rows(net(operator @ cells, operator))


with torch.no_grad():
    graph_in_or_out = {
        ("view 1", "graph"): [random_view_1(filtered_1, s) for s in range(4)],
        ("view 1", "no graph"): [random_view_1(cells, s) for s in range(4)],
        ("view 2", "graph"): [random_view_2(cell_operator, s) for s in range(4)],
        ("view 2", "no graph"): [random_view_2(alone, s) for s in range(4)],
    }
graph_in_or_out = {k: [accuracy(e) for e in v] for k, v in graph_in_or_out.items()}

# %% tags=["nbval-ignore-output"]
pd.DataFrame(graph_in_or_out).T.agg(["mean", "min", "max"], axis=1).round(2)

# %%
means = {name: np.mean(values) for name, values in graph_in_or_out.items()}
claim(
    "Taking the graph out of a random view 1 lowers the mean accuracy over four seeds "
    "from {with_1:.2f} to {without_1:.2f}, and of a random view 2 from {with_2:.2f} to "
    "{without_2:.2f}.",
    all(means[v, "graph"] > means[v, "no graph"] + 0.02 for v in ("view 1", "view 2")),
    with_1=means["view 1", "graph"],
    without_1=means["view 1", "no graph"],
    with_2=means["view 2", "graph"],
    without_2=means["view 2", "no graph"],
)

# %% [markdown]
# The networks are the same ones with and without; what differs is whether a cell is averaged with its neighbors.
# So much of what an untrained network "knows" is [lesson 02](02_graphs.ipynb).
#
# ## What does training add?
#
# The same weights, before and after training, for several [seeds](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed), beside the rivals that have no network at all.
# Four [embeddings](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#embedding): the encodings e1 and e2, and both together; and the refined cells z of [lesson 06](06_gene_refinement.ipynb), which the paper clusters; our recipe clusters e.

# %%
rows = []
for seed in range(3 if PROFILE == "fast" else 5):
    for trained in (0, settings.epochs):
        one = fit(
            adata,
            n_clusters=10,
            recipe=settings.with_(epochs=trained),
            seed=seed,
            copy=True,
        ).obsm
        both = np.hstack([one["X_scrcl_e1"], one["X_scrcl_e2"]])
        scores = {"e1": accuracy(one["X_scrcl_e1"]), "e2": accuracy(one["X_scrcl_e2"])}
        rows.append(
            {"seed": seed, "training": "after" if trained else "before"}
            | scores
            | {"e": accuracy(both), "z": accuracy(one["X_scrcl_z"])}
        )

# %% tags=["nbval-ignore-output"]
pd.DataFrame(rows).groupby("training", sort=False)[["e1", "e2", "e", "z"]].agg(
    ["mean", "min", "max"]
).round(2).T

# %%
log_values = untrained.X[:, chosen]
log_values = log_values.toarray() if sp.issparse(log_values) else log_values
rivals = {
    "features, no filter": accuracy(features),
    "features, filtered": accuracy(filtered_1),
}
rivals["30 principal components"] = accuracy(
    graphs.principal_components(log_values, 30, scale=True, seed=SEED)
)

# %% tags=["nbval-ignore-output"]
pd.Series(rivals, name="accuracy").to_frame().round(2)

# %%
mean = pd.DataFrame(rows).groupby("training")[["e1", "e2", "e", "z"]].mean()
added = mean.loc["after"] - mean.loc["before"]
per_seed = pd.DataFrame(rows).pivot(index="seed", columns="training", values="e")
swing = per_seed.max() - per_seed.min()
reveal("what_training_adds", added["e"])
claim(
    "What our recipe clusters, e, has a mean accuracy of {before:.2f} untrained and "
    "{after:.2f} trained; single seeds range over {spread:.2f}. View 1 alone goes from "
    "{before_1:.2f} to {after_1:.2f}, and the filtered features, with no network at "
    "all, have {filtered:.2f}.",
    abs(added["e"]) < 0.06
    and rivals["features, filtered"] > mean.loc["after", "e"] - 0.06,
    before=mean.loc["before", "e"],
    after=mean.loc["after", "e"],
    spread=swing.max(),
    before_1=mean.loc["before", "e1"],
    after_1=mean.loc["after", "e1"],
    filtered=rivals["features, filtered"],
)

# %% [markdown]
# Read this twice, because it is not what one hopes for.
# **On these cells training adds nothing to the score that three seeds could show**, and it costs view 1 a little.
# A network was built, a loss was minimized, and what k-means finds was there before the first step: in the counts, smoothed over the graph.
#
# Training does change the encodings, and a great deal, as the next two lessons show: the views come to agree, and neighbors come together.
# These are not the same thing as telling types apart.
# Three seeds and one dataset prove nothing in general; what training is worth over more seeds and data is measured in [lesson 07](07_training.ipynb) and [lesson 11](11_the_papers_table.ipynb).
# But a paper that shows only the trained score leaves the question open, and you now know the three rivals to ask for: the same network untrained, its inputs without the network, and the inputs without the graph.
#
# ### Do the two views differ?
#
# Contrastive learning lives on two views that see something *different*.
# View 2 has the graph in its convolutions; view 1, the plain one, has it in its filter, if its features are filtered.
# How similar are their opinions about pairs of cells?

# %%
opinion_1, opinion_2 = (e1 @ e1.T).numpy()[pairs], (e2 @ e2.T).numpy()[pairs]
with torch.no_grad():
    bare = encoders.unit_rows(plain(cells))  # view 1 without the filter, same weights
opinion_bare = (bare @ bare.T).numpy()[pairs]
agree = np.corrcoef(opinion_1, opinion_2)[0, 1]
agree_bare = np.corrcoef(opinion_bare, opinion_2)[0, 1]
views = claim(
    "The two views' cosines of pairs correlate at {agree:.2f} with the recipe's "
    "filter, and at {agree_bare:.2f} when view 1 is not filtered.",
    agree > agree_bare + 0.05,
    agree=agree,
    agree_bare=agree_bare,
)

# %%
fig, axes = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained", sharex=True, sharey=True
)
for panel, opinion, title in zip(
    axes,
    (opinion_1, opinion_bare),
    ("as in the recipe", "view 1 not filtered"),
    strict=True,
):
    panel.scatter(opinion[some], opinion_2[some], s=3, alpha=0.4, color=PALETTE[0])
    panel.set(xlabel="cosine of two cells, view 1", ylabel="view 2", title=title)
show(
    fig,
    alt="Cosine of pairs of cells in the second view against the first, as in the "
    "recipe "
    f"and without the filter in the first. {views.text}",
)

# %% [markdown]
# The filter makes the views better one by one, and more alike.
# Whether two views that are so alike can still teach each other anything is a question to take along into the next lesson.
#
# ## Transfer: an encoder that nobody trains
#
# Here are 150 cells of three types that you have not seen, with 300 genes.
# Write an encoder for them that needs no training.

# %%
strangers = given("untrained_encoder")
print("counts:", strangers.counts.shape)


# %%
def untrained_encoder(counts):
    ### BEGIN SOLUTION
    directions = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    weights = np.random.default_rng(0).normal(size=(counts.shape[1], 100))
    hidden = directions @ weights  # (n_cells, 100), no bias: depth has no say
    return hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
    ### END SOLUTION


# %%
transfer("untrained_encoder", untrained_encoder)

# %% [markdown]
# ## Explain

# %%
explain("untrained_score")

# %% [markdown]
# ## Quiz

# %%
quiz("03")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - **The views.** The paper sets a plain network against a graph network. In many of the published settings (counted below) the plain one reads features that have been averaged over the graph first, often for more steps than the graph network's two. So both views see the graph, and "with and without graph" would be the wrong description. You measured what this does to their agreement.
# - **The widths.** The paper uses 1,500 hidden units for every dataset; `robust` has fewer (counted below). See where the curve of this lesson becomes flat.
# - **Raw counts go in.** Depth makes a cell's features long; unit rows take the length out again, up to the bias. Try `settings.with_(features="log")` in the table above and see whether it matters.
# - **Same start.** Convolutions start Glorot-uniform with zero bias, linear layers as torch's do, as in the paper's code; a different start would give other numbers for the same seed.
# - **Training against no training** is our question. A [baseline](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#baseline) without training costs one line and belongs in every table.

# %%
paper = [
    recipe(name)
    for name in recipe_names()
    if name.startswith("paper/") and "default" not in name
]
filters = [one.filter_steps for one in paper if one.task == "scrna"]
claim(
    "Published settings have {theirs} hidden units, ours {ours}; of {n} published "
    "settings for single cells {filtered} filter the features of view 1.",
    {one.n_hidden for one in paper} == {1500} and sum(f > 0 for f, _ in filters) > 3,
    theirs=paper[0].n_hidden,
    ours=settings.n_hidden,
    n=len(filters),
    filtered=sum(first > 0 for first, _ in filters),
)

# %% [markdown]
# ## Summary
#
# - A graph convolution is one step of smoothing and one linear layer; each node collects from the edges that arrive.
# - On symmetric graphs a wrong direction goes unnoticed; on directed ones it does not.
# - Unit rows make products cosines and take depth out of the comparison.
# - Wide random layers keep angles, so that an untrained network already clusters, as well as its smoothed inputs do; what training adds must be shown against both.
#
# **Next:** [04 Distribution alignment](04_distribution_alignment.ipynb).
#
# **Further reading:** Kipf and Welling, *Semi-supervised classification with graph convolutional networks*, ICLR 2017; Cho and Saul, *Kernel methods for deep learning*, NeurIPS 2009 (the formula of the random ReLU layer); Johnson and Lindenstrauss, *Extensions of Lipschitz mappings into a Hilbert space*, 1984 (random projections).
