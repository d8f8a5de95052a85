"""Hold a trial: run a part, `robust` and baselines on the same sets with the same seeds, and judge the differences."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import pickle
import secrets
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scrcl_edu import baselines, evaluation
from scrcl_edu.errors import SettingsError
from scrcl_edu.parts import PartError, Parts
from scrcl_edu.trial import looks
from scrcl_edu.trial.report import Trial
from scrcl_edu.trial.sets import TrialSet, to_open_once, to_play_with
from scrcl_edu.trial.sources import TrialRefused, from_file, from_functions
from scrcl_edu.trial.worker import fit_counts

if TYPE_CHECKING:
    import pandas as pd

BASELINES: dict[str, Callable[..., np.ndarray]] = {
    "pca_kmeans": baselines.pca_kmeans,
    "leiden_k": baselines.leiden_k,
}


def trial(
    part: str | Path | None = None,
    *,
    open_final: bool = False,
    seeds: int = 2,
    draw: int | None = None,
    limit_seconds: float = 600.0,
    **functions: Callable[..., Any],
) -> Trial:
    """Try a part of one's own against `robust` and the baselines: paired, blind to labels, on several small sets.

    Parameters
    ----------
    part
        A file whose functions are named as the parts that they stand for, see :class:`scrcl_edu.parts.Parts`.
    open_final
        Use sets that nobody has seen, drawn now. Do it once, when the part is done: each opening is recorded.
    seeds
        Seeds of the training, the same ones for all methods.
    draw
        The number that the sets to open are drawn from, to repeat an opening that was reported; drawn when not given.
    limit_seconds
        After which a part is stopped.
    functions
        In place of a file: functions by part, as in ``trial(clustering=my_clustering)``.

    Returns
    -------
    A :class:`Trial`, which was recorded.

    Raises
    ------
    PartError
        When the part fails, or gives something else than it should.
    TrialRefused
        When it looked for what it must not see: labels, files, the sets themselves.
    SettingsError
        When a setting is out of its range.
    """
    started = time.perf_counter()
    if not 1 <= seeds <= 20:
        raise SettingsError(f"seeds is {seeds}; choose from 1 to 20")
    if draw is not None and not open_final:
        raise SettingsError("draw is the number of sets to open; it goes with open_final=True")
    if (part is None) == (not functions):
        raise SettingsError("give a file with the part, or functions such as clustering=my_clustering, and not both")
    Parts(**functions)  # looks at names and signatures
    source, names = from_file(part) if part is not None else from_functions(functions)
    if open_final and draw is None:
        draw = secrets.randbelow(2**31)
    sets = to_open_once(draw) if open_final else to_play_with()
    tasks = [(one, seed) for one in sets for seed in range(seeds)]

    running = _start({"source": source, "names": names, "tasks": [(s.counts, s.n_clusters, seed) for s, seed in tasks]})
    try:
        rows = [{"set": one.name, "seed": seed} | _others(one, seed) for one, seed in tasks]
        clusters = _answer(running, limit_seconds)
    finally:
        running.kill()
    for row, (one, _), found in zip(rows, tasks, clusters, strict=True):
        row["part"] = evaluation.ari(one.labels, np.array(found))
    table = _frame(rows)
    mean, low, high = interval(table)
    tried = [f"{function} as {slot}" for slot, function in sorted(names.items())]
    look: dict[str, Any] = {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "parts": tried,
        "digest": hashlib.sha256(source.encode()).hexdigest()[:16],
        "opened": draw if open_final else None,
        "mean": round(mean, 4),
    }
    looked = looks.in_words(looks.record(look), tried)
    return Trial(names, table, mean, low, high, open_final, draw, looked, source, time.perf_counter() - started)


def interval(table: pd.DataFrame) -> tuple[float, float, float]:
    """Mean difference of part and `robust`, and its 95 % interval by Student's t, with the sets as the units.

    Seeds on one set are no independent evidence for other sets, so they are averaged first.
    """
    from scipy import stats

    by_set = (table["part"] - table["robust"]).groupby(table["set"]).mean()
    mean, spread = float(by_set.mean()), float(by_set.std(ddof=1)) / np.sqrt(len(by_set))
    reach = float(stats.t.ppf(0.975, len(by_set) - 1)) * spread
    return mean, mean - reach, mean + reach


def _others(one: TrialSet, seed: int) -> dict[str, float]:
    from anndata import AnnData

    from scrcl_edu.preprocessing import preprocess

    found = {"robust": fit_counts(one.counts, one.n_clusters, seed)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = AnnData(one.counts.copy())
        preprocess(adata)
        found |= {name: method(adata, one.n_clusters, seed=seed) for name, method in BASELINES.items()}
    return {name: evaluation.ari(one.labels, clusters) for name, clusters in found.items()}


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)[["set", "seed", "part", "robust", *BASELINES]]


def _start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    running = subprocess.Popen(
        [sys.executable, "-m", "scrcl_edu.trial.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    content, entrance = pickle.dumps(order), running.stdin

    def send() -> None:
        try:
            if entrance is not None:
                entrance.write(content)
                entrance.close()
        except OSError:  # it has ended already; its answer says why
            pass

    threading.Thread(target=send, daemon=True).start()
    return running


def _answer(running: subprocess.Popen[bytes], limit_seconds: float) -> list[list[int]]:
    timer = threading.Timer(limit_seconds, running.kill)
    timer.start()
    try:
        text = running.stdout.read() if running.stdout is not None else b""
    finally:
        timer.cancel()
    try:
        found = json.loads(text)  # not pickle: what a part writes must not run here
    except ValueError as error:
        raise PartError(
            f"the part gave no answer within {limit_seconds:g} s, or ended its process; try it on one set with "
            "fit(adata, parts=Parts(...)) first"
        ) from error
    if "refused" in found:
        raise TrialRefused(f"the part is refused: {'; '.join(found['refused'])}")
    if "error" in found:
        raise PartError(f"the part stopped with {found['error']}")
    return found["clusters"]
