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
# | **You will be able to** | score clusters that have no names, by hand and by code; recognize a choice that has seen the labels; measure what it is worth; report a result over seeds beside its rivals |
# | **You need** | k-means; what an embedding is; [lesson 07](07_training.ipynb) helps, and the [primer on PyTorch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/primer_pytorch.md) says what an epoch is |
# | **Time** | about 25 minutes to read, 75 to do; the cells run in about a minute on two quiet cores |
# | **Where it sits** | at the end: from the embedding to clusters, from clusters to a number |

# %% tags=["hide-input"]
# @title Set-up: on Colab this installs the course first
import subprocess, sys

if "google.colab" in sys.modules:
    course = "https://github.com/scrcl-edu/scrcl-edu/archive/refs/tags/v0.1.0.tar.gz"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, course], check=True)
    from scrcl_edu.course.platform import prepare_colab

    prepare_colab()

from itertools import combinations, permutations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import silhouette_samples

from scrcl_edu import baselines, datasets, evaluation
from scrcl_edu.evidence import differences, margin, read_results
from scrcl_edu.evidence import starts_figure, summarize_starts
from scrcl_edu.evidence.margins import of_block
from scrcl_edu.clustering import kmeans, kmeans_as_published
from scrcl_edu.course import check, claim, explain, given, hint, mend, method_map
from scrcl_edu.course import predict, quiz, reveal, slider, transfer
from scrcl_edu.course.drawings.peeking import two_protocols
from scrcl_edu.course.platform import platform_check
from scrcl_edu.explorables import explorable
from scrcl_edu.fitting import add_graphs, build, clustered, fit
from scrcl_edu.plotting import cluster_styles, confusion, embedding, group_style
from scrcl_edu.plotting import show, umap
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.recipes import published, recipe
from scrcl_edu.training import embed, train

platform_check()

# %% tags=["parameters"]
PROFILE = "fast"
SEED = 0

# %%
method_map("08")

# %% [markdown]
# ## The question
#
# You train the method on 700 blood cells and want to know how good it is.
# Labels of the cells lie on your disk.
# After every [epoch](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#epoch) you cluster the refined cells and write down the [accuracy](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#accuracy): what could be more natural?
#
# The settings are the published defaults (`paper/default_SC`), with the [k-means](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#k-means) of the authors' code.
# To run in seconds the model is narrower and trains for fewer epochs at a larger rate; with `PROFILE = "full"` nothing is changed.
# You should know that these three numbers were chosen, too: of four combinations that we tried, the lesson shows the one with the clearest gap between the two ways of reporting that you are about to meet.
# The sign of the gap was the same in all four.
#
# Here is this training as a film, made beforehand.
# Play it, watch the losses and the [silhouette](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#silhouette), and choose the epoch that you would keep.
# Only then uncover the accuracy.

# %%
explorable("film")

# %% [markdown]
# Now the same in slow motion, with code.

# %%
settings = recipe("paper/default_SC")
if PROFILE == "fast":
    settings = settings.with_(n_hidden=128, epochs=60, learning_rate=5e-4)
adata = datasets.load("pbmc68k_reduced")
preprocess(adata, n_top_genes=settings.n_top_genes, flavor=settings.hvg_flavor)
features = encoder_features(adata, settings.features)  # (n_cells, n_genes)
add_graphs(adata, settings, features)
labels = adata.obs["label"].to_numpy()
print("features:", features.shape, "| types:", len(np.unique(labels)))
print("epochs:", settings.epochs)


# %%
def embeddings_by_epoch(seed):
    """Z = [z1, z2] before training and after every epoch, each (n_cells, 20)."""
    model, inputs = build(adata, settings, features, n_clusters=10, seed=seed)
    diary = []

    def look(epoch=0, losses=None):
        outputs = embed(model, inputs)
        diary.append(np.hstack([outputs.z1, outputs.z2]))

    look()
    rate, decay = settings.learning_rate, settings.weight_decay
    how = {"epochs": settings.epochs, "learning_rate": rate, "weight_decay": decay}
    history = train(model, inputs, on_epoch=look, **how)
    return diary, history["total"]


seeds = (SEED, SEED + 1, SEED + 2)
diaries = {seed: embeddings_by_epoch(seed) for seed in seeds}
print("kept:", len(diaries[SEED][0]), "embeddings of", diaries[SEED][0][0].shape)

# %%
diary, total = diaries[SEED]
by_epoch = [kmeans_as_published(z, 10, seed=SEED + e) for e, z in enumerate(diary)]
accuracy = np.array([evaluation.accuracy(labels, found) for found in by_epoch])
nmi = np.array([evaluation.nmi(labels, found) for found in by_epoch])  # (epochs + 1,)
best = 1 + int(nmi[1:].argmax())
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
left.plot(range(1, len(total) + 1), total, color="#0072B2")
left.set(xlabel="epoch", ylabel="total loss", title="What the method sees")
right.plot(accuracy, color="#D55E00", linewidth=1)
star = {"markersize": 16, "color": "black", "ls": "none", "marker": "*"}
right.plot(best, accuracy[best], label="the epoch with the best NMI", **star)
right.set(xlabel="epoch", ylabel="accuracy", title="What only the labels show")
right.set_ylim(0.2, 0.8)
right.legend(frameon=False, loc="lower right")
jumps, rises = np.abs(np.diff(accuracy[1:])), np.diff(total) / total[:-1]
show(
    fig,
    alt="Left: the total loss by epoch, a smooth curve. Right: accuracy by epoch, a "
    f"jagged one, whose largest jump from one epoch to the next is {jumps.max():.2f}; "
    "a star marks the epoch with the best NMI.",
)

# %% [markdown]
# The star is good.
# Nobody would blame you for keeping that epoch: models are always chosen at their best [checkpoint](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#checkpoint), are they not?
# Before you read on, **write down the number that you would report.**

