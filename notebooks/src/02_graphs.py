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
# You connect cells with their nearest cells, average each cell with its neighbors, and see when averaging begins to destroy what it first made clear.
#
# | | |
# |---|---|
# | **You will be able to** | build a symmetric nearest-neighbor graph; measure how well it follows the types; normalize it; smooth with it; recognize over-smoothing and say where it ends |
# | **You need** | NumPy, matrix products; what log-normalized values are ([lesson 01](01_preprocessing.ipynb)) |
# | **Time** | about 15 minutes to read, 45 to do; the cells run in well under a minute on two cores |
# | **Where it sits** | counts to features, **graphs and filter**, then two views, alignment, refinement, clusters |

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
from matplotlib.collections import LineCollection
from sklearn.neighbors import NearestNeighbors

from scrcl_edu import datasets, evaluation, graphs, preprocessing
from scrcl_edu.clustering import kmeans
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.plotting import PALETTE, embedding, show
from scrcl_edu.recipes import recipe, recipe_names

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# ## The question
#
# A single cell is a poor witness: most of its counts are zero.
# Its neighbors could help, if they are cells of the same type.
# Are they?
# For each of the 700 blood cells we look for the one cell that is most similar.

# %%
adata = datasets.load("pbmc68k_reduced")
preprocessing.preprocess(adata)
values = adata.X.toarray().astype(float)  # (n_cells, n_genes), log-normalized
labels = adata.obs["label"].to_numpy().astype(str)  # only to judge
unit = values / np.linalg.norm(values, axis=1, keepdims=True)  # (n_cells, n_genes), rows of length 1
cosine = unit @ unit.T  # (n_cells, n_cells)
np.fill_diagonal(cosine, -1)  # not itself
nearest = cosine.argmax(axis=1)  # (n_cells,)
print("nearest cell is of the same type:", f"{np.mean(labels[nearest] == labels):.2f}")

# %%
_, sizes = np.unique(labels, return_counts=True)
print("two cells drawn at random are of the same type:", f"{np.mean(labels[:, None] == labels):.2f}")
print("types:", len(sizes), "| smallest:", sizes.min(), "| largest:", sizes.max())

# %% [markdown]
# Far better than chance, and far from perfect.
# Nobody told the cells their types, so similarity is a source of information that costs nothing.
# A **graph** keeps it: cells are nodes, and an edge joins cells that are close.
#
# ## Small numbers first
#
# Six cells, three genes.
# Cell 1 is cell 0 caught twice as well; cell 4 is a deep cell of the second type.

# %%
small = np.array([[4, 0, 2], [8, 1, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]], dtype=float)  # (6, 3)
length = np.linalg.norm(small, axis=1, keepdims=True)  # (6, 1)
small_cosine = (small / length) @ (small / length).T  # (6, 6)
print(small_cosine.round(2))

# %% [markdown]
# With k = 3, *counting the cell itself*, each cell chooses two others.
# Read the choices off the rows.

# %%
n_neighbors = 3
order = np.argsort(-small_cosine, axis=1, kind="stable")  # (6, 6), each row from near to far
chosen = np.zeros((6, 6))
for cell in range(6):
    others = [other for other in order[cell] if other != cell][: n_neighbors - 1]
    chosen[cell, others] = 1
    print(f"cell {cell} chooses", sorted(int(other) for other in others))

# %% [markdown]
# Here all choices are mutual.
# They need not be: a cell at the edge of a crowd chooses cells that have nearer ones.
# One more cell shows it, a mixture that likes everybody.

# %%
mixed = np.vstack([small, [3.0, 6.0, 3.0]])  # (7, 3)
search = NearestNeighbors(n_neighbors=2, metric="cosine").fit(mixed)
directed = search.kneighbors_graph().toarray()  # (7, 7), row i: whom cell i chose
print("cell 6 chooses", np.flatnonzero(directed[6]).tolist())
print("cell 6 is chosen by", np.flatnonzero(directed[:, 6]).tolist())
print("symmetric:", bool((directed == directed.T).all()))
either = np.maximum(directed, directed.T)
print("symmetric, when an edge stays if either chose it (union):", bool((either == either.T).all()))

# %% [markdown]
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
    chosen = search.kneighbors_graph()  # (n_cells, n_cells); without arguments a cell is not its own neighbor
    return sp.csr_matrix(chosen.maximum(chosen.T))
    ### END SOLUTION


# %%
hint("cell_graph")

# %%
cell_graph = check("cell_graph", cell_graph).function

