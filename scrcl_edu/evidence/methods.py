"""One method on one dataset with one seed: scRCL by a recipe, or a baseline, blind to everything but the counts."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu import __version__, datasets, evaluation
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.evidence.shelf import Found, Shelf
from scrcl_edu.recipes import Recipe, recipe, recipe_names

if TYPE_CHECKING:
    from anndata import AnnData

PROTOCOLS = ("label-free", "oracle")
BASELINES = {
    "pca_kmeans": "PCA (30) + k-means",
    "pca_kmeans_cosine": "PCA (30) + k-means, cosine",
    "leiden_k": "Leiden at K",
    "leiden_1": "Leiden at resolution 1",
    "smoothed_pca_kmeans": "smoothed values, PCA + k-means",
    "untrained": "robust, not trained",
    "k_estimated": "robust, K estimated",
    "scvi": "scVI + k-means, scVI + Ward",
    "leiden_scanpy": "Leiden as scanpy runs it, its own K",
    "sc3s": "SC3s",
    "banksy": "BANKSY",
    "pca_kmeans_vote": "PCA + k-means + vote",
    "leiden_k_vote": "Leiden at K + vote",
    "smoothed_pca_kmeans_vote": "smoothed values, PCA + k-means + vote",
    "consensus/baselines": "consensus of PCA + k-means and Leiden at K",
    "consensus/robust": "consensus of robust",
    "consensus/untrained": "consensus of robust, not trained",
    "consensus/all": "consensus of PCA + k-means, Leiden at K, and robust",
}
ABLATIONS = {
    "no_distribution": "robust without distribution alignment",
    "no_neighborhood": "robust without neighborhood alignment",
    "no_consistency": "robust without cross-view consistency",
    "view_1": "robust, view 1 alone clustered",
    "view_2": "robust, view 2 alone clustered",
    "refined": "robust, refined cells clustered",
    "encoded_and_refined": "robust, encodings and refined cells clustered",
}
OF_ROBUST: dict[str, dict[str, Any]] = {  # what each changes in the recipe
    "untrained": {"epochs": 0},
    "k_estimated": {},
    "no_distribution": {"weight_distribution": 0.0},
    "no_neighborhood": {"weight_neighborhood": 0.0},
    "no_consistency": {"weight_consistency": 0.0},
    "view_1": {"embedding": "e1"},
    "view_2": {"embedding": "e2"},
    "refined": {"embedding": "z"},
    "encoded_and_refined": {"embedding": "ez"},
}
MEMBERS: dict[str, tuple[str, ...]] = {  # of each consensus; in space the baselines are those with a vote
    "consensus/baselines": ("pca_kmeans", "leiden_k"),
    "consensus/robust": ("robust",),
    "consensus/untrained": ("untrained",),
    "consensus/all": ("pca_kmeans", "leiden_k", "robust"),
}
N_MEMBERS = 5  # runs of each member: the consensus of seed s takes the seeds from 5 s to 5 s + 4
READ_OUTS = {  # ways to cluster what one training of robust gives
    "robust": "e",
    "view_1": "e1",
    "view_2": "e2",
    "refined": "z",
    "encoded_and_refined": "ez",
}
VOTING = ("pca_kmeans_vote", "leiden_k_vote", "smoothed_pca_kmeans_vote")
SPATIAL_ONLY = (*VOTING, "banksy")
RIVALS = {"sc3s": "sc3s", "banksy": "pybanksy", "scvi": "scvi-tools"}  # by the package of each
ROWS = {"scvi": ("scvi_kmeans", "scvi_ward")}  # a job that gives more than the one row of its name
N_TOP_GENES = 2000
_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "scanpy", "igraph")


@dataclasses.dataclass(frozen=True)
class Job:
    """What gives a row, or two for scVI and for the oracle: dataset, method, protocol, seed, and every setting."""

    dataset: str
    method: str
    protocol: str
    seed: int
    settings: dict[str, Any] = dataclasses.field(hash=False)
    device: str = "auto"

    @property
    def keys(self) -> list[tuple[str, str, str, int]]:
        """What its rows are known by; an oracle's training gives the label-free clusters of its last epoch too."""
        if self.protocol == "oracle":
            return [(self.dataset, self.method, protocol, self.seed) for protocol in PROTOCOLS]
        return [(self.dataset, method, self.protocol, self.seed) for method in ROWS.get(self.method, (self.method,))]


