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
# # 08 Evaluation: what peeking is worth
#
# [Open 08_evaluation on Binder](https://mybinder.org/v2/gh/scrcl-edu/scrcl-edu/main?urlpath=lab/tree/notebooks/08_evaluation.ipynb) · [Open 08_evaluation on Colab](https://colab.research.google.com/github/scrcl-edu/scrcl-edu/blob/main/notebooks/08_evaluation.ipynb)
#
# You get a wonderful result, find out where it comes from, and end with one that you can stand by.
#
# | | |
# |---|---|
# | **You will be able to** | score clusters that have no names; recognize a choice that has seen the labels; measure what it is worth; report a result over seeds beside its rivals |
# | **You need** | k-means; what an embedding is; [lesson 07](07_training.ipynb) helps |
# | **Time** | about 20 minutes to read, 45 to do; the cells run in about half a minute on two quiet cores |
# | **Where it sits** | at the end: from the embedding to clusters, from clusters to a number |

# %%
import subprocess, sys

if "google.colab" in sys.modules:  # Colab lacks the package; elsewhere it is installed already
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

# %%
from itertools import permutations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from scrcl_edu import baselines, datasets, evaluation
from scrcl_edu.benchmarking import read_results, starts_figure, summarize_starts
from scrcl_edu.clustering import kmeans, kmeans_as_published
from scrcl_edu.course import check, hint, quiz, slider
from scrcl_edu.course.platform import platform_check
from scrcl_edu.fitting import add_graphs, build, clustered, fit
from scrcl_edu.plotting import confusion, group_style, show
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.recipes import published, recipe
from scrcl_edu.training import embed, train

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %% [markdown]
# ## The question
#
# You train the method on 700 blood cells and want to know how good it is.
# The experts' labels lie on your disk.
# After every [epoch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch) you cluster the refined cells and write down the [accuracy](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#accuracy): what could be more natural?
#
# The settings are the published defaults (`paper/default_SC`), with the [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) of the authors' code.
# To run in seconds the model is narrower and trains for fewer epochs at a larger rate; with `PROFILE = "full"` nothing is changed.
# You should know that these three numbers were chosen, too: of four combinations that we tried, the lesson shows the one with the clearest gap between the two ways of reporting that you are about to meet.
# The sign of the gap was the same in all four.

# %%
settings = recipe("paper/default_SC")
if PROFILE == "fast":
    settings = settings.with_(n_hidden=128, epochs=60, learning_rate=5e-4)
adata = datasets.load("pbmc68k_reduced")
preprocess(adata, n_top_genes=settings.n_top_genes, flavor=settings.hvg_flavor)
features = encoder_features(adata, settings.features)  # (n_cells, n_genes)
add_graphs(adata, settings, features)
labels = adata.obs["label"].to_numpy()
print("features:", features.shape, "| types:", len(np.unique(labels)), "| epochs:", settings.epochs)


# %%
def embeddings_by_epoch(seed):
    """Z = [z1, z2] before training and after every epoch, each of shape (n_cells, 20)."""
    model, inputs = build(adata, settings, features, n_clusters=10, seed=seed)
    diary = []

    def look(epoch=0, losses=None):
        outputs = embed(model, inputs)
        diary.append(np.hstack([outputs.z1, outputs.z2]))

    look()
    rate = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
    history = train(model, inputs, epochs=settings.epochs, **rate, on_epoch=look)
    return diary, history["total"]


seeds = (SEED, SEED + 1, SEED + 2)
diaries = {seed: embeddings_by_epoch(seed) for seed in seeds}
print("embeddings kept for each seed:", len(diaries[SEED][0]), "of shape", diaries[SEED][0][0].shape)

