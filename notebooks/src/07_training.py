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
# # 07 Training: what each loss does, and what it is worth
#
# [Open 07_training on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/07_training.ipynb) · [Open 07_training on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/07_training.ipynb)
#
# You write the training loop, switch off each loss in turn, and stop a run in the middle without losing a bit of it.
#
# | | |
# |---|---|
# | **You will be able to** | write a training step and say what each line is for; weigh losses and see which one drives; judge an ablation over seeds; resume a run bit for bit |
# | **You need** | [lesson 03](03_encoders.ipynb) to [06](06_gene_refinement.ipynb) in outline: two views, three losses |
# | **Time** | about 15 minutes to read, 35 to do; the cells run in about half a minute on two quiet cores |
# | **Where it sits** | between the losses and the clusters: the loop that moves the weights |

# %%
import subprocess, sys

if "google.colab" in sys.modules:  # Colab lacks the package; elsewhere it is installed already
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

# %%
import contextlib
import copy
import signal
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from scrcl_edu import datasets, evaluation, training
from scrcl_edu.clustering import kmeans
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.errors import CheckpointError
from scrcl_edu.fitting import add_graphs, build
from scrcl_edu.model import Inputs, ScRCL
from scrcl_edu.plotting import embedding, group_style, losses, show
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.recipes import recipe

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# ## The question
#
# The [encoders](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#encoder) start with random weights.
# [Lesson 03](03_encoders.ipynb) showed that clusters come out even so: the graph has smoothed the counts already.
# So what does training add?
# To answer it we need a run that we control, with every loss on a switch.
#
# Settings are those of the recipe `robust`, made narrower and shorter so that many runs fit into a lesson; the learning rate is raised in turn, so that the few [epochs](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch) get somewhere.
# With `PROFILE = "full"` they are the recipe's own.

# %%
settings = recipe("robust")
if PROFILE == "fast":
    settings = settings.with_(n_hidden=96, epochs=min(25, settings.epochs), learning_rate=5 * settings.learning_rate)
adata = datasets.load("pbmc68k_reduced")
preprocess(adata, n_top_genes=settings.n_top_genes, flavor=settings.hvg_flavor)
features = encoder_features(adata, settings.features)  # (n_cells, n_genes)
add_graphs(adata, settings, features, seed=SEED)
print("features:", features.shape, "| width:", settings.n_hidden, "| epochs:", settings.epochs)

# %% [markdown]
# `build` draws the first weights from a [seed](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed) and puts together what stays the same in every epoch: the filtered features and the graphs.
# Two seeds are two models; what they have in common is the method.

# %%
model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
before = training.embed(model, inputs)  # e1, e2: (n_cells, n_hidden); z1, z2: (n_cells, 10)
weights = {name: part.numel() for name, part in model.named_parameters()}
print("refined view:", tuple(before.z1.shape), "| parameters:", sum(weights.values()))
cosine = before.e1 @ before.e2.T  # (n_cells, n_cells): view 1 of a cell against view 2 of each cell
own, others = cosine.diagonal().mean().item(), cosine.mean().item()
print("its own other view is closer than that of any cell, by more than 0.1:", own > others + 0.1)

# %% [markdown]
# Two encoders that know nothing of each other give two directions to one cell: view 1 of a cell says nothing about its view 2.
# Training has to bring the two together, without bringing *all* cells together.
#
# ## Small numbers: one weight
#
# Before a million weights, one.
# Its loss is $(w - 3)^2$, it starts at $w = 1$, so the [gradient](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#gradient) is $2 (1 - 3) = -4$.

# %%
w = torch.tensor(1.0, requires_grad=True)
((w - 3) ** 2).backward()
print("gradient:", w.grad.item())
((w - 3) ** 2).backward()
print("after a second backward, w not moved:", w.grad.item())

# %% [markdown]
# The second number is the first trap of every loop: torch **adds** gradients up until told to clear them.
#
# Plain gradient descent moves by the gradient times the learning rate.
# **Adam** divides the gradient by a running mean of its size, so that its first step is the learning rate itself, whatever the size of the gradient.
# The method uses Adam with *[weight decay](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#weight-decay)*: a small multiple of each weight is added to its gradient, which pulls unused weights to zero.
# Here it is in plain Python, for one weight.