# %% [markdown]
# The naive form compares every pair, and holds a number for each: the cosine matrix from above.
# The good form holds the edges only.
# Same graph, for all 700 cells:

# %%
graph = cell_graph(values, 15)
naive = np.zeros(cosine.shape)
np.put_along_axis(naive, np.argsort(-cosine, axis=1)[:, :14], 1, axis=1)  # 14 others each
naive = np.maximum(naive, naive.T)
assert (graph != sp.csr_matrix(naive)).nnz == 0
assert (graph != graphs.cell_graph(values, n_neighbors=15)).nnz == 0
print("same graph, naive, yours and scrcl_edu:", True)
print("entries of the dense matrix:", naive.size, "| entries that are not zero:", f"{graph.nnz / naive.size:.1%}")

# %% [markdown]
# Each cell chose 14 others, but how many *neighbors* does it have after the union?

# %%
degree = np.asarray(graph.sum(axis=1)).ravel()  # (n_cells,)
print("neighbors of a cell, fewest, median, most:", int(degree.min()), int(np.median(degree)), int(degree.max()))
print("pieces that the graph falls into:", sp.csgraph.connected_components(graph)[0])

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.hist(degree, bins=40, color=PALETTE[0])
left.set(xlabel="neighbors of a cell", ylabel="cells", yscale="log", title="Some cells are hubs")
mean_cosine = np.where(cosine < 0, 0, cosine).mean(axis=1)  # (n_cells,), likeness to all others
right.scatter(mean_cosine, degree, s=10, color=PALETTE[0])
right.set(xlabel="mean cosine to all cells", ylabel="neighbors", title="Who resembles all is chosen by many")
show(
    fig,
    alt="Left: histogram of the number of neighbors; nearly all cells have fewer than 40, a few more than 100. Right: the "
    "number of neighbors against the mean cosine to all cells; the hubs are among the cells that resemble all others.",
)

# %% [markdown]
# A few cells are **hubs**: cells that resemble the average cell are chosen by many, of all types.
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
homophily = check("homophily", homophily).function

# %%
path = sp.csr_matrix(np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1))  # (4, 4), cells 0-1-2-3
print("path B, B, T, T:", round(homophily(path, np.array(["B", "B", "T", "T"])), 2))
assert np.isclose(homophily(graph, labels), graphs.homophily(graph, labels))
print("cell graph, same number as scrcl_edu:", round(homophily(graph, labels), 2))

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
pd.DataFrame(curves, index=pd.Index(steps, name="k")).round(2)

# %%
fig, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for number, (name, curve) in enumerate(curves.items()):
    axes.plot([str(k) for k in steps], curve, marker="os^D"[number], color=PALETTE[number], label=name)
axes.axhline(np.mean(labels[:, None] == labels), color="black", linestyle=":", label="chance")
axes.set(xlabel="k", ylabel="homophily", ylim=(0, 1), title="Nearer is better; the distance matters less")
axes.legend(frameon=False, loc="upper right", ncols=2)
show(fig, alt="Homophily against k for four distances: all fall slowly as k grows, close together, far above chance.")

# %% [markdown]
# Each further neighbor is a worse one, so homophily falls with k, whatever the distance.
# Then why not k = 2?
# Because a graph with few edges averages over few cells, and falls apart.
# The table holds a second lesson: the paper's choice, cosine on log values, is *not* the best of the four here, and the differences are small.
# A distance that you choose by this table has been chosen by labels.

# %%
for k in (2, 5, 15):
    one = graphs.cell_graph(values, n_neighbors=k)
    print(f"k = {k:2}: pieces {sp.csgraph.connected_components(one)[0]}, homophily {homophily(one, labels):.2f}")

# %% [markdown]
# ### See the edges
#
# The slider sets k.
# Edges inside a type stand on the left, edges between types on the right.

# %%
plane = graphs.principal_components(values, 2, seed=SEED)  # (n_cells, 2)


def draw(k):
    one = sp.triu(graphs.cell_graph(values, n_neighbors=k)).tocoo()
    inside = labels[one.row] == labels[one.col]  # (n_edges,)
    lines = np.stack([plane[one.row], plane[one.col]], axis=1)  # (n_edges, 2 ends, 2)
    fig, panels = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
    kinds = (inside, "inside a type", PALETTE[0], "-"), (~inside, "between types", PALETTE[1], "--")
    for axes, (chosen, name, color, style) in zip(panels, kinds, strict=True):
        axes.add_collection(LineCollection(lines[chosen], colors=color, linestyles=style, linewidths=0.5, alpha=0.5))
        axes.scatter(*plane.T, s=3, color="black", zorder=3)
        axes.set(title=f"k = {k}: {chosen.mean():.0%} {name}", xticks=[], yticks=[])
    return fig


