"""`scrcl-edu explore`: the parts of the method to touch, in a browser, without Jupyter."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), help="Write one page that needs nothing else, and stop.")
@click.option("--overwrite", is_flag=True, help="Replace a page that is there.")
@click.option("--port", default=8766, show_default=True, help="0 takes any that is free.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--data", is_flag=True, help="Developers: make the numbers and pictures of NAMES again, and stop.")
def explore(names: tuple[str, ...], out: Path | None, overwrite: bool, port: int, no_browser: bool, data: bool) -> None:
    """Open the explorables NAMES, or all of them, in a browser on this machine."""
    from scrcl_edu import explorables, files
    from scrcl_edu.explorables import bundling, serving, storing

    chosen = tuple(storing.check_name(name) for name in names) or explorables.NAMES
    if data:
        storing.write(chosen, report=click.echo)
    elif out is not None:
        files.check_output(out, overwrite=overwrite, endings=(".html", ".htm"))
        with files.atomic_path(out, overwrite=overwrite) as temporary:
            temporary.write_text(bundling.page(chosen), encoding="utf-8")
        click.echo(f"The page is {out}.")
    else:
        serving.serve(chosen, port=port, browser=not no_browser, report=click.echo)
