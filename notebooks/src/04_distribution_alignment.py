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
# # 04 Distribution alignment: pulling two views together
#
# [Open 04_distribution_alignment on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/04_distribution_alignment.ipynb) · [Open 04_distribution_alignment on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/04_distribution_alignment.ipynb)
#
# You build the loss that makes the two views of a cell agree, take it apart, and find out why it must not be left alone.
#
# | | |
# |---|---|
# | **You will be able to** | turn an encoding into a distribution and choose its temperature; compute a symmetric divergence; split a softmax over everything by the chain rule; show that alignment alone collapses, and argue why |
# | **You need** | PyTorch tensors; what the two views are ([lesson 03](03_encoders.ipynb)) |
# | **Time** | about 20 minutes to read, 45 to do; the cells run in well under a minute on two cores |
# | **Where it sits** | counts, two views, **alignment**, refinement, clusters |

# %%
import subprocess, sys

if "google.colab" in sys.modules:  # Colab lacks the package; elsewhere it is installed already
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from scrcl_edu import alignment, datasets, evaluation
from scrcl_edu.clustering import kmeans
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.encoders import unit_rows
from scrcl_edu.fitting import add_graphs, build
from scrcl_edu.plotting import PALETTE, embedding, show
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.recipes import recipe
from scrcl_edu.training import embed, train

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# ## The question
#
# The method looks at each cell twice.
# View 1 reads the cell's smoothed counts; view 2 is a graph network.
# Both give a row of numbers of length 1, called `e1` and `e2`.
# Preprocessing, graphs and [encoders](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#encoder) are those of lessons [01](01_preprocessing.ipynb), [02](02_graphs.ipynb) and [03](03_encoders.ipynb); nothing is trained yet.

# %%
adata = datasets.load("pbmc68k_reduced")
settings = recipe("robust")
preprocess(adata, n_top_genes=settings.n_top_genes)
features = encoder_features(adata, settings.features)  # (n_cells, n_genes)
add_graphs(adata, settings, features)
model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
start = embed(model, inputs)
e1, e2 = start.e1.clone(), start.e2.clone()  # each (n_cells, n_hidden)
print("each view:", tuple(e1.shape))

# %% [markdown]
# **Do the two views of one cell agree?**
# Both rows have length 1, so their product is the cosine of the angle between them: 1 when they agree, 0 when they have nothing in common.
# As a yardstick, compare view 1 of a cell with view 2 of *other* cells.

# %%
across = e1 @ e2.T  # (n_cells, n_cells), row: cell in view 1, column: cell in view 2
own = across.diagonal()  # (n_cells,)
others = across[~torch.eye(len(e1), dtype=torch.bool)]
difference = (own.mean() - others.mean()).abs().item()
print("own and others' mean cosines differ by less than 0.05:", difference < 0.05)


# %%
def own_and_others(e1, e2, axes, title):
    across = e1 @ e2.T
    off = ~torch.eye(len(e1), dtype=torch.bool)
    bins = np.linspace(0, 1, 51)
    axes.hist(across[off], bins=bins, density=True, color=PALETTE[1], alpha=0.6, label="another cell")
    axes.hist(across.diagonal(), bins=bins, density=True, histtype="step", lw=2, color=PALETTE[0], label="itself")
    axes.set(xlabel="cosine of view 1 and view 2", yticks=[], title=title, xlim=(0, 1))
    axes.legend(frameon=False, title="a cell and")


# %%
fig, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
own_and_others(e1, e2, axes, "Before training")
show(
    fig,
    alt="Two histograms of cosines that lie on top of each other: a cell's two views are no more alike than views of two "
    "different cells.",
)

# %% [markdown]
# Before training, the views of one cell are strangers.
# That is no surprise: hidden number 7 of view 1 and hidden number 7 of view 2 come from different random weights.
# To make them agree we need a number that says how much they disagree: a **loss**.
#
# ## From numbers to distributions
#
# The method compares *distributions*, so each row becomes one first.
# Take six cells with three hidden numbers, all rows of length 1.

# %%
small_1 = torch.tensor([[3, 4, 0], [4, 3, 0], [3, 4, 0], [0, 3, 4], [0, 4, 3], [0, 3, 4]]) / 5.0  # (6 cells, 3)
small_2 = torch.tensor([[4, 3, 0], [4, 3, 0], [3, 4, 0], [0, 3, 4], [0, 3, 4], [0, 4, 3]]) / 5.0
print("lengths:", small_1.norm(dim=1).tolist())
print("cells on which the views agree:", (small_1 == small_2).all(dim=1).sum().item(), "of 6")

