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
# # 00 Start here: from a count matrix to cell types
#
# [Open 00_start_here on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/00_start_here.ipynb) · [Open 00_start_here on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/00_start_here.ipynb)
#
# You run the whole method once, on real cells, before you build it piece by piece, and you learn at once what to ask of any result: better than what?
#
# | | |
# |---|---|
# | **You will be able to** | read a count matrix; run the method in one call; say what each lesson adds; judge a clustering without fooling yourself |
# | **You need** | Python with NumPy; no biology, no graph networks. New to cells: [from cell to count matrix](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/primer_biology.md) |
# | **Time** | about 15 minutes to read, 35 to do; the cells run in about a minute on two cores |
# | **Where it sits** | the whole picture: counts, two views, alignment, refinement, clusters |

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

from scrcl_edu import datasets, evaluation
from scrcl_edu.clustering import kmeans
from scrcl_edu.course import (
    check,
    claim,
    explain,
    hint,
    mend,
    method_map,
    predict,
    quiz,
    reveal,
    slider,
)
from scrcl_edu.course.drawings.small import draw_likeness
from scrcl_edu.course.platform import platform_check
from scrcl_edu.fitting import clustered, fit
from scrcl_edu.graphs import cell_graph, homophily, principal_components
from scrcl_edu.plotting import (
    PALETTE,
    cluster_styles,
    confusion,
    embedding,
    losses,
    show,
    umap,
)
from scrcl_edu.recipes import recipe

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# This is the whole method on one page.
# Every lesson opens with it, and lights the part that it is about; you need not understand any of it yet.
# Follow the arrows once from the top to the bottom, and notice where the labels stand: outside, behind a fence.

# %%
method_map("00")

# %% [markdown]
# ## The question
#
# A drop of blood holds many types of cells.
# Some kill, some remember, some clean up, and they can hardly be told apart under a microscope.
# What tells them apart is which of their genes are in use, and a sequencer can count that: for each cell and each gene it reports how many RNA molecules of this gene it caught in this cell.
# It does not report which cell is of which type.
# To find the types from the counts alone is what this course is about.
#
# The data of this lesson are 700 cells from the blood of a healthy donor.
# They come with the package, so you need no network.

# %%
adata = datasets.load("pbmc68k_reduced")
counts = adata.layers["counts"].toarray().astype(int)  # (n_cells, n_genes)
labels = adata.obs["label"].to_numpy().astype(str)  # (n_cells,), kept for the end
print("cells, genes:", counts.shape)
print("types that were given names:", len(np.unique(labels)))

# %% [markdown]
# A row is a cell and a column is a gene.
# Here are the first five cells and five genes that biologists know well.
# `CD74` belongs to cells that show foreign substances to others, `LYZ` to cells that digest them, `NKG7` to killer cells and `CD79A` to B cells, which make antibodies; `ACTB` builds the skeleton of every cell.

# %%
genes = ["CD74", "LYZ", "NKG7", "CD79A", "ACTB"]
corner = pd.DataFrame(counts[:5, adata.var_names.get_indexer(genes)], columns=genes)
corner.index = [f"cell {number}" for number in range(5)]
corner

# %% [markdown]
# Two things make such a table hard to read, and both will follow us through the course.
# Most of its entries are zero, often only because a molecule that was there was not caught.
# And cells differ in how much was caught of them at all, which is called their *[depth](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#depth)*.

# %%
depth = counts.sum(axis=1)  # (n_cells,)
zeros = np.mean(counts == 0)
uneven = claim(
    "{zeros:.0%} of all entries are zero, and the deepest cell holds {times:.1f} times "
    "as many molecules as the shallowest ({most} against {fewest}).",
    zeros > 0.5 and depth.max() > 3 * depth.min(),
    zeros=zeros,
    times=depth.max() / depth.min(),
    most=depth.max(),
    fewest=depth.min(),
)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
varied = np.argsort(counts.var(axis=0))[::-1][:60]
by_type = np.argsort(labels, kind="stable")
picture = np.log1p(counts[by_type][:, varied]).T
left.imshow(picture, aspect="auto", cmap="viridis", interpolation="nearest")
left.set(xlabel="cells, sorted by type", ylabel="60 genes", title="log(1 + count)")
right.hist(depth, bins=40, color=PALETTE[0])
right.set(xlabel="molecules in a cell", ylabel="cells", title="Depth of the cells")
show(
    fig,
    alt="Left: the counts of some sixty genes as brightness, the cells sorted by type "
    "so that types show as blocks. Right: a histogram of the molecules in a cell. "
    f"{uneven.text}",
)

