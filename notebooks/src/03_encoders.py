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
# You build the two networks that encode each cell, a plain layer and a [graph convolution](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#graph-convolution), and you find out how much they know before they are trained.
#
# | | |
# |---|---|
# | **You will be able to** | compute a graph convolution by hand, edge by edge and as a matrix; say which way information flows; scale encodings to unit rows; explain why random weights keep types apart; ask of any network what its training adds |
# | **You need** | PyTorch tensors; the normalized graph ([lesson 02](02_graphs.ipynb)) |
# | **Time** | about 15 minutes to read, 40 to do; the cells run in well under a minute on two cores |
# | **Where it sits** | counts to features, graphs and filter, **two views**, then alignment, refinement, clusters |

# %%
import subprocess, sys

if "google.colab" in sys.modules:  # Colab lacks the package; elsewhere it is installed already
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from torch.nn import functional as F

from scrcl_edu import datasets, encoders, evaluation, graphs, preprocessing
from scrcl_edu.clustering import kmeans
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.fitting import fit
from scrcl_edu.plotting import PALETTE, embedding, show
from scrcl_edu.recipes import recipe, recipe_names

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# ## The question
#
# The method has two networks with hundreds of thousands of weights, and trains them for many [epochs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch).
# Before we build them: how much of the result is there when all weights are still random?
# `epochs=0` gives exactly that.

# %%
settings = recipe("robust")
adata = datasets.load("pbmc68k_reduced")
labels = adata.obs["label"].to_numpy().astype(str)  # only to judge
untrained = fit(adata, n_clusters=10, recipe=settings.with_(epochs=0), seed=SEED, copy=True)
print("encodings of view 1 and view 2:", untrained.obsm["X_scrcl_e1"].shape, untrained.obsm["X_scrcl_e2"].shape)


# %%
def accuracy(values):
    """Of k-means with ten clusters."""
    return evaluation.accuracy(labels, kmeans(np.asarray(values), 10, n_starts=5, seed=SEED))


lazy = pd.Series(labels).value_counts().max() / len(labels)
print("one cluster for all cells:", round(lazy, 2))
for key in ("X_scrcl_e1", "X_scrcl_e2"):
    print(key, "not trained, beats one cluster by more than 0.15:", accuracy(untrained.obsm[key]) > lazy + 0.15)

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
for panel, key in zip(axes, ("X_scrcl_e1", "X_scrcl_e2"), strict=True):
    embedding(untrained, labels, basis=key, axes=panel, title=f"view {key[-1]}, random weights", names=False)
show(
    fig,
    alt="The encodings of the two views with random weights on their first two components, colored by type. In both, T "
    "and NK cells gather at one place, B cells at another; monocytes and dendritic cells lie apart from these and share places.",
)

# %% [markdown]
# Random networks, and the large families of cells stand apart.
# By the end of this lesson you will know why, and what that means for every score you read.
#
# ## View 2: a graph convolution, by hand
#
# A graph convolution does two things: it multiplies the features of each node by a weight matrix W, as any layer does, and it lets each node **collect** along the edges that arrive at it:
#
# out_j = sum over edges i -> j of W x_i / sqrt(deg_i deg_j), + b
#
# Every node has an edge to itself, so it hears itself, too; deg counts the edges that *arrive*, the [self-loop](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#self-loop) included.
# Six nodes, a directed graph, one feature that is 1 at node 0 and 0 elsewhere: we watch where it goes.

# %%
graph = torch.zeros(6, 6)  # entry [i, j]: edge i -> j
for i, j in [(0, 1), (1, 2), (0, 3), (3, 4), (4, 3), (5, 3)]:
    graph[i, j] = 1
x = torch.tensor([[1.0], [0], [0], [0], [0], [0]])  # (6 nodes, 1 feature)
degree = graph.sum(dim=0) + 1  # (6,), arriving edges and the self-loop
print("edges that arrive, with the self-loop:", degree.int().tolist())

