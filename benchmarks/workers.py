"""Several workers here, and a model of what more cells on more machines would take: `python -m benchmarks.workers`.

Times are the processor's, of one thread for each worker: what others do on the machine meanwhile changes them little.
Two cores say how the work divides, and nothing about a network: what crosses is counted, and its time is computed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT, facts, peak_mb, run, use_threads
from benchmarks.workers_report import render

HERE = Path(__file__).parent
ALONE = (  # cells, genes, hidden units, neighbors
    (4000, 500, 128, 20),
    (8000, 500, 128, 20),
    (4000, 2000, 256, 20),
    (8000, 2000, 256, 20),
    (16_000, 2000, 256, 20),
    (8000, 1000, 512, 20),
    (4000, 1000, 1024, 20),
    (8000, 500, 256, 60),
    (16_000, 500, 256, 60),
)
STRONG = (8000, 2000, 256, 20)
WORKERS = (1, 2, 4)
OUT_DIM = 10
N_STEPS = 4
PARTS = ("alone", "memory", "together")


def problem(n_cells: int, n_genes: int, n_hidden: int, degree: int) -> tuple[Any, Any]:
    """A model and inputs of this size: cells on a line, in random order, joined to cells that are near on it."""
    import numpy as np
    import scipy.sparse as sp
    import torch

    from scrcl_edu.model import Inputs, ScRCL

    rng = np.random.default_rng(0)
    chosen = rng.integers(1, 2 * degree, (n_cells, degree // 2))
    rows = np.repeat(np.arange(n_cells), degree // 2)
    one_way = sp.csr_matrix((np.ones(rows.size, np.float32), (rows, (rows + chosen.ravel()) % n_cells)))
    graph = one_way.maximum(one_way.T).tocsr()
    graph.data[:] = 1
    order = rng.permutation(n_cells)
    genes = sp.csr_matrix(np.roll(np.eye(n_genes, dtype=np.float32), 1, axis=1) + np.eye(n_genes, dtype=np.float32))
    view = rng.random((n_cells, n_genes), dtype=np.float32)
    torch.manual_seed(0)
    model = ScRCL(n_cells, n_genes, n_hidden=n_hidden, out_dim=OUT_DIM)
    return model, Inputs.build(view, view, graph[order][:, order], genes)


def alone(n_cells: int, n_genes: int, n_hidden: int, degree: int) -> dict[str, Any]:
    """Seconds of an epoch in one process with one thread, and the memory that training adds."""
    from scrcl_edu import training

    model, inputs = problem(n_cells, n_genes, n_hidden, degree)
    optimizer = training.adam(model, learning_rate=1e-4, weight_decay=0.1)
    found = []
    for _ in range(N_STEPS):
        started = time.process_time()
        training.step(model, inputs, optimizer)
        found.append(time.process_time() - started)
    return {"seconds": min(found), "peak_mb": peak_mb(), "degree": inputs.cell_graph.n_edges / n_cells}


def together(n_workers: int, n_cells: int, n_genes: int, n_hidden: int, degree: int) -> dict[str, Any]:
    """Seconds of an epoch of the busiest of some workers, and what they sent; processes are forked from this one."""
    import torch.distributed as dist

    from scrcl_edu import training
    from scrcl_edu.workers.team import Team
    from scrcl_edu.workers.training import train_together

    step, spent = training.step, []

    def timed(*given: Any) -> dict[str, float]:
        started = time.process_time()
        losses = step(*given)
        spent.append(time.process_time() - started)
        return losses

    training.step = timed
    model, inputs = problem(n_cells, n_genes, n_hidden, degree)
    folder = Path(tempfile.mkdtemp())
    children = []
    for rank in range(1, n_workers):
        if (child := os.fork()) == 0:
            dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=n_workers)
            Team().follow()
            (folder / f"{rank}.json").write_text(json.dumps(min(spent)))
            os._exit(0)
        children.append(child)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=0, world_size=n_workers)
    team = Team()
    train_together(team, model, inputs, epochs=N_STEPS)
    team.dismiss()
    for child in children:
        os.waitpid(child, 0)
    others = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(1, n_workers)]
    return {"seconds": max([min(spent), *others])} | team.account


def fitted(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Coefficients of the model of an epoch's seconds, none negative, relative errors made small."""
    import numpy as np
    from scipy.optimize import nnls

    terms = np.array([_terms(row) for row in rows])
    measured = np.array([row["seconds"] for row in rows])
    found, _ = nnls(terms / measured[:, None], np.ones(len(rows)))
    names = ("per_operation", "per_entry", "per_edge")
    return dict(zip(names, (float(value) for value in found), strict=True))