# %% tags=["nbval-ignore-output"]
print("accuracy at the star:      ", round(accuracy[best], 2))
print("accuracy of the last epoch:", round(accuracy[-1], 2))

# %%
claim(
    "From one epoch to the next the accuracy jumps by up to {jump:.2f}, while the loss "
    "never rises by more than {rise:.1%}.",
    jumps.max() > 0.05 and rises.max() < 0.05,
    jump=jumps.max(),
    rise=max(rises.max(), 0),
)

# %% [markdown]
# This should make you wonder.
# Almost nothing changes in a model from one epoch to the next, yet the accuracy leaps.
# Keep it in mind; first, what *is* the accuracy of clusters?
#
# ## Clusters have no names
#
# Six cells, three types, and two clusterings of them.

# %%
truth = np.array([0, 0, 0, 1, 1, 2])
one = np.array([0, 0, 1, 1, 1, 2])
other = np.array([2, 2, 0, 0, 0, 1])  # the same groups, numbered differently
same = (one[:, None] == one) == (other[:, None] == other)  # (6, 6) pairs of cells
claim(
    "The two clusterings hold the same groups; yet {a} numbers of the one and {b} of "
    "the other agree with the truth.",
    same.all() and (truth == other).sum() < (truth == one).sum(),
    a=(truth == one).sum(),
    b=(truth == other).sum(),
)

# %% [markdown]
# This is **label switching**: k-means numbers its clusters as it likes, and every [seed](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#seed) gives other numbers.
# A score of clusters must be the same under any renumbering.
# So count cells in a table, types in rows and clusters in columns, and look for the renumbering under which the most cells agree.

# %%
table = np.zeros((3, 3), dtype=int)
np.add.at(table, (truth, other), 1)
print(table)
for names in permutations(range(3)):
    agree = sum(table[t, c] for t, c in enumerate(names))
    print(f"types 0, 1, 2 are clusters {names}: {agree} cells of 6 agree")

# %% [markdown]
# Five of six.
# For 10 clusters there are 3,628,800 renumberings, for 20 more than anyone can try.
# A short cut comes to mind: take the largest entry of the table, then the largest of what is left.

# %%
trap = np.array([[3, 2], [2, 0]])  # 2 types, 2 clusters, 7 cells
rows, columns = linear_sum_assignment(trap, maximize=True)
greedy, together = trap[0, 0] + trap[1, 1], trap[rows, columns].sum()
claim(
    "Taking the largest entry first, {greedy} cells agree; with both pairs chosen "
    "together, {together} do.",
    together > greedy,
    greedy=greedy,
    together=together,
)

# %% [markdown]
# `linear_sum_assignment` is the Hungarian algorithm: it finds the best one-to-one matching in about $K^3$ steps.
#
# ## Exercise 1: accuracy
#
# With $n_{tc}$ cells of type $t$ in cluster $c$, and one-to-one matchings $m$ of clusters and types, the accuracy of $N$ cells is
#
# $$\mathrm{ACC} = \frac{1}{N} \max_m \sum_t n_{t\,m(t)} .$$
#
# There may be more clusters than types, or fewer.
# Whoever is left over counts as wrong.


