"""A cell as a mixture of programs: what cells ask of genes, the programs, and the refined cells they give."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scrcl_edu.explorables.cells import as_the_lessons, types_of
from scrcl_edu.explorables.questions import question
from scrcl_edu.fitting import build
from scrcl_edu.training import embed, train

SEED = 0
OF_EACH = 3  # cells of each type that can be chosen
MARKERS = ["CD79A", "CD79B", "MS4A1", "CD3D", "CD3E", "IL32", "NKG7", "GNLY", "LYZ", "CST3", "MZB1", "IGJ"]
LEADING = 2  # genes that lead each program, beside the markers
NEAREST = 10
ASKED = "CD79A"
ANSWERS = ("it stays among its own type", "it moves among another type")


def make() -> dict[str, Any]:
    """Programs and asks of some genes, what all other genes add, refined cells, and a plane to see them in."""
    adata, settings, features = as_the_lessons("robust")
    labels, genes = adata.obs["label"].to_numpy().astype(str), adata.var_names[adata.var["highly_variable"]]
    model, inputs = build(adata, settings, features, n_clusters=10, seed=SEED)
    how = {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
    train(model, inputs, epochs=settings.epochs, **how)
    outputs = embed(model, inputs)
    with torch.no_grad():
        asks = model.projector(model.MLP_encoder(inputs.view_1)).numpy().astype(float)  # (n_cells, n_genes)
    programs = outputs.programs.numpy().astype(float)  # (n_genes, n_programs)
    chosen = shown_genes(programs, genes.to_numpy().astype(str))
    cells = np.concatenate([typical(asks @ programs, labels == name) for name in np.unique(labels)])
    others = np.delete(np.arange(len(genes)), chosen)
    refined = outputs.z1.numpy().astype(float)
    center = refined.mean(axis=0)
    plane = np.linalg.svd(refined - center, full_matrices=False)[2][:2]  # (2, n_programs)
    plane *= np.sign(plane.sum(axis=1, keepdims=True))
    made = {
        "genes": genes[chosen].tolist(),
        "n_genes": len(genes),
        "programs": programs[chosen].round(5).tolist(),
        "cells": cells.tolist(),
        "asks": asks[cells][:, chosen].round(4).tolist(),
        "rest": (asks[cells][:, others] @ programs[others]).round(4).tolist(),
        "refined": refined.round(4).tolist(),
        "center": center.round(5).tolist(),
        "plane": plane.round(5).tolist(),
        "nearest": NEAREST,
        **types_of(labels),
    }
    return made | {"asked": ASKED, "question": question("without_one_gene", answer(made))}


def shown_genes(programs: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Numbers of the genes that are shown: known markers, then those that lead a program."""
    known = [int(np.flatnonzero(names == name)[0]) for name in MARKERS if name in names]
    leading = np.argsort(-programs, axis=0, kind="stable")[:LEADING].T.ravel()
    return np.array(list(dict.fromkeys([*known, *leading.tolist()])))


def typical(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Of a type, the cells whose direction is nearest to its mean direction."""
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    near = unit @ unit[inside].mean(axis=0)
    return np.flatnonzero(inside)[np.argsort(-near[inside], kind="stable")[:OF_EACH]]


def answer(made: dict[str, Any]) -> str:
    """Where the first B cell lands when it asks nothing of one gene, from the numbers as they are stored."""
    names = [one["name"] for one in made["types"]]
    own = names.index("CD19+ B")
    at = next(k for k, cell in enumerate(made["cells"]) if made["type_of"][cell] == own)
    asks = np.where(np.array(made["genes"]) == ASKED, 0, made["asks"][at])
    mixed = asks @ np.array(made["programs"]) + made["rest"][at]
    order = np.argsort(-(np.array(made["refined"]) @ mixed), kind="stable")
    near = [cell for cell in order.tolist() if cell != made["cells"][at]][:NEAREST]
    return ANSWERS[int(np.mean([made["type_of"][cell] == own for cell in near]) <= 0.5)]
