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
# # 13 Beyond one machine: the same loss on many
#
# [Open 13_beyond_one_machine on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/13_beyond_one_machine.ipynb) · [Open 13_beyond_one_machine on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/13_beyond_one_machine.ipynb)
#
# You divide the cells between two processes, see the usual way of training on several machines compute another loss without a word of warning, and repair it with a handful of sums.
#
# | | |
# |---|---|
# | **You will be able to** | tell losses that data parallelism divides from those that it changes; split a contrastive loss exactly; divide cells along their graph; estimate what a hundred million cells would take |
# | **You need** | the linear form of [05 Neighborhood alignment](05_neighborhood_alignment.ipynb); [07 Training](07_training.ipynb) helps |
# | **Time** | about 15 minutes to read, 55 to do; the cells run in about a minute on two quiet cores |
# | **Where it sits** | under training: the losses stay as they are, and what they sum over is elsewhere |

# %% tags=["hide-input"]
# @title Set-up: on Colab this installs the course first
import subprocess, sys

if "google.colab" in sys.modules:
    course = "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, course], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import reverse_cuthill_mckee

from scrcl_edu import datasets
from scrcl_edu.alignment import neighborhood_alignment
from scrcl_edu.course import check, claim, explain, hint, mend, method_map
from scrcl_edu.course import predict, quiz, reveal, transfer
from scrcl_edu.course.drawings.dividing import draw_pairs
from scrcl_edu.course.platform import platform_check
from scrcl_edu.graphs import Graph, cell_graph, gene_graph, low_pass
from scrcl_edu.model import Inputs, ScRCL
from scrcl_edu.plotting import PALETTE, show
from scrcl_edu.training import embed, train
from scrcl_edu.workers.cost import MEASURED, Problem, bytes_crossing, memory
from scrcl_edu.workers.cost import seconds, workers_for
from scrcl_edu.workers.crew import Crew
from scrcl_edu.workers.ordering import cells_of_workers
from scrcl_edu.workers.splitting import Cut
from scrcl_edu.workers.training import train_together

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %%
method_map("13")

# %% [markdown]
# ## The question
#
# A million cells with two thousand genes are eight gigabytes before training has begun.
# Ten million do not fit into most machines, and so the cells are divided: some here, some there.
#
# There is a recipe for that, called data parallelism, and every deep learning library has it.
# Each machine computes the loss of its own cells and the [gradient](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gradient), the gradients are averaged, and everybody takes the same step.
# Thousands of models were trained like this.
# Is ours the same model, if we do?
#
# ## Some cells
#
# We take 700 blood cells, their counts of 765 genes, and the two graphs.
# Numbers are in double precision, so that "the same" can mean the same.

# %%
adata = datasets.load("pbmc68k_reduced")
counts = sp.csr_matrix(adata.layers["counts"], dtype=np.float32)
n_cells, n_genes = counts.shape
depth = np.asarray(counts.sum(axis=1))  # (n_cells, 1)
graph = cell_graph(sp.csr_matrix(counts.multiply(1e4 / depth)).log1p())
view = low_pass(counts, graph, 5)
inputs = Inputs.build(view, counts, graph, gene_graph(counts), dtype=torch.float64)


def new_model():
    torch.manual_seed(SEED)
    return ScRCL(n_cells, n_genes, n_hidden=64, out_dim=10, dropout=0.3).double()


print(f"{n_cells} cells, {n_genes} genes, {graph.nnz // 2} edges")

# %% [markdown]
# ## Two workers in one notebook
#
# `Crew` starts two more processes on this machine.
# They share nothing with the notebook or with each other: a function and a share of the data are sent to each, and what they return is sent back.
# Two machines would be no different, only further apart.
#
# What a worker runs gets a `team` as its first argument.
# `team.rank` is the worker's number, and `team.total(x)` adds up what all of them hand in, and gives everybody the sum.


# %%
def who(team, cells):
    number = team.total(torch.tensor(len(cells)))
    print(f"I hold {len(cells)} cells; together we hold {int(number)}.")