# %%
def hungarian_accuracy(labels, clusters):
    """Share of the cells that agree under the best one-to-one matching.

    Parameters
    ----------
    labels, clusters
        Whole numbers from 0, shape (n_cells,). There may be more clusters than
        classes, or fewer.

    Returns
    -------
    A number from 0 to 1. Cells of a cluster that is matched with no class count
    as wrong.
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
hungarian_accuracy = check("hungarian_accuracy", hungarian_accuracy)

# %%
numbers = np.unique(labels, return_inverse=True)[1]
renamed = np.random.default_rng(SEED).permutation(10)[by_epoch[-1]]
found = hungarian_accuracy(numbers, by_epoch[-1])
print("function:", hungarian_accuracy.whose)
claim(
    "On the last epoch it gives {accuracy:.2f}, as the package does, and the same "
    "again after the clusters were renamed.",
    np.isclose(found, accuracy[-1])
    and np.isclose(found, hungarian_accuracy(numbers, renamed)),
    accuracy=found,
)

# %% [markdown]
# ## Three more scores, by hand
#
# Accuracy is not the only score, and you have met the others in every lesson: NMI, ARI, macro F1.
# Take the six cells once more, `truth` against `one`, and do them by hand.
#
# **ARI** looks at *pairs* of cells.
# Of the 15 pairs, let $a$ be those that are together in both, $t$ those together in the truth, and $c$ those together in the clusters.
# By chance one expects $tc/15$ to be together in both, so that this much is taken off:
#
# $$\mathrm{ARI} = \frac{a - tc/15}{(t + c)/2 - tc/15} .$$

# %%
pairs = list(combinations(range(6), 2))
t = sum(truth[i] == truth[j] for i, j in pairs)
c = sum(one[i] == one[j] for i, j in pairs)
a = sum(truth[i] == truth[j] and one[i] == one[j] for i, j in pairs)
chance = t * c / len(pairs)
ari = (a - chance) / ((t + c) / 2 - chance)
claim(
    "Of {pairs} pairs, {t} are together in the truth, {c} in the clusters, {a} in "
    "both, and chance expects {chance:.2f}: ARI = {ari:.2f}, as the package says.",
    np.isclose(ari, evaluation.ari(truth, one)),
    pairs=len(pairs),
    t=t,
    c=c,
    a=a,
    chance=chance,
    ari=ari,
)

# %% [markdown]
# **NMI** asks how much the cluster of a cell tells about its type.
# With $p_{tc}$ the share of the cells that are of type $t$ and in cluster $c$, the mutual information is
#
# $$I = \sum_{t,c} p_{tc} \log \frac{p_{tc}}{p_t\,p_c}, \qquad \mathrm{NMI} = \frac{I}{\big(H_{\text{types}} + H_{\text{clusters}}\big)/2}, \qquad H = -\sum p \log p .$$

# %%
p = np.zeros((3, 3))
np.add.at(p, (truth, one), 1 / 6)  # (3 types, 3 clusters)
p_t, p_c = p.sum(axis=1, keepdims=True), p.sum(axis=0, keepdims=True)
told = sum(p[i] * np.log(p[i] / (p_t @ p_c)[i]) for i in zip(*p.nonzero(), strict=True))
entropy = [-(q * np.log(q)).sum() for q in (p_t, p_c)]
by_hand = told / np.mean(entropy)
claim(
    "The clusters tell {told:.2f} of {entropy:.2f} nats: NMI = {nmi:.2f}, as the "
    "package says.",
    np.isclose(by_hand, evaluation.nmi(truth, one)),
    told=told,
    entropy=np.mean(entropy),
    nmi=by_hand,
)

# %% [markdown]
# **Macro F1** comes after the matching, and gives every *type* the same weight, so that a rare one counts as much as a common one.
# For each type it is the harmonic mean of two shares: how much of its cluster is of the type (precision), and how much of the type is in its cluster (recall).
#
# The **silhouette** is different: it needs no labels.
# A cell is at mean distance $a$ from the others of its cluster and at mean distance $b$ from those of the nearest other cluster; its silhouette is $(b - a) / \max(a, b)$, and alone in its cluster it gets 0.
# It rewards clusters that are compact and far apart, whatever they are.

# %%
f1 = []
for group in range(3):
    both = np.sum((truth == group) & (one == group))
    precision, recall = both / np.sum(one == group), both / np.sum(truth == group)
    f1.append(2 * precision * recall / (precision + recall))
line = np.array([[0.0], [1], [5], [6], [7], [20]])  # six cells on a line
silhouettes = [silhouette_samples(line, groups).mean() for groups in (truth, one)]
claim(
    "Macro F1 of the six cells is the mean of {a:.2f}, {b:.2f} and {c:.2f}, that is "
    "{f1:.2f}; their accuracy is {accuracy:.2f}.",
    np.isclose(np.mean(f1), evaluation.macro_f1(truth, one)),
    a=f1[0],
    b=f1[1],
    c=f1[2],
    f1=np.mean(f1),
    accuracy=evaluation.accuracy(truth, one),
)
claim(
    "Placed on a line, the six cells get a silhouette of {truth:.2f} with their types "
    "and of {one:.2f} with the clusters: it likes the wrong ones better.",
    silhouettes[1] > silhouettes[0] + 0.05,
    truth=silhouettes[0],
    one=silhouettes[1],
)

# %% [markdown]
# That is no fault of the silhouette.
# It answers whether groups are compact, and types need not be.
#
# How do the scores rate clusters that are pure chance?

# %%
predict("score_of_chance")

# %%
rng = np.random.default_rng(SEED)
random = {k: rng.integers(0, k, len(labels)) for k in (2, 10, 100, 350)}
of_chance = pd.DataFrame({k: evaluation.scores(labels, r) for k, r in random.items()})
of_chance.columns.name = "K"
(of_chance.loc[["accuracy", "nmi", "ari"]].round(1) + 0.0).rename(index=str.upper)

# %%
rise = of_chance[350] - of_chance[2]
reveal("score_of_chance", "NMI" if rise["nmi"] > 0.2 else "none of them")
claim(
    "From 2 to 350 random clusters NMI goes from {nmi_2:.2f} to {nmi_350:.2f}; ARI "
    "stays within {ari:.2f} of zero.",
    rise["nmi"] > 0.2 and of_chance.loc["ari"].abs().max() < 0.05,
    nmi_2=of_chance.loc["nmi", 2],
    nmi_350=of_chance.loc["nmi", 350],
    ari=of_chance.loc["ari"].abs().max(),
)

# %% [markdown]
# So compare NMI only at equal K, and print more than one score.
#
# ## The trap
#
# What you were about to do has a name here: the **oracle** protocol.
# After every epoch it clusters, looks at the labels, and keeps the epoch with the best NMI.
# It is how the paper's numbers were made, and `fit` can do it, for the paper's recipes only.

# %%
short = settings.with_(epochs=15)
looking = {"protocol": "oracle", "labels": labels, "copy": True}
peeked = fit(adata, n_clusters=10, recipe=short, seed=SEED, **looking)
by_you = 1 + int(nmi[1:16].argmax())
claim(
    "Of the first 15 epochs this protocol keeps epoch {epoch}, the one with the best "
    "NMI in your own figure; of itself the result says '{protocol}'.",
    peeked.uns["scrcl"]["best_epoch"] == by_you,
    protocol=peeked.uns["scrcl"]["protocol"],
    epoch=by_you,
)


# %% [markdown]
# Now all three seeds: the epoch with the best NMI against the last epoch.
# The last epoch needs no label, because you can decide for it before you start.

# %%
predict("gain_of_looking")


# %%
def judge(clusters):
    """Accuracy and NMI of clusters, against the labels."""
    of = evaluation.accuracy(labels, clusters), evaluation.nmi(labels, clusters)
    return dict(zip(("accuracy", "nmi"), of, strict=True))


def scores_by_epoch(seed):
    """Clusters after each epoch, and a table of their scores; row 0 is untrained."""
    embeddings = diaries[seed][0]
    found = [
        kmeans_as_published(z, 10, seed=seed + e) for e, z in enumerate(embeddings)
    ]
    return found, pd.DataFrame([judge(clusters) for clusters in found])


curves = {seed: scores_by_epoch(seed) for seed in seeds}
chosen = {s: 1 + int(curves[s][1]["nmi"][1:].to_numpy().argmax()) for s in seeds}
oracle = np.array([curves[s][1]["accuracy"][chosen[s]] for s in seeds])  # (n_seeds,)
last = np.array([curves[s][1]["accuracy"].iloc[-1] for s in seeds])

# %% tags=["nbval-ignore-output"]
picked = {"best epoch": list(chosen.values()), "accuracy, peeking": oracle}
picked["accuracy, last epoch"] = last
pd.DataFrame(picked, index=pd.Index(seeds, name="seed")).round(2)

# %%
gained = 100 * (oracle - last).mean()
reveal("gain_of_looking", gained)
seen = claim(
    "Peeking is worth {gain:.0f} points of accuracy here, on average over {n} seeds.",
    gained > 5,
    gain=gained,
    n=len(seeds),
)

# %% tags=["nbval-ignore-output"]
two_protocols(accuracy[1:], best, accuracy[-1])

# %% [markdown]
# The gap is not made by the smaller model.
# At the paper's full width, rate and 500 epochs one seed takes minutes or hours, so those scores are stored.
# Each training gives both rows, with [peeking](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#peeking) and without.

# %%
stored = read_results()
paper = stored[stored["method"] == "paper"]
tasks = {name: datasets.card(name).task for name in paper["dataset"].unique()}
paper = paper[paper["dataset"].map(tasks) == "scrna"]
full_size = paper.pivot_table(
    index=["dataset", "seed"], columns="protocol", values="accuracy"
)
full_size["gain"] = full_size["oracle"] - full_size["label-free"]

# %% tags=["nbval-ignore-output"]
full_size.groupby("dataset").agg(["mean", "min", "max"]).round(2)

# %%
blood = full_size.loc["pbmc68k_reduced", "gain"]
claim(
    "At full size the same cells lose {mean:.0f} points without peeking, and at least "
    "{least:.0f} whatever the seed ({n} seeds).",
    blood.min() > 0.05,
    mean=100 * blood.mean(),
    least=100 * blood.min(),
    n=len(blood),
)

# %%
baron = full_size.loc["baron_human_came"].mean()
plain = stored[stored["dataset"] == "baron_human_came"]
plain = plain[plain["method"] == "pca_kmeans"]["accuracy"].mean()
claim(
    "On a quarter of the paper's own Baron human, under the paper's settings for it, "
    "the labels find an epoch with {oracle:.1%} (published for the whole set: "
    "{whole:.1%}); the last epoch has {last:.1%}, and PCA + k-means {plain:.1%} "
    "(means of {n} seeds).",
    baron["gain"] > 0.15 and plain > baron["label-free"],
    oracle=baron["oracle"],
    whole=published("Baron_human")["accuracy_percent"] / 100,
    last=baron["label-free"],
    plain=plain,
    n=len(full_size.loc["baron_human_came"]),
)

# %% [markdown]
# The method, the data and the model are the same in both columns.
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
report_over_seeds = check("report_over_seeds", report_over_seeds)

# %% tags=["nbval-ignore-output"]
for name, values in {"peeking": oracle, "last epoch": last}.items():
    mean, deviation = report_over_seeds(values)
    print(f"{name:10}  accuracy {mean:.2f} +- {deviation:.2f}, {len(values)} seeds")

# %% [markdown]
# ## Where does the star come from?
#
# The leaps in the curve cannot come from the weights, which hardly move in one epoch.
# What else is new in each epoch?
# k-means starts from other random cells.
#
# If that is the cause, then training is not needed for the effect.
# So take **one** [embedding](https://github.com/scrcl-edu/scrcl-edu/blob/main/docs/glossary.md#embedding), that of the last epoch, and do not train at all.
# Run the published k-means from as many starts as there were epochs, and let the labels choose among the starts.


# %%
def many_starts(values, n_starts=settings.epochs):
    """Scores of single starts of the published k-means on one embedding."""
    found = [kmeans_as_published(values, 10, seed=start) for start in range(n_starts)]
    return pd.DataFrame([judge(clusters) for clusters in found])


frozen = {seed: many_starts(diaries[seed][0][-1]) for seed in seeds}
lucky = np.array([t["accuracy"][t["nmi"].idxmax()] for t in frozen.values()])
typical = np.array([t["accuracy"].mean() for t in frozen.values()])
of_luck = 100 * (lucky - typical).mean()
luck = claim(
    "Without any training, choosing a start by the labels gains {luck:.0f} points over "
    "a typical start; choosing an epoch had gained {gained:.0f}.",
    of_luck > 5 and of_luck > 0.5 * gained,
    luck=of_luck,
    gained=gained,
)

# %%
fig, axes = plt.subplots(
    1, len(seeds), figsize=(12, 3.6), sharey=True, layout="constrained"
)
words = [f"{settings.epochs} epochs,\none start each"]
words.append(f"last epoch,\n{settings.epochs} starts")
for place, seed in zip(axes, seeds, strict=True):
    for number, scored in enumerate((curves[seed][1][1:], frozen[seed])):
        sideways = np.random.default_rng(0).uniform(-0.2, 0.2, len(scored)) + number
        style = {"s": 14, "alpha": 0.6, **group_style(number)}
        place.scatter(sideways, scored["accuracy"], **style)
        place.plot(number, scored["accuracy"][scored["nmi"].idxmax()], **star)
    place.set_xticks([0, 1], words)
    place.set(title=f"seed {seed}", xlim=(-0.5, 1.5))
axes[0].set_ylabel("accuracy")
show(
    fig,
    alt="For each of three seeds two clouds of accuracies side by side, over epochs "
    "and over starts of k-means on the last epoch alone; stars are the choices by the "
    f"labels. {luck.text}",
)

# %% [markdown]
# Compare the two clouds of each seed, and the two stars.
# What looked like "the best epoch" was for the most part **the luckiest start of k-means**.
# The more often one draws and looks, the better the best draw: that is true of a method that learns nothing, too.
#
# ### The same leak, better hidden
#
# Few people write `argmax(nmi)` into their code.
# The leak comes in by the side door: a pretraining stage hands its clusters on to the next stage, and keeps those of the epoch at which the log shows the best accuracy.
# Code of this kind is published.
# Here is a small one of our own; it looks tidy, runs, and scores well.


# %%
def keep_clusters_given(clusters_by_epoch, losses, labels):
    """Clusters of the best epoch, with a log of the accuracy on the way."""
    kept, log = clusters_by_epoch[0], []
    for clusters, loss in zip(clusters_by_epoch, losses, strict=True):
        log.append({"loss": loss, "acc": evaluation.accuracy(labels, clusters)})
        if log[-1]["acc"] >= max(entry["acc"] for entry in log):
            kept = clusters
    return kept


handed_on = keep_clusters_given(np.array(by_epoch[1:]), np.array(total), labels)
shuffled = np.random.default_rng(SEED).permutation(labels)
otherwise = keep_clusters_given(np.array(by_epoch[1:]), np.array(total), shuffled)
claim(
    "The clusters that it hands on score {accuracy:.2f}. Shuffle the labels, and it "
    "hands on others: the two agree with an ARI of {ari:.2f}.",
    evaluation.ari(handed_on, otherwise) < 0.95,
    accuracy=evaluation.accuracy(labels, handed_on),
    ari=evaluation.ari(handed_on, otherwise),
)

# %% [markdown]
# That second sentence is a test that you can run on any code that calls itself unsupervised: **shuffle the labels, and nothing but the scores may change.**
#
# Find the fault and mend it, so that the function does what its first line promises: the clusters of the epoch with the lowest loss; of equal losses the first.


# %%
def keep_clusters(clusters_by_epoch, losses, labels):
    """Clusters of the epoch with the lowest loss; labels are for the log only.

    Parameters
    ----------
    clusters_by_epoch
        Shape (n_epochs, n_cells).
    losses
        Shape (n_epochs,). Of equal losses the first counts.
    labels
        Shape (n_cells,).

    Returns
    -------
    Shape (n_cells,).
    """
    ### BEGIN SOLUTION
    return clusters_by_epoch[np.argmin(losses)]
    ### END SOLUTION


# %%
hint("keep_clusters")

# %%
keep_clusters = mend("keep_clusters", keep_clusters)

# %% [markdown]
# ### Is the lucky clustering really better?
#
# A fair objection: perhaps the labels pick a clustering that *is* better.
# Let the labels of one half of the cells choose, and judge on the other half.

# %%
half = np.random.default_rng(SEED).permutation(len(labels)) < len(labels) // 2
gains = []
for seed in seeds:
    found = curves[seed][0][1:]
    by_half = [evaluation.nmi(labels[half], c[half]) for c in found]
    judged = [evaluation.accuracy(labels[~half], c[~half]) for c in found]
    gains.append(judged[int(np.argmax(by_half))] - np.mean(judged))
claim(
    "{n} cells choose; on the {m} others the chosen clustering is {gain:.0f} points "
    "better than the average one.",
    np.mean(gains) > 0.05,
    n=half.sum(),
    m=(~half).sum(),
    gain=100 * np.mean(gains),
)

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
for a, b in [(a, b) for a in seeds for b in seeds]:
    column = curves[b][1]["accuracy"]
    (gain if a == b else transferred).append(column[chosen[a]] - column[1:].mean())
claim(
    "The best epoch of a seed is {own:.0f} points above that seed's average epoch; "
    "used for another seed it is {other:+.0f} points above.",
    np.mean(transferred) < 0.5 * np.mean(gain),
    own=100 * np.mean(gain),
    other=100 * np.mean(transferred),
)

# %% [markdown]
# The number of the best epoch is worth little for the next run.
# Whoever gets new cells can repeat neither the choice nor the result.

# %%
explain("half_of_the_labels")

# %% [markdown]
# ## Climbing out, step 1: a choice without labels
#
# k-means has a criterion of its own, the **inertia**: the sum of squared distances of the cells to the center of their cluster.
# By hand, for three cells in two clusters on a line:


# %%
def inertia(values, clusters):
    groups = (values[clusters == number] for number in np.unique(clusters))
    return float(sum(((g - g.mean(axis=0)) ** 2).sum() for g in groups))


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
    Number of the start, from 0; the first of those that tie.
    """
    ### BEGIN SOLUTION
    return int(np.argmin(inertias))
    ### END SOLUTION


