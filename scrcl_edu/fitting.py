"""AnnData in, AnnData out: preprocessing, graphs, training, clustering. The only place that knows their order."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.sparse as sp
import torch

from scrcl_edu import __version__, clustering, evaluation
from scrcl_edu.errors import DataError, SettingsError
from scrcl_edu.graphs import cell_graph, gene_graph, low_pass, spatial_graph
from scrcl_edu.model import Inputs, Outputs, ScRCL
from scrcl_edu.preprocessing import encoder_features, preprocess
from scrcl_edu.recipes import Recipe
from scrcl_edu.recipes import recipe as find_recipe
from scrcl_edu.training import embed, explained_memory, train

if TYPE_CHECKING:
    from anndata import AnnData

Protocol = Literal["label-free", "oracle"]


def fit(
    adata: AnnData,
    *,
    n_clusters: int | None = None,
    recipe: str | Recipe = "robust",
    seed: int = 0,
    device: str = "auto",
    already_logged: bool = False,
    protocol: Protocol = "label-free",
    labels: np.ndarray | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    on_epoch: Callable[[int, dict[str, float]], Any] | None = None,
    key_added: str = "scrcl",
    copy: bool = False,
) -> AnnData:
    """Find the cell types of a count matrix.

    Parameters
    ----------
    adata
        Raw counts in `layers["counts"]` or `X`; for a spatial recipe coordinates in `obsm["spatial"]`.
    n_clusters
        K; estimated from the cell graph when not given.
    recipe
        Name or :class:`~scrcl_edu.recipes.Recipe`; "robust" needs no label and no tuning.
    seed
        Of everything that is drawn.
    device
        "auto" takes CUDA, then Apple's, then the CPU.
    already_logged
        `X` holds log-normalized values and there are no counts.
    protocol
        "oracle" repeats the published protocol, which picks the epoch by `labels`; for `paper/` recipes only.
    labels
        True classes, shape (n_cells,); only with "oracle".
    checkpoint, resume
        See :func:`~scrcl_edu.training.train`; not for "oracle", whose best epoch so far is in no checkpoint.
    on_epoch
        Called with the epoch's number and its losses.
    key_added
        Name of the results.
    copy
        Work on a copy; otherwise `adata` itself is changed, and cells or genes without any count leave it.

    Returns
    -------
    The AnnData, with `obs[key]` clusters, `obsm["X_" + key]` what they were found in (for "robust" [e1, e2]), beside it
    its parts `_e1`, `_e2` and `_z` = [z1, z2],
    `varm[key + "_programs"]` (NaN for genes not used), `obsp["cell_graph"]`, `varp["gene_graph"]`, and `uns[key]` with
    settings, history, versions and seed. With "oracle" also `obs[key + "_last_epoch"]`, the clusters that the same
    training gives to those who do not peek.

    Raises
    ------
    DataError, SettingsError, CheckpointError, TrainingError
        Each names the value, what is allowed and the fix.
    """
    started = time.perf_counter()
    settings = find_recipe(recipe)
    _check_protocol(protocol, labels, settings, adata.n_obs, resume=resume)
    _check_seed(seed)
    place = choose_device(device)
    adata = adata.copy() if copy else adata
    if labels is not None:
        values = adata.X if already_logged else adata.layers.get("counts", adata.X)
        labels = np.asarray(labels)[np.asarray((values != 0).sum(axis=1)).ravel() > 0]  # preprocess drops the others
    preprocess(
        adata, n_top_genes=settings.n_top_genes, flavor=settings.hvg_flavor, already_logged=already_logged, copy=False
    )
    if n_clusters is not None:
        clustering.check_n_clusters(n_clusters, adata.n_obs)

    features = encoder_features(adata, settings.features)
    add_graphs(adata, settings, features, seed=seed)
    estimated = n_clusters is None
    if estimated:
        n_clusters = clustering.estimate_n_clusters(adata.obsp["cell_graph"], seed=seed)
    identity = {name: json.dumps(value) for name, value in settings.as_dict().items()}
    identity |= {"n_clusters": str(n_clusters), "seed": str(seed)}
    identity["data"] = digest(features, adata.obsp["cell_graph"], adata.varp["gene_graph"])
    with explained_memory(*features.shape):
        model, inputs = build(adata, settings, features, n_clusters=n_clusters, seed=seed, device=place)
    del features

    best = _Oracle(model, inputs, labels, n_clusters, settings, seed) if protocol == "oracle" else None
    training_started = time.perf_counter()
    with _tensor_cores(place):
        history = train(
            model,
            inputs,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            on_epoch=_both(best, on_epoch),
            checkpoint=None if best else checkpoint,
            resume=resume,
            identity=identity,
        )
    seconds_training = time.perf_counter() - training_started
    with explained_memory(*inputs.view_1.shape):
        outputs = embed(model, inputs)
    clusters = _voted(cluster(outputs, settings, n_clusters, seed=seed), adata, settings)
    if best:
        _store_clusters(adata, clusters, f"{key_added}_last_epoch")
    if best and best.outputs:
        outputs, clusters = best.outputs, _voted(best.clusters, adata, settings)
    _store(adata, outputs, clusters, settings.embedding, key_added)
    adata.uns[key_added] = {
        "recipe": settings.as_dict(),
        "history": {name: np.array(values) for name, values in history.items()},
        "n_clusters": n_clusters,
        "n_clusters_from": "estimated from the cell graph" if estimated else "given",
        "protocol": "oracle: this result has seen the labels" if protocol == "oracle" else "label-free",
        "epochs": len(history["total"]),
        "best_epoch": best.epoch if best else len(history["total"]),
        "seed": seed,
        "device": str(place),
        "seconds": time.perf_counter() - started,
        "seconds_per_epoch": seconds_training / max(len(history["total"]), 1),
        "versions": {"scrcl_edu": __version__, "torch": str(torch.__version__)},
    }
    return adata


def add_graphs(adata: AnnData, settings: Recipe, features: np.ndarray | sp.csr_matrix, *, seed: int = 0) -> None:
    """Put `obsp["cell_graph"]` and `varp["gene_graph"]` (empty rows for genes not used) into a preprocessed AnnData."""
    chosen = np.flatnonzero(adata.var["highly_variable"].to_numpy())
    fewest = settings.n_neighbors + (settings.task == "spatial")
    if adata.n_obs < fewest:
        raise SettingsError(
            f"recipe {settings.name!r} needs at least {fewest} cells for its {settings.n_neighbors} neighbors, "
            f"but there are {adata.n_obs}; bring more cells, or lower n_neighbors (Recipe.with_)"
        )
    if settings.task == "spatial":
        if "spatial" not in adata.obsm:
            raise DataError(
                f"recipe {settings.name!r} needs coordinates in obsm['spatial'], which is missing; "
                "add them, or use a recipe for scRNA-seq such as 'robust'"
            )
        graph = spatial_graph(adata.obsm["spatial"], n_neighbors=settings.n_neighbors)
    else:
        graph = cell_graph(
            adata.X[:, chosen],
            n_neighbors=settings.n_neighbors,
            n_components=settings.graph_components,
            seed=seed,
        )
    adata.obsp["cell_graph"] = graph
    same = settings.gene_graph_features == settings.features
    profiles = features if same else encoder_features(adata, settings.gene_graph_features)
    small = gene_graph(profiles, n_neighbors=min(settings.n_gene_neighbors, chosen.size)).tocoo()
    adata.varp["gene_graph"] = sp.csr_matrix(
        (small.data, (chosen[small.row], chosen[small.col])), shape=(adata.n_vars, adata.n_vars)
    )


def build(
    adata: AnnData,
    settings: Recipe,
    features: np.ndarray | sp.csr_matrix,
    *,
    n_clusters: int,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> tuple[ScRCL, Inputs]:
    """The model with its first weights, and the filtered features and graphs that it reads."""
    chosen = adata.var["highly_variable"].to_numpy()
    graph, (steps_1, steps_2) = adata.obsp["cell_graph"], settings.filter_steps
    view_2 = low_pass(features, graph, steps_2)
    view_1 = low_pass(view_2, graph, steps_1 - steps_2) if steps_1 >= steps_2 else low_pass(features, graph, steps_1)
    inputs = Inputs.build(view_1, view_2, graph, adata.varp["gene_graph"][chosen][:, chosen], device=device)
    torch.manual_seed(seed)
    model = ScRCL(
        *view_1.shape,
        n_hidden=settings.n_hidden,
        out_dim=settings.out_dim or n_clusters,
        dropout=settings.dropout,
        temperature=settings.temperature,
        weight_distribution=settings.weight_distribution,
        weight_neighborhood=settings.weight_neighborhood,
        weight_consistency=settings.weight_consistency,
    )
    return model.to(device), inputs


def cluster(outputs: Outputs, settings: Recipe, n_clusters: int, *, seed: int = 0) -> np.ndarray:
    """Cluster what the recipe says: encodings, refined cells, or both side by side."""
    e1, e2, z1, z2 = (part.cpu().numpy() for part in outputs[:4])
    embedding = _side_by_side({"e1": e1, "e2": e2, "z": np.hstack([z1, z2])}, settings.embedding)
    if settings.clustering == "kmeans_as_published":
        return clustering.kmeans_as_published(embedding, n_clusters, seed=seed)
    return clustering.kmeans(embedding, n_clusters, n_starts=settings.n_starts, seed=seed)


def clustered(adata: AnnData, key: str = "scrcl") -> np.ndarray:
    """What the clusters of a fit were found in, shape (n_cells, n_dimensions): the `embedding` of its recipe."""
    if f"X_{key}_z" in adata.obsm:
        return adata.obsm[f"X_{key}"]
    # Files written before version 0.2 keep the refined cells under the key that now holds what was clustered.
    parts = {"e1": adata.obsm[f"X_{key}_e1"], "e2": adata.obsm[f"X_{key}_e2"], "z": adata.obsm[f"X_{key}"]}
    return _side_by_side(parts, adata.uns[key]["recipe"]["embedding"])


def choose_device(device: str = "auto") -> torch.device:
    """The device by name; "auto" takes CUDA, then Apple's, then the CPU."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name, there in available.items() if there)
    kind = device.split(":")[0]
    if kind not in available:
        raise SettingsError(f"device is {device!r}; choose auto, cuda, mps or cpu")
    if not available[kind]:
        raise SettingsError(f"device {device} is not there; use --device auto, or --device cpu")
    try:
        return torch.empty(0, device=device).device
    except (AssertionError, RuntimeError) as error:  # such as cuda:7 where there is one
        raise SettingsError(f"device {device} is not there; use --device auto, or --device cpu") from error


