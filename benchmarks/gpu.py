"""A run of the paper's size on a CUDA GPU, where there is one."""

from __future__ import annotations

from typing import Any

from benchmarks.process import run, staged_fit

QUESTION = "How long does a run of the paper's size take on a GPU?"
METHOD = """\
{n_cells:,} simulated cells, {n_genes:,} genes, recipe `paper/Baron_human` (hidden 1500), {n_epochs} epochs.
The second of two fits, so that the start of CUDA is not counted.
The profile is of 20 training steps: time on the GPU by operation."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Stages and profile, or None in their place where there is no GPU."""
    n_cells, n_genes, n_epochs = (500, 200, 5) if quick else (8569, 2000, 500)
    size = {"n_cells": n_cells, "n_genes": n_genes, "n_epochs": n_epochs}
    name = run(gpu_name)["name"]
    if name is None:
        return size | {"gpu": None, "reason": "Not measured: no GPU."}
    return size | {"gpu": name} | run(paper_sized, **size, device="cuda")


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Training time of the paper-sized run."""
    what = "training of the paper's size on a GPU, s (H200)"
    if result["gpu"] is None:
        return [{"what": what, "target": "< 5", "value": None, "met": None}]
    taken = next(stage["seconds"] for stage in result["stages"] if stage["stage"] == "train")
    return [{"what": f"{what}: {result['gpu']}", "target": "< 5", "value": taken, "met": taken < 5}]


def table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the stages."""
    return ["stage", "s", "peak MB"], [[s["stage"], s["seconds"], s["peak_mb"]] for s in result.get("stages", [])]


def profile_table(result: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the profile."""
    return ["operation", "ms per step", "calls per step"], [list(row.values()) for row in result.get("profile", [])]


def gpu_name() -> dict[str, Any]:
    """What CUDA calls the first GPU; None where there is none."""
    import torch

    return {"name": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None}


def paper_sized(n_cells: int, n_genes: int, n_epochs: int, device: str) -> dict[str, Any]:
    """Stages of the second of two fits, and the profile of some steps."""
    from scrcl_edu import datasets
    from scrcl_edu.recipes import recipe

    adata = datasets.simulate(n_cells, n_genes, 14, genes_per_program=min(30, n_genes // 22), min_cells=2, seed=0)
    settings = recipe("paper/Baron_human").with_(n_top_genes=n_genes, epochs=n_epochs)
    staged_fit(adata, n_clusters=14, recipe=settings.with_(epochs=min(5, n_epochs)), device=device)
    stages = staged_fit(adata, n_clusters=14, recipe=settings, device=device)
    return {"stages": stages, "profile": _profile(adata, settings, device)}


def _profile(adata: Any, settings: Any, device: str, n_steps: int = 20) -> list[dict[str, Any]]:
    from torch.profiler import ProfilerActivity, profile

    from scrcl_edu import fitting, preprocessing, training

    features = preprocessing.encoder_features(adata, settings.features)
    model, inputs = fitting.build(adata, settings, features, n_clusters=14, device=device)
    optimizer = training.adam(model, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay)
    training.step(model, inputs, optimizer)
    watched = ProfilerActivity.CUDA if device == "cuda" else ProfilerActivity.CPU
    with profile(activities=[watched]) as profiler:
        for _ in range(n_steps):
            training.step(model, inputs, optimizer)
    time_of = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    events = sorted(profiler.key_averages(), key=lambda event: -getattr(event, time_of))
    return [
        {"operation": event.key[:80], "ms": getattr(event, time_of) / 1e3 / n_steps, "calls": event.count / n_steps}
        for event in events[:12]
    ]