# %%
hint("pick_start")

# %%
pick_start = check("pick_start", pick_start)

# %% [markdown]
# Two hundred single k-means++ starts on the last embedding, each with its inertia and its scores.
# The package's `kmeans` keeps the lowest inertia of `n_starts`.

# %%
values = diary[-1] / np.linalg.norm(diary[-1], axis=1, keepdims=True)  # unit rows
found = [kmeans(values, 10, n_starts=1, seed=start) for start in range(200)]
starts = pd.DataFrame([judge(clusters) for clusters in found])
starts["inertia"] = [inertia(values, clusters) for clusters in found]
kept = pick_start(starts["inertia"].to_numpy(), starts["accuracy"].to_numpy())
of_twenty = inertia(values, kmeans(values, 10, n_starts=20, seed=SEED))
excess = of_twenty / starts["inertia"][kept] - 1
claim(
    "{n} starts give {m} different results; 20 starts come within {excess:.1%} of the "
    "lowest inertia of all.",
    excess < 0.02 and starts["inertia"].round(3).nunique() > 20,
    n=len(starts),
    m=starts["inertia"].round(3).nunique(),
    excess=abs(excess),
)

# %%
fig, axes = plt.subplots(figsize=(7, 4), layout="constrained")
dots = {"s": 18, "alpha": 0.6, "color": "0.45", "marker": "o"}
axes.scatter(starts["inertia"], starts["accuracy"], label="one start", **dots)
marks = {"lowest inertia (no label)": kept, "best NMI (labels)": starts["nmi"].idxmax()}
for number, (name, start) in enumerate(marks.items()):
    place = starts.loc[start, ["inertia", "accuracy"]]
    style = {"ms": 13, "mfc": "none", "mew": 2.5, "ls": "none"}
    style |= {"color": ("#0072B2", "#D55E00")[number], "marker": "sD"[number]}
    axes.plot(*place, label=name, **style)