crew = Crew(2)
halves = np.array_split(np.arange(n_cells), 2)
done = crew.run(who, *[(mine,) for mine in halves])

# %% [markdown]
# Before they share anything, worker 0 trains for 20 [epochs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch) by itself, as you know it from lesson 07.
# Its encodings are those that we shall compute losses of, and its history is what any division will be held to.


# %%
def by_itself(team, model, inputs):
    if team.rank > 0:
        return None
    torch.manual_seed(SEED)
    history = train(model, inputs, epochs=20, learning_rate=1e-3)
    return history["total"], embed(model, inputs)


(by_one, outputs), _ = crew.run(by_itself, (new_model(), inputs), (None, None))
e1, e2 = outputs.e1.requires_grad_(), outputs.e2  # (n_cells, n_hidden)
whole = neighborhood_alignment(e1, e2, inputs.cell_graph)
whole.backward()
print(f"the neighborhood alignment of all cells is {whole.item():.4f}")

# %% [markdown]
# ## The usual way
#
# Each worker takes its cells, the part of the graph between them, and computes the loss as it stands in the package.
# Then loss and gradient are averaged.


# %%
def alone(team, e1, e2, graph):
    e1 = e1.clone().requires_grad_()
    loss = neighborhood_alignment(e1, e2, Graph(graph, dtype=torch.float64))
    loss.backward()
    return loss.item(), e1.grad / team.size


e1, gradient = e1.detach(), e1.grad
shares = [(e1[mine], e2[mine], graph[mine][:, mine]) for mine in halves]
answers = crew.run(alone, *shares)
averaged = np.mean([loss for loss, _ in answers])
pieces = torch.cat([piece for _, piece in answers])
off = float((pieces - gradient).norm() / gradient.norm())
claim(
    "The loss of all cells is {whole:.4f}, the average of the two workers' losses "
    "{averaged:.4f}, and the gradient is off by {off:.0%} of its length.",
    abs(averaged / whole.item() - 1) > 0.02 and off > 0.1,
    whole=whole.item(),
    averaged=averaged,
    off=off,
)

# %% [markdown]
# Nothing failed.
# There is no warning, the loss is a number of the usual size, and training with it would go down as usual.
# It is the training of another loss.
#
# Here is why, for eight of the cells.
# Each square is a pair, and the loss compares pairs: a cell with its neighbors, and with everyone else.

# %%
few = graph[0].indices[:8]
small = graph[few][:, few].toarray()
cut_edges = int(small[:4, 4:].sum())
draw_pairs(
    small,
    [0] * 4 + [1] * 4,
    alt="All pairs of eight cells as squares of a matrix, four cells to each worker. "
    "On the left, where each works alone, only the pairs within a worker are seen, and "
    f"{cut_edges} edges between the two are lost. On the right, together, every pair "
    "is seen by one of them: sums over all cells and rows across the cut were sent.",
)

# %%
predict("pairs_forgotten")

# %%
owner = np.arange(n_cells) * 8 // n_cells  # of eight workers
forgotten = np.mean(owner[:, None] != owner[None, :])
reveal("pairs_forgotten", forgotten)

# %%
claim(
    "Eight workers alone look at {seen:.0%} of the pairs.",
    forgotten > 0.8,
    seen=1 - forgotten,
)

# %% [markdown]
# Cross-entropy has no such trouble: its terms belong to single cells, and whoever holds a cell can compute its term.
# A loss that compares cells with each other is a different animal, and all contrastive losses are of this kind.
#
# ## What the others must tell
#
# Lesson 05 wrote the divergence of two cells as $D_{ij} = h^1_i + h^2_j - q^1_i \cdot L^2_j - L^1_i \cdot q^2_j$, and summed it over everyone without ever making a matrix of pairs:
#
# $$\sum_j D_{ij} = N h^1_i + \sum_j h^2_j - q^1_i \cdot \sum_j L^2_j - L^1_i \cdot \sum_j q^2_j .$$
#
# That was done for speed.
# Read it again with two machines in mind: of all the cells elsewhere, a worker needs *three sums*.
# Not the cells, not their encodings; two rows and a number, however many cells there are.
#
# For the neighbors it is the same with sums over a neighborhood, and there the rows of those neighbors are needed that another worker holds.
#
# ## Exercise 1: one worker's part
#
# Write what one worker adds to the loss of all.
# What it needs of others is there already: `near` holds sums over its cells' neighbors, wherever these are, and `sums` holds the three sums over all cells.