# %% [markdown]
# The blocks in the left picture are what we are after.
# You can see them because the cells are *sorted by type*, and that order is just what nobody hands us with a new experiment.
# A method that has to find it from the counts alone is called **[unsupervised](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#unsupervised)**.
#
# ### Where the labels come from
#
# Before we use these types to judge anything, we should ask who named them.
# Nobody looked at the 700 cells one by one.
# The authors of the data (Zheng et al., 2017) had separately sequenced cells that were purified with antibodies, one kind at a time, and they gave each blood cell the name of the purified kind that its counts resemble most.
# So these labels were *computed*, from the same counts that we are going to cluster, and they inherit whatever that comparison gets wrong.
# Let us see what they say, and check one of them against genes that it was not told about: in the textbooks `FCER1A` and `CLEC10A` mark dendritic cells.

# %%
sizes = pd.Series(labels).value_counts()
marked = pd.DataFrame(
    {
        gene: counts[:, adata.var_names.get_loc(gene)] > 0
        for gene in ("FCER1A", "CLEC10A")
    }
)
table = marked.groupby(labels).mean().loc[sizes.index].round(2)
table.insert(0, "cells", sizes)
table

# %%
dendritic, monocytes = labels == "Dendritic", labels == "CD14+ Monocyte"
claim(
    "{share:.0%} of these cells are called dendritic, and {inside:.0%} of those hold a "
    "molecule of FCER1A, against {outside:.0%} of the monocytes, their closest kin.",
    marked["FCER1A"][dendritic].mean() > 3 * marked["FCER1A"][monocytes].mean(),
    share=dendritic.mean(),
    inside=marked["FCER1A"][dendritic].mean(),
    outside=marked["FCER1A"][monocytes].mean(),
)

# %% [markdown]
# The name means something, then, and yet it cannot be quite right: in fresh blood about one cell in a hundred is dendritic.
# Either this selection of 700 cells is not a fair sample of the blood, or many of its monocytes bear the wrong name, or both.
# We shall use the labels as what they are, one careful opinion, and come back to them with [marker genes](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#marker-gene) in [lesson 09](09_biology.ipynb).
#
# ## Exercise 1: how empty is it?
#
# In most exercises of this course you write a function, and a `check` runs it on small random inputs.
# It does not only say right or wrong; it tells you what you probably did.
# Try a wrong answer, too, for the checks are made for it.


# %%
def share_of_zeros(counts):
    """Share of the entries of a count matrix that are zero.

    Parameters
    ----------
    counts
        Shape (n_cells, n_genes).

    Returns
    -------
    A number from 0 to 1.
    """
    ### BEGIN SOLUTION
    return float((counts == 0).mean())
    ### END SOLUTION


# %%
hint("share_of_zeros")

# %%
share_of_zeros = check("share_of_zeros", share_of_zeros)

# %% [markdown]
# What `check` hands back is called like any function.
# It is yours if it passed; if not, the package's own goes on in its place, so that the rest of the lesson runs, and the course says whose it was.

# %%
claim(
    "In the whole matrix, share_of_zeros ({whose}) finds {share:.0%} zeros.",
    np.isclose(share_of_zeros(counts), zeros),
    whose=share_of_zeros.whose,
    share=share_of_zeros(counts),
)

# %% [markdown]
# ## The idea, in six cells and three genes
#
# Before 700 cells, six.
# The first three express gene A and the last three gene B; gene C is in all of them.
# How alike are two cells?
# Not by distance, since cell 1 is nearly cell 0 caught twice as well, and the two would lie far apart.
# The **cosine** of the angle between two rows does not care how long they are,
#
# $$\cos(x_i, x_j) = \frac{x_i \cdot x_j}{\lVert x_i \rVert \, \lVert x_j \rVert},$$
#
# so that it does not see depth: it is 1 for two cells with the same proportions, and 0 for two that share no gene.

# %%
small = np.array(
    [[4, 0, 2], [8, 1, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]]
)  # (6 cells, 3 genes)
length = np.linalg.norm(small, axis=1)  # (6,)
cosine = small @ small.T / np.outer(length, length)  # (6, 6)
print(cosine.round(1))

# %% [markdown]
# Two blocks stand out.
# If we connect each cell with its two nearest, the six cells should fall into two groups of three.
#
# ## Exercise 2: find the fault
#
# Not every exercise asks you to write something new; the code that you will inherit is written already.
# This function was meant to find the two nearest of each cell, and it seems to work.