axes.set(xlabel="inertia", ylabel="accuracy")
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
two = starts["accuracy"][list(marks.values())].tolist()
show(
    fig,
    alt="Two hundred starts of k-means as dots, accuracy against inertia. A square "
    f"marks the start of lowest inertia, with accuracy {two[0]:.2f}, a diamond the "
    f"start of best NMI, with {two[1]:.2f}.",
)

# %% [markdown]
# ### How many starts?
#
# Move the slider: out of the 200, groups of `n_starts` are drawn again and again, and from each group one start is chosen, in two ways.


# %%
def choose_from_groups(n_starts, n_groups=300):
    """Accuracy of the start chosen by inertia, and of that chosen by the labels."""
    drawn = np.random.default_rng(0).integers(0, len(starts), (n_groups, n_starts))
    of = {name: starts[name].to_numpy()[drawn] for name in starts}
    groups = np.arange(n_groups)
    honest = of["accuracy"][groups, of["inertia"].argmin(axis=1)]
    return honest, of["accuracy"][groups, of["nmi"].argmax(axis=1)]


def draw(n_starts):
    fig, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    low, high = starts["accuracy"].min(), starts["accuracy"].max() + 0.01
    bins, both = np.linspace(low, high, 25), choose_from_groups(n_starts)
    styles = ({"color": "#0072B2"}, {"color": "#D55E00", "hatch": "//"})
    for part, name, style in zip(both, ("inertia", "labels"), styles, strict=True):
        axes.hist(part, bins, label=f"chosen by {name}", alpha=0.6, **style)
    axes.set(title=f"{n_starts} starts", ylabel="groups", ylim=(0, 310))
    axes.set_xlabel("accuracy of the chosen start")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    return fig


