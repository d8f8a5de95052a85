"""How sure the clusters of a fit are: the same training with other seeds, and for each cell how often they agree."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu import evaluation, products
from scrcl_edu.consensus import stability as stability_of
from scrcl_edu.devices import choose_device
from scrcl_edu.errors import SettingsError
from scrcl_edu.fitting import cluster, voted
from scrcl_edu.inputs import build, of_fit
from scrcl_edu.preprocessing import encoder_features
from scrcl_edu.saving import check_fit
from scrcl_edu.training import embed, progress_bar, train

if TYPE_CHECKING:
    from anndata import AnnData


def stability(
    adata: AnnData, *, n_seeds: int = 4, key: str = "scrcl", device: str = "auto", progress: bool | None = False
) -> dict[str, Any]:
    """Train again with other seeds on the graphs and genes of a fit, and count how often cells stay together.

    Parameters
    ----------
    adata
        After a fit under `key`, as it is or read from its file.
    n_seeds
        How many trainings more; each takes as long as the fit's own.
    key
        Name of the result.
    device, progress
        As in :func:`scrcl_edu.fit`.

    Returns
    -------
    Also kept in ``uns[key]["stability"]``: `seeds`; `ari`, the adjusted Rand index of each with the fit's clusters;
    `clusters`, the mean over the cells of each cluster. ``obs[key + "_stability"]`` has one number for each cell: the
    share of the other trainings that put it together with another cell of its cluster, averaged over these others.
    Near 1 it does not depend on the seed; far below the rest, the cell lies between clusters.

    Raises
    ------
    DataError
        When there is no fit under `key`.
    SettingsError
        When `n_seeds` is below 1.

    Examples
    --------
    >>> import scrcl_edu
    >>> adata = scrcl_edu.datasets.simulate(200, 100, 3, genes_per_program=15, seed=0)
    >>> adata = scrcl_edu.fit(adata, n_clusters=3, epochs=5)
    >>> found = scrcl_edu.stability.stability(adata, n_seeds=2)
    >>> found["seeds"]
    [1, 2]
    """
    if n_seeds < 1:
        raise SettingsError(f"n_seeds is {n_seeds}; choose at least 1, usually 3 to 10")
    check_fit(adata, key)
    if adata.uns[key]["recipe"]["clustering"] == "consensus":  # it is made of several clusterings and has counted
        return adata.uns[key]["stability"]
    light, settings = of_fit(adata, key)
    facts, features = adata.uns[key], encoder_features(light, settings.features)
    n_clusters, seeds = int(facts["n_clusters"]), [int(facts["seed"]) + 1 + n for n in range(n_seeds)]
    place = choose_device(device)
    others = []
    precision = products.choose(place, 0, str(facts.get("products", "highest")))
    with products.taken_as(precision), progress_bar(settings.epochs * n_seeds, shown=progress) as bar:
        for number, seed in enumerate(seeds):
            model, inputs = build(light, settings, features, n_clusters=n_clusters, seed=seed, device=place, key=key)
            train(
                model,
                inputs,
                epochs=settings.epochs,
                learning_rate=settings.learning_rate,
                weight_decay=settings.weight_decay,
                on_epoch=partial(_after, bar, number * settings.epochs),
            )
            found = cluster(embed(model, inputs), settings, n_clusters, seed=seed)
            others.append(voted(found, light, settings))
    clusters = adata.obs[key].astype(str).to_numpy()
    adata.obs[f"{key}_stability"] = of_cells = stability_of(np.unique(clusters, return_inverse=True)[1], others)
    facts["stability"] = {
        "seeds": seeds,
        "ari": [evaluation.ari(clusters, other) for other in others],
        "clusters": {name: float(of_cells[clusters == name].mean()) for name in np.unique(clusters)},
    }
    return facts["stability"]


def _after(bar: Callable[[int, dict[str, float]], None], before: int, epoch: int, losses: dict[str, float]) -> None:
    bar(before + epoch, losses)
