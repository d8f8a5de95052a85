"""How many threads to compute with, and how they wait: a class's server and a container show more than they give.

`import scrcl_edu` calls :func:`settle` before torch, numba and numpy start their threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COUNTS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
# OpenMP's own word, and where runtimes need more. A thread that waits then sleeps; otherwise it keeps the processor,
# which another process or another learner could use.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "OPENBLAS_THREAD_TIMEOUT": "4"}


class Threads(NamedTuple):
    """How many, and what decided it."""

    number: int
    reason: str


def settle() -> None:
    """Tell the libraries how many threads to start and to wait without spinning; what was set before is left alone.

    Where one of the two variables is set, the other follows it: numba would else raise the number that torch was given.
    """
    given = next((os.environ[name] for name in COUNTS if os.environ.get(name)), None)
    found = allowed()
    wanted = PASSIVE | dict.fromkeys(COUNTS, given or str(found.number))
    if "numba" in sys.modules:  # it refuses another number once it has begun
        del wanted["NUMBA_NUM_THREADS"]
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    if given is None and found.number < n_cores() and {"numpy", "torch"} & sys.modules.keys():
        import threadpoolctl  # they have read the environment already

        threadpoolctl.threadpool_limits(found.number)


def allowed(root: Path = Path("/")) -> Threads:
    """The threads that can run at once: the processors of this process, or less where a quota is set on their time.

    Parameters
    ----------
    root
        Where `proc` and `sys` are.
    """
    bounds = [Threads(n_cores(), "processors of this process")]
    if hub := _number(os.environ.get("CPU_LIMIT", "")):
        bounds.append(Threads(max(1, int(hub)), "the hub's limit"))
    if quotas := list(_quotas(root)):
        bounds.append(Threads(max(1, int(min(quotas))), f"a quota of {min(quotas):g} processors"))
    return min(bounds)


def n_cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_words() -> str:
    """What was found and what is used, for the doctor."""
    found, used = allowed(), os.environ.get("OMP_NUM_THREADS", "")
    words = f"{n_cores()}; {used} thread{'s' * (used != '1')} at once"
    if used != str(found.number):
        return f"{words}, as OMP_NUM_THREADS says"
    return f"{words}, by {found.reason}"


def _quotas(root: Path) -> Iterator[float]:
    """Processors' worth of time that each control group around this process may use."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            for folder in _upwards(root / "sys/fs/cgroup", path):
                quota, _, period = _read(folder / "cpu.max").partition(" ")
                yield from _share(quota, period)
        elif "cpu" in controllers.split(","):  # version 1
            for name in (controllers, "cpu"):
                for folder in _upwards(root / "sys/fs/cgroup" / name, path):
                    yield from _share(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _upwards(top: Path, path: str) -> list[Path]:
    """The group's folder and those around it; in a container only some of them are there."""
    inside = Path(path.lstrip("/"))
    return [top / part for part in (inside, *inside.parents)]


def _share(quota: str, period: str) -> Iterator[float]:
    allowed, per = _number(quota), _number(period)  # "max" and -1: without limit
    if allowed and per:
        yield allowed / per


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value > 0 else None
