"""Run by tests/test_workers.py: imports once, and forks as many workers as a case needs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
import torch.distributed as dist

from scrcl_edu import dropout, training
from scrcl_edu.graphs import gene_graph
from scrcl_edu.model import Inputs, Losses, ScRCL
from scrcl_edu.training import Interrupted, embed, train
from scrcl_edu.workers import cost
from scrcl_edu.workers.ordering import cells_of_workers
from scrcl_edu.workers.team import Team, WorkerLost
from scrcl_edu.workers.training import train_together

EPOCHS = 20


def problem(*, islands: bool = False) -> Inputs:
    """40 cells in float64; with `islands` two groups of 16 and 24 cells without an edge between them."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, (40, 30)).astype(np.float64)
    chosen = np.triu(rng.random((40, 40)) < 0.15, k=1)
    if islands:
        chosen[:16, 16:] = False
        chosen |= np.eye(40, k=1, dtype=bool)
        chosen[15, 16] = False
    graph = sp.csr_matrix((chosen | chosen.T).astype(np.float64))
    shuffled = rng.permutation(40)
    graph = graph[shuffled][:, shuffled]
    return Inputs.build(counts, counts[:, ::-1].copy(), graph, gene_graph(counts), dtype=torch.float64)


def new_model(rate: float) -> ScRCL:
    """First weights from a seed, in float64."""
    torch.manual_seed(0)
    return ScRCL(40, 30, n_hidden=9, out_dim=3, dropout=rate).double()


def trained(
    inputs: Inputs, rate: float, n_workers: int, sizes: list[int] | None = None, **settings: Any
) -> dict[str, np.ndarray]:
    """Losses, weights and outputs of a training, in one process (0) or by workers."""
    model = new_model(rate)
    settings = {"epochs": EPOCHS, "learning_rate": 1e-3, "weight_decay": 0.1} | settings
    if n_workers == 0:
        history, outputs = train(model, inputs, **settings), embed(model, inputs)
    else:
        history, outputs = by_workers(
            n_workers,
            lambda team: train_together(team, model, inputs, cells=divided(inputs, n_workers, sizes), **settings),
        )
    found = {name: np.array(history[name]) for name in Losses._fields}
    found |= {name: weights.numpy() for name, weights in model.state_dict().items()}
    return found | {name: part.numpy() for name, part in outputs._asdict().items()}


def divided(inputs: Inputs, n_workers: int, sizes: list[int] | None) -> list[np.ndarray] | None:
    """Cells of each worker, so many as said; None leaves it to the training."""
    return cells_of_workers(inputs.cell_graph.matrix, n_workers, sizes) if sizes else None


def by_workers(n_workers: int, lead: Callable[[Team], Any]) -> Any:
    """Fork workers, let this process be the first of them, and see that the others end well."""
    meeting = f"file://{tempfile.mkdtemp()}/meeting"
    children = []
    for rank in range(1, n_workers):
        if (child := os.fork()) == 0:
            dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=n_workers)
            with contextlib.suppress(Interrupted, WorkerLost):
                Team().follow()
            os._exit(0)
        children.append(child)
    dist.init_process_group("gloo", init_method=meeting, rank=0, world_size=n_workers)
    team = Team()
    try:
        result = lead(team)
        team.dismiss()
    finally:
        for child in children:
            assert os.waitpid(child, 0)[1] in (0, signal.SIGKILL)
        dist.destroy_process_group()
    return result


def stopped_halfway(inputs: Inputs, n_workers: int, checkpoint: Path) -> None:
    """Ctrl-C reaches one of the workers in epoch 10; all of them stop after it."""

    def interrupt(epoch: int, _: dict[str, float]) -> None:
        if epoch == EPOCHS // 2:
            signal.raise_signal(signal.SIGINT)

    with contextlib.suppress(Interrupted):
        trained(inputs, 0.3, n_workers, checkpoint=checkpoint, on_epoch=interrupt)