# %%
def part_of_loss(e1, e2, near, sums, n_cells):
    """What one worker adds to the neighborhood alignment of all cells, at
    temperature 0.1.

    Parameters
    ----------
    e1, e2
        Encodings of the cells at hand, shape (n_mine, n_hidden).
    near
        For the cells at hand, sums over their neighbors, wherever these are: of q2
        and of log_q2, shape (n_mine, n_hidden), of h2, and the number of neighbors,
        shape (n_mine,).
    sums
        Sums over *all* cells: of q2 and of log_q2, shape (n_hidden,), and of h2.
    n_cells
        Number of all cells.

    Returns
    -------
    A scalar; added up over the workers it is the loss: the mean over all cells of
    the mean divergence to the cell and its neighbors, over the mean divergence to
    all others.
    """
    log_q1, log_q2 = ((e / 0.1).log_softmax(1) for e in (e1, e2))
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(1), (q2 * log_q2).sum(1)
    near_q2, near_log_q2, near_h2, degree = near
    sum_q2, sum_log_q2, sum_h2 = sums
    own = h1 + h2 - (q1 * log_q2).sum(1) - (log_q1 * q2).sum(1)  # D_ii
    ### BEGIN SOLUTION
    to_near = degree * h1 + near_h2 + own
    to_near = to_near - (q1 * near_log_q2).sum(1) - (log_q1 * near_q2).sum(1)
    to_others = n_cells * h1 + sum_h2 - q1 @ sum_log_q2 - log_q1 @ sum_q2 - own
    ratio = (to_near / (degree + 1)) / (to_others / (n_cells - 1))
    return ratio.sum() / n_cells
    ### END SOLUTION


# %%
hint("part_of_loss")

# %%
part_of_loss = check("part_of_loss", part_of_loss).function

# %% [markdown]
# Now the two workers run it.
# `team.total` makes the three sums; `Cut` knows which rows cross between the two, and fetches them.
# Both remember what they did, so that gradients travel back the same ways: what was summed hands its gradient to everybody, and a row that was fetched sends its gradient home.


# %%
def by_sums(team, e1, e2, rows, bounds):
    e1 = e1.clone().requires_grad_()
    log_q2 = (e2 / 0.1).log_softmax(1)  # (n_mine, n_hidden)
    q2 = log_q2.exp()
    h2 = (q2 * log_q2).sum(1, keepdim=True)
    sums = [team.total(x.sum(0)) for x in (q2, log_q2, h2)]

    cut = Cut(rows, bounds, team)
    here = Graph(rows[:, cut.columns], dtype=torch.float64)
    near = [here @ cut.with_neighbors(x) for x in (q2, log_q2, h2)]

    near = near[0], near[1], near[2][:, 0], here.degrees
    sums = sums[0], sums[1], sums[2][0]
    loss = team.total(part_of_loss(e1, e2, near, sums, int(bounds[-1])))
    loss.backward()
    return loss.item(), e1.grad / team.size, sum(cut.n_sent)


bounds = np.array([0, len(halves[0]), n_cells])
answers = crew.run(
    by_sums, *[(e1[mine], e2[mine], graph[mine], bounds) for mine in halves]
)
pieces = torch.cat([piece for _, piece, _ in answers])
off = float((pieces - gradient).norm() / gradient.norm())
claim(
    "With three sums and the rows across the cut both workers find the loss of all "
    "cells, {loss:.4f}, to {digits:.0e}, and its gradient to {off:.0e}.",
    all(abs(loss / whole.item() - 1) < 1e-12 for loss, _, _ in answers) and off < 1e-10,
    loss=answers[0][0],
    digits=max(abs(loss / whole.item() - 1) for loss, _, _ in answers),
    off=off,
)

