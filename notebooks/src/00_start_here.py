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
# You run the whole method once, on real cells, before you build it piece by piece.
#
# | | |
# |---|---|
# | **You will be able to** | read a count matrix; run the method in one call; say what each lesson adds; judge a clustering without fooling yourself |
# | **You need** | Python with NumPy; no biology, no graph networks |
# | **Time** | about 10 minutes to read, 25 to do; the cells run in well under a minute on two cores |
# | **Where it sits** | the whole picture: counts, two views, alignment, refinement, clusters |

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

from scrcl_edu import datasets, evaluation
from scrcl_edu.clustering import kmeans
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.fitting import clustered, fit
from scrcl_edu.graphs import homophily, principal_components
from scrcl_edu.plotting import confusion, embedding, losses, show
from scrcl_edu.recipes import recipe

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# ## The question
#
# A drop of blood holds many types of cells.
# A sequencer does not tell us which cell is of which type; it counts RNA molecules.
# For each cell and each gene we get one number: how many molecules of this gene were caught in this cell.
#
# The data of this lesson are 700 cells from the blood of a healthy donor.
# They come with the package, so you need no network.

# %%
adata = datasets.load("pbmc68k_reduced")
counts = adata.layers["counts"].toarray().astype(int)  # (n_cells, n_genes)
print("cells, genes:", counts.shape)
print("types, as experts named them:", adata.obs["label"].nunique())

# %% [markdown]
# A row is a cell, a column is a gene.
# Here are five cells and six genes, one of them (`CD74`) known from cells that show foreign substances to others, one (`NKG7`) from killer cells.

# %%
genes = ["CD74", "LYZ", "NKG7", "CD8B", "CD79A", "ACTB"]
genes = [gene for gene in genes if gene in adata.var_names]
corner = pd.DataFrame(counts[:5, adata.var_names.get_indexer(genes)], columns=genes)
corner.index = [f"cell {number}" for number in range(5)]
corner

# %% [markdown]
# Two things make this hard.
# Most entries are zero, and cells differ in how much was caught of them at all: their *[depth](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#depth)*.

# %%
depth = counts.sum(axis=1)  # (n_cells,)
print("entries that are zero:", f"{np.mean(counts == 0):.0%}")
print("depth, from the shallowest to the deepest cell:", depth.min(), "to", depth.max(), "molecules")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
varied = np.argsort(counts.var(axis=0))[::-1][:60]
by_type = np.argsort(adata.obs["label"].to_numpy(), kind="stable")
left.imshow(np.log1p(counts[by_type][:, varied]).T, aspect="auto", cmap="viridis", interpolation="nearest")
left.set(xlabel="cells, sorted by type", ylabel="60 genes", title="log(1 + count)")
right.hist(depth, bins=40, color="#0072B2")
right.set(xlabel="molecules in a cell", ylabel="cells", title="Depth differs")
show(
    fig,
    alt="Left: a picture of the counts of 60 genes in 700 cells sorted by type; blocks of bright genes change with the "
    "type. Right: a histogram of the molecules per cell, with a long tail to the right.",
)

# %% [markdown]
# The blocks on the left are what we are after.
# They can be seen because the cells are *sorted by type*, which is just what nobody tells us in a new experiment.
# An **[unsupervised](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#unsupervised)** method has to find the order by itself.
#
# ## Exercise 1: how empty is it?
#
# Every exercise of this course is a function that you write and a `check` that runs it on small random inputs.
# The check does not only say right or wrong; it says what you probably did.
# Try a wrong answer, too: the checks are made for it.


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
share_of_zeros = check("share_of_zeros", share_of_zeros).function

# %%
print("share of zeros:", round(share_of_zeros(counts), 2))

# %% [markdown]
# ## The method in six cells and three genes
#
# Before 700 cells, six.
# The first three cells express gene A, the last three gene B; gene C is in all of them.

# %%
small = np.array([[4, 0, 2], [8, 1, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]])  # (6 cells, 3 genes)
length = np.linalg.norm(small, axis=1)
cosine = small @ small.T / np.outer(length, length)  # (6, 6)
print(cosine.round(1))