# %%
def two_nearest_given(counts):
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    order = np.argsort(-cosine, axis=1, kind="stable")
    return np.sort(order[:, 1:3], axis=1)


for cell, pair in enumerate(two_nearest_given(small)):
    print(f"cell {cell}: nearest are {pair.tolist()}")

# %% [markdown]
# Look at cell 2.
# Find the fault, and mend it.


# %%
def two_nearest(counts):
    """The two other cells that are most like each cell, by the cosine of their counts.

    Parameters
    ----------
    counts
        Shape (n_cells, n_genes); no cell is empty.

    Returns
    -------
    Numbers of cells, each row sorted, shape (n_cells, 2).
    """
    ### BEGIN SOLUTION
    length = np.linalg.norm(counts, axis=1)
    cosine = counts @ counts.T / np.outer(length, length)
    np.fill_diagonal(cosine, -1)  # out of the race, whatever else is as near
    order = np.argsort(-cosine, axis=1, kind="stable")
    return np.sort(order[:, :2], axis=1)
    ### END SOLUTION


# %%
hint("two_nearest")

# %%
two_nearest = mend("two_nearest", two_nearest)

# %% [markdown]
# A row sorted by likeness usually begins with the cell itself, but not when another cell is exactly as near: a *tie*.
# With real counts ties are rare enough to pass every test you are likely to run, and common enough to happen.

# %%
nearest = two_nearest(small)  # (6, 2)
edges = {tuple(sorted((i, int(j)))) for i, pair in enumerate(nearest) for j in pair}
draw_likeness(
    small,
    cosine,
    sorted(edges),
    types=[0, 0, 0, 1, 1, 1],
    alt="Six cells, drawn three times: as a matrix of their counts, as a matrix of the "
    "cosines of each two, in which two blocks are dark, and as a graph in which each "
    "cell is joined to its two nearest.",
)

# %%
across = sum((i < 3) != (j < 3) for i, j in edges)
claim(
    "Of the {n} edges between six cells, {across} join the two blocks: without a label "
    "the graph has found two types.",
    across == 0,
    n=len(edges),
    across=across,
)

# %% [markdown]
# With 700 noisy cells the pieces do not fall apart so cleanly, and nobody knows which genes matter.
# That is where the method comes in.
# Follow it on the map:
#
# 1. **Two views.** Each cell is encoded twice: by one plain layer from counts that were averaged over the cell's neighbors (view 1), and by a graph network, which does its own averaging (view 2).
# 2. **Alignment.** The two encodings of a cell should agree, and they should agree with those of its neighbors more than with those of all others.
# 3. **Refinement.** Genes form a graph as well. A network on it learns *[gene programs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-program)*, groups of genes that act together, and each cell is written as a mixture of them.
# 4. **Clusters.** [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) divides the cells. The paper clusters the refined cells; our default recipe, `robust`, clusters the two encodings side by side.
#
# None of these steps looks at a label.
# One thing did, once, and you should know it from the start: when we chose the *settings* of `robust`, we compared settings on five datasets whose labels we knew, and these 700 cells are one of the five.
# What it scores here is therefore a little flattering; [lesson 11](11_the_papers_table.ipynb) shows it on datasets that no choice has seen.
#
# ## The whole method in one call

# %%
settings = recipe("robust")
fitted = fit(adata, n_clusters=10, recipe=settings, seed=SEED, copy=True)
print("two encodings side by side:", clustered(fitted).shape)
print("refined cells:", fitted.obsm["X_scrcl_z"].shape)
print("clusters:", fitted.obs["scrcl"].nunique())
print("epochs:", fitted.uns["scrcl"]["epochs"])

# %% [markdown]
# Training changes the weights of the networks step by step, so that a sum of three losses becomes smaller.
# Each curve is drawn as a share of its first value.

# %%
history = pd.DataFrame(fitted.uns["scrcl"]["history"])
lowest = int(history["consistency"].argmin()) + 1
weighted = settings.weight_neighborhood * history["neighborhood"]
trained = claim(
    "In {epochs} epochs the total falls to {left:.0%} of its first value. Consistency "
    "falls as well, but is at its lowest in epoch {lowest} and rises from there; the "
    "total hardly notices, since {share:.0%} of its first value is the neighborhoods', "
    "which count a hundredfold.",
    history["total"].iloc[-1] < 0.6 * history["total"].iloc[0]
    and lowest < len(history)
    and weighted[0] > 0.9 * history["total"][0],
    epochs=len(history),
    left=history["total"].iloc[-1] / history["total"].iloc[0],
    lowest=lowest,
    share=weighted[0] / history["total"][0],
)