def digest(*matrices: np.ndarray | sp.csr_matrix) -> str:
    """A short fingerprint of what training reads."""
    state = hashlib.blake2b(digest_size=8)
    for values in matrices:
        for part in (values.data, values.indices, values.indptr) if sp.issparse(values) else (values,):
            state.update(np.ascontiguousarray(part).data)
    return state.hexdigest()


class _Oracle:
    """Looks at the labels after every epoch and keeps the best one, as the published protocol does."""

    def __init__(
        self, model: ScRCL, inputs: Inputs, labels: np.ndarray, n_clusters: int, settings: Recipe, seed: int
    ) -> None:
        self.model, self.inputs, self.labels, self.n_clusters = model, inputs, labels, n_clusters
        self.settings, self.seed = settings, seed
        self.score = evaluation.ari if settings.task == "spatial" else evaluation.nmi
        self.best, self.epoch, self.outputs, self.clusters = -np.inf, 0, None, None

    def __call__(self, epoch: int, _: dict[str, float]) -> None:
        outputs = embed(self.model, self.inputs)
        clusters = cluster(outputs, self.settings, self.n_clusters, seed=self.seed + epoch)
        if (score := self.score(self.labels, clusters)) > self.best:
            self.best, self.epoch, self.outputs, self.clusters = score, epoch, outputs, clusters


