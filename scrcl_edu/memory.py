"""Keep the memory of large arrays from one epoch to the next.

The C library of Linux asks the system for every array above 32 MB anew, and the system empties each page at its first
use: in an epoch with large arrays that takes more than a third of the processor's time.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's names for what mallopt sets
_KEPT = 2**30  # bytes up to which an array's memory is kept
_USUAL = 2**25  # glibc's own limit
_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None


@contextlib.contextmanager
def kept_between_epochs() -> Iterator[None]:
    """Reuse the memory of freed arrays inside the block; give it back at its end. Without glibc nothing happens."""
    if _LIBRARY is None or not hasattr(_LIBRARY, "mallopt"):
        yield
        return
    _LIBRARY.mallopt(_MMAP_THRESHOLD, _KEPT)
    _LIBRARY.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        _LIBRARY.mallopt(_MMAP_THRESHOLD, _USUAL)
        _LIBRARY.mallopt(_TRIM_THRESHOLD, 2 * _USUAL)
        _LIBRARY.malloc_trim(0)