# %% [markdown]
# The cosine of the angle between two rows does not care about depth: cell 1 is cell 0 caught twice as well, and their cosine is close to 1.
# Two blocks stand out: the cells 0, 1, 2 and the cells 3, 4, 5.
# Connect each cell with its two nearest, and the graph falls into two pieces: two types.

# %%
nearest = np.argsort(-cosine, axis=1)[:, 1:3]
for cell, neighbors in enumerate(nearest):
    print(f"cell {cell}: nearest are {sorted(neighbors.tolist())}")

# %% [markdown]
# With 700 noisy cells the pieces are not separate, and which genes matter is not known.
# That is what the method learns:
#
# 1. **Two views.** Each cell is encoded twice: by a plain layer from counts smoothed over its neighbors (view 1), and by a graph network that does its own smoothing (view 2).
# 2. **Alignment.** The two encodings of a cell should agree, and agree with those of its neighbors more than with those of all others.
# 3. **Refinement.** Genes form a graph as well. A network on it learns *[gene programs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-program)*, and each cell is written as a mixture of them.
# 4. **Clusters.** [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) on the cells. The paper clusters the refined cells; our default recipe clusters the two encodings side by side, which did better wherever we looked ([lesson 11](11_the_papers_table.ipynb)).
#
# No step looks at a label.
#
# ## The whole method in one call

# %%
settings = recipe("robust")
fitted = fit(adata, n_clusters=10, recipe=settings, seed=SEED, copy=True)
print("two encodings side by side:", clustered(fitted).shape, "| refined cells:", fitted.obsm["X_scrcl_z"].shape)
print("clusters:", fitted.obs["scrcl"].nunique(), "| protocol:", fitted.uns["scrcl"]["protocol"])
print("epochs:", fitted.uns["scrcl"]["epochs"])

# %%
history = fitted.uns["scrcl"]["history"]
show(
    losses(history, title="What training makes smaller"),
    alt="Four falling curves, the losses of the method by epoch, each as a share of its first value.",
)
print("the total loss fell:", history["total"][-1] < history["total"][0])

# %% [markdown]
# ## What came out
#
# The labels have not been used until now.
# We use them to color a picture, and to judge.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
embedding(clustered(fitted), fitted.obs["scrcl"], title="Clusters that the method found", axes=left)
embedding(clustered(fitted), fitted.obs["label"], title="Types as experts named them", axes=right)
show(
    fig,
    alt="The encoded cells in two dimensions, twice. Left colored by cluster, right by the experts' type. B cells, monocytes "
    "and dendritic cells lie apart; the kinds of T cells overlap.",
)

# %%
show(
    confusion(fitted.obs["label"], fitted.obs["scrcl"], title="Cells of each type in each cluster"),
    alt="A table of cell types against clusters. Monocytes and B cells sit in clusters of their own; "
    "T cells are spread over several clusters.",
)
edges = homophily(fitted.obsp["cell_graph"], fitted.obs["label"])
print("share of graph edges inside a type:", round(edges, 1))

# %% [markdown]
# ## Is that good? Compare before you believe
#
# Clusters have no names, so *[accuracy](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#accuracy)* first matches clusters with types, one to one, as favorably as possible.
# A number means little alone.
# Three rivals that a practitioner has for free:
#
# - put all cells into **one cluster**;
# - **PCA and k-means**, three lines of code;
# - the method **without any training**: random weights, zero [epochs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch).

# %%
labels = fitted.obs["label"].to_numpy()
log_values = fitted.X[:, fitted.var["highly_variable"].to_numpy()]
rivals = {
    "one cluster": np.zeros(len(labels), dtype=int),
    "PCA + k-means": kmeans(principal_components(log_values, 30, scale=True, seed=SEED), 10, seed=SEED),
    "scRCL, not trained": fit(adata, n_clusters=10, recipe=settings.with_(epochs=0), seed=SEED, copy=True).obs["scrcl"],
    "scRCL": fitted.obs["scrcl"],
}
accuracies = {name: evaluation.accuracy(labels, clusters) for name, clusters in rivals.items()}

