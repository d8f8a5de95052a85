"""AnnData in, AnnData out: preprocessing, graphs, training, clustering. The only place that knows their order."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from scrcl_edu import __version__, clustering, evaluation, products
from scrcl_edu.agreement import agree
from scrcl_edu.devices import choose_device
from scrcl_edu.doubts import check_column, doubts
from scrcl_edu.errors import DataError, DataNote, SettingsError
from scrcl_edu.files import check_checkpoint
from scrcl_edu.inputs import add_graphs, build, identity_of, read_features
from scrcl_edu.keeping import save_model
from scrcl_edu.model import Inputs, Outputs, ScRCL
from scrcl_edu.parts import Parts, clusters_of
from scrcl_edu.preprocessing import preprocess
from scrcl_edu.recipes import Recipe, choose
from scrcl_edu.training import embed, explained_memory, products_of, progress_bar, train_and_embed
from scrcl_edu.workers.training import train_together

if TYPE_CHECKING:
    from anndata import AnnData

    from scrcl_edu.workers.team import Team

Protocol = Literal["label-free", "oracle"]


def fit(
    adata: AnnData,
    *,
    n_clusters: int | None = None,
    recipe: str | Recipe = "robust",
    spatial: bool = False,
    n_top_genes: int | None = None,
    n_neighbors: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
    already_logged: bool = False,
    prepared: bool = False,
    batch: str | None = None,
    protocol: Protocol = "label-free",
    labels: np.ndarray | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    keep_checkpoint: bool = False,
    model_file: str | Path | None = None,
    on_epoch: Callable[[int, dict[str, float]], Any] | None = None,
    progress: bool | None = False,
    key_added: str = "scrcl",
    copy: bool = False,
    parts: Parts | None = None,
    workers: Team | None = None,
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
    spatial
        Cells are spots of a tissue: "robust" becomes "robust/spatial".
    n_top_genes, n_neighbors, epochs
        Instead of the recipe's own; the other settings by :meth:`~scrcl_edu.recipes.Recipe.with_`.
    seed
        Of everything that is drawn.
    device
        "auto" takes CUDA, then Apple's, then the CPU.
    already_logged
        `X` holds log-normalized values and there are no counts.
    prepared
        `adata` is what :func:`scrcl_edu.chunks.read_by_chunks` or :func:`~scrcl_edu.preprocessing.preprocess` left, and
        its genes are chosen.
    batch
        Column of `obs` that says which cells were measured together. It changes nothing; how far clusters and batches
        agree is told.
    protocol
        "oracle" repeats the published protocol, which picks the epoch by `labels`; for `paper/` recipes only.
    labels
        True classes, shape (n_cells,); only with "oracle".
    checkpoint, resume
        See :func:`~scrcl_edu.training.train`; not for "oracle", whose best epoch so far is in no checkpoint.
    keep_checkpoint
        Leave the checkpoint there when the fit has ended well; otherwise it is removed.
    model_file
        Keep the trained model in this file, for :func:`scrcl_edu.load_model`; with "oracle" that of the last epoch. A
        file of that name is replaced.
    on_epoch
        Called with the epoch's number and its losses.
    progress
        Show a bar; None shows it on a terminal only.
    key_added
        Name of the results. Fits under different names do not touch each other's results.
    copy
        Work on a copy; otherwise `adata` itself is changed: `X` becomes log-normalized (the counts stay in
        `layers["counts"]`, and `uns["log1p"]` says it to scanpy), and cells or genes without any count leave it.
    parts
        Functions of one's own in place of the method's, see :class:`scrcl_edu.parts.Parts`.
    workers
        Processes that train together, each with some of the cells, see :mod:`scrcl_edu.workers`; called on worker 0.

    Returns
    -------
    The AnnData, with `obs[key]` clusters, `obsm["X_" + key]` what they were found in (for "robust" [e1, e2]), beside it
    its parts `_e1`, `_e2` and `_z` = [z1, z2],
    `varm[key + "_programs"]` (NaN for genes not used), `obsp["cell_graph"]`, `varp["gene_graph"]` (with another key
    than "scrcl" `key + "_cell_graph"`, `key + "_gene_graph"`), and `uns[key]` with settings, history, notes, versions
    and seed. With "oracle" also `obs[key + "_last_epoch"]`, the clusters that the same training gives to those who do
    not peek.

    Raises
    ------
    DataError, SettingsError, CheckpointError, TrainingError
        Each names the value, what is allowed and the fix.

    Warns
    -----
    DataNote
        When cells or genes were dropped or renamed, coordinates were not used, or clusters agree with batches.

    Notes
    -----
    A fitted model cannot take new cells: the gene encoder has weights for each cell. :func:`scrcl_edu.assign` gives new
    cells the clusters of their nearest neighbors among the fitted ones; many new cells are better fitted again, with
    the old ones.

    Examples
    --------
    >>> import scrcl_edu
    >>> adata = scrcl_edu.datasets.simulate(200, 100, 3, genes_per_program=15, seed=0)
    >>> adata = scrcl_edu.fit(adata, n_clusters=3, epochs=5)
    >>> adata.obs["scrcl"].nunique()
    3
    >>> adata.obsm["X_scrcl"].shape  # two encodings of 256 numbers side by side
    (200, 512)
    """
    started = time.perf_counter()
    _check_input(adata, key_added, batch)
    settings = choose(recipe, spatial=spatial, n_top_genes=n_top_genes, n_neighbors=n_neighbors, epochs=epochs)
    _check_protocol(protocol, labels, settings, adata.n_obs, resume=resume)
    if parts and parts.given and protocol == "oracle":
        raise SettingsError("parts of one's own are for the label-free protocol; leave out parts= or protocol='oracle'")
    if parts and parts.given and settings.clustering == "consensus":
        raise SettingsError("the consensus trains nothing that parts= could replace; leave it out, or choose 'robust'")
    _check_workers(workers, protocol, parts)
    if model_file is not None and (workers is not None or settings.clustering == "consensus"):
        raise SettingsError(
            "there is no one trained model with workers= or the recipe 'consensus'; leave model_file out"
        )
    _check_seed(seed)
    check_checkpoint(checkpoint, resume=resume)
    if n_clusters is not None:
        clustering.check_n_clusters(n_clusters, adata.n_obs)
    place = choose_device(device)
    adata = adata.copy() if copy else adata
    if labels is not None and not prepared:
        values = adata.X if already_logged else adata.layers.get("counts", adata.X)
        labels = np.asarray(labels)[np.asarray((values != 0).sum(axis=1)).ravel() > 0]  # preprocess drops the others
    if not prepared:
        preprocess(adata, n_top_genes=settings.n_top_genes, flavor=settings.hvg_flavor, already_logged=already_logged)
    elif "preprocessing" not in adata.uns:
        raise DataError("prepared=True was given, but uns['preprocessing'] is missing; leave prepared out")
    adata.uns["log1p"] = {"base": None}  # as scanpy notes it
    if n_clusters is not None:
        clustering.check_n_clusters(n_clusters, adata.n_obs)

    if settings.clustering == "consensus":
        cell_key = agree(adata, settings, n_clusters, seed=seed, key=key_added)
        adata.uns[key_added]["seconds"] = time.perf_counter() - started
        _note(adata, key_added, cell_key, batch)
        return adata

    features = read_features(adata, settings, parts)
    cell_key, _ = add_graphs(adata, settings, features, seed=seed, key=key_added, parts=parts)
    estimated = n_clusters is None
    if n_clusters is None:
        n_clusters = clustering.estimate_n_clusters(adata.obsp[cell_key], seed=seed)
    with explained_memory(*features.shape):
        model, inputs = build(
            adata, settings, features, n_clusters=n_clusters, seed=seed, device=place, key=key_added, parts=parts
        )
    identity = identity_of(adata, settings, features, n_clusters=n_clusters, seed=seed, key=key_added)
    identity |= {f"part {name}": function for name, function in (parts.named if parts else {}).items()}
    del features

    best = _Oracle(model, inputs, labels, n_clusters, settings, seed) if labels is not None else None
    precision = products.choose(place, model.operations, products_of(checkpoint) if resume else None)
    training_started = time.perf_counter()
    with products.taken_as(precision), progress_bar(settings.epochs, shown=progress) as bar:
        history, outputs = (train_and_embed if workers is None else partial(train_together, workers))(
            model,
            inputs,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            on_epoch=_each(best, on_epoch, bar),
            stop_after=parts.stopping if parts else None,
            checkpoint=None if best else checkpoint,
            resume=resume,
            identity=identity,
        )
    seconds_training = time.perf_counter() - training_started
    clusters = voted(cluster(outputs, settings, n_clusters, seed=seed, parts=parts), adata, settings)
    if best:
        _store_clusters(adata, clusters, f"{key_added}_last_epoch")
    if best and best.outputs is not None and best.clusters is not None:
        outputs, clusters = best.outputs, voted(best.clusters, adata, settings)
    _store(adata, outputs, clusters, settings.embedding, key_added)
    if model_file is not None:
        save_model(model_file, model, identity, overwrite=True)
    adata.uns[key_added] = {
        "recipe": settings.as_dict(),
        "ran": settings.title,
        "parts": parts.named if parts else {},
        "history": {name: np.array(values) for name, values in history.items()},
        "n_clusters": n_clusters,
        "n_clusters_from": "estimated from the cell graph" if estimated else "given",
        "protocol": "oracle: this result has seen the labels" if protocol == "oracle" else "label-free",
        "epochs": len(history["total"]),
        "best_epoch": best.epoch if best else len(history["total"]),
        "seed": seed,
        "device": str(place),
        "products": precision,
        "seconds": time.perf_counter() - started,
        "seconds_per_epoch": seconds_training / max(len(history["total"]), 1),
        "versions": {"scrcl_edu": __version__, "torch": str(torch.__version__)},
    }
    if workers is not None:
        adata.uns[key_added]["workers"] = workers.account
    _note(adata, key_added, cell_key, batch)
    if checkpoint is not None and not keep_checkpoint:
        Path(checkpoint).unlink(missing_ok=True)
    return adata


