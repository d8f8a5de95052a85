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
# # 02 Graphs: who is close to whom
#
# [Open 02_graphs on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/02_graphs.ipynb) · [Open 02_graphs on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/02_graphs.ipynb)
#
# You connect cells with their nearest cells, average each cell with its neighbors, and see why a little averaging makes the types clear and a lot of it destroys them.
#
# | | |
# |---|---|
# | **You will be able to** | build a symmetric nearest-neighbor graph; measure how well it follows the types, type by type; normalize it; say what an eigenvector of it is and what a low-pass filter does to it; recognize over-smoothing and say where it ends |
# | **You need** | NumPy, matrix products; what log-normalized values are ([lesson 01](01_preprocessing.ipynb)). New to cells: [from cell to count matrix](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/primer_biology.md) |
# | **Time** | about 25 minutes to read, 85 to do; the cells run in about a minute on two cores |
# | **Where it sits** | counts to features, **graphs and filter**, then two views, alignment, refinement, clusters |

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
from matplotlib.collections import LineCollection
from sklearn.neighbors import NearestNeighbors

from scrcl_edu import datasets, evaluation, graphs, preprocessing
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
from scrcl_edu.course.drawings.small import draw_smoothing
from scrcl_edu.course.platform import platform_check
from scrcl_edu.explorables import explorable
from scrcl_edu.plotting import PALETTE, embedding, show, type_colors, umap
from scrcl_edu.recipes import recipe, recipe_names

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %%
method_map("02")

# %% [markdown]
# ## The question
#
# A single cell is a poor witness: most of its counts are zero, and many of the zeros are accidents.
# Its neighbors could help it remember, provided that they are cells of the same type.
# Are they?
# For each of the 700 blood cells we look for the one cell that is most like it.
# Guess first.

# %%
predict("nearest_is_same_type")

# %%
adata = datasets.load("pbmc68k_reduced")
preprocessing.preprocess(adata)
values = adata.X.toarray().astype(float)  # (n_cells, n_genes), log-normalized
labels = adata.obs["label"].to_numpy().astype(str)  # only to judge
unit = values / np.linalg.norm(values, axis=1, keepdims=True)  # rows of length 1
cosine = unit @ unit.T  # (n_cells, n_cells)
np.fill_diagonal(cosine, -1)  # not itself
nearest = cosine.argmax(axis=1)  # (n_cells,)
same = np.mean(labels[nearest] == labels)

# %%
reveal("nearest_is_same_type", same)

# %%
chance = np.mean(labels[:, None] == labels)
claim(
    "The nearest cell is of the same type in {same:.0%} of the cases; two random "
    "cells are so in {chance:.0%}.",
    same > 3 * chance and same < 0.9,
    same=same,
    chance=chance,
)

# %% [markdown]
# That is far better than chance, and far from perfect.
# Nobody told the cells their types, so that likeness is a source of information that costs nothing.
# A **graph** keeps it: cells are its nodes, and an edge joins two cells that are close.
#
# ## Small numbers first
#
# Six cells, three genes.
# Cell 1 is cell 0 caught twice as well; cell 4 is a deep cell of the second type.

# %%
small = np.array(
    [[4, 0, 2], [8, 1, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]], dtype=float
)  # (6 cells, 3 genes)
length = np.linalg.norm(small, axis=1, keepdims=True)  # (6, 1)
small_cosine = (small / length) @ (small / length).T  # (6, 6)
print(small_cosine.round(2))

# %% [markdown]
# With k = 3, *counting the cell itself*, each cell chooses two others.
# Read the choices off the rows.

# %%
n_neighbors = 3
order = np.argsort(
    -small_cosine, axis=1, kind="stable"
)  # (6, 6), each row from near to far
chosen = np.zeros((6, 6))
for cell in range(6):
    others = [other for other in order[cell] if other != cell][: n_neighbors - 1]
    chosen[cell, others] = 1
    print(f"cell {cell} chooses", sorted(int(other) for other in others))

# %% [markdown]
# Here all choices are mutual.
# They need not be.
# A cell at the edge of a crowd chooses cells that have nearer ones, and a cell halfway between two crowds chooses from both and is chosen by neither.
# We add a seventh cell, a mixture of the two types, and let every cell choose *one* other.

# %%
mixed = np.vstack([small, [3.0, 6.0, 3.0]])  # (7, 3)
search = NearestNeighbors(n_neighbors=1, metric="cosine").fit(mixed)
directed = search.kneighbors_graph().toarray()  # (7, 7), row i: whom cell i chose
either = np.maximum(directed, directed.T)  # an edge if either chose it: the union
chosen_by = int(directed[:, 6].sum())
claim(
    "Cell 6 chooses one cell and is chosen by {chosen_by}. By the union {edges} edges "
    "remain of {choices} choices, and the graph is symmetric.",
    directed[6].sum() == 1 and chosen_by == 0 and (either == either.T).all(),
    chosen_by=chosen_by,
    edges=int(either.sum()) // 2,
    choices=int(directed.sum()),
)

# %% [markdown]
# (scikit-learn's `n_neighbors` counts others only; ours, like the paper's, counts the cell itself.)
#
# ## Exercise 1: the cell graph
#
# `n_neighbors` counts the cell itself, as in the paper: 15 gives 14 others.
# The graph is symmetric by union, its entries are 0 or 1, and no cell is its own neighbor.