# %% tags=["nbval-ignore-output"]
pd.DataFrame({name: evaluation.scores(labels, clusters) for name, clusters in rivals.items()}).T.round(2)

# %%
print("one cluster scores", round(accuracies["one cluster"], 2))
print("the method beats one cluster by more than 0.2:", accuracies["scRCL"] > accuracies["one cluster"] + 0.2)

# %% [markdown]
# The third digit of the other numbers differs from machine to machine, and one [seed](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed) is not evidence.
# What you should take from this table: a good part of the result is there *before* training, because views and graph already smooth the noise.
# How much training adds, over seeds and datasets, is measured in [lesson 07](07_training.ipynb) and [lesson 11](11_the_papers_table.ipynb).
#
# ## Exercise 2: the laziest method of all
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
one_cluster_accuracy = check("one_cluster_accuracy", one_cluster_accuracy).function

# %%
print("same as the table's:", np.isclose(one_cluster_accuracy(labels), accuracies["one cluster"]))

# %% [markdown]
# ## Watch it learn
#
# Move the slider through training.
# The weights start at random; the pictures are the encoded and the refined cells after so many epochs, each turned to its own best two directions.
# On the left little moves: that the types lie apart there is the work of the graph and of random weights.
# On the right the gene programs are learned from nothing, and the picture changes.

# %%
moments = {
    epochs: fit(adata, n_clusters=10, recipe=settings.with_(epochs=epochs), seed=SEED, copy=True)
    for epochs in (0, 10, 20)
} | {settings.epochs: fitted}


def draw(epochs):
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    now = moments[epochs]
    for axes, values, name in ((left, clustered(now), "encoded"), (right, now.obsm["X_scrcl_z"], "refined")):
        embedding(values, adata.obs["label"], title=f"{name} cells after {epochs} epochs", axes=axes, names=False)
    left.get_legend().remove()
    return fig


slider(draw, alt="Encoded and refined cells after {epochs} epochs, colored by type", epochs=sorted(moments))

# %%
totals = [round(float(moments[epochs].uns["scrcl"]["history"]["total"][-1])) for epochs in (10, settings.epochs)]
print(f"total loss falls from epoch 10 to {settings.epochs}:", totals[0] > totals[1])

# %% [markdown]
# ## The map
#
# Each lesson builds one part of what you have just run, from small numbers up, and asserts that your part equals the package's.
# They can be done in any order; each starts on its own.
#
# | lesson | builds | you see |
# |---|---|---|
# | [01 Preprocessing](01_preprocessing.ipynb) | counts to features | depth hides biology until it is normalized away |
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
#
# ## Quiz

# %%
quiz("00")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# The paper (Peng et al., *Refinement Contrastive Learning of Cell-Gene Associations for Unsupervised Cell Type Identification*, AAAI 2026) reports, of 500 epochs, the one whose clusters agree best with the **true labels**.
# In a new experiment there are no labels, so this epoch cannot be chosen.
# Here `fit` never sees a label; the published protocol exists beside it under the name `oracle`, for the paper's own settings only, and marks its results.
# The call below fails on purpose: labels and the label-free protocol do not go together.

# %%
try:
    fit(adata, n_clusters=10, labels=labels, copy=True)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Summary
#
# - A [count matrix](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#count-matrix) holds molecules per cell and gene; most entries are zero and depth differs.
# - The method encodes each cell twice, aligns the two, refines them with gene programs, and clusters.
# - A score means something beside its rivals: one cluster, PCA and k-means, no training.
# - Labels come in only to judge.
#
# **Next:** [01 Preprocessing](01_preprocessing.ipynb).
#
# **Further reading:** Peng et al., arXiv 2512.10640; Luecken and Theis, *Current best practices in single-cell RNA-seq analysis: a tutorial*, Molecular Systems Biology 2019.
