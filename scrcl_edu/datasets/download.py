"""Downloads that can be trusted: several addresses, checksums, resuming, and a file that appears only when complete."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scrcl_edu.errors import DownloadError, OutputError
from scrcl_edu.files import locked

if TYPE_CHECKING:
    import requests

    from scrcl_edu.datasets.registry import File

_TRIES = 3
_TIMEOUT = 60  # seconds without a byte


def cache_folder(cache: str | Path | None = None) -> Path:
    """The folder of the downloads: `cache`, else the environment's SCRCL_EDU_DATA, else the system's cache folder."""
    import pooch

    return Path(cache or os.environ.get("SCRCL_EDU_DATA") or pooch.os_cache("scrcl_edu")).expanduser()


def digest(path: Path, kind: str) -> str:
    """Checksum of a file: `md5`, `sha256`, or `blob` (the id that git gives to its content)."""
    hasher = hashlib.new("sha1" if kind == "blob" else kind)
    if kind == "blob":
        hasher.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while block := file.read(2**20):
            hasher.update(block)
    return hasher.hexdigest()


def matches(path: Path, check: str) -> bool:
    """Whether a file has the checksum ``kind:hex``."""
    kind, _, expected = check.partition(":")
    return digest(path, kind) == expected


def in_cache(file: File, *, cache: str | Path | None = None) -> bool:
    """Whether a file is in the cache under its name; its content is checked when it is fetched."""
    return (cache_folder(cache) / file.name).is_file()


def fetch(file: File, *, cache: str | Path | None = None, progress: bool = True) -> Path:
    """Give the path of a verified file in the cache, downloading it when it is not there or not as promised.

    Parameters
    ----------
    file
        What to get: name, addresses in order, checksum.
    cache
        Folder of the downloads; see :func:`cache_folder`.
    progress
        Whether a bar shows the progress.

    Returns
    -------
    Path of the complete file. A process that asks for the same file meanwhile waits and shares it.

    Raises
    ------
    DownloadError
        When no address gave the promised file; the message says how to put it there by hand.
    OutputError
        When the cache folder cannot be written or the disk is full.
    """
    target = cache_folder(cache) / file.name
    if _is_good(target, file):  # without a lock: the folder may be read-only
        return target
    with _writing(target), locked(target):
        if _is_good(target, file):
            return target
        failures = []
        for url in file.urls:
            reason = _try(url, target, file, progress)
            if reason is None:
                return target
            failures.append(f"  {url}: {reason}")
    if target.is_file():
        failures.insert(0, f"  {target}: {_difference(target, _expected(target, file))}")
    tried = "\n".join(failures) or "  no address is known for it"
    raise DownloadError(
        f"{file.name} could not be downloaded:\n{tried}\n"
        f"By hand: get the file from one of these addresses and save it as {target}; "
        "or set SCRCL_EDU_DATA to a folder that holds it"
    )


def set_aside(file: File, *, cache: str | Path | None = None) -> Path | None:
    """Rename a file that could not be verified and turned out to be unreadable, so that it is downloaded anew."""
    target = cache_folder(cache) / file.name
    if file.check or not target.is_file():
        return None
    aside = target.with_name(f"{target.name}.damaged")
    try:
        os.replace(target, aside)
        _record(target).unlink(missing_ok=True)
    except OSError:
        return None
    return aside


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _expected(target: Path, file: File) -> str:
    if file.check:
        return file.check
    with contextlib.suppress(OSError):
        return f"sha256:{_record(target).read_text().strip()}"
    return ""


def _is_good(target: Path, file: File) -> bool:
    if not target.is_file():
        return False
    expected = _expected(target, file)
    if expected:
        return matches(target, expected)
    _remember(target)
    return True


def _remember(target: Path) -> None:
    found = digest(target, "sha256")
    with contextlib.suppress(OSError):
        _record(target).write_text(f"{found}\n")
    warnings.warn(
        f"{target.name} could not be verified: no checksum is known for it. Its sha256 is {found}; "
        f"it is recorded in {_record(target)} and later downloads are compared with it",
        UserWarning,
        stacklevel=4,
    )


def _difference(path: Path, expected: str) -> str:
    kind, _, value = expected.partition(":")
    return f"its {kind} checksum is {digest(path, kind)}, expected {value}: another or a damaged file"


def _try(url: str, target: Path, file: File, progress: bool) -> str | None:
    """One address; None when the file is in place, else the reason why not."""
    import requests

    expected = _expected(target, file)
    part = target.with_name(f".{target.name}.{hashlib.sha1(url.encode()).hexdigest()[:8]}.part")
    for resumed in (part.is_file(), False):
        try:
            _download(url, part, checked=bool(expected), progress=progress)
        except requests.RequestException as error:
            if part.is_file() and not part.stat().st_size:
                part.unlink()
            return _reason(error)
        if not expected or matches(part, expected):
            os.replace(part, target)
            for leftover in target.parent.glob(f".{target.name}.*.part*"):
                leftover.unlink(missing_ok=True)
            if not expected:
                _remember(target)
            return None
        wrong = _difference(part, expected)
        part.unlink()
        part.with_name(f"{part.name}.version").unlink(missing_ok=True)
        if not resumed:  # a resumed file may have been put together from two versions: once more from the start
            return wrong
    return wrong


def _download(url: str, part: Path, *, checked: bool, progress: bool) -> None:
    """Fill `part`, going on where an earlier try stopped; a dropped connection is taken up again while bytes come."""
    import requests

    part.parent.mkdir(parents=True, exist_ok=True)
    for tries_left in reversed(range(_TRIES)):
        before = part.stat().st_size if part.is_file() else 0
        try:
            return _stream(url, part, before, checked=checked, progress=progress)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            if not tries_left or part.stat().st_size <= before:
                raise
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if not (before and status == 416 and tries_left):  # nothing is left after our bytes
                raise
            part.unlink()


def _stream(url: str, part: Path, start: int, *, checked: bool, progress: bool) -> None:
    import pooch
    import requests
    from tqdm import tqdm

    version_file = part.with_name(f"{part.name}.version")
    version = version_file.read_text() if version_file.is_file() else ""
    # "identity": else servers pack text once more, and checksums and ranges are off; some refuse requests' own name
    headers = {"Accept-Encoding": "identity", "User-Agent": "scrcl_edu"}
    if start and (version or checked):
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": version} if version else {})
    bar = tqdm(desc=part.name.split(".")[1], total=1, unit="B", unit_scale=True, disable=not progress)
    with part.open("ab") as stream, bar:

        def on_answer(response: requests.Response, **_: object) -> None:
            continues = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if response.status_code == 206 and not continues:
                raise requests.RequestException("the server sent another part of the file than was asked for")
            if response.status_code == 200 and start:
                stream.truncate(0)  # everything comes again: the server cannot resume, or has new content
            if response.status_code in (200, 206):
                tag = response.headers.get("ETag", "")
                version_file.write_text(response.headers.get("Last-Modified", "") if tag[:2] in ("", "W/") else tag)

        get: Callable = pooch.HTTPDownloader(
            progressbar=bar, chunk_size=2**18, headers=headers, timeout=_TIMEOUT, hooks={"response": on_answer}
        )
        get(url, stream, None)


def _reason(error: requests.RequestException) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke before the file was complete; run again to go on from there"
    if isinstance(error, requests.Timeout):
        return f"no answer within {_TIMEOUT} s"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)[:200]


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if isinstance(error, (DownloadError, OutputError)):
            raise
        if error.errno == errno.ENOSPC:
            for part in target.parent.glob(f".{target.name}.*.part*"):
                part.unlink(missing_ok=True)
            raise OutputError(
                f"the disk is full: {target} was not downloaded; free some space, "
                "or set SCRCL_EDU_DATA to a folder on another disk"
            ) from error
        raise OutputError(
            f"{target.parent} cannot be written ({error.strerror or error}); set SCRCL_EDU_DATA to a folder of yours"
        ) from error
