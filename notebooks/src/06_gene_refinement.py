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
# | **Time** | about 20 minutes to read, 50 to do; the cells run in well under a minute on two cores |
# | **Where it sits** | counts, two views, alignment, **refinement**, clusters |

# %%
import subprocess, sys

if "google.colab" in sys.modules:  # Colab lacks the package; elsewhere it is installed already
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import NMF
from torch.utils.flop_counter import FlopCounterMode

from scrcl_edu import datasets, refinement
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.fitting import add_graphs, build, fit
from scrcl_edu.graphs import Graph, gene_graph
from scrcl_edu.interpretation.programs import gene_set_agreement, program_loadings
from scrcl_edu.plotting import PALETTE, show
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.recipes import published, recipe, recipe_names
from scrcl_edu.training import embed, train

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# ## The question
#
# So far the genes were columns, nothing more.
# But genes do not act alone: a B cell switches on a whole set of genes together, a **module** or **program**.
# If we knew the programs, we could describe a cell by a few numbers: how much of each program it runs.
#
# **Do the counts tell which genes belong together?**
# Two genes that act together are high in the same cells, so compare the *columns* of the [count matrix](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#count-matrix).
# The method joins each gene with those whose columns are nearest, counting the gene itself.

# %%
adata = datasets.load("pbmc68k_reduced")
settings = recipe("robust")
preprocess(adata, n_top_genes=settings.n_top_genes)
features = encoder_features(adata, settings.features)  # (n_cells, n_genes)
add_graphs(adata, settings, features)
chosen = adata.var["highly_variable"].to_numpy()
genes, graph = adata.var_names[chosen], adata.varp["gene_graph"][chosen][:, chosen]  # graph: (n_genes, n_genes)
counts = adata.layers["counts"].toarray()[:, chosen]  # (n_cells, n_genes)
print("gene graph:", graph.shape, "| edges that leave a gene:", int(graph.sum(axis=1).min()))


# %%
def neighbors_of(graph, gene):
    mine = genes.get_loc(gene)
    return sorted(genes[other] for other in graph[mine].indices if other != mine)


print("a B cell's gene, CD79A, has its partner CD79B among its neighbors:", "CD79B" in neighbors_of(graph, "CD79A"))
print("a killer cell's gene, NKG7, has GNLY among them:", "GNLY" in neighbors_of(graph, "NKG7"))

# %% [markdown]
# That looks promising.
# Two examples are not evidence, so we will look closer; first the small numbers.
#
# ## Six cells and three genes
#
# These are the cells of [lesson 00](00_start_here.ipynb): the first three express gene A, the last three gene B, and gene C is in all of them.
# By hand: the squared distance of the columns A and C is $4 + 16 + 1 + 4 + 16 + 1 = 42$, of B and C it is 43, of A and B 167.
# With two neighbors, counting itself, A chooses C, B chooses C, and C chooses A.

# %%
small = torch.tensor([[4, 0, 2], [8, 1, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]]).double()  # (6 cells, 3 genes)
small_graph = torch.tensor(gene_graph(small.numpy(), n_neighbors=2).toarray()).double()  # [g, h]: edge g -> h
print(small_graph.int().numpy())
print("edges that leave each gene:", small_graph.sum(dim=1).int().tolist())
print("edges that arrive at each gene:", small_graph.sum(dim=0).int().tolist())

# %% [markdown]
# The graph is **directed**: B chooses C, but C does not choose B back.
# As many edges leave every gene; but how many *arrive* depends on how often a gene is chosen.
#
# ## Exercise 1: the gene encoder
#
# The gene [encoder](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#encoder) is the [graph convolution](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#graph-convolution) of [lesson 03](03_encoders.ipynb), but its nodes are genes.
# The features of a gene are its counts over the cells, so its input is the *transposed* matrix, and its weights have one row for each **cell**.
#
# $$P = \mathrm{ReLU}\Big(\sum_{g \to h} \frac{W^\top x_g}{\sqrt{\deg_g \deg_h}} + b\Big)$$
#
# By hand, with a first program that sums the cells 0, 1, 2 and a second that sums 3, 4, 5: gene A gives $(14, 1)$, gene C $(7, 8)$, gene B $(1, 17)$.
# At B only its own edge arrives, so its row stays $(1, 17)$.