# %% [markdown]
# Why is the gradient divided by the number of workers?
# Both workers computed the loss of all, and both started a backward pass from it.
# What arrived at an encoding is the gradient of the *sum* of two equal losses.
#
# ## Exercise 2: a softmax over all cells
#
# The alignment of distributions (lesson 04) has a [softmax](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#softmax) over all cells, and a softmax divides by a sum of exponentials.
# Exponentials of large numbers overflow, so that everybody takes their largest value out first.
# But everybody's largest is another one.


# %%
def log_sum_exp_of_parts(largest, sums):
    """Logarithm of the sum of exp(x) over all cells, from two numbers of each worker.

    Parameters
    ----------
    largest
        The largest x of each worker, shape (n_workers,).
    sums
        Of each worker the sum of exp(x - its largest) over its cells, shape
        (n_workers,).

    Returns
    -------
    A number; right also where exp(x) would be too large for the computer.
    """
    ### BEGIN SOLUTION
    top = largest.max()
    return top + np.log((np.exp(largest - top) * sums).sum())
    ### END SOLUTION


# %%
hint("log_sum_exp_of_parts")

# %%
log_sum_exp_of_parts = check("log_sum_exp_of_parts", log_sum_exp_of_parts)


# %%
def two_numbers(team, x):
    return x.max(), np.exp(x - x.max()).sum()


logits = 1e5 * e1[:, 0].numpy()  # far too large for exp
numbers = np.array(crew.run(two_numbers, *[(logits[mine],) for mine in halves]))
together = float(log_sum_exp_of_parts(numbers[:, 0], numbers[:, 1]))
exact = float(torch.tensor(logits).logsumexp(0))
print("put together by a function that is", log_sum_exp_of_parts.whose)
claim(
    "From two numbers of each worker: {together:.2f}; from all cells: {exact:.2f}.",
    abs(together - exact) < 1e-6 * abs(exact),
    together=together,
    exact=exact,
)

# %% [markdown]
# ## A fault to find
#
# With equal halves a mean of means is the mean, and nobody notices anything.


# %%
def mean_of_workers_given(means, counts):
    there = means[counts > 0]
    return there.mean(axis=0)


even = mean_of_workers_given(np.array([[1.0], [3.0]]), np.array([50, 50]))
uneven = mean_of_workers_given(np.array([[1.0], [3.0]]), np.array([1, 99]))
claim(
    "Of 50 ones and 50 threes it says {even:.2f}, of 1 one and 99 threes {uneven:.2f}.",
    even[0] == 2 and uneven[0] == 2,
    even=even[0],
    uneven=uneven[0],
)


# %%
def mean_of_workers(means, counts):
    """Mean over all cells, from the workers' own means.

    Parameters
    ----------
    means
        Mean of each worker's cells, shape (n_workers, n_columns).
    counts
        Cells of each worker, shape (n_workers,).

    Returns
    -------
    Shape (n_columns,).
    """
    ### BEGIN SOLUTION
    return (means * counts[:, None]).sum(axis=0) / counts.sum()
    ### END SOLUTION


# %%
hint("mean_of_workers")

# %%
mean_of_workers = mend("mean_of_workers", mean_of_workers)

# %%
mended = mean_of_workers(np.array([[1.0], [3.0]]), np.array([1, 99]))
claim(
    "Mended, of 1 one and 99 threes it says {mended:.2f}.",
    abs(mended[0] - 2.98) < 1e-9,
    mended=mended[0],
)

# %% [markdown]
# Sums can be added without a thought; means, logarithms and losses cannot.
# So the package's losses say `cells.total(...)` where they sum over all cells.
# On one machine that gives back what it gets, and a reader sees the formula.
# On several it is the sum over the workers.
#
# ## Who holds which cells
#
# Sums are small however the cells are divided.
# The rows across the cut are not, and how many there are is up to us.


