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
# # 06 Gene refinement: cells as mixtures of gene programs
#
# [Open 06_gene_refinement on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/06_gene_refinement.ipynb) · [Open 06_gene_refinement on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/06_gene_refinement.ipynb)
#
# You build a graph of genes, learn programs on it, write each cell as a mixture of programs, and test whether the programs are what they are said to be.
#
# | | |
# |---|---|
# | **You will be able to** | build a gene graph and measure whether it finds modules; run a graph convolution over genes; refine cells in the cheap order of multiplication and count the operations; write a loss over all pairs of cells through two small matrices; test a story against a truth |
# | **You need** | the graph convolution ([lesson 03](03_encoders.ipynb)); the linear forms help ([lesson 05](05_neighborhood_alignment.ipynb)) |
# | **Time** | about 25 minutes to read, 80 to do; the cells run in about a minute on two cores |
# | **Where it sits** | counts, two views, alignment, **refinement**, clusters |

# %% tags=["hide-input"]
# @title Set-up: on Colab this installs the course first
import subprocess, sys

if "google.colab" in sys.modules:
    course = "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, course], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import NMF
from torch.utils.flop_counter import FlopCounterMode

from scrcl_edu import datasets, evaluation, refinement
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
from scrcl_edu.fitting import add_graphs, build, fit
from scrcl_edu.graphs import Graph, gene_graph
from scrcl_edu.interpretation import PBMC_MARKERS
from scrcl_edu.interpretation.programs import gene_set_agreement, program_loadings
from scrcl_edu.plotting import PALETTE, show, type_colors
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.recipes import published, recipe, recipe_names
from scrcl_edu.training import embed, train

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %%
method_map("06")

# %% [markdown]
# New to [gene expression](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-expression)? The [primer on biology](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/primer_biology.md) is ten minutes; new to [tensors](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#tensor) and [gradients](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gradient), the [primer on PyTorch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/primer_pytorch.md).
#
# ## The question
#
# So far a gene has been a column of a matrix and nothing more.
# But genes do not act alone.
# A cell that becomes a B cell switches on a whole set of genes together, a **module** or **program**, and if we knew the programs we could describe a cell by a handful of numbers: how much it uses of each.
#
# That is the idea of the third branch of the method, and it stands on a question that data can answer.
# **Do the counts tell which genes belong together?**
# Two genes that act together are high in the same cells, so we compare *columns* of the [count matrix](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#count-matrix), and join each gene with those whose columns are nearest.

# %%
adata = datasets.load("pbmc68k_reduced")
settings = recipe("robust")
preprocess(adata, n_top_genes=settings.n_top_genes)
features = encoder_features(adata, settings.features)  # (n_cells, n_genes)
add_graphs(adata, settings, features)
chosen = adata.var["highly_variable"].to_numpy()
genes = adata.var_names[chosen]
graph = adata.varp["gene_graph"][chosen][:, chosen]  # (n_genes, n_genes)
counts = adata.layers["counts"].toarray()[:, chosen]  # (n_cells, n_genes)
print("gene graph:", graph.shape)


# %%
def neighbors_of(graph, gene):
    mine = genes.get_loc(gene)
    return sorted(genes[other] for other in graph[mine].indices if other != mine)


for gene in ("CD79A", "NKG7", "LYZ"):
    print(f"{gene} is joined with {', '.join(neighbors_of(graph, gene))}")
claim(
    "CD79A, a gene of B cells, is joined with its partner CD79B among {n_genes} genes, "
    "and NKG7, a gene of killer cells, with GNLY.",
    "CD79B" in neighbors_of(graph, "CD79A") and "GNLY" in neighbors_of(graph, "NKG7"),
    n_genes=len(genes),
)

# %% [markdown]
# That looks promising, but two examples are no evidence, and we chose them.
# We will look harder in a moment; first the machinery, with numbers small enough to check by hand.
#
# ## Six cells and three genes
#
# These are the cells of [lesson 00](00_start_here.ipynb): the first three express gene A, the last three gene B, and gene C is in all of them.
# The squared distance between the columns of A and C is $4 + 16 + 1 + 4 + 16 + 1 = 42$; between B and C it is 43, and between A and B 167.
# With two neighbors, counting the gene itself, A chooses C, B chooses C, and C chooses A.

# %%
small = [[4, 0, 2], [8, 1, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]]
small = torch.tensor(small).double()  # (6 cells, 3 genes)
small_graph = gene_graph(small.numpy(), n_neighbors=2).toarray()
small_graph = torch.tensor(small_graph).double()  # (3, 3): entry [g, h] is g -> h
print(small_graph.int().numpy())
print("edges that leave each gene:", small_graph.sum(dim=1).int().tolist())
print("edges that arrive at each gene:", small_graph.sum(dim=0).int().tolist())

# %% [markdown]
# The graph is **directed**: B chooses C, and C does not choose B back.
# The same number of edges leaves every gene, but how many *arrive* depends on how often a gene is chosen.
#
# ## Exercise 1: the gene encoder
#
# The gene [encoder](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#encoder) is the [graph convolution](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#graph-convolution) of [lesson 03](03_encoders.ipynb), with genes as its nodes.
# What describes a gene are its counts over the cells, so the input is the *transposed* matrix $X_1^\top$ (`view_1.T`), and the weights have one row for each **cell**:
#
# $$P_h = \mathrm{ReLU}\Big(\sum_{g \to h} \frac{(X_1^\top W)_g}{\sqrt{\deg_g \deg_h}} + b\Big)$$
#
# $P$ (`programs`) has a row for each gene $h$ and a column for each program; $\deg$ counts the edges that arrive, [self-loops](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#self-loop) included.
#
# By hand: let a first program sum the cells 0, 1, 2 and a second one the cells 3, 4, 5.
# Gene A gives $(14, 1)$, gene C $(7, 8)$ and gene B $(1, 17)$.
# At B only its own edge arrives, so that its row stays $(1, 17)$.