# %%
def cell_graph(values, n_neighbors):
    """Connect each cell to its nearest cells by cosine distance, in both directions.

    Parameters
    ----------
    values
        log-normalized values, shape (n_cells, n_genes).
    n_neighbors
        Neighbors of a cell counting itself: 5 gives 4 others.

    Returns
    -------
    Sparse and binary, symmetric by union, without self-loops, shape (n_cells, n_cells).
    """
    ### BEGIN SOLUTION
    search = NearestNeighbors(n_neighbors=n_neighbors - 1, metric="cosine").fit(values)
    chosen = search.kneighbors_graph()  # without arguments no cell chooses itself
    return sp.csr_matrix(chosen.maximum(chosen.T))
    ### END SOLUTION


# %%
hint("cell_graph")

# %%
cell_graph = check("cell_graph", cell_graph)

# %% [markdown]
# The naive form compares every pair, and holds a number for each: the cosine matrix from above.
# The good form holds the edges only.
# Same graph, for all 700 cells:

# %%
graph = cell_graph(values, 15)
naive = np.zeros(cosine.shape)
np.put_along_axis(
    naive, np.argsort(-cosine, axis=1)[:, :14], 1, axis=1
)  # 14 others each
naive = np.maximum(naive, naive.T)
claim(
    "The graph by cell_graph ({whose}) has {edges} edges, those of the naive one and "
    "the package's. Of the dense matrix it keeps {share:.1%} of {entries} entries.",
    (graph != sp.csr_matrix(naive)).nnz == 0
    and (graph != graphs.cell_graph(values, n_neighbors=15)).nnz == 0,
    whose=cell_graph.whose,
    edges=graph.nnz // 2,
    share=graph.nnz / naive.size,
    entries=naive.size,
)

# %% [markdown]
# Each cell chose 14 others, but how many *neighbors* does it have after the union?
# The number of neighbors of a cell is its **degree**.

# %%
degree = np.asarray(graph.sum(axis=1)).ravel()  # (n_cells,)
mean_cosine = np.where(cosine < 0, 0, cosine).mean(axis=1)  # likeness to all others
hubs = np.argsort(degree)[-10:]
hubby = claim(
    "The median cell has {median:.0f} neighbors and the most popular one {most:.0f}. "
    "The ten most popular resemble all cells more than {above:.0%} of the others do.",
    degree.max() > 4 * np.median(degree)
    and (mean_cosine[hubs].mean() > mean_cosine).mean() > 0.7,
    median=np.median(degree),
    most=degree.max(),
    above=(mean_cosine[hubs].mean() > mean_cosine).mean(),
)
print("pieces of the graph:", sp.csgraph.connected_components(graph)[0])

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.hist(degree, bins=40, color=PALETTE[0])
left.set(xlabel="neighbors of a cell", ylabel="cells", yscale="log", title="Neighbors")
right.scatter(mean_cosine, degree, s=10, color=PALETTE[0])
right.set(
    xlabel="mean cosine to all cells",
    ylabel="neighbors",
    title="Likeness and neighbors",
)
show(
    fig,
    alt="Left: histogram of the number of neighbors, on a logarithmic axis; it has a "
    "tail. Right: the number of neighbors against the mean cosine to all cells. "
    f"{hubby.text}",
)

# %% [markdown]
# These are **hubs**: whoever resembles the average cell is chosen by many, and by cells of all types.
# Hubs are typical of nearest neighbors with many genes, and whatever travels along edges travels through them.
# Keep them in mind; they come back when we smooth.
#
# ## How good is a graph?
#
# The share of edges that join two cells of the same type is called **[homophily](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#homophily)**.
# By hand: a path of four cells with the types B, B, T, T has three edges, of which two are inside a type.
#
# ## Exercise 2: homophily


# %%
def homophily(graph, labels):
    """Share of the edges that join two cells of the same label.

    Parameters
    ----------
    graph
        Symmetric, binary, without self-loops.
    labels
        Shape (n_cells,).

    Returns
    -------
    A number from 0 to 1.
    """
    ### BEGIN SOLUTION
    source, target = graph.nonzero()  # (n_edges,) each
    return float(np.mean(labels[source] == labels[target]))
    ### END SOLUTION


# %%
hint("homophily")

# %%
homophily = check("homophily", homophily)

# %%
path = sp.csr_matrix(
    np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
)  # (4, 4), cells 0-1-2-3
on_path = homophily(path, np.array(["B", "B", "T", "T"]))
claim(
    "homophily ({whose}) finds {by_hand:.2f} for the path, {real:.2f} for the cells.",
    np.isclose(on_path, 2 / 3)
    and np.isclose(homophily(graph, labels), graphs.homophily(graph, labels)),
    whose=homophily.whose,
    by_hand=on_path,
    real=homophily(graph, labels),
)

# %% [markdown]
# ### One number, ten types
#
# Homophily counts edges, so that it is an average in which large types have the say.
# A type of 8 cells also has a ceiling: if each of them has 14 or more neighbors, at most 7 can be its own kind.
# Before you trust the average, look at each type, beside the share that chance would give and the best share that is possible.

# %%
source, target = graph.nonzero()  # (2 * n_edges,) each
inside = pd.Series(labels[source] == labels[target]).groupby(labels[source]).mean()
cells = pd.Series(labels).value_counts().sort_values()
by_type = pd.DataFrame({"cells": cells, "inside": inside})
by_type["chance"] = (cells - 1) / (len(labels) - 1)
by_type["possible"] = np.minimum(1, (cells - 1) / 14)
by_type.loc[cells.index].round(2)