# %%
def gene_programs(view_1, graph, weight, bias):
    """The gene encoder: P = ReLU(graph convolution over genes).

    Parameters
    ----------
    view_1
        Filtered features X1, shape (n_cells, n_genes).
    graph
        Gene graph: binary, directed, self-loops included, shape (n_genes, n_genes); entry [g, h] is the edge g -> h.
    weight
        Shape (n_cells, out_dim): the input width of the gene encoder is the number of cells.
    bias
        Shape (out_dim,).

    Returns
    -------
    P, shape (n_genes, out_dim). Degrees count the edges that arrive.
    """
    ### BEGIN SOLUTION
    arriving = graph.sum(dim=0)  # (n_genes,), edges that arrive at each gene
    scale = arriving.rsqrt()
    operator = scale[:, None] * graph.T * scale  # (n_genes, n_genes), row h collects from the genes g -> h
    return torch.relu(operator @ (view_1.T @ weight) + bias)
    ### END SOLUTION


# %%
hint("gene_programs")

# %%
gene_programs = check("gene_programs", gene_programs).function

# %%
small_weight = torch.tensor([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]).double()  # (6 cells, 2 programs)
small_programs = gene_programs(small, small_graph, small_weight, torch.zeros(2).double())  # (3 genes, 2 programs)
print(small_programs.numpy().round(1))

# %% [markdown]
# Gene A leads program 1, gene B leads program 2, and gene C is in both.
# Now the real cells: the same numbers as the package's?

# %%
model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
start = embed(model, inputs)
layer = model.gene_encoder.gcn
with torch.no_grad():
    mine = gene_programs(inputs.view_1, torch.as_tensor(graph.toarray()), layer.lin.weight.T, layer.bias)
print(
    "programs:",
    tuple(mine.shape),
    "| same as the package's:",
    torch.allclose(mine, start.programs, rtol=1e-3, atol=1e-3),
)
print("weights of the gene encoder:", tuple(layer.lin.weight.shape), "- the second number is that of the cells")

# %% [markdown]
# Keep the last line in mind: a trained gene encoder cannot take one cell more, because its weights belong to *these* cells.
#
# ## Does the gene graph find modules?
#
# On real data nobody knows the modules.
# In the [simulator](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#simulator) we do: each of its programs has its own genes, and the rest belong to none.
# Which share of the edges that leave a program's gene stays within the program?

# %%
simulated = datasets.simulate(700, 800, 6, seed=SEED)
simulated_counts = simulated.X.toarray()  # (n_cells, n_genes)
module = simulated.var["program"].to_numpy().astype(str)


def share_inside(graph):
    source, target = graph.nonzero()
    keep = (source != target) & (module[source] != "none")
    return np.mean(module[source[keep]] == module[target[keep]])


chance = 29 / 799  # 30 genes in a program, itself not counted
found = share_inside(gene_graph(simulated_counts, n_neighbors=settings.n_gene_neighbors))
print("edges inside a module:", f"{found:.0%}", "| by chance:", f"{chance:.0%}")

# %% [markdown]
# Far above chance.
# Move the slider: how does it change with the number of neighbors?

# %%
in_program = np.flatnonzero(module != "none")
in_program = in_program[np.argsort(module[in_program], kind="stable")]


def draw(neighbors):
    connected = gene_graph(simulated_counts, n_neighbors=neighbors)
    fig, axes = plt.subplots(figsize=(4, 3.4), layout="constrained")
    axes.spy(connected[in_program][:, in_program], markersize=0.8, color=PALETTE[0])
    axes.set(xticks=[], yticks=[], title=f"{neighbors} neighbors: {share_inside(connected):.0%} inside")
    axes.set_xlabel("genes, sorted by true program")
    return fig


slider(
    draw,
    alt="Edges between program genes with {neighbors} neighbors; blocks on the diagonal are the true modules",
    start={"neighbors": 5},
    neighbors=[2, 3, 5, 10, 20, 40],
)

