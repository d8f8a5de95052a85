"""One training on several workers: the same losses, gradients and weights as in one process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scrcl_edu import products
from scrcl_edu.errors import SettingsError
from scrcl_edu.model import Inputs, Outputs, ScRCL
from scrcl_edu.training import History, embed, train
from scrcl_edu.workers.ordering import cells_of_workers
from scrcl_edu.workers.splitting import Share, shares_of, taken
from scrcl_edu.workers.team import Team, WorkerLost, lost_workers


def train_together(
    team: Team,
    model: ScRCL,
    inputs: Inputs,
    *,
    cells: list[np.ndarray] | None = None,
    on_epoch: Callable[[int, dict[str, float]], Any] | None = None,
    identity: dict[str, str] | None = None,
    stop_after: Callable[..., bool] | None = None,
    **settings: Any,
) -> tuple[History, Outputs]:
    """On worker 0: split the cells, train, and give back what one process would.

    Parameters
    ----------
    team
        The workers; the others :meth:`~scrcl_edu.workers.team.Team.follow`.
    model, inputs
        Of all cells. The model ends with the trained weights.
    cells
        Numbers of each worker's cells; divided evenly along the graph when not given.
    on_epoch, identity, settings
        As :func:`scrcl_edu.training.train` takes them.
    stop_after
        Not for workers.

    Returns
    -------
    History and outputs, rows in the order of the inputs.

    Raises
    ------
    WorkerLost
        When a worker ended; the message says whether a checkpoint holds the state.
    """
    if stop_after is not None:
        raise SettingsError("a stopping rule of one's own is for one process; leave it out, or start without torchrun")
    cells = cells or cells_of_workers(inputs.cell_graph.matrix, team.size)
    shares = shares_of(model, inputs, cells)
    here = _Setting(torch.get_rng_state(), inputs.cell_graph.device.type, torch.get_float32_matmul_precision())
    given: list[tuple] = [(share, here, settings) for share in shares]
    given[0] = (shares[0], here, settings | {"on_epoch": on_epoch, "identity": identity})
    results = team.together(_train_share, given)
    history, weights = results[0].history, results[0].weights
    team.account |= {
        "share_of_edges_cut": sum(share.n_cut for share in shares) / max(inputs.cell_graph.n_edges, 1),
        "bytes_per_epoch": sum(result.sent for result in results),
    }
    if weights is not None:
        model.load_state_dict(weights)
    place = torch.as_tensor(np.argsort(np.concatenate(cells)))
    e1, e2, z1, z2 = (torch.cat(part)[place] for part in zip(*(r.outputs[:4] for r in results), strict=True))
    return history, Outputs(e1, e2, z1, z2, results[0].outputs.programs)


class _Setting(NamedTuple):
    """What worker 0 has, and all must have."""

    random_state: Tensor
    device: str
    precision: str  # of matrix products


class _Result(NamedTuple):
    history: History
    outputs: Outputs  # of its cells
    weights: dict[str, Tensor] | None  # of all cells, from worker 0
    sent: int  # bytes in the last epoch


def _train_share(team: Team, share: Share, here: _Setting, settings: dict[str, Any]) -> _Result:
    torch.set_rng_state(here.random_state)
    model, inputs = taken(share, team, here.device)
    checkpoint = settings.get("checkpoint")
    sent, told = [team.sent], settings.get("on_epoch")

    def count(epoch: int, losses: dict[str, float]) -> None:
        sent.append(team.sent)
        if told is not None:
            told(epoch, losses)

    with _said_where_to_go_on(checkpoint), products.taken_as(here.precision):
        history = train(model, inputs, **settings | {"on_epoch": count})
        outputs = Outputs(*(part.cpu() for part in embed(model, inputs)))
        state = inputs.cells.collected({"model": model.state_dict(), "optimizer": {"state": {}}})
    return _Result(history, outputs, state and state["model"], sent[-1] - sent[max(len(sent) - 2, 0)])


@contextlib.contextmanager
def _said_where_to_go_on(checkpoint: str | Path | None) -> Iterator[None]:
    try:
        with lost_workers():
            yield
    except WorkerLost as lost:
        there = checkpoint is not None and Path(checkpoint).exists()
        way = (
            f"{checkpoint} holds the state: the same command with --resume goes on, with any number of workers"
            if there
            else "no checkpoint was written yet: start again"
        )
        raise WorkerLost(f"{lost}; {way}") from lost