# %%
fig, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
colors, rows = type_colors(labels), np.arange(len(cells))
axes.barh(rows, inside[cells.index], color=[colors[name] for name in cells.index])
axes.plot(by_type.loc[cells.index, "chance"], rows, "k|", ms=14, label="by chance")
axes.plot(by_type.loc[cells.index, "possible"], rows, "kD", ms=5, label="possible")
axes.set_yticks(rows, [f"{name} ({n})" for name, n in cells.items()])
axes.set(xlabel="share of edges inside the type", xlim=(0, 1.04), title="Type by type")
axes.legend(frameon=False, loc="center", bbox_to_anchor=(0.8, 0.45))
rare, common = inside[cells.index[:3]].mean(), inside[cells.index[-3:]].mean()
uneven = claim(
    "The mean over edges is {edges:.2f}, the mean over types {types:.2f}: the three "
    "largest types keep {common:.2f} of their edges, the three smallest {rare:.2f}.",
    common > rare + 0.2 and inside.mean() < homophily(graph, labels) - 0.05,
    edges=homophily(graph, labels),
    types=inside.mean(),
    common=common,
    rare=rare,
)
show(
    fig,
    alt="Bars, one for each type, from the smallest type to the largest: share of its "
    "edges that stay inside the type, with marks for chance and for the most that is "
    f"possible. {uneven.text}",
)

# %% [markdown]
# So a good graph on average can be a poor graph for the rare, and everything that travels along its edges, every average and every loss of this method, inherits that.
# If rare types are what you are after, take fewer neighbors, and look at them one by one.
#
# %% [markdown]
# ### By k and by distance
#
# Two choices make the graph: how many neighbors, and which distance.
# We try them on log values and on raw counts.

# %%
counts = adata.layers["counts"].toarray()  # (n_cells, n_genes)
steps = [3, 5, 10, 15, 30, 60, 120]
curves = {}
for name, data, metric in [
    ("log values, cosine", values, "cosine"),
    ("log values, Euclidean", values, "euclidean"),
    ("counts, cosine", counts, "cosine"),
    ("counts, Euclidean", counts, "euclidean"),
]:
    tried = [graphs.cell_graph(data, n_neighbors=k, metric=metric) for k in steps]
    curves[name] = [homophily(one, labels) for one in tried]
curves = pd.DataFrame(curves, index=pd.Index(steps, name="k"))
curves.round(2)

# %%
fig, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for number, (name, curve) in enumerate(curves.items()):
    style = {"marker": "os^D"[number], "color": PALETTE[number]}
    axes.plot([str(k) for k in steps], curve, label=name, **style)
axes.axhline(chance, color="black", linestyle=":", label="chance")
axes.set(xlabel="k", ylabel="homophily", ylim=(0, 1), title="Homophily by k")
axes.legend(frameon=False, loc="upper right", ncols=2)
ours, best = curves["log values, cosine"], curves["counts, cosine"]
worse = claim(
    "Homophily falls with k for every distance. The paper's choice, the cosine of log "
    "values, lies below the cosine of plain counts at every k, by {least:.3f} to "
    "{most:.3f}.",
    (curves.diff().iloc[1:] < 0).all(axis=None) and (best > ours).all(),
    least=(best - ours).min(),
    most=(best - ours).max(),
)
show(fig, alt=f"Homophily against k for four distances, and chance. {worse.text}")

# %% [markdown]
# Each further neighbor is a worse one.
# Then why not take k = 2?
# Because a graph with few edges averages over few cells, and falls apart, as you will see below.
#
# The second half of the sentence is the uncomfortable one: the default of the paper, and ours, is *not* the best graph for these cells.
# [Lesson 01](01_preprocessing.ipynb) finds the reason in the scale of the logarithm: these cells hold several hundred molecules each, and scaled up to 10,000 a single molecule makes nearly as much of a difference as many.
# Should we then change the default?
# A distance that is chosen by this table has been chosen by labels, and for one dataset; with deeper cells the order may be another.
# What we may do is know it, and say it.

# %%
pieces, kept = {}, {}
for k in (2, 5, 15):
    one = graphs.cell_graph(values, n_neighbors=k)
    pieces[k] = sp.csgraph.connected_components(one)[0]
    kept[k] = homophily(one, labels)
claim(
    "With k = 2 the graph falls into {two} pieces, with k = 5 into {five}, with k = 15 "
    "into {fifteen}; homophily is {h2:.2f}, {h5:.2f} and {h15:.2f}.",
    pieces[2] > 10 and pieces[15] < 5,
    two=pieces[2],
    five=pieces[5],
    fifteen=pieces[15],
    h2=kept[2],
    h5=kept[5],
    h15=kept[15],
)

# %% [markdown]
# ### See the edges
#
# The slider sets k.
# Edges inside a type stand on the left, edges between types on the right.
# The cells lie where a [UMAP](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#umap) puts them, which draws near cells together: a long edge joins two that it could not.

# %%
plane = umap(values, seed=SEED)  # (n_cells, 2)