# %% [markdown]
# **Is the distance well chosen?**
# The method takes the Euclidean distance of *raw counts*.
# A gene that is found ten times as often lies far away even if it follows the very same cells.
# The alternative is to bring every gene to mean 0 and variance 1 first; distances then sort genes by their *correlation*.


# %%
def standardized(counts):
    return (counts - counts.mean(axis=0)) / np.maximum(counts.std(axis=0), 1e-9)


ks = [3, 5, 10, 20, 40]
raw = [share_inside(gene_graph(simulated_counts, n_neighbors=k)) for k in ks]
correlated = [share_inside(gene_graph(standardized(simulated_counts), n_neighbors=k)) for k in ks]
print("correlation finds more of the true modules for every k:", bool(np.all(np.array(correlated) > raw)))

# %%
graphs = {"raw counts": graph, "correlation": gene_graph(standardized(counts), n_neighbors=settings.n_gene_neighbors)}
abundance = np.log10(counts.mean(axis=0))  # (n_genes,)
others = settings.n_gene_neighbors - 1  # without the gene itself
of_neighbors = {name: (g @ abundance - abundance) / others for name, g in graphs.items()}  # (n_genes,) each
follows = {name: np.corrcoef(abundance, values)[0, 1] for name, values in of_neighbors.items()}
print("neighbors are as abundant as the gene, correlation above 0.8, raw counts:", follows["raw counts"] > 0.8)
print("less so when genes are standardized first:", follows["correlation"] < follows["raw counts"] - 0.1)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
left.plot(ks, raw, "s-", color=PALETTE[1], label="Euclidean on raw counts, as published")
left.plot(ks, correlated, "o-", color=PALETTE[0], label="correlation")
left.axhline(chance, color="gray", ls=":", label="chance")
left.set(xlabel="neighbors of a gene, itself included", ylabel="edges inside a true module", ylim=(0, 1))
left.set_title("Simulated genes")
left.legend(frameon=False, fontsize=8)
for (name, values), color, marker in zip(of_neighbors.items(), (PALETTE[1], PALETTE[0]), "so", strict=True):
    right.scatter(abundance, values, s=8, color=color, marker=marker, alpha=0.5, label=name)
right.set(xlabel="log10 mean count of a gene", ylabel="of its neighbors", title="Blood cells: who is joined with whom?")
right.legend(frameon=False)
show(
    fig,
    alt="Left: share of edges inside true modules by number of neighbors; correlation lies far above Euclidean distance of "
    "counts, and both above chance. Right: abundance of the neighbors against abundance of the gene; for raw counts the "
    "points lie on one curve: on the diagonal for abundant genes, at the very bottom for all others.",
)

# %% [markdown]
# On raw counts abundance decides who is joined with whom.
# Abundant genes lie on the diagonal: they are joined with genes that are *as abundant*, and only among them with those that act together.
# All others are joined with the rarest genes of all: the nearest thing to a nearly empty column is an empty one.
# Such columns become hubs that many genes choose.

# %%
chosen_by = np.asarray(graph.sum(axis=0)).ravel()  # (n_genes,), edges that arrive
hubs = np.argsort(chosen_by)[-10:]
print(
    "the ten genes chosen most are all rarer than the median gene:",
    bool((abundance[hubs] < np.median(abundance)).all()),
)
print("genes that no other gene chooses:", f"{np.mean(chosen_by == 1):.0%}")

# %% [markdown]
# Are well-known partners joined nevertheless?

# %%
pairs = [("S100A8", "S100A9"), ("CD79A", "CD79B"), ("NKG7", "GNLY"), ("CD8B", "CD8A"), ("CST3", "LYZ")]
partners = {name: [partner in neighbors_of(g, gene) for gene, partner in pairs] for name, g in graphs.items()}
for name, joined in partners.items():
    missed = [gene for (gene, _), found in zip(pairs, joined, strict=True) if not found]
    print(f"{name}: {sum(joined)} of {len(pairs)} known pairs; missed: {missed}")