# %%
show(
    losses(history, title="The losses by epoch"),
    alt="Four curves by epoch, each as a share of its first value: distribution, "
    "neighborhood, consistency and their weighted total, which lies on the curve of "
    f"the neighborhoods. {trained.text}",
)

# %% [markdown]
# ## What came out
#
# The labels have not been used until now.
# We use them to color a picture, and then to judge.
# The picture is a **[UMAP](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#umap)**, the field's usual way to draw cells in a plane: near cells stay near, while the distance between two islands means little.

# %%
plane = umap(clustered(fitted), seed=SEED)  # (n_cells, 2)
clusters = fitted.obs["scrcl"].to_numpy().astype(str)
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
styles = cluster_styles(clusters, labels)
embedding(plane, clusters, title="Clusters found", axes=left, styles=styles)
embedding(plane, labels, title="Types by name", axes=right)
show(
    fig,
    alt="The encoded cells in a plane, twice. Left: each cluster has the color of the "
    "type that most of its cells bear. Right: types by name. B cells, monocytes and "
    "most dendritic cells have islands of their own; the kinds of T cells share one.",
)

# %%
show(
    confusion(labels, clusters, title="Cells of each type in each cluster"),
    alt="A table of types against clusters with the number of cells in each field; "
    "columns are sorted so that each type's own cluster lies on the diagonal.",
)

# %%
counted = pd.crosstab(labels, clusters)
b_cells = counted.loc["CD19+ B"].sort_values(ascending=False)
home = counted.loc["CD14+ Monocyte"].idxmax()
strangers = counted.loc["Dendritic", home]
claim(
    "The B cells lie in clusters of {first} and {second}, and {strangers} cells "
    "that are called dendritic sit with the monocytes.",
    b_cells.iloc[1] > 15 and strangers > 20,
    first=b_cells.iloc[0],
    second=b_cells.iloc[1],
    strangers=strangers,
)

# %% [markdown]
# Are these mistakes?
# By the labels they are.
# But remember how the labels were made, and that a type may hold more than one kind: that some B cells stand apart could be an error of the method, or it could be a discovery.
# Only the genes can tell, and in [lesson 09](09_biology.ipynb) you will ask them.
#
# ## Is that good? Compare before you believe
#
# Clusters have numbers and types have names, so a score must first bring them together.
# You will meet four scores, all of which reach 1 when clusters and types agree; [lesson 08](08_evaluation.ipynb) works them out by hand.
#
# - **[Accuracy](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#accuracy)**: match clusters with types one to one, as favorably as possible, and count the share of *cells* that are right.
# - **NMI**, [normalized mutual information](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#normalized-mutual-information): how much does knowing the cluster of a cell tell about its type?
# - **ARI**, the adjusted Rand index: of all pairs of cells, how many are together in both or apart in both, beyond chance?
# - **Macro F1**: after the same matching, how well was each *type* found? A type of 8 cells counts as much as one of 240.
#
# A number alone means little.
# Here are three rivals that anyone has for free:
#
# - put all cells into **one cluster**;
# - **PCA and k-means**, three lines of code;
# - the method **without any training**: random weights, zero [epochs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch).
#
# Before you run the cell, commit yourself.

# %%
predict("order_of_rivals")

# %%
log_values = fitted.X[:, fitted.var["highly_variable"].to_numpy()]
components = principal_components(log_values, 30, scale=True, seed=SEED)
untrained = {
    seed: fit(
        adata, n_clusters=10, recipe=settings.with_(epochs=0), seed=seed, copy=True
    )
    for seed in range(SEED, SEED + 4)
}
rivals = {
    "one cluster": np.zeros(len(labels), dtype=int),
    "PCA + k-means": kmeans(components, 10, seed=SEED),
    "untrained scRCL": untrained[SEED].obs["scrcl"].to_numpy(),
    "scRCL": clusters,
}
scored = {name: evaluation.scores(labels, found) for name, found in rivals.items()}

# %%
reveal("order_of_rivals", sorted(scored, key=lambda name: scored[name]["accuracy"]))

# %% tags=["nbval-ignore-output"]
pd.DataFrame(scored).T.round(2)

