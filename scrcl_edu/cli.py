"""`scrcl-edu`: fit one's own data, run and build the lessons, list datasets, ask the doctor."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrcl_edu import __version__
from scrcl_edu.errors import DataError, EvaluationError, InputFileError, OutputError, ScrclError, SettingsError

if TYPE_CHECKING:
    from anndata import AnnData

SIGINT_EXIT = 130
JSON_OPTION = click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the result as JSON.")


class _Commands(click.Group):
    """Shows our errors as one line, without a traceback; everything else is a bug and shows where."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ScrclError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            sys.exit(SIGINT_EXIT)


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
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", type=int, help="Passes over all cells  [default: the recipe's]")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option("--labels", help="Column of true labels; read only after the fit, to score it.")
@click.option("--protocol", type=click.Choice(["label-free", "oracle"]), default="label-free", show_default=True)
@click.option("--spatial", is_flag=True, help="Cells are spots with coordinates in obsm['spatial'].")
@click.option("--already-logged", is_flag=True, help="The values are log-normalized and used as they are.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint that Ctrl-C left beside OUT.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("--quiet", is_flag=True, help="No progress bar, no notes.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the cells by cluster, and by label (.png, .pdf).")
@JSON_OPTION
def fit(
    source: str,
    out: Path | None,
    n_clusters: int | None,
    recipe_name: str,
    n_top_genes: int | None,
    seed: int,
    epochs: int | None,
    device: str,
    labels: str | None,
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
    """
    from scrcl_edu.files import check_output

    for path in (out, figure, json_file):
        if path is not None:
            check_output(path, overwrite=overwrite)
    if resume and out is None:
        raise SettingsError("--resume needs --out: the checkpoint lies beside that file")
    if out is not None and json_file is not None and out.resolve() == json_file.resolve():
        raise SettingsError(f"--out and --json both name {out}; give them different names")
    checkpoint = out.with_name(f"{out.name}.checkpoint") if out else None
    if checkpoint and checkpoint.exists() and not (resume or overwrite):
        raise OutputError(
            f"{checkpoint} of an interrupted run is there; go on from it with --resume, or start again with --overwrite"
        )

    from scrcl_edu.recipes import recipe

    if spatial and recipe_name == "robust":
        recipe_name = "robust/spatial"
    settings = recipe(recipe_name)
    changed = {"n_top_genes": n_top_genes, "epochs": epochs}
    settings = settings.with_(**{name: value for name, value in changed.items() if value is not None})
    if spatial and settings.task != "spatial":
        raise SettingsError(f"--spatial does not go with recipe {settings.name!r}; leave one of them out")

    adata = _read(source)
    if labels is not None and labels not in adata.obs:
        there = ", ".join(adata.obs.columns) or "none"
        raise DataError(f"there is no column {labels!r} in obs; the columns are: {there}")
    if labels == "scrcl":
        raise DataError("column 'scrcl' is where the clusters are written; rename the column of labels")

    from scrcl_edu.fitting import fit as fit_adata
    from scrcl_edu.training import Interrupted

    progress = _Progress(settings.epochs, quiet=quiet)
    try:
        with progress:
            adata = fit_adata(
                adata,
                n_clusters=n_clusters,
                recipe=settings,
                seed=seed,
                device=device,
                already_logged=already_logged,
                protocol=protocol,
                labels=adata.obs[labels] if protocol == "oracle" and labels else None,
                checkpoint=checkpoint,
                resume=resume,
                on_epoch=progress.update,
            )
    except Interrupted as stop:
        click.echo(f"Stopped after epoch {stop.epoch} of {settings.epochs}; nothing else was written.", err=True)
        if stop.checkpoint:
            click.echo(f"{stop.checkpoint} holds the state: the same command with --resume goes on.", err=True)
        sys.exit(SIGINT_EXIT)

    if out is not None:
        _write_h5ad(adata, out, overwrite=overwrite)
        checkpoint.unlink(missing_ok=True)
    result = _result(adata, source)
    unscored = None
    if labels is not None:  # read only now, when the clusters are final and written
        from scrcl_edu.evaluation import scores

        try:
            result |= scores(adata.obs[labels], adata.obs["scrcl"])
        except EvaluationError as error:
            unscored = error
    if not quiet:
        _report(adata, result)
    if figure is not None:
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


def _result(adata: AnnData, source: str) -> dict[str, Any]:
    facts = adata.uns["scrcl"]
    result = {"input": source, "recipe": facts["recipe"]["name"], "n_cells": adata.n_obs, "n_genes": adata.n_vars}
    result |= {name: value for name, value in facts.items() if name not in ("recipe", "history")}
    return result | {"peak_rss_mb": round(_peak_memory_mb()), "notes": adata.uns["preprocessing"]["notes"]}


def _report(adata: AnnData, result: dict[str, Any]) -> None:
    for note in result["notes"]:
        click.echo(f"note: {note}")
    click.echo(
        f"{adata.n_obs} cells in {adata.obs['scrcl'].nunique()} clusters (K {result['n_clusters_from']}), "
        f"{result['epochs']} epochs in {result['seconds']:.0f} s on {result['device']}, {result['protocol']}"
    )
    click.echo("cells per cluster: " + ", ".join(str(n) for n in adata.obs["scrcl"].value_counts()))
    if "accuracy" in result:
        click.echo("  ".join(f"{name} {result[name]:.3f}" for name in ("accuracy", "nmi", "ari", "macro_f1")))


def _write_h5ad(adata: AnnData, out: Path, *, overwrite: bool) -> None:
    from scrcl_edu.files import atomic_path

    with atomic_path(out, overwrite=overwrite) as temporary:
        adata.write_h5ad(temporary)


def _draw(adata: AnnData, labels: str | None, path: Path, *, overwrite: bool) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from scrcl_edu.files import atomic_path
    from scrcl_edu.fitting import clustered
    from scrcl_edu.plotting import embedding

    values = clustered(adata)
    groups = ["scrcl", labels] if labels else ["scrcl"]
    drawing, axes = plt.subplots(1, len(groups), figsize=(6 * len(groups), 5), layout="constrained", squeeze=False)
    for place, group in zip(axes[0], groups, strict=True):
        own = group == "scrcl"  # the names of classes are long and go beside the picture
        embedding(values, adata.obs[group], title="clusters" if own else group, axes=place, names=own)
    with atomic_path(path, overwrite=overwrite) as temporary:
        drawing.savefig(temporary, dpi=110)


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


class _Progress:
    """A bar with the losses and the time left; on a terminal only, and never with --quiet."""

    def __init__(self, epochs: int, *, quiet: bool) -> None:
        from tqdm import tqdm

        self.bar = tqdm(total=epochs, unit="epoch", disable=True if quiet else None, file=sys.stderr)
        self.shown = 0.0

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def update(self, epoch: int, losses: dict[str, float]) -> None:
        """Show an epoch's losses, ten times a second at most."""
        self.bar.update(epoch - self.bar.n)
        if time.monotonic() - self.shown > 0.1:
            self.bar.set_postfix({name: f"{value:.3g}" for name, value in losses.items()}, refresh=False)
            self.shown = time.monotonic()