# %%
def adam_by_hand(w, n_steps, rate=0.1, decay=0.1):
    mean, square, path = 0.0, 0.0, []
    for step in range(1, n_steps + 1):
        gradient = 2 * (w - 3) + decay * w  # the loss, and the pull to zero
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        size = (square / (1 - 0.999**step)) ** 0.5 + 1e-8  # both means start at zero, and are corrected for it
        w = w - rate * mean / (1 - 0.9**step) / size
        path.append(w)
    return path


print("by hand:", np.round(adam_by_hand(1.0, 4), 3))

# %% [markdown]
# The same with torch's [optimizer](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#optimizer), in the four lines that every training step has.

# %%
w = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
optimizer, path = torch.optim.Adam([w], lr=0.1, weight_decay=0.1), []
for _ in range(4):
    optimizer.zero_grad()
    ((w - 3) ** 2).backward()
    optimizer.step()
    path.append(w.item())
print("torch:  ", np.round(path, 3))
print("same numbers:", np.allclose(path, adam_by_hand(1.0, 4)))

# %% [markdown]
# ## Six cells and three genes
#
# Now the whole model on the smallest data: six cells in two groups, three genes.

# %%
small = np.array([[4, 0, 2], [8, 1, 4], [2, 0, 1], [0, 5, 2], [1, 9, 5], [0, 3, 1]], dtype=float)  # (6, 3)
cell_graph = sp.csr_matrix(np.kron(np.eye(2), 1 - np.eye(3)))  # (6, 6): three cells in each group, all connected
gene_graph = sp.csr_matrix(np.eye(3))  # (3, 3): each gene alone
tiny_inputs = Inputs.build(small, small, cell_graph, gene_graph)


def tiny(seed):
    torch.manual_seed(seed)
    return ScRCL(6, 3, n_hidden=4, out_dim=2)


for name, part in tiny(SEED).named_children():
    print(f"{name:12}", sum(p.numel() for p in part.parameters()), "parameters")

# %% [markdown]
# By hand: view 1 is a matrix of 3 genes by 4 hidden numbers and 4 biases, 16 parameters.
# The gene encoder has 6 cells by 2 programs and 2 biases, 14 parameters.
# Its input width is the **number of cells**.
# So a trained model belongs to these six cells: it cannot be handed a seventh, and a new sample means a new training.
# This is how the method is made, and a good reason not to rely on anything that was tuned on other cells.
#
# ## Exercise 1: a training step
#
# Five things, in order: training mode ([dropout](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#dropout) on), clear the gradients, loss, backward, move.
# In the published code the labels are in reach of the loop, and so they are here.
# What are they for?


# %%
def training_step(model, optimizer, inputs, labels):
    """One training step: the model in training mode, the total loss, its gradient, one move of the optimizer.

    Parameters
    ----------
    model
        ``model(inputs)`` gives outputs; ``model.losses(outputs, inputs).total`` is the loss.
    optimizer
        Holds the model's parameters; they are changed in place.
    inputs
        What the model reads.
    labels
        True class of each cell.

    Returns
    -------
    The total loss before the move, a number.
    """
    ### BEGIN SOLUTION
    model.train()
    optimizer.zero_grad()
    loss = model.losses(model(inputs), inputs).total
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %%
hint("training_step")

# %%
training_step = check("training_step", training_step).function

# %% [markdown]
# Your step and the package's, side by side on the six cells: the same losses, the same weights.

# %%
mine, theirs = tiny(SEED), tiny(SEED)
optimizers = [training.adam(part, learning_rate=0.01, weight_decay=0.1) for part in (mine, theirs)]
torch.manual_seed(SEED)  # dropout draws
by_me = [training_step(mine, optimizers[0], tiny_inputs, None) for _ in range(20)]
torch.manual_seed(SEED)
by_them = [training.step(theirs, tiny_inputs, optimizers[1])["total"] for _ in range(20)]
print("same losses:", np.allclose(by_me, by_them), "| the loss fell:", by_me[-1] < by_me[0])
equal = [torch.allclose(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True)]
print("same weights:", all(equal), "in", len(equal), "tensors")

# %% [markdown]
# Leave out `zero_grad` and nothing crashes; that is what makes it a trap.