# %% [markdown]
# The **[softmax](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#softmax)** with [temperature](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#temperature) $t$ takes $e^{x/t}$ of each number and divides by the sum.
# To compute by hand we choose $t$ so that $e^{1/(5t)} = 2$.
# Then $3/5$ becomes $2^3 = 8$, $4/5$ becomes $2^4 = 16$, and $0$ becomes $1$.
# The first cell of view 1 is $(8, 16, 1)/25$.

# %%
by_hand = 1 / (5 * math.log(2))  # the temperature that makes powers of two
powers = torch.exp(small_1 / by_hand)  # (6, 3)
q = powers / powers.sum(dim=1, keepdim=True)  # each row sums to 1
print("powers:", powers[0].round().int().tolist())
print("distribution:", [round(x, 2) for x in q[0].tolist()])

# %% [markdown]
# What we need most are the *logarithms* of these probabilities.
# Taking the softmax first and the logarithm afterwards fails when the temperature is small: the probability is rounded to 0, whose logarithm is minus infinity.
# `torch.log_softmax` does both steps at once and is safe.

# %%
cold = torch.tensor([[0.6, 0.8, 0.0]]) / 0.005
print("softmax, then log:", torch.softmax(cold, dim=1).log().tolist()[0][-1])
print("log_softmax:      ", round(torch.log_softmax(cold, dim=1).tolist()[0][-1]))

# %% [markdown]
# ## Exercise 1: log probabilities


# %%
def log_probabilities(e, temperature):
    """Turn each row of an encoding into the logarithm of a distribution.

    Parameters
    ----------
    e
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0. Smaller is sharper.

    Returns
    -------
    Logarithm of the row-wise softmax of e / temperature, shape (n_cells, n_hidden).
    """
    ### BEGIN SOLUTION
    return torch.log_softmax(e / temperature, dim=-1)
    ### END SOLUTION


# %%
hint("log_probabilities")

# %%
log_probabilities = check("log_probabilities", log_probabilities).function

# %%
log_q1, log_q2 = log_probabilities(small_1, by_hand), log_probabilities(small_2, by_hand)
print("rows sum to 1:", torch.allclose(log_q1.exp().sum(dim=1), torch.ones(6)))
print("same as by hand:", torch.allclose(log_q1.exp(), q))

# %% [markdown]
# ## Temperature: what does it change?
#
# Take one real cell and sort its hidden numbers by view 1.
# A low temperature puts all weight on a few numbers; a high one makes them all the same.


# %%
def draw(temperature):
    order = e1[0].argsort(descending=True)[:30]
    fig, axes = plt.subplots(figsize=(4, 3), layout="constrained")
    for view, e, color, marker in (("view 1", e1, PALETTE[0], "o"), ("view 2", e2, PALETTE[1], "s")):
        q = log_probabilities(e, temperature)[0].exp()
        axes.plot(q[order], marker, ms=4, color=color, label=view)
    axes.axhline(1 / e1.shape[1], color="gray", lw=1, ls=":", label="all equal")
    axes.set(title=f"temperature {temperature}", xlabel="hidden number, sorted", ylabel="probability", ylim=(0, None))
    axes.legend(frameon=False)
    return fig


slider(
    draw,
    alt="Probabilities of 30 hidden numbers of one cell in both views at temperature {temperature}",
    start={"temperature": 0.1},
    temperature=[0.01, 0.03, 0.1, 0.3, 1.0],
)


# %%
def numbers_in_use(e, temperature):
    log_q = log_probabilities(e, temperature)
    return (-(log_q.exp() * log_q).sum(dim=1)).exp().mean().item()  # e to the entropy


for temperature in (0.01, 0.03, 0.1, 0.3, 1.0):
    in_use = numbers_in_use(e1, temperature) / e1.shape[1]
    print(f"temperature {temperature}: a cell spreads its weight over about {in_use:.0%} of its hidden numbers")

# %% [markdown]
# The entries of a unit row are small when there are many, so that even 0.1 is a mild temperature here.
# The same $t$ is sharper for few hidden numbers than for many: a temperature is not a property of the data alone.

