"""One measurement, one fresh process: what it uses of memory is its own, and nothing is warm from the one before."""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from scrcl_edu.threads import n_cores

if TYPE_CHECKING:
    from anndata import AnnData

ROOT = Path(__file__).resolve().parents[1]
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "scanpy", "anndata")


class FailedError(RuntimeError):
    """A measurement ended with an error; the message holds the end of what it wrote."""


def run(job: Callable[..., dict[str, Any]], **settings: Any) -> dict[str, Any]:
    """Call a job in a new Python process and return its result, with `peak_mb` of that process added.

    Parameters
    ----------
    job
        A function at the top of a module of this package; what it takes and returns must be plain JSON.
    settings
        Its arguments.
    """
    text = python("-m", "benchmarks.process", f"{job.__module__}:{job.__name__}", json.dumps(settings))
    return json.loads(text.splitlines()[-1])


def python(*arguments: str) -> str:
    """What a new Python process prints, started in the root of the checkout."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise FailedError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def use_threads(n_threads: int) -> None:
    """Let every process started from now on compute with so many threads, whatever the environment said."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(n_threads)))


def facts(command: str, n_threads: int) -> dict[str, Any]:
    """With what a part is measured, and the load before anything was started; no names, no paths."""
    import psutil

    return {
        "command": command,
        "date": time.strftime("%Y-%m-%d"),
        "cpu": _cpu(),
        "cores": n_cores(),
        "threads": n_threads,
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "load_at_start": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
    }


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes).

    Linux hands the parent's maximum on through `getrusage`; the high-water mark in /proc is this program's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    import psutil

    used = psutil.Process().memory_info()
    if hasattr(used, "peak_wset"):  # Windows
        return round(used.peak_wset / 1e6, 1)
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)  # macOS counts bytes


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def staged_fit(adata: AnnData, **settings: Any) -> list[dict[str, Any]]:
    """Run `fit` itself and watch its stages: seconds of each, and the peak of memory when it ended, in MB."""
    from scrcl_edu import clustering, fitting, inputs, training

    watched = [(fitting, name) for name in "preprocess build cluster".split()]
    watched += [(training, "train"), (training, "embed")]
    watched += [(inputs, "cell_graph"), (inputs, "gene_graph"), (clustering, "estimate_n_clusters")]
    stages: list[dict[str, Any]] = []
    started = time.perf_counter()
    with ExitStack() as stack:
        for module, name in watched:
            stack.enter_context(mock.patch.object(module, name, _watched(getattr(module, name), name, stages)))
        fitting.fit(adata, **settings)
    total = time.perf_counter() - started
    rest = total - sum(stage["seconds"] for stage in stages)
    return [
        *stages,
        {"stage": "everything else", "seconds": rest, "peak_mb": peak_mb()},
        {"stage": "fit", "seconds": total, "peak_mb": peak_mb()},
    ]


def _watched(call: Callable[..., Any], name: str, stages: list[dict[str, Any]]) -> Callable[..., Any]:
    def watched(*arguments: Any, **settings: Any) -> Any:
        started = time.perf_counter()
        try:
            return call(*arguments, **settings)
        finally:
            stages.append({"stage": name, "seconds": time.perf_counter() - started, "peak_mb": peak_mb()})

    return watched


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    module, name = sys.argv[1].split(":")
    result = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    print(json.dumps(result | {"peak_mb": peak_mb()}))