# %%
diary, total = diaries[SEED]
by_epoch = [kmeans_as_published(z, 10, seed=SEED + epoch) for epoch, z in enumerate(diary)]
accuracy = np.array([evaluation.accuracy(labels, clusters) for clusters in by_epoch])  # (epochs + 1,)
nmi = np.array([evaluation.nmi(labels, clusters) for clusters in by_epoch])
best = 1 + int(nmi[1:].argmax())
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
left.plot(range(1, len(total) + 1), total, color="#0072B2")
left.set(xlabel="epoch", ylabel="total loss", title="What the method sees")
right.plot(accuracy, color="#D55E00", linewidth=1)
right.plot(best, accuracy[best], "*", markersize=16, color="black", label="the epoch with the best NMI")
right.set(xlabel="epoch", ylabel="accuracy", title="What only the labels show", ylim=(0.2, 0.8))
right.legend(frameon=False, loc="lower right")
show(
    fig,
    alt="Left: the total loss falls smoothly over the epochs. Right: accuracy by epoch jumps up and down by more than a "
    "tenth from one epoch to the next; a star marks the epoch with the best NMI, near the top.",
)

# %% [markdown]
# The star is good.
# Nobody would blame you for keeping that epoch: models are always chosen on their best [checkpoint](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#checkpoint), are they not?
# Before you read on, **write down the number that you would report.**

# %% tags=["nbval-ignore-output"]
print("accuracy at the star:      ", round(accuracy[best], 2))
print("accuracy of the last epoch:", round(accuracy[-1], 2))

# %%
rises = np.abs(np.diff(accuracy[1:]))
print("largest jump from one epoch to the next is above 0.05:", bool(rises.max() > 0.05))
print("the loss knows nothing of it, its largest rise is below 5 %:", bool(np.max(np.diff(total) / total[:-1]) < 0.05))

# %% [markdown]
# One thing should make you wonder.
# Almost nothing changes in a model from one epoch to the next, yet the accuracy leaps.
# Keep that in mind; first, what *is* the accuracy of clusters?
#
# ## Clusters have no names
#
# Six cells, three types, and two clusterings of them.

# %%
truth = np.array([0, 0, 0, 1, 1, 2])
one = np.array([0, 0, 1, 1, 1, 2])
other = np.array([2, 2, 0, 0, 0, 1])  # the same groups, numbered differently
print("cells whose numbers agree with the truth:", (truth == one).sum(), "and", (truth == other).sum())
print("same groups:", np.array_equal(one[:, None] == one, other[:, None] == other))

# %% [markdown]
# This is **label switching**: k-means numbers its clusters as it likes, and every [seed](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed) gives other numbers.
# A score of clusters must be the same under any renumbering.
# Count cells in a table, types in rows and clusters in columns, and look for the renumbering that makes the most cells agree.

# %%
table = np.zeros((3, 3), dtype=int)
np.add.at(table, (truth, other), 1)
print(table)
for names in permutations(range(3)):
    print(f"types 0, 1, 2 are clusters {names}: {sum(table[t, c] for t, c in enumerate(names))} cells of 6 agree")

# %% [markdown]
# Five of six.
# For 10 clusters there are 3,628,800 renumberings, for 20 more than anyone can try.
# A short cut comes to mind: take the largest entry of the table, then the largest of what is left.

# %%
trap = np.array([[3, 2], [2, 0]])  # 2 types, 2 clusters, 7 cells
rows, columns = linear_sum_assignment(trap, maximize=True)
print("largest first:", 3 + 0, "cells agree")
print("all pairs chosen together:", trap[rows, columns].sum(), "cells agree")

# %% [markdown]
# `linear_sum_assignment` is the Hungarian algorithm: it finds the best one-to-one matching in about K^3 steps.
#
# ## Exercise 1: accuracy
#
# There may be more clusters than types, or fewer.
# Whoever is left over counts as wrong.


# %%
def hungarian_accuracy(labels, clusters):
    """Share of the cells that agree under the best one-to-one matching of clusters and classes.

    Parameters
    ----------
    labels, clusters
        Whole numbers from 0, shape (n_cells,). There may be more clusters than classes, or fewer.

    Returns
    -------
    A number from 0 to 1. Cells of a cluster that is matched with no class count as wrong.
    """
    ### BEGIN SOLUTION
    table = np.zeros((labels.max() + 1, clusters.max() + 1), dtype=int)
    np.add.at(table, (labels, clusters), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / table.sum())
    ### END SOLUTION


