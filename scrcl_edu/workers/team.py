"""What crosses between workers: torch.distributed's collectives, with their gradients, counted in bytes.

Every worker computes the whole loss and starts its backward pass with a gradient of 1, so that what arrives at a weight
is the gradient of the *sum* of the workers' equal losses; :meth:`Team.average` makes it that of one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from scrcl_edu.errors import TrainingError

_SIGNS_OF_LOSS = ("gloo", "nccl", "connection", "socket", "timed out", "timeout", "broken pipe", "closed by peer")


class WorkerLost(TrainingError):
    """A worker ended or cannot be reached; the others cannot go on without its cells."""


class Team:
    """The workers of the default process group, seen from one of them.

    Attributes
    ----------
    rank, size
        Number of this worker, from 0, and how many there are.
    sent
        Bytes that this worker has sent to others: of an exchange exactly, of a sum 2 (size - 1) / size times what is
        summed, as in a ring.
    account
        What a fit notes about the work: how many workers, which share of the edges is cut, what crosses per epoch.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.sent = 0
        self.account: dict[str, Any] = {"n_workers": self.size}

    def total(self, part: Tensor) -> Tensor:
        """Sum of the workers' parts, any shape, the same on all; its gradient is the sum of their gradients."""
        return _Total.apply(part, self)

    def largest(self, x: Tensor) -> Tensor:
        """Largest of the workers' entries, element by element, without a gradient."""
        x = x.detach().clone()
        self._count_sum(x)
        dist.all_reduce(x, op=dist.ReduceOp.MAX)
        return x

    def exchange(self, rows: Tensor, n_sent: list[int], n_received: list[int]) -> Tensor:
        """Send rows to each worker and receive others; the gradients go back the same way.

        Parameters
        ----------
        rows
            What is sent, ordered by who gets it, shape (sum of n_sent, n_columns).
        n_sent, n_received
            Rows to and from each worker.

        Returns
        -------
        Shape (sum of n_received, n_columns), ordered by who sent it.
        """
        return _Exchange.apply(rows, n_sent, n_received, self)

    def average(self, gradients: Sequence[Tensor]) -> None:
        """Replace gradients of shared weights by their mean over the workers, in place and in one message."""
        flat = torch.cat([g.flatten() for g in gradients])
        self._count_sum(flat)
        dist.all_reduce(flat)
        parts = (flat / self.size).split([g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def collect(self, thing: Any) -> list[Any] | None:
        """What each worker gives, in order, on worker 0; None on the others."""
        things = [None] * self.size if self.rank == 0 else None
        dist.gather_object(thing, things)
        return things

    def hand_out(self, things: Sequence[Any] | None = None) -> Any:
        """Each worker gets one of the things that worker 0 gives; worker 0 its own, as it is."""
        received: list[Any] = [None]
        dist.scatter_object_list(received, [None, *things[1:]] if things is not None else None)
        return things[0] if things is not None else received[0]

    def together(self, function: Callable[..., Any], arguments: Sequence[tuple]) -> list[Any]:
        """Call `function(team, *arguments[rank])` on every worker; for worker 0, while the others :meth:`follow`.

        Parameters
        ----------
        function
            Of a module, so that its name finds it in another process.
        arguments
            One tuple for each worker.

        Returns
        -------
        What the workers gave, in order.

        Raises
        ------
        WorkerLost
            When one of them has ended or cannot be reached.
        """
        with lost_workers():
            _, mine = self.hand_out([(function, given) for given in arguments])
            results = self.collect(function(self, *mine))
        return results or []

    def follow(self) -> None:
        """Do what worker 0 says, until it says :meth:`dismiss`."""
        with lost_workers():
            while (task := self.hand_out()) is not None:
                function, arguments = task
                self.collect(function(self, *arguments))

    def dismiss(self) -> None:
        """End the work of the others."""
        with lost_workers():
            self.hand_out([None] * self.size)

    def _count_sum(self, x: Tensor) -> None:
        self.sent += 2 * (self.size - 1) * x.numel() * x.element_size() // self.size

    def _count_rows(self, rows: Tensor, n_sent: list[int]) -> None:
        to_others = sum(n for worker, n in enumerate(n_sent) if worker != self.rank)
        self.sent += to_others * rows.shape[1] * rows.element_size()


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, team: Team) -> Tensor:
        ctx.team = team
        whole = part.clone(memory_format=torch.contiguous_format)
        team._count_sum(whole)
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Total.apply(gradient, ctx.team), None


class _Exchange(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, n_sent: list[int], n_received: list[int], team: Team) -> Tensor:
        ctx.way_back, ctx.team = (n_received, n_sent), team
        received = rows.new_empty(sum(n_received), rows.shape[1])
        team._count_rows(rows, n_sent)
        dist.all_to_all_single(received, rows.contiguous(), n_received, n_sent)
        return received

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _Exchange.apply(gradient, *ctx.way_back, ctx.team), None, None, None


@contextlib.contextmanager
def lost_workers() -> Iterator[None]:
    """Raise WorkerLost where a collective fails because somebody is not there any more."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, TrainingError) or not any(sign in str(error).lower() for sign in _SIGNS_OF_LOSS):
            raise
        raise WorkerLost("a worker has ended, and the others cannot go on without its cells") from error