alt = "Accuracy of the start chosen by inertia and by the labels, out of {n_starts}"
n_starts = [1, 2, 5, 10, 20, 50, 100]
slider(draw, alt=alt, start={"n_starts": 20}, n_starts=n_starts)

# %%
few, many = choose_from_groups(1), choose_from_groups(100)
claim(
    "Out of 100 starts instead of one, the choice by labels rises by {labels:.0f} "
    "points; the choice by inertia scatters {before:.1f} points before and {after:.1f} "
    "after.",
    many[1].mean() > few[1].mean() + 0.05 and many[0].std() < few[0].std(),
    labels=100 * (many[1].mean() - few[1].mean()),
    before=100 * few[0].std(),
    after=100 * many[0].std(),
)

# %% [markdown]
# With more starts the choice by inertia settles: two people get the same clusters.
# Steady is not the same as good; the lowest inertia need not lie where the types are.
# The choice by labels climbs, and the distance between the two is what peeking at starts alone is worth.
#
# ## The authors' own results
#
# So far all was ours, small and fast; perhaps the published model does not suffer from this.
# The authors released their predicted clusters, and the embeddings they came from, for several datasets and five seeds each.
# Both are scored here against the public labels; the results are stored with the course.

# %%
predictions = read_results(kind="released_predictions")
rescored = predictions.groupby("dataset", sort=False)["accuracy"]
rescored = rescored.agg(["mean", "std", "count"])
said = [published(name).get("accuracy_percent", np.nan) for name in rescored.index]
rescored["published"] = np.array(said) / 100
rescored.round(3)

# %% [markdown]
# The released predictions reach the paper's numbers: the numbers are real, and our scores are the paper's scores.
# Now the embeddings.
# On each, 200 single starts of k-means were run: 100 with k-means++, 100 as the authors' code does.
# One start is chosen by lowest inertia, which needs no label, one by best NMI, which needs them all.
# The last column, `inertia_ratio`, is the inertia of the true types over the lowest inertia that was found.

# %%
summary = summarize_starts(read_results(kind="released_embeddings"))
columns = ["mean", "lowest_inertia", "best_nmi", "released", "inertia_ratio"]
summary.groupby("dataset", sort=False)[columns].mean().round(2)

# %%
names = ["Quake_Smart-seq2_Lung", "Quake_Smart-seq2_Diaphragm"]
names += ["Quake_10x_Limb_Muscle", "Zeisel"]
fig, alt = starts_figure(read_results(kind="released_embeddings"), names=names)
show(fig, alt=alt)

# %%
lung = summary[summary["dataset"] == "Quake_Smart-seq2_Lung"]
of_lung = {name: report_over_seeds(lung[name].to_numpy()) for name in columns}
claim(
    "On Lung the released clusters score {released:.2f}, the start that labels choose "
    "on the same embeddings {labels:.2f}, the start of lowest inertia {inertia:.2f}; "
    "the types have {ratio:.0f} times the lowest inertia.",
    of_lung["released"][0] > of_lung["lowest_inertia"][0] + 0.1,
    released=of_lung["released"][0],
    labels=of_lung["best_nmi"][0],
    inertia=of_lung["lowest_inertia"][0],
    ratio=of_lung["inertia_ratio"][0],
)

# %% [markdown]
# Read the table by rows.
# On some datasets (Limb Muscle) the two choices agree: the types lie apart, and every sensible choice finds them.
# There the method does well without any peeking, and it would be unfair to say otherwise.
# On Lung the same embeddings are worth far less than the released clusters, and an `inertia_ratio` far above 1 says why: the types are not the compact groups that k-means looks for.
#
# How can the released clusters be better than the best of our two hundred starts, which labels chose as well?
# They were chosen in a run of hundreds of epochs, each with an embedding and starts of its own, and ours from the one embedding that was released.
# More draws, more luck.
# Note also that these embeddings are those of the **chosen** epochs, so that even the column `lowest_inertia` has seen the labels once.
#
# ## Climbing out, step 2: rivals, and the same privilege for all
#
# The last question is whether the method is better than what costs nothing.
# A peeking method beside an honest rival is no comparison.
# So every method gets both columns: **honest** (20 starts, lowest inertia) and **peeking** (40 starts, chosen by NMI against the labels).