slider(
    draw,
    alt="Cells and their edges for k = {k}: left those inside a type, the larger part; right those between types",
    start={"k": 15},
    k=[3, 5, 15, 40],
)

# %% [markdown]
# ## Averaging with the neighbors
#
# The simplest use of a graph: replace each cell by the mean of itself and its neighbors.
# As a matrix, with A the graph and I the identity (the cell itself):
#
# - A + I has a one for each neighbor and for the cell itself;
# - its row sums are D, on the diagonal: neighbors plus one;
# - the plain mean is D^-1 (A + I).
#
# The method divides on **both** sides instead, S = D^-1/2 (A + I) D^-1/2.
# An edge between cells i and j then weighs 1 / sqrt(d_i d_j): a hub with many neighbors speaks to each of them more quietly.
# On the path of four cells, by hand: d = 2, 3, 3, 2, so the edge 0-1 weighs 1 / sqrt(6) = 0.41, and the edge 1-2 weighs 1/3.

# %%
with_self = path.toarray() + np.eye(4)  # (4, 4)
d = with_self.sum(axis=1)  # (4,)
print("d:", d)
print((with_self / np.sqrt(np.outer(d, d))).round(2))

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
normalized_adjacency = check("normalized_adjacency", normalized_adjacency).function

# %%
smoother = normalized_adjacency(graph)  # S, (n_cells, n_cells)
assert np.allclose(smoother.toarray(), graphs.normalized_adjacency(graph).toarray())
print("same as scrcl_edu:", True, "| symmetric:", np.allclose(smoother.toarray(), smoother.T.toarray()))
frequencies = np.linalg.eigvalsh(smoother.toarray())  # (n_cells,), sorted
print("largest eigenvalue:", round(frequencies[-1], 2), "| all others below 1:", bool(frequencies[-2] < 0.9999))
print("smallest eigenvalue above -1:", bool(frequencies[0] > -1))

# %% [markdown]
# Symmetric division has a gift: S is symmetric, its eigenvalues lie between -1 and 1, and exactly one of them is 1 when the graph is in one piece.
# So S can be applied again and again without anything growing.
#
# ## Exercise 4: the low-pass filter
#
# Apply S several times: S X, S (S X), and so on.
# After n steps a cell has heard from cells up to n edges away.


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
low_pass = check("low_pass", low_pass).function

# %% [markdown]
# The naive form computes the power of S first, a dense matrix of cells by cells.
# The good form never does.

# %%
power = np.linalg.matrix_power(smoother.toarray(), 5)  # (n_cells, n_cells)
smoothed = low_pass(values, graph, 5)  # (n_cells, n_genes)
assert np.allclose(power @ values, smoothed)
assert np.allclose(graphs.low_pass(values, graph, 5), smoothed, rtol=1e-4, atol=1e-4)
print("same numbers, power, steps and scrcl_edu:", True)
print("share of entries that are not zero: S", f"{smoother.nnz / power.size:.1%},", "S^5", f"{np.mean(power > 0):.0%}")

# %% [markdown]
# ### Why it is called low-pass
#
# Each eigenvector of S is a pattern on the cells: eigenvalues near 1 belong to slow patterns that hardly change along edges (types!), small ones to patterns that flicker from cell to neighbor (noise).
# S^n multiplies each pattern by its eigenvalue to the power n.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.hist(frequencies, bins=60, color=PALETTE[0])
left.set(xlabel="eigenvalue of S", ylabel="patterns", yscale="log", title="Few slow patterns, many quick ones")
for number, n in enumerate((1, 2, 5, 20)):
    style = ("-", "--", "-.", ":")[number]
    right.plot(frequencies, np.abs(frequencies) ** n, style, color=PALETTE[number], label=f"n = {n}")
right.set(xlabel="eigenvalue of S", ylabel="what is left of the pattern", title="The filter keeps the slow ones")
right.legend(frameon=False)
show(
    fig,
    alt="Left: histogram of the eigenvalues of S, most of them near zero, a handful near 1. Right: what is left of a pattern "
    "after 1, 2, 5 and 20 steps; the more steps, the closer to 1 an eigenvalue must be to survive.",
)

# %% [markdown]
# ### Smoothing, then over-smoothing
#
# Does it help?
# We keep the cells after some numbers of steps, each step one product with S.

