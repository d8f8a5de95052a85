"""`scrcl-edu`: fit one's own data, run and build the lessons, list datasets, ask the doctor."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrcl_edu import __version__
from scrcl_edu.errors import DataError, DataNote, EvaluationError, InputFileError, ScrclError, Stopped

if TYPE_CHECKING:
    from anndata import AnnData

JSON_OPTION = click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write the result as JSON; - is standard output."
)


class _Commands(click.Group):
    """Shows our errors as one line, without a traceback; everything else is a bug and shows where.

    SIGTERM, by which containers, schedulers and notebook servers stop a process, is a clean stop like Ctrl-C.
    """

    def invoke(self, context: click.Context) -> Any:
        try:
            with _terminated_cleanly():
                return super().invoke(context)
        except ScrclError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt as stop:
            click.echo(str(stop) or "Stopped.", err=True)
            sys.exit(128 + getattr(stop, "signal", signal.SIGINT))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Learn, run and use scRCL, a deep clustering method for cells."""


@main.command()
@click.argument("source", metavar="INPUT")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the result (.h5ad).")
@click.option("--n-clusters", type=int, help="Number of cell types; estimated when left out.")
@click.option("--recipe", "recipe_name", default="robust", show_default=True, help="robust, or paper/DATASET.")
@click.option("--n-top-genes", type=int, help="Highly variable genes  [default: the recipe's]")
@click.option("--n-neighbors", type=int, help="Of each cell in the graph  [default: the recipe's]")
@click.option("--seed", default=0, show_default=True, help="Of everything that is drawn; try more than one.")
@click.option("--epochs", type=int, help="Passes over all cells  [default: the recipe's]")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option("--labels", help="Column of true labels; read only after the fit, to score it.")
@click.option("--batch", help="Column of batches; changes nothing, says how far clusters follow them.")
@click.option(
    "--protocol",
    type=click.Choice(["label-free", "oracle"]),
    default="label-free",
    show_default=True,
    help="oracle repeats the published protocol, which picks the epoch by the labels.",
)
@click.option("--spatial", is_flag=True, help="Cells are spots with coordinates in obsm['spatial'].")
@click.option("--already-logged", is_flag=True, help="The values are log-normalized and used as they are.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint that an interruption left beside OUT.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("--quiet", is_flag=True, help="No progress bar, no notes.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the clusters, and the labels (.png, .pdf, .svg).")
@JSON_OPTION
def fit(
    source: str,
    out: Path | None,
    n_clusters: int | None,
    recipe_name: str,
    n_top_genes: int | None,
    n_neighbors: int | None,
    seed: int,
    epochs: int | None,
    device: str,
    labels: str | None,
    batch: str | None,
    protocol: str,
    spatial: bool,
    already_logged: bool,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    figure: Path | None,
    json_file: Path | None,
) -> None:
    """Find the cell types in INPUT: a dataset's name, or a file or folder of counts.

    Understood are .h5ad, 10x .h5, a 10x .mtx folder, .csv and .tsv (also .gz), and .loom.

    The result cannot take new cells: `scrcl-edu assign` gives them the clusters of their nearest neighbors in it.
    """
    from scrcl_edu import files, recipes

    outputs = {"--out": out, "--figure": figure, "--json": json_file}
    files.check_outputs(outputs, overwrite=overwrite, silent=quiet)
    checkpoint = files.checkpoint_of(out)
    files.check_checkpoint(checkpoint, resume=resume, overwrite=overwrite)
    settings = recipes.choose(
        recipe_name, spatial=spatial, n_top_genes=n_top_genes, n_neighbors=n_neighbors, epochs=epochs
    )
    with files.claimed(out):
        adata = _read(source)

        from scrcl_edu import fitting, saving
        from scrcl_edu.doubts import check_column

        check_column(adata, labels, "--labels", ours="scrcl")
        if out is not None:
            saving.make_storable(adata)
        if checkpoint is not None and not resume:
            checkpoint.unlink(missing_ok=True)
        with _notes_later():
            adata = fitting.fit(
                adata,
                n_clusters=n_clusters,
                recipe=settings,
                seed=seed,
                device=device,
                already_logged=already_logged,
                batch=batch,
                protocol=protocol,
                labels=adata.obs[labels] if protocol == "oracle" and labels else None,
                checkpoint=checkpoint,
                resume=resume,
                keep_checkpoint=True,
                progress=False if quiet else None,
            )
        if out is not None:
            saving.write_h5ad(adata, out, overwrite=overwrite)
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        result, unscored = _result(adata, source, labels)
        _report(adata, result, out, quiet=quiet, err=files.is_stdout(json_file))
        _draw(adata, labels, figure, overwrite=overwrite)
        _write_json(result, json_file, overwrite=overwrite)
    if unscored is not None:
        kept = f"; the clusters are in {out}" if out else ""
        raise EvaluationError(f"--labels {labels} gives no scores: {unscored}{kept}") from unscored


@main.command()
@click.option("--profile", type=click.Choice(["fast", "full"]), default="fast", show_default=True)
@click.option("--only", help="Lessons by number, such as 03,05.")
@JSON_OPTION
def run(profile: str, only: str | None, json_file: Path | None) -> None:
    """Run the lessons from top to bottom, one after the other; go on when one fails."""
    import dataclasses

    from scrcl_edu.course import run_lessons

    results = run_lessons(only, profile=profile)
    lessons = [dataclasses.asdict(result) for result in results]
    _write_json({"profile": profile, "lessons": lessons}, json_file, overwrite=True)
    sys.exit(any(not result.ok for result in results))


@main.command()
@click.option("--only", help="Lessons by number, such as 03,05.")
@click.option("--check", is_flag=True, help="Only say whether the lessons are fresh; write nothing.")
def build(only: str | None, check: bool) -> None:
    """Make the worked lessons and the student edition from notebooks/src."""
    from scrcl_edu.course import build_lessons

    sys.exit(bool(build_lessons(only=only, check=check)))


@main.group(invoke_without_command=True)
@click.pass_context
def datasets(context: click.Context) -> None:
    """List the datasets, or get one."""
    if context.invoked_subcommand is None:
        context.invoke(list_datasets)


@datasets.command("list")
def list_datasets() -> None:
    """A table of all datasets."""
    from scrcl_edu.datasets import cards

    columns = ("name", "task", "cells", "genes", "classes", "status", "title")
    rows = [columns, *([str(getattr(card, column) or "-") for column in columns] for card in cards().values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@datasets.command("get")
@click.argument("name")
def get_dataset(name: str) -> None:
    """Download NAME if it is not there yet, check it, and print its card."""
    from scrcl_edu import datasets as registry

    paths = registry.get(name)
    click.echo(registry.card(name))
    for path in paths:
        click.echo(path)


@main.command()
@click.option("--datasets", "names", help="By name, such as pbmc68k_reduced,sc_celseq2.")
@click.option("--recipes", default="robust", show_default=True, help="robust, paper, or names of recipes; '' for none.")
@click.option("--baselines", default="", help="Such as pca_kmeans,leiden_k; or all, or ablations.")
@click.option("--protocols", default="label-free", show_default=True, help="label-free, oracle (paper only), or both.")
@click.option("--seeds", default=5, show_default=True, help="How many.")
@click.option("--epochs", type=int, help="Instead of each recipe's own.")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option("--jobs", default=1, show_default=True, help="Processes at once.")
@click.option("--out", type=click.Path(path_type=Path), help="Results (.json); rows that are there are not run again.")
@click.option("--overwrite", is_flag=True, help="Replace rows that were made with other settings.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for clusters, so that none is found twice.")
@click.option("--released", type=click.Choice(["predictions", "embeddings"]), help="Score what the authors released.")
@click.option("--labels", type=click.Path(path_type=Path), help="Folder of label tables, for --released.")
@click.option(
    "--table", help="A table of stored results: margins, methods, spatial, paper, ablation, clusters or starts, ..."
)
@click.option("--results", type=click.Path(path_type=Path), help="Folder of stored results  [default: what ships]")
@click.option("--sentence", is_flag=True, help="What the README says of robust, from the stored results.")
@click.option("--markdown", is_flag=True, help="The table as Markdown.")
def benchmark(**options: Any) -> None:
    """Score methods on datasets, or what the authors released; print tables of the stored results.

    Makes a row for each dataset, method and seed; can be stopped and started again at any time.
    """
    from scrcl_edu.benchmarking.command import run_command

    run_command(**options, command=" ".join(["scrcl-edu", *sys.argv[1:]]), report=click.echo)


@main.command()
@click.option("--network", is_flag=True, help="Also try to reach the network.")
def doctor(network: bool) -> None:
    """Say what this machine is, and what is missing for the course."""
    from scrcl_edu.course.platform import doctor as examine

    click.echo(examine(network=network))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@click.option("--lesson", help="Two digits, when all files are of one lesson  [default: told from each file]")
@click.option("--seconds", default=60.0, show_default=True, help="Time for one submission.")
@click.option("--memory", default=2000, show_default=True, help="Memory for one submission, in MB.")
@click.option("--jobs", default=2, show_default=True, help="Submissions at once.")
@click.option("--salt", default=0, show_default=True, help="Draws the inputs that answers are tried on.")
@click.option("--repair", is_flag=True, help="Do not grade: write notebooks that nbgrader can grade.")
@click.option("--overwrite", is_flag=True, help="Replace results that are there.")
def grade(folder: Path, out: Path, lesson: str | None, repair: bool, overwrite: bool, **settings: Any) -> None:
    """Grade submitted notebooks in FOLDER, whatever state they are in: a table, and a page for each learner."""
    from scrcl_edu.classroom import grading, judging, repairing

    if repair:
        repairing.repair(folder, out, lesson=lesson, overwrite=overwrite, report=click.echo)
        return
    limits = judging.Limits(settings.pop("seconds"), settings.pop("memory"))
    results = grading.grade(
        folder, out, lesson=lesson, limits=limits, overwrite=overwrite, report=click.echo, **settings
    )
    click.echo(f"{sum(not one.problem for one in results)} of {len(results)} files graded; see {out / 'results.html'}")


@main.command()
@click.option("--address", default="127.0.0.1", show_default=True, help="0.0.0.0 lets a local network reach it.")
@click.option("--port", default=8765, show_default=True)
@click.option("--fewest", default=5, show_default=True, help="Smaller groups are not shown; 1 shows everything.")
def board(**settings: Any) -> None:
    """Show live where a class is stuck, as counts: no names, no code, nothing on disk."""
    from scrcl_edu.classroom.board import run_board

    run_board(**settings, report=click.echo)


def _read(source: str) -> AnnData:
    from scrcl_edu import datasets as registry

    if Path(source).exists():
        return registry.read_input(source)
    try:
        name = registry.card(source).name
    except DataError as error:
        raise InputFileError(f"{source} is not there as a file or folder, and {error}") from error
    return registry.load(name)


def _result(adata: AnnData, source: str, labels: str | None) -> tuple[dict[str, Any], EvaluationError | None]:
    """What `--json` holds; the scores are computed only now, when the clusters are final and written."""
    from scrcl_edu.evaluation import scores

    facts = dict(adata.uns["scrcl"])
    settings = facts.pop("recipe")
    del facts["history"]
    result = {"input": source, "recipe": settings["name"], "n_cells": adata.n_obs, "n_genes": adata.n_vars}
    result |= facts | {"settings": settings, "peak_rss_mb": round(_peak_memory_mb())}
    try:
        return result | (scores(adata.obs[labels], adata.obs["scrcl"]) if labels is not None else {}), None
    except EvaluationError as error:
        return result, error


def _report(adata: AnnData, result: dict[str, Any], out: Path | None, *, quiet: bool, err: bool) -> None:
    """Print what was done; on standard error where the result itself goes to standard output."""
    if quiet:
        return
    for note in result["notes"]:
        click.echo(f"note: {note}", err=err)
    click.echo(
        f"{adata.n_obs} cells in {adata.obs['scrcl'].nunique()} clusters (K {result['n_clusters_from']}), "
        f"{result['epochs']} epochs in {result['seconds']:.0f} s on {result['device']}, {result['protocol']}",
        err=err,
    )
    click.echo(f"recipe: {result['ran']}", err=err)
    click.echo("cells per cluster: " + ", ".join(str(n) for n in adata.obs["scrcl"].value_counts()), err=err)
    if "accuracy" in result:
        click.echo("  ".join(f"{name} {result[name]:.3f}" for name in ("accuracy", "nmi", "ari", "macro_f1")), err=err)
    if out is None:
        click.echo("The clusters were not kept: --out FILE.h5ad writes them.", err=True)


def _draw(adata: AnnData, labels: str | None, path: Path | None, *, overwrite: bool) -> None:
    if path is None:
        return
    import matplotlib

    matplotlib.use("Agg")

    from scrcl_edu.files import atomic_path
    from scrcl_edu.reporting import overview

    with atomic_path(path, overwrite=overwrite) as temporary:
        overview(adata, labels).savefig(temporary, dpi=110, format=path.suffix.removeprefix(".") or "png")


@contextlib.contextmanager
def _notes_later() -> Iterator[None]:
    """Notes are printed with the result, not as warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataNote)
        yield


@contextlib.contextmanager
def _terminated_cleanly() -> Iterator[None]:
    def stop(number: int, _: Any) -> None:
        raise Stopped("Stopped.", number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _write_json(result: dict[str, Any], path: Path | None, *, overwrite: bool) -> None:
    from scrcl_edu.files import atomic_path

    if path is not None:
        with atomic_path(path, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _peak_memory_mb() -> float:
    import psutil

    used = psutil.Process().memory_info()
    if hasattr(used, "peak_wset"):  # Windows
        return used.peak_wset / 2**20
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
