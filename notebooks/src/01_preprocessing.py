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
# # 01 Preprocessing: from counts to features
#
# [Open 01_preprocessing on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/01_preprocessing.ipynb) · [Open 01_preprocessing on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/01_preprocessing.ipynb)
#
# You turn raw counts into numbers in which cells can be compared, and you choose the genes that tell cells apart.
#
# | | |
# |---|---|
# | **You will be able to** | drop empty cells and genes; normalize and log counts; explain what this removes and what it leaves; choose highly variable genes and test the choice where the truth is known |
# | **You need** | NumPy, and to know what a count matrix is ([lesson 00](00_start_here.ipynb)) |
# | **Time** | about 15 minutes to read, 35 to do; the cells run in well under a minute on two cores |
# | **Where it sits** | **counts to features**, then graphs, two views, alignment, refinement, clusters |

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

from scrcl_edu import datasets, preprocessing
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.graphs import cell_graph, homophily
from scrcl_edu.plotting import PALETTE, embedding, show
from scrcl_edu.recipes import recipe, recipe_names

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# ## The question
#
# Seven hundred blood cells, each with a count for each gene.
# We want to know in what the cells differ.
# The **first [principal component](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#principal-component)** answers a part of it: it is the direction along which the cells spread most.
# Let us look at what it is in the raw counts.

# %%
adata = datasets.load("pbmc68k_reduced")
counts = adata.layers["counts"].toarray().astype(float)  # (n_cells, n_genes)
labels = adata.obs["label"].to_numpy().astype(str)  # only to judge
depth = counts.sum(axis=1)  # (n_cells,), molecules in a cell
print("cells, genes:", counts.shape)


# %%
def components(values, n=2):
    """Coordinates on the first n principal components, and the share of the variance that each explains."""
    centered = values - values.mean(axis=0)  # (n_cells, n_genes)
    left, strength, _ = np.linalg.svd(centered, full_matrices=False)
    return left[:, :n] * strength[:n], (strength**2 / (strength**2).sum())[:n]  # (n_cells, n), (n,)


def correlation(a, b):
    """Strength of the linear relation, 0 to 1; a component has no sign."""
    return abs(np.corrcoef(a, b)[0, 1])


# %%
raw, share = components(counts)
print("the first component explains this share of all differences:", round(share[0], 2))
print("and its correlation with log depth is:", round(correlation(raw[:, 0], np.log(depth)), 2))

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left.scatter(depth, raw[:, 0], s=10, color=PALETTE[0])
left.set(xscale="log", xlabel="molecules in the cell", ylabel="first component of the counts", title="Depth leads")
embedding(raw, labels, axes=right, title="The same counts, first two components", names=False)
show(
    fig,
    alt="Left: the first component of the raw counts against depth; the points follow a band that runs from the shallow to the deep cells. Right: the first two "
    "components colored by cell type; the types form rays that start at one corner, where the shallow cells are.",
)

# %% [markdown]
# The largest difference between the cells is *how much was caught of each*.
# This is mostly an accident of the experiment: how well a droplet captured its cell.
# A method that compares raw counts would sort the cells by this accident first.
# (On the right you see rays: along a ray [depth](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#depth) changes, across the rays the type. Remember this picture; it says that *directions* are worth more than positions.)
#
# ## Small numbers first
#
# Six cells and three genes.
# The first three cells are of one type, the last three of another; cell 1 is cell 0 caught twice as well.

# %%
small = np.array([[4, 0, 2], [8, 0, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]])  # (6 cells, 3 genes)
distance = np.linalg.norm(small[:, None] - small, axis=-1)  # (6, 6)
print(distance.round(1))
print("cell 2 is nearer to cell 5, of the other type, than to cell 1:", distance[2, 5] < distance[2, 1])

# %% [markdown]
# Cells 1 and 2 have the same proportions and lie far apart; cell 2 and cell 5 have nothing in common but being shallow.
# The remedy: divide each cell by its depth, so that all cells have the same.
# By hand: cell 0 has 6 molecules, 4 of them of the first gene, so 4/6.
# The sum after scaling is a convention; with small numbers we take 10, with real ones 10,000.

# %%
small_depth = small.sum(axis=1, keepdims=True)  # (6, 1)
scaled = 10 * small / small_depth  # (6, 3)
print(scaled.round(1))
print("the cells 0, 1 and 2 are the same now:", np.allclose(scaled[0], scaled[1]) and np.allclose(scaled[0], scaled[2]))