# %%
def rows_crossing(parts):
    """Rows that all workers send each other for one product with the graph."""
    pairs = [(a, b) for a in parts for b in parts if a is not b]
    return sum(np.count_nonzero(graph[a][:, b].getnnz(axis=1)) for a, b in pairs)


shuffled = np.random.default_rng(SEED).permutation(n_cells)
ways = {"at random": lambda n: np.array_split(shuffled, n)}
ways["along the graph"] = lambda n: cells_of_workers(graph, n)
crossing = pd.DataFrame(
    {name: [rows_crossing(way(n)) for n in (2, 4, 8)] for name, way in ways.items()},
    index=pd.Index([2, 4, 8], name="workers"),
)
crossing

# %%
claim(
    "For two workers, {along} rows cross where cells are divided along the graph, and "
    "{random} where they are divided at random.",
    crossing.loc[2, "along the graph"] < 0.5 * crossing.loc[2, "at random"],
    along=crossing.loc[2, "along the graph"],
    random=crossing.loc[2, "at random"],
)

# %% [markdown]
# And here is an irony: who averages losses should *not* divide them like this.

# %%
parts = cells_of_workers(graph, 2)
answers = crew.run(
    alone, *[(e1[mine], e2[mine], graph[mine][:, mine]) for mine in parts]
)
sorted_apart = np.mean([loss for loss, _ in answers])
pieces = torch.cat([piece for _, piece in answers])
off = float((pieces - gradient[np.concatenate(parts)]).norm() / gradient.norm())
claim(
    "Divided along the graph, the average of the two losses is {averaged:.4f} instead "
    "of {whole:.4f}, and the gradient is off by {off:.0%} of its length.",
    off > 0.5,
    averaged=sorted_apart,
    whole=whole.item(),
    off=off,
)

# %% [markdown]
# Few edges are lost that way, but each worker now holds cells of few types, and compares them with cells of the same few types alone.
# That happens without any graph as well, wherever each hospital keeps its own patients' cells.
# With sums it does not matter who holds what.
#
# "Along the graph" means: put the cells into an order in which neighbors are close, and cut the order into equal stretches.
# The package orders them by communities of the graph, and communities of communities; there are many other orders, and you will find one yourself.
#
# ## Training together
#
# What is left is small.
# The gene [encoder](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#encoder) has weights for each cell, which stay with the cell; all other weights are shared, and their gradients are summed.
# [Dropout](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#dropout) must not depend on who holds a cell, so that its random bits belong to the cell.
# `train_together` puts all this together; one worker leads, the other follows.


# %%
def trained(team, model, inputs, cells):
    if team.rank > 0:
        return team.follow()
    torch.manual_seed(SEED)
    settings = {"epochs": 20, "learning_rate": 1e-3}
    history, _ = train_together(team, model, inputs, cells=cells, **settings)
    team.dismiss()
    return history["total"], team.account


answers = crew.run(trained, (new_model(), inputs, parts), (None, None, None))
by_two, account = answers[0]
apart = np.abs(np.array(by_two) / by_one - 1).max()
claim(
    "After 20 epochs with dropout the loss has fallen from {first:.1f} to {last:.1f}, "
    "with two workers as with one alone above: they differ by {apart:.0e} at most.",
    apart < 1e-9 and by_two[-1] < by_two[0],
    first=by_two[0],
    last=by_two[-1],
    apart=apart,
)

# %% [markdown]
# From a terminal the same is one word longer than a fit in one process:
#
# ```
# torchrun --nproc-per-node 4 -m scrcl_edu fit my_counts.h5ad --out clustered.h5ad
# ```
#
# On several machines `torchrun` is started on each, with `--nnodes` and an address to meet at.
# If a worker dies, the run ends with one line, and the same command with `--resume` goes on from the [checkpoint](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#checkpoint), with any number of workers.
#
# ## What crosses
#
# The workers count what they send.

