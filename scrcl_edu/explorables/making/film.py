"""The training film: real trainings by the paper's settings, each loss on and off, epoch by epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import silhouette_score

from scrcl_edu import evaluation
from scrcl_edu.clustering import kmeans_as_published
from scrcl_edu.explorables.cells import as_the_lessons, types_of
from scrcl_edu.explorables.questions import question
from scrcl_edu.fitting import build
from scrcl_edu.training import embed, train

SEED = 0
EPOCHS = 60
FILMED = 3  # every third epoch is a picture; between them the film glides
CELLS = 210
RUNS = {
    "all three losses": {},
    "without distribution": {"weight_distribution": 0.0},
    "without neighborhood": {"weight_neighborhood": 0.0},
    "without consistency": {"weight_consistency": 0.0},
}


def make() -> dict[str, Any]:
    """Places of some cells in both views, clusters, losses, silhouettes and accuracies, by run and epoch."""
    adata, settings, features = as_the_lessons("paper/default_SC", n_hidden=128, epochs=EPOCHS, learning_rate=5e-4)
    labels = adata.obs["label"].to_numpy().astype(str)
    shown = np.sort(np.random.default_rng(SEED).choice(len(labels), CELLS, replace=False))
    runs = {name: run(adata, settings.with_(**off), features, labels, shown) for name, off in RUNS.items()}
    whole = runs["all three losses"]
    return {
        "epochs": EPOCHS,
        "filmed": FILMED,
        **types_of(labels[shown]),
        "runs": runs,
        "question": question("epoch_to_keep", int(np.argmax(whole["accuracy"][1:])) + 1),
    }


def run(adata: Any, settings: Any, features: np.ndarray, labels: np.ndarray, shown: np.ndarray) -> dict[str, Any]:
    """One training, watched after every epoch."""
    model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
    views: list[list[np.ndarray]] = []
    clusters: list[np.ndarray] = []
    silhouette, accuracy = [], []

    def look(epoch: int = 0, losses: Any = None) -> None:
        outputs = embed(model, inputs)
        both = np.hstack([outputs.z1, outputs.z2])
        found = kmeans_as_published(both, 10, seed=SEED + len(clusters))
        views.append([outputs.e1.numpy()[shown], outputs.e2.numpy()[shown]])
        silhouette.append(round(float(silhouette_score(both, found)), 4))
        accuracy.append(round(evaluation.accuracy(labels, found), 4))
        clusters.append(renamed(found, clusters[-1]) if clusters else found)

    look()
    how = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
    history = train(model, inputs, epochs=EPOCHS, on_epoch=look, **how)
    return {
        "places": in_plane(views[::FILMED]),
        "clusters": ["".join(map(str, found[shown])) for found in clusters],
        "losses": {
            name: np.round(history[name], 5).tolist() for name in ("distribution", "neighborhood", "consistency")
        },
        "silhouette": silhouette,
        "accuracy": accuracy,
    }


def renamed(found: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Clusters with the numbers of those that hold most of the same cells one epoch earlier."""
    names = evaluation.match_clusters(before, found)
    free = iter(sorted(set(range(10)) - set(names.values())))
    return np.array([names[c] if c in names else names.setdefault(c, next(free)) for c in found])


def in_plane(frames: list[list[np.ndarray]]) -> list[list[list[int]]]:
    """Both views on the two components of all pictures together, in thousandths: [picture][view][x, y, x, y, ...]."""
    everything = np.concatenate([view for frame in frames for view in frame])
    center = everything.mean(axis=0)
    axes = np.linalg.svd(everything - center, full_matrices=False)[2][:2]
    axes *= np.sign(axes.sum(axis=1, keepdims=True))
    return [
        [np.rint(1000 * (view - center) @ axes.T).astype(int).ravel().tolist() for view in frame] for frame in frames
    ]