# %% [markdown]
# ## Empty cells, empty genes
#
# A cell without any molecule has no proportions: 0/0.
# So what is empty goes first, cells and genes.
# Our blood cells have been cleaned by those who published them; a shallow simulated experiment has not.

# %%
shallow = datasets.simulate(200, 500, 4, genes_per_program=20, depth=15, depth_spread=1.5, seed=SEED).X.toarray()
print("blood: empty cells", int((counts.sum(axis=1) == 0).sum()), "| empty genes", int((counts.sum(axis=0) == 0).sum()))
print("simulated, shallow: some cells are empty:", bool((shallow.sum(axis=1) == 0).any()))
print("simulated, shallow: some genes are empty:", bool((shallow.sum(axis=0) == 0).any()))

# %% [markdown]
# ### Exercise 1: drop what is empty


# %%
def drop_empty(counts):
    """Leave out cells without any count and genes without any count.

    Parameters
    ----------
    counts
        Shape (n_cells, n_genes).

    Returns
    -------
    The other rows and columns, in their order.
    """
    ### BEGIN SOLUTION
    cells, genes = counts.sum(axis=1) > 0, counts.sum(axis=0) > 0
    return counts[cells][:, genes]
    ### END SOLUTION


# %%
hint("drop_empty")

# %%
drop_empty = check("drop_empty", drop_empty).function

# %%
kept = drop_empty(shallow)
print("no cell and no gene is empty now:", bool((kept.sum(axis=1) > 0).all() and (kept.sum(axis=0) > 0).all()))
print("no molecule was lost:", kept.sum() == shallow.sum())

# %% [markdown]
# *Question to think about:* in real experiments one drops **nearly** empty cells as well.
# Which cells would you lose first, and are they a random sample of all types?
# (Small resting cells hold little RNA. A threshold on depth is a threshold on biology, too.)
#
# ## Scale, then log
#
# After scaling, one more problem is left.
# Some genes are a hundred times stronger than others, and differences are as large as the genes are.

# %%
per_10k = 1e4 * counts / depth[:, None]  # (n_cells, n_genes), each row sums to 10,000
variance = np.sort(per_10k.var(axis=0))[::-1]  # (n_genes,), largest first
print("share of all variance that the 10 strongest genes hold, scaled:", round(variance[:10].sum() / variance.sum(), 2))
logged = np.sort(np.log1p(per_10k).var(axis=0))[::-1]
print("the same after log(1 + x):", round(logged[:10].sum() / logged.sum(), 2))

# %% [markdown]
# Before the log, ten genes out of hundreds decide almost everything.
# The log turns ratios into differences: from 10 to 20 is as far as from 100 to 200 (nearly, because of the 1).
# The 1 is there since the log of zero is minus infinity, and most counts are zero.
#
# ### Exercise 2: normalize and log
#
# First the naive form, entry by entry, to be sure of what is meant.


# %%
def normalize_log_slowly(counts):
    values = np.zeros(counts.shape)  # (n_cells, n_genes)
    for cell in range(counts.shape[0]):
        cell_depth = sum(counts[cell])
        for gene in range(counts.shape[1]):
            values[cell, gene] = np.log(1 + 10_000 * counts[cell, gene] / cell_depth)
    return values


print(normalize_log_slowly(small).round(1))

# %% [markdown]
# Now the good form: no loop.


# %%
def normalize_log(counts):
    """Scale each cell to 10,000 counts, then take log(1 + x).

    Parameters
    ----------
    counts
        Shape (n_cells, n_genes); no cell is empty.

    Returns
    -------
    Shape (n_cells, n_genes).
    """
    ### BEGIN SOLUTION
    depth = counts.sum(axis=1, keepdims=True)  # (n_cells, 1)
    return np.log1p(10_000 * counts / depth)  # (n_cells, n_genes)
    ### END SOLUTION


# %%
hint("normalize_log")

# %%
normalize_log = check("normalize_log", normalize_log).function

# %%
log_values = normalize_log(counts)  # (n_cells, n_genes)
assert np.allclose(log_values[:20], normalize_log_slowly(counts[:20]))
assert np.allclose(log_values, preprocessing.normalize_log(counts))
print("same numbers, slow, quick and scrcl_edu:", True)
print("each cell sums to 10,000 before the log:", np.allclose(np.expm1(log_values).sum(axis=1), 1e4))