# %%
torch.manual_seed(SEED)
for width in (8, 64, 512):
    in_use = numbers_in_use(unit_rows(torch.rand(100, width)), 0.1) / width
    print(f"{width} random hidden numbers, temperature 0.1: {in_use:.0%} of them in use")

# %% [markdown]
# ## How different are two distributions?
#
# The **Kullback-Leibler divergence** weighs the difference of the logarithms by the first distribution:
#
# $$\mathrm{KL}(p_1 \| p_2) = \sum_k p_{1k} (\log p_{1k} - \log p_{2k})$$
#
# It is 0 when the two are equal, and positive otherwise.
# For our first cell, $(8, 16, 1)/25$ against $(16, 8, 1)/25$: the logarithms differ by $-\log 2$, $+\log 2$ and $0$.
# So the divergence is $(-8 + 16)/25 \cdot \log 2 = 0.32 \log 2$.

# %%
kl = (log_q1.exp() * (log_q1 - log_q2)).sum(dim=1)  # (6,)
print("KL of each cell, in units of log 2:", [round(x, 2) + 0.0 for x in (kl / math.log(2)).tolist()])

# %% [markdown]
# It is not symmetric: which distribution does the weighing matters.

# %%
even, uneven = torch.tensor([0.5, 0.5]), torch.tensor([0.9, 0.1])
print("KL(even || uneven):", round((even * (even / uneven).log()).sum().item(), 2))
print("KL(uneven || even):", round((uneven * (uneven / even).log()).sum().item(), 2))

# %% [markdown]
# Neither view is the truth, so the method adds both directions.
# In one line: $\sum_k (p_{1k} - p_{2k})(\log p_{1k} - \log p_{2k})$.
#
# ## Exercise 2: the global loss
#
# The method uses this divergence twice.
# First for the **whole matrix**: all entries of a view, of all cells, go into *one* softmax.


# %%
def symmetric_kl(e1, e2, temperature):
    """Symmetric divergence of two views whose softmax runs over all entries at once (the global alignment).

    Parameters
    ----------
    e1, e2
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0.

    Returns
    -------
    sum p1 (log p1 - log p2) + sum p2 (log p2 - log p1), a scalar tensor; p is a softmax over all n_cells * n_hidden
    entries of e / temperature.
    """
    ### BEGIN SOLUTION
    log_p1 = torch.log_softmax((e1 / temperature).flatten(), dim=0)  # (n_cells * n_hidden,)
    log_p2 = torch.log_softmax((e2 / temperature).flatten(), dim=0)
    return ((log_p1.exp() - log_p2.exp()) * (log_p1 - log_p2)).sum()
    ### END SOLUTION


# %%
hint("symmetric_kl")

# %%
symmetric_kl = check("symmetric_kl", symmetric_kl).function

# %% [markdown]
# By hand: each of the six rows has the powers 16, 8 and 1 in some order, so the sum over everything is 150.
# Three cells disagree, each by $2 \cdot 8 / 150 \cdot \log 2$ in the sum of both directions; together that is $0.32 \log 2$.

# %%
print("global, in units of log 2:", round(symmetric_kl(small_1, small_2, by_hand).item() / math.log(2), 2))

# %% [markdown]
# ## Exercise 3: the loss within cells
#
# Second, **cell by cell**: each row has a softmax of its own; the divergence is averaged over the cells, and over the two directions.


# %%
def cell_alignment(e1, e2, temperature):
    """Half the symmetric divergence between the two views of a cell, averaged over cells.

    Parameters
    ----------
    e1, e2
        Unit-row encodings, shape (n_cells, n_hidden).
    temperature
        > 0.

    Returns
    -------
    (mean_i KL(q1_i || q2_i) + mean_i KL(q2_i || q1_i)) / 2, a scalar tensor; q is the row-wise softmax.
    """
    ### BEGIN SOLUTION
    log_q1, log_q2 = log_probabilities(e1, temperature), log_probabilities(e2, temperature)
    both_ways = (log_q1.exp() - log_q2.exp()) * (log_q1 - log_q2)  # (n_cells, n_hidden)
    return both_ways.sum(dim=1).mean() / 2
    ### END SOLUTION


# %%
hint("cell_alignment")