# %%
fig, axes = plt.subplots(figsize=(5, 3), layout="constrained")
place = np.array([[0, 1], [1, 1], [2, 1], [1, 0], [2, 0], [0, 0]])
for i, j in graph.nonzero().tolist():
    arrow = {"arrowstyle": "-|>", "shrinkA": 14, "shrinkB": 14, "connectionstyle": "arc3,rad=0.15", "color": "gray"}
    axes.annotate("", place[j], place[i], arrowprops=arrow)
axes.scatter(*place.T, s=600, c=[PALETTE[1] if value else PALETTE[5] for value in x[:, 0]])
for node, (right, up) in enumerate(place):
    axes.text(right, up, f"{node}", ha="center", va="center")
axes.set(xlim=(-0.4, 2.4), ylim=(-0.5, 1.5), xticks=[], yticks=[], title="node 0 speaks")
show(fig, alt="Six nodes with arrows: 0 to 1, 1 to 2, 0 to 3, 3 to 4 and back, 5 to 3. Node 0 has another color.")

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
print("same numbers as edge by edge:", torch.allclose(operator @ x, out))
wrong = (graph + torch.eye(6)) / torch.outer(degree, degree).sqrt()
print("not turned, node 0 hears itself and", (wrong @ x)[1:, 0].count_nonzero().item(), "others hear it")

# %% [markdown]
# With the graph not turned, nobody hears node 0: information flows against the arrows.
# A symmetric graph equals itself turned.
# The [cell graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-graph) is symmetric, so **it would never show this mistake**.
# The [gene graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-graph) of [lesson 06](06_gene_refinement.ipynb) is directed, and would.
#
# ## Exercise 1: the layer