def _check_protocol(protocol: str, labels: np.ndarray | None, settings: Recipe, n_cells: int, *, resume: bool) -> None:
    if protocol not in ("label-free", "oracle"):
        raise SettingsError(f"protocol is {protocol!r}; choose 'label-free' or 'oracle'")
    if protocol == "oracle" and not settings.name.startswith("paper/"):
        raise SettingsError(f"the oracle protocol exists for paper/ recipes only, not for {settings.name!r}")
    if protocol == "oracle" and labels is None:
        raise SettingsError("the oracle protocol picks the epoch by the true labels: give labels=")
    if protocol == "label-free" and labels is not None:
        raise SettingsError("labels were given but protocol is 'label-free', which must not see them; leave them out")
    if protocol == "oracle" and resume:
        raise SettingsError("the oracle protocol cannot be resumed: no checkpoint holds its best epoch; start again")
    if labels is not None:
        if len(labels) != n_cells:
            raise SettingsError(f"{len(labels)} labels were given for {n_cells} cells; give one per cell")
        evaluation.scores(labels, labels)  # raises now what would be raised after the first epoch


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise SettingsError(f"seed is {seed}; choose a whole number from 0 to {2**32 - 1}")


@contextlib.contextmanager
def _tensor_cores(device: torch.device) -> Iterator[None]:
    """Let CUDA multiply in TF32, which changes a result less than another seed does (see benchmarks/)."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if device.type == "cuda" else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _both(first: Callable | None, second: Callable | None) -> Callable[[int, dict[str, float]], None] | None:
    calls = [call for call in (first, second) if call is not None]
    return (lambda epoch, losses: [call(epoch, losses) for call in calls]) if calls else None


def _side_by_side(parts: dict[str, np.ndarray], embedding: str) -> np.ndarray:
    names = {"z": ("z",), "e": ("e1", "e2"), "ez": ("e1", "e2", "z"), "e1": ("e1",), "e2": ("e2",)}[embedding]
    return np.hstack([parts[name] for name in names])


def _voted(clusters: np.ndarray, adata: AnnData, settings: Recipe) -> np.ndarray:
    if settings.task != "spatial" or not settings.vote_neighbors:
        return clusters
    return clustering.majority_vote(clusters, adata.obsm["spatial"], n_neighbors=settings.vote_neighbors)


def _store(adata: AnnData, outputs: Outputs, clusters: np.ndarray, embedding: str, key: str) -> None:
    e1, e2, z1, z2, programs = (part.cpu().numpy() for part in outputs)
    parts = {"e1": e1, "e2": e2, "z": np.hstack([z1, z2])}
    adata.obsm[f"X_{key}"] = _side_by_side(parts, embedding)
    for name, part in parts.items():
        adata.obsm[f"X_{key}_{name}"] = part
    of_all_genes = np.full((adata.n_vars, programs.shape[1]), np.nan, np.float32)
    of_all_genes[adata.var["highly_variable"].to_numpy()] = programs
    adata.varm[f"{key}_programs"] = of_all_genes
    _store_clusters(adata, clusters, key)


def _store_clusters(adata: AnnData, clusters: np.ndarray, key: str) -> None:
    import pandas as pd

    adata.obs[key] = pd.Categorical(clusters.astype(str), categories=[str(c) for c in np.unique(clusters)])