# %%
forgetful = tiny(SEED)
optimizer = training.adam(forgetful, learning_rate=0.01, weight_decay=0.1)
torch.manual_seed(SEED)
forgot = []
for _ in range(20):
    total = forgetful.losses(forgetful(tiny_inputs), tiny_inputs).total
    total.backward()  # on top of all gradients before
    optimizer.step()
    forgot.append(total.item())
print("first loss is the same:", np.isclose(forgot[0], by_me[0]), "| last is:", np.isclose(forgot[-1], by_me[-1]))

# %% [markdown]
# ## Exercise 2: three losses, two weights
#
# The [distribution alignment](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#distribution-alignment) ([lesson 04](04_distribution_alignment.ipynb)) enters as it is.
# The [neighborhood alignment](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#neighborhood-alignment) ([lesson 05](05_neighborhood_alignment.ipynb)) has a weight, and so has the consistency ([lesson 06](06_gene_refinement.ipynb)); the paper calls them $\lambda_1$ and $\lambda_2$.


# %%
def total_loss(distribution, neighborhood, consistency, weight_neighborhood, weight_consistency):
    """The three losses put together, as the paper weighs them.

    Parameters
    ----------
    distribution, neighborhood, consistency
        The losses.
    weight_neighborhood, weight_consistency
        lambda1 and lambda2.

    Returns
    -------
    Their weighted sum; the distribution alignment has weight 1.
    """
    ### BEGIN SOLUTION
    return distribution + weight_neighborhood * neighborhood + weight_consistency * consistency
    ### END SOLUTION


# %%
hint("total_loss")

# %%
total_loss = check("total_loss", total_loss).function

# %%
parts = model.losses(model(inputs), inputs)
by_hand = total_loss(*parts[:3], settings.weight_neighborhood, settings.weight_consistency)
print("same as the package's total:", torch.allclose(by_hand, parts.total))

# %% [markdown]
# ## Who drives?
#
# A weight alone does not say how much a loss matters.
# What moves the weights is the *gradient*, so take the length of each weighted loss's gradient before the first step.


# %%
def length_of_gradient(loss, model):
    gradients = torch.autograd.grad(loss, model.parameters(), retain_graph=True, allow_unused=True)
    return torch.sqrt(sum((g**2).sum() for g in gradients if g is not None)).item()


factors = (1.0, settings.weight_neighborhood, settings.weight_consistency)
names = ("distribution", "neighborhood", "consistency")
lengths = {n: length_of_gradient(f * loss, model) for n, f, loss in zip(names, factors, parts[:3], strict=True)}
share = lengths["neighborhood"] / sum(lengths.values())
print("the neighborhood loss has more than half of it:", share > 0.5)

# %% tags=["nbval-ignore-output"]
first = {"loss": [p.item() for p in parts[:3]], "weight": factors, "gradient": list(lengths.values())}
pd.DataFrame(first, index=list(names)).round(2)

# %% [markdown]
# With the recipe's weights one loss holds the wheel.
# That is a prediction: switching off one of the others should change little.
# An ablation will tell.
#
# ## The loop, with a switch for each loss
#
# Here is the whole of training, written out.
# `switches` multiplies the three losses: `(1, 1, 1)` is the method, `(0, 1, 1)` has no distribution alignment.


# %%
def run(seed, switches=(1, 1, 1), weight_neighborhood=settings.weight_neighborhood, moments=()):
    model, inputs = build(adata, settings, features, n_clusters=10, seed=seed)
    optimizer = training.adam(model, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay)
    history, seen = {name: [] for name in names}, {0: training.embed(model, inputs)}
    for epoch in range(1, settings.epochs + 1):
        model.train()
        optimizer.zero_grad()
        parts = model.losses(model(inputs), inputs)[:3]
        switched = [switch * part for switch, part in zip(switches, parts, strict=True)]
        total_loss(*switched, weight_neighborhood, settings.weight_consistency).backward()
        optimizer.step()
        for name, part in zip(names, parts, strict=True):
            history[name].append(part.item())
        if epoch in moments or epoch == settings.epochs:
            seen[epoch] = training.embed(model, inputs)
    return history, seen


# %%
moments = (3, 10, settings.epochs)
history, seen = run(SEED, moments=moments)
check_model, check_inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
rate = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
theirs = training.train(check_model, check_inputs, epochs=5, **rate)
print("same losses as the package's train():", all(np.allclose(history[n][:5], theirs[n], rtol=1e-3) for n in names))

