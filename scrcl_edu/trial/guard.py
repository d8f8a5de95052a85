"""What a part must not touch while it is tried: files, networks, other processes, and whatever knows the sets.

The process that runs a part holds no labels at all. The guard closes the ways around: it refuses to open the files that
hold them, to import or call what could make the same sets again, and to look into other processes. It stops the usual
tricks and every accident; it is no prison. Whatever was tried is remembered, also when the part swallows the refusal.
"""

from __future__ import annotations

import os
import sys
import types
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

READABLE = (".py", ".pyc", ".pyi", ".so", ".nbi", ".nbc")  # what importing opens
HARMLESS = ("/dev/null", "/dev/urandom", "/proc/self/", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/")
FORBIDDEN = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.bind",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.kill",
)
KNOWS_THE_SETS = (
    "scrcl_edu.datasets",
    "scrcl_edu.trial",
    "scrcl_edu.evidence",
    "scrcl_edu.course",
    "scanpy.datasets",
)
_PACKAGE = Path(__file__).resolve().parents[1]
_CLOSED = tuple(str(_PACKAGE / room) for room in ("datasets", "trial", "evidence", "course"))

tried: list[str] = []


class Refused(BaseException):
    """A part did what it must not; no `except Exception` swallows it."""


def refuse(what: str) -> None:
    """Remember what was tried, and stop it."""
    tried.append(what)
    raise Refused(what)


def close_the_doors() -> None:
    """Watch everything from here on; there is no way back in this process."""
    for name in [name for name in sys.modules if _knows(name)]:
        module = sys.modules[name]
        for entry, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType) and not name.startswith("scrcl_edu.trial"):
                setattr(module, entry, _closed(f"{name}.{entry}"))
        del sys.modules[name]
    sys.meta_path.insert(0, _NoImport())
    _close_hdf5()
    sys.addaudithook(_watch)


def _knows(name: str) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in KNOWS_THE_SETS)


def _closed(name: str) -> Any:
    return lambda *_, **__: refuse(f"it called {name}, which knows the sets")


class _NoImport(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if _knows(name):
            refuse(f"it imported {name}, which knows the sets")


def _close_hdf5() -> None:
    # HDF5 opens files by itself, which no audit event tells.
    import h5py

    h5py.File.__init__ = _closed("h5py.File")
    h5py.h5f.open = _closed("h5py.h5f.open")


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        _look_at_file(arguments[0])
    elif event in FORBIDDEN:
        refuse(f"it used {event}, which leads out of its process")
    elif event == "ctypes.dlopen" and not str(arguments[0]).endswith(".so"):
        refuse("it opened a library of the system, which leads around every rule")


def _look_at_file(file: Any) -> None:
    if not isinstance(file, str | bytes | os.PathLike):  # a number: open already
        return
    path = os.path.abspath(os.fsdecode(file))
    if path.startswith(_CLOSED):
        refuse(f"it opened {os.path.basename(path)}, which knows the sets")
    if not path.endswith(READABLE) and not path.startswith(HARMLESS):
        refuse(f"it opened the file {os.path.basename(path)}; a part sees its arguments alone")
