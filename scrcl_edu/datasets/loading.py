"""From a dataset's name to the AnnData of the data contract, holding the registry to its promises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scrcl_edu.datasets import embedded, registry
from scrcl_edu.datasets.parsers import compact
from scrcl_edu.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData


def load(name: str, *, cache: str | Path | None = None, progress: bool = True) -> AnnData:
    card = registry.card(name)
    return finish(embedded.pbmc68k_reduced(), card)


def get(name: str, *, cache: str | Path | None = None, progress: bool = True) -> list[Path]:
    return []


def finish(adata: AnnData, card: registry.Card) -> AnnData:
    """Bring parsed data to the data contract and compare it with its card."""
    adata.X = compact(adata.X)
    adata.layers["counts"] = adata.X.copy()
    adata.obs["label"] = adata.obs[card.label].astype(str).astype("category")
    adata.uns["dataset"] = card.facts()
    found = {"cells": adata.n_obs, "genes": adata.n_vars, "classes": adata.obs["label"].cat.categories.size}
    wrong = [f"{found[k]} {k} instead of {v}" for k in found if (v := getattr(card, k)) not in (None, found[k])]
    if wrong and card.status != "unresolved":
        raise DataError(f"{card.name}: the data hold {', '.join(wrong)}; the source has changed or the file is another one")
    return adata