def n_cut(inputs: Inputs, sizes: list[int]) -> int:
    """Edges between two workers."""
    first, second = divided(inputs, 2, sizes)
    return inputs.cell_graph.matrix[first][:, second].nnz


def with_one_killed(inputs: Inputs, checkpoint: Path) -> str:
    """The second of two workers is killed in epoch 8; what is said then."""
    step, leader = training.step, os.getpid()

    def deadly(model: ScRCL, inputs: Inputs, optimizer: torch.optim.Optimizer) -> dict[str, float]:
        steps.append(1)
        if len(steps) == 8 and os.getpid() != leader:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(model, inputs, optimizer)

    steps: list[int] = []
    training.step, training.CHECKPOINT_SECONDS, training._SHARE_OF_TIME = deadly, 0, float("inf")
    try:
        trained(inputs, 0.3, 2, checkpoint=checkpoint)
    except WorkerLost as lost:
        return str(lost)
    finally:
        training.step, training.CHECKPOINT_SECONDS = step, 10
    return "nothing"


def counted(inputs: Inputs) -> dict[str, float]:
    """Bytes of an epoch as the workers count them and as the model of the cost does, in float64."""
    teams: list[Team] = []
    model, sizes = new_model(0.0), [11, 29]
    first, second = cells = divided(inputs, 2, sizes)
    by_workers(2, lambda team: [teams.append(team), train_together(team, model, inputs, cells=cells, epochs=2)])
    between = inputs.cell_graph.matrix[first][:, second]
    n_rows = sum(np.count_nonzero(between.getnnz(axis)) for axis in (0, 1))
    size = cost.Problem(40, n_genes=30, n_hidden=9, out_dim=3)
    twice = cost.bytes_crossing(size, 2, n_rows / 40) * 2  # eight bytes a number instead of four
    return {"bytes sent": teams[0].account["bytes_per_epoch"], "bytes by the model": twice}


def apart(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Largest deviation of any loss, weight or output, each measured by its largest entry."""
    assert one.keys() == other.keys()
    return max(float(np.abs(one[k] - other[k]).max() / np.abs(other[k]).max()) for k in one)


def main() -> None:
    """Compare each case with one process; print the deviations as JSON."""
    found: dict[str, Any] = {}
    whole, islands = problem(), problem(islands=True)
    alone = trained(whole, 0.0, 0)
    for n_workers, sizes in ((2, [11, 29]), (4, [1, 20, 6, 13])):
        found[f"{n_workers} workers, {sizes} cells"] = apart(trained(whole, 0.0, n_workers, sizes), alone)

    apart_in_the_graph = next(sizes for sizes in ([16, 24], [24, 16]) if not n_cut(islands, sizes))
    found["no edge is cut"] = apart(trained(islands, 0.0, 2, apart_in_the_graph), trained(islands, 0.0, 0))

    dropped = trained(whole, 0.3, 0)
    found |= counted(whole)
    found["dropout, 2 workers"] = apart(trained(whole, 0.3, 2), dropped)
    checkpoint = Path("halfway.checkpoint")
    stopped_halfway(whole, 2, checkpoint)
    for n_workers in (0, 4):
        resumed = trained(whole, 0.3, n_workers, checkpoint=checkpoint, resume=True)
        found[f"stopped as 2, resumed as {n_workers or 1}"] = apart(resumed, dropped)
    checkpoint = Path("killed.checkpoint")
    found["line about a dead worker"] = with_one_killed(whole, checkpoint)
    found["epochs in its checkpoint"] = len(torch.load(checkpoint)["history"]["total"])
    resumed = trained(whole, 0.3, 0, checkpoint=checkpoint, resume=True)
    found["killed as 2, resumed as 1"] = apart(resumed, dropped)
    dropout.LARGEST_STREAM = 0
    found["dropout of single cells, 4 workers"] = apart(trained(whole, 0.3, 4), trained(whole, 0.3, 0))

    Team.total = lambda self, part: part
    found["without the sums"] = apart(trained(whole, 0.0, 2, [11, 29]), alone)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