# %%
def gene_programs(view_1, graph, weight, bias):
    """The gene encoder: P = ReLU(graph convolution over genes).

    Parameters
    ----------
    view_1
        Filtered features X1, shape (n_cells, n_genes).
    graph
        Gene graph: binary, directed, self-loops included, shape
        (n_genes, n_genes); entry [g, h] is the edge g -> h.
    weight
        Shape (n_cells, out_dim): the gene encoder is as wide as there are cells.
    bias
        Shape (out_dim,).

    Returns
    -------
    P, shape (n_genes, out_dim). Degrees count the edges that arrive.
    """
    ### BEGIN SOLUTION
    arriving = graph.sum(dim=0)  # (n_genes,), edges that arrive at each gene
    scale = arriving.rsqrt()
    # (n_genes, n_genes): row h collects from the genes g -> h
    operator = scale[:, None] * graph.T * scale
    return torch.relu(operator @ (view_1.T @ weight) + bias)
    ### END SOLUTION


# %%
hint("gene_programs")

# %%
gene_programs = check("gene_programs", gene_programs)

# %%
small_weight = torch.tensor(
    [[1, 0]] * 3 + [[0, 1]] * 3
).double()  # (6 cells, 2 programs)
no_bias = torch.zeros(2).double()
small_programs = gene_programs(small, small_graph, small_weight, no_bias)
print(small_programs.numpy().round(1))  # (3 genes, 2 programs)

# %% [markdown]
# Gene A leads program 1, gene B leads program 2, and gene C takes part in both.
# On the real cells your function and the package's should give the same programs.

# %%
model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
start = embed(model, inputs)
layer = model.gene_encoder.gcn
with torch.no_grad():
    mine = gene_programs(
        inputs.view_1, torch.as_tensor(graph.toarray()), layer.lin.weight.T, layer.bias
    )  # (n_genes, n_programs)
gap = ((mine - start.programs).abs().max() / start.programs.max()).item()
claim(
    "Programs of {n} genes by {d}, computed with a function that is {whose}: the "
    "largest difference from the model's is {gap:.0e} of the largest loading.",
    gap < 1e-3,
    n=len(mine),
    d=mine.shape[1],
    whose=gene_programs.whose,
    gap=gap,
)
print(
    "weights of the gene encoder:", tuple(layer.lin.weight.shape), "= programs, cells"
)

# %% [markdown]
# Keep the last line in mind.
# The weights of the gene encoder belong to *these* cells, so that a trained model cannot take a single cell more.
#
# ## The gene branch in one picture
#
# Before we ask what the programs are good for, here is the whole branch on real numbers: twelve genes that you will meet again, six cells, and the ten programs of the untrained model.
# Read it in the order of the method.
# Above, genes: their counts over the cells, the graph that joins them, and the programs $P$.
# Below, cells: what each cell *asks for* in each gene, which is $E W + b$ with the encoding $E$ and the projector's $W$ and $b$, times the same $P$, gives the refined cell $z$.

# %%
labels = adata.obs["label"].to_numpy()
few = ["CD79A", "CD79B", "MS4A1", "CD3D", "CD3E", "IL32"]
few += ["NKG7", "GNLY", "LYZ", "CST3", "MZB1", "IGJ"]
at = genes.get_indexer(few)
three = ["CD19+ B", "CD8+ Cytotoxic T", "CD14+ Monocyte"]
six = [cell for name in three for cell in np.flatnonzero(labels == name)[:2]]
with torch.no_grad():
    asks = model.projector(model.MLP_encoder(inputs.view_1))  # (n_cells, n_genes)
weights_of = (
    start.programs / start.programs.max(0).values
)  # each program by its largest
parts = {
    "counts, transposed": inputs.view_1[six][:, at].T,  # (12 genes, 6 cells)
    "gene graph": graph[at][:, at].toarray(),  # (12 genes, 12 genes)
    "programs $P$": weights_of[at],  # (12 genes, 10 programs)
    "asked of each gene": asks[six][:, at],  # (6 cells, 12 genes)
    "times $P$": weights_of[at],
    "refined cells $z$": start.z1[six],  # (6 cells, 10 programs)
}
two_each = [f"{name.split()[-1]} {k}" for name in three for k in (1, 2)]
names_of = {12: few, 6: two_each, 10: [f"{k}" for k in range(10)]}

