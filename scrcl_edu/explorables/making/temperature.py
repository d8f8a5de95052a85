"""Two views, one temperature: forty blood cells before training, on the hidden units in which they differ most."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scrcl_edu import alignment
from scrcl_edu.encoders import unit_rows
from scrcl_edu.explorables.cells import types_of
from scrcl_edu.explorables.questions import question

QUICK = True
N_CELLS, N_UNITS, TEMPERATURE = 40, 8, 0.3


def make() -> dict[str, Any]:
    """Unit rows of both views, the cells' types, and the losses at the start and collapsed."""
    e1, e2, labels = encodings()
    views = [torch.as_tensor(view) for view in (e1, e2)]
    point = unit_rows(torch.ones_like(views[0]))
    losses = [loss(*views), loss(point, point)]
    collapsed = "it falls to 0" if losses[1] < 1e-9 else "it stays the same" if losses[1] < losses[0] else "it grows"
    return {
        "e1": e1.tolist(),
        "e2": e2.tolist(),
        **types_of(labels),
        "temperature": TEMPERATURE,
        "losses": np.round(losses, 4).tolist(),
        "question": question("loss_of_one_point", collapsed),
    }


def encodings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both views of an untrained model for some cells of each type, each (n_cells, n_units), and the cells' types."""
    from scrcl_edu import datasets
    from scrcl_edu.fitting import add_graphs, build
    from scrcl_edu.preprocessing import encoder_features, preprocess
    from scrcl_edu.recipes import recipe
    from scrcl_edu.training import embed

    adata, settings = datasets.load("pbmc68k_reduced"), recipe("robust")
    preprocess(adata, n_top_genes=settings.n_top_genes)
    features = encoder_features(adata, settings.features)
    add_graphs(adata, settings, features)
    model, inputs = build(adata, settings, features, n_clusters=10, seed=0)
    start = embed(model, inputs)
    labels = adata.obs["label"].to_numpy().astype(str)
    chosen = [np.flatnonzero(labels == name)[: N_CELLS // 10] for name in np.unique(labels)]
    cells = np.concatenate(chosen)
    units = (start.e1.var(0) + start.e2.var(0)).argsort(descending=True)[:N_UNITS]
    e1, e2 = (unit_rows(view.double()[cells][:, units]).numpy().round(4) + 0.0 for view in (start.e1, start.e2))
    return e1, e2, labels[cells]


def loss(e1: torch.Tensor, e2: torch.Tensor) -> float:
    """Distribution alignment at the temperature of the start."""
    return alignment.distribution_alignment(e1, e2, temperature=TEMPERATURE).item()
