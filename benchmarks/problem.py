"""The cells that everything here is measured on, and a model about to be trained on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.process import seconds

if TYPE_CHECKING:
    from anndata import AnnData

    from scrcl_edu.recipes import Recipe

N_TYPES = 10


def simulated(n_cells: int, n_genes: int) -> AnnData:
    """Ten types of cells, about 2,000 molecules each."""
    from scrcl_edu import datasets

    return datasets.simulate(n_cells, n_genes, N_TYPES, genes_per_program=min(30, n_genes // 20), seed=0)


def robust(n_genes: int, **settings: Any) -> Recipe:
    """The default recipe on so many genes, with some settings changed."""
    from scrcl_edu.recipes import recipe

    return recipe("robust").with_(n_top_genes=n_genes, **settings)


def training_step(n_cells: int, n_genes: int, **changed: Any) -> tuple[Callable[[], Any], float]:
    """A training step after everything that `fit` does before it, and the seconds that both graphs took."""
    from scrcl_edu import fitting, preprocessing, training

    adata, settings = simulated(n_cells, n_genes), robust(n_genes, **changed)
    preprocessing.preprocess(adata, n_top_genes=n_genes, flavor=settings.hvg_flavor)
    features = preprocessing.encoder_features(adata, settings.features)
    graph_seconds = seconds(lambda: fitting.add_graphs(adata, settings, features))
    model, inputs = fitting.build(adata, settings, features, n_clusters=N_TYPES)
    optimizer = training.adam(model, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay)

    def step(_keep: AnnData = adata) -> None:  # `fit` holds the cells while it trains
        training.step(model, inputs, optimizer)

    return step, graph_seconds