def settings_of(method: str, dataset: str, task: str, *, epochs: int | None = None) -> dict[str, Any]:
    """Every setting of a method on a dataset, as plain values.

    Parameters
    ----------
    method
        A baseline or an ablation; "paper", which is the row of the dataset, or of that of which it is a part, or the
        defaults of its task; "robust", which is "robust/spatial" in space; or any recipe's name.
    dataset, task
        Name, and "scrna" or "spatial".
    epochs
        Instead of those of the recipe, or of scVI.

    Raises
    ------
    SettingsError
        When there is neither a baseline nor a recipe of that name.
    """
    if method in MEMBERS:
        members = {member: settings_of(member, dataset, task, epochs=epochs) for member in _members(method, task)}
        return {"members": members, "n_members": N_MEMBERS}
    if method in OF_ROBUST:
        return _recipe("robust", dataset, task, epochs).with_(**OF_ROBUST[method]).as_dict()
    if method not in BASELINES:
        return _recipe(method, dataset, task, epochs).as_dict()
    from scrcl_edu import baselines, rivals

    settings: dict[str, Any] = {"n_top_genes": N_TOP_GENES, "hvg_flavor": _flavor(task)}
    if method == "scvi":
        return settings | {"n_latent": baselines.SCVI_DIMENSIONS, "epochs": epochs or baselines.SCVI_EPOCHS}
    if method == "banksy":
        return settings | {"lambda": rivals.BANKSY_LAMBDA, "n_components": rivals.BANKSY_COMPONENTS}
    if method == "leiden_scanpy":
        return settings | {"n_components": 50, "resolution": 1.0}
    settings |= {"n_components": baselines.N_COMPONENTS}
    if method == "sc3s":
        return settings
    settings |= {"n_starts": baselines.N_STARTS} if "kmeans" in method else {"n_neighbors": baselines.N_NEIGHBORS}
    if method.startswith("smoothed_"):
        settings["n_steps"] = max(_recipe("robust", dataset, task, None).filter_steps)
    return settings


