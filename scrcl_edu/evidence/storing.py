"""Results as small JSON files that a person can read and git can compare: a row a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrcl_edu.errors import InputFileError
from scrcl_edu.files import atomic_path

if TYPE_CHECKING:
    from pandas import DataFrame

KINDS = ("benchmark", "released_predictions", "released_embeddings")


def write_rows(path: str | Path, kind: str, rows: list[dict[str, Any]], *, commands: list[str]) -> None:
    """Write rows with the commands that made them; the file is there complete, or as it was before.

    Raises
    ------
    OutputError
        When the folder cannot be written or the disk is full.
    """
    lines = ",\n".join(json.dumps(row) for row in rows)
    text = f'{{"kind": {json.dumps(kind)},\n"commands": {json.dumps(commands)},\n"rows": [\n{lines}\n]}}\n'
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_rows(path: str | Path, kind: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows and commands of a file of :func:`write_rows`.

    Raises
    ------
    InputFileError
        When the file is missing, damaged, or of another kind.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        found, rows, commands = content["kind"], content["rows"], content["commands"]
    except OSError as error:
        raise InputFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise InputFileError(f"{path} is damaged or not a file of results; delete it and run again") from error
    if found != kind:
        raise InputFileError(f"{path} holds results of kind {found!r}, not {kind!r}; give another file")
    return rows, commands


def results_folder() -> Path:
    """The folder of the results that ship: of the checkout, else of the installed package.

    Raises
    ------
    InputFileError
        When neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data" / "results", package / "data" / "results"):
        if folder.is_dir():
            return folder
    raise InputFileError("the stored results are not installed; give the folder that holds them (--results)")


def read_results(folder: str | Path | None = None, *, kind: str = "benchmark") -> DataFrame:
    """All rows of one kind in a folder, tidy: one row for each dataset, method, protocol and seed.

    Parameters
    ----------
    folder
        Of the JSON files; the results that ship when not given.
    kind
        One of KINDS.

    Returns
    -------
    DataFrame; empty when there is no file of that kind.

    Raises
    ------
    InputFileError
        When there is no such folder, or a file in it is damaged.
    """
    import pandas as pd

    folder = Path(folder) if folder is not None else results_folder()
    if not folder.is_dir():
        raise InputFileError(f"{folder} is not a folder; give the one that holds the results")
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.json")):
        if _kind(path) == kind:
            rows += read_rows(path, kind)[0]
    return pd.DataFrame(rows)


def _kind(path: Path) -> str:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["kind"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputFileError(f"{path} is damaged or not a file of results; delete it and run again") from error
