"""An epoch against the matrix products that it cannot do without, and what evaluation and clustering add to a run."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.problem import N_TYPES, robust, simulated, training_step
from benchmarks.process import run, seconds, staged_fit

QUESTION = "How close is an epoch to this machine's matrix products, and what do evaluation and clustering add?"
METHOD = """\
{n_cells:,} simulated cells, {n_genes:,} genes, hidden {n_hidden:,}, dropout 0.3, recipe `robust` otherwise; float32.
An epoch needs N (8 G H + 12 H^2) floating-point operations in matrix products.
Products: exactly these, on the same shapes and with the same operands transposed, and nothing else.
Products and epoch take turns in one process; each time is the median of the rounds, the share the median of the pairs.
Run: one `fit` of {run[n_epochs]} epochs, the clustering with 20 starts included."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Seconds of the products and of an epoch, and the stages of a whole run."""
    size = (
        {"n_cells": 400, "n_genes": 200, "n_hidden": 100}
        if quick
        else {"n_cells": 4000, "n_genes": 1000, "n_hidden": 1500}
    )
    return size | {
        "epoch": run(epoch_and_products, **size, n_rounds=3 if quick else 9),
        "run": run(whole_run, **size, n_epochs=5 if quick else 100),
    }


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Share of the products' speed, share of evaluation and clustering."""
    share, added = result["epoch"]["share"], added_share(result)
    return [
        {
            "what": f"epoch: share of matrix-product speed, hidden {result['n_hidden']:,}",
            "target": ">= 0.7",
            "value": share,
            "met": share >= 0.7,
        },
        {
            "what": f"evaluation and clustering: share of a run of {result['run']['n_epochs']} epochs",
            "target": "< 0.05",
            "value": added,
            "met": added < 0.05,
        },
    ]


def table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows for the report."""
    epoch, operations = result["epoch"], n_operations(result["n_cells"], result["n_genes"], result["n_hidden"])
    taken = {"matrix products": epoch["products_seconds"], "an epoch": epoch["epoch_seconds"]}
    return ["what", "s", "GFLOP/s"], [[name, value, operations / value / 1e9] for name, value in taken.items()]


def run_table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the whole run."""
    return ["stage", "s", "peak MB"], [[s["stage"], s["seconds"], s["peak_mb"]] for s in result["run"]["stages"]]


def added_share(result: dict[str, Any]) -> float:
    """What embedding and clustering take of the whole run."""
    taken = {stage["stage"]: stage["seconds"] for stage in result["run"]["stages"]}
    return (taken["embed"] + taken["cluster"]) / taken["fit"]


def n_operations(n_cells: int, n_genes: int, n_hidden: int) -> int:
    """N (8 G H + 12 H^2): forward and weights' gradient of two layers from the genes, two hidden ones in full."""
    return n_cells * (8 * n_genes * n_hidden + 12 * n_hidden**2)


def epoch_and_products(n_cells: int, n_genes: int, n_hidden: int, n_rounds: int) -> dict[str, Any]:
    """Both in turn, after a first round of each."""
    step, _ = training_step(n_cells, n_genes, n_hidden=n_hidden, dropout=0.3)
    multiply = products(n_cells, n_genes, n_hidden)
    pairs = [(seconds(multiply), seconds(step)) for _ in range(n_rounds + 1)]
    pairs = pairs[1:]
    return {
        "products_seconds": median(product for product, _ in pairs),
        "epoch_seconds": median(epoch for _, epoch in pairs),
        "share": median(product / epoch for product, epoch in pairs),
    }


def products(n_cells: int, n_genes: int, n_hidden: int) -> Callable[[], None]:
    """The matrix products of an epoch, as many and as large."""
    import torch

    x, hidden = torch.rand(n_cells, n_genes), torch.rand(n_cells, n_hidden)
    w_in, w_hidden = torch.rand(n_hidden, n_genes), torch.rand(n_hidden, n_hidden)

    def multiply() -> None:
        for _ in range(2):  # the first layers of the two views: forward, gradient of the weights
            torch.mm(x, w_in.T)
            torch.mm(hidden.T, x)
        for _ in range(2):  # two hidden layers: forward, gradient of the input, gradient of the weights
            torch.mm(hidden, w_hidden.T)
            torch.mm(hidden, w_hidden)
            torch.mm(hidden.T, hidden)

    return multiply


def whole_run(n_cells: int, n_genes: int, n_hidden: int, n_epochs: int) -> dict[str, Any]:
    """The stages of one fit."""
    settings = robust(n_genes, n_hidden=n_hidden, dropout=0.3, epochs=n_epochs)
    return {
        "n_epochs": n_epochs,
        "stages": staged_fit(simulated(n_cells, n_genes), n_clusters=N_TYPES, recipe=settings),
    }
