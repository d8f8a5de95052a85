"""The commands for one's own cells: `fit`, `report`, `assign`."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrcl_edu.cli.output import JSON_OPTION, write_json
from scrcl_edu.cli.teamwork import account, with_workers
from scrcl_edu.errors import DataNote, EvaluationError, SettingsError

if TYPE_CHECKING:
    from anndata import AnnData

    from scrcl_edu.fitting import Protocol
    from scrcl_edu.recipes import Recipe
    from scrcl_edu.workers.team import Team


@click.command()
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
@click.option("--layer", help="Layer of INPUT that holds the counts.")
@click.option("--raw", is_flag=True, help="The counts are in .raw of INPUT.")
@click.option("--round", "rounded", is_flag=True, help="Round expected counts (SoupX, CellBender) to whole numbers.")
@click.option("--genes-in-rows/--cells-in-rows", default=None, help="Of a text table; told by the names when left out.")
@click.option("--by-chunks", is_flag=True, help="Read some cells at a time and keep only the genes that are used.")
@click.option("--stability", "n_seeds", default=0, help="Train so many times more, to see how sure each cell is.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint that an interruption left beside OUT.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("--quiet", is_flag=True, help="No progress bar, no notes.")
@click.option(
    "--model", type=click.Path(path_type=Path), help="Keep the trained model (.pt), for scrcl_edu.load_model."
)
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the clusters, and the labels (.png, .pdf, .svg).")
@JSON_OPTION
@with_workers
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
    protocol: Protocol,
    spatial: bool,
    already_logged: bool,
    layer: str | None,
    raw: bool,
    rounded: bool,
    genes_in_rows: bool | None,
    by_chunks: bool,
    n_seeds: int,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    model: Path | None,
    figure: Path | None,
    json_file: Path | None,
    team: Team | None,
) -> None:
    """Find the cell types in INPUT: a dataset's name, or a file or folder of counts.

    Understood are .h5ad, .h5mu, 10x .h5, .loom, .csv and .tsv (each also .gz), a folder of 10x with .mtx, Space
    Ranger's outs, and stores of zarr.

    The result cannot take new cells: `scrcl-edu assign` gives them the clusters of their nearest neighbors in it.

    `torchrun --nproc-per-node 4 -m scrcl_edu fit INPUT --out OUT` trains in four processes and gives the same.
    """
    from scrcl_edu import datasets, files, recipes

    outputs = {"--out": out, "--model": model, "--figure": figure, "--json": json_file}
    files.check_outputs(outputs, overwrite=overwrite, silent=quiet)
    checkpoint = files.checkpoint_of(out)
    files.check_checkpoint(checkpoint, resume=resume, overwrite=overwrite)
    settings = recipes.choose(
        recipe_name, spatial=spatial, n_top_genes=n_top_genes, n_neighbors=n_neighbors, epochs=epochs
    )
    with files.claimed(out):
        if by_chunks:
            refused = {"--raw": raw, "--round": rounded, "--already-logged": already_logged}
            refused["--genes-in-rows"] = genes_in_rows is not None
            adata = _by_chunks(source, settings, layer, refused, progress=False if quiet else None)
        else:
            adata = datasets.open_input(source, layer=layer, raw=raw, rounded=rounded, genes_in_rows=genes_in_rows)

        from scrcl_edu import fitting, saving
        from scrcl_edu.datasets.reading import naming
        from scrcl_edu.doubts import check_column
        from scrcl_edu.stability import stability

        with naming(source):
            check_column(adata, labels, "--labels", ours="scrcl")
            if out is not None:
                saving.make_storable(adata)
        if checkpoint is not None and not resume:
            checkpoint.unlink(missing_ok=True)
        with _notes_later(), naming(source):
            adata = fitting.fit(
                adata,
                n_clusters=n_clusters,
                recipe=settings,
                seed=seed,
                device=device,
                already_logged=already_logged,
                prepared=by_chunks,
                batch=batch,
                protocol=protocol,
                labels=adata.obs[labels] if protocol == "oracle" and labels else None,
                checkpoint=checkpoint,
                resume=resume,
                keep_checkpoint=True,
                model_file=model,
                progress=False if quiet else None,
                workers=team,
            )
        if n_seeds:
            stability(adata, n_seeds=n_seeds, device=device, progress=False if quiet else None)
        if out is not None:
            saving.write_h5ad(adata, out, overwrite=overwrite)
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        result, unscored = _result(adata, source, labels)
        _report(adata, result, out, quiet=quiet, err=files.is_stdout(json_file))
        _draw(adata, labels, figure, overwrite=overwrite)
        write_json(result, json_file, overwrite=overwrite)
    if unscored is not None:
        kept = f"; the clusters are in {out}" if out else ""
        raise EvaluationError(f"--labels {labels} gives no scores: {unscored}{kept}") from unscored


@click.command()
@click.argument("source", metavar="RESULT", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The page (.html)  [default: beside RESULT]")
@click.option("--labels", help="Column of known types, to compare with.")
@click.option("--seeds", default=4, show_default=True, help="Trainings more, to see how sure it is; 0 for none.")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, mps or cpu.")
@click.option("--key", default="scrcl", show_default=True, help="Name of the fit (key_added in Python).")
@click.option("--overwrite", is_flag=True, help="Replace an existing page.")
def report(
    source: Path, out: Path | None, labels: str | None, seeds: int, device: str, key: str, overwrite: bool
) -> None:
    """Write one HTML page about RESULT, what `scrcl-edu fit --out` wrote.

    It has figures, markers, how far the clusters depend on the seed, and what to doubt.
    """
    from scrcl_edu import files

    out = out or source.with_suffix(".html")
    files.check_outputs({"--report": out}, overwrite=overwrite)

    from scrcl_edu import reporting, saving
    from scrcl_edu.datasets.reading import naming
    from scrcl_edu.doubts import check_column
    from scrcl_edu.stability import stability

    adata = saving.read_result(source, key)
    with naming(source):
        check_column(adata, labels, "--labels")
    if seeds:
        stability(adata, n_seeds=seeds, key=key, device=device, progress=None)
    page = reporting.report(adata, key=key, labels=labels, title=f"Clusters of {source.stem}")
    with files.atomic_path(out, overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    click.echo(out, err=files.is_stdout(out))


@click.command()
@click.argument("source", metavar="NEW")
@click.argument("fitted", metavar="RESULT", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="NEW with its clusters (.h5ad).")
@click.option("--n-neighbors", default=15, show_default=True, help="Fitted cells that vote.")
@click.option("--key", default="scrcl", show_default=True, help="Name of the fit (key_added in Python).")
@click.option("--already-logged", is_flag=True, help="The values of NEW are log-normalized.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def assign(
    source: str, fitted: Path, out: Path, n_neighbors: int, key: str, already_logged: bool, overwrite: bool
) -> None:
    """Give the cells of NEW the clusters of their nearest cells in RESULT, what `scrcl-edu fit --out` wrote."""
    from scrcl_edu import files

    files.check_outputs({"--out": out}, overwrite=overwrite)

    from scrcl_edu import assigning, saving
    from scrcl_edu.datasets import open_input
    from scrcl_edu.datasets.reading import naming

    old = saving.read_result(fitted, key)
    with files.claimed(out):
        adata = open_input(source)
        with naming(source):
            saving.make_storable(adata)
            adata = assigning.assign(adata, old, key=key, n_neighbors=n_neighbors, already_logged=already_logged)
        saving.write_h5ad(adata, out, overwrite=overwrite)
    sizes = adata.obs[key].value_counts(sort=False)
    click.echo("new cells per cluster: " + ", ".join(f"{name}: {number}" for name, number in sizes.items()))
    unsure = int((adata.obs[f"{key}_share"] < 0.5).sum())
    click.echo(
        f"{unsure} cells have no majority among their neighbors, {int(adata.obs[f'{key}_far'].sum())} are far off"
    )


def _by_chunks(
    source: str, settings: Recipe, layer: str | None, refused: dict[str, bool], *, progress: bool | None
) -> AnnData:
    from scrcl_edu.chunks import read_by_chunks

    if given := [option for option, value in refused.items() if value]:
        raise SettingsError(f"--by-chunks does not go with {', '.join(given)}; leave one of them out")
    if settings.hvg_flavor != "seurat":
        raise SettingsError(f"--by-chunks chooses genes for scRNA-seq, not for recipe {settings.name!r}; leave it out")
    return read_by_chunks(source, n_top_genes=settings.n_top_genes, layer=layer, progress=progress)


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
    if "workers" in result:
        click.echo(account(result["workers"]), err=err)
    if "stability" in result:
        agreed = result["stability"]["ari"]
        what = "single clusterings" if result["settings"]["clustering"] == "consensus" else "other seeds"
        click.echo(f"{len(agreed)} {what} agree at ARI {min(agreed):.2f} to {max(agreed):.2f}", err=err)
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
        figure = overview(adata, ["scrcl", labels] if labels else ["scrcl"])
        figure.savefig(temporary, dpi=110, format=path.suffix.removeprefix(".") or "png")


@contextlib.contextmanager
def _notes_later() -> Iterator[None]:
    """Notes are printed with the result, not as warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataNote)
        yield


def _peak_memory_mb() -> float:
    import psutil

    used = psutil.Process().memory_info()
    if hasattr(used, "peak_wset"):  # Windows
        return used.peak_wset / 2**20
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
