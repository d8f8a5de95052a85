"""`scrcl-edu`: fit one's own data, run and build the lessons, list datasets, ask the doctor."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from scrcl_edu import __version__
from scrcl_edu.cli.cells import assign, fit, report
from scrcl_edu.cli.exploring import explore
from scrcl_edu.cli.output import JSON_OPTION, write_json
from scrcl_edu.cli.trying import trial
from scrcl_edu.errors import ScrclError, Stopped


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
@click.option("--profile", type=click.Choice(["fast", "full"]), default="fast", show_default=True)
@click.option("--only", help="Lessons by number, such as 03,05.")
@click.option("--jobs", type=int, default=1, show_default=True, help="How many lessons to run at a time.")
@JSON_OPTION
def run(profile: str, only: str | None, jobs: int, json_file: Path | None) -> None:
    """Run the lessons from top to bottom; go on when one fails."""
    import dataclasses

    from scrcl_edu.course import run_lessons

    results = run_lessons(only, profile=profile, jobs=jobs)
    lessons = [dataclasses.asdict(result) for result in results]
    write_json({"profile": profile, "lessons": lessons}, json_file, overwrite=True)
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
    from scrcl_edu.evidence.command import run_command

    run_command(**options, command=shlex.join(["scrcl-edu", *sys.argv[1:]]), report=click.echo)


@main.command()
@click.option("--network", is_flag=True, help="Also try to reach the network.")
@click.option("--class", "folder", type=click.Path(path_type=Path), help="Folder of what it said to each learner.")
def doctor(network: bool, folder: Path | None) -> None:
    """Say what this machine is, and what is missing for the course."""
    if folder is not None:
        from scrcl_edu.classroom.readiness import readiness

        click.echo(readiness(folder))
        return
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


for command in (fit, report, assign, trial, explore):
    main.add_command(command)