def draw(k):
    one = sp.triu(graphs.cell_graph(values, n_neighbors=k)).tocoo()
    inside = labels[one.row] == labels[one.col]  # (n_edges,)
    lines = np.stack([plane[one.row], plane[one.col]], axis=1)  # (n_edges, 2 ends, 2)
    fig, panels = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
    kinds = (inside, "inside a type", "-"), (~inside, "between types", "--")
    for number, (axes, (kind, name, style)) in enumerate(
        zip(panels, kinds, strict=True)
    ):
        look = {"colors": PALETTE[number], "linestyles": style, "linewidths": 0.5}
        axes.add_collection(LineCollection(lines[kind], alpha=0.5, **look))
        axes.scatter(*plane.T, s=3, color="black", zorder=3)
        axes.set(title=f"k = {k}: {kind.mean():.0%} {name}", xticks=[], yticks=[])
    return fig


slider(
    draw,
    alt="Cells and their edges for k = {k}: left those inside a type, right the others",
    start={"k": 15},
    k=[3, 5, 15, 40],
)

# %% [markdown]
# ## Averaging with the neighbors
#
# The simplest use of a graph is to replace each cell by the mean of itself and its neighbors.
#
# ### Find the fault
#
# A colleague has written it down cell by cell.
# The cells become smoother, and no error is raised.


# %%
def neighbor_mean_given(graph, values):
    smooth = values.copy()
    for cell in range(len(values)):
        others = graph[cell].indices
        smooth[cell] = smooth[[cell, *others]].mean(axis=0)
    return smooth


order = np.arange(4)[::-1]
signal = np.array([[4.0], [2.0], [5.0], [1.0]])  # (4, 1)
turned = neighbor_mean_given(path[order][:, order], signal[order])[order]
print("cells 0 to 3:", neighbor_mean_given(path, signal).ravel().round(2))
print("the same, read from 3 to 0:", turned.ravel().round(2))

# %% [markdown]
# The same four cells in another order get other means.
# Find the fault, and mend it.


# %%
def neighbor_mean(graph, values):
    """Replace each cell by the mean of itself and its neighbors.

    Parameters
    ----------
    graph
        Symmetric, binary, without self-loops, shape (n_cells, n_cells).
    values
        Shape (n_cells, n_genes).

    Returns
    -------
    Shape (n_cells, n_genes). A cell without neighbors keeps its values.
    """
    ### BEGIN SOLUTION
    smooth = np.empty(values.shape)  # a place for the new values, beside the old ones
    for cell in range(len(values)):
        others = graph[cell].indices
        smooth[cell] = values[[cell, *others]].mean(axis=0)
    return smooth
    ### END SOLUTION


# %%
hint("neighbor_mean")

# %%
neighbor_mean = mend("neighbor_mean", neighbor_mean)

# %% [markdown]
# ### The same as a matrix
#
# With $A$ the graph and $I$ the identity, which stands for the cell itself:
#
# - $A + I$ (`with_self`) has a one for each neighbor and for the cell itself;
# - its row sums are $d_i$ (`d`), the degree plus one; on a diagonal they are $D$;
# - the plain mean is $D^{-1} (A + I)\, X$.
#
# The method divides on **both** sides instead:
#
# $$S = D^{-1/2} (A + I) D^{-1/2}, \qquad S_{ij} = \frac{(A + I)_{ij}}{\sqrt{d_i d_j}}.$$
#
# A hub with many neighbors speaks to each of them more quietly, and it hears each of them more quietly as well.
# On the path of four cells, by hand: $d = 2, 3, 3, 2$, so the edge 0-1 weighs $1/\sqrt{6} = 0.41$, and the edge 1-2 weighs $1/3$.

# %%
with_self = path.toarray() + np.eye(4)  # (4, 4)
d = with_self.sum(axis=1)  # (4,)
print("d:", d)
print((with_self / np.sqrt(np.outer(d, d))).round(2))

# %% [markdown]
# One step of smoothing on six cells, in one picture: two triangles and a bridge.
# Cell 1 is loud before; afterwards it has shared what it had with its triangle, and a little has leaked over the bridge.

# %%
bridge = np.zeros((6, 6))
for i, j in [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5)]:
    bridge[i, j] = bridge[j, i] = 1
joined = bridge + np.eye(6)  # A + I
six = joined / np.sqrt(np.outer(joined.sum(axis=1), joined.sum(axis=1)))  # S, (6, 6)
loud = np.array([4.0, 8.0, 2.0, 0.0, 1.0, 0.0])  # one gene in six cells
draw_smoothing(
    bridge,
    six,
    loud,
    six @ loud,
    alt="Two triangles of three cells, joined by one edge, with the value of a gene in "
    "each cell: before, the matrix S in the middle, and the values after one step, "
    "which are alike inside each triangle.",
)

# %%
triangles = np.array([0, 0, 0, 1, 1, 1])
wild = [np.ptp(x[triangles == 0]) for x in (loud, six @ loud)]
claim(
    "One step narrows the values of the first triangle from a range of {before:.1f} to "
    "one of {after:.1f}, and leaks {leak:.1f} to cell 3, on the other side.",
    wild[1] < wild[0] / 4 and (six @ loud)[3] > loud[3],
    before=wild[0],
    after=wild[1],
    leak=(six @ loud)[3] - loud[3],
)

# %% [markdown]
# ## Exercise 3: normalize the graph


