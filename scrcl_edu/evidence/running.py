"""Datasets x methods x seeds -> results: in order, resumable, each row on disk as soon as it is known."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrcl_edu import datasets as registry
from scrcl_edu.errors import OutputError, ScrclError, SettingsError
from scrcl_edu.evidence import methods
from scrcl_edu.evidence.methods import ABLATIONS, BASELINES, PROTOCOLS, SPATIAL_ONLY, Job
from scrcl_edu.evidence.shelf import Shelf
from scrcl_edu.evidence.storing import read_rows, write_rows
from scrcl_edu.files import check_output

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import DataFrame


class IncompleteError(ScrclError, RuntimeError):
    """Some rows of a benchmark could not be had; the others are written."""


def benchmark(
    datasets: Sequence[str] | Mapping[str, AnnData],
    *,
    out: str | Path,
    recipes: Sequence[str] = ("robust",),
    baselines: Sequence[str] = (),
    protocols: Sequence[str] = ("label-free",),
    seeds: int = 5,
    epochs: int | None = None,
    device: str = "auto",
    jobs: int = 1,
    overwrite: bool = False,
    keep: str | Path | None = None,
    command: str = "",
    report: Callable[[str], Any] = print,
) -> DataFrame:
    """Run every method on every dataset with every seed, and write a row for each as soon as it is known.

    Parameters
    ----------
    datasets
        Names of the registry, or AnnData by name with the true classes in ``obs["label"]``.
    out
        JSON file. Rows that are in it with the same settings are kept and not run again; processes that run other rows
        may share it.
    recipes
        "robust", "paper" (the dataset's own row, else the defaults of its task), or names of recipes.
    baselines
        Names in `BASELINES` or `ABLATIONS`; "untrained" is robust after no epoch, "k_estimated" robust without being
        told K. Those with a vote are run in space only.
    protocols
        "label-free", and "oracle", which is run for recipes of the paper only, having to see labels; its training gives
        the label-free row of the last epoch too.
    seeds
        How many: 0, 1, ...
    epochs
        Instead of each recipe's own.
    device
        As in :func:`~scrcl_edu.fitting.fit`.
    jobs
        Processes at once.
    overwrite
        Whether rows in `out` that were made with other settings may be replaced.
    keep
        Folder for the clusters that are found: a consensus takes its members from there, and the ablations that only
        cluster something else take theirs from the training of robust.
    command
        Kept in the file, so that the result says how it was made.
    report
        Gets one line for each row.

    Returns
    -------
    The rows asked for, tidy, in the order of datasets, methods and seeds.

    Raises
    ------
    SettingsError, DataError
        When a name is unknown or a number out of range; before anything is run.
    OutputError
        When `out` cannot be written, or holds rows that were made with other settings.
    IncompleteError
        When some rows failed, after all others are written.
    """
    import pandas as pd

    out = Path(out)
    todo = plan(
        datasets, recipes=recipes, baselines=baselines, protocols=protocols, seeds=seeds, epochs=epochs, device=device
    )
    if jobs < 1:
        raise SettingsError(f"jobs is {jobs}; choose at least 1")
    check_output(out, overwrite=True)
    there = _rows_by_key(out)[0]
    wanted = [job for job in todo if not all(_same(there.get(key), job) for key in job.keys)]
    _refuse_to_replace(wanted, there, out, overwrite=overwrite)
    if len(wanted) < len(todo):
        report(f"{len(todo) - len(wanted)} of {len(todo)} are in {out} already")

    given = datasets if isinstance(datasets, Mapping) else {}
    mine: dict[tuple, dict[str, Any]] = {}
    failures = []
    for done, (job, result) in enumerate(_results(wanted, given, jobs, keep), start=1):
        place = f"[{done}/{len(wanted)}]"
        if isinstance(result, ScrclError):
            failures.append(f"{job.dataset}, {job.method}, seed {job.seed}: {result}")
            report(f"{place} failed: {failures[-1]}")
            continue
        for row in result:
            mine[_key(row)] = row
            report(f"{place} {_line(row)}")
        there, commands = _rows_by_key(out)  # another process may have added to them
        there |= mine
        commands += [command] if command and command not in commands else []
        write_rows(out, "benchmark", list(there.values()), commands=commands)
    if failures:
        raise IncompleteError(
            f"{len(failures)} of {len(wanted)} failed, the others are in {out}; the same command tries these again:\n"
            + "\n".join(dict.fromkeys(failures))
        )
    return pd.DataFrame([there[key] for job in todo for key in job.keys])


def plan(
    datasets: Sequence[str] | Mapping[str, AnnData],
    *,
    recipes: Sequence[str] = ("robust",),
    baselines: Sequence[str] = (),
    protocols: Sequence[str] = ("label-free",),
    seeds: int = 5,
    epochs: int | None = None,
    device: str = "auto",
) -> list[Job]:
    """All jobs of a benchmark, dataset by dataset; raises SettingsError or DataError when a name is unknown."""
    if seeds < 1:
        raise SettingsError(f"seeds is {seeds}; choose at least 1")
    for what, names, allowed in (("baseline", baselines, BASELINES | ABLATIONS), ("protocol", protocols, PROTOCOLS)):
        for name in names:
            if name not in allowed:
                raise SettingsError(f"there is no {what} {name!r}; choose from {', '.join(allowed)}")
    jobs = []
    for dataset, task in _tasks(datasets).items():
        pairs = [(name, "label-free") for name in baselines if task == "spatial" or name not in SPATIAL_ONLY]
        for name in recipes:
            peeks = name.startswith("paper") and "oracle" in protocols  # such a run gives the label-free row as well
            if peeks or "label-free" in protocols:
                pairs.append((name, "oracle" if peeks else "label-free"))
        for name, protocol in pairs:
            settings = methods.settings_of(name, dataset, task, epochs=epochs)
            jobs += [Job(dataset, name, protocol, seed, settings, device) for seed in range(seeds)]
    if not jobs:
        raise SettingsError("there is nothing to run: give datasets, and a recipe or a baseline that goes with them")
    return list(dict.fromkeys(jobs))


def _tasks(datasets: Sequence[str] | Mapping[str, AnnData]) -> dict[str, str]:
    if isinstance(datasets, Mapping):
        return {name: "spatial" if "spatial" in adata.obsm else "scrna" for name, adata in datasets.items()}
    cards = [registry.card(name) for name in datasets]
    return {card.name: card.task for card in cards}


def _results(
    jobs: Iterable[Job], given: Mapping[str, AnnData], n_processes: int, keep: str | Path | None
) -> Iterator[tuple[Job, list[dict[str, Any]] | ScrclError]]:
    if n_processes == 1:
        shelf = Shelf(keep)
        for job in jobs:
            yield job, _attempt(job, given.get(job.dataset), shelf)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Spawned, not forked: torch's threads do not survive a fork.
    with ProcessPoolExecutor(n_processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(_attempt, job, given.get(job.dataset), Shelf(keep)): job for job in jobs}
        try:
            for done in as_completed(running):
                yield running[done], done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _attempt(job: Job, adata: AnnData | None, shelf: Shelf) -> list[dict[str, Any]] | ScrclError:
    try:
        return methods.run(job, _load(job.dataset) if adata is None else adata, shelf)
    except ScrclError as error:
        return error


@functools.lru_cache(maxsize=1)
def _load(name: str) -> AnnData:
    return registry.load(name, progress=False)


def _rows_by_key(out: Path) -> tuple[dict[tuple, dict[str, Any]], list[str]]:
    rows, commands = read_rows(out, "benchmark") if out.exists() else ([], [])
    return {_key(row): row for row in rows}, commands


def _key(row: Mapping[str, Any]) -> tuple[str, str, str, int]:
    return row["dataset"], row["method"], row["protocol"], row["seed"]


def _same(row: Mapping[str, Any] | None, job: Job) -> bool:
    return row is not None and methods.complete(row["settings"]) == methods.complete(job.settings)


def _refuse_to_replace(jobs: Iterable[Job], there: Mapping[tuple, dict], out: Path, *, overwrite: bool) -> None:
    clashes = [(job, key) for job in jobs for key in job.keys if key in there and not _same(there[key], job)]
    if clashes and not overwrite:
        job, key = clashes[0]
        old, new = (methods.complete(settings) for settings in (there[key]["settings"], job.settings))
        differs = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        what = ", ".join(f"{name} {old.get(name)} instead of {new.get(name)}" for name in differs)
        raise OutputError(
            f"{out} holds {job.dataset}, {job.method}, seed {job.seed} made with {what}; "
            "choose another --out, or replace such rows with --overwrite"
        )


def _line(row: Mapping[str, Any]) -> str:
    scores = "  ".join(f"{name} {row[name]:.3f}" for name in ("accuracy", "nmi", "ari", "macro_f1"))
    return (
        f"{row['dataset']:<20} {row['method']:<20} {row['protocol']:<10} seed {row['seed']}  {scores}  "
        f"{row['seconds']:.1f} s"
    )