# %% [markdown]
# ## Is depth gone?
#
# The blood cells cannot answer alone: they do not tell us what depth *should* do.
# The [simulator](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#simulator) can.
# There, the depth of a cell is drawn without regard to its type, so whatever correlates with depth is an artifact.


# %%
def report(name, values, depth, labels):
    """What is the first component: depth, or type?"""
    first = components(values)[0][:, 0]  # (n_cells,)
    means = pd.Series(first).groupby(labels).transform("mean")  # (n_cells,), mean of each cell's type
    by_type = means.var() / first.var()  # share of the component's variance that the type explains
    return {"values": name, "depth": correlation(first, np.log(depth)), "type": by_type}


# %%
deep = datasets.simulate(500, 800, 5, depth=10_000, depth_spread=0.6, seed=SEED)
deep_counts, deep_labels = deep.X.toarray(), deep.obs["label"].to_numpy().astype(str)
deep_depth = deep_counts.sum(axis=1)
rows = [report("counts", deep_counts, deep_depth, deep_labels)]
rows.append(report("normalized and logged", normalize_log(deep_counts), deep_depth, deep_labels))
pd.DataFrame(rows).set_index("values").round(1)

# %% [markdown]
# Read the table from left to right: correlation of the first component with log depth, and the share of it that the [cell type](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-type) explains.
# In the counts it is depth and hardly type; afterwards type and hardly depth.
# That is the promise of normalization, kept.

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for panel, (title, values) in zip(
    axes, {"counts": deep_counts, "normalized and logged": normalize_log(deep_counts)}.items(), strict=True
):
    embedding(components(values)[0], deep_labels, axes=panel, title=title, names=False)
show(
    fig,
    alt="Simulated cells on their first two components, colored by type. Left, counts: the types form overlapping rays. "
    "Right, normalized and logged: most types form round groups of their own.",
)

# %% [markdown]
# ### When the promise is not kept
#
# Now the same experiment with a fifth of the molecules.

# %%
thin = datasets.simulate(500, 800, 5, depth=2_000, depth_spread=0.8, seed=SEED)
thin_counts, thin_labels = thin.X.toarray(), thin.obs["label"].to_numpy().astype(str)
thin_depth = thin_counts.sum(axis=1)
thin_log = normalize_log(thin_counts)
rows = [report("scaled to 10,000, no log", np.expm1(thin_log), thin_depth, thin_labels)]
rows.append(report("normalized and logged", thin_log, thin_depth, thin_labels))
pd.DataFrame(rows).set_index("values").round(1)

# %% [markdown]
# Two surprises.
# Without the log, the first component is neither depth nor type: it is the noise of the few strongest genes, which is why there is a log.
# With the log, depth is back as the first component, *after* normalization.
# How?
# Look at what a single molecule becomes in a shallow and in a deep cell.

# %%
for molecules in (500, 2_000, 10_000):
    one, two = np.log1p(1e4 * np.array([1, 2]) / molecules)
    print(f"depth {molecules:6}: 0 stays 0, one molecule becomes {one:.1f}, two become {two:.1f}")

# %% [markdown]
# In a shallow cell the values jump from 0 to a large number; in a deep cell they are spread in between.
# After scaling, each cell has the same *mean*, whatever its depth.
# The mean of the *logs* is another matter: the log is curved, and shallow cells scatter more.

# %%
scaled_mean = np.expm1(thin_log).mean(axis=1)  # (n_cells,)
log_mean = thin_log.mean(axis=1)  # (n_cells,)
print("mean of a cell's scaled values, smallest and largest:", scaled_mean.min().round(1), scaled_mean.max().round(1))
print("mean of a cell's log values and log depth, correlation:", round(correlation(log_mean, np.log(thin_depth)), 1))

# %% [markdown]
# The more entries are 0 or 1 molecule, the worse.
#
# So normalization is not a switch that removes depth.
# Keep the two experiments in mind; we come back to the second one with a choice of genes.
#
# And the blood cells?


# %%
def within(values):
    """The differences among cells of the same type: each type's mean is taken away."""
    return values - pd.Series(values).groupby(labels).transform("mean").to_numpy()