# %%
predict("what_crosses_most")

# %%
size = Problem(n_cells, n_genes, n_hidden=64, degree=graph.nnz / n_cells)
rows = crossing.loc[2, "along the graph"] / n_cells
weights = (
    8
    * 2
    * sum(
        value.numel()
        for name, value in new_model().named_parameters()
        if name != "gene_encoder.gcn.lin.weight"
    )
)
of_rows = 2 * (bytes_crossing(size, 2, rows) - bytes_crossing(size, 2, 0))
of_sums = 2 * bytes_crossing(size, 2, 0) - weights
sent = pd.Series(
    {
        "neighbors' rows": of_rows,
        "sums over cells": of_sums,
        "gradients of shared weights": weights,
    }
)
reveal("what_crosses_most", sent.idxmax())

# %%
claim(
    "In an epoch the two workers sent {counted:.2f} MB by their own count; the model "
    "says {model:.2f} MB: {rows:.2f} of rows, {sums:.2f} of sums, {weights:.2f} of "
    "gradients.",
    abs(sent.sum() / account["bytes_per_epoch"] - 1) < 0.001,
    counted=account["bytes_per_epoch"] / 1e6,
    model=sent.sum() / 1e6,
    rows=of_rows / 1e6,
    sums=of_sums / 1e6,
    weights=weights / 1e6,
)

# %% [markdown]
# ## A hundred million cells
#
# A model that counts bytes exactly may be asked about sizes that nobody here can run.
# Operations, memory and bytes follow from sizes; how long an operation takes was measured on one core (`benchmarks/workers.md`).
# From here on everything is *computed*.
# We assume machines of 32 cores that divide the work as one core does it, with 64 GB of memory and a network of ten gigabits a second, 2,000 genes, 256 [hidden units](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#hidden-unit), and that each cell's row is needed by two other machines.

# %%
predict("machines_for_1e8")

# %%
machine = dataclasses.replace(
    MEASURED,
    per_operation=MEASURED.per_operation / 32,
    per_entry=MEASURED.per_entry / 32,
    per_edge=MEASURED.per_edge / 32,
)
reveal("machines_for_1e8", workers_for(Problem(1e8), machine))

# %%
table = {}
for n in (1e6, 1e7, 1e8):
    size = Problem(n)
    needed = workers_for(size, machine, rows_per_cell=2.0)
    crossing_rows = 2.0 if needed > 1 else 0.0
    took = seconds(size, machine, needed, crossing_rows)
    table[f"{n:.0e}"] = {
        "machines": needed,
        "GB on each": memory(size, needed, crossing_rows) / 1e9,
        "computing, s": took["computing"],
        "rows, s": took["rows"],
        "sums, s": took["sums"],
        "epoch, s": took["total"],
    }
table = pd.DataFrame(table).T.rename_axis("cells")
table.round(2)

# %%
largest = table.loc["1e+08"]
claim(
    "A hundred million cells would take {machines:.0f} machines and {epoch:.0f} s an "
    "epoch, of which the sums take {sums:.1%} and the rows across the cut {rows:.0%}.",
    largest["sums, s"] < 0.05 * largest["epoch, s"] < largest["rows, s"],
    machines=largest["machines"],
    epoch=largest["epoch, s"],
    sums=largest["sums, s"] / largest["epoch, s"],
    rows=largest["rows, s"] / largest["epoch, s"],
)

# %% [markdown]
# Two things in this table are worth a second look.
# The sums, which make the loss right, cost next to nothing: they are as wide as a weight, however many cells there are.
# And the rows across the cut are what a better division of the cells would save.

# %%
slow = dataclasses.replace(machine, bandwidth=machine.bandwidth / 10)
needed = int(largest["machines"])
poor = seconds(Problem(1e8), slow, needed, 2.0)
good = seconds(Problem(1e8), slow, needed, 0.2)
claim(
    "With a network a tenth as fast an epoch would take {poor:.0f} s, and {good:.0f} s "
    "if only every fifth cell had a neighbor elsewhere.",
    poor["total"] > 1.5 * good["total"],
    poor=poor["total"],
    good=good["total"],
)

