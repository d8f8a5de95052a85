"""Pulling the two views together: distribution alignment (lesson 04) and neighborhood alignment (lesson 05).

A unit-row encoding becomes a distribution by a softmax. Each loss stands here twice: in the dense form, to be read, and
in the form that training uses, linear in the number of cells, with the same value and the same gradient. Sums over all
cells go through `cells.total`, which gives back what it gets unless cells are on several machines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from scrcl_edu.all_cells import HERE, AllCells
from scrcl_edu.errors import SettingsError
from scrcl_edu.graphs import Graph

BLOCK_ENTRIES = 2**19  # of a block of rows: small enough for a processor's cache, which halves the time of the losses


def alignments(e1: Tensor, e2: Tensor, cell_graph: Graph, *, temperature: float = 0.1) -> tuple[Tensor, Tensor]:
    """:func:`distribution_alignment` and :func:`neighborhood_alignment` in one go, block of rows by block of rows.

    All that is needed of pairs of cells are sums over neighbors and over everyone, so that each block looks only at its
    own rows; the backward pass computes a block again rather than keep it. Values and gradients are those of the two
    functions.
    """
    check_temperature(temperature)
    n_rows = max(1, BLOCK_ENTRIES // e1.shape[1]) if e1.device.type == "cpu" else len(e1)
    blocks_2 = e2.split(n_rows)
    views_2 = [_again(_distributions, block, temperature) for block in blocks_2]
    q2, log_q2 = torch.cat([view.q for view in views_2]), torch.cat([view.log_q for view in views_2])
    del views_2
    blocks = zip(
        e1.split(n_rows), blocks_2, (cell_graph @ q2).split(n_rows), (cell_graph @ log_q2).split(n_rows), strict=True
    )
    cells = cell_graph.cells
    sums = cells.total(q2.sum(0)), cells.total(log_q2.sum(0))
    del q2, log_q2
    rows = [_again(_terms_of_block, *block, *sums, temperature) for block in blocks]
    terms = _Terms(*(torch.cat(parts) for parts in zip(*rows, strict=True)))  # each (n_cells,)
    distribution = _over_all_entries(terms, cells) + _within_cells(terms, cells)
    return distribution, _near_against_all(terms, cell_graph)


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
    return _over_all_entries(_divergences(_distributions(e1, temperature), _distributions(e2, temperature)))


def cell_alignment(e1: Tensor, e2: Tensor, *, temperature: float = 0.1) -> Tensor:
    """The part of :func:`distribution_alignment` that compares softmaxes within each cell, averaged over cells."""
    return _within_cells(_divergences(_distributions(e1, temperature), _distributions(e2, temperature)))


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
    view_1, view_2 = _distributions(e1, temperature), _distributions(e2, temperature)
    q2, log_q2 = view_2.q, view_2.log_q
    near = cell_graph @ q2, cell_graph @ log_q2
    sums = (cell_graph.cells.total(x.sum(0)) for x in (q2, log_q2))
    return _near_against_all(_terms_of_rows(view_1, view_2, *near, *sums), cell_graph)


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
    q: Tensor  # (n_rows, n_hidden), each row sums to 1
    log_q: Tensor  # log(n_hidden * q): the constant cancels in every divergence and keeps float32 exact
    mass: Tensor  # (n_rows,), log of what a cell holds of the softmax over all entries, up to a constant


class _Terms(NamedTuple):
    kl12: Tensor  # KL(q1_i || q2_i), all (n_rows,)
    kl21: Tensor
    mass1: Tensor
    mass2: Tensor
    h1: Tensor  # q1_i . L1_i
    h2: Tensor
    near: Tensor  # sum over neighbors j of q1_i . L2_j + L1_i . q2_j
    all: Tensor  # the same over everyone


def _distributions(e: Tensor, temperature: float) -> _Distributions:
    check_temperature(temperature)
    logits = e * (1 / temperature)
    mass = torch.logsumexp(logits, -1)
    log_q = logits - (mass - math.log(e.shape[1]))[:, None]
    return _Distributions(torch.softmax(logits, -1), log_q, mass)


def _divergences(view_1: _Distributions, view_2: _Distributions) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    difference = view_1.log_q - view_2.log_q
    kl12, kl21 = _row_dot(view_1.q, difference), -_row_dot(view_2.q, difference)
    return kl12, kl21, view_1.mass, view_2.mass


def _terms_of_rows(
    view_1: _Distributions,
    view_2: _Distributions,
    near_q2: Tensor,
    near_log_q2: Tensor,
    sum_q2: Tensor,
    sum_log_q2: Tensor,
) -> _Terms:
    (q1, log_q1, _), (q2, log_q2, _) = view_1, view_2
    return _Terms(
        *_divergences(view_1, view_2),
        h1=_row_dot(q1, log_q1),
        h2=_row_dot(q2, log_q2),
        near=_row_dot(q1, near_log_q2) + _row_dot(log_q1, near_q2),
        all=q1 @ sum_log_q2 + log_q1 @ sum_q2,
    )


def _terms_of_block(
    e1: Tensor, e2: Tensor, near_q2: Tensor, near_log_q2: Tensor, sum_q2: Tensor, sum_log_q2: Tensor, temperature: float
) -> _Terms:
    views = _distributions(e1, temperature), _distributions(e2, temperature)
    return _terms_of_rows(*views, near_q2, near_log_q2, sum_q2, sum_log_q2)


def _again(function: Callable, *arguments: Any) -> Any:
    return checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)


def _over_all_entries(terms: _Terms | tuple[Tensor, ...], cells: AllCells = HERE) -> Tensor:
    kl12, kl21, mass1, mass2, *_ = terms
    log_w1, log_w2 = cells.log_softmax(mass1), cells.log_softmax(mass2)
    w1, w2 = log_w1.exp(), log_w2.exp()
    return cells.total(((w1 - w2) * (log_w1 - log_w2) + w1 * kl12 + w2 * kl21).sum())


def _within_cells(terms: _Terms | tuple[Tensor, ...], cells: AllCells = HERE) -> Tensor:
    kl12, kl21, *_ = terms
    return cells.mean(kl12 + kl21) / 2


def _near_against_all(terms: _Terms, cell_graph: Graph) -> Tensor:
    n_cells, degrees, cells = cell_graph.shape[1], cell_graph.degrees, cell_graph.cells
    to_self = terms.kl12 + terms.kl21
    to_neighbors = degrees * terms.h1 + (cell_graph @ terms.h2[:, None]).squeeze(1) - terms.near
    to_all = n_cells * terms.h1 + cells.total(terms.h2.sum()) - terms.all
    mean_near = (to_neighbors + to_self) / (degrees + 1)
    return cells.mean(mean_near / ((to_all - to_self) / (n_cells - 1)))


def check_temperature(temperature: float) -> None:
    """Raise SettingsError unless the temperature is a positive number."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise SettingsError(f"temperature is {temperature}; choose a positive number, usually 0.1 to 1")


def _row_dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)