# %%
hint("hungarian_accuracy")

# %%
hungarian_accuracy = check("hungarian_accuracy", hungarian_accuracy).function

# %%
numbers = np.unique(labels, return_inverse=True)[1]
renamed = np.random.default_rng(SEED).permutation(10)[by_epoch[-1]]
yours = [hungarian_accuracy(numbers, clusters) for clusters in (by_epoch[-1], renamed)]
print("same as the package's:", np.isclose(yours[0], accuracy[-1]))
print("same after renaming the clusters:", np.isclose(*yours))

# %% [markdown]
# Accuracy is not the only score.
# **NMI** measures shared information, **ARI** pairs of cells, corrected so that chance scores 0.
# How do they rate clusters that are pure chance?

# %%
rng = np.random.default_rng(SEED)
chance = {k: evaluation.scores(labels, rng.integers(0, k, len(labels))) for k in (2, 10, 100, 350)}
table = pd.DataFrame(chance).loc[["accuracy", "nmi", "ari"]].round(1) + 0.0
print(table.to_string())

# %% [markdown]
# NMI rises with the number of clusters although nothing was found; ARI stays at zero.
# So compare NMI only at equal K, and print more than one score.
#
# ## The trap
#
# What you were about to do has a name here: the **oracle** protocol.
# After every epoch it clusters, looks at the labels, and keeps the epoch with the best NMI.
# It is how the paper's numbers were made, and `fit` can do it, for the paper's recipes only.
# Is it the same as the star in your figure?

# %%
short = settings.with_(epochs=15)
peeked = fit(adata, n_clusters=10, recipe=short, seed=SEED, protocol="oracle", labels=labels, copy=True)
by_you = 1 + int(nmi[1:16].argmax())
print("best of the first 15 epochs, by you and by the protocol:", by_you == peeked.uns["scrcl"]["best_epoch"])
print("protocol:", peeked.uns["scrcl"]["protocol"])


# %% [markdown]
# Now all seeds: the epoch with the best NMI against the last epoch.
# The last epoch needs no label, because you can decide for it before you start.


# %%
def judge(clusters):
    return {"accuracy": evaluation.accuracy(labels, clusters), "nmi": evaluation.nmi(labels, clusters)}


def scores_by_epoch(seed):
    clusters = [kmeans_as_published(z, 10, seed=seed + epoch) for epoch, z in enumerate(diaries[seed][0])]
    return clusters, pd.DataFrame([judge(found) for found in clusters])  # one row for each epoch, row 0 before training


curves = {seed: scores_by_epoch(seed) for seed in seeds}
chosen = {seed: 1 + int(curves[seed][1]["nmi"][1:].to_numpy().argmax()) for seed in seeds}
oracle = np.array([curves[seed][1]["accuracy"][chosen[seed]] for seed in seeds])  # (n_seeds,)
last = np.array([curves[seed][1]["accuracy"].iloc[-1] for seed in seeds])
print("peeking looks better by more than 0.05 on average:", bool((oracle - last).mean() > 0.05))

# %% tags=["nbval-ignore-output"]
picked = {"best epoch": list(chosen.values()), "accuracy, peeking": oracle, "accuracy, last epoch": last}
pd.DataFrame(picked, index=pd.Index(seeds, name="seed")).round(2)

# %% [markdown]
# The gap is not made by the smaller model.
# The same cells at the paper's full width, rate and 500 epochs take minutes for each seed, so those scores are stored; each training gives both rows, with [peeking](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#peeking) and without:

# %%
stored = read_results()
full_size = stored[(stored["dataset"] == "pbmc68k_reduced") & (stored["method"] == "paper")]
full_size.groupby("protocol")[["accuracy", "nmi", "ari"]].agg(["mean", "std", "count"]).round(2)

# %%
by_protocol = full_size.pivot(index="seed", columns="protocol", values="accuracy")
lost = by_protocol["oracle"] - by_protocol["label-free"]
print("epochs and width:", {(row["epochs"], row["n_hidden"]) for row in full_size["settings"]})
print("without peeking more than 0.05 is lost, whatever the seed:", bool((lost > 0.05).all()))