# %%
show(
    losses(history, title="The three losses by epoch"),
    alt="Three curves over the epochs as a share of their first value: distribution, neighborhood and consistency. All "
    "end lower than they began; the neighborhood loss falls smoothly.",
)
print("the neighborhood loss fell below half:", history["neighborhood"][-1] < 0.5 * history["neighborhood"][0])
agreement = [(seen[epoch].e1 * seen[epoch].e2).sum(1).mean().item() for epoch in sorted(seen)]
print("the two views agree more with each look:", bool(np.all(np.diff(agreement) > 0)))

# %% [markdown]
# The neighborhood loss is a ratio: 1 means that neighbors are no closer than everyone else.
# It starts near 1 and falls, and the two views of a cell grow together.
# Does one see it in the cells?


# %%
def refined(outputs):
    return np.hstack([outputs.z1, outputs.z2])  # (n_cells, 20)


labels = adata.obs["label"].to_numpy()
fig, axes = plt.subplots(1, len(seen), figsize=(14, 3.2), layout="constrained")
for place, epoch in zip(axes, sorted(seen), strict=True):
    embedding(refined(seen[epoch]), labels, title=f"after {epoch} epochs", axes=place, names=False)
    if epoch < settings.epochs:
        place.get_legend().remove()
show(
    fig,
    alt="The refined cells in two dimensions at four moments of training, colored by type. Monocytes, B cells and T cells "
    "lie apart from the start; training pulls the groups into tighter arms.",
)

# %% [markdown]
# The colors are the experts' labels, used for the picture only.
# Look at the first panel: before any training the big groups are there.
# Whoever shows only the last panel sells the preprocessing as the method.
#
# ## Switch off each loss in turn
#
# Papers print such a table with one number in each row.
# One number hides the scatter, so here every row is run with three seeds, and the untrained model stands beside it.
# The clusters come from [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) with the lowest inertia; the labels judge them at the end.

# %%
switched = {
    "all three": (1, 1, 1),
    "no distribution": (0, 1, 1),
    "no neighborhood": (1, 0, 1),
    "no consistency": (1, 1, 0),
}
seeds = (SEED, SEED + 1, SEED + 2)
final = {(row, seed): run(seed, switches)[1] for row, switches in switched.items() for seed in seeds}
last = {key: outputs[settings.epochs] for key, outputs in final.items()}
last |= {("not trained", seed): final["all three", seed][0] for seed in seeds}
print("trained models:", len(final), "| with the untrained ones:", len(last))


# %%
def judge(values):
    clusters = kmeans(values, 10, n_starts=10, seed=SEED)
    return {name: getattr(evaluation, name)(labels, clusters) for name in ("accuracy", "nmi")}


rows = [
    {"model": row, "seed": seed, "embedding": name} | judge(values)
    for (row, seed), out in last.items()
    for name, values in {"refined z": refined(out), "encoded e": np.hstack([out.e1, out.e2])}.items()
]
table = pd.DataFrame(rows)
print("scores:", table.shape[0], "| all between 0 and 1:", bool(table[["accuracy", "nmi"]].stack().between(0, 1).all()))

