"""Who holds which cells, and what a sum or a product with the graph means when others hold the rest.

Cells are put into an order in which neighbors are close, and each worker holds a stretch of it: its rows of features,
encodings and graphs, and its columns of the gene encoder's weights, which belong to cells.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from scrcl_edu.all_cells import AllCells
from scrcl_edu.dropout import Dropout
from scrcl_edu.graphs import Chain, Graph
from scrcl_edu.model import Inputs, ScRCL
from scrcl_edu.workers.team import Team

OF_CELLS = "gene_encoder.gcn.lin.weight"  # shape (out_dim, n_cells), the only weights that are not shared


@dataclasses.dataclass(frozen=True)
class Share:
    """What one worker is given: its cells, in the order in which neighbors are close, and all that belongs to them.

    Parameters
    ----------
    cells
        Their numbers, shape (n_mine,).
    bounds
        Where in that order each worker begins, and the end, shape (n_workers + 1,).
    graph, operator
        Rows of the cell graph and of S, columns in that order, shape (n_mine, n_cells).
    n_edges, n_cut
        Of the whole cell graph, and those of them that lead from these cells to others'.
    view_1, propagated
        Rows, as in :class:`~scrcl_edu.model.Inputs`; a matrix while they are sparse.
    gene_operator
        Whole.
    model
        With its own cells' columns of the gene encoder's weights.
    """

    cells: np.ndarray
    bounds: np.ndarray
    graph: sp.csr_matrix
    operator: sp.csr_matrix
    n_edges: int
    n_cut: int
    view_1: Tensor | sp.csr_matrix
    propagated: Tensor | sp.csr_matrix
    gene_operator: sp.csr_matrix
    model: ScRCL


def shares_of(model: ScRCL, inputs: Inputs, cells: list[np.ndarray]) -> list[Share]:
    """Cut a model with its inputs into what each worker is given."""
    order = np.concatenate(cells)
    bounds = np.cumsum([0, *map(len, cells)])
    return [
        Share(
            mine,
            bounds,
            inputs.cell_graph.matrix[mine][:, order],
            inputs.cell_operator.matrix[mine][:, order],
            inputs.cell_graph.n_edges,
            inputs.cell_graph.matrix[mine].nnz - inputs.cell_graph.matrix[mine][:, mine].nnz,
            _rows(inputs.view_1, mine),
            _rows(inputs.propagated, mine),
            inputs.gene_operator.matrix,
            _model_of(model, mine, len(order)),
        )
        for mine in cells
    ]


def taken(share: Share, team: Team, device: torch.device | str = "cpu") -> tuple[ScRCL, SplitInputs]:
    """On a worker: the model and inputs of its share, ready for :func:`scrcl_edu.training.train`."""
    weight = share.model.projector.weight
    where: dict[str, Any] = {"dtype": weight.dtype, "device": device}
    cells = SplitCells(share.cells, share.bounds, team)

    def placed(x: Tensor | sp.csr_matrix) -> Tensor | Graph:
        return x.to(device) if isinstance(x, Tensor) else Graph(x, **where)

    cut = Cut(share.graph, share.bounds, team)
    inputs = SplitInputs(
        placed(share.view_1),
        placed(share.propagated),
        SplitGraph(share.graph, cut, cells, n_edges=share.n_edges, **where),
        SplitGraph(share.operator, cut, cells, n_edges=share.operator.nnz, **where),
        Graph(share.gene_operator, **where),
    )
    return share.model.to(device), inputs


class SplitCells(AllCells):
    """All cells, of which the rows at hand are some; see the class above for what each method means.

    Parameters
    ----------
    numbers
        Of the cells at hand, shape (n_mine,).
    bounds
        Where each worker begins, shape (n_workers + 1,).
    team
        The workers.
    """

    def __init__(self, numbers: np.ndarray, bounds: np.ndarray, team: Team) -> None:
        self.numbers, self.n_cells, self.team = numbers, int(bounds[-1]), team

    def total(self, part: Tensor) -> Tensor:
        return self.team.total(part)

    def mean(self, x: Tensor) -> Tensor:
        return self.total(x.sum()) / self.n_cells

    def log_softmax(self, x: Tensor) -> Tensor:
        x = x - self.team.largest(x.max())
        return x - self.total(x.exp().sum()).log()

    def join_gradients(self, model: nn.Module) -> None:
        shared = []
        for name, weights in model.named_parameters():
            if weights.grad is None:
                continue
            if name == OF_CELLS:
                weights.grad /= self.team.size
            else:
                shared.append(weights.grad)
        self.team.average(shared)

    def any(self, *flags: bool) -> tuple[bool, ...]:
        return tuple(self.team.largest(torch.tensor(flags, dtype=torch.uint8)).bool().tolist())

    def collected(self, state: dict[str, Any]) -> dict[str, Any] | None:
        """On worker 0 the state that one process would have written; any number of workers can go on from it."""
        parts = self.team.collect((self.numbers, [t.cpu() for t in _of_cells(state)]))
        if parts is None:
            return None
        state = copy.copy(state)
        order = torch.as_tensor(np.concatenate([numbers for numbers, _ in parts]))
        for position, tensor in enumerate(_of_cells(state)):
            whole = tensor.new_empty(tensor.shape[0], self.n_cells, device="cpu")
            whole[:, order] = torch.cat([tensors[position] for _, tensors in parts], dim=1)
            state = _with_of_cells(state, position, whole)
        return state

    def own(self, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Read on worker 0, whose disk holds the file."""
        numbers = self.team.collect(self.numbers)
        return self.team.hand_out(_states(read(), numbers) if numbers is not None else None)