# %% [markdown]
# For well-known, abundant genes the choice matters little; that is why the two examples of the beginning looked so good.
# (`S100A8` and `S100A9` are the two halves of one protein of monocytes.)
# For rare genes another thing happens: counts are whole numbers, so that many distances are exactly equal.

# %%
squared = (counts**2).sum(axis=0)
distances = squared[:, None] + squared - 2 * counts.T @ counts  # (n_genes, n_genes), squared, whole numbers
nearest = np.sort(distances, axis=1)[:, settings.n_gene_neighbors - 1 :][:, :2]  # the last one in, the first one out
print("genes whose last neighbor is a draw:", f"{np.mean(nearest[:, 0] == nearest[:, 1]):.0%}")

# %% [markdown]
# Where it is a draw, the order in which the search happens to look decides who becomes a neighbor.
#
# ## Exercise 2: refine
#
# Now cells meet genes.
# A linear layer, the *projector*, turns the encoding of a cell into one number for each gene: how much of this gene the cell asks for.
# These numbers times the programs give one number for each program:
#
# $$z = \text{rows of } (E W + b)\, P, \text{ scaled to length 1}$$
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
    mixture = encodings @ (weight @ programs) + bias @ programs  # (n_cells, out_dim): the small matrices meet first
    return mixture / mixture.norm(dim=1, keepdim=True)
    ### END SOLUTION


# %%
hint("refine")

# %%
refine = check("refine", refine).function

# %% [markdown]
# ## The order of multiplication
#
# Matrix products may be bracketed as one likes: $(E W) P = E (W P)$.
# The numbers are the same; the work is not.
# $E W$ has a row for each cell and a column for each gene, and it takes $2 N H G$ operations ($N$ cells, $H$ hidden numbers, $G$ genes).
# $W P$ has a column for each program, of which there are a handful.
# Torch can count the operations for us.


# %%
def count_operations(function, *arguments):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        result = function(*arguments)
    return counter.get_total_flops(), result


with torch.no_grad():
    encodings = model.MLP_encoder(inputs.view_1)  # (n_cells, n_hidden)
slow, z_slow = count_operations(refinement.refine_dense, encodings, model.projector, start.programs)
quick, z_quick = count_operations(refinement.refine, encodings, model.projector, start.programs)
print(f"cells meet genes first: {slow / 1e6:.0f} million operations | programs first: {quick / 1e6:.0f} million")
print("same cells:", torch.allclose(z_slow, z_quick, atol=1e-4))

# %%
projector = model.projector
z_mine = refine(encodings, projector.weight.T.detach(), projector.bias.detach(), start.programs)
print("same as mine:", torch.allclose(z_mine, z_quick, atol=1e-4))

# %% [markdown]
# Same [gradient](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gradient), too: in 64-bit numbers, for the encodings and for the programs.


# %%
def gradients(function):
    torch.manual_seed(SEED)
    e, p = encodings.double().requires_grad_(), start.programs.double().requires_grad_()
    wide = torch.nn.Linear(*projector.weight.T.shape, dtype=torch.float64)
    (function(e, wide, p) * torch.arange(p.shape[1])).sum().backward()
    return e.grad, p.grad, wide.weight.grad


same = [
    torch.allclose(a, b, rtol=1e-8, atol=1e-12)
    for a, b in zip(gradients(refinement.refine_dense), gradients(refinement.refine), strict=True)
]
print("same gradients for encodings, programs, projector:", same)

# %% [markdown]
# At the sizes of the paper's datasets, both views together:

# %%
rows = {}
for name in recipe_names():
    paper, size = recipe(name), published(name.removeprefix("paper/"))
    if name.startswith("paper/") and paper.task == "scrna" and size:
        n, g, h, d = size["n_cells"], paper.n_top_genes, paper.n_hidden, paper.out_dim
        cells_first = 2 * (2 * n * h * g + 2 * n * g * d)  # two views
        programs_first = 2 * h * g * d + 2 * g * d + 2 * (2 * n * h * d)  # W P and b P are shared by the views
        rows[name.removeprefix("paper/")] = (n, g, d, cells_first / 1e9, programs_first / 1e9)