first = components(log_values)[0][:, 0]  # (n_cells,)
print("first component and log depth:", round(correlation(first, np.log(depth)), 1))
print("the same among cells of one type:", round(correlation(within(first), within(np.log(depth))), 1))

# %% [markdown]
# Over all cells, the component still goes with depth; inside the types, that is gone.
# Both are true since the types differ in depth: a monocyte is a larger cell than a resting T cell and holds more RNA.
# Depth is not only an accident, and a method that removes every trace of it would remove some biology.

# %%
medians = pd.Series(depth).groupby(labels).median().sort_values()
fig, axes = plt.subplots(figsize=(8, 4), layout="constrained")
for row, name in enumerate(medians.index):
    axes.plot(depth[labels == name], np.full((labels == name).sum(), row), "|", color=PALETTE[5])
axes.plot(medians, range(len(medians)), "D", color=PALETTE[4], label="median of the type")
axes.set(xscale="log", xlabel="molecules in a cell", title="Types differ in depth")
axes.set_yticks(range(len(medians)), medians.index)
axes.legend(frameon=False, loc="lower right")
show(
    fig,
    alt="Molecules of each cell, one row for each blood type, sorted by median; the largest median is nearly twice the smallest.",
)
print(
    "the median of the deepest type is at least 1.5 times that of the shallowest:",
    medians.iloc[-1] > 1.5 * medians.iloc[0],
)

# %% [markdown]
# ## Which genes?
#
# Most genes do the same in every cell, and carry noise but no difference.
# We want the **[highly variable genes](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#highly-variable-genes)**.
# But which are they?
# The variance of a count grows with its mean whether types exist or not, as the simulator shows again: it knows which genes belong to a program that some types use and others do not.

# %%
mean = np.expm1(thin_log).mean(axis=0)  # (n_genes,), of the scaled counts
spread = np.expm1(thin_log).var(axis=0, ddof=1)  # (n_genes,)
marker = (thin.var["marker"] != "none").to_numpy()  # (n_genes,), genes that mark one type: the truth
print("genes:", len(mean), "| markers:", int(marker.sum()))
print("correlation of log mean and log variance:", round(correlation(np.log(mean), np.log(spread)), 1))

# %%
fig, axes = plt.subplots(figsize=(6, 4.2), layout="constrained")
axes.scatter(mean[~marker], spread[~marker], s=10, color=PALETTE[5], label="other genes")
axes.scatter(mean[marker], spread[marker], s=22, color=PALETTE[4], marker="^", label="markers")
axes.set(xscale="log", yscale="log", xlabel="mean of a gene", ylabel="variance", title="Variance follows the mean")
axes.legend(frameon=False)
show(
    fig,
    alt="Variance against mean of each simulated gene on logarithmic axes: a rising band. Markers lie along its upper "
    "edge at every mean, not at its right end.",
)

# %% [markdown]
# Markers are not the genes with the largest mean, and not those with the largest variance.
# They are those that vary more than **other genes of the same mean**.
#
# The recipe (scanpy's default, `seurat`), in words: take the dispersion, log(variance / mean); sort the genes into 20 bins by their mean; inside each bin, subtract the mean and divide by the standard deviation; choose the largest.
#
# By hand, six genes in two bins:

# %%
table = pd.DataFrame({"mean": [1.0, 1.1, 0.9, 50, 55, 45], "variance": [1.0, 1.3, 9.0, 600, 500, 4000]})
table["dispersion"] = np.log(table["variance"] / table["mean"])
bins = table.groupby(pd.cut(np.log1p(table["mean"]), 2), observed=True)["dispersion"]
table["standardized"] = (table["dispersion"] - bins.transform("mean")) / bins.transform("std")
table.round(1)

# %% [markdown]
# Choose two: by variance these are the genes 5 and 3, by standardized dispersion the genes 2 and 5, each of which stands out among its equals.
#
# ### Exercise 3: choose genes