# %%
def normalized_adjacency(graph):
    """D^-1/2 (A + I) D^-1/2.

    Parameters
    ----------
    graph
        A: symmetric, binary, without self-loops, shape (n_cells, n_cells).

    Returns
    -------
    Sparse, same shape. D counts the neighbors of a cell and the cell itself.
    """
    ### BEGIN SOLUTION
    with_self = graph + sp.identity(graph.shape[0], format="csr")  # A + I
    d = np.asarray(with_self.sum(axis=1)).ravel()  # (n_cells,)
    scale = sp.diags(1 / np.sqrt(d))  # D^-1/2
    return sp.csr_matrix(scale @ with_self @ scale)
    ### END SOLUTION


# %%
hint("normalized_adjacency")

# %%
normalized_adjacency = check("normalized_adjacency", normalized_adjacency)

# %%
smoother = normalized_adjacency(graph)  # S, (n_cells, n_cells)
ours = graphs.normalized_adjacency(graph)
claim(
    "S by normalized_adjacency ({whose}) equals the package's; it differs from its "
    "transpose by {asymmetry:.0e}.",
    abs(smoother - ours).max() < 1e-6 and abs(smoother - smoother.T).max() < 1e-12,
    whose=normalized_adjacency.whose,
    asymmetry=abs(smoother - smoother.T).max(),
)

# %% [markdown]
# ## Patterns on a graph
#
# What does S do to the cells when it is applied again and again?
# There is a way to see it at one glance.
# Think of a **pattern**: one number for each cell.
# Most patterns come out of S as different patterns.
# But for a symmetric matrix there are as many special ones as there are cells, the **[eigenvectors](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#eigenvector)**, which S merely makes larger or smaller:
#
# $$S u_k = \lambda_k u_k .$$
#
# The factor $\lambda_k$ is the **eigenvalue**.
# Every other pattern is a sum of eigenvectors, so that whoever knows what happens to these knows what happens to all.
#
# Two facts about S can be read off with a pencil.
# First, one eigenvector is known from the start.
# Let $\sqrt d$ be the pattern that gives each cell the root of its $d_i$. Then
#
# $$S \sqrt d = D^{-1/2} (A + I)\, D^{-1/2} \sqrt d = D^{-1/2} (A + I)\, \mathbf 1 = D^{-1/2}\, d = \sqrt d ,$$
#
# and its eigenvalue is 1.
# Second, no eigenvalue is larger than 1, nor smaller than -1, for
#
# $$\sum_{(i,j)} \left( \frac{u_i}{\sqrt{d_i}} \mp \frac{u_j}{\sqrt{d_j}} \right)^2 \ge 0 \quad\text{is the same as}\quad \pm\, u^\top S u \le u^\top u ,$$
#
# where the sum runs over all ones of $A + I$, halved.
# The sum with the minus sign says even more: it is small when $u / \sqrt d$ hardly changes along the edges.
# So **an eigenvalue near 1 belongs to a slow pattern, and a small one to a pattern that flickers from neighbor to neighbor**.

# %%
frequencies, patterns = np.linalg.eigh(smoother.toarray())  # (n,), (n, n), sorted
roots = np.sqrt(degree + 1)  # sqrt(d), (n_cells,)
fit_of_roots = abs(patterns[:, -1] @ roots) / np.linalg.norm(roots)
claim(
    "The eigenvalues of S lie between {low:.2f} and {high:.2f}. The largest is 1, its "
    "pattern is sqrt(d) (cosine {fit:.4f}), and the next is {second:.3f}.",
    frequencies[0] > -1
    and np.isclose(frequencies[-1], 1)
    and frequencies[-2] < 0.9999
    and fit_of_roots > 0.999,
    low=frequencies[0],
    high=frequencies[-1],
    fit=fit_of_roots,
    second=frequencies[-2],
)

# %% [markdown]
# Here are a slow pattern and a fast one, drawn on the real cells.
# Nobody told S about types.

# %%
rank = {"slow": 2, "fast": 200}  # by eigenvalue, from the largest


def explained(pattern):
    """Share of a pattern's variance that lies between types."""
    means = pd.Series(pattern).groupby(labels).transform("mean")
    return means.var() / pattern.var()


def flips(pattern):
    """Share of the edges along which a pattern changes its sign."""
    return np.mean(np.sign(pattern[source]) != np.sign(pattern[target]))


fig, panels = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for axes, (name, k) in zip(panels, rank.items(), strict=False):
    shown = np.sign(patterns[:, -k]) * np.sqrt(np.abs(patterns[:, -k]))
    limit = np.abs(shown).max()
    axes.scatter(*plane.T, c=shown, s=12, cmap="coolwarm", vmin=-limit, vmax=limit)
    title = f"{name}: eigenvalue {frequencies[-k]:.2f}"
    axes.set(xticks=[], yticks=[], title=title)
embedding(plane, labels, axes=panels[2], title="the types", names=False)
slow, fast = (patterns[:, -k] / roots for k in rank.values())
seen = claim(
    "The slow pattern changes sign along {slow_flips:.0%} of the edges, and {slow:.0%} "
    "of its variance lies between types; the fast one along {fast_flips:.0%}, with "
    "{fast:.0%} between types.",
    flips(slow) < 0.1 < 0.3 < flips(fast)
    and explained(slow) > 0.7 > 0.2 > explained(fast),
    slow_flips=flips(slow),
    slow=explained(slow),
    fast_flips=flips(fast),
    fast=explained(fast),
)
show(
    fig,
    alt="The cells in a plane three times: colored by the value of a slow eigenvector, "
    f"by that of a fast one, and by type. {seen.text}",
)