columns = ["cells", "genes", "programs", "cells first, GFLOP", "programs first, GFLOP"]
operations = pd.DataFrame(rows, index=columns).T
operations.round({"cells": 0, "genes": 0, "programs": 0, "cells first, GFLOP": 1, "programs first, GFLOP": 2})

# %% [markdown]
# Billions of operations, up to a hundred, become a fraction of one.
# And the matrix of cells by genes, which is what fills the memory, is never made.
# Does the clock agree with the count? Take the size of the Zeisel dataset.

# %%
n, g, d = (int(operations.loc["Zeisel", column]) for column in ("cells", "genes", "programs"))
h = recipe("paper/Zeisel").n_hidden
torch.manual_seed(SEED)
wide, some_cells, some_programs = torch.nn.Linear(h, g), torch.rand(n, h), torch.rand(g, d)
seconds = {}
for form in (refinement.refine_dense, refinement.refine):
    started = time.perf_counter()
    with torch.no_grad():
        form(some_cells, wide, some_programs)
    seconds[form.__name__] = time.perf_counter() - started
print("programs first is quicker, more than 5 times:", seconds["refine_dense"] > 5 * seconds["refine"])

# %% tags=["nbval-ignore-output"]
pd.Series(seconds, name="seconds, one view").round(4)

# %% [markdown]
# ## Exercise 3: consistency across the views
#
# The last loss asks the refined cells of the two views to reproduce the [cell graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-graph): the similarity $z_{1i} \cdot z_{2j}$ should be 1 for neighbors and for the cell itself, and 0 for all others.


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
consistency = check("consistency", consistency).function

# %% [markdown]
# This is again a loss over all pairs of cells.
# The square $(s - a)^2 = s^2 - 2 s a + a^2$ falls apart: the middle part needs edges only, the last part is a count of them.
# The first part, the sum of all squared similarities, can be taken through two matrices of programs by programs:
#
# $$\sum_{ij} (z_{1i} \cdot z_{2j})^2 = \sum_{ab} (Z_1^\top Z_1)_{ab} \, (Z_2^\top Z_2)_{ab}$$


# %%
def linear_consistency(z1, z2, graph):
    n_cells = len(z1)
    squares = ((z1.T @ z1) * (z2.T @ z2)).sum()  # (out_dim, out_dim) each
    on_graph = (z1 * (graph @ z2 + z2)).sum()  # the sparse product: sums over neighbors; and the cell itself
    n_ones = graph.matrix.nnz + n_cells
    return (squares - 2 * on_graph + n_ones) / n_cells**2


cells = Graph(adata.obsp["cell_graph"], dtype=torch.float64)
adjacency = torch.as_tensor(cells.matrix.toarray()).double()  # (n_cells, n_cells), only to look at
pair = [z.double().requires_grad_() for z in (start.z1.clone(), start.z2.clone())]
dense = consistency(*pair, adjacency)
linear, ours = linear_consistency(*pair, cells), refinement.cross_view_consistency(*pair, cells)
print("same number, mine and the package's:", torch.allclose(dense, linear), torch.allclose(dense, ours))


# %%
def gradient_of(loss, graph):
    z = start.z1.double().requires_grad_()
    loss(z, start.z2.double(), graph).backward()
    return z.grad


dense_gradient = gradient_of(refinement.cross_view_consistency_dense, cells)
print("same gradient:", torch.allclose(dense_gradient, gradient_of(linear_consistency, cells), rtol=1e-9, atol=1e-15))

# %% [markdown]
# ## What does this loss want?
#
# A good [embedding](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#embedding) would give similarity 1 to cells of the same type and 0 to others.
# Let us ask the loss what it thinks of that embedding, and of one without any similarity at all.

# %%
labels = adata.obs["label"].to_numpy()
same_type = torch.as_tensor((labels[:, None] == labels).astype(float))
target = adjacency + torch.eye(len(labels)).double()
print("similarities of perfect types: loss", round((same_type - target).square().mean().item(), 3))
print("no similarity to anyone:       loss", round((0 - target).square().mean().item(), 3))
print("neighbors among pairs of one type:", f"{adjacency[same_type > 0].mean():.0%}")

