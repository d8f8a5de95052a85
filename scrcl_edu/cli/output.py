"""The result as JSON, for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

JSON_OPTION = click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write the result as JSON; - is standard output."
)


def write_json(result: dict[str, Any], path: Path | None, *, overwrite: bool) -> None:
    """Write it, if it was asked for."""
    from scrcl_edu.files import atomic_path

    if path is not None:
        with atomic_path(path, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