# %% [markdown]
# The method, the data and the model are the same in both rows.
# Only the person who chooses has changed.
#
# ## Exercise 2: report it
#
# One seed is an anecdote.
# Where do the scores lie, and how far does one run scatter?


# %%
def report_over_seeds(scores):
    """What to report when a method was run with several seeds.

    Parameters
    ----------
    scores
        One score per seed, shape (n_seeds,).

    Returns
    -------
    Mean and sample standard deviation (n - 1).
    """
    ### BEGIN SOLUTION
    return np.mean(scores), np.std(scores, ddof=1)
    ### END SOLUTION


# %%
hint("report_over_seeds")

# %%
report_over_seeds = check("report_over_seeds", report_over_seeds).function

# %% tags=["nbval-ignore-output"]
for name, values in {"peeking": oracle, "last epoch": last}.items():
    mean, deviation = report_over_seeds(values)
    print(f"{name:10}  accuracy {mean:.2f} +- {deviation:.2f} over {len(values)} seeds")

# %% [markdown]
# ## Where does the star come from?
#
# The leaps in the curve cannot come from the weights, which hardly move in one epoch.
# What else is new in each epoch?
# k-means starts from other random cells.
#
# So take **one** [embedding](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#embedding), that of the last epoch, and do not train at all.
# Run the published k-means from as many starts as there were epochs, and let the labels choose among the starts.


# %%
def many_starts(values, n_starts=settings.epochs):
    """Accuracy and NMI of single starts of the published k-means on one embedding."""
    found = [kmeans_as_published(values, 10, seed=start) for start in range(n_starts)]
    return pd.DataFrame([judge(clusters) for clusters in found])


frozen = {seed: many_starts(diaries[seed][0][-1]) for seed in seeds}
of_starts = np.array([table["accuracy"][table["nmi"].idxmax()] for table in frozen.values()])
typical = np.array([table["accuracy"].mean() for table in frozen.values()])
print("choosing a start by the labels gains more than 0.05:", bool((of_starts - typical).mean() > 0.05))
print(
    "it explains more than half of what choosing an epoch gained:",
    bool((of_starts - typical).mean() > 0.5 * (oracle - last).mean()),
)

# %%
fig, axes = plt.subplots(1, len(seeds), figsize=(12, 3.4), sharey=True, layout="constrained")
for place, seed in zip(axes, seeds, strict=True):
    two = {
        f"{settings.epochs} epochs,\none start each": curves[seed][1][1:],
        f"last epoch,\n{settings.epochs} starts": frozen[seed],
    }
    for number, table in enumerate(two.values()):
        sideways = number + np.random.default_rng(0).uniform(-0.2, 0.2, len(table))
        place.scatter(sideways, table["accuracy"], s=14, alpha=0.6, **group_style(number))
        place.plot(number, table["accuracy"][table["nmi"].idxmax()], "k*", markersize=14)
    place.set_xticks([0, 1], list(two))
    place.set(title=f"seed {seed}", xlim=(-0.5, 1.5))
axes[0].set_ylabel("accuracy")
show(
    fig,
    alt="For each of three seeds two clouds of accuracies side by side: over epochs, and over k-means starts on the last "
    "epoch alone. The clouds look alike and so do the stars, the choices by the labels.",
)

# %% [markdown]
# The two clouds look alike.
# What looked like "the best epoch" was for the most part **the luckiest start of k-means**.
# The more often one draws and looks, the better the best draw: that is true of a method that learns nothing, too.
#
# ### Is the lucky clustering really better?
#
# A fair objection: perhaps the labels pick a clustering that *is* better.
# Let the labels of one half of the cells choose, and judge on the other half.

# %%
half = np.random.default_rng(SEED).permutation(len(labels)) < len(labels) // 2
gains = []
for seed in seeds:
    clusters = curves[seed][0][1:]
    by_half = [evaluation.nmi(labels[half], found[half]) for found in clusters]
    judged = [evaluation.accuracy(labels[~half], found[~half]) for found in clusters]
    gains.append(judged[int(np.argmax(by_half))] - np.mean(judged))
