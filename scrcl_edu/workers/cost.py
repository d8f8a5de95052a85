"""What an epoch costs on several machines: operations, memory, bytes on the wire, seconds. Read in lesson 13.

What crosses is counted exactly and held to what :class:`~scrcl_edu.workers.team.Team` sends; seconds and memory are
linear models, whose coefficients were fitted to measurements (benchmarks/workers.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BYTES = 4  # of a float32
MESSAGES = 40  # collectives in an epoch, backward pass included


@dataclass(frozen=True)
class Problem:
    """Size of a training.

    Parameters
    ----------
    n_cells, n_genes, n_hidden, out_dim
        As :class:`~scrcl_edu.model.ScRCL` takes them; the defaults are those of `robust` with ten clusters.
    degree
        Neighbors of a cell in the graph, on average; 14 chosen neighbors, united in both directions, make about 20.
    """

    n_cells: float
    n_genes: int = 2000
    n_hidden: int = 256
    out_dim: int = 10
    degree: float = 20.0


@dataclass(frozen=True)
class Machine:
    """How quick one worker is, and its network.

    Parameters
    ----------
    per_operation
        Seconds for a floating-point operation of a matrix product.
    per_entry
        Seconds for an entry of the encodings (a cell and a hidden unit), over all passes that are no products.
    per_edge
        Seconds for an edge and a hidden unit, over all sparse products of an epoch.
    bandwidth, latency
        Bytes a second out of a worker, and seconds until a message arrives.
    memory
        Bytes.
    """

    per_operation: float
    per_entry: float
    per_edge: float
    bandwidth: float = 1.25e9
    latency: float = 50e-6
    memory: float = 64e9


def operations(problem: Problem) -> float:
    """Floating-point operations of the matrix products in an epoch, forward and backward, over all cells."""
    genes, hidden, out = problem.n_genes, problem.n_hidden, problem.out_dim
    encoders = 8 * genes * hidden + 12 * hidden**2  # the features need no gradient
    return problem.n_cells * (encoders + 16 * hidden * out + 4 * genes * out)


def summed(problem: Problem) -> int:
    """Numbers that are summed over the workers in an epoch: totals, their gradients, and those of shared weights."""
    genes, hidden, out = problem.n_genes, problem.n_hidden, problem.out_dim
    totals = genes * out + 2 * hidden + 2 * out**2 + 7
    shared = 3 * genes * hidden + 2 * hidden**2 + 4 * hidden + out + genes
    return 2 * totals + 2 + shared


def bytes_crossing(problem: Problem, n_workers: int, rows_per_cell: float) -> float:
    """Bytes that all workers together send in an epoch.

    Parameters
    ----------
    problem
        Size of the training.
    n_workers
        How many there are.
    rows_per_cell
        How many other workers need a cell's row, on average over cells; at most `n_workers - 1` and at most the degree.
    """
    rows = rows_per_cell * problem.n_cells * 2 * (3 * problem.n_hidden + problem.out_dim + 1)
    return BYTES * (rows + 2 * (n_workers - 1) * summed(problem))


def seconds(problem: Problem, machine: Machine, n_workers: int = 1, rows_per_cell: float = 0.0) -> dict[str, float]:
    """Seconds of an epoch: `computing`, `rows` of neighbors that cross, `sums` over workers, and `total`.

    Parameters
    ----------
    problem, n_workers, rows_per_cell
        As :func:`bytes_crossing` takes them.
    machine
        Each worker; they compute at once, and nothing is sent meanwhile.
    """
    entries = problem.n_cells * problem.n_hidden
    computing = machine.per_operation * operations(problem) + machine.per_entry * entries
    computing = (computing + machine.per_edge * entries * problem.degree) / n_workers
    of_sums = 2 * BYTES * (n_workers - 1) * summed(problem)
    of_rows = bytes_crossing(problem, n_workers, rows_per_cell) - of_sums
    messages = MESSAGES * machine.latency * math.log2(n_workers) if n_workers > 1 else 0.0
    found = {
        "computing": computing,
        "rows": of_rows / n_workers / machine.bandwidth,
        "sums": of_sums / n_workers / machine.bandwidth + messages,
    }
    return found | {"total": sum(found.values())}


def memory(problem: Problem, n_workers: int = 1, rows_per_cell: float = 0.0) -> float:
    """Bytes that training holds on each worker: features, graph, weights, and what waits for the backward pass."""
    genes, hidden, out, degree = problem.n_genes, problem.n_hidden, problem.out_dim, problem.degree
    features, graph, of_cells = 2 * genes, 6 * degree, 4 * out
    waiting = ARRAYS * hidden + 6 * out
    from_others = 3 * rows_per_cell * hidden
    shared = 4 * summed(problem)
    return BYTES * (problem.n_cells / n_workers * (features + graph + of_cells + waiting + from_others) + shared)


def workers_for(problem: Problem, machine: Machine, rows_per_cell: float = 0.0) -> int:
    """The fewest workers whose memory is enough.

    Raises
    ------
    OverflowError
        When the weights alone are more than a worker's memory.
    """
    alone, shared = memory(problem, 1, rows_per_cell), BYTES * 4 * summed(problem)
    if shared >= machine.memory:
        raise OverflowError(f"the shared weights take {shared:.3g} bytes, more than a worker's {machine.memory:.3g}")
    return max(1, math.ceil((alone - shared) / (machine.memory - shared)))


# Of one core, and of arrays as large as the encodings that are alive at the peak: benchmarks/results/workers.json.
MEASURED = Machine(per_operation=1.037e-11, per_entry=1.422e-07, per_edge=6.582e-10)
ARRAYS = 23.6
