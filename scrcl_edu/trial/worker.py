"""The process in which a part is tried: counts come in, clusters go out, and labels are never here."""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
import traceback
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp


def fit_counts(counts: sp.csr_matrix, n_clusters: int, seed: int, parts: Any = None, **settings: Any) -> np.ndarray:
    """Clusters of counts without names, by `robust` and perhaps a part of one's own; integers, shape (n_cells,)."""
    from anndata import AnnData

    from scrcl_edu.fitting import fit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = fit(AnnData(counts.copy()), n_clusters=n_clusters, seed=seed, device="cpu", parts=parts, **settings)
    return adata.obs["scrcl"].to_numpy().astype(int)


def _run(order: dict[str, Any]) -> dict[str, Any]:
    from scrcl_edu.parts import Parts
    from scrcl_edu.trial import guard

    warm = np.random.default_rng(0).poisson(1.0, (60, 40)).astype(np.float32)
    fit_counts(sp.csr_matrix(warm), 2, 0, epochs=1)  # whatever is loaded late is loaded now
    found: dict[str, Any] = {"clusters": [], "seconds": []}
    guard.close_the_doors()
    try:
        # Not named as this module: what looks its caller up by name finds nothing of ours.
        names: dict[str, Any] = {"__name__": "my_part"}
        exec(compile(order["source"], "my_part.py", "exec"), names)
        parts = Parts(**{part: names[name] for part, name in order["names"].items()})
        for counts, n_clusters, seed in order["tasks"]:
            started = time.perf_counter()
            found["clusters"].append(fit_counts(counts, n_clusters, seed, parts).tolist())
            found["seconds"].append(time.perf_counter() - started)
    except guard.Refused:
        pass
    except BaseException as error:
        lines = [step for step in traceback.extract_tb(error.__traceback__) if step.filename == "my_part.py"]
        where = f" (line {lines[-1].lineno} of the part)" if lines else ""
        found["error"] = f"{type(error).__name__}: {error}{where}"
    if guard.tried:
        found = {"refused": list(dict.fromkeys(guard.tried))}
    return found


def main() -> None:
    """Read an order from standard input and write the answer, as JSON, to standard output."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a part prints must not get into the answer
    order = pickle.load(sys.stdin.buffer)
    json.dump(_run(order), answer)
    answer.flush()


if __name__ == "__main__":
    main()