print("cells that choose, cells that judge:", half.sum(), (~half).sum())
print("the gain holds on the other half:", bool(np.mean(gains) > 0.05))

# %% [markdown]
# It holds: the chosen clustering is better, on cells whose labels did not choose.
# So peeking does not make up a number out of thin air.
# It uses 350 known [cell types](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#cell-type) to find a good clustering, and that is a fine method: it is called *semi-supervised*.
# What is wrong is the claim that it needs no labels.
#
# The second objection: perhaps the labels find a good *number of epochs*, which then serves for new data.
# Take the best epoch of one seed and use it for the others.

# %%
gain, transferred = [], []
for mine in seeds:
    for yours in seeds:
        column = curves[yours][1]["accuracy"]
        (gain if mine == yours else transferred).append(column[chosen[mine]] - column[1:].mean())
print("pairs of seeds:", len(transferred))
print("less than half of the gain survives a change of the seed:", bool(np.mean(transferred) < 0.5 * np.mean(gain)))

# %% [markdown]
# The number of the best epoch is worth little for the next run.
# Whoever gets new cells can repeat neither the choice nor the result.
#
# ## Climbing out, step 1: a choice without labels
#
# k-means has a criterion of its own, the **inertia**: the sum of squared distances of the cells to the center of their cluster.
# By hand, for three cells in two clusters on a line:


# %%
def inertia(values, clusters):
    groups = (values[clusters == number] for number in np.unique(clusters))
    return float(sum(((members - members.mean(axis=0)) ** 2).sum() for members in groups))


line = np.array([[0.0], [2.0], [10.0]])  # (3 cells, 1 dimension)
print("{0, 2} and {10}: 1 + 1 + 0 =", inertia(line, np.array([0, 0, 1])))
print("{0} and {2, 10}: 0 + 16 + 16 =", inertia(line, np.array([0, 1, 1])))

# %% [markdown]
# ## Exercise 3: pick a start
#
# Both numbers are handed to you for each start.
# Only one of them exists when the cells are new.


# %%
def pick_start(inertias, accuracies):
    """Choose one of several starts of k-means without looking at labels.

    Parameters
    ----------
    inertias
        Sum of squared distances to the nearest center, one per start.
    accuracies
        Accuracy of each start against the true labels.

    Returns
    -------
    Number of the start, from 0.
    """
    ### BEGIN SOLUTION
    return int(np.argmin(inertias))
    ### END SOLUTION


# %%
hint("pick_start")

# %%
pick_start = check("pick_start", pick_start).function

# %% [markdown]
# Two hundred single k-means++ starts on the last embedding, each with its inertia and its scores.
# The package's `kmeans` keeps the lowest inertia of `n_starts`.

# %%
values = diary[-1] / np.linalg.norm(diary[-1], axis=1, keepdims=True)  # (n_cells, 20), unit rows
found = [kmeans(values, 10, n_starts=1, seed=start) for start in range(200)]
starts = pd.DataFrame([judge(clusters) for clusters in found])
starts["inertia"] = [inertia(values, clusters) for clusters in found]
kept = pick_start(starts["inertia"].to_numpy(), starts["accuracy"].to_numpy())
print("starts:", len(starts), "| different results:", bool(starts["inertia"].round(3).nunique() > 20))
print(
    "20 starts by the package reach that inertia within 2 %:",
    inertia(values, kmeans(values, 10, n_starts=20, seed=SEED)) < 1.02 * starts["inertia"][kept],
)

# %%
fig, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.scatter(starts["inertia"], starts["accuracy"], s=18, alpha=0.6, **group_style(0), label="one start")
marks = {"lowest inertia (no label)": kept, "best NMI (labels)": starts["nmi"].idxmax()}
for number, (name, start) in enumerate(marks.items()):
    place = starts.loc[start, ["inertia", "accuracy"]]
    axes.plot(*place, "sD"[number], markersize=12, fillstyle="none", markeredgewidth=2, color="kr"[number], label=name)
