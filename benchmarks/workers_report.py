"""The page on many machines, from the JSON of :mod:`benchmarks.workers` alone: what is measured, what is computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scrcl_edu.workers.cost import Machine, Problem, memory, seconds, workers_for

CORES = 32  # of a machine in the computed part
NETWORKS = {"1 Gbit/s": 1.25e8, "10 Gbit/s": 1.25e9, "100 Gbit/s": 1.25e10}
ROWS = (2.0, 0.2)  # other machines that need a cell's row
TEXT = """\
# Many machines

`python -m benchmarks.workers` measures and writes this page; no number here is typed by hand.
That several workers train exactly what one process does is not shown here but tested, in `tests/test_workers.py`.

## Measured: one core

An epoch in one process with one thread, dropout included: the processor's seconds, the least of four epochs.
Cells lie on a line and are joined to others near them; features are random and dense.
`{command}`, {date}: {cpu}, {cores} cores, load {load_at_start} before the start, {system}; {versions_in_words}.
A load far above the number of cores says that others worked on the machine; the processor's seconds are then somewhat
longer than on a quiet one, since its caches are shared.

The model beside it has three terms: the operations of the matrix products, the entries of the encodings (cells times
hidden units), and these times the neighbors of a cell.
Fitted without negative coefficients they are {per_operation:.2e} s an operation ({gigaflops:.0f} GFLOP/s),
{per_entry:.2e} s an entry, and {per_edge:.2e} s an edge and hidden unit.
On the sizes that it was fitted to the model is off by at most {worst:.0%}.

{alone}

Beside features, graph and weights, memory grows with cells as if {arrays:.1f} arrays as large as the encodings were
alive at the peak of an epoch: from the peaks at 4,000 and 16,000 cells with 256 hidden units.

## Measured: several workers on this machine

Processes with one thread each on two cores, with gloo between them; the processor's seconds of an epoch, of the busiest
worker.
It says how the work divides: on cores of their own the workers would compute at once.
It does not say what a network takes; what was sent is counted.
The model's seconds here are those of one process divided by the workers, without anything that every worker does.

The same cells, more workers (strong scaling):

{strong}

Each worker the same number of cells (weak scaling):

{weak}

What every worker does whatever its share does not shrink: the step of the shared weights, the sums, and drawing the
bits of dropout, which below 2^28 entries every worker does for all cells, so that the training is that of one process.

## Computed: more than this machine can run

Everything below follows from the model, for machines of {cores_of_machine} cores that divide the work as one core
does it (they will not quite: memory is shared), with 64 GB of memory each, 2,000 genes, 256 hidden units, ten clusters.
Nothing is sent while something is computed.
The number of machines is the fewest whose memory is enough; with more of them an epoch is shorter in proportion, as
long as rows and not sums take the time.

How many other machines need a cell's row decides over the network.
Two is what a poor division gives, 0.2 a good one; which of them a data set allows depends on its graph, and `fit`
prints the bytes that crossed.

{computed}

Reading, choosing genes, the cell graph, the number of clusters and k-means are not in this model.
They run on the first worker, which holds the features of all cells; for 10^8 cells they would have to be divided, too.
"""


def render(written: dict[str, Any]) -> str:
    """Markdown of everything."""
    alone, together, facts = written["alone"], written["together"], written["alone"]["facts"]
    machine = alone["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    text = TEXT.format(
        **facts,
        versions_in_words=versions,
        **machine,
        gigaflops=1e-9 / machine["per_operation"],
        worst=worst(alone),
        arrays=written["memory"]["arrays"],
        cores_of_machine=CORES,
        alone=_table(
            ["cells", "genes", "hidden", "neighbors", "measured s", "model s"],
            (
                [*map(str, _sizes(row)), f"{row['seconds']:.3g}", f"{predicted(row, machine):.3g}"]
                for row in alone["rows"]
            ),
        ),
        strong=_scaling(together["strong"], machine),
        weak=_scaling(together["weak"], machine),
        computed=_computed(machine),
    )
    return text


def predicted(row: dict[str, Any], machine: dict[str, float]) -> float:
    """Seconds of an epoch by the model, on one core, for what was measured."""
    return seconds(_size(row), Machine(**machine))["total"]


def worst(alone: dict[str, Any]) -> float:
    """Largest relative deviation of the model from what it was fitted to."""
    return max(abs(predicted(row, alone["machine"]) / row["seconds"] - 1) for row in alone["rows"])


def _size(row: dict[str, Any]) -> Problem:
    return Problem(row["n_cells"], row["n_genes"], row["n_hidden"], 10, row["degree"])


def _sizes(row: dict[str, Any]) -> list[str]:
    return [f"{row['n_cells']:,}", f"{row['n_genes']:,}", f"{row['n_hidden']:,}", f"{row['degree']:.1f}"]


def _scaling(rows: list[dict[str, Any]], machine: dict[str, float]) -> str:
    names = ["workers", "cells", "s of the busiest", "model s", "share of edges cut", "MB sent an epoch"]
    lines = []
    for row in rows:
        by_model = predicted(row, machine) / row["n_workers"]
        line = [str(row["n_workers"]), f"{row['n_cells']:,}", f"{row['seconds']:.3g}", f"{by_model:.3g}"]
        lines.append([*line, f"{row['share_of_edges_cut']:.1%}", f"{row['bytes_per_epoch'] / 1e6:.3g}"])
    return _table(names, lines)


def _computed(core: dict[str, float]) -> str:
    lines: list[list[str]] = []
    for power in (6, 7, 8):
        for crossing in ROWS:
            size, quick = Problem(10.0**power), {name: value / CORES for name, value in core.items()}
            needed = workers_for(size, Machine(**quick), crossing)
            crosses = crossing if needed > 1 else 0.0
            took = [
                seconds(size, Machine(**quick, bandwidth=speed), needed, crosses)["total"]
                for speed in NETWORKS.values()
            ]
            computing = seconds(size, Machine(**quick), needed, crosses)["computing"]
            gb = memory(size, needed, crosses) / 1e9
            line = [f"10^{power}", f"{crosses:g}", str(needed), f"{gb:.0f}", f"{computing:.3g}"]
            line += [f"{number:.3g}" for number in took]
            if line not in lines:
                lines.append(line)
    names = [f"epoch s at {name}" for name in NETWORKS]
    return _table(["cells", "machines that need a row", "machines", "GB on each", "computing s", *names], lines)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