# %%
accuracy = {name: scores["accuracy"] for name, scores in scored.items()}
claim(
    "One cluster for all scores {lazy:.2f}, PCA and k-means {pca:.2f}, and the method "
    "{ours:.2f}; but {random:.2f} of that it reaches with random weights.",
    accuracy["scRCL"] > accuracy["PCA + k-means"] + 0.05
    and accuracy["untrained scRCL"] > accuracy["one cluster"] + 0.2,
    lazy=accuracy["one cluster"],
    pca=accuracy["PCA + k-means"],
    ours=accuracy["scRCL"],
    random=accuracy["untrained scRCL"],
)

# %% [markdown]
# This is the uncomfortable part of the lesson, and the reason why this course exists.
# Most of the result is there *before* anything is learned, since the views and the graph have averaged the noise away by then.
# Does training add the rest?
# One [seed](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed), the number that draws the random weights, is no evidence.
# Let us take four, and look separately at the largest type, since it holds a third of the cells.

# %%
trained_runs = {SEED: fitted} | {
    seed: fit(adata, n_clusters=10, recipe=settings, seed=seed, copy=True)
    for seed in range(SEED + 1, SEED + 4)
}


def look(run):
    """Shares of cells in the cluster that is matched with their type, and macro F1."""
    found = run.obs["scrcl"].to_numpy()
    name = evaluation.match_clusters(labels, found)
    right = np.array([name.get(one) for one in found]) == labels  # (n_cells,)
    return {
        "all": right.mean(),
        "dendritic": right[dendritic].mean(),
        "all others": right[~dendritic].mean(),
        "macro F1": evaluation.macro_f1(labels, found),
    }


before = pd.DataFrame([look(run) for run in untrained.values()]).mean()
after = pd.DataFrame([look(run) for run in trained_runs.values()]).mean()

# %% tags=["nbval-ignore-output"]
pd.DataFrame({"not trained": before, "trained": after}).round(2)

# %%
gain = after - before
claim(
    "Over four seeds training changes accuracy by {all:+.2f}: among dendritic cells "
    "by {dendritic:+.2f}, among all the others by {others:+.2f}. Macro F1, which "
    "weighs all types alike, moves by {f1:+.2f}.",
    gain["dendritic"] > 0.04
    and abs(gain["all others"]) < 0.03
    and gain["macro F1"] < 0.03,
    all=gain["all"],
    dendritic=gain["dendritic"],
    others=gain["all others"],
    f1=gain["macro F1"],
)

# %% [markdown]
# So what training adds to accuracy here, it adds in one type: the very one whose name we doubted.
# A single number would have told you "training helps", and nothing more.
# Hold on to three habits: compare with what is free, repeat with other seeds, and ask *where* a gain comes from.
# How much training is worth over many datasets is measured in [lesson 07](07_training.ipynb) and [lesson 11](11_the_papers_table.ipynb).
#
# ## Exercise 3: the laziest method of all
#
# How accurate is it to put every cell into one cluster?
# You will want to know this number for every dataset that you ever see.


# %%
def one_cluster_accuracy(labels):
    """Accuracy of the laziest method of all, which puts every cell into one cluster.

    Parameters
    ----------
    labels
        True class of each cell, shape (n_cells,).

    Returns
    -------
    A number from 0 to 1: the one cluster is matched with the class that suits it best.
    """
    ### BEGIN SOLUTION
    _, sizes = np.unique(labels, return_counts=True)
    return float(sizes.max() / sizes.sum())
    ### END SOLUTION


# %%
hint("one_cluster_accuracy")

# %%
one_cluster_accuracy = check("one_cluster_accuracy", one_cluster_accuracy)

# %%
claim(
    "For these labels one_cluster_accuracy ({whose}) gives {share:.2f}: the number in "
    "the table, and the share of the largest type.",
    np.isclose(one_cluster_accuracy(labels), accuracy["one cluster"]),
    whose=one_cluster_accuracy.whose,
    share=one_cluster_accuracy(labels),
)

# %%
explain("what_a_score_means")

# %% [markdown]
# ## Watch it learn
#
# Move the slider through training.
# The weights start at random; the pictures are UMAPs of the encoded and of the refined cells after so many epochs.
# Ask of each picture: which islands are there at zero epochs already?
# Those are the work of the graph and of random weights.

# %%
moments = {
    0: untrained[SEED],
    10: fit(
        adata, n_clusters=10, recipe=settings.with_(epochs=10), seed=SEED, copy=True
    ),
    settings.epochs: fitted,
}
spaces = {"encoded": "X_scrcl", "refined": "X_scrcl_z"}
planes = {
    (epochs, name): umap(moments[epochs].obsm[key], seed=SEED)
    for epochs in moments
    for name, key in spaces.items()
}