# %%
def robust_embedding(seed, **changed):
    changed = recipe("robust").with_(**changed)
    return clustered(fit(adata, n_clusters=10, recipe=changed, seed=seed, copy=True))


spaces = {
    "PCA": lambda seed: baselines.components(adata, seed=seed),
    "paper, last epoch": lambda seed: diaries[seed][0][-1],
    "robust, not trained": lambda seed: robust_embedding(seed, epochs=0),
    "robust": robust_embedding,
}
cells = {(name, seed): spaces[name](seed) for name in spaces for seed in seeds}
print("embeddings:", len(cells))

# %%
rows = []
for (name, seed), values in cells.items():
    tried = many_starts(values, n_starts=40)
    peeking = tried["accuracy"][tried["nmi"].idxmax()]
    honest = evaluation.accuracy(labels, kmeans(values, 10, n_starts=20, seed=seed))
    rows.append((f"{name} + k-means", seed, honest, peeking))
for seed in seeds:
    communities = baselines.leiden_k(adata, 10, seed=seed)
    honest = evaluation.accuracy(labels, communities)
    rows.append(("Leiden, 10 clusters", seed, honest, np.nan))
compared = pd.DataFrame(rows, columns=["method", "seed", "honest", "peeking"])
by_method = compared.groupby("method", sort=False)[["honest", "peeking"]]
print("methods:", len(by_method), "| runs:", len(compared))

# %% tags=["nbval-ignore-output"]
by_method.agg(["mean", "std"]).round(2)

# %%
fig, axes = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
looks = {"honest": ("#0072B2", "o"), "peeking": ("#D55E00", "*")}
for number, (_, part) in enumerate(by_method):
    axes.plot(part.mean(), [number, number], color="0.6", zorder=0)
    for column, (color, marker) in looks.items():
        style = {"color": color, "marker": marker, "linewidths": 0}
        axes.scatter(part[column], [number] * len(part), s=12, alpha=0.5, **style)
        name = column if number == 0 else None
        axes.scatter(part[column].mean(), number, s=90, label=name, **style)
means = by_method.mean()
axes.set_yticks(range(len(means)), list(means.index))
axes.invert_yaxis()
axes.set_xlabel("accuracy; small: seeds, large: their mean")
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
told = ", ".join(f"{name} {value:.2f}" for name, value in means["honest"].items())
show(
    fig,
    alt="Accuracy of five methods, honest as dots and peeking as stars, with a line "
    f"from the one to the other. Honest means: {told}.",
)

# %%
gap = (means["peeking"] - means["honest"]).dropna()
published_way, pca = "paper, last epoch + k-means", "PCA + k-means"
claim(
    "Peeking flatters the paper's settings by {paper:.0f} points and PCA by {pca:.0f}; "
    "when both peek, PCA + k-means reaches {pca_peeking:.2f} and they "
    "{paper_peeking:.2f}.",
    gap[published_way] > 0.05
    and means["peeking"][pca] > means["peeking"][published_way],
    paper=100 * gap[published_way],
    pca=100 * gap[pca],
    pca_peeking=means["peeking"][pca],
    paper_peeking=means["peeking"][published_way],
)
claim(
    "`robust` without a look at these labels scores {robust:.2f}; the paper's settings "
    "score {honest:.2f} honestly, and {peeking:.2f} by peeking.",
    means["honest"]["robust + k-means"] > means["honest"][published_way],
    robust=means["honest"]["robust + k-means"],
    honest=means["honest"][published_way],
    peeking=means["peeking"][published_way],
)

# %% [markdown]
# Give PCA and k-means, three lines of code, the privilege of peeking, and they overtake the paper's settings with the same privilege.
# A table in which one method peeks and the others do not would have shown the opposite.
#
# And `robust`?
# It smooths the counts with the graph before it encodes them, trains for a fixed number of epochs, and takes the lowest inertia of 20 starts.
# No label of these cells enters a fit.
# **But be suspicious of us as well.**
# The settings of `robust` were found by a search, and scores on *this very dataset* were looked at on the way.
# That is peeking once more, only slower: labels chose the recipe instead of the epoch.
# The stored results carry a mark for it, so that one can ask what is left on sets that no choice has seen.

# %%
left_over = {}
for chosen_on in (True, False):
    block = of_block(stored, chosen=chosen_on, task="scrna")
    for rival in ("pca_kmeans", "leiden_k", "untrained", "consensus/baselines"):
        if rival in set(block["method"]):
            left_over[rival, chosen_on] = margin(differences(block, "robust", rival))
names = {True: "sets chosen on", False: "sets not chosen on"}
points = pd.DataFrame(
    [
        (rival, names[chosen_on], f"{of.mean:+.1f} ± {of.half_width:.1f}")
        for (rival, chosen_on), of in left_over.items()
    ],
    columns=["robust against", "on", "points of ARI"],
)

# %% tags=["nbval-ignore-output"]
points.pivot(index="robust against", columns="on").fillna("not run")

# %%
on, off = left_over["untrained", True], left_over["untrained", False]
plain = left_over["consensus/baselines", False]
claim(
    "Training is worth {on:+.1f} points of ARI on the {n_on} sets that `robust` was "
    "chosen on, and {off:+.1f} ± {half:.1f} on {n_off} that no choice has seen.",
    on.mean > 1 and abs(off.mean) < off.half_width,
    on=on.mean,
    n_on=on.n_sets,
    off=off.mean,
    half=off.half_width,
    n_off=off.n_sets,
)
claim(
    "On those {n} sets, two plain methods that agree (PCA + k-means and Leiden, by "
    "consensus) are level with it: {mean:+.1f} ± {half:.1f}.",
    abs(plain.mean) < plain.half_width,
    n=plain.n_sets,
    mean=plain.mean,
    half=plain.half_width,
)