axes.set(xlabel="inertia", ylabel="accuracy")
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
show(
    fig,
    alt="Two hundred k-means starts, accuracy against inertia: a broad cloud. The start of lowest inertia lies at the left "
    "edge, the start of best NMI lies elsewhere, higher.",
)

# %% [markdown]
# ### How many starts?
#
# Move the slider: out of the 200, groups of `n_starts` are drawn again and again, and from each group one start is chosen, in two ways.


# %%
def choose_from_groups(n_starts, n_groups=300):
    drawn = np.random.default_rng(0).integers(0, len(starts), (n_groups, n_starts))
    column = {name: starts[name].to_numpy() for name in ("inertia", "nmi", "accuracy")}
    honest = drawn[np.arange(n_groups), column["inertia"][drawn].argmin(axis=1)]
    peeking = drawn[np.arange(n_groups), column["nmi"][drawn].argmax(axis=1)]
    return column["accuracy"][honest], column["accuracy"][peeking]


def draw(n_starts):
    fig, axes = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    bins = np.linspace(starts["accuracy"].min(), starts["accuracy"].max() + 0.01, 25)
    for number, (name, part) in enumerate(zip(("inertia", "labels"), choose_from_groups(n_starts), strict=True)):
        style = {"color": ("black", "#D55E00")[number], "hatch": ("", "//")[number], "alpha": 0.55}
        axes.hist(part, bins, label=f"chosen by {name}", **style)
    axes.set(title=f"{n_starts} starts", xlabel="accuracy of the chosen start", ylabel="groups", ylim=(0, 310))
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return fig


slider(
    draw,
    alt="Accuracy of the start chosen by inertia and by the labels, from groups of {n_starts} starts",
    start={"n_starts": 20},
    n_starts=[1, 2, 5, 10, 20, 50, 100],
)

# %%
few, many = choose_from_groups(1), choose_from_groups(100)
print("with one start there is nothing to choose:", np.array_equal(*few))
print("with 100 the labels' choice is better than with one:", bool(many[1].mean() > few[1].mean() + 0.05))
print("more starts make the honest choice steadier:", bool(many[0].std() < few[0].std()))

# %% [markdown]
# With more starts the choice by inertia settles: two people get the same clusters.
# Steady is not the same as good; the lowest inertia need not lie where the experts' types are.
# The choice by labels climbs, and the distance between the two is what peeking at starts alone is worth.
#
# ## The authors' own results
#
# So far all was ours, small and fast; perhaps the published model does not suffer from this.
# The authors released their predicted clusters, and the embeddings they came from, for several datasets and five seeds each.
# Both are scored here against the public labels; the results are stored with the course.

# %%
predictions = read_results(kind="released_predictions")
rescored = predictions.groupby("dataset", sort=False)["accuracy"].agg(["mean", "std", "count"])
rescored["published"] = [published(name).get("accuracy_percent", np.nan) / 100 for name in rescored.index]
rescored.round(3)

# %% [markdown]
# The released predictions reach the paper's numbers: the numbers are real, and our scores are the paper's scores.
# Now the embeddings.
# On each, 200 single starts of k-means were run: 100 with k-means++, 100 as the authors' code does.
# One start is chosen by lowest inertia, which needs no label, one by best NMI, which needs them all.

# %%
summary = summarize_starts(read_results(kind="released_embeddings"))
columns = ["mean", "lowest_inertia", "best_nmi", "released", "inertia_ratio"]
summary.groupby("dataset", sort=False)[columns].mean().round(2)

# %%
fig, alt = starts_figure(
    read_results(kind="released_embeddings"),
    names=["Quake_Smart-seq2_Lung", "Quake_Smart-seq2_Diaphragm", "Quake_10x_Limb_Muscle", "Zeisel"],
)
show(fig, alt=alt)

