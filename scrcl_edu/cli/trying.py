"""`scrcl-edu trial`: hold a trial of a part that stands in a file, and write its page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("part", type=click.Path(path_type=Path))
@click.option("--open-final", is_flag=True, help="On sets that nobody has seen, drawn now; each opening is recorded.")
@click.option("--draw", type=int, help="Repeat a reported opening: the number that its sets were drawn from.")
@click.option("--seeds", default=2, show_default=True, help="Trainings on each set.")
@click.option(
    "--report", "out", type=click.Path(path_type=Path), help="Where to write the page  [default: beside PART, .html]"
)
@click.option("--overwrite", is_flag=True, help="Replace a page that is there.")
def trial(part: Path, open_final: bool, draw: int | None, seeds: int, out: Path | None, overwrite: bool) -> None:
    """Try PART, a file whose functions stand for parts of the method, against robust and baselines.

    Functions are called input, graph, alignment, refinement, clustering or stopping, and take what those take (see
    scrcl_edu.parts). The trial is blind to labels, paired, and takes a minute or two.
    """
    from scrcl_edu import files
    from scrcl_edu.trial import trial as hold

    page = out or part.with_suffix(".html")
    files.check_outputs({"--report": page}, overwrite=overwrite)
    held = hold(part, open_final=open_final, draw=draw, seeds=seeds)
    click.echo(held)
    click.echo(f"The page is {held.report(page)}.")
