"""Datasets by name, and a user's own files, as AnnData that keeps the data contract; every lesson uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scrcl_edu.datasets.loading import get, load, open_input
from scrcl_edu.datasets.reading import read_input
from scrcl_edu.datasets.registry import Card, card, cards, markdown_table, names
from scrcl_edu.datasets.released import released, released_embeddings

if TYPE_CHECKING:
    from scrcl_edu.datasets.simulated import simulate

__all__ = [
    "Card",
    "card",
    "cards",
    "get",
    "load",
    "markdown_table",
    "names",
    "open_input",
    "read_input",
    "released",
    "released_embeddings",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name == "simulate":  # its module imports pandas and anndata
        from scrcl_edu.datasets.simulated import simulate

        return simulate
    raise AttributeError(f"module 'scrcl_edu.datasets' has no attribute {name!r}")