class Cut:
    """Which rows cross between one worker and each other one: by symmetry, who needs a row of mine has one for me.

    Parameters
    ----------
    graph
        Its rows, columns in the order of all, shape (n_mine, n_cells).
    bounds
        Where each worker begins, shape (n_workers + 1,).
    team
        The workers.

    Attributes
    ----------
    columns
        Own cells, then others' that are neighbors of them; places in the order of all.
    """

    def __init__(self, graph: sp.csr_matrix, bounds: np.ndarray, team: Team) -> None:
        self.team = team
        mine = np.arange(bounds[team.rank], bounds[team.rank + 1])
        edges = graph.tocoo()
        needed, given = [], []
        for worker in range(team.size):
            of_worker = (edges.col >= bounds[worker]) & (edges.col < bounds[worker + 1]) & (worker != team.rank)
            needed.append(np.unique(edges.col[of_worker]))
            given.append(np.unique(edges.row[of_worker]))
        self.columns = np.concatenate([mine, *needed])
        self.n_received, self.n_sent = [len(n) for n in needed], [len(n) for n in given]
        self.given = torch.as_tensor(np.concatenate(given).astype(np.int64))

    def with_neighbors(self, x: Tensor) -> Tensor:
        """Own rows, then those of the neighbors that others hold: (n_mine, n) -> (len(columns), n)."""
        rows = x.index_select(0, self.given.to(x.device))
        return torch.cat([x, self.team.exchange(rows, self.n_sent, self.n_received)])


class SplitGraph(Graph):
    """Some rows of a graph of all cells; a product fetches the rows of neighbors that other workers hold."""

    def __init__(
        self,
        rows: sp.csr_matrix,
        cut: Cut,
        cells: SplitCells,
        *,
        n_edges: int,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self.matrix, self.shape = rows, rows.shape
        self.dtype, self.device = dtype, torch.device(device)
        self.cut, self.cells, self._n_edges = cut, cells, n_edges
        self.here = Graph(rows[:, cut.columns], dtype=dtype, device=device)

    @property
    def n_edges(self) -> int:
        return self._n_edges

    def __matmul__(self, x: Tensor) -> Tensor:
        return self.here @ self.cut.with_neighbors(x)


class SplitInputs(Inputs):
    """Inputs of some of the cells; the genes' profiles are summed over all of them."""

    @property
    def profiles(self) -> _Profiles:
        return _Profiles(self.view_1.T, self.cells)


class _Profiles:
    """X1^T, whose product with weights is a sum over cells, and so over workers."""

    def __init__(self, of_mine: Tensor | Graph | Chain, cells: AllCells) -> None:
        self.of_mine, self.cells = of_mine, cells

    def __matmul__(self, weights: Tensor) -> Tensor:
        return self.cells.total(self.of_mine @ weights)


def _rows(x: Tensor | Graph | Chain, cells: np.ndarray) -> Tensor | sp.csr_matrix:
    return x[torch.as_tensor(cells, device=x.device)].cpu() if isinstance(x, Tensor) else x.matrix[cells]


def _model_of(model: ScRCL, cells: np.ndarray, n_cells: int) -> ScRCL:
    layer = model.gene_encoder.gcn.lin
    whole = layer.weight
    layer.weight = nn.Parameter(whole.detach()[:, torch.as_tensor(cells, device=whole.device)].clone())
    mine = copy.deepcopy(model).cpu()  # without a copy of the columns that are others'
    layer.weight = whole
    for module in mine.modules():
        if isinstance(module, Dropout):
            module.held = torch.as_tensor(cells), n_cells
    return mine


def _of_cells(state: dict[str, Any]) -> list[Tensor]:
    """Of a checkpoint's state what belongs to cells, each of shape (out_dim, n_cells): weights and Adam's means."""
    moments = state["optimizer"]["state"].get(list(state["model"]).index(OF_CELLS), {})
    return [state["model"][OF_CELLS], *(moments[name] for name in sorted(moments) if moments[name].ndim)]


def _with_of_cells(state: dict[str, Any], position: int, tensor: Tensor) -> dict[str, Any]:
    """The state with one of these replaced; dictionaries that hold it are copied."""
    if position == 0:
        return state | {"model": state["model"] | {OF_CELLS: tensor}}
    number = list(state["model"]).index(OF_CELLS)
    moments = dict(state["optimizer"]["state"][number])
    moments[[name for name in sorted(moments) if moments[name].ndim][position - 1]] = tensor
    of_all = state["optimizer"]["state"] | {number: moments}
    return state | {"optimizer": state["optimizer"] | {"state": of_all}}


def _states(state: dict[str, Any], numbers: list[np.ndarray]) -> list[dict[str, Any]]:
    found = []
    for mine in numbers:
        own = state
        for position, tensor in enumerate(_of_cells(state)):
            own = _with_of_cells(own, position, tensor[:, torch.as_tensor(mine)])
        found.append(own)
    return found