# %% [markdown]
# More machines divide the computing, and each still has to send the rows of its own cells.
# How far does that carry?

# %%
counts = needed * 2 ** np.arange(5)  # machines
fig, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
networks = {"1": "o-", "10": "s--", "100": "^-."}  # Gbit/s, and how they are drawn
for color, (speed, line) in zip(PALETTE, networks.items(), strict=False):
    wire = dataclasses.replace(machine, bandwidth=machine.bandwidth * float(speed) / 10)
    took = [seconds(Problem(1e8), wire, int(n), 2.0)["total"] for n in counts]
    axes.loglog(counts, took, line, color=color, label=f"{speed} Gbit/s")
alone = [seconds(Problem(1e8), machine, int(n), 2.0)["computing"] for n in counts]
axes.loglog(counts, alone, ":", color="black", label="computing alone")
axes.set(xlabel="machines", ylabel="seconds an epoch, computed")
axes.set_xticks(counts, [str(n) for n in counts], minor=False)
axes.minorticks_off()
axes.legend()
show(
    fig,
    alt="Seconds of an epoch over a hundred million cells against the number of "
    "machines, both axes logarithmic: a line for each of three networks, and a "
    "dotted one for the computing alone.",
)

# %%
few, many = (
    [seconds(Problem(1e8), one, int(n), 2.0)["total"] for n in counts[[0, -1]]]
    for one in (slow, machine)
)
claim(
    "Sixteen times as many machines are {slow:.1f} times as quick on the slow network "
    "and {fast:.1f} times on the other: the rows are divided as well, and only the "
    "sums are not.",
    12 < few[0] / few[1] <= 16 and 12 < many[0] / many[1] <= 16,
    slow=few[0] / few[1],
    fast=many[0] / many[1],
)

# %%
explain("why_averages_fail")

# %% [markdown]
# ## Transfer: divide a graph
#
# This graph is not of blood cells, and nobody tells you what it looks like.

# %%
transfer("divide_cells")


# %%
def divide_cells(graph, n_workers):
    """Worker of each cell, integers from 0, shape (n_cells,)."""
    ### BEGIN SOLUTION
    order = reverse_cuthill_mckee(graph.tocsr(), symmetric_mode=True)
    found = np.empty(len(order), dtype=int)
    found[order] = np.arange(len(order)) * n_workers // len(order)
    return found
    ### END SOLUTION


# %%
hint("divide_cells")

# %%
transfer("divide_cells", divide_cells)

# %%
crew.close()

# %% [markdown]
# ## Quiz

# %%
quiz("13")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - **Size.** The paper's largest set has 8,569 cells and fits a laptop; its matrices of all pairs would not divide. The linear form does, since its sums do.
# - **Exactness.** Common practice keeps contrastive losses within a machine and calls the forgotten pairs a smaller batch. That can work well, and it is another method: what comes out depends on the number of machines. Ours does not.
# - **What is not divided.** Reading, choosing genes, the number of clusters and [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) run once, on the first worker, and give exactly what one process gives. Beyond some ten million cells they would have to be divided as well.
#
# ## Summary
#
# - Data parallelism averages losses of parts; a loss that compares cells across parts is changed by it, silently.
# - Ask of a loss: what does it need of other cells? Here sums over all cells and the rows of neighbors.
# - Sums add; means, logarithms and softmaxes must be brought to sums first.
# - Divide along the graph: then little crosses.
# - Test it as you would test anything: the same loss, the same gradient, the same weights, to the last digits.
#
# **Next:** your own cells, as many as you have.
#
# **Further reading:** Li et al., *PyTorch Distributed: experiences on accelerating data parallel training*, VLDB 2020; Chen et al., *A simple framework for contrastive learning*, ICML 2020 (negatives across devices); Chiang et al., *Cluster-GCN*, KDD 2019 (graphs divided by communities).