def cluster(
    outputs: Outputs, settings: Recipe, n_clusters: int, *, seed: int = 0, parts: Parts | None = None
) -> np.ndarray:
    """Cluster what the recipe says: encodings, refined cells, or both side by side."""
    e1, e2, z1, z2 = (part.cpu().numpy() for part in outputs[:4])
    embedding = _side_by_side({"e1": e1, "e2": e2, "z": np.hstack([z1, z2])}, settings.embedding)
    if parts is not None and parts.clustering is not None:
        return clusters_of(parts.clustering, embedding, n_clusters, seed)
    if settings.clustering == "kmeans_as_published":
        return clustering.kmeans_as_published(embedding, n_clusters, seed=seed)
    return clustering.kmeans(embedding, n_clusters, n_starts=settings.n_starts, seed=seed)


def clustered(adata: AnnData, key: str = "scrcl") -> np.ndarray:
    """What the clusters of a fit were found in, shape (n_cells, n_dimensions): the `embedding` of its recipe."""
    if f"X_{key}_z" in adata.obsm or f"X_{key}_e1" not in adata.obsm:  # the consensus has components alone
        return adata.obsm[f"X_{key}"]
    # Files of earlier versions keep the refined cells under the key that now holds what was clustered.
    parts = {"e1": adata.obsm[f"X_{key}_e1"], "e2": adata.obsm[f"X_{key}_e2"], "z": adata.obsm[f"X_{key}"]}
    return _side_by_side(parts, adata.uns[key]["recipe"]["embedding"])