# %%
def select_genes(log_values, n_top_genes):
    """Mark the genes whose dispersion stands out among genes of the same mean.

    Parameters
    ----------
    log_values
        log(1 + x) of normalized counts, shape (n_cells, n_genes).
    n_top_genes
        How many to choose.

    Returns
    -------
    Boolean mask, shape (n_genes,). For each gene, on expm1 of the values: mean, variance (n - 1), dispersion
    log(variance / mean). The genes are put into 20 bins of equal width by log(1 + mean); in each bin dispersions are
    standardized (n - 1; a gene alone in its bin gets 1). The largest are chosen.
    """
    ### BEGIN SOLUTION
    values = np.expm1(log_values)  # (n_cells, n_genes)
    mean, variance = values.mean(axis=0), values.var(axis=0, ddof=1)  # (n_genes,)
    dispersion = pd.Series(np.log(variance / mean))
    bins = dispersion.groupby(pd.cut(np.log1p(mean), 20), observed=True)
    standardized = (dispersion - bins.transform("mean")) / bins.transform("std")
    standardized = standardized.where(bins.transform("size") > 1, 1.0)
    mask = np.zeros(len(mean), dtype=bool)
    mask[np.argsort(-standardized.to_numpy(), kind="stable")[:n_top_genes]] = True
    return mask
    ### END SOLUTION


# %%
hint("select_genes")

# %%
select_genes = check("select_genes", select_genes).function

# %%
chosen = select_genes(log_values, 200)  # (n_genes,)
assert (chosen == preprocessing.highly_variable(log_values, 200)).all()
print("same genes as scrcl_edu and scanpy:", True, "| chosen:", int(chosen.sum()))

# %% [markdown]
# ### Does the choice find what it should?
#
# The simulator knows the markers.
# Choose 100 genes in three ways and count the markers among them.

# %%
ways = {"largest mean": mean, "largest variance": spread}
masks = {name: np.argsort(np.argsort(-score)) < 100 for name, score in ways.items()}
masks["highly variable"] = select_genes(thin_log, 100)
found = {name: int(marker[mask].sum()) for name, mask in masks.items()}
print(f"markers among 100 genes (of {marker.sum()}, by chance {100 * marker.mean():.0f}):", found)

# %%
masks["all genes"] = np.ones(len(mean), dtype=bool)
rows = [report(name, thin_log[:, mask], thin_depth, thin_labels) for name, mask in masks.items()]
for row, mask in zip(rows, masks.values(), strict=True):
    row["edges inside a type"] = homophily(cell_graph(thin_log[:, mask]), thin_labels)
pd.DataFrame(rows).set_index("values").round(2)

# %% [markdown]
# Two lessons in one table.
# *Any* of the three choices throws the depth artifact out of the first component: it sat in the many weak genes, of which a choice keeps fewer.
# So a good looking first component does not prove a good choice.
# The last column does: connect each cell with its nearest cells ([lesson 02](02_graphs.ipynb) builds this) and ask how often the two are of the same type.
# The highly variable genes lead, with the largest variance behind them and the largest mean last.
#
# ## How many genes?
#
# Move the slider.
# Left: which genes are chosen.
# Right: the blood cells on the first two components of these genes.

# %%
blood_mean = np.expm1(log_values).mean(axis=0)  # (n_genes,)
blood_dispersion = np.log(np.expm1(log_values).var(axis=0, ddof=1) / blood_mean)


def draw(genes):
    mask = select_genes(log_values, genes)
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    left.scatter(blood_mean[~mask], blood_dispersion[~mask], s=8, color=PALETTE[5], label="left out")
    left.scatter(blood_mean[mask], blood_dispersion[mask], s=12, color=PALETTE[4], marker="^", label="chosen")
    left.set(xscale="log", xlabel="mean", ylabel="dispersion", title=f"{genes} genes")
    left.legend(frameon=False, fontsize=8)
    return embedding(components(log_values[:, mask])[0], labels, axes=right, title="cells", names=False)


text = "{genes} genes chosen by dispersion, and the cells on them"
slider(draw, alt=text, start={"genes": 200}, genes=[20, 50, 200, 600])

# %% [markdown]
# The same by number, with the share of edges inside a type.
# Such a number needs labels, so it can judge a rule but must not set it.

# %%
inside = {}
for genes in (20, 50, 100, 200, 400, log_values.shape[1]):
    graph = cell_graph(log_values[:, select_genes(log_values, genes)], n_neighbors=15)
    inside[genes] = round(homophily(graph, labels), 2)
print("share of edges inside a type, by number of genes:", inside)

