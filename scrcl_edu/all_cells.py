"""All cells, as a loss sees them: what it sums over. On one machine these are the rows at hand.

:mod:`scrcl_edu.workers` has the other case, in which each of several workers holds some of the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


class AllCells:
    """The cells of one machine: nothing is anywhere else, and so every method gives back what is at hand."""

    def total(self, part: Tensor) -> Tensor:
        """What the rows at hand have summed up to -> the sum over all cells, any shape."""
        return part

    def mean(self, x: Tensor) -> Tensor:
        """Mean over all cells of one number for each row at hand, shape (n_rows,) -> scalar."""
        return x.mean()

    def log_softmax(self, x: Tensor) -> Tensor:
        """Logarithm of the softmax over all cells, of the rows at hand, shape (n_rows,)."""
        return F.log_softmax(x, 0)

    def join_gradients(self, model: nn.Module) -> None:
        """After a backward pass: make the gradients those of the whole loss."""

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Which of the flags are set anywhere."""
        return flags

    def collected(self, state: Any) -> Any:
        """A checkpoint's state with the weights of all cells; None where somebody else writes it."""
        return state

    def own(self, read: Callable[[], Any]) -> Any:
        """Of a checkpoint's state, which `read` gives, what belongs here."""
        return read()


HERE = AllCells()