class _Oracle:
    """Looks at the labels after every epoch and keeps the best one, as the published protocol does."""

    def __init__(
        self, model: ScRCL, inputs: Inputs, labels: np.ndarray, n_clusters: int, settings: Recipe, seed: int
    ) -> None:
        self.model, self.inputs, self.labels, self.n_clusters = model, inputs, labels, n_clusters
        self.settings, self.seed = settings, seed
        self.score = evaluation.ari if settings.task == "spatial" else evaluation.nmi
        self.best, self.epoch = -np.inf, 0
        self.outputs: Outputs | None = None
        self.clusters: np.ndarray | None = None

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


def _check_workers(workers: Team | None, protocol: str, parts: Parts | None) -> None:
    if workers is not None and protocol == "oracle":
        raise SettingsError("the oracle protocol looks at all cells in every epoch; start it without torchrun")
    if workers is not None and parts and parts.given:
        raise SettingsError("parts of one's own see all cells, in one process; leave out parts= or workers=")


def _check_input(adata: AnnData, key: str, batch: str | None) -> None:
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        fix = "read the file first: scrcl_edu.datasets.read_input(path)"
        if not isinstance(adata, (str, Path)):
            fix = "wrap the counts, cells in rows: anndata.AnnData(counts)"
        raise DataError(f"fit takes an AnnData, not {type(adata).__name__}; {fix}")
    if not isinstance(key, str) or not key or "/" in key:
        raise SettingsError(f"key_added is {key!r}; choose a name without '/', such as 'scrcl'")
    check_column(adata, batch, "batch")


def _check_seed(seed: int) -> None:
    if not isinstance(seed, Integral) or not 0 <= seed < 2**32:
        raise SettingsError(f"seed is {seed!r}; choose a whole number from 0 to {2**32 - 1}")


def _note(adata: AnnData, key: str, cell_graph: str, batch: str | None) -> None:
    notes = [*adata.uns["preprocessing"]["notes"], *doubts(adata, key, cell_graph=cell_graph, batch=batch)]
    adata.uns[key]["notes"] = notes
    if told := [note for note in notes if "genes asked for" not in note]:  # which is so for every small panel
        warnings.warn("; ".join(told), DataNote, stacklevel=3)


def _each(*calls: Callable | None) -> Callable[[int, dict[str, float]], None]:
    def call_each(epoch: int, losses: dict[str, float]) -> None:
        for call in calls:
            if call is not None:
                call(epoch, losses)

    return call_each


def _side_by_side(parts: dict[str, np.ndarray], embedding: str) -> np.ndarray:
    names = {"z": ("z",), "e": ("e1", "e2"), "ez": ("e1", "e2", "z"), "e1": ("e1",), "e2": ("e2",)}[embedding]
    return np.hstack([parts[name] for name in names])


def voted(clusters: np.ndarray, adata: AnnData, settings: Recipe) -> np.ndarray:
    """After the vote in space, where the recipe has one."""
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