# %%
cell_alignment = check("cell_alignment", cell_alignment).function

# %%
print("within cells, in units of log 2:", round(cell_alignment(small_1, small_2, by_hand).item() / math.log(2), 2))

# %% [markdown]
# The sum of the two is the **[distribution alignment](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#distribution-alignment)**.
# It equals the package's on real cells.

# %%
t = settings.temperature
mine = symmetric_kl(e1, e2, t) + cell_alignment(e1, e2, t)
package = alignment.distribution_alignment(e1, e2, temperature=t)
print("same number as the package:", torch.allclose(mine, package, rtol=1e-4))

# %% [markdown]
# ## The good form: one softmax over everything is two small ones
#
# On the six cells the global loss was exactly twice the loss within cells.
# Is that a coincidence?
#
# The probability of an entry in the softmax over everything is a product.
# First choose a cell $i$, with probability $w_i$; then choose a hidden number within it, with probability $q_{ih}$:
#
# $$p_{ih} = w_i \, q_{ih}, \qquad w_i = \frac{\sum_h e^{x_{ih}/t}}{\sum_{jh} e^{x_{jh}/t}}$$
#
# The logarithm of a product is a sum, and the divergence falls apart by the **chain rule**:
#
# $$\mathrm{KL}(p_1 \| p_2) = \mathrm{KL}(w_1 \| w_2) + \sum_i w_{1i} \, \mathrm{KL}(q_{1i} \| q_{2i})$$
#
# The global loss compares *how much weight each cell has*, and adds the losses within cells, weighted.
# On the six cells all rows had the same sum, 25; so all weights were $1/6$ and the first part was 0.
# Change one cell to $(0, 0, 1)$, whose powers are 1, 1 and 32, and the weights differ.

# %%
other_2 = small_2.clone()
other_2[5] = torch.tensor([0.0, 0.0, 1.0])
sums = (other_2 / by_hand).exp().sum(dim=1)  # (6,)
print("sums of the powers in view 2:", sums.round().int().tolist())


# %%
def global_by_chain_rule(e1, e2, temperature):
    log_w1, log_w2 = (torch.log_softmax(torch.logsumexp(e / temperature, dim=1), dim=0) for e in (e1, e2))  # (n_cells,)
    log_q1, log_q2 = log_probabilities(e1, temperature), log_probabilities(e2, temperature)  # (n_cells, n_hidden)
    kl12 = (log_q1.exp() * (log_q1 - log_q2)).sum(dim=1)  # (n_cells,)
    kl21 = (log_q2.exp() * (log_q2 - log_q1)).sum(dim=1)
    between = ((log_w1.exp() - log_w2.exp()) * (log_w1 - log_w2)).sum()
    within = (log_w1.exp() * kl12 + log_w2.exp() * kl21).sum()
    return between, within


between, within = global_by_chain_rule(small_1, other_2, by_hand)
print("between cells:", round(between.item(), 4), "| within cells, weighted:", round(within.item(), 4))
print("their sum is the global loss:", torch.allclose(between + within, symmetric_kl(small_1, other_2, by_hand)))

# %% [markdown]
# Same number; and the same [gradient](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gradient), which is what training follows.


# %%
def gradient(loss):
    a = e1.double().requires_grad_()
    loss(a, e2.double()).backward()
    return a.grad


naive = gradient(lambda a, b: symmetric_kl(a, b, t))
chain = gradient(lambda a, b: sum(global_by_chain_rule(a, b, t)))
ours = gradient(lambda a, b: alignment.global_alignment(a, b, temperature=t))
print("naive and chain rule, same gradient:", torch.allclose(naive, chain, rtol=1e-9, atol=1e-15))
print("naive and package, same gradient:", torch.allclose(naive, ours, rtol=1e-9, atol=1e-15))

# %% [markdown]
# The naive form needs all cells at once in one long vector.
# The chain-rule form needs of each cell only four numbers: two divergences, and a sum of powers for each view.
# So cells can be taken block by block, or be spread over several machines; that is how the package does it.
#
# ## What the chain rule tells us about the method
#
# Now look at the weights $w_i$ of real cells.
# All rows have length 1; how different can their sums of powers be?

# %%
parts = {}
for temperature in (0.01, 0.03, 0.1, 0.3, 1.0):
    between, within = global_by_chain_rule(e1, e2, temperature)
    ratio = (between + within) / cell_alignment(e1, e2, temperature)
    parts[temperature] = ((between / (between + within)).item(), ratio.item(), (between + within).item())
