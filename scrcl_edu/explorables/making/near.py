"""Near against everyone: forty blood cells of four types, in two views, before training and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from scrcl_edu.alignment import neighborhood_alignment_dense
from scrcl_edu.explorables.cells import as_the_lessons, types_of
from scrcl_edu.explorables.questions import question
from scrcl_edu.fitting import build
from scrcl_edu.graphs import Graph
from scrcl_edu.training import embed, train

TYPES = ("CD14+ Monocyte", "CD19+ B", "CD56+ NK", "CD34+")
OF_EACH = 10
SEED = 0


def make() -> dict[str, Any]:
    """Encodings in thousandths, the graph among the cells, their types, and the loss as the package has it."""
    adata, settings, features = as_the_lessons("robust")
    labels, graph = adata.obs["label"].to_numpy().astype(str), adata.obsp["cell_graph"]
    cells = np.concatenate([well_connected(graph, labels == name) for name in TYPES])
    among = graph[cells][:, cells].tocsr()
    model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
    before = embed(model, inputs)
    how = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
    train(model, inputs, epochs=settings.epochs, **how)
    moments = {"before": before, "after": embed(model, inputs)}
    encodings = {
        name: [np.rint(1000 * e.numpy()[cells]).astype(int) for e in (outputs.e1, outputs.e2)]
        for name, outputs in moments.items()
    }
    losses = {name: loss_of(e1, e2, among, settings.temperature) for name, (e1, e2) in encodings.items()}
    return {
        "temperature": settings.temperature,
        "epochs": settings.epochs,
        "encodings": {name: [e.tolist() for e in pair] for name, pair in encodings.items()},
        "edges": np.column_stack(sp.triu(among).nonzero()).tolist(),
        **types_of(labels[cells]),
        "losses": losses,
        "question": question("near_after_training", losses["after"]),
    }


def well_connected(graph: sp.csr_matrix, inside: np.ndarray) -> np.ndarray:
    """Of a type, the cells with the most edges inside it, as they come when the least connected leave one by one."""
    left = np.flatnonzero(inside)
    while len(left) > OF_EACH:
        degree = np.asarray(graph[left][:, left].sum(axis=1)).ravel()
        left = np.delete(left, np.argmin(degree))
    return left


def loss_of(e1: np.ndarray, e2: np.ndarray, graph: sp.csr_matrix, temperature: float) -> float:
    """The neighborhood alignment of encodings in thousandths."""
    one, two = (torch.as_tensor(e / 1000) for e in (e1, e2))
    return round(neighborhood_alignment_dense(one, two, Graph(graph), temperature=temperature).item(), 6)