fig, axes = plt.subplots(2, 3, figsize=(11, 7.4), layout="constrained")
for place, (title, part) in zip(axes.flat, parts.items(), strict=True):
    part = np.asarray(part, dtype=float)
    limit = np.abs(part).max()
    place.imshow(part, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
    place.set_title(title, fontsize=11)
    for axis, size in ((place.yaxis, part.shape[0]), (place.xaxis, part.shape[1])):
        axis.set_ticks(range(size), names_of[size], fontsize=8)
    place.tick_params(axis="x", rotation=90 if part.shape[1] != 10 else 0)
axes[0, 2].set_xlabel("program")
axes[1, 1].set_xlabel("program")
axes[1, 2].set_xlabel("program")
for row, signs in ((0, "\u2192\u2192"), (1, "\u00d7=")):
    for column, sign in enumerate(signs):
        axes[row, column].annotate(
            sign,
            (1.04, 1.06),
            xycoords="axes fraction",
            fontsize=16,
            annotation_clip=False,
        )
show(
    fig,
    alt="The gene branch as six small matrices with real names. Above: counts of "
    "twelve genes in six cells, the edges of the gene graph among these genes, and "
    "their loadings in ten programs, none of them negative. Below: what the six cells "
    "ask of the twelve genes, positive and negative, times the same loadings, gives "
    "the refined cells with positive and negative entries.",
)

# %% [markdown]
# (The product below runs over all genes, not only over the twelve that are drawn, and each program is drawn as a share of its largest loading.)
#
# ## Does the gene graph find modules?
#
# On real data nobody knows the modules.
# In the [simulator](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#simulator) we do: each of its programs has its own genes, and the rest of the genes belong to none.
# So we can ask which share of the edges that leave a program's gene stays inside the program.

# %%
simulated = datasets.simulate(700, 800, 6, seed=SEED)
simulated_counts = simulated.X.toarray()  # (n_cells, n_genes)
module = simulated.var["program"].to_numpy().astype(str)


def share_inside(graph):
    source, target = graph.nonzero()
    keep = (source != target) & (module[source] != "none")
    return np.mean(module[source[keep]] == module[target[keep]])


n_modules = len(set(module)) - 1
chance = 29 / 799  # 30 genes in a program, itself not counted
found = share_inside(
    gene_graph(simulated_counts, n_neighbors=settings.n_gene_neighbors)
)
claim(
    "Of the edges that leave a program's gene, {found:.0%} stay inside its program; "
    "by chance it would be {chance:.0%}.",
    found > 3 * chance,
    found=found,
    chance=chance,
)

# %% [markdown]
# How does the share change with the number of neighbors?
# In the picture the genes of the programs are sorted, so that true modules are blocks on the diagonal: one for each type's own program, and one for each program that related types share.

# %%
in_program = np.flatnonzero(module != "none")
in_program = in_program[np.argsort(module[in_program], kind="stable")]


def draw(neighbors):
    connected = gene_graph(simulated_counts, n_neighbors=neighbors)
    fig, axes = plt.subplots(figsize=(4.4, 3.8), layout="constrained")
    axes.spy(
        connected[in_program][:, in_program],
        markersize=0.8,
        color=PALETTE[0],
        aspect="auto",
    )
    title = f"{neighbors} neighbors: {share_inside(connected):.0%} inside"
    axes.set(xticks=[], yticks=[], title=title)
    axes.set(
        xlabel="gene that is chosen",
        ylabel=f"gene that chooses, by {n_modules} modules",
    )
    return fig


slider(
    draw,
    alt="Edges between the genes of true programs, sorted by program, with {neighbors} "
    "neighbors; edges inside a program lie in the blocks on the diagonal",
    start={"neighbors": 5},
    neighbors=[2, 3, 5, 10, 20, 40],
)

# %% [markdown]
# **Is the distance well chosen?**
# The method takes the Euclidean distance of *raw counts*.
# A gene that is found ten times as often as another lies far away from it, even if the two follow the very same cells.
# The alternative is to bring every gene to mean 0 and variance 1 first; then distances sort genes by their *correlation*.


# %%
def standardized(counts):
    return (counts - counts.mean(axis=0)) / np.maximum(counts.std(axis=0), 1e-9)


ks = [3, 5, 10, 20, 40]
raw = [share_inside(gene_graph(simulated_counts, n_neighbors=k)) for k in ks]
correlated = [
    share_inside(gene_graph(standardized(simulated_counts), n_neighbors=k)) for k in ks
]
better = claim(
    "Correlation finds more of the true modules for every number of neighbors tried: "
    "with {k} of them {correlated:.0%} of the edges stay inside, against {raw:.0%} on "
    "raw counts.",
    np.all(np.array(correlated) > np.array(raw) + 0.05),
    k=ks[1],
    correlated=correlated[1],
    raw=raw[1],
)

# %% [markdown]
# What does the distance of raw counts see instead?
# On the blood cells we can compare the abundance of a gene with that of the genes it is joined to.

# %%
by_correlation = gene_graph(standardized(counts), n_neighbors=settings.n_gene_neighbors)
graphs = {"raw counts": graph, "correlation": by_correlation}
abundance = np.log10(counts.mean(axis=0))  # (n_genes,)
others = settings.n_gene_neighbors - 1  # without the gene itself
of_neighbors = {  # (n_genes,) each: mean abundance of the genes it is joined to
    name: (g @ abundance - abundance) / others for name, g in graphs.items()
}
follows = {
    name: np.corrcoef(abundance, values)[0, 1] for name, values in of_neighbors.items()
}
abundant = claim(
    "On raw counts the abundance of a gene and that of its neighbors correlate at "
    "{raw:.2f}; when genes are standardized first, at {standardized:.2f}.",
    follows["raw counts"] > follows["correlation"] + 0.1,
    raw=follows["raw counts"],
    standardized=follows["correlation"],
)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(ks, raw, "s-", color=PALETTE[1], label="Euclidean on raw counts (published)")
left.plot(ks, correlated, "o-", color=PALETTE[0], label="correlation")
left.axhline(chance, color="gray", ls=":", label="chance")
left.set(
    xlabel="neighbors of a gene, itself included", ylabel="edges inside a true module"
)
left.set(ylim=(0, 1), title="Simulated genes")
left.legend(frameon=False, fontsize=9)
styles = zip(of_neighbors.items(), (PALETTE[1], PALETTE[0]), "so", strict=True)
for (name, values), color, marker in styles:
    style = {"s": 8, "color": color, "marker": marker, "alpha": 0.5}
    right.scatter(abundance, values, label=name, **style)
right.set(xlabel="log10 mean count of a gene", ylabel="of the genes it is joined to")
right.set_title("Blood cells: who is joined with whom?")
right.legend(frameon=False)
show(
    fig,
    alt=f"Left: share of edges inside true modules by number of neighbors, for two "
    f"distances, with chance as a dotted line. {better.text} Right: mean abundance of "
    f"a gene's neighbors against its own, one point a gene. {abundant.text}",
)

# %% [markdown]
# On raw counts abundance decides who is joined with whom.
# Abundant genes are joined with genes that are *as abundant*, and only among those with the ones they act with.
# All others are joined with the rarest genes of all, because the nearest thing to a nearly empty column is an empty one; such columns become hubs that many genes choose.

# %%
chosen_by = np.asarray(graph.sum(axis=0)).ravel()  # (n_genes,), edges that arrive
hubs = np.argsort(chosen_by)[-10:]
claim(
    "The ten genes that are chosen most often have between {least} and {most} "
    "incoming edges, and all of them are rarer than the median gene; {alone:.0%} of "
    "the genes are chosen by nobody but themselves.",
    (abundance[hubs] < np.median(abundance)).all() and np.mean(chosen_by == 1) > 0.2,
    least=int(chosen_by[hubs].min()),
    most=int(chosen_by.max()),
    alone=np.mean(chosen_by == 1),
)

# %% [markdown]
# Why, then, did the two examples at the beginning look so good?
# Well-known genes are well known because they are abundant, and for abundant genes the choice of distance matters little.

# %%
pairs = [("S100A8", "S100A9"), ("CD79A", "CD79B"), ("NKG7", "GNLY")]
pairs += [("CD8B", "CD8A"), ("CST3", "LYZ")]
partners = {
    name: [gene for gene, partner in pairs if partner in neighbors_of(g, gene)]
    for name, g in graphs.items()
}
for name, joined in partners.items():
    print(f"{name}: {len(joined)} of {len(pairs)} known pairs, of {', '.join(joined)}")

# %% [markdown]
# (`S100A8` and `S100A9` are the two halves of one protein of monocytes.)
#
# For rare genes one more thing happens.
# Counts are whole numbers, so many distances are exactly equal, and where the last neighbor is a draw the order in which the search happens to look decides who it is.

# %%
squared = (counts**2).sum(axis=0)
distances = squared[:, None] + squared - 2 * counts.T @ counts  # (n_genes, n_genes)
last = settings.n_gene_neighbors - 1
nearest = np.sort(distances, axis=1)[
    :, last : last + 2
]  # the last one in, the first out
draws = np.mean(nearest[:, 0] == nearest[:, 1])
claim(
    "For {draws:.0%} of the genes the last neighbor is decided by a draw.",
    draws > 0.1,
    draws=draws,
)

# %% [markdown]
# ## Exercise 2: refine
#
# Now cells meet genes.
# A linear layer, the *projector*, turns the encoding of a cell into one number for each gene: how much of this gene the cell asks for.
# These numbers times the programs give one number for each program:
#
# $$Z_v = \text{rows of } (E_v W + b)\, P, \text{ scaled to length 1}$$
#
# By hand: a cell that asks for $(1, 0, 0)$, gene A alone, gets the row of A in $P$.
# One that asks for $(1, 1, 1)$ gets the sum of all rows.

# %%
asked = torch.tensor([[1, 0, 0], [1, 1, 1]]).double()  # (2 cells, 3 genes)
print((asked @ small_programs).numpy().round(1))  # (2 cells, 2 programs)


# %%
def refine(encodings, weight, bias, programs):
    """Write each cell as a mixture of gene programs.

    Parameters
    ----------
    encodings
        E of one view, shape (n_cells, n_hidden).
    weight, bias
        The projector, shapes (n_hidden, n_genes) and (n_genes,).
    programs
        P, shape (n_genes, out_dim).

    Returns
    -------
    z: the rows of (E W + b) P scaled to length 1, shape (n_cells, out_dim).
    """
    ### BEGIN SOLUTION
    # (n_cells, out_dim): the small matrices meet first
    mixture = encodings @ (weight @ programs) + bias @ programs
    return mixture / mixture.norm(dim=1, keepdim=True)
    ### END SOLUTION


# %%
hint("refine")

# %%
refine = check("refine", refine)

# %% [markdown]
# ## The order of multiplication
#
# Matrix products may be bracketed as one likes, $(E W) P = E (W P)$.
# The numbers are the same; the work is not.
# $E W$ has a row for each of the $N$ cells and a column for each of the $G$ genes, and making it takes $2 N H G$ operations, where $H$ is the number of hidden units.
# $W P$ has a column for each program, of which there are a handful.

# %%
predict("operations_saved")


# %%
def count_operations(function, *arguments):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        result = function(*arguments)
    return counter.get_total_flops(), result


projector = model.projector
with torch.no_grad():
    encodings = model.MLP_encoder(inputs.view_1)  # (n_cells, n_hidden)
both = (encodings, projector, start.programs)
slow, z_slow = count_operations(refinement.refine_dense, *both)
quick, z_quick = count_operations(refinement.refine, *both)
claim(
    "Cells meet genes first: {slow:.0f} million operations. Programs first: "
    "{quick:.0f} million, for cells that differ by at most {gap:.0e}.",
    slow > 10 * quick and torch.allclose(z_slow, z_quick, atol=1e-4),
    slow=slow / 1e6,
    quick=quick / 1e6,
    gap=(z_slow - z_quick).abs().max().item(),
)

# %%
reveal("operations_saved", slow / quick)

# %%
weight, bias = projector.weight.T.detach(), projector.bias.detach()
z_mine = refine(encodings, weight, bias, start.programs)
claim(
    "The function that goes on here is {whose}; its refined cells differ from the "
    "package's by at most {gap:.0e}.",
    torch.allclose(z_mine, z_quick, atol=1e-4),
    whose=refine.whose,
    gap=(z_mine - z_quick).abs().max().item(),
)

# %% [markdown]
# A training step needs the gradient as well.
# Brackets do not change it, for the encodings, the programs and the projector alike; in 64-bit numbers this is easy to see.


# %%
def gradients(function):
    torch.manual_seed(SEED)
    e, p = encodings.double().requires_grad_(), start.programs.double().requires_grad_()
    wide = torch.nn.Linear(*projector.weight.T.shape, dtype=torch.float64)
    (function(e, wide, p) * torch.arange(p.shape[1])).sum().backward()
    return e.grad, p.grad, wide.weight.grad


pairs_of = zip(
    gradients(refinement.refine_dense), gradients(refinement.refine), strict=True
)
apart = max(((a - b).norm() / a.norm()).item() for a, b in pairs_of)
claim(
    "The three gradients of the two orders differ by at most {apart:.0e} of their "
    "length.",
    apart < 1e-8,
    apart=apart,
)

# %% [markdown]
# At the sizes of the paper's datasets, for both views together:

# %%
rows = {}
for name in recipe_names():
    short = name.removeprefix("paper/")
    paper, size = recipe(name), published(short)
    if name.startswith("paper/") and paper.task == "scrna" and size:
        n, g, h, d = size["n_cells"], paper.n_top_genes, paper.n_hidden, paper.out_dim
        cells_first = 2 * (2 * n * h * g + 2 * n * g * d)  # two views
        # W P and b P are shared by the views
        programs_first = 2 * h * g * d + 2 * g * d + 2 * (2 * n * h * d)
        rows[short] = (n, g, d, cells_first / 1e9, programs_first / 1e9)
columns = ["cells", "genes", "programs", "cells first, GFLOP", "programs first, GFLOP"]
operations = pd.DataFrame(rows, index=columns).T
decimals = {"cells first, GFLOP": 1, "programs first, GFLOP": 2}
operations.astype(dict.fromkeys(columns[:3], int)).round(decimals)

# %% [markdown]
# Billions of operations, up to a hundred of them, become a fraction of one.
# And the matrix of cells by genes, which is what fills the memory, is never made.
# Does the clock agree with the count? Take the size of the Zeisel dataset.

# %%
sizes = ("cells", "genes", "programs")
n, g, d = (int(operations.loc["Zeisel", column]) for column in sizes)
h = recipe("paper/Zeisel").n_hidden
torch.manual_seed(SEED)
wide, some_cells, some_programs = (
    torch.nn.Linear(h, g),
    torch.rand(n, h),
    torch.rand(g, d),
)
seconds = {}
for form in (refinement.refine_dense, refinement.refine):
    started = time.perf_counter()
    with torch.no_grad():
        form(some_cells, wide, some_programs)
    seconds[form.__name__] = time.perf_counter() - started
claim(
    "Programs first takes {quick:.4f} s for one view, cells first {slow:.4f} s.",
    seconds["refine_dense"] > 5 * seconds["refine"],
    quick=seconds["refine"],
    slow=seconds["refine_dense"],
)

# %% [markdown]
# ## Exercise 3: consistency across the views
#
# The last loss asks the refined cells of the two views to reproduce the [cell graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-graph).
# The similarity $z_{1i} \cdot z_{2j}$ should be 1 for neighbors and for the cell itself, and 0 for everyone else:
#
# $$\mathcal{L}_{\mathrm{con}} = \frac{1}{N^2} \sum_{ij} \big(z_{1i} \cdot z_{2j} - (A + I)_{ij}\big)^2$$


# %%
def consistency(z1, z2, graph):
    """How far similarities across the views are from the graph.

    Parameters
    ----------
    z1, z2
        Refined cells, unit rows, shape (n_cells, out_dim).
    graph
        A: binary and symmetric, without self-loops, shape (n_cells, n_cells).

    Returns
    -------
    Scalar tensor, the mean over all i, j of (z1_i . z2_j - (A + I)_ij)^2.
    """
    ### BEGIN SOLUTION
    target = graph + torch.eye(len(graph), dtype=graph.dtype)
    return (z1 @ z2.T - target).square().mean()
    ### END SOLUTION


# %%
hint("consistency")

# %%
consistency = check("consistency", consistency)

# %% [markdown]
# This is again a loss over all pairs of cells, and again it can be had without them.
# The square $(s - a)^2 = s^2 - 2 s a + a^2$ falls apart: the middle part needs edges only, and the last part is a count of them.
# The first part, the sum of all squared similarities, goes through two matrices of programs by programs:
#
# $$\sum_{ij} (z_{1i} \cdot z_{2j})^2 = \sum_{ab} (Z_1^\top Z_1)_{ab} \, (Z_2^\top Z_2)_{ab}$$
#
# ## Mend it: a loss in linear time that agrees too easily
#
# Here is such a loss as somebody wrote it.
# They compared it with the dense form on one [embedding](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#embedding), and the two numbers were equal.


# %%
def linear_consistency_given(z1, z2, graph):
    n_cells = len(z1)
    squares = (z1.T @ z1).square().sum()  # (out_dim, out_dim)
    on_graph = (
        z1 * (graph @ z2 + z2)
    ).sum()  # sums over neighbors, and the cell itself
    n_ones = graph.sum() + n_cells
    return (squares - 2 * on_graph + n_ones) / n_cells**2


adjacency = torch.as_tensor(adata.obsp["cell_graph"].toarray()).double()
z1, z2 = start.z1.double(), start.z2.double()  # (n_cells, n_programs)
print("given:", round(linear_consistency_given(z1, z1, adjacency).item(), 4))
print("dense:", round(consistency(z1, z1, adjacency).item(), 4))

# %% [markdown]
# Find the fault, and mend it.


# %%
def linear_consistency(z1, z2, graph):
    """The consistency loss through matrices of programs by programs and the edges.

    Parameters
    ----------
    z1, z2
        Refined cells, unit rows, shape (n_cells, out_dim).
    graph
        A: binary and symmetric, without self-loops, shape (n_cells, n_cells).

    Returns
    -------
    Scalar tensor, the mean over all i, j of (z1_i . z2_j - (A + I)_ij)^2.
    """
    ### BEGIN SOLUTION
    n_cells = len(z1)
    squares = ((z1.T @ z1) * (z2.T @ z2)).sum()  # (out_dim, out_dim) each
    on_graph = (
        z1 * (graph @ z2 + z2)
    ).sum()  # sums over neighbors, and the cell itself
    n_ones = graph.sum() + n_cells
    return (squares - 2 * on_graph + n_ones) / n_cells**2
    ### END SOLUTION


# %%
hint("linear_consistency")

# %%
linear_consistency = mend("linear_consistency", linear_consistency)

# %%
cells = Graph(adata.obsp["cell_graph"], dtype=torch.float64)
forms = {
    "dense": lambda a, b: refinement.cross_view_consistency_dense(a, b, cells),
    "linear": lambda a, b: linear_consistency(a, b, adjacency),
    "given": lambda a, b: linear_consistency_given(a, b, adjacency),
}
values, slopes = {}, {}
for name, form in forms.items():
    first, second = z1.clone().requires_grad_(), z2.clone().requires_grad_()
    loss = form(first, second)
    loss.backward()
    values[name], slopes[name] = loss.item(), torch.cat([first.grad, second.grad])
apart = ((slopes["linear"] - slopes["dense"]).norm() / slopes["dense"].norm()).item()
claim(
    "On two views the dense form gives {dense:.4f} and the linear one {linear:.4f}, "
    "with gradients that differ by {apart:.0e} of their length; the code as it was "
    "given says {given:.4f}.",
    np.isclose(values["dense"], values["linear"])
    and apart < 1e-9
    and not np.isclose(values["given"], values["dense"], rtol=0.01),
    apart=apart,
    **values,
)

# %% [markdown]
# ## What does this loss want?
#
# A good embedding would give similarity 1 to cells of the same type and 0 to all others.
# Let us ask the loss what it thinks of that embedding, and of one in which nobody is similar to anybody.

# %%
predict("consistency_prefers")

# %%
same_type = torch.as_tensor((labels[:, None] == labels).astype(float))
myself = torch.eye(len(labels)).double()
target = adjacency + myself
of_types = (same_type - target).square().mean().item()
of_nothing = target.square().mean().item()
prefers = claim(
    "Perfect types have the loss {of_types:.3f}, and no similarity at all "
    "{of_nothing:.3f}: only {joined:.0%} of the pairs of one type are neighbors.",
    of_nothing < 0.5 * of_types,
    of_types=of_types,
    of_nothing=of_nothing,
    joined=adjacency[same_type > 0].mean().item(),
)

# %%
reveal("consistency_prefers", "b" if of_nothing < of_types else "a")

# %% [markdown]
# **The loss prefers nothing to perfection.**
# A cell has about fourteen neighbors, but its type has many more cells, and all of these stand in the target as strangers.
# Taken at its word, the loss would tear types apart.
# Why does the method work nevertheless?
#
# One story goes like this: a handful of programs is a **bottleneck** that cannot reproduce a graph of thousands of edges.
# Whoever makes neighbors similar with ten numbers makes the neighbors of neighbors similar as well, so that types survive.
# The story can be tested in two ways.
# First, what is the best that any ten programs could do? The singular value decomposition of the target gives the answer.

# %%
u, sizes, vt = torch.linalg.svd(target)
kinds = {
    "the cell itself": myself > 0,
    "neighbors": adjacency > 0,
    "same type, strangers": (same_type > 0) & (target == 0),
    "other type, strangers": (same_type == 0) & (target == 0),
}


def by_kind(similar):
    return {name: similar[mask].mean().item() for name, mask in kinds.items()}


ranks = (2, 5, 10, 20, 50, 100, 200, 400)
best = pd.DataFrame({d: by_kind((u[:, :d] * sizes[:d]) @ vt[:d]) for d in ranks})
of_ten = best[10]
possible = claim(
    "The best similarities that ten programs can give are {same:.3f} between "
    "strangers of one type and {other:.3f} between types; with four hundred programs "
    "nothing is left of either ({end:.3f}).",
    of_ten.iloc[2] > 3 * of_ten.iloc[3] and best[400].iloc[2] < 0.02,
    same=of_ten.iloc[2],
    other=of_ten.iloc[3],
    end=best[400].iloc[2],
)

# %% [markdown]
# So far the story holds: a narrow bottleneck *would* keep types, if training found that best solution.
# The second test is the decisive one, because it could come out otherwise: train with this loss **alone**, the other two switched off, and look at where the cells go.

# %%
epochs = 40 if PROFILE == "fast" else 200
rate = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
switches = {
    "all three losses": {},
    "no consistency": {"weight_consistency": 0.0},
    "consistency alone": {
        "weight_distribution": 0.0,
        "weight_neighborhood": 0.0,
        "weight_consistency": 10.0,
    },
}


def train_with(name, seed):
    model, inputs = build(
        adata, settings.with_(**switches[name]), features, n_clusters=10, seed=seed
    )
    n_epochs = 0 if name == "not trained" else epochs
    history = train(model, inputs, epochs=n_epochs, **rate)
    return embed(model, inputs), history


switches["not trained"] = {}
runs = {(name, seed): train_with(name, seed) for name in switches for seed in range(3)}
rows = []
for (name, _), (out, _) in runs.items():
    across = (out.z1 @ out.z2.T).double()  # (n_cells, n_cells)
    clusters = kmeans(np.hstack([out.z1, out.z2]), 10, n_starts=10, seed=SEED)
    score = {"NMI of clusters of z": evaluation.nmi(labels, clusters)}
    loss = {"loss": (across - target).square().mean().item()}
    rows.append({"trained with": name} | by_kind(across) | loss | score)
table = pd.DataFrame(rows).groupby("trained with", sort=False).mean()

# %% tags=["nbval-ignore-output"]
table.round(2)

# %%
alone, all_three = table.loc["consistency alone"], table.loc["all three losses"]
collapse = claim(
    "Trained alone, the loss makes the two views of one cell agree by {alone:.2f}, "
    "where all three losses together reach {all_three:.2f}; its value, {loss:.3f}, "
    "comes close to that of no similarity at all, {nothing:.3f}.",
    alone.iloc[0] < 0.3 and all_three.iloc[0] > 0.7 and alone["loss"] < 2 * of_nothing,
    alone=alone.iloc[0],
    all_three=all_three.iloc[0],
    loss=alone["loss"],
    nothing=of_nothing,
)

# %% [markdown]
# **The story fails its test.**
# Left alone, the loss does not find the types that ten programs could keep.
# It finds the cheapest thing there is: it turns the two views at right angles, so that nobody resembles anybody across the views, not even a cell itself.
# That is nearly the loss of nothing, and nothing is what the loss preferred.
#
# Who, then, saves the types?
# Look at the last column of the table.
# Clusters of $z$ are about as good with all three losses, without this one, with nothing but this one, and without any training.
# [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) needs the order of the cells *inside* the two views, and this order survives when the views are turned apart.
# So neither the loss nor the bottleneck saves the types: they are in the smoothed counts before the first step.

# %%
scores = table["NMI of clusters of z"]
claim(
    "The four rows differ by {spread:.3f} in NMI of the clusters of z "
    "(means of three seeds, from {low:.2f} to {high:.2f}).",
    scores.max() - scores.min() < 0.08,
    spread=scores.max() - scores.min(),
    low=scores.min(),
    high=scores.max(),
)
trained, history = runs["all three losses", SEED % 3]
part = settings.weight_consistency * history["consistency"][0] / history["total"][0]
claim(
    "In the recipe this loss is {part:.2%} of the total at the start.",
    part < 0.02,
    part=part,
)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for (name, values_of), style in zip(
    best.iterrows(), ("k^-", "o-", "s--", "v:"), strict=True
):
    left.plot(range(len(ranks)), values_of, style, label=name)
left.set_xticks(range(len(ranks)), ranks)
left.set(
    xlabel="number of programs", ylabel="mean similarity", title="The best possible"
)
left.legend(frameon=False, fontsize=9)
shown = [
    "the cell itself",
    "neighbors",
    "same type, strangers",
    "other type, strangers",
]
for number, (name, row) in enumerate(table[shown].iterrows()):
    style = {"color": PALETTE[number], "hatch": ("", "//", "..", "xx")[number]}
    places = np.arange(4) + 0.2 * (number - 1.5)
    right.bar(places, row, 0.2, label=name, edgecolor="white", **style)
right.axhline(0, color="black", lw=0.8)
right.set_xticks(range(4), [name.replace(" ", "\n", 1) for name in shown], fontsize=9)
right.set(ylabel="mean similarity across the views", title="What training finds")
right.legend(frameon=False, fontsize=9)
show(
    fig,
    alt=f"Left: mean similarity of four kinds of pairs in the best reproduction of "
    f"the graph, by number of programs. {possible.text} Right: bars of the similarity "
    f"across the views that training reaches for the same four kinds of pairs, in "
    f"three ways of training. {collapse.text}",
)

# %%
explain("why_alone_is_cheap")

# %% [markdown]
# ## Cells as mixtures
#
# What do the refined cells look like after training with all three losses?

# %%
z = (trained.z1 + trained.z2).numpy() / 2  # (n_cells, n_programs)
types = np.unique(labels)
usage = np.array([z[labels == name].mean(axis=0) for name in types])
usage = pd.DataFrame(usage, index=types)  # (n_types, n_programs)


def far(one, other):
    return (usage.loc[one] - usage.loc[other]).abs().max()


t_cells = [name for name in types if name.startswith(("CD4+", "CD8+"))]
among = max(far(one, other) for one in t_cells for other in t_cells)
against = min(far(one, "CD14+ Monocyte") for one in t_cells)
mixtures = claim(
    "T cells of any kind and monocytes differ by at least {against:.2f} in the mean "
    "use of some program; no two of the {n} kinds of T cells differ by more than "
    "{among:.2f}.",
    against > 2 * among,
    against=against,
    among=among,
    n=len(t_cells),
)

# %%
fig, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4.4), layout="constrained", width_ratios=(1.3, 1)
)
image = left.imshow(usage, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
left.set(xlabel="program", title="Mean use of each program", xticks=range(z.shape[1]))
left.set_yticks(range(len(types)), types)
fig.colorbar(image, ax=left)
colors = type_colors(types)
for position, name in enumerate(("CD19+ B", "CD14+ Monocyte", "CD56+ NK")):
    cell = np.flatnonzero(labels == name)[0]
    style = {"hatch": ("", "//", "..")[position], "edgecolor": "white"}
    places = np.arange(z.shape[1]) + 0.27 * (position - 1)
    right.bar(places, z[cell], 0.27, label=name, color=colors[name], **style)
right.axhline(0, color="black", lw=0.8)
right.set(xlabel="program", title="One cell of each of three types", xticks=range(10))
right.legend(frameon=False, fontsize=9)
show(
    fig,
    alt=f"Left: mean use of ten programs by cell type, from minus one to one. Right: "
    f"bars of three cells, a B cell, a monocyte and a killer cell. {mixtures.text}",
)

# %%
claim(
    "Of the entries of z {negative:.0%} are negative, and of the loadings of genes in "
    "programs none is: the smallest is {smallest:.1f}.",
    (z < 0).mean() > 0.1 and bool((trained.programs >= 0).all()),
    negative=(z < 0).mean(),
    smallest=trained.programs.min().item(),
)

# %% [markdown]
# So "mixture" is a generous word.
# A cell can use a program by a negative amount, since nothing keeps the projector from asking for *less* than nothing of a gene.
#
# Take a mixture apart yourself.
# Choose a real cell, and see what its projector asks of the genes, what part these genes have in the programs, and where the product lies among the other cells.
# Then change what it asks of one gene.

# %%
explorable("programs")

# %% [markdown]
# ## What are the programs? Their genes, and an enrichment test
#
# A program is a list of loadings, one for each gene.
# Here are the genes with the largest ones.

# %% tags=["nbval-ignore-output"]
loadings = pd.DataFrame(trained.programs.numpy(), index=genes)  # (n_genes, n_programs)
loadings.columns = [f"program_{k}" for k in range(loadings.shape[1])]
for program, column in loadings.items():
    leading = column[column > 0].nlargest(8).index
    print(f"{program:10} {(column > 0).sum():4} genes: {', '.join(leading)}")

# %% [markdown]
# Whoever knows blood reads B cells, T cells, monocytes and plasma cells in such lists.
# Reading lists is also how one fools oneself, so we test it.
# Take the thirty leading genes of a program and a set of known markers: how many are in both, and how many would be if thirty genes had been drawn blindly?
# Drawing without putting back is the **hypergeometric** distribution, and since all sets are held against all programs, the p-values are corrected for the number of tests (Benjamini and Hochberg).

# %% tags=["nbval-ignore-output"]
agreement = gene_set_agreement(loadings, PBMC_MARKERS, n_genes=30)
hits = agreement[agreement["p_adjusted"] < 0.05]
for row in hits.itertuples():
    print(
        f"{row.gene_set:15} {row.program:10} {row.n_overlap} of {row.size} genes, "
        f"{row.expected:.1f} expected"
    )

# %% [markdown]
# That looks like success.
# But a test needs a control: what would we find if the model had learned *nothing*?
# We ask the same of the programs before training, and of sets of genes drawn at random.


# %%
def sets_found(loadings, sets):
    table = gene_set_agreement(loadings, sets, n_genes=30)
    return table.loc[table["p_adjusted"] < 0.05, "gene_set"].nunique()


def as_table(programs):
    return pd.DataFrame(programs.numpy(), index=genes).add_prefix("program_")


rng = np.random.default_rng(SEED)
present = {name: [g for g in s if g in genes] for name, s in PBMC_MARKERS.items()}
random_sets = {
    n: list(rng.choice(genes, len(s), replace=False)) for n, s in present.items()
}
numbers = {"trained": [], "not trained": [], "random sets": []}
for seed in range(3):
    after = as_table(runs["all three losses", seed][0].programs)
    before = as_table(runs["not trained", seed][0].programs)
    numbers["trained"].append(sets_found(after, PBMC_MARKERS))
    numbers["not trained"].append(sets_found(before, PBMC_MARKERS))
    numbers["random sets"].append(sets_found(after, random_sets))
mean = {name: np.mean(values) for name, values in numbers.items()}
enriched = claim(
    "Of {n} sets of known markers {trained:.1f} are enriched in some program after "
    "training and {untrained:.1f} before it (means of three seeds); of random sets of "
    "the same sizes {random:.1f}.",
    mean["trained"] > mean["random sets"] + 2
    and abs(mean["trained"] - mean["not trained"]) < 1.5,
    n=len(PBMC_MARKERS),
    trained=mean["trained"],
    untrained=mean["not trained"],
    random=mean["random sets"],
)

# %% [markdown]
# The enrichment is real, and it is not learned.
# Programs of random weights have it too, because each is a random mixture of the genes' *profiles*, smoothed over the [gene graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-graph): genes with the same profile get the same loading, whatever the weights are.
# An enrichment test says that a list of genes is not a blind draw.
# It does not say what made it.
#
# ## Are the programs the true ones?
#
# In the simulator we know which genes each type's own program has, so we can ask for more.
# For each true program take the learned one that ranks its genes best, and compute the **AUROC**: the probability that a gene of the program has a larger loading than another gene.
# One number is chance and another perfection, 0.5 and 1; but since we pick the best of several, chance is higher, and we measure it with random loadings.
# The rival is **NMF**, which has done nothing else for decades but write a matrix as non-negative programs times non-negative amounts.


# %%
def of_nmf(fitted, seed):
    values = fitted.X.toarray()  # (n_cells, n_genes), log values
    nmf = NMF(6, init="nndsvda", max_iter=400, tol=1e-3, random_state=seed)
    return nmf.fit(values / values.std(axis=0)).components_.T


def best_auroc(loadings, names, truth):
    table = pd.DataFrame(loadings, index=names).add_prefix("program_")
    found = gene_set_agreement(table, truth).groupby("gene_set")["auroc"].max()
    return found.to_numpy()  # (6,)


aurocs = {"random loadings": [], "not trained": [], "trained": [], "NMF": []}
for seed in range(3):
    world = datasets.simulate(700, 800, 6, seed=seed)
    program = world.var["program"].astype(str)
    truth = {
        f"own {k}": list(world.var_names[program == f"program_{k}"]) for k in range(6)
    }
    short = {0: "not trained", epochs: "trained"}
    for n, name in short.items():
        once = settings.with_(epochs=n)
        fitted = fit(world, n_clusters=6, recipe=once, seed=seed, copy=True)
        learned = program_loadings(fitted)
        aurocs[name].append(best_auroc(learned.to_numpy(), learned.index, truth))
    blind = np.random.default_rng(seed).random(learned.shape)
    aurocs["random loadings"].append(best_auroc(blind, learned.index, truth))
    aurocs["NMF"].append(best_auroc(of_nmf(fitted, seed), fitted.var_names, truth))
aurocs = {name: np.array(values) for name, values in aurocs.items()}  # (3 seeds, 6)
found = {name.replace(" ", "_"): values.mean() for name, values in aurocs.items()}
moved = claim(
    "Mean AUROC over three simulations: random loadings {random_loadings:.2f}, "
    "programs before training {not_trained:.2f}, after it {trained:.2f}, NMF "
    "{NMF:.2f}.",
    found["trained"] > found["not_trained"] + 0.05
    and found["NMF"] > found["trained"] + 0.1,
    **found,
)

# %%
fig, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
for number, values_of in enumerate(aurocs.values()):
    jitter = np.linspace(-0.2, 0.2, values_of.size)
    style = {"color": PALETTE[number], "marker": "XsoD"[number], "s": 30, "alpha": 0.7}
    axes.scatter(number + jitter, values_of.ravel(), **style)
    axes.plot([number - 0.3, number + 0.3], [values_of.mean()] * 2, color="black")
axes.set_xticks(range(len(aurocs)), list(aurocs))
axes.set(ylabel="AUROC of the best learned program", ylim=(0.4, 1.03))
show(
    fig,
    alt=f"How well each of six true programs is found in three simulations, one mark "
    f"each, by four sources of loadings; a line is the mean. {moved.text}",
)

# %% [markdown]
# Training does move the programs toward the true ones, from little more than chance to about half way, and a method that was built for the purpose goes the rest of the way.
# Nothing in the three losses asks for the true programs; it is enough for them that *cells* become comparable.
# Three [seeds](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed) and one simulator are not the last word: change `SEED`, or the number of [epochs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch), and see.
# What the use of a program says about a cell is the subject of [lesson 09](09_biology.ipynb).
#
# ## Transfer: modules of a screen
#
# Here are counts that this course has not shown: genes of widely differing abundance that act in modules.
# Build a gene graph that follows the modules without having seen them.

# %%
screen = given("graph_of_modules")
print("counts:", screen.counts.shape)


# %%
def module_graph(counts):
    ### BEGIN SOLUTION
    logs = np.log1p(counts)
    return gene_graph((logs - logs.mean(axis=0)) / logs.std(axis=0), n_neighbors=5)
    ### END SOLUTION


# %%
transfer("graph_of_modules", module_graph)

# %% [markdown]
# ## Quiz

# %%
quiz("06")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - The method multiplies cells with genes and the result with programs; we bracket the other way, with the same value and gradient.
# - **Hard to justify:** neighbors of genes by the Euclidean distance of raw counts. It sorts genes by abundance first and leaves many choices to chance; correlation finds more of the true modules. We keep it in the recipes, because it is the published method.
# - **Hard to justify:** the target of the consistency loss calls most cells of the same type strangers, and its cheapest solution is to turn the views apart. With the small weight that it has it does neither harm nor good that these cells can show.
# - **Hard to justify:** the gene encoder's weights belong to the cells of the training set, so that a fitted model cannot be applied to new cells.
# - The number of programs is the number of clusters in most of the paper's settings, for no reason of biology; `out_dim` in a recipe changes it.
#
# ## Summary
#
# - The gene graph joins genes with similar columns; it is directed, and what arrives at a gene is what counts.
# - The gene encoder is a graph convolution over genes; a refined cell is its encoding seen through the programs.
# - Multiply the small matrices first: the same numbers for a small part of the work.
# - The consistency loss over all pairs needs two matrices of programs by programs and the edges.
# - A list of genes that looks like biology needs a control. Here the untrained model is one.
#
# **Next:** [07 Training](07_training.ipynb) puts the parts together.
#
# **Further reading:** Peng et al., arXiv 2512.10640; Lee and Seung, *Learning the parts of objects by non-negative matrix factorization*, Nature 1999; Kotliar et al., *Identifying gene expression programs of cell-type identity and cellular activity with single-cell RNA-Seq*, eLife 2019.