# %% [markdown]
# ## Exercise 4: the low-pass filter
#
# Apply S several times: $S X$, $S (S X)$, and so on.
# After $n$ steps a cell has heard from cells up to $n$ edges away, and each pattern has been multiplied by $\lambda_k^n$:
# of one with eigenvalue 0.96 two steps leave 92 %, of one with 0.15 they leave 2 %.
# What is slow passes and what is fast is stopped; radio engineers call such a thing a **low-pass filter**.


# %%
def low_pass(values, graph, n_steps):
    """Average each cell with its neighbors, n_steps times: S^n X.

    Parameters
    ----------
    values
        X, shape (n_cells, n_features).
    graph
        Symmetric, binary, without self-loops.
    n_steps
        How often.

    Returns
    -------
    Shape (n_cells, n_features), where S = D^-1/2 (A + I) D^-1/2.
    """
    ### BEGIN SOLUTION
    smoother = normalized_adjacency(graph)
    for _ in range(n_steps):
        values = smoother @ values  # (n_cells, n_features)
    return values
    ### END SOLUTION


# %%
hint("low_pass")

# %%
low_pass = check("low_pass", low_pass)

# %% [markdown]
# The naive form computes the power of S first, a dense matrix of cells by cells.
# The good form never does.

# %%
power = np.linalg.matrix_power(smoother.toarray(), 5)  # (n_cells, n_cells)
smoothed = low_pass(values, graph, 5)  # (n_cells, n_genes)
apart = np.abs(power @ values - smoothed).max()
claim(
    "Power and steps (low_pass: {whose}) differ by {apart:.0e}. Of its entries S "
    "fills {s1:.1%} and its fifth power {s5:.0%}: the steps never build it.",
    apart < 1e-6
    and np.allclose(graphs.low_pass(values, graph, 5), smoothed, rtol=1e-4, atol=1e-4)
    and np.mean(power > 0) > 5 * smoother.nnz / power.size,
    whose=low_pass.whose,
    apart=apart,
    s1=smoother.nnz / power.size,
    s5=np.mean(power > 0),
)

# %% [markdown]
# ### All patterns at once

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.hist(frequencies, bins=60, color=PALETTE[0])
left.set(
    xlabel="eigenvalue of S", ylabel="patterns", yscale="log", title="All patterns"
)
for number, n in enumerate((1, 2, 5, 20)):
    style = ("-", "--", "-.", ":")[number]
    right.plot(
        frequencies,
        np.abs(frequencies) ** n,
        style,
        color=PALETTE[number],
        label=f"n = {n}",
    )
right.set(
    xlabel="eigenvalue of S",
    ylabel="what is left of the pattern",
    title="What the filter leaves",
)
right.legend(frameon=False)
few = claim(
    "Of {n} patterns {slow} have an eigenvalue above one half.",
    (frequencies > 0.5).sum() < 0.05 * len(frequencies),
    n=len(frequencies),
    slow=int((frequencies > 0.5).sum()),
)
show(
    fig,
    alt="Left: histogram of the eigenvalues of S, on a log axis. Right: what is "
    "left of a pattern after several numbers of steps, by its eigenvalue; the more "
    f"steps, the closer to one it must be to survive. {few.text}",
)

# %% [markdown]
# ### Smoothing, then over-smoothing
#
# Does it help to know one's neighbors?
# And do more steps help more?
# Commit yourself first, then take the steps yourself.

# %%
predict("steps_by_clarity")

# %% [markdown]
# Here are the 700 cells with their graph, and $S$ with a row for each cell.
# Every step replaces each cell by the weighted sum that its row of $S$ asks for; what you see moves as $S^n X$ moves it.
# Look for three things: what becomes of the clouds, whom a cell at the edge of its type hears, and where the hub goes.

# %%
explorable("smoothing")

# %% [markdown]
# Now with numbers: we keep the cells after some numbers of steps, each step one product with S.

# %%
stages, current = {}, values
for step in range(201):
    if step in (0, 1, 2, 5, 20, 50, 200):
        stages[step] = current  # (n_cells, n_genes)
    current = smoother @ current
print("kept after steps:", list(stages))

# %% [markdown]
# For each number of steps we ask four things: which share of all differences between cells lies *between types* (the rest is inside them), how alike two cells are on average, how much of the differences is left at all, and how [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) does.


# %%
def spread(x):
    """Sum of all squared differences from the mean cell."""
    return ((x - x.mean(axis=0)) ** 2).sum()


def score(x, seed):
    """Accuracy of k-means."""
    return evaluation.accuracy(labels, kmeans(x, 10, n_starts=3, seed=seed))


def look(n_steps):
    smooth = stages[n_steps]  # (n_cells, n_genes)
    means = pd.DataFrame(smooth).groupby(labels).transform("mean").to_numpy()
    direction = smooth / np.linalg.norm(smooth, axis=1, keepdims=True)
    return {
        "steps": n_steps,
        "between types": spread(means) / spread(smooth),
        "mean cosine": (direction @ direction.T).mean(),
        "differences left": spread(smooth) / spread(values),
        "accuracy": np.mean([score(smooth, seed) for seed in range(3)]),
    }


table = pd.DataFrame([look(n) for n in stages]).set_index("steps")

