"""Pulling the two views together: distribution alignment (lesson 04) and neighborhood alignment (lesson 05).

A unit-row encoding becomes a distribution by a softmax. Each loss stands here twice: in the dense form, to be read, and
in the form that training uses, linear in the number of cells, with the same value and the same gradient.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from scrcl_edu.errors import SettingsError
from scrcl_edu.graphs import Graph


def alignments(e1: Tensor, e2: Tensor, cell_graph: Graph, *, temperature: float = 0.1) -> tuple[Tensor, Tensor]:
    """:func:`distribution_alignment` and :func:`neighborhood_alignment` with their softmaxes taken once."""
    view_1, view_2 = _distributions(e1, temperature), _distributions(e2, temperature)
    divergences = _divergences(view_1, view_2)
    return _over_all_entries(view_1, view_2, *divergences) + _within_cells(*divergences), _near_against_all(
        view_1, view_2, cell_graph
    )


def distribution_alignment(e1: Tensor, e2: Tensor, *, temperature: float = 0.1) -> Tensor:
    """How differently the two views distribute their weight: over all entries, and within each cell.

    Parameters
    ----------
    e1, e2
        Unit-row encodings of the two views, shape (n_cells, n_hidden).
    temperature
        Softmax temperature, > 0. Smaller is sharper.

    Returns
    -------
    Scalar loss, >= 0; 0 when the views agree. Costs O(n_cells * n_hidden).

    Notes
    -----
    The softmax over all entries is one over cells times one within each cell, so that its divergence follows from the
    chain rule: KL(p1 || p2) = KL(w1 || w2) + sum_i w1_i KL(q1_i || q2_i). Paper: distribution contrastive alignment.
    """
    return global_alignment(e1, e2, temperature=temperature) + cell_alignment(e1, e2, temperature=temperature)


def global_alignment(e1: Tensor, e2: Tensor, *, temperature: float = 0.1) -> Tensor:
    """The part of :func:`distribution_alignment` that compares softmaxes over all n_cells * n_hidden entries."""
    view_1, view_2 = _distributions(e1, temperature), _distributions(e2, temperature)
    return _over_all_entries(view_1, view_2, *_divergences(view_1, view_2))


def cell_alignment(e1: Tensor, e2: Tensor, *, temperature: float = 0.1) -> Tensor:
    """The part of :func:`distribution_alignment` that compares softmaxes within each cell, averaged over cells."""
    return _within_cells(*_divergences(_distributions(e1, temperature), _distributions(e2, temperature)))


def distribution_alignment_dense(e1: Tensor, e2: Tensor, *, temperature: float = 0.1) -> Tensor:
    """:func:`distribution_alignment` as the paper writes it: two softmaxes, two symmetric divergences."""
    log_p1, log_p2 = (F.log_softmax((e / temperature).flatten(), 0) for e in (e1, e2))  # (n_cells * n_hidden,)
    log_q1, log_q2 = (F.log_softmax(e / temperature, -1) for e in (e1, e2))  # (n_cells, n_hidden)
    over_all = ((log_p1.exp() - log_p2.exp()) * (log_p1 - log_p2)).sum()
    within = ((log_q1.exp() - log_q2.exp()) * (log_q1 - log_q2)).sum(-1).mean() / 2
    return over_all + within


def neighborhood_alignment(e1: Tensor, e2: Tensor, cell_graph: Graph, *, temperature: float = 0.1) -> Tensor:
    """How much closer a cell is to its graph neighbors than to everyone else, across the two views.

    Parameters
    ----------
    e1, e2
        Unit-row encodings of the two views, shape (n_cells, n_hidden).
    cell_graph
        Symmetric neighbor graph without self-loops, shape (n_cells, n_cells).
    temperature
        Softmax temperature, > 0. Smaller is sharper.

    Returns
    -------
    Scalar loss, >= 0; 1 when neighbors are no closer than average. Costs O(n_edges * n_hidden).

    Notes
    -----
    Equal to the dense form in :func:`neighborhood_alignment_dense`, value and gradient. Paper: neighborhood contrastive
    alignment.
    """
    return _near_against_all(_distributions(e1, temperature), _distributions(e2, temperature), cell_graph)


def neighborhood_alignment_dense(e1: Tensor, e2: Tensor, cell_graph: Graph, *, temperature: float = 0.1) -> Tensor:
    """:func:`neighborhood_alignment` with the n_cells x n_cells divergences in full, O(n_cells^2 * n_hidden)."""
    log_q1, log_q2 = (F.log_softmax(e / temperature, -1) for e in (e1, e2))
    q1, q2 = log_q1.exp(), log_q2.exp()
    h1, h2 = (q1 * log_q1).sum(-1), (q2 * log_q2).sum(-1)
    divergence = h1[:, None] + h2[None, :] - q1 @ log_q2.T - log_q1 @ q2.T  # (n_cells, n_cells)
    myself = torch.eye(len(e1), dtype=e1.dtype, device=e1.device)
    near = torch.as_tensor(cell_graph.matrix.toarray(), dtype=e1.dtype, device=e1.device) + myself
    mean_near = (divergence * near).sum(1) / near.sum(1)
    mean_others = (divergence * (1 - myself)).sum(1) / (len(e1) - 1)
    return (mean_near / mean_others).mean()


class _Distributions(NamedTuple):
    q: Tensor  # (n_cells, n_hidden), rows sum to 1
    log_q: Tensor  # log(n_hidden * q): the constant cancels in every divergence and keeps float32 exact
    log_w: Tensor  # (n_cells,), log share of each cell in the softmax over all entries


def _distributions(e: Tensor, temperature: float) -> _Distributions:
    check_temperature(temperature)
    logits = e / temperature
    mass = torch.logsumexp(logits, -1)
    log_q = logits - (mass - math.log(e.shape[1]))[:, None]
    return _Distributions(log_q.exp() / e.shape[1], log_q, F.log_softmax(mass, 0))


def _divergences(view_1: _Distributions, view_2: _Distributions) -> tuple[Tensor, Tensor]:
    """KL(q1_i || q2_i) and KL(q2_i || q1_i) of each cell, shape (n_cells,)."""
    difference = view_1.log_q - view_2.log_q
    return _row_dot(view_1.q, difference), -_row_dot(view_2.q, difference)


def _over_all_entries(view_1: _Distributions, view_2: _Distributions, kl12: Tensor, kl21: Tensor) -> Tensor:
    w1, w2 = view_1.log_w.exp(), view_2.log_w.exp()
    return ((w1 - w2) * (view_1.log_w - view_2.log_w) + w1 * kl12 + w2 * kl21).sum()


def _within_cells(kl12: Tensor, kl21: Tensor) -> Tensor:
    return (kl12 + kl21).mean() / 2


def _near_against_all(view_1: _Distributions, view_2: _Distributions, cell_graph: Graph) -> Tensor:
    (q1, log_q1, _), (q2, log_q2, _) = view_1, view_2
    n_cells, n_near = len(q1), cell_graph.degrees + 1
    h1, h2 = _row_dot(q1, log_q1), _row_dot(q2, log_q2)  # (n_cells,)
    to_self = h1 + h2 - _row_dot(q1, log_q2) - _row_dot(log_q1, q2)

    to_neighbors = cell_graph.degrees * h1 + (cell_graph @ h2[:, None]).squeeze(1)
    to_neighbors = to_neighbors - _row_dot(q1, cell_graph @ log_q2) - _row_dot(log_q1, cell_graph @ q2)
    to_all = n_cells * h1 + h2.sum() - q1 @ log_q2.sum(0) - log_q1 @ q2.sum(0)
    return ((to_neighbors + to_self) / n_near / ((to_all - to_self) / (n_cells - 1))).mean()


def check_temperature(temperature: float) -> None:
    """Raise SettingsError unless the temperature is a positive number."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise SettingsError(f"temperature is {temperature}; choose a positive number, usually 0.1 to 1")


def _row_dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)