# %%
stages, current = {}, values
for step in range(201):
    if step in (0, 1, 2, 5, 20, 50, 200):
        stages[step] = current  # (n_cells, n_genes)
    current = smoother @ current
assert np.allclose(stages[5], smoothed)
print("kept after steps:", list(stages))

# %% [markdown]
# For each number of steps we ask four things: which share of all differences between cells lies *between types* (the rest is inside them), how alike two cells are on average, how many of the differences are left at all, and how [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) does.


# %%
def spread(x):
    """Sum of all squared differences from the mean cell."""
    return ((x - x.mean(axis=0)) ** 2).sum()


def look(n_steps):
    smooth = stages[n_steps]  # (n_cells, n_genes)
    means = pd.DataFrame(smooth).groupby(labels).transform("mean").to_numpy()  # each cell's type's mean
    direction = smooth / np.linalg.norm(smooth, axis=1, keepdims=True)
    return {
        "steps": n_steps,
        "between types": spread(means) / spread(smooth),
        "mean cosine": (direction @ direction.T).mean(),
        "differences left": spread(smooth) / spread(values),
        "accuracy": evaluation.accuracy(labels, kmeans(smooth, 10, n_starts=3, seed=SEED)),
    }


table = pd.DataFrame([look(n) for n in stages]).set_index("steps")

# %% tags=["nbval-ignore-output"]
table.round(2)

# %%
between = table["between types"]
print(
    "share of the differences that lies between types, raw:",
    round(between[0], 2),
    "| after 2 steps:",
    round(between[2], 2),
)
print("after 200 steps it is less than before the first:", bool(between[200] < between[0]))
print("k-means does better after 2 steps than before:", bool(table["accuracy"][2] > table["accuracy"][0]))

# %%
fig, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
for number, name in enumerate(("between types", "mean cosine", "accuracy")):
    axes.plot([str(n) for n in table.index], table[name], marker="os^"[number], color=PALETTE[number], label=name)
axes.set(xlabel="filter steps", ylim=(0, 1.02), title="A few steps help, many erase")
axes.legend(frameon=False)
show(
    fig,
    alt="Against the number of filter steps: the share of differences between types rises over the first steps, then falls "
    "towards zero; the mean cosine of two cells climbs to 1; the accuracy of k-means rises and then falls a little.",
)

# %% [markdown]
# The first steps average noise away and the types stand out.
# Then the averages reach beyond the types, and in the end all cells point in the same direction: **[over-smoothing](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#over-smoothing)**.
#
# Two details deserve a second look.
# First, k-means survives longer than the picture suggests.
# Over-smoothing shrinks the differences between types but does not scramble them at once; k-means on directions finds differences that are tiny, as long as floating-point numbers still hold them.
# A neural network with weights of ordinary size will not be so patient.
#
# Second: what is left at the end, if not types?

# %%
for step in (0, 200):
    length = np.linalg.norm(stages[step], axis=1)  # (n_cells,)
    relation = np.corrcoef(length, np.sqrt(degree + 1))[0, 1]
    print(f"after {step:3} steps, length of a cell's row against sqrt(d), correlation: {relation:.1f}")

# %% [markdown]
# The number of neighbors.
# The pattern with eigenvalue 1 is sqrt(d), so at the end a cell is known only by its degree, and the loudest cells are the hubs.
# (With the plain mean, D^-1 (A + I), all rows would become exactly equal.)
#
# Watch it happen.
# The rays that grow are the hubs: along a ray the degree changes, across the rays the type.
# So after smoothing, too, directions say more than positions, and the method scales its encodings to length 1 ([lesson 03](03_encoders.ipynb)).

# %%
views = {step: graphs.principal_components(stage, 2, seed=SEED) for step, stage in stages.items()}  # (n_cells, 2)


def draw(steps):
    fig, axes = plt.subplots(figsize=(5.6, 3.4), layout="constrained")
    return embedding(views[steps], labels, title=f"{steps} filter steps", axes=axes, names=False)


slider(draw, alt="The cells after {steps} filter steps, colored by type", steps=list(views))

# %% [markdown]
# ## The gene graph
#
# Genes form a graph, too: each gene points to the genes whose counts over the cells are nearest.
# The paper takes 5 neighbors, *counting the gene itself*, by **Euclidean distance on raw counts**, and keeps the direction: an edge goes from a gene to those it chose.