# %%
fig, axes = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
axes.plot([str(genes) for genes in inside], list(inside.values()), "o-", color=PALETTE[0])
axes.set(xlabel="genes", ylabel="edges inside a type", ylim=(0, 1), title="Few are too few; then it is flat")
show(fig, alt="Share of edges inside a type against the number of genes: low for 20 genes, then nearly flat.")

# %% [markdown]
# Too few genes lose types; beyond that, the number hardly matters for these cells.
# One reason is in the data: these few hundred genes were chosen by others before the file was published, out of the many thousands that a genome has.
# In a full dataset the right end of the curve would bring many genes that are only noise.
#
# ## What the encoders read
#
# `preprocess` does all of this lesson in one call, and checks its input: counts that are negative, or logged already, are refused with a reason.

# %%
ready = datasets.load("pbmc68k_reduced")
preprocessing.preprocess(ready, n_top_genes=200)
print("layers:", list(ready.layers), "| chosen genes:", int(ready.var["highly_variable"].sum()))
try:
    preprocessing.preprocess(datasets.load("pbmc68k_reduced")[:, :5].copy(), n_top_genes=1)
except ValueError as error:
    print(error)

# %%
for kind in ("counts", "log", "scaled"):
    features = preprocessing.encoder_features(ready, kind)  # (n_cells, n_chosen)
    features = features if isinstance(features, np.ndarray) else features.toarray()
    strength = correlation(components(features)[0][:, 0], np.log(depth))
    print(f"{kind:7} largest value {features.max():4.0f}, first component and log depth {strength:.1f}")

# %% [markdown]
# ## Quiz

# %%
quiz("01")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - **The graph reads log values, the [encoders](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#encoder) read raw counts.** The paper's code builds the [cell graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-graph) on the values of this lesson and then feeds the counts of the same genes, with all their depth, to the networks. The paper gives no reason.
#   It is hard to justify after what you saw in the first figure. It does less harm than it seems, because the method scales each encoding to length 1 and so compares directions, along which depth plays a smaller part: the rays.
#   Test it below, and in [lesson 03](03_encoders.ipynb) with another `features=` setting.
# - **Number of genes.** The published settings take another number of genes for one dataset than for the next (printed below). We take one number for all, since a new dataset has no labels to tune on.
# - **Genes by `seurat` on the log values**, as the paper. For its tissue sections the code uses `seurat_v3`, which reads counts; `preprocess(flavor="seurat_v3")` does the same.
# - **Ties, empties, input that is logged already.** The reference goes on; we refuse or say what was dropped.

# %%
numbers = sorted({recipe(name).n_top_genes for name in recipe_names() if name.startswith("paper/")})
print("genes in the published settings:", numbers, "| in ours:", recipe("robust").n_top_genes)

# %%
unit = counts / np.linalg.norm(counts, axis=1, keepdims=True)  # (n_cells, n_genes), directions of the raw counts
direction = components(unit)[0][:, 0]
log_depth = within(np.log(depth))
print("first component of raw counts and log depth, in types:", round(correlation(within(raw[:, 0]), log_depth), 1))
print("first component of their directions, the same:", round(correlation(within(direction), log_depth), 1))
graphs = {"log values": cell_graph(log_values), "raw counts": cell_graph(counts)}  # both by cosine
print("edges inside a type:", {name: round(homophily(graph, labels), 2) for name, graph in graphs.items()})

# %% [markdown]
# Did you expect the last line?
# By *direction*, raw counts of these cells find neighbors that are about as good as those of the log values.
# Repeat it with `thin_counts` and `thin_labels` before you conclude anything.
#
# ## Summary
#
# - In raw counts the first component is depth; scaling each cell and taking the log puts biology in its place, unless molecules are few: then the log itself brings depth back.
# - Depth is partly biology: types differ in it.
# - Highly variable means more variable than genes of the same mean; mean and variance alone choose the loud genes.
# - A rule for choosing can be judged with labels or with a simulator; it must not need them.
#
# **Next:** [02 Graphs](02_graphs.ipynb).
#
# **Further reading:** Townes et al., *Feature selection and dimension reduction for single-cell RNA-Seq based on a multinomial model*, Genome Biology 2019 (why the log distorts zeros); Ahlmann-Eltze and Huber, *Comparison of transformations for single-cell RNA-seq data*, Nature Methods 2023; Satija et al., *Spatial reconstruction of single-cell [gene expression](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-expression) data*, Nature Biotechnology 2015 (the binned dispersion).