def complete(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a row, with the defaults of those that recipes have got since it was made."""
    return (Recipe("").as_dict() if "embedding" in settings else {}) | settings


def run(job: Job, adata: AnnData, shelf: Shelf | None = None) -> list[dict[str, Any]]:
    """Cluster without labels, then score: the rows of a job.

    Parameters
    ----------
    job
        What to run. Only the oracle protocol is shown the labels before the clusters are final.
    adata
        Counts in `layers["counts"]` or `X`, true classes in ``obs["label"]``.
    shelf
        Where clusters that were found before are, and new ones go.

    Returns
    -------
    Rows of plain values, one for each clustering.

    Raises
    ------
    ScrclError
        Whatever the method raises; the message says what to change.
    """
    if "label" not in adata.obs:
        raise DataError(f"{job.dataset} has no column 'label' in obs; scores need the true classes there")
    labels = adata.obs["label"].astype(str).to_numpy()
    n_classes = len(np.unique(labels))
    found = find(job, adata, labels, Shelf() if shelf is None else shelf)
    return [
        {"dataset": job.dataset, "method": method, "protocol": protocol, "seed": job.seed}
        | {name: round(value, 6) for name, value in evaluation.scores(labels[one.cells], one.clusters).items()}
        | {"n_clusters": len(np.unique(one.clusters)), "n_classes": n_classes, "n_cells": len(one.cells)}
        | {"chosen_on": chosen_on(job.dataset), "epochs": job.settings.get("epochs", 0), "device": one.device}
        | {"best_epoch": one.best_epoch, "seconds": round(one.seconds, 2)}
        | {"settings": job.settings, "versions": versions(job.method)}
        for (_, method, protocol, _), one in zip(job.keys, found, strict=True)
    ]


def find(job: Job, adata: AnnData, labels: np.ndarray, shelf: Shelf) -> list[Found]:
    """The clusterings of a job, in the order of its keys: from the shelf, or found now."""
    there = [shelf.get(job.dataset, method, seed, job.settings) for _, method, _, seed in job.keys]
    kept = [one for one in there if one]
    if job.protocol == "label-free" and len(kept) == len(there):
        return kept
    bare, n_classes = blind(adata), len(np.unique(labels))
    started = time.perf_counter()
    device, best_epoch = "cpu", job.settings.get("epochs", 0)
    if job.method in MEMBERS:
        cells, *clusterings = _consensus(job, adata, labels, shelf)
    else:
        if job.method in BASELINES and job.method not in OF_ROBUST:
            clusterings = _baseline(job, bare, n_classes)
        else:
            clusterings = _scrcl(job, bare, None if job.method == "k_estimated" else n_classes, labels)
            device, best_epoch = bare.uns["scrcl"]["device"], bare.uns["scrcl"]["best_epoch"]
        cells = bare.obs_names.astype(int).to_numpy()  # empty ones were dropped
    seconds = time.perf_counter() - started
    epochs = {"oracle": best_epoch, "label-free": job.settings.get("epochs", 0)}
    found = [
        Found(cells, clusters, seconds, device, epochs[protocol])
        for (_, _, protocol, _), clusters in zip(job.keys, clusterings, strict=True)
    ]
    if job.protocol == "label-free":
        for (_, method, _, seed), one in zip(job.keys, found, strict=True):
            shelf.put(job.dataset, method, seed, job.settings, one)
        if job.method in READ_OUTS and shelf.folder is not None:
            for method, clusters in _read_out(job, bare, n_classes):
                settings = job.settings | {"embedding": READ_OUTS[method]}
                shelf.put(job.dataset, method, job.seed, settings, found[0]._replace(clusters=clusters))
    return found


def chosen_on(dataset: str) -> bool | None:
    """Whether scores on it were seen while `robust` was chosen; None when it is not in the registry."""
    return datasets.card(dataset).chosen_on if dataset in datasets.names() else None


def blind(adata: AnnData) -> AnnData:
    """The counts, the genes' names and the coordinates; cells are numbered, and nothing else is known of them."""
    import pandas as pd
    from anndata import AnnData

    counts = adata.layers.get("counts", adata.X)
    cells = pd.DataFrame(index=[str(number) for number in range(adata.n_obs)])
    bare = AnnData(counts.copy(), obs=cells, var=pd.DataFrame(index=adata.var_names))
    if "spatial" in adata.obsm:
        bare.obsm["spatial"] = np.asarray(adata.obsm["spatial"])
    return bare


def versions(method: str = "") -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"scrcl_edu": __version__}
    for package in (*_PACKAGES, *([RIVALS[method]] if method in RIVALS else [])):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _recipe(method: str, dataset: str, task: str, epochs: int | None) -> Recipe:
    if method == "paper":
        own, default = f"paper/{_whole(dataset)}", {"scrna": "paper/default_SC", "spatial": "paper/default_ST"}[task]
        name = own if own in recipe_names() else default
    elif method == "robust" and task == "spatial":
        name = "robust/spatial"
    else:
        name = method
    if name not in recipe_names():
        raise SettingsError(
            f"there is no method {method!r}; recipes are robust, paper and {', '.join(recipe_names()[:2])}, ...; "
            f"baselines are {', '.join(BASELINES)}; ablations are {', '.join(ABLATIONS)}"
        )
    found = recipe(name)
    if found.task != task:
        raise SettingsError(f"recipe {name!r} is for {found.task} data, but {dataset} is {task}; choose another")
    return found if epochs is None else found.with_(epochs=epochs)