# %%
gene_graph = graphs.gene_graph(counts, n_neighbors=5)  # (n_genes, n_genes), directed
print("genes:", gene_graph.shape[0], "| each chooses, itself included:", int(gene_graph.sum(axis=1).max()))
print("symmetric:", (gene_graph != gene_graph.T).nnz == 0)
arriving = np.asarray(gene_graph.sum(axis=0)).ravel().astype(int)  # (n_genes,)
print("the most popular gene is chosen by", arriving.max(), "genes; an average one by", int(arriving.mean()))

# %%
for gene in ("CD79A", "NKG7", "CD3D", "S100A8"):
    chosen = adata.var_names[gene_graph[adata.var_names.get_loc(gene)].indices]
    print(f"{gene}: {', '.join(sorted(set(chosen) - {gene}))}")

# %% [markdown]
# The first three make sense to a biologist: `CD79A` and `CD79B` form one receptor of B cells, `NKG7` and `GNLY` are killer genes, `CD3D` and `CD3E` are two chains of the T cell receptor.
# `S100A8` should find `S100A9`, its partner in one protein complex, and finds strangers.
#
# Why?
# Euclidean distance on counts compares *levels* before it compares patterns: `S100A9` is stronger, and so it is far.
# Let us test this suspicion.

# %%
scaled = (values - values.mean(axis=0)) / values.std(axis=0)  # (n_cells, n_genes), each gene: mean 0, variance 1
alike = scaled.T @ scaled / len(scaled)  # (n_genes, n_genes), correlation of two genes over the cells
for name, one in {"raw counts": gene_graph, "scaled log values": graphs.gene_graph(scaled, n_neighbors=5)}.items():
    source, target = (one - sp.identity(one.shape[0])).nonzero()  # edges between different genes
    levels = np.log(counts.mean(axis=0))
    level = np.corrcoef(levels[source], levels[target])[0, 1]
    print(f"{name}: two neighbors, same level {level:.1f}, same pattern {alike[source, target].mean():.2f}")
    print("   S100A8:", ", ".join(adata.var_names[one[adata.var_names.get_loc("S100A8")].indices]))

# %% [markdown]
# On raw counts, the neighbors of a gene share first of all their expression level.
# Weak genes, with nearly empty columns, are close to each other for no other reason.
# On scaled values they share their pattern, and `S100A8` finds its partner.
# This choice of the paper is hard to justify; we keep it in the `paper/` recipes, and [lesson 06](06_gene_refinement.ipynb) looks at what the genes' graph contributes.

# %% [markdown]
# ## Quiz

# %%
quiz("02")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - **k counts the cell itself**, union, no weights: as in the paper's code, which takes scanpy's neighbors. Lesson 10's [spatial graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#spatial-graph) counts *others* only; the paper changes the meaning there, and so do we.
# - **Large data.** From 10,000 cells on, the paper searches in 50 [principal components](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#principal-component); we do the same, and above 50,000 cells we search approximately. The graph is the same idea, not the same edges.
# - **Filter steps are set by dataset.** The published settings give each view a number of steps of its own, and another pair for another dataset (printed below). A new dataset has no labels by which to choose them. You saw how flat the curve is over the first steps: one setting for all costs little.
# - **The filter of view 1 brings the graph into the view without a network.** If view 1 is filtered as well, the two views are less independent than their names suggest; [lesson 03](03_encoders.ipynb) takes this up.

# %%
published = pd.Series([recipe(name).filter_steps for name in recipe_names() if name.startswith("paper/")])
print("pairs of filter steps in the published settings:", sorted(set(published)))
print("one of them is ours, for all scRNA-seq data:", recipe("robust").filter_steps in set(published))

# %% [markdown]
# ## Summary
#
# - Nearest cells are of the same type far more often than chance; the graph keeps this without labels.
# - Choices are not mutual: the union makes the graph symmetric, and makes hubs.
# - S = D^-1/2 (A + I) D^-1/2 averages a cell with its neighbors; S^n is a [low-pass filter](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#low-pass-filter), done by n sparse products.
# - A few steps make types stand out; many erase them, until only the degree is left.
# - The [gene graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-graph) on raw counts groups genes by level as much as by pattern.
#
# **Next:** [03 Encoders](03_encoders.ipynb).
#
# **Further reading:** Li, Han and Wu, *Deeper insights into graph convolutional networks for semi-supervised learning*, AAAI 2018 (over-smoothing); Wu et al., *Simplifying graph convolutional networks*, ICML 2019 (the filter alone); Radovanović et al., *Hubs in space*, JMLR 2010; Dann et al., *Differential abundance testing on single-cell data using k-nearest neighbor graphs*, Nature Biotechnology 2022.
