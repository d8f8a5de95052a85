"""Random problems and the one measure of error that the components' tests share."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor


def random_graph(n_nodes: int, *, density: float = 0.2, isolated: int = 0, seed: int = 0) -> sp.csr_matrix:
    """A symmetric binary graph without self-loops whose first `isolated` nodes have no neighbor."""
    chosen = np.triu(np.random.default_rng(seed).random((n_nodes, n_nodes)) < density, k=1)
    chosen[:isolated] = False
    return sp.csr_matrix((chosen | chosen.T).astype(np.float32))


def unit_rows_of(n_rows: int, n_columns: int, *, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Random directions, a leaf that asks for its gradient."""
    rows = np.random.default_rng(seed).standard_normal((n_rows, n_columns))
    return torch.tensor(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=dtype, requires_grad=True)


def relative_error(ours: Tensor | np.ndarray | float, oracle: Tensor | np.ndarray | float) -> float:
    """Largest deviation over the largest entry."""
    ours, oracle = (np.asarray(x.detach() if isinstance(x, Tensor) else x, dtype=np.float64) for x in (ours, oracle))
    assert ours.shape == oracle.shape
    return float(np.abs(ours - oracle).max() / max(np.abs(oracle).max(), np.finfo(float).tiny))
