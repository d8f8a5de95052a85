"""How an epoch's time and memory grow with the number of cells, and a whole fit of 100,000."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

from benchmarks.problem import robust, simulated, training_step
from benchmarks.process import peak_mb, run, seconds, staged_fit

QUESTION = "Does an epoch cost twice as much for twice as many cells, and do 100,000 cells fit into 8 GB?"
METHOD = """\
Simulated cells, {n_genes:,} genes, recipe `robust` with hidden {n_hidden}; one process per size.
Epoch: the median of five training steps after a first one.
Peak: of the whole process, simulation, preprocessing, graphs and input included, all of which `fit` keeps in memory."""
FIT_METHOD = """\
`fit` on {fit[n_cells]:,} simulated cells, {fit[n_epochs]} epochs, number of clusters estimated.
Peak: of the process when the stage ended, so that a stage that adds nothing repeats the number before it."""


def measure(*, quick: bool) -> dict[str, Any]:
    """One row for each number of cells, and the stages of one large fit."""
    sizes, n_large = ((200, 400, 800), 1000) if quick else ((2000, 4000, 8000, 16_000, 32_000, 64_000), 100_000)
    n_genes = 200 if quick else 2000
    size = {"n_genes": n_genes, "n_hidden": 256}
    rows = [{"n_cells": n_cells} | run(epoch, n_cells=n_cells, **size) for n_cells in sizes]
    fit = {"n_cells": n_large, "n_epochs": 5} | run(large_fit, n_cells=n_large, **size, n_epochs=5)
    return size | {"rows": rows, "slope": slope(rows), "fit": fit}


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Growth of time, and memory."""
    largest, fit = result["rows"][-1], result["fit"]
    gb, fit_gb, growth = largest["peak_mb"] / 1000, fit["peak_mb"] / 1000, _growth_of_memory(result["rows"])
    return [
        {
            "what": "epoch: slope of log time over log cells",
            "target": "<= 1.1",
            "value": result["slope"],
            "met": result["slope"] <= 1.1,
        },
        {
            "what": f"epoch: memory per cell, last doubling over whole range, to {largest['n_cells']:,} cells",
            "target": "<= 1.1",
            "value": growth,
            "met": growth <= 1.1,
        },
        {
            "what": f"epoch: peak memory at {largest['n_cells']:,} cells, GB",
            "target": "< 4",
            "value": gb,
            "met": gb < 4,
        },
        {
            "what": f"fit of {fit['n_cells']:,} cells: peak memory, GB",
            "target": "< 8",
            "value": fit_gb,
            "met": fit_gb < 8,
        },
    ]


def table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the epochs."""
    columns = ["cells", "epoch s", "microseconds per cell", "peak MB", "both graphs s"]
    rows = [
        [
            row["n_cells"],
            row["epoch_seconds"],
            1e6 * row["epoch_seconds"] / row["n_cells"],
            row["peak_mb"],
            row["graph_seconds"],
        ]
        for row in result["rows"]
    ]
    return columns, rows


def fit_table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the large fit."""
    rows = [[stage["stage"], stage["seconds"], stage["peak_mb"]] for stage in result["fit"]["stages"]]
    return ["stage", "s", "peak MB"], [["(the simulated cells)", None, result["fit"]["before_mb"]], *rows]


def slope(rows: list[dict[str, Any]]) -> float:
    """Of the least-squares line through log time over log cells."""
    x, y = ([math.log(row[name]) for row in rows] for name in ("n_cells", "epoch_seconds"))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


def epoch(n_cells: int, n_genes: int, n_hidden: int, n_steps: int = 5) -> dict[str, Any]:
    """Seconds of a training step, and of the graphs before it."""
    step, graph_seconds = training_step(n_cells, n_genes, n_hidden=n_hidden)
    taken = [seconds(step) for _ in range(n_steps + 1)]
    return {"epoch_seconds": median(taken[1:]), "graph_seconds": graph_seconds}


def large_fit(n_cells: int, n_genes: int, n_hidden: int, n_epochs: int) -> dict[str, Any]:
    """The stages of a fit of many cells."""
    adata = simulated(n_cells, n_genes)
    before = peak_mb()
    return {
        "before_mb": before,
        "stages": staged_fit(adata, recipe=robust(n_genes, n_hidden=n_hidden, epochs=n_epochs)),
    }


def _growth_of_memory(rows: list[dict[str, Any]]) -> float:
    first, before, last = rows[0], rows[-2], rows[-1]
    at_the_end = (last["peak_mb"] - before["peak_mb"]) / (last["n_cells"] - before["n_cells"])
    overall = (last["peak_mb"] - first["peak_mb"]) / (last["n_cells"] - first["n_cells"])
    return at_the_end / overall