for temperature, (share, ratio, _) in parts.items():
    print(f"temperature {temperature}: {share:.0%} of it is between cells; it is {ratio:.1f} x the loss within cells")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for temperature, color, marker in ((0.03, PALETTE[1], "s"), (settings.temperature, PALETTE[0], "o")):
    w1, w2 = (torch.softmax(torch.logsumexp(e / temperature, dim=1), dim=0) * len(e) for e in (e1, e2))
    left.scatter(w1, w2, s=8, color=color, marker=marker, label=f"t = {temperature}", alpha=0.6)
left.set(xlabel="weight in view 1, 1 = average", ylabel="weight in view 2", title="How much a cell counts")
left.legend(frameon=False)
right.loglog(list(parts), [loss for _, _, loss in parts.values()], "o-", color=PALETTE[0], label="global loss")
right.loglog([0.1, 1], [parts[0.1][2], parts[0.1][2] / 100], ":", color="gray", label="slope of 1 / t²")
right.set(xlabel="temperature", title="The loss shrinks with the temperature")
right.legend(frameon=False)
show(
    fig,
    alt="Left: weights of the cells in view 2 against view 1; at the recipe's temperature all lie at 1, at a lower one "
    "they spread. Right: the global loss by temperature on logarithmic axes, a falling line that follows one over t squared.",
)

# %% [markdown]
# Two findings, for you to judge.
#
# **The global loss is nearly the cell loss, twice.**
# At the recipe's temperature every cell has almost the same weight, so the between-cell part vanishes, and what is left is the mean over cells again.
# The method presents two levels of alignment; on [unit rows](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#unit-rows) at this temperature they are one level, counted three times.
# Only at a much lower temperature does the global softmax say something of its own.

# %%
directions = [naive, gradient(lambda a, b: cell_alignment(a, b, t))]
cosine = torch.nn.functional.cosine_similarity(*[d.flatten() for d in directions], dim=0)
print("cosine of the two gradients above 0.999:", bool(cosine > 0.999))

# %% [markdown]
# **The temperature is also a weight.**
# For high $t$ the divergence becomes a squared distance divided by $t^2$, so ten times the temperature makes the loss a hundred times smaller beside the other losses.
# Who compares two temperatures compares two weights as well.

# %%
gap = e1 - e2
squared = (gap - gap.mean(dim=1, keepdim=True)).square().mean(dim=1).mean()  # a softmax ignores what is added to a row
for temperature in (1.0, 10.0):
    scaled = 2 * temperature**2 * cell_alignment(e1.double(), e2.double(), temperature)
    print(f"temperature {temperature}: 2 t² x the loss within cells, over the distance: {scaled / squared:.2f}")

# %% [markdown]
# ## Alignment alone
#
# Train the encoders with this loss and nothing else.
# To see in seconds what takes longer at the recipe's learning rate, we take a larger one.
# After each [epoch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch) we write down how similar *different* cells are within view 1.


# %%
def mean_cosine(e):
    similar = e @ e.T
    return ((similar.sum() - similar.trace()) / (len(e) * (len(e) - 1))).item()


def train_and_watch(weight_decay=settings.weight_decay, **weights):
    model, inputs = build(adata, settings.with_(**weights), features, n_clusters=10, seed=SEED)
    similar = [mean_cosine(e1)]

    def watch(epoch, losses):
        similar.append(mean_cosine(embed(model, inputs).e1))

    epochs = 40 if PROFILE == "fast" else 300
    history = train(model, inputs, epochs=epochs, learning_rate=1e-3, weight_decay=weight_decay, on_epoch=watch)
    return embed(model, inputs), history["distribution"], similar


# %%
alone, loss_alone, similar_alone = train_and_watch(weight_neighborhood=0.0, weight_consistency=0.0)
print("the loss fell to less than a tenth:", loss_alone[-1] < loss_alone[0] / 10)
print("a cell's two views agree, cosine above 0.9:", bool((alone.e1 * alone.e2).sum(dim=1).mean() > 0.9))

# %% [markdown]
# By its own measure this is a success: the loss falls, the views agree.
# Now draw the picture of the beginning again, and add a run with the loss of [lesson 05](05_neighborhood_alignment.ipynb) beside it.

