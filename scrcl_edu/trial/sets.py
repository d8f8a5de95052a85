"""The sets of a trial: some to play with, always the same ones, and some that are drawn when they are opened."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

# Four kinds of simulated cells, each hard in its own way; sizes are small so that a trial takes a minute or two.
KINDS: dict[str, dict[str, Any]] = {
    "ordinary": {"depth": 400},
    "shallow": {"depth": 150},
    "uneven": {"depth": 400, "imbalance": 15},
    "alike": {"depth": 500, "marker_fold": 5, "program_fold": 2.5},
}
N_DRAWS = 2  # of each kind
_HALVES = 2026  # seed of the split of the blood cells into a half to play with and one to open


@dataclass(frozen=True)
class TrialSet:
    """Counts without any name or order that tells a type, and the labels, which only the judge sees.

    Attributes
    ----------
    name
        Kind and number of the draw.
    counts
        Shape (n_cells, n_genes); cells and genes in random order.
    labels
        Shape (n_cells,).
    """

    name: str
    counts: sp.csr_matrix
    labels: np.ndarray

    @property
    def n_clusters(self) -> int:
        """Number of classes, which every method is told."""
        return len(np.unique(self.labels))


@functools.cache
def to_play_with() -> tuple[TrialSet, ...]:
    """The sets on which a part may be tried as often as one likes: eight simulated ones and half of the blood cells."""
    return _sets(np.random.SeedSequence(12), half=0)


@functools.cache
def to_open_once(draw: int) -> tuple[TrialSet, ...]:
    """Sets of the same kinds that nobody has seen, drawn from a number, and the other half of the blood cells."""
    return _sets(np.random.SeedSequence([2**31, draw]), half=1)


def _sets(seeds: np.random.SeedSequence, half: int) -> tuple[TrialSet, ...]:
    names = [(kind, number) for kind in KINDS for number in range(1, N_DRAWS + 1)]
    drawn = [
        _simulated(f"{kind} {number}", kind, seed)
        for (kind, number), seed in zip(names, seeds.spawn(len(names)), strict=True)
    ]
    return (*drawn, _blood(half))


def _simulated(name: str, kind: str, seeds: np.random.SeedSequence) -> TrialSet:
    from scrcl_edu.datasets import simulate

    seed, order = (int(s) for s in seeds.generate_state(2))
    adata = simulate(300, 350, 5, genes_per_program=20, seed=seed, **KINDS[kind])
    return _nameless(name, adata.X, adata.obs["label"].to_numpy().astype(str), order)


def _blood(half: int) -> TrialSet:
    from scrcl_edu.datasets import load

    adata = load("pbmc68k_reduced")
    cells = np.random.default_rng(_HALVES).permutation(adata.n_obs)[half::2]
    labels = adata.obs["label"].to_numpy().astype(str)
    return _nameless("blood cells", adata.X[cells], labels[cells], _HALVES + half)


def _nameless(name: str, counts: sp.csr_matrix, labels: np.ndarray, order: int) -> TrialSet:
    rng, counts = np.random.default_rng(order), sp.csr_matrix(counts, dtype=np.float32)
    counts = counts[:, np.asarray(counts.sum(axis=0)).ravel() > 0]
    cells = rng.permutation(np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel() > 0))
    genes = rng.permutation(counts.shape[1])
    return TrialSet(name, sp.csr_matrix(counts[cells][:, genes]), labels[cells])