# %% tags=["nbval-ignore-output"]
table.groupby(["embedding", "model"], sort=False)[["accuracy", "nmi"]].agg(["mean", "std"]).round(2)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True, layout="constrained")
for place, (name, part) in zip(axes, table.groupby("embedding", sort=False), strict=True):
    for number, (_, values) in enumerate(part.groupby("model", sort=False)["nmi"]):
        place.scatter(values, [number] * len(values), s=40, **group_style(number))
        place.plot([values.mean()] * 2, [number - 0.3, number + 0.3], color="black")
    place.set(title=f"clusters of {name}", xlabel="NMI, one point per seed; the line is the mean")
    place.set_yticks(range(len(last) // len(seeds)), list(part["model"].unique()))
axes[0].invert_yaxis()
show(
    fig,
    alt="NMI of five models, three seeds each, for the refined and for the encoded cells. The points of the rows overlap "
    "widely; on the encoded cells even the untrained model lies among the trained ones.",
)

# %% [markdown]
# How large is the effect of a loss beside the scatter of the seeds?
# Compare two numbers: how far the means of the rows lie apart, and how far single seeds scatter within a row.

# %%
means = table.groupby(["embedding", "model"])["nmi"].mean().unstack()  # (2 embeddings, 5 models)
effect = means.drop(columns="all three").sub(means["all three"], axis=0).abs()
scatter = table.groupby(["embedding", "model"])["nmi"].std()
print("no row differs from all three losses by 0.1 NMI or more:", bool((effect < 0.1).all(axis=None)))
resolved = 2 * scatter.mean() * (2 / 3) ** 0.5  # two standard errors of the difference of two means of three
print("three seeds resolve a difference of 0.01 between two rows:", bool(resolved < 0.01))

# %% [markdown]
# The prediction was that only the loss at the wheel matters.
# On these cells the score does not decide it: the rows differ by about as much as the seeds do, and *not trained* is one of them.
# Three seeds on 700 cells resolve only large effects; an ablation without its scatter says nothing, and a loss that makes a difference of a hundredth in one run may make none.
# How much training is worth on other data, with more seeds, is counted in [lesson 11](11_the_papers_table.ipynb).
#
# What the losses do to the *geometry* is easier to see than what they do to the score.


# %%
def spread(outputs):
    """Mean distance of the refined cells from their center."""
    values = refined(outputs)
    return float(np.linalg.norm(values - values.mean(0), axis=1).mean())


spreads = {row: np.mean([spread(last[row, seed]) for seed in seeds]) for row in [*switched, "not trained"]}
print("smallest spread:", min(spreads, key=spreads.get))
print("it is less than 0.8 of that with all three:", spreads["no neighborhood"] < 0.8 * spreads["all three"])

# %% [markdown]
# Without the neighborhood loss nothing asks cells to keep their distance from those that are *not* their neighbors, and they draw together.
# This is the [collapse](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#collapse) of [lesson 04](04_distribution_alignment.ipynb), on its way.
#
# ## Move the weight
#
# The weight of the neighborhood loss, from nothing to ten times the recipe's 100.

# %%
choices = [0, 1, 10, 100, 1000]
by_weight = {weight: run(SEED, weight_neighborhood=weight) for weight in choices}


def draw(weight):
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.2), layout="constrained")
    for number, name in enumerate(("neighborhood", "consistency")):
        left.plot(by_weight[weight][0][name], ("-", "--")[number], color=group_style(number)["color"], label=name)
    left.set(ylim=(0, 1.05), xlabel="epoch", ylabel="loss, not weighted", title=f"weight {weight}")
    left.legend(frameon=False)
    embedding(refined(by_weight[weight][1][settings.epochs]), labels, axes=right, names=False)
    right.get_legend().remove()
    right.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))
    return fig


slider(draw, alt="Losses by epoch and refined cells for weight {weight}", start={"weight": 100}, weight=choices)

# %%
ends = [by_weight[weight][0]["neighborhood"][-1] for weight in choices]
print("neighborhood loss at the end is smaller with weight 100 than with 0:", ends[3] < 0.6 * ends[0])
print("ten times more changes it by less than 0.1:", abs(ends[4] - ends[3]) < 0.1)

# %% [markdown]
# From some weight on, more changes nothing: the loss is in charge already, and Adam divides the size of the gradient out again.
# The paper uses weights from 0.01 to 200, chosen for each dataset; how one would choose without labels it does not say.
#
# ## Interrupt and resume
#
# A long run gets interrupted: a laptop goes to sleep, Colab takes the GPU back.
# To go on *as if nothing had happened*, the weights are not enough.

# %% [markdown]
# ## Exercise 3: what has to be kept?
#
# Adam carries two running means for each weight.
# And what you keep must not change when training goes on.


# %%
def snapshot(model, optimizer, epoch):
    """Keep all that is needed to go on later as if nothing had happened.

    Parameters
    ----------
    model, optimizer
        In the middle of training, which goes on afterwards.
    epoch
        Number of epochs that are done.

    Returns
    -------
    Dictionary with the keys `model`, `optimizer` (what their state_dict() holds at this moment) and `epoch`.
    """
    ### BEGIN SOLUTION
    return copy.deepcopy({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch})
    ### END SOLUTION


# %%
hint("snapshot")

# %%
snapshot = check("snapshot", snapshot).function