# %%
lung = summary[summary["dataset"] == "Quake_Smart-seq2_Lung"]
for name in ("lowest_inertia", "best_nmi", "released"):
    mean, deviation = report_over_seeds(lung[name].to_numpy())
    print(f"Lung, {name:14}  accuracy {mean:.2f} +- {deviation:.2f} over {len(lung)} seeds")

# %% [markdown]
# Read the table by rows.
# On some datasets (Limb Muscle) the two choices agree: the types lie apart, and every sensible choice finds them.
# There the method does well without any peeking, and it would be unfair to say otherwise.
# On Lung the same embeddings are worth far less than the released clusters, and the inertia of the true types is many times that of the best k-means: experts' types are not the compact groups that k-means looks for.
#
# Note also that these embeddings are those of the **chosen** epochs.
# So even the column `lowest_inertia` has seen the labels once.
#
# ## Climbing out, step 2: rivals, and the same privilege for all
#
# The last question is whether the method is better than what costs nothing.
# A peeking method beside an honest rival is no comparison.
# So every method gets both columns: **honest** (20 starts, lowest inertia) and **peeking** (40 starts, chosen by NMI against the labels).


# %%
protocols = set()


def robust_embedding(seed, **changed):
    fitted = fit(adata, n_clusters=10, recipe=recipe("robust").with_(**changed), seed=seed, copy=True)
    protocols.add(fitted.uns["scrcl"]["protocol"])
    return clustered(fitted)  # (n_cells, 512)


spaces = {
    "PCA": lambda seed: baselines.components(adata, seed=seed),
    "paper, last epoch": lambda seed: diaries[seed][0][-1],
    "robust, not trained": lambda seed: robust_embedding(seed, epochs=0),
    "robust": robust_embedding,
}
cells = {(name, seed): space(seed) for name, space in spaces.items() for seed in seeds}
print("embeddings:", len(cells), "| protocol of these fits:", *protocols)

# %%
rows = []
for (name, seed), values in cells.items():
    tried = many_starts(values, n_starts=40)
    peeking = tried["accuracy"][tried["nmi"].idxmax()]
    honest = evaluation.accuracy(labels, kmeans(values, 10, n_starts=20, seed=seed))
    rows.append({"method": f"{name} + k-means", "seed": seed, "honest": honest, "peeking": peeking})
for seed in seeds:
    communities = baselines.leiden_k(adata, 10, seed=seed)
    rows.append({"method": "Leiden, 10 clusters", "seed": seed, "honest": evaluation.accuracy(labels, communities)})
compared = pd.DataFrame(rows)
print("methods:", compared["method"].nunique(), "| runs:", len(compared))

# %% tags=["nbval-ignore-output"]
compared.groupby("method", sort=False)[["honest", "peeking"]].agg(["mean", "std"]).round(2)

# %%
fig, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for number, (_, part) in enumerate(compared.groupby("method", sort=False)):
    axes.plot([part["honest"].mean(), part["peeking"].mean()], [number, number], color="0.6", zorder=0)
    for column, color, marker in (("honest", "black", "o"), ("peeking", "#D55E00", "*")):
        label = column if number == 0 else None
        axes.scatter(part[column], [number] * len(part), s=12, color=color, marker=marker, alpha=0.5, linewidths=0)
        axes.scatter(part[column].mean(), number, s=90, color=color, marker=marker, label=label)
axes.set_yticks(range(compared["method"].nunique()), list(compared["method"].unique()))
axes.invert_yaxis()
axes.set_xlabel("accuracy; small: seeds, large: their mean")
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
show(
    fig,
    alt="Accuracy of five methods, honest as black dots and peeking as orange stars. For every method with random starts "
    "the peeking mean lies to the right of the honest mean, or on it. PCA and Leiden lie close to the trained models.",
)

# %%
means = compared.groupby("method", sort=False)[["honest", "peeking"]].mean()
gap = (means["peeking"] - means["honest"]).dropna()
print("peeking flatters the paper's settings by more than 0.05:", bool(gap["paper, last epoch + k-means"] > 0.05))
honest, peeking = means["honest"], means["peeking"]
paper = "paper, last epoch + k-means"
print("robust, honest, is above the paper's settings, honest:", bool(honest["robust + k-means"] > honest[paper]))
print("and within 0.05 of them, or above, when they peek:", bool(honest["robust + k-means"] > peeking[paper] - 0.05))
print("PCA + k-means, peeking, is above them, peeking:", bool(peeking["PCA + k-means"] > peeking[paper]))