def draw(epochs):
    fig, panels = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for axes, name in zip(panels, spaces, strict=True):
        title = f"{name} cells after {epochs} epochs"
        embedding(planes[epochs, name], labels, title=title, axes=axes, names=False)
    panels[0].get_legend().remove()
    return fig


text = "Encoded and refined cells after {epochs} epochs, colored by type"
slider(draw, alt=text, epochs=sorted(moments))

# %%
inside = {
    (name, epochs): homophily(cell_graph(moments[epochs].obsm[key]), labels)
    for name, key in spaces.items()
    for epochs in (0, settings.epochs)
}
claim(
    "Of a cell's nearest cells, {e0:.0%} are of its type before training and {e1:.0%} "
    "after it among the encoded cells; among the refined cells {z0:.0%} and {z1:.0%}.",
    abs(inside["encoded", settings.epochs] - inside["encoded", 0]) < 0.05,
    e0=inside["encoded", 0],
    e1=inside["encoded", settings.epochs],
    z0=inside["refined", 0],
    z1=inside["refined", settings.epochs],
)

# %% [markdown]
# Even mixtures of *random* gene programs keep near cells near, since mixing genes at random hardly disturbs who resembles whom.
# What training changes is less than the moving picture suggests, and the number is there to keep us sober.
#
# ## The lessons
#
# Each lesson builds one part of what you have just run, from small numbers up, and asserts that your part equals the package's.
# They can be done in any order; each starts on its own.
#
# | lesson | builds | you see |
# |---|---|---|
# | [01 Preprocessing](01_preprocessing.ipynb) | counts to features | depth hides biology, and a logarithm can bring it back |
# | [02 Graphs](02_graphs.ipynb) | cell graph, gene graph, low-pass filter | smoothing, then too much of it |
# | [03 Encoders](03_encoders.ipynb) | a graph convolution by hand | an untrained network already clusters |
# | [04 Distribution alignment](04_distribution_alignment.ipynb) | two views pulled together | alignment alone collapses |
# | [05 Neighborhood alignment](05_neighborhood_alignment.ipynb) | neighbors against everyone | an N x N loss in linear time, same number, same gradient |
# | [06 Gene refinement](06_gene_refinement.ipynb) | cells as mixtures of gene programs | multiply the small matrices first |
# | [07 Training](07_training.ipynb) | the loop | each loss switched off in turn |
# | [08 Evaluation](08_evaluation.ipynb) | scores | what peeking at the labels is worth |
# | [09 Biology](09_biology.ipynb) | markers, programs | what the clusters are |
# | [10 Spatial domains](10_spatial_domains.ipynb) | the same on tissue | layers in space |
# | [11 The paper's table](11_the_papers_table.ipynb) | the settlement | published, rescored, ours |
# | [12 Your own part](12_your_own_part.ipynb) | a part of your own | a fair trial, and a gain that shrinks |
#
# ## Quiz

# %%
quiz("00")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# The paper (Peng et al., *Refinement Contrastive Learning of Cell-Gene Associations for Unsupervised Cell Type Identification*, AAAI 2026) reports, of 500 epochs, the one whose clusters agree best with the **true labels**.
# In a new experiment there are no labels, so that this epoch cannot be chosen.
# Here `fit` never sees a label; the published protocol exists beside it under the name `oracle`, for the paper's own settings only, and marks its results.
# The call below fails on purpose, because labels and the label-free protocol do not go together.

# %%
try:
    fit(adata, n_clusters=10, labels=labels, copy=True)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Summary
#
# - A [count matrix](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#count-matrix) holds molecules per cell and gene; most entries are zero, and depth differs.
# - The cosine compares proportions and not depth; nearest cells make a graph, and the graph holds types without a label.
# - The method encodes each cell twice, aligns the two, refines them with gene programs, and clusters.
# - A score means something beside its rivals: one cluster, PCA and k-means, the same network untrained; over seeds, and type by type.
# - Labels come in only to judge, and somebody made them: ask how.
#
# **Next:** [01 Preprocessing](01_preprocessing.ipynb).
#
# **Further reading:** Peng et al., arXiv 2512.10640; Zheng et al., *Massively parallel digital transcriptional profiling of single cells*, Nature Communications 2017 (the data, and how their labels were computed); Luecken and Theis, *Current best practices in single-cell RNA-seq analysis: a tutorial*, Molecular Systems Biology 2019.