# %% [markdown]
# Is that all?
# Test it: eight epochs in one go, then four, a snapshot, a new model from it, and four more.


# %%
def eight_epochs(interrupted, keep_random_state=False):
    model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
    optimizer = training.adam(model, **rate)
    for epoch in range(1, 9):
        training_step(model, optimizer, inputs, labels)
        if interrupted and epoch == 4:
            kept, random_state = snapshot(model, optimizer, epoch), torch.get_rng_state()
            model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)  # a new process would do this
            optimizer = training.adam(model, **rate)
            model.load_state_dict(kept["model"])
            optimizer.load_state_dict(kept["optimizer"])
            if keep_random_state:
                torch.set_rng_state(random_state)
    return torch.cat([part.detach().flatten() for part in model.parameters()])  # (n_parameters,)


straight, resumed = eight_epochs(False), eight_epochs(True)
print("equal to the run in one go:", torch.equal(straight, resumed))

# %% [markdown]
# Not equal, although weights, optimizer and epoch were kept.
# What is missing is a thing that nobody sees: **dropout** draws random numbers, and the new process starts drawing from the beginning.
# The state of the random generator belongs into the [checkpoint](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#checkpoint).

# %%
print("with the state of the generator:", torch.equal(straight, eight_epochs(True, keep_random_state=True)))

# %% [markdown]
# The package's `train` keeps all four in a file, and turns Ctrl-C into a stop *between* two epochs.
# Here the Ctrl-C comes from the cell itself, in epoch 4.


# %%
def press_ctrl_c(epoch, losses):
    if epoch == 4:
        signal.raise_signal(signal.SIGINT)


folder = tempfile.TemporaryDirectory()
with contextlib.chdir(folder.name):
    model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
    try:
        training.train(model, inputs, epochs=8, **rate, on_epoch=press_ctrl_c, checkpoint="run.pt")
    except training.Interrupted as stop:
        print("stopped:", stop, "| kept in", stop.checkpoint)

# %%
with contextlib.chdir(folder.name):
    model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED + 7)  # other weights, to be replaced
    continued = training.train(model, inputs, epochs=8, **rate, checkpoint="run.pt", resume=True)
weights = torch.cat([part.detach().flatten() for part in model.parameters()])
print(
    "epochs in the history:",
    len(continued["total"]),
    "| bit for bit the run in one go:",
    torch.equal(weights, straight),
)

# %% [markdown]
# A checkpoint from other data or other settings would go on without a word and mean nothing.
# So it remembers what it belongs to, and a damaged file is refused as well.

# %%
with contextlib.chdir(folder.name):
    for identity in ({"data": "other cells"}, {}):
        try:
            training.train(model, inputs, epochs=9, checkpoint="run.pt", identity=identity, resume=True)
        except CheckpointError as error:
            print(error)
        with open("run.pt", "wb") as file:
            file.write(b"half a file")
folder.cleanup()

# %% [markdown]
# ## Quiz

# %%
quiz("07")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - **Epochs.** The paper trains for 500 epochs and reports, of all of them, the one whose clusters agree best with the true labels. Here the number of epochs is a setting, fixed beforehand, and the last epoch counts. [Lesson 08](08_evaluation.ipynb) measures the difference.
# - **Weights.** The paper's two weights differ by dataset over four orders of magnitude, and so does the learning rate. Without labels nobody can choose them for a new dataset. `robust` has one set for all.
# - **Ablation.** The paper's table has one number in each row. You saw what a second seed does to such a number.
# - **The optimizer** is the same: Adam with its own weight decay.
# - **A model belongs to its cells**, in the paper as here: the gene encoder is as wide as there are cells.
#
# Test it: raise `settings.epochs` or the learning rate in the first cells and run all.
# Does the order of the rows in the ablation stay?
#
# ## Summary
#
# - A training step has five lines, and each can be forgotten without an error message.
# - Not the weight of a loss but its gradient says who drives.
# - An effect is an effect when it is larger than the scatter over seeds. The untrained model belongs into every such table.
# - Weights, optimizer, epoch and random state: with all four a run goes on bit for bit.
#
# **Next:** [08 Evaluation](08_evaluation.ipynb).
#
# **Further reading:** Kingma and Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015; Bouthillier et al., *Accounting for Variance in Machine Learning Benchmarks*, MLSys 2021.