# %% [markdown]
# This is the way out, and it has no trick in it.
# `robust` smooths the counts with the graph before it encodes them, trains for a fixed number of epochs, and takes the lowest inertia of 20 starts: no label, no setting for this dataset.
# What it reaches honestly is of the size that the paper's settings reach by peeking.
#
# And look at the rivals.
# Give PCA and k-means, three lines of code, the privilege of peeking, and they overtake the paper's settings with the same privilege.
# A table in which one method peeks and the others do not would have shown the opposite.
# [Leiden](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#leiden), which needs no draws at all, stands close by.
# On one dataset with three seeds nobody can say more than that; [lesson 11](11_the_papers_table.ipynb) has all of them.
#
# ### Ten clusters, but which?

# %%
final = kmeans(cells["robust", SEED], 10, seed=SEED)
show(
    confusion(labels, final, title="robust, honest: cells of each type in each cluster"),
    alt="A table of types against clusters. Monocytes, dendritic and NK cells gather in a cluster each, the kinds of T cells "
    "share one, and some clusters hold a part of the B cells or a few stray cells.",
)
scored = evaluation.scores(labels, final)
print("macro F1 is lower than accuracy, rare types suffer:", scored["macro_f1"] < scored["accuracy"])
agreement = evaluation.ari(final, kmeans(cells["robust", SEED + 1], 10, seed=SEED + 1))
print("two seeds agree with each other better than chance, but not fully:", 0.2 < agreement < 0.98)

# %% [markdown]
# The kinds of T cells, which the experts' list keeps apart, share a cluster, and k-means spends the rest of its ten on splitting others.
# One number had hidden that; look at the table before you name a cluster.
#
# The agreement of two seeds is a score that needs **no labels at all**.
# A clustering that comes out differently with every seed is not a discovery, whatever its accuracy.
#
# ## Quiz

# %%
quiz("08")

# %% [markdown]
# ## What the paper does, what we do, and why
#
# - **The epoch.** The authors' code clusters after each of 500 epochs and keeps the epoch with the best NMI (ARI for tissue) against the true labels. We decide the number of epochs beforehand. Labels that choose are training data.
# - **k-means.** The authors' code uses one start, the best of 20 random draws of cells. With 500 epochs this makes 500 draws, and the labels choose among them. We use k-means++ with 20 starts and keep the lowest inertia.
# - **Empty clusters.** When k-means returns fewer clusters than asked for, the authors' code overwrites the labels of the first cells to fill the gap. We leave them as they are.
# - **The scores** are the same: Hungarian accuracy, NMI, ARI, macro F1.
# - **What it means.** The published numbers are real numbers, and they are what the method can reach when someone who knows the answer chooses. They are not what a user gets. Many papers on this task share the habit; it is worth looking for the line that picks the epoch in any code that you compare with.
#
# Test it: change `settings` to `n_hidden=64` or other rates, or choose by the *lowest loss* instead of the labels.
# Which of the two columns moves?
#
# ## Summary
#
# - Clusters have no names; match them one to one, all together, and print more than one score.
# - Choosing an epoch by the labels was, for the most part, choosing the luckiest start of k-means.
# - The chosen clustering is really better, but nobody without labels can find it: the claim is what is wrong.
# - Honest: fixed epochs, lowest inertia, several seeds with their scatter, and rivals with the same privileges.
#
# **Next:** [09 Biology](09_biology.ipynb).
#
# **Further reading:** Cawley and Talbot, *On Over-fitting in Model Selection and Subsequent Selection Bias in Performance Evaluation*, JMLR 2010; Arthur and Vassilvitskii, *k-means++: The Advantages of Careful Seeding*, SODA 2007; Hubert and Arabie, *Comparing Partitions*, Journal of Classification 1985.
