"""Matrix products in TF32, as CUDA takes them: does a result change by more than another seed changes it?"""

from __future__ import annotations

from itertools import combinations
from statistics import median
from typing import Any

from benchmarks.process import run

QUESTION = "On CUDA the matrix products are taken in TF32. Does that change a result by more than another seed does?"
METHOD = """\
TF32 is imitated on the CPU: before each matrix product, forward and backward, both factors are rounded to 10 bits.
pbmc68k_reduced, recipe robust, {epochs} epochs, seeds 0 to {last_seed}.
Agreement is the ARI of two clusterings with each other; no label is needed for it."""

N_SEEDS = 5


def measure(*, quick: bool) -> dict[str, Any]:
    """Agreement of float32 with TF32 for each seed, and of float32 with itself between seeds."""
    n_seeds, epochs = (2, 2) if quick else (N_SEEDS, None)
    return run(agreement, n_seeds=n_seeds, epochs=epochs) | {"last_seed": n_seeds - 1}


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Precision may not matter more than the seed."""
    same, other = result["same_seed"], result["other_seed"]
    return [
        {
            "what": "agreement (ARI) of TF32 with float32, one seed",
            "target": f">= {other:.3f}, that of two seeds",
            "value": same,
            "met": same >= other,
        }
    ]


def table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows for the report."""
    columns = ["compared", "pairs", "agreement, median", "least"]
    return columns, [
        ["float32 and TF32, one seed", len(result["same"]), result["same_seed"], min(result["same"])],
        ["float32, two seeds", len(result["other"]), result["other_seed"], min(result["other"])],
    ]


def agreement(n_seeds: int, epochs: int | None) -> dict[str, Any]:
    """Fit with both precisions and compare the clusters."""
    import contextlib

    from scrcl_edu import datasets, evaluation
    from scrcl_edu.fitting import fit
    from scrcl_edu.recipes import recipe

    adata, settings = datasets.load("pbmc68k_reduced"), recipe("robust")
    settings = settings.with_(epochs=settings.epochs if epochs is None else epochs)

    def clusters(seed: int, *, rounded: bool) -> Any:
        with _rounding() if rounded else contextlib.nullcontext():
            return fit(adata, n_clusters=10, recipe=settings, seed=seed, copy=True).obs["scrcl"].to_numpy()

    exact = [clusters(seed, rounded=False) for seed in range(n_seeds)]
    same = [evaluation.ari(mine, clusters(seed, rounded=True)) for seed, mine in enumerate(exact)]
    other = [evaluation.ari(one, two) for one, two in combinations(exact, 2)]
    medians = {"same_seed": median(same), "other_seed": median(other)}
    return {"epochs": settings.epochs, "same": same, "other": other} | medians


def _rounding() -> Any:
    """Round the factors of each dense matrix product to TF32's 10 bits."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    products = {torch.ops.aten.mm.default: (0, 1), torch.ops.aten.addmm.default: (1, 2)}

    def to_tf32(x: torch.Tensor) -> torch.Tensor:
        if x.layout != torch.strided or x.dtype != torch.float32:
            return x
        bits = x.contiguous().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)

    class Rounding(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            arguments = list(args)
            for place in products.get(function, ()):
                arguments[place] = to_tf32(arguments[place])
            return function(*arguments, **(kwargs or {}))

    return Rounding()