# %% [markdown]
# **The loss prefers nothing to perfection.**
# A cell has about fourteen neighbors, but its type has many more cells; all of these stand in the target as 0, as strangers.
# Taken by its word, the loss would tear types apart.
# Why does the method work nevertheless?
# First, look at what a handful of programs can do at all, by the best approximation of the target of that rank; then train.

# %%
singular = torch.linalg.svdvals(target)
best = singular[start.z1.shape[1] :].square().sum() / target.numel()
print(f"best loss that any {start.z1.shape[1]} programs could reach: {best:.2f}")

# %%
epochs = 40 if PROFILE == "fast" else 200
history = train(model, inputs, epochs=epochs, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay)
trained = embed(model, inputs)
part = settings.weight_consistency * history["consistency"][0] / history["total"][0]
print("share of the total loss at the start, below 2 %:", part < 0.02)

# %%
similar = (trained.z1 @ trained.z2.T).double()
myself = torch.eye(len(labels)).bool()
kinds = {
    "the cell itself": myself,
    "neighbors": adjacency > 0,
    "same type, not neighbors": (same_type > 0) & (adjacency == 0) & ~myself,
    "different type, not neighbors": (same_type == 0) & (adjacency == 0),
}
means = {name: similar[mask].mean().item() for name, mask in kinds.items()}
print("cells of a type stay similar although the target says 0:", means["same type, not neighbors"] > 0.5)
print("other types are less similar:", means["different type, not neighbors"] < means["same type, not neighbors"] - 0.2)

# %% [markdown]
# Because it has little weight, and because a handful of programs cannot reproduce a graph with thousands of edges: who makes neighbors similar makes the neighbors' neighbors similar as well.
# The bottleneck saves the types, not the loss.
#
# ## See it: cells as mixtures