# %% [markdown]
# So the figure above, taken alone, would have misled you, and no one had lied in it.
# [Lesson 11](11_the_papers_table.ipynb) goes through all sets, with intervals, and ends with what to run on your own cells.
#
# ### Ten clusters, but which?

# %%
final = kmeans(cells["robust", SEED], 10, seed=SEED)
of_types = evaluation.scores(labels, final)
show(
    confusion(
        labels, final, title="robust, honest: cells of each type in each cluster"
    ),
    alt="A table of types in rows against clusters in columns; numbers count cells, "
    "dark fields hold most of a type. Rows that are spread out are types that were "
    "split, columns with several dark fields are clusters that merge types.",
)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(13, 5.6), layout="constrained")
near = {"n_neighbors": 50, "seed": SEED}
picture = umap(baselines.components(adata, seed=SEED), **near)  # (n_cells, 2)
embedding(picture, labels, title="Labels", axes=left)
styles = cluster_styles(final, labels)
embedding(picture, final, title="Clusters of robust", axes=right, styles=styles)
show(
    fig,
    alt="A UMAP of the blood cells twice: colored by their labels, and by the ten "
    "clusters, each in the color of the type that most of its cells have.",
)

# %% [markdown]
# One number had hidden all this.
# The kinds of T cells, which the list of types keeps apart, share clusters, and k-means spends the rest of its ten on splitting others.
# Rare types suffer, and macro F1 says so.
#
# Look at the B cells before you call their split a mistake.
# Plasma cells are B cells that make antibodies; MZB1 is one of their genes, MS4A1 (CD20) is one that they have given up.
# The list of types has no name for them.

# %%
is_b = labels == "CD19+ B"
share = pd.crosstab(final[is_b], "cells")["cells"]
gene = {g: adata[:, g].X.toarray().ravel() > 0 for g in ("MZB1", "MS4A1")}
on = pd.DataFrame({g: [v[is_b & (final == c)].mean() for c in share.index]
                   for g, v in gene.items()}, index=share.index)  # fmt: skip
plasma = on["MZB1"].where(share >= 10).idxmax()
largest = share.drop(plasma).idxmax()
claim(
    "Of the B cells, {n} lie in a cluster where {mzb1:.0%} of them show MZB1 and "
    "{ms4a1:.0%} MS4A1; in the other cluster ({m} cells) it is {mzb1_b:.0%} and "
    "{ms4a1_b:.0%}.",
    on["MZB1"][plasma] > on["MZB1"][largest] + 0.3,
    n=share[plasma],
    m=share[largest],
    mzb1=on["MZB1"][plasma],
    ms4a1=on["MS4A1"][plasma],
    mzb1_b=on["MZB1"][largest],
    ms4a1_b=on["MS4A1"][largest],
)
claim(
    "Macro F1 is {f1:.2f}, accuracy {accuracy:.2f}.",
    of_types["macro_f1"] < of_types["accuracy"],
    f1=of_types["macro_f1"],
    accuracy=of_types["accuracy"],
)

# %% [markdown]
# **The accuracy punishes a discovery.**
# It counts those plasma cells as wrong, because labels are an opinion too: these were computed, by similarity to purified populations.
# A score against labels says how far two opinions agree, and the table tells you where to look when they do not.
#
# ### What can be said without labels
#
# How well do two seeds agree with each other?

# %%
again = kmeans(cells["robust", SEED + 1], 10, seed=SEED + 1)
agreement = evaluation.ari(final, again)
claim(
    "Two seeds of `robust` agree with an ARI of {seeds:.2f}; each agrees with the "
    "labels with {labels:.2f} and {other:.2f}.",
    agreement > 0.2 and agreement > evaluation.ari(labels, final),
    seeds=agreement,
    labels=evaluation.ari(labels, final),
    other=evaluation.ari(labels, again),
)

# %% [markdown]
# A clustering that comes out differently with every seed is not a discovery, whatever its accuracy.
# The converse does not hold: a method can be sure of itself and wrong.
#
# ## Your turn: cells to doubt
#
# A good clustering of new cells comes with a list of cells that one should not rely on.
# Here are cells that this course has not shown, in four groups, two of which overlap.
# Cluster them, and say which ones to doubt; you do not get to see their types.

# %%
screen = given("cells_to_doubt")
print("values:", screen.values.shape)


# %%
def cells_to_doubt(values):
    """Four clusters, and True for each cell whose cluster one should doubt."""
    ### BEGIN SOLUTION
    clusters = kmeans(values - values.mean(axis=0), 4, seed=0)
    centers = np.stack([values[clusters == c].mean(axis=0) for c in range(4)])
    distance = np.linalg.norm(values[:, None] - centers, axis=2)  # (300 cells, 4)
    clusters = distance.argmin(axis=1)
    nearest, second = np.sort(distance, axis=1)[:, :2].T
    margin = second - nearest
    return clusters, margin < np.quantile(margin, 0.15)
    ### END SOLUTION


# %%
transfer("cells_to_doubt", cells_to_doubt)

# %% [markdown]
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
# - **Our own peeking.** No label enters a fit of `robust`, but labels of five sets helped to choose it. We say which, and judge it on others.
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
# - Shuffle the labels: in honest code nothing but the scores changes.
# - Honest: fixed epochs, lowest inertia, several seeds with their scatter, rivals with the same privileges, and datasets on which nothing was chosen.
#
# **Next:** [09 Biology](09_biology.ipynb).
#
# **Further reading:** Cawley and Talbot, *On Over-fitting in Model Selection and Subsequent Selection Bias in Performance Evaluation*, JMLR 2010; Arthur and Vassilvitskii, *k-means++: The Advantages of Careful Seeding*, SODA 2007; Hubert and Arabie, *Comparing Partitions*, Journal of Classification 1985; Rousseeuw, *Silhouettes*, Journal of Computational and Applied Mathematics 1987.