# %%
held, loss_held, similar_held = train_and_watch(weight_consistency=0.0)
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
own_and_others(alone.e1, alone.e2, left, "Alignment alone")
own_and_others(held.e1, held.e2, middle, "With neighborhood alignment")
right.plot(similar_alone, color=PALETTE[4], label="alignment alone")
right.plot(similar_held, "--", color=PALETTE[0], label="with neighborhood alignment")
right.set(xlabel="epoch", ylim=(0, 1.02), title="Mean cosine of different cells, view 1")
right.legend(frameon=False, loc="lower left")
show(
    fig,
    alt="Left: with alignment alone all cosines, own and others', stand in one spike at 1. Middle: with the neighborhood "
    "loss own cosines are near 1 and others' spread over the whole range. Right: mean cosine of different cells by epoch; "
    "alone it rises to 1, with the neighborhood loss it falls.",
)

# %%
print("alone, different cells are alike, mean cosine above 0.95:", mean_cosine(alone.e1) > 0.95)
print("with neighborhoods they stay apart, mean cosine below 0.8:", mean_cosine(held.e1) < 0.8)

# %% [markdown]
# **Alignment alone [collapses](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#collapse)**: every cell becomes alike, and each agrees with itself because all agree with all.
#
# ## Why? Three suspects
#
# **Suspect 1: the loss allows it.**
# Give all cells the same encoding, in both views.

# %%
constant = unit_rows(torch.ones_like(e1))
print("loss of the constant:", round(alignment.distribution_alignment(constant, constant, temperature=t).item(), 6))
print("loss of two equal copies of view 1:", round(alignment.distribution_alignment(e1, e1, temperature=t).item(), 6))

# %% [markdown]
# The loss is 0 for the constant, but it is 0 for *any* two equal views as well.
# Nothing in it punishes the collapse; nothing in it rewards the collapse either.
# So this is an open door, not a push.
#
# **Suspect 2: the loss pushes cells together.**
# Leave the networks away: let every entry of `e1` and `e2` be free, and follow the gradient.

# %%
free_1, free_2 = e1.clone().requires_grad_(), e2.clone().requires_grad_()
optimizer = torch.optim.SGD([free_1, free_2], lr=100.0)
for _ in range(60):
    optimizer.zero_grad()
    loss_free = alignment.distribution_alignment(unit_rows(free_1), unit_rows(free_2), temperature=t)
    loss_free.backward()
    optimizer.step()
print("views agree, loss below 0.001:", bool(loss_free < 1e-3))

# %%
free, halfway = mean_cosine(unit_rows(free_1.detach())), mean_cosine(unit_rows(e1 + e2))
print("free cells are as unlike as points halfway between, to 0.05:", abs(free - halfway) < 0.05)
print("with networks they are more alike, by more than 0.1:", similar_alone[-1] > free + 0.1)

# %% [markdown]
# Free encodings meet about halfway between where they began, and different cells stay different.
# The loss itself does not collapse them.
#
# **Suspect 3: [weight decay](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#weight-decay).**
# The recipe shrinks all weights a little in each step, which might pull every cell to the same point.
# Switch it off.

# %%
_, _, similar_no_decay = train_and_watch(weight_decay=0.0, weight_neighborhood=0.0, weight_consistency=0.0)
print("it collapses without weight decay, too, mean cosine above 0.95:", similar_no_decay[-1] > 0.95)

# %% [markdown]
# Not guilty either.
# What is left are the **shared weights**: all cells go through the same layer, and a step that helps one cell moves all.
# The gaps between the views are the errors to be removed.
# How much of them do all cells have in common?

# %%
common = gap.mean(dim=0)  # (n_hidden,), the same for all cells
share_common = (common.square().sum() / gap.square().sum(dim=1).mean()).item()
print("more than half of the squared gap is common to all cells:", share_common > 0.5)

