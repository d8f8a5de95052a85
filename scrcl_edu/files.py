"""Writing without losing anything: a result appears under its name only when it is complete.

A file is written under another name beside its own and then moved; a device or a pipe is written into, never replaced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scrcl_edu.errors import CheckpointError, OutputError, SettingsError

STDOUT = Path("-")
FIGURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".eps", ".ps")
_REASONS = {
    errno.ENOSPC: "was not written: the disk is full; free some space and try again",
    errno.EDQUOT: "was not written: your quota is used up; free some space and try again",
    errno.EFBIG: "was not written: files may not become so large here (see ulimit -f); raise the limit and try again",
    errno.EPIPE: "was not written to the end: the program that reads it has stopped",
}


def check_outputs(outputs: Mapping[str, Path | None], *, overwrite: bool = False, silent: bool = False) -> None:
    """Raise now, for several outputs at once, what would otherwise be raised after the work is done.

    Parameters
    ----------
    outputs
        Path of each output by the name of its option; None is not asked for.
    overwrite
        Whether existing files may be replaced.
    silent
        Nothing is printed either.

    Raises
    ------
    OutputError
        As :func:`check_output`, and when two options name one file.
    SettingsError
        When nothing is written and nothing printed.
    """
    if silent and not any(outputs.values()):
        raise SettingsError(f"nothing would be kept or said: give {', '.join(outputs)}, or leave --quiet out")
    endings = {"--out": (".h5ad", ""), "--figure": FIGURES, "--report": (".html", ".htm"), "--model": (".pt", ".pth")}
    wanted = {option: path for option, path in outputs.items() if path is not None}
    names: dict[str, str] = {}
    for option, path in wanted.items():
        name = "-" if is_stdout(path) else os.path.realpath(path)
        if name in names and name != os.devnull:
            raise OutputError(f"{names[name]} and {option} both name {path}; give them different names")
        names[name] = option
    for option, path in wanted.items():
        check_output(path, overwrite=overwrite, endings=endings.get(option, ()))


def check_output(path: str | Path, *, overwrite: bool = False, endings: Sequence[str] = ()) -> Path:
    """Raise now what would otherwise be raised after the work is done.

    Parameters
    ----------
    path
        File to be written later; "-" is standard output.
    overwrite
        Whether an existing file may be replaced.
    endings
        What the name may end in, such as ".png"; everything when none is given. Of a device or a pipe not asked.

    Returns
    -------
    The path.

    Raises
    ------
    OutputError
        When the path is a folder or a disk, exists without `overwrite`, has another ending, or cannot be written.
    """
    path = Path(path)
    with _explained(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file inside it, such as {path / 'result.h5ad'}")
        if path.is_block_device():
            raise OutputError(f"{path} is a disk and is kept; give the name of a file")
        if is_stream(path):
            if not is_stdout(path) and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return path
        _refuse_existing(path, overwrite=overwrite)
        if endings and path.suffix.lower() not in endings:
            allowed = ", ".join(ending for ending in endings if ending)
            raise OutputError(f"{path} ends in {path.suffix or 'nothing'}; choose a name that ends in {allowed}")
        if not path.parent.is_dir():
            raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist; create it first")
    with atomic_path(path, overwrite=True, keep=False):
        pass
    return path


def is_stdout(path: Path | None) -> bool:
    """Whether a path means standard output."""
    return str(path) in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def is_stream(path: str | Path) -> bool:
    """Whether a path is a device or a pipe, which is written into; "-" and /dev/stdout are standard output."""
    path = Path(path)
    if is_stdout(path) or str(path) == "/dev/stderr" or str(path).startswith(("/dev/fd/", "/proc/self/fd/")):
        return True  # also where they lead to a file, which holds what was printed before
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextlib.contextmanager
def atomic_path(path: str | Path, *, overwrite: bool = False, keep: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends well, remove it when not.

    Parameters
    ----------
    path
        Where the file shall be in the end; a link is followed. A device or a pipe gets the file's bytes instead.
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
    with _explained(path):
        if is_stream(path):
            with tempfile.TemporaryDirectory() as folder:
                yield (temporary := Path(folder) / f"output{path.suffix}")
                _pour(temporary, path)
            return
        target = Path(os.path.realpath(path))
        temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{path.suffix}")
        try:
            temporary.touch(exist_ok=False)
            yield temporary
            if keep:
                _settle(temporary)
                _move(temporary, target, overwrite=overwrite)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, *, timeout: float = -1) -> Iterator[None]:
    """Keep other processes from what belongs to `path`; no lock file is left, however the block ends.

    Parameters
    ----------
    path
        The lock lies beside it, hidden. A process that is killed loses it at once.
    timeout
        Seconds to wait for another process; below 0 without end.

    Raises
    ------
    TimeoutError
        When another process has it for longer.
    """
    from filelock import FileLock

    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout)
    with lock:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # while it is held: who waits sees that its file is gone, and makes one
                os.unlink(lock.lock_file)


@contextlib.contextmanager
def claimed(path: Path | None) -> Iterator[None]:
    """Hold an output for the time of the work, and remove the unfinished files that a killed process left of it.

    Raises
    ------
    OutputError
        When another process is working on the same output.
    """
    if path is None or is_stream(path):
        yield
        return
    with contextlib.ExitStack() as stack:
        with _explained(path):
            try:
                stack.enter_context(locked(path, timeout=0))
            except TimeoutError as error:
                busy = f"{path} is being made by another process; wait for it, or choose another name"
                raise OutputError(busy) from error
            _sweep(path)
            _sweep(path.with_name(f"{path.name}.checkpoint"))
        yield


def checkpoint_of(path: Path | None) -> Path | None:
    """Where the checkpoint of an output lies: beside it, under its name and `.checkpoint`. A stream has none."""
    return None if path is None or is_stream(path) else path.with_name(f"{path.name}.checkpoint")


def check_checkpoint(checkpoint: str | Path | None, *, resume: bool = False, overwrite: bool = False) -> None:
    """Raise when the state of an interrupted run is there and nobody said what to do with it, or the other way round.

    Raises
    ------
    OutputError
        When the file is there without `resume` or `overwrite`.
    SettingsError, CheckpointError
        When `resume` is set without a file to resume from.
    """
    if resume and checkpoint is None:
        raise SettingsError(
            "--resume needs --out: the checkpoint lies beside that file (resume=True needs checkpoint=)"
        )
    there = checkpoint is not None and Path(checkpoint).exists()
    if resume and not there:
        raise CheckpointError(f"there is no checkpoint {checkpoint} to resume from; start again without --resume")
    if there and not (resume or overwrite):
        raise OutputError(
            f"{checkpoint} of an interrupted run is there; go on from it with --resume, or start again with "
            "--overwrite (in Python: resume=True, or delete the file)"
        )


def _sweep(path: Path) -> None:
    path = Path(os.path.realpath(path))
    left = re.compile(rf"\.{re.escape(path.stem)}\.[0-9a-f]{{8}}{re.escape(path.suffix)}")
    for other in path.parent.iterdir():
        if left.fullmatch(other.name):
            other.unlink(missing_ok=True)


def _pour(source: Path, path: Path) -> None:
    """Write a file's bytes into a device or a pipe, behind what is there."""
    with source.open("rb") as file:
        if is_stdout(path):
            sys.stdout.flush()
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()
        else:
            with path.open("ab", buffering=0) as target:
                shutil.copyfileobj(file, target)


def _settle(path: Path) -> None:
    """Wait until the disk has the bytes: else a power loss could leave a name without its content."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _move(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        with contextlib.suppress(OSError):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
        return
    _refuse_existing(target, overwrite=False)
    try:
        os.link(temporary, target)  # unlike a move it cannot replace a file that another process has just written
    except FileExistsError:
        _refuse_existing(target, overwrite=False)
    except OSError:  # a disk without hard links
        os.replace(temporary, target)


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
        known = _REASONS.get(error.errno or 0)
        raise OutputError(
            f"{path} {known}"
            if known
            else f"{path} cannot be written: {error.strerror or error}; choose another folder or name"
        ) from error