# %% tags=["nbval-ignore-output"]
table.round(2)

# %%
between = table["between types"]
shares = {f"{n} steps": between[n] for n in (0, 2, 200)}
reveal("steps_by_clarity", sorted(shares, key=shares.get))

# %%
rise = claim(
    "Between types lie {raw:.0%} of the differences at first, {two:.0%} after 2 steps, "
    "and {many:.0%} after 200. Yet k-means, in three seeds, scores {a0:.2f}, {a2:.2f} "
    "and {a200:.2f}: after 200 steps it does no worse than before the first.",
    between[2] > 2 * between[0] > 2 * between[200]
    and table["accuracy"][2] > table["accuracy"][0] + 0.03
    and table["accuracy"][200] > table["accuracy"][0] - 0.05,
    raw=between[0],
    two=between[2],
    many=between[200],
    a0=table["accuracy"][0],
    a2=table["accuracy"][2],
    a200=table["accuracy"][200],
)

# %%
fig, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
for number, name in enumerate(("between types", "mean cosine", "accuracy")):
    style = {"marker": "os^"[number], "color": PALETTE[number]}
    axes.plot(table.index, table[name], label=name, **style)
axes.set_xscale("symlog", linthresh=1)
axes.set_xticks(list(table.index), list(table.index))
axes.set(xlabel="filter steps (logarithmic)", ylim=(0, 1.02), title="By filter steps")
axes.legend(frameon=False)
show(
    fig,
    alt="Against the number of filter steps, on a logarithmic axis: the share of "
    "differences between types, the mean cosine of two cells, the accuracy of k-means. "
    f"{rise.text}",
)

# %% [markdown]
# The first steps average noise away and the types stand out.
# Then the averages reach beyond the types, and in the end all cells point in the same direction: **[over-smoothing](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#over-smoothing)**.
#
# You may have expected k-means to fail along with it, and the title of many a paper suggests so; it does not.
# After 200 steps hardly any of the differences are left, and they are not the same ones as before, yet k-means finds its groups in what remains.
# It compares differences with differences, however tiny they all are, as long as the numbers of a computer can hold them.
# So "over-smoothed" and "useless for clustering" are two statements.
# A network whose weights have ordinary sizes would not be so patient, and another criterion, such as the share between types, sees the loss at once.
#
# What is left at the end, if not types?
# The eigenvectors have told us already: the only pattern that no step shrinks is $\sqrt d$.

# %%
lengths = {
    step: np.linalg.norm(stages[step], axis=1) for step in (0, 200)
}  # (n_cells,)
tied = {step: np.corrcoef(length, roots)[0, 1] for step, length in lengths.items()}
hub = degree.argmax()
claim(
    "The length of a cell's row goes with sqrt(d): the correlation is {before:.2f} at "
    "first and {after:.2f} after 200 steps. All cells together shrink to {all:.0%}; "
    "but the row of the top hub ({neighbors:.0f} neighbors) grows {growth:.1f}-fold.",
    tied[200] > 0.95
    and lengths[200][hub] > 1.4 * lengths[0][hub]
    and np.linalg.norm(lengths[200]) < np.linalg.norm(lengths[0]),
    before=tied[0],
    after=tied[200],
    all=np.linalg.norm(lengths[200]) / np.linalg.norm(lengths[0]),
    neighbors=degree[hub],
    growth=lengths[200][hub] / lengths[0][hub],
)

# %% [markdown]
# Is this a contradiction, when no eigenvalue is larger than 1?
# No: that bound holds for all cells together, and what others lose a hub may gain.
# In the end a cell is known only by its number of neighbors, and the loudest are the hubs.
# (With the plain mean, $D^{-1}(A + I)$, all rows would become exactly equal. S is *not* an average in that sense: its rows do not sum to 1.)
#
# Go back to the cells that you have moved, choose the hub and take ten steps.
# The rays that grow belong to the hubs: along a ray the degree changes, across the rays the type.
# So after smoothing, too, directions say more than positions, and the method scales its encodings to length 1 ([lesson 03](03_encoders.ipynb)).

# %%
explain("what_smoothing_leaves")

# %% [markdown]
# ## The gene graph
#
# Genes form a graph, too: each gene points to the genes whose counts over the cells are nearest.
# The paper takes 5 neighbors, *counting the gene itself*, by **Euclidean distance on raw counts**, and keeps the direction: an edge goes from a gene to those that it chose.

# %%
gene_graph = graphs.gene_graph(counts, n_neighbors=5)  # (n_genes, n_genes), directed
arriving = np.asarray(gene_graph.sum(axis=0)).ravel()  # (n_genes,)
claim(
    "Each of {genes} genes chooses {chosen:.0f}, itself included; the most popular is "
    "chosen by {most:.0f}.",
    arriving.max() > 20 and (gene_graph != gene_graph.T).nnz > 0,
    genes=gene_graph.shape[0],
    chosen=gene_graph.sum(axis=1).max(),
    most=arriving.max(),
)


# %%
def friends(graph, gene):
    """Names of the genes that a gene chose."""
    chosen = adata.var_names[graph[adata.var_names.get_loc(gene)].indices]
    return sorted(set(chosen) - {gene})


for gene in ("CD79A", "NKG7", "CD3D", "S100A8"):
    print(f"{gene}: {', '.join(friends(gene_graph, gene))}")