# %%
z = (trained.z1 + trained.z2).numpy() / 2  # (n_cells, n_programs)
types = np.unique(labels)
usage = np.array([z[labels == name].mean(axis=0) for name in types])  # (n_types, n_programs)
b_cells, monocytes = usage[types == "CD19+ B"], usage[types == "CD14+ Monocyte"]
print("some program tells B cells from monocytes by more than 0.3:", bool((np.abs(b_cells - monocytes) > 0.3).any()))

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained", width_ratios=(1.3, 1))
image = left.imshow(usage, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
left.set(xlabel="program", title="Mean use of each program", xticks=range(z.shape[1]))
left.set_yticks(range(len(types)), types)
fig.colorbar(image, ax=left)
for position, name in enumerate(("CD19+ B", "CD14+ Monocyte", "CD56+ NK")):
    cell = np.flatnonzero(labels == name)[0]
    places = np.arange(z.shape[1]) + 0.27 * (position - 1)
    style = {"color": PALETTE[position], "hatch": ("", "//", "..")[position], "edgecolor": "white"}
    right.bar(places, z[cell], 0.27, label=name, **style)
right.axhline(0, color="black", lw=0.8)
right.set(xlabel="program", title="Three cells", xticks=range(z.shape[1]))
right.legend(frameon=False, fontsize=8)
show(
    fig,
    alt="Left: mean use of the programs by cell type, from -1 to 1. Related types use programs alike; several programs are "
    "used negatively. Right: bars of three cells, a B cell, a monocyte and a killer cell, with different programs up and down.",
)

# %%
print("more than a tenth of the entries is negative:", (z < 0).mean() > 0.1)
print("all loadings of genes in programs are 0 or more:", bool((trained.programs >= 0).all()))

# %% [markdown]
# The picture tells [cell types](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-type) apart.
# But "mixture" is a generous word: the amounts can be negative, because nothing holds the projector to asking for *more* than nothing of a gene.
#
# ## Are the programs real?
#
# The story of the method is that programs are the biology of the cells that use them.
# In the simulator we know which genes each type's own program has.
# For each true program take the learned one that ranks its genes best, and compute the **AUROC**: the probability that a gene of the program has a larger loading than another gene.
# 0.5 is chance, 1 is perfect; since we pick the best of several, chance is somewhat above 0.5.
# The rival is **NMF**, which has done nothing else for decades but write a matrix as non-negative programs times non-negative amounts.

# %%
own = {f"program_{number}": list(simulated.var_names[module == f"program_{number}"]) for number in range(6)}
fits = {
    name: fit(simulated, n_clusters=6, recipe=settings.with_(epochs=n), seed=SEED, copy=True)
    for name, n in {"scRCL, not trained": 0, "scRCL, trained": epochs}.items()
}
loadings = {name: program_loadings(result) for name, result in fits.items()}
log_values = fits["scRCL, trained"].X.toarray()  # (n_cells, n_genes)
by_nmf = NMF(6, init="nndsvda", max_iter=2000, random_state=SEED).fit(log_values / log_values.std(axis=0))
genes_of = fits["scRCL, trained"].var_names
loadings["NMF"] = pd.DataFrame(by_nmf.components_.T, index=genes_of, columns=[f"program_{k}" for k in range(6)])

# %%
auroc = {name: gene_set_agreement(values, own).groupby("gene_set")["auroc"].max() for name, values in loadings.items()}
mean_auroc = {name: values.mean() for name, values in auroc.items()}
print("NMF finds the true programs, mean AUROC above 0.85:", mean_auroc["NMF"] > 0.85)
print(
    "scRCL's programs are further from them, by more than 0.1:", mean_auroc["scRCL, trained"] < mean_auroc["NMF"] - 0.1
)
print("some of scRCL's programs have no gene at all:", bool((loadings["scRCL, trained"].sum() == 0).any()))

# %% tags=["nbval-ignore-output"]
pd.DataFrame(auroc).T.assign(mean=mean_auroc).round(2)

# %%
fig, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for (name, values), color, marker in zip(auroc.items(), PALETTE, "so^", strict=False):
    axes.plot(range(6), values, marker, ms=8, color=color, label=name)
axes.axhline(0.5, color="gray", ls=":", label="chance")
axes.set(xlabel="true program of type", ylabel="AUROC of the best learned one", ylim=(0.4, 1.02), xticks=range(6))
axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
show(
    fig,
    alt="How well each true program is found. NMF's marks lie near 1; those of scRCL, trained or not, lie lower and scatter.",
)

# %% [markdown]
# In this test the learned programs are not the true ones, and training moves them little.
# Nothing in the three losses asks them to be: they only have to make *cells* comparable.
# This is one simulation with one [seed](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed); change `seed` and see.
# What real programs look like, and what speaks against reading them as biology, is the subject of [lesson 09](09_biology.ipynb).
#
# ## Quiz

# %%
quiz("06")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - The method multiplies cells with genes and the result with programs; we bracket the other way, with the same value and gradient.
# - **Hard to justify:** neighbors of genes by the Euclidean distance of raw counts.
#   It sorts genes by abundance first, and leaves many choices to chance; correlation finds more of the true modules.
#   We keep it in the recipes, because it is the published method.
# - **Hard to justify:** the target of the consistency loss calls most cells of the same type strangers.
# - **Hard to justify:** the gene encoder's weights belong to the cells of the training set, so a fitted model cannot be applied to new cells.
# - The number of programs is the number of clusters in most of the paper's settings, for no reason of biology; `out_dim` in a recipe changes it.
#
# ## Summary
#
# - The [gene graph](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-graph) joins genes with similar columns; it is directed, and what arrives at a gene is what counts.
# - The gene encoder is a graph convolution over genes; a refined cell is its encoding seen through the programs.
# - Multiply the small matrices first: same numbers, about a hundredth of the work.
# - The consistency loss over all pairs needs two matrices of programs by programs and the edges.
# - That the programs are biology is a claim, and it can be tested.
#
# **Next:** [07 Training](07_training.ipynb) puts the parts together.
#
# **Further reading:** Peng et al., arXiv 2512.10640; Lee and Seung, *Learning the parts of objects by non-negative matrix factorization*, Nature 1999; Kotliar et al., *Identifying [gene expression](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gene-expression) programs of cell-type identity and cellular activity with single-cell RNA-Seq*, eLife 2019.