def of_training(n_cells: int, n_genes: int, n_hidden: int, degree: int) -> dict[str, Any]:
    """Memory that two epochs take at their peak above what their inputs and the model hold, in MB."""
    from scrcl_edu import training

    model, inputs = problem(n_cells, n_genes, n_hidden, degree)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the high-water mark begins anew
    before = peak_mb()
    optimizer = training.adam(model, learning_rate=1e-4, weight_decay=0.1)
    for _ in range(2):
        training.step(model, inputs, optimizer)
    return {"training_mb": peak_mb() - before}


def arrays_alive(rows: list[dict[str, Any]]) -> float:
    """Arrays as large as the encodings, alive at the peak: from the memory of two sizes that differ in cells."""
    small, large = rows
    n_entries = (large["n_cells"] - small["n_cells"]) * small["n_hidden"]
    return (large["training_mb"] - small["training_mb"]) * 1e6 / 4 / n_entries


def _terms(row: dict[str, Any]) -> list[float]:
    from scrcl_edu.workers.cost import Problem, operations

    entries = row["n_cells"] * row["n_hidden"]
    size = Problem(row["n_cells"], row["n_genes"], row["n_hidden"], OUT_DIM, row["degree"])
    return [operations(size), entries, entries * row["degree"]]


def measure(part: str, *, quick: bool = False) -> dict[str, Any]:
    """One of `alone`, `memory` and `together`."""
    names, smaller = ("n_cells", "n_genes", "n_hidden", "degree"), 8 if quick else 1
    sizes = [dict(zip(names, (n // smaller, *rest), strict=True)) for n, *rest in ALONE]
    strong = dict(zip(names, (STRONG[0] // smaller, *STRONG[1:]), strict=True))
    if part == "alone":
        rows = [size | run(alone, **size) for size in sizes]
        return {"rows": rows, "machine": fitted(rows)}
    if part == "memory":
        rows = [size | run(of_training, **size) for size in (sizes[2], sizes[4])]
        return {"rows": rows, "arrays": arrays_alive(rows)}
    weak = [strong | {"n_cells": strong["n_cells"] // 2 * n_workers} for n_workers in WORKERS]
    return {
        "strong": [{"n_workers": w} | strong | run(together, n_workers=w, **strong) for w in WORKERS],
        "weak": [{"n_workers": w} | s | run(together, n_workers=w, **s) for w, s in zip(WORKERS, weak, strict=True)],
    }


def main() -> None:
    """Measure, and write the results and their page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part; the others stay as they were")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it runs; writes to out/benchmarks"
    )
    asked = parser.parse_args()
    folder = ROOT / "out" / "benchmarks" if asked.quick else HERE
    (folder / "results").mkdir(parents=True, exist_ok=True)
    stored = folder / "results" / "workers.json"
    written = json.loads(stored.read_text(encoding="utf-8")) if asked.only and stored.exists() else {}
    use_threads(1)
    command = " ".join(["python -m benchmarks.workers", *([f"--only {asked.only}"] if asked.only else [])])
    for part in [asked.only] if asked.only else PARTS:
        written[part] = {"facts": facts(command, 1)} | measure(part, quick=asked.quick)
        stored.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    (folder / "workers.md").write_text(render(written), encoding="utf-8")
    print("Written: workers.json and workers.md", file=sys.stderr)


if __name__ == "__main__":
    from benchmarks import workers  # under its own name, by which other processes find its functions

    workers.main()
