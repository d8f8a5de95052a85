"""Damage in an HDF5 file in which HDF5's own library loops for ever or crashes: looked for before anything is read.

Texts of any length lie in global heaps: a signature, the heap's size, then objects one behind the other. An object of
no size keeps the library at one place, deaf to Ctrl-C. A text whose type is damaged may look like a list of texts, and
sends the library into foreign memory.
"""

from __future__ import annotations

import contextlib
import mmap
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from scrcl_edu.errors import InputFileError

_HEAP = b"GCOL\x01\x00\x00\x00"
_HEADER, _OBJECT = struct.Struct("<8sQ"), struct.Struct("<HHIQ")  # object: index, references, reserved, size
_SIZES_AT = {0: 13, 1: 13, 2: 9, 3: 9}  # by the superblock's version: where it says how many bytes a length has


def check_hdf5(source: Path | BytesIO) -> None:
    """Raise InputFileError when a heap of a file, or of its bytes, leads nowhere, or a type is one nobody writes."""
    import h5py

    _check_heaps(source)
    with h5py.File(source) as file:
        _check_types("/", file)
        file.visititems(_check_types)


def _check_types(name: str, item: Any) -> None:
    """Lists of varying length are in no layout that is read; a text with a damaged type looks like one."""
    attributes = [item.attrs.get_id(key) for key in item.attrs]
    for holder in [*attributes, *([item.id] if hasattr(item, "dtype") else [])]:
        if _has_lists(holder.get_type()):
            raise InputFileError(
                f"this is damaged: {name} holds lists of varying length, which no program writes there; "
                "copy, download or export the file again"
            )


def _has_lists(kind: Any) -> bool:
    from h5py import h5t

    if kind.get_class() == h5t.COMPOUND:
        return any(_has_lists(kind.get_member_type(i)) for i in range(kind.get_nmembers()))
    return kind.get_class() == h5t.VLEN or (kind.get_class() == h5t.ARRAY and _has_lists(kind.get_super()))


def _check_heaps(source: Path | BytesIO) -> None:
    with _bytes_of(source) as content:
        at = _SIZES_AT.get(content[8])
        if at is None or content[at : at + 2] != b"\x08\x08":
            return  # lengths of other than 8 bytes, which nobody writes: left to the library
        start = content.find(_HEAP)
        while start >= 0:
            if not _is_sound(content, start):
                raise InputFileError(
                    f"this is damaged: the heap of its texts at byte {start} cannot be read; "
                    "copy, download or export the file again"
                )
            start = content.find(_HEAP, start + len(_HEAP))


def _is_sound(content: Any, start: int) -> bool:
    if start + _HEADER.size > len(content):
        return False
    end = start + _HEADER.unpack_from(content, start)[1]
    if end > len(content):
        return False
    place = start + _HEADER.size
    while place + _OBJECT.size <= end:
        index, _, _, size = _OBJECT.unpack_from(content, place)
        step = _OBJECT.size + (size + 7) // 8 * 8 if index else size  # object 0 is the space that is left
        if step < _OBJECT.size or place + step > end:
            return False
        place += step
    return True


@contextlib.contextmanager
def _bytes_of(source: Path | BytesIO) -> Iterator[Any]:
    if not isinstance(source, Path):
        yield source.getvalue()
        return
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content