# %%
def gcn_layer(x, graph, weight, bias):
    """One graph convolution: out_j = sum over edges i -> j, self-loops included, of W x_i / sqrt(deg_i deg_j), plus b.

    Parameters
    ----------
    x
        Features, shape (n_nodes, n_in).
    graph
        Binary and directed, without self-loops, shape (n_nodes, n_nodes); entry [i, j] is the edge from i to j.
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
gcn_layer = check("gcn_layer", gcn_layer).function

# %% [markdown]
# ### On real cells
#
# Our layer holds a dense matrix of cells by cells.
# The package's `GCNLayer` multiplies with a sparse one, `gcn_operator`.
# Same numbers:

# %%
chosen = untrained.var["highly_variable"].to_numpy()
features = preprocessing.encoder_features(untrained, settings.features)  # (n_cells, n_genes)
features = features.toarray() if sp.issparse(features) else features
cells = torch.as_tensor(features)
cell_graph = untrained.obsp["cell_graph"]  # (n_cells, n_cells), symmetric
torch.manual_seed(SEED)
layer = encoders.GCNLayer(cells.shape[1], 64)
cell_operator = graphs.Graph(encoders.gcn_operator(cell_graph))
with torch.no_grad():
    sparse = layer(cells, cell_operator)  # (n_cells, 64)
    dense = gcn_layer(cells, torch.as_tensor(cell_graph.toarray()), layer.lin.weight.T, layer.bias)
print("same numbers, dense and scrcl_edu:", torch.allclose(sparse, dense, rtol=1e-3, atol=1e-3))
print("the cell graph is symmetric, direction cannot be tested on it:", (cell_graph != cell_graph.T).nnz == 0)
smoother = graphs.normalized_adjacency(cell_graph)  # lesson 02
print("the operator is lesson 02's smoother:", np.allclose(cell_operator.matrix.toarray(), smoother.toarray()))

# %% [markdown]
# So a graph convolution is one step of the [low-pass filter](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#low-pass-filter), followed by a linear layer.
# And the order does not matter, S (X W) = (S X) W, which has a use: in the first layer X never changes, so S X is computed once, before training, and never again.

# %%
propagated = cell_operator @ cells  # S X, (n_cells, n_genes), once
with torch.no_grad():
    again = propagated @ layer.lin.weight.T + layer.bias
print("S (X W) and (S X) W agree:", torch.allclose(again, sparse, rtol=1e-3, atol=1e-3))

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
unit_rows = check("unit_rows", unit_rows).function

# %%
pair = torch.tensor([[3.0, 4.0], [6.0, 8.0]])  # (2, 2), the second is the first caught twice as well
print(unit_rows(pair).numpy().round(2))
print("same as scrcl_edu:", torch.allclose(unit_rows(cells), encoders.unit_rows(cells)))

# %% [markdown]
# What happens to a row of zeros?
# Yours divides 0 by 0; the package's leaves it as it is.
# Such rows can occur: a ReLU may set all of a cell's numbers to zero when there are only a few of them.
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
view_1 = check("view_1", view_1).function

# %% [markdown]
# Note the word *filtered* in the docstring.
# The recipe says how many low-pass steps each view's features get before any network sees them.

# %%
steps_1, steps_2 = settings.filter_steps
filtered_1 = torch.as_tensor(graphs.low_pass(features, cell_graph, steps_1))  # (n_cells, n_genes)
filtered_2 = torch.as_tensor(graphs.low_pass(features, cell_graph, steps_2))
print("view 1 is filtered:", steps_1 > 0, "| view 2 is filtered as well:", steps_2 > 0)

# %%
torch.manual_seed(SEED)
plain = encoders.MLPEncoder(cells.shape[1], settings.n_hidden)
with torch.no_grad():
    e1 = view_1(filtered_1, plain.layer1.weight.T, plain.layer1.bias)  # (n_cells, n_hidden)
    assert torch.allclose(e1, encoders.unit_rows(plain(filtered_1)), atol=1e-5)
print("same numbers as scrcl_edu:", True, tuple(e1.shape))
print("no entry is negative:", bool((e1 >= 0).all()))

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
    hidden = F.leaky_relu(gcn_layer(filtered_2, adjacency, first.lin.weight.T, first.bias), 0.01)
    hidden = F.leaky_relu(gcn_layer(hidden, adjacency, second.lin.weight.T, second.bias), 0.01)
    e2 = unit_rows(F.leaky_relu(third(hidden), 0.01))  # (n_cells, n_hidden)
    package = encoders.unit_rows(network(cell_operator @ filtered_2, cell_operator))
print("same numbers as scrcl_edu:", torch.allclose(e2, package, atol=1e-4), tuple(e2.shape))
print("weights in the two views:", sum(p.numel() for net in (plain, network) for p in net.parameters()))

# %% [markdown]
# ## Why random weights keep types apart
#
# A hidden number is a weighted sum with random weights.
# One such sum says little, but many of them together keep the **angles** between cells: two cells with similar directions agree in most sums, and two different cells in few.
# For a random layer with ReLU there is even a formula.
# Two inputs at angle a come out with cosine (sin a + (pi - a) cos a) / pi, if the layer is wide and has no bias.
# Compare it with the cells.

# %%
cosine_in = (unit_rows(filtered_1) @ unit_rows(filtered_1).T).numpy()  # (n_cells, n_cells)
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
    axes.scatter(cosine_in[pairs][some], cosine_out[pairs][some], s=2, alpha=0.4, color=PALETTE[0])
    axes.plot(np.cos(angles), formula, color=PALETTE[4], label="formula")
    axes.set(
        xlabel="cosine of two cells, features", ylabel="after the random layer", title=f"{hidden_width} hidden numbers"
    )
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(frameon=False)
    return fig


text = "Cosine of pairs of cells before and after a random layer of width {hidden_width}, beside the formula's curve"
slider(draw, alt=text, start={"hidden_width": 256}, hidden_width=[4, 16, 64, 256, 1024])

# %%
kept = {}
for width in (4, 16, 64, 256, 1024):
    encoded = encode(width)  # (n_cells, width)
    kept[width] = np.corrcoef(cosine_in[pairs], (encoded @ encoded.T).numpy()[pairs])[0, 1]
print("angles are kept better with 1024 hidden numbers than with 4:", bool(kept[1024] > kept[4]))
print("correlation of cosines before and after, width 1024, above 0.98:", bool(kept[1024] > 0.98))

# %% [markdown]
# The wider the layer, the more closely the cells follow the curve.
# The curve rises, so **the order of similarities is kept**: whoever was near in the features is near in the encoding.
# [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) on the random encoding therefore sees about what k-means on the filtered features sees.
# All of this is geometry; nothing has been learned.
#
# The clusters agree:

# %%
widths, seeds = (4, 16, 64, 256, 1024), range(3)
reached = np.array([[accuracy(encode(width, seed)) for seed in seeds] for width in widths])  # (widths, seeds)
direct = accuracy(filtered_1)
print("width 4 is worse than width 1024, mean over seeds:", bool(reached[0].mean() < reached[-1].mean()))
print("width 1024 is within 0.1 of the filtered features themselves:", bool(abs(reached[-1].mean() - direct) < 0.1))

# %%
fig, axes = plt.subplots(figsize=(6, 3.8), layout="constrained")
places = np.arange(len(widths))
axes.plot(places, reached.mean(axis=1), "o-", color=PALETTE[0], label="random layer, mean of 3 seeds")
axes.plot(np.repeat(places, len(seeds)), reached.ravel(), "x", color=PALETTE[5], label="each seed")
axes.axhline(direct, color=PALETTE[4], linestyle="--", label="filtered features, no network")
axes.axhline(lazy, color="black", linestyle=":", label="one cluster")
axes.set_xticks(places, widths)
axes.set(
    xlabel="hidden width", ylabel="accuracy of k-means", ylim=(0, 1), title="Wide and random is as good as no network"
)
axes.legend(frameon=False)
show(
    fig,
    alt="Accuracy of k-means on random encodings against their width: it rises and reaches the dashed line of the features "
    "themselves, far above the dotted line of one cluster.",
)

# %% [markdown]
# ## What does training add?
#
# The same weights, before and after training, for several [seeds](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed), beside the rivals that have no network at all.
# Four [embeddings](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#embedding): the encodings e1 and e2, and both together; and the refined cells z of [lesson 06](06_gene_refinement.ipynb), which the paper clusters; our recipe clusters e.

# %%
rows = []
for seed in range(3 if PROFILE == "fast" else 5):
    for trained in (0, settings.epochs):
        one = fit(adata, n_clusters=10, recipe=settings.with_(epochs=trained), seed=seed, copy=True).obsm
        both = np.hstack([one["X_scrcl_e1"], one["X_scrcl_e2"]])
        scores = {"e1": accuracy(one["X_scrcl_e1"]), "e2": accuracy(one["X_scrcl_e2"])}
        rows.append(
            {"seed": seed, "trained": trained > 0} | scores | {"e": accuracy(both), "z": accuracy(one["X_scrcl_z"])}
        )

# %% tags=["nbval-ignore-output"]
pd.DataFrame(rows).groupby("trained")[["e1", "e2", "e", "z"]].agg(["mean", "min", "max"]).round(2).T

# %%
log_values = untrained.X[:, chosen]
log_values = log_values.toarray() if sp.issparse(log_values) else log_values
rivals = {"features, no filter": accuracy(features), "features, filtered": accuracy(filtered_1)}
rivals["30 principal components"] = accuracy(graphs.principal_components(log_values, 30, scale=True, seed=SEED))

# %% tags=["nbval-ignore-output"]
pd.Series(rivals, name="accuracy").to_frame().round(2)

# %%
mean = pd.DataFrame(rows).groupby("trained")[["e1", "e2", "e", "z"]].mean()
print("untrained e1 reaches at least 0.8 of trained e1:", bool(mean.loc[False, "e1"] > 0.8 * mean.loc[True, "e1"]))
print("untrained e2 reaches at least 0.8 of trained e2:", bool(mean.loc[False, "e2"] > 0.8 * mean.loc[True, "e2"]))
print("the plain features beat one cluster by more than 0.15:", rivals["features, no filter"] > lazy + 0.15)

# %% [markdown]
# Make three comparisons in the two tables: trained against untrained, network against features, and the spread between seeds (`min` to `max`) against both differences.
#
# On these cells, most of the score is in the features and the graph, before any weight is trained, and k-means on the directions of the plain features is a rival to be taken seriously.
# Three seeds and one dataset prove nothing in general; where training pays, over more seeds and data, is measured in [lesson 07](07_training.ipynb) and [lesson 11](11_the_papers_table.ipynb).
# But a paper that shows only the trained score leaves this question open.
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
print("agreement of the views about pairs, with the recipe's filter:", f"{np.corrcoef(opinion_1, opinion_2)[0, 1]:.2f}")
print("agreement when view 1 is not filtered:", f"{np.corrcoef(opinion_bare, opinion_2)[0, 1]:.2f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharex=True, sharey=True)
for panel, opinion, title in zip(
    axes, (opinion_1, opinion_bare), ("as in the recipe", "view 1 not filtered"), strict=True
):
    panel.scatter(opinion[some], opinion_2[some], s=3, alpha=0.4, color=PALETTE[0])
    panel.set(xlabel="cosine of two cells, view 1", ylabel="view 2", title=title)
show(
    fig,
    alt="Cosine of pairs of cells in view 2 against view 1. With the recipe's filter the points lie along a rising band; "
    "without the filter in view 1 the band is wider.",
)

# %% [markdown]
# ## Quiz

# %%
quiz("03")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - **The views.** The paper sets a plain network against a graph network. In many of the published settings (counted below) the plain one reads features that have been averaged over the graph first, often for more steps than the graph network's two. So both views see the graph, and "with and without graph" would be the wrong description. You measured what this does to their agreement.
# - **The widths.** The paper uses 1,500 hidden numbers for every dataset; `robust` says its own (printed below). The curve of this lesson is flat long before.
# - **Raw counts go in.** Depth makes a cell's features long; unit rows take the length out again, up to the bias. Try `settings.with_(features="log")` in the table above and see whether it matters.
# - **Same start.** Convolutions start Glorot-uniform with zero bias, linear layers as torch's do, as in the paper's code; a different start would give other numbers for the same seed.
# - **Training against no training** is our question. A [baseline](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#baseline) without training costs one line and belongs into every table.

# %%
paper = [recipe(name) for name in recipe_names() if name.startswith("paper/") and "default" not in name]
filters = [one.filter_steps for one in paper if one.task == "scrna"]
print("hidden width, published and ours:", *{one.n_hidden for one in paper}, "and", settings.n_hidden)
print(
    "published scRNA-seq settings:", len(filters), "| with a filter in view 1:", sum(first > 0 for first, _ in filters)
)

# %% [markdown]
# ## Summary
#
# - A graph convolution is one step of smoothing and one linear layer; each node collects from the edges that arrive.
# - On symmetric graphs a wrong direction goes unnoticed; on directed ones it does not.
# - Unit rows make products cosines and take depth out of the comparison.
# - Wide random layers keep angles, so an untrained network already clusters; what training adds must be shown against that.
#
# **Next:** [04 Distribution alignment](04_distribution_alignment.ipynb).
#
# **Further reading:** Kipf and Welling, *Semi-supervised classification with graph convolutional networks*, ICLR 2017; Cho and Saul, *Kernel methods for deep learning*, NeurIPS 2009 (the formula of the random ReLU layer); Johnson and Lindenstrauss, *Extensions of Lipschitz mappings into a Hilbert space*, 1984 (random projections).
