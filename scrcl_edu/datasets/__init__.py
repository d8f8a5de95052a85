"""Datasets by name, and a user's own files, as AnnData that keeps the data contract; no lesson of its own, all use it."""

from __future__ import annotations

from scrcl_edu.datasets.loading import get, load
from scrcl_edu.datasets.reading import read_input
from scrcl_edu.datasets.registry import Card, card, cards, names

__all__ = ["Card", "card", "cards", "get", "load", "names", "read_input", "simulate"]


def __getattr__(name: str):
    if name == "simulate":
        from scrcl_edu.datasets.simulated import simulate

        return simulate
    raise AttributeError(f"module 'scrcl_edu.datasets' has no attribute {name!r}")
