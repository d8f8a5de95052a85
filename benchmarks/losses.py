"""Dense against linear losses: time, memory, equality."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.process import peak_mb, run, seconds

if TYPE_CHECKING:
    from torch import Tensor

QUESTION = "What do the linear forms of the losses save, and are they the same losses?"
METHOD = """\
Value and gradient of the three losses together: hidden {n_hidden}, {n_programs} programs, 15 neighbors, random rows.
Time: dense and linear in turn in one process, float32, the median of the rounds.
Memory: one process each; the peak above what the process held before, float32.
Difference: float64, the gradients' as the largest deviation over the largest entry."""

FORMS = ("dense", "linear")
N_HIDDEN, N_PROGRAMS = 256, 10


def measure(*, quick: bool) -> dict[str, Any]:
    """One row for each number of cells."""
    sizes = (300,) if quick else (1000, 2000, 4000, 8000)
    rows = []
    for n_cells in sizes:
        row: dict[str, Any] = {"n_cells": n_cells}
        row |= run(times_and_difference, n_cells=n_cells)
        row |= {f"{form}_mb": run(memory, n_cells=n_cells, form=form)["added_mb"] for form in FORMS}
        rows.append(row)
    return {"n_hidden": N_HIDDEN, "n_programs": N_PROGRAMS, "rows": rows}


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The linear form has to be the same loss."""
    worst = max(max(row["value_difference"], row["gradient_difference"]) for row in result["rows"])
    largest = result["rows"][-1]
    return [
        {
            "what": "linear and dense losses: relative difference",
            "target": "< 1e-9",
            "value": worst,
            "met": worst < 1e-9,
        },
        {
            "what": f"linear losses at {largest['n_cells']:,} cells: seconds, as a share of the dense",
            "target": "< 1",
            "value": (ratio := largest["linear_seconds"] / largest["dense_seconds"]),
            "met": ratio < 1,
        },
    ]


def table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows for the report."""
    columns = [
        "cells",
        "dense s",
        "linear s",
        "times faster",
        "dense MB",
        "linear MB",
        "value differs",
        "gradient differs",
    ]
    rows = [
        [
            row["n_cells"],
            row["dense_seconds"],
            row["linear_seconds"],
            row["dense_seconds"] / row["linear_seconds"],
            row["dense_mb"],
            row["linear_mb"],
            row["value_difference"],
            row["gradient_difference"],
        ]
        for row in result["rows"]
    ]
    return columns, rows


def times_and_difference(n_cells: int, n_rounds: int = 5) -> dict[str, Any]:
    """Seconds of both forms in turn in one process, and their relative differences in float64."""
    calls = {form: _value_and_gradient(form, *_problem(n_cells, "float32")) for form in FORMS}
    taken: dict[str, list[float]] = {form: [] for form in FORMS}
    for _ in range(n_rounds + 1):
        for form in FORMS:
            taken[form].append(seconds(calls[form]))
    # the first round warms up
    return {f"{form}_seconds": median(values[1:]) for form, values in taken.items()} | difference(n_cells)


def memory(n_cells: int, form: str) -> dict[str, Any]:
    """Peak of memory that one form adds."""
    _value_and_gradient(form, *_problem(50, "float32"))()  # loads what torch loads late
    call = _value_and_gradient(form, *_problem(n_cells, "float32"))
    before = peak_mb()
    call()
    return {"added_mb": peak_mb() - before}


def difference(n_cells: int) -> dict[str, Any]:
    """Relative differences of the two forms in float64."""
    problem = _problem(n_cells, "float64")
    dense, linear = (_value_and_gradient(form, *problem)() for form in FORMS)
    gradients = zip(dense[1], linear[1], strict=True)
    return {
        "value_difference": float(abs(dense[0] - linear[0]) / abs(dense[0])),
        "gradient_difference": max(float((a - b).abs().max() / a.abs().max()) for a, b in gradients),
    }


def _problem(n_cells: int, dtype: str) -> tuple[list[Tensor], Any]:
    import numpy as np
    import torch

    from scrcl_edu.graphs import Graph, cell_graph

    rng = np.random.default_rng(0)
    graph = Graph(cell_graph(rng.standard_normal((n_cells, 16))), dtype=getattr(torch, dtype))
    rows = [np.abs(rng.standard_normal((n_cells, width))) for width in (N_HIDDEN, N_HIDDEN, N_PROGRAMS, N_PROGRAMS)]
    units = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in rows]
    return [torch.tensor(values, dtype=getattr(torch, dtype), requires_grad=True) for values in units], graph


def _value_and_gradient(form: str, leaves: list[Tensor], graph: Any) -> Callable[[], tuple[Tensor, list[Tensor]]]:
    import torch

    from scrcl_edu import alignment, refinement

    e1, e2, z1, z2 = leaves

    def value() -> Tensor:
        if form == "linear":
            distribution, neighborhood = alignment.alignments(e1, e2, graph)
            return distribution + 100 * neighborhood + refinement.cross_view_consistency(z1, z2, graph)
        distribution = alignment.distribution_alignment_dense(e1, e2)
        neighborhood = alignment.neighborhood_alignment_dense(e1, e2, graph)
        return distribution + 100 * neighborhood + refinement.cross_view_consistency_dense(z1, z2, graph)

    def value_and_gradient() -> tuple[Tensor, list[Tensor]]:
        total = value()
        return total.detach(), list(torch.autograd.grad(total, leaves))

    return value_and_gradient
