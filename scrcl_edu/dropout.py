"""Dropout whose random bits belong to the cells: the same seed drops the same entries, wherever a cell is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LARGEST_STREAM = 2**28  # entries; above it each cell has a stream of its own, so that no worker draws for all cells
ROWS_AT_ONCE = 4096  # whose streams are mixed at once
_GOLDEN, _MIX_1, _MIX_2 = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15  # of SplitMix64


class Dropout(nn.Module):
    """Dropout that draws 16 random bits per entry on a CPU, where torch's own costs as much as a matrix product.

    Parameters
    ----------
    probability
        Share of entries set to zero, in [0, 1); what is left is scaled so that the mean stays.

    Attributes
    ----------
    held
        Numbers of the cells whose rows come in, and how many cells there are; None when all of them are here, in order.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.held: tuple[Tensor, int] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, rows of cells in front when only some are held; the identity in evaluation mode."""
        if not self.training or self.probability == 0:
            return x
        if x.device.type != "cpu" and self.held is None:
            return F.dropout(x, self.probability)
        threshold = min(round(self.probability * 2**16), 2**16 - 1)
        return _Masked.apply(x, self._bits(x) >= threshold - 2**15, 2**16 / (2**16 - threshold))

    def _bits(self, x: Tensor) -> Tensor:
        if self.held is None and (x.numel() <= LARGEST_STREAM or x.ndim != 2):
            return _stream(x.numel()).view(x.shape)
        cells, n_cells = self.held or (torch.arange(len(x), device=x.device), len(x))
        width = x.shape[1]
        if n_cells * width <= LARGEST_STREAM and x.device.type == "cpu":
            return _stream(n_cells * width).view(n_cells, width)[cells]
        return bits_of_cells(cells, width)


def bits_of_cells(cells: Tensor, width: int) -> Tensor:
    """Sixteen random bits for each entry of some cells' rows, from a number that torch's generator draws.

    Parameters
    ----------
    cells
        Numbers of the cells, int64, shape (n_rows,).
    width
        Entries of a row.

    Returns
    -------
    int16, shape (n_rows, width). A row depends on its cell and the number drawn, and on nothing else: SplitMix64
    (Steele et al. 2014) of cell and column.
    """
    key = torch.empty((), dtype=torch.int64).random_(-(2**63), None).to(cells.device)
    n_words = (width + 3) // 4
    columns = torch.arange(n_words, device=cells.device)
    rows = []
    for some in cells.split(ROWS_AT_ONCE):
        words = ((some * n_words)[:, None] + columns).add_(1).mul_(_GOLDEN).add_(key)
        words = (words ^ _shifted(words, 30)).mul_(_MIX_1)
        words = (words ^ _shifted(words, 27)).mul_(_MIX_2)
        words = words ^ _shifted(words, 31)
        rows.append(words.view(torch.int16)[:, :width])
    return torch.cat(rows)


def _shifted(words: Tensor, n_bits: int) -> Tensor:
    """To the right, with zeros coming in: torch shifts copies of the sign."""
    return (words >> n_bits).bitwise_and_(2 ** (64 - n_bits) - 1)


def _stream(n_entries: int) -> Tensor:
    words = torch.empty((n_entries + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int16)[:n_entries]


class _Masked(torch.autograd.Function):
    """x where it is kept, times a factor; one byte per entry waits for the backward pass instead of four."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.factor = factor
        return (x * kept).mul_(factor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return (gradient * kept).mul_(ctx.factor), None, None