# %% [markdown]
# The first three make sense to a biologist: `CD79A` and `CD79B` form one receptor of B cells, `NKG7` and `GNLY` are killer genes, `CD3D` and `CD3E` are two chains of the T cell receptor.
# `S100A8` should find `S100A9`, its partner in one protein complex, and finds strangers.
#
# Why?
# Our suspicion: Euclidean distance on counts compares *levels* before it compares patterns; `S100A9` is stronger, and so it is far.
# If that is so, then scaling every gene to the same variance must bring the partners together, and neighbors must stop sharing their level.

# %%
spread_of_genes = values.std(axis=0)  # (n_genes,)
scaled = (values - values.mean(axis=0)) / spread_of_genes  # mean 0, variance 1
alike = (
    scaled.T @ scaled / len(scaled)
)  # (n_genes, n_genes), correlation over the cells
levels = np.log(counts.mean(axis=0))  # (n_genes,)
by_scaled = graphs.gene_graph(scaled, n_neighbors=5)
level, pattern = {}, {}
for name, one in {"raw": gene_graph, "scaled": by_scaled}.items():
    i, j = (one - sp.identity(one.shape[0])).nonzero()  # edges between different genes
    level[name] = np.corrcoef(levels[i], levels[j])[0, 1]
    pattern[name] = alike[i, j].mean()
claim(
    "Neighbors on raw counts share their level (correlation {l0:.2f}) and hardly their "
    "pattern ({p0:.2f}); on scaled values it is {l1:.2f} and {p1:.2f}, where S100A8 "
    "finds {found}.",
    level["raw"] > level["scaled"] + 0.2
    and pattern["scaled"] > pattern["raw"] + 0.05
    and "S100A9" in friends(by_scaled, "S100A8"),
    l0=level["raw"],
    p0=pattern["raw"],
    l1=level["scaled"],
    p1=pattern["scaled"],
    found=", ".join(friends(by_scaled, "S100A8")),
)

# %% [markdown]
# Weak genes, with nearly empty columns, are close to each other on raw counts for no other reason than their weakness.
# This choice of the paper is hard to justify; we keep it in the `paper/` recipes, and [lesson 06](06_gene_refinement.ipynb) looks at what the genes' graph contributes.
#
# ## Take it elsewhere
#
# Now without a hand to hold: 150 cells that this course has not shown, with [depths](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#depth) and loud genes that try to mislead your graph.
# There is no single right answer; your graph is judged by what it must and must not do.

# %%
screen = given("graph_of_loud_cells")
print("counts:", screen.counts.shape)


# %%
def graph_of_loud_cells(counts):
    """A graph that follows types that nobody tells: sparse, binary, symmetric."""
    ### BEGIN SOLUTION
    depth = counts.sum(axis=1, keepdims=True)  # (n_cells, 1)
    tamed = np.log1p(1000 * counts / depth)  # depth divided out, loud genes tamed
    return graphs.cell_graph(tamed, n_neighbors=11)
    ### END SOLUTION


# %%
transfer("graph_of_loud_cells", graph_of_loud_cells)

# %% [markdown]
# ## Quiz

# %%
quiz("02")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - **k counts the cell itself**, union, no weights: as in the paper's code, which takes scanpy's neighbors. Lesson 10's [spatial graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#spatial-graph) counts *others* only; the paper changes the meaning there, and so do we.
# - **Large data.** From 10,000 cells on, the paper searches in 50 [principal components](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#principal-component); we do the same, and above 50,000 cells we search approximately. The graph is the same idea, not the same edges.
# - **Filter steps are set by dataset.** The published settings give each view a number of steps of its own, and another pair for another dataset (printed below). A new dataset has no labels by which to choose them. Over the first steps the curve is flat, so that one setting for all should cost little.
# - **The filter of view 1 brings the graph into the view without a network.** If view 1 is filtered as well, the two views are less independent than their names suggest; [lesson 03](03_encoders.ipynb) takes this up.

# %%
papers = [name for name in recipe_names() if name.startswith("paper/")]
published = [recipe(name).filter_steps for name in papers]
print("pairs of filter steps in the published settings:", sorted(set(published)))
print("ours, for all scRNA-seq data:", recipe("robust").filter_steps)

# %% [markdown]
# ## Summary
#
# - Nearest cells are of the same type far more often than chance; the graph keeps this without labels. For rare types it keeps much less, and one average hides that.
# - Choices are not mutual: the union makes the graph symmetric, and makes hubs.
# - $S = D^{-1/2} (A + I) D^{-1/2}$; its eigenvectors are patterns on the cells, slow ones with eigenvalues near 1. $S^n$ is a [low-pass filter](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#low-pass-filter), done by n sparse products.
# - A few steps make types stand out; many leave nothing but the degree, though k-means can still live on the crumbs.
# - The [gene graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-graph) on raw counts groups genes by level as much as by pattern.
#
# **Next:** [03 Encoders](03_encoders.ipynb).
#
# **Further reading:** Li, Han and Wu, *Deeper insights into graph convolutional networks for [semi-supervised](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#semi-supervised) learning*, AAAI 2018 (over-smoothing); Wu et al., *Simplifying graph convolutional networks*, ICML 2019 (the filter alone); Radovanović et al., *Hubs in space*, JMLR 2010; Dann et al., *Differential abundance testing on single-cell data using k-nearest neighbor graphs*, Nature Biotechnology 2022.
