"""Writing without losing anything: a result appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from scrcl_edu.errors import OutputError


def check_output(path: str | Path, *, overwrite: bool = False) -> Path:
    """Raise now what would otherwise be raised after the work is done.

    Parameters
    ----------
    path
        File to be written later.
    overwrite
        Whether an existing file may be replaced.

    Returns
    -------
    The path.

    Raises
    ------
    OutputError
        When the path is a folder, exists without `overwrite`, or cannot be written.
    """
    path = Path(path)
    with _explained(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file inside it, such as {path / 'result.h5ad'}")
        _refuse_existing(path, overwrite=overwrite)
        if not path.parent.is_dir():
            raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist; create it first")
    with atomic_path(path, overwrite=True, keep=False):
        pass
    return path


@contextlib.contextmanager
def atomic_path(path: str | Path, *, overwrite: bool = False, keep: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends well, remove it when not.

    Parameters
    ----------
    path
        Where the file shall be in the end.
    overwrite
        Whether an existing file may be replaced.
    keep
        False only tries whether the folder can be written.

    Raises
    ------
    OutputError
        When the file exists without `overwrite`, the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    with _explained(path):
        try:
            temporary.touch(exist_ok=False)
            yield temporary
            if keep:
                _refuse_existing(path, overwrite=overwrite)
                os.replace(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _refuse_existing(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists and is kept; choose another name or pass --overwrite (overwrite=True)")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutputError(f"{path} was not written: the disk is full; free some space and try again") from error
        reason = error.strerror or error
        raise OutputError(f"{path} cannot be written: {reason}; choose another folder or name") from error