# %%
fig, axes = plt.subplots(figsize=(6, 3), layout="constrained")
order = common.argsort()
rows = gap[:: max(1, len(gap) // 120)][:, order]
image = axes.imshow(rows, cmap="PuOr", vmin=-0.2, vmax=0.2, aspect="auto", interpolation="nearest")
axes.set(
    xlabel="hidden number, sorted by the mean gap", ylabel="cells", title="Gap of the views, e1 - e2, at the start"
)
fig.colorbar(image, ax=axes)
show(
    fig,
    alt="A picture of the gaps between the views, cells by hidden numbers: vertical stripes, because most cells have nearly "
    "the same gap in the same hidden number.",
)

# %% [markdown]
# The picture has vertical stripes: the gap is mostly the same for every cell.
# The quickest way to close it is a step that is the same for every cell, and such steps add a common part to all encodings.
# After scaling to length 1, the common part is all that can be seen.
# **The loss leaves the door open, and the shared layers walk through it.**
#
# ## How bad is it? An honest look
#
# "Collapse" sounds as if nothing were left.
# Cluster what is left, and see.

# %%
labels = adata.obs["label"].to_numpy()
found = {
    name: kmeans(np.hstack([e.e1, e.e2]), 10, seed=SEED)
    for name, e in {"not trained": start, "alignment alone": alone, "with neighborhoods": held}.items()
}

# %% tags=["nbval-ignore-output"]
pd.DataFrame({name: evaluation.scores(labels, clusters) for name, clusters in found.items()}).T.round(2)

# %%
spread = {"not trained": start, "alignment alone": alone}
spread = {name: (e.e1 - e.e1.mean(dim=0)).square().sum(dim=1).mean().item() for name, e in spread.items()}
print("the spread fell to less than a tenth:", spread["alignment alone"] < spread["not trained"] / 10)
print("what is left still clusters, ARI above 0.3:", evaluation.ari(labels, found["alignment alone"]) > 0.3)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
embedding(alone.e1.numpy(), labels, title="Alignment alone: axes fit the cells", axes=axes[0], names=False)
axes[0].get_legend().remove()
embedding(alone.e1.numpy(), labels, title="The same, on the scale before training", axes=axes[1], names=False)
centered = e1 - e1.mean(dim=0)
reach = (centered @ torch.linalg.svd(centered, full_matrices=False)[2][0]).abs().max().item()
axes[1].set(xlim=(-reach, reach), ylim=(-reach, reach))
show(
    fig,
    alt="The collapsed cells twice. Left, enlarged, the types can still be told apart. Right, on the scale that the cells "
    "had before training, they are one small clump.",
)

# %% [markdown]
# The cells have shrunk to a clump, but under a magnifying glass their order is still there, and [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) brings a magnifying glass: it does not care about scale.
# So a collapse in *size* comes first.
# It does harm later: when the differences get lost in the digits of a 32-bit number, and when a loss that looks at absolute similarity follows, as the one in [lesson 06](06_gene_refinement.ipynb) does.
# A score alone would not have shown you any of this: compare the rows of the table, and the collapsed cells do not even score worst.
# Whether holding cells apart makes better *clusters* is another question, which [lesson 07](07_training.ipynb) asks over several [seeds](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed).
# Try `PROFILE = "full"`, which trains longer.
#
# ## Quiz

# %%
quiz("04")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - The method adds the two levels, global and within cells, and calls the sum distribution alignment; so do we, with the same value and gradient.
#   The global level adds its two directions, the level within cells takes half their sum.
# - The reference implementation computes the softmax over all entries of a view.
#   We use the chain rule, which is exact and works block by block.
# - **Hard to justify:** at the recipe's temperature the global level repeats the level within cells, as you have measured.
#   We keep it, because this course teaches the published method; a weight of three on the cell level would do nearly the same.
# - **Hard to justify:** hidden numbers have no meaning of their own, so reading a unit row as a distribution over them is a convention.
#   A squared distance would be the simpler choice, and for high temperatures it is what the loss becomes.
#
# ## Summary
#
# - A softmax with a temperature turns a row into a distribution; logarithms are taken in the same step.
# - The symmetric divergence says how much two views disagree; it is 0 when they are equal.
# - The softmax over everything is a softmax over cells times one within each cell; its divergence splits by the chain rule.
# - Alignment alone collapses: the loss allows it, and shared weights make it the quickest way.
#
# **Next:** [05 Neighborhood alignment](05_neighborhood_alignment.ipynb) keeps the cells apart.
#
# **Further reading:** Peng et al., arXiv 2512.10640; Wang and Isola, *Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere*, ICML 2020; Chen and He, *Exploring Simple Siamese Representation Learning*, CVPR 2021.