def _members(method: str, task: str) -> list[str]:
    votes = {name.removesuffix("_vote"): name for name in VOTING} if task == "spatial" else {}
    return [votes.get(member, member) for member in MEMBERS[method]]


def _consensus(job: Job, adata: AnnData, labels: np.ndarray, shelf: Shelf) -> tuple[np.ndarray, np.ndarray]:
    from scrcl_edu.consensus import consensus

    n_runs = job.settings["n_members"]
    found = [
        find(Job(job.dataset, member, "label-free", seed, settings, job.device), adata, labels, shelf)[0]
        for member, settings in job.settings["members"].items()
        for seed in range(n_runs * job.seed, n_runs * (job.seed + 1))
    ]
    return found[0].cells, consensus([one.clusters for one in found], len(np.unique(labels))).clusters


def _read_out(job: Job, bare: AnnData, n_clusters: int) -> Iterator[tuple[str, np.ndarray]]:
    """The same training, clustered in the other ways."""
    from scrcl_edu import clustering

    e1, e2, z = (bare.obsm[f"X_scrcl_{part}"] for part in ("e1", "e2", "z"))
    embeddings = {"e": [e1, e2], "e1": [e1], "e2": [e2], "z": [z], "ez": [e1, e2, z]}
    for method, embedding in READ_OUTS.items():
        if method != job.method:
            x = np.hstack(embeddings[embedding])
            clusters = clustering.kmeans(x, n_clusters, n_starts=job.settings["n_starts"], seed=job.seed)
            if "spatial" in bare.obsm and job.settings["vote_neighbors"]:
                votes = job.settings["vote_neighbors"]
                clusters = clustering.majority_vote(clusters, bare.obsm["spatial"], n_neighbors=votes)
            yield method, clusters


def _whole(dataset: str) -> str:
    """The dataset of the paper of which this is a part, if it is one."""
    return (dataset in datasets.names() and datasets.card(dataset).part_of) or dataset


def _flavor(task: str) -> str:
    return "seurat_v3" if task == "spatial" else "seurat"


def _baseline(job: Job, bare: AnnData, n_clusters: int) -> list[np.ndarray]:
    from scrcl_edu import baselines, rivals
    from scrcl_edu.preprocessing import preprocess

    preprocess(bare, n_top_genes=job.settings["n_top_genes"], flavor=job.settings["hvg_flavor"])
    if job.method == "scvi":
        found = baselines.scvi(bare, n_clusters, seed=job.seed, epochs=job.settings["epochs"])
        return [found[method] for method in ROWS["scvi"]]
    name = job.method.removesuffix("_vote")
    cluster = getattr(rivals if hasattr(rivals, name) else baselines, name)
    if job.method in VOTING:
        cluster = baselines.voted(cluster)
    extra = {"n_steps": job.settings["n_steps"]} if "n_steps" in job.settings else {}
    return [cluster(bare, n_clusters, seed=job.seed, **extra)]


def _scrcl(job: Job, bare: AnnData, n_clusters: int | None, labels: np.ndarray) -> list[np.ndarray]:
    from scrcl_edu.fitting import fit

    settings = Recipe(**job.settings | {"filter_steps": tuple(job.settings["filter_steps"])})
    fit(
        bare,
        n_clusters=n_clusters,
        recipe=settings,
        seed=job.seed,
        device=job.device,
        protocol="oracle" if job.protocol == "oracle" else "label-free",
        labels=labels if job.protocol == "oracle" else None,
    )
    columns = ["scrcl_last_epoch", "scrcl"] if job.protocol == "oracle" else ["scrcl"]  # in the order of PROTOCOLS
    return [bare.obs[column].to_numpy() for column in columns]
